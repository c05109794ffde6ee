/* SPDX-License-Identifier: Apache-2.0 */
/* batch_norm (Ioffe and Szegedy 2015): y = (x - mean) / sqrt(variance + epsilon) * weight + bias, by channel. Saves the
   mean and the inverse standard deviation that it used, two doubles [C]. */
#include "reference.h"

#include <math.h>

enum { SAVED_MEAN, SAVED_INVERSE };

static void candidate(const linnet_layer_desc *desc, linnet_candidate *out)
{
    uint64_t channels = (uint64_t)desc->inputs[LINNET_BATCH_NORM_X].dims[1];
    if (desc->parameter_count != 2 || desc->state_count != 2)
        out->refusal = "needs weight, bias, mean and variance";
    if (desc->direction == LINNET_BACKWARD) {
        out->reads_inputs = 1u << LINNET_BATCH_NORM_X;
        out->reads_parameters = 1u << LINNET_BATCH_NORM_WEIGHT;
        out->reads_saved = 1u << SAVED_MEAN | 1u << SAVED_INVERSE;
    } else if (desc->differentiate) {
        out->saved_count = 2;
        out->saved_bytes[SAVED_MEAN] = out->saved_bytes[SAVED_INVERSE] = channels * sizeof(double);
    }
    reference_in_place(desc, out);
}

/* Mean and biased variance of channel c. */
static void channel_statistics(const reference_tensor *x, int64_t c, double *out_mean, double *out_variance)
{
    int64_t plane = x->inner / x->dims[1];
    double count = (double)(x->items * plane), sum = 0, squares = 0;
    for (int64_t n = 0; n < x->items; n++)
        for (int64_t i = 0; i < plane; i++)
            sum += reference_item(x, n)[c * plane + i];
    double mean = sum / count;
    for (int64_t n = 0; n < x->items; n++)
        for (int64_t i = 0; i < plane; i++) {
            double distance = reference_item(x, n)[c * plane + i] - mean;
            squares += distance * distance;
        }
    *out_mean = mean;
    *out_variance = squares / count;
}

/* running = (1 - momentum) running + momentum batch; the variance unbiased. A single element has no unbiased variance:
   its biased one, 0, is taken. */
static void update_states(const linnet_batch_norm_attributes *a, float *mean, float *variance, double batch_mean,
                          double batch_variance, double count)
{
    double unbiased = count > 1 ? batch_variance * count / (count - 1) : batch_variance;
    double momentum = a->momentum;
    *mean = (float)((1 - momentum) * *mean + momentum * batch_mean);
    *variance = (float)((1 - momentum) * *variance + momentum * unbiased);
}

static void forward_channel(const reference_tensor *x, const reference_tensor *y, int64_t c, double mean, double scale,
                            double bias)
{
    int64_t plane = x->inner / x->dims[1];
    for (int64_t n = 0; n < x->items; n++)
        for (int64_t i = c * plane; i < (c + 1) * plane; i++)
            reference_item(y, n)[i] = (float)((reference_item(x, n)[i] - mean) * scale + bias);
}

static void forward(const reference_call *call)
{
    const linnet_batch_norm_attributes *a = call->desc->attributes;
    reference_tensor x = reference_input(call, LINNET_BATCH_NORM_X), y = reference_output(call, LINNET_BATCH_NORM_Y);
    reference_tensor weight = reference_parameter(call, LINNET_BATCH_NORM_WEIGHT);
    reference_tensor bias = reference_parameter(call, LINNET_BATCH_NORM_BIAS);
    reference_tensor means = reference_state(call, LINNET_BATCH_NORM_MEAN);
    reference_tensor variances = reference_state(call, LINNET_BATCH_NORM_VARIANCE);
    for (int64_t c = 0; c < x.dims[1]; c++) {
        float *running_mean = reference_item(&means, c), *running_variance = reference_item(&variances, c);
        double mean = *running_mean, variance = *running_variance;
        if (call->desc->behaviour == LINNET_TRAIN) {
            channel_statistics(&x, c, &mean, &variance);
            update_states(a, running_mean, running_variance, mean, variance, (double)(x.items * (x.inner / x.dims[1])));
        }
        double inverse = 1 / sqrt(variance + a->epsilon);
        forward_channel(&x, &y, c, mean, inverse * *reference_item(&weight, c), *reference_item(&bias, c));
        if (call->desc->differentiate) {
            ((double *)reference_memory(call->args->saved[SAVED_MEAN]))[c] = mean;
            ((double *)reference_memory(call->args->saved[SAVED_INVERSE]))[c] = inverse;
        }
    }
}

/* With xhat = (x - mean) inverse: dweight = sum dy xhat, dbias = sum dy, and dx = weight inverse dy in evaluate
   behaviour, less weight inverse (mean(dy) + xhat mean(dy xhat)) in train behaviour, where x moves the statistics too.
 */
static void backward_channel(const reference_call *call, const reference_tensor *x, const reference_tensor *dy,
                             const reference_tensor *dx, int64_t c, double sums[2])
{
    double mean = ((const double *)reference_memory(call->args->saved[SAVED_MEAN]))[c];
    double inverse = ((const double *)reference_memory(call->args->saved[SAVED_INVERSE]))[c];
    reference_tensor weight = reference_parameter(call, LINNET_BATCH_NORM_WEIGHT);
    int64_t plane = x->inner / x->dims[1];
    double count = (double)(x->items * plane);
    sums[0] = sums[1] = 0;
    for (int64_t n = 0; n < x->items; n++)
        for (int64_t i = c * plane; i < (c + 1) * plane; i++) {
            double g = reference_item(dy, n)[i];
            sums[0] += g * (reference_item(x, n)[i] - mean) * inverse;
            sums[1] += g;
        }
    bool train = call->desc->behaviour == LINNET_TRAIN;
    double scale = inverse * *reference_item(&weight, c);
    for (int64_t n = 0; n < x->items && dx->data; n++)
        for (int64_t i = c * plane; i < (c + 1) * plane; i++) {
            double g = reference_item(dy, n)[i], xhat = (reference_item(x, n)[i] - mean) * inverse;
            double through_statistics = train ? (sums[1] + xhat * sums[0]) / count : 0;
            reference_put(dx, reference_item(dx, n) + i, scale * (g - through_statistics));
        }
}

static void backward(const reference_call *call)
{
    reference_tensor x = reference_input(call, LINNET_BATCH_NORM_X);
    reference_tensor dy = reference_output_gradient(call, LINNET_BATCH_NORM_Y);
    reference_tensor dx = reference_input_gradient(call, LINNET_BATCH_NORM_X);
    reference_tensor dweight = reference_parameter_gradient(call, LINNET_BATCH_NORM_WEIGHT);
    reference_tensor dbias = reference_parameter_gradient(call, LINNET_BATCH_NORM_BIAS);
    for (int64_t c = 0; c < x.dims[1]; c++) {
        double sums[2];
        backward_channel(call, &x, &dy, &dx, c, sums);
        if (dweight.data)
            reference_put(&dweight, reference_item(&dweight, c), sums[0]);
        if (dbias.data)
            reference_put(&dbias, reference_item(&dbias, c), sums[1]);
    }
}

const reference_layer reference_batch_norm_layer = {
    .attributes_size = sizeof(linnet_batch_norm_attributes),
    .candidate = candidate,
    .forward = forward,
    .backward = backward,
};
