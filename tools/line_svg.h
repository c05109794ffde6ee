/* SPDX-License-Identifier: Apache-2.0 */
/* Diagrams with any number of curves over a common axis, as an SVG picture. */
#ifndef LINNET_TOOLS_LINE_SVG_H
#define LINNET_TOOLS_LINE_SVG_H

#include "cli.h"

typedef struct line_curve {
    const char *name;
    size_t count;
    const double *x, *y; /* x rising */
} line_curve;

typedef struct line_diagram {
    const char *title, *x_name, *y_name;
    bool percent;     /* y from 0 to 1 is shown as 0 % to 100 % */
    double low, high; /* of y; equal: what the curves need */
    const line_curve *curves;
    size_t count;
} line_diagram;

/* Writes the picture at once. Returns EXIT_GO_ON or the exit code to leave with. */
int line_svg_write(const char *path, const line_diagram *diagram);
/* Several diagrams below each other, under the first one's title. */
int line_svg_write_all(const char *path, const line_diagram *diagrams, size_t count);

#endif
