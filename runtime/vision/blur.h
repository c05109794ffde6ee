/* SPDX-License-Identifier: Apache-2.0 */
/* Gaussian blur of planes in host memory. Internal to vision. */
#ifndef LINNET_VISION_BLUR_H
#define LINNET_VISION_BLUR_H

#include <stdint.h>

/* In place; the edge's pixels stand for what lies beyond it. line: room for the longer of height and width. A deviation
   under 0.05 pixels does nothing; what lies beyond 64 pixels is left out. */
void linnet_blur(float *planes, int64_t channels, int64_t height, int64_t width, float deviation, float *line);

#endif
