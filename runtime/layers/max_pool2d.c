/* SPDX-License-Identifier: Apache-2.0 */
/* max_pool2d: x [N,C,H,W] -> y [N,C,OH,OW]. Holds the shape inference of both poolings. */
#include "layer.h"

#include <inttypes.h>

/* Padding smaller than the kernel: then every window holds at least one element of x. */
static linnet_status check_attributes(const linnet_shape_job *job, uint32_t kind, const linnet_pool2d_attributes *a)
{
    linnet_status status = linnet_layer_check_window(job, kind, "kernel", a->kernel, 2, 1);
    if (!status)
        status = linnet_layer_check_window(job, kind, "stride", a->stride, 2, 1);
    if (!status)
        status = linnet_layer_check_window(job, kind, "padding", a->padding, 4, 0);
    for (int i = 0; i < 4 && !status; i++)
        if (a->padding[i] >= a->kernel[i % 2])
            status =
                linnet_layer_fail(job, kind, LINNET_INVALID, "padding %" PRId64 " must be smaller than kernel %" PRId64,
                                  a->padding[i], a->kernel[i % 2]);
    return status;
}

linnet_status linnet_pool2d_infer(linnet_shape_job *job, uint32_t kind)
{
    const linnet_pool2d_attributes *a = job->attributes;
    const linnet_shape *x = &job->inputs[0];
    linnet_status status = linnet_layer_check_inputs(job, kind);
    if (!status)
        status = linnet_layer_check_float(job, kind, 0, 4);
    if (!status)
        status = check_attributes(job, kind, a);
    if (status)
        return status;
    int64_t height = linnet_window_length(x->dims[2], a->kernel[0], a->stride[0], 1, a->padding[0], a->padding[2]);
    int64_t width = linnet_window_length(x->dims[3], a->kernel[1], a->stride[1], 1, a->padding[1], a->padding[3]);
    char text[192];
    if (height == 0 || width == 0)
        return linnet_layer_fail(job, kind, LINNET_SHAPE,
                                 "kernel %" PRId64 "x%" PRId64 " does not fit into input %s with padding %" PRId64
                                 ",%" PRId64 ",%" PRId64 ",%" PRId64,
                                 a->kernel[0], a->kernel[1], linnet_shape_text(x, text, sizeof text), a->padding[0],
                                 a->padding[1], a->padding[2], a->padding[3]);
    job->outputs[0] = (linnet_shape){.type = x->type, .rank = 4, .dims = {x->dims[0], x->dims[1], height, width}};
    job->output_count = 1;
    job->state_count = 0;
    return linnet_layer_check_outputs(job, kind);
}

static linnet_status infer(linnet_shape_job *job)
{
    return linnet_pool2d_infer(job, LINNET_LAYER_MAX_POOL2D);
}

const linnet_layer linnet_max_pool2d_layer = {
    .kind = LINNET_LAYER_MAX_POOL2D,
    .name = "max_pool2d",
    .attributes_size = sizeof(linnet_pool2d_attributes),
    .differentiable_inputs = 1,
    .infer = infer,
};
