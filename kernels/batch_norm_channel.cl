/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch_norm (batch_norm.cl) in training on GPUs where channels are many and small: a group has a channel, x: channel.
 * It reads its elements a second time where it left them, in a cache, and one kernel does what takes three otherwise.
 * Every element is the same work-item's both times, so y on x or residual is allowed, and dx on dy.
 */
#include "batch_norm.clh"

#define BATCH_NORM_WRITE(N)                                                                                            \
    {                                                                                                                  \
        channel_float##N v = (CHANNEL_LOAD(N, x) - all_mean) * factor + offset;                                        \
        if (adds)                                                                                                      \
            v += CHANNEL_LOAD(N, residual);                                                                            \
        v = select(v, (channel_float##N)high, v > high);                                                               \
        CHANNEL_STORE(N, y, select(v, (channel_float##N)low, v < low))                                                 \
    }

__kernel void batch_norm_channel(__global const float *x, ulong x_at, __global float *stats, ulong stats_at,
                                 __global float *running_mean, ulong running_mean_at, __global float *running_variance,
                                 ulong running_variance_at, __global const float *weight, ulong weight_at,
                                 __global const float *bias, ulong bias_at, __global const float *residual,
                                 ulong residual_at, __global float *y, ulong y_at, int channels, int size, int elements,
                                 float epsilon, float momentum, int adds, float low, float high)
{
    GROUP_SCRATCH(scratch)
    int c = (int)get_group_id(0);
    channel_vector number = 0.0f, shift = 0.0f, sum = 0.0f, squares = 0.0f;
    x += x_at;
    residual += residual_at;
    y += y_at;
    CHANNEL_EACH(channels, size, c, 0, elements, x_at | residual_at | y_at, BATCH_NORM_MOMENTS)
    BATCH_NORM_GROUP_MOMENTS(elements)
    if (get_local_id(0) == 0) {
        stats[stats_at + c] = all_mean;
        batch_norm_finish(c, channels, elements, all_mean, all_squares, epsilon, momentum, stats + stats_at,
                          running_mean + running_mean_at, running_variance + running_variance_at);
    }
    float factor = batch_norm_rstd(all_squares / (float)elements, epsilon) * weight[weight_at + c];
    float offset = bias[bias_at + c];
    CHANNEL_EACH(channels, size, c, 0, elements, x_at | residual_at | y_at, BATCH_NORM_WRITE)
}

#define BATCH_NORM_WRITE_GRADIENT(N)                                                                                   \
    {                                                                                                                  \
        channel_float##N gradient =                                                                                    \
            (CHANNEL_LOAD(N, dy) - line.mean_dy - (CHANNEL_LOAD(N, x) - mean) * line.slope) * line.factor;             \
        if (accumulate)                                                                                                \
            gradient += CHANNEL_LOAD(N, dx);                                                                           \
        CHANNEL_STORE(N, dx, gradient)                                                                                 \
    }

/* for_bias, for_weight: what is done to these gradients (batch_norm_parameter). */
__kernel void batch_norm_channel_backward(__global const float *x, ulong x_at, __global const float *dy, ulong dy_at,
                                          __global const float *stats, ulong stats_at, __global const float *weight,
                                          ulong weight_at, __global float *dx, ulong dx_at,
                                          __global float *bias_gradient, ulong bias_gradient_at,
                                          __global float *weight_gradient, ulong weight_gradient_at, int channels,
                                          int size, int elements, int for_bias, int for_weight, int accumulate)
{
    GROUP_SCRATCH(scratch)
    int c = (int)get_group_id(0);
    float mean = stats[stats_at + c], rstd = stats[stats_at + channels + c];
    channel_vector sum = 0.0f, product = 0.0f;
    x += x_at;
    dy += dy_at;
    dx += dx_at;
    CHANNEL_EACH(channels, size, c, 0, elements, x_at | dy_at | dx_at, BATCH_NORM_GRADIENT_SUMS)
    float all_sum = group_sum(channel_total(sum), scratch);
    float all_product = group_sum(channel_total(product), scratch) * rstd;
    if (get_local_id(0) == 0) {
        batch_norm_parameter(bias_gradient + bias_gradient_at + c, all_sum, for_bias);
        batch_norm_parameter(weight_gradient + weight_gradient_at + c, all_product, for_weight);
    }
    batch_norm_line line = batch_norm_line_of(mean, rstd, weight[weight_at + c], all_sum, all_product, elements);
    CHANNEL_EACH(channels, size, c, 0, elements, x_at | dy_at | dx_at, BATCH_NORM_WRITE_GRADIENT)
}
