/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How far a result may be from the reference's. One formula for every backend:
 *
 *     |got - wanted| <= factor * u * sqrt(length) * scale
 *
 * u is the unit roundoff of the arithmetic (2^-24 for f32, 2^-9 inside a `reduced` implementation), length how many
 * terms are added up for one element, scale the sum of their magnitudes, element by element; for layers that are no
 * such sums, scale is what their textbook formula's roundings are relative to. factor belongs to the layer. Sums of
 * small integers, copies and single operations are exact in class `direct`: then the bound is 0.
 */
#include "harness.h"

#include <math.h>

typedef enum exactness { NEVER, INTEGERS, ALWAYS } exactness;

/* OpenCL's pow may be off by 16 ulp = 32 u, its sqrt by 3 ulp; squares need neither. */
static double factor_of_power(double power)
{
    return power == 2 ? 4 : power == 1 ? 8 : 32;
}

static double factor_of(const linnet_case *c)
{
    switch (c->layer->kind) {
    case LINNET_LAYER_CONV2D:
    case LINNET_LAYER_LINEAR:
    case LINNET_LAYER_MAX_POOL2D:
    case LINNET_LAYER_AVG_POOL2D:
    case LINNET_LAYER_GLOBAL_AVG_POOL:
    case LINNET_LAYER_DROPOUT:
    case LINNET_LAYER_MSE:
        return 4;
    case LINNET_LAYER_UNARY: /* OpenCL's tanh may be off by 5 ulp = 10 u */
        return c->attributes.unary.op == LINNET_UNARY_TANH || c->attributes.unary.op == LINNET_UNARY_SIGMOID ? 16 : 4;
    case LINNET_LAYER_SOFTMAX: /* OpenCL's exp and log may be off by 3 ulp = 6 u each */
    case LINNET_LAYER_LOG_SOFTMAX:
    case LINNET_LAYER_CROSS_ENTROPY:
    case LINNET_LAYER_BATCH_NORM:
        return 8;
    case LINNET_LAYER_TOTAL_VARIATION:
        return factor_of_power((double)c->attributes.total_variation.beta);
    case LINNET_LAYER_ALPHA_NORM:
        return factor_of_power((double)c->attributes.alpha_norm.alpha);
    default:
        return 4;
    }
}

static exactness unary_exactness(uint32_t op)
{
    return op == LINNET_UNARY_RELU || op == LINNET_UNARY_CLIP ? ALWAYS : NEVER;
}

static double product(const linnet_tensor_desc *desc, uint32_t first, uint32_t last)
{
    double result = 1;
    for (uint32_t i = first; i < last && i < desc->rank; i++)
        result *= (double)desc->dims[i];
    return result;
}

/* Of integers in -4 .. 4: does a sum of so many terms, each at most so large, stay below 2^24? */
static exactness exact_below(double terms, double most)
{
    return terms * most < 0x1p24 ? INTEGERS : NEVER;
}

/* Sums of products and of squares, and what is only moved. A gradient is a sum of few terms. A scale that is no power
   of two rounds. */
static exactness picture_exactness(const linnet_case *c, linnet_role role)
{
    int exponent;
    bool output = role == LINNET_ROLE_OUTPUT;
    const linnet_tensor_desc *x = &c->inputs[0];
    double count = output ? (double)linnet_desc_count(x) : 1;
    double beta = (double)c->attributes.total_variation.beta, alpha = (double)c->attributes.alpha_norm.alpha;
    switch (c->layer->kind) {
    case LINNET_LAYER_GRAM:
        if (fabs(frexp((double)c->attributes.gram.scale, &exponent)) != 0.5)
            return NEVER;
        return output ? exact_below(product(x, 2, 4), 16) : exact_below(product(x, 1, 2), 32);
    case LINNET_LAYER_TOTAL_VARIATION: /* two differences of up to 8 */
        return beta == 2 && c->attributes.total_variation.epsilon == 0 ? exact_below(count, 128) : NEVER;
    case LINNET_LAYER_ALPHA_NORM:
        return alpha == 1 || alpha == 2 ? exact_below(count, alpha == 1 ? 4 : 16) : NEVER;
    case LINNET_LAYER_PAD2D: /* a constant's gradient is a copy, the others' add up */
        return output || c->attributes.pad2d.mode == LINNET_PAD_CONSTANT ? ALWAYS : INTEGERS;
    default:
        return NEVER;
    }
}

