/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Depthwise convolution (as many groups as channels, one output each) in nchw16c, for processors. x [N][CB][H][W][16],
 * y [N][CB][OH][OW][16], weights [CB][kh][kw][16].
 *
 * Forward, and backward with respect to the input, which is the same with other taps (channels_window.clh): a work-item
 * (a group of its own) has some rows of some planes. It copies what they need into local memory, with the padding, so
 * that tiles know no borders, and goes along the runs of pixels:
 *
 *       weights[tap]:       | 16 channels |
 *       x[pixel 0 + tap]  x |   sum[0]    |
 *       x[pixel 1 + tap]  x |   sum[1]    |     14, 8, 4 or 1 pixels; over the taps
 *            :              |      :      |
 *
 * The weight's gradient: a work-item sums up one block of channels over some chunks of rows, which it copies likewise:
 *
 *       dy[pixel]:                | 16 channels |
 *       x[pixel + tap 0]        x |   sum[0]    |
 *       x[pixel + tap 1]        x |   sum[1]    |     3 taps by 4 pixels at a time, over the pixels of a chunk
 *       x[pixel + tap 2]        x |   sum[2]    |
 *
 * Long rows are read where they lie (direct): taps outside are left out row by row, and columns at the edges, where
 * taps of a row are missing, are made apart, 4 rows at a time.
 *
 * Tunables: TILE_ROWS pixels of a tile at most (default 14; 6 for 16 registers of 8 floats); rows of a task and planes
 * of a task are arguments.
 */
#include "channels_window.clh"
#include "loops.clh"
#include "vectors.clh"

#ifndef TILE_ROWS
#define TILE_ROWS 14
#endif
#if TILE_ROWS == 14
#define ROWS_2 8
#define ROWS_3 4
#else
#define ROWS_2 4
#define ROWS_3 2
#endif

/* What a tile needs to know besides its place; tap: where it finds its inputs, and its weights. */
typedef struct depthwise_job {
    int taps, out_pixel, accumulate;
    float low, high;
    float16 bias;
} depthwise_job;

/* R pixels, the first `skip` of which are stored by someone else. */
#define TILE(R)                                                                                                        \
    void depthwise_tile_##R(const depthwise_job *job, __local const float *restrict a,                                 \
                            __global const float *restrict weight, const int2 *tap, int skip,                          \
                            __global float *restrict out)                                                              \
    {                                                                                                                  \
        float16 sum[R];                                                                                                \
        UNROLL for (int r = 0; r < R; r++) sum[r] = job->bias;                                                         \
        for (int i = 0; i < job->taps; i++) {                                                                          \
            __local const float *x = a + tap[i].x;                                                                     \
            float16 w = load16(0, weight + tap[i].y);                                                                  \
            UNROLL for (int r = 0; r < R; r++) sum[r] += w * load16(r, x);                                             \
        }                                                                                                              \
        UNROLL for (int r = 0; r < R; r++)                                                                             \
        {                                                                                                              \
            if (r >= skip) {                                                                                           \
                __global float *to = out + r * job->out_pixel;                                                         \
                float16 v = job->accumulate ? sum[r] + load16(0, to) : sum[r];                                         \
                v = select(v, (float16)job->low, v < job->low);                                                        \
                store16(select(v, (float16)job->high, v > job->high), 0, to);                                          \
            }                                                                                                          \
        }                                                                                                              \
    }

#define EACH_TILE(X, R) X(R)
EACH_TILE(TILE, 1)
EACH_TILE(TILE, ROWS_3)
EACH_TILE(TILE, ROWS_2)
EACH_TILE(TILE, TILE_ROWS)

#define CALL(R) depthwise_tile_##R(job, a, weight, tap, skip, out)

/* A run of pixels. The last tile begins before what is left where that is less. */
void depthwise_run(const depthwise_job *job, int pixels, __local const float *restrict a,
                   __global const float *restrict weight, const int2 *tap, __global float *restrict out)
{
    int step = job->out_pixel;
    for (int done = 0, rows; done < pixels; done += rows) {
        int left = pixels - done;
        rows = pixels >= TILE_ROWS && left > ROWS_2 ? TILE_ROWS
               : pixels >= ROWS_2 && left > ROWS_3  ? ROWS_2
               : pixels >= ROWS_3                   ? ROWS_3
                                                    : 1;
        int skip = max(rows - left, 0);
        a -= skip * LANES;
        out -= skip * step;
        if (rows == TILE_ROWS)
            EACH_TILE(CALL, TILE_ROWS);
        else if (rows == ROWS_2)
            EACH_TILE(CALL, ROWS_2);
        else if (rows == ROWS_3)
            EACH_TILE(CALL, ROWS_3);
        else
            EACH_TILE(CALL, 1);
        a += rows * LANES;
        out += rows * step;
    }
}

