/* SPDX-License-Identifier: Apache-2.0 */
/* max_pool2d: the largest element of each window. Saves which one it was: i32 [N,C,OH,OW], its place in the plane of x.
 */
#include "reference.h"

#include <math.h>

static void candidate(const linnet_layer_desc *desc, linnet_candidate *out)
{
    const linnet_tensor_desc *x = &desc->inputs[LINNET_MAX_POOL2D_X];
    if (x->dims[2] > INT32_MAX / x->dims[3])
        out->refusal = "needs planes below 2^31 elements";
    if (desc->direction == LINNET_BACKWARD) {
        out->reads_saved = 1;
    } else if (desc->differentiate) {
        out->saved_count = 1;
        out->saved_bytes[0] = (uint64_t)linnet_desc_count(&desc->outputs[LINNET_MAX_POOL2D_Y]) * sizeof(int32_t);
    }
}

/* The place of the first maximum, or of the first NaN; every window holds at least one element of x. */
static int64_t window_argmax(const linnet_pool2d_attributes *a, const reference_tensor *x, const int64_t at[4])
{
    const float *plane = reference_at(x, at[0], at[1], 0, 0);
    int64_t best = -1;
    for (int64_t u = 0; u < a->kernel[0]; u++)
        for (int64_t v = 0; v < a->kernel[1]; v++) {
            int64_t h = at[2] * a->stride[0] - a->padding[0] + u, w = at[3] * a->stride[1] - a->padding[1] + v;
            if (h < 0 || h >= x->dims[2] || w < 0 || w >= x->dims[3])
                continue;
            int64_t place = h * x->dims[3] + w;
            if (best < 0 || plane[place] > plane[best] || (isnan(plane[place]) && !isnan(plane[best])))
                best = place;
        }
    return best;
}

static void forward(const reference_call *call)
{
    const linnet_pool2d_attributes *a = call->desc->attributes;
    reference_tensor x = reference_input(call, LINNET_MAX_POOL2D_X), y = reference_output(call, LINNET_MAX_POOL2D_Y);
    int32_t *saved = call->desc->differentiate ? reference_memory(call->args->saved[0]) : NULL;
    for (int64_t n = 0; n < y.items; n++)
        for (int64_t c = 0; c < y.dims[1]; c++)
            for (int64_t i = 0; i < y.dims[2]; i++)
                for (int64_t j = 0; j < y.dims[3]; j++) {
                    int64_t place = window_argmax(a, &x, (const int64_t[4]){n, c, i, j});
                    *reference_at(&y, n, c, i, j) = reference_at(&x, n, c, 0, 0)[place];
                    if (saved)
                        *saved++ = (int32_t)place;
                }
}

/* The sum of the gradients of all windows of a plane whose maximum lies at (h, w). */
static double input_sum(const linnet_pool2d_attributes *a, const reference_tensor *dx, const reference_tensor *dy,
                        const int32_t *saved, const int64_t at[4])
{
    const float *plane = reference_at(dy, at[0], at[1], 0, 0);
    double sum = 0;
    for (int64_t u = 0; u < a->kernel[0]; u++)
        for (int64_t v = 0; v < a->kernel[1]; v++) {
            int64_t i = reference_window_source(at[2], a->padding[0], u, 1, a->stride[0], dy->dims[2]);
            int64_t j = reference_window_source(at[3], a->padding[1], v, 1, a->stride[1], dy->dims[3]);
            if (i >= 0 && j >= 0 && saved[i * dy->dims[3] + j] == at[2] * dx->dims[3] + at[3])
                sum += plane[i * dy->dims[3] + j];
        }
    return sum;
}

static void backward(const reference_call *call)
{
    const linnet_pool2d_attributes *a = call->desc->attributes;
    reference_tensor dx = reference_input_gradient(call, LINNET_MAX_POOL2D_X);
    reference_tensor dy = reference_output_gradient(call, LINNET_MAX_POOL2D_Y);
    const int32_t *saved = reference_memory(call->args->saved[0]);
    if (!dx.data)
        return;
    for (int64_t n = 0; n < dx.items; n++)
        for (int64_t c = 0; c < dx.dims[1]; c++, saved += dy.dims[2] * dy.dims[3])
            for (int64_t h = 0; h < dx.dims[2]; h++)
                for (int64_t w = 0; w < dx.dims[3]; w++)
                    reference_put(&dx, reference_at(&dx, n, c, h, w),
                                  input_sum(a, &dx, &dy, saved, (const int64_t[4]){n, c, h, w}));
}

const reference_layer reference_max_pool2d_layer = {
    .attributes_size = sizeof(linnet_pool2d_attributes),
    .candidate = candidate,
    .forward = forward,
    .backward = backward,
};
