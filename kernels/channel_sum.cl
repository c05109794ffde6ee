/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sum of x [N,C,S] over N and S, the gradient of a bias: partial[p * C + c]; reduce_parts adds the parts up (of
 * batch_norm's, on processors, batch_norm_mean). x: part, y: channel. elements = N S.
 */
#include "channel.clh"
#include "lanes.clh"

#define CHANNEL_SUM(N) CHANNEL_OF(N, sum) += CHANNEL_LOAD(N, x);

__kernel void channel_sum_parts(__global const float *x, ulong x_at, __global float *partial, ulong partial_at,
                                int channels, int size, int elements, int run)
{
    GROUP_SCRATCH(scratch)
    int p = (int)get_group_id(0), c = (int)get_group_id(1);
    int first = p * run, last = first + min(run, elements - first);
    channel_vector sum = 0.0f;
    x += x_at;
    CHANNEL_EACH(channels, size, c, first, last, x_at, CHANNEL_SUM)
    float total = group_sum(channel_total(sum), scratch);
    if (get_local_id(0) == 0)
        partial[partial_at + (ulong)p * channels + c] = total;
}

/* The same of a block of 16 channels of x in nchw16c, whose elements lie 16 lanes apart. x: part, y: block. */
__kernel void channel_sum_nchw16c(__global const float *restrict x, ulong x_at, __global float *restrict partial,
                                  ulong partial_at, int channels, int size, int elements, int run)
{
    int p = (int)get_global_id(0), block = (int)get_global_id(1), blocks = (channels + LANES - 1) / LANES;
    int first = p * run, last = first + min(run, elements - first);
    float16 sum = 0.0f;
    for (int e = first; e < last;) {
        int n = e / size, s = e - n * size, length = min(size - s, last - e);
        __global const float *from = x + x_at + (((ulong)n * blocks + block) * size + s) * LANES;
        for (int i = 0; i < length; i++)
            sum += load16(i, from);
        e += length;
    }
    lanes_store(sum, partial + partial_at + (ulong)p * channels + block * LANES, channels - block * LANES);
}
