/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conv2d for processors where channels are few, with the batch innermost (nchw16n): forward, and backward with respect
 * to the input, which is the same with other taps (channels_window.clh). in [NB][C][H][W][16], out [NB][O][OH][OW][16],
 * NB blocks of 16 images, weights as they are, [O][C][kh][kw]. A vector is one element of 16 images, so no lane is lost
 * to a channel that is not there, and any stride is only a distance.
 *
 * A work-item (a group of its own) makes some output rows of a block of images and a group of channels. It copies what
 * they need of the input into local memory with zeros for the padding, packs the weights there in the order in which
 * they are read, and adds up products in a register tile:
 *
 *                     in[tap]:  | pixel 0 | pixel 1 | pixel 2 | pixel 3 |    TILE_PIXELS (twice that for 1 output)
 *       weight of output 0   x  | sum[0][0]  [0][1]    [0][2]    [0][3] |
 *       weight of output 1   x  | sum[1][0]  [1][1]    [1][2]    [1][3] |    6, 4, 2 or 1 outputs
 *                :              |     :         :         :         :   |    over channels and taps
 *
 * Pixels follow one another down the columns of a strip of strip_rows rows, strip after strip; a tile goes over their
 * ends. It leaves out rows and columns of taps that lie outside for all of its pixels: half of the products where an
 * image is small and the kernel large.
 *
 * Tunables: TILE_PIXELS (default 4, for 32 registers of 16 floats; 1 for 16 of 8); rows_per_task and strip_rows are
 * arguments.
 */
#include "channels_window.clh"
#include "batch_window.clh"
#include "loops.clh"
#include "vectors.clh"

#if defined(TILE_ROWS) && !defined(TILE_PIXELS)
#define TILE_PIXELS 1
#endif
#ifndef TILE_PIXELS
#define TILE_PIXELS 4
#endif
#define MOST_PIXELS (2 * TILE_PIXELS)

/* low..high; NaN stays NaN. */
float16 batch_clamp(float16 v, float low, float high)
{
    v = select(v, (float16)low, v < low);
    return select(v, (float16)high, v > high);
}

/* What a tile needs to know besides its place: planes of the copies, and the way from a row or column of taps to the
   next. */
typedef struct batch_job {
    int planes, plane_floats, row_floats, column_floats, tap_rows, tap_columns, out_plane, accumulate;
    float low, high;
} batch_job;

/* Pixels of a tile: count of them are there, the rest repeat the last one. Taps that lie inside for any of them. */
typedef struct batch_pixels {
    int count, first_row, rows, first_column, columns;
    int from[MOST_PIXELS], to[MOST_PIXELS];
} batch_pixels;

/* w [planes][tap_rows][tap_columns][K]; bias and added: NULL, none. */
#define BATCH_TILE(K, P)                                                                                               \
    APART void batch_tile_##K(const batch_job *job, const batch_pixels *pixels, __local const float *a,                \
                              __local const float *w, __global const float *bias, __global const float *added,         \
                              __global float *out)                                                                     \
    {                                                                                                                  \
        float16 sum[K][P];                                                                                             \
        int from[P], rows = pixels->rows, columns = pixels->columns, out_plane = job->out_plane;                       \
        int column_floats = job->column_floats, row_floats = job->row_floats - columns * column_floats;                \
        int plane_floats = job->plane_floats - rows * job->row_floats;                                                 \
        int row_weights = (job->tap_columns - columns) * K;                                                            \
        int plane_weights = (job->tap_rows - rows) * job->tap_columns * K;                                             \
        UNROLL for (int t = 0; t < P; t++) from[t] = pixels->from[t];                                                  \
        UNROLL for (int k = 0; k < K; k++)                                                                             \
        {                                                                                                              \
            float start = bias ? bias[k] : 0.0f;                                                                       \
            UNROLL for (int t = 0; t < P; t++) sum[k][t] = start;                                                      \
        }                                                                                                              \
        a += pixels->first_row * job->row_floats + pixels->first_column * column_floats;                               \
        w += (pixels->first_row * job->tap_columns + pixels->first_column) * K;                                        \
        for (int p = job->planes; p > 0; p--, a += plane_floats, w += plane_weights)                                   \
            for (int m = rows; m > 0; m--, a += row_floats, w += row_weights)                                          \
                for (int n = columns; n > 0; n--, a += column_floats, w += K) {                                        \
                    float16 v[P];                                                                                      \
                    UNROLL for (int t = 0; t < P; t++) v[t] = load16(0, a + from[t]);                                  \
                    UNROLL for (int k = 0; k < K; k++)                                                                 \
                    {                                                                                                  \
                        UNROLL for (int t = 0; t < P; t++) sum[k][t] += w[k] * v[t];                                   \
                    }                                                                                                  \
                }                                                                                                      \
        UNROLL for (int t = 0; t < P; t++) if (t < pixels->count)                                                      \
        {                                                                                                              \
            UNROLL for (int k = 0; k < K; k++)                                                                         \
            {                                                                                                          \
                float16 y = sum[k][t];                                                                                 \
                __global float *place = out + k * out_plane + pixels->to[t];                                           \
                if (job->accumulate)                                                                                   \
                    y += load16(0, place);                                                                             \
                if (added)                                                                                             \
                    y += load16(0, added + k * out_plane + pixels->to[t]);                                             \
                store16(batch_clamp(y, job->low, job->high), 0, place);                                                \
            }                                                                                                          \
        }                                                                                                              \
    }

