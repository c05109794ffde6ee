/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conv2d by columns and matrix products, CLBlast's or our own. Images go in chunks whose columns [chunk, CG KH KW, OH
 * OW] fit a bounded workspace; one batched product a chunk and group. The weight's gradient adds up over the images one
 * product after the other, so in a fixed order. On GPUs the gradient of few input channels goes first by our own
 * products: the implicit one (conv2d_implicit.c) has as many rows as there are channels, this one has their weights.
 */
#include "conv2d.h"
#include "sizes.h"

#include <math.h>

enum {
    CHANNELS = 4, /* as in conv2d_im2col.cl */
    TILE_ROWS = 32,
    TILE_COLUMNS = 128, /* of our products, where that fills tiles better than 64 by 64 */
    DIRECT = 6,         /* times slower than a tile, about, is what goes without one */
    LAUNCH = 3          /* microseconds */
};
#define COLUMNS_LIMIT ((uint64_t)64 << 20) /* bytes, unless one image needs more */

typedef struct image_product {
    linnet_cl_gemm gemm;
    linnet_cl_kernel *kernel; /* ours; NULL: CLBlast's */
} image_product;

typedef struct im2col_plan {
    linnet_backend_plan base;
    linnet_cl_conv2d shape;
    int64_t chunk; /* images */
    image_product forward, data, weight;
    linnet_cl_kernel *im2col, *col2im, *apply;
    linnet_cl_channel_sum bias;
} im2col_plan;

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

/* Products have a group along z for each. */
static int64_t chunk_images(const linnet_cl_conv2d *shape)
{
    enum { MOST = 65535 };
    int64_t fit = (int64_t)(COLUMNS_LIMIT / ((uint64_t)columns_size(shape) * sizeof(float)));
    return between(smaller(fit, MOST), 1, shape->images);
}

static linnet_cl_channels bias_shape(const linnet_backend_device *device, const linnet_cl_conv2d *shape)
{
    return linnet_cl_channels_of(device, shape->images, shape->outputs, out_size(shape));
}

/* The columns and the parts of the bias' gradient are not needed at once. */
static uint64_t im2col_workspace_bytes(const linnet_backend_device *device, const linnet_cl_conv2d *shape)
{
    uint64_t columns = 0, parts = 0;
    if (shape->forward || shape->want_data || shape->want_weight)
        columns = (uint64_t)(chunk_images(shape) * columns_size(shape)) * sizeof(float);
    if (shape->want_bias)
        parts = (uint64_t)(bias_shape(device, shape).parts * shape->outputs) * sizeof(float);
    return columns > parts ? columns : parts;
}

static const char *columns_refusal(const linnet_backend_device *device, const linnet_cl_conv2d *shape)
{
    if (columns_size(shape) > INT32_MAX)
        return "the columns of one image are over 2^31 elements";
    if ((uint64_t)columns_size(shape) * sizeof(float) > device->info.max_buffer_bytes / 2)
        return "the columns of one image take over half of the largest buffer";
    return NULL;
}

