/* SPDX-License-Identifier: Apache-2.0 */
/*
 * c (+)= a b, as gemm.cl, for GPUs and products of few rows, which would leave the tiles of gemm_local.cl half empty: a
 * group makes 32 rows by 128 columns in steps of 8 along the depth through local memory, in two pairs of panels by
 * turns; the next step's elements are on their way while this one's are multiplied. x: tile of columns, y: tile of
 * rows. Any strides; neither bias nor operator: whoever adds up the parts of the depth (gemm_parts.cl) has those.
 *
 *                      x = lane % 16: 4 columns, and 4 more 64 further on
 *                      right [STEP][128]
 *                      +---------------------------+
 *     left [STEP][32]  | b b b b    |   b b b b    |      64 work-items of 64 sums each; 4 float4 of local memory
 *     +------+         +------------+--------------+      for 64 multiply-adds
 *     | aaaa |         |  8 by 8 sums              |      y = lane / 16: 4 rows, and 4 more 16 further on
 *     +------+         +---------------------------+
 *
 * Four neighbouring elements are read at once, along the depth or along rows or columns, whichever is dense, where they
 * are aligned. A panel's line has four to spare, so that storing along the depth does not fall on one bank.
 *
 * Tunables: ROWS (default 32), COLUMNS (default 128), STEP (default 8); gemm.c knows the first two.
 */
#include "gemm_arguments.clh"
#include "quad.clh"
#include "sub_group.clh"

#define ROWS        32
#define COLUMNS     128
#define STEP        8
#define LANES       64
#define LEFT_LINE   (ROWS / 4 + 1) /* in float4 */
#define RIGHT_LINE  (COLUMNS / 4 + 1)
#define RIGHT_LOADS (COLUMNS * STEP / 4 / LANES)

/* Four elements `next` apart from `from` on, the first `valid` of them, else 0; dense: as in quad_read. */
float4 quad_first(__global const float *from, int next, int valid, bool dense)
{
    return dense && valid >= 4 ? quad_read(from, 0, 1, 3, true) : quad_rest(from, 0, next, 3, valid);
}

/* Element i of a panel's line k and three more, along the depth or along the line; lines are `line` float4 long. */
void quad_store(__local float4 *panel, int line, bool deep, int i, int k, float4 quad)
{
    if (!deep) {
        panel[k * line + i / 4] = quad;
        return;
    }
    __local float *to = (__local float *)panel + k * 4 * line + i;
    to[0] = quad.x;
    to[4 * line] = quad.y;
    to[8 * line] = quad.z;
    to[12 * line] = quad.w;
}

__kernel __attribute__((reqd_work_group_size(LANES, 1, 1))) SMALL_SUB_GROUP void
gemm_low(__global const float *a, ulong a_at, __global const float *b, ulong b_at, __global const float *bias,
         ulong bias_at, __global float *c, ulong c_at, GEMM_ARGUMENTS)
{
    __local float4 left[2][STEP * LEFT_LINE], right[2][STEP * RIGHT_LINE];
    int lane = (int)get_local_id(0), x = lane % 16, y = lane / 16;
    int row0 = (int)get_group_id(1) * ROWS, column0 = (int)get_group_id(0) * COLUMNS;
    GEMM_BEGIN
    bool deep_a = a_col == 1, deep_b = b_row == 1 && b_col != 1;
    int next_a = deep_a ? 1 : a_row, next_b = deep_b ? 1 : b_col;
    bool dense_a = next_a == 1 && (deep_a ? a_row : a_col) % 4 == 0 && ((size_t)a & 15) == 0;
    bool dense_b = next_b == 1 && (deep_b ? b_col : b_row) % 4 == 0 && ((size_t)b & 15) == 0;
    /* Which elements of a step this work-item loads; of b RIGHT_LOADS times, each so many columns or lines further.
       Along the depth, rows behind the last are the first again, for sums that nobody writes. */
    int a_k = deep_a ? lane % 2 * 4 : lane / 8, a_i = deep_a ? lane / 2 : lane % 8 * 4;
    int b_k = deep_b ? lane % 2 * 4 : lane / 32, b_i = deep_b ? lane / 2 : lane % 32 * 4;
    int b_from[RIGHT_LOADS];
#pragma unroll
    for (int t = 0; t < RIGHT_LOADS; t++) {
        int i = column0 + b_i + (deep_b ? 32 * t : 0), k = b_k + (deep_b ? 0 : 2 * t);
        b_from[t] = (deep_b && i >= n ? 0 : i) * b_col + k * b_row;
    }
    a += (deep_a && row0 + a_i >= m ? 0 : row0 + a_i) * a_row + a_k * a_col;
    int a_valid = deep_a ? 4 : m - row0 - a_i, b_valid = deep_b ? 4 : n - column0 - b_i;
    float4 a_next, b_next[RIGHT_LOADS], sum[8][2];
#pragma unroll
    for (int r = 0; r < 8; r++)
        sum[r][0] = sum[r][1] = (float4)0.0f;
    for (int s = 0, left_over = depth;; s ^= 1, left_over -= STEP) {
        if (left_over > 0) {
            int rest = left_over - a_k;
            a_next = quad_first(a, next_a, deep_a ? rest : rest > 0 ? a_valid : 0, dense_a);
            a += STEP * a_col;
#pragma unroll
            for (int t = 0; t < RIGHT_LOADS; t++) {
                rest = left_over - b_k - (deep_b ? 0 : 2 * t);
                b_next[t] = quad_first(b + b_from[t], next_b, deep_b ? rest : rest > 0 ? b_valid : 0, dense_b);
            }
            b += STEP * b_row;
        }
        if (left_over < depth) {
            __local const float4 *p = left[s ^ 1] + y, *q = right[s ^ 1] + x;
#pragma unroll 2
            for (int k = 0; k < STEP; k++) {
                float4 u = p[k * LEFT_LINE], v = p[k * LEFT_LINE + ROWS / 8];
#pragma unroll
                for (int h = 0; h < 2; h++) {
                    float4 w = q[k * RIGHT_LINE + h * (COLUMNS / 8)];
                    sum[0][h] += u.x * w;
                    sum[1][h] += u.y * w;
                    sum[2][h] += u.z * w;
                    sum[3][h] += u.w * w;
                    sum[4][h] += v.x * w;
                    sum[5][h] += v.y * w;
                    sum[6][h] += v.z * w;
                    sum[7][h] += v.w * w;
                }
            }
        }
        if (left_over <= 0)
            break;
        quad_store(left[s], LEFT_LINE, deep_a, a_i, a_k, a_next);
#pragma unroll
        for (int t = 0; t < RIGHT_LOADS; t++)
            quad_store(right[s], RIGHT_LINE, deep_b, b_i + (deep_b ? 32 * t : 0), b_k + (deep_b ? 0 : 2 * t),
                       b_next[t]);
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    bool aligned = c_row % 4 == 0 && ((size_t)c & 15) == 0;
#pragma unroll
    for (int r = 0; r < 8; r++) {
        int i = row0 + 4 * y + r % 4 + r / 4 * (ROWS / 2);
        if (i >= m)
            continue;
#pragma unroll
        for (int h = 0; h < 2; h++) {
            int j = column0 + 4 * x + h * (COLUMNS / 2);
            if (j < n)
                quad_write(sum[r][h], c + i * c_row + j, n - j, aligned, accumulate);
        }
    }
}
