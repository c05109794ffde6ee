/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The weight's gradient for processors, in nchw16c. For a pair of blocks (16 outputs, 16 inputs) and a tap it is a 16 x
 * 16 product with the pixels as its depth: dweight[o][c] = sum over pixels of dy[p][o] x[p + tap][c]. x
 * [N][CB][H][W][16], dy [N][OB][OH][OW][16], CB and OB blocks of 16 channels a group.
 *
 * A work-item (a group of its own) has TILE_COLUMNS blocks of inputs and some blocks of outputs, and goes through its
 * part of the batch in chunks of some output rows of an image, for which it copies the inputs into local memory
 * (channels_window.clh). The sums of a pair and tap go through the registers chunk by chunk:
 *
 *              x[p + tap]:   | 16 inputs | 16 inputs |     TILE_COLUMNS blocks: 2, or 1
 *       output 0 of dy[p]  x | sum[0][0]   sum[0][1] |
 *       output 1           x | sum[1][0]   sum[1][1] |     8 outputs, 16 where it is one block
 *            :               |     :           :     |     over the pixels p of the chunk
 *
 * Tunables: TILE_COLUMNS (default 2, for 32 registers of 16 floats; 1, with tiles of 4 outputs, for 16 of 8);
 * rows_per_chunk, out_set and chunks_per_part are arguments.
 */
#include "channels_window.clh"
#include "loops.clh"
#include "vectors.clh"

#ifndef TILE_COLUMNS
#define TILE_COLUMNS 2
#endif
#define PAIR (LANES * LANES)

/* runs of `run` pixels; sums of T blocks of inputs lie sums_t apart, and begin with what is there where load says so.
 */
