/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conv2d forward from few channels, which stay in NCHW, to nchw16c: conv2d_channels.clh says how, with planes of one
 * channel. Weights [OB][C][kh][kw][16 out].
 */
#define IN_LANES 1
#include "channels_window.clh"
#define CONV2D_NAME conv2d_planes
#include "conv2d_channels.clh"
