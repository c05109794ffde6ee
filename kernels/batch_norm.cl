/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch_norm over channel c of x [N,C,S] (Ioffe and Szegedy 2015): y = (x - mean) rstd weight + bias, rstd =
 * 1/sqrt(variance + epsilon). stats is [2,C]: mean, rstd. Sums over a channel go in two stages: parts by work-group (x:
 * part, y: channel), then a line of group.clh, a channel's, adds the parts. Squares are taken about a mean, so they
 * cannot cancel: on GPUs each part's own, in one pass over x (Chan, Golub and LeVeque 1983), on processors the
 * channel's, in a second pass.
 */
#include "batch_norm.clh"
#include "elements.clh"
#include "loops.clh"

/* Mean of part p in partial[p C + c], squares about it in partial[(parts + p) C + c]. */
__kernel void batch_norm_moments(__global const float *x, ulong x_at, __global float *partial, ulong partial_at,
                                 int channels, int size, int elements, int run, int parts)
{
    GROUP_SCRATCH(scratch)
    int p = (int)get_group_id(0), c = (int)get_group_id(1);
    int first = p * run, last = first + min(run, elements - first);
    channel_vector number = 0.0f, shift = 0.0f, sum = 0.0f, squares = 0.0f;
    x += x_at;
    CHANNEL_EACH(channels, size, c, first, last, x_at, BATCH_NORM_MOMENTS)
    BATCH_NORM_GROUP_MOMENTS(last - first)
    if (get_local_id(0) != 0)
        return;
    partial[partial_at + (ulong)p * channels + c] = all_mean;
    partial[partial_at + (ulong)(parts + p) * channels + c] = all_squares;
}

/* Statistics from the moments of the parts. */
__kernel void batch_norm_statistics(__global const float *partial, ulong partial_at, __global float *stats,
                                    ulong stats_at, __global float *running_mean, ulong running_mean_at,
                                    __global float *running_variance, ulong running_variance_at, int channels,
                                    int parts, int elements, int run, float epsilon, float momentum, int lanes,
                                    int step)
{
    GROUP_SCRATCH(scratch)
    int c = line_number(lanes, step), lane = line_lane(lanes, step), last = c < channels ? parts : 0;
    float mean = 0.0f, squares = 0.0f;
    partial += partial_at + c;
    for (int p = lane; p < last; p += line_lanes(lanes))
        mean += partial[(ulong)p * channels] * (float)min(run, elements - p * run);
    mean = line_sum(mean, lanes, step, scratch) / (float)elements;
    for (int p = lane; p < last; p += line_lanes(lanes)) {
        float away = partial[(ulong)p * channels] - mean;
        squares += partial[(ulong)(parts + p) * channels] + (float)min(run, elements - p * run) * away * away;
    }
    squares = line_sum(squares, lanes, step, scratch);
    if (c >= channels || lane != 0)
        return;
    stats[stats_at + c] = mean;
    batch_norm_finish(c, channels, elements, mean, squares, epsilon, momentum, stats + stats_at,
                      running_mean + running_mean_at, running_variance + running_variance_at);
}

/* The same for processors: the mean, from the parts of the sum that channel_sum.cl makes, and squares about it. */
__kernel void batch_norm_mean(__global const float *partial, ulong partial_at, __global float *stats, ulong stats_at,
                              int channels, int parts, int elements, int lanes, int step)
{
    GROUP_SCRATCH(scratch)
    int c = line_number(lanes, step), lane = line_lane(lanes, step), last = c < channels ? parts : 0;
    float sum = 0.0f;
    for (int p = lane; p < last; p += line_lanes(lanes))
        sum += partial[partial_at + (ulong)p * channels + c];
    sum = line_sum(sum, lanes, step, scratch);
    if (c < channels && lane == 0)
        stats[stats_at + c] = sum / (float)elements;
}

#define BATCH_NORM_SQUARES(N)                                                                                          \
    CHANNEL_OF(N, sum) += (CHANNEL_LOAD(N, x) - mean) * (CHANNEL_LOAD(N, x) - mean);

