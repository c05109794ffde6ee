/* SPDX-License-Identifier: Apache-2.0 */
/* Stands in for jpeg.c in a build without TurboJPEG. */
#include "core/core.h"
#include "picture.h"

linnet_image *linnet_jpeg_decode(linnet_context *context, const uint8_t *bytes, size_t size, const char *name)
{
    (void)bytes;
    (void)size;
    linnet_fail(context, LINNET_UNSUPPORTED, "%s: this build of Linnet reads no JPEG", name);
    return NULL;
}

linnet_status linnet_jpeg_encode(linnet_context *context, const linnet_image *image, int32_t quality, const char *name,
                                 uint8_t **out_bytes, size_t *out_size)
{
    (void)image;
    (void)quality;
    (void)out_bytes;
    (void)out_size;
    return linnet_fail(context, LINNET_UNSUPPORTED, "%s: this build of Linnet writes no JPEG", name);
}

bool linnet_jpeg_built(void)
{
    return false;
}
