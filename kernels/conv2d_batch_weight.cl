/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gradients of weight and bias where channels are few, with the batch innermost (nchw16n): dweight[o][c][u][v] = sum
 * over images and pixels of dy[o][p] x[c][p + (u, v)]. x [NB][C][H][W][16], dy [NB][O][OH][OW][16], NB blocks of 16
 * images, whose spare lanes are zero in dy.
 *
 * A work-item (a group of its own) has some outputs of a group of channels, and some of their taps, and goes through its
 * part of the batch in chunks of some output rows of a block, whose inputs it copies into local memory with zeros for
 * the padding. Sums stay there too, 16 images apart, and go through the registers chunk by chunk:
 *
 *                    x[p + tap]:  |  tap 0  |  tap 1  |  tap 2  |  tap 3  |    TILE_TAPS (c, u, v), one after another
 *       dy[p] of output 0      x  | sum[0][0]  [0][1]    [0][2]    [0][3] |
 *       dy[p] of output 1      x  | sum[1][0]  [1][1]    [1][2]    [1][3] |    6, 4, 2 or 1 outputs
 *                :                |     :         :         :         :   |    over the pixels p of the chunk
 *
 * At the end of the part the 16 images are added up; the only part is the gradient at once.
 *
 * Tunables: TILE_TAPS (default 4, for 32 registers of 16 floats; 1 for 16 of 8); rows_per_chunk, chunks_per_part,
 * outputs_per_task and taps_per_task are arguments.
 */
#include "channels_window.clh"
#include "batch_window.clh"
#include "loops.clh"
#include "vectors.clh"

#if defined(TILE_ROWS) && !defined(TILE_TAPS)
#define TILE_TAPS 1
#endif
#ifndef TILE_TAPS
#define TILE_TAPS 4
#endif

BATCH_COPY(batch_weight_copy, __local)

/* The chunk: rows of columns pixels, in dy row after row, in x so far apart. */
typedef struct batch_chunk {
    int rows, columns, dy_plane, x_row, x_column, depth, load;
} batch_chunk;

/* Taps of a tile: count of them are there, the rest repeat the last one. */
typedef struct batch_taps {
    int count, at[TILE_TAPS];
} batch_taps;

