/* SPDX-License-Identifier: Apache-2.0 */
/* Filters drawn as tiles. */
#include "../core/core.h"
#include "drawing.h"
#include "linnet/filter_tiles.h"
#include "options.h"

#include <math.h>
#include <stdio.h>

#define TILE_SIDE   84
#define SMALL_SIDE  42  /* where every tile is one input channel of many */
#define LARGE_SIDE  336 /* where every tile holds many filters */
#define BARE_GAP    2
#define SHEET_GAP   12 /* what a sheet puts between tiles, about */
#define BACKGROUND  0xFFFFFFu
#define MOST_SCALE  64
#define NEUTRAL_RGB 0.5f

static linnet_status check(linnet_context *context, const linnet_filters *f, const linnet_filters_options *o)
{
    if (!f || !f->values || f->count < 1 || (f->channels != 1 && f->channels != 3) || f->cell_height < 1 ||
        f->cell_width < 1 || f->height % f->cell_height || f->width % f->cell_width ||
        f->height > LINNET_IMAGE_MAX_SIDE || f->width > LINNET_IMAGE_MAX_SIDE)
        return linnet_fail(context, LINNET_INVALID, "there are no filters to draw, or their sizes make no sense");
    if (!isfinite(o->range) || o->range < 0 || o->scale > MOST_SCALE || o->columns > LINNET_IMAGE_MAX_SIDE)
        return linnet_fail(context, LINNET_INVALID, "filters cannot be drawn with range %g, scale %u, %u columns",
                           (double)o->range, (unsigned)o->scale, (unsigned)o->columns);
    return LINNET_OK;
}

/* ---- One tile ---- */

/* Red, green and blue of a weight of -range to range are 0 to 1. */
static linnet_image *draw_rgb(linnet_context *context, const float *values, int32_t height, int32_t width, float range)
{
    size_t count = 3 * (size_t)height * (size_t)width;
    float *planes = linnet_allocate(count, sizeof *planes);
    if (!planes) {
        linnet_fail(context, LINNET_OUT_OF_MEMORY, "no memory to draw filters");
        return NULL;
    }
    for (size_t i = 0; i < count; i++)
        planes[i] = NEUTRAL_RGB + NEUTRAL_RGB * values[i] / range;
    linnet_image *image = linnet_image_from_planes(context, planes, 3, height, width);
    linnet_release(planes);
    return image;
}

/* A line of background between the filters of one picture. Takes over the image. */
static linnet_image *part_cells(linnet_context *context, const linnet_filters *f, linnet_image *image)
{
    int32_t rows = (int32_t)(f->height / f->cell_height), columns = (int32_t)(f->width / f->cell_width);
    int32_t height = (int32_t)f->cell_height, width = (int32_t)f->cell_width;
    linnet_image *parted = rows * columns == 1
                               ? image
                               : linnet_image_new(context, image->width + columns - 1, image->height + rows - 1, 3);
    if (parted == image)
        return image;
    linnet_image_fill(parted, 0, 0, parted ? parted->width : 0, parted ? parted->height : 0, BACKGROUND);
    for (int32_t i = 0; parted && i < rows * columns; i++) {
        int32_t x = i % columns, y = i / columns;
        linnet_image *cell = linnet_image_crop(context, image, x * width, y * height, width, height);
        if (!cell) {
            linnet_image_free(&parted);
            break;
        }
        linnet_image_blit(parted, x * (width + 1), y * (height + 1), cell);
        linnet_image_free(&cell);
    }
    linnet_image_free(&image);
    return parted;
}

static linnet_image *draw_tile(linnet_context *context, const linnet_filters *f, int64_t index, float range)
{
    const float *values = f->values + index * f->channels * f->height * f->width;
    int32_t height = (int32_t)f->height, width = (int32_t)f->width;
    linnet_image *image = f->channels == 3 ? draw_rgb(context, values, height, width, range)
                                           : linnet_image_from_map(context, values, height, width, -range, range,
                                                                   LINNET_COLOUR_DIVERGING);
    return image ? part_cells(context, f, image) : NULL;
}

/* ---- All of them ---- */

/* As drawn, before it is enlarged. */
static int64_t drawn_width(const linnet_filters *f)
{
    return f->width + f->width / f->cell_width - 1;
}

static int32_t scale_of(const linnet_filters *f, const linnet_filters_options *o)
{
    bool many = f->width > f->cell_width || f->height > f->cell_height;
    int64_t side = many ? LARGE_SIDE : f->columns ? SMALL_SIDE : TILE_SIDE, width = drawn_width(f);
    int64_t scale = o->scale ? o->scale : (side + width / 2) / width;
    return scale < 1 ? 1 : scale > MOST_SCALE ? MOST_SCALE : (int32_t)scale;
}

