/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch_norm over channel c of x [N,C,S] (Ioffe and Szegedy 2015): y = (x - mean) rstd weight + bias, rstd =
 * 1/sqrt(variance + epsilon). stats is [2,C]: mean, rstd. Sums over a channel go in two stages: parts by work-group (x:
 * part, y: channel), then a line of group.clh, a channel's, adds the parts. The variance is taken about the mean (two
 * passes), so it cannot cancel.
 *
 * Tunables: RUN, elements of a work-item where nothing is summed (default 4; batch_norm.c knows it).
 */
#include "channel.clh"

__kernel void batch_norm_sum(__global const float *x, ulong x_at, __global float *partial, ulong partial_at,
                             int channels, int size, int elements, int run)
{
    GROUP_SCRATCH(scratch)
    int p = (int)get_group_id(0), c = (int)get_group_id(1);
    int first = p * run, last = first + min(run, elements - first);
    float sum = 0.0f;
    x += x_at;
    CHANNEL_WALK(sum, channels, size, c, first, last, x[at], load8(0, x + at))
    sum = group_sum(sum, scratch);
    if (get_local_id(0) == 0)
        partial[partial_at + (ulong)p * channels + c] = sum;
}

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

__kernel void batch_norm_squares(__global const float *x, ulong x_at, __global const float *stats, ulong stats_at,
                                 __global float *partial, ulong partial_at, int channels, int size, int elements,
                                 int run)
{
    GROUP_SCRATCH(scratch)
    int p = (int)get_group_id(0), c = (int)get_group_id(1);
    int first = p * run, last = first + min(run, elements - first);
    float sum = 0.0f, mean = stats[stats_at + c];
    x += x_at;
    CHANNEL_WALK(sum, channels, size, c, first, last, (x[at] - mean) * (x[at] - mean),
                 (load8(0, x + at) - mean) * (load8(0, x + at) - mean))
    sum = group_sum(sum, scratch);
    if (get_local_id(0) == 0)
        partial[partial_at + (ulong)p * channels + c] = sum;
}

/* rstd, and the running statistics: mean, and the unbiased variance. */
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
    float mean = stats[stats_at + c];
    float variance = sum / (float)elements, unbiased = sum / (float)max(elements - 1, 1);
    stats[stats_at + channels + c] = 1.0f / sqrt(variance + epsilon);
    running_mean[running_mean_at + c] = (1.0f - momentum) * running_mean[running_mean_at + c] + momentum * mean;
    running_variance[running_variance_at + c] =
        (1.0f - momentum) * running_variance[running_variance_at + c] + momentum * unbiased;
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
    stats[stats_at + channels + c] = 1.0f / sqrt(running_variance[running_variance_at + c] + epsilon);
}

/* A work-item has RUN elements of all count = N C S, one behind the other, in one access unless they are of two planes. */
#define RUN 4

