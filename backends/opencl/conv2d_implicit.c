/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conv2d on GPUs as an implicit matrix product (conv2d_implicit.cl, conv2d_pointwise.cl). The input's gradient is the
 * same product once for each phase of the stride, so that no product with a zero between outputs is made. The weight's
 * gradient goes in parts along its long sum where its tiles are too few for the device; the workspace holds them
 * [parts,weights], then those of the bias.
 */
#include "conv2d.h"
#include "sizes.h"

enum {
    MOST_PHASES = 4, /* more strides are rare, and a plan has few kernels */
    MOST_TAPS = 15,  /* of a window along each side: bits of half an int */
    LEAST_SIDE = 16,
    MOST_PARTS = 512,
    MOST_PARTS_BYTES = 64 << 20
};

/* What one launch of conv2d_implicit does; names as there. */
typedef struct product {
    int64_t planes, height, width, outputs, rows, columns, taps_y, taps_x, stride_y, stride_x, top, left;
    int64_t step_y, step_x, weight_first, weight_group, weight_m, weight_c, weight_u, weight_v;
    int64_t out_size, out_first, out_m, out_i, out_j;
} product;

typedef struct implicit_plan {
    linnet_backend_plan base;
    linnet_cl_conv2d shape;
    uint64_t bias_parts_at; /* bytes into the workspace */
    uint32_t product_count;
    linnet_cl_kernel *products[MOST_PHASES], *sum; /* sum: NULL where the products' depth is in one part */
    bool clears; /* there are inputs that no output sees: the gradient is zero first, unless it is added to */
    linnet_cl_kernel *weight, *reduce;
    linnet_cl_channel_sum bias;
} implicit_plan;

/* ---- Products ---- */

static product forward_product(const linnet_cl_conv2d *s)
{
    int64_t taps = s->kernel_height * s->kernel_width;
    return (product){.planes = s->group_inputs,
                     .height = s->height,
                     .width = s->width,
                     .outputs = s->group_outputs,
                     .rows = s->out_height,
                     .columns = s->out_width,
                     .taps_y = s->kernel_height,
                     .taps_x = s->kernel_width,
                     .stride_y = s->stride_y,
                     .stride_x = s->stride_x,
                     .top = -s->top,
                     .left = -s->left,
                     .step_y = s->dilation_y,
                     .step_x = s->dilation_x,
                     .weight_group = s->group_outputs * s->group_inputs * taps,
                     .weight_m = s->group_inputs * taps,
                     .weight_c = taps,
                     .weight_u = s->kernel_width,
                     .weight_v = 1,
                     .out_size = s->group_outputs * s->out_height * s->out_width,
                     .out_m = s->out_height * s->out_width,
                     .out_i = s->out_width,
                     .out_j = 1};
}

/* Along one axis: the inputs at = phase, phase + stride, ... see the kernel's elements u = first, first + step, ...,
   and with element number t of these the output `start` - t * back, one further from one input to the next. */
typedef struct phase_axis {
    int64_t first, step, taps, start, back, inputs;
} phase_axis;

static phase_axis phase_of(int64_t phase, int64_t inputs, int64_t kernel, int64_t stride, int64_t dilation,
                           int64_t before)
{
    phase_axis axis = {.step = stride / gcd(stride, dilation), .inputs = ceil_div(inputs - phase, stride)};
    axis.back = dilation * axis.step / stride;
    while (axis.first < axis.step && (phase + before - axis.first * dilation) % stride != 0)
        axis.first++;
    axis.taps = axis.first < axis.step && axis.first < kernel ? ceil_div(kernel - axis.first, axis.step) : 0;
    axis.start = axis.taps > 0 ? (phase + before - axis.first * dilation) / stride : 0;
    return axis;
}

