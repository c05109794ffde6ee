/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The format nchw16c of processors: [N][ceil(C/16)][S][16], the channels innermost, zeros in the spare lanes of the
 * last block; to and from NCHW [N][C][S]; nchw16n, [ceil(N/16)][S][16] with the batch innermost, is nchw16c of one item
 * whose channels are the images. Packed weights of conv2d_channels.cl, zeros in the spare lanes, from
 * [O][C][taps]:
 *
 *     forward    [O/16][C/16][taps][16 c][16 o]
 *     backward   [C/16][O/16][taps][16 o][16 c]
 *     planes     [O/16][C][taps][16 o]
 *
 * As blocks of in_lanes c, 16 or (planes) 1.
 */
#include "loops.clh"
#include "vectors.clh"

#define LANES 16

/* x: some pixels (run of them) of a block, y: block, z: item. */
__kernel void nchw16c_from_nchw(__global const float *restrict from, ulong from_at, __global float *restrict to,
                                ulong to_at, int channels, int size, int blocks, int run)
{
    int block = (int)get_global_id(1), item = (int)get_global_id(2), count = min(LANES, channels - block * LANES);
    int s = (int)get_global_id(0) * run, last = min(s + run, size);
    from += from_at + ((ulong)item * channels + block * LANES) * size;
    to += to_at + ((ulong)item * blocks + block) * size * LANES;
    if (count == LANES)
        ROLLED for (; s + 4 <= last; s += 4) {
            float4 r0 = vload4(0, from + s), r1 = vload4(0, from + size + s), r2 = vload4(0, from + 2 * size + s);
            float4 r3 = vload4(0, from + 3 * size + s), r4 = vload4(0, from + 4 * size + s);
            float4 r5 = vload4(0, from + 5 * size + s), r6 = vload4(0, from + 6 * size + s);
            float4 r7 = vload4(0, from + 7 * size + s), r8 = vload4(0, from + 8 * size + s);
            float4 r9 = vload4(0, from + 9 * size + s), ra = vload4(0, from + 10 * size + s);
            float4 rb = vload4(0, from + 11 * size + s), rc = vload4(0, from + 12 * size + s);
            float4 rd = vload4(0, from + 13 * size + s), re = vload4(0, from + 14 * size + s);
            float4 rf = vload4(0, from + 15 * size + s);
#define PIXEL(i)                                                                                                       \
    store16((float16)(r0.s##i, r1.s##i, r2.s##i, r3.s##i, r4.s##i, r5.s##i, r6.s##i, r7.s##i, r8.s##i, r9.s##i,        \
                      ra.s##i, rb.s##i, rc.s##i, rd.s##i, re.s##i, rf.s##i),                                           \
            s + i, to);
            PIXEL(0) PIXEL(1) PIXEL(2) PIXEL(3)
        }
    ROLLED for (; s < last; s++)
        ROLLED for (int l = 0; l < LANES; l++)
            to[s * LANES + l] = l < count ? from[l * size + s] : 0.0f;
}

__kernel void nchw16c_to_nchw(__global const float *restrict from, ulong from_at, __global float *restrict to,
                              ulong to_at, int channels, int size, int blocks, int run)
{
    int block = (int)get_global_id(1), item = (int)get_global_id(2), count = min(LANES, channels - block * LANES);
    int s = (int)get_global_id(0) * run, last = min(s + run, size);
    from += from_at + ((ulong)item * blocks + block) * size * LANES;
    to += to_at + ((ulong)item * channels + block * LANES) * size;
    if (count == LANES)
        ROLLED for (; s + 4 <= last; s += 4) {
            float16 p0 = load16(s, from), p1 = load16(s + 1, from), p2 = load16(s + 2, from);
            float16 p3 = load16(s + 3, from);
#define CHANNEL(i, c) vstore4((float4)(p0.s##c, p1.s##c, p2.s##c, p3.s##c), 0, to + i * size + s);
            CHANNEL(0, 0)
            CHANNEL(1, 1)
            CHANNEL(2, 2) CHANNEL(3, 3) CHANNEL(4, 4) CHANNEL(5, 5) CHANNEL(6, 6) CHANNEL(7, 7) CHANNEL(8, 8)
                CHANNEL(9, 9) CHANNEL(10, a) CHANNEL(11, b) CHANNEL(12, c) CHANNEL(13, d) CHANNEL(14, e) CHANNEL(15, f)
        }
    ROLLED for (; s < last; s++)
        ROLLED for (int l = 0; l < count; l++)
            to[l * size + s] = from[s * LANES + l];
}

/* nchw16n [N/16][C][S][16 n], to and from nchw16c; zeros in the spare lanes of what is written. x: block of channels, y:
   block of images. */
__kernel void nchw16c_swap(__global const float *restrict from, ulong from_at, __global float *restrict to, ulong to_at,
                           int images, int channels, int size, int to_images)
{
    int block = (int)get_global_id(0), batch = (int)get_global_id(1), blocks = (channels + LANES - 1) / LANES;
    if (block >= blocks)
        return;
    int count = min(LANES, channels - block * LANES), items = min(LANES, images - batch * LANES);
    ulong by_image = ((ulong)batch * channels + block * LANES) * size * LANES;
    ulong by_channel = ((ulong)batch * LANES * blocks + block) * size * LANES;
    int rows = to_images ? count : items, lanes = to_images ? items : count;
    int step = blocks * size * LANES; /* of an image in nchw16c */
    from += from_at + (to_images ? by_channel : by_image);
    to += to_at + (to_images ? by_image : by_channel);
    int from_lane = to_images ? step : size * LANES, to_row = to_images ? size * LANES : step;
    for (int s = 0; s < size; s++)
        for (int r = 0; r < rows; r++)
            for (int l = 0; l < LANES; l++)
                to[(ulong)r * to_row + s * LANES + l] = l < lanes ? from[(ulong)l * from_lane + s * LANES + r] : 0.0f;
}

/* x: block of c, y: block of 16 o. backward: 0 or 1. */
__kernel void nchw16c_pack(__global const float *restrict from, ulong from_at, __global float *restrict to, ulong to_at,
                           int outputs, int channels, int taps, int in_lanes, int in_blocks, int out_blocks,
                           int backward)
{
    int cb = (int)get_global_id(0), ob = (int)get_global_id(1);
    if (cb >= in_blocks)
        return;
    int inputs_here = min(in_lanes, channels - cb * in_lanes), outputs_here = min(LANES, outputs - ob * LANES);
    from += from_at + ((ulong)ob * LANES * channels + cb * in_lanes) * taps;
    to += to_at + (ulong)(backward ? cb * out_blocks + ob : ob * in_blocks + cb) * taps * in_lanes * LANES;
    int c_step = backward ? 1 : LANES, o_step = backward ? in_lanes : 1;
    ROLLED for (int o = 0; o < LANES; o++)
        ROLLED for (int c = 0; c < in_lanes; c++)
            ROLLED for (int t = 0; t < taps; t++)
                to[t * in_lanes * LANES + o * o_step + c * c_step] =
                    o < outputs_here && c < inputs_here ? from[((ulong)o * channels + c) * taps + t] : 0.0f;
}

__kernel void nchw16c_unpack(__global const float *restrict from, ulong from_at, __global float *restrict to,
                             ulong to_at, int outputs, int channels, int taps, int in_lanes, int in_blocks,
                             int out_blocks, int backward)
{
    int cb = (int)get_global_id(0), ob = (int)get_global_id(1);
    if (cb >= in_blocks)
        return;
    int inputs_here = min(in_lanes, channels - cb * in_lanes), outputs_here = min(LANES, outputs - ob * LANES);
    to += to_at + ((ulong)ob * LANES * channels + cb * in_lanes) * taps;
    from += from_at + (ulong)(backward ? cb * out_blocks + ob : ob * in_blocks + cb) * taps * in_lanes * LANES;
    int c_step = backward ? 1 : LANES, o_step = backward ? in_lanes : 1;
    ROLLED for (int o = 0; o < outputs_here; o++)
        ROLLED for (int c = 0; c < inputs_here; c++)
            ROLLED for (int t = 0; t < taps; t++)
                to[((ulong)o * channels + c) * taps + t] = from[t * in_lanes * LANES + o * o_step + c * c_step];
}
