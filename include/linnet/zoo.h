/* SPDX-License-Identifier: Apache-2.0 */
/* Networks by name, written with the module API: runtime/zoo/. */
#ifndef LINNET_ZOO_H
#define LINNET_ZOO_H

#include "net.h"

LINNET_BEGIN_DECLS

/* How a picture, f32 [C,H,W] from 0 to 1, colours as RGB, becomes a net's input:
   input[c] = (scale * picture[bgr ? 2 - c : c] - mean[c]) / deviation[c]. All zero: the picture as it is. */
typedef struct linnet_preprocess {
    float scale; /* 0: 1 */
    int bgr;     /* 1: the net wants blue first (three channels) */
    float mean[4];
    float deviation[4]; /* 0: 1 */
} linnet_preprocess;

/* picture and out: channels (at most 4) planes of pixels elements each; not in place. preprocess NULL: a copy. */
LINNET_API void linnet_preprocess_apply(const linnet_preprocess *preprocess, const float *picture, int64_t channels,
                                        int64_t pixels, float *out);
/* From an input back to the picture. */
LINNET_API void linnet_preprocess_invert(const linnet_preprocess *preprocess, const float *input, int64_t channels,
                                         int64_t pixels, float *out_picture);
/* From the gradient of the input to that of the picture. */
LINNET_API void linnet_preprocess_gradient(const linnet_preprocess *preprocess, const float *input_gradient,
                                           int64_t channels, int64_t pixels, float *out_gradient);

/* A classifier: its input, its labels, its scores and its loss. A network without classifier has null labels, logits
   and loss. */
typedef struct linnet_model {
    linnet_net *net;
    linnet_preprocess preprocess; /* of pictures for image */
    linnet_value image;           /* input "image" [N,C,H,W] */
    linnet_value label;           /* input "label" [N] */
    linnet_value logits;          /* output "logits" [N,classes] */
    linnet_value loss;            /* cross-entropy */
} linnet_model;

typedef struct linnet_model_options {
    uint32_t struct_size;
    int32_t classes;                 /* default 10 */
    int64_t channels, height, width; /* default: the network's own (lenet5, mlp: 1, 28, 28) */
} linnet_model_options;

/* "lenet5", "mlp". options may be NULL. LINNET_NOT_FOUND names those that there are. */
LINNET_API linnet_status linnet_model_new(linnet_context *context, const char *name,
                                          const linnet_model_options *options, linnet_model *out_model);
/* Frees the net and clears the struct. */
LINNET_API void linnet_model_free(linnet_model *model);
/* Name and one-line description of network number index; NULL behind the last. */
LINNET_API const char *linnet_model_name(size_t index, const char **out_description);

LINNET_END_DECLS
#endif