static product data_product(const linnet_cl_conv2d *s, int64_t i0, int64_t j0)
{
    int64_t taps = s->kernel_height * s->kernel_width;
    phase_axis y = phase_of(i0, s->height, s->kernel_height, s->stride_y, s->dilation_y, s->top);
    phase_axis x = phase_of(j0, s->width, s->kernel_width, s->stride_x, s->dilation_x, s->left);
    bool sees = y.taps > 0 && x.taps > 0;
    return (product){.planes = sees ? s->group_outputs : 0,
                     .height = s->out_height,
                     .width = s->out_width,
                     .outputs = s->group_inputs,
                     .rows = y.inputs,
                     .columns = x.inputs,
                     .taps_y = sees ? y.taps : 1,
                     .taps_x = sees ? x.taps : 1,
                     .stride_y = 1,
                     .stride_x = 1,
                     .top = y.start,
                     .left = x.start,
                     .step_y = -y.back,
                     .step_x = -x.back,
                     .weight_first = sees ? y.first * s->kernel_width + x.first : 0,
                     .weight_group = s->group_outputs * s->group_inputs * taps,
                     .weight_m = taps,
                     .weight_c = s->group_inputs * taps,
                     .weight_u = y.step * s->kernel_width,
                     .weight_v = x.step,
                     .out_size = s->group_inputs * s->height * s->width,
                     .out_first = i0 * s->width + j0,
                     .out_m = s->height * s->width,
                     .out_i = s->stride_y * s->width,
                     .out_j = s->stride_x};
}

/* How far apart a row's weights lie along all of the depth; 0: that differs. */
static int64_t weight_step(const product *p)
{
    int64_t taps = p->taps_y * p->taps_x;
    if (taps == 1)
        return p->weight_c;
    bool even = (p->taps_x == 1 || p->taps_y == 1 || p->weight_u == p->taps_x * p->weight_v);
    int64_t step = p->taps_x > 1 ? p->weight_v : p->weight_u;
    return even && step == 1 && p->weight_c == taps ? 1 : 0;
}

/* Does an output need one input of a plane, which is always there (conv2d_pointwise.cl)? */
static bool is_pointwise(const product *p)
{
    return p->taps_y * p->taps_x == 1 && p->top == 0 && p->left == 0 && (p->rows - 1) * p->stride_y < p->height &&
           (p->columns - 1) * p->stride_x < p->width;
}

/* And are planes as they lie rows of whole quads? */
static bool is_whole(const product *p)
{
    return is_pointwise(p) && p->stride_y * p->stride_x == 1 && p->rows == p->height && p->columns == p->width &&
           p->rows * p->columns % 4 == 0;
}

/* ---- Which tile, and how many parts: by the shape and the device ---- */

static int64_t filter_of(const linnet_cl_conv2d *s)
{
    return s->group_inputs * s->kernel_height * s->kernel_width;
}

static int64_t most_parts(int64_t elements)
{
    int64_t most = MOST_PARTS_BYTES / (elements * (int64_t)sizeof(float));
    return between(most, 1, MOST_PARTS);
}

/* Does a weight see the pixel itself? */
static bool is_flat(const linnet_cl_conv2d *s)
{
    return s->kernel_height * s->kernel_width == 1 && s->stride_y * s->stride_x == 1 && s->top == 0 && s->left == 0 &&
           s->out_height == s->height && s->out_width == s->width;
}

static linnet_cl_tiling weight_tiling(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    const linnet_cl_tiled tiled = {.rows = s->group_outputs,
                                   .columns = filter_of(s),
                                   .batches = s->groups,
                                   .depth = s->images * s->out_height * s->out_width,
                                   .gathers = !is_flat(s) || s->out_height * s->out_width % 4 != 0,
                                   .kernels = {"conv2d_implicit_weight"}};
    return linnet_cl_tiling_of(device, &tiled, most_parts(s->weights));
}

/* Pixels of a part: a multiple of four, so that quads lie within one. */
static int64_t weight_run(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    return round_up(ceil_div(s->images * s->out_height * s->out_width, weight_tiling(device, s).parts), 4);
}

static int64_t weight_parts(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    return ceil_div(s->images * s->out_height * s->out_width, weight_run(device, s));
}

static uint64_t weight_parts_bytes(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    int64_t parts = s->want_weight ? weight_parts(device, s) : 1;
    return parts > 1 ? (uint64_t)(parts * s->weights) * sizeof(float) : 0;
}

/* Of the products forward or of the input's gradient, whose phases are cut alike. */
static int64_t product_elements(const linnet_cl_conv2d *s)
{
    return s->images * (s->forward ? s->outputs * s->out_height * s->out_width : s->channels * s->height * s->width);
}

