/* SPDX-License-Identifier: Apache-2.0 */
/* What the networks of the zoo look like to zoo.c: one function each, from images to scores. Internal. */
#ifndef LINNET_ZOO_ZOO_H
#define LINNET_ZOO_ZOO_H

#include "linnet/zoo.h"

/* Adds the network behind image [N,C,H,W]; returns the scores [N,classes], or what comes last where classes is 0 (only
   vgg19 has that). Errors stick to the net. options are complete. */
linnet_value linnet_zoo_lenet5(linnet_net *net, linnet_value image, const linnet_model_options *options);
linnet_value linnet_zoo_mlp(linnet_net *net, linnet_value image, const linnet_model_options *options);
linnet_value linnet_zoo_vgg_cifar(linnet_net *net, linnet_value image, const linnet_model_options *options);
linnet_value linnet_zoo_squeezenet1_1(linnet_net *net, linnet_value image, const linnet_model_options *options);
linnet_value linnet_zoo_vgg19(linnet_net *net, linnet_value image, const linnet_model_options *options);

/* A convolution called layer ("conv1_1") and the relu behind it called relu. Its parameters have torchvision's name,
   which is another one ("features.0": "features.0.weight", "features.0.bias"). */
typedef struct linnet_zoo_conv_options {
    const char *layer, *parameters, *relu;
    int64_t channels, kernel, stride, padding; /* stride 0: 1 */
} linnet_zoo_conv_options;
#define linnet_zoo_conv_relu(net, x, ...) linnet_zoo_conv_relu_with(net, x, &(linnet_zoo_conv_options){__VA_ARGS__})
linnet_value linnet_zoo_conv_relu_with(linnet_net *net, linnet_value x, const linnet_zoo_conv_options *options);
/* The same for a linear layer, without relu. */
linnet_value linnet_zoo_linear(linnet_net *net, linnet_value x, const char *layer, const char *parameters,
                               int64_t features);

#endif
