/* SPDX-License-Identifier: Apache-2.0 */
/* conv2d in nchw16c, forward and backward with respect to the input: conv2d_channels.clh says how. */
#include "channels_window.clh"
#define CONV2D_NAME conv2d_channels
#include "conv2d_channels.clh"