static linnet_cl_tiling product_tiling(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    int64_t phases = s->forward ? 1 : s->stride_y * s->stride_x, taps = s->kernel_height * s->kernel_width;
    const product p = s->forward ? forward_product(s) : data_product(s, 0, 0);
    linnet_cl_tiled tiled = {.rows = p.outputs,
                             .columns = product_elements(s) / (p.outputs * s->groups * phases),
                             .batches = s->groups,
                             .depth = (s->forward ? s->group_inputs : s->group_outputs) * ceil_div(taps, phases),
                             .gathers = !is_whole(&p),
                             .kernels = {"conv2d_implicit", "conv2d_pointwise"}};
    tiled.columns = larger(tiled.columns, 1);
    return linnet_cl_tiling_of(device, &tiled, most_parts(product_elements(s)));
}

static uint64_t product_parts_bytes(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    int64_t parts = s->forward || s->want_data ? product_tiling(device, s).parts : 1;
    return parts > 1 ? (uint64_t)(parts * product_elements(s)) * sizeof(float) : 0;
}

/* The parts of the products, then in their place those of the weight's gradient, and behind both those of the bias. */
static uint64_t parts_bytes(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    uint64_t products = product_parts_bytes(device, s), weight = weight_parts_bytes(device, s);
    return products > weight ? products : weight;
}

static linnet_cl_channels bias_shape(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    return linnet_cl_channels_of(device, s->images, s->outputs, s->out_height * s->out_width);
}

static uint64_t implicit_workspace_bytes(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    uint64_t bytes = parts_bytes(device, s);
    return s->want_bias ? bytes + (uint64_t)(bias_shape(device, s).parts * s->outputs) * sizeof(float) : bytes;
}

static const char *implicit_refusal(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    if (device->prefers_vectors)
        return "for GPUs";
    if (s->group_outputs < LEAST_SIDE || filter_of(s) < LEAST_SIDE)
        return "needs 16 outputs and 16 weights of each, or tiles stay empty";
    if (atomic_load(&device->tile_most) == 0)
        return "needs groups of 128 work-items and 24 KiB of local memory";
    if (s->want_data && s->stride_y * s->stride_x > MOST_PHASES)
        return "the input's gradient needs strides whose product is at most 4";
    if (s->kernel_height > MOST_TAPS || s->kernel_width > MOST_TAPS)
        return "needs kernels of at most 15 by 15";
    return NULL;
}

/* ---- Kernels ---- */

static linnet_cl_kernel *product_kernel(linnet_backend_plan *plan, bool pointwise, int64_t tile)
{
    if (pointwise)
        return linnet_cl_kernel_new(plan, LINNET_CL_PROGRAM_CONV2D_POINTWISE,
                                    tile == LINNET_CL_TILE_LARGE ? "conv2d_pointwise_128" : "conv2d_pointwise_64", 5);
    return linnet_cl_kernel_new(plan, LINNET_CL_PROGRAM_CONV2D_IMPLICIT,
                                tile == LINNET_CL_TILE_LARGE ? "conv2d_implicit_128" : "conv2d_implicit_64", 5);
}

static void add_product(implicit_plan *plan, const product *p, const linnet_cl_tiling *tiling)
{
    const linnet_cl_conv2d *s = &plan->shape;
    int64_t pixels = s->images * p->rows * p->columns, tile = tiling->tile, depth = p->planes * p->taps_y * p->taps_x;
    bool once = tiling->parts == 1, pointwise = is_pointwise(p);
    linnet_cl_kernel *kernel = product_kernel(&plan->base, pointwise, tile);
    const int64_t result[] = {s->images,
                              s->groups,
                              p->planes,
                              p->outputs,
                              p->rows,
                              p->columns,
                              p->out_size,
                              p->out_first,
                              p->out_m,
                              p->out_i,
                              p->out_j,
                              round_up(ceil_div(depth, tiling->parts), 4),
                              once ? 0 : product_elements(s),
                              once && s->forward && s->has_bias,
                              once && s->forward && s->adds,
                              once && s->forward ? s->epilogue.op : 0};
    const int64_t operands[] = {p->height,       p->width,        p->stride_y, p->stride_x,
                                p->weight_first, p->weight_group, p->weight_m, weight_step(p)};
    linnet_cl_ints(kernel, result);
    linnet_cl_float(kernel, s->epilogue.alpha);
    linnet_cl_float(kernel, s->epilogue.beta);
    linnet_cl_ints(kernel, operands);
    if (pointwise) {
        linnet_cl_int(kernel, is_whole(p));
    } else {
        const int64_t window[] = {p->taps_y, p->taps_x,   p->top,      p->left,    p->step_y,
                                  p->step_x, p->weight_c, p->weight_u, p->weight_v};
        linnet_cl_ints(kernel, window);
    }
    linnet_cl_range_required(kernel, ceil_div(pixels, tile) * ceil_div(p->outputs, tile), 1, s->groups * tiling->parts,
                             (size_t)linnet_cl_tile_lanes(tile));
    plan->products[plan->product_count++] = kernel;
}

