/* SPDX-License-Identifier: Apache-2.0 */
/* mse: loss = mean (x - target)^2. Both inputs have a gradient. */
#include "reference.h"

static void candidate(const linnet_layer_desc *desc, linnet_candidate *out)
{
    if (desc->direction == LINNET_BACKWARD)
        out->reads_inputs = 1u << LINNET_MSE_X | 1u << LINNET_MSE_TARGET;
}

static void forward(const reference_call *call)
{
    reference_tensor x = reference_input(call, LINNET_MSE_X), target = reference_input(call, LINNET_MSE_TARGET);
    reference_tensor loss = reference_output(call, LINNET_MSE_LOSS);
    double sum = 0;
    for (int64_t n = 0; n < x.items; n++)
        for (int64_t i = 0; i < x.inner; i++) {
            double distance = (double)reference_item(&x, n)[i] - reference_item(&target, n)[i];
            sum += distance * distance;
        }
    *loss.data = (float)(sum / (double)(x.items * x.inner));
}

/* dx = 2 dloss (x - target) / count, dtarget = -dx */
static void backward(const reference_call *call)
{
    reference_tensor x = reference_input(call, LINNET_MSE_X), target = reference_input(call, LINNET_MSE_TARGET);
    reference_tensor dloss = reference_output_gradient(call, LINNET_MSE_LOSS);
    reference_tensor dx = reference_input_gradient(call, LINNET_MSE_X);
    reference_tensor dtarget = reference_input_gradient(call, LINNET_MSE_TARGET);
    double scale = 2.0 * *dloss.data / (double)(x.items * x.inner);
    for (int64_t n = 0; n < x.items; n++)
        for (int64_t i = 0; i < x.inner; i++) {
            double slope = scale * ((double)reference_item(&x, n)[i] - reference_item(&target, n)[i]);
            if (dx.data)
                reference_put(&dx, reference_item(&dx, n) + i, slope);
            if (dtarget.data)
                reference_put(&dtarget, reference_item(&dtarget, n) + i, -slope);
        }
}

const reference_layer reference_mse_layer = {
    .candidate = candidate,
    .forward = forward,
    .backward = backward,
};
