/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures as objectives take them: f32 [C,H,W], 0 to 1, in memory of their own. Functions return EXIT_GO_ON or the
   exit code to leave with, having said why. */
#ifndef LINNET_TOOLS_PLANES_H
#define LINNET_TOOLS_PLANES_H

#include "cli.h"

/* The picture's planes with 1 or 3 channels. */
int planes_of_image(const linnet_image *image, int64_t channels, linnet_tensor *out);
/* Reads a picture with 1 or 3 channels, its longer side brought to side pixels (0: as it is). */
int planes_read(const char *path, int64_t channels, int64_t side, linnet_tensor *out);
/* A picture of 8 bits; NULL: see linnet_context_message. */
linnet_image *planes_image(const linnet_tensor *planes);
int planes_write(const linnet_tensor *planes, const char *path);
/* The magnitude that 99.5 % of the values do not exceed; 0 after a failure. */
int planes_usual(const float *values, size_t count, float *out);
/* Accepts one that was never read. */
void planes_free(linnet_tensor *planes);

#endif
