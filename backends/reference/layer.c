/* SPDX-License-Identifier: Apache-2.0 */
/* What all layers have in common: the table, the only candidate "textbook", plans, tensors out of views. */
#include "reference.h"

#include <string.h>

static const char candidate_name[] = "textbook";

static const reference_layer *const layers[] = {
#define LINNET_LAYER(number, NAME, name, ...) [number] = &reference_##name##_layer,
#include "linnet/layers.def"
};

const reference_layer *reference_layer_find(uint32_t kind)
{
    return kind < sizeof layers / sizeof layers[0] ? layers[kind] : NULL;
}

/* A plan is a copy of its desc: everything else happens in run. */
struct linnet_backend_plan {
    const reference_layer *layer;
    linnet_layer_desc desc;
    linnet_tensor_desc inputs[LINNET_MAX_INPUTS], outputs[LINNET_MAX_OUTPUTS];
    linnet_tensor_desc parameters[LINNET_MAX_PARAMETERS], states[LINNET_MAX_STATES];
    linnet_epilogue epilogue[LINNET_MAX_EPILOGUE];
    union {
        linnet_conv2d_attributes conv2d; /* the largest; for size and alignment */
        linnet_pool2d_attributes pool2d;
        unsigned char bytes[128];
    } attributes;
};

/* ---- Tensors ---- */

void *reference_memory(linnet_view view)
{
    return view.buffer ? view.buffer->data + view.offset : NULL;
}

static reference_tensor tensor(const linnet_tensor_desc *desc, linnet_view view, bool accumulate)
{
    reference_tensor t = {.data = reference_memory(view), .dims = desc->dims, .accumulate = accumulate};
    t.items = desc->rank ? desc->dims[0] : 1;
    t.inner = linnet_desc_count(desc) / t.items;
    t.stride = desc->outer_stride ? desc->outer_stride : t.inner;
    return t;
}

reference_tensor reference_input(const reference_call *call, uint32_t index)
{
    return tensor(&call->desc->inputs[index], call->args->inputs[index], false);
}

reference_tensor reference_output(const reference_call *call, uint32_t index)
{
    return tensor(&call->desc->outputs[index], call->args->outputs[index], false);
}

/* A parameter that is not there (conv2d without bias) has no desc and no view. */
reference_tensor reference_parameter(const reference_call *call, uint32_t index)
{
    if (index >= call->desc->parameter_count)
        return (reference_tensor){0};
    return tensor(&call->desc->parameters[index], call->args->parameters[index], false);
}

reference_tensor reference_state(const reference_call *call, uint32_t index)
{
    return tensor(&call->desc->states[index], call->args->states[index], false);
}

reference_tensor reference_output_gradient(const reference_call *call, uint32_t index)
{
    return tensor(&call->desc->outputs[index], call->args->output_gradients[index], false);
}

reference_tensor reference_input_gradient(const reference_call *call, uint32_t index)
{
    if (!(call->desc->want_inputs >> index & 1))
        return (reference_tensor){0};
    return tensor(&call->desc->inputs[index], call->args->input_gradients[index],
                  call->args->accumulate_inputs >> index & 1);
}

reference_tensor reference_parameter_gradient(const reference_call *call, uint32_t index)
{
    if (index >= call->desc->parameter_count || !(call->desc->want_parameters >> index & 1))
        return (reference_tensor){0};
    return tensor(&call->desc->parameters[index], call->args->parameter_gradients[index],
                  call->args->accumulate_parameters >> index & 1);
}

/* ---- Shared arithmetic ---- */

reference_rows reference_axis_rows(const reference_call *call)
{
    const linnet_axis_attributes *attributes = call->desc->attributes;
    const linnet_tensor_desc *x = &call->desc->inputs[0];
    reference_rows rows = {
        .length = x->dims[attributes->axis], .middle = 1, .after = 1, .outermost = attributes->axis == 0};
    for (uint32_t i = 1; i < attributes->axis; i++)
        rows.middle *= x->dims[i];
    for (uint32_t i = attributes->axis + 1; i < x->rank; i++)
        rows.after *= x->dims[i];
    rows.count = linnet_desc_count(x) / rows.length;
    return rows;
}

