/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LINNET_TOOLS_CURVE_SVG_H
#define LINNET_TOOLS_CURVE_SVG_H

#include "train.h"

/* Draws loss and accuracy over the epochs side by side and writes the picture at once: path holds the old or the new
   one. Returns EXIT_GO_ON or the exit code to leave with. */
int curve_svg_write(const char *path, const char *title, const history *h, double epochs);

#endif
