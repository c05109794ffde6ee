/* SPDX-License-Identifier: Apache-2.0 */
/* cross_entropy: loss = -1/N sum log softmax(logits)[n, label n]. A label outside 0..C-1 takes no part; N stays. */
#include "reference.h"

#include <math.h>

static void candidate(const linnet_layer_desc *desc, linnet_candidate *out)
{
    if (desc->direction == LINNET_BACKWARD)
        out->reads_inputs = 1u << LINNET_CROSS_ENTROPY_LOGITS | 1u << LINNET_CROSS_ENTROPY_LABELS;
}

/* log sum exp of one row. */
static double log_sum_exp(const float *row, int64_t classes)
{
    double max = -INFINITY, sum = 0;
    for (int64_t c = 0; c < classes; c++)
        max = fmax(max, row[c]);
    for (int64_t c = 0; c < classes; c++)
        sum += exp(row[c] - max);
    return max + log(sum);
}

/* The label of item n, -1 for one that takes no part. */
static int64_t label_of(const reference_call *call, int64_t n, int64_t classes)
{
    const linnet_tensor_desc *desc = &call->desc->inputs[LINNET_CROSS_ENTROPY_LABELS];
    const int32_t *labels = reference_memory(call->args->inputs[LINNET_CROSS_ENTROPY_LABELS]);
    int32_t label = labels[n * (desc->outer_stride ? desc->outer_stride : 1)];
    return label >= 0 && label < classes ? label : -1;
}

static void forward(const reference_call *call)
{
    reference_tensor logits = reference_input(call, LINNET_CROSS_ENTROPY_LOGITS);
    reference_tensor loss = reference_output(call, LINNET_CROSS_ENTROPY_LOSS);
    double sum = 0;
    for (int64_t n = 0; n < logits.items; n++) {
        const float *row = reference_item(&logits, n);
        int64_t label = label_of(call, n, logits.inner);
        if (label >= 0)
            sum += log_sum_exp(row, logits.inner) - row[label];
    }
    *loss.data = (float)(sum / (double)logits.items);
}

/* dlogits = dloss (softmax(logits) - onehot(label)) / N */
static void backward(const reference_call *call)
{
    reference_tensor logits = reference_input(call, LINNET_CROSS_ENTROPY_LOGITS);
    reference_tensor dlogits = reference_input_gradient(call, LINNET_CROSS_ENTROPY_LOGITS);
    reference_tensor dloss = reference_output_gradient(call, LINNET_CROSS_ENTROPY_LOSS);
    for (int64_t n = 0; n < logits.items && dlogits.data; n++) {
        const float *row = reference_item(&logits, n);
        int64_t label = label_of(call, n, logits.inner);
        double log_sum = log_sum_exp(row, logits.inner);
        for (int64_t c = 0; c < logits.inner; c++) {
            double slope = label < 0 ? 0 : exp(row[c] - log_sum) - (c == label ? 1 : 0);
            reference_put(&dlogits, reference_item(&dlogits, n) + c, *dloss.data * slope / (double)logits.items);
        }
    }
}

const reference_layer reference_cross_entropy_layer = {
    .i32_inputs = 1u << LINNET_CROSS_ENTROPY_LABELS,
    .candidate = candidate,
    .forward = forward,
    .backward = backward,
};
