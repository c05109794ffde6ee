/* SPDX-License-Identifier: Apache-2.0 */
/* mse: the loss in two stages; gradients of x and of the target. */
#include "plan.h"

enum { ELEMENTS_A_PART = 1024, MOST_PARTS = 1024 };

/* Elements that one work-item adds up; a function of the shape alone. */
static int64_t elements_a_part(int64_t count)
{
    int64_t run = (count + MOST_PARTS - 1) / MOST_PARTS;
    return run < ELEMENTS_A_PART ? ELEMENTS_A_PART : run;
}

static linnet_status mse_candidate(linnet_backend_device *device, const linnet_layer_desc *desc, uint32_t index,
                                   linnet_candidate *out)
{
    (void)device;
    linnet_status status = linnet_cl_only_candidate(desc, index, "direct", out);
    int64_t count = linnet_desc_count(&desc->inputs[LINNET_MSE_X]), run = elements_a_part(count);
    if (desc->direction == LINNET_FORWARD)
        out->workspace_bytes = (uint64_t)((count + run - 1) / run) * sizeof(float);
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
    int64_t run = elements_a_part(count), parts = (count + run - 1) / run;
    linnet_cl_kernel *kernel = linnet_cl_kernel_new(plan, LINNET_CL_PROGRAM_MSE, "mse_forward", 3);
    linnet_cl_int(kernel, count);
    linnet_cl_int(kernel, run);
    linnet_cl_int(kernel, parts);
    linnet_cl_range(kernel, parts, 1, 1, plan->device->prefers_vectors ? 1 : 64);
    linnet_cl_reduce_kernel(plan, 1, parts, 1.0f / (float)count);
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
        linnet_cl_range(kernel, count, 1, 1, 0);
    }
    return linnet_cl_plan_done(plan, out);
}

LINNET_CL_OPS(mse, mse_candidate, mse_plan);