/* sums [K][depth][16], from the tile's first tap on. */
#define WEIGHT_TILE(K)                                                                                                 \
    APART void batch_weight_##K(const batch_chunk *chunk, const batch_taps *taps, __global const float *restrict dy,   \
                                __local const float *restrict x, __local float *restrict sums)                         \
    {                                                                                                                  \
        float16 sum[K][TILE_TAPS];                                                                                     \
        int at[TILE_TAPS], dy_plane = chunk->dy_plane, x_column = chunk->x_column, depth = chunk->depth;               \
        UNROLL for (int t = 0; t < TILE_TAPS; t++) at[t] = taps->at[t];                                                \
        UNROLL for (int k = 0; k < K; k++)                                                                             \
        {                                                                                                              \
            UNROLL for (int t = 0; t < TILE_TAPS; t++) sum[k][t] =                                                     \
                chunk->load && t < taps->count ? load16(k * depth + t, sums) : (float16)0.0f;                          \
        }                                                                                                              \
        for (int i = chunk->rows; i > 0; i--, x += chunk->x_row) {                                                     \
            __local const float *v = x;                                                                                \
            for (int j = chunk->columns; j > 0; j--, v += x_column, dy += LANES) {                                     \
                float16 b[TILE_TAPS];                                                                                  \
                UNROLL for (int t = 0; t < TILE_TAPS; t++) b[t] = load16(0, v + at[t]);                                \
                UNROLL for (int k = 0; k < K; k++)                                                                     \
                {                                                                                                      \
                    float16 gradient = load16(0, dy + k * dy_plane);                                                   \
                    UNROLL for (int t = 0; t < TILE_TAPS; t++) sum[k][t] += gradient * b[t];                           \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
        UNROLL for (int t = 0; t < TILE_TAPS; t++) if (t < taps->count)                                                \
        {                                                                                                              \
            UNROLL for (int k = 0; k < K; k++) store16(sum[k][t], k * depth + t, sums);                                \
        }                                                                                                              \
    }

WEIGHT_TILE(1)
WEIGHT_TILE(2)
WEIGHT_TILE(4)
WEIGHT_TILE(6)

#define WEIGHT_CASE(K)                                                                                                 \
    case K:                                                                                                            \
        batch_weight_##K(chunk, taps, dy, x, sums);                                                                    \
        break;

void batch_weight(int k, const batch_chunk *chunk, const batch_taps *taps, __global const float *restrict dy,
                  __local const float *restrict x, __local float *restrict sums)
{
    switch (k) {
        WEIGHT_CASE(1)
        WEIGHT_CASE(2)
        WEIGHT_CASE(4)
        WEIGHT_CASE(6)
    }
}

/* The sums of four vectors. */
float4 batch_fold(float16 a, float16 b, float16 c, float16 d)
{
    float4 p = a.lo.lo + a.lo.hi + a.hi.lo + a.hi.hi, q = b.lo.lo + b.lo.hi + b.hi.lo + b.hi.hi;
    float4 r = c.lo.lo + c.lo.hi + c.hi.lo + c.hi.hi, s = d.lo.lo + d.lo.hi + d.hi.lo + d.hi.hi;
    return ((float4)(p.x, q.x, r.x, s.x) + (float4)(p.y, q.y, r.y, s.y)) +
           ((float4)(p.z, q.z, r.z, s.z) + (float4)(p.w, q.w, r.w, s.w));
}

/* to (accumulate: +)= count sums of 16 lanes each. */
APART void batch_fold_all(__local const float *restrict sums, int count, int accumulate, __global float *restrict to)
{
    int i = 0;
    ROLLED for (; i + 4 <= count; i += 4) {
        float4 sum = batch_fold(load16(i, sums), load16(i + 1, sums), load16(i + 2, sums), load16(i + 3, sums));
        vstore4(accumulate ? vload4(0, to + i) + sum : sum, 0, to + i);
    }
    ROLLED for (; i < count; i++) {
        float sum = batch_fold(load16(i, sums), 0.0f, 0.0f, 0.0f).x;
        to[i] = accumulate ? to[i] + sum : sum;
    }
}

/* Part p of the sums, [O][C][kh][kw] and behind them [O] of dy alone, at partial + p * part_floats; the only part goes
   to the gradients instead. x: part, y: group, z: outputs_per_task outputs, and of those taps_per_task taps. bias_way: 0
   not at all, 1 =, 2 += . */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
conv2d_batch_weight(__global const float *restrict x_all, ulong x_at, __global const float *restrict dy_all,
                    ulong dy_at, __global float *restrict partial, ulong partial_at, __global float *restrict dweight,
                    ulong dweight_at, __global float *restrict dbias, ulong dbias_at, int height, int width,
                    int out_height, int out_width, int channels, int outputs, int groups, int kernel_height,
                    int kernel_width, int stride_y, int stride_x, int dilation_y, int dilation_x, int top, int left,
                    int chunks, int chunks_per_part, int row_chunks, int rows_per_chunk, int outputs_per_task,
                    int taps_per_task, int part_floats, __local float *copies, __local float *sums, int accumulate,
                    int bias_way)
{
    int part = (int)get_global_id(0), group = (int)get_global_id(1), area = kernel_height * kernel_width;
    int all_taps = channels * area, tap_tasks = max((all_taps + taps_per_task - 1) / taps_per_task, 1);
    int task = (int)get_global_id(2) / tap_tasks;
    int first_tap = ((int)get_global_id(2) - task * tap_tasks) * taps_per_task;
    int o = task * outputs_per_task, last_output = min(o + outputs_per_task, outputs);
    int depth = min(taps_per_task, all_taps - first_tap), size = height * width * LANES;
    int dy_plane = out_height * out_width * LANES;
    int columns = (out_width - 1) * stride_x + (kernel_width - 1) * dilation_x + 1;
    bool with_bias = first_tap == 0;
    __local float *bias = sums + (last_output - o) * depth * LANES;
    int first = part * chunks_per_part, last = min(first + chunks_per_part, chunks);
    ROLLED for (int chunk = first; chunk < last; chunk++) {
        int block = chunk / row_chunks, first_row = (chunk - block * row_chunks) * rows_per_chunk;
        int rows = min(rows_per_chunk, out_height - first_row);
        int window_rows = (rows - 1) * stride_y + (kernel_height - 1) * dilation_y + 1;
        int plane_floats = window_rows * columns * LANES;
        batch_chunk job = {rows,  out_width,    dy_plane, stride_y * columns * LANES, stride_x * LANES,
                           depth, chunk > first};
        __global const float *x = x_all + x_at + ((ulong)block * groups + group) * channels * size;
        __global const float *dy = dy_all + dy_at + ((ulong)block * groups + group) * outputs * dy_plane +
                                   (ulong)first_row * out_width * LANES;
        ROLLED for (int c = 0; c < channels; c++)
            batch_weight_copy(x + (ulong)c * size, height, width, first_row * stride_y - top, -left, window_rows, columns,
                       copies + c * plane_floats);
        ROLLED for (int k0 = o, k; k0 < last_output; k0 += k) {
            int c = first_tap / area, u = (first_tap - c * area) / kernel_width;
            int v = first_tap - c * area - u * kernel_width, left_over = last_output - k0;
            k = left_over >= 6 ? 6 : left_over >= 4 ? 4 : left_over >= 2 ? 2 : 1;
            ROLLED for (int q = 0; q < depth; q += TILE_TAPS) {
                batch_taps taps;
                taps.count = depth - q;
                for (int t = 0; t < TILE_TAPS; t++) {
                    taps.at[t] = c * plane_floats + (u * dilation_y * columns + v * dilation_x) * LANES;
                    if (q + t + 1 < depth && ++v == kernel_width) {
                        v = 0;
                        if (++u == kernel_height) {
                            u = 0;
                            c++;
                        }
                    }
                }
                batch_weight(k, &job, &taps, dy + (ulong)k0 * dy_plane, copies,
                             sums + ((k0 - o) * depth + q) * LANES);
            }
            ROLLED for (int i = k0; i < k0 + k && with_bias; i++) {
                float16 even = job.load ? load16(i - o, bias) : (float16)0.0f, odd = 0.0f;
                __global const float *g = dy + (ulong)i * dy_plane;
                int p = 0;
                ROLLED for (; p + 2 <= rows * out_width; p += 2) {
                    even += load16(p, g);
                    odd += load16(p + 1, g);
                }
                if (p < rows * out_width)
                    even += load16(p, g);
                store16(even + odd, i - o, bias);
            }
        }
    }
    bool only = chunks_per_part >= chunks;
    partial += partial_at + (ulong)part * part_floats;
    dweight = only ? dweight + dweight_at : partial;
    dbias = only ? dbias + dbias_at : partial + (ulong)groups * outputs * all_taps;
    ROLLED for (int i = o; i < last_output && depth > 0; i++)
        batch_fold_all(sums + (i - o) * depth * LANES, depth, only && accumulate,
                       dweight + (ulong)(group * outputs + i) * all_taps + first_tap);
    if (with_bias && (bias_way || !only))
        batch_fold_all(bias, last_output - o, only && bias_way == 2, dbias + group * outputs + o);
}

/* dweight (+)= the sum of the parts, in their order, and dbias behind the weights; bias_way: 0 not at all, 1 =, 2 +=.
   x: run of elements. */
__kernel void conv2d_batch_weight_sum(__global const float *restrict partial, ulong partial_at,
                                      __global float *restrict dweight, ulong dweight_at,
                                      __global float *restrict dbias, ulong dbias_at, int weights, int part_floats,
                                      int parts, int run, int accumulate, int bias_way)
{
    int first = (int)get_global_id(0) * run, last = min(first + run, bias_way ? part_floats : weights);
    partial += partial_at;
    ROLLED for (int i = first; i < last; i++) {
        bool is_bias = i >= weights;
        __global float *to = is_bias ? dbias + dbias_at + i - weights : dweight + dweight_at + i;
        float sum = 0.0f;
        ROLLED for (int p = 0; p < parts; p++)
            sum += partial[(ulong)p * part_floats + i];
        *to = (is_bias ? bias_way == 2 : accumulate) ? *to + sum : sum;
    }
}
