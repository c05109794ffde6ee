/* SPDX-License-Identifier: Apache-2.0 */
/* A panel of an SVG picture: loss or accuracy over the epochs, with its axes and any number of curves. */
#ifndef LINNET_TOOLS_CURVE_PANEL_H
#define LINNET_TOOLS_CURVE_PANEL_H

#include "train.h"

/* Pixels. Two panels stand beside each other. */
#define CURVE_WIDTH        920
#define CURVE_HEIGHT       380
#define CURVE_PANEL_WIDTH  360
#define CURVE_PANEL_HEIGHT 250
#define CURVE_LEFT_LOSS    64
#define CURVE_LEFT_RIGHT   520

typedef struct curve_panel {
    FILE *file;
    double left, top, low, high, epochs; /* low to high: the values from bottom to top */
    bool accuracy;                       /* else the loss */
} curve_panel;

/* Chooses the range that shows the course of all these histories, and draws the axes. */
curve_panel curve_panel_start(FILE *file, double left, double top, double epochs, bool accuracy,
                              const history *const *histories, size_t count);
void curve_panel_line(const curve_panel *p, const history_point *points, size_t count, const char *colour,
                      double width);
/* Each point the mean of those around it, a twentieth of all; the window shrinks towards the ends. */
void curve_smooth(const history_point *points, size_t count, history_point *out);
/* A dot on every point, unless there are too many of them. */
void curve_panel_dots(const curve_panel *p, const history_point *points, size_t count, const char *colour);

#endif