static int64_t columns_of(const linnet_filters *f, const linnet_filters_options *o)
{
    int64_t columns = o->columns ? o->columns : f->columns ? f->columns : (int64_t)ceil(sqrt((double)f->count));
    return columns < f->count ? columns : f->count;
}

static linnet_image *draw_bare(linnet_context *context, const linnet_filters *f, const linnet_filters_options *o,
                               float range)
{
    int64_t columns = columns_of(f, o), rows = (f->count + columns - 1) / columns, scale = scale_of(f, o);
    int64_t width = drawn_width(f) * scale, height = (f->height + f->height / f->cell_height - 1) * scale;
    int64_t all_width = columns * (width + BARE_GAP) + BARE_GAP, all_height = rows * (height + BARE_GAP) + BARE_GAP;
    if (all_width > LINNET_IMAGE_MAX_SIDE || all_height > LINNET_IMAGE_MAX_SIDE) {
        linnet_fail(context, LINNET_LIMIT, "%lld filters would make a picture of %lld x %lld pixels",
                    (long long)f->count, (long long)all_width, (long long)all_height);
        return NULL;
    }
    linnet_image *all = linnet_image_new(context, (int32_t)all_width, (int32_t)all_height, 3);
    linnet_image_fill(all, 0, 0, (int32_t)all_width, (int32_t)all_height, BACKGROUND);
    for (int64_t i = 0; all && i < f->count; i++) {
        linnet_image *tile = draw_tile(context, f, i, range);
        linnet_image *large = tile ? linnet_image_enlarge(context, tile, (int32_t)scale) : NULL;
        if (large)
            linnet_image_blit(all, (int32_t)(BARE_GAP + i % columns * (width + BARE_GAP)),
                              (int32_t)(BARE_GAP + i / columns * (height + BARE_GAP)), large);
        else
            linnet_image_free(&all);
        linnet_image_free(&tile);
        linnet_image_free(&large);
    }
    return all;
}

/* Rows that mean something are begun and numbered, others go on as the width says. */
static linnet_status add_tiles(linnet_context *context, linnet_sheet *sheet, const linnet_filters *f,
                               const linnet_filters_options *o, float range)
{
    int64_t columns = columns_of(f, o);
    int32_t scale = scale_of(f, o);
    linnet_status status = LINNET_OK;
    for (int64_t i = 0; i < f->count && status == LINNET_OK; i++) {
        char number[24];
        snprintf(number, sizeof number, "%lld", (long long)(f->columns ? i / f->columns : i));
        if (i % columns == 0)
            status = linnet_sheet_row(sheet, f->columns ? number : NULL);
        if (status == LINNET_OK)
            status =
                linnet_sheet_take(context, sheet, draw_tile(context, f, i, range), scale, f->columns ? NULL : number);
    }
    return status;
}

static linnet_status fill_sheet(linnet_context *context, linnet_sheet *sheet, const linnet_filters *f,
                                const linnet_filters_options *o, float range)
{
    int64_t width = columns_of(f, o) * (drawn_width(f) * scale_of(f, o) + SHEET_GAP) + 64;
    linnet_status status =
        linnet_sheet_set_width(sheet, (int32_t)(width > LINNET_IMAGE_MAX_SIDE ? LINNET_IMAGE_MAX_SIDE : width));
    if (status == LINNET_OK)
        status = add_tiles(context, sheet, f, o, range);
    if (status != LINNET_OK || f->channels != 1)
        return status;
    status = linnet_sheet_row(sheet, NULL);
    if (status == LINNET_OK)
        status = linnet_sheet_take(
            context, sheet, linnet_image_colour_bar(context, LINNET_COLOUR_DIVERGING, -range, range, 0), 1, NULL);
    return status;
}

linnet_image *linnet_filters_draw_with(linnet_context *context, const linnet_filters *filters,
                                       const linnet_filters_options *options)
{
    linnet_filters_options o;
    context = linnet_context_or_default(context);
    if (linnet_vision_options(context, "drawing filters", options, &o, sizeof o) != LINNET_OK ||
        check(context, filters, &o) != LINNET_OK)
        return NULL;
    float range = o.range > 0 ? o.range : linnet_filters_range(filters);
    range = range > 0 ? range : 1;
    if (o.bare)
        return draw_bare(context, filters, &o, range);
    linnet_sheet *sheet = linnet_sheet_new(context, o.title);
    if (!sheet)
        return NULL;
    linnet_image *image = fill_sheet(context, sheet, filters, &o, range) == LINNET_OK ? linnet_sheet_draw(sheet) : NULL;
    linnet_sheet_free(&sheet);
    return image;
}
