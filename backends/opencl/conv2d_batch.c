/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conv2d for processors with the batch innermost (conv2d_batch.cl, conv2d_batch_weight.cl): how the work is split. The
 * split is a function of the shape and the device, so results are the same at every run. The workspace holds what tasks
 * copy of their input, then the parts of the gradients of weight and bias.
 */
#include "conv2d.h"
#include "nchw16c.h"
#include "sizes.h"

#include <math.h>

enum {
    TILE_OUTPUTS = 6,
    TILE_PLACES = 4,
    TASKS_A_UNIT = 8,
    TILE_TAPS = 4,
    CHUNK_FLOATS = 12 << 10, /* of the gradient, for a tile of outputs: what the first cache holds */
    SUM_RUN = 256
};

static const double PRODUCTS_A_MICROSECOND = 60e3; /* of a unit, about */
static const double COPIES_A_MICROSECOND = 16e3;   /* floats */
static const double LAUNCH_MICROSECONDS = 20;

typedef struct batch_split {
    int64_t blocks, blocks_per_task, block_sets, phases, in_planes, out_planes;
    int64_t tile_pixels, rows_per_task, row_chunks, strip_rows;
    double taps;         /* of a pixel, in the mean over tiles, of which */
    double used;         /* is the part of their places that are used */
    int64_t copy_floats; /* of a task; 0: it reads the input where it lies */
} batch_split;

typedef struct batch_weight_split {
    int64_t rows_per_chunk, row_chunks, chunks, chunks_per_part, parts;
    int64_t channels; /* 0: the bias alone */
    int64_t outputs_per_task, taps_per_task, tap_tasks, copy_floats, sum_floats, weights, part_floats;
} batch_weight_split;

typedef struct batch_plan {
    linnet_backend_plan base;
    linnet_cl_conv2d shape;
    linnet_cl_kernel *product, *sums, *store; /* store: of several parts */
    uint64_t parts_at;                        /* bytes into the workspace */
} batch_plan;

/* Inputs that `outputs` along an axis need. Backward: of the largest phase. */
static int64_t window_of(bool forward, int64_t outputs, int64_t kernel, int64_t stride, int64_t dilation)
{
    if (forward)
        return (outputs - 1) * stride + (kernel - 1) * dilation + 1;
    int64_t step = stride / gcd(stride, dilation), taps = ceil_div(kernel, step);
    return outputs + (taps - 1) * (dilation * step / stride);
}

static int64_t copy_floats(const linnet_cl_conv2d *s, int64_t planes, int64_t rows)
{
    int64_t columns = s->forward ? s->out_width : ceil_div(s->width, s->stride_x);
    return planes * window_of(s->forward, rows, s->kernel_height, s->stride_y, s->dilation_y) *
           window_of(s->forward, columns, s->kernel_width, s->stride_x, s->dilation_x) * LINNET_CL_LANES;
}

/* Does an output of [first, last) along an axis see tap k inside? They lie `step` apart. */
static bool sees(bool forward, int64_t first, int64_t last, int64_t step, int64_t k, int64_t size, int64_t stride,
                 int64_t before)
{
    for (int64_t i = first; i < last; i += step) {
        int64_t at = forward ? i * stride + k - before : i + before - k;
        if (at >= 0 && at < size * (forward ? 1 : stride) && (forward || at % stride == 0))
            return true;
    }
    return false;
}

/* Taps of an output along an axis, `each` together (backward: of a phase): those that lie inside for any of them. */
static double axis_taps(bool forward, int64_t outputs, int64_t each, int64_t size, int64_t kernel, int64_t stride,
                        int64_t dilation, int64_t before)
{
    int64_t taps = 0, step = forward ? 1 : stride;
    for (int64_t phase = 0; phase < step; phase++)
        for (int64_t i = phase; i < outputs; i += each * step)
            for (int64_t k = 0; k < kernel; k++)
                taps += sees(forward, i, smaller(i + each * step, outputs), step, k * dilation, size, stride, before);
    return (double)(taps * each) / (double)outputs;
}

