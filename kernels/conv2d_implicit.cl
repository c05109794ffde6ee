/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conv2d for GPUs as an implicit matrix product (Chetlur et al. 2014, "cuDNN: efficient primitives for deep learning"):
 * the columns of im2col are made tile by tile in local memory and never lie in global memory. Kernels of at most 15 by
 * 15 (of larger ones conv2d_direct.cl and im2col take over), any stride, dilation, padding and groups; NCHW.
 *
 *     conv2d_implicit         y[o][pixel]  = sum over (c, u, v) of weight[o][(c, u, v)] x[c][pixel + (u, v)], and the
 *                             same for dx, which gathers dy; a launch for each phase of the stride
 *     conv2d_implicit_weight  dweight[o][(c, u, v)] = sum over pixels of dy[o][pixel] x[c][pixel + (u, v)], in parts
 *
 * A group makes one tile (tile.clh draws it); pixels of all images are one row of columns, so that small planes fill
 * tiles too. What an index along the depth means is worked out once for a whole chunk of it, an index a work-item, and
 * kept in local memory.
 *
 * What needs one input of a plane, which is always there, is conv2d_pointwise.cl's. Where tiles are fewer than the
 * device keeps busy the depth goes in parts, which gemm_parts.cl adds (weights: reduce.cl).
 *
 * Tunables: TILE, 64 or 128, and TILE_MOST, as in gemm_local.cl; parts of the depth are an argument (tiling.c chooses
 * both).
 */
#include "quad.clh"
#include "unary_op.clh"

/* A tap, of at most 15 rows and 15 columns, as two bits: its row's in the upper half, its column's in the lower one. */
uint tap_bits(int u, int v)
{
    return 1u << (16 + u) | 1u << v;
}

#define TAP_NONE (1u << 31)

/* Those of the taps (u, v) that lie within the plane, from (y, x) on: tap_bits of each are all among these. */
uint taps_within(int y, int x, int taps_y, int taps_x, int step_y, int step_x, int height, int width)
{
    uint within = 0;
    for (int u = 0; u < taps_y; u++)
        within |= (uint)y + (uint)u * (uint)step_y < (uint)height ? 1u << (16 + u) : 0;
    for (int v = 0; v < taps_x; v++)
        within |= (uint)x + (uint)v * (uint)step_x < (uint)width ? 1u << v : 0;
    return within;
}

/* The depth of a product: its first index and how many there are, and what planes, taps and weights they are of. */
typedef struct implicit_depth {
    int first, count, plane, width, taps_y, taps_x, step_y, step_x, weight_c, weight_u, weight_v;
} implicit_depth;

/* The pixels of a part of the weight's gradient, their windows, and how far apart images are. */
typedef struct weight_depth {
    int first, last, pixels, out_width, stride_y, stride_x, top, left, taps_y, taps_x, step_y, step_x, height, width;
    int in_image, dy_image;
} weight_depth;

#include "tile_64.clh"
#include "conv2d_result.clh"
#include "conv2d_implicit.clh"

#if TILE_MOST >= 128
#include "tile_128.clh"
#include "conv2d_result.clh"
#include "conv2d_implicit.clh"
#endif
