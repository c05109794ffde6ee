/* SPDX-License-Identifier: Apache-2.0 */
/* reshape: the same elements in row-major order; nothing to do when y lies where x lies. */
#include "reference.h"

#include <string.h>

static void candidate(const linnet_layer_desc *desc, linnet_candidate *out)
{
    if (linnet_desc_is_dense(&desc->inputs[LINNET_RESHAPE_X]) &&
        linnet_desc_is_dense(&desc->outputs[LINNET_RESHAPE_Y])) {
        out->in_place = 1u << LINNET_RESHAPE_X;
        out->alias = 1;
    }
}

/* Element index in row-major order. */
static float *element(const reference_tensor *t, int64_t index)
{
    return reference_item(t, index / t->inner) + index % t->inner;
}

static void forward(const reference_call *call)
{
    reference_tensor x = reference_input(call, LINNET_RESHAPE_X), y = reference_output(call, LINNET_RESHAPE_Y);
    for (int64_t i = 0; i < x.items * x.inner; i++) /* bytes, not numbers: i32 goes this way too */
        memmove(element(&y, i), element(&x, i), sizeof(float));
}

static void backward(const reference_call *call)
{
    reference_tensor dx = reference_input_gradient(call, LINNET_RESHAPE_X);
    reference_tensor dy = reference_output_gradient(call, LINNET_RESHAPE_Y);
    for (int64_t i = 0; i < dx.items * dx.inner; i++)
        reference_put(&dx, element(&dx, i), *element(&dy, i));
}

const reference_layer reference_reshape_layer = {
    .moves_i32 = true,
    .candidate = candidate,
    .forward = forward,
    .backward = backward,
};