#define WEIGHT_TILE(R, T)                                                                                              \
    void channels_weight_##R##_##T(__global const float *restrict dy, __local const float *restrict x, int x_t,        \
                                   int runs, int run, int dy_step, int x_step, __global float *restrict sums,          \
                                   int sums_t, int load)                                                               \
    {                                                                                                                  \
        float16 sum[R][T];                                                                                             \
        UNROLL for (int r = 0; r < R; r++)                                                                             \
        {                                                                                                              \
            UNROLL for (int t = 0; t < T; t++) sum[r][t] = load ? load16(r, sums + t * sums_t) : (float16)0.0f;        \
        }                                                                                                              \
        for (; runs > 0; runs--, dy += dy_step, x += x_step) {                                                         \
            __global const float *a = dy;                                                                              \
            __local const float *v = x;                                                                                \
            for (int p = run; p > 0; p--, a += LANES, v += LANES) {                                                    \
                float16 b[T];                                                                                          \
                UNROLL for (int t = 0; t < T; t++) b[t] = load16(0, v + t * x_t);                                      \
                UNROLL for (int r = 0; r < R; r++)                                                                     \
                {                                                                                                      \
                    UNROLL for (int t = 0; t < T; t++) sum[r][t] += a[r] * b[t];                                       \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
        UNROLL for (int r = 0; r < R; r++)                                                                             \
        {                                                                                                              \
            UNROLL for (int t = 0; t < T; t++) store16(sum[r][t], r, sums + t * sums_t);                               \
        }                                                                                                              \
    }

#if TILE_COLUMNS == 2
WEIGHT_TILE(8, 2)
WEIGHT_TILE(16, 1)
#else
WEIGHT_TILE(4, 1)
#endif

/* All taps of one block of outputs and T of inputs, in tiles of R outputs. */
#define EACH_TAP(R, T)                                                                                                 \
    for (int m = 0, i = 0; m < kernel_height; m++)                                                                     \
        for (int n = 0; n < kernel_width; n++, i++) {                                                                  \
            __local const float *from = copies + channels_window_place(window, y, x, m, n);                            \
            for (int r = 0; r < LANES; r += R)                                                                         \
                channels_weight_##R##_##T(gradient + r, from, plane_floats, runs, run, run * LANES, x_step,            \
                                          sums + i * PAIR + r * LANES, sums_t, load);                                  \
        }

/* Of `count` pixels. */
float16 channels_sum(__global const float *restrict from, int count)
{
    float16 even = 0.0f, odd = 0.0f;
    int i = 0;
    for (; i + 2 <= count; i += 2) {
        even += load16(i, from);
        odd += load16(i + 1, from);
    }
    return i < count ? even + odd + load16(i, from) : even + odd;
}

/* Part p of the sums, [OB][CB][kh][kw][16 o][16 c] and, behind those of all groups, [OB][16 o] of dy alone, at
   partial + p * part_floats. Items of dy lie dy_item floats apart. x: part, y: group and blocks
   of inputs, z: blocks of outputs. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
conv2d_channels_weight(__global const float *restrict x_all, ulong x_at, __global const float *restrict dy, ulong dy_at,
                       __global float *restrict partial, ulong partial_at, int height, int width, int out_height,
                       int out_width, int in_blocks, int out_blocks, int groups, int kernel_height, int kernel_width,
                       int stride_y, int stride_x, int dilation_y, int dilation_x, int top, int left, int chunks,
                       int chunks_per_part, int row_chunks, int rows_per_chunk, int out_set, int part_floats,
                       int spread, int dy_item, __local float *copies)
{
    int pairs = (in_blocks + TILE_COLUMNS - 1) / TILE_COLUMNS, area = kernel_height * kernel_width;
    int part = (int)get_global_id(0), group = (int)get_global_id(1) / pairs;
    int block = ((int)get_global_id(1) - group * pairs) * TILE_COLUMNS, out_first = (int)get_global_id(2) * out_set;
    int columns = min(TILE_COLUMNS, in_blocks - block), out_last = min(out_first + out_set, out_blocks);
    int size = height * width * LANES, out_size = out_height * out_width * LANES, sums_t = area * PAIR;
    channels_axis y = channels_forward_axis(out_height, kernel_height, stride_y, dilation_y, top);
    channels_axis x = channels_forward_axis(out_width, kernel_width, stride_x, dilation_x, left);
    int first = part * chunks_per_part, last = min(first + chunks_per_part, chunks);
    partial += partial_at + (ulong)part * part_floats;
    __global float *bias = partial + part_floats - (groups - group) * out_blocks * LANES;
    partial += (ulong)group * out_blocks * in_blocks * area * PAIR;
    for (int chunk = first; chunk < last; chunk++) {
        int item = chunk / row_chunks, first_row = (chunk - item * row_chunks) * rows_per_chunk;
        int rows = min(rows_per_chunk, out_height - first_row), load = chunk > first;
        channels_window window = channels_window_of(y, x, rows, spread);
        int plane_floats = channels_window_floats(window), joined = window.columns == out_width;
        int runs = joined ? 1 : rows, run = joined ? rows * out_width : out_width;
        int x_step = window.columns * LANES;
        __global const float *image = x_all + x_at + (ulong)((item * groups + group) * in_blocks + block) * size;
        __global const float *gradients = dy + dy_at + (ulong)item * dy_item + (ulong)group * out_blocks * out_size;
        for (int t = 0; t < columns; t++)
            channels_copy(image + (ulong)t * size, height, width, window, y, x, first_row, copies + t * plane_floats);
        for (int o = out_first; o < out_last; o++) {
            __global const float *gradient = gradients + (ulong)o * out_size + first_row * out_width * LANES;
            __global float *sums = partial + (ulong)(o * in_blocks + block) * sums_t;
            if (block == 0)
                store16(channels_sum(gradient, rows * out_width) + (load ? load16(o, bias) : (float16)0.0f), o, bias);
#if TILE_COLUMNS == 2
            if (columns == 2) {
                EACH_TAP(8, 2)
            } else {
                EACH_TAP(16, 1)
            }
#else
            EACH_TAP(4, 1)
#endif
        }
    }
}

/* dweight [O][C][taps] (+)= the sum of the parts, in their order, and dbias [O]; bias_way: 0 not at all, 1 =, 2 +=. A
   work-item has the 16 inputs of one output and
   block: x: output, y: block of a group's inputs. */
__kernel void conv2d_channels_weight_sum(__global const float *restrict partial, ulong partial_at,
                                         __global float *restrict dweight, ulong dweight_at,
                                         __global float *restrict dbias, ulong dbias_at, int outputs, int group_outputs,
                                         int group_inputs, int taps, int parts, int part_floats, int accumulate,
                                         int bias_way)
{
    int o = (int)get_global_id(0), block = (int)get_global_id(1);
    if (o >= outputs)
        return;
    int group = o / group_outputs, row = o - group * group_outputs;
    int in_blocks = (group_inputs + LANES - 1) / LANES, out_blocks = (group_outputs + LANES - 1) / LANES;
    int count = min(LANES, group_inputs - block * LANES), groups = outputs / group_outputs;
    if (block == 0 && bias_way != 0) {
        __global const float *from = partial + partial_at + part_floats - (groups - group) * out_blocks * LANES + row;
        float sum = 0.0f;
        for (int p = 0; p < parts; p++)
            sum += from[(ulong)p * part_floats];
        dbias[dbias_at + o] = bias_way == 2 ? dbias[dbias_at + o] + sum : sum;
    }
    partial += partial_at + ((ulong)(group * out_blocks + row / LANES) * in_blocks + block) * taps * PAIR +
               (row % LANES) * LANES;
    dweight += dweight_at + ((ulong)o * group_inputs + block * LANES) * taps;
    for (int i = 0; i < taps; i++) {
        float lanes[LANES];
        float16 sum = 0.0f;
        for (int p = 0; p < parts; p++)
            sum += load16(0, partial + (ulong)p * part_floats + i * PAIR);
        store16(sum, 0, lanes);
        for (int c = 0; c < count; c++)
            dweight[c * taps + i] = accumulate ? dweight[c * taps + i] + lanes[c] : lanes[c];
    }
}
