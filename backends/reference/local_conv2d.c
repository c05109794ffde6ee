/* SPDX-License-Identifier: Apache-2.0 */
/* local_conv2d: y[n,o,i,j] = bias[o,i,j] + sum over c,u,v of x[n, c, i*sh - top + u, j*sw - left + v]
   weight[i,j,o,c,u,v]. */
#include "reference.h"

static void candidate(const linnet_layer_desc *desc, linnet_candidate *out)
{
    if (desc->direction == LINNET_BACKWARD) {
        out->reads_inputs = desc->want_parameters & 1u << LINNET_LOCAL_CONV2D_WEIGHT ? 1u << LINNET_LOCAL_CONV2D_X : 0;
        out->reads_parameters = desc->want_inputs ? 1u << LINNET_LOCAL_CONV2D_WEIGHT : 0;
    }
}

/* The filter [C,KH,KW] that makes output channel o at (i, j). */
static float *filter_at(const reference_tensor *weight, int64_t i, int64_t j, int64_t o)
{
    const int64_t *d = weight->dims;
    return weight->data + ((i * d[1] + j) * d[2] + o) * d[3] * d[4] * d[5];
}

/* bias[o,i,j] */
static float *bias_at(const reference_tensor *bias, int64_t o, int64_t i, int64_t j)
{
    return bias->data + (o * bias->dims[1] + i) * bias->dims[2] + j;
}

/* The sum behind one element of y. */
static double window_sum(const linnet_local_conv2d_attributes *a, const reference_tensor *x,
                         const reference_tensor *weight, const int64_t at[4])
{
    const float *filter = filter_at(weight, at[2], at[3], at[1]);
    double sum = 0;
    for (int64_t c = 0; c < x->dims[1]; c++)
        for (int64_t u = 0; u < a->kernel[0]; u++)
            for (int64_t v = 0; v < a->kernel[1]; v++, filter++) {
                int64_t h = at[2] * a->stride[0] - a->padding[0] + u, w = at[3] * a->stride[1] - a->padding[1] + v;
                if (h >= 0 && h < x->dims[2] && w >= 0 && w < x->dims[3])
                    sum += (double)*reference_at(x, at[0], c, h, w) * *filter;
            }
    return sum;
}

static void forward(const reference_call *call)
{
    const linnet_local_conv2d_attributes *a = call->desc->attributes;
    reference_tensor x = reference_input(call, LINNET_LOCAL_CONV2D_X),
                     y = reference_output(call, LINNET_LOCAL_CONV2D_Y);
    reference_tensor weight = reference_parameter(call, LINNET_LOCAL_CONV2D_WEIGHT);
    reference_tensor bias = reference_parameter(call, LINNET_LOCAL_CONV2D_BIAS);
    for (int64_t n = 0; n < y.items; n++)
        for (int64_t o = 0; o < y.dims[1]; o++)
            for (int64_t i = 0; i < y.dims[2]; i++)
                for (int64_t j = 0; j < y.dims[3]; j++) {
                    double sum = window_sum(a, &x, &weight, (const int64_t[4]){n, o, i, j});
                    *reference_at(&y, n, o, i, j) = (float)(sum + (bias.data ? *bias_at(&bias, o, i, j) : 0));
                }
}

/* The sum behind one element of the gradient of x: over every output whose window holds it. */
static double input_sum(const linnet_local_conv2d_attributes *a, const reference_tensor *dy,
                        const reference_tensor *weight, const int64_t at[4])
{
    double sum = 0;
    for (int64_t u = 0; u < a->kernel[0]; u++)
        for (int64_t v = 0; v < a->kernel[1]; v++) {
            int64_t i = reference_window_source(at[2], a->padding[0], u, 1, a->stride[0], dy->dims[2]);
            int64_t j = reference_window_source(at[3], a->padding[1], v, 1, a->stride[1], dy->dims[3]);
            if (i >= 0 && j >= 0)
                for (int64_t o = 0; o < dy->dims[1]; o++)
                    sum += (double)*reference_at(dy, at[0], o, i, j) *
                           filter_at(weight, i, j, o)[(at[1] * a->kernel[0] + u) * a->kernel[1] + v];
        }
    return sum;
}

static void backward_input(const linnet_local_conv2d_attributes *a, const reference_tensor *dx,
                           const reference_tensor *dy, const reference_tensor *weight)
{
    for (int64_t n = 0; n < dx->items; n++)
        for (int64_t c = 0; c < dx->dims[1]; c++)
            for (int64_t h = 0; h < dx->dims[2]; h++)
                for (int64_t w = 0; w < dx->dims[3]; w++)
                    reference_put(dx, reference_at(dx, n, c, h, w),
                                  input_sum(a, dy, weight, (const int64_t[4]){n, c, h, w}));
}

/* The gradient of one filter: over the items only, since no other output shares it. */
static void backward_filter(const linnet_local_conv2d_attributes *a, const reference_tensor *dweight,
                            const reference_tensor *dy, const reference_tensor *x, const int64_t at[3])
{
    float *filter = filter_at(dweight, at[1], at[2], at[0]);
    for (int64_t c = 0; c < x->dims[1]; c++)
        for (int64_t u = 0; u < a->kernel[0]; u++)
            for (int64_t v = 0; v < a->kernel[1]; v++, filter++) {
                int64_t h = at[1] * a->stride[0] - a->padding[0] + u, w = at[2] * a->stride[1] - a->padding[1] + v;
                double sum = 0;
                if (h >= 0 && h < x->dims[2] && w >= 0 && w < x->dims[3])
                    for (int64_t n = 0; n < dy->items; n++)
                        sum += (double)*reference_at(dy, n, at[0], at[1], at[2]) * *reference_at(x, n, c, h, w);
                reference_put(dweight, filter, sum);
            }
}

static void backward_bias(const reference_tensor *dbias, const reference_tensor *dy, const int64_t at[3])
{
    double sum = 0;
    for (int64_t n = 0; n < dy->items; n++)
        sum += *reference_at(dy, n, at[0], at[1], at[2]);
    reference_put(dbias, bias_at(dbias, at[0], at[1], at[2]), sum);
}

static void backward(const reference_call *call)
{
    const linnet_local_conv2d_attributes *a = call->desc->attributes;
    reference_tensor x = reference_input(call, LINNET_LOCAL_CONV2D_X);
    reference_tensor dy = reference_output_gradient(call, LINNET_LOCAL_CONV2D_Y);
    reference_tensor weight = reference_parameter(call, LINNET_LOCAL_CONV2D_WEIGHT);
    reference_tensor dx = reference_input_gradient(call, LINNET_LOCAL_CONV2D_X);
    reference_tensor dweight = reference_parameter_gradient(call, LINNET_LOCAL_CONV2D_WEIGHT);
    reference_tensor dbias = reference_parameter_gradient(call, LINNET_LOCAL_CONV2D_BIAS);
    if (dx.data)
        backward_input(a, &dx, &dy, &weight);
    for (int64_t o = 0; o < dy.dims[1]; o++)
        for (int64_t i = 0; i < dy.dims[2]; i++)
            for (int64_t j = 0; j < dy.dims[3]; j++) {
                if (dweight.data)
                    backward_filter(a, &dweight, &dy, &x, (const int64_t[3]){o, i, j});
                if (dbias.data)
                    backward_bias(&dbias, &dy, (const int64_t[3]){o, i, j});
            }
}

const reference_layer reference_local_conv2d_layer = {
    .attributes_size = sizeof(linnet_local_conv2d_attributes),
    .candidate = candidate,
    .forward = forward,
    .backward = backward,
};
