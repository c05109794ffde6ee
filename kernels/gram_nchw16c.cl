/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gram of x in nchw16c, for processors: y[i][j] = scale * sum over pixels of x[p][i] x[p][j], of which the blocks of 16 x
 * 16 on and above the diagonal are computed. x [N][CB][S][16].
 *
 *              x[p] of block c:   | 16 channels | 16 channels |     columns: TILE_COLUMNS blocks
 *      channel 0 of block r     x | sum[0][0]     sum[0][1]   |
 *      channel 1                x | sum[1][0]     sum[1][1]   |     rows: 8 channels, 16 where it is one block
 *           :                     |     :             :       |     over DEPTH pixels, which stay in the nearest cache
 *
 * A work-item (a group of its own) has some pixels of an item and two groups of rows, GROUP blocks each, one from the
 * top and one from the bottom, which together have as much to do as any other two:
 *
 *      group 0   | d x x x x x x x |     d: on the diagonal
 *      group 1   |     d x x x x x |
 *      group 2   |         d x x x |     one has groups 0 and 3, another one 1 and 2
 *      group 3   |             d x |
 *
 * The gradient is dx[p] = s x[p], s = scale (dy + dy^T), of some pixels and all channels in a work-item:
 *
 *                 s[k]:   | 16 channels | 16 channels |     columns: TILE_COLUMNS blocks, or one
 *      channel k of x[0]  x | sum[0][0]   sum[0][1]   |
 *      channel k of x[1]  x | sum[1][0]   sum[1][1]   |     rows: TILE_ROWS pixels, or one
 *           :               |     :           :       |     over k and the blocks
 *
 * Tunables: TILE_COLUMNS (default 2; 1, with tiles of 4 channels, for 16 registers of 8 floats), TILE_ROWS (default 14;
 * 6 for those), GROUP (default 4), DEPTH (default 128); pixels of a work-item are an argument.
 */
#include "lanes.clh"
#include "loops.clh"
#define PAIR   (LANES * LANES)
#define GROUP  4
#define DEPTH  128
#ifndef TILE_ROWS
#define TILE_ROWS 14
#endif
#ifndef TILE_COLUMNS
#define TILE_COLUMNS 2
#endif

#define SUMS_BLOCK PAIR
#include "outer_tile.clh"

/* Blocks of rows of a group, from the diagonal on: `count` pixels. sums [CB][CB][16][16]. */
void gram_group(__global const float *restrict x, int group, int blocks, int plane, int count,
                __global float *restrict sums, int load)
{
    int first = group * GROUP, last = min(first + GROUP, blocks), columns;
    for (int c = first; c < blocks; c += columns) {
        columns = min(TILE_COLUMNS, blocks - c);
        for (int r = first; r < min(last, c + columns); r++) {
            __global const float *row = x + r * plane, *column = x + c * plane;
            __global float *to = sums + (r * blocks + c) * PAIR;
#if TILE_COLUMNS == 2
            if (columns == 2) {
                outer_tile_8_2(row, column, plane, count, to, LANES, load);
                outer_tile_8_2(row + 8, column, plane, count, to + 8 * LANES, LANES, load);
            } else {
                outer_tile_16_1(row, column, plane, count, to, LANES, load);
            }
#else
            for (int lane = 0; lane < LANES; lane += 4)
                outer_tile_4_1(row + lane, column, plane, count, to + lane * LANES, LANES, load);
#endif
        }
    }
}

/* Parts [part][N][CB][CB][16][16] of the products. x: part (some pixels, run of them), y: pair of groups, z: item. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
gram_nchw16c(__global const float *restrict x, ulong x_at, __global float *restrict partial, ulong partial_at,
             int blocks, int size, int run)
{
    int part = (int)get_global_id(0), group = (int)get_global_id(1), item = (int)get_global_id(2);
    int other = (blocks + GROUP - 1) / GROUP - 1 - group, first = part * run, last = min(first + run, size);
    x += x_at + (ulong)item * blocks * size * LANES;
    partial += partial_at + ((ulong)part * get_global_size(2) + item) * blocks * blocks * PAIR;
    for (int p = first; p < last; p += DEPTH) {
        int count = min(DEPTH, last - p);
        gram_group(x + p * LANES, group, blocks, size * LANES, count, partial, p > first);
        if (other != group)
            gram_group(x + p * LANES, other, blocks, size * LANES, count, partial, p > first);
    }
}

/* y [N][C][C] = scale * the sum of the parts, in their order, and its mirror image. x: block of columns, y: block of
   rows, z: item. */
__kernel void gram_nchw16c_sum(__global const float *restrict partial, ulong partial_at, __global float *restrict y,
                               ulong y_at, int channels, int parts, float scale)
{
    int column = (int)get_global_id(0), row = (int)get_global_id(1), blocks = (int)get_global_size(0);
    int rows = min(LANES, channels - row * LANES), columns = min(LANES, channels - column * LANES);
    ulong square = (ulong)blocks * blocks * PAIR, step = get_global_size(2) * square;
    if (column < row)
        return;
    partial += partial_at + get_global_id(2) * square + (ulong)(row * blocks + column) * PAIR;
    y += y_at + get_global_id(2) * channels * channels;
    for (int i = 0; i < rows; i++) {
        __global float *to = y + (ulong)(row * LANES + i) * channels + column * LANES;
        float lane[LANES];
        float16 sum = 0.0f;
        for (int p = 0; p < parts; p++)
            sum += load16(i, partial + p * step);
        sum *= scale;
        lanes_store(sum, to, columns);
        store16(sum, 0, lane);
        for (int j = 0; j < columns && column > row; j++)
            y[(ulong)(column * LANES + j) * channels + row * LANES + i] = lane[j];
    }
}