/* Taps of a pixel, in the mean over tiles of so many pixels, strip_rows high. */
static double taps_of(const linnet_cl_conv2d *s, int64_t pixels, int64_t strip_rows)
{
    bool forward = s->forward;
    int64_t rows = forward ? s->out_height : s->height, columns = forward ? s->out_width : s->width;
    return axis_taps(forward, rows, strip_rows, forward ? s->height : s->out_height, s->kernel_height, s->stride_y,
                     s->dilation_y, s->top) *
           axis_taps(forward, columns, pixels / strip_rows, forward ? s->width : s->out_width, s->kernel_width,
                     s->stride_x, s->dilation_x, s->left);
}

/* Do all taps of all pixels lie inside? */
static bool is_inside(const linnet_cl_conv2d *s)
{
    return s->forward && s->top == 0 && s->left == 0 &&
           (s->out_height - 1) * s->stride_y + (s->kernel_height - 1) * s->dilation_y < s->height &&
           (s->out_width - 1) * s->stride_x + (s->kernel_width - 1) * s->dilation_x < s->width;
}

/* The places of a tile are several pixels of a block, or, where these would need copies and blocks are many enough, a
   pixel in several blocks. */
static void split_tile(const linnet_backend_device *device, const linnet_cl_conv2d *s, batch_split *out)
{
    int64_t places = (device->tile_columns == 1 ? 1 : TILE_PLACES) * (out->out_planes == 1 ? 2 : 1);
    int64_t together = ceil_div(out->blocks, ceil_div(out->blocks, places));
    bool spans = !is_inside(s) && 2 * together > places;
    out->blocks_per_task = spans ? together : 1;
    out->block_sets = ceil_div(out->blocks, out->blocks_per_task);
    out->tile_pixels = spans ? 1 : places;
    out->used = spans ? (double)together / (double)places : 1;
    out->strip_rows = 1;
    out->taps = is_inside(s) ? (double)(s->kernel_height * s->kernel_width) : taps_of(s, out->tile_pixels, 1);
}

/* Halves a task's rows until its copies fit a cache, and until there are tasks enough. */
static batch_split split_of(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    int64_t units = (int64_t)device->info.compute_units, limit = linnet_cl_channels_limit(device);
    int64_t height = s->forward ? s->out_height : ceil_div(s->height, s->stride_y), rows = height;
    batch_split split = {.blocks = linnet_cl_blocks(s->images),
                         .phases = s->forward ? 1 : s->stride_y * s->stride_x,
                         .in_planes = s->forward ? s->group_inputs : s->group_outputs,
                         .out_planes = s->forward ? s->group_outputs : s->group_inputs};
    split_tile(device, s, &split);
    bool copies = split.tile_pixels > 1 && !is_inside(s);
    int64_t tasks = split.block_sets * split.phases * s->groups, wanted = copies ? 2 * units : TASKS_A_UNIT * units;
    int64_t planes = split.blocks_per_task * split.in_planes;
    while (rows > 1 && (tasks * ceil_div(height, rows) < wanted || (copies && copy_floats(s, planes, rows) > limit)))
        rows = ceil_div(rows, 2);
    split.rows_per_task = rows;
    split.row_chunks = ceil_div(height, rows);
    split.copy_floats = copies ? copy_floats(s, planes, rows) : 0;
    if (copies && rows % 2 == 0 && split.tile_pixels % 2 == 0 && taps_of(s, split.tile_pixels, 2) < split.taps) {
        split.strip_rows = 2;
        split.taps = taps_of(s, split.tile_pixels, 2);
    }
    return split;
}

/* Until the last unit is done with `tasks` tasks for all outputs and groups, each split into parts and by taps. A chunk
   takes copy_time, and tap_time for each tap. */
static double weight_microseconds(const batch_weight_split *s, int64_t tasks, int64_t units, double copy_time,
                                  double tap_time)
{
    double chunks = (double)(ceil_div(tasks * s->parts * s->tap_tasks, units) * s->chunks_per_part);
    return chunks * (copy_time + tap_time * (double)s->taps_per_task) + (s->parts > 1 ? LAUNCH_MICROSECONDS : 0);
}

