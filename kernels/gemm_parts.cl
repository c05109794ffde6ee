/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The second half of a matrix product, or of a convolution as one, in parts along its depth (gemm_parts.c; "split K"):
 * adds them up in order, then bias, residual and one operator,
 *
 *     out[i] (+)= f(sum over p of parts[p][i] + bias[i / plane % channels] + add[i])
 *
 * of `count` elements each. x: element.
 */
#include "unary_op.clh"

__kernel void gemm_parts(__global const float *restrict parts, ulong parts_at, __global const float *restrict bias,
                         ulong bias_at, __global const float *restrict add, ulong add_at, __global float *restrict out,
                         ulong out_at, int count, int number, int channels, int plane, int has_bias, int has_add, int op,
                         float alpha, float beta, int accumulate)
{
    int i = (int)get_global_id(0);
    if (i >= count)
        return;
    parts += parts_at + i;
    float sum = 0.0f;
#pragma unroll 8
    for (int p = 0; p < number; p++)
        sum += parts[(ulong)p * count];
    if (has_bias)
        sum += bias[bias_at + i / plane % channels];
    if (has_add)
        sum += add[add_at + i];
    sum = unary_apply(op, sum, alpha, beta);
    out[out_at + i] = accumulate ? out[out_at + i] + sum : sum;
}