/* R pixels S apart in `in`, as it lies; tap: of the rows that are there. */
#define LINE(R, S)                                                                                                     \
    void depthwise_line_##R##_##S(const depthwise_job *job, int taps, __global const float *restrict a,                \
                                  __global const float *restrict weight, const int2 *tap, int skip,                    \
                                  __global float *restrict out)                                                        \
    {                                                                                                                  \
        float16 sum[R];                                                                                                \
        UNROLL for (int r = 0; r < R; r++) sum[r] = job->bias;                                                         \
        for (int i = 0; i < taps; i++) {                                                                               \
            __global const float *x = a + tap[i].x;                                                                    \
            float16 w = load16(0, weight + tap[i].y);                                                                  \
            UNROLL for (int r = 0; r < R; r++) sum[r] += w * load16(r * S, x);                                         \
        }                                                                                                              \
        UNROLL for (int r = 0; r < R; r++)                                                                             \
        {                                                                                                              \
            if (r >= skip)                                                                                             \
                depthwise_store(job, sum[r], out + r * job->out_pixel);                                                \
        }                                                                                                              \
    }

/* R pixels of a column. */
#define EDGE(R)                                                                                                        \
    void depthwise_edge_##R(const depthwise_job *job, int taps, __global const float *restrict a, int a_step,          \
                            __global const float *restrict weight, const int2 *tap, __global float *restrict out,      \
                            int out_step)                                                                              \
    {                                                                                                                  \
        float16 sum[R];                                                                                                \
        UNROLL for (int r = 0; r < R; r++) sum[r] = job->bias;                                                         \
        for (int i = 0; i < taps; i++) {                                                                               \
            float16 w = load16(0, weight + tap[i].y);                                                                  \
            UNROLL for (int r = 0; r < R; r++) sum[r] += w * load16(0, a + tap[i].x + r * a_step);                     \
        }                                                                                                              \
        UNROLL for (int r = 0; r < R; r++) depthwise_store(job, sum[r], out + r * out_step);                           \
    }

void depthwise_store(const depthwise_job *job, float16 v, __global float *to)
{
    v = job->accumulate ? v + load16(0, to) : v;
    v = select(v, (float16)job->low, v < job->low);
    store16(select(v, (float16)job->high, v > job->high), 0, to);
}

#define EACH_LINE(X, R, S) X(R, S)
EACH_LINE(LINE, TILE_ROWS, 1)
EACH_LINE(LINE, TILE_ROWS, 2)
EDGE(1)
EDGE(4)

#define LINE_CALL(R, S) depthwise_line_##R##_##S(job, taps, a + begin * S * LANES, weight, tap, done - begin, to)

/* A run of TILE_ROWS pixels at least, stride 1 or 2. */
void depthwise_lines(const depthwise_job *job, int taps, int stride, int pixels, __global const float *restrict a,
                     __global const float *restrict weight, const int2 *tap, __global float *restrict out)
{
    for (int done = 0; done < pixels; done += TILE_ROWS) {
        int begin = min(done, pixels - TILE_ROWS);
        __global float *to = out + begin * job->out_pixel;
        if (stride == 1)
            EACH_LINE(LINE_CALL, TILE_ROWS, 1);
        else
            EACH_LINE(LINE_CALL, TILE_ROWS, 2);
    }
}

/* The outputs of an axis, from .x to before .y, all of whose taps lie inside; none where they are fewer than least. */
int2 depthwise_inside(channels_axis axis, int size, int least)
{
    int2 inside = (int2)(0, axis.outputs);
    for (int i = 0; i < axis.count; i++) {
        int at = axis.low + axis.start + i * axis.pitch;
        inside.x = at < 0 ? max(inside.x, (axis.stride - 1 - at) / axis.stride) : inside.x;
        inside.y = size > at ? min(inside.y, (size - at + axis.stride - 1) / axis.stride) : 0;
    }
    return inside.y - inside.x < least ? (int2)(axis.outputs, axis.outputs) : inside;
}

