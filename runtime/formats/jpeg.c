/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JPEG by TurboJPEG. A warning of the decoder is an error here: what is cut short or damaged would otherwise come out
 * as a picture with grey parts.
 */
#include "core/core.h"
#include "jpeg_markers.h"
#include "picture.h"

#include <string.h>
#include <turbojpeg.h>

enum {
    MOST_SCANS = 64,            /* of a progressive file; encoders write ten or so */
    MOST_PIXELS_PER_BYTE = 512, /* one bit for a block of 8 x 8 */
    FULL_COLOUR_QUALITY = 90
};

static linnet_status fail_with(linnet_context *context, tjhandle handle, const char *name, const char *what)
{
    const char *message = tjGetErrorStr2(handle);
    bool memory = strstr(message, "nsufficient memory") || strstr(message, "allocation failure");
    return linnet_fail(context, memory ? LINNET_OUT_OF_MEMORY : LINNET_BAD_FILE, "%s: %s%s", name, memory ? "" : what,
                       message);
}

/* Refuses, before anything is decoded, what is too large or claims more than its bytes can hold. */
static linnet_status check_claims(linnet_context *context, const linnet_jpeg_facts *facts, size_t size,
                                  const char *name)
{
    uint64_t width = facts->width, height = facts->height;
    if (!facts->framed || !facts->ended)
        return linnet_fail(context, LINNET_BAD_FILE, "%s: damaged JPEG: cut short", name);
    if (width > LINNET_IMAGE_MAX_SIDE || height > LINNET_IMAGE_MAX_SIDE || width * height > LINNET_IMAGE_MAX_PIXELS)
        return linnet_fail(context, LINNET_LIMIT, "%s: %llu x %llu pixels, at most %d on a side and %d in all", name,
                           (unsigned long long)width, (unsigned long long)height, LINNET_IMAGE_MAX_SIDE,
                           LINNET_IMAGE_MAX_PIXELS);
    if (width * height / MOST_PIXELS_PER_BYTE > size)
        return linnet_fail(context, LINNET_BAD_FILE, "%s: damaged JPEG: %llu x %llu pixels in %zu bytes", name,
                           (unsigned long long)width, (unsigned long long)height, size);
    if (facts->scans > MOST_SCANS)
        return linnet_fail(context, LINNET_LIMIT, "%s: a JPEG of %d scans, at most %d", name, facts->scans, MOST_SCANS);
    return LINNET_OK;
}

/* Four inks of a pixel become three lights; Adobe stores how much ink is missing. */
static void inks_to_lights(const uint8_t *inks, bool adobe, uint8_t *out)
{
    uint32_t black = adobe ? inks[3] : 255u - inks[3];
    for (int c = 0; c < 3; c++)
        out[c] = (uint8_t)(((adobe ? inks[c] : 255u - inks[c]) * black + 127) / 255);
}

/* The picture of four inks, decoded, as RGB. */
static linnet_image *from_inks(linnet_context *context, const linnet_image *inks, bool adobe)
{
    linnet_image *image = linnet_image_new(context, inks->width, inks->height, 3);
    size_t count = (size_t)inks->width * (size_t)inks->height;
    for (size_t i = 0; image && i < count; i++)
        inks_to_lights(inks->pixels + 4 * i, adobe, image->pixels + 3 * i);
    return image;
}

static linnet_image *decode_with(linnet_context *context, tjhandle handle, const uint8_t *bytes, size_t size,
                                 const linnet_jpeg_facts *facts, const char *name)
{
    int width = 0, height = 0, sampling = 0, space = 0;
    if (tjDecompressHeader3(handle, bytes, (unsigned long)size, &width, &height, &sampling, &space)) {
        fail_with(context, handle, name, "damaged JPEG: ");
        return NULL;
    }
    if ((uint32_t)width != facts->width || (uint32_t)height != facts->height) {
        linnet_fail(context, LINNET_BAD_FILE, "%s: damaged JPEG: two sizes", name);
        return NULL;
    }
    bool inks = space == TJCS_CMYK || space == TJCS_YCCK;
    int format = space == TJCS_GRAY ? TJPF_GRAY : inks ? TJPF_CMYK : TJPF_RGB;
    linnet_image *image = linnet_image_new(context, width, height, tjPixelSize[format]);
    if (image && tjDecompress2(handle, bytes, (unsigned long)size, image->pixels, width, 0, height, format,
                               TJFLAG_STOPONWARNING | TJFLAG_LIMITSCANS)) {
        fail_with(context, handle, name, "damaged JPEG: ");
        linnet_image_free(&image);
    }
    if (image && inks) {
        linnet_image *lights = from_inks(context, image, facts->adobe);
        linnet_image_free(&image);
        image = lights;
    }
    return image;
}

linnet_image *linnet_jpeg_decode(linnet_context *context, const uint8_t *bytes, size_t size, const char *name)
{
    linnet_jpeg_facts facts = linnet_jpeg_look(bytes, size);
    if (check_claims(context, &facts, size, name) != LINNET_OK)
        return NULL;
    tjhandle handle = tjInitDecompress();
    if (!handle) {
        linnet_fail(context, LINNET_OUT_OF_MEMORY, "%s: out of memory", name);
        return NULL;
    }
    linnet_image *image = decode_with(context, handle, bytes, size, &facts, name);
    tjDestroy(handle);
    linnet_image_turn(context, &image, facts.orientation);
    return image;
}

/* flat has 8 bits and 1 or 3 channels. The bytes are moved to memory of our own. */
static linnet_status encode_with(linnet_context *context, tjhandle handle, const linnet_image *flat, int32_t quality,
                                 const char *name, uint8_t **out_bytes, size_t *out_size)
{
    unsigned char *made = NULL;
    unsigned long size = 0;
    bool grey = flat->channels == 1;
    int sampling = grey ? TJSAMP_GRAY : quality >= FULL_COLOUR_QUALITY ? TJSAMP_444 : TJSAMP_420;
    linnet_status status = LINNET_OK;
    if (tjCompress2(handle, flat->pixels, flat->width, 0, flat->height, grey ? TJPF_GRAY : TJPF_RGB, &made, &size,
                    sampling, (int)quality, TJFLAG_ACCURATEDCT))
        status = linnet_fail(context, LINNET_INTERNAL, "%s: cannot be written: %s", name, tjGetErrorStr2(handle));
    *out_bytes = status == LINNET_OK ? linnet_allocate(size, 1) : NULL;
    if (*out_bytes)
        memcpy(*out_bytes, made, size);
    else if (status == LINNET_OK)
        status = linnet_fail(context, LINNET_OUT_OF_MEMORY, "%s: cannot be written: out of memory", name);
    *out_size = size;
    tjFree(made);
    return status;
}

linnet_status linnet_jpeg_encode(linnet_context *context, const linnet_image *image, int32_t quality, const char *name,
                                 uint8_t **out_bytes, size_t *out_size)
{
    linnet_image *flat = linnet_image_flatten(context, image, image->channels < 3 ? 1 : 3);
    if (!flat)
        return linnet_context_last_status(context);
    tjhandle handle = tjInitCompress();
    linnet_status status = handle ? encode_with(context, handle, flat, quality, name, out_bytes, out_size)
                                  : linnet_fail(context, LINNET_OUT_OF_MEMORY, "%s: out of memory", name);
    if (handle)
        tjDestroy(handle);
    linnet_image_free(&flat);
    return status;
}

bool linnet_jpeg_built(void)
{
    return true;
}
