/* SPDX-License-Identifier: Apache-2.0 */
/* conv2d of one tap in nchw16c, forward and backward with respect to the input: conv2d_channels_1x1.clh says how. */
#define CONV2D_NAME conv2d_channels_1x1
#include "conv2d_channels_1x1.clh"
