/* SPDX-License-Identifier: Apache-2.0 */
/* The weight's gradient of F(4 x 4, 3 x 3) in nchw16c: conv2d_channels_winograd_weight.clh says how. */
#define LANES      16
#define M          4
#define VALUE      float16
#define NAME(name) name##_f4
#include "winograd.clh"
#include "channels_winograd.clh"
#include "conv2d_channels_winograd_weight.clh"
