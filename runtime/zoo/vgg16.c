/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VGG-16 (Simonyan and Zisserman 2014), configuration D. 138,357,544 parameters for a thousand classes and pictures of
 * 224 x 224, named as torchvision's vgg16; fc6 has as many inputs as other pictures make. Layers are called as vgg19's.
 */
#include "vgg.h"

linnet_value linnet_zoo_vgg16(linnet_net *net, linnet_value x, const linnet_model_options *options)
{
    static const linnet_vgg_block blocks[LINNET_VGG_BLOCKS] = {{2, 64}, {2, 128}, {3, 256}, {3, 512}, {3, 512}};
    x = linnet_vgg_features(net, x, blocks, options);
    return linnet_vgg_classifier(net, x, options->classes);
}

void linnet_zoo_vgg16_fit(const linnet_safetensors *file, linnet_model_options *options)
{
    if (!options->classes)
        options->classes = linnet_zoo_rows(file, "classifier.6.weight");
}
