/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conv2d for processors where channels are few, with the batch innermost (nchw16n): forward, and backward with respect
 * to the input, which is the same with other taps (channels_window.clh). in [NB][C][H][W][16], out [NB][O][OH][OW][16],
 * NB blocks of 16 images, weights as they are, [O][C][kh][kw]. A vector is one element of 16 images, so no lane is lost
 * to a channel that is not there, and any stride is only a distance.
 *
 * A work-item (a group of its own) makes some output rows of some blocks of images and a group of channels. It adds up
 * products in a register tile, of a pixel in several blocks or of several pixels:
 *
 *                     in[tap]:  | place 0 | place 1 | place 2 | place 3 |    TILE_PLACES (twice that for 1 output)
 *       weight of output 0   x  | sum[0][0]  [0][1]    [0][2]    [0][3] |
 *       weight of output 1   x  | sum[1][0]  [1][1]    [1][2]    [1][3] |    6, 4, 2 or 1 outputs
 *                :              |     :         :         :         :   |    over channels and taps
 *
 * Pixels follow one another down the columns of a strip of strip_rows rows, strip after strip, each in all blocks of
 * the work-item before the next; a tile goes over their ends. It leaves out rows and columns of taps that lie outside
 * for all of its pixels: half of the products where an image is small and the kernel large. A tile of one pixel reads
 * nothing else. Where one of several would read beside the image, the work-item first copies what it needs of the input,
 * with zeros for the padding (copied).
 *
 * Tunables: TILE_PLACES (default 4, for 32 registers of 16 floats; 1 for 16 of 8), places of a tile; blocks_per_task,
 * tile_pixels (in each block), rows_per_task and strip_rows are arguments.
 */
#include "channels_window.clh"
#include "batch_window.clh"
#include "loops.clh"
#include "vectors.clh"

#if defined(TILE_ROWS) && !defined(TILE_PLACES)
#define TILE_PLACES 1
#endif
#ifndef TILE_PLACES
#define TILE_PLACES 4
#endif
#define MOST_PLACES (2 * TILE_PLACES)

BATCH_COPY(batch_copy, __global)

/* low..high; NaN stays NaN. */
float16 batch_clamp(float16 v, float low, float high)
{
    v = select(v, (float16)low, v < low);
    return select(v, (float16)high, v > high);
}

/* What a tile needs to know besides its place, in floats: the way from a plane, a row or a column of taps to the next
   in the input and in the weights, and from an output to the next. */
typedef struct batch_job {
    int planes, in_plane, in_row, in_column, weight_plane, weight_row, weight_column, weight_out, out_plane, accumulate;
    float low, high;
} batch_job;

/* Places of a tile: count of them are there, the rest repeat the last one. Taps that lie inside for any of them. */
typedef struct batch_places {
    int count, first_row, rows, first_column, columns;
    long from[MOST_PLACES], to[MOST_PLACES];
} batch_places;

/* bias and added: NULL, none. */
#define BATCH_TILE(K, P)                                                                                               \
    APART void batch_tile_##K(const batch_job *job, const batch_places *places, __global const float *a,               \
                              __global const float *w, __global const float *bias, __global const float *added,        \
                              __global float *out)                                                                     \
    {                                                                                                                  \
        float16 sum[K][P];                                                                                             \
        long from[P], weight_out = job->weight_out;                                                                    \
        int rows = places->rows, columns = places->columns, out_plane = job->out_plane;                                \
        long in_column = job->in_column, in_row = job->in_row - columns * in_column;                                   \
        long in_plane = job->in_plane - rows * (long)job->in_row;                                                      \
        long weight_column = job->weight_column, weight_row = job->weight_row - columns * weight_column;               \
        long weight_plane = job->weight_plane - rows * (long)job->weight_row;                                          \
        UNROLL for (int t = 0; t < P; t++) from[t] = places->from[t];                                                  \
        UNROLL for (int k = 0; k < K; k++)                                                                             \
        {                                                                                                              \
            float start = bias ? bias[k] : 0.0f;                                                                       \
            UNROLL for (int t = 0; t < P; t++) sum[k][t] = start;                                                      \
        }                                                                                                              \
        a += places->first_row * job->in_row + places->first_column * in_column;                                       \
        w += places->first_row * job->weight_row + places->first_column * weight_column;                               \
        for (int p = job->planes; p > 0; p--, a += in_plane, w += weight_plane)                                        \
            for (int m = rows; m > 0; m--, a += in_row, w += weight_row)                                               \
                for (int n = columns; n > 0; n--, a += in_column, w += weight_column) {                                \
                    float16 v[P];                                                                                      \
                    UNROLL for (int t = 0; t < P; t++) v[t] = load16(0, a + from[t]);                                  \
                    UNROLL for (int k = 0; k < K; k++)                                                                 \
                    {                                                                                                  \
                        UNROLL for (int t = 0; t < P; t++) sum[k][t] += w[k * weight_out] * v[t];                      \
                    }                                                                                                  \
                }                                                                                                      \
        UNROLL for (int t = 0; t < P; t++) if (t < places->count)                                                      \
        {                                                                                                              \
            UNROLL for (int k = 0; k < K; k++)                                                                         \
            {                                                                                                          \
                float16 y = sum[k][t];                                                                                 \
                __global float *place = out + k * out_plane + places->to[t];                                           \
                if (job->accumulate)                                                                                   \
                    y += load16(0, place);                                                                             \
                if (added)                                                                                             \
                    y += load16(0, added + k * out_plane + places->to[t]);                                             \
                store16(batch_clamp(y, job->low, job->high), 0, place);                                                \
            }                                                                                                          \
        }                                                                                                              \
    }

