/* SPDX-License-Identifier: Apache-2.0 */
/* global_avg_pool: x [planes,size] -> y [planes], planes = N C. A plane is a line of group.clh forward; backward is one
 * work-item an element. */
#include "group.clh"
#include "vectors.clh"

__kernel void global_avg_pool_forward(__global const float *x, ulong x_at, __global float *y, ulong y_at, int planes,
                                      int size, int lanes, int step)
{
    GROUP_SCRATCH(scratch)
    int plane = line_number(lanes, step), lane = line_lane(lanes, step), last = plane < planes ? size : 0;
    int i = lane;
    float sum = 0.0f;
    x += x_at + (ulong)plane * size;
#ifdef ALONE
    float8 sums = 0.0f;
    for (; i + 8 <= last; i += 8)
        sums += load8(0, x + i);
    float4 quarter = sums.lo + sums.hi;
    sum = quarter.x + quarter.y + quarter.z + quarter.w;
#endif
    for (; i < last; i += line_lanes(lanes))
        sum += x[i];
    sum = line_sum(sum, lanes, step, scratch);
    if (plane < planes && lane == 0)
        y[y_at + plane] = sum / (float)size;
}

__kernel void global_avg_pool_backward(__global const float *dy, ulong dy_at, __global float *dx, ulong dx_at, int size,
                                       int count, int accumulate)
{
    int i = (int)get_global_id(0);
    if (i >= count)
        return;
    float gradient = dy[dy_at + i / size] / (float)size;
    __global float *to = dx + dx_at + i;
    *to = accumulate ? *to + gradient : gradient;
}
