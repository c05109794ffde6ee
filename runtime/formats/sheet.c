/* SPDX-License-Identifier: Apache-2.0 */
/* Gathering what stands on a sheet. */
#include "core/core.h"
#include "picture.h"
#include "sheet_parts.h"

enum { DEFAULT_WIDTH = 2000 };

/* Keeps the context's last failure as the sheet's, if it is the first. */
static linnet_status stick(linnet_sheet *sheet, linnet_status status)
{
    if (sheet->status == LINNET_OK) {
        sheet->status = status;
        sheet->message = linnet_duplicate(linnet_context_message(sheet->context));
    }
    return status;
}

static linnet_status no_sheet(void)
{
    return linnet_fail(linnet_context_or_default(NULL), LINNET_INVALID, "sheet: none was given");
}

/* A copy of text in *out; false without memory. */
static bool keep(const char *text, char **out)
{
    *out = text ? linnet_duplicate(text) : NULL;
    return !text || *out;
}

linnet_sheet *linnet_sheet_new(linnet_context *context, const char *title)
{
    context = linnet_context_or_default(context);
    if (linnet_context_check(context) != LINNET_OK)
        return NULL;
    linnet_sheet *sheet = linnet_allocate(1, sizeof *sheet);
    if (!sheet || !keep(title, &sheet->title)) {
        linnet_release(sheet);
        linnet_fail(context, LINNET_OUT_OF_MEMORY, "sheet: out of memory");
        return NULL;
    }
    sheet->context = context;
    sheet->width = DEFAULT_WIDTH;
    return sheet;
}

void linnet_sheet_free(linnet_sheet **sheet)
{
    if (!sheet || !*sheet)
        return;
    for (size_t i = 0; i < (*sheet)->cell_count; i++) {
        linnet_image_free(&(*sheet)->cells[i].image);
        linnet_release((*sheet)->cells[i].caption);
    }
    for (size_t i = 0; i < (*sheet)->row_count; i++)
        linnet_release((*sheet)->rows[i].label);
    linnet_release((*sheet)->cells);
    linnet_release((*sheet)->rows);
    linnet_release((*sheet)->title);
    linnet_release((*sheet)->message);
    linnet_release(*sheet);
    *sheet = NULL;
}

linnet_status linnet_sheet_set_width(linnet_sheet *sheet, int32_t width)
{
    if (!sheet)
        return no_sheet();
    if (width < 0 || width > LINNET_IMAGE_MAX_SIDE)
        return stick(sheet, linnet_fail(sheet->context, LINNET_INVALID, "sheet: %d pixels wide, at most %d", (int)width,
                                        LINNET_IMAGE_MAX_SIDE));
    sheet->width = width ? width : DEFAULT_WIDTH;
    return LINNET_OK;
}

linnet_status linnet_sheet_set_columns(linnet_sheet *sheet, int32_t columns)
{
    if (!sheet)
        return no_sheet();
    if (columns < 0)
        return stick(sheet, linnet_fail(sheet->context, LINNET_INVALID, "sheet: %d columns", (int)columns));
    sheet->columns = columns;
    return LINNET_OK;
}

linnet_status linnet_sheet_row(linnet_sheet *sheet, const char *label)
{
    if (!sheet)
        return no_sheet();
    char *copy = NULL;
    if (!linnet_grow(&sheet->rows, &sheet->row_capacity, sheet->row_count + 1, sizeof *sheet->rows) ||
        !keep(label, &copy))
        return stick(sheet, linnet_fail(sheet->context, LINNET_OUT_OF_MEMORY, "sheet: out of memory"));
    sheet->rows[sheet->row_count++] = (sheet_row){.label = copy, .first = sheet->cell_count};
    return LINNET_OK;
}

linnet_status linnet_sheet_add(linnet_sheet *sheet, const linnet_image *image, int32_t scale, const char *caption)
{
    if (!sheet)
        return no_sheet();
    if (!linnet_image_whole(image) || scale < 0 || scale > LINNET_IMAGE_MAX_SIDE)
        return stick(sheet, linnet_fail(sheet->context, LINNET_INVALID,
                                        "sheet: picture %zu is none, or its scale %d is not in 0..%d",
                                        sheet->cell_count + 1, (int)scale, LINNET_IMAGE_MAX_SIDE));
    if (sheet->row_count == 0 && linnet_sheet_row(sheet, NULL) != LINNET_OK)
        return sheet->status;
    sheet_cell cell = {.scale = scale};
    cell.image = linnet_image_flatten(sheet->context, image, 3);
    if (!cell.image)
        return stick(sheet, linnet_context_last_status(sheet->context));
    if (!linnet_grow(&sheet->cells, &sheet->cell_capacity, sheet->cell_count + 1, sizeof *sheet->cells) ||
        !keep(caption, &cell.caption)) {
        linnet_image_free(&cell.image);
        return stick(sheet, linnet_fail(sheet->context, LINNET_OUT_OF_MEMORY, "sheet: out of memory"));
    }
    sheet->cells[sheet->cell_count++] = cell;
    sheet->rows[sheet->row_count - 1].count++;
    return LINNET_OK;
}

linnet_status linnet_sheet_mark(linnet_sheet *sheet, uint32_t colour)
{
    if (!sheet)
        return no_sheet();
    if (sheet->cell_count == 0)
        return stick(sheet, linnet_fail(sheet->context, LINNET_INVALID, "sheet: no picture to mark"));
    sheet->cells[sheet->cell_count - 1].mark = colour;
    return LINNET_OK;
}
