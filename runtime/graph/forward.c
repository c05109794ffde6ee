/* SPDX-License-Identifier: Apache-2.0 */
/* The forward steps of a plan. */
#include "session.h"

#include <string.h>

bool linnet_value_is_tapped(const linnet_compiler *c, uint32_t value)
{
    const linnet_session *s = c->session;
    return c->net->values[value].is_output || c->net->values[value].uses == 0 ||
           linnet_value_list_has(&s->settings.kept, value) || linnet_value_list_has(&s->settings.wanted, value) ||
           linnet_value_list_has(&s->settings.losses, value);
}

static bool gather_inputs(linnet_compiler *c, const linnet_node *node, linnet_plan_step *step)
{
    uint32_t fold_index = c->fold[step->node];
    const linnet_fold *fold = fold_index == LINNET_NONE ? NULL : &c->session->folds[fold_index];
    uint32_t values[LINNET_MAX_INPUTS];
    linnet_unit_inputs(c, step->node, values);
    for (uint32_t i = 0; i < step->desc.input_count; i++) {
        step->operands.inputs[i] = linnet_emit_instance(c, values[i], step->place, step->candidate.input_formats[i]);
        if (step->operands.inputs[i] == LINNET_NONE)
            return false;
    }
    for (uint32_t i = 0; i < step->desc.parameter_count; i++) {
        uint32_t format = step->candidate.parameter_formats[i];
        step->operands.parameters[i] = fold ? linnet_emit_variable(c, i ? fold->bias : fold->weight, format)
                                            : linnet_emit_value_variable(c, node->parameters[i], format);
        if (step->operands.parameters[i] == LINNET_NONE)
            return false;
    }
    for (uint32_t i = 0; i < node->state_count; i++)
        if ((step->operands.states[i] = linnet_emit_value_variable(c, node->states[i], LINNET_FORMAT_NCHW)) ==
            LINNET_NONE)
            return false;
    return true;
}

/* The whole that parts are written to: made with the first of them. */
static uint32_t make_whole(linnet_compiler *c, uint32_t concat, uint32_t place, uint32_t format)
{
    uint32_t value = c->net->nodes[concat].output, whole = linnet_emit_primary(c, value);
    if (whole != LINNET_NONE)
        return whole;
    linnet_tensor_desc desc = linnet_desc_of(&c->shapes[value]);
    desc.format = format;
    whole = linnet_emit_tensor(c, place, &desc);
    return whole != LINNET_NONE && linnet_emit_instance_add(c, value, whole) ? whole : LINNET_NONE;
}

static uint32_t make_output(linnet_compiler *c, uint32_t value, const linnet_plan_step *step)
{
    const linnet_slice *slice = &c->slices[value];
    if (slice->concat == LINNET_NO_NODE)
        return linnet_emit_tensor(c, step->place, &step->outputs[0]);
    uint32_t whole = make_whole(c, slice->concat, step->place, step->outputs[0].format);
    return whole == LINNET_NONE ? LINNET_NONE : linnet_emit_part(c, whole, &step->outputs[0], slice->offset);
}

static bool make_outputs(linnet_compiler *c, uint32_t n, linnet_plan_step *step)
{
    uint32_t value = linnet_fusion_output(c, n);
    step->operands.outputs[0] = make_output(c, value, step);
    if (step->operands.outputs[0] == LINNET_NONE || !linnet_emit_instance_add(c, value, step->operands.outputs[0]))
        return false;
    step->saved_count = step->candidate.saved_count;
    for (uint32_t i = 0; i < step->saved_count; i++)
        if (step->candidate.saved_bytes[i] && (step->operands.saved[i] = linnet_emit_bytes(
                                                   c, step->place, step->candidate.saved_bytes[i])) == LINNET_NONE)
            return false;
    if (step->candidate.workspace_bytes)
        step->operands.workspace = linnet_emit_bytes(c, step->place, step->candidate.workspace_bytes);
    return !step->candidate.workspace_bytes || step->operands.workspace != LINNET_NONE;
}

/* The candidate that formats.c chose, asked with the formats that it said it wants. */
static linnet_status choose(linnet_compiler *c, uint32_t n, linnet_plan_step *step)
{
    const linnet_choice *choice = c->choices[n];
    linnet_emit_describe_choice(c, n, step);
    linnet_status status = linnet_emit_choose(c, step, choice ? choice->name : NULL);
    if (status != LINNET_OK)
        linnet_release(step->refusals);
    if (choice)
        step->is_tuned = choice->is_tuned && step->time > 0;
    return status;
}

