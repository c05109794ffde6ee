/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The second half of every two-stage sum: adds parts of a vector in a fixed order, so the result does not depend on how
 * the device schedules. A part is count elements; an element is a line of group.clh, along the parts, so that few
 * elements of many parts keep many work-items busy.
 */
#include "group.clh"

/* out[i] (+)= scale * sum over p of partial[p * count + i]. */
__kernel void reduce_parts(__global const float *partial, ulong partial_at, __global float *out, ulong out_at,
                           int count, int parts, float scale, int lanes, int step, int accumulate)
{
    GROUP_SCRATCH(scratch)
    int i = line_number(lanes, step), lane = line_lane(lanes, step), last = i < count ? parts : 0;
    float sum = 0.0f;
    partial += partial_at + i;
    for (int p = lane; p < last; p += line_lanes(lanes))
        sum += partial[(ulong)p * count];
    sum = line_sum(sum, lanes, step, scratch) * scale;
    if (i < count && lane == 0)
        out[out_at + i] = accumulate ? out[out_at + i] + sum : sum;
}
