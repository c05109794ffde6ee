/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which part of the picture a unit can see, from the shapes of the layers alone (Araujo, Norris and Sim 2019,
 * "Computing receptive fields of convolutional neural networks"). Which pixels of it really count is the effective
 * receptive field's business (attribution.h).
 *
 *     linnet_field f;
 *     linnet_receptive_field(net, value, &f);
 *     unit (i, j) sees size[0] x size[1] pixels around (offset[0] + i stride[0], offset[1] + j stride[1])
 *
 * Pixels are counted from 0, their centres have whole numbers; a field of even size has its centre between two pixels.
 * Fields of units at the border reach over the edge, into the padding, and are as large as all others; what a padding
 * that repeats or reflects copies there is not counted. Where paths meet (sums, concatenations) the field holds those
 * of all paths. Batch norm counts as in evaluation: it looks at no other pixel.
 */
#ifndef LINNET_RECEPTIVE_FIELD_H
#define LINNET_RECEPTIVE_FIELD_H

#include "net.h"

LINNET_BEGIN_DECLS

typedef struct linnet_field {
    int64_t size[2];   /* height, width in pixels; LINNET_FREE: everything in a picture of free size */
    int64_t stride[2]; /* pixels from one unit to the next, down and right; 0: all units see the same */
    double offset[2];  /* centre of the first unit's field; 0 where size is LINNET_FREE */
} linnet_field;

/* The field of value, whatever makes it, in the picture: the first input [N,C,H,W] that it depends on. Layers that look
   at whole maps (linear, flatten, global pooling, losses) see the smallest part of the picture that holds what they can
   see. LINNET_NOT_FOUND: it depends on no picture. LINNET_LIMIT: over 2^53 pixels. */
LINNET_API linnet_status linnet_receptive_field(const linnet_net *net, linnet_value value, linnet_field *out_field);

LINNET_END_DECLS
#endif
