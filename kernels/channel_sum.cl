/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sum of x [N,C,S] over N and S, the gradient of a bias: partial[p * C + c]; reduce_parts adds the parts up. x: part,
 * y: channel. elements = N S.
 */
#include "channel.clh"

__kernel void channel_sum_parts(__global const float *x, ulong x_at, __global float *partial, ulong partial_at,
                                int channels, int size, int elements, int run)
{
    __local float scratch[CHANNEL_GROUP];
    int p = (int)get_group_id(0), c = (int)get_group_id(1);
    int first = p * run, last = first + min(run, elements - first);
    float sum = 0.0f;
    x += x_at;
    CHANNEL_WALK(sum, channels, size, c, first, last, x[at], vload8(0, x + at))
    sum = channel_group_sum(sum, scratch);
    if (get_local_id(0) == 0)
        partial[partial_at + (ulong)p * channels + c] = sum;
}
