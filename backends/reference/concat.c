/* SPDX-License-Identifier: Apache-2.0 */
/* concat: inputs laid one behind the other along an axis. */
#include "reference.h"

#include <string.h>

static void candidate(const linnet_layer_desc *desc, linnet_candidate *out)
{
    (void)desc;
    (void)out;
}

/* Walks the elements of input index, which starts at first along the axis of y: *out_x and *out_y are their places. */
static void place(const reference_call *call, uint32_t index, int64_t first, int64_t element, const reference_tensor *x,
                  const reference_tensor *y, float **out_x, float **out_y)
{
    uint32_t axis = ((const linnet_axis_attributes *)call->desc->attributes)->axis;
    const linnet_tensor_desc *x_desc = &call->desc->inputs[index], *y_desc = &call->desc->outputs[LINNET_CONCAT_Y];
    int64_t in_x = 0, in_y = 0, weight_x = 1, weight_y = 1;
    for (uint32_t d = x_desc->rank; d-- > 0; element /= x_desc->dims[d]) {
        int64_t at = element % x_desc->dims[d];
        if (d == 0) {
            weight_x = x->stride;
            weight_y = y->stride;
        }
        in_x += at * weight_x;
        in_y += (d == axis ? at + first : at) * weight_y;
        weight_x *= x_desc->dims[d];
        weight_y *= y_desc->dims[d];
    }
    *out_x = x->data + in_x;
    *out_y = y->data + in_y;
}

static void forward(const reference_call *call)
{
    uint32_t axis = ((const linnet_axis_attributes *)call->desc->attributes)->axis;
    reference_tensor y = reference_output(call, LINNET_CONCAT_Y);
    int64_t first = 0;
    for (uint32_t k = 0; k < call->desc->input_count; first += call->desc->inputs[k].dims[axis], k++) {
        reference_tensor x = reference_input(call, k);
        for (int64_t i = 0; i < x.items * x.inner; i++) {
            float *from, *to;
            place(call, k, first, i, &x, &y, &from, &to);
            memcpy(to, from, sizeof(float)); /* bytes, not numbers: i32 goes this way too */
        }
    }
}

static void backward(const reference_call *call)
{
    uint32_t axis = ((const linnet_axis_attributes *)call->desc->attributes)->axis;
    reference_tensor dy = reference_output_gradient(call, LINNET_CONCAT_Y);
    int64_t first = 0;
    for (uint32_t k = 0; k < call->desc->input_count; first += call->desc->inputs[k].dims[axis], k++) {
        reference_tensor dx = reference_input_gradient(call, k);
        for (int64_t i = 0; i < dx.items * dx.inner; i++) {
            float *to, *from;
            place(call, k, first, i, &dx, &dy, &to, &from);
            reference_put(&dx, to, *from);
        }
    }
}

const reference_layer reference_concat_layer = {
    .attributes_size = sizeof(linnet_axis_attributes),
    .moves_i32 = true,
    .candidate = candidate,
    .forward = forward,
    .backward = backward,
};
