/* SPDX-License-Identifier: Apache-2.0 */
/* A loss of a picture as nodes of one net: terms, their sum, evaluation. */
#include "objective.h"

#include "linnet/backend.h"

#include <math.h>
#include <string.h>

#define NOISE 0.1f /* from the lowest to the highest */

linnet_objective *linnet_objective_new(linnet_context *context, const linnet_feature_source *source,
                                       const linnet_tensor *picture)
{
    linnet_objective *o = linnet_allocate(1, sizeof *o);
    if (!o) {
        linnet_fail(context, LINNET_OUT_OF_MEMORY, "no memory for an objective");
        return NULL;
    }
    linnet_status status = linnet_extractor_open(context, source, picture, &o->extractor);
    if (status == LINNET_OK)
        o->gradient = linnet_pinned_new(source->device, o->extractor.count * sizeof *o->gradient);
    if (status == LINNET_OK && !o->gradient)
        status = linnet_fail(context, LINNET_OUT_OF_MEMORY, "no memory for a gradient");
    if (status != LINNET_OK)
        linnet_objective_free(&o);
    return o;
}

void linnet_objective_free(linnet_objective **objective)
{
    if (!objective || !*objective)
        return;
    linnet_objective *o = *objective;
    *objective = NULL;
    linnet_extractor_close(&o->extractor);
    linnet_targets_release(o->targets, o->target_count);
    for (size_t i = 0; i < o->term_count; i++)
        linnet_release(o->terms[i].layer);
    linnet_pinned_free(o->gradient);
    linnet_release(o);
}

/* ---- Terms ---- */

linnet_status linnet_objective_add(linnet_objective *o, const char *kind, const char *layer, linnet_value loss,
                                   double weight)
{
    if (o->term_count == LINNET_MOST_TERMS)
        return linnet_fail(o->extractor.context, LINNET_LIMIT, "more than %d losses", LINNET_MOST_TERMS);
    linnet_term *term = &o->terms[o->term_count];
    *term = (linnet_term){.kind = kind, .layer = linnet_duplicate(layer), .loss = loss, .weight = weight};
    if (!term->layer)
        return linnet_fail(o->extractor.context, LINNET_OUT_OF_MEMORY, "no memory for an objective");
    o->term_count++;
    linnet_net *net = o->extractor.model.net;
    linnet_value weighted = linnet_scale(net, loss, (float)weight, 0);
    o->total = o->total.id ? linnet_add(net, o->total, weighted) : weighted;
    return LINNET_OK;
}

linnet_status linnet_objective_match(linnet_objective *o, const char *kind, linnet_target *target, double factor,
                                     double weight)
{
    linnet_net *net = o->extractor.model.net;
    linnet_value value;
    char name[32] = "target";
    size_t number = o->target_count;
    if (number + 2 >= LINNET_MAX_FEEDS) /* beside the picture and the net's input */
        return linnet_fail(o->extractor.context, LINNET_LIMIT, "more than %zu layers", number);
    linnet_status status = linnet_extractor_tap(&o->extractor, target->layer, target->gram, &value);
    if (status != LINNET_OK)
        return status;
    for (size_t digit = 6, n = number; digit < 8; digit++, n /= 10)
        name[digit] = (char)('0' + n % 10);
    o->target_inputs[number] = linnet_input_with(net, name, LINNET_F32, target->rank - 1, target->dims + 1);
    linnet_value mean = linnet_mse(net, value, o->target_inputs[number]);
    linnet_value loss = linnet_scale(net, mean, (float)(factor * (double)target->count), 0);
    status = linnet_objective_add(o, kind, target->layer, loss, weight);
    if (status != LINNET_OK)
        return status;
    o->targets[o->target_count++] = *target;
    target->data = NULL;
    return LINNET_OK;
}

linnet_value linnet_objective_picture(linnet_objective *o)
{
    const linnet_extractor *e = &o->extractor;
    if (!o->picture.id)
        o->picture = linnet_input(e->model.net, "picture", e->channels, e->height, e->width);
    return o->picture;
}

linnet_status linnet_objective_finish(linnet_objective *o)
{
    linnet_extractor *e = &o->extractor;
    if (!o->term_count)
        return linnet_fail(e->context, LINNET_INVALID, "an objective needs at least one loss");
    linnet_status status = linnet_extractor_start(e);
    for (size_t i = 0; i < o->term_count && status == LINNET_OK; i++)
        status = linnet_session_keep(e->session, o->terms[i].loss);
    if (status == LINNET_OK)
        status = linnet_session_keep(e->session, o->total);
    if (status == LINNET_OK)
        status = linnet_session_add_loss(e->session, o->total);
    if (status == LINNET_OK)
        status = linnet_session_want_gradient(e->session, e->model.image);
    if (status == LINNET_OK && o->picture.id)
        status = linnet_session_want_gradient(e->session, o->picture);
    for (size_t i = 0; i < o->target_count && status == LINNET_OK; i++)
        status = linnet_session_set_constant(e->session, o->target_inputs[i], 1);
    if (status == LINNET_OK)
        linnet_session_set_gradients(e->session, 1);
    return status;
}

