/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which layers become the epilogue of the layer before: activations, and sums with another value (residuals), as far as
 * nobody else reads what lies between and the device takes them with the implementation that it prefers anyway. A layer
 * with its epilogue is one step, run where the last of its nodes stands: then everything that it adds is there.
 *
 * Where gradients flow, an activation ends the epilogue: its gradient reads its own output, the only one that exists.
 */
#include "session.h"

#include <string.h>

uint32_t linnet_fusion_output(const linnet_compiler *c, uint32_t n)
{
    const linnet_fusion *fusion = &c->fusions[n];
    if (fusion->count > 0)
        return c->net->nodes[fusion->nodes[fusion->count - 1]].output;
    uint32_t fold = c->fold[n];
    return c->net->nodes[fold == LINNET_NONE ? n : c->session->folds[fold].norm_node].output;
}

uint32_t linnet_fusion_head(const linnet_compiler *c, uint32_t n)
{
    uint32_t head = c->fused_into[n] == LINNET_NO_NODE ? n : c->fused_into[n];
    const linnet_fusion *fusion = &c->fusions[head];
    uint32_t last = fusion->count > 0 ? fusion->nodes[fusion->count - 1] : head;
    return c->active[n] && last == n ? head : LINNET_NO_NODE;
}

uint32_t linnet_unit_inputs(const linnet_compiler *c, uint32_t n, uint32_t out_values[LINNET_MAX_INPUTS])
{
    const linnet_node *node = &c->net->nodes[n];
    const linnet_fusion *fusion = &c->fusions[n];
    uint32_t count = node->input_count;
    memcpy(out_values, node->inputs, count * sizeof *out_values);
    for (uint32_t i = 0; i < fusion->count; i++)
        if (fusion->added[i] != LINNET_NONE)
            out_values[count++] = fusion->added[i];
    return count;
}

void linnet_fusion_undo(linnet_compiler *c, uint32_t n)
{
    for (uint32_t i = 0; i < c->fusions[n].count; i++)
        c->fused_into[c->fusions[n].nodes[i]] = LINNET_NO_NODE;
    c->fusions[n].count = 0;
}

/* The only node that reads a value which nobody else looks at; LINNET_NO_NODE when there is no such node. */
static uint32_t sole_reader(const linnet_compiler *c, uint32_t value)
{
    if (c->net->values[value].uses != 1 || linnet_value_is_tapped(c, value))
        return LINNET_NO_NODE;
    for (uint32_t m = c->net->values[value].producer + 1; m < c->net->node_count; m++)
        for (uint32_t i = 0; i < c->net->nodes[m].input_count; i++)
            if (c->net->nodes[m].inputs[i] == value)
                return c->active[m] ? m : LINNET_NO_NODE;
    return LINNET_NO_NODE;
}

/* The value that node m adds to `value`; LINNET_NONE when it does something else. */
static uint32_t added_value(const linnet_compiler *c, uint32_t m, uint32_t value)
{
    const linnet_node *node = &c->net->nodes[m];
    if (node->layer->kind != LINNET_LAYER_BINARY ||
        ((const linnet_binary_attributes *)node->attributes)->op != LINNET_BINARY_ADD)
        return LINNET_NONE;
    return node->inputs[node->inputs[0] == value ? 1 : 0];
}

/* Appends the reader of what n makes so far to its epilogue. */
static bool extend(const linnet_compiler *c, uint32_t n, linnet_fusion *fusion, bool *adds)
{
    uint32_t value = linnet_fusion_output(c, n), m = sole_reader(c, value);
    if (m == LINNET_NO_NODE || fusion->count == LINNET_MAX_EPILOGUE || c->node_place[m] != c->node_place[n] ||
        c->fused_into[m] != LINNET_NO_NODE)
        return false;
    uint32_t added = added_value(c, m, value);
    if (added != LINNET_NONE ? *adds || c->net->nodes[n].input_count == LINNET_MAX_INPUTS
                             : c->net->nodes[m].layer->kind != LINNET_LAYER_UNARY)
        return false;
    if (fusion->count > 0 && fusion->added[fusion->count - 1] == LINNET_NONE &&
        linnet_node_differentiates(c, fusion->nodes[fusion->count - 1]))
        return false; /* behind an activation */
    *adds = *adds || added != LINNET_NONE;
    fusion->nodes[fusion->count] = m;
    fusion->added[fusion->count++] = added;
    return true;
}

/* Does the device run the node's backward without what lies in front of the epilogue? */
static bool backward_allows(linnet_compiler *c, uint32_t n, const linnet_plan_step *forward)
{
    linnet_plan_step step;
    linnet_step_draft(c, c->node_place[n], n, &step);
    linnet_emit_describe_node(c, n, LINNET_BACKWARD, &step);
    step.desc.forward = forward->candidate.name;
    memcpy(step.inputs, forward->inputs, sizeof step.inputs);
    memcpy(step.outputs, forward->outputs, sizeof step.outputs);
    step.desc.want_inputs =
        c->net->nodes[n].layer->differentiable_inputs & (uint32_t)((UINT64_C(1) << c->net->nodes[n].input_count) - 1);
    step.desc.want_parameters = (1u << c->net->nodes[n].parameter_count) - 1;
    bool allows = linnet_emit_choose(c, &step, NULL) == LINNET_OK && !step.candidate.reads_outputs;
    linnet_release(step.refusals);
    return allows;
}

/* Does the implementation that runs without the epilogue take it? */
static bool is_taken(linnet_compiler *c, uint32_t n)
{
    linnet_plan_step plain, fused;
    linnet_step_draft(c, c->node_place[n], n, &plain);
    linnet_emit_describe_unit(c, n, false, &plain);
    linnet_step_draft(c, c->node_place[n], n, &fused);
    linnet_emit_describe_unit(c, n, true, &fused);
    bool taken = linnet_emit_choose(c, &plain, NULL) == LINNET_OK &&
                 linnet_emit_choose(c, &fused, plain.candidate.name) == LINNET_OK &&
                 strcmp(plain.candidate.name, fused.candidate.name) == 0;
    taken = taken && (!linnet_node_differentiates(c, n) || backward_allows(c, n, &plain));
    linnet_release(plain.refusals);
    linnet_release(fused.refusals);
    return taken;
}

static void fuse_node(linnet_compiler *c, uint32_t n)
{
    linnet_fusion *fusion = &c->fusions[n];
    uint32_t kind = c->net->nodes[n].layer->kind;
    bool adds = false;
    if (kind != LINNET_LAYER_CONV2D && kind != LINNET_LAYER_LINEAR && kind != LINNET_LAYER_BATCH_NORM)
        return;
    while (extend(c, n, fusion, &adds))
        ;
    while (fusion->count > 0 && !is_taken(c, n))
        fusion->count--;
    for (uint32_t i = 0; i < fusion->count; i++)
        c->fused_into[fusion->nodes[i]] = n;
}

void linnet_compile_fuse(linnet_compiler *c)
{
    for (uint32_t n = 0; n < c->net->node_count; n++)
        if (c->active[n] && c->fused_into[n] == LINNET_NO_NODE)
            fuse_node(c, n);
}
