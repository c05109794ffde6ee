/* SPDX-License-Identifier: Apache-2.0 */
#include "measure.h"

#include "harness.h"

#include <stdio.h>
#include <string.h>

/* Elements of all tensors of a layer: the harness keeps several copies of them. */
#define MOST_ELEMENTS (INT64_C(1) << 26)

/* Both what is measured and what it is compared with may be off. */
#define BOTH_OFF 2

typedef struct measurement {
    linnet_check check;
    linnet_verify_result result;
    linnet_arena arena;
    linnet_case problem;
    linnet_values operands, expected, scale, got;
    double seconds, fastest[3]; /* of the layer's forward, gradient of inputs, of parameters alone, so far */
    linnet_epilogue epilogue[LINNET_MAX_EPILOGUE]; /* that expected is with */
    uint32_t epilogue_count;
} measurement;

void linnet_measured_bind(linnet_measured *m)
{
    m->desc.inputs = m->inputs;
    m->desc.outputs = m->outputs;
    m->desc.parameters = m->parameters;
    m->desc.states = m->states;
    m->desc.epilogue = m->epilogue;
    m->desc.attributes = m->attributes ? m->attributes : m->own.struct_size ? &m->own : NULL;
}

static int64_t dense(linnet_tensor_desc *out, const linnet_tensor_desc *descs, uint32_t count)
{
    int64_t elements = 0;
    for (uint32_t i = 0; i < count; i++) {
        out[i] = descs[i];
        out[i].format = LINNET_FORMAT_NCHW;
        out[i].outer_stride = 0;
        elements += linnet_desc_count(&out[i]);
    }
    return elements;
}

/* The layer of a desc without its epilogue, as the harness has it; false: it is too large. */
static bool case_of(const linnet_layer_desc *d, linnet_case *out)
{
    *out = (linnet_case){.text = "tuning",
                         .layer = linnet_layer_find(d->kind),
                         .behaviour = (linnet_behaviour)d->behaviour,
                         .input_count = d->input_count,
                         .layer_inputs = d->input_count,
                         .output_count = d->output_count,
                         .parameter_count = d->parameter_count,
                         .state_count = d->state_count,
                         .amplitude = 1};
    if (d->attributes && out->layer->attributes_size) {
        memcpy(&out->attributes, d->attributes, out->layer->attributes_size);
        out->attributes_pointer = &out->attributes;
    }
    for (uint32_t i = 0; i < d->epilogue_count; i++)
        out->layer_inputs -= d->epilogue[i].op == LINNET_EPILOGUE_ADD;
    int64_t elements = dense(out->inputs, d->inputs, d->input_count) + dense(out->outputs, d->outputs, d->output_count);
    elements += dense(out->parameters, d->parameters, d->parameter_count);
    dense(out->states, d->states, d->state_count);
    return elements <= MOST_ELEMENTS;
}

static void take_epilogue(linnet_case *c, const linnet_layer_desc *d)
{
    c->epilogue_count = d->epilogue_count;
    for (uint32_t i = 0; i < d->epilogue_count; i++)
        c->epilogue[i] = d->epilogue[i];
}

/* The trial of this name among those for tensors in these formats, planned. */
static bool plan_named(linnet_trial *t, const char *name, const linnet_tensor_desc *inputs,
                       const linnet_tensor_desc *outputs)
{
    for (uint32_t i = 0; i < t->desc.input_count; i++)
        t->inputs[i].format = inputs[i].format;
    for (uint32_t i = 0; i < t->desc.output_count; i++)
        t->outputs[i].format = outputs[i].format;
    for (uint32_t i = 0;; i++) {
        if (linnet_trial_candidate(t, i))
            return false;
        if (!t->candidate.refusal && strcmp(t->candidate.name, name) == 0)
            return linnet_trial_plan(t);
    }
}

