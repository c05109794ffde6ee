/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gradients of weight and bias of a convolution of one tap, stride 1 and no padding for processors, in nchw16c:
 * dweight[o][c] (+)= sum over pixels of dy[p][o] x[p][c], and dbias[o] of dy[p][o], where whole blocks of channels fill
 * dweight [O][C]. x [N][CB][P][16], dy [N][OB][P][16], P pixels, CB and OB blocks of 16 channels a group.
 *
 * A work-item (a group of its own) has some blocks of outputs and some of inputs, and goes through all pixels in chunks
 * whose x stays in a near cache. The sums go through the registers chunk by chunk:
 *
 *                     x[p]:   | 16 inputs | 16 inputs |     TILE_COLUMNS blocks: 2, or 1
 *       output 0 of dy[p]  x | sum[0][0]   sum[0][1] |
 *       output 1           x | sum[1][0]   sum[1][1] |     8 outputs, 16 where it is one block
 *            :               |     :           :     |     over the pixels p of the chunk
 *
 * Tunables: TILE_COLUMNS (default 2, for 32 registers of 16 floats; 1, with tiles of 4 outputs, for 16 of 8); out_set,
 * in_set (a multiple of TILE_COLUMNS, or all) and pixels_at_once are arguments; AHEAD, pixels that both sides are fetched
 * ahead (default 32).
 */
#define AHEAD      32
#define SUMS_BLOCK LANES
#ifndef TILE_COLUMNS
#define TILE_COLUMNS 2
#endif
#include "outer_tile.clh"

/* The 16 outputs of a block. */
#define EACH_ROW(R, T)                                                                                                 \
    for (int r = 0; r < LANES; r += R)                                                                                 \
        outer_tile_##R##_##T(gradient + r, image, size, count, sums + (ulong)r * row, row, load);

/* The sum of `count` vectors, two by two. */
APART float16 weight_sum(__global const float *restrict from, int count)
{
    float16 even = 0.0f, odd = 0.0f;
    int i = 0;
    for (; i + 2 <= count; i += 2) {
        even += load16(i, from);
        odd += load16(i + 1, from);
    }
    return i < count ? even + odd + load16(i, from) : even + odd;
}

/* x: blocks of inputs, y: blocks of outputs, z: group. Items lie x_item and dy_item floats apart. bias_way: 0 not at
   all, 1 =, 2 +=. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
conv2d_channels_1x1_weight(__global const float *restrict x, ulong x_at, __global const float *restrict dy, ulong dy_at,
                           __global float *restrict dweight, ulong dweight_at, __global float *restrict dbias,
                           ulong dbias_at, int items, int pixels, int in_blocks, int out_blocks, int out_set,
                           int in_set, int pixels_at_once, int x_item, int dy_item, int accumulate, int bias_way)
{
    int first_in = (int)get_global_id(0) * in_set, last_in = min(first_in + in_set, in_blocks);
    int first_out = (int)get_global_id(1) * out_set, last_out = min(first_out + out_set, out_blocks);
    int group = (int)get_global_id(2), size = pixels * LANES, row = in_blocks * LANES;
    x += x_at + (ulong)group * in_blocks * size;
    dy += dy_at + (ulong)group * out_blocks * size;
    dweight += dweight_at + (ulong)group * out_blocks * LANES * row;
    dbias += dbias_at + (ulong)group * out_blocks * LANES;
    ROLLED for (int item = 0; item < items; item++, x += x_item, dy += dy_item)
        ROLLED for (int p = 0; p < pixels; p += pixels_at_once) {
            int count = min(pixels_at_once, pixels - p), is_first = item + p == 0, load = accumulate || !is_first;
            ROLLED for (int o = first_out; o < last_out && bias_way > 0 && first_in == 0; o++) {
                float16 sum = weight_sum(dy + (ulong)o * size + p * LANES, count);
                store16(bias_way == 2 || !is_first ? sum + load16(o, dbias) : sum, o, dbias);
            }
            ROLLED for (int c = first_in; c < last_in; c += TILE_COLUMNS)
                ROLLED for (int o = first_out; o < last_out; o++) {
                    __global const float *gradient = dy + (ulong)o * size + p * LANES;
                    __global const float *image = x + (ulong)c * size + p * LANES;
                    __global float *sums = dweight + (ulong)o * LANES * row + c * LANES;
#if TILE_COLUMNS == 2
                    if (c + 2 <= last_in) {
                        EACH_ROW(8, 2)
                    } else {
                        EACH_ROW(16, 1)
                    }
#else
                    EACH_ROW(4, 1)
#endif
                }
        }
}
