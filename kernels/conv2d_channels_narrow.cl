/* SPDX-License-Identifier: Apache-2.0 */
/* conv2d_channels.cl for one block of outputs, or devices of few registers. */
#include "channels_window.clh"
#define CONV2D_NAME conv2d_channels_narrow
#undef TILE_COLUMNS
#define TILE_COLUMNS 1
#include "conv2d_channels.clh"
