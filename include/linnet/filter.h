/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linear filters on pictures: kernels by name, from text or from a file, run as a conv2d layer on any device; and
 * template matching.
 *
 *     linnet_kernel *kernel = linnet_kernel_named(NULL, "gaussian", .sigma = 2);
 *     linnet_tensor picture = {.type = LINNET_F32, .rank = 3, .dims = {3, height, width}, .data = pixels};
 *     linnet_filter_apply(device, &picture, kernel, blurred, .border = LINNET_BORDER_REFLECT);
 *     linnet_kernel_free(&kernel);
 *
 * The kernel is applied as it is drawn: out[y,x] = sum over i, j of kernel[i,j] * picture[y + i - a, x + j - b]. What
 * networks call convolution is this, the cross-correlation; the convolution of the textbooks turns the kernel by half a
 * turn first (.flip). (a, b) is the anchor, the place of the kernel that lies on the pixel computed: its middle where
 * the kernel's side is odd; where it is even, the one before the middle (a = (height - 1) / 2, rounded down). A flipped
 * kernel's anchor is turned with it.
 *
 * Threads: functions may run at once in several threads. Constructors return NULL when they fail;
 * linnet_context_last_status and linnet_context_message say why.
 */
#ifndef LINNET_FILTER_H
#define LINNET_FILTER_H

#include "context.h"
#include "device.h"
#include "tensor.h"

LINNET_BEGIN_DECLS

/* ---- Kernels ---- */

#define LINNET_KERNEL_MAX_SIDE 255

/* Rows from top to bottom: values[i * width + j]. */
typedef struct linnet_kernel {
    int32_t height, width;
    float *values; /* belongs to the kernel */
} linnet_kernel;

/* Copies height * width finite values; NULL: zeros. */
LINNET_API linnet_kernel *linnet_kernel_new(linnet_context *context, int32_t height, int32_t width,
                                            const float *values);
/* Accepts NULL, clears the pointer. */
LINNET_API void linnet_kernel_free(linnet_kernel **kernel);

typedef struct linnet_kernel_options {
    uint32_t struct_size;
    int32_t by;   /* shift-*: by so many pixels; default 1, at most 127 */
    int32_t size; /* side of box (default 3) and gaussian (default: 3 sigma to either side) */
    float sigma;  /* gaussian: standard deviation in pixels; default 1 */
} linnet_kernel_options;

/* Kernel number index: its name and what it does in a few words; NULL behind the last. */
LINNET_API const char *linnet_kernel_name(size_t index, const char **out_description);
/* A kernel by that name. LINNET_NOT_FOUND names those that there are, LINNET_INVALID an option out of its range. */
#define linnet_kernel_named(context, name, ...)                                                                        \
    linnet_kernel_named_with(context, name,                                                                            \
                             &(linnet_kernel_options){.struct_size = sizeof(linnet_kernel_options), __VA_ARGS__})
LINNET_API linnet_kernel *linnet_kernel_named_with(linnet_context *context, const char *name,
                                                   const linnet_kernel_options *options);

/* "0 1 0; 1 -4 1; 0 1 0": rows divided by semicolons or line ends, numbers by blanks or commas; a number may be a
   fraction (1/9). In a file lines may be empty, and a '#' begins a remark. LINNET_BAD_FILE with a sentence that points
   at the place: not a number, a row shorter or longer than the first, an empty row, none at all. name is what the
   sentence calls the text. */
LINNET_API linnet_kernel *linnet_kernel_parse(linnet_context *context, const char *text, const char *name);
LINNET_API linnet_kernel *linnet_kernel_read(linnet_context *context, const char *path);

/* ---- Filtering ---- */

/* What lies outside the picture. */
typedef enum linnet_border {
    LINNET_BORDER_ZERO = 0,
    LINNET_BORDER_REPLICATE = 1, /* the nearest pixel of the edge */
    LINNET_BORDER_REFLECT = 2,   /* mirrored at the pixels of the edge, which are not repeated: c b | a b c */
    LINNET_BORDER_NONE = 3       /* nothing: the result is smaller, only places where the whole kernel is inside */
} linnet_border;

typedef struct linnet_filter_options {
    uint32_t struct_size; /* sizeof(linnet_filter_options) */
    linnet_border border;
    int flip;       /* 1: the convolution of the textbooks */
    int32_t stride; /* default 1: every pixel */
} linnet_filter_options;

/* Height and width of the result for a picture of height x width. options may be NULL. LINNET_SHAPE: the kernel does
   not fit in (LINNET_BORDER_NONE), or reaches further than the picture can be mirrored (LINNET_BORDER_REFLECT). */
#define linnet_filter_size(context, height, width, kernel, out_height, out_width, ...)                                 \
    linnet_filter_size_with(context, height, width, kernel,                                                            \
                            &(linnet_filter_options){.struct_size = sizeof(linnet_filter_options), __VA_ARGS__},       \
                            out_height, out_width)
LINNET_API linnet_status linnet_filter_size_with(linnet_context *context, int64_t height, int64_t width,
                                                 const linnet_kernel *kernel, const linnet_filter_options *options,
                                                 int64_t *out_height, int64_t *out_width);

/* Filters every channel of picture, f32 [C,H,W] or [N,C,H,W], by itself into out_values, [C,height,width] or
   [N,C,height,width] as linnet_filter_size says; may be larger or smaller than the picture's range, nothing is clamped.
   device NULL: the default one. */
#define linnet_filter_apply(device, picture, kernel, out_values, ...)                                                  \
    linnet_filter_apply_with(device, picture, kernel,                                                                  \
                             &(linnet_filter_options){.struct_size = sizeof(linnet_filter_options), __VA_ARGS__},      \
                             out_values)
LINNET_API linnet_status linnet_filter_apply_with(linnet_device *device, const linnet_tensor *picture,
                                                  const linnet_kernel *kernel, const linnet_filter_options *options,
                                                  float *out_values);

/* The length of the gradient (Sobel): out[i] = sqrt(x[i]^2 + y[i]^2). out may be x or y. */
LINNET_API void linnet_filter_magnitude(const float *x, const float *y, size_t count, float *out_values);

/* ---- Template matching ---- */

typedef struct linnet_match {
    int64_t y, x; /* top left corner of the best place */
    float score;  /* there */
} linnet_match;

/* How well pattern, the template, f32 [C,h,w], fits at every place of picture, f32 [C,H,W]: the normalised
   cross-correlation, from -1 (a negative) to 1 (the same up to contrast and the brightness of each channel), into
   out_scores [H-h+1,W-w+1]; 0 where picture or template have no contrast at all. out_best may be NULL; of equals the
   first. Three convolutions on the device. */
LINNET_API linnet_status linnet_template_match(linnet_device *device, const linnet_tensor *picture,
                                               const linnet_tensor *pattern, float *out_scores, linnet_match *out_best);

LINNET_END_DECLS
#endif
