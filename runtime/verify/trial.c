/* SPDX-License-Identifier: Apache-2.0 */
/* One candidate of one desc: asked for, planned, run forwards or backwards on an arena. */
#include "harness.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST_SAMPLES = 256 };

/* Where the tensors of a run lie in the arena; -1: absent. */
typedef struct places {
    int32_t inputs[LINNET_MAX_INPUTS], outputs[LINNET_MAX_OUTPUTS], parameters[LINNET_MAX_PARAMETERS];
    int32_t states[LINNET_MAX_STATES], saved[LINNET_MAX_SAVED], output_gradients[LINNET_MAX_OUTPUTS];
    int32_t input_gradients[LINNET_MAX_INPUTS], parameter_gradients[LINNET_MAX_PARAMETERS], workspace;
} places;

void linnet_trial_begin(linnet_trial *t, linnet_arena *arena, const linnet_case *problem, linnet_direction direction)
{
    *t = (linnet_trial){.check = arena->check, .arena = arena, .problem = problem};
    t->ops = arena->device->backend->layer_ops(arena->device->handle, problem->layer->kind);
    t->desc = linnet_case_desc(problem, direction);
    memcpy(t->inputs, problem->inputs, sizeof t->inputs);
    memcpy(t->outputs, problem->outputs, sizeof t->outputs);
    memcpy(t->parameters, problem->parameters, sizeof t->parameters);
    memcpy(t->states, problem->states, sizeof t->states);
    t->desc.inputs = t->inputs;
    t->desc.outputs = t->outputs;
    t->desc.parameters = t->parameters;
    t->desc.states = t->states;
}

linnet_status linnet_trial_candidate(linnet_trial *t, uint32_t index)
{
    linnet_candidate *c = &t->candidate;
    if (!t->ops)
        return LINNET_END;
    *c = (linnet_candidate){.struct_size = sizeof *c};
    for (uint32_t i = 0; i < t->desc.input_count; i++)
        c->input_formats[i] = t->inputs[i].format;
    for (uint32_t i = 0; i < t->desc.output_count; i++)
        c->output_formats[i] = t->outputs[i].format;
    for (uint32_t i = 0; i < t->desc.parameter_count; i++)
        c->parameter_formats[i] = t->parameters[i].format;
    linnet_status status = t->ops->candidate(t->arena->device->handle, &t->desc, index, c);
    if (status == LINNET_END)
        return status;
    if (!linnet_check_status(t->check, t->arena->device, status, "candidate"))
        return status;
    const char *wrong = !c->name || !*c->name ? "no name"
                        : c->refusal          ? NULL
                        : c->numerics < LINNET_NUMERICS_DIRECT || c->numerics > LINNET_NUMERICS_REDUCED
                            ? "no numerics class"
                        : c->saved_count > LINNET_MAX_SAVED ? "too many saved tensors"
                        : c->alias && !c->in_place          ? "alias without in_place"
                                                            : NULL;
    if (wrong) {
        linnet_check_fail(t->check, "candidate %u ('%s'): %s", index, c->name ? c->name : "", wrong);
        return LINNET_INTERNAL;
    }
    return LINNET_OK;
}

void linnet_trial_formats(linnet_trial *t)
{
    const linnet_candidate *c = &t->candidate;
    for (uint32_t i = 0; i < t->desc.input_count; i++)
        t->inputs[i].format = c->input_formats[i];
    for (uint32_t i = 0; i < t->desc.output_count; i++)
        t->outputs[i].format = c->output_formats[i];
    for (uint32_t i = 0; i < t->desc.parameter_count; i++)
        t->parameters[i].format = c->parameter_formats[i];
}

bool linnet_trial_plan(linnet_trial *t)
{
    linnet_trial_formats(t);
    return linnet_check_status(t->check, t->arena->device,
                               t->ops->plan(t->arena->device->handle, &t->desc, t->candidate.name, &t->plan), "plan");
}

void linnet_trial_end(linnet_trial *t)
{
    if (t->plan)
        t->ops->plan_free(t->plan);
    t->plan = NULL;
}

static void clear_places(places *p)
{
    memset(p, 0xff, sizeof *p);
}

