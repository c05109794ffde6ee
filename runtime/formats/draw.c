/* SPDX-License-Identifier: Apache-2.0 */
/* Drawing on pictures of 8 bits: rectangles, lines, text, other pictures. */
#include "core/core.h"
#include "font.h"
#include "picture.h"

#include <math.h>
#include <string.h>

/* The colour as the image's channels. */
static void colour_split(const linnet_image *image, uint32_t colour, uint8_t out[4])
{
    uint32_t red = colour >> 16 & 255, green = colour >> 8 & 255, blue = colour & 255;
    bool grey = image->channels < 3;
    out[0] = grey ? (uint8_t)((299 * red + 587 * green + 114 * blue + 500) / 1000) : (uint8_t)red;
    out[1] = grey ? 255 : (uint8_t)green;
    out[2] = (uint8_t)blue;
    out[3] = 255;
}

void linnet_image_fill(linnet_image *image, int32_t x, int32_t y, int32_t width, int32_t height, uint32_t colour)
{
    if (!image || !image->pixels)
        return;
    uint8_t value[4];
    colour_split(image, colour, value);
    int64_t left = x > 0 ? x : 0, right = (int64_t)x + width, top = y > 0 ? y : 0, bottom = (int64_t)y + height;
    right = right < image->width ? right : image->width;
    bottom = bottom < image->height ? bottom : image->height;
    for (int64_t v = top; v < bottom; v++)
        for (int64_t u = left; u < right; u++)
            memcpy(image->pixels + (v * image->width + u) * image->channels, value, (size_t)image->channels);
}

/* A pixel that may lie anywhere. */
static void dot(linnet_image *image, int64_t x, int64_t y, uint32_t colour)
{
    if (x >= 0 && y >= 0 && x < image->width && y < image->height)
        linnet_image_fill(image, (int32_t)x, (int32_t)y, 1, 1, colour);
}

void linnet_image_frame(linnet_image *image, int32_t x, int32_t y, int32_t width, int32_t height, uint32_t colour)
{
    int64_t right = (int64_t)x + width - 1, bottom = (int64_t)y + height - 1;
    if (width < 1 || height < 1)
        return;
    linnet_image_fill(image, x, y, width, 1, colour);
    linnet_image_fill(image, x, y, 1, height, colour);
    if (bottom <= INT32_MAX)
        linnet_image_fill(image, x, (int32_t)bottom, width, 1, colour);
    if (right <= INT32_MAX)
        linnet_image_fill(image, (int32_t)right, y, 1, height, colour);
}

void linnet_image_line(linnet_image *image, int32_t x0, int32_t y0, int32_t x1, int32_t y1, uint32_t colour)
{
    if (!image || !image->pixels)
        return;
    double dx = (double)x1 - x0, dy = (double)y1 - y0;
    bool flat = fabs(dx) >= fabs(dy); /* one pixel in every column, or in every row */
    double slope = flat ? (dx != 0 ? dy / dx : 0) : dx / dy;
    int64_t from = flat ? x0 : y0, to = flat ? x1 : y1, across = flat ? y0 : x0, start = from;
    int64_t limit = flat ? image->width : image->height;
    if (from > to) {
        from = to;
        to = start;
    }
    from = from > 0 ? from : 0;
    to = to < limit ? to : limit - 1;
    for (int64_t at = from; at <= to; at++) {
        int64_t other = across + (int64_t)floor((double)(at - start) * slope + 0.5);
        dot(image, flat ? at : other, flat ? other : at, colour);
    }
}

/* One pixel over another, both with channels as colour_split makes them; alphas are shares of 255. */
static void lay_over(uint8_t *under, const uint8_t *over, uint32_t alpha, int32_t channels)
{
    int32_t colours = channels < 3 ? 1 : 3;
    uint32_t below = channels == colours ? 255 : under[colours];
    uint32_t all = 255 * alpha + below * (255 - alpha); /* times 255 */
    for (int32_t c = 0; c < colours && all; c++)
        under[c] = (uint8_t)((255 * alpha * over[c] + below * (255 - alpha) * under[c] + all / 2) / all);
    if (channels != colours)
        under[colours] = (uint8_t)((all + 127) / 255);
}

void linnet_image_blit(linnet_image *image, int32_t x, int32_t y, const linnet_image *source)
{
    if (!image || !image->pixels || !source || !source->pixels)
        return;
    int64_t left = x > 0 ? x : 0, right = (int64_t)x + source->width, top = y > 0 ? y : 0,
            bottom = (int64_t)y + source->height;
    right = right < image->width ? right : image->width;
    bottom = bottom < image->height ? bottom : image->height;
    for (int64_t v = top; v < bottom; v++)
        for (int64_t u = left; u < right; u++) {
            const uint8_t *from = source->pixels + ((v - y) * source->width + (u - x)) * source->channels;
            bool grey = source->channels < 3;
            uint32_t alpha = source->channels % 2 ? 255 : from[source->channels - 1];
            uint32_t colour = (uint32_t)from[0] << 16 | (uint32_t)from[grey ? 0 : 1] << 8 | from[grey ? 0 : 2];
            uint8_t value[4];
            colour_split(image, colour, value);
            lay_over(image->pixels + (v * image->width + u) * image->channels, value, alpha, image->channels);
        }
}

int32_t linnet_image_text_width(const char *text, int32_t scale)
{
    size_t length = text ? strlen(text) : 0;
    if (length == 0 || scale < 1 || length > (size_t)(INT32_MAX / scale / LINNET_GLYPH_PITCH))
        return 0;
    return ((int32_t)length * LINNET_GLYPH_PITCH - (LINNET_GLYPH_PITCH - LINNET_GLYPH_WIDTH)) * scale;
}

void linnet_image_text(linnet_image *image, int32_t x, int32_t y, int32_t scale, uint32_t colour, const char *text)
{
    if (!image || !text || scale < 1 || scale > LINNET_IMAGE_MAX_SIDE)
        return;
    for (int64_t at = x; *text && at < image->width; text++, at += (int64_t)LINNET_GLYPH_PITCH * scale)
        for (int v = 0; v < LINNET_GLYPH_HEIGHT; v++)
            for (int u = 0; u < LINNET_GLYPH_WIDTH; u++)
                if (linnet_glyph_pixel(*text, u, v) && y <= image->height)
                    linnet_image_fill(image, (int32_t)(at + u * scale), y + v * scale, scale, scale, colour);
}
