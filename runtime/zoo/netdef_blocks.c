/* SPDX-License-Identifier: Apache-2.0 */
/* Statements that stand for several layers. */
#include "netdef.h"

#include <stdio.h>

enum { PART = NETDEF_NAME + 24 };

static const char *part(char out[PART], const char *name, const char *suffix)
{
    snprintf(out, PART, "%s.%s", name, suffix);
    return out;
}

/* What came in, made to fit where the shape changes: torchvision calls the two layers so. */
static linnet_value shortcut(linnet_net *net, linnet_value x, int64_t channels, const int64_t stride[2],
                             const char *name)
{
    char text[PART];
    int64_t dims[LINNET_MAX_RANK] = {0};
    uint32_t rank = linnet_value_shape(net, x, dims);
    if (rank == 4 && dims[1] == channels && stride[0] <= 1 && stride[1] <= 1)
        return x;
    x = linnet_conv2d(net, x, .name = part(text, name, "downsample.0"), .out_channels = channels, .kernel = 1,
                      .stride_h = stride[0], .stride_w = stride[1], .no_bias = 1);
    return linnet_batch_norm(net, x, .name = part(text, name, "downsample.1"));
}

/* The basic block of ResNet-18 and -34. */
linnet_value netdef_residual(linnet_net *net, linnet_value x, const netdef_layer *layer, const char *name)
{
    char text[PART];
    int64_t channels = (int64_t)layer->numbers[0];
    const int64_t *stride = layer->options[NETDEF_S];
    linnet_value in = x;
    x = linnet_conv2d(net, x, .name = part(text, name, "conv1"), .out_channels = channels, .kernel = 3, .padding = 1,
                      .stride_h = stride[0], .stride_w = stride[1], .no_bias = 1);
    x = linnet_batch_norm(net, x, .name = part(text, name, "bn1"));
    x = linnet_name(net, linnet_relu(net, x), part(text, name, "relu1"));
    x = linnet_conv2d(net, x, .name = part(text, name, "conv2"), .out_channels = channels, .kernel = 3, .padding = 1,
                      .no_bias = 1);
    x = linnet_batch_norm(net, x, .name = part(text, name, "bn2"));
    in = shortcut(net, in, channels, stride, name);
    x = linnet_name(net, linnet_add(net, x, in), part(text, name, "add"));
    return linnet_name(net, linnet_relu(net, x), name);
}

/* A convolution with its relu, called NAME.PART and NAME.PART_relu. */
static linnet_value conv_relu(linnet_net *net, linnet_value x, const char *name, const char *suffix, int64_t channels,
                              int64_t kernel)
{
    char text[PART], relu[PART + 8];
    x = linnet_conv2d(net, x, .name = part(text, name, suffix), .out_channels = channels, .kernel = kernel,
                      .padding = kernel / 2);
    snprintf(relu, sizeof relu, "%s_relu", text);
    return linnet_name(net, linnet_relu(net, x), relu);
}

linnet_value netdef_fire(linnet_net *net, linnet_value x, const netdef_layer *layer, const char *name)
{
    int64_t squeeze = (int64_t)layer->numbers[0], expand = (int64_t)layer->numbers[1];
    x = conv_relu(net, x, name, "squeeze", squeeze, 1);
    linnet_value narrow = conv_relu(net, x, name, "expand1x1", expand, 1);
    linnet_value wide = conv_relu(net, x, name, "expand3x3", expand, 3);
    return linnet_name(net, linnet_concat(net, (const linnet_value[]){narrow, wide}, 2, 1), name);
}
