/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Style transfer after Gatys, Ecker and Bethge, "Image Style Transfer Using Convolutional Neural Networks" (CVPR 2016).
 *
 * F_l [N_l, M_l] are the maps of layer l for the picture that is being made, N_l of them with M_l positions each; P_l
 * those of the content; G_l = F_l F_l^T, and A_l the same of the style picture. The losses are the paper's:
 *
 *     content_l = 1/2 sum (F_l - P_l)^2
 *     style_l   = 1 / (4 N_l^2 M_l^2) sum (G_l - A_l)^2
 *     total     = sum over content layers of content_weight * w_l * content_l
 *               + sum over style layers of style_weight * w_l * style_l
 *               + tv_weight / (C H W) * total variation of the picture (with beta 2: squared differences of neighbours)
 *
 * The style picture may have another size. Then A_l is the Gram matrix of its own M'_l positions times M_l / M'_l: what
 * is compared is the mean over the positions, sum (G_l / M_l - A'_l / M'_l)^2 / (4 N_l^2).
 *
 * Weights. Activations of different networks and layers have different sizes, and the content loss grows with the
 * picture while the style loss does not. So, unless absolute is set, each loss in the total is relative: divided by
 * what it would be were all maps zero, which is 1/2 sum P_l^2 and 1 / (4 N_l^2 M_l^2) sum A_l^2. (The paper scales its
 * network's weights so that every filter's mean activation is one instead.) Then the same weights serve every network
 * and size. The losses of linnet_objective_get_term are the paper's either way, their weights what they are multiplied
 * with.
 */
#ifndef LINNET_STYLE_H
#define LINNET_STYLE_H

#include "objective.h"

LINNET_BEGIN_DECLS

typedef struct linnet_weighted_layer {
    const char *name;
    double weight; /* 0: 1 / number of layers of its kind */
} linnet_weighted_layer;

/* Zero means the default. */
typedef struct linnet_style_options {
    uint32_t struct_size;
    uint32_t absolute;                   /* 1: weights multiply the losses as they are */
    const linnet_feature_source *source; /* NULL: as if all of it were 0 */
    const linnet_tensor *content;        /* f32 [3,H,W]; NULL: no content loss (the style alone: a texture) */
    const linnet_tensor *style;          /* f32 [3,H',W']; NULL: no style loss (the content alone) */
    int64_t height, width;               /* of the picture where there is no content; default: the style's */
    const linnet_weighted_layer *content_layers, *style_layers; /* default: see below; read before it returns */
    size_t content_count, style_count;
    double content_weight; /* default 1 */
    double style_weight;   /* default 1000; of textures, relative, 300 */
    double tv_weight;      /* default 0: none */
} linnet_style_options;

/* Looks at content and style once and makes the objective, whose picture has the content's size. NULL: see
   linnet_context_message; a layer that is not there is LINNET_NOT_FOUND with all that are.
   Default layers, as far as the network is deep:
     vgg19            style relu1_1, relu2_1, relu3_1, relu4_1, relu5_1; content relu4_2, else relu3_2
     squeezenet1_1    style relu1, fire3, fire4, fire5; content fire2
     textures         style scale1 to scale5; content scale2
   Other networks have none: name them. */
#define linnet_style_new(context, ...)                                                                                 \
    linnet_style_new_with(context, &(linnet_style_options){.struct_size = sizeof(linnet_style_options), __VA_ARGS__})
LINNET_API linnet_objective *linnet_style_new_with(linnet_context *context, const linnet_style_options *options);

LINNET_END_DECLS
#endif
