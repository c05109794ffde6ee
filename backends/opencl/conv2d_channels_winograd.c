/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Winograd's convolution for processors in nchw16c (conv2d_channels_winograd.clh): how the work is split. The split is
 * a function of the shape and the device, so results are the same at every run. The workspace holds V: each task's own,
 * or, where there are few blocks of tiles, everybody's.
 */
#include "conv2d_winograd.h"
#include "nchw16c.h"
#include "sizes.h"
#include "variants.h"

enum {
    CHUNK = 4,              /* blocks of 16 inputs of U */
    MOST_STEP = 4,          /* blocks of 16 outputs of U and sums */
    V_BYTES = 1 << 20,      /* of a block of tiles */
    SUMS_BYTES = 512 << 10, /* of a step of outputs */
    LEAST_TILES = 98,       /* of a block: for each the weights are transformed anew */
    TASKS_SHARED = 4,       /* a unit, that share a V */
    TASKS_A_UNIT = 2,       /* that have a V of their own */
    FEW_BLOCKS = 2          /* a unit: fewer blocks of tiles may share a V */
};

/* Microseconds with AVX-512: the transform of a tile of 16 channels, F(2,3) and F(4,3); what may be done again for each
   task rather than wait for a launch; and a task that is short enough to have fewer of them for that, since threads are
   seldom equally fast. Multiply-adds in a microsecond. */
static const double input_microseconds[2] = {0.03, 0.1}, most_again = 30, short_task = 400, products = 55e3;

typedef struct winograd_split {
    linnet_cl_winograd_sizes sizes;
    int64_t in_blocks, out_blocks, tiles_y, tiles_x, tiles;
    int64_t positions, rows, groups, blocks;         /* tiles of a group, groups of a block, blocks of tiles */
    int64_t tile_position, tile_block, weight_block; /* floats, as in the kernel */
    int64_t step, steps, chunk;
    bool own;
    int64_t tasks, blocks_per_task, step_tasks, steps_per_task;
    int64_t v_floats; /* of a block of tiles */
} winograd_split;

typedef struct winograd_plan {
    linnet_backend_plan base;
    linnet_cl_conv2d shape;
    linnet_cl_kernel *input, *product;
    uint64_t scratch_at; /* bytes into the workspace: U and sums of the tasks, behind V */
    linnet_cl_winograd_weight weight;
} winograd_plan;

static void read_sizes(const linnet_cl_conv2d *s, winograd_split *out)
{
    out->sizes = linnet_cl_winograd_sizes_of(s);
    out->in_blocks = linnet_cl_blocks(out->sizes.channels);
    out->out_blocks = linnet_cl_blocks(out->sizes.outputs);
    out->tiles_y = ceil_div(out->sizes.out_height, s->winograd);
    out->tiles_x = ceil_div(out->sizes.out_width, s->winograd);
    out->tiles = s->images * out->tiles_y * out->tiles_x;
    out->positions = (s->winograd + 2) * (s->winograd + 2);
}

/* Tiles of a group: as many as waste least. */
static int64_t rows_of(const linnet_backend_device *device, int64_t tiles)
{
    int64_t many = device->tile_rows, few = many == 14 ? 8 : 4;
    return round_up(tiles, few) * 10 < round_up(tiles, many) * 9 ? few : many;
}

/* Whose V it is. Tasks of the same tiles and of other steps share one, which takes a launch of its own, unless it takes
   less to make it once for each. */
static void split_steps(const linnet_backend_device *device, bool large, winograd_split *w)
{
    int64_t units = (int64_t)device->info.compute_units;
    int64_t most = smaller(w->steps, ceil_div(TASKS_SHARED * units, w->blocks));
    double again = (double)(w->blocks * w->groups * w->rows * w->in_blocks) * input_microseconds[large] / (double)units;
    bool many = w->blocks >= FEW_BLOCKS * units;
    int64_t parts = many ? 1 : smaller(most, 1 + (int64_t)(most_again / again));
    int64_t pairs = w->in_blocks * w->step * ceil_div(w->steps, parts);
    double task = (double)(w->groups * w->rows * w->positions * pairs) * 256 / products;
    w->own = many || parts == most || (w->blocks * parts >= units && task <= short_task);
    if (linnet_cl_forces(device, LINNET_CL_VARIANT_INPUTS_OWN) ||
        linnet_cl_forces(device, LINNET_CL_VARIANT_INPUTS_SHARED)) {
        w->own = linnet_cl_forces(device, LINNET_CL_VARIANT_INPUTS_OWN);
        parts = most;
    }
    w->blocks_per_task = w->own ? ceil_div(w->blocks, smaller(w->blocks, TASKS_A_UNIT * units)) : 1;
    w->tasks = ceil_div(w->blocks, w->blocks_per_task);
    w->steps_per_task = ceil_div(w->steps, w->own ? parts : most);
    w->step_tasks = ceil_div(w->steps, w->steps_per_task);
}

