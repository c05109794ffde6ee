/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reverse-mode differentiation: for each loss a segment of backward steps, nodes in reverse order. A value's gradient
 * lies where the value lies, in its format; the first contribution overwrites it, the others add to it.
 */
#include "session.h"

#include <stdio.h>
#include <string.h>

static linnet_status last_error(const linnet_compiler *c)
{
    return linnet_context_last_status(c->context);
}

/* Emitting it failed. */
static bool lacks_workspace(const linnet_plan_step *step)
{
    return step->candidate.workspace_bytes && step->operands.workspace == LINNET_NONE;
}

/* A step that adds two tensors of this desc. */
static void draft_sum(linnet_compiler *c, uint32_t place, const linnet_tensor_desc *desc, linnet_plan_step *step)
{
    linnet_step_draft(c, place, LINNET_NO_NODE, step);
    step->desc = (linnet_layer_desc){.struct_size = sizeof step->desc,
                                     .kind = LINNET_LAYER_BINARY,
                                     .direction = LINNET_FORWARD,
                                     .behaviour = c->plan->behaviour,
                                     .input_count = 2,
                                     .output_count = 1};
    /* Both operators' attributes begin alike; the step keeps its own copy. */
    step->own_attributes.struct_size = sizeof(linnet_binary_attributes);
    step->own_attributes.op = LINNET_BINARY_ADD;
    step->inputs[0] = step->inputs[1] = step->outputs[0] = *desc;
    linnet_step_bind_desc(step);
}

static bool can_sum(linnet_compiler *c, uint32_t place, const void *subject)
{
    linnet_plan_step step;
    draft_sum(c, place, subject, &step);
    bool good = linnet_emit_choose(c, &step, NULL) == LINNET_OK;
    linnet_release(step.refusals);
    return good;
}

/* Where two tensors of a place are added: there, if it can be. */
static uint32_t find_sum_place(linnet_compiler *c, uint32_t place, linnet_tensor_desc *desc)
{
    linnet_session *session = c->session;
    if (can_sum(c, place, desc))
        return place;
    desc->format = LINNET_FORMAT_NCHW; /* devices only share dense tensors */
    if (session->sum_place != LINNET_NONE)
        return session->sum_place;
    char why[768];
    snprintf(why, sizeof why, "%s", linnet_context_message(c->context));
    session->sum_place = linnet_place_fall_back(c, can_sum, desc);
    if (session->sum_place != LINNET_NONE)
        linnet_place_say(c, why, "a sum of gradients runs", session->sum_place);
    return session->sum_place;
}

/* a + b, two tensors of one place and format; the sum may be on another place, in another format. */
static uint32_t emit_sum(linnet_compiler *c, uint32_t a, uint32_t b)
{
    linnet_plan_step step;
    linnet_tensor_desc desc = c->plan->tensors[a].desc;
    uint32_t place = find_sum_place(c, c->plan->tensors[a].place, &desc);
    if (place == LINNET_NONE)
        return LINNET_NONE;
    draft_sum(c, place, &desc, &step);
    if (linnet_emit_choose(c, &step, NULL) != LINNET_OK) {
        linnet_release(step.refusals);
        return LINNET_NONE;
    }
    step.operands.inputs[0] = linnet_emit_as(c, a, place, step.candidate.input_formats[0]);
    step.operands.inputs[1] = linnet_emit_as(c, b, place, step.candidate.input_formats[1]);
    step.operands.outputs[0] = linnet_emit_tensor(c, place, &step.outputs[0]);
    if (step.candidate.workspace_bytes)
        step.operands.workspace = linnet_emit_bytes(c, place, step.candidate.workspace_bytes);
    uint32_t sum = step.operands.outputs[0];
    if (step.operands.inputs[0] == LINNET_NONE || step.operands.inputs[1] == LINNET_NONE || sum == LINNET_NONE ||
        lacks_workspace(&step)) {
        linnet_release(step.refusals);
        return LINNET_NONE;
    }
    return linnet_emit_append(c, &step) == LINNET_NONE ? LINNET_NONE : sum;
}

