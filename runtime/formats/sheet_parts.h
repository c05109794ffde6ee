/* SPDX-License-Identifier: Apache-2.0 */
/* What a sheet is made of. Internal. */
#ifndef LINNET_SHEET_PARTS_H
#define LINNET_SHEET_PARTS_H

#include "linnet/sheet.h"

typedef struct sheet_cell {
    linnet_image *image; /* RGB, ours */
    int32_t scale;       /* 0: automatic */
    uint32_t mark;       /* 0: none */
    char *caption;       /* ours, or NULL */
} sheet_cell;

typedef struct sheet_row {
    char *label; /* ours, or NULL */
    size_t first, count;
} sheet_row;

struct linnet_sheet {
    linnet_context *context;
    char *title;
    int32_t width;   /* rows go on below beyond it */
    int32_t columns; /* and after so many pictures; 0: any number */
    sheet_cell *cells;
    sheet_row *rows;
    size_t cell_count, cell_capacity, row_count, row_capacity;
    linnet_status status; /* what was first wrong */
    char *message;
};

#endif
