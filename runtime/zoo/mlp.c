/* SPDX-License-Identifier: Apache-2.0 */
/* A multilayer perceptron with two hidden layers of 512: the first network of most lectures. */
#include "zoo.h"

linnet_value linnet_zoo_mlp(linnet_net *net, linnet_value x, const linnet_model_options *options)
{
    x = linnet_flatten(net, x);
    x = linnet_relu(net, linnet_linear(net, x, .name = "fc1", .out_features = 512));
    x = linnet_relu(net, linnet_linear(net, x, .name = "fc2", .out_features = 512));
    return linnet_linear(net, x, .name = "fc3", .out_features = options->classes);
}
