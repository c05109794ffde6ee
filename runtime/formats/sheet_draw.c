/* SPDX-License-Identifier: Apache-2.0 */
/* Painting a sheet that was laid out. */
#include "core/core.h"
#include "font.h"
#include "sheet_layout.h"

enum { FRAME = 3, PAGE = 0xFFFFFF, TEXT = 0x202020 };

/* The lines one below the other, each in the middle of width pixels from x (or from x on). */
static void text_paint(linnet_image *image, const linnet_wrapped *text, int64_t x, int64_t y, int64_t width,
                       bool centred, int32_t scale, uint32_t colour)
{
    for (int i = 0; i < text->count; i++) {
        int64_t used = linnet_image_text_width(text->lines[i], scale);
        int64_t top = y + (i ? sheet_text_height(i + 1, scale) - LINNET_GLYPH_HEIGHT * scale : 0);
        linnet_image_text(image, (int32_t)(x + (centred ? (width - used) / 2 : 0)), (int32_t)top, scale, colour,
                          text->lines[i]);
    }
}

static bool cell_paint(linnet_image *image, const sheet_line *line, const sheet_cell *cell, const sheet_place *place,
                       linnet_context *context)
{
    int32_t x = (int32_t)(place->x + (place->width - place->tile_width) / 2);
    int32_t y = (int32_t)(line->y + (line->tile_height - place->tile_height) / 2);
    linnet_image *tile = linnet_image_enlarge(context, cell->image, place->scale);
    if (!tile)
        return false;
    if (cell->mark)
        linnet_image_fill(image, x - FRAME, y - FRAME, tile->width + 2 * FRAME, tile->height + 2 * FRAME, cell->mark);
    linnet_image_blit(image, x, y, tile);
    linnet_image_free(&tile);
    linnet_wrapped caption = sheet_caption(cell, place);
    text_paint(image, &caption, place->x, line->y + line->tile_height + SHEET_GAP / 2, place->width, true,
               place->text_scale, cell->mark ? cell->mark : TEXT);
    return true;
}

static bool line_paint(linnet_image *image, const linnet_sheet *sheet, const sheet_layout *page, const sheet_line *line)
{
    linnet_wrapped label = sheet_label(line->label);
    int64_t height = sheet_text_height(label.count, SHEET_LABEL_SCALE);
    text_paint(image, &label, SHEET_MARGIN, line->y + (line->tile_height - height) / 2, 0, false, SHEET_LABEL_SCALE,
               TEXT);
    for (size_t i = line->first; i < line->first + line->count; i++)
        if (!cell_paint(image, line, &sheet->cells[i], &page->places[i], sheet->context))
            return false;
    return true;
}

static linnet_image *paint(const linnet_sheet *sheet, const sheet_layout *page)
{
    linnet_image *image = linnet_image_new(sheet->context, (int32_t)page->width, (int32_t)page->height, 3);
    if (!image)
        return NULL;
    linnet_image_fill(image, 0, 0, image->width, image->height, PAGE);
    text_paint(image, &page->title, SHEET_MARGIN, SHEET_MARGIN, 0, false, page->title_scale, TEXT);
    for (size_t i = 0; i < page->line_count; i++)
        if (!line_paint(image, sheet, page, &page->lines[i])) {
            linnet_image_free(&image);
            return NULL;
        }
    return image;
}

linnet_image *linnet_sheet_draw(linnet_sheet *sheet)
{
    linnet_context *context = sheet ? sheet->context : linnet_context_or_default(NULL);
    if (linnet_context_check(context) != LINNET_OK)
        return NULL;
    if (!sheet || sheet->status != LINNET_OK) {
        linnet_fail(context, sheet ? sheet->status : LINNET_INVALID, "%s",
                    sheet && sheet->message ? sheet->message : "sheet: none was given");
        return NULL;
    }
    if (sheet->cell_count == 0) {
        linnet_fail(context, LINNET_INVALID, "sheet: no pictures");
        return NULL;
    }
    sheet_layout page;
    linnet_image *image = sheet_lay_out(sheet, &page) == LINNET_OK ? paint(sheet, &page) : NULL;
    sheet_layout_free(&page);
    return image;
}