/* A contribution that could not be written straight into the value's gradient: bring it there. */
static linnet_status contribute(linnet_compiler *c, uint32_t value, uint32_t tensor)
{
    const linnet_plan_tensor *primary = &c->plan->tensors[linnet_emit_primary(c, value)];
    uint32_t place = primary->place, format = primary->desc.format;
    uint32_t fitting = linnet_emit_as(c, tensor, place, format);
    if (fitting != LINNET_NONE && c->gradient[value] != LINNET_NONE) {
        fitting = emit_sum(c, c->gradient[value], fitting);
        fitting = fitting == LINNET_NONE ? LINNET_NONE : linnet_emit_as(c, fitting, place, format);
    }
    if (fitting == LINNET_NONE)
        return last_error(c);
    c->gradient[value] = fitting;
    c->gradient_shared[value] = false;
    return LINNET_OK;
}

/* The gradient of a sum is its parts' gradient, too: nothing is copied. only: nobody else reads the tensor any more. */
static linnet_status pass_on(linnet_compiler *c, uint32_t value, uint32_t tensor, bool only)
{
    const linnet_plan_tensor *primary = &c->plan->tensors[linnet_emit_primary(c, value)];
    const linnet_plan_tensor *given = &c->plan->tensors[tensor];
    bool fits = primary->place == given->place && primary->desc.format == given->desc.format &&
                primary->desc.outer_stride == given->desc.outer_stride;
    if (!fits || c->gradient[value] != LINNET_NONE)
        return contribute(c, value, tensor);
    c->gradient[value] = tensor;
    c->gradient_shared[value] = !only;
    return LINNET_OK;
}

/* Contributions that wait until the step that makes them has been appended. */
typedef struct pending {
    uint32_t count;
    uint32_t values[LINNET_MAX_INPUTS], tensors[LINNET_MAX_INPUTS];
} pending;

static bool in_pending(const pending *p, uint32_t value)
{
    for (uint32_t i = 0; i < p->count; i++)
        if (p->values[i] == value)
            return true;
    return false;
}

/* Where the step writes the gradient of its input i. */
static bool place_input_gradient(linnet_compiler *c, linnet_plan_step *step, uint32_t i, uint32_t value, pending *later,
                                 pending *now)
{
    const linnet_plan_tensor *primary = &c->plan->tensors[linnet_emit_primary(c, value)];
    bool fits = primary->place == step->place && primary->desc.format == step->inputs[i].format;
    /* A value that the node reads twice gets its second contribution by a sum, so that no run writes one place twice.
     */
    bool twice = in_pending(now, value) || in_pending(later, value);
    fits = fits && !c->gradient_shared[value]; /* then the sum goes elsewhere */
    if (fits && !twice && c->gradient[value] != LINNET_NONE) {
        step->operands.input_gradients[i] = c->gradient[value];
        step->accumulate_inputs |= 1u << i;
        now->values[now->count] = value;
        now->tensors[now->count++] = c->gradient[value];
        return true;
    }
    uint32_t tensor = linnet_emit_tensor(c, step->place, &step->inputs[i]);
    if (tensor == LINNET_NONE)
        return false;
    step->operands.input_gradients[i] = tensor;
    pending *list = fits && !twice ? now : later;
    list->values[list->count] = value;
    list->tensors[list->count++] = tensor;
    return true;
}

static bool place_parameter_gradients(linnet_compiler *c, linnet_plan_step *step, const linnet_node *node)
{
    for (uint32_t i = 0; i < node->parameter_count; i++) {
        if (!(step->desc.want_parameters >> i & 1))
            continue;
        uint32_t tensor = linnet_emit_value_variable(c, node->parameters[i], LINNET_FORMAT_NCHW);
        if (tensor == LINNET_NONE)
            return false;
        c->plan->tensors[tensor].home = LINNET_HOME_GRADIENT;
        step->operands.parameter_gradients[i] = tensor;
    }
    return true;
}