/* The taps of output i, from .x to before .y, that lie inside. */
int2 depthwise_taps(channels_axis axis, int size, int i)
{
    int2 taps = (int2)(axis.count, 0);
    for (int t = 0; t < axis.count; t++) {
        int at = i * axis.stride + axis.low + axis.start + t * axis.pitch;
        if (at >= 0 && at < size)
            taps = (int2)(min(taps.x, t), t + 1);
    }
    return taps.x < taps.y ? taps : (int2)(0, 0);
}

/* Column j of rows first_row.. */
APART void depthwise_column(const depthwise_job *job, channels_axis y, channels_axis x, int height, int width,
                            int kernel_width, int j, int first_row, int rows, __global const float *restrict plane,
                            __global const float *restrict weight, __global float *restrict out, int out_row)
{
    int2 columns = depthwise_taps(x, width, j), tap[MOST_TAPS], inside = depthwise_inside(y, height, 1);
    int taps = 0, each = columns.y - columns.x, step = y.stride * width * LANES;
    for (int m = 0; m < y.count; m++)
        for (int n = columns.x; n < columns.y; n++)
            tap[taps++] = (int2)(((y.start + m * y.pitch) * width + x.start + n * x.pitch) * LANES,
                                 ((y.first + m * y.step) * kernel_width + x.first + n * x.step) * LANES);
    plane += ((long)(first_row * y.stride + y.low) * width + j * x.stride + x.low) * LANES;
    for (int i = 0; i < rows;) {
        int row = first_row + i;
        if (row >= inside.x && row + 4 <= inside.y && i + 4 <= rows) {
            depthwise_edge_4(job, taps, plane + (long)i * step, step, weight, tap, out + (long)i * out_row, out_row);
            i += 4;
        } else {
            int2 lines = depthwise_taps(y, height, row);
            depthwise_edge_1(job, (lines.y - lines.x) * each, plane + (long)i * step, step, weight,
                             tap + lines.x * each, out + (long)i * out_row, out_row);
            i++;
        }
    }
}

/* Rows first_row.. of a plane, read as it lies; tap: all of them, relative to (low, low). */
void depthwise_plane(const depthwise_job *job, channels_axis y, channels_axis x, int height, int width,
                     int kernel_width, int first_row, int rows, __global const float *restrict plane,
                     __global const float *restrict weight, const int2 *tap, __global float *restrict out, int out_row)
{
    int2 inside = depthwise_inside(x, width, TILE_ROWS);
    __global const float *from =
        plane + ((long)(first_row * y.stride + y.low) * width + inside.x * x.stride + x.low) * LANES;
    for (int i = 0; i < rows && inside.x < inside.y; i++) {
        int2 lines = depthwise_taps(y, height, first_row + i);
        depthwise_lines(job, (lines.y - lines.x) * x.count, x.stride, inside.y - inside.x,
                        from + (long)i * y.stride * width * LANES, weight, tap + lines.x * x.count,
                        out + (long)i * out_row + inside.x * job->out_pixel);
    }
    for (int j = 0; j < x.outputs; j++)
        if (j < inside.x || j >= inside.y)
            depthwise_column(job, y, x, height, width, kernel_width, j, first_row, rows, plane, weight,
                             out + j * job->out_pixel, out_row);
}

