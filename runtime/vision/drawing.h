/* SPDX-License-Identifier: Apache-2.0 */
/* What pictures of feature maps share: a layer's scale, one map as a tile, which maps are worth seeing. Internal. */
#ifndef LINNET_VISION_DRAWING_H
#define LINNET_VISION_DRAWING_H

#include "../core/core.h"
#include "linnet/colour.h"
#include "linnet/features.h"
#include "linnet/sheet.h"

/* The scale of a whole layer. */
typedef struct linnet_maps_scale {
    linnet_colour_map colours; /* diverging where anything is negative */
    float low, high;
} linnet_maps_scale;

/* The scale ends where 99.9 % of the activations lie: a few peaks do not make everything else dark. */
linnet_maps_scale linnet_maps_scale_of(const linnet_maps *maps);
/* One map as a picture whose longer side has `side` pixels: squares where it is enlarged, means where it is reduced. */
linnet_image *linnet_map_tile(linnet_context *context, const linnet_maps *maps, int64_t channel,
                              const linnet_maps_scale *scale, int32_t most);
/* A layer without positions as one picture: its units are cells of cell x cell pixels, row by row, columns a row. */
linnet_image *linnet_units_tile(linnet_context *context, const linnet_maps *maps, const linnet_maps_scale *scale,
                                int64_t columns, int32_t cell);
/* Adds the image to the sheet and frees it. image NULL: what the context last failed with. */
linnet_status linnet_sheet_take(linnet_context *context, linnet_sheet *sheet, linnet_image *image, int32_t scale,
                                const char *caption);
/* The channels in falling order of how much they vary over their positions; release with linnet_release. NULL: no
   memory. */
int64_t *linnet_maps_order(linnet_context *context, const linnet_maps *maps);

#endif
