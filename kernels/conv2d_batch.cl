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
 *                     in[tap]:  | pixel 0 | pixel 1 | pixel 2 | pixel 3 |    TILE_PIXELS, one after another in the
 *       weight of output 0   x  | sum[0][0]  [0][1]    [0][2]    [0][3] |    task's rows: a tile goes over their ends
 *       weight of output 1   x  | sum[1][0]  [1][1]    [1][2]    [1][3] |
 *                :              |     :         :         :         :   |    6, 4, 2 or 1 outputs
 *                                                                            over channels and taps
 *
 * Tunables: TILE_PIXELS (default 4, for 32 registers of 16 floats; 1 for 16 of 8); rows_per_task is an argument.
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

/* low..high; NaN stays NaN. */
float16 batch_clamp(float16 v, float low, float high)
{
    v = select(v, (float16)low, v < low);
    return select(v, (float16)high, v > high);
}

/* What a tile needs to know besides its place. */
typedef struct batch_job {
    int planes, plane_floats, taps, out_plane, accumulate;
    float low, high;
} batch_job;

/* Pixels of a tile: count of them are there, the rest repeat the last one. */
typedef struct batch_pixels {
    int count;
    int from[TILE_PIXELS], to[TILE_PIXELS];
} batch_pixels;

/* w [planes][taps][K]; bias and added: NULL, none. */
#define BATCH_TILE(K)                                                                                                  \
    APART void batch_tile_##K(const batch_job *job, const batch_pixels *pixels, __local const float *a,                \
                              __local const float *w, const int *tap, __global const float *bias,                      \
                              __global const float *added, __global float *out)                                        \
    {                                                                                                                  \
        float16 sum[K][TILE_PIXELS];                                                                                   \
        int from[TILE_PIXELS], plane_floats = job->plane_floats, taps = job->taps, out_plane = job->out_plane;         \
        UNROLL for (int t = 0; t < TILE_PIXELS; t++) from[t] = pixels->from[t];                                        \
        UNROLL for (int k = 0; k < K; k++)                                                                             \
        {                                                                                                              \
            float start = bias ? bias[k] : 0.0f;                                                                       \
            UNROLL for (int t = 0; t < TILE_PIXELS; t++) sum[k][t] = start;                                            \
        }                                                                                                              \
        for (int p = job->planes; p > 0; p--, a += plane_floats)                                                       \
            for (int i = 0; i < taps; i++, w += K) {                                                                   \
                __local const float *x = a + tap[i];                                                                   \
                float16 v[TILE_PIXELS];                                                                                \
                UNROLL for (int t = 0; t < TILE_PIXELS; t++) v[t] = load16(0, x + from[t]);                            \
                UNROLL for (int k = 0; k < K; k++)                                                                     \
                {                                                                                                      \
                    UNROLL for (int t = 0; t < TILE_PIXELS; t++) sum[k][t] += w[k] * v[t];                             \
                }                                                                                                      \
            }                                                                                                          \
        UNROLL for (int t = 0; t < TILE_PIXELS; t++) if (t < pixels->count)                                            \
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

BATCH_TILE(1)
BATCH_TILE(2)
BATCH_TILE(4)
BATCH_TILE(6)

#define BATCH_CASE(K)                                                                                                  \
    case K:                                                                                                            \
        batch_tile_##K(job, pixels, a, w, tap, bias, added, out);                                                      \
        break;

void batch_tile(int k, const batch_job *job, const batch_pixels *pixels, __local const float *a,
                __local const float *w, const int *tap, __global const float *bias, __global const float *added,
                __global float *out)
{
    switch (k) {
        BATCH_CASE(1)
        BATCH_CASE(2)
        BATCH_CASE(4)
        BATCH_CASE(6)
    }
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
             int weight_out, int rows_per_task, __local float *copies, __local float *packed, int has_bias, float low,
             float high, int has_added, int accumulate)
{
    int phase_columns = backward ? stride_x : 1, phases = backward ? stride_y * stride_x : 1;
    int phase = (int)get_global_id(2) % phases, block = (int)get_global_id(2) / phases;
    int i0 = phase / phase_columns, j0 = phase - i0 * phase_columns, group = (int)get_global_id(1);
    int first_row = (int)get_global_id(0) * rows_per_task, taps = 0, tap[MOST_TAPS], index[MOST_TAPS];
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
        ROLLED for (int n = 0; n < x.count; n++) {
            tap[taps] = ((y.start + m * y.pitch) * columns + x.start + n * x.pitch) * LANES;
            index[taps++] = (y.first + m * y.step) * kernel_width + x.first + n * x.step;
        }
    batch_job job = {in_planes, window_rows * columns * LANES, taps, out_height * out_width * LANES, accumulate, low,
                     high};
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
    ROLLED for (int done = 0, i = 0, j = 0, all = rows * x.outputs; done < all; done += TILE_PIXELS) {
        batch_pixels pixels;
        pixels.count = all - done;
        for (int t = 0; t < TILE_PIXELS; t++) {
            pixels.from[t] = (i * y.stride * columns + j * x.stride) * LANES;
            pixels.to[t] = i * out_row + j * out_pixel;
            if (done + t + 1 < all && ++j == x.outputs) {
                j = 0;
                i++;
            }
        }
        ROLLED for (int k0 = 0, k; k0 < out_planes; k0 += k) {
            int to = k0 * job.out_plane;
            k = batch_next(out_planes - k0);
            batch_tile(k, &job, &pixels, copies, packed + k0 * in_planes * taps, tap, bias ? bias + k0 : 0,
                       added ? added + to : 0, out + to);
        }
    }
}
