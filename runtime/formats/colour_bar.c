/* SPDX-License-Identifier: Apache-2.0 */
/* The legend of a colour map. */
#include "core/core.h"
#include "linnet/colour.h"

#include <math.h>
#include <stdio.h>

enum { BAR_HEIGHT = 14, NUMBERS_GAP = 3, WIDTH = 168, LEAST_WIDTH = 60, DIGIT_HEIGHT = 7 };

#define PAGE 0xFFFFFFu
#define TEXT 0x202020u
#define EDGE 0x909090u

/* What is written below the bar. */
typedef struct numbers {
    char low[32], middle[32], high[32];
} numbers;

static void numbers_write(numbers *text, float low, float high)
{
    double centre = ((double)low + high) / 2;
    bool zero = fabs(centre) < 1e-6 * fabs((double)high - low);
    snprintf(text->low, sizeof text->low, "%.3g", (double)low);
    snprintf(text->high, sizeof text->high, "%.3g", (double)high);
    snprintf(text->middle, sizeof text->middle, "%.3g", zero ? 0.0 : centre);
}

/* Whether the two ends, and the middle between them, have room at that scale. */
static bool ends_fit(const numbers *text, int32_t width, int32_t scale)
{
    return linnet_image_text_width(text->low, scale) + linnet_image_text_width(text->high, scale) + 6 * scale <= width;
}

static bool middle_fits(const numbers *text, int32_t width, int32_t scale)
{
    int32_t low = linnet_image_text_width(text->low, scale), high = linnet_image_text_width(text->high, scale);
    int32_t longer = low > high ? low : high;
    return linnet_image_text_width(text->middle, scale) + 2 * (longer + 6 * scale) <= width;
}

/* low left, high right, the middle, of a diverging map, between them where there is room. */
static void numbers_draw(linnet_image *image, const numbers *text, int32_t scale, bool diverging)
{
    int32_t y = BAR_HEIGHT + NUMBERS_GAP, width = image->width;
    linnet_image_text(image, 0, y, scale, TEXT, text->low);
    linnet_image_text(image, width - linnet_image_text_width(text->high, scale), y, scale, TEXT, text->high);
    if (diverging && middle_fits(text, width, scale)) {
        linnet_image_fill(image, width / 2, BAR_HEIGHT - 4, 1, 4, TEXT);
        linnet_image_text(image, (width - linnet_image_text_width(text->middle, scale)) / 2, y, scale, TEXT,
                          text->middle);
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
    numbers text;
    numbers_write(&text, low, high);
    bool diverging = map == LINNET_COLOUR_DIVERGING;
    int32_t scale = (diverging ? middle_fits(&text, width, 2) : ends_fit(&text, width, 2)) ? 2 : 1;
    linnet_image *image = linnet_image_new(context, width, BAR_HEIGHT + NUMBERS_GAP + DIGIT_HEIGHT * scale, 3);
    if (!image)
        return NULL;
    linnet_image_fill(image, 0, 0, image->width, image->height, PAGE);
    for (int32_t x = 1; x < width - 1; x++)
        linnet_image_fill(image, x, 1, 1, BAR_HEIGHT - 2, linnet_colour(map, (float)(x - 1) / (float)(width - 3)));
    linnet_image_frame(image, 0, 0, width, BAR_HEIGHT, EDGE);
    numbers_draw(image, &text, scale, diverging);
    return image;
}
