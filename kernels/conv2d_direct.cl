/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conv2d without any workspace for its input, any stride, dilation, groups and padding: x [N,C,H,W], weight
 * [O,CG,KH,KW], y [N,O,OH,OW], CG = C/groups, OG = O/groups. Four output channels (forward) or four input channels
 * (data) a work-item, so that an element once read is used four times; neighbours in x work on neighbouring pixels.
 */
#include "unary_op.clh"

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
    int i = pixel / out_width, j = pixel - i * out_width;
    int taps = kernel_height * kernel_width, filter = group_inputs * taps;
    x += x_at + ((ulong)n * groups + group) * group_inputs * height * width;
    o += group * group_outputs;
    weight += weight_at + (ulong)o * filter;
    float sum[TILE] = {0.0f, 0.0f, 0.0f, 0.0f};
    for (int c = 0; c < group_inputs; c++)
        for (int u = 0; u < kernel_height; u++) {
            int row = i * stride_y - top + u * dilation_y;
            if (row < 0 || row >= height)
                continue;
            for (int v = 0; v < kernel_width; v++) {
                int column = j * stride_x - left + v * dilation_x;
                if (column < 0 || column >= width)
                    continue;
                float value = x[((ulong)c * height + row) * width + column];
                int tap = c * taps + u * kernel_width + v;
                for (int t = 0; t < TILE; t++)
                    sum[t] += value * weight[(t < count ? t * filter : 0) + tap];
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
    int row = pixel / width, column = pixel - row * width;
    int taps = kernel_height * kernel_width, filter = group_inputs * taps;
    dy += dy_at + ((ulong)n * groups + group) * group_outputs * out_size;
    weight += weight_at + (ulong)group * group_outputs * filter + (ulong)c * taps;
    float sum[TILE] = {0.0f, 0.0f, 0.0f, 0.0f};
    for (int u = 0; u < kernel_height; u++) {
        int below = row + top - u * dilation_y, i = below / stride_y;
        if (below < 0 || below - i * stride_y != 0 || i >= out_height)
            continue;
        for (int v = 0; v < kernel_width; v++) {
            int right = column + left - v * dilation_x, j = right / stride_x;
            if (right < 0 || right - j * stride_x != 0 || j >= out_width)
                continue;
            for (int o = 0; o < group_outputs; o++) {
                float value = dy[(ulong)o * out_size + i * out_width + j];
                __global const float *tap = weight + (ulong)o * filter + u * kernel_width + v;
                for (int t = 0; t < TILE; t++)
                    sum[t] += value * tap[t < count ? t * taps : 0];
            }
        }
    }
    for (int t = 0; t < count; t++) {
        __global float *to = dx + dx_at + (((ulong)n * groups + group) * group_inputs + c + t) * height * width + pixel;
        *to = accumulate ? *to + sum[t] : sum[t];
    }
}

/*
 * Part p of dweight, from images [p * run, (p+1) * run), at partial[p * weights + w]; reduce_parts adds the parts up.
 * x: w in the order of weight, y: p.
 */
__kernel void conv2d_direct_backward_weight(__global const float *restrict x, ulong x_at,
                                            __global const float *restrict dy, ulong dy_at,
                                            __global float *restrict partial, ulong partial_at, int height, int width,
                                            int out_height, int out_width, int group_inputs, int group_outputs,
                                            int groups, int kernel_height, int kernel_width, int stride_y, int stride_x,
                                            int dilation_y, int dilation_x, int top, int left, int images, int run)
{
    int taps = kernel_height * kernel_width, filter = group_inputs * taps, outputs = groups * group_outputs;
    int w = (int)get_global_id(0), p = (int)get_global_id(1);
    if (w >= outputs * filter)
        return;
    int o = w / filter, c = (w - o * filter) / taps, tap = w % taps, group = o / group_outputs;
    int y0 = tap / kernel_width * dilation_y - top, x0 = tap % kernel_width * dilation_x - left;
    float sum = 0.0f;
    for (int n = p * run; n < min(images, (p + 1) * run); n++) {
        __global const float *image = x + x_at + (((ulong)n * groups + group) * group_inputs + c) * height * width;
        __global const float *gradient = dy + dy_at + ((ulong)n * outputs + o) * out_height * out_width;
        for (int i = 0; i < out_height; i++) {
            int row = i * stride_y + y0;
            if (row < 0 || row >= height)
                continue;
            float row_sum = 0.0f;
            for (int j = 0; j < out_width; j++) {
                int column = j * stride_x + x0;
                if (column >= 0 && column < width)
                    row_sum += image[row * width + column] * gradient[i * out_width + j];
            }
            sum += row_sum;
        }
    }
    partial[partial_at + (ulong)p * outputs * filter + w] = sum;
}
