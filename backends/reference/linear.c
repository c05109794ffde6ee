/* SPDX-License-Identifier: Apache-2.0 */
/* linear: y[n,o] = bias[o] + sum over i of x[n,i] weight[o,i]. */
#include "reference.h"

static void candidate(const linnet_layer_desc *desc, linnet_candidate *out)
{
    if (desc->direction == LINNET_BACKWARD) {
        out->reads_inputs = desc->want_parameters & 1u << LINNET_LINEAR_WEIGHT ? 1u << LINNET_LINEAR_X : 0;
        out->reads_parameters = desc->want_inputs ? 1u << LINNET_LINEAR_WEIGHT : 0;
    }
}

static void forward(const reference_call *call)
{
    reference_tensor x = reference_input(call, LINNET_LINEAR_X), y = reference_output(call, LINNET_LINEAR_Y);
    reference_tensor weight = reference_parameter(call, LINNET_LINEAR_WEIGHT);
    reference_tensor bias = reference_parameter(call, LINNET_LINEAR_BIAS);
    for (int64_t n = 0; n < y.items; n++)
        for (int64_t o = 0; o < y.inner; o++) {
            double sum = bias.data ? *reference_item(&bias, o) : 0;
            for (int64_t i = 0; i < x.inner; i++)
                sum += (double)reference_item(&x, n)[i] * reference_item(&weight, o)[i];
            reference_item(&y, n)[o] = (float)reference_epilogue(call, n, o, sum);
        }
}

static void backward_input(const reference_tensor *dx, const reference_tensor *dy, const reference_tensor *weight)
{
    for (int64_t n = 0; n < dx->items; n++)
        for (int64_t i = 0; i < dx->inner; i++) {
            double sum = 0;
            for (int64_t o = 0; o < dy->inner; o++)
                sum += (double)reference_item(dy, n)[o] * reference_item(weight, o)[i];
            reference_put(dx, reference_item(dx, n) + i, sum);
        }
}

static void backward_weight(const reference_tensor *dweight, const reference_tensor *dy, const reference_tensor *x)
{
    for (int64_t o = 0; o < dweight->items; o++)
        for (int64_t i = 0; i < dweight->inner; i++) {
            double sum = 0;
            for (int64_t n = 0; n < dy->items; n++)
                sum += (double)reference_item(dy, n)[o] * reference_item(x, n)[i];
            reference_put(dweight, reference_item(dweight, o) + i, sum);
        }
}

static void backward_bias(const reference_tensor *dbias, const reference_tensor *dy)
{
    for (int64_t o = 0; o < dy->inner; o++) {
        double sum = 0;
        for (int64_t n = 0; n < dy->items; n++)
            sum += reference_item(dy, n)[o];
        reference_put(dbias, reference_item(dbias, o), sum);
    }
}

static void backward(const reference_call *call)
{
    reference_tensor x = reference_input(call, LINNET_LINEAR_X), dy = reference_output_gradient(call, LINNET_LINEAR_Y);
    reference_tensor weight = reference_parameter(call, LINNET_LINEAR_WEIGHT);
    reference_tensor dx = reference_input_gradient(call, LINNET_LINEAR_X);
    reference_tensor dweight = reference_parameter_gradient(call, LINNET_LINEAR_WEIGHT);
    reference_tensor dbias = reference_parameter_gradient(call, LINNET_LINEAR_BIAS);
    if (dx.data)
        backward_input(&dx, &dy, &weight);
    if (dweight.data)
        backward_weight(&dweight, &dy, &x);
    if (dbias.data)
        backward_bias(&dbias, &dy);
}

const reference_layer reference_linear_layer = {
    .takes_epilogue = true,
    .candidate = candidate,
    .forward = forward,
    .backward = backward,
};
