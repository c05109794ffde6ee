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
 * Rows of TILE_ROWS pixels or more are read where they lie (direct): rows of taps outside are left out, and the first
 * and last two pixels of a tile leave out the taps that lie outside for them. There, three taps of a row take each
 * input from one register, and the sums of 3 x 3 weights stay in registers over a whole chunk.
 *
 * Tunables: TILE_ROWS pixels of a tile at most (default 14; 6 for 16 registers of 8 floats), with it NINE_ROWS pixels
 * of dy of a tile of 3 x 3 weights (7, 4), MOST_PHASES of a stride (default 16; larger ones are refused); rows of a task
 * and planes of a task are arguments.
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
#define NINE_ROWS 7
#else
#define ROWS_2 4
#define ROWS_3 2
#define NINE_ROWS 4
#endif
#define MOST_PHASES 16

#ifdef __clang__
#define LIKELY(condition) __builtin_expect(condition, 1)
#else
#define LIKELY(condition) (condition)
#endif

/* What a tile needs to know besides its place; tap: where it finds its inputs, and its weights. */
typedef struct depthwise_job {
    int taps, out_pixel, accumulate;
    float low, high;
    float16 bias;
} depthwise_job;

float16 depthwise_clamp(float16 v, float16 low, float16 high)
{
    v = select(v, low, v < low);
    return select(v, high, v > high);
}

/* The sums of R pixels, the first `skip` of which are stored by someone else, too: where that adds to what is there,
   only by them. */
#define STORE(R)                                                                                                       \
    float16 low = job->low, high = job->high;                                                                          \
    int out_step = job->out_pixel;                                                                                     \
    if (job->accumulate) {                                                                                             \
        UNROLL for (int r = 0; r < R; r++)                                                                             \
        {                                                                                                              \
            __global float *to = out + r * out_step;                                                                   \
            if (r >= skip)                                                                                             \
                store16(depthwise_clamp(sum[r] + load16(0, to), low, high), 0, to);                                    \
        }                                                                                                              \
    } else {                                                                                                           \
        UNROLL for (int r = 0; r < R; r++) store16(depthwise_clamp(sum[r], low, high), 0, out + r * out_step);         \
    }

/* R pixels. */
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
        STORE(R)                                                                                                       \
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

/* R pixels S apart in `in`, as it lies, of rows of width; column: where the first one's would be without shift. tap and
   shift: of the rows that are there. */
#define LINE(R, S)                                                                                                     \
    void depthwise_line_##R##_##S(const depthwise_job *job, int taps, __global const float *restrict a, int column,    \
                                  int width, __global const float *restrict weight, const int2 *tap,                   \
                                  const int *shift, int skip, __global float *restrict out)                            \
    {                                                                                                                  \
        float16 sum[R];                                                                                                \
        UNROLL for (int r = 0; r < R; r++) sum[r] = job->bias;                                                         \
        for (int i = 0; i < taps; i++) {                                                                               \
            __global const float *x = a + tap[i].x;                                                                    \
            float16 w = load16(0, weight + tap[i].y);                                                                  \
            int at = column + shift[i];                                                                                \
            UNROLL for (int r = 2; r < R - 2; r++) sum[r] += w * load16(r * S, x);                                     \
            if (LIKELY(at >= 0))                                                                                       \
                sum[0] += w * load16(0, x);                                                                            \
            if (LIKELY(at + S >= 0))                                                                                   \
                sum[1] += w * load16(S, x);                                                                            \
            if (LIKELY(at + (R - 2) * S < width))                                                                      \
                sum[R - 2] += w * load16((R - 2) * S, x);                                                              \
            if (LIKELY(at + (R - 1) * S < width))                                                                      \
                sum[R - 1] += w * load16((R - 1) * S, x);                                                              \
        }                                                                                                              \
        STORE(R)                                                                                                       \
    }

/* The same for rows (lines) of three neighbouring taps, each input loaded once for all of them: in_row floats from one
   to the next, whose weights are w_row apart, and w_step from a tap to the next. */
