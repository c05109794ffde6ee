/* SPDX-License-Identifier: Apache-2.0 */
/*
 * About how long a run takes, for candidates that do not say so themselves: products at a rate that follows the
 * preference, and memory once at the rate that a core reads it. It weighs algorithms against conversions of formats,
 * which the host counts with the memory that they move; a layer that only moves memory costs the same in any format.
 */
#include "cpu.h"

/* Per microsecond and thread. */
static const double BYTES = 10e3, PRODUCTS_AVOIDED = 6e3, PRODUCTS_NEUTRAL = 20e3, PRODUCTS_PREFERRED = 40e3;

/* Multiply-adds of one forward; 0 for layers that are no sums of products. */
static double products(const linnet_layer_desc *desc)
{
    const linnet_tensor_desc *weight = &desc->parameters[0];
    double outputs = (double)linnet_desc_count(&desc->outputs[0]);
    switch (desc->kind) {
    case LINNET_LAYER_CONV2D:
        return outputs * (double)cpu_dims(weight, 1, weight->rank);
    case LINNET_LAYER_LINEAR:
        return outputs * (double)cpu_dims(weight, 1, weight->rank);
    case LINNET_LAYER_LOCAL_CONV2D:
        return outputs * (double)cpu_dims(weight, 3, weight->rank);
    case LINNET_LAYER_GRAM:
        return outputs * (double)cpu_dims(&desc->inputs[0], 2, 4);
    default:
        return 0;
    }
}

static double bytes(const linnet_layer_desc *desc)
{
    double count = 0;
    for (uint32_t i = 0; i < desc->input_count; i++)
        count += (double)linnet_desc_count(&desc->inputs[i]);
    for (uint32_t i = 0; i < desc->output_count; i++)
        count += (double)linnet_desc_count(&desc->outputs[i]);
    for (uint32_t i = 0; i < desc->parameter_count; i++)
        count += (double)linnet_desc_count(&desc->parameters[i]);
    return count * sizeof(float);
}

float cpu_cost(const linnet_layer_desc *desc, int preference)
{
    double rate = preference < CPU_NEUTRAL ? PRODUCTS_AVOIDED
                  : preference == CPU_NEUTRAL
                      ? PRODUCTS_NEUTRAL
                      : PRODUCTS_PREFERRED * (1 + 0.1 * (preference - CPU_PREFER)); /* keeps their order */
    double moved = bytes(desc) / BYTES, parts = 1;
    if (desc->direction == LINNET_BACKWARD)
        parts = (desc->want_inputs != 0) + (desc->want_parameters != 0);
    if (products(desc) > 0)
        return (float)(moved + parts * products(desc) / rate);
    return (float)(preference < CPU_NEUTRAL ? 3 * moved : moved);
}
