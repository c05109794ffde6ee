/* SPDX-License-Identifier: Apache-2.0 */
/* The algorithm for nchw16c; batch_norm.c has the one for the other formats. What they save is the same. */
#ifndef LINNET_CPU_BATCH_NORM_H
#define LINNET_CPU_BATCH_NORM_H

#include "cpu.h"

int cpu_batch_norm_describe_nchw16c(const linnet_layer_desc *desc, linnet_candidate *out);
void cpu_batch_norm_forward_nchw16c(const linnet_layer_desc *desc, const linnet_layer_args *args);
void cpu_batch_norm_backward_nchw16c(const linnet_layer_desc *desc, const linnet_layer_args *args);

/* What forward saves and backward reads. */
void cpu_batch_norm_describe_saved(const linnet_layer_desc *desc, linnet_candidate *out);

#endif
