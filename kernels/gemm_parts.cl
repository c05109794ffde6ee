/* SPDX-License-Identifier: Apache-2.0 */
/* The second half of a matrix product in parts along its depth (gemm_parts.c): adds them up, in order, then bias and one
 * operator: c (+)= f(sum over p of parts[p] + bias), c and each part [m,n] of `count` elements. x: element. */
#include "unary_op.clh"

__kernel void gemm_parts(__global const float *restrict parts, ulong parts_at, __global const float *restrict bias,
                         ulong bias_at, __global float *restrict c, ulong c_at, int count, int n, int number,
                         int has_bias, int op, float alpha, float beta, int accumulate)
{
    int e = (int)get_global_id(0);
    if (e >= count)
        return;
    parts += parts_at + e;
    c += c_at + e;
    float sum = 0.0f;
#pragma unroll 8
    for (int p = 0; p < number; p++)
        sum += parts[(ulong)p * count];
    float value = unary_apply(op, sum + (has_bias ? bias[bias_at + e % n] : 0.0f), alpha, beta);
    *c = accumulate ? *c + value : value;
}