#define THREE(R, S)                                                                                                    \
    void depthwise_three_##R##_##S(const depthwise_job *job, int lines, __global const float *restrict x, int in_row,  \
                                   int column, int width, __global const float *restrict weight, int w_row,            \
                                   int w_step, int skip, __global float *restrict out)                                 \
    {                                                                                                                  \
        float16 sum[R];                                                                                                \
        UNROLL for (int r = 0; r < R; r++) sum[r] = job->bias;                                                         \
        ROLLED for (int i = 0; i < lines; i++, x += in_row, weight += w_row) {                                         \
            float16 w[3] = {load16(0, weight), load16(0, weight + w_step), load16(0, weight + 2 * w_step)};            \
            UNROLL for (int q = 0; q < (R - 1) * S + 3; q++)                                                           \
            {                                                                                                          \
                bool is_edge = q < 2 || q > (R - 1) * S;                                                               \
                if (!is_edge || LIKELY((uint)(column + q) < (uint)width)) {                                            \
                    float16 v = load16(q, x);                                                                          \
                    UNROLL for (int t = 0; t < 3; t++) if (q >= t && (q - t) % S == 0 && (q - t) / S < R)              \
                        sum[(q - t) / S] += w[t] * v;                                                                  \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
        STORE(R)                                                                                                       \
    }

#define EACH_LINE(X, R, S) X(R, S)
EACH_LINE(LINE, TILE_ROWS, 1)
EACH_LINE(LINE, TILE_ROWS, 2)
EACH_LINE(THREE, TILE_ROWS, 1)
EACH_LINE(THREE, TILE_ROWS, 2)

#define LINE_CALL(R, S)                                                                                                \
    depthwise_line_##R##_##S(job, taps, a + begin * S * LANES, column + begin * S, width, weight, tap, shift,          \
                             done - begin, to)

/* A row of TILE_ROWS pixels at least, stride 1 or 2. */
void depthwise_lines(const depthwise_job *job, int taps, int stride, int pixels, __global const float *restrict a,
                     int column, int width, __global const float *restrict weight, const int2 *tap, const int *shift,
                     __global float *restrict out)
{
    ROLLED for (int done = 0; done < pixels; done += TILE_ROWS) {
        int begin = min(done, pixels - TILE_ROWS);
        __global float *to = out + begin * job->out_pixel;
        if (stride == 1)
            EACH_LINE(LINE_CALL, TILE_ROWS, 1);
        else
            EACH_LINE(LINE_CALL, TILE_ROWS, 2);
    }
}

/* The taps of output i, from .x to before .y, that lie inside. */
int2 depthwise_taps(channels_axis axis, int size, int i)
{
    int first = axis.count, end = 0;
    ROLLED for (int t = 0; t < axis.count; t++) {
        int at = i * axis.stride + axis.low + axis.start + t * axis.pitch;
        if (at >= 0 && at < size) {
            first = min(first, t);
            end = t + 1;
        }
    }
    return (int2)(min(first, end), end);
}

/* A phase of the stride backward, or the whole of an output: its taps follow first_tap, out_at is its first pixel. */
typedef struct depthwise_phase {
    channels_axis y, x;
    channels_window window;
    int rows, taps, first_tap, out_at;
} depthwise_phase;

#define THREE_CALL(R, S)                                                                                               \
    depthwise_three_##R##_##S(job, lines, in + begin * S * LANES, in_row, column + begin * S, width, weight, w_row,    \
                              w_step, done - begin, to)

/* Three neighbouring taps, of which at most two lie outside at either end? */
bool depthwise_is_three(channels_axis x, int width)
{
    return x.count == 3 && x.span == 3 && x.step == 1 && x.low >= -2 && (x.outputs - 1) * x.stride + x.low <= width - 1;
}

/* Rows first_row.. of a plane, three taps at a time. */
void depthwise_plane_three(const depthwise_job *job, const depthwise_phase *phase, int height, int width,
                           int kernel_width, int first_row, __global const float *restrict plane,
                           __global const float *restrict weights, __global float *restrict plane_out, int out_row)
{
    channels_axis y = phase->y, x = phase->x;
    int in_row = y.pitch * width * LANES, w_row = y.step * kernel_width * LANES, column = x.low, pixels = x.outputs;
    int w_step = x.pitch * LANES; /* from the leftmost tap on: backward, weights go the other way */
    ROLLED for (int i = 0; i < phase->rows; i++) {
        int2 taps = depthwise_taps(y, height, first_row + i);
        int lines = taps.y - taps.x, row = (first_row + i) * y.stride + y.low + y.start + taps.x * y.pitch;
        __global const float *in = plane + ((long)row * width + column) * LANES;
        __global const float *weight =
            weights + ((y.first + taps.x * y.step) * kernel_width + x.first + (x.pitch < 0 ? 2 : 0)) * LANES;
        ROLLED for (int done = 0; done < pixels; done += TILE_ROWS) {
            int begin = min(done, pixels - TILE_ROWS);
            __global float *to = plane_out + (long)i * out_row + begin * job->out_pixel;
            if (x.stride == 1)
                EACH_LINE(THREE_CALL, TILE_ROWS, 1);
            else
                EACH_LINE(THREE_CALL, TILE_ROWS, 2);
        }
    }
}

/* Rows first_row.. of a plane, read as it lies; tap and shift: all of the phase, relative to (low, low). */
void depthwise_plane(const depthwise_job *job, const depthwise_phase *phase, int height, int width, int first_row,
                     __global const float *restrict plane, __global const float *restrict weight, const int2 *tap,
                     const int *shift, __global float *restrict out, int out_row)
{
    int stride_y = phase->y.stride, columns = phase->x.count;
    __global const float *from = plane + ((long)(first_row * stride_y + phase->y.low) * width + phase->x.low) * LANES;
    ROLLED for (int i = 0; i < phase->rows; i++) {
        int2 lines = depthwise_taps(phase->y, height, first_row + i);
        depthwise_lines(job, (lines.y - lines.x) * columns, phase->x.stride, phase->x.outputs,
                        from + (long)i * stride_y * width * LANES, phase->x.low, width, weight,
                        tap + lines.x * columns, shift + lines.x * columns, out + (long)i * out_row);
    }
}

/* The same from copies, where rows may be joined to one run. */
void depthwise_copied(const depthwise_job *job, const depthwise_phase *phase, int height, int width, int first_row,
                      __global const float *restrict plane, __global const float *restrict weight, const int2 *tap,
                      __global float *restrict out, int out_row, __local float *copies)
{
    int columns = phase->window.columns;
    bool joined = columns == phase->x.outputs && out_row == columns * job->out_pixel;
    if (phase->taps > 0)
        channels_copy(plane, height, width, phase->window, phase->y, phase->x, first_row, copies);
    ROLLED for (int i = 0; i < (joined ? 1 : phase->rows); i++)
        depthwise_run(job, joined ? phase->rows * columns : phase->x.outputs, copies + i * columns * LANES, weight, tap,
                      out + (long)i * out_row);
}

/* The constants of a plan, one argument: drivers may take a while for each (PoCL, a tenth of a microsecond). */
typedef struct depthwise_sizes {
    int backward, in_height, in_width, out_height, out_width, channels, planes;
    int kernel_height, kernel_width, stride_y, stride_x, dilation_y, dilation_x, top, left;
    int rows_per_task, planes_per_task, spread, direct, has_bias;
    float low, high;
} depthwise_sizes;

/* x: rows of every phase, y: some planes (planes_per_task; of item and block). in_.. and out_.. are of what this
   direction reads and writes. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
conv2d_depthwise(__global const float *restrict in, ulong in_at, __global const float *restrict weight, ulong weight_at,
                 __global const float *restrict bias, ulong bias_at, __global float *restrict out, ulong out_at,
                 depthwise_sizes s, __local float *copies, int accumulate)
{
    int phase_rows = s.backward ? s.stride_y : 1, phase_columns = s.backward ? s.stride_x : 1;
    int phases = phase_rows * phase_columns, taps = 0, shift[MOST_TAPS];
    int blocks = (s.channels + LANES - 1) / LANES, first_row = (int)get_global_id(0) * s.rows_per_task;
    int2 tap[MOST_TAPS];
    depthwise_phase phase[MOST_PHASES];
    ROLLED for (int q = 0; q < phases; q++) {
        int i0 = q / phase_columns, j0 = q - i0 * phase_columns;
        channels_axis y = channels_forward_axis(s.out_height, s.kernel_height, s.stride_y, s.dilation_y, s.top);
        channels_axis x = channels_forward_axis(s.out_width, s.kernel_width, s.stride_x, s.dilation_x, s.left);
        if (s.backward) {
            y = channels_backward_axis(s.out_height, s.kernel_height, s.stride_y, s.dilation_y, s.top, i0);
            x = channels_backward_axis(s.out_width, s.kernel_width, s.stride_x, s.dilation_x, s.left, j0);
        }
        int rows = min(s.rows_per_task, y.outputs - first_row);
        channels_window window = channels_window_of(y, x, max(rows, 0), s.spread);
        phase[q].y = y;
        phase[q].x = x;
        phase[q].window = window;
        phase[q].rows = x.outputs > 0 ? rows : 0;
        phase[q].taps = y.count * x.count;
        phase[q].first_tap = taps;
        phase[q].out_at = ((first_row * phase_rows + i0) * s.out_width + j0) * LANES;
        ROLLED for (int m = 0; m < y.count; m++)
            ROLLED for (int n = 0; n < x.count; n++) {
                shift[taps] = x.start + n * x.pitch;
                tap[taps] = (int2)(s.direct ? ((y.start + m * y.pitch) * s.in_width + shift[taps]) * LANES
                                          : channels_window_place(window, y, x, m, n),
                                   ((y.first + m * y.step) * s.kernel_width + x.first + n * x.step) * LANES);
                taps++;
            }
    }
    depthwise_job job = {0, phase_columns * LANES, accumulate, s.low, s.high, 0.0f};
    int first = (int)get_global_id(1) * s.planes_per_task, last = min(first + s.planes_per_task, s.planes);
    ROLLED for (int plane = first; plane < last; plane++) {
        int block = plane % blocks;
        __global const float *from = in + in_at + (ulong)plane * s.in_height * s.in_width * LANES;
        __global const float *w = weight + weight_at + (ulong)block * s.kernel_height * s.kernel_width * LANES;
        __global float *to = out + out_at + (ulong)plane * s.out_height * s.out_width * LANES;
        if (s.has_bias) {
            float lane[LANES];
            ROLLED for (int l = 0; l < LANES; l++)
                lane[l] = block * LANES + l < s.channels ? bias[bias_at + block * LANES + l] : 0.0f;
            job.bias = load16(0, lane);
        }
        ROLLED for (int q = 0; q < phases; q++) {
            const depthwise_phase *own = phase + q;
            const int2 *own_tap = tap + own->first_tap;
            int out_row = phase_rows * s.out_width * LANES;
            job.taps = own->taps;
            if (own->rows > 0 && s.direct && depthwise_is_three(own->x, s.in_width))
                depthwise_plane_three(&job, own, s.in_height, s.in_width, s.kernel_width, first_row, from, w,
                                      to + own->out_at, out_row);
            else if (own->rows > 0 && s.direct)
                depthwise_plane(&job, own, s.in_height, s.in_width, first_row, from, w, own_tap, shift + own->first_tap,
                                to + own->out_at, out_row);
            else if (own->rows > 0)
                depthwise_copied(&job, own, s.in_height, s.in_width, first_row, from, w, own_tap, to + own->out_at,
                                 out_row, copies);
        }
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

/* The same for rows as they lie, of which each tap has those pixels that lie inside; column: of the tap, for the first
   pixel. */
#define ROW_SUMS(T)                                                                                                    \
    void depthwise_row_sums_##T(__global const float *restrict dy, __global const float *restrict x,                   \
                                const int *column, int stride, int width, int runs, int run, int dy_step, int x_step,  \
                                __global float *restrict sums, int load)                                               \
    {                                                                                                                  \
        float16 sum[T][4];                                                                                             \
        __global const float *from[T];                                                                                 \
        int least[T], most[T], step = stride * LANES, first = run, begin = 0, end = run, last = 0;                     \
        UNROLL for (int t = 0; t < T; t++)                                                                             \
        {                                                                                                              \
            least[t] = column[t] < 0 ? min((stride - 1 - column[t]) / stride, run) : 0;                                \
            most[t] = width > column[t] ? min((width - column[t] + stride - 1) / stride, run) : 0;                     \
            first = min(first, least[t]);                                                                              \
            begin = max(begin, least[t]);                                                                              \
            end = min(end, most[t]);                                                                                   \
            last = max(last, most[t]);                                                                                 \
            from[t] = x + column[t] * LANES;                                                                           \
            sum[t][0] = load ? load16(t, sums) : (float16)0.0f;                                                        \
            sum[t][1] = sum[t][2] = sum[t][3] = 0.0f;                                                                  \
        }                                                                                                              \
        if (begin > end)                                                                                               \
            begin = end = last;                                                                                        \
        for (; runs > 0; runs--) {                                                                                     \
            int p = first;                                                                                             \
            for (; p < begin; p++) {                                                                                   \
                float16 g = load16(p, dy);                                                                             \
                UNROLL for (int t = 0; t < T; t++) if (p >= least[t] && p < most[t]) sum[t][0] +=                      \
                    g * load16(0, from[t] + p * step);                                                                 \
            }                                                                                                          \
            for (; p + 4 <= end; p += 4) {                                                                             \
                float16 g0 = load16(p, dy), g1 = load16(p + 1, dy), g2 = load16(p + 2, dy), g3 = load16(p + 3, dy);    \
                UNROLL for (int t = 0; t < T; t++)                                                                     \
                {                                                                                                      \
                    __global const float *v = from[t] + p * step;                                                      \
                    sum[t][0] += g0 * load16(0, v);                                                                    \
                    sum[t][1] += g1 * load16(0, v + step);                                                             \
                    sum[t][2] += g2 * load16(0, v + 2 * step);                                                         \
                    sum[t][3] += g3 * load16(0, v + 3 * step);                                                         \
                }                                                                                                      \
            }                                                                                                          \
            for (; p < last; p++) {                                                                                    \
                float16 g = load16(p, dy);                                                                             \
                UNROLL for (int t = 0; t < T; t++) if (p < most[t]) sum[t][1] += g * load16(0, from[t] + p * step);    \
            }                                                                                                          \
            dy += dy_step;                                                                                             \
            UNROLL for (int t = 0; t < T; t++) from[t] += x_step;                                                      \
        }                                                                                                              \
        UNROLL for (int t = 0; t < T; t++) store16((sum[t][0] + sum[t][1]) + (sum[t][2] + sum[t][3]), t, sums);        \
    }

