/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pictures in memory: reading and writing PNG and JPEG, resizing, the step to and from a network's planes, drawing.
 *
 *     linnet_image *image = linnet_image_read(NULL, "kitten.jpg");
 *     if (!image)
 *         fprintf(stderr, "%s\n", linnet_context_message(NULL));
 *     linnet_image *small = linnet_image_resize(NULL, image, 224, 224, LINNET_RESIZE_BICUBIC);
 *     linnet_image_to_planes(small, 3, planes);
 *     ...
 *     linnet_image_free(&small);
 *     linnet_image_free(&image);
 *
 * Functions that make a picture return a new one that is the caller's, or NULL when they fail;
 * linnet_context_last_status and linnet_context_message say why. Threads: functions on different images may run at
 * once. In a build without PNG or JPEG reading and writing that format is LINNET_UNSUPPORTED; the rest works.
 *
 * Colour maps: colour.h. Figures of many captioned pictures: sheet.h.
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
   pixels[(y * width + x) * channels + c]. Values as they are stored (sRGB); alpha is not premultiplied. A picture has
   either pixels (8 bits a sample; all that is not called deep) or pixels16 (16 bits, in the machine's byte order). */
typedef struct linnet_image {
    int32_t width, height;
    int32_t channels;   /* 1 grey, 2 grey + alpha, 3 RGB, 4 RGBA */
    uint8_t *pixels;    /* belongs to the image; NULL in a deep one */
    uint16_t *pixels16; /* belongs to the image; NULL in any other */
} linnet_image;

/* A black (and, with alpha, transparent) picture; a deep one has 16 bits a sample. */
LINNET_API linnet_image *linnet_image_new(linnet_context *context, int32_t width, int32_t height, int32_t channels);
LINNET_API linnet_image *linnet_image_new_deep(linnet_context *context, int32_t width, int32_t height,
                                               int32_t channels);
/* Accepts NULL, clears the pointer. */
LINNET_API void linnet_image_free(linnet_image **image);

/* ---- Files ---- */

/* Reads a PNG or a JPEG, known by its first bytes whatever the file is called. PNG: 1 to 16 bits a sample, grey, RGB or
   palette, with or without alpha, interlaced or not; samples become 8 bits, palettes RGB or RGBA. JPEG: grey or RGB,
   baseline or progressive; CMYK and YCCK become RGB by plain multiplication (no colour profile is applied). What Exif
   says about the orientation is done: the picture stands upright.
   LINNET_IO: cannot be read. LINNET_BAD_FILE: neither of them, or damaged: a JPEG of which a part is missing is refused
   as a whole. */
LINNET_API linnet_image *linnet_image_read(linnet_context *context, const char *path);
/* The same, but a PNG of 16 bits a sample gives a deep picture. */
LINNET_API linnet_image *linnet_image_read_deep(linnet_context *context, const char *path);
/* Both from size bytes in memory; name is what messages call it. */
LINNET_API linnet_image *linnet_image_decode(linnet_context *context, const void *bytes, size_t size, const char *name);
LINNET_API linnet_image *linnet_image_decode_deep(linnet_context *context, const void *bytes, size_t size,
                                                  const char *name);

#define LINNET_JPEG_QUALITY 92

/* Writes a PNG or a JPEG, as the end of the path says: .png, .jpg or .jpeg, in any case (LINNET_INVALID: another). A
   deep picture gives a PNG of 16 bits. A JPEG has quality LINNET_JPEG_QUALITY and no alpha: it is laid over white.
   The bytes go to a temporary beside path, which is renamed: path holds the old picture or the new one, never half. */
LINNET_API linnet_status linnet_image_write(linnet_context *context, const linnet_image *image, const char *path);
/* A JPEG of quality 1 to 100 (0: LINNET_JPEG_QUALITY), whatever the path is called; from 90 on colour has the
   resolution of brightness, below half of it. */
LINNET_API linnet_status linnet_image_write_jpeg(linnet_context *context, const linnet_image *image, int32_t quality,
                                                 const char *path);
/* Whether linnet_image_write would take a path called so: LINNET_OK, LINNET_INVALID with the sentence that says which
   endings there are, LINNET_UNSUPPORTED in a build without that format. To ask before a long computation. */
LINNET_API linnet_status linnet_image_check_path(linnet_context *context, const char *path);

/* ---- New pictures from old ones; deep ones give deep ones ---- */

/* Grey (channels 1) or RGB (3), alpha laid over white. Grey is 0.299 R + 0.587 G + 0.114 B. */
LINNET_API linnet_image *linnet_image_convert(linnet_context *context, const linnet_image *image, int32_t channels);
/* The width x height pixels from (x, y); LINNET_INVALID when they do not all lie in the picture. */
LINNET_API linnet_image *linnet_image_crop(linnet_context *context, const linnet_image *image, int32_t x, int32_t y,
                                           int32_t width, int32_t height);

typedef enum linnet_resize_filter {
    LINNET_RESIZE_BILINEAR = 0, /* triangle */
    LINNET_RESIZE_BICUBIC = 1,  /* Keys (1981) with a = -0.5; may overshoot, then clamped */
    LINNET_RESIZE_AREA = 2      /* mean over the area that the new pixel covers, parts of pixels counted as such */
} linnet_resize_filter;

/* The picture in another size. Where it shrinks, the filter is stretched by the ratio and so blurs what the new pixels
   could not hold (no aliasing); pixel centres lie at half numbers; beyond the edge there is nothing, the weights
   inside are scaled to sum 1. Colours count by their alpha. Computed in float, rounded once. */
LINNET_API linnet_image *linnet_image_resize(linnet_context *context, const linnet_image *image, int32_t width,
                                             int32_t height, linnet_resize_filter filter);
/* The picture's middle, as large as can be with the sides of width x height, resized to that: nothing is distorted,
   what sticks out is cut off. */
LINNET_API linnet_image *linnet_image_cover(linnet_context *context, const linnet_image *image, int32_t width,
                                            int32_t height, linnet_resize_filter filter);
/* Every pixel a square of scale x scale. */
LINNET_API linnet_image *linnet_image_enlarge(linnet_context *context, const linnet_image *image, int32_t scale);

/* ---- Planes, as networks take them: f32 [C,H,W], C is 1 or 3, values 0..1 ---- */

/* Writes channels x height x width floats, converted as by linnet_image_convert but in full precision (a deep picture
   keeps its 16 bits). LINNET_INVALID: no picture, or channels neither 1 nor 3. */
LINNET_API linnet_status linnet_image_to_planes(const linnet_image *image, int32_t channels, float *out_planes);
/* The nearest picture: values clamped to 0..1 (NaN is 0) and rounded to 8 bits, or 16. From planes of
   linnet_image_to_planes comes the same picture again, bit for bit. */
LINNET_API linnet_image *linnet_image_from_planes(linnet_context *context, const float *planes, int32_t channels,
                                                  int32_t height, int32_t width);
LINNET_API linnet_image *linnet_image_from_planes_deep(linnet_context *context, const float *planes, int32_t channels,
                                                       int32_t height, int32_t width);

/* A picture of a host tensor [C,H,W], C is 1 or 3, u8 0..255 or f32 0..1 (as above), as data sets have them. */
LINNET_API linnet_image *linnet_image_from_tensor(linnet_context *context, const linnet_tensor *tensor);

/* ---- Drawing: colours are 0xRRGGBB, a grey picture takes their luminance; what lies outside the picture is cut off.
 * Nothing is drawn on a deep picture. ---- */

/* Fills width x height pixels from (x, y). */
LINNET_API void linnet_image_fill(linnet_image *image, int32_t x, int32_t y, int32_t width, int32_t height,
                                  uint32_t colour);
/* The outermost pixels of those width x height, one pixel thick. */
LINNET_API void linnet_image_frame(linnet_image *image, int32_t x, int32_t y, int32_t width, int32_t height,
                                   uint32_t colour);
/* A line one pixel thick from (x0, y0) to (x1, y1), both included. */
LINNET_API void linnet_image_line(linnet_image *image, int32_t x0, int32_t y0, int32_t x1, int32_t y1, uint32_t colour);
/* Lays source, any picture but a deep one, on image with its top left corner at (x, y); its alpha counts. */
LINNET_API void linnet_image_blit(linnet_image *image, int32_t x, int32_t y, const linnet_image *source);
/* A line of text, 5x7 pixels a character (and two rows below for the tails of g, j, p, q and y) on a pitch of 6, each
   times scale, its top left corner at (x, y). ASCII; anything else is drawn as '?'. */
LINNET_API void linnet_image_text(linnet_image *image, int32_t x, int32_t y, int32_t scale, uint32_t colour,
                                  const char *text);
/* Width of that text in pixels. */
LINNET_API int32_t linnet_image_text_width(const char *text, int32_t scale);

LINNET_END_DECLS
#endif
