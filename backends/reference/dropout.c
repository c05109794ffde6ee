/* SPDX-License-Identifier: Apache-2.0 */
/* dropout (Srivastava et al. 2014), inverted: y = x / (1 - p) where kept. The mask is drawn again for the gradient. */
#include "reference.h"

static void candidate(const linnet_layer_desc *desc, linnet_candidate *out)
{
    reference_in_place(desc, out);
    out->alias = desc->behaviour == LINNET_EVALUATE && out->in_place;
}

/* What element index (dense, row-major) is multiplied by. */
static double factor(const reference_call *call, int64_t index)
{
    float probability = ((const linnet_dropout_attributes *)call->desc->attributes)->probability;
    if (call->desc->behaviour == LINNET_EVALUATE)
        return 1;
    float uniform = linnet_philox_uniform(call->args->seed, call->args->node, call->args->step, (uint64_t)index);
    return uniform >= probability ? 1 / (1 - (double)probability) : 0;
}

static void apply(const reference_call *call, const reference_tensor *from, const reference_tensor *to)
{
    for (int64_t n = 0; n < to->items; n++)
        for (int64_t i = 0; i < to->inner; i++) {
            double by = factor(call, n * to->inner + i);
            reference_put(to, reference_item(to, n) + i, by != 0 ? by * reference_item(from, n)[i] : 0);
        }
}

static void forward(const reference_call *call)
{
    reference_tensor x = reference_input(call, LINNET_DROPOUT_X), y = reference_output(call, LINNET_DROPOUT_Y);
    apply(call, &x, &y);
}

static void backward(const reference_call *call)
{
    reference_tensor dx = reference_input_gradient(call, LINNET_DROPOUT_X);
    reference_tensor dy = reference_output_gradient(call, LINNET_DROPOUT_Y);
    if (dx.data)
        apply(call, &dy, &dx);
}

const reference_layer reference_dropout_layer = {
    .attributes_size = sizeof(linnet_dropout_attributes),
    .candidate = candidate,
    .forward = forward,
    .backward = backward,
};
