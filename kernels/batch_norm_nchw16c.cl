/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch_norm (batch_norm.cl) of x in nchw16c, [N][ceil(C/16)][S][16], for processors. Sums: part p of the N S elements
 * of a block of 16 channels (x: part, y: block), in partial[p C + c]. The rest: x: plane, a block of an item. Spare
 * lanes stay zero, since what is per channel is read as zeros there.
 */
#include "lanes.clh"
#include "vectors.clh"

/* Adds to sum, over part p of block, the expression VALUE of the element at (floats from x). */
#define BLOCK_WALK(VALUE)                                                                                              \
    for (int e = first; e < last;) {                                                                                   \
        int n = e / size, s = e - n * size, length = min(size - s, last - e);                                          \
        ulong at = (((ulong)n * blocks + block) * size + s) * LANES;                                                   \
        for (int i = 0; i < length; i++, at += LANES) {                                                                \
            VALUE;                                                                                                     \
        }                                                                                                              \
        e += length;                                                                                                   \
    }

#define PART                                                                                                           \
    int p = (int)get_global_id(0), block = (int)get_global_id(1), blocks = (channels + LANES - 1) / LANES;             \
    int first = p * run, last = first + min(run, elements - first), count = channels - block * LANES;                  \
    int c0 = block * LANES;

__kernel void batch_norm_nchw16c_squares(__global const float *restrict x, ulong x_at,
                                         __global const float *restrict stats, ulong stats_at,
                                         __global float *restrict partial, ulong partial_at, int channels, int size,
                                         int elements, int run)
{
    PART float16 sum = 0.0f, mean = lanes_load(stats + stats_at + c0, count);
    x += x_at;
    BLOCK_WALK(float16 d = load16(0, x + at) - mean; sum += d * d)
    lanes_store(sum, partial + partial_at + (ulong)p * channels + c0, count);
}

__kernel void batch_norm_nchw16c_gradient_sums(__global const float *restrict x, ulong x_at,
                                               __global const float *restrict dy, ulong dy_at,
                                               __global const float *restrict stats, ulong stats_at,
                                               __global float *restrict partial, ulong partial_at, int channels,
                                               int size, int elements, int run, int parts)
{
    PART float16 sum = 0.0f, product = 0.0f, mean = lanes_load(stats + stats_at + c0, count);
    float16 rstd = lanes_load(stats + stats_at + channels + c0, count);
    x += x_at;
    dy += dy_at;
    BLOCK_WALK(float16 g = load16(0, dy + at); sum += g; product += g * ((load16(0, x + at) - mean) * rstd))
    lanes_store(sum, partial + partial_at + (ulong)p * channels + c0, count);
    lanes_store(product, partial + partial_at + (ulong)(parts + p) * channels + c0, count);
}

/* y on x is allowed. */
__kernel void batch_norm_nchw16c_normalize(__global const float *x, ulong x_at, __global const float *restrict stats,
                                           ulong stats_at, __global const float *restrict weight, ulong weight_at,
                                           __global const float *restrict bias, ulong bias_at, __global float *y,
                                           ulong y_at, int channels, int size)
{
    int plane = (int)get_global_id(0), blocks = (channels + LANES - 1) / LANES, c0 = plane % blocks * LANES;
    int count = channels - c0;
    float16 mean = lanes_load(stats + stats_at + c0, count), rstd = lanes_load(stats + stats_at + channels + c0, count);
    float16 factor = lanes_load(weight + weight_at + c0, count), shift = lanes_load(bias + bias_at + c0, count);
    x += x_at + (ulong)plane * size * LANES;
    y += y_at + (ulong)plane * size * LANES;
    for (int i = 0; i < size; i++)
        store16((load16(i, x) - mean) * rstd * factor + shift, i, y);
}

/* dx on dy is allowed. */
__kernel void batch_norm_nchw16c_backward(__global const float *restrict x, ulong x_at, __global const float *dy,
                                          ulong dy_at, __global const float *restrict stats, ulong stats_at,
                                          __global const float *restrict weight, ulong weight_at,
                                          __global const float *restrict sums, ulong sums_at, __global float *dx,
                                          ulong dx_at, int channels, int size, int elements, int train, int accumulate)
{
    int plane = (int)get_global_id(0), blocks = (channels + LANES - 1) / LANES, c0 = plane % blocks * LANES;
    int count = channels - c0;
    float16 mean = lanes_load(stats + stats_at + c0, count), rstd = lanes_load(stats + stats_at + channels + c0, count);
    float16 factor = rstd * lanes_load(weight + weight_at + c0, count), mean_dy = 0.0f, slope = 0.0f;
    if (train) {
        mean_dy = lanes_load(sums + sums_at + c0, count) / (float)elements;
        slope = lanes_load(sums + sums_at + channels + c0, count) / (float)elements * rstd;
    }
    x += x_at + (ulong)plane * size * LANES;
    dy += dy_at + (ulong)plane * size * LANES;
    dx += dx_at + (ulong)plane * size * LANES;
    for (int i = 0; i < size; i++) {
        float16 gradient = (load16(i, dy) - mean_dy - (load16(i, x) - mean) * slope) * factor;
        store16(accumulate ? load16(i, dx) + gradient : gradient, i, dx);
    }
}
