/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conv2d for processors: a work-item (a group of its own) writes the patches of a tile of output pixels into local
 * memory, columns [CG KH KW, pitch], which stays in its cache, and multiplies there with explicit vectors. Any stride,
 * dilation, groups and padding. x [N,C,H,W], weight [O,CG,KH,KW], y [N,O,OH,OW], CG = C/groups, OG = O/groups, K = CG
 * KH KW. pitch: floats from row to row of columns, a multiple of 16 that holds a tile; lanes behind the tile are zero.
 *
 *                         columns, local memory, over K
 *                         | 16 pixels | 16 pixels | ... pitch
 *     filter o          x | sum[0]    |
 *     filter o + 1        | sum[1]    |           TILE_ROWS filters by 16 pixels at a time (vector_tile.clh)
 *         :               |   :       |
 *
 * Tunables: rows of a tile (tile_rows), for the weights' gradient also its images (tile_images) and the images of a part
 * (run), are arguments: what makes columns of 128 KiB (conv2d_panel.c). TILE_ROWS and the DOT_ ones: vector_tile.clh.
 */
#include "unary_op.clh"
#include "vector_tile.clh"
#include "window.clh"
#include "vectors.clh"

/* Shape arguments that every kernel here takes, and hands on. */
#define SHAPE                                                                                                          \
    int height, int width, int out_height, int out_width, int group_inputs, int group_outputs, int groups,             \
        int kernel_height, int kernel_width, int stride_y, int stride_x, int dilation_y, int dilation_x, int top,      \
        int left

/* columns[k][...] of output rows [first_row, first_row + rows) of one group of one image. */
void panel_pack(__global const float *image, __local float *columns, int pitch, int first_row, int rows, int height,
                int width, int out_width, int group_inputs, int kernel_height, int kernel_width, int stride_y,
                int stride_x, int dilation_y, int dilation_x, int top, int left)
{
    for (int c = 0; c < group_inputs; c++)
        for (int u = 0; u < kernel_height; u++)
            for (int v = 0; v < kernel_width; v++, columns += pitch) {
                int first = window_first(v * dilation_x - left, stride_x);
                int last = window_last(v * dilation_x - left, stride_x, width, out_width);
                for (int i = 0; i < rows; i++) {
                    int row = (first_row + i) * stride_y - top + u * dilation_y, j = 0;
                    bool inside = row >= 0 && row < height && first < last;
                    __local float *to = columns + i * out_width;
                    __global const float *from = image + ((long)c * height + row) * width + v * dilation_x - left;
                    for (; j < (inside ? first : out_width); j++)
                        to[j] = 0.0f;
                    if (!inside)
                        continue;
                    for (; stride_x == 1 && j + 8 <= last; j += 8)
                        store8(load8(0, from + j), 0, to + j);
                    for (; j < last; j++)
                        to[j] = from[j * stride_x];
                    for (; j < out_width; j++)
                        to[j] = 0.0f;
                }
            }
}

/* rows x length floats, size apart, to local rows of pitch. */
void panel_copy(__global const float *from, __local float *to, int pitch, int rows, int size, int length)
{
    for (int r = 0; r < rows; r++, from += size, to += pitch) {
        int p = 0;
        for (; p + 8 <= length; p += 8)
            store8(load8(0, from + p), 0, to + p);
        for (; p < length; p++)
            to[p] = from[p];
    }
}

/* Zeros behind the first length lanes of each row, up to the next multiple of 16. */
void panel_clear_tail(__local float *rows, int pitch, int count, int length)
{
    for (int r = 0; r < count; r++, rows += pitch)
        for (int p = length; p % 16 != 0; p++)
            rows[p] = 0.0f;
}

#define PANEL_POINTERS(a, step, count)                                                                                 \
    __global const float *a1 = count > 1 ? a + (step) : a, *a2 = count > 2 ? a + 2 * (ulong)(step) : a;                \
    __global const float *a3 = count > 3 ? a + 3 * (ulong)(step) : a, *a4 = count > 4 ? a + 4 * (ulong)(step) : a;     \
    __global const float *a5 = count > 5 ? a + 5 * (ulong)(step) : a;

