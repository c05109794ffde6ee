/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ResNet-50 (He, Zhang, Ren and Sun 2016), its stride in the 3x3 convolution as torchvision has it. 25,557,032
 * parameters for a thousand classes, named as torchvision's.
 */
#include "resnet.h"

/* conv 1x1, conv 3x3, conv 1x1 to four times the channels, beside the shortcut. */
static linnet_value bottleneck(linnet_net *net, linnet_value in, const char *prefix, int64_t channels, int64_t stride)
{
    linnet_value x = in;
    x = linnet_resnet_conv(net, x, prefix, 1, .channels = channels, .kernel = 1, .relu = 1);
    x = linnet_resnet_conv(net, x, prefix, 2, .channels = channels, .kernel = 3, .stride = stride, .relu = 1);
    x = linnet_resnet_conv(net, x, prefix, 3, .channels = 4 * channels, .kernel = 1);
    return linnet_resnet_join(net, x, in, prefix, 4 * channels, stride);
}

linnet_value linnet_zoo_resnet50(linnet_net *net, linnet_value x, const linnet_model_options *options)
{
    x = linnet_resnet_stem(net, x);
    x = linnet_resnet_stage(net, x, "layer1", bottleneck, 3, 64, 1);
    x = linnet_resnet_stage(net, x, "layer2", bottleneck, 4, 128, 2);
    x = linnet_resnet_stage(net, x, "layer3", bottleneck, 6, 256, 2);
    x = linnet_resnet_stage(net, x, "layer4", bottleneck, 3, 512, 2);
    return linnet_resnet_head(net, x, options->classes);
}
