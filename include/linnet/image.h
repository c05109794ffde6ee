/* SPDX-License-Identifier: Apache-2.0 */
/*
 * 8-bit pictures in memory: reading and writing PNG, drawing captions, mosaics of many small pictures.
 *
 *     linnet_image *image = linnet_image_read(NULL, "seven.png");
 *     if (!image)
 *         fprintf(stderr, "%s\n", linnet_context_message(NULL));
 *     ...
 *     linnet_image_free(&image);
 *
 * Functions that make a picture return NULL when they fail; linnet_context_last_status and linnet_context_message say
 * why. Threads: functions on different images may run at once. In a build without PNG reading and writing are
 * LINNET_UNSUPPORTED; the rest works.
 */
#ifndef LINNET_IMAGE_H
#define LINNET_IMAGE_H

#include "context.h"
#include "tensor.h"

LINNET_BEGIN_DECLS

/* Larger pictures are refused with LINNET_LIMIT before memory is taken for them. */
#define LINNET_IMAGE_MAX_SIDE   16384
#define LINNET_IMAGE_MAX_PIXELS (1 << 26)

/* Rows from top to bottom, channels interleaved, no padding: channel c of the pixel at (x, y) is
   pixels[(y * width + x) * channels + c]. Values as they are stored (sRGB); alpha is not premultiplied. */
typedef struct linnet_image {
    int32_t width, height;
    int32_t channels; /* 1 grey, 2 grey + alpha, 3 RGB, 4 RGBA */
    uint8_t *pixels;  /* belongs to the image */
} linnet_image;

/* A black (and, with alpha, transparent) picture. */
LINNET_API linnet_image *linnet_image_new(linnet_context *context, int32_t width, int32_t height, int32_t channels);
/* Accepts NULL, clears the pointer. */
LINNET_API void linnet_image_free(linnet_image **image);

/* Reads a PNG of any kind: 1 to 16 bits a sample, grey, RGB or palette, with or without alpha, interlaced or not.
   Samples become 8 bits, palettes RGB or RGBA. LINNET_IO: cannot be read. LINNET_BAD_FILE: no PNG, or a damaged one. */
LINNET_API linnet_image *linnet_image_read(linnet_context *context, const char *path);
/* The same from size bytes in memory; name is what messages call it. */
LINNET_API linnet_image *linnet_image_decode(linnet_context *context, const void *bytes, size_t size, const char *name);
/* Writes a PNG to a temporary beside path and renames it: path holds the old picture or the new one, never half. */
LINNET_API linnet_status linnet_image_write(linnet_context *context, const linnet_image *image, const char *path);

/* ---- Drawing: colours are 0xRRGGBB, a grey picture takes their luminance; what lies outside the picture is cut off.
 * ---- */

/* Fills width x height pixels from (x, y). */
LINNET_API void linnet_image_fill(linnet_image *image, int32_t x, int32_t y, int32_t width, int32_t height,
                                  uint32_t colour);
/* A line of text, 5x7 pixels a character on a pitch of 6, each times scale, its top left corner at (x, y). ASCII;
   anything else is drawn as '?'. */
LINNET_API void linnet_image_text(linnet_image *image, int32_t x, int32_t y, int32_t scale, uint32_t colour,
                                  const char *text);
/* Width of that text in pixels. */
LINNET_API int32_t linnet_image_text_width(const char *text, int32_t scale);

/* ---- Mosaics ---- */

typedef struct linnet_mosaic_tile {
    linnet_tensor image; /* [C,H,W], C is 1 or 3; u8 0..255 or f32 0..1 (clamped) */
    const char *caption; /* below the tile, cut to its width; NULL: none */
    uint32_t mark;       /* a frame around the tile and the caption in this colour, 0xRRGGBB; 0: none */
} linnet_mosaic_tile;

#define LINNET_MARK_WRONG 0xE0372Bu
#define LINNET_MARK_RIGHT 0x2E9E4Fu

/* Draws the tiles, all of one size, row by row into an RGB picture with columns tiles a row (0: about square), each
   pixel enlarged scale times (0: as many as make a tile about 84 pixels wide). */
LINNET_API linnet_image *linnet_mosaic_draw(linnet_context *context, const linnet_mosaic_tile *tiles, size_t count,
                                            int32_t columns, int32_t scale);

LINNET_END_DECLS
#endif
