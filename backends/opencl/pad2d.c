/* SPDX-License-Identifier: Apache-2.0 */
/* pad2d: forward and its gradient, which gathers. */
#include "nchw16c.h"

static linnet_status pad2d_candidate(linnet_backend_device *device, const linnet_layer_desc *desc, uint32_t index,
                                     linnet_candidate *out)
{
    linnet_cl_follow_nchw16c(device, desc, out);
    return linnet_cl_only_candidate(desc, index, "direct", out);
}

static linnet_status pad2d_run_forward(linnet_backend_plan *plan, linnet_backend_queue *queue,
                                       const linnet_layer_args *args)
{
    return linnet_cl_launch(&plan->kernels[0], queue, args->inputs[LINNET_PAD2D_X], args->outputs[LINNET_PAD2D_Y]);
}

static linnet_status pad2d_run_backward(linnet_backend_plan *plan, linnet_backend_queue *queue,
                                        const linnet_layer_args *args)
{
    linnet_cl_run_int(&plan->kernels[0], 0, linnet_cl_bit(args->accumulate_inputs, LINNET_PAD2D_X));
    return linnet_cl_launch(&plan->kernels[0], queue, args->output_gradients[LINNET_PAD2D_Y],
                            args->input_gradients[LINNET_PAD2D_X]);
}

static void pad2d_kernel(linnet_backend_plan *plan, const linnet_layer_desc *desc)
{
    static const char *const names[2][3] = {{"pad2d_forward", "pad2d_forward_rows", "pad2d_forward_nchw16c"},
                                            {"pad2d_backward", "pad2d_backward_rows", "pad2d_backward_nchw16c"}};
    const linnet_pad2d_attributes *attributes = desc->attributes;
    const int64_t *x = desc->inputs[LINNET_PAD2D_X].dims, *y = desc->outputs[LINNET_PAD2D_Y].dims;
    bool forward = desc->direction == LINNET_FORWARD, vectors = plan->device->prefers_vectors;
    bool blocked = linnet_cl_is_nchw16c(&desc->inputs[LINNET_PAD2D_X]);
    const int64_t constants[] = {
        x[2], x[3], y[2], y[3], attributes->padding[0], attributes->padding[1], attributes->mode};
    linnet_cl_kernel *kernel =
        linnet_cl_kernel_new(plan, LINNET_CL_PROGRAM_PAD2D, names[!forward][blocked ? 2 : vectors], 2);
    linnet_cl_ints(kernel, constants);
    linnet_cl_float(kernel, attributes->value);
    const int64_t *plane = forward ? y : x;
    if (blocked) {
        linnet_cl_int(kernel, x[1]);
        linnet_cl_range(kernel, plane[2], linnet_cl_blocks(x[1]), x[0], 1);
        return;
    }
    linnet_cl_range(kernel, vectors ? plane[2] : plane[2] * plane[3], x[0] * x[1], 1, vectors ? 1 : 0);
}

static linnet_status pad2d_plan(linnet_backend_device *device, const linnet_layer_desc *desc, const char *candidate,
                                linnet_backend_plan **out)
{
    (void)candidate;
    bool forward = desc->direction == LINNET_FORWARD;
    linnet_backend_plan *plan;
    linnet_status status =
        linnet_cl_plan_new(device, sizeof(*plan), forward ? pad2d_run_forward : pad2d_run_backward, &plan);
    if (status)
        return status;
    pad2d_kernel(plan, desc);
    return linnet_cl_plan_done(plan, out);
}

LINNET_CL_OPS(pad2d, pad2d_candidate, pad2d_plan);
