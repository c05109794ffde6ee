/* SPDX-License-Identifier: Apache-2.0 */
/*
 * local_conv2d, a convolution with a filter of its own at every output position: x [N,C,H,W], weight [OH,OW,O,C,KH,KW],
 * y [N,O,OH,OW]. The weights are by far the most data, so each that is read is used for several images.
 *
 * Tunables: IMAGES of a work-item (default 8), ROWS (default 64), work-items of a group at most, and DEPTH (default 16),
 * elements of their filters in local memory at a time.
 */
#include "loops.clh"

#define SHAPE                                                                                                          \
    int images, int channels, int height, int width, int outputs, int out_height, int out_width, int kernel_height,    \
        int kernel_width, int stride_y, int stride_x, int top, int left

#define IMAGES 8

#define ROWS  64
#define DEPTH 16

/*
 * x: row, (pixel of y, output channel); y: n / 8. A filter is a row of the weights, one behind the other, and a work-item
 * has one. Neighbours read along the rows of all of them, then each its own:
 *
 *     weight  DEPTH elements, then the next    local memory
 *     row 0   |________________|____           a work-item a row; the element is the same for all of them, so the tap
 *     row 1   |________________|____           is known once
 *     ...
 *
 * A group of fewer than ROWS has fewer rows.
 */
__kernel void local_conv2d_forward(__global const float *restrict x, ulong x_at, __global const float *restrict weight,
                                   ulong weight_at, __global const float *restrict bias, ulong bias_at,
                                   __global float *restrict y, ulong y_at, SHAPE, int has_bias)
{
    __local float tile[ROWS][DEPTH + 1]; /* one more, so that a column lies in different banks */
    int item = (int)get_local_id(0), items = (int)get_local_size(0), out_size = out_height * out_width;
    int rows = out_size * outputs, first = (int)get_group_id(0) * items, own = min(first + item, rows - 1);
    int pixel = own / outputs, o = own - pixel * outputs, i = pixel / out_width;
    int row = i * stride_y - top, column = (pixel - i * out_width) * stride_x - left;
    int n = (int)get_global_id(1) * IMAGES, count = min(IMAGES, images - n);
    int filter = channels * kernel_height * kernel_width, c = 0, u = 0, v = 0;
    ulong image = (ulong)channels * height * width;
    float sum[IMAGES] = {0.0f};
    x += x_at + n * image;
    weight += weight_at + (ulong)first * filter;
    for (int f = 0; f < filter; f += DEPTH) {
        int depth = min(DEPTH, filter - f);
        for (int e = item; e < items * DEPTH; e += items) {
            int r = e / DEPTH, k = e % DEPTH;
            tile[r][k] = first + r < rows && k < depth ? weight[(ulong)r * filter + f + k] : 0.0f;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int k = 0; k < depth; k++) {
            int y0 = row + u, x0 = column + v, from = (c * height + y0) * width + x0;
            bool inside = y0 >= 0 && y0 < height && x0 >= 0 && x0 < width;
            float w = tile[item][k];
            /* Images past the end are the first again, and not stored. */
            UNROLL for (int r = 0; r < IMAGES; r++)
                sum[r] += inside ? w * x[(r < count ? r * image : 0) + from] : 0.0f;
            v = v + 1 == kernel_width ? 0 : v + 1;
            u = v > 0 ? u : u + 1 == kernel_height ? 0 : u + 1;
            c += v == 0 && u == 0;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    if (first + item >= rows)
        return;
    float shift = has_bias ? bias[bias_at + (ulong)o * out_size + pixel] : 0.0f;
    y += y_at + ((ulong)n * outputs + o) * out_size + pixel;
    UNROLL for (int r = 0; r < IMAGES; r++)
        if (r < count)
            y[(ulong)r * outputs * out_size] = sum[r] + shift;
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
