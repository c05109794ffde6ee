/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures from pictures: channels, depth, parts, enlarging. */
#include "core/core.h"
#include "picture.h"

#include <string.h>

void linnet_image_row_get(const linnet_image *image, int32_t y, float *out)
{
    const uint8_t *row = linnet_image_row(image, y);
    size_t count = (size_t)image->width * (size_t)image->channels;
    for (size_t i = 0; i < count; i++)
        out[i] = image->pixels16 ? (float)((const uint16_t *)(const void *)row)[i] / 65535 : (float)row[i] / 255;
}

/* Nearest of 0..most. */
static uint32_t nearest(float value, uint32_t most)
{
    return value >= 1 ? most : value > 0 ? (uint32_t)((float)most * value + 0.5f) : 0;
}

void linnet_image_row_put(linnet_image *image, int32_t y, const float *samples)
{
    uint8_t *row = linnet_image_row(image, y);
    size_t count = (size_t)image->width * (size_t)image->channels;
    for (size_t i = 0; i < count; i++)
        if (image->pixels16)
            ((uint16_t *)(void *)row)[i] = (uint16_t)nearest(samples[i], 65535);
        else
            row[i] = (uint8_t)nearest(samples[i], 255);
}

void linnet_pixel_flatten(const float *in, int32_t from, int32_t to, float *out)
{
    float alpha = from % 2 ? 1 : in[from - 1], colour[3];
    for (int32_t c = 0; c < 3; c++)
        colour[c] = alpha == 1 ? in[from < 3 ? 0 : c] : in[from < 3 ? 0 : c] * alpha + (1 - alpha);
    if (to == 3)
        memcpy(out, colour, sizeof colour);
    else
        *out = from < 3 ? colour[0] : 0.299f * colour[0] + 0.587f * colour[1] + 0.114f * colour[2];
}

/* Row y with channels 1 or 3; scratch holds a row of the image. */
static void row_flatten(const linnet_image *image, int32_t y, int32_t channels, float *scratch, float *out)
{
    linnet_image_row_get(image, y, scratch);
    for (size_t x = 0; x < (size_t)image->width; x++)
        linnet_pixel_flatten(scratch + x * (size_t)image->channels, image->channels, channels,
                             out + x * (size_t)channels);
}

static linnet_image *refuse(linnet_context *context, const char *what)
{
    linnet_fail(context, LINNET_INVALID, "%s", what);
    return NULL;
}

static linnet_image *convert_into(linnet_context *context, const linnet_image *image, linnet_image *out)
{
    float *row = linnet_allocate((size_t)image->width, 7 * sizeof(float)); /* 4 read, 3 made */
    if (!out || !row) {
        if (out)
            linnet_fail(context, LINNET_OUT_OF_MEMORY, "image convert: no memory for a row");
        linnet_image_free(&out);
    }
    for (int32_t y = 0; out && y < image->height; y++) {
        row_flatten(image, y, out->channels, row, row + 4 * (size_t)image->width);
        linnet_image_row_put(out, y, row + 4 * (size_t)image->width);
    }
    linnet_release(row);
    return out;
}

linnet_image *linnet_image_convert(linnet_context *context, const linnet_image *image, int32_t channels)
{
    context = linnet_context_or_default(context);
    if (!linnet_image_whole(image) || (channels != 1 && channels != 3))
        return refuse(context, "image convert: no picture, or channels neither 1 nor 3");
    return convert_into(context, image, linnet_image_new_like(context, image, image->width, image->height, channels));
}

linnet_image *linnet_image_flatten(linnet_context *context, const linnet_image *image, int32_t channels)
{
    return convert_into(context, image, linnet_image_new(context, image->width, image->height, channels));
}

linnet_image *linnet_image_crop(linnet_context *context, const linnet_image *image, int32_t x, int32_t y, int32_t width,
                                int32_t height)
{
    context = linnet_context_or_default(context);
    if (!linnet_image_whole(image))
        return refuse(context, "image crop: no picture");
    if (x < 0 || y < 0 || width < 1 || height < 1 || width > image->width - x || height > image->height - y) {
        linnet_fail(context, LINNET_INVALID, "image crop: %d x %d at (%d, %d) is not inside %d x %d", (int)width,
                    (int)height, (int)x, (int)y, (int)image->width, (int)image->height);
        return NULL;
    }
    linnet_image *out = linnet_image_new_like(context, image, width, height, image->channels);
    size_t pixel = linnet_image_row_bytes(image) / (size_t)image->width;
    for (int32_t v = 0; out && v < height; v++)
        memcpy(linnet_image_row(out, v), linnet_image_row(image, y + v) + (size_t)x * pixel, (size_t)width * pixel);
    return out;
}

linnet_image *linnet_image_enlarge(linnet_context *context, const linnet_image *image, int32_t scale)
{
    context = linnet_context_or_default(context);
    if (!linnet_image_whole(image) || scale < 1 || scale > LINNET_IMAGE_MAX_SIDE)
        return refuse(context, "image enlarge: no picture, or a scale below 1 or too large");
    linnet_image *out =
        linnet_image_new_like(context, image, image->width * scale, image->height * scale, image->channels);
    size_t pixel = linnet_image_row_bytes(image) / (size_t)image->width;
    for (int32_t v = 0; out && v < out->height; v++) {
        uint8_t *to = linnet_image_row(out, v);
        const uint8_t *from = linnet_image_row(image, v / scale);
        for (size_t u = 0; u < (size_t)out->width; u++)
            memcpy(to + u * pixel, from + u / (size_t)scale * pixel, pixel);
    }
    return out;
}