/* x: rows of a phase, y: some planes (planes_per_task; of item and block), z: phase. in_.. and out_.. are of what this
   direction reads and writes. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
conv2d_depthwise(__global const float *restrict in, ulong in_at, __global const float *restrict weight, ulong weight_at,
                 __global const float *restrict bias, ulong bias_at, __global float *restrict out, ulong out_at,
                 int backward, int in_height, int in_width, int out_height, int out_width, int channels, int planes,
                 int kernel_height, int kernel_width, int stride_y, int stride_x, int dilation_y, int dilation_x,
                 int top, int left, int rows_per_task, int planes_per_task, int spread, int direct,
                 __local float *copies, int has_bias, float low, float high, int accumulate)
{
    int phase_columns = backward ? stride_x : 1, phase = (int)get_global_id(2);
    int i0 = phase / phase_columns, j0 = phase - i0 * phase_columns, taps = 0;
    int blocks = (channels + LANES - 1) / LANES, first_row = (int)get_global_id(0) * rows_per_task;
    channels_axis y = channels_forward_axis(out_height, kernel_height, stride_y, dilation_y, top);
    channels_axis x = channels_forward_axis(out_width, kernel_width, stride_x, dilation_x, left);
    if (backward) {
        y = channels_backward_axis(out_height, kernel_height, stride_y, dilation_y, top, i0);
        x = channels_backward_axis(out_width, kernel_width, stride_x, dilation_x, left, j0);
    }
    int rows = min(rows_per_task, y.outputs - first_row);
    int out_row = (backward ? stride_y : 1) * out_width * LANES;
    if (rows <= 0 || x.outputs <= 0)
        return;
    channels_window window = channels_window_of(y, x, rows, spread);
    int2 tap[MOST_TAPS];
    for (int m = 0; m < y.count; m++)
        for (int n = 0; n < x.count; n++)
            tap[taps++] = (int2)(direct ? ((y.start + m * y.pitch) * in_width + x.start + n * x.pitch) * LANES
                                        : channels_window_place(window, y, x, m, n),
                                 ((y.first + m * y.step) * kernel_width + x.first + n * x.step) * LANES);
    bool joined = phase_columns == 1 && out_row == out_width * LANES && window.columns == out_width;
    depthwise_job job = {taps, phase_columns * LANES, accumulate, low, high, 0.0f};
    int first = (int)get_global_id(1) * planes_per_task, last = min(first + planes_per_task, planes);
    out += out_at + ((ulong)(first_row * (backward ? stride_y : 1) + i0) * out_width + j0) * LANES;
    for (int plane = first; plane < last; plane++) {
        int block = plane % blocks;
        float lane[LANES];
        for (int l = 0; l < LANES; l++)
            lane[l] = has_bias && block * LANES + l < channels ? bias[bias_at + block * LANES + l] : 0.0f;
        job.bias = load16(0, lane);
        if (direct) {
            depthwise_plane(&job, y, x, in_height, in_width, kernel_width, first_row, rows,
                            in + in_at + (ulong)plane * in_height * in_width * LANES,
                            weight + weight_at + (ulong)block * kernel_height * kernel_width * LANES, tap,
                            out + (ulong)plane * out_height * out_width * LANES, out_row);
            continue;
        }
        if (taps > 0)
            channels_copy(in + in_at + (ulong)plane * in_height * in_width * LANES, in_height, in_width, window, y, x,
                          first_row, copies);
        for (int i = 0; i < (joined ? 1 : rows); i++)
            depthwise_run(&job, joined ? rows * out_width : x.outputs, copies + i * window.columns * LANES,
                          weight + weight_at + (ulong)block * kernel_height * kernel_width * LANES, tap,
                          out + (ulong)plane * out_height * out_width * LANES + (ulong)i * out_row);
    }
}

/* Taps at x + tap[0], tap[1], ..., for runs of pixels: sums (load: +)= . */
#define SUMS(T, S, SPACE)                                                                                              \
    void depthwise_sums_##T##S##SPACE(__global const float *restrict dy, SPACE const float *restrict x,                \
                                      const int *tap, int runs, int run, int dy_step, int x_step,                      \
                                      __global float *restrict sums, int load)                                         \
    {                                                                                                                  \
        float16 sum[T][4];                                                                                             \
        SPACE const float *from[T];                                                                                    \
        UNROLL for (int t = 0; t < T; t++)                                                                             \
        {                                                                                                              \
            from[t] = x + tap[t];                                                                                      \
            sum[t][0] = load ? load16(t, sums) : (float16)0.0f;                                                        \
            sum[t][1] = sum[t][2] = sum[t][3] = 0.0f;                                                                  \
        }                                                                                                              \
        for (; runs > 0; runs--) {                                                                                     \
            int p = 0;                                                                                                 \
            for (; p + 4 <= run; p += 4) {                                                                             \
                float16 g0 = load16(p, dy), g1 = load16(p + 1, dy), g2 = load16(p + 2, dy), g3 = load16(p + 3, dy);    \
                UNROLL for (int t = 0; t < T; t++)                                                                     \
                {                                                                                                      \
                    sum[t][0] += g0 * load16(p * S, from[t]);                                                          \
                    sum[t][1] += g1 * load16((p + 1) * S, from[t]);                                                    \
                    sum[t][2] += g2 * load16((p + 2) * S, from[t]);                                                    \
                    sum[t][3] += g3 * load16((p + 3) * S, from[t]);                                                    \
                }                                                                                                      \
            }                                                                                                          \
            for (; p < run; p++) {                                                                                     \
                UNROLL for (int t = 0; t < T; t++) sum[t][0] += load16(p, dy) * load16(p * S, from[t]);                \
            }                                                                                                          \
            dy += dy_step;                                                                                             \
            UNROLL for (int t = 0; t < T; t++) from[t] += x_step;                                                      \
        }                                                                                                              \
        UNROLL for (int t = 0; t < T; t++) store16((sum[t][0] + sum[t][1]) + (sum[t][2] + sum[t][3]), t, sums);        \
    }

