/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conv2d by im2col and CLBlast. Images go in chunks whose columns [chunk, CG KH KW, OH OW] fit a bounded workspace; one
 * strided-batched product a chunk and group. The weight's gradient adds up over the images one product after the other,
 * so in a fixed order.
 */
#include "conv2d.h"

#define COLUMNS_LIMIT ((uint64_t)64 << 20) /* bytes, unless one image needs more */

typedef struct clblast_plan {
    linnet_backend_plan base;
    linnet_cl_conv2d shape;
    int64_t chunk; /* images */
    linnet_cl_kernel *im2col, *col2im, *apply;
    linnet_cl_channel_sum bias;
} clblast_plan;

static int64_t column_rows(const linnet_cl_conv2d *shape)
{
    return shape->group_inputs * shape->kernel_height * shape->kernel_width;
}

static int64_t out_size(const linnet_cl_conv2d *shape)
{
    return shape->out_height * shape->out_width;
}

/* Elements of the columns of one image and group. */
static int64_t columns_size(const linnet_cl_conv2d *shape)
{
    return column_rows(shape) * out_size(shape);
}

/* CLBlast has a group along z for each. */
static int64_t chunk_images(const linnet_cl_conv2d *shape)
{
    enum { MOST = 65535 };
    int64_t fit = (int64_t)(COLUMNS_LIMIT / ((uint64_t)columns_size(shape) * sizeof(float)));
    fit = fit < MOST ? fit : MOST;
    return fit < 1 ? 1 : fit < shape->images ? fit : shape->images;
}

static linnet_cl_channels bias_shape(const linnet_backend_device *device, const linnet_cl_conv2d *shape)
{
    return linnet_cl_channels_of(device, shape->images, shape->outputs, out_size(shape));
}

/* The columns and the parts of the bias' gradient are not needed at once. */
static uint64_t clblast_workspace_bytes(const linnet_backend_device *device, const linnet_cl_conv2d *shape)
{
    uint64_t columns = 0, parts = 0;
    if (shape->forward || shape->want_data || shape->want_weight)
        columns = (uint64_t)(chunk_images(shape) * columns_size(shape)) * sizeof(float);
    if (shape->want_bias)
        parts = (uint64_t)(bias_shape(device, shape).parts * shape->outputs) * sizeof(float);
    return columns > parts ? columns : parts;
}

static const char *clblast_refusal(const linnet_backend_device *device, const linnet_cl_conv2d *shape)
{
    if (columns_size(shape) > INT32_MAX)
        return "the columns of one image are over 2^31 elements";
    if ((uint64_t)columns_size(shape) * sizeof(float) > device->info.max_buffer_bytes / 2)
        return "the columns of one image take over half of the largest buffer";
    return NULL;
}

static linnet_view images_at(linnet_view view, int64_t first, int64_t elements)
{
    return linnet_cl_view_at(view, (uint64_t)(first * elements) * sizeof(float));
}

static linnet_view weight_of_group(const linnet_cl_conv2d *shape, linnet_view weight, int64_t group)
{
    return images_at(weight, group, shape->group_outputs * column_rows(shape));
}

/* Columns of count images from first on, one group. */
static linnet_status run_im2col(clblast_plan *plan, linnet_backend_queue *queue, const linnet_layer_args *args,
                                int64_t first, int64_t count, int64_t group)
{
    const linnet_cl_conv2d *shape = &plan->shape;
    plan->im2col->global[2] = (size_t)count;
    plan->im2col->dimensions = 3;
    linnet_cl_run_int(plan->im2col, 0, (cl_int)(group * shape->group_inputs));
    return linnet_cl_launch(
        plan->im2col, queue,
        images_at(args->inputs[LINNET_CONV2D_X], first, shape->channels * shape->height * shape->width),
        args->workspace);
}

static linnet_status forward_chunk(clblast_plan *plan, linnet_backend_queue *queue, const linnet_layer_args *args,
                                   int64_t first, int64_t count)
{
    const linnet_cl_conv2d *shape = &plan->shape;
    int64_t rows = column_rows(shape), size = out_size(shape);
    linnet_cl_gemm product = {.m = shape->group_outputs,
                              .n = size,
                              .depth = rows,
                              .a_row = rows,
                              .a_col = 1,
                              .b_row = size,
                              .b_col = 1,
                              .c_row = size};
    linnet_cl_batches batches = {count, 0, rows * size, shape->outputs * size};
    linnet_view y = images_at(args->outputs[LINNET_CONV2D_Y], first, shape->outputs * size);
    linnet_status status = LINNET_OK;
    for (int64_t group = 0; group < shape->groups && !status; group++) {
        status = run_im2col(plan, queue, args, first, count, group);
        if (!status)
            status = linnet_cl_clblast(queue, &product, &batches,
                                       weight_of_group(shape, args->parameters[LINNET_CONV2D_WEIGHT], group),
                                       args->workspace, images_at(y, group, shape->group_outputs * size), false);
    }
    return status;
}

