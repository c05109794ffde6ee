/* SPDX-License-Identifier: Apache-2.0 */
#include "core/core.h"
#include "linnet/image.h"

/* The part of a side that is kept so that the sides become as other to this: side * other / this, rounded. */
static int32_t share(int32_t side, int32_t other, int32_t this)
{
    int64_t kept = ((int64_t)side * other + this / 2) / this;
    return kept < 1 ? 1 : (int32_t)kept;
}

linnet_image *linnet_image_cover(linnet_context *context, const linnet_image *image, int32_t width, int32_t height,
                                 linnet_resize_filter filter)
{
    if (!image || width < 1 || height < 1 || width > LINNET_IMAGE_MAX_SIDE || height > LINNET_IMAGE_MAX_SIDE) {
        linnet_fail(context, LINNET_INVALID, "image: no picture to cover %dx%d pixels with", (int)width, (int)height);
        return NULL;
    }
    int32_t kept_width = share(image->height, width, height), kept_height = share(image->width, height, width);
    kept_width = kept_width < image->width ? kept_width : image->width;
    kept_height = kept_height < image->height ? kept_height : image->height;
    linnet_image *part = linnet_image_crop(context, image, (image->width - kept_width) / 2,
                                           (image->height - kept_height) / 2, kept_width, kept_height);
    linnet_image *covering = part ? linnet_image_resize(context, part, width, height, filter) : NULL;
    linnet_image_free(&part);
    return covering;
}
