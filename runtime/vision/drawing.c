/* SPDX-License-Identifier: Apache-2.0 */
#include "drawing.h"

#include <math.h>
#include <stdlib.h>

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
    scale.high = most > 0 ? most : 1;
    scale.low = scale.colours == LINNET_COLOUR_DIVERGING ? -scale.high : 0;
    return scale;
}

linnet_image *linnet_map_tile(linnet_context *context, const linnet_maps *maps, int64_t channel,
                              const linnet_maps_scale *scale, int32_t most)
{
    const float *map = maps->data + channel * maps->height * maps->width;
    int32_t height = (int32_t)maps->height, width = (int32_t)maps->width, longer = height > width ? height : width;
    linnet_image *image = linnet_image_from_map(context, map, height, width, scale->low, scale->high, scale->colours);
    if (!image || !most || longer == most)
        return image;
    double ratio = longer < most ? most / longer : (double)most / longer;
    int32_t new_width = (int32_t)fmax(1, width * ratio), new_height = (int32_t)fmax(1, height * ratio);
    linnet_image *sized = longer < most
                              ? linnet_image_enlarge(context, image, most / longer)
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

linnet_image *linnet_picture_image(linnet_context *context, const linnet_tensor *picture)
{
    bool good = picture && picture->type == LINNET_F32 && picture->rank == 3 && picture->data &&
                (picture->dims[0] == 1 || picture->dims[0] == 3) && picture->dims[1] > 0 && picture->dims[2] > 0 &&
                picture->dims[1] <= LINNET_IMAGE_MAX_SIDE && picture->dims[2] <= LINNET_IMAGE_MAX_SIDE;
    if (good)
        return linnet_image_from_planes(context, picture->data, (int32_t)picture->dims[0], (int32_t)picture->dims[1],
                                        (int32_t)picture->dims[2]);
    linnet_fail(context, LINNET_SHAPE, "only f32 pictures [C,H,W] with one channel or three can be drawn");
    return NULL;
}
