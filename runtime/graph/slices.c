/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Concatenation along the channels without a copy: what makes a part writes it where it belongs in the whole, with the
 * whole's distance between items (outer_stride), and backwards its gradient is read from there. Where every part can be
 * made so, and read so by its other readers; else the layer copies.
 */
#include "../device/registry.h"
#include "session.h"

#include <string.h>

enum { AXIS = 1 };

/* Where the part of the concatenation that starts at this channel lies in the whole; false: not in one piece. */
static bool find_slice(const linnet_compiler *c, uint32_t place, const linnet_tensor_desc *whole,
                       const linnet_tensor_desc *part, int64_t start, linnet_slice *out)
{
    const linnet_device *device = c->session->places[place].device;
    int64_t stride = linnet_desc_count(whole) / whole->dims[0], channel = stride / whole->dims[AXIS];
    out->offset = (uint64_t)(start * channel) * linnet_type_size(whole->type);
    if (whole->format != LINNET_FORMAT_NCHW) {
        if (!device->backend->format_slice || device->backend->format_slice(device->handle, whole, part, AXIS, start,
                                                                            &out->offset, &stride) != LINNET_OK) {
            linnet_host_error_clear();
            return false;
        }
    }
    out->format = whole->format;
    out->outer_stride = whole->dims[0] == 1 ? 0 : stride; /* a single item has no distance */
    return out->offset % device->info.alignment_bytes == 0;
}

/* The unit that makes a value as its output, LINNET_NO_NODE when there is none that could make it anywhere. */
static uint32_t find_maker(const linnet_compiler *c, uint32_t value)
{
    uint32_t producer = c->net->values[value].producer;
    if (c->net->values[value].kind != LINNET_VALUE_NODE || !c->active[producer])
        return LINNET_NO_NODE;
    uint32_t head = linnet_fusion_head(c, producer);
    if (head == LINNET_NO_NODE || linnet_fusion_output(c, head) != value || !c->choices[head] ||
        c->net->nodes[head].layer->kind == LINNET_LAYER_CONCAT)
        return LINNET_NO_NODE;
    return head;
}

/* Does the unit's choice work with its slices, those already found and the one at hand? */
static bool accepts_forward(linnet_compiler *c, uint32_t head, linnet_plan_step *step)
{
    linnet_emit_describe_choice(c, head, step);
    return linnet_emit_choose(c, step, c->choices[head]->name) == LINNET_OK &&
           strcmp(step->candidate.name, c->choices[head]->name) == 0;
}

/* Do the unit's backwards read the gradient of its output from the slice? */
static bool accepts_backward(linnet_compiler *c, uint32_t head, const linnet_plan_step *forward)
{
    uint32_t inputs, parameters;
    bool good = true;
    if (!linnet_node_differentiates(c, head) || forward->outputs[0].outer_stride == 0)
        return true;
    if (c->fusions[head].count > 0)
        return linnet_activation_reads_slices(c, head, forward);
    linnet_node_wants(c, &c->net->nodes[head], &inputs, &parameters);
    for (uint32_t part = 0; part < 2 && good; part++) {
        linnet_plan_step step;
        bool split = c->net->nodes[head].layer->split_backward;
        linnet_draft_backward(c, head, forward, &step);
        step.desc.want_inputs = split && part == 1 ? 0 : inputs;
        step.desc.want_parameters = split && part == 0 ? 0 : parameters;
        if (step.desc.want_inputs || step.desc.want_parameters)
            good = linnet_emit_choose(c, &step, NULL) == LINNET_OK;
        linnet_release(step.refusals);
    }
    return good;
}

/* Makers and readers of the value, with the slice that it has been given. */
static bool all_accept(linnet_compiler *c, uint32_t concat, uint32_t value, uint32_t maker)
{
    linnet_plan_step step, reader;
    bool good = accepts_forward(c, maker, &step) && accepts_backward(c, maker, &step);
    linnet_release(step.refusals);
    for (uint32_t n = maker + 1; n < c->net->node_count && good; n++) {
        uint32_t values[LINNET_MAX_INPUTS], count;
        uint32_t head = c->active[n] ? linnet_fusion_head(c, n) : LINNET_NO_NODE;
        if (head == LINNET_NO_NODE || head == concat)
            continue;
        count = linnet_unit_inputs(c, head, values);
        for (uint32_t i = 0; i < count && good; i++) {
            if (values[i] != value || c->slices[value].outer_stride == 0)
                continue;
            /* Backwards the other readers would have to write such gradients, too. */
            good = c->choices[head] && c->node_place[head] == c->node_place[maker] &&
                   c->choices[head]->input_formats[i] == step.outputs[0].format && !linnet_node_differentiates(c, head);
            if (!good)
                break;
            good = accepts_forward(c, head, &reader);
            linnet_release(reader.refusals);
        }
    }
    return good;
}

/* One part: finds its slice, and whether everybody takes it. */
static bool take_part(linnet_compiler *c, uint32_t n, const linnet_plan_step *concat, uint32_t index, int64_t start)
{
    const linnet_node *node = &c->net->nodes[n];
    uint32_t value = node->inputs[index], maker = find_maker(c, value);
    linnet_slice slice = {.concat = n};
    for (uint32_t i = 0; i < index; i++)
        if (node->inputs[i] == value)
            return false;
    if (maker == LINNET_NO_NODE || c->node_place[maker] != concat->place || linnet_value_is_tapped(c, value) ||
        c->slices[value].concat != LINNET_NO_NODE ||
        concat->candidate.input_formats[index] != concat->outputs[0].format ||
        !find_slice(c, concat->place, &concat->outputs[0], &concat->inputs[index], start, &slice))
        return false;
    c->slices[value] = slice;
    linnet_plan_step made;
    bool good = accepts_forward(c, maker, &made) && made.outputs[0].format == concat->outputs[0].format;
    linnet_release(made.refusals);
    return good && all_accept(c, n, value, maker);
}

static void try_concat(linnet_compiler *c, uint32_t n)
{
    linnet_plan_step step;
    int64_t start = 0;
    const linnet_node *node = &c->net->nodes[n];
    if (((const linnet_axis_attributes *)node->attributes)->axis != AXIS || !c->choices[n])
        return;
    bool good = accepts_forward(c, n, &step);
    for (uint32_t i = 0; i < node->input_count && good; i++) {
        good = take_part(c, n, &step, i, start);
        start += c->shapes[node->inputs[i]].dims[AXIS];
    }
    for (uint32_t i = 0; i < node->input_count && !good; i++)
        if (c->slices[node->inputs[i]].concat == n)
            c->slices[node->inputs[i]] = (linnet_slice){.concat = LINNET_NO_NODE};
    c->is_sliced[n] = good;
    linnet_release(step.refusals);
}

void linnet_compile_slices(linnet_compiler *c)
{
    for (uint32_t v = 0; v < c->net->value_count; v++)
        c->slices[v] = (linnet_slice){.concat = LINNET_NO_NODE};
    for (uint32_t n = 0; n < c->net->node_count; n++)
        if (c->active[n] && c->net->nodes[n].layer->kind == LINNET_LAYER_CONCAT)
            try_concat(c, n);
}
