/* SPDX-License-Identifier: Apache-2.0 */
/* The steps of a plan, for those who look at it: what each does, and how much work that is. */
#include "session.h"

static uint64_t list_bytes(const linnet_plan *plan, const uint32_t *tensors, uint32_t count)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < count; i++)
        if (tensors[i] != LINNET_NONE)
            sum += plan->tensors[tensors[i]].bytes;
    return sum;
}

/* Every tensor that the step has in hand, once. */
static uint64_t step_bytes(const linnet_plan *plan, const linnet_plan_step *step)
{
    const linnet_step_operands *o = &step->operands;
    if (step->type == LINNET_STEP_NOTHING)
        return 0;
    return list_bytes(plan, o->inputs, LINNET_MAX_INPUTS) + list_bytes(plan, o->input_gradients, LINNET_MAX_INPUTS) +
           list_bytes(plan, o->outputs, LINNET_MAX_OUTPUTS) +
           list_bytes(plan, o->output_gradients, LINNET_MAX_OUTPUTS) +
           list_bytes(plan, o->parameters, LINNET_MAX_PARAMETERS) +
           list_bytes(plan, o->parameter_gradients, LINNET_MAX_PARAMETERS) +
           list_bytes(plan, o->states, LINNET_MAX_STATES) + list_bytes(plan, o->saved, LINNET_MAX_SAVED) +
           list_bytes(plan, &step->source, 1) + list_bytes(plan, &step->destination, 1);
}

static void take_shapes(linnet_shape *out, const linnet_tensor_desc *descs, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        out[i] = (linnet_shape){.type = (linnet_type)descs[i].type, .rank = descs[i].rank};
        for (uint32_t j = 0; j < descs[i].rank; j++)
            out[i].dims[j] = descs[i].dims[j];
    }
}

/* Of the direct form of the layer; backwards once for the inputs and once for the parameters. */
static uint64_t step_multiply_adds(const linnet_plan_step *step)
{
    const linnet_layer_desc *desc = &step->desc;
    const linnet_layer *layer = step->type == LINNET_STEP_LAYER ? linnet_layer_find(desc->kind) : NULL;
    if (!layer || !layer->multiply_adds)
        return 0;
    linnet_shape_job job = {.attributes = desc->attributes,
                            .input_count = desc->input_count,
                            .parameter_count = desc->parameter_count,
                            .output_count = desc->output_count};
    take_shapes(job.inputs, desc->inputs, desc->input_count);
    take_shapes(job.parameters, desc->parameters, desc->parameter_count);
    take_shapes(job.outputs, desc->outputs, desc->output_count);
    uint64_t passes =
        desc->direction == LINNET_FORWARD ? 1 : (uint64_t)((desc->want_inputs != 0) + (desc->want_parameters != 0));
    return passes * layer->multiply_adds(&job);
}

void linnet_step_describe(const linnet_session *session, const linnet_plan *plan, const linnet_plan_step *step,
                          linnet_step_info *out_info)
{
    *out_info = (linnet_step_info){.struct_size = sizeof *out_info,
                                   .backward = step->segment != 0,
                                   .multiply_adds = step_multiply_adds(step),
                                   .bytes = step_bytes(plan, step)};
    linnet_step_names(session, step, out_info);
}

linnet_status linnet_session_step(const linnet_session *session, size_t index, linnet_step_info *out_info)
{
    if (!session || !out_info || out_info->struct_size < sizeof *out_info)
        return linnet_fail(session ? session->context : NULL, LINNET_INVALID,
                           "a step is looked up in a session, with the struct_size of where it goes");
    const linnet_plan *plan = session->current;
    if (!plan || index >= plan->step_count)
        return LINNET_END;
    linnet_step_describe(session, plan, &plan->steps[index], out_info);
    return LINNET_OK;
}
