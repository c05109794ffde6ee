/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conv2d by one work-item a pixel and four channels: any shape, workspace only for the parts of the weight's and bias'
 * gradients. The workspace holds the parts of the weight [parts,weights], then those of the bias.
 */
#include "conv2d.h"

typedef struct direct_plan {
    linnet_backend_plan base;
    linnet_cl_conv2d shape;
    uint64_t bias_parts_at; /* bytes into the workspace */
    linnet_cl_kernel *forward, *data, *weight, *reduce;
    linnet_cl_channel_sum bias;
} direct_plan;

enum { TILE = 4 }; /* as in conv2d_direct.cl */

/* Images are split so that there is work for the device, and no further: the parts take memory. */
static int64_t weight_run(const linnet_backend_device *device, const linnet_cl_conv2d *shape)
{
    int64_t parts = (device->prefers_vectors ? 4096 : 65536) / shape->weights + 1;
    return parts > shape->images ? 1 : (shape->images + parts - 1) / parts;
}

static int64_t weight_parts(const linnet_backend_device *device, const linnet_cl_conv2d *shape)
{
    int64_t run = weight_run(device, shape);
    return (shape->images + run - 1) / run;
}

static linnet_cl_channels bias_shape(const linnet_backend_device *device, const linnet_cl_conv2d *shape)
{
    return linnet_cl_channels_of(device, shape->images, shape->outputs, shape->out_height * shape->out_width);
}

static uint64_t weight_parts_bytes(const linnet_backend_device *device, const linnet_cl_conv2d *shape)
{
    return shape->want_weight ? (uint64_t)(weight_parts(device, shape) * shape->weights) * sizeof(float) : 0;
}

static uint64_t direct_workspace_bytes(const linnet_backend_device *device, const linnet_cl_conv2d *shape)
{
    uint64_t bytes = weight_parts_bytes(device, shape);
    if (shape->want_bias)
        bytes += (uint64_t)(bias_shape(device, shape).parts * shape->outputs) * sizeof(float);
    return bytes;
}

static const char *direct_refusal(const linnet_backend_device *device, const linnet_cl_conv2d *shape)
{
    (void)device;
    (void)shape;
    return NULL;
}

static linnet_status direct_run_forward(linnet_backend_plan *base, linnet_backend_queue *queue,
                                        const linnet_layer_args *args)
{
    direct_plan *plan = (direct_plan *)base;
    return linnet_cl_launch(plan->forward, queue, args->inputs[LINNET_CONV2D_X], args->parameters[LINNET_CONV2D_WEIGHT],
                            plan->shape.has_bias ? args->parameters[LINNET_CONV2D_BIAS] : linnet_cl_no_view,
                            args->outputs[LINNET_CONV2D_Y]);
}

static linnet_status direct_run_backward(linnet_backend_plan *base, linnet_backend_queue *queue,
                                         const linnet_layer_args *args)
{
    direct_plan *plan = (direct_plan *)base;
    linnet_view dy = args->output_gradients[LINNET_CONV2D_Y];
    linnet_status status = LINNET_OK;
    if (plan->data) {
        linnet_cl_run_int(plan->data, 0, linnet_cl_bit(args->accumulate_inputs, LINNET_CONV2D_X));
        status = linnet_cl_launch(plan->data, queue, dy, args->parameters[LINNET_CONV2D_WEIGHT],
                                  args->input_gradients[LINNET_CONV2D_X]);
    }
    if (plan->weight && !status)
        status = linnet_cl_launch(plan->weight, queue, args->inputs[LINNET_CONV2D_X], dy, args->workspace);
    if (plan->weight && !status)
        status = linnet_cl_reduce(plan->reduce, queue, args->workspace, args->parameter_gradients[LINNET_CONV2D_WEIGHT],
                                  linnet_cl_bit(args->accumulate_parameters, LINNET_CONV2D_WEIGHT));
    if (plan->bias.parts && !status)
        status =
            linnet_cl_channel_sum_run(&plan->bias, queue, dy, linnet_cl_view_at(args->workspace, plan->bias_parts_at),
                                      args->parameter_gradients[LINNET_CONV2D_BIAS],
                                      linnet_cl_bit(args->accumulate_parameters, LINNET_CONV2D_BIAS));
    return status;
}

static int64_t tiles(int64_t groups, int64_t channels)
{
    return groups * ((channels + TILE - 1) / TILE);
}

static void direct_forward_kernel(direct_plan *plan)
{
    const linnet_cl_conv2d *shape = &plan->shape;
    plan->forward = linnet_cl_kernel_new(&plan->base, LINNET_CL_PROGRAM_CONV2D_DIRECT, "conv2d_direct_forward", 4);
    linnet_cl_conv2d_constants(plan->forward, shape);
    linnet_cl_int(plan->forward, shape->has_bias);
    linnet_cl_int(plan->forward, shape->epilogue.op);
    linnet_cl_float(plan->forward, shape->epilogue.alpha);
    linnet_cl_float(plan->forward, shape->epilogue.beta);
    linnet_cl_range(plan->forward, shape->out_height * shape->out_width, tiles(shape->groups, shape->group_outputs),
                    shape->images, 64);
}

static void direct_backward_kernels(direct_plan *plan)
{
    const linnet_cl_conv2d *shape = &plan->shape;
    linnet_backend_plan *base = &plan->base;
    if (shape->want_data) {
        plan->data = linnet_cl_kernel_new(base, LINNET_CL_PROGRAM_CONV2D_DIRECT, "conv2d_direct_backward_data", 3);
        linnet_cl_conv2d_constants(plan->data, shape);
        linnet_cl_range(plan->data, shape->height * shape->width, tiles(shape->groups, shape->group_inputs),
                        shape->images, 64);
    }
    if (shape->want_weight) {
        int64_t parts = weight_parts(base->device, shape);
        plan->weight = linnet_cl_kernel_new(base, LINNET_CL_PROGRAM_CONV2D_DIRECT, "conv2d_direct_backward_weight", 3);
        linnet_cl_conv2d_constants(plan->weight, shape);
        linnet_cl_int(plan->weight, shape->images);
        linnet_cl_int(plan->weight, weight_run(base->device, shape));
        linnet_cl_range(plan->weight, shape->weights, parts, 1, 64);
        plan->reduce = linnet_cl_reduce_kernel(base, shape->weights, parts, 1.0f);
    }
    plan->bias_parts_at = weight_parts_bytes(base->device, shape);
    if (shape->want_bias)
        linnet_cl_channel_sum_kernels(base, bias_shape(base->device, shape), &plan->bias);
}

static linnet_status direct_plan_new(linnet_backend_device *device, const linnet_cl_conv2d *shape,
                                     linnet_backend_plan **out)
{
    linnet_backend_plan *base;
    linnet_status status = linnet_cl_plan_new(device, sizeof(direct_plan),
                                              shape->forward ? direct_run_forward : direct_run_backward, &base);
    if (status)
        return status;
    direct_plan *plan = (direct_plan *)base;
    plan->shape = *shape;
    if (shape->forward)
        direct_forward_kernel(plan);
    else
        direct_backward_kernels(plan);
    return linnet_cl_plan_done(base, out);
}

const linnet_cl_conv2d_way linnet_cl_conv2d_direct = {.name = "direct",
                                                      .products_a_microsecond = 1e3f,
                                                      .refusal = direct_refusal,
                                                      .workspace_bytes = direct_workspace_bytes,
                                                      .plan = direct_plan_new};
