/* SPDX-License-Identifier: Apache-2.0 */
#include "zoo.h"

#include "netdef.h"

#include <stdio.h>
#include <string.h>

/* Mean and deviation of ImageNet's pictures, as torchvision takes them away. */
static const linnet_preprocess imagenet = {.mean = {0.485f, 0.456f, 0.406f}, .deviation = {0.229f, 0.224f, 0.225f}};
/* From -1 to 1. */
static const linnet_preprocess centred = {.scale = 2, .mean = {1, 1, 1}};

static const linnet_zoo_entry entries[] = {
    {.name = "lenet5",
     .description = "LeNet-5: two convolutions, three linear layers",
     .build = linnet_zoo_lenet5,
     .defaults = {.classes = 10, .channels = 1, .height = 28, .width = 28}},
    {.name = "lenet5_local",
     .description = "LeNet-5 without shared weights",
     .build = linnet_zoo_lenet5_local,
     .defaults = {.classes = 10, .channels = 1, .height = 28, .width = 28}},
    {.name = "mlp",
     .description = "multilayer perceptron: two hidden layers of 512",
     .build = linnet_zoo_mlp,
     .defaults = {.classes = 10, .channels = 1, .height = 28, .width = 28}},
    {.name = "vgg_cifar",
     .description = "(CONV RELU CONV RELU POOL) x 3, FC",
     .build = linnet_zoo_vgg_cifar,
     .learning_rate = 0.001f,
     .defaults = {.classes = 10, .channels = 3, .height = 32, .width = 32}},
    {.name = "squeezenet1_1",
     .description = "SqueezeNet 1.1: eight fire modules between two convolutions",
     .build = linnet_zoo_squeezenet1_1,
     .fit = linnet_zoo_squeezenet1_1_fit,
     .preprocess = &imagenet,
     .defaults = {.classes = 1000, .channels = 3, .height = 224, .width = 224}},
    {.name = "mobilenet_v2",
     .description = "MobileNetV2: seventeen inverted residuals",
     .build = linnet_zoo_mobilenet_v2,
     .fit = linnet_zoo_mobilenet_v2_fit,
     .preprocess = &imagenet,
     .defaults = {.classes = 1000, .channels = 3, .height = 224, .width = 224}},
    {.name = "resnet18",
     .description = "ResNet-18: eight residual blocks of two convolutions",
     .build = linnet_zoo_resnet18,
     .fit = linnet_zoo_resnet_fit,
     .preprocess = &imagenet,
     .defaults = {.classes = 1000, .channels = 3, .height = 224, .width = 224}},
    {.name = "resnet50",
     .description = "ResNet-50: sixteen residual blocks of three convolutions",
     .build = linnet_zoo_resnet50,
     .fit = linnet_zoo_resnet_fit,
     .preprocess = &imagenet,
     .defaults = {.classes = 1000, .channels = 3, .height = 224, .width = 224}},
    {.name = "vgg16",
     .description = "VGG-16: thirteen convolutions, three linear layers",
     .build = linnet_zoo_vgg16,
     .fit = linnet_zoo_vgg16_fit,
     .preprocess = &imagenet,
     .defaults = {.classes = 1000, .channels = 3, .height = 224, .width = 224}},
    {.name = "vgg19",
     .description = "VGG-19: sixteen convolutions, for their features",
     .build = linnet_zoo_vgg19,
     .fit = linnet_zoo_vgg19_fit,
     .preprocess = &imagenet,
     .defaults = {.channels = 3, .height = 224, .width = 224, .depth = 16}},
    {.name = "textures",
     .description = "random filters at five scales, for style without a weight file",
     .build = linnet_zoo_textures,
     .preprocess = &centred,
     .complete = 1,
     .defaults = {.channels = 3, .height = 224, .width = 224}},
};

#define ENTRY_COUNT (sizeof entries / sizeof entries[0])

const char *linnet_model_name(size_t index, const char **out_description)
{
    if (index >= ENTRY_COUNT)
        return NULL;
    if (out_description)
        *out_description = entries[index].description;
    return entries[index].name;
}

const linnet_zoo_entry *linnet_zoo_find(const char *name)
{
    for (size_t i = 0; i < ENTRY_COUNT; i++)
        if (strcmp(entries[i].name, name) == 0)
            return &entries[i];
    return NULL;
}

