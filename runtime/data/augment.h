/* SPDX-License-Identifier: Apache-2.0 */
/* Pictures seen a little differently each time: random crops of a padded picture, mirror images. Internal. */
#ifndef LINNET_AUGMENT_H
#define LINNET_AUGMENT_H

#include <stdbool.h>
#include <stdint.h>

/* Pixel (y, x) of the new picture is pixel (y + down, x + right) of the old one, x counted from the right when flipped.
 */
typedef struct linnet_augmentation {
    int64_t down, right;
    bool flip;
} linnet_augmentation;

/* What happens to image index in an epoch: a function of its arguments alone, as in linnet_loader_options. */
linnet_augmentation linnet_augmentation_draw(uint64_t seed, uint64_t epoch, uint32_t index, uint32_t crop_padding,
                                             bool flip);
/* For each of height * width pixels the number of the old one, -1 outside of it. */
void linnet_augmentation_map(const linnet_augmentation *augmentation, int64_t height, int64_t width, int64_t *out_map);

#endif