static int32_t place_bytes(linnet_arena *arena, uint64_t bytes, const void *contents)
{
    return bytes ? linnet_arena_bytes(arena, bytes, contents) : -1;
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static int compare_seconds(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Seconds a run, of count runs in a row. */
static linnet_status run_batch(linnet_trial *t, const linnet_layer_args *args, uint64_t count, double *out_seconds)
{
    linnet_status status = LINNET_OK;
    double start = now();
    for (uint64_t i = 0; i < count && !status; i++)
        status = t->ops->run(t->plan, t->arena->queue, args);
    status = status ? status : t->arena->device->backend->finish(t->arena->queue);
    *out_seconds = (now() - start) / (double)count;
    return status;
}

/* Batches grow to a 64th of the time, so that the clock and waiting for the device do not count. A quarter of the time
   warms up (threads that just woke may share a core for tens of milliseconds); then as many as fit into the time. */
static linnet_status measure(linnet_trial *t, const linnet_layer_args *args)
{
    double samples[MOST_SAMPLES], batch = 0;
    uint32_t taken = 0;
    uint64_t count = 1;
    linnet_status status = t->arena->device->backend->finish(t->arena->queue);
    double start = now();
    for (; !status; count *= 2) {
        status = run_batch(t, args, count, &batch);
        if (count == 1 && t->give_up > 0 && batch > t->give_up) {
            double again = batch; /* something else may have run in between */
            status = status ? status : run_batch(t, args, 1, &again);
            batch = again < batch ? again : batch;
            t->fastest = t->median = batch;
            if (status || batch > t->give_up)
                return status;
        }
        if (batch * (double)count >= t->seconds / 64)
            break;
    }
    while (!status && now() - start < t->seconds / 4)
        status = run_batch(t, args, count, &batch);
    start = now();
    while (!status && taken < MOST_SAMPLES && (taken < 3 || now() - start < t->seconds))
        status = run_batch(t, args, count, &samples[taken++]);
    if (status)
        return status;
    qsort(samples, taken, sizeof samples[0], compare_seconds);
    t->fastest = samples[0];
    t->median = samples[taken / 2];
    return LINNET_OK;
}

/* Of one tensor between dense NCHW and its format, in the direction in which a run needs it. */
static double conversion_seconds(linnet_arena *arena, int32_t slot)
{
    const linnet_slot *s = slot < 0 ? NULL : &arena->slots[slot];
    if (!s || s->staging < 0)
        return 0;
    const linnet_backend *backend = arena->device->backend;
    double least = 1e30;
    int32_t from = s->filled ? s->staging : slot, to = s->filled ? slot : s->staging;
    for (int i = 0; i < 5; i++) {
        double start = now();
        if (backend->convert(arena->queue, &arena->slots[to].desc, linnet_arena_view(arena, to),
                             &arena->slots[from].desc, linnet_arena_view(arena, from)) ||
            backend->finish(arena->queue))
            return 0;
        least = now() - start < least ? now() - start : least;
    }
    return least;
}

static double list_conversions(linnet_arena *arena, const int32_t *slots, uint32_t count)
{
    double sum = 0;
    for (uint32_t i = 0; i < count; i++)
        sum += conversion_seconds(arena, slots[i]);
    return sum;
}

static linnet_status measure_all(linnet_trial *t, const places *p, const linnet_layer_args *args)
{
    linnet_status status = measure(t, args);
    if (!status)
        t->conversion = list_conversions(t->arena, p->inputs, t->desc.input_count) +
                        list_conversions(t->arena, p->outputs, t->desc.output_count) +
                        list_conversions(t->arena, p->output_gradients, t->desc.output_count) +
                        list_conversions(t->arena, p->input_gradients, t->desc.input_count);
    if (!status)
        t->packing = list_conversions(t->arena, p->parameters, t->desc.parameter_count);
    return status;
}

static bool run(linnet_trial *t, const places *p, linnet_layer_args *args)
{
    linnet_arena *arena = t->arena;
    struct {
        const int32_t *slots;
        linnet_view views[LINNET_MAX_INPUTS];
        uint32_t count;
        const linnet_view **out;
    } arrays[] = {{p->inputs, {{0}}, t->desc.input_count, &args->inputs},
                  {p->outputs, {{0}}, t->desc.output_count, &args->outputs},
                  {p->parameters, {{0}}, t->desc.parameter_count, &args->parameters},
                  {p->states, {{0}}, t->desc.state_count, &args->states},
                  {p->saved, {{0}}, args->saved_count, &args->saved},
                  {p->output_gradients, {{0}}, t->desc.output_count, &args->output_gradients},
                  {p->input_gradients, {{0}}, t->desc.input_count, &args->input_gradients},
                  {p->parameter_gradients, {{0}}, t->desc.parameter_count, &args->parameter_gradients}};
    if (!linnet_arena_upload(arena))
        return false;
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        for (uint32_t j = 0; j < arrays[i].count; j++)
            arrays[i].views[j] = linnet_arena_view(arena, arrays[i].slots[j]);
        *arrays[i].out = arrays[i].views;
    }
    args->struct_size = sizeof *args;
    args->node = LINNET_CHECK_NODE;
    args->seed = LINNET_CHECK_SEED(t->check->seed);
    args->step = LINNET_CHECK_STEP;
    args->workspace = linnet_arena_view(arena, p->workspace);
    t->check->result->runs++;
    linnet_status status = t->ops->run(t->plan, arena->queue, args);
    if (!status && t->seconds > 0)
        status = measure_all(t, p, args);
    return linnet_check_status(t->check, arena->device, status, "run") && linnet_arena_download(arena);
}

bool linnet_trial_forward(linnet_trial *t, const linnet_values *operands, int32_t in_place, linnet_values *out)
{
    linnet_arena *arena = t->arena;
    linnet_layer_args args = {.saved_count = t->desc.differentiate ? t->candidate.saved_count : 0};
    places p;
    clear_places(&p);
    linnet_arena_reset(arena);
    for (uint32_t i = 0; i < t->desc.input_count; i++)
        p.inputs[i] = linnet_arena_tensor(arena, &t->inputs[i], operands->inputs[i]);
    for (uint32_t i = 0; i < t->desc.parameter_count; i++)
        p.parameters[i] = linnet_arena_tensor(arena, &t->parameters[i], operands->parameters[i]);
    for (uint32_t i = 0; i < t->desc.state_count; i++) {
        p.states[i] = linnet_arena_tensor(arena, &t->states[i], operands->states[i]);
        if (t->desc.behaviour == LINNET_TRAIN)
            linnet_arena_writes(arena, p.states[i]);
    }
    for (uint32_t i = 0; i < t->desc.output_count; i++) {
        p.outputs[i] = i == 0 && in_place >= 0 ? p.inputs[in_place] : linnet_arena_tensor(arena, &t->outputs[i], NULL);
        linnet_arena_writes(arena, p.outputs[i]);
    }
    for (uint32_t i = 0; i < args.saved_count; i++)
        p.saved[i] = place_bytes(arena, t->candidate.saved_bytes[i], NULL);
    p.workspace = place_bytes(arena, t->candidate.workspace_bytes, NULL);
    if (!run(t, &p, &args))
        return false;
    for (uint32_t i = 0; i < t->desc.output_count; i++)
        linnet_arena_values(arena, p.outputs[i], out->outputs[i]);
    for (uint32_t i = 0; i < t->desc.state_count; i++)
        linnet_arena_values(arena, p.states[i], out->states[i]);
    for (uint32_t i = 0; i < args.saved_count && i < out->saved_count; i++)
        linnet_arena_values(arena, p.saved[i], out->saved[i]);
    return true;
}

/* What backward reads of the forward run: only what the candidate says. */
static void place_operands(linnet_trial *t, const linnet_values *operands, places *p, uint32_t saved_count)
{
    const linnet_candidate *c = &t->candidate;
    for (uint32_t i = 0; i < t->desc.input_count; i++)
        if (c->reads_inputs >> i & 1)
            p->inputs[i] = linnet_arena_tensor(t->arena, &t->inputs[i], operands->inputs[i]);
    for (uint32_t i = 0; i < t->desc.output_count; i++)
        if (c->reads_outputs >> i & 1)
            p->outputs[i] = linnet_arena_tensor(t->arena, &t->outputs[i], operands->outputs[i]);
    for (uint32_t i = 0; i < t->desc.parameter_count; i++)
        if (c->reads_parameters >> i & 1)
            p->parameters[i] = linnet_arena_tensor(t->arena, &t->parameters[i], operands->parameters[i]);
    for (uint32_t i = 0; i < t->desc.state_count; i++)
        p->states[i] = linnet_arena_tensor(t->arena, &t->states[i], operands->states[i]);
    for (uint32_t i = 0; i < saved_count; i++)
        if (c->reads_saved >> i & 1)
            p->saved[i] = place_bytes(t->arena, operands->saved_bytes[i], operands->saved[i]);
    for (uint32_t i = 0; i < t->desc.output_count; i++)
        p->output_gradients[i] = linnet_arena_tensor(t->arena, &t->outputs[i], operands->output_gradients[i]);
}

bool linnet_trial_backward(linnet_trial *t, const linnet_values *operands, uint32_t accumulate_inputs,
                           uint32_t accumulate_parameters, int32_t in_place, linnet_values *out)
{
    linnet_arena *arena = t->arena;
    linnet_layer_args args = {.accumulate_inputs = accumulate_inputs,
                              .accumulate_parameters = accumulate_parameters,
                              .saved_count = operands->saved_count};
    places p;
    clear_places(&p);
    linnet_arena_reset(arena);
    place_operands(t, operands, &p, args.saved_count);
    for (uint32_t i = 0; i < t->desc.input_count; i++)
        if (t->desc.want_inputs >> i & 1) {
            const float *start = accumulate_inputs >> i & 1 ? operands->input_gradients[i] : NULL;
            p.input_gradients[i] =
                (int32_t)i == in_place ? p.output_gradients[0] : linnet_arena_tensor(arena, &t->inputs[i], start);
            linnet_arena_writes(arena, p.input_gradients[i]);
        }
    for (uint32_t i = 0; i < t->desc.parameter_count; i++)
        if (t->desc.want_parameters >> i & 1) {
            const float *start = accumulate_parameters >> i & 1 ? operands->parameter_gradients[i] : NULL;
            p.parameter_gradients[i] = linnet_arena_tensor(arena, &t->problem->parameters[i], start);
            linnet_arena_writes(arena, p.parameter_gradients[i]);
        }
    p.workspace = place_bytes(arena, t->candidate.workspace_bytes, NULL);
    if (!run(t, &p, &args))
        return false;
    for (uint32_t i = 0; i < t->desc.input_count; i++)
        linnet_arena_values(arena, p.input_gradients[i], out->input_gradients[i]);
    for (uint32_t i = 0; i < t->desc.parameter_count; i++)
        linnet_arena_values(arena, p.parameter_gradients[i], out->parameter_gradients[i]);
    return true;
}
