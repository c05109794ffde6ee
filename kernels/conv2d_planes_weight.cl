/* SPDX-License-Identifier: Apache-2.0 */
/* conv2d, the weight's gradient of few input channels in NCHW: conv2d_planes_weight.clh says how. */
#define IN_LANES 1
#include "channels_window.clh"
#define CONV2D_NAME     conv2d_planes_weight
#define CONV2D_SUM_NAME conv2d_planes_weight_sum
#include "conv2d_planes_weight.clh"
