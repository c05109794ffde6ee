/* SPDX-License-Identifier: Apache-2.0 */
/* A layer's feature maps as tiles. */
#include "drawing.h"
#include "linnet/sheet.h"
#include "options.h"

#include <math.h>
#include <stdio.h>

#define DEFAULT_LIMIT 256
#define MOST_TILE     128
#define LEAST_TILE    84
#define GAP           12 /* what the sheet puts between tiles, about */
#define UNIT_CELL     14

static bool maps_are_good(const linnet_maps *maps)
{
    return maps && maps->data && maps->channels > 0 && maps->height > 0 && maps->width > 0 &&
           maps->height <= LINNET_IMAGE_MAX_SIDE && maps->width <= LINNET_IMAGE_MAX_SIDE;
}

/* Pixels of a tile: larger maps are made smaller, smaller ones are enlarged. */
static int32_t tile_side(const linnet_maps *maps)
{
    int64_t longer = maps->height > maps->width ? maps->height : maps->width;
    return longer < LEAST_TILE ? LEAST_TILE : longer < MOST_TILE ? (int32_t)longer : MOST_TILE;
}

static linnet_status add_tiles(linnet_context *context, linnet_sheet *sheet, const linnet_maps *maps,
                               const linnet_maps_scale *scale, const int64_t *order, int64_t count)
{
    linnet_status status = LINNET_OK;
    for (int64_t i = 0; i < count && status == LINNET_OK; i++) {
        char caption[32];
        int64_t channel = order ? order[i] : i;
        snprintf(caption, sizeof caption, "%lld", (long long)channel);
        status = linnet_sheet_take(context, sheet, linnet_map_tile(context, maps, channel, scale, tile_side(maps)), 1,
                                   caption);
    }
    return status;
}

/* Width of a sheet whose tiles fill a picture about 4 to 3. */
static int32_t sheet_width(const linnet_maps *maps, int64_t count, uint32_t columns)
{
    double chosen = columns ? columns : ceil(sqrt((double)count * 4 / 3));
    return (int32_t)fmin(chosen * (tile_side(maps) + GAP) + 2 * GAP, 8192);
}

static linnet_status fill(linnet_context *context, linnet_sheet *sheet, const linnet_maps *maps,
                          const linnet_maps_options *options)
{
    linnet_maps_scale scale = linnet_maps_scale_of(maps);
    int64_t most = options->limit ? options->limit : DEFAULT_LIMIT;
    int64_t count = maps->channels < most ? maps->channels : most;
    int64_t *order = NULL;
    linnet_status status = LINNET_OK;
    if (maps->height * maps->width == 1) {
        int64_t columns = options->columns ? options->columns : (int64_t)ceil(sqrt((double)maps->channels * 2));
        status =
            linnet_sheet_take(context, sheet, linnet_units_tile(context, maps, &scale, columns, UNIT_CELL), 1, NULL);
    } else {
        order = options->strongest ? linnet_maps_order(context, maps) : NULL;
        status = options->strongest && !order ? LINNET_OUT_OF_MEMORY : LINNET_OK;
        if (status == LINNET_OK)
            status = linnet_sheet_set_width(sheet, sheet_width(maps, count, options->columns));
        if (status == LINNET_OK)
            status = add_tiles(context, sheet, maps, &scale, order, count);
    }
    linnet_release(order);
    if (status == LINNET_OK)
        status = linnet_sheet_row(sheet, NULL);
    if (status == LINNET_OK)
        status = linnet_sheet_take(context, sheet,
                                   linnet_image_colour_bar(context, scale.colours, scale.low, scale.high, 0), 1, NULL);
    return status;
}

linnet_image *linnet_maps_draw_with(linnet_context *context, const linnet_maps *maps,
                                    const linnet_maps_options *options)
{
    linnet_maps_options o;
    context = linnet_context_or_default(context);
    if (!maps_are_good(maps)) {
        linnet_fail(context, LINNET_INVALID, "there are no maps to draw, or they are too large");
        return NULL;
    }
    if (linnet_vision_options(context, "drawing maps", options, &o, sizeof o) != LINNET_OK)
        return NULL;
    linnet_sheet *sheet = linnet_sheet_new(context, o.title);
    if (!sheet)
        return NULL;
    linnet_image *image = fill(context, sheet, maps, &o) == LINNET_OK ? linnet_sheet_draw(sheet) : NULL;
    linnet_sheet_free(&sheet);
    return image;
}
