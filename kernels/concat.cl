/* SPDX-License-Identifier: Apache-2.0 */
/*
 * concat along an axis: input i is [outer, length_i * inner], y is [outer, total * inner]; the input's rows lie in y's
 * rows from element start on. row = length_i * inner, stride = total * inner. One work-item an element, x: along the
 * row, y: the row.
 */

__kernel void concat_forward(__global const uint *x, ulong x_at, __global uint *y, ulong y_at, int row, int stride,
                             int start)
{
    int i = (int)get_global_id(0), o = (int)get_global_id(1);
    if (i < row)
        y[y_at + (ulong)o * stride + start + i] = x[x_at + (ulong)o * row + i];
}

__kernel void concat_backward(__global const float *dy, ulong dy_at, __global float *dx, ulong dx_at, int row,
                              int stride, int start, int accumulate)
{
    int i = (int)get_global_id(0), o = (int)get_global_id(1);
    if (i >= row)
        return;
    float gradient = dy[dy_at + (ulong)o * stride + start + i];
    __global float *to = dx + dx_at + (ulong)o * row + i;
    *to = accumulate ? *to + gradient : gradient;
}
