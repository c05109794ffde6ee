/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sheets: figures made of captioned pictures, in rows, on white.
 *
 *     linnet_sheet *sheet = linnet_sheet_new(NULL, "Feature maps of conv1");
 *     linnet_sheet_row(sheet, "before relu");
 *     for (int i = 0; i < 8; i++)
 *         linnet_sheet_add(sheet, maps[i], 0, names[i]);
 *     linnet_image *figure = linnet_sheet_draw(sheet);
 *     linnet_sheet_free(&sheet);
 *
 * Errors stick to the sheet: linnet_sheet_draw fails with what was first wrong. Threads: one at a time.
 */
#ifndef LINNET_SHEET_H
#define LINNET_SHEET_H

#include "image.h"

LINNET_BEGIN_DECLS

typedef struct linnet_sheet linnet_sheet;

/* Text colours that say something. */
#define LINNET_MARK_WRONG 0xE0372Bu
#define LINNET_MARK_RIGHT 0x2E9E4Fu

/* An empty sheet with a title above all (NULL: none). */
LINNET_API linnet_sheet *linnet_sheet_new(linnet_context *context, const char *title);
/* Accepts NULL, clears the pointer. */
LINNET_API void linnet_sheet_free(linnet_sheet **sheet);
/* Rows wider than width pixels go on below (0: 2000, the default). A single picture may be wider. */
LINNET_API linnet_status linnet_sheet_set_width(linnet_sheet *sheet, int32_t width);

/* Rows of more than columns pictures go on below (0: only as the width says, the default). */
LINNET_API linnet_status linnet_sheet_set_columns(linnet_sheet *sheet, int32_t columns);

/* Begins a row; label, if any, stands at its left. The first row need not be begun. */
LINNET_API linnet_status linnet_sheet_row(linnet_sheet *sheet, const char *label);
/* Adds a copy of the picture to the row, each pixel enlarged scale times (0: as many as make it about 84 wide, 1 for
   what is wider), with a caption below (NULL: none). A caption is broken between words into at most three lines of its
   picture's width (84 at least) and shortened with ".." when that is not enough; '\n' begins a line. Where all rows
   have equally many pictures these stand in columns. */
LINNET_API linnet_status linnet_sheet_add(linnet_sheet *sheet, const linnet_image *image, int32_t scale,
                                          const char *caption);
/* Frames the picture added last, and colours its caption, 0xRRGGBB. */
LINNET_API linnet_status linnet_sheet_mark(linnet_sheet *sheet, uint32_t colour);

/* The figure, RGB. LINNET_LIMIT when it would be larger than a picture may be, even with every automatic scale
   lowered to 1. LINNET_INVALID for a sheet without pictures. May be drawn again after more was added. */
LINNET_API linnet_image *linnet_sheet_draw(linnet_sheet *sheet);

LINNET_END_DECLS
#endif
