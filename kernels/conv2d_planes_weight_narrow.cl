/* SPDX-License-Identifier: Apache-2.0 */
/* conv2d_planes_weight.cl for an odd number of blocks of outputs, or devices of few registers. */
#define IN_LANES 1
#include "channels_window.clh"
#define CONV2D_NAME     conv2d_planes_weight_narrow
#define CONV2D_SUM_NAME conv2d_planes_weight_narrow_sum
#undef TILE_COLUMNS
#define TILE_COLUMNS 1
#include "conv2d_planes_weight.clh"
