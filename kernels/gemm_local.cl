/* SPDX-License-Identifier: Apache-2.0 */
/*
 * c (+)= a b with bias and one operator, as gemm.cl, for GPUs: a group of 64 work-items does a tile of 32 by 32, each
 * of them four rows by four columns, eight apart, so that neighbours touch neighbouring words. Steps of 16 along depth
 * go through local memory, read in the order in which they are dense. x: tile of columns, y: tile of rows. Any strides.
 */
#include "gemm_arguments.clh"
#include "unary_op.clh"

#define TILE  32
#define STEP  16
#define LANES 64
#define SIDE  8

__kernel void gemm_local(__global const float *a, ulong a_at, __global const float *b, ulong b_at,
                         __global const float *bias, ulong bias_at, __global float *c, ulong c_at, GEMM_ARGUMENTS)
{
    /* One more than a tile, so that columns of it do not fall on one bank. */
    __local float left[STEP][TILE + 1], right[STEP][TILE + 1];
    int lane = (int)get_local_id(0), x = lane % SIDE, y = lane / SIDE;
    int i0 = (int)get_group_id(1) * TILE, j0 = (int)get_group_id(0) * TILE;
    float sum[4][4] = {{0.0f}};
    GEMM_BEGIN
    for (int k0 = 0; k0 < depth; k0 += STEP) {
        for (int e = lane; e < STEP * TILE; e += LANES) {
            int k = a_col == 1 ? e % STEP : e / TILE, i = a_col == 1 ? e / STEP : e % TILE;
            bool inside = k0 + k < depth && i0 + i < m;
            left[k][i] = inside ? a[(ulong)(i0 + i) * a_row + (ulong)(k0 + k) * a_col] : 0.0f;
        }
        for (int e = lane; e < STEP * TILE; e += LANES) {
            int k = b_col == 1 ? e / TILE : e % STEP, j = b_col == 1 ? e % TILE : e / STEP;
            bool inside = k0 + k < depth && j0 + j < n;
            right[k][j] = inside ? b[(ulong)(k0 + k) * b_row + (ulong)(j0 + j) * b_col] : 0.0f;
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        for (int k = 0; k < STEP; k++)
            for (int r = 0; r < 4; r++)
                for (int s = 0; s < 4; s++)
                    sum[r][s] += left[k][y + r * SIDE] * right[k][x + s * SIDE];
        barrier(CLK_LOCAL_MEM_FENCE);
    }
    for (int r = 0; r < 4; r++)
        for (int s = 0; s < 4; s++) {
            int i = i0 + y + r * SIDE, j = j0 + x + s * SIDE;
            if (i >= m || j >= n)
                continue;
            __global float *to = c + (ulong)i * c_row + j;
            float value = unary_apply(op, sum[r][s] + (has_bias ? bias[bias_at + j] : 0.0f), alpha, beta);
            *to = accumulate ? *to + value : value;
        }
}
