/* SPDX-License-Identifier: Apache-2.0 */
/* Tensors and steps of a plan: what forward.c and autodiff.c build with. */
#include "../device/registry.h"
#include "session.h"

#include <string.h>

static uint32_t no_memory(linnet_compiler *c)
{
    linnet_fail(c->context, LINNET_OUT_OF_MEMORY, "no memory for a plan");
    return LINNET_NONE;
}

linnet_tensor_desc linnet_desc_of(const linnet_shape *shape)
{
    linnet_tensor_desc desc = {.type = shape->type, .format = LINNET_FORMAT_NCHW, .rank = shape->rank};
    for (uint32_t i = 0; i < LINNET_MAX_RANK; i++)
        desc.dims[i] = i < shape->rank ? shape->dims[i] : 1;
    return desc;
}

linnet_status linnet_emit_tensor_bytes(const linnet_compiler *c, uint32_t place, const linnet_tensor_desc *desc,
                                       uint64_t *out)
{
    const linnet_device *device = c->session->places[place].device;
    if (desc->format < LINNET_FORMAT_PRIVATE) {
        uint64_t items = (uint64_t)(desc->rank ? desc->dims[0] : 1), size = linnet_type_size(desc->type);
        uint64_t item = (uint64_t)linnet_desc_count(desc) / items;
        *out = (item + (items - 1) * (desc->outer_stride ? (uint64_t)desc->outer_stride : item)) * size;
        return LINNET_OK;
    }
    if (!device->backend->format_bytes)
        return linnet_fail(c->context, LINNET_INTERNAL, "%s: a private format without format_bytes", device->label);
    return linnet_device_check(c->context, device, device->backend->format_bytes(device->handle, desc, out),
                               "sizing a tensor");
}

static uint32_t add_tensor(linnet_compiler *c, const linnet_plan_tensor *tensor)
{
    linnet_plan *plan = c->plan;
    if (!linnet_grow(&plan->tensors, &plan->tensor_capacity, plan->tensor_count + 1, sizeof *plan->tensors))
        return no_memory(c);
    plan->tensors[plan->tensor_count] = *tensor;
    return (uint32_t)plan->tensor_count++;
}

static uint32_t add_arena_tensor(linnet_compiler *c, uint32_t place, const linnet_tensor_desc *desc, uint64_t bytes)
{
    linnet_plan *plan = c->plan;
    if (!linnet_grow(&plan->storages, &plan->storage_capacity, plan->storage_count + 1, sizeof *plan->storages))
        return no_memory(c);
    uint32_t storage = (uint32_t)plan->storage_count++;
    plan->storages[storage] =
        (linnet_plan_storage){.bytes = bytes, .place = place, .first = LINNET_NONE, .merged = storage};
    return add_tensor(
        c, &(linnet_plan_tensor){
               .desc = *desc, .bytes = bytes, .place = place, .home = LINNET_HOME_ARENA, .storage = storage});
}

uint32_t linnet_emit_tensor(linnet_compiler *c, uint32_t place, const linnet_tensor_desc *desc)
{
    uint64_t bytes;
    if (linnet_emit_tensor_bytes(c, place, desc, &bytes) != LINNET_OK)
        return LINNET_NONE;
    return add_arena_tensor(c, place, desc, bytes);
}

uint32_t linnet_emit_bytes(linnet_compiler *c, uint32_t place, uint64_t bytes)
{
    linnet_tensor_desc desc = {.type = LINNET_U8, .rank = 1, .dims = {(int64_t)bytes, 1, 1, 1, 1, 1, 1, 1}};
    return add_arena_tensor(c, place, &desc, bytes);
}

uint32_t linnet_emit_part(linnet_compiler *c, uint32_t whole, const linnet_tensor_desc *desc, uint64_t offset)
{
    linnet_plan_tensor part = c->plan->tensors[whole];
    part.desc = *desc;
    part.offset += offset;
    part.is_part = true;
    part.readable = false;
    return linnet_emit_tensor_bytes(c, part.place, desc, &part.bytes) == LINNET_OK ? add_tensor(c, &part) : LINNET_NONE;
}

bool linnet_emit_instance_add(linnet_compiler *c, uint32_t value, uint32_t tensor)
{
    linnet_plan *plan = c->plan;
    if (!linnet_grow(&plan->instances, &plan->instance_capacity, plan->instance_count + 1, sizeof *plan->instances)) {
        no_memory(c);
        return false;
    }
    plan->instances[plan->instance_count++] = (linnet_instance){value, tensor, c->segment};
    return true;
}

uint32_t linnet_emit_primary(const linnet_compiler *c, uint32_t value)
{
    for (size_t i = 0; i < c->plan->instance_count; i++)
        if (c->plan->instances[i].value == value)
            return c->plan->instances[i].tensor;
    return LINNET_NONE;
}

