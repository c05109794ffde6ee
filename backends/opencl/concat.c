/* SPDX-License-Identifier: Apache-2.0 */
/* concat along an axis: one copy an input, into or out of y. */
#include "nchw16c.h"

typedef struct concat_plan {
    linnet_backend_plan base;
    uint32_t input_count, want_inputs;
    linnet_cl_kernel copies[LINNET_MAX_INPUTS]; /* not in base.kernels: there may be more than those hold */
} concat_plan;

/* Along the channels, in whole blocks: parts of nchw16c lie in it as those of NCHW do. */
static bool has_whole_blocks(const linnet_layer_desc *desc)
{
    for (uint32_t i = 0; i + 1 < desc->input_count; i++)
        if (desc->inputs[i].dims[1] % LINNET_CL_LANES != 0)
            return false;
    return ((const linnet_axis_attributes *)desc->attributes)->axis == 1;
}

static linnet_status concat_candidate(linnet_backend_device *device, const linnet_layer_desc *desc, uint32_t index,
                                      linnet_candidate *out)
{
    if (has_whole_blocks(desc))
        linnet_cl_follow_nchw16c(device, desc, out);
    return linnet_cl_only_candidate(desc, index, "copy", out);
}

static linnet_status concat_run_forward(linnet_backend_plan *base, linnet_backend_queue *queue,
                                        const linnet_layer_args *args)
{
    concat_plan *plan = (concat_plan *)base;
    linnet_status status = LINNET_OK;
    for (uint32_t i = 0; i < plan->input_count && !status; i++)
        status = linnet_cl_launch(&plan->copies[i], queue, args->inputs[i], args->outputs[LINNET_CONCAT_Y]);
    return status;
}

static linnet_status concat_run_backward(linnet_backend_plan *base, linnet_backend_queue *queue,
                                         const linnet_layer_args *args)
{
    concat_plan *plan = (concat_plan *)base;
    linnet_status status = LINNET_OK;
    for (uint32_t i = 0; i < plan->input_count && !status; i++) {
        if (!(plan->want_inputs >> i & 1u))
            continue;
        linnet_cl_run_int(&plan->copies[i], 0, linnet_cl_bit(args->accumulate_inputs, i));
        status = linnet_cl_launch(&plan->copies[i], queue, args->output_gradients[LINNET_CONCAT_Y],
                                  args->input_gradients[i]);
    }
    return status;
}

static void concat_plan_free(linnet_backend_plan *base)
{
    concat_plan *plan = (concat_plan *)base;
    for (uint32_t i = 0; plan && i < plan->input_count; i++)
        linnet_cl_release_kernel(plan->copies[i].kernel);
    linnet_cl_plan_free(base);
}

/* Words of a tensor from the axis on. */
static int64_t row_words(const linnet_tensor_desc *tensor, uint32_t axis)
{
    return linnet_cl_is_nchw16c(tensor) ? linnet_cl_storage(tensor) / tensor->dims[0]
                                        : linnet_cl_extent(tensor, axis, tensor->rank);
}

static void concat_copies(concat_plan *plan, const linnet_layer_desc *desc)
{
    const linnet_tensor_desc *y = &desc->outputs[LINNET_CONCAT_Y];
    uint32_t axis = ((const linnet_axis_attributes *)desc->attributes)->axis;
    int64_t outer = linnet_cl_extent(y, 0, axis), stride = row_words(y, axis), start = 0;
    bool forward = desc->direction == LINNET_FORWARD;
    for (uint32_t i = 0; i < desc->input_count; i++) {
        int64_t row = row_words(&desc->inputs[i], axis);
        linnet_cl_kernel *kernel = &plan->copies[plan->input_count++];
        linnet_cl_kernel_init(plan->base.device, kernel, &plan->base.status, LINNET_CL_PROGRAM_CONCAT,
                              forward ? "concat_forward" : "concat_backward", 2);
        linnet_cl_int(kernel, row);
        linnet_cl_int(kernel, stride);
        linnet_cl_int(kernel, start);
        linnet_cl_range(kernel, row, outer, 1, 0);
        start += row;
    }
}

static linnet_status concat_plan_new(linnet_backend_device *device, const linnet_layer_desc *desc,
                                     const char *candidate, linnet_backend_plan **out)
{
    (void)candidate;
    linnet_backend_plan *base;
    linnet_status status =
        linnet_cl_plan_new(device, sizeof(concat_plan),
                           desc->direction == LINNET_FORWARD ? concat_run_forward : concat_run_backward, &base);
    if (status)
        return status;
    concat_plan *plan = (concat_plan *)base;
    plan->want_inputs = desc->want_inputs;
    concat_copies(plan, desc);
    *out = base;
    if (base->status) {
        status = base->status;
        concat_plan_free(base);
        *out = NULL;
    }
    return status;
}

LINNET_CL_OPS_FREED(concat, concat_candidate, concat_plan_new, concat_plan_free);
