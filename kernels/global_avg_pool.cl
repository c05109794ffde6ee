/* SPDX-License-Identifier: Apache-2.0 */
/* global_avg_pool: x [planes,size] -> y [planes], planes = N C. One work-item a plane forward, an element backward. */
#include "vectors.clh"

__kernel void global_avg_pool_forward(__global const float *x, ulong x_at, __global float *y, ulong y_at, int planes,
                                      int size)
{
    int plane = (int)get_global_id(0);
    if (plane >= planes)
        return;
    float8 sums = 0.0f;
    float sum = 0.0f;
    int i = 0;
    x += x_at + (ulong)plane * size;
    for (; i + 8 <= size; i += 8)
        sums += load8(0, x + i);
    for (; i < size; i++)
        sum += x[i];
    float4 quarter = sums.lo + sums.hi;
    y[y_at + plane] = (sum + quarter.x + quarter.y + quarter.z + quarter.w) / (float)size;
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
