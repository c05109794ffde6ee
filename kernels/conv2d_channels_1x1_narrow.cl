/* SPDX-License-Identifier: Apache-2.0 */
/* conv2d_channels_1x1.cl for one block of outputs, or devices of few registers. */
#define CONV2D_NAME conv2d_channels_1x1_narrow
#undef TILE_COLUMNS
#define TILE_COLUMNS 1
#include "conv2d_channels_1x1.clh"
