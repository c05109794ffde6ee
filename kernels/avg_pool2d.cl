/* SPDX-License-Identifier: Apache-2.0 */
/*
 * avg_pool2d: x [planes,H,W] -> y [planes,OH,OW], planes = N C: the sum of a window over its size, or with
 * exclude_padding over its elements inside x. One work-item an element of y forward, and backward, which gathers, a quad
 * of a row of x; x: along the plane, y: the plane. The _planes kernels, for processors, have one work-item a plane, and
 * backward scatters.
 */
#include "quad.clh"

/* What the window's sum is divided by. */
float avg_pool2d_divisor(int y0, int x0, int height, int width, int kernel_height, int kernel_width,
                         int exclude_padding)
{
    if (!exclude_padding)
        return (float)(kernel_height * kernel_width);
    int rows = min(y0 + kernel_height, height) - max(y0, 0), columns = min(x0 + kernel_width, width) - max(x0, 0);
    return (float)max(max(rows, 0) * max(columns, 0), 1);
}

__kernel void avg_pool2d_forward(__global const float *x, ulong x_at, __global float *y, ulong y_at, int height,
                                 int width, int out_height, int out_width, int kernel_height, int kernel_width,
                                 int stride_y, int stride_x, int top, int left, int exclude_padding)
{
    int at = (int)get_global_id(0), out_size = out_height * out_width;
    if (at >= out_size)
        return;
    int plane = (int)get_global_id(1), i = at / out_width, j = at - i * out_width;
    int y0 = i * stride_y - top, x0 = j * stride_x - left;
    int y_last = min(y0 + kernel_height, height), x_last = min(x0 + kernel_width, width);
    x += x_at + (ulong)plane * height * width;
    float sum = 0.0f;
    for (int row = max(y0, 0); row < y_last; row++)
        for (int column = max(x0, 0); column < x_last; column++)
            sum += x[row * width + column];
    y[y_at + (ulong)plane * out_size + at] =
        sum / avg_pool2d_divisor(y0, x0, height, width, kernel_height, kernel_width, exclude_padding);
}

__kernel void avg_pool2d_backward(__global const float *dy, ulong dy_at, __global float *dx, ulong dx_at, int height,
                                  int width, int out_height, int out_width, int kernel_height, int kernel_width,
                                  int stride_y, int stride_x, int top, int left, int exclude_padding, int accumulate)
{
    int quads = (width + 3) / 4, quad = (int)get_global_id(0), row = quad / quads, column = (quad - row * quads) * 4;
    if (row >= height)
        return;
    int plane = (int)get_global_id(1), count = min(4, width - column);
    int4 here = column + left + (int4)(0, 1, 2, 3);
    /* As in max_pool2d.cl. */
    int i_last = min((row + top) / stride_y, out_height - 1);
    int j_last = min((column + count - 1 + left) / stride_x, out_width - 1);
    dy += dy_at + (ulong)plane * out_height * out_width;
    float4 sum = 0.0f;
    for (int i = i_last; i >= 0 && i * stride_y > row + top - kernel_height; i--)
        for (int j = j_last; j >= 0 && j * stride_x > column + left - kernel_width; j--) {
            int y0 = i * stride_y, x0 = j * stride_x;
            float gradient = dy[i * out_width + j] / avg_pool2d_divisor(y0 - top, x0 - left, height, width, kernel_height,
                                                                        kernel_width, exclude_padding);
            sum += select((float4)0.0f, (float4)gradient, here >= x0 && here < x0 + kernel_width);
        }
    quad_write(sum, dx + dx_at + ((ulong)plane * height + row) * width + column, count,
               ((dx_at | (ulong)width) & 3) == 0, accumulate);
}

__kernel void avg_pool2d_forward_planes(__global const float *restrict x, ulong x_at, __global float *restrict y,
                                        ulong y_at, int height, int width, int out_height, int out_width,
                                        int kernel_height, int kernel_width, int stride_y, int stride_x, int top,
                                        int left, int exclude_padding)
{
    ulong plane = get_global_id(0);
    x += x_at + plane * height * width;
    y += y_at + plane * out_height * out_width;
    for (int i = 0; i < out_height; i++)
        for (int j = 0; j < out_width; j++) {
            int y0 = i * stride_y - top, x0 = j * stride_x - left;
            float sum = 0.0f;
            for (int row = max(y0, 0); row < min(y0 + kernel_height, height); row++)
                for (int column = max(x0, 0); column < min(x0 + kernel_width, width); column++)
                    sum += x[row * width + column];
            y[i * out_width + j] =
                sum / avg_pool2d_divisor(y0, x0, height, width, kernel_height, kernel_width, exclude_padding);
        }
}

__kernel void avg_pool2d_backward_planes(__global const float *restrict dy, ulong dy_at, __global float *restrict dx,
                                         ulong dx_at, int height, int width, int out_height, int out_width,
                                         int kernel_height, int kernel_width, int stride_y, int stride_x, int top,
                                         int left, int exclude_padding, int accumulate)
{
    ulong plane = get_global_id(0);
    dy += dy_at + plane * out_height * out_width;
    dx += dx_at + plane * height * width;
    for (int i = 0; i < height * width && !accumulate; i++)
        dx[i] = 0.0f;
    for (int i = 0; i < out_height; i++)
        for (int j = 0; j < out_width; j++) {
            int y0 = i * stride_y - top, x0 = j * stride_x - left;
            float divisor = avg_pool2d_divisor(y0, x0, height, width, kernel_height, kernel_width, exclude_padding);
            float gradient = dy[i * out_width + j] / divisor;
            for (int row = max(y0, 0); row < min(y0 + kernel_height, height); row++)
                for (int column = max(x0, 0); column < min(x0 + kernel_width, width); column++)
                    dx[row * width + column] += gradient;
        }
}
