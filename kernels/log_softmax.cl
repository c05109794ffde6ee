/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log_softmax along an axis of x [outer, length, inner]: y = x - max - log sum exp(x - max). A line, whose elements are
 * inner apart, is one of group.clh. In place is allowed: a lane reads what it writes itself.
 */
#include "group.clh"

__kernel void log_softmax_forward(__global const float *x, ulong x_at, __global float *y, ulong y_at, int length,
                                  int inner, int lines, int lanes, int step)
{
    GROUP_SCRATCH(scratch)
    int line = line_number(lanes, step), first = line_lane(lanes, step), last = line < lines ? length : 0;
    int o = line / inner;
    ulong at = (ulong)o * length * inner + (line - o * inner);
    x += x_at + at;
    y += y_at + at;
    float largest = -INFINITY, sum = 0.0f;
    for (int k = first; k < last; k += line_lanes(lanes))
        largest = fmax(largest, x[(ulong)k * inner]);
    largest = line_maximum(largest, lanes, step, scratch);
    for (int k = first; k < last; k += line_lanes(lanes))
        sum += exp(x[(ulong)k * inner] - largest);
    float log_sum = log(line_sum(sum, lanes, step, scratch));
    for (int k = first; k < last; k += line_lanes(lanes))
        y[(ulong)k * inner] = x[(ulong)k * inner] - largest - log_sum;
}

/* dx = dy - exp(y) sum dy */
__kernel void log_softmax_backward(__global const float *y, ulong y_at, __global const float *dy, ulong dy_at,
                                   __global float *dx, ulong dx_at, int length, int inner, int lines, int lanes,
                                   int step, int accumulate)
{
    GROUP_SCRATCH(scratch)
    int line = line_number(lanes, step), first = line_lane(lanes, step), last = line < lines ? length : 0;
    int o = line / inner;
    ulong at = (ulong)o * length * inner + (line - o * inner);
    y += y_at + at;
    dy += dy_at + at;
    dx += dx_at + at;
    float sum = 0.0f;
    for (int k = first; k < last; k += line_lanes(lanes))
        sum += dy[(ulong)k * inner];
    sum = line_sum(sum, lanes, step, scratch);
    for (int k = first; k < last; k += line_lanes(lanes)) {
        float gradient = dy[(ulong)k * inner] - exp(y[(ulong)k * inner]) * sum;
        dx[(ulong)k * inner] = accumulate ? dx[(ulong)k * inner] + gradient : gradient;
    }
}
