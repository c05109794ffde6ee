/* SPDX-License-Identifier: Apache-2.0 */
#include "augment.h"

#include "linnet/backend.h"

enum { AUGMENT_DOMAIN = 0x63726f70 };

/* 0 .. choices-1; biased by less than choices / 2^32. */
static int64_t choose(uint32_t word, uint64_t choices)
{
    return (int64_t)((uint64_t)word * choices >> 32);
}

linnet_augmentation linnet_augmentation_draw(uint64_t seed, uint64_t epoch, uint32_t index, uint32_t crop_padding,
                                             bool flip)
{
    const uint32_t counter[4] = {index, AUGMENT_DOMAIN, (uint32_t)epoch, (uint32_t)(epoch >> 32)};
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t words[4];
    linnet_philox(counter, key, words);
    return (linnet_augmentation){.down = choose(words[0], 2 * (uint64_t)crop_padding + 1) - crop_padding,
                                 .right = choose(words[1], 2 * (uint64_t)crop_padding + 1) - crop_padding,
                                 .flip = flip && choose(words[2], 2)};
}

void linnet_augmentation_map(const linnet_augmentation *augmentation, int64_t height, int64_t width, int64_t *out_map)
{
    for (int64_t y = 0; y < height; y++) {
        int64_t from_y = y + augmentation->down;
        for (int64_t x = 0; x < width; x++) {
            int64_t from_x = (augmentation->flip ? width - 1 - x : x) + augmentation->right;
            bool inside = from_y >= 0 && from_y < height && from_x >= 0 && from_x < width;
            *out_map++ = inside ? from_y * width + from_x : -1;
        }
    }
}