SUMS(1, 1, __local)
SUMS(3, 1, __local)
SUMS(3, 1, __global)
SUMS(3, 2, __global)

/* The products of a column of runs pixels. */
APART float16 depthwise_column_sum(__global const float *restrict dy, __global const float *restrict x, int runs,
                                   int dy_step, int x_step)
{
    float16 even = 0.0f, odd = 0.0f;
    int i = 0;
    for (; i + 2 <= runs; i += 2, dy += 2 * dy_step, x += 2 * x_step) {
        even += load16(0, dy) * load16(0, x);
        odd += load16(0, dy + dy_step) * load16(0, x + x_step);
    }
    return i < runs ? even + odd + load16(0, dy) * load16(0, x) : even + odd;
}

/* A chunk of rows, x as it lies, stride 1 or 2: sums [taps][16] (load: +)= . */
void depthwise_weight_plane(channels_axis y, channels_axis x, int height, int width, int out_width, int first_row,
                            int rows, __global const float *restrict plane, __global const float *restrict dy,
                            __global float *restrict sums, int load)
{
    int2 inside = depthwise_inside(x, width, 1);
    int dy_step = out_width * LANES, x_step = y.stride * width * LANES;
    for (int m = 0; m < y.count; m++) {
        int row = first_row * y.stride + y.low + m * y.pitch, before = row < 0 ? (y.stride - 1 - row) / y.stride : 0;
        int runs = (height > row ? min(rows, (height - row + y.stride - 1) / y.stride) : 0) - before;
        runs = max(runs, 0);
        __global const float *line = plane + ((long)(row + before * y.stride) * width + x.low) * LANES;
        __global const float *gradient = dy + before * dy_step;
        for (int n = 0, taken; n < x.count; n += taken, sums += taken * LANES) {
            int tap[3] = {n * x.pitch * LANES, (n + 1) * x.pitch * LANES, (n + 2) * x.pitch * LANES};
            __global const float *from = line + inside.x * x.stride * LANES, *to = gradient + inside.x * LANES;
            int run = inside.y - inside.x;
            taken = n + 3 <= x.count ? 3 : 1;
            if (taken == 3 && x.stride == 1) {
                depthwise_sums_31__global(to, from, tap, runs, run, dy_step, x_step, sums, load);
            } else if (taken == 3) {
                depthwise_sums_32__global(to, from, tap, runs, run, dy_step, x_step, sums, load);
            } else {
                float16 sum = load ? load16(0, sums) : (float16)0.0f;
                for (int i = 0; i < runs; i++)
                    sum += depthwise_column_sum(to + i * dy_step, from + i * x_step + tap[0], run, LANES,
                                                x.stride * LANES);
                store16(sum, 0, sums);
            }
        }
        sums -= x.count * LANES;
        for (int j = 0; j < x.outputs; j++) {
            int2 taps = j < inside.x || j >= inside.y ? depthwise_taps(x, width, j) : (int2)(0, 0);
            for (int n = taps.x; n < taps.y; n++)
                store16(load16(n, sums) + depthwise_column_sum(gradient + j * LANES,
                                                               line + (j * x.stride + n * x.pitch) * LANES, runs,
                                                               dy_step, x_step),
                        n, sums);
        }
        sums += x.count * LANES;
    }
}

/* sums (load: +)= count vectors. */
APART void depthwise_bias_sum(__global const float *restrict dy, int count, __global float *restrict sums, int load)
{
    float16 sum[4] = {load ? load16(0, sums) : (float16)0.0f, 0.0f, 0.0f, 0.0f};
    int p = 0;
    for (; p + 4 <= count; p += 4) {
        UNROLL for (int t = 0; t < 4; t++) sum[t] += load16(p + t, dy);
    }
    for (; p < count; p++)
        sum[0] += load16(p, dy);
    store16((sum[0] + sum[1]) + (sum[2] + sum[3]), 0, sums);
}

