/* SPDX-License-Identifier: Apache-2.0 */
#include "sheet_layout.h"

#include "core/core.h"
#include "font.h"

#include <string.h>

enum {
    TILE_WIDTH = 84, /* of a picture scaled automatically */
    LEADING = 2,     /* between lines of text, times their scale */
    LEAST_CAPTION = 84,
    CAPTION_LINES = 3,
    LABEL_LETTERS = 14,
    LABEL_LINES = 4,
    TITLE_WIDTH = 480, /* the page is as wide as the title, up to this */
    TITLE_GAP = 14,
    LINE_GAP = 14
};

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

size_t sheet_room(int64_t pixels, int32_t scale)
{
    int64_t letters = (pixels / scale + LINNET_GLYPH_PITCH - LINNET_GLYPH_WIDTH) / LINNET_GLYPH_PITCH;
    return letters > 1 ? (size_t)letters : 1;
}

int64_t sheet_text_height(int lines, int32_t scale)
{
    return lines > 0 ? ((int64_t)lines * (LINNET_GLYPH_HEIGHT + LEADING) - LEADING) * scale : 0;
}

/* Width of the widest of the lines. */
static int64_t wrapped_width(const linnet_wrapped *text, int32_t scale)
{
    int64_t width = 0;
    for (int i = 0; i < text->count; i++)
        width = larger(width, linnet_image_text_width(text->lines[i], scale));
    return width;
}

linnet_wrapped sheet_label(const char *label)
{
    return linnet_wrap(label, LABEL_LETTERS, LABEL_LINES);
}

linnet_wrapped sheet_caption(const sheet_cell *cell, const sheet_place *place)
{
    return linnet_wrap(cell->caption, sheet_room(place->width, place->text_scale), CAPTION_LINES);
}

/* The size of every picture of a row, and the least width of its cell. Cells of pictures that are equally wide are
   so, too. */
static void size_row(const linnet_sheet *sheet, sheet_layout *page, const sheet_row *row, int32_t text_scale)
{
    bool alike = true;
    int64_t widest = 0;
    for (size_t i = row->first; i < row->first + row->count; i++) {
        const sheet_cell *cell = &sheet->cells[i];
        sheet_place *place = &page->places[i];
        int64_t automatic = larger(TILE_WIDTH / cell->image->width / page->shrink, 1);
        place->scale = cell->scale ? cell->scale : (int32_t)automatic;
        place->text_scale = text_scale;
        place->tile_width = (int64_t)cell->image->width * place->scale;
        place->tile_height = (int64_t)cell->image->height * place->scale;
        linnet_wrapped whole = linnet_wrap(cell->caption, LINNET_WRAP_LETTERS, LINNET_WRAP_LINES);
        place->width = larger(place->tile_width, smaller(wrapped_width(&whole, text_scale), LEAST_CAPTION));
        alike = alike && place->tile_width == page->places[row->first].tile_width;
        widest = larger(widest, place->width);
    }
    for (size_t i = row->first; alike && i < row->first + row->count; i++)
        page->places[i].width = widest;
}

/* Whether every caption of a row stands whole, no word broken. */
static bool captions_fit(const linnet_sheet *sheet, const sheet_layout *page, const sheet_row *row)
{
    for (size_t i = row->first; i < row->first + row->count; i++) {
        linnet_wrapped text = sheet_caption(&sheet->cells[i], &page->places[i]);
        if (text.shortened || text.word_broken)
            return false;
    }
    return true;
}

/* Columns, where every row has as many pictures as the first. */
static void align_columns(const linnet_sheet *sheet, sheet_layout *page)
{
    for (size_t r = 0; r < sheet->row_count; r++)
        if (sheet->rows[r].count != sheet->rows[0].count)
            return;
    for (size_t i = 0; i < sheet->rows[0].count; i++) {
        int64_t width = 0;
        for (size_t r = 0; r < sheet->row_count; r++)
            width = larger(width, page->places[sheet->rows[r].first + i].width);
        for (size_t r = 0; r < sheet->row_count; r++)
            page->places[sheet->rows[r].first + i].width = width;
    }
}

static void size_cells(const linnet_sheet *sheet, sheet_layout *page)
{
    for (size_t r = 0; r < sheet->row_count; r++) {
        size_row(sheet, page, &sheet->rows[r], 2);
        if (!captions_fit(sheet, page, &sheet->rows[r]))
            size_row(sheet, page, &sheet->rows[r], 1);
    }
    align_columns(sheet, page);
}

static void measure_labels(const linnet_sheet *sheet, sheet_layout *page)
{
    page->label_width = 0;
    for (size_t r = 0; r < sheet->row_count; r++) {
        linnet_wrapped label = sheet_label(sheet->rows[r].label);
        page->label_width = larger(page->label_width, wrapped_width(&label, SHEET_LABEL_SCALE));
    }
}

