/* SPDX-License-Identifier: Apache-2.0 */
/*
 * max_pool2d, avg_pool2d and global_avg_pool in nchw16c, for processors: x [planes,H,W,16] -> y [planes,OH,OW,16],
 * planes = N ceil(C/16). Forward a work-item has some rows of a plane (x: chunk of rows, y: plane), backward a plane,
 * where it scatters. max_pool2d keeps the number of the window's element that won, a byte; 255: the window lies in the
 * padding altogether. NaN wins over every number, the first of equals wins.
 */
#include "lanes.clh"
#include "loops.clh"
#include "vectors.clh"

#define POOL                                                                                                           \
    int height, int width, int out_height, int out_width, int kernel_height, int kernel_width, int stride_y,           \
        int stride_x, int top, int left
#define NONE 255

__kernel void max_pool2d_nchw16c_forward(__global const float *restrict x, ulong x_at, __global float *restrict y,
                                         ulong y_at, __global uchar *restrict winner, ulong winner_at, POOL,
                                         int channels, int rows, int keep)
{
    int plane = (int)get_global_id(1), first = (int)get_global_id(0) * rows, last = min(first + rows, out_height);
    int blocks = (channels + LANES - 1) / LANES, count = channels - plane % blocks * LANES;
    ulong out = ((ulong)plane * out_height + first) * out_width;
    x += x_at + (ulong)plane * height * width * LANES;
    y += y_at + out * LANES;
    winner += winner_at * 4 + out * LANES;
    ROLLED for (int i = first; i < last; i++)
        ROLLED for (int j = 0; j < out_width; j++, y += LANES, winner += LANES) {
            int y0 = i * stride_y - top, x0 = j * stride_x - left;
            int u_last = min(kernel_height, height - y0), v_first = max(-x0, 0), v_last = min(kernel_width, width - x0);
            int u_first = max(-y0, 0);
            bool padding = u_first >= u_last || v_first >= v_last;
            float16 best = padding ? (float16)-INFINITY : load16((y0 + u_first) * width + x0 + v_first, x);
            int16 best_at = padding ? NONE : u_first * kernel_width + v_first;
            ROLLED for (int u = u_first; u < u_last; u++)
                ROLLED for (int v = v_first; v < v_last; v++) {
                    float16 value = load16((y0 + u) * width + x0 + v, x);
                    int16 wins = value > best || (isnan(value) && !isnan(best));
                    best = select(best, value, wins);
                    best_at = select(best_at, (int16)(u * kernel_width + v), wins);
                }
            store16(count < LANES ? lanes_keep(best, count) : best, 0, y);
            if (keep)
                store16(convert_uchar16(best_at), 0, winner);
        }
}

/* exact: windows cover every element once, so that what is there is overwritten (or added to) directly. */
__kernel void max_pool2d_nchw16c_backward(__global const float *restrict dy, ulong dy_at,
                                          __global const uchar *restrict winner, ulong winner_at,
                                          __global float *restrict dx, ulong dx_at, POOL, int exact, int accumulate)
{
    ulong plane = get_global_id(0);
    bool load = accumulate || !exact;
    dy += dy_at + plane * out_height * out_width * LANES;
    winner += winner_at * 4 + plane * out_height * out_width * LANES;
    dx += dx_at + plane * height * width * LANES;
    ROLLED for (int i = 0; i < height * width && !accumulate && !exact; i++)
        store16((float16)0.0f, i, dx);
    ROLLED for (int i = 0; i < out_height; i++)
        ROLLED for (int j = 0; j < out_width; j++, dy += LANES, winner += LANES) {
            int y0 = i * stride_y - top, x0 = j * stride_x - left;
            int u_last = min(kernel_height, height - y0), v_first = max(-x0, 0), v_last = min(kernel_width, width - x0);
            float16 gradient = load16(0, dy);
            int16 at = convert_int16(load16(0, winner));
            ROLLED for (int u = max(-y0, 0); u < u_last; u++)
                ROLLED for (int v = v_first; v < v_last; v++) {
                    int to = (y0 + u) * width + x0 + v;
                    float16 part = select((float16)0.0f, gradient, at == u * kernel_width + v);
                    store16(load ? load16(to, dx) + part : part, to, dx);
                }
        }
}