/* What backward reads of the forward's tensors. */
static bool gather_reads(linnet_compiler *c, linnet_plan_step *step, const linnet_node *node, uint32_t output_value,
                         const linnet_step_operands *forward)
{
    const linnet_candidate *candidate = &step->candidate;
    linnet_step_operands *o = &step->operands;
    for (uint32_t i = 0; i < step->desc.input_count; i++)
        if (candidate->reads_inputs >> i & 1 &&
            (o->inputs[i] = linnet_emit_instance(c, node->inputs[i], step->place, step->inputs[i].format)) ==
                LINNET_NONE)
            return false;
    if (candidate->reads_outputs & 1 &&
        (o->outputs[0] = linnet_emit_instance(c, output_value, step->place, step->outputs[0].format)) == LINNET_NONE)
        return false;
    for (uint32_t i = 0; i < step->desc.parameter_count; i++)
        if (candidate->reads_parameters >> i & 1 &&
            (o->parameters[i] = linnet_emit_value_variable(c, node->parameters[i], step->parameters[i].format)) ==
                LINNET_NONE)
            return false;
    for (uint32_t i = 0; i < step->desc.state_count; i++)
        if ((o->states[i] = linnet_emit_value_variable(c, node->states[i], LINNET_FORMAT_NCHW)) == LINNET_NONE)
            return false;
    for (uint32_t i = 0; forward && i < LINNET_MAX_SAVED; i++)
        if (candidate->reads_saved >> i & 1)
            o->saved[i] = forward->saved[i];
    if (candidate->workspace_bytes)
        o->workspace = linnet_emit_bytes(c, step->place, candidate->workspace_bytes);
    return !lacks_workspace(step);
}

/* Appends the step and hands out the gradients that it makes. */
static linnet_status append_backward(linnet_compiler *c, linnet_plan_step *step, const pending *now,
                                     const pending *later)
{
    linnet_status status = linnet_emit_append(c, step) == LINNET_NONE ? LINNET_OUT_OF_MEMORY : LINNET_OK;
    for (uint32_t i = 0; i < now->count; i++)
        c->gradient[now->values[i]] = now->tensors[i];
    for (uint32_t i = 0; i < later->count && status == LINNET_OK; i++)
        status = contribute(c, later->values[i], later->tensors[i]);
    return status;
}

/* One backward step of node n for the gradients in its desc's masks. */
static linnet_status emit_backward(linnet_compiler *c, uint32_t n, linnet_plan_step *step, uint32_t gradient,
                                   uint32_t output)
{
    pending now = {0}, later = {0};
    const linnet_node *node = &c->net->nodes[n];
    const linnet_plan_step *forward = c->forward_step[n] == LINNET_NONE ? NULL : &c->plan->steps[c->forward_step[n]];
    linnet_step_operands forward_operands;
    if (forward) {
        forward_operands = forward->operands;
        step->saved_count = forward->saved_count;
    }
    linnet_status status = linnet_emit_choose(c, step, NULL);
    if (status != LINNET_OK)
        goto fail;
    bool good = gather_reads(c, step, node, output, forward ? &forward_operands : NULL);
    step->operands.output_gradients[0] = linnet_emit_as(c, gradient, step->place, step->outputs[0].format);
    good = good && step->operands.output_gradients[0] != LINNET_NONE && place_parameter_gradients(c, step, node);
    for (uint32_t i = 0; i < node->input_count && good; i++)
        if (step->desc.want_inputs >> i & 1)
            good = place_input_gradient(c, step, i, node->inputs[i], &later, &now);
    if (good)
        return append_backward(c, step, &now, &later);
    status = last_error(c);
fail:
    linnet_release(step->refusals);
    return status;
}

void linnet_node_wants(const linnet_compiler *c, const linnet_node *node, uint32_t *out_inputs,
                       uint32_t *out_parameters)
{
    *out_inputs = *out_parameters = 0;
    for (uint32_t i = 0; i < node->input_count; i++)
        if (node->layer->differentiable_inputs >> i & 1 && c->requires_gradient[node->inputs[i]])
            *out_inputs |= 1u << i;
    for (uint32_t i = 0; i < node->parameter_count; i++)
        if (c->requires_gradient[node->parameters[i]])
            *out_parameters |= 1u << i;
}