static exactness exactness_of(const linnet_case *c, linnet_role role)
{
    exactness result = NEVER;
    switch (c->layer->kind) {
    case LINNET_LAYER_CONV2D:
    case LINNET_LAYER_LINEAR:
    case LINNET_LAYER_LOCAL_CONV2D:
        result = INTEGERS;
        break;
    case LINNET_LAYER_MAX_POOL2D:
        return role == LINNET_ROLE_OUTPUT ? ALWAYS : INTEGERS;
    case LINNET_LAYER_UNARY:
        return unary_exactness(c->attributes.unary.op);
    case LINNET_LAYER_BINARY:
    case LINNET_LAYER_RESHAPE:
    case LINNET_LAYER_CONCAT:
        return ALWAYS;
    case LINNET_LAYER_DROPOUT:
        return c->behaviour == LINNET_EVALUATE ? ALWAYS : NEVER;
    default:
        return picture_exactness(c, role);
    }
    for (uint32_t i = 0; i < c->epilogue_count && role == LINNET_ROLE_OUTPUT; i++)
        if (c->epilogue[i].op != LINNET_EPILOGUE_ADD && unary_exactness(c->epilogue[i].op) == NEVER)
            result = NEVER;
    return result;
}

static double convolution_length(const linnet_case *c, linnet_role role)
{
    const linnet_tensor_desc *weight = &c->parameters[LINNET_CONV2D_WEIGHT], *y = &c->outputs[0];
    if (role == LINNET_ROLE_OUTPUT)
        return product(weight, 1, 4) + 1;
    if (role == LINNET_ROLE_INPUT_GRADIENT)
        return product(weight, 0, 1) / c->attributes.conv2d.groups * product(weight, 2, 4);
    return product(y, 0, 1) * product(y, 2, 4);
}

static double local_convolution_length(const linnet_case *c, linnet_role role)
{
    const linnet_tensor_desc *weight = &c->parameters[LINNET_LOCAL_CONV2D_WEIGHT];
    if (role == LINNET_ROLE_OUTPUT)
        return product(weight, 3, 6) + 1;
    return role == LINNET_ROLE_INPUT_GRADIENT ? product(weight, 2, 3) * product(weight, 4, 6)
                                              : product(&c->inputs[0], 0, 1);
}

/* Gradient: how many elements of y come from one of x. */
static double pad_length(const linnet_case *c, linnet_role role)
{
    const int64_t *p = c->attributes.pad2d.padding;
    if (role == LINNET_ROLE_OUTPUT || c->attributes.pad2d.mode == LINNET_PAD_CONSTANT)
        return 1;
    if (c->attributes.pad2d.mode == LINNET_PAD_REFLECT)
        return 9;
    return (double)(p[0] + p[2] + 1) * (double)(p[1] + p[3] + 1);
}

double linnet_tolerance_length(const linnet_case *c, linnet_role role)
{
    const linnet_tensor_desc *x = &c->inputs[0];
    bool forward = role == LINNET_ROLE_OUTPUT;
    switch (c->layer->kind) {
    case LINNET_LAYER_CONV2D:
        return convolution_length(c, role);
    case LINNET_LAYER_LINEAR:
        return forward                              ? product(x, 1, x->rank) + 1
               : role == LINNET_ROLE_INPUT_GRADIENT ? product(&c->outputs[0], 1, 2)
                                                    : product(x, 0, 1);
    case LINNET_LAYER_MAX_POOL2D:
    case LINNET_LAYER_AVG_POOL2D:
        return (double)(c->attributes.pool2d.kernel[0] * c->attributes.pool2d.kernel[1]);
    case LINNET_LAYER_GLOBAL_AVG_POOL:
        return forward ? product(x, 2, 4) : 1;
    case LINNET_LAYER_SOFTMAX:
    case LINNET_LAYER_LOG_SOFTMAX:
        return (double)x->dims[c->attributes.axis.axis];
    case LINNET_LAYER_BATCH_NORM:
        return product(x, 0, 1) * product(x, 2, x->rank);
    case LINNET_LAYER_CROSS_ENTROPY:
        return product(x, 0, forward ? 2 : 1) + product(x, 1, 2);
    case LINNET_LAYER_MSE:
    case LINNET_LAYER_ALPHA_NORM:
        return forward ? product(x, 0, x->rank) : 1;
    case LINNET_LAYER_LOCAL_CONV2D:
        return local_convolution_length(c, role);
    case LINNET_LAYER_GRAM:
        return forward ? product(x, 2, 4) : product(x, 1, 2);
    case LINNET_LAYER_TOTAL_VARIATION: /* a pixel is in its own term, its left and its upper neighbour's */
        return forward ? product(x, 0, 4) : 4;
    case LINNET_LAYER_PAD2D:
        return pad_length(c, role);
    default:
        return 1;
    }
}

