/* SPDX-License-Identifier: Apache-2.0 */
/*
 * local_conv2d for processors, shapes as in local_conv2d.cl: a work-item (a group of its own) copies the patches that a
 * position sees into local memory and multiplies them with that position's filters, of K = C KH KW elements, by
 * explicit vectors:
 *
 *     local memory: patches [images][K]        weight of the position [O][K]
 *     image 0   |========|===...               filter o   |========|===...
 *     image 1   |========|===...               a vector of each at a time, a sum of products an image and filter
 *
 * Tunables: FORWARD_IMAGES (default 16) and WEIGHT_IMAGES (default 4), images of a work-item's patches; local_conv2d.c
 * knows them. Tiles of vector_tile.clh.
 */
#include "vector_tile.clh"
#include "vectors.clh"

#define SHAPE                                                                                                          \
    int images, int channels, int height, int width, int outputs, int out_height, int out_width, int kernel_height,    \
        int kernel_width, int stride_y, int stride_x, int top, int left

#define FORWARD_IMAGES 16
#define WEIGHT_IMAGES  4

/* The patch [C,KH,KW] of image whose first pixel is at row, column; zeros outside. */
void patch_pack(__global const float *image, __local float *patch, int row, int column, int channels, int height,
                int width, int kernel_height, int kernel_width)
{
    for (int c = 0; c < channels; c++)
        for (int u = 0; u < kernel_height; u++, patch += kernel_width) {
            bool inside = row + u >= 0 && row + u < height;
            __global const float *from = image + ((long)c * height + row + u) * width + column;
            for (int v = 0; v < kernel_width; v++)
                patch[v] = inside && column + v >= 0 && column + v < width ? from[v] : 0.0f;
        }
}

/* x: position, y: n / 16. local: patches [16,K]. */
__kernel void local_conv2d_patch_forward(__global const float *restrict x, ulong x_at,
                                         __global const float *restrict weight, ulong weight_at,
                                         __global const float *restrict bias, ulong bias_at, __global float *restrict y,
                                         ulong y_at, SHAPE, int has_bias, __local float *patches)
{
    int p = (int)get_global_id(0), n = (int)get_global_id(1) * FORWARD_IMAGES, count = min(FORWARD_IMAGES, images - n);
    int depth = channels * kernel_height * kernel_width, out_size = out_height * out_width;
    x += x_at + (ulong)n * channels * height * width;
    weight += weight_at + (ulong)p * outputs * depth;
    bias += bias_at + (has_bias ? p : 0);
    y += y_at + (ulong)n * outputs * out_size + p;
    for (int r = 0; r < count; r++)
        patch_pack(x + (ulong)r * channels * height * width, patches + r * depth, p / out_width * stride_y - top,
                   p % out_width * stride_x - left, channels, height, width, kernel_height, kernel_width);
    for (int o = 0; o < outputs; o += DOT_ROWS)
        for (int first = 0; first < count; first += DOT_COLUMNS) {
            int rows = min(DOT_ROWS, outputs - o), columns = min(DOT_COLUMNS, count - first), k = 0;
            __global const float *a0 = weight + (ulong)o * depth, *a1 = rows > 1 ? a0 + depth : a0;
            __global const float *a2 = rows > 2 ? a0 + 2 * depth : a0;
            __local const float *b0 = patches + first * depth, *b1 = columns > 1 ? b0 + depth : b0;
            __local const float *b2 = columns > 2 ? b0 + 2 * depth : b0, *b3 = columns > 3 ? b0 + 3 * depth : b0;
            float8 sum[DOT_ROWS][DOT_COLUMNS] = {{0.0f}};
            float rest[DOT_ROWS][DOT_COLUMNS] = {{0.0f}};
            for (; k + 8 <= depth; k += 8)
                DOT_STEP(float8, load8, sum, k, a0, a1, a2, b0, b1, b2, b3)
            for (; k < depth; k++)
                DOT_STEP(float, LOAD_ONE, rest, k, a0, a1, a2, b0, b1, b2, b3)
            for (int r = 0; r < rows; r++)
                for (int s = 0; s < columns; s++)
                    y[((ulong)(first + s) * outputs + o + r) * out_size] =
                        vector_sum8(sum[r][s]) + rest[r][s] + (has_bias ? bias[(ulong)(o + r) * out_size] : 0.0f);
        }
}