__kernel void batch_norm_squares(__global const float *x, ulong x_at, __global const float *stats, ulong stats_at,
                                 __global float *partial, ulong partial_at, int channels, int size, int elements,
                                 int run)
{
    GROUP_SCRATCH(scratch)
    int p = (int)get_group_id(0), c = (int)get_group_id(1);
    int first = p * run, last = first + min(run, elements - first);
    float mean = stats[stats_at + c];
    channel_vector sum = 0.0f;
    x += x_at;
    CHANNEL_EACH(channels, size, c, first, last, x_at, BATCH_NORM_SQUARES)
    float total = group_sum(channel_total(sum), scratch);
    if (get_local_id(0) == 0)
        partial[partial_at + (ulong)p * channels + c] = total;
}

__kernel void batch_norm_variance(__global const float *partial, ulong partial_at, __global float *stats,
                                  ulong stats_at, __global float *running_mean, ulong running_mean_at,
                                  __global float *running_variance, ulong running_variance_at, int channels, int parts,
                                  int elements, float epsilon, float momentum, int lanes, int step)
{
    GROUP_SCRATCH(scratch)
    int c = line_number(lanes, step), lane = line_lane(lanes, step), last = c < channels ? parts : 0;
    float sum = 0.0f;
    for (int p = lane; p < last; p += line_lanes(lanes))
        sum += partial[partial_at + (ulong)p * channels + c];
    sum = line_sum(sum, lanes, step, scratch);
    if (c >= channels || lane != 0)
        return;
    batch_norm_finish(c, channels, elements, stats[stats_at + c], sum, epsilon, momentum, stats + stats_at,
                      running_mean + running_mean_at, running_variance + running_variance_at);
}

/* Evaluate: stats from the running statistics. */
__kernel void batch_norm_running(__global const float *running_mean, ulong running_mean_at,
                                 __global const float *running_variance, ulong running_variance_at,
                                 __global float *stats, ulong stats_at, int channels, float epsilon)
{
    int c = (int)get_global_id(0);
    if (c >= channels)
        return;
    stats[stats_at + c] = running_mean[running_mean_at + c];
    stats[stats_at + channels + c] = batch_norm_rstd(running_variance[running_variance_at + c], epsilon);
}

/* The channel c and the place s in its plane of element i, number k of a work-item; given those of number k - 1, behind
 * which it lies unless it is the first of a quad (elements.clh). */
void batch_norm_place(int i, int k, int channels, int size, int *c, int *s)
{
    if ((k & 3) == 0) {
        int plane = i / size;
        *s = i - plane * size;
        *c = plane % channels;
        return;
    }
    *s = *s + 1 == size ? 0 : *s + 1;
    *c = *s > 0 ? *c : *c + 1 == channels ? 0 : *c + 1;
}

/* For GPUs, elements shared out as in elements.clh. On the way out: residual is added where there is one (adds), then y
 * is kept within low..high. y on x or on residual is allowed. */
__kernel void batch_norm_normalize(__global const float *x, ulong x_at, __global const float *stats, ulong stats_at,
                                   __global const float *weight, ulong weight_at, __global const float *bias,
                                   ulong bias_at, __global const float *residual, ulong residual_at,
                                   __global float *y, ulong y_at, int channels, int size, int adds, float low,
                                   float high, int count)
{
    int first = elements_first();
    x += x_at;
    residual += residual_at;
    y += y_at;
    stats += stats_at;
    weight += weight_at;
    bias += bias_at;
    if (elements_are_quads(first, count, x_at | residual_at | y_at | (ulong)size)) {
        float8 v = elements_load(x + first), more = adds ? elements_load(residual + first) : (float8)0.0f;
        int c = first / size % channels, d = elements_at(first, 4) / size % channels;
        v.lo = (v.lo - stats[c]) * (stats[channels + c] * weight[c]) + bias[c];
        v.hi = (v.hi - stats[d]) * (stats[channels + d] * weight[d]) + bias[d];
        v += more;
        v = select(v, (float8)high, v > high);
        elements_store(select(v, (float8)low, v < low), y + first);
        return;
    }
    ROLLED for (int k = 0, c = 0, s = 0; k < ELEMENTS; k++) {
        int i = elements_at(first, k);
        batch_norm_place(i, k, channels, size, &c, &s);
        if (i >= count)
            continue;
        float v = (x[i] - stats[c]) * (stats[channels + c] * weight[c]) + bias[c] + (adds ? residual[i] : 0.0f);
        y[i] = v < low ? low : v > high ? high : v;
    }
}

