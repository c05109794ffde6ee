/* SPDX-License-Identifier: Apache-2.0 */
/* total_variation: loss = sum of (right^2 + down^2 + epsilon)^(beta/2) - epsilon^(beta/2). */
#include "reference.h"

#include <math.h>

static void candidate(const linnet_layer_desc *desc, linnet_candidate *out)
{
    if (desc->direction == LINNET_BACKWARD)
        out->reads_inputs = 1u << LINNET_TOTAL_VARIATION_X;
}

/* The differences at a pixel, and (right^2 + down^2 + epsilon). */
typedef struct pixel {
    double right, down, base;
} pixel;

static pixel pixel_at(const linnet_total_variation_attributes *a, const reference_tensor *x, int64_t n, int64_t c,
                      int64_t i, int64_t j)
{
    double here = *reference_at(x, n, c, i, j);
    pixel p = {0};
    if (j + 1 < x->dims[3])
        p.right = *reference_at(x, n, c, i, j + 1) - here;
    if (i + 1 < x->dims[2])
        p.down = *reference_at(x, n, c, i + 1, j) - here;
    p.base = p.right * p.right + p.down * p.down + (double)a->epsilon;
    return p;
}

static void forward(const reference_call *call)
{
    const linnet_total_variation_attributes *a = call->desc->attributes;
    reference_tensor x = reference_input(call, LINNET_TOTAL_VARIATION_X);
    reference_tensor loss = reference_output(call, LINNET_TOTAL_VARIATION_LOSS);
    double power = (double)a->beta / 2, flat = pow((double)a->epsilon, power), sum = 0;
    for (int64_t n = 0; n < x.items; n++)
        for (int64_t c = 0; c < x.dims[1]; c++)
            for (int64_t i = 0; i < x.dims[2]; i++)
                for (int64_t j = 0; j < x.dims[3]; j++)
                    sum += pow(pixel_at(a, &x, n, c, i, j).base, power) - flat;
    *loss.data = (float)sum;
}

/* The derivative of a pixel's term by its right (or down) difference is this times that difference. */
static double factor(const linnet_total_variation_attributes *a, const pixel *p)
{
    return p->base > 0 ? (double)a->beta * pow(p->base, (double)a->beta / 2 - 1) : 0;
}

/* x[i,j] takes part in its own term and in those of the pixels to its left and above it. */
static double slope(const linnet_total_variation_attributes *a, const reference_tensor *x, const int64_t at[4])
{
    int64_t n = at[0], c = at[1], i = at[2], j = at[3];
    pixel own = pixel_at(a, x, n, c, i, j);
    double sum = -factor(a, &own) * (own.right + own.down);
    if (j > 0) {
        pixel left = pixel_at(a, x, n, c, i, j - 1);
        sum += factor(a, &left) * left.right;
    }
    if (i > 0) {
        pixel above = pixel_at(a, x, n, c, i - 1, j);
        sum += factor(a, &above) * above.down;
    }
    return sum;
}

static void backward(const reference_call *call)
{
    const linnet_total_variation_attributes *a = call->desc->attributes;
    reference_tensor x = reference_input(call, LINNET_TOTAL_VARIATION_X);
    reference_tensor dloss = reference_output_gradient(call, LINNET_TOTAL_VARIATION_LOSS);
    reference_tensor dx = reference_input_gradient(call, LINNET_TOTAL_VARIATION_X);
    if (!dx.data)
        return;
    for (int64_t n = 0; n < x.items; n++)
        for (int64_t c = 0; c < x.dims[1]; c++)
            for (int64_t i = 0; i < x.dims[2]; i++)
                for (int64_t j = 0; j < x.dims[3]; j++)
                    reference_put(&dx, reference_at(&dx, n, c, i, j),
                                  *dloss.data * slope(a, &x, (const int64_t[4]){n, c, i, j}));
}

const reference_layer reference_total_variation_layer = {
    .attributes_size = sizeof(linnet_total_variation_attributes),
    .candidate = candidate,
    .forward = forward,
    .backward = backward,
};