/* Splits by parts of the batch, which another launch adds up, and by taps so that the last unit ends early. */
static void split_further(const linnet_cl_conv2d *s, int64_t tasks, int64_t units, int64_t depth,
                          batch_weight_split *out)
{
    batch_weight_split trial = *out;
    int64_t tiles = depth > 0 ? ceil_div(depth, TILE_TAPS) : 1;
    double least = INFINITY, copy_time = (double)out->copy_floats / COPIES_A_MICROSECOND;
    double tap_time =
        (double)(out->rows_per_chunk * s->out_width * LINNET_CL_LANES * out->outputs_per_task) / PRODUCTS_A_MICROSECOND;
    for (int64_t tap_tasks = 1; tap_tasks <= tiles && tap_tasks <= 4 * units; tap_tasks++)
        for (int64_t parts = 1; parts <= 4 * units && parts <= trial.chunks; parts++) {
            trial.chunks_per_part = ceil_div(trial.chunks, parts);
            trial.parts = ceil_div(trial.chunks, trial.chunks_per_part);
            trial.taps_per_task = ceil_div(tiles, tap_tasks) * TILE_TAPS;
            trial.tap_tasks = ceil_div(tiles * TILE_TAPS, trial.taps_per_task);
            double time = weight_microseconds(&trial, tasks, units, copy_time, tap_time);
            if (time < least) {
                least = time;
                *out = trial;
            }
        }
}

static batch_weight_split weight_split_of(const linnet_backend_device *device, const linnet_cl_conv2d *shape)
{
    linnet_cl_conv2d s = *shape;
    s.forward = true;
    int64_t limit = linnet_cl_channels_limit(device), area = s.kernel_height * s.kernel_width;
    batch_weight_split split = {.channels = s.want_weight ? s.group_inputs : 0, .outputs_per_task = s.group_outputs};
    int64_t depth = split.channels * area, row = TILE_OUTPUTS * s.out_width * LINNET_CL_LANES;
    int64_t rows = row < CHUNK_FLOATS ? CHUNK_FLOATS / row : 1;
    rows = ceil_div(s.out_height, ceil_div(s.out_height, rows));
    while (rows > 1 && copy_floats(&s, split.channels, rows) > limit / 2)
        rows = ceil_div(rows, 2);
    split.copy_floats = copy_floats(&s, split.channels, rows);
    int64_t most = (limit - split.copy_floats) / ((depth + 1) * LINNET_CL_LANES);
    if (most < split.outputs_per_task) /* 0: it does not fit */
        split.outputs_per_task = most > 0 ? most / TILE_OUTPUTS * TILE_OUTPUTS : 0;
    split.rows_per_chunk = rows;
    split.row_chunks = ceil_div(s.out_height, rows);
    split.chunks = linnet_cl_blocks(s.images) * split.row_chunks;
    int64_t tasks = s.groups * (split.outputs_per_task ? ceil_div(s.group_outputs, split.outputs_per_task) : 1);
    split_further(&s, tasks, (int64_t)device->info.compute_units, depth, &split);
    int64_t taps = smaller(depth, split.taps_per_task);
    split.sum_floats = split.outputs_per_task * (taps + 1) * LINNET_CL_LANES;
    split.weights = s.outputs * depth;
    split.part_floats = split.weights + s.outputs;
    return split;
}

static const char *batch_refusal(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    const char *refusal = linnet_cl_window_refusal(device, s);
    if (refusal)
        return refusal;
    if ((s->want_weight || s->want_bias) && weight_split_of(device, s).outputs_per_task == 0)
        return "the sums of a tile do not fit local memory";
    return NULL;
}

static double batch_microseconds(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    double images = (double)(linnet_cl_blocks(s->images) * LINNET_CL_LANES), products = 0;
    double planes = (double)(s->outputs * s->group_inputs);
    if (s->forward || s->want_data) {
        double pixels = (double)(s->forward ? s->out_height * s->out_width : s->height * s->width);
        batch_split split = split_of(device, s);
        products = images * planes * pixels * split.taps / split.used;
    }
    if (s->want_weight)
        products += images * planes * (double)(s->out_height * s->out_width * s->kernel_height * s->kernel_width);
    double spare = (images - (double)s->images) *
                   (double)(s->channels * s->height * s->width + s->outputs * s->out_height * s->out_width);
    return products / (PRODUCTS_A_MICROSECOND * device->info.compute_units) +
           spare * sizeof(float) / device->parameters.values[LINNET_CL_BYTES];
}

