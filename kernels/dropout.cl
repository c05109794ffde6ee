/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dropout in training: y = x * scale where linnet_philox_uniform(seed, node, step, i) >= probability, else 0. The
 * gradient is the same function of dy, with the mask drawn again. One work-item for the four elements of one Philox
 * block. In place is allowed.
 *
 * Elements are numbered as in NCHW whatever the format: in nchw16c, for processors, a work-item has some pixels of a
 * block of 16 channels, which it draws at once.
 */
#include "philox.clh"
#include "loops.clh"
#include "vectors.clh"

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

/* The same for 16 blocks. */
void dropout_words16(uint16 block, ulong seed, ulong step, uint node, uint16 out_words[4])
{
    uint16 c0 = block, c1 = node, c2 = (uint)step, c3 = (uint)(step >> 32);
    uint k0 = (uint)seed, k1 = (uint)(seed >> 32);
    for (int round = 0; round < 10; round++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
        uint16 high0 = mul_hi(c0, (uint16)0xD2511F53u), low0 = c0 * 0xD2511F53u;
        uint16 high1 = mul_hi(c2, (uint16)0xCD9E8D57u), low1 = c2 * 0xCD9E8D57u;
        c0 = high1 ^ c1 ^ k0;
        c2 = high0 ^ c3 ^ k1;
        c1 = low1;
        c3 = low0;
    }
    out_words[0] = c0;
    out_words[1] = c1;
    out_words[2] = c2;
    out_words[3] = c3;
}

/* x: some pixels (run of them, of size), y: block, z: item. A channel's first pixel may be any of a Philox block's four
   elements: words of two blocks, one after the other, are shifted to where they belong. */
__kernel void dropout_apply_nchw16c(__global const float *x, ulong x_at, __global float *y, ulong y_at, int size,
                                    float probability, float scale, int channels, int run, int accumulate, ulong seed,
                                    ulong step, uint node)
{
    const int16 lane = (int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    int block = (int)get_global_id(1), item = (int)get_global_id(2), s = (int)get_global_id(0) * run;
    int last = min(s + run, size);
    int16 there = lane < channels - block * LANES;
    ulong at = ((ulong)item * get_global_size(1) + block) * size * LANES;
    uint16 element = convert_uint16((item * channels + block * LANES + lane) * size + s), here[4], next[4];
    int16 by_one = (element & 1u) != 0u, by_two = (element & 2u) != 0u;
    x += x_at + at;
    y += y_at + at;
    element >>= 2u;
    dropout_words16(element, seed, step, node, here);
    for (; s < last; s += 4) {
        element += 1u;
        dropout_words16(element, seed, step, node, next);
        uint16 word[7];
        UNROLL for (int i = 0; i < 7; i++) word[i] = i < 4 ? here[i] : next[i - 4];
        UNROLL for (int i = 0; i < 6; i++) word[i] = select(word[i], word[i + 1], by_one);
        UNROLL for (int i = 0; i < 4; i++) word[i] = select(word[i], word[i + 2], by_two);
        UNROLL for (int i = 0; i < 4; i++)
        {
            if (s + i < last) {
                float16 uniform = convert_float16(word[i] >> 8u) * (1.0f / 16777216.0f);
                float16 value = select((float16)0.0f, load16(s + i, x) * scale, uniform >= probability && there);
                store16(accumulate ? load16(s + i, y) + value : value, s + i, y);
            }
            here[i] = next[i];
        }
    }
}
