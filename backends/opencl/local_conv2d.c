/* SPDX-License-Identifier: Apache-2.0 */
/*
 * local_conv2d: on processors by patches in local memory where they fit (local_conv2d_patch.cl), else by one work-item
 * a few outputs. The bias' gradient is a sum over the images of dy.
 */
#include "plan.h"
#include "sizes.h"
#include "variants.h"

typedef struct local_shape {
    int64_t images, channels, height, width, outputs, out_height, out_width;
    int64_t kernel[2], stride[2], top, left;
    int64_t depth; /* elements of one filter */
} local_shape;

typedef struct local_plan {
    linnet_backend_plan base;
    bool has_bias;
    linnet_cl_kernel *forward, *data, *weight, *bias; /* NULL where not wanted */
} local_plan;

/* As in the kernels. */
enum { IMAGES = 8, ROWS = 64, FORWARD_IMAGES = 16, WEIGHT_IMAGES = 4 };
/* Work-items that dx is split for on processors, by channels. */
enum { DATA_ITEMS = 16 };

static local_shape local_shape_of(const linnet_layer_desc *desc)
{
    const linnet_local_conv2d_attributes *attributes = desc->attributes;
    const int64_t *x = desc->inputs[LINNET_LOCAL_CONV2D_X].dims, *y = desc->outputs[LINNET_LOCAL_CONV2D_Y].dims;
    return (local_shape){.images = x[0],
                         .channels = x[1],
                         .height = x[2],
                         .width = x[3],
                         .outputs = y[1],
                         .out_height = y[2],
                         .out_width = y[3],
                         .kernel = {attributes->kernel[0], attributes->kernel[1]},
                         .stride = {attributes->stride[0], attributes->stride[1]},
                         .top = attributes->padding[0],
                         .left = attributes->padding[1],
                         .depth = x[1] * attributes->kernel[0] * attributes->kernel[1]};
}

static void local_constants(linnet_cl_kernel *kernel, const local_shape *shape)
{
    const int64_t constants[] = {shape->images,    shape->channels,   shape->height,    shape->width,
                                 shape->outputs,   shape->out_height, shape->out_width, shape->kernel[0],
                                 shape->kernel[1], shape->stride[0],  shape->stride[1], shape->top,
                                 shape->left};
    linnet_cl_ints(kernel, constants);
}

static linnet_status local_conv2d_candidate(linnet_backend_device *device, const linnet_layer_desc *desc,
                                            uint32_t index, linnet_candidate *out)
{
    (void)device;
    linnet_status status = linnet_cl_only_candidate(desc, index, "direct", out);
    if (desc->direction == LINNET_BACKWARD) {
        out->reads_parameters =
            linnet_cl_wants_input(desc, LINNET_LOCAL_CONV2D_X) ? 1u << LINNET_LOCAL_CONV2D_WEIGHT : 0u;
        out->reads_inputs =
            linnet_cl_wants_parameter(desc, LINNET_LOCAL_CONV2D_WEIGHT) ? 1u << LINNET_LOCAL_CONV2D_X : 0u;
    }
    return status;
}

static linnet_status local_run_forward(linnet_backend_plan *base, linnet_backend_queue *queue,
                                       const linnet_layer_args *args)
{
    local_plan *plan = (local_plan *)base;
    return linnet_cl_launch(plan->forward, queue, args->inputs[LINNET_LOCAL_CONV2D_X],
                            args->parameters[LINNET_LOCAL_CONV2D_WEIGHT],
                            plan->has_bias ? args->parameters[LINNET_LOCAL_CONV2D_BIAS] : linnet_cl_no_view,
                            args->outputs[LINNET_LOCAL_CONV2D_Y]);
}

static linnet_status local_run_backward(linnet_backend_plan *base, linnet_backend_queue *queue,
                                        const linnet_layer_args *args)
{
    local_plan *plan = (local_plan *)base;
    linnet_view dy = args->output_gradients[LINNET_LOCAL_CONV2D_Y];
    linnet_status status = LINNET_OK;
    if (plan->data) {
        linnet_cl_run_int(plan->data, 0, linnet_cl_bit(args->accumulate_inputs, LINNET_LOCAL_CONV2D_X));
        status = linnet_cl_launch(plan->data, queue, dy, args->parameters[LINNET_LOCAL_CONV2D_WEIGHT],
                                  args->input_gradients[LINNET_LOCAL_CONV2D_X]);
    }
    if (plan->weight && !status) {
        linnet_cl_run_int(plan->weight, 0, linnet_cl_bit(args->accumulate_parameters, LINNET_LOCAL_CONV2D_WEIGHT));
        status = linnet_cl_launch(plan->weight, queue, args->inputs[LINNET_LOCAL_CONV2D_X], dy,
                                  args->parameter_gradients[LINNET_LOCAL_CONV2D_WEIGHT]);
    }
    if (plan->bias && !status)
        status = linnet_cl_reduce(plan->bias, queue, dy, args->parameter_gradients[LINNET_LOCAL_CONV2D_BIAS],
                                  linnet_cl_bit(args->accumulate_parameters, LINNET_LOCAL_CONV2D_BIAS));
    return status;
}

