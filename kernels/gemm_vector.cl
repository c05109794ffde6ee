/* SPDX-License-Identifier: Apache-2.0 */
/*
 * c (+)= a b with bias and one operator, as gemm.cl, for processors: a work-item does a tile of many columns with
 * explicit vectors. gemm_rows: rows of b are dense (b_col = 1). gemm_dots: rows of a and columns of b are dense (a_col
 * = b_row = 1).
 *
 *     gemm_rows       b   | BLOCK columns, a vector at a time |      gemm_dots       columns of b, along the depth
 *                         |  v  |  v  |  v  |  v  |                                  | DOT_COLUMNS of them
 *     TILE_ROWS    x      | sum | ...                                DOT_ROWS     x  | sums of vectors
 *     of a                                                           of a
 *
 * Tunables: BLOCK, columns of a work-item of gemm_rows (default 64; gemm.c knows it), and those of vector_tile.clh.
 */
#include "gemm_arguments.clh"
#include "unary_op.clh"
#include "vector_tile.clh"
#include "vectors.clh"

#define BLOCK 64

/* Up to six rows by V columns from column j on. */
#define ROWS_BLOCK(type, load, store, vector_count)                                                                    \
    {                                                                                                                  \
        type sum[TILE_ROWS] = {0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f};                                                    \
        ROWS_TILE(type, load, sum, a, a1, a2, a3, a4, a5, a_col, b + j, b_row, depth)                                  \
        for (int r = 0; r < count; r++) {                                                                              \
            __global float *to = c + (ulong)r * c_row + j;                                                             \
            if (plain) {                                                                                               \
                store(sum[r], 0, to);                                                                                  \
            } else if (add) {                                                                                          \
                store(load(0, to) + sum[r], 0, to);                                                                    \
            } else {                                                                                                   \
                float lanes[vector_count];                                                                             \
                store(sum[r], 0, lanes);                                                                               \
                for (int lane = 0; lane < vector_count; lane++) {                                                      \
                    float value = lanes[lane] + (has_bias ? bias[bias_at + j + lane] : 0.0f);                          \
                    value = unary_apply(op, value, alpha, beta);                                                       \
                    to[lane] = accumulate ? to[lane] + value : value;                                                  \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }

#define STORE_ONE(value, offset, to) (*((to) + (offset)) = (value))

/* x: rows / 6, so that they use a block of b while it is near, y: block of columns. */
__kernel void gemm_rows(__global const float *restrict a, ulong a_at, __global const float *restrict b, ulong b_at,
                        __global const float *restrict bias, ulong bias_at, __global float *restrict c, ulong c_at,
                        GEMM_ARGUMENTS)
{
    int j = (int)get_global_id(1) * BLOCK, i = (int)get_global_id(0) * TILE_ROWS, count = min(TILE_ROWS, m - i);
    int last = min(j + BLOCK, n);
    bool plain = !has_bias && op == 0 && !accumulate, add = !has_bias && op == 0 && accumulate;
    GEMM_BEGIN
    a += (ulong)i * a_row;
    c += (ulong)i * c_row;
    /* Rows past the end are row 0 again, and not stored. */
    __global const float *a1 = count > 1 ? a + a_row : a, *a2 = count > 2 ? a + 2 * (ulong)a_row : a;
    __global const float *a3 = count > 3 ? a + 3 * (ulong)a_row : a, *a4 = count > 4 ? a + 4 * (ulong)a_row : a;
    __global const float *a5 = count > 5 ? a + 5 * (ulong)a_row : a;
    for (; j + 16 <= last; j += 16)
        ROWS_BLOCK(float16, load16, store16, 16)
    for (; j + 4 <= last; j += 4)
        ROWS_BLOCK(float4, vload4, vstore4, 4)
    for (; j < last; j++)
        ROWS_BLOCK(float, LOAD_ONE, STORE_ONE, 1)
}

/* x: columns / 4, y: rows / 3. */
__kernel void gemm_dots(__global const float *restrict a, ulong a_at, __global const float *restrict b, ulong b_at,
                        __global const float *restrict bias, ulong bias_at, __global float *restrict c, ulong c_at,
                        GEMM_ARGUMENTS)
{
    int j = (int)get_global_id(0) * DOT_COLUMNS, i = (int)get_global_id(1) * DOT_ROWS;
    int rows = min(DOT_ROWS, m - i), columns = min(DOT_COLUMNS, n - j), k = 0;
    GEMM_BEGIN
    __global const float *a0 = a + (ulong)i * a_row, *b0 = b + (ulong)j * b_col;
    __global const float *a1 = rows > 1 ? a0 + a_row : a0, *a2 = rows > 2 ? a0 + 2 * (ulong)a_row : a0;
    __global const float *b1 = columns > 1 ? b0 + b_col : b0, *b2 = columns > 2 ? b0 + 2 * (ulong)b_col : b0;
    __global const float *b3 = columns > 3 ? b0 + 3 * (ulong)b_col : b0;
    float8 sum[DOT_ROWS][DOT_COLUMNS] = {{0.0f}};
    float rest[DOT_ROWS][DOT_COLUMNS] = {{0.0f}};
    for (; k + 8 <= depth; k += 8)
        DOT_STEP(float8, load8, sum, k, a0, a1, a2, b0, b1, b2, b3)
    for (; k < depth; k++)
        DOT_STEP(float, LOAD_ONE, rest, k, a0, a1, a2, b0, b1, b2, b3)
    c += (ulong)i * c_row + j;
    for (int r = 0; r < rows; r++)
        for (int s = 0; s < columns; s++) {
            float value = vector_sum8(sum[r][s]) + rest[r][s] + (has_bias ? bias[bias_at + j + s] : 0.0f);
            value = unary_apply(op, value, alpha, beta);
            __global float *to = c + (ulong)r * c_row + s;
            *to = accumulate ? *to + value : value;
        }
}
