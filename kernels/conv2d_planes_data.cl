/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gradient of few input channels, which lie in NCHW: dx[c][p] = sum over outputs o and taps of dy[o][p + tap]
 * weight[o][c][tap] (channels_window.clh says which taps an input's phase of the stride has). dy [N][OB][OH][OW][16],
 * dx [N][C][H][W], weights [OB][C][kh][kw][16 o].
 *
 * A work-item (a group of its own) makes the input rows of some rows of dy, all phases of them. Block of outputs by
 * block it turns what it needs of dy into planes of one output each, in local memory, with zeros for the padding. There
 * a vector is 16 columns of a phase, at any place:
 *
 *                        dy[o][tap]: | 16 columns | 16 columns | 16 columns | 16 columns |    4 or 3 vectors
 *       weight of channel 0       x  | sum[0][0]    sum[0][1]    sum[0][2]    sum[0][3]  |
 *       weight of channel 1       x  | sum[1][0]    sum[1][1]    sum[1][2]    sum[1][3]  |    4, 3 or 1 channels
 *                 :                  |     :            :            :            :      |    over o and the taps
 *
 * Sums stay in local memory between blocks; at the end the phases are put in each other's gaps.
 *
 * Tunables: vectors of a tile (4 and 3 for 32 registers of 16 floats, 1 for 16 of 8); rows_per_task is an argument.
 */
#include "channels_window.clh"

/* w [planes][taps][K], sums [K][sums_k apart][16 T]. */
#define TILE(K, T)                                                                                                     \
    void planes_data_##K##_##T(__local const float *a, int planes, int plane_floats, int taps, const int *tap,         \
                               __local const float *w, __local float *sums, int sums_k, int load)                      \
    {                                                                                                                  \
        float16 sum[K][T];                                                                                             \
        UNROLL for (int k = 0; k < K; k++)                                                                             \
        {                                                                                                              \
            UNROLL for (int t = 0; t < T; t++) sum[k][t] = load ? load16(t, sums + k * sums_k) : (float16)0.0f;        \
        }                                                                                                              \
        for (int p = planes; p > 0; p--, a += plane_floats)                                                            \
            for (int i = 0; i < taps; i++, w += K) {                                                                   \
                __local const float *x = a + tap[i];                                                                   \
                float16 v[T];                                                                                          \
                UNROLL for (int t = 0; t < T; t++) v[t] = load16(t, x);                                                \
                UNROLL for (int k = 0; k < K; k++)                                                                     \
                {                                                                                                      \
                    UNROLL for (int t = 0; t < T; t++) sum[k][t] += w[k] * v[t];                                       \
                }                                                                                                      \
            }                                                                                                          \
        UNROLL for (int k = 0; k < K; k++)                                                                             \
        {                                                                                                              \
            UNROLL for (int t = 0; t < T; t++) store16(sum[k][t], t, sums + k * sums_k);                               \
        }                                                                                                              \
    }

#ifndef TILE_ROWS
#define EACH_TILE(X) X(1, 3) X(3, 3) X(4, 3) X(1, 4) X(3, 4) X(4, 4)
#else
#define EACH_TILE(X) X(1, 1) X(3, 1) X(4, 1)
#endif
EACH_TILE(TILE)

#define CASE(K, T)                                                                                                     \
    case K * 8 + T:                                                                                                    \
        planes_data_##K##_##T(a, planes, plane_floats, taps, tap, w, sums, sums_k, load);                              \
        break;

void planes_data_tile(int k, int t, __local const float *a, int planes, int plane_floats, int taps, const int *tap,
                      __local const float *w, __local float *sums, int sums_k, int load)
{
    switch (k * 8 + t) {
        EACH_TILE(CASE)
    }
}

/* Vectors that tiles make of so many columns, and those of the next tile. conv2d_planes_data.c counts them likewise. */
#ifndef TILE_ROWS
int planes_data_vectors(int columns)
{
    int count = (columns + 15) / 16;
    return count < 3 ? 3 : count == 5 ? 6 : count;
}

int planes_data_next_vectors(int left)
{
    return left % 4 == 0 ? 4 : 3;
}
#else
int planes_data_vectors(int columns)
{
    return (columns + 15) / 16;
}

int planes_data_next_vectors(int left)
{
    return 1;
}
#endif

/* Channels of the next tile. */
int planes_data_next(int channels)
{
    return channels == 3 || channels == 6 ? 3 : channels >= 4 ? 4 : 1;
}

/* Rows and columns of a block [height][width][16] from (row, column) on, as 16 planes [rows][columns], plane_floats
   apart; zeros where it has none. */
APART void planes_data_copy(__global const float *restrict block, int height, int width, int row, int column, int rows,
                            int columns, int plane_floats, __local float *restrict to)
{
    int first = min(max(-column, 0), columns), last = max(min(width - column, columns), first);
    for (int r = 0; r < rows; r++, row++, to += columns) {
        bool inside = row >= 0 && row < height;
        int from = inside ? first : columns, until = inside ? last : columns, i = from;
        for (int o = 0; o < LANES; o++) {
            for (int z = 0; z < from; z++)
                to[o * plane_floats + z] = 0.0f;
            for (int z = until; z < columns; z++)
                to[o * plane_floats + z] = 0.0f;
        }
        __global const float *line = block + ((long)row * width + column) * LANES;
        for (; i + 4 <= until; i += 4) {
            float16 p0 = load16(i, line), p1 = load16(i + 1, line), p2 = load16(i + 2, line);
            float16 p3 = load16(i + 3, line);
#define OUTPUT(o, l) vstore4((float4)(p0.s##l, p1.s##l, p2.s##l, p3.s##l), 0, to + o * plane_floats + i);
            OUTPUT(0, 0)
            OUTPUT(1, 1)
            OUTPUT(2, 2)
            OUTPUT(3, 3)
            OUTPUT(4, 4) OUTPUT(5, 5) OUTPUT(6, 6) OUTPUT(7, 7) OUTPUT(8, 8) OUTPUT(9, 9) OUTPUT(10, a) OUTPUT(11, b)
                OUTPUT(12, c) OUTPUT(13, d) OUTPUT(14, e) OUTPUT(15, f)
        }
        for (; i < until; i++)
            for (int o = 0; o < LANES; o++)
                to[o * plane_floats + i] = line[i * LANES + o];
    }
}

