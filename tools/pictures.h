/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LINNET_TOOLS_PICTURES_H
#define LINNET_TOOLS_PICTURES_H

#include "cli.h"

/* A PNG of test images with what was read in them: first those read wrong (framed, "4 not 9": read as 4, it is a 9),
   then those read right, in the dataset's order. predictions: one class for each of the first count images. Returns
   EXIT_GO_ON or the exit code to leave with. */
int pictures_write(const char *path, const linnet_dataset *data, const int32_t *predictions, int64_t count);

#endif
