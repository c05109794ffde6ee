/* SPDX-License-Identifier: Apache-2.0 */
/* pad2d: x in the middle of y; around it a constant, the nearest element or the mirror image. */
#include "reference.h"

static void candidate(const linnet_layer_desc *desc, linnet_candidate *out)
{
    (void)desc;
    (void)out;
}

/* Where element position (0 at the first one of x, negative before it) of a padded dimension comes from; -1: nowhere.
 */
static int64_t source(uint32_t mode, int64_t position, int64_t length)
{
    if (position >= 0 && position < length)
        return position;
    switch (mode) {
    case LINNET_PAD_REPLICATE:
        return position < 0 ? 0 : length - 1;
    case LINNET_PAD_REFLECT:
        return position < 0 ? -position : 2 * (length - 1) - position;
    default:
        return -1;
    }
}

static void forward(const reference_call *call)
{
    const linnet_pad2d_attributes *a = call->desc->attributes;
    reference_tensor x = reference_input(call, LINNET_PAD2D_X), y = reference_output(call, LINNET_PAD2D_Y);
    for (int64_t n = 0; n < y.items; n++)
        for (int64_t c = 0; c < y.dims[1]; c++)
            for (int64_t i = 0; i < y.dims[2]; i++)
                for (int64_t j = 0; j < y.dims[3]; j++) {
                    int64_t h = source(a->mode, i - a->padding[0], x.dims[2]);
                    int64_t w = source(a->mode, j - a->padding[1], x.dims[3]);
                    *reference_at(&y, n, c, i, j) = h < 0 || w < 0 ? a->value : *reference_at(&x, n, c, h, w);
                }
}

/* The sum of dy over all elements that came from (h, w). */
static double input_sum(const linnet_pad2d_attributes *a, const reference_tensor *dx, const reference_tensor *dy,
                        const int64_t at[4])
{
    double sum = 0;
    for (int64_t i = 0; i < dy->dims[2]; i++) {
        if (source(a->mode, i - a->padding[0], dx->dims[2]) != at[2])
            continue;
        for (int64_t j = 0; j < dy->dims[3]; j++)
            if (source(a->mode, j - a->padding[1], dx->dims[3]) == at[3])
                sum += *reference_at(dy, at[0], at[1], i, j);
    }
    return sum;
}

static void backward(const reference_call *call)
{
    const linnet_pad2d_attributes *a = call->desc->attributes;
    reference_tensor dx = reference_input_gradient(call, LINNET_PAD2D_X);
    reference_tensor dy = reference_output_gradient(call, LINNET_PAD2D_Y);
    if (!dx.data)
        return;
    for (int64_t n = 0; n < dx.items; n++)
        for (int64_t c = 0; c < dx.dims[1]; c++)
            for (int64_t h = 0; h < dx.dims[2]; h++)
                for (int64_t w = 0; w < dx.dims[3]; w++)
                    reference_put(&dx, reference_at(&dx, n, c, h, w),
                                  input_sum(a, &dx, &dy, (const int64_t[4]){n, c, h, w}));
}

const reference_layer reference_pad2d_layer = {
    .attributes_size = sizeof(linnet_pad2d_attributes),
    .candidate = candidate,
    .forward = forward,
    .backward = backward,
};
