/* SPDX-License-Identifier: Apache-2.0 */
/* avg_pool2d: the mean of each window; padding counts as zeros, or not at all (exclude_padding). */
#include "reference.h"

static void candidate(const linnet_layer_desc *desc, linnet_candidate *out)
{
    (void)desc;
    (void)out;
}

/* Elements of x in the window that belongs to output index of one dimension. */
static int64_t inside(int64_t index, int64_t length, int64_t kernel, int64_t stride, int64_t before)
{
    int64_t first = index * stride - before, last = first + kernel;
    return (last < length ? last : length) - (first > 0 ? first : 0);
}

/* What the window of output (i, j) is divided by. */
static double divisor(const linnet_pool2d_attributes *a, const reference_tensor *x, int64_t i, int64_t j)
{
    if (!a->exclude_padding)
        return (double)a->kernel[0] * (double)a->kernel[1];
    return (double)inside(i, x->dims[2], a->kernel[0], a->stride[0], a->padding[0]) *
           (double)inside(j, x->dims[3], a->kernel[1], a->stride[1], a->padding[1]);
}

static double window_sum(const linnet_pool2d_attributes *a, const reference_tensor *x, const int64_t at[4])
{
    double sum = 0;
    for (int64_t u = 0; u < a->kernel[0]; u++)
        for (int64_t v = 0; v < a->kernel[1]; v++) {
            int64_t h = at[2] * a->stride[0] - a->padding[0] + u, w = at[3] * a->stride[1] - a->padding[1] + v;
            if (h >= 0 && h < x->dims[2] && w >= 0 && w < x->dims[3])
                sum += *reference_at(x, at[0], at[1], h, w);
        }
    return sum;
}

static void forward(const reference_call *call)
{
    const linnet_pool2d_attributes *a = call->desc->attributes;
    reference_tensor x = reference_input(call, LINNET_AVG_POOL2D_X), y = reference_output(call, LINNET_AVG_POOL2D_Y);
    for (int64_t n = 0; n < y.items; n++)
        for (int64_t c = 0; c < y.dims[1]; c++)
            for (int64_t i = 0; i < y.dims[2]; i++)
                for (int64_t j = 0; j < y.dims[3]; j++)
                    *reference_at(&y, n, c, i, j) =
                        (float)(window_sum(a, &x, (const int64_t[4]){n, c, i, j}) / divisor(a, &x, i, j));
}

/* The shares that (h, w) has in every window that holds it. */
static double input_sum(const linnet_pool2d_attributes *a, const reference_tensor *dx, const reference_tensor *dy,
                        const int64_t at[4])
{
    double sum = 0;
    for (int64_t u = 0; u < a->kernel[0]; u++)
        for (int64_t v = 0; v < a->kernel[1]; v++) {
            int64_t i = reference_window_source(at[2], a->padding[0], u, 1, a->stride[0], dy->dims[2]);
            int64_t j = reference_window_source(at[3], a->padding[1], v, 1, a->stride[1], dy->dims[3]);
            if (i >= 0 && j >= 0)
                sum += *reference_at(dy, at[0], at[1], i, j) / divisor(a, dx, i, j);
        }
    return sum;
}

static void backward(const reference_call *call)
{
    const linnet_pool2d_attributes *a = call->desc->attributes;
    reference_tensor dx = reference_input_gradient(call, LINNET_AVG_POOL2D_X);
    reference_tensor dy = reference_output_gradient(call, LINNET_AVG_POOL2D_Y);
    if (!dx.data)
        return;
    for (int64_t n = 0; n < dx.items; n++)
        for (int64_t c = 0; c < dx.dims[1]; c++)
            for (int64_t h = 0; h < dx.dims[2]; h++)
                for (int64_t w = 0; w < dx.dims[3]; w++)
                    reference_put(&dx, reference_at(&dx, n, c, h, w),
                                  input_sum(a, &dx, &dy, (const int64_t[4]){n, c, h, w}));
}

const reference_layer reference_avg_pool2d_layer = {
    .attributes_size = sizeof(linnet_pool2d_attributes),
    .candidate = candidate,
    .forward = forward,
    .backward = backward,
};
