/* SPDX-License-Identifier: Apache-2.0 */
/* The legend of a colour map. */
#include "core/core.h"
#include "font.h"
#include "linnet/colour.h"

#include <math.h>
#include <stdio.h>

enum { BAR_HEIGHT = 14, NUMBERS_GAP = 3, WIDTH = 168, LEAST_WIDTH = 60 };

#define PAGE 0xFFFFFFu
#define TEXT 0x202020u
#define EDGE 0x909090u

/* A number with its middle (0), left (-1) or right end (1) at x. */
static int32_t number_left(const char *text, int32_t x, int side)
{
    int32_t width = linnet_image_text_width(text, 1);
    return side < 0 ? x : side > 0 ? x - width : x - width / 2;
}

/* low left, high right, the middle between them where all three fit. */
static void numbers_draw(linnet_image *image, linnet_colour_map map, float low, float high)
{
    char first[32], last[32], middle[32];
    double centre = ((double)low + high) / 2;
    snprintf(first, sizeof first, "%.3g", (double)low);
    snprintf(last, sizeof last, "%.3g", (double)high);
    snprintf(middle, sizeof middle, "%.3g", fabs(centre) < 1e-6 * fabs((double)high - low) ? 0.0 : centre);
    int32_t y = BAR_HEIGHT + NUMBERS_GAP, left = linnet_image_text_width(first, 1),
            right = number_left(last, image->width, 1), at = number_left(middle, image->width / 2, 0);
    linnet_image_text(image, 0, y, 1, TEXT, first);
    linnet_image_text(image, right, y, 1, TEXT, last);
    bool fits =
        at >= left + LINNET_GLYPH_PITCH && at + linnet_image_text_width(middle, 1) + LINNET_GLYPH_PITCH <= right;
    if (map == LINNET_COLOUR_DIVERGING && fits) {
        linnet_image_fill(image, image->width / 2, BAR_HEIGHT - 3, 1, 3, TEXT);
        linnet_image_text(image, at, y, 1, TEXT, middle);
    }
}

linnet_image *linnet_image_colour_bar(linnet_context *context, linnet_colour_map map, float low, float high,
                                      int32_t width)
{
    context = linnet_context_or_default(context);
    width = width ? width : WIDTH;
    if (width < LEAST_WIDTH) {
        linnet_fail(context, LINNET_INVALID, "colour bar: %d pixels wide, at least %d", (int)width, LEAST_WIDTH);
        return NULL;
    }
    linnet_image *image = linnet_image_new(context, width, BAR_HEIGHT + NUMBERS_GAP + LINNET_GLYPH_HEIGHT, 3);
    if (!image)
        return NULL;
    linnet_image_fill(image, 0, 0, image->width, image->height, PAGE);
    for (int32_t x = 1; x < width - 1; x++)
        linnet_image_fill(image, x, 1, 1, BAR_HEIGHT - 2, linnet_colour(map, (float)(x - 1) / (float)(width - 3)));
    linnet_image_frame(image, 0, 0, width, BAR_HEIGHT, EDGE);
    numbers_draw(image, map, low, high);
    return image;
}
