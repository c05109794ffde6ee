/* SPDX-License-Identifier: Apache-2.0 */
#include "jpeg_markers.h"

#include "picture.h"

#include <string.h>

enum { SOI = 0xD8, EOI = 0xD9, SOS = 0xDA, DHT = 0xC4, JPG = 0xC8, DAC = 0xCC, APP1 = 0xE1, APP14 = 0xEE, TEM = 0x01 };

static bool is_restart(uint8_t marker)
{
    return marker >= 0xD0 && marker <= 0xD7;
}

static bool is_frame(uint8_t marker)
{
    return marker >= 0xC0 && marker <= 0xCF && marker != DHT && marker != JPG && marker != DAC;
}

static uint32_t big16(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 8 | bytes[1];
}

/* A segment's contents, after its length. */
static void note_segment(linnet_jpeg_facts *facts, uint8_t marker, const uint8_t *bytes, size_t size)
{
    if (marker == APP1 && size > 6 && !memcmp(bytes, "Exif\0\0", 6) && facts->orientation == 1)
        facts->orientation = linnet_exif_orientation(bytes + 6, size - 6);
    if (marker == APP14 && size >= 5 && !memcmp(bytes, "Adobe", 5))
        facts->adobe = true;
    if (is_frame(marker) && size >= 5 && !facts->framed) {
        facts->framed = true;
        facts->height = big16(bytes + 1);
        facts->width = big16(bytes + 3);
    }
    facts->scans += marker == SOS;
}

/* Where the next marker's 0xFF is, from at on; in coded data 0xFF00 is a byte of it, restarts belong to it. */
static size_t next_marker(const uint8_t *bytes, size_t size, size_t at)
{
    for (; at + 1 < size; at++)
        if (bytes[at] == 0xFF && bytes[at + 1] != 0 && bytes[at + 1] != 0xFF && !is_restart(bytes[at + 1]))
            return at;
    return size;
}

linnet_jpeg_facts linnet_jpeg_look(const uint8_t *bytes, size_t size)
{
    linnet_jpeg_facts facts = {.orientation = 1};
    size_t at = 0;
    while ((at = next_marker(bytes, size, at)) < size) {
        uint8_t marker = bytes[at + 1];
        at += 2;
        if (marker == EOI) {
            facts.ended = true;
            break;
        }
        if (marker == SOI || marker == TEM)
            continue;
        if (size - at < 2 || big16(bytes + at) < 2 || big16(bytes + at) > size - at)
            break;
        note_segment(&facts, marker, bytes + at + 2, big16(bytes + at) - 2);
        at += big16(bytes + at);
    }
    return facts;
}