void linnet_draft_backward(const linnet_compiler *c, uint32_t n, const linnet_plan_step *forward,
                           linnet_plan_step *out_step)
{
    linnet_plan_step *step = out_step;
    linnet_step_draft(c, c->node_place[n], n, step);
    linnet_emit_describe_node(c, n, LINNET_BACKWARD, step);
    step->desc.forward = forward->candidate.name;
    for (uint32_t i = 0; i < step->desc.input_count; i++) {
        step->inputs[i].format = forward->inputs[i].format;
        step->inputs[i].outer_stride = forward->inputs[i].outer_stride;
    }
    step->outputs[0].format = forward->outputs[0].format;
    if (c->fusions[n].count == 0) /* else the gradient comes from the epilogue's, dense */
        step->outputs[0].outer_stride = forward->outputs[0].outer_stride;
}

static linnet_status differentiate_node(linnet_compiler *c, uint32_t n, uint32_t gradient)
{
    linnet_plan_step step;
    uint32_t inputs, parameters;
    const linnet_node *node = &c->net->nodes[n];
    linnet_status status = LINNET_OK;
    linnet_node_wants(c, node, &inputs, &parameters);
    if (node->layer->split_backward && inputs && parameters) {
        linnet_draft_backward(c, n, &c->plan->steps[c->forward_step[n]], &step);
        step.desc.want_parameters = parameters;
        status = emit_backward(c, n, &step, gradient, node->output);
        parameters = 0;
    }
    if (status != LINNET_OK)
        return status;
    linnet_draft_backward(c, n, &c->plan->steps[c->forward_step[n]], &step);
    step.desc.want_inputs = inputs;
    step.desc.want_parameters = parameters;
    return emit_backward(c, n, &step, gradient, node->output);
}

/* Chooses the backward of an activation in n's epilogue: dy lies as the forward step's output does, dx is dense. */
static linnet_status choose_activation(linnet_compiler *c, uint32_t n, uint32_t activation,
                                       const linnet_plan_step *forward, linnet_plan_step *step)
{
    uint32_t place = c->node_place[n];
    const char *name = NULL;
    for (int backward = 0; backward < 2; backward++) {
        linnet_step_draft(c, place, activation, step);
        linnet_emit_describe_node(c, activation, backward ? LINNET_BACKWARD : LINNET_FORWARD, step);
        step->inputs[0].format = step->outputs[0].format = forward->outputs[0].format;
        step->outputs[0].outer_stride = forward->outputs[0].outer_stride;
        step->desc.forward = name;
        step->desc.want_inputs = backward ? 1 : 0;
        linnet_status status = linnet_emit_choose(c, step, NULL);
        name = step->candidate.name; /* forward: the candidate that would have run */
        if (status != LINNET_OK || backward)
            return status;
        linnet_release(step->refusals);
    }
    return LINNET_OK;
}

bool linnet_activation_reads_slices(linnet_compiler *c, uint32_t n, const linnet_plan_step *forward)
{
    linnet_plan_step step;
    const linnet_fusion *fusion = &c->fusions[n];
    if (fusion->added[fusion->count - 1] != LINNET_NONE)
        return false; /* its gradient becomes that of what it adds */
    bool reads = choose_activation(c, n, fusion->nodes[fusion->count - 1], forward, &step) == LINNET_OK &&
                 step.candidate.output_formats[0] == forward->outputs[0].format;
    linnet_release(step.refusals);
    return reads;
}

/* An activation in n's epilogue, whose gradient reads only its own output. Gives the gradient before it. */
static linnet_status differentiate_activation(linnet_compiler *c, uint32_t n, uint32_t activation, uint32_t gradient,
                                              uint32_t *out_gradient)
{
    linnet_plan_step step;
    uint32_t place = c->node_place[n];
    linnet_status status = choose_activation(c, n, activation, &c->plan->steps[c->forward_step[n]], &step);
    linnet_step_operands *o = &step.operands;
    if (status == LINNET_OK && (step.candidate.reads_inputs || step.candidate.reads_saved))
        status = linnet_fail(c->context, LINNET_INTERNAL, "%s: the gradient of a unary layer may read only its output",
                             c->session->places[place].device->label);
    if (status != LINNET_OK)
        goto fail;
    o->output_gradients[0] = linnet_emit_as(c, gradient, place, step.outputs[0].format);
    if (step.candidate.reads_outputs & 1)
        o->outputs[0] = linnet_emit_instance(c, c->net->nodes[activation].output, place, step.outputs[0].format);
    o->input_gradients[0] = *out_gradient = linnet_emit_tensor(c, place, &step.inputs[0]);
    if (step.candidate.workspace_bytes)
        o->workspace = linnet_emit_bytes(c, place, step.candidate.workspace_bytes);
    if (o->output_gradients[0] != LINNET_NONE && o->input_gradients[0] != LINNET_NONE && !lacks_workspace(&step) &&
        (!(step.candidate.reads_outputs & 1) || o->outputs[0] != LINNET_NONE))
        return linnet_emit_append(c, &step) == LINNET_NONE ? LINNET_OUT_OF_MEMORY : LINNET_OK;
    status = last_error(c);
fail:
    linnet_release(step.refusals);
    return status;
}

