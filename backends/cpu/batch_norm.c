/* SPDX-License-Identifier: Apache-2.0 */
/* For every format but nchw16c, one task per channel; and what both algorithms share. */
#include "batch_norm.h"
#include "kernels/kernels.h"

#include <math.h>

enum { CHUNK = 1 << 12, EVERY_LANE = CPU_LANES };

/* ---- For both algorithms ---- */

cpu_batch_norm_data cpu_batch_norm_data_of(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    const linnet_batch_norm_attributes *a = desc->attributes;
    const linnet_tensor_desc *x = &desc->inputs[0];
    cpu_batch_norm_data d = {.channels = x->dims[1],
                             .count = (double)(x->dims[0] * cpu_dims(x, 2, x->rank)),
                             .epsilon = a->epsilon,
                             .momentum = a->momentum,
                             .train = desc->behaviour == LINNET_TRAIN,
                             .x = cpu_view(args->inputs[0])};
    bool has_weight = desc->parameter_count > 0, has_bias = desc->parameter_count > 1;
    d.weight = has_weight ? cpu_view_at(args->parameters, LINNET_BATCH_NORM_WEIGHT) : NULL;
    if (desc->direction == LINNET_FORWARD) {
        d.y = cpu_view(args->outputs[0]);
        d.bias = has_bias ? cpu_view(args->parameters[LINNET_BATCH_NORM_BIAS]) : NULL;
        d.running_mean = desc->state_count > 0 ? cpu_view_at(args->states, LINNET_BATCH_NORM_MEAN) : NULL;
        d.running_variance = desc->state_count > 1 ? cpu_view_at(args->states, LINNET_BATCH_NORM_VARIANCE) : NULL;
        d.saved = desc->differentiate ? cpu_view_at(args->saved, 0) : NULL;
        return d;
    }
    d.dy = cpu_view(args->output_gradients[0]);
    d.saved = cpu_view_at(args->saved, 0);
    d.dx = cpu_view_at(args->input_gradients, 0);
    d.dweight = has_weight ? cpu_view_at(args->parameter_gradients, LINNET_BATCH_NORM_WEIGHT) : NULL;
    d.dbias = has_bias ? cpu_view_at(args->parameter_gradients, LINNET_BATCH_NORM_BIAS) : NULL;
    d.accumulate_x = args->accumulate_inputs & 1;
    d.accumulate_weight = args->accumulate_parameters >> LINNET_BATCH_NORM_WEIGHT & 1;
    d.accumulate_bias = args->accumulate_parameters >> LINNET_BATCH_NORM_BIAS & 1;
    return d;
}

void cpu_batch_norm_update_running(const cpu_batch_norm_data *d, int64_t channel, double mean, double variance)
{
    double unbiased = d->count > 1 ? variance * d->count / (d->count - 1) : variance;
    if (d->running_mean)
        d->running_mean[channel] = (float)((1.0 - d->momentum) * d->running_mean[channel] + d->momentum * mean);
    if (d->running_variance)
        d->running_variance[channel] =
            (float)((1.0 - d->momentum) * d->running_variance[channel] + d->momentum * unbiased);
}

void cpu_batch_norm_store_gradients(const cpu_batch_norm_data *d, int64_t channel, double dweight, double dbias)
{
    if (d->dweight)
        d->dweight[channel] = (float)(dweight + (d->accumulate_weight ? d->dweight[channel] : 0));
    if (d->dbias)
        d->dbias[channel] = (float)(dbias + (d->accumulate_bias ? d->dbias[channel] : 0));
}

/* ---- This one ---- */

/* The channel's elements are runs of `run`, one per item of the storage, `stride` apart. */
typedef struct job {
    cpu_batch_norm_data norm;
    cpu_extent extent;
    int64_t run;
    cpu_epilogue epilogue;
} job;

static job job_of(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    const linnet_tensor_desc *x = &desc->inputs[0];
    job j = {.norm = cpu_batch_norm_data_of(desc, args), .extent = cpu_extent_of(x)};
    j.run = cpu_dims(x, 2, x->rank) * j.extent.lanes;
    return j;
}

enum sum_kind { SUM, SUM_SQUARES, SUM_PRODUCTS };

/* Sum over a channel of x, (x - mean)^2 or (x - mean) y, in double from chunk to chunk; spare lanes do not count. */
static double channel_sum(const job *j, enum sum_kind kind, int64_t channel, const float *x, float mean, const float *y)
{
    double total = 0;
    float sums[CPU_LANES] = {0};
    int64_t pending = 0;
    for (int64_t item = 0; item < j->extent.items; item++) {
        bool is_last = item + 1 == j->extent.items;
        int64_t lanes = is_last && j->extent.lanes > 1 ? j->extent.tail : EVERY_LANE;
        for (int64_t first = 0; first < j->run; first += CHUNK) {
            int64_t at = item * j->extent.stride + channel * j->run + first, count = cpu_min(CHUNK, j->run - first);
            bool is_end = first + count == j->run;
            if (kind == SUM)
                cpu_table.lane_sums(x + at, count, sums);
            else if (kind == SUM_SQUARES)
                cpu_table.lane_squares(x + at, mean, count, sums);
            else
                cpu_table.lane_products(x + at, mean, y + at, count, sums);
            pending += count;
            /* The last block's lanes are added up apart from the others'. */
            if (pending < CHUNK && !(is_end && (is_last || item + 2 == j->extent.items)))
                continue;
            for (int64_t i = 0; i < CPU_LANES; i++) {
                total += i < lanes ? sums[i] : 0;
                sums[i] = 0;
            }
            pending = 0;
        }
    }
    return total;
}

