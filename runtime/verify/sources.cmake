# SPDX-License-Identifier: Apache-2.0
set(LINNET_VERIFY_SOURCES
  verify/arena.c
  verify/bench.c
  verify/case.c
  verify/case_text.c
  verify/cases.c
  verify/compare.c
  verify/expected.c
  verify/focus.c
  verify/gradient.c
  verify/layer_backward.c verify/layer_check.c verify/layer_formats.c verify/layer_forward.c
  verify/measure.c
  verify/operands.c
  verify/optimizer.c
  verify/queue.c
  verify/repeats.c
  verify/tolerance.c
  verify/trial.c verify/trust.c verify/trust_file.c verify/trust_kernels.c
  verify/variants.c
  verify/verify.c)
