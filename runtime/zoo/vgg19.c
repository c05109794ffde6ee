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
#include "zoo.h"

#include <stdio.h>
#include <string.h>

/* How many convolutions of how many channels stand before each pooling. */
static const struct {
    int convolutions;
    int64_t channels;
} blocks[] = {{2, 64}, {2, 128}, {4, 256}, {4, 512}, {4, 512}};

#define BLOCK_COUNT (sizeof blocks / sizeof blocks[0])

static linnet_value pool(linnet_net *net, linnet_value x, size_t block, int average)
{
    char name[32];
    snprintf(name, sizeof name, "pool%zu", block + 1);
    return average ? linnet_avg_pool2d(net, x, .name = name, .kernel = 2)
                   : linnet_max_pool2d(net, x, .name = name, .kernel = 2);
}

static linnet_value features(linnet_net *net, linnet_value x, const linnet_model_options *options)
{
    int left = options->depth, feature = 0;
    for (size_t b = 0; b < BLOCK_COUNT && left > 0; b++) {
        for (int i = 1; i <= blocks[b].convolutions && left > 0; i++, left--, feature += 2) {
            char layer[40], relu[40], parameters[40];
            snprintf(layer, sizeof layer, "conv%zu_%d", b + 1, i);
            snprintf(relu, sizeof relu, "relu%zu_%d", b + 1, i);
            snprintf(parameters, sizeof parameters, "features.%d", feature);
            x = linnet_zoo_conv_relu(net, x, layer, parameters, relu, .channels = blocks[b].channels, .kernel = 3,
                                     .padding = 1);
            if (i == blocks[b].convolutions)
                x = pool(net, x, b, options->average_pooling);
        }
        feature++; /* torchvision numbers the pooling, too */
    }
    return x;
}

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
    for (size_t b = 0; b < BLOCK_COUNT; b++, feature++)
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
    x = features(net, x, options);
    if (options->average_pooling)
        linnet_net_set_note(net, "pooling", "average"); /* read by linnet_zoo_vgg19_fit */
    if (!options->classes)
        return x;
    x = linnet_flatten(net, x);
    x = linnet_relu(net, linnet_zoo_linear(net, x, "fc6", "classifier.0", 4096));
    x = linnet_dropout(net, x, 0.5f);
    x = linnet_relu(net, linnet_zoo_linear(net, x, "fc7", "classifier.3", 4096));
    x = linnet_dropout(net, x, 0.5f);
    return linnet_zoo_linear(net, x, "fc8", "classifier.6", options->classes);
}

/* How many convolutions it takes to have the file's last one: a gap before it is then found missing. */
static int depth_of(const linnet_safetensors *file)
{
    int depth = 0, convolution = 0, feature = 0;
    for (size_t b = 0; b < BLOCK_COUNT; b++, feature++)
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
