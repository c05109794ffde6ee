/* SPDX-License-Identifier: Apache-2.0 */
/* conv2d: y[n,o,i,j] = bias[o] + sum over c,u,v of x[n, c, i*sh - top + u*dh, j*sw - left + v*dw] weight[o,c,u,v], the
   channels c being those of o's group. */
#include "reference.h"

static void candidate(const linnet_layer_desc *desc, linnet_candidate *out)
{
    if (desc->direction == LINNET_BACKWARD) {
        out->reads_inputs = desc->want_parameters & 1u << LINNET_CONV2D_WEIGHT ? 1u << LINNET_CONV2D_X : 0;
        out->reads_parameters = desc->want_inputs ? 1u << LINNET_CONV2D_WEIGHT : 0;
    }
}

/* The sum behind one element of y. */
static double window_sum(const linnet_conv2d_attributes *a, const reference_tensor *x, const reference_tensor *weight,
                         const int64_t at[4])
{
    int64_t channels = weight->dims[1], first = at[1] / (weight->dims[0] / a->groups) * channels;
    double sum = 0;
    for (int64_t c = 0; c < channels; c++)
        for (int64_t u = 0; u < a->kernel[0]; u++)
            for (int64_t v = 0; v < a->kernel[1]; v++) {
                int64_t h = at[2] * a->stride[0] - a->padding[0] + u * a->dilation[0];
                int64_t w = at[3] * a->stride[1] - a->padding[1] + v * a->dilation[1];
                if (h >= 0 && h < x->dims[2] && w >= 0 && w < x->dims[3])
                    sum += (double)*reference_at(x, at[0], first + c, h, w) * *reference_at(weight, at[1], c, u, v);
            }
    return sum;
}

static void forward(const reference_call *call)
{
    const linnet_conv2d_attributes *a = call->desc->attributes;
    reference_tensor x = reference_input(call, LINNET_CONV2D_X), y = reference_output(call, LINNET_CONV2D_Y);
    reference_tensor weight = reference_parameter(call, LINNET_CONV2D_WEIGHT);
    reference_tensor bias = reference_parameter(call, LINNET_CONV2D_BIAS);
    for (int64_t n = 0; n < y.items; n++)
        for (int64_t o = 0; o < y.dims[1]; o++)
            for (int64_t i = 0; i < y.dims[2]; i++)
                for (int64_t j = 0; j < y.dims[3]; j++) {
                    double sum = window_sum(a, &x, &weight, (const int64_t[4]){n, o, i, j});
                    sum += bias.data ? *reference_item(&bias, o) : 0;
                    int64_t at = (o * y.dims[2] + i) * y.dims[3] + j;
                    reference_item(&y, n)[at] = (float)reference_epilogue(call, n, at, sum);
                }
}

/* The sum behind one element of the gradient of x: over every output whose window holds it. */
static double input_sum(const linnet_conv2d_attributes *a, const reference_tensor *dy, const reference_tensor *weight,
                        const int64_t at[4])
{
    int64_t outputs = weight->dims[0] / a->groups, group = at[1] / weight->dims[1], c = at[1] % weight->dims[1];
    double sum = 0;
    for (int64_t u = 0; u < a->kernel[0]; u++)
        for (int64_t v = 0; v < a->kernel[1]; v++) {
            int64_t i = reference_window_source(at[2], a->padding[0], u, a->dilation[0], a->stride[0], dy->dims[2]);
            int64_t j = reference_window_source(at[3], a->padding[1], v, a->dilation[1], a->stride[1], dy->dims[3]);
            if (i >= 0 && j >= 0)
                for (int64_t o = group * outputs; o < (group + 1) * outputs; o++)
                    sum += (double)*reference_at(dy, at[0], o, i, j) * *reference_at(weight, o, c, u, v);
        }
    return sum;
}

static void backward_input(const linnet_conv2d_attributes *a, const reference_tensor *dx, const reference_tensor *dy,
                           const reference_tensor *weight)
{
    for (int64_t n = 0; n < dx->items; n++)
        for (int64_t c = 0; c < dx->dims[1]; c++)
            for (int64_t h = 0; h < dx->dims[2]; h++)
                for (int64_t w = 0; w < dx->dims[3]; w++)
                    reference_put(dx, reference_at(dx, n, c, h, w),
                                  input_sum(a, dy, weight, (const int64_t[4]){n, c, h, w}));
}

/* The sum behind one element of the gradient of the weight: over every item and output position. */
static double weight_sum(const linnet_conv2d_attributes *a, const reference_tensor *dy, const reference_tensor *x,
                         const int64_t at[4], int64_t channel)
{
    double sum = 0;
    for (int64_t n = 0; n < dy->items; n++)
        for (int64_t i = 0; i < dy->dims[2]; i++)
            for (int64_t j = 0; j < dy->dims[3]; j++) {
                int64_t h = i * a->stride[0] - a->padding[0] + at[2] * a->dilation[0];
                int64_t w = j * a->stride[1] - a->padding[1] + at[3] * a->dilation[1];
                if (h >= 0 && h < x->dims[2] && w >= 0 && w < x->dims[3])
                    sum += (double)*reference_at(dy, n, at[0], i, j) * *reference_at(x, n, channel, h, w);
            }
    return sum;
}

static void backward_weight(const linnet_conv2d_attributes *a, const reference_tensor *dweight,
                            const reference_tensor *dy, const reference_tensor *x)
{
    int64_t outputs = dweight->dims[0] / a->groups;
    for (int64_t o = 0; o < dweight->dims[0]; o++)
        for (int64_t c = 0; c < dweight->dims[1]; c++)
            for (int64_t u = 0; u < a->kernel[0]; u++)
                for (int64_t v = 0; v < a->kernel[1]; v++)
                    reference_put(
                        dweight, reference_at(dweight, o, c, u, v),
                        weight_sum(a, dy, x, (const int64_t[4]){o, c, u, v}, o / outputs * dweight->dims[1] + c));
}

static void backward_bias(const reference_tensor *dbias, const reference_tensor *dy)
{
    for (int64_t o = 0; o < dy->dims[1]; o++) {
        double sum = 0;
        for (int64_t n = 0; n < dy->items; n++)
            for (int64_t i = 0; i < dy->dims[2]; i++)
                for (int64_t j = 0; j < dy->dims[3]; j++)
                    sum += *reference_at(dy, n, o, i, j);
        reference_put(dbias, reference_item(dbias, o), sum);
    }
}

static void backward(const reference_call *call)
{
    const linnet_conv2d_attributes *a = call->desc->attributes;
    reference_tensor x = reference_input(call, LINNET_CONV2D_X), dy = reference_output_gradient(call, LINNET_CONV2D_Y);
    reference_tensor weight = reference_parameter(call, LINNET_CONV2D_WEIGHT);
    reference_tensor dx = reference_input_gradient(call, LINNET_CONV2D_X);
    reference_tensor dweight = reference_parameter_gradient(call, LINNET_CONV2D_WEIGHT);
    reference_tensor dbias = reference_parameter_gradient(call, LINNET_CONV2D_BIAS);
    if (dx.data)
        backward_input(a, &dx, &dy, &weight);
    if (dweight.data)
        backward_weight(a, &dweight, &dy, &x);
    if (dbias.data)
        backward_bias(&dbias, &dy);
}

const reference_layer reference_conv2d_layer = {
    .attributes_size = sizeof(linnet_conv2d_attributes),
    .takes_epilogue = true,
    .candidate = candidate,
    .forward = forward,
    .backward = backward,
};