static const char *gemm_refusal(const linnet_backend_device *device, const linnet_cl_conv2d *shape)
{
    return device->prefers_vectors ? "for GPUs" : columns_refusal(device, shape);
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
static linnet_status run_im2col(im2col_plan *plan, linnet_backend_queue *queue, const linnet_layer_args *args,
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

/* Of `count` images of one group. */
static linnet_status run_product(const image_product *product, linnet_backend_queue *queue, int64_t count,
                                 linnet_view a, linnet_view b, linnet_view c, bool accumulate)
{
    const linnet_cl_gemm *gemm = &product->gemm;
    linnet_cl_batches batches = {count, gemm->a_batch, gemm->b_batch, gemm->c_batch};
    if (!product->kernel)
        return linnet_cl_clblast(queue, gemm, &batches, a, b, c, accumulate);
    product->kernel->global[2] = (size_t)count;
    product->kernel->dimensions = 3;
    return linnet_cl_gemm_run(product->kernel, queue, a, b, linnet_cl_no_view, c, accumulate);
}

static linnet_status forward_chunk(im2col_plan *plan, linnet_backend_queue *queue, const linnet_layer_args *args,
                                   int64_t first, int64_t count)
{
    const linnet_cl_conv2d *shape = &plan->shape;
    int64_t size = out_size(shape);
    linnet_view y = images_at(args->outputs[LINNET_CONV2D_Y], first, shape->outputs * size);
    linnet_status status = LINNET_OK;
    for (int64_t group = 0; group < shape->groups && !status; group++) {
        status = run_im2col(plan, queue, args, first, count, group);
        if (!status)
            status = run_product(&plan->forward, queue, count,
                                 weight_of_group(shape, args->parameters[LINNET_CONV2D_WEIGHT], group), args->workspace,
                                 images_at(y, group, shape->group_outputs * size), false);
    }
    return status;
}

static linnet_status run_forward(linnet_backend_plan *base, linnet_backend_queue *queue, const linnet_layer_args *args)
{
    im2col_plan *plan = (im2col_plan *)base;
    linnet_status status = LINNET_OK;
    for (int64_t first = 0; first < plan->shape.images && !status; first += plan->chunk)
        status = forward_chunk(plan, queue, args, first, smaller(plan->shape.images - first, plan->chunk));
    if (status || !plan->apply)
        return status;
    return linnet_cl_launch(plan->apply, queue,
                            plan->shape.has_bias ? args->parameters[LINNET_CONV2D_BIAS] : linnet_cl_no_view,
                            args->outputs[LINNET_CONV2D_Y]);
}

/* columns = weight^T dy, then col2im. */
static linnet_status data_chunk(im2col_plan *plan, linnet_backend_queue *queue, const linnet_layer_args *args,
                                int64_t first, int64_t count)
{
    const linnet_cl_conv2d *shape = &plan->shape;
    int64_t size = out_size(shape);
    linnet_view dy = images_at(args->output_gradients[LINNET_CONV2D_Y], first, shape->outputs * size);
    linnet_view dx =
        images_at(args->input_gradients[LINNET_CONV2D_X], first, shape->channels * shape->height * shape->width);
    linnet_status status = LINNET_OK;
    plan->col2im->global[2] = (size_t)count;
    plan->col2im->dimensions = 3;
    for (int64_t group = 0; group < shape->groups && !status; group++) {
        status = run_product(&plan->data, queue, count,
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
static linnet_status weight_chunk(im2col_plan *plan, linnet_backend_queue *queue, const linnet_layer_args *args,
                                  int64_t first, int64_t count)
{
    const linnet_cl_conv2d *shape = &plan->shape;
    int64_t rows = column_rows(shape), size = out_size(shape);
    linnet_view dy = images_at(args->output_gradients[LINNET_CONV2D_Y], first, shape->outputs * size);
    bool accumulate = linnet_cl_bit(args->accumulate_parameters, LINNET_CONV2D_WEIGHT);
    linnet_status status = LINNET_OK;
    for (int64_t group = 0; group < shape->groups && !status; group++) {
        linnet_view out = weight_of_group(shape, args->parameter_gradients[LINNET_CONV2D_WEIGHT], group);
        status = run_im2col(plan, queue, args, first, count, group);
        for (int64_t i = 0; i < count && !status; i++)
            status = run_product(&plan->weight, queue, 1,
                                 images_at(dy, i * shape->groups + group, shape->group_outputs * size),
                                 images_at(args->workspace, i, rows * size), out, accumulate || first + i > 0);
    }
    return status;
}

static linnet_status run_backward(linnet_backend_plan *base, linnet_backend_queue *queue, const linnet_layer_args *args)
{
    im2col_plan *plan = (im2col_plan *)base;
    linnet_status status = LINNET_OK;
    for (int64_t first = 0; first < plan->shape.images && !status; first += plan->chunk) {
        int64_t count = smaller(plan->shape.images - first, plan->chunk);
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

/* ---- The three products ---- */

/* y = weight columns */
static linnet_cl_gemm forward_product(const linnet_cl_conv2d *shape, int64_t images)
{
    int64_t rows = column_rows(shape), size = out_size(shape);
    return (linnet_cl_gemm){.m = shape->group_outputs,
                            .n = size,
                            .depth = rows,
                            .a_row = rows,
                            .a_col = 1,
                            .b_row = size,
                            .b_col = 1,
                            .c_row = size,
                            .batches = images,
                            .b_batch = rows * size,
                            .c_batch = shape->outputs * size};
}

/* columns = weight^T dy */
static linnet_cl_gemm data_product(const linnet_cl_conv2d *shape, int64_t images)
{
    int64_t rows = column_rows(shape), size = out_size(shape);
    return (linnet_cl_gemm){.m = rows,
                            .n = size,
                            .depth = shape->group_outputs,
                            .a_row = 1,
                            .a_col = rows,
                            .b_row = size,
                            .b_col = 1,
                            .c_row = size,
                            .batches = images,
                            .b_batch = shape->outputs * size,
                            .c_batch = rows * size};
}

/* dweight += dy columns^T, of one image */
static linnet_cl_gemm weight_product(const linnet_cl_conv2d *shape)
{
    int64_t rows = column_rows(shape), size = out_size(shape);
    return (linnet_cl_gemm){.m = shape->group_outputs,
                            .n = rows,
                            .depth = size,
                            .a_row = size,
                            .a_col = 1,
                            .b_row = 1,
                            .b_col = size,
                            .c_row = rows};
}

/* ---- Plans ---- */

static void columns_constants(linnet_cl_kernel *kernel, const linnet_cl_conv2d *shape)
{
    linnet_cl_conv2d_sizes(kernel, shape, false);
    linnet_cl_conv2d_window(kernel, shape);
    linnet_cl_int(kernel, shape->channels * shape->height * shape->width);
    linnet_cl_int(kernel, columns_size(shape));
}

static void apply_kernel(im2col_plan *plan)
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

static image_product product_of(im2col_plan *plan, linnet_cl_gemm gemm, bool own)
{
    image_product product = {gemm, NULL};
    if (own)
        product.kernel = linnet_cl_gemm_kernel(&plan->base, &gemm, true);
    return product;
}

static void col2im_kernel(im2col_plan *plan)
{
    const linnet_cl_conv2d *shape = &plan->shape;
    plan->col2im = linnet_cl_kernel_new(&plan->base, LINNET_CL_PROGRAM_CONV2D_IM2COL, "col2im", 2);
    columns_constants(plan->col2im, shape);
    linnet_cl_int(plan->col2im, shape->group_inputs);
    linnet_cl_int(plan->col2im, shape->stride_y / gcd(shape->stride_y, shape->dilation_y));
    linnet_cl_int(plan->col2im, shape->stride_x / gcd(shape->stride_x, shape->dilation_x));
    linnet_cl_range(plan->col2im, shape->height * shape->width, ceil_div(shape->group_inputs, CHANNELS), 1, 0);
}

static void im2col_kernels(im2col_plan *plan, bool own)
{
    const linnet_cl_conv2d *shape = &plan->shape;
    linnet_backend_plan *base = &plan->base;
    if (shape->forward || shape->want_weight) {
        plan->im2col = linnet_cl_kernel_new(base, LINNET_CL_PROGRAM_CONV2D_IM2COL, "im2col", 2);
        columns_constants(plan->im2col, shape);
        linnet_cl_range(plan->im2col, out_size(shape), column_rows(shape), 1, 0);
    }
    if (shape->forward)
        plan->forward = product_of(plan, forward_product(shape, plan->chunk), own);
    if (shape->want_data) {
        plan->data = product_of(plan, data_product(shape, plan->chunk), own);
        col2im_kernel(plan);
    }
    if (shape->want_weight)
        plan->weight = product_of(plan, weight_product(shape), own);
    if (shape->forward && (shape->has_bias || shape->epilogue.op))
        apply_kernel(plan);
    if (shape->want_bias)
        linnet_cl_channel_sum_kernels(base, bias_shape(base->device, shape), &plan->bias);
}

static linnet_status plan_new(linnet_backend_device *device, const linnet_cl_conv2d *shape, bool own,
                              linnet_backend_plan **out)
{
    linnet_backend_plan *base;
    linnet_status status =
        linnet_cl_plan_new(device, sizeof(im2col_plan), shape->forward ? run_forward : run_backward, &base);
    if (status)
        return status;
    im2col_plan *plan = (im2col_plan *)base;
    plan->shape = *shape;
    plan->chunk = chunk_images(shape);
    if (!own)
        base->status = linnet_cl_clblast_check(device);
    im2col_kernels(plan, own);
    return linnet_cl_plan_done(base, out);
}

static linnet_status clblast_plan_new(linnet_backend_device *device, const linnet_cl_conv2d *shape,
                                      linnet_backend_plan **out)
{
    return plan_new(device, shape, false, out);
}

static linnet_status gemm_plan_new(linnet_backend_device *device, const linnet_cl_conv2d *shape,
                                   linnet_backend_plan **out)
{
    return plan_new(device, shape, true, out);
}

/* ---- Does it pay? ---- */

/* Microseconds. Each chunk's columns are written and read, by a launch for each. */
static double columns_cost(const linnet_backend_device *device, const linnet_cl_conv2d *shape)
{
    const double *parameters = device->parameters.values;
    double images = (double)(shape->images * shape->groups),
           launches = ceil((double)shape->images / (double)chunk_images(shape));
    double products = (double)(round_up(column_rows(shape), TILE_ROWS) * round_up(out_size(shape), TILE_COLUMNS) *
                               shape->group_outputs);
    return images * products / (parameters[LINNET_CL_PRODUCTS] * device->info.compute_units) +
           images * (double)columns_size(shape) * 2 * sizeof(float) / parameters[LINNET_CL_BYTES] +
           2 * (double)shape->groups * launches * LAUNCH;
}

/* The same of conv2d_implicit.c, whose tiles have as many rows as there are channels, or of conv2d_direct.c, a
   work-item for four channels of a pixel, which is slower. */
static double gather_cost(const linnet_backend_device *device, const linnet_cl_conv2d *shape)
{
    bool implicit = !linnet_cl_conv2d_implicit.refusal(device, shape);
    double channels = (double)round_up(shape->group_inputs, implicit ? TILE_ROWS * 2 : CHANNELS);
    double pixels = (double)(shape->images * shape->groups * shape->height * shape->width);
    double taps = (double)(shape->kernel_height * shape->kernel_width) / (double)(shape->stride_y * shape->stride_x);
    double products = channels * pixels * taps * (double)shape->group_outputs * (implicit ? 1 : DIRECT);
    return products / (device->parameters.values[LINNET_CL_PRODUCTS] * device->info.compute_units);
}

bool linnet_cl_conv2d_im2col_pays(const linnet_backend_device *device, const linnet_cl_conv2d *shape)
{
    bool data = shape->want_data && !shape->want_weight && !shape->want_bias;
    return data && !gemm_refusal(device, shape) && atomic_load(&device->tile_most) > 0 &&
           columns_cost(device, shape) < gather_cost(device, shape);
}

const linnet_cl_conv2d_way linnet_cl_conv2d_im2col_gemm = {.name = "im2col_gemm",
                                                           .products_a_microsecond = 1,
                                                           .refusal = gemm_refusal,
                                                           .workspace_bytes = im2col_workspace_bytes,
                                                           .plan = gemm_plan_new};

const linnet_cl_conv2d_way linnet_cl_conv2d_im2col_clblast = {.name = "im2col_clblast",
                                                              .products_a_microsecond = 2e3f,
                                                              .refusal = columns_refusal,
                                                              .workspace_bytes = im2col_workspace_bytes,
                                                              .plan = clblast_plan_new};
