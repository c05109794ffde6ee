/* SPDX-License-Identifier: Apache-2.0 */
/*
 * VGG-19 (Simonyan and Zisserman 2014), configuration E: the feature network of style transfer and inversion.
 * Parameters are named as torchvision's vgg19. Layers: conv1_1, relu1_1, conv1_2, relu1_2, pool1, conv2_1, ...
 *
 * depth convolutions are built, with the pooling behind a block that is complete. average_pooling: as in Gatys, Ecker
 * and Bethge (2016). Height and width may be free unless there are classes; the classifier behind all sixteen
 * convolutions wants 7x7 maps, that is images of 224x224.
 */
#include "../graph/net.h"
#include "vgg.h"

#include <stdio.h>
#include <string.h>

static const linnet_vgg_block blocks[LINNET_VGG_BLOCKS] = {{2, 64}, {2, 128}, {4, 256}, {4, 512}, {4, 512}};

/* Whether all of VGG-19 has a parameter called so. */
static bool is_parameter(const char *tensor)
{
    static const char *const classifier[] = {"classifier.0", "classifier.3", "classifier.6"};
    const char *end = strrchr(tensor, '.');
    size_t length = end ? (size_t)(end - tensor) : 0;
    if (!end || (strcmp(end, ".weight") != 0 && strcmp(end, ".bias") != 0))
        return false;
    for (size_t i = 0; i < sizeof classifier / sizeof classifier[0]; i++)
        if (strlen(classifier[i]) == length && strncmp(tensor, classifier[i], length) == 0)
            return true;
    int feature = 0;
    for (size_t b = 0; b < LINNET_VGG_BLOCKS; b++, feature++)
        for (int i = 0; i < blocks[b].convolutions; i++, feature += 2) {
            char name[40];
            snprintf(name, sizeof name, "features.%d", feature);
            if (strlen(name) == length && strncmp(tensor, name, length) == 0)
                return true;
        }
    return false;
}

linnet_value linnet_zoo_vgg19(linnet_net *net, linnet_value x, const linnet_model_options *options)
{
    net->published = is_parameter;
    x = linnet_vgg_features(net, x, blocks, options);
    if (options->average_pooling)
        linnet_net_set_note(net, "pooling", "average"); /* read by linnet_zoo_vgg19_fit */
    return options->classes ? linnet_vgg_classifier(net, x, options->classes) : x;
}

/* How many convolutions it takes to have the file's last one: a gap before it is then found missing. */
static int depth_of(const linnet_safetensors *file)
{
    int depth = 0, convolution = 0, feature = 0;
    for (size_t b = 0; b < LINNET_VGG_BLOCKS; b++, feature++)
        for (int i = 0; i < blocks[b].convolutions; i++, feature += 2) {
            char name[40];
            snprintf(name, sizeof name, "features.%d.weight", feature);
            convolution++;
            if (linnet_zoo_rows(file, name))
                depth = convolution;
        }
    return depth;
}

/* As deep as the file goes; a classifier where the file has one and the pictures are its own. */
void linnet_zoo_vgg19_fit(const linnet_safetensors *file, linnet_model_options *options)
{
    int depth = depth_of(file);
    bool own_size = (options->height == 0 || options->height == 224) && (options->width == 0 || options->width == 224);
    const char *pooling = linnet_safetensors_metadata(file, "pooling");
    if (pooling && strcmp(pooling, "average") == 0)
        options->average_pooling = 1;
    if (depth && (!options->depth || options->depth > depth))
        options->depth = depth;
    if (!options->classes && options->depth == 16 && own_size)
        options->classes = linnet_zoo_rows(file, "classifier.6.weight");
}