/* [N][CB out][CB in][16 in][16 out]: s, zeros beyond the channels. x: block of inputs, y: block of outputs, z: item. */
__kernel void gram_nchw16c_symmetric(__global const float *restrict dy, ulong dy_at, __global float *restrict s,
                                     ulong s_at, int channels, float scale)
{
    int in = (int)get_global_id(0) * LANES, out = (int)get_global_id(1) * LANES;
    dy += dy_at + get_global_id(2) * channels * channels;
    s += s_at + ((get_global_id(2) * get_global_size(1) + get_global_id(1)) * get_global_size(0) + get_global_id(0)) *
                    PAIR;
    for (int k = 0; k < LANES; k++)
        for (int l = 0; l < LANES; l++) {
            int i = in + k, o = out + l;
            bool there = i < channels && o < channels;
            s[k * LANES + l] = there ? scale * (dy[(ulong)i * channels + o] + dy[(ulong)o * channels + i]) : 0.0f;
        }
}

/* R pixels of T blocks, `plane` floats apart, whose sums are over all blocks of x; those before pixel skip and block
   skip_block are someone else's. */
#define GRADIENT(R, T)                                                                                                 \
    void gram_gradient_##R##_##T(__global const float *restrict x, int blocks, int plane, __global const float *s,     \
                                 __global float *restrict dx, int skip, int skip_block, int accumulate)                \
    {                                                                                                                  \
        float16 sum[R][T];                                                                                             \
        UNROLL for (int r = 0; r < R; r++)                                                                             \
        {                                                                                                              \
            UNROLL for (int t = 0; t < T; t++) sum[r][t] = 0.0f;                                                       \
        }                                                                                                              \
        for (int c = 0; c < blocks; c++, x += plane)                                                                   \
            for (int k = 0; k < LANES; k++, s += LANES) {                                                              \
                float16 b[T];                                                                                          \
                UNROLL for (int t = 0; t < T; t++) b[t] = load16(0, s + t * blocks * PAIR);                            \
                UNROLL for (int r = 0; r < R; r++)                                                                     \
                {                                                                                                      \
                    UNROLL for (int t = 0; t < T; t++) sum[r][t] += x[r * LANES + k] * b[t];                           \
                }                                                                                                      \
            }                                                                                                          \
        UNROLL for (int r = 0; r < R; r++)                                                                             \
        {                                                                                                              \
            UNROLL for (int t = 0; t < T; t++) if (r >= skip && t >= skip_block)                                       \
            {                                                                                                          \
                __global float *to = dx + t * plane;                                                                   \
                store16(accumulate ? load16(r, to) + sum[r][t] : sum[r][t], r, to);                                    \
            }                                                                                                          \
        }                                                                                                              \
    }

#define EACH_GRADIENT(X, R, T) X(R, T)
EACH_GRADIENT(GRADIENT, TILE_ROWS, TILE_COLUMNS)
EACH_GRADIENT(GRADIENT, 1, TILE_COLUMNS)
#if TILE_COLUMNS > 1
EACH_GRADIENT(GRADIENT, TILE_ROWS, 1)
EACH_GRADIENT(GRADIENT, 1, 1)
#endif

#define CALL(R, T) gram_gradient_##R##_##T(x + p * LANES, blocks, plane, s + o * blocks * PAIR, to + p * LANES, skip,  \
                                           skip_block, accumulate)

/* x: some pixels (run of them, of size), y: item. Where there are enough, the last tile of pixels and the last one of
   blocks begin early. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
gram_nchw16c_gradient(__global const float *restrict x, ulong x_at, __global const float *restrict s, ulong s_at,
                      __global float *restrict dx, ulong dx_at, int blocks, int size, int run, int accumulate)
{
    int first = (int)get_global_id(0) * run, last = min(first + run, size), plane = size * LANES;
    x += x_at + get_global_id(1) * blocks * plane;
    dx += dx_at + get_global_id(1) * blocks * plane;
    s += s_at + get_global_id(1) * blocks * blocks * PAIR;
    for (int next = 0; next < blocks; next += TILE_COLUMNS) {
        int o = max(min(next, blocks - TILE_COLUMNS), 0), skip_block = next - o;
        __global float *to = dx + (ulong)o * plane;
        for (int done = first, rows; done < last; done += rows) {
            rows = last - first >= TILE_ROWS ? TILE_ROWS : 1;
            int p = min(done, last - rows), skip = done - p;
#if TILE_COLUMNS > 1
            if (blocks < TILE_COLUMNS && rows == 1)
                EACH_GRADIENT(CALL, 1, 1);
            else if (blocks < TILE_COLUMNS)
                EACH_GRADIENT(CALL, TILE_ROWS, 1);
            else
#endif
                if (rows == 1)
                EACH_GRADIENT(CALL, 1, TILE_COLUMNS);
            else
                EACH_GRADIENT(CALL, TILE_ROWS, TILE_COLUMNS);
        }
    }
}
