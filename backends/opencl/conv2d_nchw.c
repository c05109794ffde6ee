/* SPDX-License-Identifier: Apache-2.0 */
/* conv2d in NCHW, forward, with respect to the input and with respect to the weight in parts: what such ways share. */
#include "conv2d.h"

static linnet_cl_channels bias_shape(const linnet_backend_device *device, const linnet_cl_conv2d *shape)
{
    return linnet_cl_channels_of(device, shape->images, shape->outputs, shape->out_height * shape->out_width);
}

static uint64_t weight_bytes(const linnet_cl_conv2d *shape, int64_t parts)
{
    return shape->want_weight ? (uint64_t)(parts * shape->weights) * sizeof(float) : 0;
}

uint64_t linnet_cl_conv2d_nchw_workspace(const linnet_backend_device *device, const linnet_cl_conv2d *shape,
                                         int64_t parts)
{
    uint64_t bytes = weight_bytes(shape, parts);
    if (shape->want_bias)
        bytes += (uint64_t)(bias_shape(device, shape).parts * shape->outputs) * sizeof(float);
    return bytes;
}

static linnet_status run_forward(linnet_backend_plan *base, linnet_backend_queue *queue, const linnet_layer_args *args)
{
    linnet_cl_conv2d_nchw *plan = (linnet_cl_conv2d_nchw *)base;
    return linnet_cl_launch(plan->forward, queue, args->inputs[LINNET_CONV2D_X], args->parameters[LINNET_CONV2D_WEIGHT],
                            plan->shape.has_bias ? args->parameters[LINNET_CONV2D_BIAS] : linnet_cl_no_view,
                            args->outputs[LINNET_CONV2D_Y]);
}

static linnet_status run_backward(linnet_backend_plan *base, linnet_backend_queue *queue, const linnet_layer_args *args)
{
    linnet_cl_conv2d_nchw *plan = (linnet_cl_conv2d_nchw *)base;
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

linnet_status linnet_cl_conv2d_nchw_plan(linnet_backend_device *device, const linnet_cl_conv2d *shape,
                                         void (*forward)(linnet_cl_conv2d_nchw *),
                                         void (*backward)(linnet_cl_conv2d_nchw *), linnet_backend_plan **out)
{
    linnet_backend_plan *base;
    linnet_status status =
        linnet_cl_plan_new(device, sizeof(linnet_cl_conv2d_nchw), shape->forward ? run_forward : run_backward, &base);
    if (status)
        return status;
    linnet_cl_conv2d_nchw *plan = (linnet_cl_conv2d_nchw *)base;
    plan->shape = *shape;
    (shape->forward ? forward : backward)(plan);
    return linnet_cl_plan_done(base, out);
}

void linnet_cl_conv2d_nchw_epilogue(linnet_cl_kernel *kernel, const linnet_cl_conv2d *shape)
{
    linnet_cl_int(kernel, shape->has_bias);
    linnet_cl_int(kernel, shape->epilogue.op);
    linnet_cl_float(kernel, shape->epilogue.alpha);
    linnet_cl_float(kernel, shape->epilogue.beta);
}

void linnet_cl_conv2d_nchw_sums(linnet_cl_conv2d_nchw *plan, int64_t parts)
{
    const linnet_cl_conv2d *shape = &plan->shape;
    if (shape->want_weight)
        plan->reduce = linnet_cl_reduce_kernel(&plan->base, shape->weights, parts, 1.0f);
    plan->bias_parts_at = weight_bytes(shape, parts);
    if (shape->want_bias)
        linnet_cl_channel_sum_kernels(&plan->base, bias_shape(plan->base.device, shape), &plan->bias);
}