int64_t reference_window_source(int64_t position, int64_t before, int64_t tap, int64_t dilation, int64_t stride,
                                int64_t length)
{
    int64_t start = position + before - tap * dilation;
    if (start < 0 || start % stride || start / stride >= length)
        return -1;
    return start / stride;
}

double reference_epilogue(const reference_call *call, int64_t n, int64_t at, double value)
{
    const linnet_layer_desc *desc = call->desc;
    uint32_t added = desc->input_count - linnet_epilogue_inputs(desc);
    for (uint32_t i = 0; i < desc->epilogue_count; i++) {
        const linnet_epilogue *e = &desc->epilogue[i];
        if (e->op == LINNET_EPILOGUE_ADD) {
            reference_tensor residual = reference_input(call, added++);
            value += reference_item(&residual, n)[at];
        } else {
            value = reference_unary(e->op, e->alpha, e->beta, value);
        }
    }
    return value;
}

/* ---- Candidates ---- */

static const char *refuse_tensors(const linnet_tensor_desc *tensors, uint32_t count, uint32_t i32_mask, bool moves_i32)
{
    for (uint32_t i = 0; i < count; i++) {
        bool is_i32 = tensors[i].type == LINNET_I32, want_i32 = i32_mask >> i & 1;
        if (want_i32 != is_i32 && !(is_i32 && moves_i32))
            return want_i32 ? "needs i32 labels" : "needs f32";
        if (!is_i32 && tensors[i].type != LINNET_F32)
            return "needs f32";
        if (tensors[i].format != LINNET_FORMAT_NCHW)
            return "needs the format NCHW";
        if (tensors[i].rank > LINNET_MAX_RANK)
            return "too many dimensions";
    }
    return NULL;
}

static const char *refuse(const reference_layer *layer, const linnet_layer_desc *desc)
{
    if (desc->input_count < 1 || desc->input_count > LINNET_MAX_INPUTS || desc->output_count != 1 ||
        desc->parameter_count > LINNET_MAX_PARAMETERS || desc->state_count > LINNET_MAX_STATES)
        return "wrong number of tensors";
    uint32_t attributes_size = 0; /* the first member of every kind's attributes */
    if (layer->attributes_size && desc->attributes)
        memcpy(&attributes_size, desc->attributes, sizeof attributes_size);
    if (attributes_size < layer->attributes_size)
        return "attributes are incomplete";
    if (desc->epilogue_count > (layer->takes_epilogue ? LINNET_MAX_EPILOGUE : 0))
        return "takes no epilogue";
    bool moves_i32 = layer->moves_i32 && desc->direction == LINNET_FORWARD;
    const char *reason = refuse_tensors(desc->inputs, desc->input_count, layer->i32_inputs, moves_i32);
    if (!reason)
        reason = refuse_tensors(desc->outputs, desc->output_count, 0, moves_i32);
    if (!reason)
        reason = refuse_tensors(desc->parameters, desc->parameter_count, 0, false);
    if (!reason)
        reason = refuse_tensors(desc->states, desc->state_count, 0, false);
    return reason;
}

static linnet_status candidate(linnet_backend_device *device, const linnet_layer_desc *desc, uint32_t index,
                               linnet_candidate *out)
{
    (void)device;
    const reference_layer *layer = reference_layer_find(desc->kind);
    if (!layer || index > 0)
        return LINNET_END;
    out->name = candidate_name;
    out->numerics = LINNET_NUMERICS_DIRECT;
    out->refusal = refuse(layer, desc);
    if (!out->refusal)
        layer->candidate(desc, out);
    return LINNET_OK;
}

bool reference_same_layout(const linnet_tensor_desc *a, const linnet_tensor_desc *b)
{
    return a->outer_stride == b->outer_stride;
}

