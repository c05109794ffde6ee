/* SPDX-License-Identifier: Apache-2.0 */
/* gram: y[n,i,j] = scale * sum over pixels of x[n,i,.] x[n,j,.]. */
#include "reference.h"

static void candidate(const linnet_layer_desc *desc, linnet_candidate *out)
{
    if (desc->direction == LINNET_BACKWARD)
        out->reads_inputs = 1u << LINNET_GRAM_X;
}

static double scale_of(const reference_call *call)
{
    return ((const linnet_gram_attributes *)call->desc->attributes)->scale;
}

static void forward(const reference_call *call)
{
    reference_tensor x = reference_input(call, LINNET_GRAM_X), y = reference_output(call, LINNET_GRAM_Y);
    int64_t channels = x.dims[1], pixels = x.dims[2] * x.dims[3];
    for (int64_t n = 0; n < x.items; n++)
        for (int64_t i = 0; i < channels; i++)
            for (int64_t j = 0; j < channels; j++) {
                const float *a = reference_at(&x, n, i, 0, 0), *b = reference_at(&x, n, j, 0, 0);
                double sum = 0;
                for (int64_t p = 0; p < pixels; p++)
                    sum += (double)a[p] * b[p];
                reference_item(&y, n)[i * channels + j] = (float)(scale_of(call) * sum);
            }
}

/* dx[n,i,.] = scale * sum over j of (dy[n,i,j] + dy[n,j,i]) x[n,j,.] */
static void backward(const reference_call *call)
{
    reference_tensor x = reference_input(call, LINNET_GRAM_X), dy = reference_output_gradient(call, LINNET_GRAM_Y);
    reference_tensor dx = reference_input_gradient(call, LINNET_GRAM_X);
    int64_t channels = x.dims[1], pixels = x.dims[2] * x.dims[3];
    if (!dx.data)
        return;
    for (int64_t n = 0; n < x.items; n++)
        for (int64_t i = 0; i < channels; i++)
            for (int64_t p = 0; p < pixels; p++) {
                const float *slope = reference_item(&dy, n);
                double sum = 0;
                for (int64_t j = 0; j < channels; j++)
                    sum +=
                        ((double)slope[i * channels + j] + slope[j * channels + i]) * reference_at(&x, n, j, 0, 0)[p];
                reference_put(&dx, reference_at(&dx, n, i, 0, 0) + p, scale_of(call) * sum);
            }
}

const reference_layer reference_gram_layer = {
    .attributes_size = sizeof(linnet_gram_attributes),
    .candidate = candidate,
    .forward = forward,
    .backward = backward,
};