static void sum_kernel(implicit_plan *plan, const linnet_cl_tiling *tiling)
{
    const linnet_cl_conv2d *s = &plan->shape;
    if (tiling->parts == 1)
        return;
    const linnet_cl_parts sum = {.count = product_elements(s),
                                 .parts = tiling->parts,
                                 .channels = s->forward ? s->outputs : s->channels,
                                 .plane = s->forward ? s->out_height * s->out_width : s->height * s->width,
                                 .has_bias = s->forward && s->has_bias,
                                 .has_add = s->forward && s->adds,
                                 .epilogue = s->forward ? s->epilogue : (linnet_epilogue){0}};
    plan->sum = linnet_cl_parts_kernel(&plan->base, &sum);
}

static void weight_kernels(implicit_plan *plan)
{
    const linnet_cl_conv2d *s = &plan->shape;
    linnet_backend_device *device = plan->base.device;
    int64_t tile = weight_tiling(device, s).tile, parts = weight_parts(device, s);
    plan->weight = linnet_cl_kernel_new(
        &plan->base, LINNET_CL_PROGRAM_CONV2D_IMPLICIT,
        tile == LINNET_CL_TILE_LARGE ? "conv2d_implicit_weight_128" : "conv2d_implicit_weight_64", 3);
    linnet_cl_conv2d_constants(plan->weight, s);
    linnet_cl_int(plan->weight, s->images);
    linnet_cl_int(plan->weight, weight_run(device, s));
    linnet_cl_int(plan->weight, is_flat(s));
    linnet_cl_range_required(plan->weight, ceil_div(filter_of(s), tile), ceil_div(s->group_outputs, tile),
                             parts * s->groups, (size_t)linnet_cl_tile_lanes(tile));
    if (parts > 1)
        plan->reduce = linnet_cl_reduce_kernel(&plan->base, s->weights, parts, 1.0f);
}

/* ---- Plans ---- */

/* The products, each in its place of `in`'s and the weights' sums, then their parts' sums. */
static linnet_status run_products(implicit_plan *plan, linnet_backend_queue *queue, linnet_view in, linnet_view weight,
                                  linnet_view bias, linnet_view add, linnet_view out, linnet_view workspace,
                                  cl_int accumulate)
{
    linnet_status status = LINNET_OK;
    for (uint32_t i = 0; i < plan->product_count && !status; i++) {
        linnet_cl_run_int(plan->products[i], 0, plan->sum ? 0 : accumulate);
        status = linnet_cl_launch(plan->products[i], queue, in, weight, bias, add, plan->sum ? workspace : out);
    }
    return status || !plan->sum ? status : linnet_cl_parts_run(plan->sum, queue, workspace, bias, add, out, accumulate);
}

static linnet_status run_forward(linnet_backend_plan *base, linnet_backend_queue *queue, const linnet_layer_args *args)
{
    implicit_plan *plan = (implicit_plan *)base;
    return run_products(plan, queue, args->inputs[LINNET_CONV2D_X], args->parameters[LINNET_CONV2D_WEIGHT],
                        plan->shape.has_bias ? args->parameters[LINNET_CONV2D_BIAS] : linnet_cl_no_view,
                        plan->shape.adds ? args->inputs[LINNET_CONV2D_X + 1] : linnet_cl_no_view,
                        args->outputs[LINNET_CONV2D_Y], args->workspace, 0);
}

