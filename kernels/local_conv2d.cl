/* SPDX-License-Identifier: Apache-2.0 */
/*
 * local_conv2d, a convolution with a filter of its own at every output position: x [N,C,H,W], weight [OH,OW,O,C,KH,KW],
 * y [N,O,OH,OW]. The weights are by far the most data, so each that is read is used for several images, and for two
 * output channels at once where a pixel is shared. Neighbours in x work on neighbouring pixels.
 */
#include "loops.clh"

#define SHAPE                                                                                                          \
    int images, int channels, int height, int width, int outputs, int out_height, int out_width, int kernel_height,    \
        int kernel_width, int stride_y, int stride_x, int top, int left

#define IMAGES 8

/* x: pixel of y, y: output channel / 2, z: n / 8. */
__kernel void local_conv2d_forward(__global const float *restrict x, ulong x_at, __global const float *restrict weight,
                                   ulong weight_at, __global const float *restrict bias, ulong bias_at,
                                   __global float *restrict y, ulong y_at, SHAPE, int has_bias)
{
    int pixel = (int)get_global_id(0), out_size = out_height * out_width;
    if (pixel >= out_size)
        return;
    int o = (int)get_global_id(1) * 2, n = (int)get_global_id(2) * IMAGES, count = min(IMAGES, images - n);
    int i = pixel / out_width, row = i * stride_y - top, column = (pixel - i * out_width) * stride_x - left;
    int u_first = max(-row, 0), u_last = min(height - row, kernel_height);
    int v_first = max(-column, 0), v_last = min(width - column, kernel_width);
    int taps = kernel_height * kernel_width, filter = channels * taps, second = o + 1 < outputs ? filter : 0;
    ulong image = (ulong)channels * height * width;
    float sum[IMAGES] = {0.0f}, other[IMAGES] = {0.0f};
    x += x_at + n * image;
    weight += weight_at + ((ulong)pixel * outputs + o) * filter;
    for (int c = 0; c < channels; c++)
        for (int u = u_first; u < u_last; u++)
            for (int v = v_first; v < v_last; v++) {
                int from = (c * height + row + u) * width + column + v, tap = c * taps + u * kernel_width + v;
                float w = weight[tap], w2 = weight[second + tap];
                /* Images past the end are the first again, and not stored. */
                UNROLL for (int r = 0; r < IMAGES; r++) {
                    float value = x[(r < count ? r * image : 0) + from];
                    sum[r] += value * w;
                    other[r] += value * w2;
                }
            }
    y += y_at + ((ulong)n * outputs + o) * out_size + pixel;
    bias += bias_at + (has_bias ? (ulong)o * out_size + pixel : 0);
    float own = has_bias ? bias[0] : 0.0f, next = has_bias && second ? bias[out_size] : 0.0f;
    UNROLL for (int r = 0; r < IMAGES; r++)
    {
        __global float *to = y + (ulong)r * outputs * out_size;
        if (r < count)
            to[0] = sum[r] + own;
        if (r < count && second)
            to[out_size] = other[r] + next;
    }
}

/* dx as a gather. x: pixel of x, y: channel, z: n / 8. */
__kernel void local_conv2d_backward_data(__global const float *restrict dy, ulong dy_at,
                                         __global const float *restrict weight, ulong weight_at,
                                         __global float *restrict dx, ulong dx_at, SHAPE, int accumulate)
{
    int pixel = (int)get_global_id(0), out_size = out_height * out_width;
    if (pixel >= height * width)
        return;
    int c = (int)get_global_id(1), n = (int)get_global_id(2) * IMAGES, count = min(IMAGES, images - n);
    int row = pixel / width, column = pixel - row * width;
    int taps = kernel_height * kernel_width, filter = channels * taps;
    ulong image = (ulong)outputs * out_size;
    float sum[IMAGES] = {0.0f};
    dy += dy_at + n * image;
    weight += weight_at;
    for (int u = 0; u < kernel_height; u++) {
        int below = row + top - u, i = stride_y == 1 ? below : below / stride_y;
        if (below < 0 || below != i * stride_y || i >= out_height)
            continue;
        for (int v = 0; v < kernel_width; v++) {
            int right = column + left - v, j = stride_x == 1 ? right : right / stride_x;
            if (right < 0 || right != j * stride_x || j >= out_width)
                continue;
            int from = i * out_width + j;
            __global const float *w = weight + (ulong)from * outputs * filter + c * taps + u * kernel_width + v;
            for (int o = 0; o < outputs; o++, from += out_size, w += filter)
                UNROLL for (int r = 0; r < IMAGES; r++)
                    sum[r] += w[0] * dy[(r < count ? r * image : 0) + from];
        }
    }
    dx += dx_at + ((ulong)n * channels + c) * height * width + pixel;
    UNROLL for (int r = 0; r < IMAGES; r++)
    {
        __global float *to = dx + (ulong)r * channels * height * width;
        if (r < count)
            *to = accumulate ? *to + sum[r] : sum[r];
    }
}

/* x: element (o, c, u, v) of a position's filters, y: position. */
__kernel void local_conv2d_backward_weight(__global const float *restrict x, ulong x_at,
                                           __global const float *restrict dy, ulong dy_at, __global float *restrict dw,
                                           ulong dw_at, SHAPE, int accumulate)
{
    int e = (int)get_global_id(0), p = (int)get_global_id(1), out_size = out_height * out_width;
    int taps = kernel_height * kernel_width, filter = channels * taps;
    if (e >= outputs * filter)
        return;
    int o = e / filter, c = (e - o * filter) / taps, tap = e % taps;
    int row = p / out_width * stride_y - top + tap / kernel_width;
    int column = p % out_width * stride_x - left + tap % kernel_width;
    float sum = 0.0f;
    if (row >= 0 && row < height && column >= 0 && column < width) {
        x += x_at + ((ulong)c * height + row) * width + column;
        dy += dy_at + (ulong)o * out_size + p;
        for (int n = 0; n < images; n++)
            sum += x[(ulong)n * channels * height * width] * dy[(ulong)n * outputs * out_size];
    }
    dw += dw_at + (ulong)p * outputs * filter + e;
    *dw = accumulate ? *dw + sum : sum;
}