ROW_SUMS(1)
ROW_SUMS(3)

/* R pixels of dy from column p on, stride S: sum[u][v] += dy x for the rows of taps that are there. */
#define NINE_TILE(R, S)                                                                                                \
    {                                                                                                                  \
        float16 g[R];                                                                                                  \
        int column = low_x + p * S;                                                                                    \
        UNROLL for (int r = 0; r < R; r++) g[r] = load16(p + r, dy);                                                   \
        UNROLL for (int u = 0; u < 3; u++) if ((uint)(row + u) < (uint)height)                                         \
        {                                                                                                              \
            __global const float *line = plane + ((long)(row + u) * width + column) * LANES;                           \
            UNROLL for (int q = 0; q < (R - 1) * S + 3; q++)                                                           \
            {                                                                                                          \
                bool is_edge = q < 2 || q > (R - 1) * S;                                                               \
                if (!is_edge || LIKELY((uint)(column + q) < (uint)width)) {                                            \
                    float16 v = load16(q, line);                                                                       \
                    UNROLL for (int t = 0; t < 3; t++) if (q >= t && (q - t) % S == 0 && (q - t) / S < R)              \
                        sum[u][t] += g[(q - t) / S] * v;                                                               \
                }                                                                                                      \
            }                                                                                                          \
        }                                                                                                              \
    }