static winograd_split split_of(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    winograd_split w = {0};
    read_sizes(s, &w);
    int64_t units = (int64_t)device->info.compute_units;
    int64_t bytes = w.positions * LINNET_CL_LANES * (int64_t)sizeof(float); /* of one tile and 16 channels */
    int64_t columns = device->tile_columns;
    int64_t block = smaller(SUMS_BYTES / (bytes * columns), larger(V_BYTES / (bytes * w.in_blocks), LEAST_TILES));
    w.rows = rows_of(device, smaller(w.tiles, block));
    w.groups = larger(1, smaller(block / w.rows, ceil_div(w.tiles, w.rows)));
    w.blocks = ceil_div(w.tiles, w.groups * w.rows);
    w.blocks = w.blocks > units ? round_up(w.blocks, units) : w.blocks; /* everyone has as many */
    w.groups = ceil_div(ceil_div(w.tiles, w.blocks), w.rows);
    w.blocks = ceil_div(w.tiles, w.groups * w.rows);
    w.step = w.out_blocks % MOST_STEP == 0 && w.groups * w.rows * bytes * MOST_STEP <= SUMS_BYTES ? MOST_STEP : columns;
    w.steps = ceil_div(w.out_blocks, w.step);
    w.chunk = smaller(CHUNK, w.in_blocks);
    w.tile_position = (w.rows | 1) * LINNET_CL_LANES;
    w.tile_block = w.positions * w.tile_position + LINNET_CL_LANES;
    w.weight_block = w.positions * (LINNET_CL_LANES + 1) * LINNET_CL_LANES + LINNET_CL_LANES;
    w.v_floats = w.groups * w.in_blocks * w.tile_block;
    split_steps(device, s->winograd == 4, &w);
    return w;
}

/* Of U and sums of a task. */
static int64_t task_floats(const winograd_split *w)
{
    return w->step * w->chunk * w->weight_block + w->groups * w->step * w->tile_block;
}

static int64_t v_floats(const winograd_split *w)
{
    return (w->own ? w->tasks * w->step_tasks : w->blocks) * w->v_floats;
}

static int64_t workspace_floats(const winograd_split *w)
{
    return v_floats(w) + w->tasks * w->step_tasks * task_floats(w);
}

/* The gradients are computed one after the other. */
static int64_t all_floats(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    int64_t weight = s->want_weight ? linnet_cl_winograd_weight_floats(device, s) : 0;
    if (!s->forward && !s->want_data)
        return weight;
    winograd_split w = split_of(device, s);
    return larger(workspace_floats(&w), weight);
}

static const char *winograd_refusal(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    if (!device->prefers_vectors)
        return "for devices with vectors";
    const char *refusal = linnet_cl_winograd_refusal(s);
    if (refusal)
        return refusal;
    if (!(s->low <= 0 && s->high >= 0) && s->outputs % LINNET_CL_LANES != 0)
        return "needs an operator that keeps 0 in spare lanes";
    if ((s->forward || s->want_data) && split_of(device, s).out_blocks < device->tile_columns)
        return "needs more channels";
    if (all_floats(device, s) > LINNET_CL_MOST_ELEMENTS)
        return "needs fewer or smaller items";
    return NULL;
}

static uint64_t winograd_workspace_bytes(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    return (uint64_t)all_floats(device, s) * sizeof(float);
}

/* Measured with AVX-512, as those of backends/cpu/conv2d_rules.c: of a tile's transforms and of a pair of blocks'. */
static double winograd_microseconds(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    static const double output[2] = {0.03, 0.07}, weights[2] = {0.4, 0.8};
    int large = s->winograd == 4;
    winograd_split w = split_of(device, s);
    double tiles = (double)(w.blocks * w.groups * w.rows), ins = (double)w.in_blocks;
    double outs = (double)(w.steps * w.step), pairs = ins * outs;
    double sum = s->want_weight ? linnet_cl_winograd_weight_microseconds(device, s) : 0;
    if (s->forward || s->want_data)
        sum += tiles * (double)w.positions * pairs * 256 / products +
               tiles * (ins * input_microseconds[large] + outs * output[large]) +
               pairs * (double)w.blocks * weights[large];
    return sum / (double)device->info.compute_units;
}

/* ---- Plans ---- */

static void shape_constants(linnet_cl_kernel *kernel, const linnet_cl_conv2d *s, const winograd_split *w)
{
    int64_t x_item = linnet_cl_conv2d_x_item(s), y_item = linnet_cl_conv2d_y_item(s);
    const int64_t constants[] = {w->in_blocks,
                                 w->out_blocks,
                                 w->sizes.in_height,
                                 w->sizes.in_width,
                                 w->sizes.out_height,
                                 w->sizes.out_width,
                                 w->sizes.top,
                                 w->sizes.left,
                                 w->tiles_y,
                                 w->tiles_x,
                                 w->tiles,
                                 w->rows,
                                 w->tile_position,
                                 w->tile_block,
                                 w->groups,
                                 s->forward ? x_item : y_item,
                                 s->forward ? y_item : x_item,
                                 linnet_cl_conv2d_added_item(s)};
    linnet_cl_ints(kernel, constants);
}

