/* SPDX-License-Identifier: Apache-2.0 */
/* alpha_norm: loss = sum |x|^alpha. */
#include "reference.h"

#include <math.h>

static void candidate(const linnet_layer_desc *desc, linnet_candidate *out)
{
    if (desc->direction == LINNET_BACKWARD)
        out->reads_inputs = 1u << LINNET_ALPHA_NORM_X;
}

static double alpha_of(const reference_call *call)
{
    return ((const linnet_alpha_norm_attributes *)call->desc->attributes)->alpha;
}

static void forward(const reference_call *call)
{
    reference_tensor x = reference_input(call, LINNET_ALPHA_NORM_X);
    reference_tensor loss = reference_output(call, LINNET_ALPHA_NORM_LOSS);
    double sum = 0;
    for (int64_t n = 0; n < x.items; n++)
        for (int64_t i = 0; i < x.inner; i++)
            sum += pow(fabs((double)reference_item(&x, n)[i]), alpha_of(call));
    *loss.data = (float)sum;
}

/* dx = dloss alpha |x|^(alpha-1) sign(x), 0 at 0; sign(NaN) is NaN */
static void backward(const reference_call *call)
{
    reference_tensor x = reference_input(call, LINNET_ALPHA_NORM_X);
    reference_tensor dloss = reference_output_gradient(call, LINNET_ALPHA_NORM_LOSS);
    reference_tensor dx = reference_input_gradient(call, LINNET_ALPHA_NORM_X);
    double alpha = alpha_of(call);
    if (!dx.data)
        return;
    for (int64_t n = 0; n < x.items; n++)
        for (int64_t i = 0; i < x.inner; i++) {
            double value = reference_item(&x, n)[i];
            double slope = copysign(alpha * pow(fabs(value), alpha - 1), value);
            slope = value == 0 ? 0 : isnan(value) ? value : slope;
            reference_put(&dx, reference_item(&dx, n) + i, *dloss.data * slope);
        }
}

const reference_layer reference_alpha_norm_layer = {
    .attributes_size = sizeof(linnet_alpha_norm_attributes),
    .candidate = candidate,
    .forward = forward,
    .backward = backward,
};