/* For processors, a work-item has `run` of the planes. */
__kernel void batch_norm_normalize_planes(__global const float *x, ulong x_at, __global const float *stats,
                                          ulong stats_at, __global const float *weight, ulong weight_at,
                                          __global const float *bias, ulong bias_at, __global float *y, ulong y_at,
                                          int channels, int size, int planes, int run)
{
    int plane = (int)get_global_id(0) * run, last = plane + min(run, planes - plane), c = plane % channels;
    x += x_at + (ulong)plane * size;
    y += y_at + (ulong)plane * size;
    for (; plane < last; plane++, x += size, y += size) {
        int s = 0;
        float mean = stats[stats_at + c], rstd = stats[stats_at + channels + c];
        float factor = weight[weight_at + c], shift = bias[bias_at + c];
        for (; s + 8 <= size; s += 8)
            store8((load8(0, x + s) - mean) * rstd * factor + shift, 0, y + s);
        for (; s < size; s++)
            y[s] = (x[s] - mean) * rstd * factor + shift;
        c = c + 1 == channels ? 0 : c + 1;
    }
}

/* Part p of sum dy in partial[p C + c], of sum dy xhat in partial[(parts + p) C + c], xhat = (x - mean) rstd. */
__kernel void batch_norm_gradient_sums(__global const float *x, ulong x_at, __global const float *dy, ulong dy_at,
                                       __global const float *stats, ulong stats_at, __global float *partial,
                                       ulong partial_at, int channels, int size, int elements, int run, int parts)
{
    GROUP_SCRATCH(scratch)
    int p = (int)get_group_id(0), c = (int)get_group_id(1);
    int first = p * run, last = first + min(run, elements - first);
    float mean = stats[stats_at + c], rstd = stats[stats_at + channels + c];
    channel_vector sum = 0.0f, product = 0.0f;
    x += x_at;
    dy += dy_at;
    CHANNEL_EACH(channels, size, c, first, last, x_at | dy_at, BATCH_NORM_GRADIENT_SUMS)
    float all_sum = group_sum(channel_total(sum), scratch);
    float all_product = group_sum(channel_total(product), scratch) * rstd;
    if (get_local_id(0) != 0)
        return;
    partial[partial_at + (ulong)p * channels + c] = all_sum;
    partial[partial_at + (ulong)(parts + p) * channels + c] = all_product;
}

/* The parts added up: sums is [2,C], sum dy and sum dy xhat. They are the gradients of bias and weight, too: for_bias and
 * for_weight are what is done to these (batch_norm_parameter). */
__kernel void batch_norm_gradients(__global const float *partial, ulong partial_at, __global float *sums, ulong sums_at,
                                   __global float *bias, ulong bias_at, __global float *weight, ulong weight_at,
                                   int channels, int parts, int lanes, int step, int for_bias, int for_weight)
{
    GROUP_SCRATCH(scratch)
    int c = line_number(lanes, step), lane = line_lane(lanes, step), last = c < channels ? parts : 0;
    float sum = 0.0f, product = 0.0f;
    partial += partial_at + c;
    for (int p = lane; p < last; p += line_lanes(lanes)) {
        sum += partial[(ulong)p * channels];
        product += partial[(ulong)(parts + p) * channels];
    }
    sum = line_sum(sum, lanes, step, scratch);
    product = line_sum(product, lanes, step, scratch);
    if (c >= channels || lane != 0)
        return;
    sums[sums_at + c] = sum;
    sums[sums_at + channels + c] = product;
    batch_norm_parameter(bias + bias_at + c, sum, for_bias);
    batch_norm_parameter(weight + weight_at + c, product, for_weight);
}