BATCH_TILE(1, MOST_PLACES)
BATCH_TILE(2, TILE_PLACES)
BATCH_TILE(4, TILE_PLACES)
BATCH_TILE(6, TILE_PLACES)

#define BATCH_CASE(K)                                                                                                  \
    case K:                                                                                                            \
        batch_tile_##K(job, places, a, w, bias, added, out);                                                           \
        break;

void batch_tile(int k, const batch_job *job, const batch_places *places, __global const float *a,
                __global const float *w, __global const float *bias, __global const float *added, __global float *out)
{
    switch (k) {
        BATCH_CASE(1)
        BATCH_CASE(2)
        BATCH_CASE(4)
        BATCH_CASE(6)
    }
}

/* Steps that reach a distance. */
int batch_steps(int distance, int step)
{
    return distance <= 0 ? 0 : step > 1 ? (distance + step - 1) / step : distance;
}

/* The taps of an axis, from .x to before .y, that lie inside for any of the outputs from first to last. */
int2 batch_inside(channels_axis axis, int size, int first, int last)
{
    int most = last * axis.stride + axis.low + axis.start, least = first * axis.stride + axis.low + axis.start;
    int step = abs(axis.pitch);
    if (axis.pitch < 0) {
        int mirrored = size - 1 - least;
        least = size - 1 - most;
        most = mirrored;
    }
    int until = min(batch_steps(size - least, step), axis.count);
    return (int2)(min(batch_steps(-most, step), until), until);
}

/* Outputs of the next tile, of so many that are left. */
int batch_next(int outputs)
{
    return outputs >= 6 ? 6 : outputs >= 4 ? 4 : outputs >= 2 ? 2 : 1;
}

