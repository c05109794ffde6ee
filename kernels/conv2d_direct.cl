/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conv2d without any workspace for its input, any stride, dilation, groups and padding: x [N,C,H,W], weight
 * [O,CG,KH,KW], y [N,O,OH,OW], CG = C/groups, OG = O/groups. Four output channels (forward) or four input channels
 * (data) a work-item, so that an element once read is used four times; neighbours in x work on neighbouring pixels:
 *
 *     x, one channel      weight of each output       sums
 *     . . . . . . .       o      (c, u, v)            o       one pixel
 *     . . a . . . .   x   o + 1  (c, u, v)       ->   o + 1   the same, over all c, u and v that lie inside
 *     . . . . . . .       : TILE of them              :
 *
 * The weights' gradient has a work-item for each weight and part of the outputs' rows. Tunables: TILE (default 4;
 * conv2d_direct.c knows it).
 */
#include "unary_op.clh"
#include "window.clh"

#define TILE 4

/* x: pixel of y, y: group and tile of output channels, z: n. */
__kernel void conv2d_direct_forward(__global const float *restrict x, ulong x_at, __global const float *restrict weight,
                                    ulong weight_at, __global const float *restrict bias, ulong bias_at,
                                    __global float *restrict y, ulong y_at, int height, int width, int out_height,
                                    int out_width, int group_inputs, int group_outputs, int groups, int kernel_height,
                                    int kernel_width, int stride_y, int stride_x, int dilation_y, int dilation_x,
                                    int top, int left, int has_bias, int op, float alpha, float beta)
{
    int pixel = (int)get_global_id(0), out_size = out_height * out_width;
    if (pixel >= out_size)
        return;
    int tiles = (group_outputs + TILE - 1) / TILE, group = (int)get_global_id(1) / tiles, n = (int)get_global_id(2);
    int o = ((int)get_global_id(1) - group * tiles) * TILE, count = min(TILE, group_outputs - o);
    int i = pixel / out_width, j = pixel - i * out_width, taps = kernel_height * kernel_width,
        filter = group_inputs * taps;
    int row = i * stride_y - top, column = j * stride_x - left;
    int u_first = window_first(row, dilation_y), u_last = window_last(row, dilation_y, height, kernel_height);
    int v_first = window_first(column, dilation_x), v_last = window_last(column, dilation_x, width, kernel_width);
    x += x_at + ((ulong)n * groups + group) * group_inputs * height * width;
    o += group * group_outputs;
    weight += weight_at + (ulong)o * filter;
    /* Channels past the end are the first again, and not stored. */
    int w1 = count > 1 ? filter : 0, w2 = count > 2 ? 2 * filter : 0, w3 = count > 3 ? 3 * filter : 0;
    float sum[TILE] = {0.0f, 0.0f, 0.0f, 0.0f};
    for (int c = 0; c < group_inputs; c++)
        for (int u = u_first; u < u_last; u++) {
            int from = (c * height + row + u * dilation_y) * width + column, tap = c * taps + u * kernel_width;
            for (int v = v_first; v < v_last; v++) {
                float value = x[from + v * dilation_x];
                sum[0] += value * weight[tap + v];
                sum[1] += value * weight[w1 + tap + v];
                sum[2] += value * weight[w2 + tap + v];
                sum[3] += value * weight[w3 + tap + v];
            }
        }
    for (int t = 0; t < count; t++)
        y[y_at + ((ulong)n * groups * group_outputs + o + t) * out_size + pixel] =
            unary_apply(op, sum[t] + (has_bias ? bias[bias_at + o + t] : 0.0f), alpha, beta);
}