void linnet_step_draft(const linnet_compiler *c, uint32_t place, uint32_t node, linnet_plan_step *out_step)
{
    memset(out_step, 0, sizeof *out_step);
    memset(&out_step->operands, 0xff, sizeof out_step->operands); /* LINNET_NONE everywhere */
    out_step->type = LINNET_STEP_LAYER;
    out_step->place = place;
    out_step->node = node;
    out_step->segment = c->segment;
    out_step->source = out_step->destination = LINNET_NONE;
}

uint32_t linnet_emit_append(linnet_compiler *c, linnet_plan_step *draft)
{
    linnet_plan *plan = c->plan;
    if (!linnet_grow(&plan->steps, &plan->step_capacity, plan->step_count + 1, sizeof *plan->steps)) {
        linnet_release(draft->refusals);
        return no_memory(c);
    }
    plan->steps[plan->step_count] = *draft;
    return (uint32_t)plan->step_count++;
}

linnet_plan_step *linnet_emit_step(linnet_compiler *c, linnet_step_type type, uint32_t place, uint32_t node)
{
    linnet_plan_step draft;
    linnet_step_draft(c, place, node, &draft);
    draft.type = type;
    uint32_t index = linnet_emit_append(c, &draft);
    return index == LINNET_NONE ? NULL : &c->plan->steps[index];
}

void linnet_step_bind_desc(linnet_plan_step *step)
{
    step->desc.inputs = step->inputs;
    step->desc.outputs = step->outputs;
    step->desc.parameters = step->parameters;
    step->desc.states = step->states;
    step->desc.epilogue = step->epilogue;
    if (step->own_attributes.struct_size)
        step->desc.attributes = &step->own_attributes;
}

uint32_t linnet_emit_as(linnet_compiler *c, uint32_t tensor, uint32_t place, uint32_t format)
{
    const linnet_plan_tensor *source = &c->plan->tensors[tensor];
    if (source->place == place && source->desc.format == format)
        return tensor;
    bool transfer = source->place != place;
    if (transfer && source->desc.format != LINNET_FORMAT_NCHW) { /* devices only share dense tensors */
        uint32_t dense = linnet_emit_as(c, tensor, source->place, LINNET_FORMAT_NCHW);
        return dense == LINNET_NONE ? LINNET_NONE : linnet_emit_as(c, dense, place, format);
    }
    linnet_tensor_desc desc = source->desc;
    desc.format = transfer ? LINNET_FORMAT_NCHW : format;
    desc.outer_stride = 0;
    uint32_t destination = linnet_emit_tensor(c, place, &desc);
    linnet_plan_step *step =
        destination == LINNET_NONE
            ? NULL
            : linnet_emit_step(c, transfer ? LINNET_STEP_TRANSFER : LINNET_STEP_CONVERT, place, LINNET_NO_NODE);
    if (!step)
        return LINNET_NONE;
    step->source = tensor;
    step->destination = destination;
    return desc.format == format ? destination : linnet_emit_as(c, destination, place, format);
}

uint32_t linnet_emit_instance(linnet_compiler *c, uint32_t value, uint32_t place, uint32_t format)
{
    for (size_t i = 0; i < c->plan->instance_count; i++) {
        const linnet_instance *instance = &c->plan->instances[i];
        const linnet_plan_tensor *tensor = &c->plan->tensors[instance->tensor];
        /* What another loss's segment converted may never have run. */
        if (instance->value == value && tensor->place == place && tensor->desc.format == format &&
            (instance->segment == 0 || instance->segment == c->segment))
            return instance->tensor;
    }
    uint32_t primary = linnet_emit_primary(c, value);
    if (primary == LINNET_NONE) {
        linnet_fail(c->context, LINNET_INTERNAL, "'%s' is used before it is made", c->net->values[value].name);
        return LINNET_NONE;
    }
    uint32_t tensor = linnet_emit_as(c, primary, place, format);
    if (tensor == LINNET_NONE || !linnet_emit_instance_add(c, value, tensor))
        return LINNET_NONE;
    return tensor;
}

uint32_t linnet_emit_value_variable(linnet_compiler *c, uint32_t value, uint32_t format)
{
    return linnet_emit_variable(c, c->session->variable_of[value], format);
}

uint32_t linnet_emit_variable(linnet_compiler *c, uint32_t index, uint32_t format)
{
    linnet_session *session = c->session;
    const linnet_variable *variable = &session->variables[index];
    linnet_plan_tensor tensor = {.desc = linnet_desc_of(&c->shapes[variable->value]),
                                 .bytes = variable->bytes,
                                 .place = variable->place,
                                 .home = LINNET_HOME_VARIABLE,
                                 .variable = index};
    if (format == LINNET_FORMAT_NCHW)
        return add_tensor(c, &tensor);
    tensor.desc.format = format;
    tensor.home = LINNET_HOME_PACKED;
    if (linnet_emit_tensor_bytes(c, variable->place, &tensor.desc, &tensor.bytes) != LINNET_OK)
        return LINNET_NONE;
    tensor.packed = linnet_packed_get(session, index, variable->place, format, tensor.bytes);
    linnet_plan *plan = c->plan;
    if (tensor.packed == LINNET_NONE)
        return LINNET_NONE;
    if (!linnet_grow(&plan->packed, &plan->packed_capacity, plan->packed_count + 1, sizeof *plan->packed))
        return no_memory(c);
    plan->packed[plan->packed_count++] = tensor.packed;
    return add_tensor(c, &tensor);
}

