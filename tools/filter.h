/* SPDX-License-Identifier: Apache-2.0 */
/* What `linnet filter` is made of: the demonstrations of a lecture. */
#ifndef LINNET_TOOLS_FILTER_H
#define LINNET_TOOLS_FILTER_H

#include "cli.h"

/* All of them compute on the device, print what they do and draw it into output where that is not NULL. They return
   EXIT_GO_ON or the exit code to leave with. */

/* Two 3x3 filters slide over a binary picture of 6x6 with strides 1 and 2; every step. */
int filter_demo_convolution(linnet_device *device, const char *output);
/* A depth slice of 4x4 through maximum and average pooling, 2x2 with stride 2. */
int filter_demo_pooling(linnet_device *device, const char *output);
/* A part of a picture is looked for in the whole of it. image NULL: a page of synthetic digits; rectangle NULL: a part
   in the middle, or the first digit; else "X,Y,WIDTH,HEIGHT". */
int filter_demo_template(linnet_device *device, const char *image, const char *rectangle, const char *output);
/* A picture through the usual kernels, side by side. border: a linnet_border. */
int filter_demo_kernels(linnet_device *device, const char *image, int border, const char *output);
/* Activation functions and their derivatives, from the layers' forward and backward. */
int filter_demo_activations(linnet_device *device, const char *output);

#endif
