/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pad2d: x [planes,H,W] -> y [planes,OH,OW], planes = N C. mode: 0 a value, 1 the nearest pixel, 2 mirrored without
 * repeating the edge. One work-item an element, of y forward and of x backward, where it adds up in a fixed order what
 * came from it; x: along the plane, y: the plane. The _rows kernels, for processors, have one work-item a row,
 * and so have those in nchw16c, whose elements are 16 channels of one.
 */
#include "lanes.clh"
#include "vectors.clh"

#define CONSTANT  0
#define REPLICATE 1
#define REFLECT   2

/* Where position i behind `before` pixels of padding comes from: 0..size-1, or -1 for the value. */
int pad2d_source(int i, int before, int size, int mode)
{
    int at = i - before;
    if (at >= 0 && at < size)
        return at;
    if (mode == CONSTANT)
        return -1;
    if (mode == REPLICATE)
        return at < 0 ? 0 : size - 1;
    return at < 0 ? -at : 2 * (size - 1) - at;
}

/* The positions of 0..out_size-1 that come from at: first..last, then low and high where they are not -1. */
typedef struct pad2d_targets {
    int first, last, low, high;
} pad2d_targets;

pad2d_targets pad2d_targets_of(int at, int before, int size, int out_size, int mode)
{
    pad2d_targets t;
    t.first = at == 0 && mode == REPLICATE ? 0 : at + before;
    t.last = at == size - 1 && mode == REPLICATE ? out_size - 1 : at + before;
    t.low = mode == REFLECT && at > 0 && at <= before ? before - at : -1;
    t.high = before + 2 * (size - 1) - at;
    t.high = mode == REFLECT && at < size - 1 && t.high < out_size ? t.high : -1;
    return t;
}

__kernel void pad2d_forward(__global const float *restrict x, ulong x_at, __global float *restrict y, ulong y_at,
                            int height, int width, int out_height, int out_width, int top, int left, int mode,
                            float value)
{
    int at = (int)get_global_id(0), plane = (int)get_global_id(1);
    if (at >= out_height * out_width)
        return;
    int i = at / out_width, j = at - i * out_width;
    int row = pad2d_source(i, top, height, mode), column = pad2d_source(j, left, width, mode);
    bool inside = row >= 0 && column >= 0;
    ulong from = x_at + ((ulong)plane * height + (inside ? row : 0)) * width + (inside ? column : 0);
    y[y_at + (ulong)plane * out_height * out_width + at] = inside ? x[from] : value;
}

float pad2d_row_sum(__global const float *dy, pad2d_targets columns)
{
    float sum = 0.0f;
    for (int j = columns.first; j <= columns.last; j++)
        sum += dy[j];
    if (columns.low >= 0)
        sum += dy[columns.low];
    if (columns.high >= 0)
        sum += dy[columns.high];
    return sum;
}

__kernel void pad2d_backward(__global const float *restrict dy, ulong dy_at, __global float *restrict dx, ulong dx_at,
                             int height, int width, int out_height, int out_width, int top, int left, int mode,
                             float value, int accumulate)
{
    int at = (int)get_global_id(0), plane = (int)get_global_id(1);
    if (at >= height * width)
        return;
    int row = at / width, column = at - row * width;
    pad2d_targets rows = pad2d_targets_of(row, top, height, out_height, mode);
    pad2d_targets columns = pad2d_targets_of(column, left, width, out_width, mode);
    float sum = 0.0f;
    dy += dy_at + (ulong)plane * out_height * out_width;
    for (int i = rows.first; i <= rows.last; i++)
        sum += pad2d_row_sum(dy + (ulong)i * out_width, columns);
    if (rows.low >= 0)
        sum += pad2d_row_sum(dy + (ulong)rows.low * out_width, columns);
    if (rows.high >= 0)
        sum += pad2d_row_sum(dy + (ulong)rows.high * out_width, columns);
    __global float *to = dx + dx_at + (ulong)plane * height * width + at;
    *to = accumulate ? *to + sum : sum;
}

/* x: row of y, y: plane. */
__kernel void pad2d_forward_rows(__global const float *restrict x, ulong x_at, __global float *restrict y, ulong y_at,
                                 int height, int width, int out_height, int out_width, int top, int left, int mode,
                                 float value)
{
    int i = (int)get_global_id(0), plane = (int)get_global_id(1), j = 0;
    int row = pad2d_source(i, top, height, mode), outside = row < 0 ? out_width : left;
    __global const float *from = x + x_at + ((ulong)plane * height + max(row, 0)) * width;
    __global float *to = y + y_at + ((ulong)plane * out_height + i) * out_width;
    for (; j < outside; j++)
        to[j] = mode == CONSTANT ? value : from[pad2d_source(j, left, width, mode)];
    if (row < 0)
        return;
    for (; j + 8 <= left + width; j += 8)
        store8(load8(0, from + j - left), 0, to + j);
    for (; j < left + width; j++)
        to[j] = from[j - left];
    for (; j < out_width; j++)
        to[j] = mode == CONSTANT ? value : from[pad2d_source(j, left, width, mode)];
}