/* Part p of the sums, [CB][taps and the bias][16], at partial + p * all of them. x: part (chunks_per_part chunks of
   some rows of an image), y: block. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
conv2d_depthwise_weight(__global const float *restrict x_all, ulong x_at, __global const float *restrict dy,
                        ulong dy_at, __global float *restrict partial, ulong partial_at, int height, int width,
                        int out_height, int out_width, int kernel_height, int kernel_width, int stride_y, int stride_x,
                        int dilation_y, int dilation_x, int top, int left, int chunks, int chunks_per_part,
                        int row_chunks, int rows_per_chunk, int spread, int direct, int with_bias,
                        __local float *copies)
{
    int part = (int)get_global_id(0), block = (int)get_global_id(1), blocks = (int)get_global_size(1);
    int taps = kernel_height * kernel_width, first = part * chunks_per_part;
    channels_axis y = channels_forward_axis(out_height, kernel_height, stride_y, dilation_y, top);
    channels_axis x = channels_forward_axis(out_width, kernel_width, stride_x, dilation_x, left);
    int tap[MOST_TAPS];
    partial += partial_at + ((ulong)part * blocks + block) * (taps + 1) * LANES;
    for (int chunk = first; chunk < min(first + chunks_per_part, chunks); chunk++) {
        int item = chunk / row_chunks, first_row = (chunk - item * row_chunks) * rows_per_chunk;
        int rows = min(rows_per_chunk, out_height - first_row), load = chunk > first;
        channels_window window = channels_window_of(y, x, rows, spread);
        bool joined = window.columns == out_width;
        int runs = joined ? 1 : rows, run = joined ? rows * out_width : out_width, step = window.columns * LANES;
        ulong plane = (ulong)item * blocks + block;
        __global const float *gradient = dy + dy_at + (plane * out_height + first_row) * out_width * LANES;
        if (with_bias)
            depthwise_bias_sum(gradient, rows * out_width, partial + taps * LANES, load);
        if (direct) {
            depthwise_weight_plane(y, x, height, width, out_width, first_row, rows,
                                   x_all + x_at + plane * height * width * LANES, gradient, partial, load);
            continue;
        }
        for (int t = 0; t < taps; t++)
            tap[t] = channels_window_place(window, y, x, t / kernel_width, t % kernel_width);
        channels_copy(x_all + x_at + plane * height * width * LANES, height, width, window, y, x, first_row, copies);
        int t = 0;
        for (; t + 3 <= taps; t += 3)
            depthwise_sums_31__local(gradient, copies, tap + t, runs, run, run * LANES, step, partial + t * LANES,
                                     load);
        for (; t < taps; t++)
            depthwise_sums_11__local(gradient, copies, tap + t, runs, run, run * LANES, step, partial + t * LANES,
                                     load);
    }
}

/* dweight [C][taps] (+)= the sum of the parts, in their order, and dbias [C]; bias_way: 0 not at all, 1 =, 2 +=. x:
   tap, and behind them the bias; y: block. */
__kernel void conv2d_depthwise_weight_sum(__global const float *restrict partial, ulong partial_at,
                                          __global float *restrict dweight, ulong dweight_at,
                                          __global float *restrict dbias, ulong dbias_at, int channels, int taps,
                                          int parts, int accumulate, int bias_way)
{
    int t = (int)get_global_id(0), block = (int)get_global_id(1), blocks = (channels + LANES - 1) / LANES;
    if (t >= taps + (bias_way != 0))
        return;
    float lane[LANES];
    float16 sum = 0.0f;
    for (int p = 0; p < parts; p++)
        sum += load16(0, partial + partial_at + (((ulong)p * blocks + block) * (taps + 1) + t) * LANES);
    store16(sum, 0, lane);
    int step = t < taps ? taps : 1;
    dweight += dweight_at + (ulong)block * LANES * taps + t;
    if (t == taps) {
        dweight = dbias + dbias_at + block * LANES;
        accumulate = bias_way == 2;
    }
    for (int l = 0; l < min(LANES, channels - block * LANES); l++)
        dweight[l * step] = accumulate ? dweight[l * step] + lane[l] : lane[l];
}