/* x: tile of tile_rows output rows, y: group, z: n. local: columns [K, pitch]. */
__kernel void conv2d_panel_forward(__global const float *restrict x, ulong x_at, __global const float *restrict weight,
                                   ulong weight_at, __global const float *restrict bias, ulong bias_at,
                                   __global float *restrict y, ulong y_at, SHAPE, int tile_rows, int pitch,
                                   __local float *columns, int has_bias, int op, float alpha, float beta)
{
    int first_row = (int)get_global_id(0) * tile_rows, group = (int)get_global_id(1), n = (int)get_global_id(2);
    if (first_row >= out_height)
        return;
    int rows = min(tile_rows, out_height - first_row), length = rows * out_width, out_size = out_height * out_width;
    int depth = group_inputs * kernel_height * kernel_width, o0 = group * group_outputs;
    panel_pack(x + x_at + ((ulong)n * groups + group) * group_inputs * height * width, columns, pitch, first_row, rows,
               height, width, out_width, group_inputs, kernel_height, kernel_width, stride_y, stride_x, dilation_y,
               dilation_x, top, left);
    panel_clear_tail(columns, pitch, depth, length);
    y += y_at + ((ulong)n * groups * group_outputs + o0) * out_size + (ulong)first_row * out_width;
    for (int p = 0; p < length; p += 16)
        for (int o = 0; o < group_outputs; o += TILE_ROWS) {
            int count = min(TILE_ROWS, group_outputs - o), lanes = min(16, length - p);
            __global const float *a = weight + weight_at + (ulong)(o0 + o) * depth;
            PANEL_POINTERS(a, depth, count)
            float16 sum[TILE_ROWS] = {0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f};
            ROWS_TILE(float16, load16, sum, a, a1, a2, a3, a4, a5, 1, columns + p, pitch, depth)
            for (int r = 0; r < count; r++) {
                __global float *to = y + (ulong)(o + r) * out_size + p;
                float16 value = sum[r] + (has_bias ? bias[bias_at + o0 + o + r] : 0.0f);
                if (op == 1)
                    value = select(value, (float16)0.0f, value < 0.0f);
                if (lanes == 16 && op <= 1) {
                    store16(value, 0, to);
                    continue;
                }
                float lane[16];
                store16(value, 0, lane);
                for (int l = 0; l < lanes; l++)
                    to[l] = op <= 1 ? lane[l] : unary_apply(op, lane[l], alpha, beta);
            }
        }
}

/*
 * dx of one group of one image: columns = weight^T dy, tile by tile, then each row of columns is added where it came
 * from. x: group, y: n. local: columns [K, pitch], then dy [OG, pitch].
 */
__kernel void conv2d_panel_backward_data(__global const float *restrict dy, ulong dy_at,
                                         __global const float *restrict weight, ulong weight_at,
                                         __global float *restrict dx, ulong dx_at, SHAPE, int tile_rows, int pitch,
                                         __local float *columns, int accumulate)
{
    int group = (int)get_global_id(0), n = (int)get_global_id(1), out_size = out_height * out_width,
        size = height * width;
    int taps = kernel_height * kernel_width, depth = group_inputs * taps;
    __local float *gradients = columns + (ulong)depth * pitch;
    if (group >= groups)
        return;
    dy += dy_at + ((ulong)n * groups + group) * group_outputs * out_size;
    dx += dx_at + ((ulong)n * groups + group) * group_inputs * size;
    weight += weight_at + (ulong)group * group_outputs * depth;
    for (int i = 0; i < group_inputs * size && !accumulate; i++)
        dx[i] = 0.0f;
    for (int first_row = 0; first_row < out_height; first_row += tile_rows) {
        int rows = min(tile_rows, out_height - first_row), length = rows * out_width;
        panel_copy(dy + (ulong)first_row * out_width, gradients, pitch, group_outputs, out_size, length);
        panel_clear_tail(gradients, pitch, group_outputs, length);
        for (int p = 0; p < length; p += 16)
            for (int k0 = 0; k0 < depth; k0 += TILE_ROWS) {
                int count = min(TILE_ROWS, depth - k0);
                __global const float *a = weight + k0;
                PANEL_POINTERS(a, 1, count)
                float16 sum[TILE_ROWS] = {0.0f, 0.0f, 0.0f, 0.0f, 0.0f, 0.0f};
                ROWS_TILE(float16, load16, sum, a, a1, a2, a3, a4, a5, depth, gradients + p, pitch, group_outputs)
                for (int r = 0; r < count; r++)
                    store16(sum[r], 0, columns + (ulong)(k0 + r) * pitch + p);
            }
        for (int k = 0; k < depth; k++) {
            int c = k / taps, u = k % taps / kernel_width, v = k % kernel_width;
            int first = window_first(v * dilation_x - left, stride_x);
            int last = window_last(v * dilation_x - left, stride_x, width, out_width);
            for (int i = 0; i < rows; i++) {
                int row = (first_row + i) * stride_y - top + u * dilation_y, j = first;
                if (row < 0 || row >= height)
                    continue;
                __local const float *from = columns + (ulong)k * pitch + i * out_width;
                __global float *to = dx + ((long)c * height + row) * width + v * dilation_x - left;
                for (; stride_x == 1 && j + 8 <= last; j += 8)
                    store8(load8(0, to + j) + load8(0, from + j), 0, to + j);
                for (; j < last; j++)
                    to[j * stride_x] += from[j];
            }
        }
    }
}