double linnet_tolerance_bound(const linnet_case *c, linnet_role role, uint32_t numerics, linnet_fill fill)
{
    exactness exact = exactness_of(c, role);
    if (numerics == LINNET_NUMERICS_DIRECT && (exact == ALWAYS || (exact == INTEGERS && fill == LINNET_FILL_INTEGER)))
        return 0;
    /* Winograd's transforms multiply the magnitudes by up to 100 (F(4x4,3x3)); Lavin and Gray 2016 measure less. */
    double class_factor = numerics == LINNET_NUMERICS_WINOGRAD ? 16 : 1;
    double unit = numerics == LINNET_NUMERICS_REDUCED ? 0x1p-9 : 0x1p-24;
    return factor_of(c) * class_factor * unit * sqrt(linnet_tolerance_length(c, role));
}

/* ---- Scales ---- */

static double largest(const float *values, int64_t count)
{
    double result = 0;
    for (int64_t i = 0; i < count; i++)
        result = fmax(result, fabs((double)values[i]));
    return result;
}

/* scale = |wanted| + extra */
static void scale_elements(float *out, const float *wanted, const linnet_tensor_desc *desc, double extra)
{
    for (int64_t i = 0, count = linnet_desc_count(desc); i < count; i++)
        out[i] = (float)(fabs((double)wanted[i]) + extra);
}

/* Outputs and gradients relative to themselves, except where alpha x + beta, exp or 1 - y^2 lose more. */
static void scale_unary(const linnet_case *c, const linnet_values *o, const linnet_values *e, linnet_values *out)
{
    const linnet_unary_attributes *a = &c->attributes.unary;
    for (int64_t i = 0, count = linnet_desc_count(&c->inputs[0]); i < count; i++) {
        double x = fabs((double)o->inputs[0][i]), y = fabs((double)e->outputs[0][i]);
        double dy = fabs((double)o->output_gradients[0][i]);
        out->outputs[0][i] = (float)(a->op == LINNET_UNARY_SCALE     ? fabs(a->alpha * x) + fabs((double)a->beta)
                                     : a->op == LINNET_UNARY_SIGMOID ? y * (1 + x)
                                                                     : y);
        out->input_gradients[0][i] = (float)(a->op == LINNET_UNARY_TANH || a->op == LINNET_UNARY_SIGMOID
                                                 ? dy
                                                 : fabs((double)e->input_gradients[0][i]));
    }
}

/* softmax: y is a product of exponentials of differences up to range; its gradient is y (dy - sum y dy).
   log_softmax: y is a difference; its gradient is dy - exp(y) sum dy. */
static void scale_softmax(const linnet_case *c, const linnet_values *o, const linnet_values *e, linnet_values *out)
{
    int64_t count = linnet_desc_count(&c->inputs[0]);
    bool logarithm = c->layer->kind == LINNET_LAYER_LOG_SOFTMAX;
    double length = linnet_tolerance_length(c, LINNET_ROLE_OUTPUT), range = 2 * largest(o->inputs[0], count);
    double dy = largest(o->output_gradients[0], count);
    for (int64_t i = 0; i < count; i++) {
        double y = e->outputs[0][i];
        out->outputs[0][i] = (float)(logarithm ? range + log(length) + fabs(y) : y * (1 + range));
        out->input_gradients[0][i] =
            (float)(logarithm ? dy * (1 + length * exp(y) * (1 + range)) : 2 * dy * y * (1 + range));
    }
}