/* x: chunk of rows of a phase, y: item. height.. are of x. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
conv2d_planes_data(__global const float *restrict dy, ulong dy_at, __global const float *restrict weight,
                   ulong weight_at, __global float *restrict dx, ulong dx_at, int height, int width, int out_height,
                   int out_width, int channels, int outputs, int kernel_height, int kernel_width, int stride_y,
                   int stride_x, int dilation_y, int dilation_x, int top, int left, int rows_per_task,
                   __local float *copies, __local float *sums, __local float *packed, int accumulate)
{
    int item = (int)get_global_id(1), first_row = (int)get_global_id(0) * rows_per_task;
    int blocks = (outputs + LANES - 1) / LANES, area = kernel_height * kernel_width;
    int most_columns = (width + stride_x - 1) / stride_x, pitch = planes_data_vectors(most_columns) * LANES;
    int rows = min(rows_per_task, (height + stride_y - 1) / stride_y - first_row);
    if (rows <= 0)
        return;
    /* What the phases need of dy, together. */
    int low_y = INT_MAX, high_y = INT_MIN, low_x = INT_MAX, high_x = INT_MIN;
    for (int phase = 0; phase < stride_y; phase++) {
        channels_axis y = channels_backward_axis(height, kernel_height, stride_y, dilation_y, top, phase);
        low_y = y.count ? min(low_y, y.low) : low_y;
        high_y = y.count ? max(high_y, y.low + y.span) : high_y;
    }
    for (int phase = 0; phase < stride_x; phase++) {
        channels_axis x = channels_backward_axis(width, kernel_width, stride_x, dilation_x, left, phase);
        low_x = x.count ? min(low_x, x.low) : low_x;
        high_x = x.count ? max(high_x, x.low + x.span) : high_x;
    }
    int window_rows = rows - 1 + high_y - low_y, columns = pitch - 1 + high_x - low_x;
    int plane_floats = window_rows * columns, sums_k = rows * pitch;
    dy += dy_at + (ulong)item * blocks * out_height * out_width * LANES;
    dx += dx_at + (ulong)item * channels * height * width;
    weight += weight_at;
    for (int block = 0; block < blocks; block++) {
        int planes = min(LANES, outputs - block * LANES);
        planes_data_copy(dy + (ulong)block * out_height * out_width * LANES, out_height, out_width, first_row + low_y,
                         low_x, window_rows, columns, plane_floats, copies);
        for (int phase = 0; phase < stride_y * stride_x; phase++) {
            int i0 = phase / stride_x, j0 = phase - i0 * stride_x, taps = 0, tap[MOST_TAPS], index[MOST_TAPS];
            channels_axis y = channels_backward_axis(height, kernel_height, stride_y, dilation_y, top, i0);
            channels_axis x = channels_backward_axis(width, kernel_width, stride_x, dilation_x, left, j0);
            for (int m = 0; m < y.count; m++)
                for (int n = 0; n < x.count; n++) {
                    tap[taps] =
                        (y.low - low_y + y.start + m * y.pitch) * columns + x.low - low_x + x.start + n * x.pitch;
                    index[taps++] = (y.first + m * y.step) * kernel_width + x.first + n * x.step;
                }
            for (int c = 0, k; c < channels; c += k) {
                __local float *to = packed;
                k = planes_data_next(channels - c);
                for (int o = 0; o < planes; o++)
                    for (int i = 0; i < taps; i++)
                        for (int d = 0; d < k; d++)
                            *to++ = weight[(((ulong)block * channels + c + d) * area + index[i]) * LANES + o];
                for (int i = 0; i < min(rows, y.outputs - first_row); i++)
                    for (int at = 0, t, end = planes_data_vectors(x.outputs); at < end; at += t) {
                        t = planes_data_next_vectors(end - at);
                        planes_data_tile(k, t, copies + i * columns + at * LANES, planes, plane_floats, taps, tap,
                                         packed, sums + ((phase * channels + c) * rows + i) * pitch + at * LANES,
                                         sums_k, block > 0);
                    }
            }
        }
    }
    for (int phase = 0; phase < stride_y * stride_x; phase++) {
        int i0 = phase / stride_x, j0 = phase - i0 * stride_x, last = (width - j0 + stride_x - 1) / stride_x;
        for (int c = 0; c < channels; c++)
            for (int i = 0, h = first_row * stride_y + i0; i < rows && h < height; i++, h += stride_y) {
                __local const float *from = sums + ((phase * channels + c) * rows + i) * pitch;
                __global float *to = dx + ((ulong)c * height + h) * width + j0;
                for (int j = 0; j < last; j++)
                    to[j * stride_x] = accumulate ? to[j * stride_x] + from[j] : from[j];
            }
    }
}