/* train: the batch statistics depend on x. */
batch_norm_line batch_norm_line_at(int c, __global const float *stats, __global const float *weight,
                                   __global const float *sums, int channels, int elements, int train)
{
    return batch_norm_line_of(stats[c], stats[channels + c], weight[c], train ? sums[c] : 0.0f,
                              train ? sums[channels + c] : 0.0f, elements);
}

/* For GPUs, elements shared out as in elements.clh. dx on dy is allowed. */
__kernel void batch_norm_backward(__global const float *x, ulong x_at, __global const float *dy, ulong dy_at,
                                  __global const float *stats, ulong stats_at, __global const float *weight,
                                  ulong weight_at, __global const float *sums, ulong sums_at, __global float *dx,
                                  ulong dx_at, int channels, int size, int elements, int train, int count,
                                  int accumulate)
{
    int first = elements_first();
    x += x_at;
    dy += dy_at;
    dx += dx_at;
    stats += stats_at;
    weight += weight_at;
    sums += sums_at;
    if (elements_are_quads(first, count, x_at | dy_at | dx_at | (ulong)size)) {
        float8 value = elements_load(x + first), gradient = elements_load(dy + first);
        int c = first / size % channels, d = elements_at(first, 4) / size % channels;
        batch_norm_line at_c = batch_norm_line_at(c, stats, weight, sums, channels, elements, train);
        batch_norm_line at_d = batch_norm_line_at(d, stats, weight, sums, channels, elements, train);
        gradient.lo = (gradient.lo - at_c.mean_dy - (value.lo - at_c.mean) * at_c.slope) * at_c.factor;
        gradient.hi = (gradient.hi - at_d.mean_dy - (value.hi - at_d.mean) * at_d.slope) * at_d.factor;
        elements_store(accumulate ? elements_load(dx + first) + gradient : gradient, dx + first);
        return;
    }
    ROLLED for (int k = 0, c = 0, s = 0; k < ELEMENTS; k++) {
        int i = elements_at(first, k);
        batch_norm_place(i, k, channels, size, &c, &s);
        if (i >= count)
            continue;
        batch_norm_line line = batch_norm_line_at(c, stats, weight, sums, channels, elements, train);
        float gradient = (dy[i] - line.mean_dy - (x[i] - line.mean) * line.slope) * line.factor;
        dx[i] = accumulate ? dx[i] + gradient : gradient;
    }
}

/* For processors, a work-item has `run` of the planes. */
__kernel void batch_norm_backward_planes(__global const float *x, ulong x_at, __global const float *dy, ulong dy_at,
                                         __global const float *stats, ulong stats_at, __global const float *weight,
                                         ulong weight_at, __global const float *sums, ulong sums_at, __global float *dx,
                                         ulong dx_at, int channels, int size, int elements, int train, int planes,
                                         int run, int accumulate)
{
    int plane = (int)get_global_id(0) * run, last = plane + min(run, planes - plane), c = plane % channels;
    x += x_at + (ulong)plane * size;
    dy += dy_at + (ulong)plane * size;
    dx += dx_at + (ulong)plane * size;
    for (; plane < last; plane++, x += size, dy += size, dx += size) {
        int s = 0;
        batch_norm_line line =
            batch_norm_line_at(c, stats + stats_at, weight + weight_at, sums + sums_at, channels, elements, train);
        for (; s + 8 <= size; s += 8) {
            float8 gradient = (load8(0, dy + s) - line.mean_dy - (load8(0, x + s) - line.mean) * line.slope) * line.factor;
            store8(accumulate ? load8(0, dx + s) + gradient : gradient, 0, dx + s);
        }
        for (; s < size; s++) {
            float gradient = (dy[s] - line.mean_dy - (x[s] - line.mean) * line.slope) * line.factor;
            dx[s] = accumulate ? dx[s] + gradient : gradient;
        }
        c = c + 1 == channels ? 0 : c + 1;
    }
}