/* A concatenation whose parts are in their places: a step for those who read the plan. */
static linnet_status emit_sliced(linnet_compiler *c, uint32_t n)
{
    linnet_plan_step step;
    linnet_emit_describe_choice(c, n, &step);
    step.type = LINNET_STEP_NOTHING;
    step.operands.inputs[0] = linnet_emit_primary(c, c->net->nodes[n].inputs[0]);
    step.operands.outputs[0] = linnet_emit_primary(c, c->net->nodes[n].output);
    c->forward_step[n] = linnet_emit_append(c, &step);
    return c->forward_step[n] == LINNET_NONE ? LINNET_OUT_OF_MEMORY : LINNET_OK;
}

static linnet_status emit_node(linnet_compiler *c, uint32_t n)
{
    linnet_plan_step step;
    linnet_fusion fusion = c->fusions[n];
    if (c->is_sliced[n])
        return emit_sliced(c, n);
    linnet_status status = choose(c, n, &step);
    if (status != LINNET_OK && fusion.count > 0) { /* in these formats the device does not take the epilogue */
        linnet_fusion_undo(c, n);
        linnet_release(c->choices[n]);
        c->choices[n] = NULL;
        status = emit_node(c, n);
        for (uint32_t i = 0; i < fusion.count && status == LINNET_OK; i++)
            status = emit_node(c, fusion.nodes[i]);
        return status;
    }
    if (status != LINNET_OK)
        return status;
    if (!gather_inputs(c, &c->net->nodes[n], &step) || !make_outputs(c, n, &step)) {
        linnet_release(step.refusals);
        return linnet_context_last_status(c->context);
    }
    linnet_step_name_epilogue(&step);
    c->forward_step[n] = linnet_emit_append(c, &step);
    return c->forward_step[n] == LINNET_NONE ? LINNET_OUT_OF_MEMORY : LINNET_OK;
}

/* Marks a value's dense copy as readable to the end. */
static linnet_status keep(linnet_compiler *c, uint32_t value)
{
    uint32_t primary = linnet_emit_primary(c, value);
    if (primary == LINNET_NONE)
        return LINNET_OK; /* not part of this plan */
    uint32_t dense = linnet_emit_instance(c, value, c->plan->tensors[primary].place, LINNET_FORMAT_NCHW);
    if (dense == LINNET_NONE)
        return linnet_context_last_status(c->context);
    c->plan->tensors[dense].readable = true;
    c->plan->storages[c->plan->tensors[dense].storage].to_end = true;
    return LINNET_OK;
}

/* Fed inputs arrive dense on the place of their first reader (place 0 when nobody reads them). */
static linnet_status make_feeds(linnet_compiler *c)
{
    for (uint32_t f = 0; f < c->plan->feed_count; f++) {
        uint32_t value = c->plan->feed_values[f], place = 0;
        for (uint32_t n = (uint32_t)c->net->node_count; n-- > 0;)
            for (uint32_t i = 0; c->active[n] && i < c->net->nodes[n].input_count; i++)
                if (c->net->nodes[n].inputs[i] == value)
                    place = c->node_place[n];
        linnet_tensor_desc desc = linnet_desc_of(&c->shapes[value]);
        uint32_t tensor = linnet_emit_tensor(c, place, &desc);
        if (tensor == LINNET_NONE || !linnet_emit_instance_add(c, value, tensor))
            return linnet_context_last_status(c->context);
        linnet_plan_storage *storage = &c->plan->storages[c->plan->tensors[tensor].storage];
        storage->to_end = true; /* readable like an output, and never written by a step */
        c->plan->tensors[tensor].readable = true;
        storage->first = 0;
    }
    return LINNET_OK;
}

linnet_status linnet_compile_forward(linnet_compiler *c)
{
    linnet_status status = make_feeds(c);
    for (uint32_t n = 0; n < c->net->node_count && status == LINNET_OK; n++) {
        uint32_t head = linnet_fusion_head(c, n);
        if (head != LINNET_NO_NODE)
            status = emit_node(c, head);
    }
    for (uint32_t v = 0; v < c->net->value_count && status == LINNET_OK; v++)
        if (c->net->values[v].kind == LINNET_VALUE_NODE && c->available[v] && linnet_value_is_tapped(c, v))
            status = keep(c, v);
    return status;
}