static linnet_status clblast_run_forward(linnet_backend_plan *base, linnet_backend_queue *queue,
                                         const linnet_layer_args *args)
{
    clblast_plan *plan = (clblast_plan *)base;
    linnet_status status = LINNET_OK;
    for (int64_t first = 0; first < plan->shape.images && !status; first += plan->chunk) {
        int64_t rest = plan->shape.images - first;
        status = forward_chunk(plan, queue, args, first, rest < plan->chunk ? rest : plan->chunk);
    }
    if (status || !plan->apply)
        return status;
    return linnet_cl_launch(plan->apply, queue,
                            plan->shape.has_bias ? args->parameters[LINNET_CONV2D_BIAS] : linnet_cl_no_view,
                            args->outputs[LINNET_CONV2D_Y]);
}

/* columns = weight^T dy, then col2im. */
static linnet_status data_chunk(clblast_plan *plan, linnet_backend_queue *queue, const linnet_layer_args *args,
                                int64_t first, int64_t count)
{
    const linnet_cl_conv2d *shape = &plan->shape;
    int64_t rows = column_rows(shape), size = out_size(shape);
    linnet_cl_gemm product = {.m = rows,
                              .n = size,
                              .depth = shape->group_outputs,
                              .a_row = 1,
                              .a_col = rows,
                              .b_row = size,
                              .b_col = 1,
                              .c_row = size};
    linnet_cl_batches batches = {count, 0, shape->outputs * size, rows * size};
    linnet_view dy = images_at(args->output_gradients[LINNET_CONV2D_Y], first, shape->outputs * size);
    linnet_view dx =
        images_at(args->input_gradients[LINNET_CONV2D_X], first, shape->channels * shape->height * shape->width);
    linnet_status status = LINNET_OK;
    plan->col2im->global[2] = (size_t)count;
    plan->col2im->dimensions = 3;
    for (int64_t group = 0; group < shape->groups && !status; group++) {
        status = linnet_cl_clblast(queue, &product, &batches,
                                   weight_of_group(shape, args->parameters[LINNET_CONV2D_WEIGHT], group),
                                   images_at(dy, group, shape->group_outputs * size), args->workspace, false);
        linnet_cl_run_int(plan->col2im, 0, (cl_int)(group * shape->group_inputs));
        linnet_cl_run_int(plan->col2im, 1, linnet_cl_bit(args->accumulate_inputs, LINNET_CONV2D_X));
        if (!status)
            status = linnet_cl_launch(plan->col2im, queue, args->workspace, dx);
    }
    return status;
}

/* dweight += dy columns^T, image after image. */
static linnet_status weight_chunk(clblast_plan *plan, linnet_backend_queue *queue, const linnet_layer_args *args,
                                  int64_t first, int64_t count)
{
    static const linnet_cl_batches one = {1, 0, 0, 0};
    const linnet_cl_conv2d *shape = &plan->shape;
    int64_t rows = column_rows(shape), size = out_size(shape);
    linnet_cl_gemm product = {.m = shape->group_outputs,
                              .n = rows,
                              .depth = size,
                              .a_row = size,
                              .a_col = 1,
                              .b_row = 1,
                              .b_col = size,
                              .c_row = rows};
    linnet_view dy = images_at(args->output_gradients[LINNET_CONV2D_Y], first, shape->outputs * size);
    bool accumulate = linnet_cl_bit(args->accumulate_parameters, LINNET_CONV2D_WEIGHT);
    linnet_status status = LINNET_OK;
    for (int64_t group = 0; group < shape->groups && !status; group++) {
        linnet_view out = weight_of_group(shape, args->parameter_gradients[LINNET_CONV2D_WEIGHT], group);
        status = run_im2col(plan, queue, args, first, count, group);
        for (int64_t i = 0; i < count && !status; i++)
            status = linnet_cl_clblast(queue, &product, &one,
                                       images_at(dy, i * shape->groups + group, shape->group_outputs * size),
                                       images_at(args->workspace, i, rows * size), out, accumulate || first + i > 0);
    }
    return status;
}

