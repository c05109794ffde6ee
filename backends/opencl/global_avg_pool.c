/* SPDX-License-Identifier: Apache-2.0 */
/* global_avg_pool: the mean of every plane. */
#include "nchw16c.h"

static linnet_status global_avg_pool_candidate(linnet_backend_device *device, const linnet_layer_desc *desc,
                                               uint32_t index, linnet_candidate *out)
{
    if (linnet_cl_is_nchw16c(&desc->inputs[LINNET_GLOBAL_AVG_POOL_X]) && device->prefers_vectors)
        out->input_formats[LINNET_GLOBAL_AVG_POOL_X] = LINNET_CL_NCHW16C;
    return linnet_cl_only_candidate(desc, index, "direct", out);
}

static linnet_status global_avg_pool_run_forward(linnet_backend_plan *plan, linnet_backend_queue *queue,
                                                 const linnet_layer_args *args)
{
    return linnet_cl_launch(&plan->kernels[0], queue, args->inputs[LINNET_GLOBAL_AVG_POOL_X],
                            args->outputs[LINNET_GLOBAL_AVG_POOL_Y]);
}

static linnet_status global_avg_pool_run_backward(linnet_backend_plan *plan, linnet_backend_queue *queue,
                                                  const linnet_layer_args *args)
{
    linnet_cl_run_int(&plan->kernels[0], 0, linnet_cl_bit(args->accumulate_inputs, LINNET_GLOBAL_AVG_POOL_X));
    return linnet_cl_launch(&plan->kernels[0], queue, args->output_gradients[LINNET_GLOBAL_AVG_POOL_Y],
                            args->input_gradients[LINNET_GLOBAL_AVG_POOL_X]);
}

static linnet_status global_avg_pool_plan(linnet_backend_device *device, const linnet_layer_desc *desc,
                                          const char *candidate, linnet_backend_plan **out)
{
    (void)candidate;
    bool forward = desc->direction == LINNET_FORWARD;
    const linnet_tensor_desc *x = &desc->inputs[LINNET_GLOBAL_AVG_POOL_X];
    int64_t planes = linnet_cl_extent(x, 0, 2), size = linnet_cl_extent(x, 2, x->rank);
    linnet_backend_plan *plan;
    linnet_status status = linnet_cl_plan_new(
        device, sizeof(*plan), forward ? global_avg_pool_run_forward : global_avg_pool_run_backward, &plan);
    if (status)
        return status;
    if (linnet_cl_is_nchw16c(x)) {
        linnet_cl_kernel *blocked =
            linnet_cl_kernel_new(plan, LINNET_CL_PROGRAM_POOL2D_NCHW16C,
                                 forward ? "global_avg_pool_nchw16c_forward" : "global_avg_pool_nchw16c_backward", 2);
        linnet_cl_int(blocked, x->dims[1]);
        linnet_cl_int(blocked, size);
        linnet_cl_range(blocked, linnet_cl_blocks(x->dims[1]), x->dims[0], 1, 1);
        return linnet_cl_plan_done(plan, out);
    }
    linnet_cl_kernel *kernel = linnet_cl_kernel_new(
        plan, LINNET_CL_PROGRAM_GLOBAL_AVG_POOL, forward ? "global_avg_pool_forward" : "global_avg_pool_backward", 2);
    if (forward)
        linnet_cl_int(kernel, planes);
    linnet_cl_int(kernel, size);
    if (forward) {
        linnet_cl_lines(kernel, planes, size, 1, 1);
    } else {
        linnet_cl_int(kernel, planes * size);
        linnet_cl_elements(kernel, planes * size, 1);
    }
    return linnet_cl_plan_done(plan, out);
}

LINNET_CL_OPS(global_avg_pool, global_avg_pool_candidate, global_avg_pool_plan);