BATCH_TILE(1, MOST_PIXELS)
BATCH_TILE(2, TILE_PIXELS)
BATCH_TILE(4, TILE_PIXELS)
BATCH_TILE(6, TILE_PIXELS)

#define BATCH_CASE(K)                                                                                                  \
    case K:                                                                                                            \
        batch_tile_##K(job, pixels, a, w, bias, added, out);                                                           \
        break;

void batch_tile(int k, const batch_job *job, const batch_pixels *pixels, __local const float *a,
                __local const float *w, __global const float *bias, __global const float *added, __global float *out)
{
    switch (k) {
        BATCH_CASE(1)
        BATCH_CASE(2)
        BATCH_CASE(4)
        BATCH_CASE(6)
    }
}

/* The taps of an axis, from .x to before .y, that lie inside for any of the outputs from first to last. */
int2 batch_inside(channels_axis axis, int size, int first, int last)
{
    int most = last * axis.stride + axis.low + axis.start, least = first * axis.stride + axis.low + axis.start;
    int2 taps = (int2)(0, axis.count);
    ROLLED while (taps.x < taps.y && (most + taps.x * axis.pitch < 0 || least + taps.x * axis.pitch >= size))
        taps.x++;
    ROLLED while (taps.x < taps.y &&
                  (most + (taps.y - 1) * axis.pitch < 0 || least + (taps.y - 1) * axis.pitch >= size))
        taps.y--;
    return taps;
}

/* Outputs of the next tile, of so many that are left. */
int batch_next(int outputs)
{
    return outputs >= 6 ? 6 : outputs >= 4 ? 4 : outputs >= 2 ? 2 : 1;
}

/* To [tile of outputs][planes][taps][outputs of the tile]. */
APART void batch_pack(__global const float *restrict weight, int out_planes, int in_planes, int taps,
                      const int *index, int weight_out, int weight_in, __local float *to)
{
    ROLLED for (int k0 = 0, k; k0 < out_planes; k0 += k) {
        k = batch_next(out_planes - k0);
        ROLLED for (int p = 0; p < in_planes; p++)
            ROLLED for (int i = 0; i < taps; i++)
                ROLLED for (int o = 0; o < k; o++)
                    *to++ = weight[(k0 + o) * weight_out + p * weight_in + index[i]];
    }
}

