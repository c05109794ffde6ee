/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dropout in training: y = x * scale where linnet_philox_uniform(seed, node, step, i) >= probability, else 0. The
 * gradient is the same function of dy, with the mask drawn again. One work-item for the four elements of one Philox
 * block. In place is allowed.
 *
 * Elements are numbered as in NCHW whatever the format: in nchw16c, for processors, a work-item has some pixels of a
 * block of 16 channels and draws for one channel after the other.
 */
#include "philox.clh"

/* Under 2^31 elements the block's upper word is 0. */
float4 dropout_uniform(int block, ulong seed, ulong step, uint node)
{
    uint4 words =
        philox((uint4)((uint)block, node, (uint)step, (uint)(step >> 32)), (uint2)((uint)seed, (uint)(seed >> 32)));
    return convert_float4(words >> 8u) * (1.0f / 16777216.0f);
}

__kernel void dropout_apply(__global const float *x, ulong x_at, __global float *y, ulong y_at, int count,
                            float probability, float scale, int accumulate, ulong seed, ulong step, uint node)
{
    int block = (int)get_global_id(0);
    long first = (long)block * 4;
    if (first >= count)
        return;
    float4 uniform = dropout_uniform(block, seed, step, node);
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

#define LANES 16
#define PIXELS 32 /* at once */

/* Factors of count elements from number first on, LANES apart. */
void dropout_factors(float *to, int first, int count, float probability, float scale, ulong seed, ulong step, uint node)
{
    for (int e = first & ~3; e < first + count; e += 4) {
        float4 factor =
            select((float4)0.0f, (float4)scale, dropout_uniform(e / 4, seed, step, node) >= probability);
        float lane[4] = {factor.x, factor.y, factor.z, factor.w};
        for (int i = max(first - e, 0); i < min(first + count - e, 4); i++)
            to[(e + i - first) * LANES] = lane[i];
    }
}

/* x: some pixels (run of them, of size), y: block, z: item. */
__kernel void dropout_apply_nchw16c(__global const float *x, ulong x_at, __global float *y, ulong y_at, int size,
                                    float probability, float scale, int channels, int run, int accumulate, ulong seed,
                                    ulong step, uint node)
{
    int block = (int)get_global_id(1), item = (int)get_global_id(2), count = min(LANES, channels - block * LANES);
    int s = (int)get_global_id(0) * run, last = min(s + run, size);
    ulong at = ((ulong)item * get_global_size(1) + block) * size * LANES;
    float factors[PIXELS * LANES];
    for (int i = 0; i < PIXELS * LANES; i++)
        factors[i] = 0.0f; /* of spare lanes */
    x += x_at + at;
    y += y_at + at;
    for (int pixels; s < last; s += pixels) {
        pixels = min(PIXELS, last - s);
        for (int l = 0; l < count; l++)
            dropout_factors(factors + l, (item * channels + block * LANES + l) * size + s, pixels, probability, scale,
                            seed, step, node);
        for (int i = 0; i < pixels; i++) {
            float16 kept = vload16(i, factors), value = select((float16)0.0f, vload16(s + i, x) * kept, kept != 0.0f);
            vstore16(accumulate ? vload16(s + i, y) + value : value, s + i, y);
        }
    }
}
