/* SPDX-License-Identifier: Apache-2.0 */
/* softmax and log_softmax along an axis: a line, on GPUs several work-items a line. Both have the same roles. */
#include "softmax.h"

linnet_status linnet_cl_softmax_candidate(linnet_backend_device *device, const linnet_layer_desc *desc, uint32_t index,
                                          linnet_candidate *out)
{
    (void)device;
    linnet_status status = linnet_cl_only_candidate(desc, index, "direct", out);
    out->in_place = 1;
    if (desc->direction == LINNET_BACKWARD)
        out->reads_outputs = 1;
    return status;
}

static linnet_status run_forward(linnet_backend_plan *plan, linnet_backend_queue *queue, const linnet_layer_args *args)
{
    return linnet_cl_launch(&plan->kernels[0], queue, args->inputs[LINNET_SOFTMAX_X], args->outputs[LINNET_SOFTMAX_Y]);
}

static linnet_status run_backward(linnet_backend_plan *plan, linnet_backend_queue *queue, const linnet_layer_args *args)
{
    linnet_cl_run_int(&plan->kernels[0], 0, linnet_cl_bit(args->accumulate_inputs, LINNET_SOFTMAX_X));
    return linnet_cl_launch(&plan->kernels[0], queue, args->outputs[LINNET_SOFTMAX_Y],
                            args->output_gradients[LINNET_SOFTMAX_Y], args->input_gradients[LINNET_SOFTMAX_X]);
}

linnet_status linnet_cl_softmax_plan(linnet_backend_device *device, const linnet_layer_desc *desc,
                                     linnet_cl_program_id program, const char *kernel_name, linnet_backend_plan **out)
{
    bool forward = desc->direction == LINNET_FORWARD;
    const linnet_tensor_desc *x = &desc->inputs[LINNET_SOFTMAX_X];
    uint32_t axis = ((const linnet_axis_attributes *)desc->attributes)->axis;
    linnet_backend_plan *plan;
    linnet_status status = linnet_cl_plan_new(device, sizeof(*plan), forward ? run_forward : run_backward, &plan);
    if (status)
        return status;
    int64_t inner = linnet_cl_extent(x, axis + 1, x->rank), lines = linnet_cl_extent(x, 0, axis) * inner;
    linnet_cl_kernel *kernel = linnet_cl_kernel_new(plan, program, kernel_name, forward ? 2 : 3);
    linnet_cl_int(kernel, x->dims[axis]);
    linnet_cl_int(kernel, inner);
    linnet_cl_int(kernel, lines);
    linnet_cl_lines(kernel, lines, x->dims[axis], inner, 64);
    return linnet_cl_plan_done(plan, out);
}

static linnet_status softmax_plan(linnet_backend_device *device, const linnet_layer_desc *desc, const char *candidate,
                                  linnet_backend_plan **out)
{
    (void)candidate;
    return linnet_cl_softmax_plan(device, desc, LINNET_CL_PROGRAM_SOFTMAX,
                                  desc->direction == LINNET_FORWARD ? "softmax_forward" : "softmax_backward", out);
}

LINNET_CL_OPS(softmax, linnet_cl_softmax_candidate, softmax_plan);