static void compare_lists(measurement *m, const linnet_trial *t, linnet_role role, const linnet_tensor_desc *descs,
                          uint32_t count, uint32_t mask)
{
    double bound = BOTH_OFF * linnet_tolerance_bound(&m->problem, role, t->candidate.numerics, LINNET_FILL_RANDOM);
    for (uint32_t i = 0; i < count; i++) {
        float *got = role == LINNET_ROLE_OUTPUT           ? m->got.outputs[i]
                     : role == LINNET_ROLE_INPUT_GRADIENT ? m->got.input_gradients[i]
                                                          : m->got.parameter_gradients[i];
        float *wanted = role == LINNET_ROLE_OUTPUT           ? m->expected.outputs[i]
                        : role == LINNET_ROLE_INPUT_GRADIENT ? m->expected.input_gradients[i]
                                                             : m->expected.parameter_gradients[i];
        float *scale = role == LINNET_ROLE_OUTPUT           ? m->scale.outputs[i]
                       : role == LINNET_ROLE_INPUT_GRADIENT ? m->scale.input_gradients[i]
                                                            : m->scale.parameter_gradients[i];
        if (mask >> i & 1)
            linnet_compare(&m->check, "tensor", i, &descs[i], got, wanted, scale, NULL, bound);
    }
}

/* What an implementation that is much slower than another one takes need not be known well. */
static void set_time(measurement *m, linnet_trial *t, int direction)
{
    t->seconds = m->seconds;
    t->give_up = m->fastest[direction] > 0 ? 2 * m->fastest[direction] : 0;
}

static void take_time(measurement *m, const linnet_trial *t, int direction, uint32_t failures, linnet_measured *out)
{
    if (m->result.failures > failures) {
        out->outcome = LINNET_MEASURED_WRONG;
        return;
    }
    out->outcome = LINNET_MEASURED_TIMED;
    out->seconds = t->fastest;
    if (out->desc.behaviour == LINNET_TRAIN)
        out->seconds += t->packing; /* weights change with every step */
    if (m->fastest[direction] <= 0 || t->fastest < m->fastest[direction])
        m->fastest[direction] = t->fastest;
}

/* The epilogue changes what is expected. */
static bool expect(measurement *m, const linnet_layer_desc *d)
{
    take_epilogue(&m->problem, d);
    if (d->epilogue_count == m->epilogue_count &&
        memcmp(d->epilogue, m->epilogue, d->epilogue_count * sizeof d->epilogue[0]) == 0)
        return true;
    m->epilogue_count = d->epilogue_count;
    memcpy(m->epilogue, d->epilogue, d->epilogue_count * sizeof d->epilogue[0]);
    return linnet_expected_compute(&m->arena, &m->problem, &m->operands, &m->expected);
}

static void measure_forward(measurement *m, linnet_measured *item)
{
    linnet_trial t;
    uint32_t failures = m->result.failures;
    bool good = expect(m, &item->desc);
    linnet_trial_begin(&t, &m->arena, &m->problem, LINNET_FORWARD);
    t.desc.differentiate = item->desc.differentiate;
    set_time(m, &t, 0);
    if (good && plan_named(&t, item->candidate.name, item->inputs, item->outputs) &&
        linnet_values_saved(&m->check, &m->got, &t.candidate) && linnet_trial_forward(&t, &m->operands, -1, &m->got)) {
        compare_lists(m, &t, LINNET_ROLE_OUTPUT, m->problem.outputs, m->problem.output_count, ~0u);
        take_time(m, &t, 0, failures, item);
    }
    linnet_trial_end(&t);
    m->problem.epilogue_count = 0;
}

/* A forward by the implementation that the backward follows; its results are the backward's operands. */
static bool run_forward(measurement *m, const linnet_measured *item, linnet_values *out_operands)
{
    linnet_trial t;
    linnet_trial_begin(&t, &m->arena, &m->problem, LINNET_FORWARD);
    t.desc.differentiate = 1;
    bool good = plan_named(&t, item->desc.forward, item->inputs, m->problem.outputs) &&
                linnet_values_saved(&m->check, &m->got, &t.candidate) &&
                linnet_trial_forward(&t, &m->operands, -1, &m->got);
    linnet_trial_end(&t);
    *out_operands = m->operands; /* borrows */
    memcpy(out_operands->outputs, m->got.outputs, sizeof out_operands->outputs);
    memcpy(out_operands->saved, m->got.saved, sizeof out_operands->saved);
    memcpy(out_operands->saved_bytes, m->got.saved_bytes, sizeof out_operands->saved_bytes);
    out_operands->saved_count = m->got.saved_count;
    return good;
}