void linnet_emit_describe_node(const linnet_compiler *c, uint32_t n, linnet_direction direction, linnet_plan_step *step)
{
    const linnet_node *node = &c->net->nodes[n];
    step->desc = (linnet_layer_desc){.struct_size = sizeof step->desc,
                                     .kind = node->layer->kind,
                                     .direction = direction,
                                     .behaviour = c->plan->behaviour,
                                     .differentiate = linnet_node_differentiates(c, n),
                                     .input_count = node->input_count,
                                     .output_count = 1,
                                     .parameter_count = node->parameter_count,
                                     .state_count = node->state_count,
                                     .attributes = node->layer->kind == LINNET_LAYER_RESHAPE ? NULL : node->attributes};
    for (uint32_t i = 0; i < node->input_count; i++)
        step->inputs[i] = linnet_desc_of(&c->shapes[node->inputs[i]]);
    for (uint32_t i = 0; i < node->parameter_count; i++)
        step->parameters[i] = linnet_desc_of(&c->shapes[node->parameters[i]]);
    for (uint32_t i = 0; i < node->state_count; i++)
        step->states[i] = linnet_desc_of(&c->shapes[node->states[i]]);
    step->outputs[0] = linnet_desc_of(&c->shapes[node->output]);
    linnet_step_bind_desc(step);
}

void linnet_emit_describe_unit(const linnet_compiler *c, uint32_t n, bool epilogue, linnet_plan_step *step)
{
    linnet_emit_describe_node(c, n, LINNET_FORWARD, step);
    if (c->fold[n] != LINNET_NONE) { /* folded weights have a bias even where the layer had none */
        const linnet_fold *fold = &c->session->folds[c->fold[n]];
        step->desc.parameter_count = 2;
        step->parameters[1] = linnet_desc_of(&c->shapes[c->session->variables[fold->bias].value]);
    }
    const linnet_fusion *fusion = &c->fusions[n];
    for (uint32_t i = 0; epilogue && i < fusion->count; i++) {
        if (fusion->added[i] != LINNET_NONE) {
            step->epilogue[i] = (linnet_epilogue){.op = LINNET_EPILOGUE_ADD};
            step->inputs[step->desc.input_count++] = linnet_desc_of(&c->shapes[fusion->added[i]]);
        } else {
            const linnet_unary_attributes *a = c->net->nodes[fusion->nodes[i]].attributes;
            step->epilogue[i] = (linnet_epilogue){a->op, a->alpha, a->beta};
        }
        step->desc.epilogue_count++;
    }
}

void linnet_emit_describe_choice(linnet_compiler *c, uint32_t n, linnet_plan_step *step)
{
    const linnet_choice *choice = c->choices[n];
    uint32_t values[LINNET_MAX_INPUTS];
    linnet_step_draft(c, c->node_place[n], n, step);
    linnet_emit_describe_unit(c, n, true, step);
    linnet_unit_inputs(c, n, values);
    for (uint32_t i = 0; i < step->desc.input_count; i++) {
        if (choice)
            step->inputs[i].format = choice->input_formats[i];
        if (c->slices[values[i]].concat != LINNET_NO_NODE && c->slices[values[i]].concat != n)
            step->inputs[i].outer_stride = c->slices[values[i]].outer_stride;
    }
    const linnet_slice *slice = &c->slices[linnet_fusion_output(c, n)];
    if (slice->concat != LINNET_NO_NODE) { /* whether a stride is taken may depend on the format */
        step->outputs[0].format = slice->format;
        step->outputs[0].outer_stride = slice->outer_stride;
    }
}

bool linnet_emit_can_hold(const linnet_compiler *c, uint32_t place, const linnet_tensor_desc *desc, uint32_t format)
{
    uint64_t bytes;
    linnet_tensor_desc other = *desc;
    const linnet_device *device = c->session->places[place].device;
    other.format = format;
    if (format < LINNET_FORMAT_PRIVATE)
        return format == LINNET_FORMAT_NCHW || (desc->rank == 4 && desc->type == LINNET_F32);
    bool holds =
        device->backend->format_bytes && device->backend->format_bytes(device->handle, &other, &bytes) == LINNET_OK;
    if (!holds)
        linnet_host_error_clear();
    return holds;
}
