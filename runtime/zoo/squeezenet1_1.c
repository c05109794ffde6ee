/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SqueezeNet 1.1 (Iandola, Han, Moskewicz, Ashraf, Dally, Keutzer 2016, and its authors' second version): AlexNet's
 * accuracy on ImageNet with 1,235,496 parameters. Parameters are named as torchvision's squeezenet1_1. Height and width
 * may be anything from 17 on, and free.
 *
 * Layers: conv1, relu1, pool1, fireN (squeeze, squeeze_relu, expand1x1, ... and the two halves together as fireN),
 * pool3, pool5, conv10, relu10, pool10.
 */
#include "zoo.h"

#include <stdio.h>

/* A fire module: 1x1 maps squeeze the channels, 1x1 and 3x3 maps expand them again side by side. */
static linnet_value fire(linnet_net *net, linnet_value x, int number, int feature, int64_t squeeze, int64_t expand)
{
    static const char *const parts[] = {"squeeze", "expand1x1", "expand3x3"};
    char layer[3][32], relu[3][40], parameters[3][40], name[16];
    for (int i = 0; i < 3; i++) {
        snprintf(layer[i], sizeof layer[i], "fire%d.%s", number, parts[i]);
        snprintf(relu[i], sizeof relu[i], "fire%d.%s_relu", number, parts[i]);
        snprintf(parameters[i], sizeof parameters[i], "features.%d.%s", feature, parts[i]);
    }
    snprintf(name, sizeof name, "fire%d", number);
    x = linnet_zoo_conv_relu(net, x, layer[0], parameters[0], relu[0], .channels = squeeze, .kernel = 1,
                             .initial = LINNET_INITIAL_HE_UNIFORM);
    linnet_value narrow = linnet_zoo_conv_relu(net, x, layer[1], parameters[1], relu[1], .channels = expand,
                                               .kernel = 1, .initial = LINNET_INITIAL_HE_UNIFORM);
    linnet_value wide = linnet_zoo_conv_relu(net, x, layer[2], parameters[2], relu[2], .channels = expand, .kernel = 3,
                                             .padding = 1, .initial = LINNET_INITIAL_HE_UNIFORM);
    return linnet_name(net, linnet_concat(net, (const linnet_value[]){narrow, wide}, 2, 1), name);
}

/* Windows may stand out at the bottom and the right, as with ceil_mode: the same sizes for any input. */
static linnet_value pool(linnet_net *net, linnet_value x, const char *name)
{
    return linnet_max_pool2d(net, x, .name = name, .kernel = 3, .stride = 2, .padding_bottom = 1, .padding_right = 1);
}

linnet_value linnet_zoo_squeezenet1_1(linnet_net *net, linnet_value x, const linnet_model_options *options)
{
    x = linnet_zoo_conv_relu(net, x, "conv1", "features.0", "relu1", .channels = 64, .kernel = 3, .stride = 2,
                             .initial = LINNET_INITIAL_HE_UNIFORM);
    x = pool(net, x, "pool1");
    x = fire(net, x, 2, 3, 16, 64);
    x = fire(net, x, 3, 4, 16, 64);
    x = pool(net, x, "pool3");
    x = fire(net, x, 4, 6, 32, 128);
    x = fire(net, x, 5, 7, 32, 128);
    x = pool(net, x, "pool5");
    x = fire(net, x, 6, 9, 48, 192);
    x = fire(net, x, 7, 10, 48, 192);
    x = fire(net, x, 8, 11, 64, 256);
    x = fire(net, x, 9, 12, 64, 256);
    x = linnet_dropout(net, x, 0.5f);
    x = linnet_zoo_conv_relu(net, x, "conv10", "classifier.1", "relu10", .channels = options->classes, .kernel = 1,
                             .initial = LINNET_INITIAL_SMALL_NORMAL);
    x = linnet_name(net, linnet_global_avg_pool(net, x), "pool10");
    return linnet_flatten(net, x);
}

void linnet_zoo_squeezenet1_1_fit(const linnet_safetensors *file, linnet_model_options *options)
{
    if (!options->classes)
        options->classes = linnet_zoo_rows(file, "classifier.1.weight");
}
