/* SPDX-License-Identifier: Apache-2.0 */
/*
 * c (+)= a b, c [m,n] row-major with rows c_row apart, element (i, k) of a at i a_row + k a_col, of b at k b_row + j
 * b_col: every transposition. Then, when asked for, bias[j] and one operator: y = f(a b + bias).
 *
 *                    column j of b, an element at a time
 *                    | b |
 *     row i of a   x | sum[0] |
 *     row i + 1      | sum[1] |     a work-item: one column, ROWS rows, the whole depth; neighbours have
 *         :          |   :    |     neighbouring columns
 *
 * Tunables: ROWS (default 4; gemm.c knows it).
 */
#include "gemm_arguments.clh"
#include "unary_op.clh"

#define ROWS 4

/* Any device, any strides: four rows of one column a work-item. x: column, y: rows / 4. */
__kernel void gemm_columns(__global const float *a, ulong a_at, __global const float *b, ulong b_at,
                           __global const float *bias, ulong bias_at, __global float *c, ulong c_at, GEMM_ARGUMENTS)
{
    int j = (int)get_global_id(0), i = (int)get_global_id(1) * ROWS, count = min(ROWS, m - i);
    if (j >= n)
        return;
    GEMM_BEGIN
    a += (ulong)i * a_row;
    b += (ulong)j * b_col;
    float sum[ROWS] = {0.0f, 0.0f, 0.0f, 0.0f};
    for (int k = 0; k < depth; k++) {
        float value = b[(ulong)k * b_row];
        for (int r = 0; r < ROWS; r++)
            sum[r] += a[(ulong)(r < count ? r : 0) * a_row + (ulong)k * a_col] * value;
    }
    float shift = has_bias ? bias[bias_at + j] : 0.0f;
    for (int r = 0; r < count; r++) {
        __global float *to = c + (ulong)(i + r) * c_row + j;
        float value = unary_apply(op, sum[r] + shift, alpha, beta);
        *to = accumulate ? *to + value : value;
    }
}
