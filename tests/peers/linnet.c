/* SPDX-License-Identifier: Apache-2.0 */
/* Linnet's plugin, driven as the runtime drives it: candidates asked for, planned, run on tensors in their formats. */
#include "peers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A tensor on the device, and where its dense NCHW copy lies when it has another format. */
typedef struct tensor {
    linnet_tensor_desc desc;
    linnet_backend_buffer *buffer, *dense;
} tensor;

typedef struct step {
    linnet_layer_desc desc; /* points to formats' arrays */
    linnet_candidate candidate;
    linnet_backend_plan *plan;
    linnet_backend_buffer *workspace;
} step;

typedef struct state {
    linnet_device *device;
    linnet_backend_queue *queue;
    const linnet_layer_ops *ops;
    linnet_tensor_desc x_desc, y_desc, parameter_desc[2];
    step forward, backward;
    tensor x, y, dx, dy, parameters[2], gradients[2];
    linnet_backend_buffer *saved[LINNET_MAX_SAVED];
    peer_direction direction;
    bool alone; /* activations are converted from and to NCHW in every run */
    size_t result_count;
    char how[96];
} state;

/* ---- Candidates ---- */

static bool candidate_at(const state *s, const linnet_layer_desc *desc, uint32_t index, linnet_candidate *out)
{
    *out = (linnet_candidate){.struct_size = sizeof *out};
    out->input_formats[0] = desc->inputs[0].format;
    out->output_formats[0] = desc->outputs[0].format;
    return s->ops->candidate(s->device->handle, desc, index, out) == LINNET_OK;
}

/* The first that accepts; of name where one of that name does. */
static bool pick(const state *s, const linnet_layer_desc *desc, const char *name, linnet_candidate *out)
{
    linnet_candidate c;
    bool found = false;
    for (uint32_t i = 0; candidate_at(s, desc, i, &c); i++) {
        bool named = name && strcmp(c.name, name) == 0;
        if (!c.refusal && (!found || named)) {
            *out = c;
            found = true;
            if (!name || named)
                return true;
        }
    }
    return found;
}

static uint32_t format_of(const linnet_device *device, const char *name)
{
    for (uint32_t f = 0; name && device->backend->format_name && f < 256; f++) {
        const char *other = device->backend->format_name(LINNET_FORMAT_PRIVATE + f);
        if (other && strcmp(other, name) == 0)
            return LINNET_FORMAT_PRIVATE + f;
    }
    return LINNET_FORMAT_NCHW;
}

/* Asks twice: in NCHW, then with the tensors as the answer wants them, which is how they arrive inside a network. */
static bool settle(state *s, step *t, const peer_settings *settings)
{
    s->x_desc.format = s->y_desc.format = format_of(s->device, settings->format);
    for (int time = 0; time < 2; time++) {
        if (!pick(s, &t->desc, settings->candidate, &t->candidate))
            return false;
        s->x_desc.format = t->candidate.input_formats[0];
        s->y_desc.format = t->candidate.output_formats[0];
    }
    return true;
}

static bool plan(state *s, step *t)
{
    for (uint32_t i = 0; i < t->desc.parameter_count; i++)
        s->parameter_desc[i].format = t->candidate.parameter_formats[i];
    return s->ops->plan(s->device->handle, &t->desc, t->candidate.name, &t->plan) == LINNET_OK &&
           (!t->candidate.workspace_bytes ||
            s->device->backend->buffer_new(s->device->handle, t->candidate.workspace_bytes, &t->workspace) ==
                LINNET_OK);
}

/* ---- Tensors ---- */

static bool tensor_new(const state *s, const linnet_tensor_desc *desc, const float *values, tensor *out)
{
    const linnet_backend *b = s->device->backend;
    uint64_t dense = (uint64_t)linnet_desc_count(desc) * sizeof(float), bytes = dense;
    linnet_tensor_desc plain = *desc;
    plain.format = LINNET_FORMAT_NCHW;
    out->desc = *desc;
    bool other = desc->format != LINNET_FORMAT_NCHW;
    if (other && b->format_bytes(s->device->handle, desc, &bytes) != LINNET_OK)
        return false;
    if (b->buffer_new(s->device->handle, bytes, &out->buffer) != LINNET_OK ||
        (other && b->buffer_new(s->device->handle, dense, &out->dense) != LINNET_OK))
        return false;
    linnet_view view = {out->buffer, 0}, source = {other ? out->dense : out->buffer, 0};
    if (!values)
        return b->fill(s->queue, view, 0, bytes & ~UINT64_C(3)) == LINNET_OK;
    return b->upload(s->queue, source, values, dense, NULL) == LINNET_OK &&
           (!other || b->convert(s->queue, desc, view, &plain, source) == LINNET_OK);
}

