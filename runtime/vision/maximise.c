/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Activation maximisation: gradient ascent on the picture. Each step moves the picture by a random shift (around its
 * edges), goes along the gradient, a fixed mean change a pixel, moves it back, lets it fade towards grey and blurs it a
 * little, less and less. So what no shift changes grows, and noise does not.
 */
#include "blur.h"
#include "linnet/attribution.h"
#include "linnet/backend.h"
#include "options.h"
#include "probe.h"

#include <math.h>
#include <string.h>

#define DEFAULT_STEPS 256
#define DEFAULT_SIDE  128
#define NOISE         0.05f /* of the picture at the start */

typedef struct ascent {
    linnet_probe p;
    linnet_value target;
    linnet_maps shape; /* of target, without data */
    int64_t unit;
    linnet_maximise_options o;
    float *picture, *moved, *gradient, *seed, *line;
    float value;
} ascent;

/* What goes into the layer where that is a relu: where the output is 0 it has no gradient. */
static linnet_value before_relu(const linnet_net *net, linnet_value value)
{
    for (size_t i = 0; i < linnet_net_node_count(net); i++) {
        linnet_node_info info;
        if (linnet_net_node(net, i, &info) == LINNET_OK && info.output.id == value.id && strcmp(info.kind, "relu") == 0)
            return info.inputs[0];
    }
    return value;
}

static linnet_status take_options(ascent *a, linnet_context *context, const linnet_maximise_options *given)
{
    linnet_maximise_options *o = &a->o;
    linnet_status status = linnet_vision_options(context, "activation maximisation", given, o, sizeof *o);
    if (status != LINNET_OK)
        return status;
    if (o->height < 0 || o->width < 0 || o->height > LINNET_IMAGE_MAX_SIDE || o->width > LINNET_IMAGE_MAX_SIDE)
        return linnet_fail(context, LINNET_INVALID, "no picture is %lld x %lld", (long long)o->width,
                           (long long)o->height);
    o->steps = o->steps ? o->steps : DEFAULT_STEPS;
    o->rate = o->rate > 0 ? o->rate : 0.03f;
    o->decay = o->decay == 0 ? 0.01f : fmaxf(o->decay, 0);
    o->blur = o->blur == 0 ? 1.5f : fmaxf(o->blur, 0);
    return LINNET_OK;
}

/* The size of the picture: the net's, where it is fixed. */
static linnet_status open_probe(ascent *a, linnet_session *session, const linnet_model *model)
{
    int64_t dims[LINNET_MAX_RANK] = {0}, wanted[2] = {a->o.height, a->o.width};
    uint32_t rank = model ? linnet_value_shape(model->net, model->image, dims) : 0;
    for (uint32_t i = 0; i < 2 && rank == 4; i++)
        if (dims[2 + i] == LINNET_FREE)
            dims[2 + i] = wanted[i] ? wanted[i] : DEFAULT_SIDE;
    linnet_status status = linnet_probe_open(&a->p, session, model, dims[1], dims[2], dims[3], 1);
    if (a->o.jitter == 0)
        a->o.jitter = (int32_t)(dims[3] / 16);
    return status;
}

static void start_picture(ascent *a)
{
    for (size_t i = 0; i < a->p.picture_count; i++)
        a->picture[i] = 0.5f + NOISE * (2.0f * linnet_philox_uniform(a->o.seed, 0, 0, i) - 1.0f);
}

static linnet_status allocate(ascent *a, linnet_maps *out)
{
    size_t longer = (size_t)(a->p.height > a->p.width ? a->p.height : a->p.width);
    linnet_status status = linnet_maps_new(a->p.context, a->p.channels, a->p.height, a->p.width, out);
    a->picture = out->data;
    a->moved = linnet_allocate(a->p.picture_count, sizeof(float));
    a->gradient = linnet_allocate(a->p.picture_count, sizeof(float));
    a->line = linnet_allocate(longer, sizeof(float));
    if (status == LINNET_OK && (!a->moved || !a->gradient || !a->line))
        status = linnet_fail(a->p.context, LINNET_OUT_OF_MEMORY, "no memory for the steps of a picture");
    return status;
}

/* The gradient that starts the backward pass: the mean over the channel's positions. */
static linnet_status make_seed(ascent *a)
{
    const linnet_maps *s = &a->shape;
    int64_t positions = s->height * s->width;
    if (a->unit < 0 || a->unit >= s->channels)
        return linnet_fail(a->p.context, LINNET_INVALID, "there is no unit %lld: they are numbered 0 to %lld",
                           (long long)a->unit, (long long)s->channels - 1);
    a->seed = linnet_allocate((size_t)(s->channels * positions), sizeof(float));
    if (!a->seed)
        return linnet_fail(a->p.context, LINNET_OUT_OF_MEMORY, "no memory for a gradient");
    for (int64_t i = 0; i < positions; i++)
        a->seed[a->unit * positions + i] = 1.0f / (float)positions;
    return LINNET_OK;
}

