/* SPDX-License-Identifier: Apache-2.0 */
/*
 * c (+)= a b with bias and one operator, as gemm.cl, for GPUs: a group makes a tile of TILE by TILE in steps through
 * local memory (tile.clh draws it), each panel read along what is dense of it, in quads where they are aligned. Any
 * strides. x: tile, along the shorter side first, so that what groups share is read at the same time; z: product.
 *
 * Tunables: TILE, 64 or 128: 128 reads half as much for a multiply-add, 64 gives four times as many groups, which the
 * host weighs (tiling.c, parameter latency); `tile=64` forces one. TILE_MOST (default 128): 64 where a device has no
 * groups of 256, so that no kernel asks for them.
 */
#include "gemm_arguments.clh"
#include "quad.clh"
#include "unary_op.clh"

#include "tile_64.clh"
#include "gemm_local.clh"

#if TILE_MOST >= 128
#include "tile_128.clh"
#include "gemm_local.clh"
#endif
