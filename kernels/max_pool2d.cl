/* SPDX-License-Identifier: Apache-2.0 */
/*
 * max_pool2d: x [planes,H,W] -> y [planes,OH,OW], planes = N C. The winner's index within its plane is kept for
 * backward, -1 where the window lies in the padding altogether. NaN wins over every number, the first of equals wins.
 * One work-item an element of y forward, and backward, which gathers (no two work-items write one element), a quad of
 * a row of x: four elements, fewer at its end; x: along the plane, y: the plane. The _planes kernels, for processors,
 * have one work-item a plane, and backward scatters.
 */
#include "loops.clh"
#include "quad.clh"

/* A window of so many rows and columns, those beyond an edge being the nearest inside: what is looked at again is no
 * greater than itself. */
#define MAX_POOL2D_WINDOW(HOW, rows, columns)                                                                          \
    HOW for (int k = 0; k < (rows); k++)                                                                               \
    {                                                                                                                  \
        int line = clamp(y0 + k, y_first, y_last) * width;                                                             \
        HOW for (int l = 0; l < (columns); l++)                                                                        \
        {                                                                                                              \
            int place = line + clamp(x0 + l, x_first, x_last);                                                         \
            float value = x[place];                                                                                    \
            bool wins = !(value <= best) && best == best; /* greater, or the first NaN */                              \
            best = wins ? value : best;                                                                                \
            best_at = wins ? place : best_at;                                                                          \
        }                                                                                                              \
    }

/* The usual windows by constants, so that all of their loads are under way at once. */
__kernel void max_pool2d_forward(__global const float *x, ulong x_at, __global float *y, ulong y_at,
                                 __global int *winner, ulong winner_at, int height, int width, int out_height,
                                 int out_width, int kernel_height, int kernel_width, int stride_y, int stride_x,
                                 int top, int left, int keep)
{
    int at = (int)get_global_id(0), out_size = out_height * out_width;
    if (at >= out_size)
        return;
    int plane = (int)get_global_id(1), i = at / out_width, j = at - i * out_width;
    int y0 = i * stride_y - top, x0 = j * stride_x - left;
    int y_first = max(y0, 0), y_last = min(y0 + kernel_height, height) - 1;
    int x_first = max(x0, 0), x_last = min(x0 + kernel_width, width) - 1;
    bool is_empty = y_first > y_last || x_first > x_last;
    x += x_at + (ulong)plane * height * width;
    float best = -INFINITY;
    int best_at = is_empty ? -1 : y_first * width + x_first;
    if (!is_empty) {
        if (kernel_height == 3 && kernel_width == 3)
            MAX_POOL2D_WINDOW(UNROLL, 3, 3)
        else if (kernel_height == 2 && kernel_width == 2)
            MAX_POOL2D_WINDOW(UNROLL, 2, 2)
        else
            MAX_POOL2D_WINDOW(ROLLED, kernel_height, kernel_width)
    }
    y[y_at + (ulong)plane * out_size + at] = best;
    if (keep)
        winner[winner_at + (ulong)plane * out_size + at] = best_at;
}

__kernel void max_pool2d_backward(__global const float *dy, ulong dy_at, __global const int *winner, ulong winner_at,
                                  __global float *dx, ulong dx_at, int height, int width, int out_height, int out_width,
                                  int kernel_height, int kernel_width, int stride_y, int stride_x, int top, int left,
                                  int accumulate)
{
    int quads = (width + 3) / 4, quad = (int)get_global_id(0), row = quad / quads, column = (quad - row * quads) * 4;
    if (row >= height)
        return;
    int plane = (int)get_global_id(1), count = min(4, width - column), at = row * width + column;
    int4 here = at + (int4)(0, 1, 2, 3);
    /* The windows over these elements: those whose first row is in (row + top - kernel_height, row + top], columns
     * alike. */
    int i_last = min((row + top) / stride_y, out_height - 1);
    int j_last = min((column + count - 1 + left) / stride_x, out_width - 1);
    dy += dy_at + (ulong)plane * out_height * out_width;
    winner += winner_at + (ulong)plane * out_height * out_width;
    float4 sum = 0.0f;
    for (int i = i_last; i >= 0 && i * stride_y > row + top - kernel_height; i--)
        for (int j = j_last; j >= 0 && j * stride_x > column + left - kernel_width; j--)
            sum += select((float4)0.0f, (float4)dy[i * out_width + j], (int4)winner[i * out_width + j] == here);
    quad_write(sum, dx + dx_at + (ulong)plane * height * width + at, count, ((dx_at | (ulong)width) & 3) == 0,
               accumulate);
}

