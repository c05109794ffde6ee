/* SPDX-License-Identifier: Apache-2.0 */
/* unary: y = f(x; alpha, beta). The gradient reads y, never x. */
#include "reference.h"

#include <math.h>

/* NaN stays NaN: each comparison is written so that it is false for it. */
double reference_unary(uint32_t op, double alpha, double beta, double x)
{
    switch (op) {
    case LINNET_UNARY_RELU:
        return x <= 0 ? 0 : x;
    case LINNET_UNARY_LEAKY_RELU:
        return x > 0 ? x : alpha * x;
    case LINNET_UNARY_CLIP:
        return x < alpha ? alpha : x > beta ? beta : x;
    case LINNET_UNARY_TANH:
        return tanh(x);
    case LINNET_UNARY_SIGMOID:
        return 1 / (1 + exp(-x));
    case LINNET_UNARY_SCALE:
        return alpha * x + beta;
    default:
        return x;
    }
}

static double gradient(uint32_t op, double alpha, double beta, double y, double dy)
{
    switch (op) {
    case LINNET_UNARY_RELU:
        return y > 0 ? dy : 0;
    case LINNET_UNARY_LEAKY_RELU:
        return y > 0 ? dy : alpha * dy;
    case LINNET_UNARY_CLIP:
        return y > alpha && y < beta ? dy : 0;
    case LINNET_UNARY_TANH:
        return dy * (1 - y * y);
    case LINNET_UNARY_SIGMOID:
        return dy * y * (1 - y);
    case LINNET_UNARY_SCALE:
        return alpha * dy;
    default:
        return dy;
    }
}

static void candidate(const linnet_layer_desc *desc, linnet_candidate *out)
{
    const linnet_unary_attributes *a = desc->attributes;
    if (a->op < LINNET_UNARY_RELU || a->op > LINNET_UNARY_SCALE)
        out->refusal = "unknown operator";
    if (desc->direction == LINNET_BACKWARD && a->op != LINNET_UNARY_SCALE)
        out->reads_outputs = 1u << LINNET_UNARY_Y;
    reference_in_place(desc, out);
}

static void forward(const reference_call *call)
{
    const linnet_unary_attributes *a = call->desc->attributes;
    reference_tensor x = reference_input(call, LINNET_UNARY_X), y = reference_output(call, LINNET_UNARY_Y);
    for (int64_t n = 0; n < x.items; n++)
        for (int64_t i = 0; i < x.inner; i++)
            reference_item(&y, n)[i] = (float)reference_unary(a->op, a->alpha, a->beta, reference_item(&x, n)[i]);
}

static void backward(const reference_call *call)
{
    const linnet_unary_attributes *a = call->desc->attributes;
    reference_tensor y = reference_output(call, LINNET_UNARY_Y), dy = reference_output_gradient(call, LINNET_UNARY_Y);
    reference_tensor dx = reference_input_gradient(call, LINNET_UNARY_X);
    if (!dx.data)
        return;
    for (int64_t n = 0; n < dx.items; n++)
        for (int64_t i = 0; i < dx.inner; i++) {
            double value = y.data ? reference_item(&y, n)[i] : 0;
            reference_put(&dx, reference_item(&dx, n) + i,
                          gradient(a->op, a->alpha, a->beta, value, reference_item(&dy, n)[i]));
        }
}

const reference_layer reference_unary_layer = {
    .attributes_size = sizeof(linnet_unary_attributes),
    .candidate = candidate,
    .forward = forward,
    .backward = backward,
};
