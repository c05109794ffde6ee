/* SPDX-License-Identifier: Apache-2.0 */
#include "drawing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BINS 4096

/* The magnitude that 99.9 % of the finite numbers do not exceed, to a 4096th of the largest. */
static float usual_most(const float *data, int64_t count, float most)
{
    int64_t bins[BINS] = {0}, finite = 0, seen = 0;
    for (int64_t i = 0; i < count; i++)
        if (isfinite(data[i])) {
            int bin = (int)(fabsf(data[i]) / most * (BINS - 1));
            bins[bin < BINS ? bin : BINS - 1]++;
            finite++;
        }
    for (int bin = 0; bin < BINS; bin++) {
        seen += bins[bin];
        if ((double)seen >= 0.999 * (double)finite)
            return most * (float)(bin + 1) / BINS;
    }
    return most;
}

linnet_maps_scale linnet_maps_scale_of(const linnet_maps *maps)
{
    int64_t count = maps->channels * maps->height * maps->width;
    linnet_maps_scale scale = {.colours = LINNET_COLOUR_SEQUENTIAL};
    float most = 0;
    for (int64_t i = 0; i < count; i++) {
        if (!isfinite(maps->data[i]))
            continue;
        scale.colours = maps->data[i] < 0 ? LINNET_COLOUR_DIVERGING : scale.colours;
        most = fmaxf(most, fabsf(maps->data[i]));
    }
    scale.high = most > 0 ? usual_most(maps->data, count, most) : 1;
    scale.low = scale.colours == LINNET_COLOUR_DIVERGING ? -scale.high : 0;
    return scale;
}

/* The image with every pixel a rectangle, as nearly square as width and height allow. */
static linnet_image *spread(linnet_context *context, const linnet_image *image, int32_t width, int32_t height)
{
    linnet_image *large = linnet_image_new(context, width, height, image->channels);
    size_t channels = (size_t)image->channels;
    for (int32_t y = 0; large && y < height; y++)
        for (int32_t x = 0; x < width; x++) {
            int32_t from_x = (int32_t)((int64_t)x * image->width / width);
            int32_t from_y = (int32_t)((int64_t)y * image->height / height);
            memcpy(large->pixels + ((size_t)y * (size_t)width + (size_t)x) * channels,
                   image->pixels + ((size_t)from_y * (size_t)image->width + (size_t)from_x) * channels, channels);
        }
    return large;
}

linnet_image *linnet_map_tile(linnet_context *context, const linnet_maps *maps, int64_t channel,
                              const linnet_maps_scale *scale, int32_t side)
{
    const float *map = maps->data + channel * maps->height * maps->width;
    int32_t height = (int32_t)maps->height, width = (int32_t)maps->width, longer = height > width ? height : width;
    linnet_image *image = linnet_image_from_map(context, map, height, width, scale->low, scale->high, scale->colours);
    if (!image || longer == side)
        return image;
    int32_t new_width = (int32_t)((int64_t)width * side / longer),
            new_height = (int32_t)((int64_t)height * side / longer);
    new_width += new_width == 0;
    new_height += new_height == 0;
    linnet_image *sized = longer < side
                              ? spread(context, image, new_width, new_height)
                              : linnet_image_resize(context, image, new_width, new_height, LINNET_RESIZE_AREA);
    linnet_image_free(&image);
    return sized;
}

linnet_image *linnet_units_tile(linnet_context *context, const linnet_maps *maps, const linnet_maps_scale *scale,
                                int64_t columns, int32_t cell)
{
    int64_t rows = (maps->channels + columns - 1) / columns;
    linnet_image *image = linnet_image_new(context, (int32_t)columns * cell, (int32_t)rows * cell, 3);
    if (!image)
        return NULL;
    linnet_image_fill(image, 0, 0, image->width, image->height, 0xFFFFFF);
    for (int64_t c = 0; c < maps->channels; c++) {
        float t = (maps->data[c] - scale->low) / (scale->high - scale->low);
        linnet_image_fill(image, (int32_t)(c % columns) * cell, (int32_t)(c / columns) * cell, cell - (cell > 3),
                          cell - (cell > 3), linnet_colour(scale->colours, t));
    }
    return image;
}

linnet_status linnet_sheet_take(linnet_context *context, linnet_sheet *sheet, linnet_image *image, int32_t scale,
                                const char *caption)
{
    if (!image)
        return linnet_context_last_status(context);
    linnet_status status = linnet_sheet_add(sheet, image, scale, caption);
    linnet_image_free(&image);
    return status;
}

/* ---- Which maps are worth seeing ---- */

typedef struct ranked {
    int64_t channel;
    double variation;
} ranked;

static int stronger(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->variation != y->variation)
        return x->variation < y->variation ? 1 : -1;
    return (x->channel > y->channel) - (x->channel < y->channel);
}

static double variation_of(const float *map, int64_t count)
{
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < count; i++) {
        sum += (double)map[i];
        squares += (double)map[i] * (double)map[i];
    }
    double variance = squares / (double)count - sum * sum / ((double)count * (double)count);
    return isfinite(variance) && variance > 0 ? variance : 0;
}

int64_t *linnet_maps_order(linnet_context *context, const linnet_maps *maps)
{
    size_t count = (size_t)maps->channels;
    int64_t positions = maps->height * maps->width, *order = linnet_allocate(count, sizeof *order);
    ranked *list = linnet_allocate(count, sizeof *list);
    for (size_t c = 0; order && list && c < count; c++)
        list[c] = (ranked){(int64_t)c, variation_of(maps->data + (int64_t)c * positions, positions)};
    if (order && list) {
        qsort(list, count, sizeof *list, stronger);
        for (size_t i = 0; i < count; i++)
            order[i] = list[i].channel;
    } else {
        linnet_release(order);
        order = NULL;
        linnet_fail(context, LINNET_OUT_OF_MEMORY, "no memory to sort %zu maps", count);
    }
    linnet_release(list);
    return order;
}