static void measure_backward(measurement *m, linnet_measured *item)
{
    linnet_trial t;
    linnet_values operands;
    uint32_t failures = m->result.failures;
    int direction = item->desc.want_inputs ? 1 : 2;
    bool good = run_forward(m, item, &operands);
    linnet_trial_begin(&t, &m->arena, &m->problem, LINNET_BACKWARD);
    t.desc.differentiate = 1;
    t.desc.forward = item->desc.forward;
    t.desc.want_inputs = item->desc.want_inputs;
    t.desc.want_parameters = item->desc.want_parameters;
    set_time(m, &t, direction);
    if (good && plan_named(&t, item->candidate.name, item->inputs, item->outputs) &&
        linnet_trial_backward(&t, &operands, 0, 0, -1, &m->got)) {
        compare_lists(m, &t, LINNET_ROLE_INPUT_GRADIENT, m->problem.inputs, m->problem.input_count,
                      item->desc.want_inputs);
        compare_lists(m, &t, LINNET_ROLE_PARAMETER_GRADIENT, m->problem.parameters, m->problem.parameter_count,
                      item->desc.want_parameters);
        take_time(m, &t, direction, failures, item);
    }
    linnet_trial_end(&t);
}

static bool prepare(measurement *m)
{
    linnet_case *c = &m->problem;
    if (!linnet_values_new(c, &m->operands) || !linnet_values_new(c, &m->expected) ||
        !linnet_values_new(c, &m->scale) || !linnet_values_new(c, &m->got))
        return false;
    linnet_values_fill(&m->operands, c, LINNET_FILL_RANDOM, m->check.seed);
    return linnet_expected_compute(&m->arena, c, &m->operands, &m->expected) &&
           linnet_expected_scale(&m->arena, c, &m->operands, &m->expected, &m->scale);
}

/* Of those that have the layer, and the same inputs: what an epilogue adds makes another case. */
static linnet_status measure_list(measurement *m, linnet_measured *list, size_t count, linnet_measure_stop *stop,
                                  void *context)
{
    size_t done = 0;
    for (uint32_t direction = LINNET_FORWARD; direction <= LINNET_BACKWARD; direction++)
        for (size_t i = 0; i < count; i++) {
            linnet_measured *item = &list[i];
            if (item->layer != list[0].layer || item->desc.direction != direction)
                continue;
            if (stop(context, done++))
                return LINNET_END;
            if (direction == LINNET_FORWARD)
                measure_forward(m, item);
            else
                measure_backward(m, item);
        }
    return LINNET_OK;
}

linnet_status linnet_measure_layer(linnet_device *device, linnet_measured *list, size_t count, double seconds,
                                   linnet_measure_stop *stop, void *context)
{
    linnet_status status = LINNET_OK;
    measurement *m = linnet_allocate(1, sizeof *m);
    if (!m)
        return linnet_fail(device->context, LINNET_OUT_OF_MEMORY, "no memory to measure a layer");
    m->result.size = sizeof m->result;
    m->seconds = seconds;
    linnet_check_begin(&m->check, device, device, "tuning", NULL, &m->result);
    m->check.trusts_only = true;
    if (case_of(&list[0].desc, &m->problem) && linnet_arena_open(&m->arena, &m->check, device)) {
        if (stop(context, 0))
            status = LINNET_END;
        else if (prepare(m))
            status = measure_list(m, list, count, stop, context);
        linnet_arena_close(&m->arena);
    }
    linnet_values_free(&m->operands);
    linnet_values_free(&m->expected);
    linnet_values_free(&m->scale);
    linnet_values_free(&m->got);
    linnet_release(m);
    return status;
}
