/* SPDX-License-Identifier: Apache-2.0 */
/* Stands in for png.c in a build without libpng. */
#include "core/core.h"
#include "linnet/image.h"

linnet_image *linnet_image_decode(linnet_context *context, const void *bytes, size_t size, const char *name)
{
    (void)bytes;
    (void)size;
    linnet_fail(context, LINNET_UNSUPPORTED, "%s: this build of Linnet reads no PNG", name ? name : "image");
    return NULL;
}

linnet_status linnet_image_write(linnet_context *context, const linnet_image *image, const char *path)
{
    (void)image;
    return linnet_fail(context, LINNET_UNSUPPORTED, "%s: this build of Linnet writes no PNG", path ? path : "image");
}
