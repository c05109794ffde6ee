/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conv2d as GEMM: im2col writes the patches of one group of one image, columns [CG KH KW, OH OW], zeros where a patch
 * lies in the padding; col2im adds columns back where they came from, as a gather. CG = C/groups. images of batch z lie
 * image_stride apart in x and columns_stride apart in columns.
 *
 * Tunables: CHANNELS of a work-item of col2im (default 4; conv2d_im2col.c knows it): as many loads are under way.
 */
#define CHANNELS 4

/* x: pixel of y, y: row of columns (c, u, v), z: image. */
__kernel void im2col(__global const float *restrict x, ulong x_at, __global float *restrict columns, ulong columns_at,
                     int height, int width, int out_height, int out_width, int kernel_height, int kernel_width,
                     int stride_y, int stride_x, int dilation_y, int dilation_x, int top, int left, int image_stride,
                     int columns_stride, int channel)
{
    int pixel = (int)get_global_id(0), out_size = out_height * out_width;
    if (pixel >= out_size)
        return;
    int r = (int)get_global_id(1), taps = kernel_height * kernel_width, c = r / taps, tap = r - c * taps,
        z = (int)get_global_id(2);
    int i = pixel / out_width, j = pixel - i * out_width;
    int row = i * stride_y - top + tap / kernel_width * dilation_y,
        column = j * stride_x - left + tap % kernel_width * dilation_x;
    bool inside = row >= 0 && row < height && column >= 0 && column < width;
    ulong from = x_at + (ulong)z * image_stride + ((ulong)(channel + c) * height + row) * width + column;
    columns[columns_at + (ulong)z * columns_stride + (ulong)r * out_size + pixel] =
        inside ? x[inside ? from : x_at] : 0.0f;
}

/* The taps along an axis by which outputs see an input: tap, tap + step, ..., `count` of them, from output number
 * `output` on, back by `back` each. */
typedef struct seen {
    int tap, output, count, back;
} seen;

/* reach: of the input, counted from the first output's window; step: of taps that are whole strides apart. */
seen seen_by(int reach, int outputs, int taps, int stride, int dilation, int step)
{
    seen s = {0, 0, 0, dilation * step / stride};
    while (s.tap < step && (reach - s.tap * dilation) % stride != 0)
        s.tap++;
    if (s.tap == step || s.tap >= taps)
        return s;
    s.output = (reach - s.tap * dilation) / stride;
    int beyond = s.output - (outputs - 1), skip = beyond > 0 ? (beyond + s.back - 1) / s.back : 0;
    s.tap += skip * step;
    s.output -= skip * s.back;
    if (s.tap < taps && s.output >= 0)
        s.count = min((taps - s.tap + step - 1) / step, s.output / s.back + 1);
    return s;
}

/* x: pixel of dx, y: CHANNELS of the group's channels, z: image. */
__kernel void col2im(__global const float *restrict columns, ulong columns_at, __global float *restrict dx, ulong dx_at,
                     int height, int width, int out_height, int out_width, int kernel_height, int kernel_width,
                     int stride_y, int stride_x, int dilation_y, int dilation_x, int top, int left, int image_stride,
                     int columns_stride, int channels, int step_y, int step_x, int channel, int accumulate)
{
    int pixel = (int)get_global_id(0), c = (int)get_global_id(1) * CHANNELS, z = (int)get_global_id(2);
    if (pixel >= height * width)
        return;
    int row = pixel / width, column = pixel - row * width, out_size = out_height * out_width;
    int count = min(CHANNELS, channels - c), apart = kernel_height * kernel_width * out_size;
    seen y = seen_by(row + top, out_height, kernel_height, stride_y, dilation_y, step_y);
    seen x = seen_by(column + left, out_width, kernel_width, stride_x, dilation_x, step_x);
    columns += columns_at + (ulong)z * columns_stride + (ulong)c * apart;
    int next = step_x * out_size - x.back;
    float sum[CHANNELS] = {0.0f, 0.0f, 0.0f, 0.0f};
    for (int u = 0; u < y.count; u++) {
        int tap = (y.tap + u * step_y) * kernel_width + x.tap;
        __global const float *from = columns + tap * out_size + (y.output - u * y.back) * out_width + x.output;
#pragma unroll 1 /* registers that work-items need more than loads under way */
        for (int v = 0; v < x.count; v++, from += next) {
            sum[0] += from[0];
            sum[1] += count > 1 ? from[apart] : 0.0f;
            sum[2] += count > 2 ? from[2 * apart] : 0.0f;
            sum[3] += count > 3 ? from[3 * apart] : 0.0f;
        }
    }
    dx += dx_at + (ulong)z * image_stride + (ulong)(channel + c) * height * width + pixel;
#pragma unroll
    for (int e = 0; e < CHANNELS; e++)
        if (e < count) {
            __global float *to = dx + e * height * width;
            *to = accumulate ? *to + sum[e] : sum[e];
        }
}
