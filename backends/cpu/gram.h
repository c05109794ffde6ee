/* SPDX-License-Identifier: Apache-2.0 */
/* The algorithm for nchw16c; gram.c has the one for NCHW. */
#ifndef LINNET_CPU_GRAM_H
#define LINNET_CPU_GRAM_H

#include "cpu.h"

int cpu_gram_describe_nchw16c(const linnet_layer_desc *desc, linnet_candidate *out);
void cpu_gram_forward_nchw16c(const linnet_layer_desc *desc, const linnet_layer_args *args);
void cpu_gram_backward_nchw16c(const linnet_layer_desc *desc, const linnet_layer_args *args);

#endif
