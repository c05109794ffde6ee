/* SPDX-License-Identifier: Apache-2.0 */
#include "softmax.h"

static void forward(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    cpu_softmax_forward(desc, args, true);
}

static void backward(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    cpu_softmax_backward(desc, args, true);
}

static const cpu_algorithm algorithms[] = {
    {"vector", LINNET_FORWARD, false, cpu_softmax_describe, forward},
    {"vector", LINNET_BACKWARD, false, cpu_softmax_describe, backward},
};
CPU_LAYER(log_softmax, algorithms);
