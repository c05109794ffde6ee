/* SPDX-License-Identifier: Apache-2.0 */
/* mse: the loss in two stages, all of x being one channel of channel.clh; gradients of x and of the target. */
#include "plan.h"

static linnet_status mse_candidate(linnet_backend_device *device, const linnet_layer_desc *desc, uint32_t index,
                                   linnet_candidate *out)
{
    linnet_status status = linnet_cl_only_candidate(desc, index, "direct", out);
    int64_t count = linnet_desc_count(&desc->inputs[LINNET_MSE_X]);
    if (desc->direction == LINNET_FORWARD)
        out->workspace_bytes = (uint64_t)linnet_cl_channels_of(device, 1, 1, count).parts * sizeof(float);
    else
        out->reads_inputs = 1u << LINNET_MSE_X | 1u << LINNET_MSE_TARGET;
    return status;
}

static linnet_status mse_run_forward(linnet_backend_plan *plan, linnet_backend_queue *queue,
                                     const linnet_layer_args *args)
{
    linnet_status status = linnet_cl_launch(&plan->kernels[0], queue, args->inputs[LINNET_MSE_X],
                                            args->inputs[LINNET_MSE_TARGET], args->workspace);
    return status ? status
                  : linnet_cl_reduce(&plan->kernels[1], queue, args->workspace, args->outputs[LINNET_MSE_LOSS], 0);
}

static linnet_status mse_run_backward(linnet_backend_plan *plan, linnet_backend_queue *queue,
                                      const linnet_layer_args *args)
{
    for (uint32_t i = 0; i < 2; i++) {
        if (!args->input_gradients[i].buffer)
            continue;
        linnet_cl_run_int(&plan->kernels[0], 0, linnet_cl_bit(args->accumulate_inputs, i));
        linnet_status status = linnet_cl_launch(&plan->kernels[0], queue, args->inputs[i], args->inputs[1 - i],
                                                args->output_gradients[LINNET_MSE_LOSS], args->input_gradients[i]);
        if (status)
            return status;
    }
    return LINNET_OK;
}

static void mse_forward(linnet_backend_plan *plan, int64_t count)
{
    linnet_cl_channels parts = linnet_cl_channels_of(plan->device, 1, 1, count);
    linnet_cl_kernel *kernel = linnet_cl_kernel_new(plan, LINNET_CL_PROGRAM_MSE, "mse_forward", 3);
    linnet_cl_channels_walk(kernel, parts);
    linnet_cl_reduce_kernel(plan, 1, parts.parts, 1.0f / (float)count);
}

static linnet_status mse_plan(linnet_backend_device *device, const linnet_layer_desc *desc, const char *candidate,
                              linnet_backend_plan **out)
{
    (void)candidate;
    bool forward = desc->direction == LINNET_FORWARD;
    int64_t count = linnet_desc_count(&desc->inputs[LINNET_MSE_X]);
    linnet_backend_plan *plan;
    linnet_status status =
        linnet_cl_plan_new(device, sizeof(*plan), forward ? mse_run_forward : mse_run_backward, &plan);
    if (status)
        return status;
    if (forward) {
        mse_forward(plan, count);
    } else {
        linnet_cl_kernel *kernel = linnet_cl_kernel_new(plan, LINNET_CL_PROGRAM_MSE, "mse_backward", 4);
        linnet_cl_int(kernel, count);
        linnet_cl_elements(kernel, count, 1);
    }
    return linnet_cl_plan_done(plan, out);
}

LINNET_CL_OPS(mse, mse_candidate, mse_plan);