static void tensor_free(const state *s, tensor *t)
{
    s->device->backend->buffer_free(t->buffer);
    s->device->backend->buffer_free(t->dense);
}

/* Between the device's format and NCHW; nothing to do where that is the format. */
static bool convert(const state *s, const tensor *t, bool to_dense)
{
    linnet_tensor_desc plain = t->desc;
    plain.format = LINNET_FORMAT_NCHW;
    linnet_view dense = {t->dense, 0}, own = {t->buffer, 0};
    if (!t->dense)
        return true;
    return (to_dense ? s->device->backend->convert(s->queue, &plain, dense, &t->desc, own)
                     : s->device->backend->convert(s->queue, &t->desc, own, &plain, dense)) == LINNET_OK;
}

/* ---- Running ---- */

static linnet_view view_of(const tensor *t)
{
    return (linnet_view){t->buffer, 0};
}

static bool execute(const state *s, const step *t)
{
    linnet_view x = view_of(&s->x), y = view_of(&s->y), dx = view_of(&s->dx), dy = view_of(&s->dy);
    linnet_view parameters[2] = {view_of(&s->parameters[0]), view_of(&s->parameters[1])};
    linnet_view gradients[2] = {view_of(&s->gradients[0]), view_of(&s->gradients[1])}, saved[LINNET_MAX_SAVED] = {{0}};
    uint32_t count = s->forward.desc.differentiate ? s->forward.candidate.saved_count : 0;
    for (uint32_t i = 0; i < count; i++)
        saved[i].buffer = s->saved[i];
    linnet_layer_args args = {.struct_size = sizeof args,
                              .saved_count = count,
                              .inputs = &x,
                              .outputs = &y,
                              .parameters = parameters,
                              .saved = saved,
                              .states = saved,
                              .output_gradients = &dy,
                              .input_gradients = &dx,
                              .parameter_gradients = gradients,
                              .workspace = {t->workspace, 0}};
    return s->ops->run(t->plan, s->queue, &args) == LINNET_OK;
}

static bool run(void *memory)
{
    state *s = memory;
    const tensor *in = s->direction == PEER_FORWARD ? &s->x : &s->dy;
    const tensor *out = s->direction == PEER_FORWARD ? &s->y : &s->dx;
    bool done = true;
    if (s->alone)
        done = convert(s, in, false) && (s->direction != PEER_WEIGHTS || convert(s, &s->x, false));
    done = done && execute(s, s->direction == PEER_FORWARD ? &s->forward : &s->backward);
    if (s->alone && s->direction != PEER_WEIGHTS)
        done = done && convert(s, out, true);
    return done && s->device->backend->finish(s->queue) == LINNET_OK;
}

static bool result(void *memory, float *out)
{
    state *s = memory;
    const tensor *t = s->direction == PEER_FORWARD ? &s->y : s->direction == PEER_DATA ? &s->dx : &s->gradients[0];
    linnet_view view = {t->dense ? t->dense : t->buffer, 0};
    return convert(s, t, true) &&
           s->device->backend->read(s->queue, view, out, s->result_count * sizeof(float), NULL) == LINNET_OK;
}

/* ---- Opening ---- */

static void step_free(const state *s, step *t)
{
    if (t->plan)
        s->ops->plan_free(t->plan);
    s->device->backend->buffer_free(t->workspace);
}

static void close_state(void *memory)
{
    state *s = memory;
    if (!s)
        return;
    step_free(s, &s->forward);
    step_free(s, &s->backward);
    tensor *all[] = {&s->x,           &s->y, &s->dx, &s->dy, &s->parameters[0], &s->parameters[1], &s->gradients[0],
                     &s->gradients[1]};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        tensor_free(s, all[i]);
    for (uint32_t i = 0; i < LINNET_MAX_SAVED; i++)
        s->device->backend->buffer_free(s->saved[i]);
    s->device->backend->queue_free(s->queue);
    free(s);
}

static void describe(state *s, const peer_problem *p, step *t, linnet_direction direction)
{
    t->desc = linnet_case_desc(p->layer, direction);
    t->desc.inputs = &s->x_desc;
    t->desc.outputs = &s->y_desc;
    t->desc.parameters = s->parameter_desc;
    t->desc.differentiate = p->direction != PEER_FORWARD;
    t->desc.behaviour = p->direction != PEER_FORWARD ? LINNET_TRAIN : LINNET_EVALUATE;
    t->desc.forward = s->forward.candidate.name;
    t->desc.want_inputs = p->direction == PEER_DATA;
    t->desc.want_parameters = p->direction == PEER_WEIGHTS ? (1u << t->desc.parameter_count) - 1 : 0;
}

