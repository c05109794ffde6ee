/* SPDX-License-Identifier: Apache-2.0 */
/* Concrete shapes of every node that can run with what is fed, and which values need gradients. */
#include "session.h"

#include <string.h>

static linnet_status infer_node(linnet_compiler *c, const linnet_node *node)
{
    linnet_shape_job job = {.context = c->context,
                            .node = node->name,
                            .attributes = node->attributes,
                            .input_count = node->input_count,
                            .parameter_count = node->parameter_count};
    for (uint32_t i = 0; i < node->input_count; i++)
        job.inputs[i] = c->shapes[node->inputs[i]];
    for (uint32_t i = 0; i < node->parameter_count; i++)
        job.parameters[i] = c->shapes[node->parameters[i]];
    linnet_status status = node->layer->infer(&job);
    if (status == LINNET_OK)
        c->shapes[node->output] = job.outputs[0];
    return status;
}

static linnet_status infer_all(linnet_compiler *c)
{
    for (uint32_t n = 0; n < c->net->node_count; n++) {
        const linnet_node *node = &c->net->nodes[n];
        c->active[n] = c->needed[node->output];
        for (uint32_t i = 0; i < node->input_count; i++)
            c->active[n] = c->active[n] && c->available[node->inputs[i]];
        if (!c->active[n])
            continue;
        linnet_status status = infer_node(c, node);
        if (status != LINNET_OK)
            return status;
        c->available[node->output] = true;
    }
    return LINNET_OK;
}

static bool contains(const uint32_t *list, size_t count, uint32_t value)
{
    for (size_t i = 0; i < count; i++)
        if (list[i] == value)
            return true;
    return false;
}

static void need(linnet_compiler *c, const uint32_t *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        c->needed[values[i]] = true;
}

/* A lazy session needs what it was asked for and what that is computed from; any other one needs everything. */
static void mark_needed(linnet_compiler *c)
{
    const linnet_session *session = c->session;
    if (!session->settings.lazy) {
        memset(c->needed, true, c->net->value_count * sizeof *c->needed);
        return;
    }
    need(c, session->settings.kept.values, session->settings.kept.count);
    need(c, session->settings.losses.values, session->settings.losses.count);
    for (uint32_t n = (uint32_t)c->net->node_count; n-- > 0;)
        if (c->needed[c->net->nodes[n].output])
            need(c, c->net->nodes[n].inputs, c->net->nodes[n].input_count);
}

static linnet_status add_loss(linnet_compiler *c, uint32_t value)
{
    linnet_plan *plan = c->plan;
    if (contains(plan->losses, plan->loss_count, value))
        return LINNET_OK;
    if (plan->loss_count == 64)
        return linnet_fail(c->context, LINNET_LIMIT, "a net has at most 64 losses");
    if (!linnet_grow(&plan->losses, &plan->loss_capacity, plan->loss_count + 1, sizeof *plan->losses))
        return linnet_fail(c->context, LINNET_OUT_OF_MEMORY, "no memory for a plan");
    plan->losses[plan->loss_count++] = value;
    return LINNET_OK;
}

/* Losses that no layer uses, and values that were asked for. */
static linnet_status find_losses(linnet_compiler *c)
{
    const linnet_session *session = c->session;
    linnet_status status = LINNET_OK;
    for (uint32_t n = 0; n < c->net->node_count && status == LINNET_OK; n++) {
        const linnet_node *node = &c->net->nodes[n];
        const linnet_net_value *output = &c->net->values[node->output];
        bool unused_scalar = output->uses == 0 && c->shapes[node->output].rank == 0;
        if (c->active[n] && (unused_scalar || linnet_value_list_has(&session->settings.losses, node->output)))
            status = add_loss(c, node->output);
    }
    return status;
}

static bool wants_value(const linnet_compiler *c, uint32_t v)
{
    const linnet_net_value *value = &c->net->values[v];
    if (value->kind == LINNET_VALUE_PARAMETER)
        return c->session->settings.parameter_gradients && !value->frozen;
    return linnet_value_list_has(&c->session->settings.wanted, v);
}

/* Does a gradient flow through input i of this node? */
static bool flows(const linnet_node *node, uint32_t i)
{
    return node->layer->differentiable_inputs >> i & 1;
}

static void mark_requires(linnet_compiler *c)
{
    for (uint32_t v = 0; v < c->net->value_count; v++)
        c->requires_gradient[v] = c->plan->gradients && c->available[v] && wants_value(c, v);
    for (uint32_t n = 0; n < c->net->node_count; n++) {
        const linnet_node *node = &c->net->nodes[n];
        bool needed = false;
        for (uint32_t i = 0; i < node->input_count; i++)
            needed = needed || (flows(node, i) && c->requires_gradient[node->inputs[i]]);
        for (uint32_t i = 0; i < node->parameter_count; i++)
            needed = needed || c->requires_gradient[node->parameters[i]];
        if (c->active[n] && needed)
            c->requires_gradient[node->output] = true;
    }
}

static void mark_reaches(linnet_compiler *c)
{
    for (size_t i = 0; i < c->plan->loss_count; i++)
        c->reaches_loss[c->plan->losses[i]] = true;
    for (uint32_t n = (uint32_t)c->net->node_count; n-- > 0;) {
        const linnet_node *node = &c->net->nodes[n];
        for (uint32_t i = 0; c->active[n] && c->reaches_loss[node->output] && i < node->input_count; i++)
            if (flows(node, i))
                c->reaches_loss[node->inputs[i]] = true;
    }
}

linnet_status linnet_compile_lower(linnet_compiler *c, const linnet_shape *feed_shapes)
{
    for (uint32_t v = 0; v < c->net->value_count; v++) {
        const linnet_net_value *value = &c->net->values[v];
        c->shapes[v] = value->shape;
        c->available[v] = value->kind == LINNET_VALUE_PARAMETER || value->kind == LINNET_VALUE_STATE;
    }
    for (uint32_t i = 0; i < c->plan->feed_count; i++) {
        c->shapes[c->plan->feed_values[i]] = feed_shapes[i];
        c->available[c->plan->feed_values[i]] = true;
    }
    mark_needed(c);
    linnet_status status = infer_all(c);
    if (status == LINNET_OK && c->plan->gradients)
        status = find_losses(c);
    if (status != LINNET_OK)
        return status;
    mark_requires(c);
    mark_reaches(c);
    return LINNET_OK;
}

bool linnet_node_differentiates(const linnet_compiler *c, uint32_t node)
{
    uint32_t output = c->net->nodes[node].output;
    return c->requires_gradient[output] && c->reaches_loss[output];
}
