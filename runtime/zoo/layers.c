/* SPDX-License-Identifier: Apache-2.0 */
/* Layers that are called as in the paper while their parameters are called as in torchvision. */
#include "zoo.h"

#include <stdio.h>

static linnet_value parameter(linnet_net *net, const char *prefix, const char *suffix, size_t rank, const int64_t *dims,
                              int64_t fan_in, linnet_initial initial)
{
    char name[96];
    snprintf(name, sizeof name, "%s.%s", prefix, suffix);
    return linnet_parameter_with(net, name, rank, dims,
                                 &(linnet_parameter_options){.struct_size = sizeof(linnet_parameter_options),
                                                             .fan_in = fan_in,
                                                             .initial = initial});
}

static linnet_initial bias_initial(linnet_initial weight)
{
    return weight >= LINNET_INITIAL_HE_UNIFORM ? LINNET_INITIAL_ZERO : LINNET_INITIAL_KAIMING_UNIFORM;
}

linnet_value linnet_zoo_conv_relu_with(linnet_net *net, linnet_value x, const linnet_zoo_conv_options *o)
{
    int64_t dims[LINNET_MAX_RANK] = {0}, kernel = o->kernel;
    linnet_value_shape(net, x, dims);
    int64_t fan_in = dims[1] * kernel * kernel;
    linnet_value weight = parameter(net, o->parameters, "weight", 4,
                                    (const int64_t[]){o->channels, dims[1], kernel, kernel}, fan_in, o->initial);
    linnet_value bias = parameter(net, o->parameters, "bias", 1, &o->channels, fan_in, bias_initial(o->initial));
    x = linnet_conv2d(net, x, .name = o->layer, .weight = weight, .bias = bias, .stride = o->stride,
                      .padding = o->padding);
    return linnet_name(net, linnet_relu(net, x), o->relu);
}

linnet_value linnet_zoo_linear(linnet_net *net, linnet_value x, const char *layer, const char *parameters,
                               int64_t features)
{
    int64_t dims[LINNET_MAX_RANK] = {0}, fan_in = 1;
    uint32_t rank = linnet_value_shape(net, x, dims);
    for (uint32_t i = 1; i < rank; i++)
        fan_in *= dims[i]; /* every dimension but the batch is known here, and small */
    linnet_value weight = parameter(net, parameters, "weight", 2, (const int64_t[]){features, fan_in}, fan_in,
                                    LINNET_INITIAL_SMALL_NORMAL);
    linnet_value bias = parameter(net, parameters, "bias", 1, &features, fan_in, LINNET_INITIAL_ZERO);
    return linnet_linear(net, x, .name = layer, .weight = weight, .bias = bias);
}
