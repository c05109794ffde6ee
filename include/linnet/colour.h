/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Colour maps: numbers become colours whose differences look as large as those of the numbers.
 *
 * Both maps are made for Linnet, as curves in CIELAB (white point D65) that are computed into sRGB.
 *  - Sequential, for what has a beginning: L* rises evenly from 14 (nearly black, blue) to 96 (nearly white, yellow)
 *    over violet, red and orange, so that the order also shows in grey print and to eyes that see fewer colours.
 *  - Diverging, for signed numbers: light grey (L* 92) in the middle, from which L* falls and chroma rises evenly to
 *    both ends, blue below and red above; what lies equally far on either side is equally dark and equally coloured.
 */
#ifndef LINNET_COLOUR_H
#define LINNET_COLOUR_H

#include "image.h"

LINNET_BEGIN_DECLS

typedef enum linnet_colour_map {
    LINNET_COLOUR_SEQUENTIAL = 0,
    LINNET_COLOUR_DIVERGING = 1, /* 0.5 is neutral */
    LINNET_COLOUR_GREY = 2       /* black to white, L* even */
} linnet_colour_map;

/* What cannot be drawn: not a number. */
#define LINNET_COLOUR_NAN 0xFF00FFu

/* The colour 0xRRGGBB of t, clamped to 0..1; LINNET_COLOUR_NAN for NaN. */
LINNET_API uint32_t linnet_colour(linnet_colour_map map, float t);

/* An RGB picture of height x width numbers, row-major: low and what is below gets the map's first colour, high its last
   one. low equal to high: the range of the finite numbers themselves, for the diverging map the same distance to both
   sides of 0. */
LINNET_API linnet_image *linnet_image_from_map(linnet_context *context, const float *map, int32_t height, int32_t width,
                                               float low, float high, linnet_colour_map colours);
/* The range that linnet_image_from_map takes when low equals high; 0..1 (-1..1) for numbers that are all alike 0 or
   none. */
LINNET_API void linnet_colour_range(linnet_colour_map map, const float *values, size_t count, float *out_low,
                                    float *out_high);

/* The legend: an RGB picture of the colours from left to right, width pixels wide (0: 168; at least 60), below it low
   and high as numbers, for the diverging map the middle, too, where there is room. A tile for a sheet. */
LINNET_API linnet_image *linnet_image_colour_bar(linnet_context *context, linnet_colour_map map, float low, float high,
                                                 int32_t width);

LINNET_END_DECLS
#endif
