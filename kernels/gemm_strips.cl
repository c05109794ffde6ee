/* SPDX-License-Identifier: Apache-2.0 */
/*
 * c (+)= a b with bias and one operator, as gemm.cl, for processors and few rows or little depth: rows of b are dense
 * (b_col = 1) and read once, in strips that are long beside what a page holds. A work-item does up to four rows of c by
 * a strip of columns, whose sums stay in the first cache:
 *
 *                 j       j + strip
 *        b    k   [=======]                four rows of b at a time are added, times a,
 *        k+1 .. 3 [=======]
 *        c    i   [=======]                to the sums of each row of c
 *        i+1 .. 3 [=======]
 *
 * Tunables: strip is an argument, a multiple of 16, at most STRIP (default 512): the host takes the longest that leaves
 * work for everyone. STRIP_ROWS (default 4).
 */
#include "gemm_arguments.clh"
#include "unary_op.clh"
#include "vectors.clh"

#define STRIP_ROWS 4
#define STRIP      512

/* x: columns / strip, y: rows / 4. */
__kernel void gemm_strips(__global const float *restrict a, ulong a_at, __global const float *restrict b, ulong b_at,
                          __global const float *restrict bias, ulong bias_at, __global float *restrict c, ulong c_at,
                          int strip, GEMM_ARGUMENTS)
{
    int j = (int)get_global_id(0) * strip, i = (int)get_global_id(1) * STRIP_ROWS, k = 0;
    int rows = min(STRIP_ROWS, m - i), columns = min(strip, n - j), vectors = columns / 16;
    bool plain = !has_bias && op == 0;
    float16 sum[STRIP_ROWS * STRIP / 16];
    GEMM_BEGIN
    a += (ulong)i * a_row;
    b += j;
    c += (ulong)i * c_row + j;
    for (int v = 0; v < rows * vectors; v++)
        sum[v] = 0.0f;
    for (; k + 4 <= depth; k += 4) {
        __global const float *b0 = b + (ulong)k * b_row, *b1 = b0 + b_row, *b2 = b1 + b_row, *b3 = b2 + b_row;
        for (int r = 0; r < rows; r++) {
            __global const float *from = a + (ulong)r * a_row + (ulong)k * a_col;
            float a0 = from[0], a1 = from[a_col], a2 = from[2 * (ulong)a_col], a3 = from[3 * (ulong)a_col];
            for (int v = 0; v < vectors; v++) {
                float16 s = sum[r * vectors + v];
                s += a0 * load16(v, b0);
                s += a1 * load16(v, b1);
                s += a2 * load16(v, b2);
                s += a3 * load16(v, b3);
                sum[r * vectors + v] = s;
            }
        }
    }
    for (; k < depth; k++)
        for (int r = 0; r < rows; r++) {
            float a0 = a[(ulong)r * a_row + (ulong)k * a_col];
            for (int v = 0; v < vectors; v++)
                sum[r * vectors + v] += a0 * load16(v, b + (ulong)k * b_row);
        }
    for (int r = 0; r < rows; r++, a += a_row, c += c_row) {
        for (int v = 0; v < vectors; v++) {
            float16 s = sum[r * vectors + v];
            if (plain) {
                store16(accumulate ? load16(v, c) + s : s, v, c);
            } else {
                float lanes[16];
                store16(s, 0, lanes);
                for (int lane = 0; lane < 16; lane++) {
                    int column = 16 * v + lane;
                    float value = lanes[lane] + (has_bias ? bias[bias_at + j + column] : 0.0f);
                    value = unary_apply(op, value, alpha, beta);
                    c[column] = accumulate ? c[column] + value : value;
                }
            }
        }
        for (int column = 16 * vectors; column < columns; column++) {
            float value = 0.0f;
            for (k = 0; k < depth; k++)
                value += a[(ulong)k * a_col] * b[(ulong)k * b_row + column];
            value = unary_apply(op, value + (has_bias ? bias[bias_at + j + column] : 0.0f), alpha, beta);
            c[column] = accumulate ? c[column] + value : value;
        }
    }
}
