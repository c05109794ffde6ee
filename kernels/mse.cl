/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mse: loss = mean (x - target)^2 over count elements. A group adds up a part into partial[part] (channel.clh, with all
 * of x as one channel), which reduce_parts adds up. The gradient is element-wise (elements.clh).
 */
#include "channel.clh"
#include "elements.clh"
#include "loops.clh"

#define MSE_SQUARES(N)                                                                                                 \
    {                                                                                                                  \
        channel_float##N apart = CHANNEL_LOAD(N, x) - CHANNEL_LOAD(N, target);                                         \
        CHANNEL_OF(N, sum) += apart * apart;                                                                           \
    }

__kernel void mse_forward(__global const float *x, ulong x_at, __global const float *target, ulong target_at,
                          __global float *partial, ulong partial_at, int channels, int size, int elements, int run)
{
    GROUP_SCRATCH(scratch)
    int p = (int)get_group_id(0), first = p * run, last = first + min(run, elements - first);
    channel_vector sum = 0.0f;
    x += x_at;
    target += target_at;
    CHANNEL_EACH(channels, size, 0, first, last, x_at | target_at, MSE_SQUARES)
    float total = group_sum(channel_total(sum), scratch);
    if (get_local_id(0) == 0)
        partial[partial_at + p] = total;
}

/* d(first) = 2 dloss / count (first - second): of x with (x, target), of target with (target, x). */
__kernel void mse_backward(__global const float *first, ulong first_at, __global const float *second, ulong second_at,
                           __global const float *dloss, ulong dloss_at, __global float *dx, ulong dx_at, int count,
                           int accumulate)
{
    int begin = elements_first();
    float factor = 2.0f * dloss[dloss_at] / (float)count;
    if (elements_are_quads(begin, count, first_at | second_at | dx_at)) {
        float8 gradient =
            factor * (elements_load(first + first_at + begin) - elements_load(second + second_at + begin));
        __global float *to = dx + dx_at + begin;
        elements_store(accumulate ? elements_load(to) + gradient : gradient, to);
        return;
    }
    ROLLED for (int k = 0; k < ELEMENTS; k++) {
        int i = elements_at(begin, k);
        if (i >= count)
            continue;
        float gradient = factor * (first[first_at + i] - second[second_at + i]);
        dx[dx_at + i] = accumulate ? dx[dx_at + i] + gradient : gradient;
    }
}
