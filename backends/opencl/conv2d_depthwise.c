/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Depthwise conv2d for processors in nchw16c (conv2d_depthwise.cl). The workspace of backward holds the parts of the
 * weight's gradient, then those of the bias.
 */
#include "conv2d.h"
#include "nchw16c.h"
#include "sizes.h"
#include "variants.h"

#include <math.h>

enum {
    TASKS_A_UNIT = 8,
    ALONE = 1 << 20,       /* multiply-adds, and less, that one thread has done before it could wake others */
    COPY_FLOATS = 1 << 14, /* of a task: a part of a second-level cache */
    LONG_ROW = 14,         /* columns; shorter rows are copied first */
    MOST_OUTSIDE = 2       /* pixels of a long row, at either end, of which a tap lies outside */
};

typedef struct depthwise_plan {
    linnet_backend_plan base;
    linnet_cl_conv2d shape;
    linnet_cl_kernel *product, *sums, *store; /* store: of several parts */
    linnet_cl_channels_weight bias;           /* alone */
} depthwise_plan;

/* How the sums of the weight's gradient are split: into chunks of output rows. */
typedef struct weight_split {
    int64_t rows_per_chunk, row_chunks, chunks, chunks_per_part, parts, blocks_per_task;
} weight_split;

static int64_t tasks_wanted(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    int64_t work = s->images * s->channels * s->out_height * s->out_width * s->kernel_height * s->kernel_width;
    return work <= ALONE ? 1 : TASKS_A_UNIT * (int64_t)device->info.compute_units;
}

/* As many of `rows` as have copies that fit a task; one at least. */
static int64_t rows_that_fit(const linnet_backend_device *device, const linnet_cl_conv2d *s, int64_t rows)
{
    while (rows > 1 && linnet_cl_channels_copy_floats(s, linnet_cl_channels_spread(device, s), rows) > COPY_FLOATS)
        rows = ceil_div(rows, 2);
    return rows;
}

/* Pixels at either end of a row of outputs of this direction (backward: of a phase) of which some tap lies outside. */
static int64_t pixels_outside(const linnet_cl_conv2d *s)
{
    int64_t most = 0, stride = s->stride_x;
    for (int64_t k = 0; k < s->kernel_width; k++) {
        int64_t before = s->left - k * s->dilation_x, after = (s->out_width - 1) * stride - before - s->width + 1;
        if (s->forward)
            most = before > most * stride ? ceil_div(before, stride) : most;
        if (s->forward)
            most = after > most * stride ? ceil_div(after, stride) : most;
        for (int64_t j = 0; j < stride && !s->forward; j++) {
            int64_t first = j + before, last = s->width - 1 - j + before;
            if (first % stride == 0 && -first / stride > most)
                most = -first / stride;
            if (last % stride == 0 && last / stride - s->out_width + 1 > most)
                most = last / stride - s->out_width + 1;
        }
    }
    return most;
}

/* Are rows of outputs of this direction so long that inputs are read where they lie? */
static bool is_direct(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    int64_t columns = s->forward ? s->out_width : s->width / s->stride_x;
    return columns >= LONG_ROW && (!s->forward || s->stride_x <= 2) && pixels_outside(s) <= MOST_OUTSIDE &&
           !linnet_cl_forces(device, LINNET_CL_VARIANT_ROWS_JOINED);
}

static weight_split split_of(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    linnet_cl_conv2d forward = linnet_cl_conv2d_forward(s);
    int64_t tasks = tasks_wanted(device, s), blocks = linnet_cl_blocks(s->channels), wanted = ceil_div(tasks, blocks);
    weight_split split = {.rows_per_chunk = rows_that_fit(device, &forward, s->out_height)};
    while (split.rows_per_chunk > 4 && s->images * ceil_div(s->out_height, split.rows_per_chunk) < wanted)
        split.rows_per_chunk = ceil_div(split.rows_per_chunk, 2);
    split.row_chunks = ceil_div(s->out_height, split.rows_per_chunk);
    split.chunks = s->images * split.row_chunks;
    split.chunks_per_part = ceil_div(split.chunks, wanted < split.chunks ? wanted : split.chunks);
    split.parts = ceil_div(split.chunks, split.chunks_per_part);
    split.blocks_per_task = split.parts * blocks / tasks > 1 ? split.parts * blocks / tasks : 1;
    return split;
}

static uint64_t copy_bytes(const linnet_backend_device *device, const linnet_cl_conv2d *s, int64_t rows)
{
    return (uint64_t)linnet_cl_channels_copy_floats(s, linnet_cl_channels_spread(device, s), rows) * sizeof(float);
}

/* Does a row's copy fit the device? */
static bool fits(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    linnet_cl_conv2d forward = linnet_cl_conv2d_forward(s);
    uint64_t limit = (uint64_t)linnet_cl_channels_limit(device) * sizeof(float);
    if (s->want_weight && copy_bytes(device, &forward, split_of(device, s).rows_per_chunk) > limit)
        return false;
    return !(s->forward || s->want_data) || copy_bytes(device, s, 1) <= limit;
}