/* to[width] (+)= what row dy of y gives to the row of x that it came from. */
void pad2d_add_row(__global const float *dy, __global float *to, int width, int out_width, int left, int mode,
                   bool accumulate)
{
    int j = 0;
    for (; j + 8 <= width; j += 8)
        store8(load8(0, dy + left + j) + (accumulate ? load8(0, to + j) : (float8)0.0f), 0, to + j);
    for (; j < width; j++)
        to[j] = dy[left + j] + (accumulate ? to[j] : 0.0f);
    if (mode == CONSTANT)
        return;
    for (j = 0; j < left; j++)
        to[pad2d_source(j, left, width, mode)] += dy[j];
    for (j = left + width; j < out_width; j++)
        to[pad2d_source(j, left, width, mode)] += dy[j];
}

/* x: row of x, y: plane. */
__kernel void pad2d_backward_rows(__global const float *restrict dy, ulong dy_at, __global float *restrict dx,
                                  ulong dx_at, int height, int width, int out_height, int out_width, int top, int left,
                                  int mode, float value, int accumulate)
{
    int row = (int)get_global_id(0), plane = (int)get_global_id(1);
    pad2d_targets rows = pad2d_targets_of(row, top, height, out_height, mode);
    __global float *to = dx + dx_at + ((ulong)plane * height + row) * width;
    dy += dy_at + (ulong)plane * out_height * out_width;
    for (int i = rows.first; i <= rows.last; i++)
        pad2d_add_row(dy + (ulong)i * out_width, to, width, out_width, left, mode, accumulate || i > rows.first);
    if (rows.low >= 0)
        pad2d_add_row(dy + (ulong)rows.low * out_width, to, width, out_width, left, mode, true);
    if (rows.high >= 0)
        pad2d_add_row(dy + (ulong)rows.high * out_width, to, width, out_width, left, mode, true);
}

/* x: row of y, y: block of channels, z: item. */
__kernel void pad2d_forward_nchw16c(__global const float *restrict x, ulong x_at, __global float *restrict y,
                                    ulong y_at, int height, int width, int out_height, int out_width, int top, int left,
                                    int mode, float value, int channels)
{
    int i = (int)get_global_id(0), block = (int)get_global_id(1), row = pad2d_source(i, top, height, mode);
    ulong plane = get_global_id(2) * get_global_size(1) + block;
    float16 outside = lanes_keep((float16)value, channels - block * LANES);
    __global const float *from = x + x_at + (plane * height + max(row, 0)) * width * LANES;
    __global float *to = y + y_at + (plane * out_height + i) * out_width * LANES;
    for (int j = 0; j < out_width; j++) {
        int column = row < 0 ? -1 : pad2d_source(j, left, width, mode);
        store16(column < 0 ? outside : load16(column, from), j, to);
    }
}

float16 pad2d_row_sum16(__global const float *dy, pad2d_targets columns)
{
    float16 sum = 0.0f;
    for (int j = columns.first; j <= columns.last; j++)
        sum += load16(j, dy);
    if (columns.low >= 0)
        sum += load16(columns.low, dy);
    if (columns.high >= 0)
        sum += load16(columns.high, dy);
    return sum;
}

/* x: row of x, y: block of channels, z: item. */
__kernel void pad2d_backward_nchw16c(__global const float *restrict dy, ulong dy_at, __global float *restrict dx,
                                     ulong dx_at, int height, int width, int out_height, int out_width, int top,
                                     int left, int mode, float value, int channels, int accumulate)
{
    int row = (int)get_global_id(0), line = out_width * LANES;
    ulong plane = get_global_id(2) * get_global_size(1) + get_global_id(1);
    pad2d_targets rows = pad2d_targets_of(row, top, height, out_height, mode);
    __global float *to = dx + dx_at + (plane * height + row) * width * LANES;
    dy += dy_at + plane * out_height * line;
    for (int column = 0; column < width; column++) {
        pad2d_targets columns = pad2d_targets_of(column, left, width, out_width, mode);
        float16 sum = accumulate ? load16(column, to) : (float16)0.0f;
        for (int i = rows.first; i <= rows.last; i++)
            sum += pad2d_row_sum16(dy + (ulong)i * line, columns);
        if (rows.low >= 0)
            sum += pad2d_row_sum16(dy + (ulong)rows.low * line, columns);
        if (rows.high >= 0)
            sum += pad2d_row_sum16(dy + (ulong)rows.high * line, columns);
        store16(sum, column, to);
    }
}
