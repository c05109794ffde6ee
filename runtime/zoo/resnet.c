/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What residual networks (He, Zhang, Ren and Sun 2016) share; resnet18.c and resnet50.c have the blocks and the tables.
 * Parameters and layers are named as torchvision's: conv1, bn1, relu1, maxpool, layer1.0.conv1, ..., layer1.0.add,
 * layer1.0 (the relu behind the sum), ..., avgpool, fc. Height and width may be anything, and free.
 */
#include "resnet.h"

#include <stdio.h>

enum { NAME = 64 };

/* "prefix.what3", "what3" without prefix. */
static const char *name_of(char out[NAME], const char *prefix, const char *what, int number)
{
    snprintf(out, NAME, "%s%s%s%d", prefix, *prefix ? "." : "", what, number);
    return out;
}

linnet_value linnet_resnet_conv_with(linnet_net *net, linnet_value x, const char *prefix, int number,
                                     const linnet_resnet_conv_options *o)
{
    char name[NAME];
    x = linnet_conv2d(net, x, .name = name_of(name, prefix, "conv", number), .out_channels = o->channels,
                      .kernel = o->kernel, .stride = o->stride, .padding = o->kernel / 2, .no_bias = 1,
                      .initial = LINNET_INITIAL_HE_NORMAL);
    x = linnet_batch_norm(net, x, .name = name_of(name, prefix, "bn", number));
    return o->relu ? linnet_name(net, linnet_relu(net, x), name_of(name, prefix, "relu", number)) : x;
}

/* What came in, made to fit where the shape changes. */
static linnet_value shortcut(linnet_net *net, linnet_value x, const char *prefix, int64_t channels, int64_t stride)
{
    int64_t dims[LINNET_MAX_RANK] = {0};
    char name[NAME];
    linnet_value_shape(net, x, dims);
    if (stride == 1 && dims[1] == channels)
        return x;
    x = linnet_conv2d(net, x, .name = name_of(name, prefix, "downsample.", 0), .out_channels = channels, .kernel = 1,
                      .stride = stride, .no_bias = 1, .initial = LINNET_INITIAL_HE_NORMAL);
    return linnet_batch_norm(net, x, .name = name_of(name, prefix, "downsample.", 1));
}

linnet_value linnet_resnet_join(linnet_net *net, linnet_value inside, linnet_value x, const char *prefix,
                                int64_t channels, int64_t stride)
{
    char name[NAME];
    snprintf(name, sizeof name, "%s.add", prefix);
    x = linnet_add(net, inside, shortcut(net, x, prefix, channels, stride));
    return linnet_name(net, linnet_relu(net, linnet_name(net, x, name)), prefix);
}

linnet_value linnet_resnet_stem(linnet_net *net, linnet_value x)
{
    x = linnet_resnet_conv(net, x, "", 1, .channels = 64, .kernel = 7, .stride = 2, .relu = 1);
    return linnet_max_pool2d(net, x, .name = "maxpool", .kernel = 3, .stride = 2, .padding = 1);
}

linnet_value linnet_resnet_stage(linnet_net *net, linnet_value x, const char *name, linnet_resnet_block block,
                                 int count, int64_t channels, int64_t stride)
{
    for (int i = 0; i < count; i++) {
        char prefix[NAME];
        snprintf(prefix, sizeof prefix, "%s.%d", name, i);
        x = block(net, x, prefix, channels, i == 0 ? stride : 1);
    }
    return x;
}

linnet_value linnet_resnet_head(linnet_net *net, linnet_value x, int64_t classes)
{
    x = linnet_name(net, linnet_global_avg_pool(net, x), "avgpool");
    return linnet_linear(net, linnet_flatten(net, x), .name = "fc", .out_features = classes);
}

void linnet_zoo_resnet_fit(const linnet_safetensors *file, linnet_model_options *options)
{
    if (!options->classes)
        options->classes = linnet_zoo_rows(file, "fc.weight");
}