/* x: chunk of output rows, y: group, z: set of blocks of images and (backward) phase of the stride. in_height.. are
   those of the tensors that this direction reads and writes. copy_floats: of a task's copies; 0: there are none. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
conv2d_batch(__global const float *in, ulong in_at, __global const float *restrict weight, ulong weight_at,
             __global const float *bias, ulong bias_at, __global const float *added, ulong added_at,
             __global float *out, ulong out_at, __global float *copies, ulong copies_at, int backward, int in_height,
             int in_width, int out_height, int out_width, int in_planes, int out_planes, int groups, int kernel_height,
             int kernel_width, int stride_y, int stride_x, int dilation_y, int dilation_x, int top, int left,
             int weight_in, int weight_out, int all_blocks, int blocks_per_task, int tile_pixels, int rows_per_task,
             int strip_rows, int copy_floats, int has_bias, float low, float high, int has_added, int accumulate)
{
    int phase_columns = backward ? stride_x : 1, phases = backward ? stride_y * stride_x : 1;
    int phase = (int)get_global_id(2) % phases, block = (int)get_global_id(2) / phases * blocks_per_task;
    int i0 = phase / phase_columns, j0 = phase - i0 * phase_columns, group = (int)get_global_id(1);
    int first_row = (int)get_global_id(0) * rows_per_task, blocks = min(blocks_per_task, all_blocks - block);
    channels_axis y = channels_forward_axis(out_height, kernel_height, stride_y, dilation_y, top);
    channels_axis x = channels_forward_axis(out_width, kernel_width, stride_x, dilation_x, left);
    if (backward) {
        y = channels_backward_axis(out_height, kernel_height, stride_y, dilation_y, top, i0);
        x = channels_backward_axis(out_width, kernel_width, stride_x, dilation_x, left, j0);
    }
    int rows = min(rows_per_task, y.outputs - first_row);
    int out_pixel = phase_columns * LANES, out_row = (backward ? stride_y : 1) * out_width * LANES;
    if (rows <= 0 || x.outputs <= 0)
        return;
    batch_job job = {in_planes,
                     in_height * in_width * LANES,
                     y.pitch * in_width * LANES,
                     x.pitch * LANES,
                     weight_in,
                     y.step * kernel_width,
                     x.step,
                     weight_out,
                     out_height * out_width * LANES,
                     accumulate,
                     low,
                     high};
    long in_block = (long)groups * in_planes * job.in_plane, out_block = (long)groups * out_planes * job.out_plane;
    int top_row = first_row * y.stride + y.low, left_column = x.low, width = in_width;
    in += in_at + block * in_block + (long)group * in_planes * job.in_plane;
    if (copy_floats > 0) {
        int height = (rows - 1) * y.stride + y.span;
        width = (x.outputs - 1) * x.stride + x.span;
        copies += copies_at + (get_global_id(2) * groups + group) * get_global_size(0) * copy_floats +
                  get_global_id(0) * copy_floats;
        job.in_plane = height * width * LANES;
        job.in_row = y.pitch * width * LANES;
        ROLLED for (int b = 0; b < blocks && y.count * x.count > 0; b++)
            ROLLED for (int p = 0; p < in_planes; p++)
                batch_copy(in + b * in_block + (long)p * in_height * in_width * LANES, in_height, in_width, top_row,
                           left_column, height, width, copies + (long)(b * in_planes + p) * job.in_plane);
        in = copies;
        in_block = (long)in_planes * job.in_plane;
        top_row = left_column = 0;
    }
    in += ((long)(top_row + y.start) * width + left_column + x.start) * LANES;
    weight += weight_at + (ulong)group * in_planes * out_planes * kernel_height * kernel_width +
              y.first * kernel_width + x.first;
    long at = block * out_block + (long)group * out_planes * job.out_plane +
              (long)(first_row * (backward ? stride_y : 1) + i0) * out_width * LANES + (long)j0 * LANES;
    out += out_at + at;
    added = has_added ? added + added_at + at : 0;
    bias = has_bias ? bias + bias_at + group * out_planes : 0;
    int each = blocks * tile_pixels;
    ROLLED for (int done = 0, strip = 0, i = 0, j = 0, b = 0, all = rows * x.outputs * blocks; done < all;
                done += each) {
        int upper = i, lower = i, leftmost = j, rightmost = j;
        long from = 0, to = 0;
        batch_places places = {.count = min(all - done, each)};
        ROLLED for (int t = 0; t < MOST_PLACES; t++) {
            if (t < places.count) {
                from = b * in_block + (i * y.stride * width + j * x.stride) * LANES;
                to = b * out_block + i * out_row + j * out_pixel;
                upper = min(upper, i);
                lower = max(lower, i);
                leftmost = min(leftmost, j);
                rightmost = max(rightmost, j);
                if (++b == blocks) {
                    b = 0;
                    if (++i == min(strip + strip_rows, rows)) {
                        i = strip;
                        if (++j == x.outputs) {
                            j = 0;
                            i = strip = strip + strip_rows;
                        }
                    }
                }
            }
            places.from[t] = from;
            places.to[t] = to;
        }
        int2 tap_rows = batch_inside(y, in_height, first_row + upper, first_row + lower);
        int2 tap_columns = batch_inside(x, in_width, leftmost, rightmost);
        places.first_row = tap_rows.x;
        places.rows = tap_rows.y - tap_rows.x;
        places.first_column = tap_columns.x;
        places.columns = tap_columns.y - tap_columns.x;
        ROLLED for (int k0 = 0, k; k0 < out_planes; k0 += k) {
            int to = k0 * job.out_plane;
            k = batch_next(out_planes - k0);
            batch_tile(k, &job, &places, in, weight + k0 * weight_out, bias ? bias + k0 : 0, added ? added + to : 0,
                       out + to);
        }
    }
}
