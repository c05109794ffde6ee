/* SPDX-License-Identifier: Apache-2.0 */
/* What vgg16.c and vgg19.c share. Internal. */
#ifndef LINNET_ZOO_VGG_H
#define LINNET_ZOO_VGG_H

#include "zoo.h"

/* What VGG's configurations differ in: how many convolutions of how many channels stand before each pooling. */
enum { LINNET_VGG_BLOCKS = 5 };
typedef struct linnet_vgg_block {
    int convolutions;
    int64_t channels;
} linnet_vgg_block;
/* The convolutional part: conv1_1, relu1_1, conv1_2, ..., pool5; so many convolutions as options.depth says (0: all),
   with the pooling behind a block that is complete. Then flatten, fc6, fc7, fc8. Parameters as torchvision's. */
linnet_value linnet_vgg_features(linnet_net *net, linnet_value x, const linnet_vgg_block *blocks,
                                 const linnet_model_options *options);
linnet_value linnet_vgg_classifier(linnet_net *net, linnet_value x, int64_t classes);

#endif
