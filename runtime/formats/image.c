/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures in memory and the way from and to files: which format it is. */
#include "core/core.h"
#include "picture.h"

#include <string.h>
#include <strings.h>

enum { MAX_FILE_BYTES = 1 << 29 };

bool linnet_image_whole(const linnet_image *image)
{
    return image && (image->pixels != NULL) != (image->pixels16 != NULL) && image->width >= 1 && image->height >= 1 &&
           image->width <= LINNET_IMAGE_MAX_SIDE && image->height <= LINNET_IMAGE_MAX_SIDE && image->channels >= 1 &&
           image->channels <= 4;
}

size_t linnet_image_row_bytes(const linnet_image *image)
{
    return (size_t)image->width * (size_t)image->channels * (image->pixels16 ? 2 : 1);
}

uint8_t *linnet_image_row(const linnet_image *image, int32_t y)
{
    uint8_t *first = image->pixels16 ? (uint8_t *)image->pixels16 : image->pixels;
    return first + (size_t)y * linnet_image_row_bytes(image);
}

static linnet_image *image_make(linnet_context *context, int32_t width, int32_t height, int32_t channels, bool deep)
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
    void *samples = linnet_allocate((size_t)width * (size_t)height, (size_t)channels * (deep ? 2 : 1));
    if (!image || !samples) {
        linnet_release(image);
        linnet_release(samples);
        linnet_fail(context, LINNET_OUT_OF_MEMORY, "image: no memory for %d x %d", (int)width, (int)height);
        return NULL;
    }
    *image = (linnet_image){width, height, channels, deep ? NULL : samples, deep ? samples : NULL};
    return image;
}

linnet_image *linnet_image_new(linnet_context *context, int32_t width, int32_t height, int32_t channels)
{
    return image_make(context, width, height, channels, false);
}

linnet_image *linnet_image_new_deep(linnet_context *context, int32_t width, int32_t height, int32_t channels)
{
    return image_make(context, width, height, channels, true);
}

linnet_image *linnet_image_new_like(linnet_context *context, const linnet_image *like, int32_t width, int32_t height,
                                    int32_t channels)
{
    return image_make(context, width, height, channels, like->pixels16 != NULL);
}

void linnet_image_free(linnet_image **image)
{
    if (!image || !*image)
        return;
    linnet_release((*image)->pixels);
    linnet_release((*image)->pixels16);
    linnet_release(*image);
    *image = NULL;
}

/* ---- Reading ---- */

static linnet_image *decode(linnet_context *context, const void *bytes, size_t size, const char *name, bool deep)
{
    context = linnet_context_or_default(context);
    if (linnet_context_check(context) != LINNET_OK)
        return NULL;
    name = name ? name : "image";
    if (bytes && size >= 8 && !memcmp(bytes, "\211PNG\r\n\032\n", 8))
        return linnet_png_decode(context, bytes, size, name, deep);
    if (bytes && size >= 3 && !memcmp(bytes, "\377\330\377", 3))
        return linnet_jpeg_decode(context, bytes, size, name);
    linnet_fail(context, LINNET_BAD_FILE, "%s: not a PNG or JPEG file", name);
    return NULL;
}

linnet_image *linnet_image_decode(linnet_context *context, const void *bytes, size_t size, const char *name)
{
    return decode(context, bytes, size, name, false);
}

linnet_image *linnet_image_decode_deep(linnet_context *context, const void *bytes, size_t size, const char *name)
{
    return decode(context, bytes, size, name, true);
}

static linnet_image *read_path(linnet_context *context, const char *path, bool deep)
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
    linnet_image *image = decode(context, bytes, size, path, deep);
    linnet_release(bytes);
    return image;
}

linnet_image *linnet_image_read(linnet_context *context, const char *path)
{
    return read_path(context, path, false);
}

linnet_image *linnet_image_read_deep(linnet_context *context, const char *path)
{
    return read_path(context, path, true);
}

/* ---- Writing ---- */

typedef enum file_kind { KIND_PNG, KIND_JPEG, KIND_UNKNOWN } file_kind;

static file_kind kind_of(const char *path)
{
    const char *name = strrchr(path, '/'), *end = strrchr(name ? name : path, '.');
    if (end && !strcasecmp(end, ".png"))
        return KIND_PNG;
    return end && (!strcasecmp(end, ".jpg") || !strcasecmp(end, ".jpeg")) ? KIND_JPEG : KIND_UNKNOWN;
}

static linnet_status check_path(linnet_context *context, const char *path)
{
    if (!path)
        return linnet_fail(context, LINNET_INVALID, "image: no path");
    file_kind kind = kind_of(path);
    if (kind == KIND_UNKNOWN)
        return linnet_fail(context, LINNET_INVALID, "%s: pictures are written as .png, .jpg or .jpeg", path);
    if (kind == KIND_PNG ? !linnet_png_built() : !linnet_jpeg_built())
        return linnet_fail(context, LINNET_UNSUPPORTED, "%s: this build of Linnet writes no %s", path,
                           kind == KIND_PNG ? "PNG" : "JPEG");
    return LINNET_OK;
}

linnet_status linnet_image_check_path(linnet_context *context, const char *path)
{
    context = linnet_context_or_default(context);
    linnet_status status = linnet_context_check(context);
    return status != LINNET_OK ? status : check_path(context, path);
}

static linnet_status write_as(linnet_context *context, const linnet_image *image, file_kind kind, int32_t quality,
                              const char *path)
{
    uint8_t *bytes = NULL;
    size_t size = 0;
    linnet_status status = kind == KIND_PNG ? linnet_png_encode(context, image, path, &bytes, &size)
                                            : linnet_jpeg_encode(context, image, quality, path, &bytes, &size);
    if (status == LINNET_OK)
        status = linnet_file_write(context, path, (const void *[]){bytes}, &size, 1);
    linnet_release(bytes);
    return status;
}

linnet_status linnet_image_write(linnet_context *context, const linnet_image *image, const char *path)
{
    context = linnet_context_or_default(context);
    linnet_status status = linnet_context_check(context);
    if (status != LINNET_OK)
        return status;
    if (!linnet_image_whole(image))
        return linnet_fail(context, LINNET_INVALID, "image write: no picture");
    status = check_path(context, path);
    return status != LINNET_OK ? status : write_as(context, image, kind_of(path), LINNET_JPEG_QUALITY, path);
}

linnet_status linnet_image_write_jpeg(linnet_context *context, const linnet_image *image, int32_t quality,
                                      const char *path)
{
    context = linnet_context_or_default(context);
    linnet_status status = linnet_context_check(context);
    if (status != LINNET_OK)
        return status;
    if (!linnet_image_whole(image) || !path)
        return linnet_fail(context, LINNET_INVALID, "image write: no picture or no path");
    quality = quality ? quality : LINNET_JPEG_QUALITY;
    if (quality < 1 || quality > 100)
        return linnet_fail(context, LINNET_INVALID, "%s: JPEG quality %d is not in 1..100", path, (int)quality);
    return write_as(context, image, KIND_JPEG, quality, path);
}
