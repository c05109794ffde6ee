/* SPDX-License-Identifier: Apache-2.0 */
/* Running a plan: a walk over its steps. No allocation, no look-up by name, no lock. */
#include "session.h"

#include <string.h>

static const linnet_view absent;

linnet_view linnet_plan_view(const linnet_session *session, const linnet_plan *plan, uint32_t index)
{
    if (index == LINNET_NONE)
        return absent;
    const linnet_plan_tensor *tensor = &plan->tensors[index];
    const linnet_place *place = &session->places[tensor->place];
    const linnet_plan_storage *storage;
    switch (tensor->home) {
    case LINNET_HOME_VARIABLE:
        return linnet_variable_view(session, &session->variables[tensor->variable]);
    case LINNET_HOME_GRADIENT:
        return linnet_place_view(place, place->gradients, tensor->variable);
    case LINNET_HOME_PACKED:
        return (linnet_view){session->packed[tensor->packed].buffer, 0};
    case LINNET_HOME_ARENA:
        storage = &plan->storages[linnet_plan_storage_root(plan, tensor->storage)];
        return (linnet_view){place->blocks[storage->block], storage->offset + tensor->offset};
    }
    return absent;
}

static void resolve_list(const linnet_session *session, const linnet_plan *plan, const uint32_t *tensors,
                         linnet_view *out, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        out[i] = linnet_plan_view(session, plan, tensors[i]);
}

static void resolve_step(const linnet_session *session, const linnet_plan *plan, linnet_plan_step *step)
{
    const linnet_step_operands *o = &step->operands;
    linnet_step_views *v = &step->views;
    resolve_list(session, plan, o->inputs, v->inputs, LINNET_MAX_INPUTS);
    resolve_list(session, plan, o->input_gradients, v->input_gradients, LINNET_MAX_INPUTS);
    resolve_list(session, plan, o->outputs, v->outputs, LINNET_MAX_OUTPUTS);
    resolve_list(session, plan, o->output_gradients, v->output_gradients, LINNET_MAX_OUTPUTS);
    resolve_list(session, plan, o->parameters, v->parameters, LINNET_MAX_PARAMETERS);
    resolve_list(session, plan, o->parameter_gradients, v->parameter_gradients, LINNET_MAX_PARAMETERS);
    resolve_list(session, plan, o->states, v->states, LINNET_MAX_STATES);
    resolve_list(session, plan, o->saved, v->saved, LINNET_MAX_SAVED);
    v->source = linnet_plan_view(session, plan, step->source);
    v->destination = linnet_plan_view(session, plan, step->destination);
    step->args = (linnet_layer_args){
        .struct_size = sizeof step->args,
        .node = step->node,
        .accumulate_inputs = step->accumulate_inputs,
        .saved_count = step->saved_count,
        .inputs = v->inputs,
        .outputs = v->outputs,
        .parameters = v->parameters,
        .states = v->states,
        .saved = v->saved,
        .output_gradients = v->output_gradients,
        .input_gradients = v->input_gradients,
        .parameter_gradients = v->parameter_gradients,
        .workspace = linnet_plan_view(session, plan, o->workspace),
    };
}

linnet_status linnet_plan_resolve(linnet_session *session, linnet_plan *plan)
{
    linnet_status status = LINNET_OK;
    bool is_new = plan->arena_generation != session->arena_generation;
    for (uint32_t p = 0; is_new && p < plan->place_count && status == LINNET_OK; p++)
        status = linnet_memory_check(session, plan, p, true);
    for (uint32_t p = 0; p < plan->place_count && status == LINNET_OK; p++)
        status = linnet_arena_ensure(session, p, plan->block_bytes[p], plan->block_counts[p]);
    if (status == LINNET_OK)
        status = linnet_derived_allocate(session, plan);
    if (status != LINNET_OK || plan->arena_generation == session->arena_generation)
        return status;
    for (size_t i = 0; i < plan->step_count; i++)
        resolve_step(session, plan, &plan->steps[i]);
    memset(plan->fed, 0, sizeof plan->fed);
    plan->arena_generation = session->arena_generation;
    return LINNET_OK;
}

/* Whether this step adds to the parameters' gradients or is the first since they were cleared. */
static void settle_accumulation(linnet_session *session, const linnet_plan *plan, linnet_plan_step *step)
{
    step->args.accumulate_parameters = 0;
    for (uint32_t i = 0; i < step->desc.parameter_count; i++) {
        uint32_t tensor = step->operands.parameter_gradients[i];
        if (tensor == LINNET_NONE)
            continue;
        linnet_variable *variable = &session->variables[plan->tensors[tensor].variable];
        if (!variable->gradient_is_zero)
            step->args.accumulate_parameters |= 1u << i;
        variable->gradient_is_zero = false;
    }
}

static linnet_status run_layer(linnet_session *session, const linnet_plan *plan, linnet_plan_step *step,
                               const linnet_place *place)
{
    if (step->desc.direction == LINNET_BACKWARD)
        settle_accumulation(session, plan, step);
    step->args.seed = session->seed;
    step->args.step = session->step;
    linnet_status status = step->ops->run(step->plan, place->queue, &step->args);
    if (status == LINNET_OK)
        return LINNET_OK;
    return linnet_device_check(session->context, place->device, status, linnet_layer_find(step->desc.kind)->name);
}

static linnet_status run_transfer(linnet_session *session, const linnet_plan *plan, const linnet_plan_step *step)
{
    const linnet_plan_tensor *source = &plan->tensors[step->source];
    const linnet_place *from = &session->places[source->place], *to = &session->places[step->place];
    linnet_status status = linnet_device_check(
        session->context, from->device,
        from->device->backend->read(from->queue, step->views.source, plan->staging, source->bytes, NULL),
        "reading a tensor");
    if (status != LINNET_OK)
        return status;
    return linnet_device_check(
        session->context, to->device,
        to->device->backend->upload(to->queue, step->views.destination, plan->staging, source->bytes, NULL),
        "writing a tensor");
}

linnet_status linnet_step_run(linnet_session *session, const linnet_plan *plan, linnet_plan_step *step)
{
    const linnet_place *place = &session->places[step->place];
    const linnet_backend *backend = place->device->backend;
    switch (step->type) {
    case LINNET_STEP_LAYER:
        return run_layer(session, plan, step, place);
    case LINNET_STEP_CONVERT:
        return linnet_device_check(session->context, place->device,
                                   backend->convert(place->queue, &plan->tensors[step->destination].desc,
                                                    step->views.destination, &plan->tensors[step->source].desc,
                                                    step->views.source),
                                   "converting a tensor's format");
    case LINNET_STEP_TRANSFER:
        return run_transfer(session, plan, step);
    case LINNET_STEP_SEED:
        return linnet_device_check(session->context, place->device,
                                   backend->upload(place->queue, step->views.destination, session->output_gradient,
                                                   plan->tensors[step->destination].bytes, NULL),
                                   "writing a gradient");
    case LINNET_STEP_NOTHING:
        break;
    }
    return LINNET_OK;
}

linnet_status linnet_plan_run(linnet_session *session, linnet_plan *plan, uint32_t segment)
{
    uint32_t first = segment ? plan->segment_starts[segment] : 0;
    uint32_t end = plan->segment_starts[segment + 1];
    if (session->profile)
        return linnet_plan_run_timed(session, plan, first, end);
    for (uint32_t i = first; i < end; i++) {
        linnet_status status = linnet_step_run(session, plan, &plan->steps[i]);
        if (status != LINNET_OK)
            return status;
    }
    return LINNET_OK;
}