static bool patches_fit(const linnet_backend_device *device, int64_t floats)
{
    uint64_t reserve = 1024; /* the driver may need a little itself */
    bool wanted = device->prefers_vectors || linnet_cl_forces(device, LINNET_CL_VARIANT_PATCHES_LOCAL);
    return wanted && !linnet_cl_forces(device, LINNET_CL_VARIANT_PATCHES_NONE) &&
           (uint64_t)floats * sizeof(float) + reserve <= device->local_memory;
}

static void local_forward_kernel(local_plan *plan, const local_shape *shape)
{
    int64_t floats = FORWARD_IMAGES * shape->depth, pixels = shape->out_height * shape->out_width;
    bool patches = patches_fit(plan->base.device, floats);
    plan->forward = linnet_cl_kernel_new(
        &plan->base, patches ? LINNET_CL_PROGRAM_LOCAL_CONV2D_PATCH : LINNET_CL_PROGRAM_LOCAL_CONV2D,
        patches ? "local_conv2d_patch_forward" : "local_conv2d_forward", 4);
    local_constants(plan->forward, shape);
    linnet_cl_int(plan->forward, plan->has_bias);
    if (patches) {
        linnet_cl_local(plan->forward, (uint64_t)floats * sizeof(float));
        linnet_cl_range(plan->forward, pixels, ceil_div(shape->images, FORWARD_IMAGES), 1, 1);
    } else {
        linnet_cl_range_groups(plan->forward, 1, ceil_div(shape->images, IMAGES), 1, ROWS);
        linnet_cl_range_groups(plan->forward, ceil_div(pixels * shape->outputs, (int64_t)plan->forward->local[0]),
                               ceil_div(shape->images, IMAGES), 1, plan->forward->local[0]);
    }
}

static void local_data_kernel(local_plan *plan, const local_shape *shape)
{
    int64_t parts = ceil_div(DATA_ITEMS, shape->images);
    int64_t run = ceil_div(shape->channels, parts), floats = run * shape->kernel[0] * shape->kernel[1];
    bool patches = patches_fit(plan->base.device, floats);
    plan->data = linnet_cl_kernel_new(&plan->base,
                                      patches ? LINNET_CL_PROGRAM_LOCAL_CONV2D_PATCH : LINNET_CL_PROGRAM_LOCAL_CONV2D,
                                      patches ? "local_conv2d_patch_backward_data" : "local_conv2d_backward_data", 3);
    local_constants(plan->data, shape);
    if (patches) {
        linnet_cl_int(plan->data, run);
        linnet_cl_local(plan->data, (uint64_t)floats * sizeof(float));
        linnet_cl_range(plan->data, ceil_div(shape->channels, run), shape->images, 1, 1);
    } else {
        linnet_cl_range(plan->data, shape->height * shape->width, shape->channels, ceil_div(shape->images, IMAGES), 64);
    }
}

static void local_weight_kernel(local_plan *plan, const local_shape *shape)
{
    int64_t floats = WEIGHT_IMAGES * shape->depth, pixels = shape->out_height * shape->out_width;
    bool patches = patches_fit(plan->base.device, floats);
    plan->weight = linnet_cl_kernel_new(
        &plan->base, patches ? LINNET_CL_PROGRAM_LOCAL_CONV2D_PATCH : LINNET_CL_PROGRAM_LOCAL_CONV2D,
        patches ? "local_conv2d_patch_backward_weight" : "local_conv2d_backward_weight", 3);
    local_constants(plan->weight, shape);
    if (patches) {
        linnet_cl_local(plan->weight, (uint64_t)floats * sizeof(float));
        linnet_cl_range(plan->weight, pixels, 1, 1, 1);
    } else {
        linnet_cl_range(plan->weight, shape->outputs * shape->depth, pixels, 1, 64);
    }
}

static linnet_status local_conv2d_plan(linnet_backend_device *device, const linnet_layer_desc *desc,
                                       const char *candidate, linnet_backend_plan **out)
{
    (void)candidate;
    bool forward = desc->direction == LINNET_FORWARD;
    linnet_backend_plan *base;
    linnet_status status =
        linnet_cl_plan_new(device, sizeof(local_plan), forward ? local_run_forward : local_run_backward, &base);
    if (status)
        return status;
    local_plan *plan = (local_plan *)base;
    local_shape shape = local_shape_of(desc);
    plan->has_bias = desc->parameter_count > LINNET_LOCAL_CONV2D_BIAS;
    if (forward)
        local_forward_kernel(plan, &shape);
    if (!forward && linnet_cl_wants_input(desc, LINNET_LOCAL_CONV2D_X))
        local_data_kernel(plan, &shape);
    if (!forward && linnet_cl_wants_parameter(desc, LINNET_LOCAL_CONV2D_WEIGHT))
        local_weight_kernel(plan, &shape);
    if (!forward && linnet_cl_wants_parameter(desc, LINNET_LOCAL_CONV2D_BIAS))
        plan->bias = linnet_cl_reduce_kernel(base, shape.outputs * shape.out_height * shape.out_width, shape.images, 1);
    return linnet_cl_plan_done(base, out);
}

LINNET_CL_OPS(local_conv2d, local_conv2d_candidate, local_conv2d_plan);