/* Where the window at (y0, x0), clipped to the plane, has its maximum; -1: all padding. */
int max_pool2d_window(__global const float *plane, int y0, int x0, int height, int width, int kernel_height,
                      int kernel_width)
{
    int y_last = min(y0 + kernel_height, height), x_first = max(x0, 0), x_last = min(x0 + kernel_width, width);
    int best_at = -1;
    float best = 0.0f;
    for (int row = max(y0, 0); row < y_last; row++)
        for (int at = row * width + x_first; at < row * width + x_last; at++) {
            float value = plane[at];
            if (best_at < 0 || value > best || (value != value && best == best)) {
                best = value;
                best_at = at;
            }
        }
    return best_at;
}

__kernel void max_pool2d_forward_planes(__global const float *restrict x, ulong x_at, __global float *restrict y,
                                        ulong y_at, __global int *restrict winner, ulong winner_at, int height,
                                        int width, int out_height, int out_width, int kernel_height, int kernel_width,
                                        int stride_y, int stride_x, int top, int left, int keep)
{
    ulong plane = get_global_id(0), out_size = (ulong)out_height * out_width;
    x += x_at + plane * height * width;
    y += y_at + plane * out_size;
    winner += winner_at + plane * out_size;
    for (int i = 0; i < out_height; i++) {
        int y0 = i * stride_y - top;
        bool inside = y0 >= 0 && y0 + 2 <= height && kernel_height == 2 && kernel_width == 2;
        for (int j = 0; j < out_width; j++, y++, winner++) {
            int x0 = j * stride_x - left, best_at;
            if (inside && x0 >= 0 && x0 + 2 <= width) {
                /* Two by two, the usual case, without branches: a later one wins when greater, or a NaN over a number.
                 */
                int at = y0 * width + x0;
                float a = x[at], b = x[at + 1], c = x[at + width], d = x[at + width + 1];
                bool second = !(b <= a) && a == a, fourth = !(d <= c) && c == c;
                float upper = second ? b : a, lower = fourth ? d : c;
                int upper_at = at + second, lower_at = at + width + fourth;
                bool below = !(lower <= upper) && upper == upper;
                best_at = below ? lower_at : upper_at;
                *y = below ? lower : upper;
            } else {
                best_at = max_pool2d_window(x, y0, x0, height, width, kernel_height, kernel_width);
                *y = best_at < 0 ? -INFINITY : x[best_at];
            }
            if (keep)
                *winner = best_at;
        }
    }
}

__kernel void max_pool2d_backward_planes(__global const float *restrict dy, ulong dy_at,
                                         __global const int *restrict winner, ulong winner_at,
                                         __global float *restrict dx, ulong dx_at, int height, int width,
                                         int out_height, int out_width, int kernel_height, int kernel_width,
                                         int stride_y, int stride_x, int top, int left, int accumulate)
{
    ulong plane = get_global_id(0);
    int out_size = out_height * out_width;
    dy += dy_at + plane * out_size;
    winner += winner_at + plane * out_size;
    dx += dx_at + plane * height * width;
    for (int i = 0; i < height * width && !accumulate; i++)
        dx[i] = 0.0f;
    for (int i = 0; i < out_size; i++)
        if (winner[i] >= 0)
            dx[winner[i]] += dy[i];
}
