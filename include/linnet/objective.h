/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a picture is to become: a loss of the picture's numbers, with its gradient, computed by one net on a device. A
 * sum of terms, each a loss times a weight: how far the feature maps of a network are from given ones, and how rough
 * the picture is. linnet_style_new (style.h) and linnet_inversion_new (invert.h) make objectives; linnet_minimize
 * (minimize.h) brings a picture there:
 *
 *     linnet_objective *objective = linnet_style_new(NULL, .content = &photo, .style = &painting);
 *     float *picture = ...;
 *     linnet_objective_noise(objective, 1, picture);
 *     linnet_minimize(NULL, linnet_objective_size(objective), picture, linnet_objective_evaluate, objective, NULL,
 *                     .iterations = 100, .low = 0, .high = 1);
 *
 * Pictures are f32 [C,H,W], 0 to 1, colours as RGB; what the network wants instead (linnet_preprocess) is made from
 * them. The network's weights never change. Threads: an objective belongs to one thread at a time.
 */
#ifndef LINNET_OBJECTIVE_H
#define LINNET_OBJECTIVE_H

#include "minimize.h"
#include "session.h"

LINNET_BEGIN_DECLS

typedef struct linnet_objective linnet_objective;

/* The network that looks at the pictures. Zero means the default; read by the function that makes the objective, not
   kept. */
typedef struct linnet_feature_source {
    uint32_t struct_size;  /* sizeof(linnet_feature_source) */
    linnet_device *device; /* NULL: the default one (LINNET_BACKEND) */
    const char *model;     /* of the zoo, or a net in a line; NULL: what weights are for, else "textures" */
    const char *weights;   /* a weight file; NULL: the weights that the network starts with */
    int average_pooling;   /* vgg19: averages instead of maxima */
} linnet_feature_source;

/* Accepts NULL, clears the pointer. */
LINNET_API void linnet_objective_free(linnet_objective **objective);

/* Shape of the picture: rank 3, [C,H,W], no data; and how many numbers that are. */
LINNET_API linnet_tensor linnet_objective_shape(const linnet_objective *objective);
LINNET_API size_t linnet_objective_size(const linnet_objective *objective);

/* Loss and gradient (as many numbers) at picture. A linnet_objective_function: objective is the linnet_objective. */
LINNET_API linnet_status linnet_objective_evaluate(void *objective, const float *picture, float *out_gradient,
                                                   double *out_loss);

/* White noise, faint, around grey: number i is 0.45 + 0.1 u, u Philox's uniform of (seed, i), the same on every
   machine. (Of noise with more contrast the finest part stays: nothing behind a maximum pooling is much the worse for
   it.) */
LINNET_API void linnet_objective_noise(const linnet_objective *objective, uint64_t seed, float *out_picture);

/* A term of the sum. Valid as long as the objective. */
typedef struct linnet_objective_term {
    const char *kind;  /* "content", "style", "total variation", "alpha norm" */
    const char *layer; /* "" for those of the picture itself */
    double weight;     /* the sum is over weight * loss */
    double loss;       /* in the last evaluation; NaN before */
} linnet_objective_term;
/* Number index of them; LINNET_END (without a message) behind the last. */
LINNET_API linnet_status linnet_objective_get_term(const linnet_objective *objective, size_t index,
                                                   linnet_objective_term *out_term);

/* Where it runs, for statistics; leave its settings alone. */
LINNET_API linnet_session *linnet_objective_session(const linnet_objective *objective);

LINNET_END_DECLS
#endif
