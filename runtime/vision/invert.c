/* SPDX-License-Identifier: Apache-2.0 */
/* The objective of Mahendran and Vedaldi (2015), put together. */
#include "linnet/invert.h"

#include "objective.h"
#include "options.h"

#define ALPHA_WEIGHT 0.001
#define TV_WEIGHT    1.0

/* alpha_norm's and total_variation's own defaults are the paper's 6 and 2. */
static linnet_status add_regularizers(linnet_objective *o, const linnet_inversion_options *options)
{
    linnet_net *net = o->extractor.model.net;
    linnet_value picture = linnet_objective_picture(o);
    double alpha_weight = options->alpha_weight != 0 ? options->alpha_weight : ALPHA_WEIGHT;
    double tv_weight = options->tv_weight != 0 ? options->tv_weight : TV_WEIGHT;
    linnet_value norm = linnet_alpha_norm(net, linnet_scale(net, picture, 2, -1), options->alpha);
    linnet_value variation = linnet_total_variation(net, picture, options->beta, 0);
    linnet_status status = linnet_objective_add(o, "alpha norm", "", norm, alpha_weight / (double)o->extractor.count);
    if (status != LINNET_OK)
        return status;
    return linnet_objective_add(o, "total variation", "", variation, tv_weight / (double)o->extractor.count);
}

static linnet_status build(linnet_objective *o, const linnet_feature_source *source,
                           const linnet_inversion_options *options)
{
    linnet_target target = {.layer = options->layer};
    linnet_value value;
    linnet_status status = linnet_extractor_layer(&o->extractor, options->layer, &value);
    if (status == LINNET_OK)
        status = linnet_targets_read(o->extractor.context, source, options->picture, &target, 1);
    if (status == LINNET_OK && !(target.squares > 0))
        status = linnet_fail(o->extractor.context, LINNET_INVALID,
                             "the picture has nothing in '%s': it is zero there, or no number", options->layer);
    if (status == LINNET_OK)
        status = linnet_objective_match(o, "content", &target, 1 / target.squares, 1);
    linnet_targets_release(&target, 1);
    if (status == LINNET_OK && !options->no_regularizers)
        status = add_regularizers(o, options);
    return status == LINNET_OK ? linnet_objective_finish(o) : status;
}

static linnet_status check(linnet_context *context, const linnet_inversion_options *options,
                           linnet_inversion_options *out)
{
    linnet_status status = linnet_context_check(context);
    if (status == LINNET_OK)
        status = linnet_vision_options(context, "linnet_inversion_new", options, out, sizeof *out);
    if (status != LINNET_OK)
        return status;
    if (!out->picture || !out->layer)
        return linnet_fail(context, LINNET_INVALID, "linnet_inversion_new: a picture and a layer are needed");
    if (out->alpha_weight < 0 || out->tv_weight < 0)
        return linnet_fail(context, LINNET_INVALID, "linnet_inversion_new: a weight is negative");
    return LINNET_OK;
}

linnet_objective *linnet_inversion_new_with(linnet_context *context, const linnet_inversion_options *options)
{
    linnet_inversion_options given;
    context = linnet_context_or_default(context);
    if (check(context, options, &given) != LINNET_OK)
        return NULL;
    linnet_feature_source source;
    linnet_device *opened;
    if (linnet_source_resolve(context, "linnet_inversion_new: source", given.source, &source, &opened) != LINNET_OK)
        return NULL;
    linnet_objective *objective = linnet_objective_new(context, &source, given.picture);
    if (objective && build(objective, &source, &given) != LINNET_OK)
        linnet_objective_free(&objective);
    linnet_device_close(&opened); /* the session has its own hold */
    return objective;
}
