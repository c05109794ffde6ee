/* SPDX-License-Identifier: Apache-2.0 */
/* global_avg_pool: x [planes,size] -> y [planes], planes = N C. One work-item a plane forward, an element backward. */

__kernel void global_avg_pool_forward(__global const float *x, ulong x_at, __global float *y, ulong y_at, int planes, int size)
{
    int plane = (int)get_global_id(0);
    if (plane >= planes)
        return;
    float sum = 0.0f;
    for (int i = 0; i < size; i++)
        sum += x[x_at + (ulong)plane * size + i];
    y[y_at + plane] = sum / (float)size;
}

__kernel void global_avg_pool_backward(__global const float *dy, ulong dy_at, __global float *dx, ulong dx_at, int size,
                                       int accumulate)
{
    int i = (int)get_global_id(0), plane = (int)get_global_id(1);
    if (i >= size)
        return;
    float gradient = dy[dy_at + plane] / (float)size;
    __global float *to = dx + dx_at + (ulong)plane * size + i;
    *to = accumulate ? *to + gradient : gradient;
}
