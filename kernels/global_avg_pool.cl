/* SPDX-License-Identifier: Apache-2.0 */
/* global_avg_pool: x [planes,size] -> y [planes], planes = N C. A plane is a line of group.clh forward; backward is
 * element-wise (elements.clh). */
#include "elements.clh"
#include "group.clh"
#include "loops.clh"
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
    int first = elements_first();
    dy += dy_at;
    dx += dx_at;
    if (elements_are_quads(first, count, dx_at)) {
        float gradient[8];
        for (int k = 0; k < 8; k++)
            gradient[k] = dy[elements_at(first, k) / size] / (float)size;
        float8 v = load8(0, gradient);
        elements_store(accumulate ? elements_load(dx + first) + v : v, dx + first);
        return;
    }
    ROLLED for (int k = 0; k < ELEMENTS; k++) {
        int i = elements_at(first, k);
        if (i >= count)
            continue;
        float gradient = dy[i / size] / (float)size;
        dx[i] = accumulate ? dx[i] + gradient : gradient;
    }
}
