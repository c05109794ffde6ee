/* SPDX-License-Identifier: Apache-2.0 */
/*
 * c (+)= a b with bias and one operator, as gemm.cl, for GPUs and products that are few tiles of gemm_local.cl: a group
 * makes 16 by 16 elements, and its work-items share out the depth, too, so that a short product keeps many busy and a
 * launch is all it takes. x: tile of columns, y: tile of rows. Any strides.
 *
 *                  columns of b, four by four
 *                  +----+----+----+----+
 *     rows of a    | 4x4|    |    |    |     16 work-items make all of it from an eighth of each step of the depth, with
 *                  +----+----+----+----+     16 sums each; there are 8 times as many. Steps go through local memory,
 *                  |    |    |    |    |     the next one's elements are on their way while this one's are multiplied.
 *                  :                   :     In the end each element is the sum of its eight, in order.
 *
 * Tunables: STEP along the depth (default 64), LANES of a group (default 128; gemm.c knows it, and SIDE).
 */
#include "gemm_arguments.clh"
#include "sub_group.clh"
#include "unary_op.clh"

#define SIDE   16
#define STEP   64
#define LANES  128
#define LINE   (SIDE / 4 + 1) /* of a panel, in float4, one to spare: what is stored falls on more banks */
#define LOADS  (SIDE * STEP / LANES)
#define TILES  (SIDE * SIDE / 16)
#define SHARES (LANES / TILES) /* of the depth */

/* Where load number t of a lane goes: element i of a panel's line k. */
int load_k(bool deep, int lane, int t)
{
    return deep ? lane % STEP : lane / SIDE + t * (LANES / SIDE);
}

int load_i(bool deep, int lane, int t)
{
    return deep ? lane / STEP + t * (LANES / STEP) : lane % SIDE;
}

__kernel __attribute__((reqd_work_group_size(LANES, 1, 1))) SMALL_SUB_GROUP void
gemm_small(__global const float *a, ulong a_at, __global const float *b, ulong b_at, __global const float *bias,
           ulong bias_at, __global float *c, ulong c_at, GEMM_ARGUMENTS)
{
    __local float4 panels[4 * STEP * LINE];
    __local float4 *left = panels, *right = panels + 2 * STEP * LINE;
    int lane = (int)get_local_id(0), tile = lane % TILES, share = lane / TILES;
    int row0 = (int)get_group_id(1) * SIDE, column0 = (int)get_group_id(0) * SIDE;
    bool deep_a = a_col == 1, deep_b = b_row == 1 && b_col != 1;
    float a_next[LOADS], b_next[LOADS];
    float4 sum[4] = {(float4)0.0f, (float4)0.0f, (float4)0.0f, (float4)0.0f};
    GEMM_BEGIN
    for (int from = 0, s = 0;; from += STEP, s ^= 1) {
        if (from < depth)
#pragma unroll
            for (int t = 0; t < LOADS; t++) {
                int k = from + load_k(deep_a, lane, t), i = row0 + load_i(deep_a, lane, t);
                a_next[t] = i < m && k < depth ? a[i * a_row + k * a_col] : 0.0f;
                k = from + load_k(deep_b, lane, t), i = column0 + load_i(deep_b, lane, t);
                b_next[t] = i < n && k < depth ? b[k * b_row + i * b_col] : 0.0f;
            }
        if (from > 0) {
            __local const float4 *p = left + (s ^ 1) * STEP * LINE + tile / (SIDE / 4);
            __local const float4 *q = right + (s ^ 1) * STEP * LINE + tile % (SIDE / 4);
#pragma unroll
            for (int e = 0; e < STEP / SHARES; e++) {
                float4 u = p[(e * SHARES + share) * LINE], v = q[(e * SHARES + share) * LINE];
                sum[0] += u.x * v;
                sum[1] += u.y * v;
                sum[2] += u.z * v;
                sum[3] += u.w * v;
            }
        }
        if (from >= depth)
            break;
#pragma unroll
        for (int t = 0; t < LOADS; t++) {
            int k = s * STEP + load_k(deep_a, lane, t);
            ((__local float *)left)[k * LINE * 4 + load_i(deep_a, lane, t)] = a_next[t];
            k = s * STEP + load_k(deep_b, lane, t);
            ((__local float *)right)[k * LINE * 4 + load_i(deep_b, lane, t)] = b_next[t];
        }
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int r = 0; r < 4; r++)
        panels[(share * SIDE + tile / (SIDE / 4) * 4 + r) * (SIDE / 4) + tile % (SIDE / 4)] = sum[r];
    barrier(CLK_LOCAL_MEM_FENCE);
    for (int e = lane; e < SIDE * SIDE; e += LANES) {
        int i = row0 + e / SIDE, j = column0 + e % SIDE;
        if (i >= m || j >= n)
            continue;
        float value = 0.0f;
        for (int h = 0; h < SHARES; h++)
            value += ((__local const float *)panels)[h * SIDE * SIDE + e];
        value = unary_apply(op, value + (has_bias ? bias[bias_at + j] : 0.0f), alpha, beta);
        __global float *to = c + i * c_row + j;
        *to = accumulate ? *to + value : value;
    }
}
