/* SPDX-License-Identifier: Apache-2.0 */
/* y [N,C,S] = f(y + bias[c]), in place, behind a product that could not do it itself. x: along S, y: n C + c. */
#include "unary_op.clh"

__kernel void bias_apply(__global const float *bias, ulong bias_at, __global float *y, ulong y_at, int channels,
                         int size, int has_bias, int op, float alpha, float beta)
{
    int s = (int)get_global_id(0), plane = (int)get_global_id(1);
    if (s >= size)
        return;
    __global float *to = y + y_at + (ulong)plane * size + s;
    *to = unary_apply(op, *to + (has_bias ? bias[bias_at + plane % channels] : 0.0f), alpha, beta);
}

/* The same for y [N,C], one row a y. x: channel. */
__kernel void bias_apply_rows(__global const float *bias, ulong bias_at, __global float *y, ulong y_at, int channels,
                              int has_bias, int op, float alpha, float beta)
{
    int c = (int)get_global_id(0);
    if (c >= channels)
        return;
    __global float *to = y + y_at + (ulong)get_global_id(1) * channels + c;
    *to = unary_apply(op, *to + (has_bias ? bias[bias_at + c] : 0.0f), alpha, beta);
}