/* ---- Forward ---- */

void cpu_batch_norm_describe_saved(const linnet_layer_desc *desc, linnet_candidate *out)
{
    if (desc->direction == LINNET_BACKWARD) {
        out->reads_inputs = 1;
        out->reads_parameters = desc->parameter_count > 0 ? 1u << LINNET_BATCH_NORM_WEIGHT : 0;
        out->reads_saved = 1;
    } else if (desc->differentiate) {
        out->saved_count = 1;
        out->saved_bytes[0] = (uint64_t)desc->inputs[0].dims[1] * 2 * sizeof(float);
    }
}

static int describe(const linnet_layer_desc *desc, linnet_candidate *out)
{
    cpu_want_same(desc, out, CPU_TAKES_NCHW16N);
    cpu_batch_norm_describe_saved(desc, out);
    out->in_place = 1;
    return CPU_NEUTRAL;
}

static void forward_channel(const void *context, int64_t channel, uint32_t worker)
{
    (void)worker;
    const job *j = context;
    double mean, variance;
    if (j->norm.train) {
        mean = channel_sum(j, SUM, channel, j->norm.x, 0, NULL) / j->norm.count;
        /* The rounding of the mean to float is taken out again. */
        double rest = mean - (float)mean;
        variance = channel_sum(j, SUM_SQUARES, channel, j->norm.x, (float)mean, NULL) / j->norm.count - rest * rest;
        variance = variance < 0 ? 0 : variance;
        cpu_batch_norm_update_running(&j->norm, channel, mean, variance);
    } else {
        mean = j->norm.running_mean[channel];
        variance = j->norm.running_variance[channel];
    }
    float inverse = (float)(1.0 / sqrt(variance + j->norm.epsilon));
    if (j->norm.saved) {
        j->norm.saved[channel] = (float)mean;
        j->norm.saved[j->norm.channels + channel] = inverse;
    }
    float scale = inverse * (j->norm.weight ? j->norm.weight[channel] : 1),
          offset = j->norm.bias ? j->norm.bias[channel] : 0;
    for (int64_t item = 0; item < j->extent.items; item++) {
        int64_t at = item * j->extent.stride + channel * j->run;
        cpu_table.affine(scale, j->norm.x + at, (float)mean, 0, NULL, offset, j->norm.y + at, j->run, false);
        if (j->epilogue.low > -INFINITY || j->epilogue.high < INFINITY)
            cpu_table.unary(LINNET_UNARY_CLIP, j->epilogue.low, j->epilogue.high, j->norm.y + at, j->norm.y + at,
                            j->run);
        cpu_epilogue_apply(&j->epilogue, j->norm.y + at, j->run);
    }
}

static void forward(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    job j = job_of(desc, args);
    j.epilogue = cpu_epilogue_of(desc, args);
    cpu_parallel(j.norm.channels, j.extent.items * j.extent.item, forward_channel, &j);
}

/* ---- Backward ---- */

/* With x^ = (x - mean) inverse: dweight = sum dy x^, dbias = sum dy, and where the statistics were the batch's
   dx = weight inverse (dy - mean(dy) - x^ mean(dy x^)), else dx = weight inverse dy. */
static void backward_channel(const void *context, int64_t channel, uint32_t worker)
{
    (void)worker;
    const job *j = context;
    float mean = j->norm.saved[channel], inverse = j->norm.saved[j->norm.channels + channel];
    bool needs_sums = (j->norm.dx && j->norm.train) || j->norm.dweight || j->norm.dbias;
    double dbias = needs_sums ? channel_sum(j, SUM, channel, j->norm.dy, 0, NULL) : 0;
    double dweight = needs_sums ? inverse * channel_sum(j, SUM_PRODUCTS, channel, j->norm.x, mean, j->norm.dy) : 0;
    cpu_batch_norm_store_gradients(&j->norm, channel, dweight, dbias);
    if (!j->norm.dx)
        return;
    float scale = inverse * (j->norm.weight ? j->norm.weight[channel] : 1), by_x = 0, offset = 0;
    if (j->norm.train) {
        by_x = (float)(-scale * inverse * dweight / j->norm.count);
        offset = (float)(-scale * dbias / j->norm.count);
    }
    for (int64_t item = 0; item < j->extent.items; item++) {
        int64_t at = item * j->extent.stride + channel * j->run;
        cpu_table.affine(by_x, j->norm.x + at, mean, scale, j->norm.dy + at, offset, j->norm.dx + at, j->run,
                         j->norm.accumulate_x);
    }
}

static void backward(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    job j = job_of(desc, args);
    cpu_parallel(j.norm.channels, j.extent.items * j.extent.item, backward_channel, &j);
    if (j.norm.dx)
        cpu_clear_spare_lanes(&desc->inputs[0], j.norm.dx);
}

static const cpu_algorithm algorithms[] = {
    {"vector", LINNET_FORWARD, true, describe, forward},
    {"nchw16c", LINNET_FORWARD, true, cpu_batch_norm_describe_nchw16c, cpu_batch_norm_forward_nchw16c},
    {"vector", LINNET_BACKWARD, false, describe, backward},
    {"nchw16c", LINNET_BACKWARD, false, cpu_batch_norm_describe_nchw16c, cpu_batch_norm_backward_nchw16c},
};
CPU_LAYER(batch_norm, algorithms);
