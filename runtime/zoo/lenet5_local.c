/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LeNet-5 without shared weights: the same local receptive fields, but every place of a map has a filter of its own.
 * What sharing is worth shows beside lenet5 and mlp. 423,038 parameters for ten classes.
 */
#include "zoo.h"

linnet_value linnet_zoo_lenet5_local(linnet_net *net, linnet_value x, const linnet_model_options *options)
{
    int64_t padding = options->height == 32 && options->width == 32 ? 0 : 2; /* as lenet5 */
    x = linnet_local_conv2d(net, x, .name = "conv1", .out_channels = 6, .kernel = 5, .padding = padding);
    x = linnet_relu(net, x);
    x = linnet_max_pool2d(net, x, .kernel = 2);
    x = linnet_local_conv2d(net, x, .name = "conv2", .out_channels = 16, .kernel = 5);
    x = linnet_relu(net, x);
    x = linnet_max_pool2d(net, x, .kernel = 2);
    x = linnet_flatten(net, x);
    x = linnet_relu(net, linnet_linear(net, x, .name = "fc1", .out_features = 120));
    x = linnet_relu(net, linnet_linear(net, x, .name = "fc2", .out_features = 84));
    return linnet_linear(net, x, .name = "fc3", .out_features = options->classes);
}