/* dx as a gather. x: pixel of x, y: group and tile of input channels, z: n. */
__kernel void conv2d_direct_backward_data(__global const float *restrict dy, ulong dy_at,
                                          __global const float *restrict weight, ulong weight_at,
                                          __global float *restrict dx, ulong dx_at, int height, int width,
                                          int out_height, int out_width, int group_inputs, int group_outputs,
                                          int groups, int kernel_height, int kernel_width, int stride_y, int stride_x,
                                          int dilation_y, int dilation_x, int top, int left, int accumulate)
{
    int pixel = (int)get_global_id(0), out_size = out_height * out_width;
    if (pixel >= height * width)
        return;
    int tiles = (group_inputs + TILE - 1) / TILE, group = (int)get_global_id(1) / tiles, n = (int)get_global_id(2);
    int c = ((int)get_global_id(1) - group * tiles) * TILE, count = min(TILE, group_inputs - c);
    int row = pixel / width, column = pixel - row * width, taps = kernel_height * kernel_width,
        filter = group_inputs * taps;
    dy += dy_at + ((ulong)n * groups + group) * group_outputs * out_size;
    weight += weight_at + (ulong)group * group_outputs * filter + (ulong)c * taps;
    int w1 = count > 1 ? taps : 0, w2 = count > 2 ? 2 * taps : 0, w3 = count > 3 ? 3 * taps : 0;
    float sum[TILE] = {0.0f, 0.0f, 0.0f, 0.0f};
    for (int u = 0; u < kernel_height; u++) {
        int below = row + top - u * dilation_y, i = stride_y == 1 ? below : below / stride_y;
        if (below < 0 || below != i * stride_y || i >= out_height)
            continue;
        for (int v = 0; v < kernel_width; v++) {
            int right = column + left - v * dilation_x, j = stride_x == 1 ? right : right / stride_x;
            if (right < 0 || right != j * stride_x || j >= out_width)
                continue;
            int from = i * out_width + j, tap = u * kernel_width + v;
            for (int o = 0; o < group_outputs; o++, from += out_size, tap += filter) {
                float value = dy[from];
                sum[0] += value * weight[tap];
                sum[1] += value * weight[w1 + tap];
                sum[2] += value * weight[w2 + tap];
                sum[3] += value * weight[w3 + tap];
            }
        }
    }
    for (int t = 0; t < count; t++) {
        __global float *to = dx + dx_at + (((ulong)n * groups + group) * group_inputs + c + t) * height * width + pixel;
        *to = accumulate ? *to + sum[t] : sum[t];
    }
}

/*
 * Part p of dweight, from rows [p * run, (p+1) * run) of all images' outputs, at partial[p * weights + w]; reduce_parts adds the parts up.
 * x: w in the order of weight, y: p.
 */
__kernel void conv2d_direct_backward_weight(__global const float *restrict x, ulong x_at,
                                            __global const float *restrict dy, ulong dy_at,
                                            __global float *restrict partial, ulong partial_at, int height, int width,
                                            int out_height, int out_width, int group_inputs, int group_outputs,
                                            int groups, int kernel_height, int kernel_width, int stride_y, int stride_x,
                                            int dilation_y, int dilation_x, int top, int left, int rows, int run)
{
    int taps = kernel_height * kernel_width, filter = group_inputs * taps, outputs = groups * group_outputs;
    int w = (int)get_global_id(0), p = (int)get_global_id(1);
    if (w >= outputs * filter)
        return;
    int o = w / filter, c = (w - o * filter) / taps, tap = w % taps, group = o / group_outputs;
    int row = tap / kernel_width * dilation_y - top, column = tap % kernel_width * dilation_x - left;
    int i_first = window_first(row, stride_y), i_last = window_last(row, stride_y, height, out_height);
    int j_first = window_first(column, stride_x), j_last = window_last(column, stride_x, width, out_width);
    float sum = 0.0f;
    for (int r = p * run, last = min(rows, r + run); r < last;) {
        int n = r / out_height, from_row = r - n * out_height, to_row = min(out_height, from_row + last - r);
        __global const float *image = x + x_at + (((ulong)n * groups + group) * group_inputs + c) * height * width;
        __global const float *gradient = dy + dy_at + ((ulong)n * outputs + o) * out_height * out_width;
        for (int i = max(i_first, from_row); i < min(i_last, to_row); i++) {
            int from = (row + i * stride_y) * width + column;
            float row_sum = 0.0f;
            for (int j = j_first; j < j_last; j++)
                row_sum += image[from + j * stride_x] * gradient[i * out_width + j];
            sum += row_sum;
        }
        r += to_row - from_row;
    }
    partial[partial_at + (ulong)p * outputs * filter + w] = sum;
}
