/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LINNET_TOOLS_COMPARE_SVG_H
#define LINNET_TOOLS_COMPARE_SVG_H

#include "train.h"

/* One network among several. */
typedef struct compare_curve {
    const char *name;
    const history *h;
} compare_curve;

/* Draws loss and accuracy of all networks side by side, a colour for each, and writes the picture at once. Returns
   EXIT_GO_ON or the exit code to leave with. */
int compare_svg_write(const char *path, const char *title, const compare_curve *curves, size_t count, double epochs);

#endif