/* to[length] = sum over o of dy[o out_size] w[o depth + k], the gradient of a patch or of some of its channels. */
void patch_gradient(__global const float *dy, __global const float *w, __local float *to, int length, int outputs,
                    int out_size, int depth)
{
    int k = 0;
    for (; k + 16 <= length; k += 16) {
        float16 sum = 0.0f;
        for (int o = 0; o < outputs; o++)
            sum += dy[(ulong)o * out_size] * load16(0, w + (ulong)o * depth + k);
        store16(sum, 0, to + k);
    }
    for (; k < length; k++) {
        float sum = 0.0f;
        for (int o = 0; o < outputs; o++)
            sum += dy[(ulong)o * out_size] * w[(ulong)o * depth + k];
        to[k] = sum;
    }
}

/* dx of channels [part * run, (part+1) * run) of one image: patch after patch is added where it came from. x: part, y:
 * n. local: run KH KW floats. */
__kernel void local_conv2d_patch_backward_data(__global const float *restrict dy, ulong dy_at,
                                               __global const float *restrict weight, ulong weight_at,
                                               __global float *restrict dx, ulong dx_at, SHAPE, int run,
                                               __local float *patch, int accumulate)
{
    int c = (int)get_global_id(0) * run, n = (int)get_global_id(1), count = min(run, channels - c);
    int taps = kernel_height * kernel_width, depth = channels * taps, out_size = out_height * out_width;
    dy += dy_at + (ulong)n * outputs * out_size;
    weight += weight_at + (ulong)c * taps;
    dx += dx_at + ((ulong)n * channels + c) * height * width;
    for (int i = 0; i < count * height * width && !accumulate; i++)
        dx[i] = 0.0f;
    for (int p = 0; p < out_size; p++) {
        int row = p / out_width * stride_y - top, column = p % out_width * stride_x - left;
        int v_first = max(-column, 0), v_last = min(width - column, kernel_width);
        patch_gradient(dy + p, weight + (ulong)p * outputs * depth, patch, count * taps, outputs, out_size, depth);
        for (int k = 0; k < count * kernel_height; k++) {
            int from_row = row + k % kernel_height;
            if (from_row < 0 || from_row >= height)
                continue;
            __global float *to = dx + ((long)(k / kernel_height) * height + from_row) * width + column;
            for (int v = v_first; v < v_last; v++)
                to[v] += patch[k * kernel_width + v];
        }
    }
}

/* to[depth] (+)= sum over four patches r of dy[r] patch[r], for one output channel. */
void patch_add(__global float *to, __local const float *patches, const float *dy, int depth, bool add)
{
    __local const float *p1 = patches + depth, *p2 = p1 + depth, *p3 = p2 + depth;
    int k = 0;
    for (; k + 8 <= depth; k += 8) {
        float8 sum = dy[0] * load8(0, patches + k) + dy[1] * load8(0, p1 + k) + dy[2] * load8(0, p2 + k) +
                     dy[3] * load8(0, p3 + k);
        store8(add ? load8(0, to + k) + sum : sum, 0, to + k);
    }
    for (; k < depth; k++) {
        float sum = dy[0] * patches[k] + dy[1] * p1[k] + dy[2] * p2[k] + dy[3] * p3[k];
        to[k] = add ? to[k] + sum : sum;
    }
}

/* x: position. local: patches [4,K]. */
__kernel void local_conv2d_patch_backward_weight(__global const float *restrict x, ulong x_at,
                                                 __global const float *restrict dy, ulong dy_at,
                                                 __global float *restrict dw, ulong dw_at, SHAPE,
                                                 __local float *patches, int accumulate)
{
    int p = (int)get_global_id(0), out_size = out_height * out_width;
    int depth = channels * kernel_height * kernel_width;
    dy += dy_at + p;
    dw += dw_at + (ulong)p * outputs * depth;
    for (int n = 0; n < images; n += WEIGHT_IMAGES) {
        int count = min(WEIGHT_IMAGES, images - n);
        for (int r = 0; r < count; r++)
            patch_pack(x + x_at + (ulong)(n + r) * channels * height * width, patches + r * depth,
                       p / out_width * stride_y - top, p % out_width * stride_x - left, channels, height, width,
                       kernel_height, kernel_width);
        for (int i = count * depth; i < WEIGHT_IMAGES * depth; i++)
            patches[i] = 0.0f;
        for (int o = 0; o < outputs; o++) {
            float gradients[WEIGHT_IMAGES];
            for (int r = 0; r < WEIGHT_IMAGES; r++)
                gradients[r] = r < count ? dy[((ulong)(n + r) * outputs + o) * out_size] : 0.0f;
            patch_add(dw + (ulong)o * depth, patches, gradients, depth, accumulate || n > 0);
        }
    }
}