static void scale_losses(const linnet_case *c, const linnet_values *o, linnet_values *out)
{
    int64_t count = linnet_desc_count(&c->inputs[0]);
    double dy = fabs((double)o->output_gradients[0][0]), x = largest(o->inputs[0], count);
    if (c->layer->kind == LINNET_LAYER_CROSS_ENTROPY) {
        out->outputs[0][0] = (float)(2 * x + log((double)c->inputs[0].dims[1]));
        for (int64_t i = 0; i < count; i++)
            out->input_gradients[0][i] = (float)(dy / (double)c->inputs[0].dims[0] * (1 + 2 * x));
        return;
    }
    double both = x + largest(o->inputs[1], count);
    out->outputs[0][0] = (float)(both * both);
    for (int64_t i = 0; i < count; i++)
        out->input_gradients[0][i] = out->input_gradients[1][i] =
            (float)(2 * dy / (double)count * (fabs((double)o->inputs[0][i]) + fabs((double)o->inputs[1][i])));
}

/* The derivative of a pixel's term of total_variation by its differences, without signs. */
static double variation_slope(const linnet_case *c, const float *plane, int64_t i, int64_t j, int down)
{
    const linnet_total_variation_attributes *a = &c->attributes.total_variation;
    int64_t height = c->inputs[0].dims[2], width = c->inputs[0].dims[3];
    double here = plane[i * width + j];
    double right = j + 1 < width ? fabs(plane[i * width + j + 1] - here) : 0;
    double below = i + 1 < height ? fabs(plane[(i + 1) * width + j] - here) : 0;
    double base = right * right + below * below + (double)a->epsilon;
    double factor = base > 0 ? (double)a->beta * pow(base, (double)a->beta / 2 - 1) : 0;
    return factor * (down < 0 ? right + below : down ? below : right);
}

/* The loss relative to its terms before epsilon^(beta/2) is taken away, a gradient to the terms that it adds up. */
static void scale_variation(const linnet_case *c, const linnet_values *o, const linnet_values *e, linnet_values *out)
{
    const linnet_total_variation_attributes *a = &c->attributes.total_variation;
    const int64_t *d = c->inputs[0].dims;
    double dy = fabs((double)o->output_gradients[0][0]), count = (double)linnet_desc_count(&c->inputs[0]);
    out->outputs[0][0] =
        (float)(fabs((double)e->outputs[0][0]) + 2 * count * pow((double)a->epsilon, (double)a->beta / 2));
    for (int64_t p = 0; p < d[0] * d[1]; p++)
        for (int64_t i = 0; i < d[2]; i++)
            for (int64_t j = 0; j < d[3]; j++) {
                const float *plane = o->inputs[0] + p * d[2] * d[3];
                double sum = variation_slope(c, plane, i, j, -1);
                sum += j > 0 ? variation_slope(c, plane, i, j - 1, 0) : 0;
                sum += i > 0 ? variation_slope(c, plane, i - 1, j, 1) : 0;
                out->input_gradients[0][(p * d[2] + i) * d[3] + j] = (float)(dy * sum);
            }
}

/* One channel of batch_norm: y = weight (x - mean) / deviation + bias. */
typedef struct channel {
    double mean, inverse_deviation;
    double x;  /* largest |x| */
    double dy; /* largest |dy| */
    double dy_sum;
} channel;

static int64_t channel_element(const linnet_case *c, int64_t index, int64_t channel_index)
{
    int64_t inner = 1;
    for (uint32_t i = 2; i < c->inputs[0].rank; i++)
        inner *= c->inputs[0].dims[i];
    return (index / inner * c->inputs[0].dims[1] + channel_index) * inner + index % inner;
}

