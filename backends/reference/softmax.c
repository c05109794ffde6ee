/* SPDX-License-Identifier: Apache-2.0 */
/* softmax along an axis: y = exp(x - max) / sum exp(x - max). */
#include "reference.h"

#include <math.h>

static void candidate(const linnet_layer_desc *desc, linnet_candidate *out)
{
    if (desc->direction == LINNET_BACKWARD)
        out->reads_outputs = 1u << LINNET_SOFTMAX_Y;
    reference_in_place(desc, out);
}

static void forward(const reference_call *call)
{
    reference_tensor x = reference_input(call, LINNET_SOFTMAX_X), y = reference_output(call, LINNET_SOFTMAX_Y);
    reference_rows rows = reference_axis_rows(call);
    for (int64_t row = 0; row < rows.count; row++) {
        double max = -INFINITY, sum = 0;
        for (int64_t i = 0; i < rows.length; i++)
            max = fmax(max, *reference_row_at(&rows, &x, row, i));
        for (int64_t i = 0; i < rows.length; i++)
            sum += exp(*reference_row_at(&rows, &x, row, i) - max);
        for (int64_t i = 0; i < rows.length; i++)
            *reference_row_at(&rows, &y, row, i) = (float)(exp(*reference_row_at(&rows, &x, row, i) - max) / sum);
    }
}

/* dx = y (dy - sum dy y) */
static void backward(const reference_call *call)
{
    reference_tensor y = reference_output(call, LINNET_SOFTMAX_Y),
                     dy = reference_output_gradient(call, LINNET_SOFTMAX_Y);
    reference_tensor dx = reference_input_gradient(call, LINNET_SOFTMAX_X);
    reference_rows rows = reference_axis_rows(call);
    for (int64_t row = 0; row < rows.count && dx.data; row++) {
        double sum = 0;
        for (int64_t i = 0; i < rows.length; i++)
            sum += (double)*reference_row_at(&rows, &dy, row, i) * *reference_row_at(&rows, &y, row, i);
        for (int64_t i = 0; i < rows.length; i++)
            reference_put(&dx, reference_row_at(&rows, &dx, row, i),
                          *reference_row_at(&rows, &y, row, i) * (*reference_row_at(&rows, &dy, row, i) - sum));
    }
}

const reference_layer reference_softmax_layer = {
    .attributes_size = sizeof(linnet_axis_attributes),
    .candidate = candidate,
    .forward = forward,
    .backward = backward,
};