/* out[y][x] = in[y - down][x - right], around the edges. */
static void roll(const ascent *a, const float *in, int64_t down, int64_t right, float *out)
{
    int64_t height = a->p.height, width = a->p.width;
    for (int64_t c = 0; c < a->p.channels; c++)
        for (int64_t y = 0; y < height; y++) {
            const float *from = in + (c * height + y) * width;
            float *to = out + (c * height + (y + down + height) % height) * width;
            for (int64_t x = 0; x < width; x++)
                to[(x + right + width) % width] = from[x];
        }
}

/* The mean of the channel's map in the last forward. */
static linnet_status read_value(ascent *a)
{
    linnet_maps maps;
    double sum = 0;
    linnet_status status = linnet_probe_read(&a->p, a->target, &maps);
    if (status != LINNET_OK)
        return status;
    int64_t positions = maps.height * maps.width;
    for (int64_t i = 0; i < positions; i++)
        sum += (double)maps.data[a->unit * positions + i];
    a->value = (float)(sum / (double)positions);
    linnet_maps_free(&maps);
    return LINNET_OK;
}

static int64_t random_shift(const ascent *a, uint32_t stream, uint64_t step, int64_t side)
{
    int64_t most = a->o.jitter > 0 ? a->o.jitter : 0;
    most = most < side - 1 ? most : side - 1;
    return (int64_t)((float)(2 * most + 1) * linnet_philox_uniform(a->o.seed, stream, step, 0)) - most;
}

/* Along the gradient of a's moved picture, and everything else that a step does. */
static void climb(ascent *a, int64_t down, int64_t right, double done)
{
    double sum = 0;
    for (size_t i = 0; i < a->p.picture_count; i++)
        sum += fabs((double)a->gradient[i]);
    float length = sum > 0 ? a->o.rate / (float)(sum / (double)a->p.picture_count) : 0;
    for (size_t i = 0; i < a->p.picture_count; i++) {
        float value = a->moved[i] + length * a->gradient[i];
        a->moved[i] = 0.5f + (1 - a->o.decay) * (value - 0.5f);
    }
    linnet_blur(a->moved, a->p.channels, a->p.height, a->p.width, a->o.blur * (float)(1 - done * 2 / 3), a->line);
    roll(a, a->moved, -down, -right, a->picture);
    for (size_t i = 0; i < a->p.picture_count; i++)
        a->picture[i] = fminf(fmaxf(a->picture[i], 0), 1);
}

static linnet_status step(ascent *a, uint32_t number)
{
    int64_t down = random_shift(a, 1, number, a->p.height), right = random_shift(a, 2, number, a->p.width);
    roll(a, a->picture, down, right, a->moved);
    linnet_status status = linnet_probe_forward(&a->p, a->moved, 1);
    if (status == LINNET_OK && !a->seed) {
        status = linnet_probe_shape(&a->p, a->target, &a->shape);
        status = status == LINNET_OK ? make_seed(a) : status;
    }
    if (status == LINNET_OK)
        status = linnet_probe_backward(&a->p, a->target, a->seed,
                                       (size_t)(a->shape.channels * a->shape.height * a->shape.width));
    if (status == LINNET_OK)
        status = linnet_probe_picture_gradient(&a->p, a->gradient);
    if (status == LINNET_OK)
        climb(a, down, right, (double)number / a->o.steps);
    if (status == LINNET_OK && a->o.progress && a->o.progress(a->o.user, number + 1, a->o.steps))
        status = linnet_fail(a->p.context, LINNET_INTERRUPTED, "the ascent was interrupted");
    return status;
}

linnet_status linnet_unit_maximise_with(linnet_session *session, const linnet_model *model, linnet_value layer,
                                        int64_t unit, const linnet_maximise_options *options, linnet_maps *out_picture,
                                        float *out_value)
{
    ascent a = {.unit = unit};
    memset(out_picture, 0, sizeof *out_picture);
    linnet_status status = linnet_session_check(session);
    if (status == LINNET_OK)
        status = take_options(&a, linnet_session_net(session)->context, options);
    if (status == LINNET_OK)
        status = open_probe(&a, session, model);
    if (status == LINNET_OK) {
        a.target = before_relu(model->net, layer);
        status = linnet_probe_differentiate(&a.p, a.target);
    }
    if (status == LINNET_OK)
        status = allocate(&a, out_picture);
    if (status == LINNET_OK)
        start_picture(&a);
    for (uint32_t i = 0; i < a.o.steps && status == LINNET_OK; i++)
        status = step(&a, i);
    if (status == LINNET_OK)
        status = linnet_probe_forward(&a.p, a.picture, 1);
    if (status == LINNET_OK)
        status = read_value(&a);
    if (status == LINNET_OK && out_value)
        *out_value = a.value;
    if (status != LINNET_OK)
        linnet_maps_free(out_picture);
    linnet_release(a.moved);
    linnet_release(a.gradient);
    linnet_release(a.seed);
    linnet_release(a.line);
    linnet_probe_close(&a.p);
    return status;
}
