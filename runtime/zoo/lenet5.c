/* SPDX-License-Identifier: Apache-2.0 */
/*
 * LeNet-5 (LeCun, Bottou, Bengio, Haffner 1998) as it is written today: relu, maximum pooling, every map of the second
 * convolution sees every map of the first. 61,706 parameters for ten classes.
 */
#include "zoo.h"

linnet_value linnet_zoo_lenet5(linnet_net *net, linnet_value x, const linnet_model_options *options)
{
    /* The original's images had a border of two pixels; images without one are padded to the same 28x28 maps. */
    int64_t padding = options->height == 32 && options->width == 32 ? 0 : 2;
    x = linnet_conv2d(net, x, .name = "conv1", .out_channels = 6, .kernel = 5, .padding = padding);
    x = linnet_relu(net, x);
    x = linnet_max_pool2d(net, x, .kernel = 2);
    x = linnet_conv2d(net, x, .name = "conv2", .out_channels = 16, .kernel = 5);
    x = linnet_relu(net, x);
    x = linnet_max_pool2d(net, x, .kernel = 2);
    x = linnet_flatten(net, x);
    x = linnet_relu(net, linnet_linear(net, x, .name = "fc1", .out_features = 120));
    x = linnet_relu(net, linnet_linear(net, x, .name = "fc2", .out_features = 84));
    return linnet_linear(net, x, .name = "fc3", .out_features = options->classes);
}
