/* SPDX-License-Identifier: Apache-2.0 */
/* What the layer files share: which descs are refused, and candidates of layers that have one. */
#include "plan.h"

static bool type_fits(const linnet_layer_desc *desc, uint32_t type, bool is_labels)
{
    if (is_labels || desc->kind == LINNET_LAYER_RESHAPE || desc->kind == LINNET_LAYER_CONCAT)
        return type == LINNET_I32 || (type == LINNET_F32 && !is_labels);
    return type == LINNET_F32;
}

static const char *tensor_refusal(const linnet_layer_desc *desc, const linnet_tensor_desc *tensor, bool is_labels)
{
    if (!type_fits(desc, tensor->type, is_labels))
        return is_labels ? "needs i32 labels" : "needs f32";
    if (tensor->format == LINNET_FORMAT_NHWC)
        return "needs the NCHW format";
    return linnet_desc_count(tensor) > LINNET_CL_MOST_ELEMENTS ? "over 2^31 elements" : NULL;
}

const char *linnet_cl_refusal_but_strides(const linnet_layer_desc *desc)
{
    const char *refusal = NULL;
    for (uint32_t i = 0; i < desc->input_count && !refusal; i++)
        refusal = tensor_refusal(desc, &desc->inputs[i],
                                 desc->kind == LINNET_LAYER_CROSS_ENTROPY && i == LINNET_CROSS_ENTROPY_LABELS);
    for (uint32_t i = 0; i < desc->output_count && !refusal; i++)
        refusal = tensor_refusal(desc, &desc->outputs[i], false);
    for (uint32_t i = 0; i < desc->parameter_count && !refusal; i++)
        refusal = tensor_refusal(desc, &desc->parameters[i], false);
    for (uint32_t i = 0; i < desc->state_count && !refusal; i++)
        refusal = tensor_refusal(desc, &desc->states[i], false);
    if (!refusal && linnet_epilogue_inputs(desc) > 0 && desc->kind != LINNET_LAYER_CONV2D &&
        desc->kind != LINNET_LAYER_BATCH_NORM)
        refusal = "adds nothing to its output";
    return refusal;
}

bool linnet_cl_has_strides(const linnet_layer_desc *desc)
{
    for (uint32_t i = 0; i < desc->input_count; i++)
        if (desc->inputs[i].outer_stride != 0)
            return true;
    for (uint32_t i = 0; i < desc->output_count; i++)
        if (desc->outputs[i].outer_stride != 0)
            return true;
    return false;
}

const char *linnet_cl_refusal(const linnet_layer_desc *desc)
{
    const char *refusal = linnet_cl_refusal_but_strides(desc);
    return !refusal && linnet_cl_has_strides(desc) ? "needs dense tensors" : refusal;
}

const char *linnet_cl_stride_refusal(const linnet_layer_desc *desc, const linnet_candidate *candidate)
{
    for (uint32_t i = 0; i < desc->input_count; i++)
        if (desc->inputs[i].outer_stride != 0 && candidate->input_formats[i] != desc->inputs[i].format)
            return "needs dense tensors";
    for (uint32_t i = 0; i < desc->output_count; i++)
        if (desc->outputs[i].outer_stride != 0 && candidate->output_formats[i] != desc->outputs[i].format)
            return "needs dense tensors";
    return NULL;
}

linnet_status linnet_cl_only_candidate(const linnet_layer_desc *desc, uint32_t index, const char *name,
                                       linnet_candidate *out)
{
    if (index > 0)
        return LINNET_END;
    out->name = name;
    out->numerics = LINNET_NUMERICS_DIRECT;
    out->refusal = linnet_cl_refusal(desc);
    if (!out->refusal && desc->epilogue_count > 0)
        out->refusal = "takes no epilogue";
    return LINNET_OK;
}

static const float ALIAS_COST = 0.01f; /* 0 would be unknown */

float linnet_cl_memory_cost(const linnet_backend_device *device, const linnet_layer_desc *desc)
{
    double count = 0;
    for (uint32_t i = 0; i < desc->input_count; i++)
        count += (double)linnet_desc_count(&desc->inputs[i]);
    for (uint32_t i = 0; i < desc->output_count; i++)
        count += (double)linnet_desc_count(&desc->outputs[i]);
    for (uint32_t i = 0; i < desc->parameter_count; i++)
        count += (double)linnet_desc_count(&desc->parameters[i]);
    return (float)(count * sizeof(float) / device->parameters.values[LINNET_CL_BYTES]);
}

static float product_cost(const linnet_backend_device *device, const linnet_layer_desc *desc)
{
    if (desc->kind != LINNET_LAYER_LINEAR)
        return 0;
    return (float)((double)desc->outputs[0].dims[0] * (double)linnet_desc_count(&desc->parameters[0]) /
                   (device->parameters.values[LINNET_CL_PRODUCTS] * device->info.compute_units));
}

linnet_status linnet_cl_candidate(linnet_cl_candidate_function *function, linnet_backend_device *device,
                                  const linnet_layer_desc *desc, uint32_t index, linnet_candidate *out)
{
    for (uint32_t i = 0; i < desc->input_count; i++)
        out->input_formats[i] = LINNET_FORMAT_NCHW;
    for (uint32_t i = 0; i < desc->output_count; i++)
        out->output_formats[i] = LINNET_FORMAT_NCHW;
    for (uint32_t i = 0; i < desc->parameter_count; i++)
        out->parameter_formats[i] = LINNET_FORMAT_NCHW;
    linnet_status status = function(device, desc, index, out);
    if (!status)
        linnet_cl_force_candidate(function, device, desc, out);
    if (status || !device->prefers_vectors || out->refusal)
        return status;
    if (out->alias)
        out->cost = ALIAS_COST;
    else if (out->cost <= 0) /* keeps the order of preference */
        out->cost = (float)(index + 1) * (linnet_cl_memory_cost(device, desc) + product_cost(device, desc));
    return LINNET_OK;
}

bool linnet_cl_wants_input(const linnet_layer_desc *desc, uint32_t index)
{
    return desc->want_inputs >> index & 1u;
}

bool linnet_cl_wants_parameter(const linnet_layer_desc *desc, uint32_t index)
{
    return desc->want_parameters >> index & 1u;
}

int64_t linnet_cl_extent(const linnet_tensor_desc *desc, uint32_t first, uint32_t last)
{
    int64_t count = 1;
    for (uint32_t i = first; i < last && i < desc->rank; i++)
        count *= desc->dims[i];
    return count;
}

linnet_status linnet_cl_run_loss(linnet_backend_plan *plan, linnet_backend_queue *queue, const linnet_layer_args *args)
{
    linnet_status status = linnet_cl_launch(&plan->kernels[0], queue, args->inputs[0], args->workspace);
    return status ? status : linnet_cl_reduce(&plan->kernels[1], queue, args->workspace, args->outputs[0], 0);
}

linnet_status linnet_cl_run_loss_gradient(linnet_backend_plan *plan, linnet_backend_queue *queue,
                                          const linnet_layer_args *args)
{
    linnet_cl_run_int(&plan->kernels[0], 0, linnet_cl_bit(args->accumulate_inputs, 0));
    return linnet_cl_launch(&plan->kernels[0], queue, args->inputs[0], args->output_gradients[0],
                            args->input_gradients[0]);
}
