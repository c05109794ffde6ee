/* SPDX-License-Identifier: Apache-2.0 */
/* Small matrices drawn as squares with their numbers in them: how a lecture shows a convolution. */
#ifndef LINNET_TOOLS_NUMBER_GRID_H
#define LINNET_TOOLS_NUMBER_GRID_H

#include "cli.h"

typedef enum grid_colours {
    GRID_INK,    /* 0 white, 1 dark: a binary picture */
    GRID_SIGNED, /* diverging, white at 0, full colour at +-limit */
    GRID_AMOUNT  /* white at 0, full colour at limit */
} grid_colours;

typedef struct number_grid {
    int rows, columns;
    const float *values; /* row by row */
    int filled;          /* so many of them are drawn, the rest stays empty */
    grid_colours colours;
    float limit;
    int cell;      /* pixels of a square */
    int marked[4]; /* row, column, rows, columns framed; none where the last are 0 */
    uint32_t mark; /* its colour */
} number_grid;

#define GRID_MARK 0xE8590Cu
#define GRID_TEXT 0x202020u

/* Draws it with its top left corner at (x, y). */
void number_grid_draw(linnet_image *image, int x, int y, const number_grid *grid);
/* Its frame alone. */
void number_grid_frame(linnet_image *image, int x, int y, const number_grid *grid);
/* "3", "-1", "3.25" */
const char *number_grid_text(float value, char out[16]);

#endif
