/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conv2d for GPUs as an implicit matrix product (Chetlur et al. 2014, "cuDNN: efficient primitives for deep learning"):
 * the columns of im2col are made tile by tile in local memory and never lie in global memory. Any kernel, stride,
 * dilation, padding and groups; NCHW.
 *
 *     conv2d_implicit         y[o][pixel]  = sum over (c, u, v) of weight[o][(c, u, v)] x[c][pixel + (u, v)], and the
 *                             same for dx, which gathers dy; a launch for each phase of the stride
 *     conv2d_implicit_weight  dweight[o][(c, u, v)] = sum over pixels of dy[o][pixel] x[c][pixel + (u, v)], in parts
 *
 * A group makes one tile (tile.clh draws it); pixels of all images are one row of columns, so that small planes fill
 * tiles too. What an index along the depth means is worked out once for a whole chunk of it, an index a work-item, and
 * kept in local memory.
 *
 * A 1x1 kernel without padding needs no table, and without a stride reads inputs as they lie, four at a time. Where tiles are fewer than the
 * device keeps busy the depth goes in parts, which gemm_parts.cl adds (weights: reduce.cl).
 *
 * Tunables: TILE, 64 or 128, and TILE_MOST, as in gemm_local.cl; parts of the depth are an argument (gemm.c chooses both).
 */
#include "quad.clh"
#include "unary_op.clh"

#ifndef TILE_MOST
#define TILE_MOST 128
#endif

/* Two small offsets, -32768..32767, in an int. */
int edge_pack(int y, int x)
{
    return y * 65536 + (x & 0xffff);
}

int edge_y(int edge)
{
    return edge >> 16;
}

int edge_x(int edge)
{
    return (int)(short)(edge & 0xffff);
}

#define EDGE_OUTSIDE (-32767 * 65536) /* no row of any plane */

/* The depth of a product: its first index and how many there are, and what planes, taps and weights they are of. */
typedef struct implicit_depth {
    int first, count, plane, width, taps_y, taps_x, step_y, step_x, weight_c, weight_u, weight_v;
} implicit_depth;

/* A pixel: where its window begins, in its image and in the planes. */
typedef struct implicit_pixel {
    int origin, y, x, height, width;
} implicit_pixel;

/* The pixels of a part of the weight's gradient, and how far apart images are. */
typedef struct weight_depth {
    int first, last, pixels, out_width, stride_y, stride_x, width, in_image, dy_image;
} weight_depth;

/* How inputs are read: each by itself, where a table says so; one a pixel and plane, none outside of planes; those of
 * pixels side by side in quads. The host says what may be (conv2d_implicit.c). */
enum { INPUTS_GATHERED, INPUTS_PIXELS, INPUTS_QUADS };

#define TILE 64
#define NAME(name) name##_64
#include "tile.clh"
#include "conv2d_implicit.clh"
#undef TILE
#undef NAME

#if TILE_MOST >= 128
#define TILE 128
#define NAME(name) name##_128
#include "tile.clh"
#include "conv2d_implicit.clh"
#endif