static linnet_status run_data(implicit_plan *plan, linnet_backend_queue *queue, const linnet_layer_args *args)
{
    cl_int accumulate = linnet_cl_bit(args->accumulate_inputs, LINNET_CONV2D_X);
    linnet_view out = args->input_gradients[LINNET_CONV2D_X];
    linnet_status status = LINNET_OK;
    if (plan->clears && !accumulate)
        status = linnet_cl_fill(queue, out, 0, (uint64_t)product_elements(&plan->shape) * sizeof(float));
    if (status || plan->product_count == 0)
        return status;
    return run_products(plan, queue, args->output_gradients[LINNET_CONV2D_Y], args->parameters[LINNET_CONV2D_WEIGHT],
                        linnet_cl_no_view, linnet_cl_no_view, out, args->workspace, accumulate);
}

static linnet_status run_weight(implicit_plan *plan, linnet_backend_queue *queue, const linnet_layer_args *args)
{
    linnet_view out = args->parameter_gradients[LINNET_CONV2D_WEIGHT];
    cl_int accumulate = linnet_cl_bit(args->accumulate_parameters, LINNET_CONV2D_WEIGHT);
    linnet_cl_run_int(plan->weight, 0, plan->reduce ? 0 : accumulate);
    linnet_status status =
        linnet_cl_launch(plan->weight, queue, args->inputs[LINNET_CONV2D_X], args->output_gradients[LINNET_CONV2D_Y],
                         plan->reduce ? args->workspace : out);
    return status || !plan->reduce ? status : linnet_cl_reduce(plan->reduce, queue, args->workspace, out, accumulate);
}

static linnet_status run_backward(linnet_backend_plan *base, linnet_backend_queue *queue, const linnet_layer_args *args)
{
    implicit_plan *plan = (implicit_plan *)base;
    linnet_status status = run_data(plan, queue, args);
    if (plan->weight && !status)
        status = run_weight(plan, queue, args);
    if (plan->bias.parts && !status)
        status = linnet_cl_channel_sum_run(&plan->bias, queue, args->output_gradients[LINNET_CONV2D_Y],
                                           linnet_cl_view_at(args->workspace, plan->bias_parts_at),
                                           args->parameter_gradients[LINNET_CONV2D_BIAS],
                                           linnet_cl_bit(args->accumulate_parameters, LINNET_CONV2D_BIAS));
    return status;
}

static void data_kernels(implicit_plan *plan)
{
    const linnet_cl_conv2d *s = &plan->shape;
    linnet_cl_tiling tiling = product_tiling(plan->base.device, s);
    for (int64_t i0 = 0; i0 < s->stride_y && i0 < s->height; i0++)
        for (int64_t j0 = 0; j0 < s->stride_x && j0 < s->width; j0++) {
            product p = data_product(s, i0, j0);
            bool unseen = p.planes == 0 && tiling.parts == 1;
            plan->clears = plan->clears || unseen;
            if (!unseen)
                add_product(plan, &p, &tiling);
        }
    sum_kernel(plan, &tiling);
}

static void forward_kernels(implicit_plan *plan)
{
    linnet_cl_tiling tiling = product_tiling(plan->base.device, &plan->shape);
    product p = forward_product(&plan->shape);
    add_product(plan, &p, &tiling);
    sum_kernel(plan, &tiling);
}

static linnet_status implicit_plan_new(linnet_backend_device *device, const linnet_cl_conv2d *shape,
                                       linnet_backend_plan **out)
{
    linnet_backend_plan *base;
    linnet_status status =
        linnet_cl_plan_new(device, sizeof(implicit_plan), shape->forward ? run_forward : run_backward, &base);
    if (status)
        return status;
    implicit_plan *plan = (implicit_plan *)base;
    plan->shape = *shape;
    if (shape->forward)
        forward_kernels(plan);
    if (shape->want_data)
        data_kernels(plan);
    if (shape->want_weight)
        weight_kernels(plan);
    plan->bias_parts_at = parts_bytes(device, shape);
    if (shape->want_bias)
        linnet_cl_channel_sum_kernels(base, bias_shape(device, shape), &plan->bias);
    return linnet_cl_plan_done(base, out);
}

const linnet_cl_conv2d_way linnet_cl_conv2d_implicit = {.name = "implicit",
                                                        .products_a_microsecond = 1,
                                                        .adds = true,
                                                        .refusal = implicit_refusal,
                                                        .workspace_bytes = implicit_workspace_bytes,
                                                        .plan = implicit_plan_new};
