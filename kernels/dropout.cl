/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dropout in training: y = x * scale where linnet_philox_uniform(seed, node, step, i) >= probability, else 0. The gradient is the same
 * function of dy, with the mask drawn again. One work-item for the four elements of one Philox block. In place is allowed.
 */
#include "philox.clh"

__kernel void dropout_apply(__global const float *x, ulong x_at, __global float *y, ulong y_at, int count, float probability,
                            float scale, int accumulate, ulong seed, ulong step, uint node)
{
    int block = (int)get_global_id(0);
    long first = (long)block * 4;
    if (first >= count)
        return;
    /* Under 2^31 elements the block's upper word is 0. */
    uint4 words = philox((uint4)((uint)block, node, (uint)step, (uint)(step >> 32)), (uint2)((uint)seed, (uint)(seed >> 32)));
    uint drawn[4] = {words.x, words.y, words.z, words.w};
    for (int lane = 0; lane < 4 && first + lane < count; lane++) {
        float uniform = (float)(drawn[lane] >> 8) * (1.0f / 16777216.0f);
        float value = uniform >= probability ? x[x_at + first + lane] * scale : 0.0f;
        __global float *to = y + y_at + first + lane;
        *to = accumulate ? *to + value : value;
    }
}
