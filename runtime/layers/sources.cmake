# SPDX-License-Identifier: Apache-2.0
# One file per layer kind of layers.def, and the table; paths are relative to runtime/.
set(LINNET_LAYERS_SOURCES
  layers/alpha_norm.c
  layers/avg_pool2d.c
  layers/batch_norm.c
  layers/binary.c
  layers/check.c
  layers/concat.c
  layers/conv2d.c
  layers/cross_entropy.c
  layers/dropout.c
  layers/global_avg_pool.c
  layers/gram.c
  layers/linear.c
  layers/local_conv2d.c
  layers/log_softmax.c
  layers/max_pool2d.c
  layers/mse.c
  layers/pad2d.c
  layers/reshape.c
  layers/shape.c
  layers/softmax.c
  layers/table.c
  layers/total_variation.c
  layers/unary.c)