static channel measure_channel(const linnet_case *c, const linnet_values *o, int64_t index, int64_t count)
{
    channel m = {0};
    double variance = 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t at = channel_element(c, i, index);
        double x = o->inputs[0][at], dy = fabs((double)o->output_gradients[0][at]);
        m.mean += x / (double)count;
        m.x = fmax(m.x, fabs(x));
        m.dy = fmax(m.dy, dy);
        m.dy_sum += dy;
    }
    for (int64_t i = 0; i < count; i++) {
        double difference = o->inputs[0][channel_element(c, i, index)] - m.mean;
        variance += difference * difference / (double)count;
    }
    if (c->behaviour == LINNET_EVALUATE) {
        m.mean = o->states[LINNET_BATCH_NORM_MEAN][index];
        variance = o->states[LINNET_BATCH_NORM_VARIANCE][index];
    }
    m.inverse_deviation = 1 / sqrt(variance + (double)c->attributes.batch_norm.epsilon);
    return m;
}

static void scale_batch_norm(const linnet_case *c, const linnet_values *o, linnet_values *out)
{
    int64_t channels = c->inputs[0].dims[1], count = linnet_desc_count(&c->inputs[0]) / channels;
    for (int64_t k = 0; k < channels; k++) {
        channel m = measure_channel(c, o, k, count);
        double weight = fabs((double)o->parameters[LINNET_BATCH_NORM_WEIGHT][k]) * m.inverse_deviation;
        double bias = fabs((double)o->parameters[LINNET_BATCH_NORM_BIAS][k]);
        double normal = m.inverse_deviation * (m.x + fabs(m.mean)); /* what roundings of x^ are relative to */
        for (int64_t i = 0; i < count; i++) {
            int64_t at = channel_element(c, i, k);
            double dy = fabs((double)o->output_gradients[0][at]);
            out->outputs[0][at] = (float)(weight * (fabs((double)o->inputs[0][at]) + fabs(m.mean)) + bias);
            out->input_gradients[0][at] =
                (float)(weight * (c->behaviour == LINNET_EVALUATE ? dy : m.dy * (2 + normal * normal)));
        }
        out->parameter_gradients[LINNET_BATCH_NORM_WEIGHT][k] = (float)(m.dy_sum * normal);
        out->parameter_gradients[LINNET_BATCH_NORM_BIAS][k] = (float)m.dy_sum;
        double spread = m.x + fabs(m.mean);
        out->states[LINNET_BATCH_NORM_MEAN][k] = (float)(fabs((double)o->states[LINNET_BATCH_NORM_MEAN][k]) + m.x);
        out->states[LINNET_BATCH_NORM_VARIANCE][k] =
            (float)(fabs((double)o->states[LINNET_BATCH_NORM_VARIANCE][k]) + spread * spread);
    }
}

bool linnet_tolerance_scale(const linnet_case *c, const linnet_values *o, const linnet_values *e, linnet_values *out)
{
    switch (c->layer->kind) {
    case LINNET_LAYER_CONV2D:
    case LINNET_LAYER_LINEAR:
    case LINNET_LAYER_MAX_POOL2D:
    case LINNET_LAYER_AVG_POOL2D:
    case LINNET_LAYER_GLOBAL_AVG_POOL:
    case LINNET_LAYER_LOCAL_CONV2D:
    case LINNET_LAYER_GRAM:
    case LINNET_LAYER_PAD2D:
        return false;
    case LINNET_LAYER_UNARY:
        scale_unary(c, o, e, out);
        return true;
    case LINNET_LAYER_SOFTMAX:
    case LINNET_LAYER_LOG_SOFTMAX:
        scale_softmax(c, o, e, out);
        return true;
    case LINNET_LAYER_CROSS_ENTROPY:
    case LINNET_LAYER_MSE:
        scale_losses(c, o, out);
        return true;
    case LINNET_LAYER_BATCH_NORM:
        scale_batch_norm(c, o, out);
        return true;
    case LINNET_LAYER_TOTAL_VARIATION:
        scale_variation(c, o, e, out);
        return true;
    default:
        scale_elements(out->outputs[0], e->outputs[0], &c->outputs[0], 0);
        for (uint32_t i = 0; i < c->input_count; i++)
            scale_elements(out->input_gradients[i], e->input_gradients[i], &c->inputs[i], 0);
        return true;
    }
}
