/* SPDX-License-Identifier: Apache-2.0 */
/* Comparing maps with moved maps. Internal to vision. */
#ifndef LINNET_VISION_SHIFT_H
#define LINNET_VISION_SHIFT_H

#include "linnet/equivariance.h"

/* Along one axis: where the units of a layer look, and which of them are compared. */
typedef struct linnet_shift_axis {
    double stride;        /* pixels from one unit to the next */
    double start;         /* first pixel of unit 0's receptive field */
    double size;          /* of a receptive field */
    int64_t first, count; /* the units compared */
} linnet_shift_axis;

/* Chooses the units out of `units` that can be compared under all shifts from 0 to `shift` pixels of a picture of
   `pixels`: interior, those that see no border. Returns whether there are any. */
bool linnet_shift_region_choose(linnet_shift_axis *axis, int64_t units, int64_t pixels, int64_t shift, bool interior);
/* Relative difference between moved (of the moved picture) and still, which is moved here by shift[i] pixels. */
double linnet_shift_compare(const linnet_maps *moved, const linnet_maps *still, const linnet_shift_axis axes[2],
                            const int64_t shift[2]);

#endif
