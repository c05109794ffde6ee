/* SPDX-License-Identifier: Apache-2.0 */
/* avg_pool2d: forward and its gradient, which gathers. */
#include "nchw16c.h"

static linnet_status avg_pool2d_candidate(linnet_backend_device *device, const linnet_layer_desc *desc, uint32_t index,
                                          linnet_candidate *out)
{
    if (!linnet_cl_follow_nchw16n(device, desc, out))
        linnet_cl_follow_nchw16c(device, desc, out);
    return linnet_cl_only_candidate(desc, index, "direct", out);
}

static linnet_status avg_pool2d_run_forward(linnet_backend_plan *plan, linnet_backend_queue *queue,
                                            const linnet_layer_args *args)
{
    return linnet_cl_launch(&plan->kernels[0], queue, args->inputs[LINNET_AVG_POOL2D_X],
                            args->outputs[LINNET_AVG_POOL2D_Y]);
}

static linnet_status avg_pool2d_run_backward(linnet_backend_plan *plan, linnet_backend_queue *queue,
                                             const linnet_layer_args *args)
{
    linnet_cl_run_int(&plan->kernels[0], 0, linnet_cl_bit(args->accumulate_inputs, LINNET_AVG_POOL2D_X));
    return linnet_cl_launch(&plan->kernels[0], queue, args->output_gradients[LINNET_AVG_POOL2D_Y],
                            args->input_gradients[LINNET_AVG_POOL2D_X]);
}

static linnet_status avg_pool2d_plan(linnet_backend_device *device, const linnet_layer_desc *desc,
                                     const char *candidate, linnet_backend_plan **out)
{
    (void)candidate;
    bool forward = desc->direction == LINNET_FORWARD;
    linnet_backend_plan *plan;
    linnet_status status =
        linnet_cl_plan_new(device, sizeof(*plan), forward ? avg_pool2d_run_forward : avg_pool2d_run_backward, &plan);
    if (status)
        return status;
    if (desc->inputs[LINNET_AVG_POOL2D_X].format != LINNET_FORMAT_NCHW) {
        linnet_cl_kernel *blocked =
            linnet_cl_kernel_new(plan, LINNET_CL_PROGRAM_POOL2D_NCHW16C,
                                 forward ? "avg_pool2d_nchw16c_forward" : "avg_pool2d_nchw16c_backward", 2);
        linnet_cl_pool2d_constants(blocked, desc);
        if (forward)
            linnet_cl_int(blocked, linnet_cl_pool2d_rows(blocked, desc));
        linnet_cl_int(blocked, ((const linnet_pool2d_attributes *)desc->attributes)->exclude_padding != 0);
        return linnet_cl_plan_done(plan, out);
    }
    static const char *const names[2][2] = {{"avg_pool2d_forward", "avg_pool2d_forward_planes"},
                                            {"avg_pool2d_backward", "avg_pool2d_backward_planes"}};
    linnet_cl_kernel *kernel = linnet_cl_kernel_new(plan, LINNET_CL_PROGRAM_AVG_POOL2D,
                                                    names[forward ? 0 : 1][device->prefers_vectors ? 1 : 0], 2);
    linnet_cl_pool2d_constants(kernel, desc);
    linnet_cl_int(kernel, ((const linnet_pool2d_attributes *)desc->attributes)->exclude_padding != 0);
    return linnet_cl_plan_done(plan, out);
}

LINNET_CL_OPS(avg_pool2d, avg_pool2d_candidate, avg_pool2d_plan);