__kernel void batch_norm_normalize(__global const float *x, ulong x_at, __global const float *stats, ulong stats_at,
                                   __global const float *weight, ulong weight_at, __global const float *bias,
                                   ulong bias_at, __global float *y, ulong y_at, int channels, int size, int count)
{
    int at = (int)get_global_id(0) * RUN;
    if (at >= count)
        return;
    int plane = at / size, s = at - plane * size, c = plane % channels;
    x += x_at + at;
    y += y_at + at;
    stats += stats_at;
    weight += weight_at;
    bias += bias_at;
    if (s + RUN <= size) {
        vstore4((vload4(0, x) - stats[c]) * stats[channels + c] * weight[c] + bias[c], 0, y);
        return;
    }
    for (int k = 0; k < min(RUN, count - at); k++) {
        y[k] = (x[k] - stats[c]) * stats[channels + c] * weight[c] + bias[c];
        s = s + 1 == size ? 0 : s + 1;
        c = s > 0 ? c : c + 1 == channels ? 0 : c + 1;
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
    float sum = 0.0f, product = 0.0f, mean = stats[stats_at + c], rstd = stats[stats_at + channels + c];
    x += x_at;
    dy += dy_at;
    float8 sum8 = 0.0f, product8 = 0.0f;
    CHANNEL_EACH(channels, size, c, first, last, sum += dy[at]; product += dy[at] * (x[at] - mean) * rstd,
                 sum8 += load8(0, dy + at); product8 += load8(0, dy + at) * (load8(0, x + at) - mean) * rstd)
    sum += channel_sum8(sum8);
    product += channel_sum8(product8);
    sum = group_sum(sum, scratch);
    product = group_sum(product, scratch);
    if (get_local_id(0) != 0)
        return;
    partial[partial_at + (ulong)p * channels + c] = sum;
    partial[partial_at + (ulong)(parts + p) * channels + c] = product;
}

/* The same for processors, one work-item a plane. */
__kernel void batch_norm_normalize_planes(__global const float *x, ulong x_at, __global const float *stats,
                                          ulong stats_at, __global const float *weight, ulong weight_at,
                                          __global const float *bias, ulong bias_at, __global float *y, ulong y_at,
                                          int channels, int size)
{
    ulong plane = get_global_id(0);
    int c = (int)(plane % channels), s = 0;
    float mean = stats[stats_at + c], rstd = stats[stats_at + channels + c];
    float factor = weight[weight_at + c], shift = bias[bias_at + c];
    x += x_at + plane * size;
    y += y_at + plane * size;
    for (; s + 8 <= size; s += 8)
        store8((load8(0, x + s) - mean) * rstd * factor + shift, 0, y + s);
    for (; s < size; s++)
        y[s] = (x[s] - mean) * rstd * factor + shift;
}

/* sums is [2,C]: sum dy, sum dy xhat. train: the batch statistics depend on x. RUN elements a work-item. dx on dy is
 * allowed. */
__kernel void batch_norm_backward(__global const float *x, ulong x_at, __global const float *dy, ulong dy_at,
                                  __global const float *stats, ulong stats_at, __global const float *weight,
                                  ulong weight_at, __global const float *sums, ulong sums_at, __global float *dx,
                                  ulong dx_at, int channels, int size, int elements, int train, int count,
                                  int accumulate)
{
    int at = (int)get_global_id(0) * RUN;
    if (at >= count)
        return;
    int plane = at / size, s = at - plane * size, c = plane % channels;
    x += x_at + at;
    dy += dy_at + at;
    dx += dx_at + at;
    stats += stats_at;
    weight += weight_at;
    sums += sums_at;
    if (s + RUN <= size) {
        float mean = stats[c], rstd = stats[channels + c];
        float4 gradient = vload4(0, dy);
        if (train)
            gradient -= (sums[c] + (vload4(0, x) - mean) * rstd * sums[channels + c]) / (float)elements;
        gradient *= rstd * weight[c];
        vstore4(accumulate ? vload4(0, dx) + gradient : gradient, 0, dx);
        return;
    }
    for (int k = 0; k < min(RUN, count - at); k++) {
        float mean = stats[c], rstd = stats[channels + c], gradient = dy[k];
        if (train)
            gradient -= (sums[c] + (x[k] - mean) * rstd * sums[channels + c]) / (float)elements;
        gradient *= rstd * weight[c];
        dx[k] = accumulate ? dx[k] + gradient : gradient;
        s = s + 1 == size ? 0 : s + 1;
        c = s > 0 ? c : c + 1 == channels ? 0 : c + 1;
    }
}

/* The same for processors, one work-item a plane. */
__kernel void batch_norm_backward_planes(__global const float *x, ulong x_at, __global const float *dy, ulong dy_at,
                                         __global const float *stats, ulong stats_at, __global const float *weight,
                                         ulong weight_at, __global const float *sums, ulong sums_at, __global float *dx,
                                         ulong dx_at, int channels, int size, int elements, int train, int accumulate)
{
    ulong plane = get_global_id(0);
    int c = (int)(plane % channels), s = 0;
    float mean = stats[stats_at + c], rstd = stats[stats_at + channels + c], factor = rstd * weight[weight_at + c];
    float mean_dy = train ? sums[sums_at + c] / (float)elements : 0.0f;
    float slope = train ? sums[sums_at + channels + c] / (float)elements * rstd : 0.0f;
    x += x_at + plane * size;
    dy += dy_at + plane * size;
    dx += dx_at + plane * size;
    for (; s + 8 <= size; s += 8) {
        float8 gradient = (load8(0, dy + s) - mean_dy - (load8(0, x + s) - mean) * slope) * factor;
        store8(accumulate ? load8(0, dx + s) + gradient : gradient, 0, dx + s);
    }
    for (; s < size; s++) {
        float gradient = (dy[s] - mean_dy - (x[s] - mean) * slope) * factor;
        dx[s] = accumulate ? dx[s] + gradient : gradient;
    }
}
