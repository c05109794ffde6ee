/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Depthwise convolution (as many groups as channels, one output each) in nchw16c, for processors. x [N][CB][H][W][16],
 * y [N][CB][OH][OW][16], weights [CB][kh][kw][16].
 *
 * Forward, and backward with respect to the input, which is the same with other taps (channels_window.clh): a work-item
 * has some rows of a plane, and goes along a row in tiles of COLUMNS pixels:
 *
 *       weights[u][v]:    | 16 channels |
 *       x[j + v]        x |   sum[0]    |
 *       x[j + 1 + v]    x |   sum[1]    |     COLUMNS pixels: 4, one where taps fall beside the plane
 *
 * The weight's gradient: a work-item sums up one block of channels over its part of the images, a row of dy by a tap at
 * a time, in four sums.
 */
#include "channels_window.clh"

#define COLUMNS 4

typedef struct depthwise_row {
    channels_axis y, x;
    int height, width, kernel_width, row, out_pixel;
    float low, high;
} depthwise_row;

float16 depthwise_clamp(float16 v, float low, float high)
{
    v = select(v, (float16)low, v < low);
    return select(v, (float16)high, v > high);
}

/* Outputs [first, last) of a row, one by one or, whole, by fours whose taps are all inside. */
void depthwise_pixels(const depthwise_row *r, int first, int last, bool whole, __global const float *restrict plane,
                      __global const float *restrict weight, float16 bias, __global float *restrict out, int accumulate)
{
    int stride = r->x.stride * LANES;
    for (int j = first, step; j < last; j += step) {
        float16 sum[COLUMNS] = {bias, bias, bias, bias};
        step = whole && j + COLUMNS <= last ? COLUMNS : 1;
        for (int m = 0; m < r->y.count; m++) {
            int row = r->row * r->y.stride + r->y.low + r->y.start + m * r->y.pitch;
            if (row < 0 || row >= r->height)
                continue;
            __global const float *w = weight + ((r->y.first + m * r->y.step) * r->kernel_width + r->x.first) * LANES;
            int column = j * r->x.stride + r->x.low + r->x.start;
            __global const float *from = plane + (row * r->width + column) * LANES;
            for (int n = 0; n < r->x.count;
                 n++, w += r->x.step * LANES, from += r->x.pitch * LANES, column += r->x.pitch) {
                float16 v = vload16(0, w);
                if (step == COLUMNS) {
                    sum[0] += v * vload16(0, from);
                    sum[1] += v * vload16(0, from + stride);
                    sum[2] += v * vload16(0, from + 2 * stride);
                    sum[3] += v * vload16(0, from + 3 * stride);
                } else if (column >= 0 && column < r->width) {
                    sum[0] += v * vload16(0, from);
                }
            }
        }
        for (int t = 0; t < step; t++) {
            __global float *to = out + (j + t) * r->out_pixel;
            vstore16(depthwise_clamp(accumulate ? sum[t] + vload16(0, to) : sum[t], r->low, r->high), 0, to);
        }
    }
}

/* x: rows of a phase, y: block, z: item and phase. in_.. and out_.. are of what this direction reads and writes. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
conv2d_depthwise(__global const float *restrict in, ulong in_at, __global const float *restrict weight, ulong weight_at,
                 __global const float *restrict bias, ulong bias_at, __global float *restrict out, ulong out_at,
                 int backward, int in_height, int in_width, int out_height, int out_width, int channels,
                 int kernel_height, int kernel_width, int stride_y, int stride_x, int dilation_y, int dilation_x,
                 int top, int left, int rows_per_task, int has_bias, float low, float high, int accumulate)
{
    int phase_columns = backward ? stride_x : 1, phases = backward ? stride_y * stride_x : 1;
    int phase = (int)get_global_id(2) % phases, item = (int)get_global_id(2) / phases;
    int i0 = phase / phase_columns, j0 = phase - i0 * phase_columns, block = (int)get_global_id(1);
    int blocks = (channels + LANES - 1) / LANES, first_row = (int)get_global_id(0) * rows_per_task;
    depthwise_row r;
    r.y = channels_forward_axis(out_height, kernel_height, stride_y, dilation_y, top);
    r.x = channels_forward_axis(out_width, kernel_width, stride_x, dilation_x, left);
    if (backward) {
        r.y = channels_backward_axis(out_height, kernel_height, stride_y, dilation_y, top, i0);
        r.x = channels_backward_axis(out_width, kernel_width, stride_x, dilation_x, left, j0);
    }
    r.height = in_height;
    r.width = in_width;
    r.kernel_width = kernel_width;
    r.out_pixel = phase_columns * LANES;
    r.low = low;
    r.high = high;
    float lane[LANES];
    for (int l = 0; l < LANES; l++)
        lane[l] = has_bias && block * LANES + l < channels ? bias[bias_at + block * LANES + l] : 0.0f;
    float16 start = vload16(0, lane);
    /* Columns all of whose taps are inside. */
    int inside = min(max(r.x.low < 0 ? (r.x.stride - 1 - r.x.low) / r.x.stride : 0, 0), r.x.outputs);
    int beyond = in_width - r.x.low - r.x.span;
    beyond = max(min(beyond < 0 ? 0 : beyond / r.x.stride + 1, r.x.outputs), inside);
    in += in_at + ((ulong)item * blocks + block) * in_height * in_width * LANES;
    out += out_at + ((ulong)item * blocks + block) * out_height * out_width * LANES + (ulong)j0 * LANES;
    weight += weight_at + (ulong)block * kernel_height * kernel_width * LANES;
    for (r.row = first_row; r.row < min(first_row + rows_per_task, r.y.outputs); r.row++) {
        __global float *line = out + (ulong)(r.row * (backward ? stride_y : 1) + i0) * out_width * LANES;
        depthwise_pixels(&r, 0, inside, false, in, weight, start, line, accumulate);
        depthwise_pixels(&r, inside, beyond, true, in, weight, start, line, accumulate);
        depthwise_pixels(&r, beyond, r.x.outputs, false, in, weight, start, line, accumulate);
    }
}

