/* SPDX-License-Identifier: Apache-2.0 */
/* What the files about pictures share: the codecs, samples as floats, the orientation. Internal. */
#ifndef LINNET_PICTURE_H
#define LINNET_PICTURE_H

#include "linnet/image.h"

#include <stdbool.h>

/* ---- png.c, jpeg.c: the status and the sentence of a failure are the context's. Encoders give *out_bytes, to be
 * released with linnet_release; name is what messages call the picture. ---- */
linnet_image *linnet_png_decode(linnet_context *context, const uint8_t *bytes, size_t size, const char *name,
                                bool deep);
linnet_status linnet_png_encode(linnet_context *context, const linnet_image *image, const char *name,
                                uint8_t **out_bytes, size_t *out_size);
bool linnet_png_built(void);
linnet_image *linnet_jpeg_decode(linnet_context *context, const uint8_t *bytes, size_t size, const char *name);
linnet_status linnet_jpeg_encode(linnet_context *context, const linnet_image *image, int32_t quality, const char *name,
                                 uint8_t **out_bytes, size_t *out_size);
bool linnet_jpeg_built(void);

/* ---- image.c ---- */
/* A picture with pixels and sizes that a picture can have. */
bool linnet_image_whole(const linnet_image *image);
/* Bytes of a row. */
size_t linnet_image_row_bytes(const linnet_image *image);
/* First byte of row y. */
uint8_t *linnet_image_row(const linnet_image *image, int32_t y);
/* A new picture, as deep as like. */
linnet_image *linnet_image_new_like(linnet_context *context, const linnet_image *like, int32_t width, int32_t height,
                                    int32_t channels);

/* ---- convert.c ---- */
/* The samples of row y as floats 0..1, width * channels; and back, clamped and rounded. */
void linnet_image_row_get(const linnet_image *image, int32_t y, float *out);
void linnet_image_row_put(linnet_image *image, int32_t y, const float *samples);
/* One pixel of `from` channels over white, as grey (to 1) or RGB (3). */
void linnet_pixel_flatten(const float *in, int32_t from, int32_t to, float *out);
/* Grey or RGB, 8 bits, whatever the depth was. */
linnet_image *linnet_image_flatten(linnet_context *context, const linnet_image *image, int32_t channels);

/* ---- exif.c ---- */
/* Orientation 1..8 as the TIFF structure of an Exif segment says (from "II" or "MM" on); 1 when it says nothing. */
int linnet_exif_orientation(const uint8_t *bytes, size_t size);
/* Stands the picture upright after Exif's orientation: replaces *image, or frees it and fails. */
linnet_status linnet_image_turn(linnet_context *context, linnet_image **image, int orientation);

#endif
