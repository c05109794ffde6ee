/* SPDX-License-Identifier: Apache-2.0 */
/* Stands in for png.c in a build without libpng. */
#include "core/core.h"
#include "picture.h"

linnet_image *linnet_png_decode(linnet_context *context, const uint8_t *bytes, size_t size, const char *name, bool deep)
{
    (void)bytes;
    (void)size;
    (void)deep;
    linnet_fail(context, LINNET_UNSUPPORTED, "%s: this build of Linnet reads no PNG", name);
    return NULL;
}

linnet_status linnet_png_encode(linnet_context *context, const linnet_image *image, const char *name,
                                uint8_t **out_bytes, size_t *out_size)
{
    (void)image;
    (void)out_bytes;
    (void)out_size;
    return linnet_fail(context, LINNET_UNSUPPORTED, "%s: this build of Linnet writes no PNG", name);
}

bool linnet_png_built(void)
{
    return false;
}