/* Ends a line: how high are its pictures, captions and label? */
static void measure_line(const linnet_sheet *sheet, const sheet_layout *page, sheet_line *line)
{
    for (size_t i = line->first; i < line->first + line->count; i++) {
        linnet_wrapped text = sheet_caption(&sheet->cells[i], &page->places[i]);
        int64_t height = sheet_text_height(text.count, page->places[i].text_scale);
        line->caption_height = larger(line->caption_height, height ? height + SHEET_GAP / 2 : 0);
        line->tile_height = larger(line->tile_height, page->places[i].tile_height);
    }
    linnet_wrapped label = sheet_label(line->label);
    line->tile_height = larger(line->tile_height, sheet_text_height(label.count, SHEET_LABEL_SCALE));
    line->height = line->tile_height + line->caption_height;
}

/* Breaks a row into lines as short as the sheet wants them. */
static void break_row(const linnet_sheet *sheet, sheet_layout *page, const sheet_row *row)
{
    int64_t left = SHEET_MARGIN + (page->label_width ? page->label_width + SHEET_GAP : 0), x = left;
    sheet_line *line = &page->lines[page->line_count++];
    *line = (sheet_line){.first = row->first, .label = row->label};
    for (size_t i = row->first; i < row->first + row->count; i++) {
        sheet_place *place = &page->places[i];
        bool full = line->count && (x + place->width + SHEET_MARGIN > sheet->width ||
                                    (sheet->columns && line->count == (size_t)sheet->columns));
        if (full) {
            measure_line(sheet, page, line);
            line = &page->lines[page->line_count++];
            *line = (sheet_line){.first = i};
            x = left;
        }
        place->x = x;
        x += place->width + SHEET_GAP;
        line->count++;
        page->width = larger(page->width, x - SHEET_GAP + SHEET_MARGIN);
    }
    page->width = larger(page->width, left - (page->label_width ? SHEET_GAP : 0) + SHEET_MARGIN);
    measure_line(sheet, page, line);
}

static void place_title(const linnet_sheet *sheet, sheet_layout *page)
{
    int64_t wish = linnet_image_text_width(sheet->title, 2);
    page->width = larger(page->width, smaller(wish, TITLE_WIDTH) + 2 * SHEET_MARGIN);
    int64_t room = page->width - 2 * SHEET_MARGIN;
    page->title_scale = linnet_image_text_width(sheet->title, 3) <= room ? 3 : 2;
    page->title = linnet_wrap(sheet->title, sheet_room(room, page->title_scale), LINNET_WRAP_LINES);
}

static void place_lines(const linnet_sheet *sheet, sheet_layout *page)
{
    page->width = page->height = 0;
    page->line_count = 0;
    for (size_t r = 0; r < sheet->row_count; r++)
        break_row(sheet, page, &sheet->rows[r]);
    place_title(sheet, page);
    int64_t title = sheet_text_height(page->title.count, page->title_scale);
    int64_t y = SHEET_MARGIN + (title ? title + TITLE_GAP : 0);
    for (size_t i = 0; i < page->line_count; i++) {
        page->lines[i].y = y;
        y += page->lines[i].height + LINE_GAP;
    }
    page->height = y - LINE_GAP + SHEET_MARGIN;
}

static bool fits(const sheet_layout *page)
{
    return page->width <= LINNET_IMAGE_MAX_SIDE && page->height <= LINNET_IMAGE_MAX_SIDE &&
           page->width * page->height <= LINNET_IMAGE_MAX_PIXELS;
}

linnet_status sheet_lay_out(const linnet_sheet *sheet, sheet_layout *out)
{
    *out = (sheet_layout){.shrink = 1};
    out->places = linnet_allocate(sheet->cell_count, sizeof *out->places);
    out->lines = linnet_allocate(sheet->cell_count + sheet->row_count, sizeof *out->lines);
    if (!out->places || !out->lines)
        return linnet_fail(sheet->context, LINNET_OUT_OF_MEMORY, "sheet: out of memory");
    for (out->shrink = 1; out->shrink <= TILE_WIDTH; out->shrink *= 2) {
        size_cells(sheet, out);
        measure_labels(sheet, out);
        place_lines(sheet, out);
        if (fits(out))
            return LINNET_OK;
    }
    return linnet_fail(sheet->context, LINNET_LIMIT,
                       "sheet: %zu pictures make one of %lld x %lld, at most %d on a side and %d in all",
                       sheet->cell_count, (long long)out->width, (long long)out->height, LINNET_IMAGE_MAX_SIDE,
                       LINNET_IMAGE_MAX_PIXELS);
}

void sheet_layout_free(sheet_layout *layout)
{
    linnet_release(layout->places);
    linnet_release(layout->lines);
    *layout = (sheet_layout){0};
}