void reference_in_place(const linnet_layer_desc *desc, linnet_candidate *out)
{
    for (uint32_t i = 0; i < desc->input_count; i++)
        if (reference_same_layout(&desc->inputs[i], &desc->outputs[0]))
            out->in_place |= 1u << i;
}

/* ---- Plans ---- */

static linnet_status plan_new(linnet_backend_device *device, const linnet_layer_desc *desc, const char *name,
                              linnet_backend_plan **out)
{
    (void)device;
    const reference_layer *layer = reference_layer_find(desc->kind);
    if (!layer || strcmp(name, candidate_name) != 0)
        return reference_fail(LINNET_NOT_FOUND, "reference: no such candidate");
    const char *reason = refuse(layer, desc);
    if (reason)
        return reference_fail(LINNET_UNSUPPORTED, reason);
    linnet_backend_plan *plan = reference_object_new(sizeof *plan);
    if (!plan)
        return LINNET_OUT_OF_MEMORY;
    plan->layer = layer;
    plan->desc = *desc;
    plan->desc.struct_size = sizeof plan->desc;
    memcpy(plan->inputs, desc->inputs, desc->input_count * sizeof *desc->inputs);
    memcpy(plan->outputs, desc->outputs, desc->output_count * sizeof *desc->outputs);
    if (desc->parameter_count)
        memcpy(plan->parameters, desc->parameters, desc->parameter_count * sizeof *desc->parameters);
    if (desc->state_count)
        memcpy(plan->states, desc->states, desc->state_count * sizeof *desc->states);
    if (desc->epilogue_count)
        memcpy(plan->epilogue, desc->epilogue, desc->epilogue_count * sizeof *desc->epilogue);
    if (layer->attributes_size)
        memcpy(&plan->attributes, desc->attributes, layer->attributes_size);
    plan->desc.attributes = layer->attributes_size ? &plan->attributes : NULL;
    plan->desc.inputs = plan->inputs;
    plan->desc.outputs = plan->outputs;
    plan->desc.parameters = plan->parameters;
    plan->desc.states = plan->states;
    plan->desc.epilogue = plan->epilogue;
    plan->desc.forward = NULL;
    *out = plan;
    return LINNET_OK;
}

static void plan_free(linnet_backend_plan *plan)
{
    reference_object_free(plan);
}

/* The host keeps tensors inside buffers; a reference says so when it did not. */
static bool inside(const linnet_tensor_desc *descs, const linnet_view *views, uint32_t count)
{
    for (uint32_t i = 0; views && i < count; i++) {
        if (!views[i].buffer)
            continue;
        reference_tensor t = tensor(&descs[i], views[i], false);
        uint64_t bytes = (uint64_t)((t.items - 1) * t.stride + t.inner) * sizeof(float);
        if (views[i].offset > views[i].buffer->bytes || bytes > views[i].buffer->bytes - views[i].offset)
            return false;
    }
    return true;
}

static bool all_inside(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    return inside(desc->inputs, args->inputs, desc->input_count) &&
           inside(desc->outputs, args->outputs, desc->output_count) &&
           inside(desc->parameters, args->parameters, desc->parameter_count) &&
           inside(desc->states, args->states, desc->state_count) &&
           (desc->direction == LINNET_FORWARD ||
            (inside(desc->outputs, args->output_gradients, desc->output_count) &&
             inside(desc->inputs, args->input_gradients, desc->input_count) &&
             inside(desc->parameters, args->parameter_gradients, desc->parameter_count)));
}

static linnet_status run(linnet_backend_plan *plan, linnet_backend_queue *queue, const linnet_layer_args *args)
{
    (void)queue;
    if (!all_inside(&plan->desc, args))
        return reference_fail(LINNET_INVALID, "reference: a tensor reaches beyond its buffer");
    reference_call call = {&plan->desc, args};
    if (plan->desc.direction == LINNET_FORWARD)
        plan->layer->forward(&call);
    else
        plan->layer->backward(&call);
    return LINNET_OK;
}

const linnet_layer_ops reference_ops = {
    .struct_size = sizeof reference_ops, .candidate = candidate, .plan = plan_new, .plan_free = plan_free, .run = run};
