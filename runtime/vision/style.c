/* SPDX-License-Identifier: Apache-2.0 */
/* The objective of Gatys, Ecker and Bethge (2016), put together. */
#include "linnet/style.h"

#include "objective.h"
#include "options.h"
#include "style_layers.h"

#include <string.h>

#define CONTENT_WEIGHT 1.0
#define STYLE_WEIGHT   1000.0 /* of losses as they are */

/* One of the two halves. */
typedef struct half {
    const char *kind;
    bool gram;
    const linnet_tensor *picture; /* NULL: this half is left out */
    linnet_weighted_layer layers[LINNET_MAX_FEEDS];
    linnet_target targets[LINNET_MAX_FEEDS];
    size_t count;
    double weight;
} half;

typedef struct builder {
    linnet_context *context;
    linnet_style_options options;
    linnet_feature_source source;
    half content, style;
    linnet_tensor shape; /* of the picture to be made */
    linnet_objective *objective;
} builder;

/* ---- Layers ---- */

static linnet_status take_layers(builder *b, half *h, const linnet_weighted_layer *layers, size_t count)
{
    const linnet_net *net = b->objective->extractor.model.net;
    if (!h->picture)
        return LINNET_OK;
    if (count > LINNET_MAX_FEEDS)
        return linnet_fail(b->context, LINNET_LIMIT, "%zu %s layers are too many", count, h->kind);
    if (count)
        memcpy(h->layers, layers, count * sizeof *layers);
    h->count = count ? count : linnet_style_default_layers(net, h->gram, h->layers);
    if (!h->count)
        return linnet_fail(b->context, LINNET_INVALID, "%s has no %s layers of its own: name them",
                           linnet_net_name(net), h->kind);
    for (size_t i = 0; i < h->count; i++) {
        linnet_value value;
        linnet_status status = linnet_extractor_layer(&b->objective->extractor, h->layers[i].name, &value);
        if (status != LINNET_OK)
            return status;
        h->targets[i] = (linnet_target){.layer = h->layers[i].name, .gram = h->gram};
        if (!h->layers[i].weight)
            h->layers[i].weight = 1.0 / (double)h->count;
    }
    return LINNET_OK;
}

/* ---- Terms ---- */

/* 1/2 sum (F - P)^2; of Gram matrices over their positions 1 / (4 N^2) sum (G / M - A / M')^2, which is the paper's. */
static linnet_status add_half(builder *b, half *h)
{
    linnet_status status = LINNET_OK;
    for (size_t i = 0; i < h->count && status == LINNET_OK; i++) {
        linnet_target *target = &h->targets[i];
        double factor = h->gram ? 0.25 / (double)target->count : 0.5, weight = h->weight * h->layers[i].weight;
        double dark = factor * target->squares; /* the loss of maps that are all zero */
        if (!b->options.absolute && !(dark > 0))
            status =
                linnet_fail(b->context, LINNET_INVALID,
                            "the %s picture has nothing in '%s': its maps are zero everywhere", h->kind, target->layer);
        else
            status = linnet_objective_match(b->objective, h->kind, target, factor,
                                            b->options.absolute ? weight : weight / dark);
    }
    return status;
}

static linnet_status add_total_variation(builder *b)
{
    linnet_net *net = b->objective->extractor.model.net;
    double weight = b->options.tv_weight / (double)b->objective->extractor.count;
    if (!(b->options.tv_weight > 0))
        return LINNET_OK;
    linnet_value loss = linnet_total_variation(net, linnet_objective_picture(b->objective), 2, 0);
    return linnet_objective_add(b->objective, "total variation", "", loss, weight);
}

/* ---- Putting together ---- */

static linnet_status choose_shape(builder *b)
{
    const linnet_style_options *o = &b->options;
    const linnet_tensor *from = o->content ? o->content : o->style;
    if (!from)
        return linnet_fail(b->context, LINNET_INVALID, "linnet_style_new: a content or a style picture is needed");
    if (o->height < 0 || o->width < 0 || o->content_weight < 0 || o->style_weight < 0 || o->tv_weight < 0)
        return linnet_fail(b->context, LINNET_INVALID, "linnet_style_new: a size or a weight is negative");
    b->shape = *from;
    if (!o->content && from->rank == 3) {
        b->shape.dims[1] = o->height ? o->height : from->dims[1];
        b->shape.dims[2] = o->width ? o->width : from->dims[2];
    }
    b->content = (half){.kind = "content", .picture = o->content};
    b->style = (half){.kind = "style", .gram = true, .picture = o->style};
    b->content.weight = o->content_weight != 0 ? o->content_weight : CONTENT_WEIGHT;
    b->style.weight = o->style_weight; /* 0: as the network wants it */
    return LINNET_OK;
}

static linnet_status read_targets(builder *b, half *h)
{
    return h->picture ? linnet_targets_read(b->context, &b->source, h->picture, h->targets, h->count) : LINNET_OK;
}

static linnet_status build(builder *b)
{
    const linnet_style_options *o = &b->options;
    b->objective = linnet_objective_new(b->context, &b->source, &b->shape);
    if (!b->objective)
        return linnet_context_last_status(b->context);
    if (b->style.weight == 0)
        b->style.weight = o->absolute ? STYLE_WEIGHT : linnet_style_default_weight(b->objective->extractor.model.net);
    linnet_status status = take_layers(b, &b->content, o->content_layers, o->content_count);
    if (status == LINNET_OK)
        status = take_layers(b, &b->style, o->style_layers, o->style_count);
    if (status == LINNET_OK)
        status = read_targets(b, &b->content);
    if (status == LINNET_OK)
        status = read_targets(b, &b->style);
    if (status == LINNET_OK)
        status = add_half(b, &b->content);
    if (status == LINNET_OK)
        status = add_half(b, &b->style);
    if (status == LINNET_OK)
        status = add_total_variation(b);
    return status == LINNET_OK ? linnet_objective_finish(b->objective) : status;
}

static linnet_status prepare(builder *b, const linnet_style_options *options, linnet_device **out_opened)
{
    linnet_status status =
        linnet_vision_options(b->context, "linnet_style_new", options, &b->options, sizeof b->options);
    if (status == LINNET_OK)
        status = choose_shape(b);
    if (status == LINNET_OK)
        status =
            linnet_source_resolve(b->context, "linnet_style_new: source", b->options.source, &b->source, out_opened);
    return status;
}

linnet_objective *linnet_style_new_with(linnet_context *context, const linnet_style_options *options)
{
    context = linnet_context_or_default(context);
    if (linnet_context_check(context) != LINNET_OK)
        return NULL;
    builder *b = linnet_allocate(1, sizeof *b); /* too large for a small stack */
    if (!b) {
        linnet_fail(context, LINNET_OUT_OF_MEMORY, "no memory for an objective");
        return NULL;
    }
    b->context = context;
    linnet_device *opened = NULL;
    linnet_status status = prepare(b, options, &opened);
    if (status == LINNET_OK)
        status = build(b);
    linnet_targets_release(b->content.targets, b->content.count);
    linnet_targets_release(b->style.targets, b->style.count);
    if (status != LINNET_OK)
        linnet_objective_free(&b->objective);
    linnet_objective *objective = b->objective;
    linnet_release(b);
    linnet_device_close(&opened); /* the session has its own hold */
    return objective;
}
