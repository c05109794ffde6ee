/* SPDX-License-Identifier: Apache-2.0 */
/* What softmax and log_softmax share: the same loops with a flag. */
#ifndef LINNET_CPU_SOFTMAX_H
#define LINNET_CPU_SOFTMAX_H

#include "cpu.h"

int cpu_softmax_describe(const linnet_layer_desc *desc, linnet_candidate *out);
void cpu_softmax_forward(const linnet_layer_desc *desc, const linnet_layer_args *args, bool logarithm);
void cpu_softmax_backward(const linnet_layer_desc *desc, const linnet_layer_args *args, bool logarithm);

#endif
