/* SPDX-License-Identifier: Apache-2.0 */
#ifndef LINNET_TOOLS_LOSS_SVG_H
#define LINNET_TOOLS_LOSS_SVG_H

#include "cli.h"

#define LOSS_SERIES 12

/* count numbers, every stride-th of values: one an iteration, from iteration 0. */
typedef struct loss_series {
    const char *name;
    const double *values;
    size_t count, stride;
    bool thick; /* the one that matters most */
} loss_series;

/* Draws losses over the iterations, the loss logarithmically, at most LOSS_SERIES of them; path holds the old or the
   new picture. Returns EXIT_GO_ON or the exit code to leave with. */
int loss_svg_write(const char *path, const char *title, const loss_series *series, size_t count);

#endif
