/* SPDX-License-Identifier: Apache-2.0 */
/* The forward steps of a plan, with activations fused into the layer before where the device takes them. */
#include "session.h"

#include <string.h>

bool linnet_value_is_tapped(const linnet_compiler *c, uint32_t value)
{
    const linnet_session *s = c->session;
    return c->net->values[value].is_output || c->net->values[value].uses == 0 ||
           linnet_value_list_has(&s->settings.kept, value) || linnet_value_list_has(&s->settings.wanted, value) ||
           linnet_value_list_has(&s->settings.losses, value);
}

/* The value that node n's step makes before its epilogue: its own, or that of the batch norm folded into it. */
static uint32_t plain_output(const linnet_compiler *c, uint32_t n)
{
    uint32_t fold = c->fold[n];
    return c->net->nodes[fold == LINNET_NONE ? n : c->session->folds[fold].norm_node].output;
}

/* The unary node that alone reads what n makes, LINNET_NO_NODE when there is none. */
static uint32_t sole_activation(const linnet_compiler *c, uint32_t n)
{
    uint32_t output = plain_output(c, n);
    if (c->net->values[output].uses != 1 || linnet_value_is_tapped(c, output))
        return LINNET_NO_NODE;
    for (uint32_t m = n + 1; m < c->net->node_count; m++)
        if (c->net->nodes[m].inputs[0] == output && c->net->nodes[m].layer->kind == LINNET_LAYER_UNARY)
            return c->active[m] && c->node_place[m] == c->node_place[n] ? m : LINNET_NO_NODE;
    return LINNET_NO_NODE;
}

/* Chooses with the activation as epilogue; takes it when the same candidate accepts, else chooses without. */
static linnet_status choose_with_epilogue(linnet_compiler *c, uint32_t n, linnet_plan_step *step)
{
    linnet_status status = linnet_emit_choose(c, step);
    uint32_t activation = sole_activation(c, n);
    bool takes_epilogues = step->desc.kind == LINNET_LAYER_CONV2D || step->desc.kind == LINNET_LAYER_LINEAR;
    if (status != LINNET_OK || !takes_epilogues || activation == LINNET_NO_NODE)
        return status;
    const linnet_unary_attributes *a = c->net->nodes[activation].attributes;
    linnet_plan_step fused = *step;
    linnet_step_bind_desc(&fused);
    fused.refusals = NULL;
    fused.epilogue[0] = (linnet_epilogue){a->op, a->alpha, a->beta};
    fused.desc.epilogue_count = 1;
    if (linnet_emit_choose(c, &fused) == LINNET_OK && strcmp(fused.candidate.name, step->candidate.name) == 0) {
        linnet_release(step->refusals);
        *step = fused;
        linnet_step_bind_desc(step);
        c->fused_by[n] = activation;
        c->fused_into[activation] = n;
    } else {
        linnet_release(fused.refusals);
    }
    return LINNET_OK;
}

static bool gather_inputs(linnet_compiler *c, const linnet_node *node, linnet_plan_step *step)
{
    uint32_t fold_index = c->fold[step->node];
    const linnet_fold *fold = fold_index == LINNET_NONE ? NULL : &c->session->folds[fold_index];
    for (uint32_t i = 0; i < node->input_count; i++) {
        step->operands.inputs[i] =
            linnet_emit_instance(c, node->inputs[i], step->place, step->candidate.input_formats[i]);
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

static bool make_outputs(linnet_compiler *c, uint32_t n, linnet_plan_step *step)
{
    uint32_t value = c->fused_by[n] == LINNET_NO_NODE ? plain_output(c, n) : c->net->nodes[c->fused_by[n]].output;
    step->operands.outputs[0] = linnet_emit_tensor(c, step->place, &step->outputs[0]);
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

/* The desc's input formats say what the producers made, so that the device can choose what suits them. */
static void describe_inputs(const linnet_compiler *c, const linnet_node *node, linnet_plan_step *step)
{
    for (uint32_t i = 0; i < node->input_count; i++) {
        uint32_t primary = linnet_emit_primary(c, node->inputs[i]);
        const linnet_plan_tensor *tensor = primary == LINNET_NONE ? NULL : &c->plan->tensors[primary];
        if (tensor && tensor->place == step->place)
            step->inputs[i].format = tensor->desc.format;
    }
}

static linnet_status emit_node(linnet_compiler *c, uint32_t n)
{
    linnet_plan_step step;
    const linnet_node *node = &c->net->nodes[n];
    linnet_step_draft(c, c->node_place[n], n, &step);
    linnet_emit_describe_node(c, n, LINNET_FORWARD, &step);
    describe_inputs(c, node, &step);
    if (c->fold[n] != LINNET_NONE) { /* folded weights have a bias even where the layer had none */
        const linnet_fold *fold = &c->session->folds[c->fold[n]];
        step.desc.parameter_count = 2;
        step.parameters[1] = linnet_desc_of(&c->shapes[c->session->variables[fold->bias].value]);
    }
    linnet_status status = choose_with_epilogue(c, n, &step);
    if (status == LINNET_OK && (!gather_inputs(c, node, &step) || !make_outputs(c, n, &step)))
        status = linnet_context_last_status(c->context);
    if (status != LINNET_OK) {
        linnet_release(step.refusals);
        return status;
    }
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
    for (uint32_t n = 0; n < c->net->node_count && status == LINNET_OK; n++)
        if (c->active[n] && c->fused_into[n] == LINNET_NO_NODE)
            status = emit_node(c, n);
    for (uint32_t v = 0; v < c->net->value_count && status == LINNET_OK; v++)
        if (c->net->values[v].kind == LINNET_VALUE_NODE && c->available[v] && linnet_value_is_tapped(c, v))
            status = keep(c, v);
    return status;
}