static linnet_status fail_unknown(linnet_context *context, const char *name)
{
    char names[256] = "";
    for (size_t i = 0, used = 0; i < ENTRY_COUNT && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", entries[i].name);
    return linnet_fail(context, LINNET_NOT_FOUND, "there is no network '%s'; there are: %s", name, names);
}

const char *linnet_zoo_take_options(const linnet_model_options *options, linnet_model_options *out)
{
    *out = (linnet_model_options){.struct_size = sizeof *out};
    if (!options)
        return NULL;
    if (options->struct_size < sizeof options->struct_size)
        return "options.struct_size is missing";
    memcpy(out, options, options->struct_size < sizeof *out ? options->struct_size : sizeof *out);
    if (out->classes < 0 || out->channels < 0 || out->height < LINNET_FREE || out->width < LINNET_FREE)
        return "a number of classes, channels or pixels is negative";
    return NULL;
}

/* The entry's defaults, overridden by what options says; NULL, or what is wrong with them. */
static const char *complete(const linnet_zoo_entry *entry, const linnet_model_options *options,
                            linnet_model_options *out)
{
    linnet_model_options given;
    const char *problem = linnet_zoo_take_options(options, &given);
    *out = entry->defaults;
    if (problem)
        return problem;
    if (given.classes && !entry->defaults.classes && !entry->defaults.depth)
        return "it has no classes";
    if (given.depth < 0 || given.depth > entry->defaults.depth)
        return entry->defaults.depth ? "depth is 1 to 16" : "it has no depth to choose";
    if (given.average_pooling && !entry->defaults.depth)
        return "it has no pooling to choose";
    if (given.classes && given.depth && given.depth < entry->defaults.depth)
        return "classes need all convolutions";
    out->classes = given.classes ? given.classes : out->classes;
    out->channels = given.channels ? given.channels : out->channels;
    out->height = given.height ? given.height : out->height;
    out->width = given.width ? given.width : out->width;
    out->depth = given.depth ? given.depth : out->depth;
    out->average_pooling = given.average_pooling;
    if (out->depth && out->classes && (out->height != 224 || out->width != 224))
        return "with classes its pictures are 224 x 224";
    return NULL;
}

void linnet_zoo_add_classes(linnet_model *model, linnet_value scores)
{
    model->label = linnet_labels(model->net, "label");
    model->logits = scores;
    linnet_output(model->net, model->logits, "logits");
    model->loss = linnet_cross_entropy(model->net, model->logits, model->label);
    linnet_output(model->net, model->loss, "loss");
}

static void build(const linnet_zoo_entry *entry, const linnet_model_options *options, linnet_model *model)
{
    model->image = linnet_input(model->net, "image", options->channels, options->height, options->width);
    if (entry->preprocess)
        model->preprocess = *entry->preprocess;
    model->learning_rate = entry->learning_rate;
    model->complete = entry->complete;
    linnet_value last = entry->build(model->net, model->image, options);
    if (options->classes)
        linnet_zoo_add_classes(model, last);
}

linnet_status linnet_model_new(linnet_context *context, const char *name, const linnet_model_options *options,
                               linnet_model *out_model)
{
    linnet_model_options full;
    context = linnet_context_or_default(context);
    if (!name || !out_model)
        return linnet_fail(context, LINNET_INVALID, "linnet_model_new: a name and a place for the model are needed");
    memset(out_model, 0, sizeof *out_model);
    if (linnet_netdef_is_text(name))
        return netdef_model(context, name, options, out_model);
    const linnet_zoo_entry *entry = linnet_zoo_find(name);
    if (!entry)
        return fail_unknown(context, name);
    const char *problem = complete(entry, options, &full);
    if (problem)
        return linnet_fail(context, LINNET_INVALID, "%s: %s", name, problem);
    linnet_model model = {.net = linnet_net_new(context)};
    if (!model.net)
        return linnet_context_last_status(context);
    build(entry, &full, &model);
    linnet_status status = linnet_net_set_name(model.net, entry->name);
    if (linnet_net_status(model.net) != LINNET_OK)
        status = linnet_fail(context, linnet_net_status(model.net), "%s: %s", name, linnet_net_message(model.net));
    if (status != LINNET_OK)
        linnet_net_free(&model.net);
    else
        *out_model = model;
    return status;
}

void linnet_model_free(linnet_model *model)
{
    if (!model)
        return;
    linnet_net_free(&model->net);
    memset(model, 0, sizeof *model);
}
