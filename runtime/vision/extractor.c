/* SPDX-License-Identifier: Apache-2.0 */
#include "extractor.h"

#include "linnet/train.h"
#include "options.h"

#include <stdio.h>
#include <string.h>

#define DEFAULT_MODEL "textures"

static linnet_status check_picture(linnet_context *context, const linnet_tensor *picture)
{
    int64_t count = picture->rank == 3 && picture->type == LINNET_F32 ? linnet_tensor_count(picture) : -1;
    if (count <= 0 || picture->dims[0] > 4)
        return linnet_fail(context, LINNET_SHAPE, "a picture is f32 [C,H,W] with one to four channels");
    return LINNET_OK;
}

linnet_status linnet_source_resolve(linnet_context *context, const char *what, const linnet_feature_source *given,
                                    linnet_feature_source *out_source, linnet_device **out_opened)
{
    *out_opened = NULL;
    linnet_status status = linnet_vision_options(context, what, given, out_source, sizeof *out_source);
    if (status != LINNET_OK || out_source->device)
        return status;
    out_source->device = *out_opened = linnet_device_open(context, NULL);
    return *out_opened ? LINNET_OK : linnet_context_last_status(context);
}

/* A net in a line takes the picture's channels; networks have their own. */
static bool is_network(const char *model)
{
    const char *name = DEFAULT_MODEL;
    for (size_t i = 0; model && (name = linnet_model_name(i, NULL)); i++)
        if (strcmp(name, model) == 0)
            return true;
    return !model;
}

static linnet_status build(linnet_extractor *e, const linnet_feature_source *source,
                           const linnet_model_options *options)
{
    return source->weights
               ? linnet_model_for_weights(e->context, source->weights, source->model, options, &e->model)
               : linnet_model_new(e->context, source->model ? source->model : DEFAULT_MODEL, options, &e->model);
}

/* Layers before a pooling that the picture is too small for can be looked at without it. depth says nothing to
   networks other than vgg19: they fail again in the same way. */
static linnet_status build_shallow(linnet_extractor *e, const linnet_feature_source *source,
                                   linnet_model_options options)
{
    static const int before_pooling[] = {15, 11, 7, 3, 1};
    linnet_status status = LINNET_SHAPE;
    for (size_t i = 0; i < sizeof before_pooling / sizeof before_pooling[0] && status == LINNET_SHAPE; i++) {
        options.depth = before_pooling[i];
        status = build(e, source, &options);
    }
    e->shallow = status == LINNET_OK;
    return status;
}

static linnet_status open_model(linnet_extractor *e, const linnet_feature_source *source)
{
    linnet_model_options options = {.struct_size = sizeof options,
                                    .channels = is_network(source->model) ? 0 : e->channels,
                                    .height = e->height,
                                    .width = e->width,
                                    .average_pooling = source->average_pooling};
    linnet_status status = build(e, source, &options);
    if (status == LINNET_SHAPE)
        status = build_shallow(e, source, options);
    if (status != LINNET_OK)
        return status;
    int64_t dims[LINNET_MAX_RANK] = {0};
    linnet_value_shape(e->model.net, e->model.image, dims);
    if (dims[1] == e->channels)
        return LINNET_OK;
    return linnet_fail(e->context, LINNET_SHAPE, "%s looks at pictures with %lld channels, this one has %lld",
                       linnet_net_name(e->model.net), (long long)dims[1], (long long)e->channels);
}

linnet_status linnet_extractor_open(linnet_context *context, const linnet_feature_source *source,
                                    const linnet_tensor *picture, linnet_extractor *out)
{
    *out = (linnet_extractor){.context = context, .weights = source->weights};
    linnet_status status = check_picture(context, picture);
    if (status != LINNET_OK)
        return status;
    out->channels = picture->dims[0];
    out->height = picture->dims[1];
    out->width = picture->dims[2];
    out->count = (size_t)linnet_tensor_count(picture);
    out->input = linnet_pinned_new(source->device, out->count * sizeof *out->input);
    if (!out->input)
        return linnet_fail(context, LINNET_OUT_OF_MEMORY, "no memory for a picture");
    out->device = source->device;
    return open_model(out, source);
}

linnet_status linnet_extractor_start(linnet_extractor *e)
{
    if (linnet_net_status(e->model.net) != LINNET_OK)
        return linnet_fail(e->context, linnet_net_status(e->model.net), "%s", linnet_net_message(e->model.net));
    e->session = linnet_session_new(e->model.net, e->device);
    if (!e->session)
        return linnet_context_last_status(e->context);
    linnet_session_set_lazy(e->session, 1);
    linnet_session_set_parameter_gradients(e->session, 0);
    return e->weights ? linnet_load(e->session, e->weights) : LINNET_OK;
}

void linnet_extractor_close(linnet_extractor *e)
{
    linnet_session_free(&e->session);
    linnet_model_free(&e->model);
    linnet_pinned_free(e->input);
    e->input = NULL;
}

void linnet_extractor_feed(linnet_extractor *e, const float *picture, linnet_batch *batch)
{
    linnet_preprocess_apply(&e->model.preprocess, picture, e->channels, e->height * e->width, e->input);
    linnet_tensor tensor = {LINNET_F32, 4, {1, e->channels, e->height, e->width}, e->input};
    batch->struct_size = sizeof *batch;
    batch->size = 1;
    batch->feeds[batch->feed_count++] = (linnet_feed){linnet_value_name(e->model.net, e->model.image), tensor};
}

size_t linnet_extractor_elements(const linnet_extractor *e, linnet_value value, int64_t *out_dims, uint32_t *out_rank)
{
    linnet_tensor shape = {.type = LINNET_F32};
    shape.rank = linnet_value_shape(e->model.net, value, shape.dims);
    if (shape.rank)
        shape.dims[0] = 1;
    int64_t count = linnet_tensor_count(&shape);
    memcpy(out_dims, shape.dims, sizeof shape.dims);
    *out_rank = shape.rank;
    return count > 0 ? (size_t)count : 0;
}

linnet_status linnet_extractor_layer(const linnet_extractor *e, const char *layer, linnet_value *out_value)
{
    char message[512];
    linnet_status status = linnet_net_layer(e->model.net, layer, out_value);
    if (status != LINNET_NOT_FOUND || !e->shallow)
        return status;
    snprintf(message, sizeof message, "%s", linnet_context_message(e->context));
    return linnet_fail(e->context, status, "%lld x %lld pixels are too few for the rest of %s: %s", (long long)e->width,
                       (long long)e->height, linnet_net_name(e->model.net), message);
}

linnet_status linnet_extractor_tap(linnet_extractor *e, const char *layer, bool gram, linnet_value *out_value)
{
    int64_t dims[LINNET_MAX_RANK];
    uint32_t rank;
    linnet_status status = linnet_extractor_layer(e, layer, out_value);
    if (status != LINNET_OK || !gram)
        return status;
    if (!linnet_extractor_elements(e, *out_value, dims, &rank) || rank != 4)
        return linnet_fail(e->context, LINNET_SHAPE, "'%s' has no feature maps, so there is no style in it", layer);
    *out_value = linnet_gram(e->model.net, *out_value, (float)(1.0 / ((double)dims[2] * (double)dims[3])));
    return LINNET_OK;
}
