/* SPDX-License-Identifier: Apache-2.0 */
/* The network that a weight file fits. */
#include "../graph/net.h"
#include "../train/weights.h"
#include "linnet/netdef.h"
#include "zoo.h"

#include <string.h>

int32_t linnet_zoo_rows(const linnet_safetensors *file, const char *name)
{
    linnet_tensor tensor;
    bool found = linnet_safetensors_find(file, name, &tensor) == LINNET_OK;
    return found && tensor.rank && tensor.dims[0] > 0 && tensor.dims[0] <= INT32_MAX ? (int32_t)tensor.dims[0] : 0;
}

/* "3x32x?" into at most count numbers, -1 for a question mark; how many there are, 0 when it is damaged. */
static int read_dims(const char *text, int count, int64_t *out)
{
    for (int i = 0; i < count; i++) {
        const char *start = text;
        out[i] = *text == '?' ? LINNET_FREE : 0;
        text += *text == '?';
        for (; *text >= '0' && *text <= '9' && out[i] >= 0 && out[i] <= INT32_MAX / 10; text++)
            out[i] = 10 * out[i] + (*text - '0');
        if (text == start || out[i] == 0 || (*text && *text != 'x'))
            return 0;
        if (!*text)
            return i + 1;
        text++;
    }
    return 0;
}

/* What linnet_save wrote about the picture and the classes, where options leave it open. */
static void read_sizes(const linnet_safetensors *file, bool with_classes, linnet_model_options *o)
{
    int64_t image[3], classes[1];
    const char *input = linnet_safetensors_metadata(file, LINNET_METADATA_INPUT "image");
    const char *output = linnet_safetensors_metadata(file, LINNET_METADATA_OUTPUT "logits");
    if (input && read_dims(input, 3, image) == 3) {
        o->channels = o->channels || image[0] < 1 ? o->channels : image[0];
        o->height = o->height ? o->height : image[1];
        o->width = o->width ? o->width : image[2];
    }
    if (output && read_dims(output, 1, classes) == 1 && classes[0] > 0 && with_classes && !o->classes)
        o->classes = (int32_t)classes[0];
}

static linnet_status take_preprocess(linnet_context *context, const linnet_safetensors *file, const char *path,
                                     linnet_model *model)
{
    const char *note = linnet_safetensors_metadata(file, "input");
    if (!note) {
        if (linnet_safetensors_metadata(file, LINNET_METADATA_ARCHITECTURE))
            model->preprocess = (linnet_preprocess){0};
        return LINNET_OK;
    }
    if (!linnet_preprocess_parse(note, &model->preprocess))
        return linnet_fail(context, LINNET_BAD_FILE, "%s: how pictures are prepared makes no sense: '%.200s'", path,
                           note);
    return linnet_net_set_note(model->net, "input", note);
}

/* The names of the classes, where the file has them, go on with the net. */
static linnet_status take_classes(const linnet_safetensors *file, linnet_net *net)
{
    const char *names = linnet_safetensors_metadata(file, "classes");
    return names ? linnet_net_set_note(net, "classes", names) : LINNET_OK;
}

static linnet_status build(linnet_context *context, const linnet_safetensors *file, const char *path, const char *name,
                           const linnet_model_options *options, linnet_model *out_model)
{
    linnet_model_options o = {0};
    const linnet_zoo_entry *entry = linnet_zoo_find(name);
    if (options)
        memcpy(&o, options, options->struct_size < sizeof o ? options->struct_size : sizeof o);
    o.struct_size = sizeof o;
    read_sizes(file, !entry || !entry->fit, &o);
    if (entry && entry->fit)
        entry->fit(file, &o);
    linnet_status status = linnet_model_new(context, name, &o, out_model);
    if (status == LINNET_OK)
        status = take_preprocess(context, file, path, out_model);
    if (status == LINNET_OK)
        status = take_classes(file, out_model->net);
    if (status == LINNET_OK)
        status = linnet_weights_check(out_model->net, file, path);
    if (status != LINNET_OK)
        linnet_model_free(out_model);
    return status;
}

/* A file that does not say what it is for: the network of the table that it fits, tensor by tensor. */
static linnet_status recognise(linnet_context *context, const linnet_safetensors *file, const char *path,
                               const linnet_model_options *options, linnet_model *out_model)
{
    const char *name;
    for (size_t i = 0; (name = linnet_model_name(i, NULL)); i++) {
        if (!linnet_zoo_find(name)->fit)
            continue;
        linnet_status status = build(context, file, path, name, options, out_model);
        if (status == LINNET_OK || status == LINNET_OUT_OF_MEMORY)
            return status;
    }
    return linnet_fail(context, LINNET_BAD_FILE, "%s does not say which network it is for, and fits none that is known",
                       path);
}

linnet_status linnet_model_for_weights(linnet_context *context, const char *path, const char *name,
                                       const linnet_model_options *options, linnet_model *out_model)
{
    context = linnet_context_or_default(context);
    if (!path || !out_model || (options && options->struct_size < sizeof options->struct_size))
        return linnet_fail(context, LINNET_INVALID,
                           "linnet_model_for_weights: a path, a place for the model and the "
                           "options' struct_size are needed");
    memset(out_model, 0, sizeof *out_model);
    linnet_safetensors *file = linnet_safetensors_read(context, path);
    if (!file)
        return linnet_context_last_status(context);
    char *own = linnet_weights_name(file);
    linnet_status status;
    if (!own)
        status = linnet_fail(context, LINNET_OUT_OF_MEMORY, "no memory for a name");
    else if (!name && !*own)
        status = recognise(context, file, path, options, out_model);
    else if (!name && !linnet_zoo_find(own) && !linnet_netdef_is_text(own))
        status =
            linnet_fail(context, LINNET_BAD_FILE, "%s is for the network '%.200s', which is not known here", path, own);
    else if (name && linnet_zoo_find(name) && linnet_zoo_find(own) && strcmp(name, own) != 0)
        status = linnet_fail(context, LINNET_BAD_FILE, "%s: holds weights of '%s', not of '%s'", path, own, name);
    else
        status = build(context, file, path, name ? name : own, options, out_model);
    if (status == LINNET_INVALID && own && !name && linnet_netdef_is_text(own)) {
        char *sentence = linnet_duplicate(linnet_context_message(context));
        status = linnet_fail(context, LINNET_BAD_FILE, "%s: the network in it: %s", path, sentence ? sentence : "");
        linnet_release(sentence);
    }
    linnet_release(own);
    linnet_safetensors_free(&file);
    return status;
}