/* Three rows of three neighbouring taps, over a chunk of rows of x as it lies: sums [9][16] (load: +)= . */
#define NINE(R, S)                                                                                                     \
    APART void depthwise_nine_##S(int stride_y, int low_y, int low_x, int height, int width, int out_width,            \
                                  int first_row, int rows, __global const float *restrict plane,                       \
                                  __global const float *restrict dy, __global float *restrict sums, int load)          \
    {                                                                                                                  \
        float16 sum[3][3];                                                                                             \
        UNROLL for (int t = 0; t < 9; t++) sum[t / 3][t % 3] = load ? load16(t, sums) : (float16)0.0f;                 \
        ROLLED for (int i = 0; i < rows; i++, dy += out_width * LANES) {                                               \
            int row = (first_row + i) * stride_y + low_y, p = 0;                                                       \
            ROLLED for (; p + R <= out_width; p += R) NINE_TILE(R, S)                                                  \
            ROLLED for (; p < out_width; p++) NINE_TILE(1, S)                                                          \
        }                                                                                                              \
        UNROLL for (int t = 0; t < 9; t++) store16(sum[t / 3][t % 3], t, sums);                                        \
    }

NINE(NINE_ROWS, 1)
NINE(NINE_ROWS, 2)

/* A chunk of rows, x as it lies: sums [taps][16] (load: +)= . */
void depthwise_weight_plane(channels_axis y, channels_axis x, int height, int width, int out_width, int first_row,
                            int rows, __global const float *restrict plane, __global const float *restrict dy,
                            __global float *restrict sums, int load)
{
    int dy_step = out_width * LANES, x_step = y.stride * width * LANES;
    if (y.count == 3 && y.span == 3 && depthwise_is_three(x, width)) {
        if (x.stride == 1)
            depthwise_nine_1(y.stride, y.low, x.low, height, width, out_width, first_row, rows, plane, dy, sums, load);
        else
            depthwise_nine_2(y.stride, y.low, x.low, height, width, out_width, first_row, rows, plane, dy, sums, load);
        return;
    }
    ROLLED for (int m = 0; m < y.count; m++) {
        int row = first_row * y.stride + y.low + m * y.pitch, before = row < 0 ? (y.stride - 1 - row) / y.stride : 0;
        int runs = (height > row ? min(rows, (height - row + y.stride - 1) / y.stride) : 0) - before;
        __global const float *line = plane + (long)(row + before * y.stride) * width * LANES;
        __global const float *gradient = dy + before * dy_step;
        ROLLED for (int n = 0, taken; n < x.count; n += taken, sums += taken * LANES) {
            int column[3] = {x.low + n * x.pitch, x.low + (n + 1) * x.pitch, x.low + (n + 2) * x.pitch};
            taken = n + 3 <= x.count ? 3 : 1;
            if (taken == 3)
                depthwise_row_sums_3(gradient, line, column, x.stride, width, runs, out_width, dy_step, x_step, sums,
                                     load);
            else
                depthwise_row_sums_1(gradient, line, column, x.stride, width, runs, out_width, dy_step, x_step, sums,
                                     load);
        }
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

/* One tap of 16 channels (count: those that are there), or their bias: gradient[l * step] (accumulate: +)= the sum of
   the parts, in their order. */
void depthwise_store_sum(__global const float *restrict partial, int parts, ulong part_floats, int count, int step,
                         int accumulate, __global float *restrict gradient)
{
    float lane[LANES];
    float16 sum = 0.0f;
    ROLLED for (int p = 0; p < parts; p++)
        sum += load16(0, partial + p * part_floats);
    store16(sum, 0, lane);
    ROLLED for (int l = 0; l < min(LANES, count); l++)
        gradient[l * step] = accumulate ? gradient[l * step] + lane[l] : lane[l];
}

typedef struct depthwise_weight_sizes {
    int channels, height, width, out_height, out_width;
    int kernel_height, kernel_width, stride_y, stride_x, dilation_y, dilation_x, top, left;
    int chunks, chunks_per_part, row_chunks, rows_per_chunk, blocks_per_task, spread, direct, with_bias;
} depthwise_weight_sizes;

/* Part p of the sums, [CB][taps and the bias][16], at partial + p * all of them; the only part is stored as the
   gradients, too. x: part (chunks_per_part chunks of some rows of an image), y: some blocks. bias_way: 0 not at all,
   1 =, 2 += . */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
conv2d_depthwise_weight(__global const float *restrict x_all, ulong x_at, __global const float *restrict dy,
                        ulong dy_at, __global float *restrict partial, ulong partial_at,
                        __global float *restrict dweight, ulong dweight_at, __global float *restrict dbias,
                        ulong dbias_at, depthwise_weight_sizes s, __local float *copies, int accumulate, int bias_way)
{
    int part = (int)get_global_id(0), blocks = (s.channels + LANES - 1) / LANES;
    int first_block = (int)get_global_id(1) * s.blocks_per_task;
    int last_block = min(first_block + s.blocks_per_task, blocks);
    int taps = s.kernel_height * s.kernel_width, first = part * s.chunks_per_part;
    channels_axis y = channels_forward_axis(s.out_height, s.kernel_height, s.stride_y, s.dilation_y, s.top);
    channels_axis x = channels_forward_axis(s.out_width, s.kernel_width, s.stride_x, s.dilation_x, s.left);
    int tap[MOST_TAPS];
    ROLLED for (int block = first_block; block < last_block; block++) {
        __global float *sums = partial + partial_at + ((ulong)part * blocks + block) * (taps + 1) * LANES;
        for (int chunk = first; chunk < min(first + s.chunks_per_part, s.chunks); chunk++) {
            int item = chunk / s.row_chunks, first_row = (chunk - item * s.row_chunks) * s.rows_per_chunk;
            int rows = min(s.rows_per_chunk, s.out_height - first_row), load = chunk > first;
            channels_window window = channels_window_of(y, x, rows, s.spread);
            bool joined = window.columns == s.out_width;
            int runs = joined ? 1 : rows, run = joined ? rows * s.out_width : s.out_width;
            int step = window.columns * LANES;
            ulong plane = (ulong)item * blocks + block;
            __global const float *gradient = dy + dy_at + (plane * s.out_height + first_row) * s.out_width * LANES;
            if (s.with_bias)
                depthwise_bias_sum(gradient, rows * s.out_width, sums + taps * LANES, load);
            if (s.direct) {
                depthwise_weight_plane(y, x, s.height, s.width, s.out_width, first_row, rows,
                                       x_all + x_at + plane * s.height * s.width * LANES, gradient, sums, load);
                continue;
            }
            for (int t = 0; t < taps; t++)
                tap[t] = channels_window_place(window, y, x, t / s.kernel_width, t % s.kernel_width);
            channels_copy(x_all + x_at + plane * s.height * s.width * LANES, s.height, s.width, window, y, x, first_row,
                          copies);
            int t = 0;
            for (; t + 3 <= taps; t += 3)
                depthwise_sums_31__local(gradient, copies, tap + t, runs, run, run * LANES, step, sums + t * LANES,
                                         load);
            for (; t < taps; t++)
                depthwise_sums_11__local(gradient, copies, tap + t, runs, run, run * LANES, step, sums + t * LANES,
                                         load);
        }
        if (s.chunks_per_part < s.chunks)
            continue;
        int count = s.channels - block * LANES;
        ROLLED for (int t = 0; t < taps; t++)
            depthwise_store_sum(sums + t * LANES, 1, 0, count, taps, accumulate,
                                dweight + dweight_at + (ulong)block * LANES * taps + t);
        if (bias_way)
            depthwise_store_sum(sums + taps * LANES, 1, 0, count, 1, bias_way == 2, dbias + dbias_at + block * LANES);
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
    ulong part_floats = (ulong)blocks * (taps + 1) * LANES;
    partial += partial_at + ((ulong)block * (taps + 1) + t) * LANES;
    if (t < taps)
        depthwise_store_sum(partial, parts, part_floats, channels - block * LANES, taps, accumulate,
                            dweight + dweight_at + (ulong)block * LANES * taps + t);
    else
        depthwise_store_sum(partial, parts, part_floats, channels - block * LANES, 1, bias_way == 2,
                            dbias + dbias_at + block * LANES);
}