static linnet_status clblast_run_backward(linnet_backend_plan *base, linnet_backend_queue *queue,
                                          const linnet_layer_args *args)
{
    clblast_plan *plan = (clblast_plan *)base;
    linnet_status status = LINNET_OK;
    for (int64_t first = 0; first < plan->shape.images && !status; first += plan->chunk) {
        int64_t rest = plan->shape.images - first, count = rest < plan->chunk ? rest : plan->chunk;
        if (plan->col2im)
            status = data_chunk(plan, queue, args, first, count);
        if (plan->im2col && !status)
            status = weight_chunk(plan, queue, args, first, count);
    }
    if (plan->bias.parts && !status)
        status = linnet_cl_channel_sum_run(&plan->bias, queue, args->output_gradients[LINNET_CONV2D_Y], args->workspace,
                                           args->parameter_gradients[LINNET_CONV2D_BIAS],
                                           linnet_cl_bit(args->accumulate_parameters, LINNET_CONV2D_BIAS));
    return status;
}

static void columns_constants(linnet_cl_kernel *kernel, const linnet_cl_conv2d *shape)
{
    linnet_cl_conv2d_sizes(kernel, shape, false);
    linnet_cl_conv2d_window(kernel, shape);
    linnet_cl_int(kernel, shape->channels * shape->height * shape->width);
    linnet_cl_int(kernel, columns_size(shape));
}

static void apply_kernel(clblast_plan *plan)
{
    const linnet_cl_conv2d *shape = &plan->shape;
    plan->apply = linnet_cl_kernel_new(&plan->base, LINNET_CL_PROGRAM_BIAS, "bias_apply", 2);
    linnet_cl_int(plan->apply, shape->outputs);
    linnet_cl_int(plan->apply, out_size(shape));
    linnet_cl_int(plan->apply, shape->has_bias);
    linnet_cl_int(plan->apply, shape->epilogue.op);
    linnet_cl_float(plan->apply, shape->epilogue.alpha);
    linnet_cl_float(plan->apply, shape->epilogue.beta);
    linnet_cl_range(plan->apply, out_size(shape), shape->images * shape->outputs, 1, 0);
}

static void clblast_kernels(clblast_plan *plan)
{
    const linnet_cl_conv2d *shape = &plan->shape;
    linnet_backend_plan *base = &plan->base;
    if (shape->forward || shape->want_weight) {
        plan->im2col = linnet_cl_kernel_new(base, LINNET_CL_PROGRAM_CONV2D_IM2COL, "im2col", 2);
        columns_constants(plan->im2col, shape);
        linnet_cl_range(plan->im2col, out_size(shape), column_rows(shape), 1, 0);
    }
    if (shape->want_data) {
        plan->col2im = linnet_cl_kernel_new(base, LINNET_CL_PROGRAM_CONV2D_IM2COL, "col2im", 2);
        columns_constants(plan->col2im, shape);
        linnet_cl_range(plan->col2im, shape->height * shape->width, shape->group_inputs, 1, 0);
    }
    if (shape->forward && (shape->has_bias || shape->epilogue.op))
        apply_kernel(plan);
    if (shape->want_bias)
        linnet_cl_channel_sum_kernels(base, bias_shape(base->device, shape), &plan->bias);
}

static linnet_status clblast_plan_new(linnet_backend_device *device, const linnet_cl_conv2d *shape,
                                      linnet_backend_plan **out)
{
    linnet_backend_plan *base;
    linnet_status status = linnet_cl_plan_new(device, sizeof(clblast_plan),
                                              shape->forward ? clblast_run_forward : clblast_run_backward, &base);
    if (status)
        return status;
    clblast_plan *plan = (clblast_plan *)base;
    plan->shape = *shape;
    plan->chunk = chunk_images(shape);
    base->status = linnet_cl_clblast_check(device);
    clblast_kernels(plan);
    return linnet_cl_plan_done(base, out);
}

const linnet_cl_conv2d_way linnet_cl_conv2d_clblast = {.name = "im2col_clblast",
                                                       .products_a_microsecond = 2e3f,
                                                       .refusal = clblast_refusal,
                                                       .workspace_bytes = clblast_workspace_bytes,
                                                       .plan = clblast_plan_new};