/* Can tensor, the gradient of value, become another value's once value's own step is done with it? */
static bool is_free(const linnet_compiler *c, uint32_t value)
{
    return !c->gradient_shared[value] && !linnet_value_list_has(&c->session->settings.wanted, value);
}

/* A sum that is a step of its own in forward. */
static bool is_sum(const linnet_node *node)
{
    return node->layer->kind == LINNET_LAYER_BINARY &&
           ((const linnet_binary_attributes *)node->attributes)->op == LINNET_BINARY_ADD;
}

static linnet_status differentiate_sum(linnet_compiler *c, const linnet_node *node, uint32_t gradient, uint32_t wanted)
{
    linnet_status status = LINNET_OK;
    bool only = wanted != 3 && is_free(c, node->output);
    for (uint32_t i = 0; i < 2 && status == LINNET_OK; i++)
        if (wanted >> i & 1)
            status = pass_on(c, node->inputs[i], gradient, only);
    return status;
}

/* Parts of a concatenation have their gradients in that of the whole. */
static linnet_status differentiate_slices(linnet_compiler *c, const linnet_node *node, uint32_t gradient,
                                          uint32_t wanted)
{
    linnet_status status = LINNET_OK;
    bool only = is_free(c, node->output);
    for (uint32_t i = 0; i < node->input_count && status == LINNET_OK; i++) {
        uint32_t value = node->inputs[i];
        if (!(wanted >> i & 1))
            continue;
        linnet_tensor_desc desc = c->plan->tensors[linnet_emit_primary(c, value)].desc;
        uint32_t part = linnet_emit_part(c, gradient, &desc, c->slices[value].offset);
        status = part == LINNET_NONE ? last_error(c) : pass_on(c, value, part, only);
    }
    return status;
}

/* Is there anything to be differentiated by in the step of node n? */
static bool is_wanted(const linnet_compiler *c, uint32_t n, uint32_t *out_inputs, uint32_t *out_parameters)
{
    bool wanted = false;
    linnet_node_wants(c, &c->net->nodes[n], out_inputs, out_parameters);
    for (uint32_t i = 0; i < c->fusions[n].count; i++)
        wanted = wanted || (c->fusions[n].added[i] != LINNET_NONE && c->requires_gradient[c->fusions[n].added[i]]);
    return wanted || *out_inputs || *out_parameters;
}

/* The step of node n backwards: its activation, itself, what it added. */
static linnet_status differentiate_unit(linnet_compiler *c, uint32_t n)
{
    linnet_status status = LINNET_OK;
    const linnet_fusion *fusion = &c->fusions[n];
    uint32_t inputs, parameters, output = linnet_fusion_output(c, n), gradient = c->gradient[output];
    if (gradient == LINNET_NONE || !is_wanted(c, n, &inputs, &parameters))
        return LINNET_OK; /* a wanted value may itself be as far as gradients go */
    if (is_sum(&c->net->nodes[n]))
        return differentiate_sum(c, &c->net->nodes[n], gradient, inputs);
    if (c->is_sliced[n])
        return differentiate_slices(c, &c->net->nodes[n], gradient, inputs);
    bool only = is_free(c, output);
    for (uint32_t i = fusion->count; i-- > 0 && status == LINNET_OK;)
        if (fusion->added[i] == LINNET_NONE) {
            status = differentiate_activation(c, n, fusion->nodes[i], gradient, &gradient);
            only = true;
        }
    if (status == LINNET_OK && (inputs || parameters))
        status = differentiate_node(c, n, gradient);
    for (uint32_t i = fusion->count; i-- > 0 && status == LINNET_OK;)
        if (fusion->added[i] != LINNET_NONE && c->requires_gradient[fusion->added[i]])
            status = pass_on(c, fusion->added[i], gradient, only);
    return status;
}