/*
 * Part p of dweight, from images [p * run, (p+1) * run), at partial[p * weights + w]; reduce_parts adds the parts up. A
 * tile is tile_rows output rows of tile_images images (all rows, when it is several images). x: part, y: group. local:
 * columns [K, pitch], dy [OG, pitch].
 */
__kernel void conv2d_panel_backward_weight(__global const float *restrict x, ulong x_at,
                                           __global const float *restrict dy, ulong dy_at,
                                           __global float *restrict partial, ulong partial_at, SHAPE, int tile_rows,
                                           int pitch, __local float *columns, int images, int run, int tile_images)
{
    int part = (int)get_global_id(0), group = (int)get_global_id(1), out_size = out_height * out_width;
    int depth = group_inputs * kernel_height * kernel_width, n_last = min(images, (part + 1) * run);
    __local float *gradients = columns + (ulong)depth * pitch;
    bool add = false;
    if (part * run >= images)
        return;
    partial += partial_at + ((ulong)part * groups + group) * group_outputs * depth;
    for (int n = part * run; n < n_last; n += tile_images)
        for (int first_row = 0; first_row < out_height; first_row += tile_rows) {
            int rows = min(tile_rows, out_height - first_row), length = 0;
            for (int image = n; image < min(n + tile_images, n_last); image++, length += rows * out_width) {
                panel_pack(x + x_at + ((ulong)image * groups + group) * group_inputs * height * width, columns + length,
                           pitch, first_row, rows, height, width, out_width, group_inputs, kernel_height, kernel_width,
                           stride_y, stride_x, dilation_y, dilation_x, top, left);
                panel_copy(dy + dy_at + ((ulong)image * groups + group) * group_outputs * out_size +
                               (ulong)first_row * out_width,
                           gradients + length, pitch, group_outputs, out_size, rows * out_width);
            }
            panel_clear_tail(columns, pitch, depth + group_outputs, length);
            for (int k0 = 0; k0 < depth; k0 += DOT_COLUMNS)
                for (int o = 0; o < group_outputs; o += DOT_ROWS) {
                    int count = min(DOT_ROWS, group_outputs - o), wide = min(DOT_COLUMNS, depth - k0);
                    __local const float *a0 = gradients + (ulong)o * pitch, *b0 = columns + (ulong)k0 * pitch;
                    __local const float *a1 = count > 1 ? a0 + pitch : a0, *a2 = count > 2 ? a0 + 2 * pitch : a0;
                    __local const float *b1 = wide > 1 ? b0 + pitch : b0, *b2 = wide > 2 ? b0 + 2 * pitch : b0;
                    __local const float *b3 = wide > 3 ? b0 + 3 * pitch : b0;
                    float8 sum[DOT_ROWS][DOT_COLUMNS] = {{0.0f}};
                    for (int k = 0; k < length; k += 8)
                        DOT_STEP(float8, load8, sum, k, a0, a1, a2, b0, b1, b2, b3)
                    for (int r = 0; r < count; r++)
                        for (int s = 0; s < wide; s++) {
                            __global float *to = partial + (ulong)(o + r) * depth + k0 + s;
                            *to = vector_sum8(sum[r][s]) + (add ? *to : 0.0f);
                        }
                }
            add = true;
        }
}
