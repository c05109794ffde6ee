/* SPDX-License-Identifier: Apache-2.0 */
/* F(2 x 2, 3 x 3) in nchw16c, forward and backward with respect to the input: conv2d_channels_winograd.clh says how. */
#include "lanes.clh"
#define M          2
#define VALUE      float16
#define NAME(name) name##_f2
#include "winograd.clh"
#include "channels_winograd.clh"
#include "conv2d_channels_winograd.clh"
