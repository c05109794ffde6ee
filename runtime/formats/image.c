/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures in memory: making, reading whatever kind is known, drawing. */
#include "core/core.h"
#include "font.h"
#include "linnet/image.h"

#include <string.h>

enum { MAX_FILE_BYTES = 1 << 29 };

linnet_image *linnet_image_new(linnet_context *context, int32_t width, int32_t height, int32_t channels)
{
    context = linnet_context_or_default(context);
    if (linnet_context_check(context) != LINNET_OK)
        return NULL;
    if (width < 1 || height < 1 || channels < 1 || channels > 4) {
        linnet_fail(context, LINNET_INVALID, "image: %d x %d with %d channels", (int)width, (int)height, (int)channels);
        return NULL;
    }
    if (width > LINNET_IMAGE_MAX_SIDE || height > LINNET_IMAGE_MAX_SIDE ||
        (int64_t)width * height > LINNET_IMAGE_MAX_PIXELS) {
        linnet_fail(context, LINNET_LIMIT, "image: %d x %d, at most %d on a side and %d in all", (int)width,
                    (int)height, LINNET_IMAGE_MAX_SIDE, LINNET_IMAGE_MAX_PIXELS);
        return NULL;
    }
    linnet_image *image = linnet_allocate(1, sizeof *image);
    uint8_t *pixels = linnet_allocate((size_t)width * (size_t)height, (size_t)channels);
    if (!image || !pixels) {
        linnet_release(image);
        linnet_release(pixels);
        linnet_fail(context, LINNET_OUT_OF_MEMORY, "image: no memory for %d x %d", (int)width, (int)height);
        return NULL;
    }
    *image = (linnet_image){width, height, channels, pixels};
    return image;
}

void linnet_image_free(linnet_image **image)
{
    if (!image || !*image)
        return;
    linnet_release((*image)->pixels);
    linnet_release(*image);
    *image = NULL;
}

linnet_image *linnet_image_read(linnet_context *context, const char *path)
{
    void *bytes = NULL;
    size_t size = 0;
    context = linnet_context_or_default(context);
    if (linnet_context_check(context) != LINNET_OK)
        return NULL;
    if (!path) {
        linnet_fail(context, LINNET_INVALID, "image: no path");
        return NULL;
    }
    if (linnet_file_read(context, path, MAX_FILE_BYTES, &bytes, &size) != LINNET_OK)
        return NULL;
    linnet_image *image = linnet_image_decode(context, bytes, size, path);
    linnet_release(bytes);
    return image;
}

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
