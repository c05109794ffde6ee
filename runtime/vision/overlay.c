/* SPDX-License-Identifier: Apache-2.0 */
/* A heat map over a picture. */
#include "drawing.h"
#include "linnet/attribution.h"

#include <math.h>

#define OPACITY 0.75f /* where the map is highest */

/* The map at pixel (x, y) of a picture of width x height, bilinear between the centres of its cells, and as at the
   nearest cell beyond them. */
static float sample(const linnet_maps *map, int64_t x, int64_t y, int64_t width, int64_t height)
{
    double u = ((double)x + 0.5) * (double)map->width / (double)width - 0.5;
    double v = ((double)y + 0.5) * (double)map->height / (double)height - 0.5;
    u = fmin(fmax(u, 0), (double)(map->width - 1));
    v = fmin(fmax(v, 0), (double)(map->height - 1));
    int64_t x0 = (int64_t)u, y0 = (int64_t)v;
    int64_t x1 = x0 + 1 < map->width ? x0 + 1 : x0, y1 = y0 + 1 < map->height ? y0 + 1 : y0;
    double a = u - (double)x0, b = v - (double)y0;
    const float *top = map->data + y0 * map->width, *bottom = map->data + y1 * map->width;
    return (float)((1 - b) * ((1 - a) * (double)top[x0] + a * (double)top[x1]) +
                   b * ((1 - a) * (double)bottom[x0] + a * (double)bottom[x1]));
}

static void mix(uint8_t *pixel, uint32_t colour, float opacity)
{
    float grey = (0.299f * pixel[0] + 0.587f * pixel[1] + 0.114f * pixel[2]);
    for (int c = 0; c < 3; c++) {
        float over = (float)(colour >> (16 - 8 * c) & 0xFF);
        pixel[c] = (uint8_t)(grey + opacity * (over - grey) + 0.5f);
    }
}

linnet_image *linnet_overlay_draw(linnet_context *context, const linnet_tensor *picture, const linnet_maps *map)
{
    context = linnet_context_or_default(context);
    if (!map || !map->data || map->channels != 1) {
        linnet_fail(context, LINNET_INVALID, "there is no map of one channel to lay over a picture");
        return NULL;
    }
    linnet_image *plain = linnet_image_from_tensor(context, picture);
    linnet_image *image = plain ? linnet_image_convert(context, plain, 3) : NULL;
    linnet_image_free(&plain);
    if (!image)
        return NULL;
    float high = 0;
    for (int64_t i = 0; i < map->height * map->width; i++)
        high = fmaxf(high, map->data[i]);
    for (int32_t y = 0; y < image->height; y++)
        for (int32_t x = 0; x < image->width; x++) {
            float t = high > 0 ? sample(map, x, y, image->width, image->height) / high : 0;
            mix(image->pixels + 3 * ((size_t)y * (size_t)image->width + (size_t)x),
                linnet_colour(LINNET_COLOUR_SEQUENTIAL, t), OPACITY * fminf(fmaxf(t, 0), 1));
        }
    return image;
}