static bool open_forward(state *s, const peer_problem *p, const peer_settings *settings)
{
    describe(s, p, &s->forward, LINNET_FORWARD);
    if (settings->train) {
        s->forward.desc.differentiate = 1;
        s->forward.desc.behaviour = LINNET_TRAIN;
    }
    if (!settle(s, &s->forward, settings) || !plan(s, &s->forward))
        return false;
    const float *values[] = {p->weight, p->bias};
    for (uint32_t i = 0; i < s->forward.desc.parameter_count; i++)
        if (!tensor_new(s, &s->parameter_desc[i], values[i], &s->parameters[i]))
            return false;
    for (uint32_t i = 0; i < s->forward.candidate.saved_count; i++)
        if (s->device->backend->buffer_new(s->device->handle, s->forward.candidate.saved_bytes[i], &s->saved[i]))
            return false;
    return tensor_new(s, &s->x_desc, p->x, &s->x) && tensor_new(s, &s->y_desc, NULL, &s->y) && execute(s, &s->forward);
}

/* The formats of the forward run may not be those that backward likes: then its tensors are made anew. */
static bool open_backward(state *s, const peer_problem *p, const peer_settings *settings)
{
    describe(s, p, &s->backward, LINNET_BACKWARD);
    for (uint32_t i = 0; i < s->forward.desc.parameter_count; i++) {
        tensor_free(s, &s->parameters[i]);
        s->parameters[i] = (tensor){.buffer = NULL};
        s->parameter_desc[i].format = LINNET_FORMAT_NCHW;
    }
    if (!pick(s, &s->backward.desc, settings->candidate, &s->backward.candidate))
        return false;
    s->x_desc.format = s->backward.candidate.input_formats[0];
    s->y_desc.format = s->backward.candidate.output_formats[0];
    if (!plan(s, &s->backward))
        return false;
    const float *values[] = {p->weight, p->bias};
    for (uint32_t i = 0; i < s->backward.desc.parameter_count; i++)
        if (!tensor_new(s, &s->parameter_desc[i], values[i], &s->parameters[i]) ||
            (p->direction == PEER_WEIGHTS && !tensor_new(s, &p->layer->parameters[i], NULL, &s->gradients[i])))
            return false;
    tensor_free(s, &s->x);
    s->x = (tensor){.buffer = NULL};
    return tensor_new(s, &s->x_desc, p->x, &s->x) && tensor_new(s, &s->y_desc, p->dy, &s->dy) &&
           (p->direction != PEER_DATA || tensor_new(s, &s->x_desc, NULL, &s->dx));
}

static void say_how(state *s)
{
    const step *t = s->direction == PEER_FORWARD ? &s->forward : &s->backward;
    const linnet_backend *b = s->device->backend;
    const char *in = b->format_name ? b->format_name(s->x_desc.format) : NULL;
    snprintf(s->how, sizeof s->how, "%s %s", t->candidate.name, in ? in : "nchw");
}

static state *open_as(const peer_problem *p, const peer_settings *settings, bool alone, const char **out_how)
{
    state *s = calloc(1, sizeof *s);
    *out_how = "out of memory";
    if (!s)
        return NULL;
    s->device = settings->device;
    s->direction = p->direction;
    s->alone = alone;
    s->result_count = p->result_count;
    s->x_desc = p->layer->inputs[0];
    s->y_desc = p->layer->outputs[0];
    memcpy(s->parameter_desc, p->layer->parameters, sizeof s->parameter_desc);
    s->ops = s->device->backend->layer_ops(s->device->handle, p->layer->layer->kind);
    bool done = s->ops && s->device->backend->queue_new(s->device->handle, 0, &s->queue) == LINNET_OK &&
                open_forward(s, p, settings) && (p->direction == PEER_FORWARD || open_backward(s, p, settings));
    *out_how = "refused";
    if (done) {
        say_how(s);
        *out_how = s->how;
        return s;
    }
    close_state(s);
    return NULL;
}

static void *open_inside(const peer_problem *problem, const peer_settings *settings, const char **out_how)
{
    return open_as(problem, settings, false, out_how);
}

static void *open_alone(const peer_problem *problem, const peer_settings *settings, const char **out_how)
{
    return open_as(problem, settings, true, out_how);
}

const peer_engine peer_linnet = {"linnet", open_inside, run, result, close_state, false};
const peer_engine peer_linnet_alone = {"linnet-nchw", open_alone, run, result, close_state, false};
