/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of linear share. */
#ifndef LINNET_CPU_LINEAR_H
#define LINNET_CPU_LINEAR_H

#include "cpu.h"

/* n items, i inputs, o outputs; strides between items or blocks of the storage. */
typedef struct cpu_linear_sizes {
    int64_t n, i, o, x_stride, y_stride;
} cpu_linear_sizes;

cpu_linear_sizes cpu_linear_sizes_of(const linnet_layer_desc *desc);

/* Formats, what backward reads, and the refusal of outer strides. */
void cpu_linear_describe(const linnet_layer_desc *desc, linnet_candidate *out, uint32_t format);

int cpu_linear_describe_rows(const linnet_layer_desc *desc, linnet_candidate *out);
void cpu_linear_forward_rows(const linnet_layer_desc *desc, const linnet_layer_args *args);

int cpu_linear_describe_blocked(const linnet_layer_desc *desc, linnet_candidate *out);
void cpu_linear_forward_blocked(const linnet_layer_desc *desc, const linnet_layer_args *args);
void cpu_linear_backward_blocked(const linnet_layer_desc *desc, const linnet_layer_args *args);

#endif