static void add_kernels(winograd_plan *plan)
{
    const linnet_cl_conv2d *s = &plan->shape;
    winograd_split w = split_of(plan->base.device, s);
    bool large = s->winograd == 4, forward = s->forward;
    linnet_cl_program_id program =
        large ? LINNET_CL_PROGRAM_CONV2D_CHANNELS_WINOGRAD_F4 : LINNET_CL_PROGRAM_CONV2D_CHANNELS_WINOGRAD_F2;
    if (!w.own) {
        plan->input = linnet_cl_kernel_new(
            &plan->base, program, large ? "conv2d_channels_winograd_input_f4" : "conv2d_channels_winograd_input_f2", 2);
        shape_constants(plan->input, s, &w);
        linnet_cl_range(plan->input, w.blocks * w.groups, w.in_blocks, 1, 1);
    }
    linnet_cl_kernel *product = linnet_cl_kernel_new(
        &plan->base, program, large ? "conv2d_channels_winograd_f4" : "conv2d_channels_winograd_f2", 7);
    const int64_t constants[] = {w.own,   w.blocks_per_task, w.step,         w.steps_per_task,
                                 w.chunk, !forward,          task_floats(&w)};
    shape_constants(product, s, &w);
    linnet_cl_ints(product, constants);
    linnet_cl_int(product, forward && s->has_bias ? s->outputs : 0);
    linnet_cl_conv2d_clamp(product, s);
    linnet_cl_range(product, w.tasks, w.step_tasks, 1, 1);
    plan->product = product;
    plan->scratch_at = (uint64_t)v_floats(&w) * sizeof(float);
}

static linnet_status run_product(winograd_plan *plan, linnet_backend_queue *queue, const linnet_layer_args *args)
{
    const linnet_cl_conv2d *s = &plan->shape;
    linnet_view in = s->forward ? args->inputs[LINNET_CONV2D_X] : args->output_gradients[LINNET_CONV2D_Y];
    linnet_view out = s->forward ? args->outputs[LINNET_CONV2D_Y] : args->input_gradients[LINNET_CONV2D_X];
    linnet_status status = plan->input ? linnet_cl_launch(plan->input, queue, in, args->workspace) : LINNET_OK;
    if (status)
        return status;
    linnet_cl_run_int(plan->product, 0, s->forward ? 0 : linnet_cl_bit(args->accumulate_inputs, LINNET_CONV2D_X));
    return linnet_cl_launch(plan->product, queue, in, args->parameters[LINNET_CONV2D_WEIGHT],
                            s->forward && s->has_bias ? args->parameters[LINNET_CONV2D_BIAS] : linnet_cl_no_view,
                            s->forward && s->adds ? args->inputs[LINNET_CONV2D_X + 1] : linnet_cl_no_view, out,
                            args->workspace, linnet_cl_view_at(args->workspace, plan->scratch_at));
}

static linnet_status winograd_run(linnet_backend_plan *base, linnet_backend_queue *queue, const linnet_layer_args *args)
{
    winograd_plan *plan = (winograd_plan *)base;
    linnet_status status = plan->product ? run_product(plan, queue, args) : LINNET_OK;
    return status || !plan->weight.tiles ? status : linnet_cl_winograd_weight_run(&plan->weight, queue, args);
}

static linnet_status winograd_plan_new(linnet_backend_device *device, const linnet_cl_conv2d *shape,
                                       linnet_backend_plan **out)
{
    linnet_backend_plan *base;
    linnet_status status = linnet_cl_plan_new(device, sizeof(winograd_plan), winograd_run, &base);
    if (status)
        return status;
    winograd_plan *plan = (winograd_plan *)base;
    plan->shape = *shape;
    if (shape->forward || shape->want_data)
        add_kernels(plan);
    if (shape->want_weight)
        linnet_cl_winograd_weight_kernels(base, shape, &plan->weight);
    return linnet_cl_plan_done(base, out);
}

const linnet_cl_conv2d_way linnet_cl_conv2d_channels_winograd_f2 = {.name = "channels_winograd_f2",
                                                                    .winograd = 2,
                                                                    .microseconds = winograd_microseconds,
                                                                    .blocked = true,
                                                                    .strides = {true, true},
                                                                    .refusal = winograd_refusal,
                                                                    .workspace_bytes = winograd_workspace_bytes,
                                                                    .plan = winograd_plan_new};

const linnet_cl_conv2d_way linnet_cl_conv2d_channels_winograd_f4 = {.name = "channels_winograd_f4",
                                                                    .winograd = 4,
                                                                    .microseconds = winograd_microseconds,
                                                                    .blocked = true,
                                                                    .strides = {true, true},
                                                                    .refusal = winograd_refusal,
                                                                    .workspace_bytes = winograd_workspace_bytes,
                                                                    .plan = winograd_plan_new};
