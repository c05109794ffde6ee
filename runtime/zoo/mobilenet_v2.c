/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MobileNetV2 (Sandler, Howard, Zhu, Zhmoginov and Chen 2018), table 2. 3,504,872 parameters for a thousand classes;
 * layers and parameters are named as torchvision's: features.0.0 (convolution), features.0.1 (batch norm), features.0.2
 * (relu6), features.1.conv.0.0, ..., features.17, ..., avgpool, classifier.1. Height and width may be anything, and
 * free.
 */
#include "zoo.h"

#include <stdio.h>

enum { NAME = 64 };

/* A convolution without bias, called name.<at>, and its batch norm name.<at+1>. */
static linnet_value conv_bn(linnet_net *net, linnet_value x, const char *name, int at,
                            const linnet_conv2d_options *options)
{
    char convolution[NAME + 16], norm[NAME + 16];
    linnet_conv2d_options o = *options;
    snprintf(convolution, sizeof convolution, "%s.%d", name, at);
    snprintf(norm, sizeof norm, "%s.%d", name, at + 1);
    o.struct_size = sizeof o;
    o.name = convolution;
    o.padding = o.kernel / 2;
    o.no_bias = 1;
    o.initial = LINNET_INITIAL_HE_NORMAL;
    return linnet_batch_norm(net, linnet_conv2d_with(net, x, &o), .name = norm);
}

/* The same with relu6, called name.0, name.1 and name.2. */
static linnet_value conv_bn_relu6(linnet_net *net, linnet_value x, const char *name,
                                  const linnet_conv2d_options *options)
{
    char relu[NAME + 16];
    snprintf(relu, sizeof relu, "%s.2", name);
    return linnet_name(net, linnet_relu6(net, conv_bn(net, x, name, 0, options)), relu);
}

/* An inverted residual: 1x1 expand times (none: not at all), 3x3 on each channel by itself, 1x1 to channels. */
static linnet_value inverted_residual(linnet_net *net, linnet_value in, int feature, int64_t expand, int64_t channels,
                                      int64_t stride)
{
    int64_t dims[LINNET_MAX_RANK] = {0};
    char part[NAME];
    int at = 0;
    linnet_value x = in;
    linnet_value_shape(net, x, dims);
    int64_t wide = expand * dims[1];
    if (expand > 1) {
        snprintf(part, sizeof part, "features.%d.conv.%d", feature, at++);
        x = conv_bn_relu6(net, x, part, &(linnet_conv2d_options){.out_channels = wide, .kernel = 1});
    }
    snprintf(part, sizeof part, "features.%d.conv.%d", feature, at++);
    x = conv_bn_relu6(net, x, part,
                      &(linnet_conv2d_options){.out_channels = wide, .kernel = 3, .stride = stride, .groups = wide});
    snprintf(part, sizeof part, "features.%d.conv", feature);
    x = conv_bn(net, x, part, at, &(linnet_conv2d_options){.out_channels = channels, .kernel = 1});
    if (stride != 1 || dims[1] != channels)
        return x;
    snprintf(part, sizeof part, "features.%d", feature);
    return linnet_name(net, linnet_add(net, x, in), part);
}

linnet_value linnet_zoo_mobilenet_v2(linnet_net *net, linnet_value x, const linnet_model_options *options)
{
    static const struct {
        int64_t expand, channels, repeat, stride;
    } table[] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                 {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
    int feature = 0;
    x = conv_bn_relu6(net, x, "features.0", &(linnet_conv2d_options){.out_channels = 32, .kernel = 3, .stride = 2});
    for (size_t row = 0; row < sizeof table / sizeof table[0]; row++)
        for (int64_t i = 0; i < table[row].repeat; i++)
            x = inverted_residual(net, x, ++feature, table[row].expand, table[row].channels, i ? 1 : table[row].stride);
    x = conv_bn_relu6(net, x, "features.18", &(linnet_conv2d_options){.out_channels = 1280, .kernel = 1});
    x = linnet_flatten(net, linnet_name(net, linnet_global_avg_pool(net, x), "avgpool"));
    x = linnet_dropout(net, x, 0.2f);
    return linnet_linear(net, x, .name = "classifier.1", .out_features = options->classes,
                         .initial = LINNET_INITIAL_SMALL_NORMAL);
}

void linnet_zoo_mobilenet_v2_fit(const linnet_safetensors *file, linnet_model_options *options)
{
    if (!options->classes)
        options->classes = linnet_zoo_rows(file, "classifier.1.weight");
}