/* ---- Evaluation ---- */

static void fill_batch(linnet_objective *o, const float *picture, linnet_batch *batch)
{
    linnet_extractor *e = &o->extractor;
    linnet_extractor_feed(e, picture, batch);
    if (o->picture.id) {
        linnet_tensor tensor = batch->feeds[0].tensor;
        tensor.data = (void *)(uintptr_t)picture; /* only read */
        batch->feeds[batch->feed_count++] = (linnet_feed){"picture", tensor};
    }
    for (size_t i = 0; i < o->target_count; i++) {
        linnet_target *target = &o->targets[i];
        linnet_tensor tensor = {.type = LINNET_F32, .rank = target->rank, .data = target->data};
        memcpy(tensor.dims, target->dims, sizeof tensor.dims);
        batch->feeds[batch->feed_count++] = (linnet_feed){linnet_value_name(e->model.net, o->target_inputs[i]), tensor};
    }
}

/* The gradient of the net's input carried back to the picture, plus that of the picture itself. */
static linnet_status read_gradient(linnet_objective *o, float *out_gradient)
{
    linnet_extractor *e = &o->extractor;
    size_t bytes = e->count * sizeof *out_gradient;
    bool has_features = o->target_count > 0;
    linnet_status status = LINNET_OK;
    if (!has_features)
        memset(out_gradient, 0, bytes);
    if (has_features)
        status = linnet_session_read_gradient(e->session, e->model.image, o->gradient, bytes);
    if (status == LINNET_OK && has_features)
        linnet_preprocess_gradient(&e->model.preprocess, o->gradient, e->channels, e->height * e->width, out_gradient);
    if (status != LINNET_OK || !o->picture.id)
        return status;
    status = linnet_session_read_gradient(e->session, o->picture, o->gradient, bytes);
    for (size_t i = 0; i < e->count; i++)
        out_gradient[i] += o->gradient[i];
    return status;
}

linnet_status linnet_objective_evaluate(void *objective, const float *picture, float *out_gradient, double *out_loss)
{
    linnet_objective *o = objective;
    linnet_batch batch = {.feed_count = 0};
    float total = NAN;
    if (!o || !picture || !out_gradient || !out_loss)
        return linnet_fail(o ? o->extractor.context : NULL, LINNET_INVALID,
                           "linnet_objective_evaluate: an objective, a picture and places for the results are needed");
    fill_batch(o, picture, &batch);
    linnet_session *session = o->extractor.session;
    linnet_status status = linnet_forward(session, &batch);
    if (status == LINNET_OK)
        status = linnet_backward(session, o->total);
    linnet_reading *reading = NULL;
    if (status == LINNET_OK)
        status = linnet_session_read_later(session, o->total, &total, sizeof total, &reading);
    if (status == LINNET_OK)
        status = read_gradient(o, out_gradient);
    linnet_status read = linnet_reading_wait(&reading);
    if (status == LINNET_OK)
        status = read;
    o->evaluated = status == LINNET_OK;
    *out_loss = (double)total;
    return status;
}

/* ---- What is asked about it ---- */

linnet_tensor linnet_objective_shape(const linnet_objective *o)
{
    const linnet_extractor *e = &o->extractor;
    return (linnet_tensor){LINNET_F32, 3, {e->channels, e->height, e->width}, NULL};
}

size_t linnet_objective_size(const linnet_objective *o)
{
    return o->extractor.count;
}

linnet_session *linnet_objective_session(const linnet_objective *o)
{
    return o->extractor.session;
}

void linnet_objective_noise(const linnet_objective *o, uint64_t seed, float *out_picture)
{
    for (size_t i = 0; i < o->extractor.count; i++)
        out_picture[i] = 0.5f + NOISE * (linnet_philox_uniform(seed, 0, 0, i) - 0.5f);
}

linnet_status linnet_objective_get_term(const linnet_objective *o, size_t index, linnet_objective_term *out_term)
{
    float loss = NAN;
    if (index >= o->term_count)
        return LINNET_END;
    const linnet_term *term = &o->terms[index];
    linnet_status status =
        o->evaluated ? linnet_session_read(o->extractor.session, term->loss, &loss, sizeof loss) : LINNET_OK;
    *out_term = (linnet_objective_term){term->kind, term->layer, term->weight, (double)loss};
    return status;
}