static const char *depthwise_refusal(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    const char *refusal = linnet_cl_window_refusal(device, s);
    if (refusal)
        return refusal;
    if (s->groups != s->channels || s->outputs != s->channels)
        return "needs as many groups as channels, and one output each";
    if (!fits(device, s))
        return "a row of pixels does not fit local memory";
    if (s->adds)
        return "adds nothing to its output";
    if (!(s->low <= 0 && s->high >= 0) && s->outputs % LINNET_CL_LANES != 0)
        return "needs an operator that keeps 0 in spare lanes";
    return NULL;
}

static uint64_t weight_bytes(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    int64_t floats = linnet_cl_blocks(s->channels) * (s->kernel_height * s->kernel_width + 1) * LINNET_CL_LANES;
    return s->want_weight ? (uint64_t)(split_of(device, s).parts * floats) * sizeof(float) : 0;
}

static uint64_t depthwise_workspace_bytes(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    uint64_t bias = s->want_bias && !s->want_weight
                        ? (uint64_t)(linnet_cl_channels_bias_shape(device, s).parts * s->outputs) * sizeof(float)
                        : 0;
    return weight_bytes(device, s) + bias;
}

static linnet_status depthwise_run_forward(linnet_backend_plan *base, linnet_backend_queue *queue,
                                           const linnet_layer_args *args)
{
    depthwise_plan *plan = (depthwise_plan *)base;
    linnet_cl_run_int(plan->product, 0, 0);
    return linnet_cl_launch(plan->product, queue, args->inputs[LINNET_CONV2D_X], args->parameters[LINNET_CONV2D_WEIGHT],
                            plan->shape.has_bias ? args->parameters[LINNET_CONV2D_BIAS] : linnet_cl_no_view,
                            args->outputs[LINNET_CONV2D_Y]);
}

/* The scalars of a run that follow the views of both gradients. */
static void set_ways(linnet_cl_kernel *kernel, bool wants_bias, const linnet_layer_args *args)
{
    linnet_cl_run_int(kernel, 0, linnet_cl_bit(args->accumulate_parameters, LINNET_CONV2D_WEIGHT));
    linnet_cl_run_int(kernel, 1, wants_bias ? 1 + linnet_cl_bit(args->accumulate_parameters, LINNET_CONV2D_BIAS) : 0);
}

/* The gradients of weight and bias: one launch where the sums have one part. */
static linnet_status run_weight(depthwise_plan *plan, linnet_backend_queue *queue, const linnet_layer_args *args)
{
    bool wants_bias = plan->shape.want_bias;
    linnet_view dweight = args->parameter_gradients[LINNET_CONV2D_WEIGHT];
    linnet_view dbias = wants_bias ? args->parameter_gradients[LINNET_CONV2D_BIAS] : linnet_cl_no_view;
    set_ways(plan->sums, wants_bias, args);
    linnet_status status = linnet_cl_launch(plan->sums, queue, args->inputs[LINNET_CONV2D_X],
                                            args->output_gradients[LINNET_CONV2D_Y], args->workspace, dweight, dbias);
    if (status || !plan->store)
        return status;
    set_ways(plan->store, wants_bias, args);
    return linnet_cl_launch(plan->store, queue, args->workspace, dweight, dbias);
}

static linnet_status depthwise_run_backward(linnet_backend_plan *base, linnet_backend_queue *queue,
                                            const linnet_layer_args *args)
{
    depthwise_plan *plan = (depthwise_plan *)base;
    linnet_status status = LINNET_OK;
    if (plan->product) {
        linnet_cl_run_int(plan->product, 0, linnet_cl_bit(args->accumulate_inputs, LINNET_CONV2D_X));
        status = linnet_cl_launch(plan->product, queue, args->output_gradients[LINNET_CONV2D_Y],
                                  args->parameters[LINNET_CONV2D_WEIGHT], linnet_cl_no_view,
                                  args->input_gradients[LINNET_CONV2D_X]);
    }
    if (status || !plan->shape.want_weight)
        return status ? status : linnet_cl_channels_weight_run(&plan->bias, queue, args);
    return run_weight(plan, queue, args);
}