/* Gradients of values that the caller asked for: dense, kept to the end. */
static linnet_status keep_wanted(linnet_compiler *c)
{
    linnet_plan *plan = c->plan;
    for (size_t i = 0; i < c->session->settings.wanted.count; i++) {
        uint32_t value = c->session->settings.wanted.values[i];
        if (c->gradient[value] == LINNET_NONE)
            continue;
        uint32_t dense =
            linnet_emit_as(c, c->gradient[value], plan->tensors[c->gradient[value]].place, LINNET_FORMAT_NCHW);
        if (dense == LINNET_NONE)
            return last_error(c);
        if (!linnet_grow(&plan->gradient_instances, &plan->gradient_instance_capacity,
                         plan->gradient_instance_count + 1, sizeof *plan->gradient_instances))
            return linnet_fail(c->context, LINNET_OUT_OF_MEMORY, "no memory for a plan");
        plan->gradient_instances[plan->gradient_instance_count++] = (linnet_instance){value, dense, c->segment};
        linnet_plan_storage *storage = &plan->storages[plan->tensors[dense].storage];
        storage->to_end = true;
        storage->whole_plan = plan->loss_count > 1; /* segments run in any order */
    }
    return LINNET_OK;
}

/* The gradient that the segment starts from: 1 for a scalar, else what linnet_backward_from is given. */
static linnet_status seed(linnet_compiler *c, uint32_t loss)
{
    uint32_t place = c->plan->tensors[linnet_emit_primary(c, loss)].place;
    linnet_tensor_desc desc = linnet_desc_of(&c->shapes[loss]);
    uint32_t tensor = linnet_emit_tensor(c, place, &desc);
    linnet_plan_step *step =
        tensor == LINNET_NONE ? NULL : linnet_emit_step(c, LINNET_STEP_SEED, place, LINNET_NO_NODE);
    if (!step)
        return last_error(c);
    step->destination = tensor;
    c->gradient[loss] = tensor;
    return LINNET_OK;
}

static linnet_status differentiate_loss(linnet_compiler *c, uint32_t loss)
{
    memset(c->gradient, 0xff, c->net->value_count * sizeof *c->gradient); /* LINNET_NONE */
    memset(c->gradient_shared, 0, c->net->value_count * sizeof *c->gradient_shared);
    linnet_status status = seed(c, loss);
    for (uint32_t n = (uint32_t)c->net->node_count; n-- > 0 && status == LINNET_OK;) {
        uint32_t head = linnet_fusion_head(c, n);
        if (head != LINNET_NO_NODE)
            status = differentiate_unit(c, head);
    }
    return status == LINNET_OK ? keep_wanted(c) : status;
}

linnet_status linnet_compile_backward(linnet_compiler *c)
{
    linnet_plan *plan = c->plan;
    plan->segment_starts = linnet_allocate(plan->loss_count + 2, sizeof *plan->segment_starts);
    if (!plan->segment_starts)
        return linnet_fail(c->context, LINNET_OUT_OF_MEMORY, "no memory for a plan");
    linnet_status status = LINNET_OK;
    plan->segment_starts[plan->loss_count + 1] = (uint32_t)plan->step_count; /* without losses, where forward ends */
    for (size_t i = 0; i < plan->loss_count && status == LINNET_OK; i++) {
        c->segment = (uint32_t)i + 1;
        plan->segment_starts[i + 1] = (uint32_t)plan->step_count;
        if (c->requires_gradient[plan->losses[i]])
            status = differentiate_loss(c, plan->losses[i]);
    }
    plan->segment_starts[plan->loss_count + 1] = (uint32_t)plan->step_count;
    return status;
}