/* Part p of the sums, [CB][taps][16], at partial + p * all of them. x: part (images [p * run, (p + 1) * run) and some
   rows: part = image part * row_parts + row part), y: block. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
conv2d_depthwise_weight(__global const float *restrict x, ulong x_at, __global const float *restrict dy, ulong dy_at,
                        __global float *restrict partial, ulong partial_at, int images, int height, int width,
                        int out_height, int out_width, int kernel_height, int kernel_width, int stride_y, int stride_x,
                        int dilation_y, int dilation_x, int top, int left, int run, int row_parts, int rows_per_part)
{
    int part = (int)get_global_id(0), block = (int)get_global_id(1), blocks = (int)get_global_size(1);
    int image_part = part / row_parts, first_row = (part - image_part * row_parts) * rows_per_part;
    int taps = kernel_height * kernel_width, last_row = min(first_row + rows_per_part, out_height);
    partial += partial_at + ((ulong)part * blocks + block) * taps * LANES;
    for (int t = 0; t < taps; t++)
        vstore16((float16)0.0f, t, partial);
    for (int n = image_part * run; n < min((image_part + 1) * run, images); n++) {
        __global const float *plane = x + x_at + ((ulong)n * blocks + block) * height * width * LANES;
        __global const float *gradients = dy + dy_at + ((ulong)n * blocks + block) * out_height * out_width * LANES;
        for (int i = first_row; i < last_row; i++)
            for (int u = 0; u < kernel_height; u++) {
                int row = i * stride_y - top + u * dilation_y;
                if (row < 0 || row >= height)
                    continue;
                for (int v = 0; v < kernel_width; v++) {
                    int shift = v * dilation_x - left, t = u * kernel_width + v;
                    int j = shift < 0 ? (stride_x - 1 - shift) / stride_x : 0;
                    int last = width > shift ? min((width - shift + stride_x - 1) / stride_x, out_width) : 0;
                    float16 sum = vload16(t, partial), sum1 = 0.0f, sum2 = 0.0f, sum3 = 0.0f;
                    __global const float *from = plane + (row * width + shift) * LANES;
                    __global const float *gradient = gradients + i * out_width * LANES;
                    for (; j + 4 <= last; j += 4) {
                        sum += vload16(j, gradient) * vload16(j * stride_x, from);
                        sum1 += vload16(j + 1, gradient) * vload16((j + 1) * stride_x, from);
                        sum2 += vload16(j + 2, gradient) * vload16((j + 2) * stride_x, from);
                        sum3 += vload16(j + 3, gradient) * vload16((j + 3) * stride_x, from);
                    }
                    for (; j < last; j++)
                        sum += vload16(j, gradient) * vload16(j * stride_x, from);
                    vstore16((sum + sum1) + (sum2 + sum3), t, partial);
                }
            }
    }
}

/* dweight [C][taps] (+)= the sum of the parts, in their order. x: tap, y: block. */
__kernel void conv2d_depthwise_weight_sum(__global const float *restrict partial, ulong partial_at,
                                          __global float *restrict dweight, ulong dweight_at, int channels, int taps,
                                          int parts, int accumulate)
{
    int t = (int)get_global_id(0), block = (int)get_global_id(1), blocks = (channels + LANES - 1) / LANES;
    if (t >= taps)
        return;
    float lane[LANES];
    float16 sum = 0.0f;
    for (int p = 0; p < parts; p++)
        sum += vload16(0, partial + partial_at + (((ulong)p * blocks + block) * taps + t) * LANES);
    vstore16(sum, 0, lane);
    dweight += dweight_at + (ulong)block * LANES * taps + t;
    for (int l = 0; l < min(LANES, channels - block * LANES); l++)
        dweight[l * taps] = accumulate ? dweight[l * taps] + lane[l] : lane[l];
}
