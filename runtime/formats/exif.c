/* SPDX-License-Identifier: Apache-2.0 */
/* The one thing that Exif says and a viewer must obey: which way is up. After Exif 2.32, 4.6.4, tag 0x0112. */
#include "core/core.h"
#include "picture.h"

#include <string.h>

enum { TAG_ORIENTATION = 0x0112, TYPE_SHORT = 3, ENTRY_BYTES = 12 };

/* size bytes (2 or 4) as a number. */
static uint32_t number(const uint8_t *bytes, int size, bool big)
{
    uint32_t value = 0;
    for (int i = 0; i < size; i++)
        value = value << 8 | bytes[big ? i : size - 1 - i];
    return value;
}

int linnet_exif_orientation(const uint8_t *bytes, size_t size)
{
    if (!bytes || size < 8 || (memcmp(bytes, "II*\0", 4) != 0 && memcmp(bytes, "MM\0*", 4) != 0))
        return 1;
    bool big = bytes[0] == 'M';
    size_t at = number(bytes + 4, 4, big);
    if (at > size - 2)
        return 1;
    uint32_t entries = number(bytes + at, 2, big);
    at += 2;
    for (uint32_t i = 0; i < entries && size - at >= ENTRY_BYTES; i++, at += ENTRY_BYTES) {
        const uint8_t *entry = bytes + at;
        if (number(entry, 2, big) != TAG_ORIENTATION)
            continue;
        uint32_t value = number(entry + 8, 2, big);
        bool valid = number(entry + 2, 2, big) == TYPE_SHORT && number(entry + 4, 4, big) == 1;
        return valid && value >= 1 && value <= 8 ? (int)value : 1;
    }
    return 1;
}

/* Where in the old picture, of width x height, pixel (x, y) of the upright one is. */
static void source_of(int orientation, int32_t width, int32_t height, int32_t x, int32_t y, int32_t *out_x,
                      int32_t *out_y)
{
    bool swapped = orientation >= 5;
    int32_t u = swapped ? y : x, v = swapped ? x : y;
    bool mirror_x = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    bool mirror_y = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    *out_x = mirror_x ? width - 1 - u : u;
    *out_y = mirror_y ? height - 1 - v : v;
}

linnet_status linnet_image_turn(linnet_context *context, linnet_image **image, int orientation)
{
    linnet_image *old = *image;
    if (!old || orientation < 2 || orientation > 8)
        return LINNET_OK;
    bool swapped = orientation >= 5;
    linnet_image *out = linnet_image_new_like(context, old, swapped ? old->height : old->width,
                                              swapped ? old->width : old->height, old->channels);
    size_t pixel = linnet_image_row_bytes(old) / (size_t)old->width;
    for (int32_t y = 0; out && y < out->height; y++) {
        uint8_t *row = linnet_image_row(out, y);
        for (int32_t x = 0; x < out->width; x++) {
            int32_t u, v;
            source_of(orientation, old->width, old->height, x, y, &u, &v);
            memcpy(row + (size_t)x * pixel, linnet_image_row(old, v) + (size_t)u * pixel, pixel);
        }
    }
    linnet_image_free(image);
    *image = out;
    return out ? LINNET_OK : linnet_context_last_status(context);
}