static uint64_t copies_bytes(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    if (!s->forward && !s->want_data)
        return 0;
    batch_split split = split_of(device, s);
    int64_t tasks = split.row_chunks * s->groups * split.block_sets * split.phases;
    return (uint64_t)(tasks * split.copy_floats) * sizeof(float);
}

static uint64_t batch_workspace_bytes(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    if (!s->want_weight && !s->want_bias)
        return copies_bytes(device, s);
    batch_weight_split split = weight_split_of(device, s);
    return copies_bytes(device, s) + (uint64_t)(split.parts * split.part_floats) * sizeof(float);
}

static linnet_status batch_run_forward(linnet_backend_plan *base, linnet_backend_queue *queue,
                                       const linnet_layer_args *args)
{
    batch_plan *plan = (batch_plan *)base;
    linnet_cl_run_int(plan->product, 0, 0);
    return linnet_cl_launch(plan->product, queue, args->inputs[LINNET_CONV2D_X], args->parameters[LINNET_CONV2D_WEIGHT],
                            plan->shape.has_bias ? args->parameters[LINNET_CONV2D_BIAS] : linnet_cl_no_view,
                            plan->shape.adds ? args->inputs[LINNET_CONV2D_X + 1] : linnet_cl_no_view,
                            args->outputs[LINNET_CONV2D_Y], args->workspace);
}

/* The scalars of a run of a kernel that stores both gradients. */
static void set_ways(linnet_cl_kernel *kernel, bool wants_bias, const linnet_layer_args *args)
{
    linnet_cl_run_int(kernel, 0, linnet_cl_bit(args->accumulate_parameters, LINNET_CONV2D_WEIGHT));
    linnet_cl_run_int(kernel, 1, wants_bias ? 1 + linnet_cl_bit(args->accumulate_parameters, LINNET_CONV2D_BIAS) : 0);
}

static linnet_status run_weight(batch_plan *plan, linnet_backend_queue *queue, const linnet_layer_args *args)
{
    const linnet_cl_conv2d *s = &plan->shape;
    linnet_view none = linnet_cl_no_view, parts = linnet_cl_view_at(args->workspace, plan->parts_at);
    linnet_view dweight = s->want_weight ? args->parameter_gradients[LINNET_CONV2D_WEIGHT] : none;
    linnet_view dbias = s->want_bias ? args->parameter_gradients[LINNET_CONV2D_BIAS] : none;
    set_ways(plan->sums, s->want_bias, args);
    linnet_status status = linnet_cl_launch(plan->sums, queue, s->want_weight ? args->inputs[LINNET_CONV2D_X] : none,
                                            args->output_gradients[LINNET_CONV2D_Y], parts, dweight, dbias);
    if (status || !plan->store)
        return status;
    set_ways(plan->store, s->want_bias, args);
    return linnet_cl_launch(plan->store, queue, parts, dweight, dbias);
}

static linnet_status batch_run_backward(linnet_backend_plan *base, linnet_backend_queue *queue,
                                        const linnet_layer_args *args)
{
    batch_plan *plan = (batch_plan *)base;
    linnet_status status = LINNET_OK;
    if (plan->product) {
        linnet_cl_run_int(plan->product, 0, linnet_cl_bit(args->accumulate_inputs, LINNET_CONV2D_X));
        status = linnet_cl_launch(plan->product, queue, args->output_gradients[LINNET_CONV2D_Y],
                                  args->parameters[LINNET_CONV2D_WEIGHT], linnet_cl_no_view, linnet_cl_no_view,
                                  args->input_gradients[LINNET_CONV2D_X], args->workspace);
    }
    return status || !plan->sums ? status : run_weight(plan, queue, args);
}

