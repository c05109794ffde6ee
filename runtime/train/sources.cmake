# SPDX-License-Identifier: Apache-2.0
set(LINNET_TRAIN_SOURCES
  train/checkpoint.c train/evaluate.c train/optimizer.c train/schedule.c train/weights.c train/weights_notes.c)