/* As large tasks as leave some for everyone: of several planes where those are small. */
static void product_kernel(depthwise_plan *plan)
{
    const linnet_cl_conv2d *s = &plan->shape;
    const linnet_backend_device *device = plan->base.device;
    bool forward = s->forward;
    int64_t rows = forward ? s->out_height : ceil_div(s->height, s->stride_y), blocks = linnet_cl_blocks(s->channels);
    int64_t planes = s->images * blocks, wanted = tasks_wanted(device, s);
    int64_t rows_per_task = rows;
    bool direct = is_direct(device, s);
    if (!direct)
        rows_per_task = rows_that_fit(device, s, rows);
    while (!direct && copy_bytes(device, s, rows_per_task) > (uint64_t)linnet_cl_channels_limit(device) * sizeof(float))
        rows_per_task = ceil_div(rows_per_task, 2);
    while (rows_per_task > 4 && planes * ceil_div(rows, rows_per_task) < wanted)
        rows_per_task = ceil_div(rows_per_task, 2);
    int64_t row_tasks = ceil_div(rows, rows_per_task), planes_per_task = planes * row_tasks / wanted;
    planes_per_task = planes_per_task < 1 ? 1 : planes_per_task;
    const int64_t constants[] = {rows_per_task, planes_per_task, linnet_cl_channels_spread(device, s), direct};
    plan->product = linnet_cl_kernel_new(&plan->base, LINNET_CL_PROGRAM_CONV2D_DEPTHWISE, "conv2d_depthwise", 4);
    linnet_cl_struct(plan->product);
    linnet_cl_int(plan->product, !forward);
    linnet_cl_conv2d_sizes(plan->product, s, !forward);
    linnet_cl_int(plan->product, s->channels);
    linnet_cl_int(plan->product, planes);
    linnet_cl_conv2d_window(plan->product, s);
    linnet_cl_ints(plan->product, constants);
    linnet_cl_int(plan->product, forward && s->has_bias);
    linnet_cl_float(plan->product, forward ? s->low : -INFINITY);
    linnet_cl_float(plan->product, forward ? s->high : INFINITY);
    linnet_cl_struct_end(plan->product);
    linnet_cl_local(plan->product, copy_bytes(device, s, direct ? 1 : rows_per_task));
    linnet_cl_range(plan->product, row_tasks, ceil_div(planes, planes_per_task), 1, 1);
}

static void weight_kernels(depthwise_plan *plan)
{
    const linnet_cl_conv2d *s = &plan->shape;
    linnet_cl_conv2d forward = linnet_cl_conv2d_forward(s);
    weight_split split = split_of(plan->base.device, s);
    int64_t blocks = linnet_cl_blocks(s->channels), taps = s->kernel_height * s->kernel_width;
    const int64_t constants[] = {split.chunks,
                                 split.chunks_per_part,
                                 split.row_chunks,
                                 split.rows_per_chunk,
                                 split.blocks_per_task,
                                 linnet_cl_channels_spread(plan->base.device, &forward),
                                 is_direct(plan->base.device, &forward),
                                 s->want_bias};
    plan->sums = linnet_cl_kernel_new(&plan->base, LINNET_CL_PROGRAM_CONV2D_DEPTHWISE, "conv2d_depthwise_weight", 5);
    linnet_cl_struct(plan->sums);
    linnet_cl_int(plan->sums, s->channels);
    linnet_cl_conv2d_sizes(plan->sums, s, false);
    linnet_cl_conv2d_window(plan->sums, s);
    linnet_cl_ints(plan->sums, constants);
    linnet_cl_struct_end(plan->sums);
    linnet_cl_local(plan->sums, copy_bytes(plan->base.device, &forward, split.rows_per_chunk));
    linnet_cl_range(plan->sums, split.parts, ceil_div(blocks, split.blocks_per_task), 1, 1);
    if (split.parts == 1)
        return;
    plan->store =
        linnet_cl_kernel_new(&plan->base, LINNET_CL_PROGRAM_CONV2D_DEPTHWISE, "conv2d_depthwise_weight_sum", 3);
    linnet_cl_int(plan->store, s->channels);
    linnet_cl_int(plan->store, taps);
    linnet_cl_int(plan->store, split.parts);
    linnet_cl_range(plan->store, taps + s->want_bias, blocks, 1, 1);
}

static linnet_status depthwise_plan_new(linnet_backend_device *device, const linnet_cl_conv2d *shape,
                                        linnet_backend_plan **out)
{
    linnet_backend_plan *base;
    linnet_status status = linnet_cl_plan_new(device, sizeof(depthwise_plan),
                                              shape->forward ? depthwise_run_forward : depthwise_run_backward, &base);
    if (status)
        return status;
    depthwise_plan *plan = (depthwise_plan *)base;
    plan->shape = *shape;
    if (shape->forward || shape->want_data)
        product_kernel(plan);
    if (shape->want_weight)
        weight_kernels(plan);
    if (shape->want_bias && !shape->want_weight)
        linnet_cl_block_sum_kernels(base, linnet_cl_channels_bias_shape(device, shape), &plan->bias.bias);
    return linnet_cl_plan_done(base, out);
}

const linnet_cl_conv2d_way linnet_cl_conv2d_depthwise = {.name = "depthwise",
                                                         .products_a_microsecond = 4e3f,
                                                         .blocked = true,
                                                         .depthwise = true,
                                                         .refusal = depthwise_refusal,
                                                         .workspace_bytes = depthwise_workspace_bytes,
                                                         .plan = depthwise_plan_new};
