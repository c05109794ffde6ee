/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The weight's gradient of few input channels, which lie in NCHW: dweight[o][c][u][v] = sum over pixels of dy[p][o]
 * x[c][p + (u, v)]. x [N][C][H][W], dy [N][OB][OH][OW][16].
 *
 * A work-item (a group of its own) goes through its part of the batch in chunks of some output rows of an image, whose
 * inputs it copies into local memory (channels_window.clh, columns of a stride side by side). Taps of a kernel row that
 * lie side by side there are rows of a tile, together with those of the next kernel row or channel:
 *
 *                    dy[p]:   | 16 outputs | 16 outputs |    1 or 2 blocks
 *       x[p], tap (c, u, 0) x | sum[0][0]    sum[0][1]  |
 *       x[p + 1], (c, u, 1) x | sum[1][0]    sum[1][1]  |    R taps of a kernel row, 1 to 8,
 *              :              |     :            :      |
 *       x[p'], (c, u', 0)   x | sum[R][0]    sum[R][1]  |    and R of another: 2 R rows
 *              :              |     :            :      |    over the pixels p of the chunk
 *
 * Tunables: MOST_RUN taps of a tile's half at most (default 7; 2 with 16 registers of 8 floats, where TILE_COLUMNS is
 * 1); rows_per_chunk and chunks_per_part are arguments.
 */
#define IN_LANES 1
#include "channels_window.clh"

#define UNROLL _Pragma("unroll")
#ifndef TILE_COLUMNS
#define TILE_COLUMNS 2
#endif

/* sums: of the first half and of the second, taps sums_r floats apart, blocks sums_t. */
#define PLANES_TILE(R, T)                                                                                              \
    void planes_weight_##R##_##T(__local const float *restrict x0, __local const float *restrict x1,                   \
                                 __global const float *restrict dy, int dy_t, int rows, int columns, int x_row,        \
                                 __global float *sums0, __global float *sums1, int sums_r, int sums0_t, int sums1_t,   \
                                 int load)                                                                             \
    {                                                                                                                  \
        float16 sum[2 * R][T];                                                                                         \
        UNROLL for (int t = 0; t < T; t++)                                                                             \
        {                                                                                                              \
            UNROLL for (int r = 0; r < R; r++)                                                                         \
            {                                                                                                          \
                sum[r][t] = load ? vload16(0, sums0 + r * sums_r + t * sums0_t) : (float16)0.0f;                       \
                sum[R + r][t] = load ? vload16(0, sums1 + r * sums_r + t * sums1_t) : (float16)0.0f;                   \
            }                                                                                                          \
        }                                                                                                              \
        for (; rows > 0; rows--, x0 += x_row, x1 += x_row)                                                             \
            for (int p = 0; p < columns; p++, dy += LANES) {                                                           \
                float16 b[T];                                                                                          \
                UNROLL for (int t = 0; t < T; t++) b[t] = vload16(0, dy + t * dy_t);                                   \
                UNROLL for (int r = 0; r < R; r++)                                                                     \
                {                                                                                                      \
                    UNROLL for (int t = 0; t < T; t++)                                                                 \
                    {                                                                                                  \
                        sum[r][t] += x0[p + r] * b[t];                                                                 \
                        sum[R + r][t] += x1[p + r] * b[t];                                                             \
                    }                                                                                                  \
                }                                                                                                      \
            }                                                                                                          \
        UNROLL for (int t = 0; t < T; t++)                                                                             \
        {                                                                                                              \
            UNROLL for (int r = 0; r < R; r++)                                                                         \
            {                                                                                                          \
                vstore16(sum[r][t], 0, sums0 + r * sums_r + t * sums0_t);                                              \
                vstore16(sum[R + r][t], 0, sums1 + r * sums_r + t * sums1_t);                                          \
            }                                                                                                          \
        }                                                                                                              \
    }

#if TILE_COLUMNS == 2
#define MOST_RUN       7
#define EACH_RUN(X, T) X(1, T) X(2, T) X(3, T) X(4, T) X(5, T) X(6, T) X(7, T)
EACH_RUN(PLANES_TILE, 2)
#else
#define MOST_RUN       2
#define EACH_RUN(X, T) X(1, T) X(2, T)
#endif
EACH_RUN(PLANES_TILE, 1)

#define CASE(R, T)                                                                                                     \
    case R:                                                                                                            \
        planes_weight_##R##_##T(x0, x1, dy, dy_t, rows, columns, x_row, sums0, sums1, sums_r, sums0_t, sums1_t, load); \
        break;

void planes_weight_run(int run, int blocks, __local const float *x0, __local const float *x1, __global const float *dy,
                       int dy_t, int rows, int columns, int x_row, __global float *sums0, __global float *sums1,
                       int sums_r, int sums0_t, int sums1_t, int load)
{
#if TILE_COLUMNS == 2
    if (blocks == 2)
        switch (run) {
            EACH_RUN(CASE, 2)
        }
    else
#endif
        switch (run) {
            EACH_RUN(CASE, 1)
        }
}

