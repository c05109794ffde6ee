/* SPDX-License-Identifier: Apache-2.0 */
/* What resnet18.c and resnet50.c share. Internal. */
#ifndef LINNET_ZOO_RESNET_H
#define LINNET_ZOO_RESNET_H

#include "zoo.h"

/* What ResNets differ in: the block, and how many make a stage. The block at prefix ("layer1.0") with channels inside
   and stride in one of its convolutions. */
typedef linnet_value (*linnet_resnet_block)(linnet_net *net, linnet_value x, const char *prefix, int64_t channels,
                                            int64_t stride);
/* Maps of a quarter of the height and width. */
linnet_value linnet_resnet_stem(linnet_net *net, linnet_value x);
/* count blocks called name.0, name.1, ..., the first with the stride. */
linnet_value linnet_resnet_stage(linnet_net *net, linnet_value x, const char *name, linnet_resnet_block block,
                                 int count, int64_t channels, int64_t stride);
linnet_value linnet_resnet_head(linnet_net *net, linnet_value x, int64_t classes);
/* A convolution without bias, called prefix.convN, and its batch norm prefix.bnN; with relu, called prefix.reluN. */
typedef struct linnet_resnet_conv_options {
    int64_t channels, kernel, stride; /* stride 0: 1; padded by half the kernel */
    int relu;
} linnet_resnet_conv_options;
#define linnet_resnet_conv(net, x, prefix, number, ...)                                                                \
    linnet_resnet_conv_with(net, x, prefix, number, &(linnet_resnet_conv_options){__VA_ARGS__})
linnet_value linnet_resnet_conv_with(linnet_net *net, linnet_value x, const char *prefix, int number,
                                     const linnet_resnet_conv_options *options);
/* relu(inside + x), called prefix; x is made to fit first where channels or stride want it. */
linnet_value linnet_resnet_join(linnet_net *net, linnet_value inside, linnet_value x, const char *prefix,
                                int64_t channels, int64_t stride);

#endif
