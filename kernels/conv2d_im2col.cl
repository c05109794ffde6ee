/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conv2d as GEMM: im2col writes the patches of one group of one image, columns [CG KH KW, OH OW], zeros where a patch
 * lies in the padding; col2im adds columns back where they came from, as a gather. CG = C/groups. images of batch z lie
 * image_stride apart in x and columns_stride apart in columns.
 */

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

/* x: pixel of dx, y: channel within the group, z: image. */
__kernel void col2im(__global const float *restrict columns, ulong columns_at, __global float *restrict dx, ulong dx_at,
                     int height, int width, int out_height, int out_width, int kernel_height, int kernel_width,
                     int stride_y, int stride_x, int dilation_y, int dilation_x, int top, int left, int image_stride,
                     int columns_stride, int channel, int accumulate)
{
    int pixel = (int)get_global_id(0), c = (int)get_global_id(1), z = (int)get_global_id(2);
    if (pixel >= height * width)
        return;
    int row = pixel / width, column = pixel - row * width, out_size = out_height * out_width;
    columns += columns_at + (ulong)z * columns_stride + (ulong)c * kernel_height * kernel_width * out_size;
    float sum = 0.0f;
    for (int u = 0; u < kernel_height; u++) {
        int below = row + top - u * dilation_y, i = below / stride_y;
        if (below < 0 || below - i * stride_y != 0 || i >= out_height)
            continue;
        for (int v = 0; v < kernel_width; v++) {
            int right = column + left - v * dilation_x, j = right / stride_x;
            if (right < 0 || right - j * stride_x != 0 || j >= out_width)
                continue;
            sum += columns[(ulong)(u * kernel_width + v) * out_size + i * out_width + j];
        }
    }
    __global float *to = dx + dx_at + (ulong)z * image_stride + (ulong)(channel + c) * height * width + pixel;
    *to = accumulate ? *to + sum : sum;
}
