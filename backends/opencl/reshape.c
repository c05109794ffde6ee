/* SPDX-License-Identifier: Apache-2.0 */
/* reshape: the same elements in the same order, so in place there is nothing to do. */
#include "nchw16c.h"

static linnet_status reshape_candidate(linnet_backend_device *device, const linnet_layer_desc *desc, uint32_t index,
                                       linnet_candidate *out)
{
    /* The rest of the dims is whatever it is there. */
    const linnet_tensor_desc *x = &desc->inputs[LINNET_RESHAPE_X], *y = &desc->outputs[LINNET_RESHAPE_Y];
    if (linnet_cl_can_block(device, x) && linnet_cl_can_block(device, y) && x->dims[0] == y->dims[0])
        linnet_cl_follow_nchw16n(device, desc, out);
    linnet_status status = linnet_cl_only_candidate(desc, index, "alias", out);
    out->in_place = 1;
    out->alias = 1;
    return status;
}

static linnet_status reshape_run_forward(linnet_backend_plan *plan, linnet_backend_queue *queue,
                                         const linnet_layer_args *args)
{
    return linnet_cl_copy_words(&plan->kernels[0], queue, args->inputs[LINNET_RESHAPE_X],
                                args->outputs[LINNET_RESHAPE_Y]);
}

static linnet_status reshape_run_backward(linnet_backend_plan *plan, linnet_backend_queue *queue,
                                          const linnet_layer_args *args)
{
    return linnet_cl_add_words(&plan->kernels[0], queue, args->output_gradients[LINNET_RESHAPE_Y],
                               args->input_gradients[LINNET_RESHAPE_X],
                               linnet_cl_bit(args->accumulate_inputs, LINNET_RESHAPE_X));
}

static linnet_status reshape_plan(linnet_backend_device *device, const linnet_layer_desc *desc, const char *candidate,
                                  linnet_backend_plan **out)
{
    (void)candidate;
    bool forward = desc->direction == LINNET_FORWARD;
    linnet_backend_plan *plan;
    linnet_status status =
        linnet_cl_plan_new(device, sizeof(*plan), forward ? reshape_run_forward : reshape_run_backward, &plan);
    if (status)
        return status;
    linnet_cl_copy_kernel(plan, desc, linnet_cl_storage(&desc->outputs[LINNET_RESHAPE_Y]));
    return linnet_cl_plan_done(plan, out);
}

LINNET_CL_OPS(reshape, reshape_candidate, reshape_plan);

void linnet_cl_copy_kernel(linnet_backend_plan *plan, const linnet_layer_desc *desc, int64_t count)
{
    bool forward = desc->direction == LINNET_FORWARD;
    linnet_cl_kernel *kernel =
        linnet_cl_kernel_new(plan, LINNET_CL_PROGRAM_RESHAPE, forward ? "reshape_forward" : "reshape_backward", 2);
    linnet_cl_int(kernel, count);
    linnet_cl_range(kernel, count, 1, 1, 0);
}

static bool same_view(linnet_view a, linnet_view b)
{
    return a.buffer == b.buffer && a.offset == b.offset;
}

linnet_status linnet_cl_copy_words(linnet_cl_kernel *kernel, linnet_backend_queue *queue, linnet_view from,
                                   linnet_view to)
{
    return same_view(from, to) ? LINNET_OK : linnet_cl_launch(kernel, queue, from, to);
}

linnet_status linnet_cl_add_words(linnet_cl_kernel *kernel, linnet_backend_queue *queue, linnet_view from,
                                  linnet_view to, cl_int accumulate)
{
    if (same_view(from, to) && !accumulate)
        return LINNET_OK;
    linnet_cl_run_int(kernel, 0, accumulate);
    return linnet_cl_launch(kernel, queue, from, to);
}
