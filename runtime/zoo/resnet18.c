/* SPDX-License-Identifier: Apache-2.0 */
/* ResNet-18 (He, Zhang, Ren and Sun 2016): 11,689,512 parameters for a thousand classes, named as torchvision's. */
#include "resnet.h"

/* conv 3x3, conv 3x3, beside the shortcut. */
static linnet_value basic(linnet_net *net, linnet_value in, const char *prefix, int64_t channels, int64_t stride)
{
    linnet_value x = in;
    x = linnet_resnet_conv(net, x, prefix, 1, .channels = channels, .kernel = 3, .stride = stride, .relu = 1);
    x = linnet_resnet_conv(net, x, prefix, 2, .channels = channels, .kernel = 3);
    return linnet_resnet_join(net, x, in, prefix, channels, stride);
}

linnet_value linnet_zoo_resnet18(linnet_net *net, linnet_value x, const linnet_model_options *options)
{
    x = linnet_resnet_stem(net, x);
    x = linnet_resnet_stage(net, x, "layer1", basic, 2, 64, 1);
    x = linnet_resnet_stage(net, x, "layer2", basic, 2, 128, 2);
    x = linnet_resnet_stage(net, x, "layer3", basic, 2, 256, 2);
    x = linnet_resnet_stage(net, x, "layer4", basic, 2, 512, 2);
    return linnet_resnet_head(net, x, options->classes);
}