float avg_pool2d_nchw16c_divisor(int rows, int columns, int kernel_size, int exclude_padding)
{
    return exclude_padding ? (float)max(max(rows, 0) * max(columns, 0), 1) : (float)kernel_size;
}

__kernel void avg_pool2d_nchw16c_forward(__global const float *restrict x, ulong x_at, __global float *restrict y,
                                         ulong y_at, POOL, int rows, int exclude_padding)
{
    int plane = (int)get_global_id(1), first = (int)get_global_id(0) * rows, last = min(first + rows, out_height);
    x += x_at + (ulong)plane * height * width * LANES;
    y += y_at + ((ulong)plane * out_height + first) * out_width * LANES;
    ROLLED for (int i = first; i < last; i++)
        ROLLED for (int j = 0; j < out_width; j++, y += LANES) {
            int y0 = i * stride_y - top, x0 = j * stride_x - left;
            int u_first = max(-y0, 0), u_last = min(kernel_height, height - y0);
            int v_first = max(-x0, 0), v_last = min(kernel_width, width - x0);
            float16 sum = 0.0f;
            ROLLED for (int u = u_first; u < u_last; u++)
                ROLLED for (int v = v_first; v < v_last; v++)
                    sum += load16((y0 + u) * width + x0 + v, x);
            store16(sum / avg_pool2d_nchw16c_divisor(u_last - u_first, v_last - v_first, kernel_height * kernel_width,
                                                      exclude_padding),
                     0, y);
        }
}

__kernel void avg_pool2d_nchw16c_backward(__global const float *restrict dy, ulong dy_at, __global float *restrict dx,
                                          ulong dx_at, POOL, int exclude_padding, int accumulate)
{
    ulong plane = get_global_id(0);
    dy += dy_at + plane * out_height * out_width * LANES;
    dx += dx_at + plane * height * width * LANES;
    ROLLED for (int i = 0; i < height * width && !accumulate; i++)
        store16((float16)0.0f, i, dx);
    ROLLED for (int i = 0; i < out_height; i++)
        ROLLED for (int j = 0; j < out_width; j++, dy += LANES) {
            int y0 = i * stride_y - top, x0 = j * stride_x - left;
            int u_first = max(-y0, 0), u_last = min(kernel_height, height - y0);
            int v_first = max(-x0, 0), v_last = min(kernel_width, width - x0);
            float16 gradient =
                load16(0, dy) / avg_pool2d_nchw16c_divisor(u_last - u_first, v_last - v_first,
                                                            kernel_height * kernel_width, exclude_padding);
            ROLLED for (int u = u_first; u < u_last; u++)
                ROLLED for (int v = v_first; v < v_last; v++) {
                    int to = (y0 + u) * width + x0 + v;
                    store16(load16(to, dx) + gradient, to, dx);
                }
        }
}

/* y [N,C] is NCHW. x: block, y: item. */
__kernel void global_avg_pool_nchw16c_forward(__global const float *restrict x, ulong x_at, __global float *restrict y,
                                              ulong y_at, int channels, int size)
{
    int block = (int)get_global_id(0), item = (int)get_global_id(1), blocks = (channels + LANES - 1) / LANES;
    if (block >= blocks)
        return;
    float16 even = 0.0f, odd = 0.0f;
    x += x_at + ((ulong)item * blocks + block) * size * LANES;
    int i = 0;
    ROLLED for (; i + 2 <= size; i += 2) {
        even += load16(i, x);
        odd += load16(i + 1, x);
    }
    if (i < size)
        even += load16(i, x);
    lanes_store((even + odd) / (float)size, y + y_at + (ulong)item * channels + block * LANES,
                channels - block * LANES);
}

__kernel void global_avg_pool_nchw16c_backward(__global const float *restrict dy, ulong dy_at,
                                               __global float *restrict dx, ulong dx_at, int channels, int size,
                                               int accumulate)
{
    int block = (int)get_global_id(0), item = (int)get_global_id(1), blocks = (channels + LANES - 1) / LANES;
    if (block >= blocks)
        return;
    float16 gradient =
        lanes_load(dy + dy_at + (ulong)item * channels + block * LANES, channels - block * LANES) / (float)size;
    dx += dx_at + ((ulong)item * blocks + block) * size * LANES;
    ROLLED for (int i = 0; i < size; i++)
        store16(accumulate ? load16(i, dx) + gradient : gradient, i, dx);
}
