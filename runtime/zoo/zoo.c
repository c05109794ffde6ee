/* SPDX-License-Identifier: Apache-2.0 */
#include "zoo.h"

#include "../core/core.h"

#include <stdio.h>
#include <string.h>

typedef struct zoo_entry {
    const char *name, *description;
    linnet_value (*build)(linnet_net *net, linnet_value image, const linnet_model_options *options);
    linnet_model_options defaults;
} zoo_entry;

static const zoo_entry entries[] = {
    {"lenet5",
     "LeNet-5: two convolutions, three linear layers",
     linnet_zoo_lenet5,
     {sizeof(linnet_model_options), 10, 1, 28, 28}},
    {"mlp",
     "multilayer perceptron: two hidden layers of 512",
     linnet_zoo_mlp,
     {sizeof(linnet_model_options), 10, 1, 28, 28}},
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

static const zoo_entry *find(const char *name)
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

/* The entry's defaults, overridden by what options says. */
static bool complete(const zoo_entry *entry, const linnet_model_options *options, linnet_model_options *out)
{
    *out = entry->defaults;
    if (!options)
        return true;
    if (options->struct_size < sizeof *options || options->classes < 0 || options->channels < 0 ||
        options->height < 0 || options->width < 0)
        return false;
    out->classes = options->classes ? options->classes : out->classes;
    out->channels = options->channels ? options->channels : out->channels;
    out->height = options->height ? options->height : out->height;
    out->width = options->width ? options->width : out->width;
    return true;
}

linnet_status linnet_model_new(linnet_context *context, const char *name, const linnet_model_options *options,
                               linnet_model *out_model)
{
    linnet_model_options full;
    context = linnet_context_or_default(context);
    if (!name || !out_model)
        return linnet_fail(context, LINNET_INVALID, "linnet_model_new: a name and a place for the model are needed");
    memset(out_model, 0, sizeof *out_model);
    const zoo_entry *entry = find(name);
    if (!entry)
        return fail_unknown(context, name);
    if (!complete(entry, options, &full))
        return linnet_fail(context, LINNET_INVALID, "%s: options without struct_size or with a negative number", name);
    linnet_model model = {.net = linnet_net_new(context)};
    if (!model.net)
        return linnet_context_last_status(context);
    model.image = linnet_input(model.net, "image", full.channels, full.height, full.width);
    model.label = linnet_labels(model.net, "label");
    model.logits = entry->build(model.net, model.image, &full);
    linnet_output(model.net, model.logits, "logits");
    model.loss = linnet_cross_entropy(model.net, model.logits, model.label);
    linnet_output(model.net, model.loss, "loss");
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