/* Part p of the sums, [OB][C][kh][kw][16 o], and behind them [16] that are not used, at partial + p * those. x: part,
   y: blocks of outputs. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
conv2d_planes_weight(__global const float *restrict x_all, ulong x_at, __global const float *restrict dy_all,
                     ulong dy_at, __global float *restrict partial, ulong partial_at, int height, int width,
                     int out_height, int out_width, int channels, int out_blocks, int kernel_height, int kernel_width,
                     int stride_y, int stride_x, int dilation_y, int dilation_x, int top, int left, int chunks,
                     int chunks_per_part, int row_chunks, int rows_per_chunk, __local float *copies)
{
    int part = (int)get_global_id(0), block = (int)get_global_id(1) * TILE_COLUMNS;
    int blocks = min(TILE_COLUMNS, out_blocks - block), depth = channels * kernel_height * kernel_width;
    int size = height * width, dy_t = out_height * out_width * LANES, sums_t = depth * LANES;
    channels_axis y = channels_forward_axis(out_height, kernel_height, stride_y, dilation_y, top);
    channels_axis x = channels_forward_axis(out_width, kernel_width, stride_x, dilation_x, left);
    int first = part * chunks_per_part, last = min(first + chunks_per_part, chunks), lines = channels * kernel_height;
    /* Taps that lie side by side: of one phase of the stride; none with a dilation. */
    int phases = dilation_x == 1 ? min(stride_x, kernel_width) : kernel_width, step = dilation_x == 1 ? stride_x : 1;
    partial += partial_at + (ulong)part * (out_blocks * sums_t + LANES * kernel_width);
    __global float *spare = partial + out_blocks * sums_t; /* where the second half of an odd line goes */
    partial += block * sums_t;
    for (int chunk = first; chunk < last; chunk++) {
        int item = chunk / row_chunks, first_row = (chunk - item * row_chunks) * rows_per_chunk;
        int rows = min(rows_per_chunk, out_height - first_row);
        channels_window window = channels_window_of(y, x, rows, 0);
        int plane_floats = channels_window_floats(window);
        __global const float *dy =
            dy_all + dy_at + ((ulong)item * out_blocks + block) * dy_t + first_row * out_width * LANES;
        for (int c = 0; c < channels; c++)
            channels_copy(x_all + x_at + ((ulong)item * channels + c) * size, height, width, window, y, x, first_row,
                          copies + c * plane_floats);
        for (int phase = 0; phase < phases; phase++) {
            int taps = dilation_x == 1 ? (kernel_width - phase + stride_x - 1) / stride_x : 1;
            for (int tap = 0, run; tap < taps; tap += run) {
                run = min(taps - tap, MOST_RUN);
                int v = phase + tap * step;
                for (int line = 0; line < lines; line += 2) {
                    int line1 = line + 1 < lines ? line + 1 : line;
                    int c0 = line / kernel_height, u0 = line - c0 * kernel_height;
                    int c1 = line1 / kernel_height, u1 = line1 - c1 * kernel_height;
                    __global float *sums = partial + (line * kernel_width + v) * LANES;
                    planes_weight_run(
                        run, blocks, copies + c0 * plane_floats + channels_window_place(window, y, x, u0, v),
                        copies + c1 * plane_floats + channels_window_place(window, y, x, u1, v), dy, dy_t, rows,
                        out_width, window.columns, sums, line1 > line ? sums + kernel_width * LANES : spare,
                        step * LANES, sums_t, line1 > line ? sums_t : 0, chunk > first);
                }
            }
        }
    }
}

/* dweight [O][depth] (+)= the sum of the parts, in their order; depth = C kh kw. x: tap and channel, y: block. */
__kernel void conv2d_planes_weight_sum(__global const float *restrict partial, ulong partial_at,
                                       __global float *restrict dweight, ulong dweight_at, int outputs, int depth,
                                       int kernel_width, int parts, int accumulate)
{
    int k = (int)get_global_id(0), block = (int)get_global_id(1), blocks = (outputs + LANES - 1) / LANES;
    if (k >= depth)
        return;
    ulong part_floats = (ulong)(blocks * depth + kernel_width) * LANES;
    partial += partial_at + ((ulong)block * depth + k) * LANES;
    float lanes[LANES];
    float16 sum = 0.0f;
    for (int p = 0; p < parts; p++)
        sum += vload16(0, partial + p * part_floats);
    vstore16(sum, 0, lanes);
    dweight += dweight_at + (ulong)block * LANES * depth + k;
    for (int o = 0; o < min(LANES, outputs - block * LANES); o++)
        dweight[o * depth] = accumulate ? dweight[o * depth] + lanes[o] : lanes[o];
}
