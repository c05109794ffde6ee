/* SPDX-License-Identifier: Apache-2.0 */
/* Between pictures and what networks take: planes [C,H,W], tensors. */
#include "core/core.h"
#include "picture.h"

static linnet_image *refuse(linnet_context *context, const char *what)
{
    linnet_fail(context, LINNET_INVALID, "%s", what);
    return NULL;
}

static void pixel_get(const linnet_image *image, size_t x, int32_t y, float *out)
{
    size_t at = ((size_t)y * (size_t)image->width + x) * (size_t)image->channels;
    for (size_t c = 0; c < (size_t)image->channels; c++)
        out[c] = image->pixels16 ? (float)image->pixels16[at + c] / 65535 : (float)image->pixels[at + c] / 255;
}

linnet_status linnet_image_to_planes(const linnet_image *image, int32_t channels, float *out_planes)
{
    linnet_context *context = linnet_context_or_default(NULL);
    if (!linnet_image_whole(image) || (channels != 1 && channels != 3) || !out_planes)
        return linnet_fail(context, LINNET_INVALID, "image to planes: no picture, or channels neither 1 nor 3");
    size_t width = (size_t)image->width, plane = width * (size_t)image->height;
    float samples[4], colour[3] = {0};
    for (int32_t y = 0; y < image->height; y++)
        for (size_t x = 0; x < width; x++) {
            pixel_get(image, x, y, samples);
            linnet_pixel_flatten(samples, image->channels, channels, colour);
            for (size_t c = 0; c < (size_t)channels; c++)
                out_planes[c * plane + (size_t)y * width + x] = colour[c];
        }
    return LINNET_OK;
}

static linnet_image *from_planes(linnet_context *context, const float *planes, int32_t channels, linnet_image *out)
{
    float *row = out ? linnet_allocate((size_t)out->width, 3 * sizeof *row) : NULL;
    if (out && !row) {
        linnet_fail(context, LINNET_OUT_OF_MEMORY, "image from planes: no memory for a row");
        linnet_image_free(&out);
    }
    size_t width = out ? (size_t)out->width : 0, plane = out ? width * (size_t)out->height : 0;
    for (int32_t y = 0; out && y < out->height; y++) {
        for (size_t x = 0; x < width; x++)
            for (size_t c = 0; c < (size_t)channels; c++)
                row[x * (size_t)channels + c] = planes[c * plane + (size_t)y * width + x];
        linnet_image_row_put(out, y, row);
    }
    linnet_release(row);
    return out;
}

linnet_image *linnet_image_from_planes(linnet_context *context, const float *planes, int32_t channels, int32_t height,
                                       int32_t width)
{
    context = linnet_context_or_default(context);
    if (!planes || (channels != 1 && channels != 3))
        return refuse(context, "image from planes: no planes, or channels neither 1 nor 3");
    return from_planes(context, planes, channels, linnet_image_new(context, width, height, channels));
}

linnet_image *linnet_image_from_planes_deep(linnet_context *context, const float *planes, int32_t channels,
                                            int32_t height, int32_t width)
{
    context = linnet_context_or_default(context);
    if (!planes || (channels != 1 && channels != 3))
        return refuse(context, "image from planes: no planes, or channels neither 1 nor 3");
    return from_planes(context, planes, channels, linnet_image_new_deep(context, width, height, channels));
}

linnet_image *linnet_image_from_tensor(linnet_context *context, const linnet_tensor *tensor)
{
    context = linnet_context_or_default(context);
    bool fits = tensor && tensor->rank == 3 && tensor->data && linnet_tensor_bytes(tensor) > 0 &&
                (tensor->dims[0] == 1 || tensor->dims[0] == 3) && tensor->dims[1] <= LINNET_IMAGE_MAX_SIDE &&
                tensor->dims[2] <= LINNET_IMAGE_MAX_SIDE && (tensor->type == LINNET_U8 || tensor->type == LINNET_F32);
    if (!fits)
        return refuse(context, "image from tensor: not u8 or f32 of shape [1 or 3,H,W]");
    int32_t channels = (int32_t)tensor->dims[0], height = (int32_t)tensor->dims[1], width = (int32_t)tensor->dims[2];
    if (tensor->type == LINNET_F32)
        return linnet_image_from_planes(context, tensor->data, channels, height, width);
    linnet_image *image = linnet_image_new(context, width, height, channels);
    size_t plane = (size_t)width * (size_t)height;
    for (size_t i = 0; image && i < plane; i++)
        for (size_t c = 0; c < (size_t)channels; c++)
            image->pixels[i * (size_t)channels + c] = ((const uint8_t *)tensor->data)[c * plane + i];
    return image;
}