static linnet_cl_kernel *product_kernel(linnet_backend_plan *plan, const linnet_cl_conv2d *s)
{
    batch_split split = split_of(plan->device, s);
    bool forward = s->forward;
    int64_t area = s->kernel_height * s->kernel_width, row = s->group_inputs * area;
    linnet_cl_kernel *kernel = linnet_cl_kernel_new(plan, LINNET_CL_PROGRAM_CONV2D_BATCH, "conv2d_batch", 6);
    const int64_t channels[] = {split.in_planes, split.out_planes, s->groups};
    const int64_t constants[] = {forward ? area : row, forward ? row : area, split.blocks,     split.blocks_per_task,
                                 split.tile_pixels,    split.rows_per_task,  split.strip_rows, split.copy_floats};
    linnet_cl_int(kernel, !forward);
    linnet_cl_conv2d_sizes(kernel, s, !forward);
    linnet_cl_ints(kernel, channels);
    linnet_cl_conv2d_window(kernel, s);
    linnet_cl_ints(kernel, constants);
    linnet_cl_int(kernel, forward && s->has_bias);
    linnet_cl_conv2d_clamp(kernel, s);
    linnet_cl_range(kernel, split.row_chunks, s->groups, split.block_sets * split.phases, 1);
    return kernel;
}

static void weight_kernels(batch_plan *plan)
{
    const linnet_cl_conv2d *s = &plan->shape;
    batch_weight_split split = weight_split_of(plan->base.device, s);
    plan->sums = linnet_cl_kernel_new(&plan->base, LINNET_CL_PROGRAM_CONV2D_BATCH_WEIGHT, "conv2d_batch_weight", 5);
    const int64_t channels[] = {split.channels, s->group_outputs, s->groups};
    const int64_t constants[] = {split.chunks,           split.chunks_per_part, split.row_chunks, split.rows_per_chunk,
                                 split.outputs_per_task, split.taps_per_task,   split.part_floats};
    linnet_cl_conv2d_sizes(plan->sums, s, false);
    linnet_cl_ints(plan->sums, channels);
    linnet_cl_conv2d_window(plan->sums, s);
    linnet_cl_ints(plan->sums, constants);
    linnet_cl_local(plan->sums, (uint64_t)(split.copy_floats + LINNET_CL_LANES) * sizeof(float)); /* 0 is no size */
    linnet_cl_local(plan->sums, (uint64_t)split.sum_floats * sizeof(float));
    linnet_cl_range(plan->sums, split.parts, s->groups,
                    ceil_div(s->group_outputs, split.outputs_per_task) * split.tap_tasks, 1);
    if (split.parts == 1)
        return;
    plan->store =
        linnet_cl_kernel_new(&plan->base, LINNET_CL_PROGRAM_CONV2D_BATCH_WEIGHT, "conv2d_batch_weight_sum", 3);
    const int64_t store_constants[] = {split.weights, split.part_floats, split.parts, SUM_RUN};
    linnet_cl_ints(plan->store, store_constants);
    linnet_cl_range(plan->store, ceil_div(split.part_floats, SUM_RUN), 1, 1, 1);
}

static linnet_status batch_plan_new(linnet_backend_device *device, const linnet_cl_conv2d *shape,
                                    linnet_backend_plan **out)
{
    linnet_backend_plan *base;
    linnet_status status =
        linnet_cl_plan_new(device, sizeof(batch_plan), shape->forward ? batch_run_forward : batch_run_backward, &base);
    if (status)
        return status;
    batch_plan *plan = (batch_plan *)base;
    plan->shape = *shape;
    plan->parts_at = copies_bytes(device, shape);
    if (shape->forward || shape->want_data)
        plan->product = product_kernel(base, shape);
    if (shape->want_weight || shape->want_bias)
        weight_kernels(plan);
    return linnet_cl_plan_done(base, out);
}

const linnet_cl_conv2d_way linnet_cl_conv2d_batch = {.name = "batch",
                                                     .microseconds = batch_microseconds,
                                                     .batch = true,
                                                     .refusal = batch_refusal,
                                                     .workspace_bytes = batch_workspace_bytes,
                                                     .plan = batch_plan_new};
