/* SPDX-License-Identifier: Apache-2.0 */
#include "model.h"

#include "net_argument.h"

#include <stdlib.h>
#include <string.h>

bool model_is_name(const char *text)
{
    const char *name;
    for (size_t i = 0; (name = linnet_model_name(i, NULL)); i++)
        if (strcmp(name, text) == 0)
            return true;
    return false;
}

const char *model_of(const char *argument, const char *weights, const char *net, const char **out_weights)
{
    bool plain = weights || model_is_name(argument) || !net;
    *out_weights = plain ? weights : argument;
    return plain ? argument : net;
}

linnet_model_options model_sizes(const linnet_dataset *dataset)
{
    linnet_model_options options = {.struct_size = sizeof options};
    if (dataset) {
        options.classes = linnet_dataset_class_count(dataset);
        options.channels = linnet_dataset_channels(dataset);
        options.height = linnet_dataset_height(dataset);
        options.width = linnet_dataset_width(dataset);
    }
    return options;
}

int model_open(const char *name, const linnet_dataset *dataset, linnet_model *out_model)
{
    linnet_model_options options = model_sizes(dataset);
    return net_check(linnet_model_new(NULL, name, &options, out_model), name, dataset != NULL);
}

int engine_open(engine *e, linnet_model *model)
{
    *e = (engine){.model = *model};
    memset(model, 0, sizeof *model);
    e->device = linnet_device_open(NULL, cli_common_options.backend);
    if (!e->device)
        return cli_check_last();
    e->session = linnet_session_new(e->model.net, e->device);
    return e->session ? EXIT_GO_ON : cli_check_last();
}

/* The network that what and weights (NULL: none) stand for; *out_path: the file to load, or NULL. */
static int open_any(const char *what, const char *weights, const linnet_model_options *options, linnet_model *out_model,
                    const char **out_path)
{
    char *net = NULL;
    int code = net_argument(what, &net);
    *out_path = weights ? weights : net ? NULL : what;
    if (code == EXIT_GO_ON && weights)
        code = net_check_weights(what, net, weights);
    if (code == EXIT_GO_ON)
        code = net_check(*out_path ? linnet_model_for_weights(NULL, *out_path, net, options, out_model)
                                   : linnet_model_new(NULL, net, options, out_model),
                         net, *out_path != NULL);
    free(net);
    return code;
}

int model_open_any(const char *what, linnet_model *out_model)
{
    const char *path;
    return open_any(what, NULL, NULL, out_model, &path);
}

int data_size_of(const char *model, const char *weights, data_size *out)
{
    linnet_model opened = {.net = NULL};
    int64_t dims[LINNET_MAX_RANK] = {0};
    const char *path;
    int code = open_any(model, weights, NULL, &opened, &path);
    *out = (data_size){0};
    if (code == EXIT_GO_ON && linnet_value_shape(opened.net, opened.image, dims) == 4)
        out->channels = (int32_t)dims[1];
    if (dims[2] > 0 && dims[3] > 0) {
        out->height = (int32_t)dims[2];
        out->width = (int32_t)dims[3];
    }
    linnet_model_free(&opened);
    return code;
}

void model_warn_random(const linnet_model *model)
{
    if (!model->complete && !cli_common_options.quiet)
        cli_fail(EXIT_GO_ON, "no --weights: %s starts with random weights", linnet_net_name(model->net));
}

int engine_open_model(engine *e, const char *model, const char *weights, const linnet_model_options *options)
{
    linnet_model opened = {.net = NULL};
    const char *path;
    *e = (engine){.device = NULL};
    int code = open_any(model, weights, options, &opened, &path);
    if (code == EXIT_GO_ON)
        code = engine_open(e, &opened);
    const char *first;
    linnet_tensor shape;
    if (code == EXIT_GO_ON && !path && linnet_session_variable(e->session, 0, &first, &shape) == LINNET_OK)
        model_warn_random(&e->model);
    return code == EXIT_GO_ON && path ? cli_check_input(linnet_load(e->session, path)) : code;
}

void engine_close(engine *e)
{
    linnet_session_free(&e->session);
    linnet_model_free(&e->model);
    linnet_device_close(&e->device);
}

const char *engine_backend(const engine *e)
{
    return linnet_device_backend_name(e->device);
}

const char *engine_device(const engine *e)
{
    return linnet_device_get_info(e->device)->name;
}

uint32_t engine_fallbacks(const engine *e)
{
    linnet_session_stats stats = {.struct_size = sizeof stats};
    return linnet_session_get_stats(e->session, &stats) == LINNET_OK ? stats.fallbacks : 0;
}

/* Pixels and labels that are neither all alike nor different from run to run. */
static void fill_noise(float *pixels, int64_t count, int32_t *labels, int64_t size, int64_t classes)
{
    uint32_t state = 1;
    for (int64_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        pixels[i] = (float)(state >> 8) * 0x1p-24f;
    }
    for (int64_t i = 0; i < size; i++)
        labels[i] = (int32_t)(i % classes);
}

int sample_new(const linnet_model *model, linnet_device *device, int64_t size, sample_batch *out)
{
    linnet_tensor image = {.type = LINNET_F32}, label = {.type = LINNET_I32, .rank = 1, .dims = {size}};
    int64_t logits[LINNET_MAX_RANK] = {0};
    memset(out, 0, sizeof *out);
    image.rank = linnet_value_shape(model->net, model->image, image.dims);
    image.dims[0] = size;
    linnet_value_shape(model->net, model->logits, logits);
    int64_t count = linnet_tensor_count(&image), classes = model->logits.id ? logits[1] : 1;
    out->memory[0] = image.data = count > 0 ? linnet_pinned_new(device, (size_t)count * sizeof(float)) : NULL;
    out->memory[1] = label.data = linnet_pinned_new(device, (size_t)size * sizeof(int32_t));
    if (!image.data || !label.data) {
        sample_free(out);
        return cli_fail(EXIT_NO_MEMORY, "%s: no memory for a batch of %lld: its images have %lld bytes",
                        linnet_device_label(device), (long long)size, (long long)count * (long long)sizeof(float));
    }
    fill_noise(image.data, count, label.data, size, classes);
    out->batch = (linnet_batch){.struct_size = sizeof out->batch, .feed_count = model->label.id ? 2 : 1, .size = size};
    out->batch.feeds[0] = (linnet_feed){linnet_value_name(model->net, model->image), image};
    out->batch.feeds[1] = (linnet_feed){linnet_value_name(model->net, model->label), label};
    return EXIT_GO_ON;
}

void sample_free(sample_batch *sample)
{
    linnet_pinned_free(sample->memory[0]);
    linnet_pinned_free(sample->memory[1]);
    memset(sample, 0, sizeof *sample);
}
