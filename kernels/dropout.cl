/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dropout in training: y = x * scale where linnet_philox_uniform(seed, node, step, i) >= probability, else 0. The
 * gradient is the same function of dy, with the mask drawn again. One work-item for the four elements of one Philox
 * block. In place is allowed.
 */
#include "philox.clh"

__kernel void dropout_apply(__global const float *x, ulong x_at, __global float *y, ulong y_at, int count,
                            float probability, float scale, int accumulate, ulong seed, ulong step, uint node)
{
    int block = (int)get_global_id(0);
    long first = (long)block * 4;
    if (first >= count)
        return;
    /* Under 2^31 elements the block's upper word is 0. */
    uint4 words =
        philox((uint4)((uint)block, node, (uint)step, (uint)(step >> 32)), (uint2)((uint)seed, (uint)(seed >> 32)));
    float4 uniform = convert_float4(words >> 8u) * (1.0f / 16777216.0f);
    x += x_at + first;
    y += y_at + first;
    if (first + 4 <= count) {
        float4 value = select((float4)0.0f, vload4(0, x) * scale, uniform >= probability);
        vstore4(accumulate ? vload4(0, y) + value : value, 0, y);
        return;
    }
    float lane[4] = {uniform.x, uniform.y, uniform.z, uniform.w};
    for (int i = 0; first + i < count; i++) {
        float value = lane[i] >= probability ? x[i] * scale : 0.0f;
        y[i] = accumulate ? y[i] + value : value;
    }
}
