/* SPDX-License-Identifier: Apache-2.0 */
/* What the configurations of VG-nets (Simonyan and Zisserman 2014) share; vgg16.c and vgg19.c have their tables. */
#include "vgg.h"

#include <stdio.h>

static linnet_value pool(linnet_net *net, linnet_value x, int block, int average)
{
    char name[32];
    snprintf(name, sizeof name, "pool%d", block);
    return average ? linnet_avg_pool2d(net, x, .name = name, .kernel = 2)
                   : linnet_max_pool2d(net, x, .name = name, .kernel = 2);
}

static linnet_value conv_relu(linnet_net *net, linnet_value x, int block, int number, int feature, int64_t channels)
{
    char layer[40], relu[40], parameters[40];
    snprintf(layer, sizeof layer, "conv%d_%d", block, number);
    snprintf(relu, sizeof relu, "relu%d_%d", block, number);
    snprintf(parameters, sizeof parameters, "features.%d", feature);
    return linnet_zoo_conv_relu(net, x, layer, parameters, relu, .channels = channels, .kernel = 3, .padding = 1,
                                .initial = LINNET_INITIAL_HE_NORMAL);
}

linnet_value linnet_vgg_features(linnet_net *net, linnet_value x, const linnet_vgg_block *blocks,
                                 const linnet_model_options *options)
{
    int left = options->depth ? options->depth : INT32_MAX, feature = 0;
    for (int b = 0; b < LINNET_VGG_BLOCKS && left > 0; b++) {
        for (int i = 1; i <= blocks[b].convolutions && left > 0; i++, left--, feature += 2) {
            x = conv_relu(net, x, b + 1, i, feature, blocks[b].channels);
            if (i == blocks[b].convolutions)
                x = pool(net, x, b + 1, options->average_pooling);
        }
        feature++; /* torchvision numbers the pooling, too */
    }
    return x;
}

linnet_value linnet_vgg_classifier(linnet_net *net, linnet_value x, int64_t classes)
{
    x = linnet_flatten(net, x);
    x = linnet_relu(net, linnet_zoo_linear(net, x, "fc6", "classifier.0", 4096));
    x = linnet_dropout(net, x, 0.5f);
    x = linnet_relu(net, linnet_zoo_linear(net, x, "fc7", "classifier.3", 4096));
    x = linnet_dropout(net, x, 0.5f);
    return linnet_zoo_linear(net, x, "fc8", "classifier.6", classes);
}