/* x: chunk of output rows, y: group, z: block of images and (backward) phase of the stride. in_height.. are those of
   the tensors that this direction reads and writes. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
conv2d_batch(__global const float *restrict in, ulong in_at, __global const float *restrict weight, ulong weight_at,
             __global const float *bias, ulong bias_at, __global const float *added, ulong added_at,
             __global float *out, ulong out_at, int backward, int in_height, int in_width, int out_height,
             int out_width, int in_planes, int out_planes, int groups, int kernel_height, int kernel_width,
             int stride_y, int stride_x, int dilation_y, int dilation_x, int top, int left, int weight_in,
             int weight_out, int rows_per_task, int strip_rows, __local float *copies, __local float *packed, int has_bias, float low,
             float high, int has_added, int accumulate)
{
    int phase_columns = backward ? stride_x : 1, phases = backward ? stride_y * stride_x : 1;
    int phase = (int)get_global_id(2) % phases, block = (int)get_global_id(2) / phases;
    int i0 = phase / phase_columns, j0 = phase - i0 * phase_columns, group = (int)get_global_id(1);
    int first_row = (int)get_global_id(0) * rows_per_task, taps = 0, index[MOST_TAPS];
    channels_axis y = channels_forward_axis(out_height, kernel_height, stride_y, dilation_y, top);
    channels_axis x = channels_forward_axis(out_width, kernel_width, stride_x, dilation_x, left);
    if (backward) {
        y = channels_backward_axis(out_height, kernel_height, stride_y, dilation_y, top, i0);
        x = channels_backward_axis(out_width, kernel_width, stride_x, dilation_x, left, j0);
    }
    int rows = min(rows_per_task, y.outputs - first_row), in_size = in_height * in_width * LANES;
    int out_pixel = phase_columns * LANES, out_row = (backward ? stride_y : 1) * out_width * LANES;
    if (rows <= 0 || x.outputs <= 0)
        return;
    int window_rows = (rows - 1) * y.stride + y.span, columns = (x.outputs - 1) * x.stride + x.span;
    ROLLED for (int m = 0; m < y.count; m++)
        ROLLED for (int n = 0; n < x.count; n++)
            index[taps++] = (y.first + m * y.step) * kernel_width + x.first + n * x.step;
    batch_job job = {in_planes, window_rows * columns * LANES,  y.pitch * columns * LANES, x.pitch * LANES, y.count,
                     x.count,   out_height * out_width * LANES, accumulate,                low,             high};
    in += in_at + ((ulong)block * groups + group) * in_planes * in_size;
    ulong at = ((ulong)block * groups + group) * out_planes * job.out_plane +
               (ulong)(first_row * (backward ? stride_y : 1) + i0) * out_width * LANES + (ulong)j0 * LANES;
    out += out_at + at;
    added = has_added ? added + added_at + at : 0;
    bias = has_bias ? bias + bias_at + group * out_planes : 0;
    batch_pack(weight + weight_at + (ulong)group * in_planes * out_planes * kernel_height * kernel_width, out_planes,
               in_planes, taps, index, weight_out, weight_in, packed);
    ROLLED for (int p = 0; p < in_planes && taps > 0; p++)
        batch_copy(in + (ulong)p * in_size, in_height, in_width, first_row * y.stride + y.low, x.low, window_rows,
                   columns, copies + p * job.plane_floats);
    __local const float *tap = copies + (y.start * columns + x.start) * LANES;
    int each = out_planes == 1 ? MOST_PIXELS : TILE_PIXELS;
    ROLLED for (int done = 0, strip = 0, i = 0, j = 0, all = rows * x.outputs; done < all; done += each) {
        int top_row = i, bottom_row = i, left_column = j, right_column = j, from = 0, to = 0;
        batch_pixels pixels = {.count = min(all - done, each)};
        ROLLED for (int t = 0; t < MOST_PIXELS; t++) {
            if (t < pixels.count) {
                from = (i * y.stride * columns + j * x.stride) * LANES;
                to = i * out_row + j * out_pixel;
                top_row = min(top_row, i);
                bottom_row = max(bottom_row, i);
                left_column = min(left_column, j);
                right_column = max(right_column, j);
                if (++i == min(strip + strip_rows, rows)) {
                    i = strip;
                    if (++j == x.outputs) {
                        j = 0;
                        i = strip = strip + strip_rows;
                    }
                }
            }
            pixels.from[t] = from;
            pixels.to[t] = to;
        }
        int2 tap_rows = batch_inside(y, in_height, first_row + top_row, first_row + bottom_row);
        int2 tap_columns = batch_inside(x, in_width, left_column, right_column);
        pixels.first_row = tap_rows.x;
        pixels.rows = tap_rows.y - tap_rows.x;
        pixels.first_column = tap_columns.x;
        pixels.columns = tap_columns.y - tap_columns.x;
        ROLLED for (int k0 = 0, k; k0 < out_planes; k0 += k) {
            int to = k0 * job.out_plane;
            k = batch_next(out_planes - k0);
            batch_tile(k, &job, &pixels, tap, packed + k0 * in_planes * taps, bias ? bias + k0 : 0,
                       added ? added + to : 0, out + to);
        }
    }
}
