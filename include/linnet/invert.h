/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inverting features after Mahendran and Vedaldi, "Understanding Deep Image Representations by Inverting Them" (CVPR
 * 2015): which picture x has, in one layer of a network, the activations phi0 = phi(x0) of a given picture x0?
 *
 *     x* = argmin |phi(x) - phi0|^2 / |phi0|^2 + alpha_weight * R_alpha(x) + tv_weight * R_V(x)
 *     R_alpha(x) = mean over the numbers of x of |2x - 1|^alpha           (keeps them within their range)
 *     R_V(x)     = mean over the numbers of x of (squared difference to the right + squared difference below)^(beta/2)
 *
 * x lies between 0 and 1, so that 2x - 1 is the paper's picture without its mean, divided by its largest size; means
 * instead of sums make the weights serve every size. Shallow layers give nearly the picture back, deep ones what they
 * care about.
 */
#ifndef LINNET_INVERT_H
#define LINNET_INVERT_H

#include "objective.h"

LINNET_BEGIN_DECLS

/* Zero means the default. */
typedef struct linnet_inversion_options {
    uint32_t struct_size;
    uint32_t no_regularizers;            /* 1: the distance alone */
    const linnet_feature_source *source; /* NULL: as if all of it were 0 */
    const linnet_tensor *picture;        /* x0, f32 [C,H,W], C as the network wants it */
    const char *layer;
    float alpha;         /* default 6 */
    float beta;          /* default 2 */
    double alpha_weight; /* default 0.001 */
    double tv_weight;    /* default 1 */
} linnet_inversion_options;

/* NULL: see linnet_context_message; a layer that is not there is LINNET_NOT_FOUND with all that are. */
#define linnet_inversion_new(context, ...)                                                                             \
    linnet_inversion_new_with(                                                                                         \
        context, &(linnet_inversion_options){.struct_size = sizeof(linnet_inversion_options), __VA_ARGS__})
LINNET_API linnet_objective *linnet_inversion_new_with(linnet_context *context,
                                                       const linnet_inversion_options *options);

LINNET_END_DECLS
#endif
