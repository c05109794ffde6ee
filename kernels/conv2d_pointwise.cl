/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conv2d for GPUs where an output needs one input of a plane, which is always there: kernels of 1x1 without padding,
 * strides or none, and of larger ones' gradients for the input those phases of the stride that see one weight.
 *
 *     y[o][pixel] = sum over c of weight[o][c] x[c][pixel stride], and the same for dx, which reads dy
 *
 * A matrix product, made by tiles (tile.clh draws it) as gemm_local.cl does; pixels of all images are one row of
 * columns, so that small planes fill tiles too. Without a stride, and with planes of whole quads, these are read in one
 * access.
 *
 *        x [images][C][H][W]                  panel of inputs [TILE_STEP][TILE]
 *      c +--------+ +--------+              k +---------------------------+
 *        | image 0| | image 1|  ...    ->     | image 0   | image 1   | . |   a step's planes, a tile's pixels
 *        +--------+ +--------+                +---------------------------+
 *
 * Tunables: TILE, 64 or 128, and TILE_MOST, as in gemm_local.cl; parts of the depth are an argument (tiling.c chooses
 * both).
 */
#include "quad.clh"
#include "unary_op.clh"

#include "tile_64.clh"
#include "conv2d_result.clh"
#include "conv2d_pointwise.clh"

#if TILE_MOST >= 128
#include "tile_128.clh"
#include "conv2d_result.clh"
#include "conv2d_pointwise.clh"
#endif
