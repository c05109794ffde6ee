/* SPDX-License-Identifier: Apache-2.0 */
/* What the segments of a JPEG file say before anybody decodes it. Internal. */
#ifndef LINNET_JPEG_MARKERS_H
#define LINNET_JPEG_MARKERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct linnet_jpeg_facts {
    bool framed;     /* a frame header, i.e. a size, was there */
    bool ended;      /* the segments go on to the end-of-image marker */
    bool adobe;      /* written by Adobe's rules: CMYK is inverted */
    int orientation; /* Exif's, 1..8; 1 without one */
    int scans;
    uint32_t width, height; /* of the frame */
} linnet_jpeg_facts;

/* Walks from marker to marker (ITU-T T.81, annex B), never outside the bytes. */
linnet_jpeg_facts linnet_jpeg_look(const uint8_t *bytes, size_t size);

#endif
