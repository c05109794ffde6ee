/* SPDX-License-Identifier: Apache-2.0 */
/* A net in a line as a model: the picture in front, classes behind. */
#include "../layers/layer.h"
#include "netdef.h"
#include "zoo.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* What options say, else the text, else a digit; the text may not contradict. */
static linnet_status settle_picture(const netdef *d, const linnet_model_options *options, int64_t out[3])
{
    static const int64_t digit[3] = {1, 28, 28};
    const int64_t given[3] = {options->channels, options->height, options->width};
    for (int i = 0; i < 3; i++) {
        out[i] = given[i] ? given[i] : d->has_input ? d->input[i] : digit[i];
        if (d->has_input && given[i] > 0 && d->input[i] > 0 && given[i] != d->input[i])
            return netdef_fail(d, LINNET_SHAPE, d->input_at,
                               "the pictures are %" PRId64 "x%" PRId64 "x%" PRId64 " (channels x height x width)",
                               given[0], given[1], given[2]);
    }
    return LINNET_OK;
}

/* Makes a classifier of what ends in scores, and of nothing else. */
static void add_classes(const netdef *d, linnet_model *model, linnet_value scores, int32_t classes)
{
    linnet_shape shape = {.type = LINNET_F32};
    char sentence[300], text[160];
    shape.rank = linnet_value_shape(model->net, scores, shape.dims);
    bool pixels = shape.rank == 4 && shape.dims[2] == 1 && shape.dims[3] == 1;
    bool fits = !classes || shape.dims[1] == classes;
    if ((shape.rank == 2 || pixels) && fits) {
        linnet_zoo_add_classes(model, pixels ? linnet_flatten(model->net, scores) : scores);
        return;
    }
    if (!classes)
        return;
    if (shape.rank == 2 || pixels)
        snprintf(sentence, sizeof sentence, "the last layer makes %" PRId64 " scores, but there are %d classes",
                 shape.dims[1], (int)classes);
    else
        snprintf(sentence, sizeof sentence, "the last layer makes %s, no scores: globalpool or linear %d is missing",
                 linnet_shape_text(&shape, text, sizeof text), (int)classes);
    netdef_net_fail(d, model->net, LINNET_SHAPE, d->layers[d->count - 1].at, sentence);
}

static linnet_status build(const netdef *d, const linnet_model_options *options, linnet_model *model)
{
    int64_t picture[3];
    linnet_value scores;
    linnet_status status = settle_picture(d, options, picture);
    if (status != LINNET_OK)
        return status;
    model->image = linnet_input(model->net, "image", picture[0], picture[1], picture[2]);
    if (netdef_build(d, model->net, model->image, &scores).id)
        add_classes(d, model, scores, options->classes);
    if (linnet_net_status(model->net) != LINNET_OK)
        return linnet_fail(d->context, linnet_net_status(model->net), "%s", linnet_net_message(model->net));
    char *name = netdef_write(d);
    status = name ? linnet_net_set_name(model->net, name)
                  : linnet_fail(d->context, LINNET_OUT_OF_MEMORY, "no memory for a text");
    linnet_release(name);
    return status;
}

linnet_status netdef_model(linnet_context *context, const char *text, const linnet_model_options *options,
                           linnet_model *out_model)
{
    netdef d = {.context = NULL};
    linnet_model_options o;
    linnet_model model = {.net = NULL};
    const char *problem = linnet_zoo_take_options(options, &o);
    if (!problem && (o.depth || o.average_pooling))
        problem = "depth and pooling stand in the text";
    linnet_status status = problem ? linnet_fail(context, LINNET_INVALID, "a net in a line: %s", problem)
                                   : netdef_parse(context, text, &d);
    if (status == LINNET_OK) {
        model.net = linnet_net_new(context);
        status = model.net ? build(&d, &o, &model) : linnet_context_last_status(context);
    }
    netdef_clear(&d);
    if (status != LINNET_OK)
        linnet_model_free(&model);
    else
        *out_model = model;
    return status;
}
