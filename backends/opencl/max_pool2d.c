/* SPDX-License-Identifier: Apache-2.0 */
/* max_pool2d: keeps the winner of every window for backward, which then gathers. */
#include "nchw16c.h"
#include "sizes.h"

static linnet_status max_pool2d_candidate(linnet_backend_device *device, const linnet_layer_desc *desc, uint32_t index,
                                          linnet_candidate *out)
{
    linnet_status status = linnet_cl_only_candidate(desc, index, "direct", out);
    const linnet_pool2d_attributes *attributes = desc->attributes;
    linnet_tensor_desc y = desc->outputs[LINNET_MAX_POOL2D_Y];
    /* Winners are bytes there. */
    y.format = LINNET_FORMAT_NCHW;
    if (attributes->kernel[0] * attributes->kernel[1] < 255 &&
        (linnet_cl_follow_nchw16n(device, desc, out) || linnet_cl_follow_nchw16c(device, desc, out)))
        y.format = out->output_formats[LINNET_MAX_POOL2D_Y];
    if (desc->direction == LINNET_BACKWARD) {
        out->reads_saved = 1;
    } else if (desc->differentiate) {
        out->saved_count = 1;
        out->saved_bytes[0] =
            (uint64_t)linnet_cl_storage(&y) * (y.format == LINNET_FORMAT_NCHW ? sizeof(cl_int) : sizeof(cl_uchar));
    }
    return status;
}

static linnet_status max_pool2d_run_forward(linnet_backend_plan *plan, linnet_backend_queue *queue,
                                            const linnet_layer_args *args)
{
    linnet_view winner = args->saved_count ? args->saved[0] : linnet_cl_no_view;
    linnet_cl_run_int(&plan->kernels[0], 0, winner.buffer != NULL);
    return linnet_cl_launch(&plan->kernels[0], queue, args->inputs[LINNET_MAX_POOL2D_X],
                            args->outputs[LINNET_MAX_POOL2D_Y], winner);
}

static linnet_status max_pool2d_run_backward(linnet_backend_plan *plan, linnet_backend_queue *queue,
                                             const linnet_layer_args *args)
{
    linnet_cl_run_int(&plan->kernels[0], 0, linnet_cl_bit(args->accumulate_inputs, LINNET_MAX_POOL2D_X));
    return linnet_cl_launch(&plan->kernels[0], queue, args->output_gradients[LINNET_MAX_POOL2D_Y], args->saved[0],
                            args->input_gradients[LINNET_MAX_POOL2D_X]);
}

/* Is every element of x in one window? */
static bool covers_exactly(const linnet_layer_desc *desc)
{
    const linnet_pool2d_attributes *a = desc->attributes;
    const int64_t *x = desc->inputs[0].dims, *y = desc->outputs[0].dims;
    return a->kernel[0] == a->stride[0] && a->kernel[1] == a->stride[1] && a->padding[0] == 0 && a->padding[1] == 0 &&
           x[2] == y[2] * a->stride[0] && x[3] == y[3] * a->stride[1];
}

static linnet_status max_pool2d_plan(linnet_backend_device *device, const linnet_layer_desc *desc,
                                     const char *candidate, linnet_backend_plan **out)
{
    (void)candidate;
    bool forward = desc->direction == LINNET_FORWARD;
    linnet_backend_plan *plan;
    linnet_status status =
        linnet_cl_plan_new(device, sizeof(*plan), forward ? max_pool2d_run_forward : max_pool2d_run_backward, &plan);
    if (status)
        return status;
    if (desc->inputs[LINNET_MAX_POOL2D_X].format != LINNET_FORMAT_NCHW) {
        linnet_cl_kernel *blocked =
            linnet_cl_kernel_new(plan, LINNET_CL_PROGRAM_POOL2D_NCHW16C,
                                 forward ? "max_pool2d_nchw16c_forward" : "max_pool2d_nchw16c_backward", 3);
        linnet_cl_pool2d_constants(blocked, desc);
        if (forward)
            linnet_cl_int(blocked, linnet_cl_is_nchw16n(&desc->inputs[LINNET_MAX_POOL2D_X])
                                       ? LINNET_CL_LANES
                                       : desc->inputs[LINNET_MAX_POOL2D_X].dims[1]);
        linnet_cl_int(blocked, forward ? linnet_cl_pool2d_rows(blocked, desc) : covers_exactly(desc));
        return linnet_cl_plan_done(plan, out);
    }
    static const char *const names[2][2] = {{"max_pool2d_forward", "max_pool2d_forward_planes"},
                                            {"max_pool2d_backward", "max_pool2d_backward_planes"}};
    linnet_cl_kernel *kernel = linnet_cl_kernel_new(plan, LINNET_CL_PROGRAM_MAX_POOL2D,
                                                    names[forward ? 0 : 1][device->prefers_vectors ? 1 : 0], 3);
    linnet_cl_pool2d_constants(kernel, desc);
    return linnet_cl_plan_done(plan, out);
}

LINNET_CL_OPS(max_pool2d, max_pool2d_candidate, max_pool2d_plan);

void linnet_cl_pool2d_constants(linnet_cl_kernel *kernel, const linnet_layer_desc *desc)
{
    const linnet_pool2d_attributes *attributes = desc->attributes;
    const int64_t *x = desc->inputs[0].dims, *y = desc->outputs[0].dims;
    const int64_t constants[] = {x[2],
                                 x[3],
                                 y[2],
                                 y[3],
                                 attributes->kernel[0],
                                 attributes->kernel[1],
                                 attributes->stride[0],
                                 attributes->stride[1],
                                 attributes->padding[0],
                                 attributes->padding[1]};
    linnet_cl_ints(kernel, constants);
    if (desc->inputs[0].format != LINNET_FORMAT_NCHW)
        linnet_cl_range(kernel, linnet_cl_planes(&desc->inputs[0]), 1, 1, 1);
    else if (kernel->device->prefers_vectors)
        linnet_cl_range(kernel, x[0] * x[1], 1, 1, 1);
    else if (desc->direction == LINNET_FORWARD)
        linnet_cl_range(kernel, y[2] * y[3], x[0] * x[1], 1, 0);
    else
        linnet_cl_range(kernel, x[2] * ceil_div(x[3], 4), x[0] * x[1], 1, 0);
}

int64_t linnet_cl_pool2d_rows(linnet_cl_kernel *kernel, const linnet_layer_desc *desc)
{
    enum { TASKS = 16 };
    int64_t height = desc->outputs[0].dims[2], planes = linnet_cl_planes(&desc->inputs[0]);
    int64_t chunks = ceil_div(TASKS, planes);
    int64_t rows = ceil_div(height, chunks);
    linnet_cl_range(kernel, ceil_div(height, rows), planes, 1, 1);
    return rows;
}
