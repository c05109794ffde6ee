/* SPDX-License-Identifier: Apache-2.0 */
/* Where everything on a sheet stands. Internal. */
#ifndef LINNET_SHEET_LAYOUT_H
#define LINNET_SHEET_LAYOUT_H

#include "sheet_parts.h"
#include "wrap.h"

enum { SHEET_MARGIN = 12, SHEET_GAP = 10, SHEET_LABEL_SCALE = 2 };

/* A picture in its cell: cell x..x + width, the picture in its middle. */
typedef struct sheet_place {
    int64_t x, width;
    int64_t tile_width, tile_height;
    int32_t scale, text_scale; /* of the picture, of its caption */
} sheet_place;

/* Pictures side by side: a row, or a part of one that is too wide. */
typedef struct sheet_line {
    size_t first, count;
    const char *label;
    int64_t y, tile_height, caption_height, height;
} sheet_line;

typedef struct sheet_layout {
    int32_t title_scale;
    int64_t shrink;      /* automatic scales are divided by it */
    int64_t label_width; /* of the column at the left, 0 without labels */
    int64_t width, height;
    linnet_wrapped title;
    sheet_place *places; /* of every cell */
    sheet_line *lines;
    size_t line_count;
} sheet_layout;

/* How many letters of that scale stand in so many pixels, at least one. */
size_t sheet_room(int64_t pixels, int32_t scale);
/* Height of so many lines of text, 0 for none; between two there are 2 pixels times the scale. */
int64_t sheet_text_height(int lines, int32_t scale);
/* A row's label in its lines, at scale SHEET_LABEL_SCALE. */
linnet_wrapped sheet_label(const char *label);
/* The caption of a cell in the lines that its place has room for. */
linnet_wrapped sheet_caption(const sheet_cell *cell, const sheet_place *place);
/* LINNET_LIMIT when it would be too large; sheet_layout_free in any case. */
linnet_status sheet_lay_out(const linnet_sheet *sheet, sheet_layout *out);
void sheet_layout_free(sheet_layout *layout);

#endif
