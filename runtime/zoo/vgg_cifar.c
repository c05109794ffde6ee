/* SPDX-License-Identifier: Apache-2.0 */
/* The lecture's network for small pictures, after VGG: (CONV RELU CONV RELU POOL) x 3, FC. */
#include "zoo.h"

#include <stdio.h>

static linnet_value conv_relu(linnet_net *net, linnet_value x, int block, int number, int64_t channels)
{
    char layer[40], relu[40];
    snprintf(layer, sizeof layer, "conv%d_%d", block, number);
    snprintf(relu, sizeof relu, "relu%d_%d", block, number);
    x = linnet_conv2d(net, x, .name = layer, .out_channels = channels, .kernel = 3, .padding = 1,
                      .initial = LINNET_INITIAL_HE_UNIFORM);
    return linnet_name(net, linnet_relu(net, x), relu);
}

linnet_value linnet_zoo_vgg_cifar(linnet_net *net, linnet_value x, const linnet_model_options *options)
{
    static const int64_t channels[] = {64, 128, 256};
    for (int block = 1; block <= 3; block++) {
        char name[24];
        snprintf(name, sizeof name, "pool%d", block);
        x = conv_relu(net, x, block, 1, channels[block - 1]);
        x = conv_relu(net, x, block, 2, channels[block - 1]);
        x = linnet_max_pool2d(net, x, .name = name, .kernel = 2);
    }
    x = linnet_flatten(net, x);
    return linnet_linear(net, x, .name = "fc", .out_features = options->classes);
}
