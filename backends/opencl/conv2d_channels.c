/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conv2d for processors in nchw16c (conv2d_channels.cl): how the work is split, and what a task may take of local
 * memory. The split is a function of the shape and the device, so results are the same at every run.
 */
#include "conv2d.h"
#include "nchw16c.h"
#include "sizes.h"
#include "variants.h"

enum {
    SHORT_ROW = 14,        /* columns; shorter output rows are joined to one run */
    TASK_FLOATS = 1 << 16, /* of copies: what a second-level cache holds beside weights and outputs */
    SMALL_WEIGHTS = 1 << 17,
    LEAST_PIXELS = 56,
    MOST_PHASES = 16,
    MOST_TAPS = 256 /* as in channels_window.clh */
};

/* The largest window of any phase along one axis. */
typedef struct axis {
    int64_t outputs, taps, span, stride;
} axis;

typedef struct channels_split {
    int64_t in_planes, out_blocks; /* of a group */
    int64_t phases, rows, plane_floats;
    int64_t rows_per_task, row_chunks, blocks_per_task, block_chunks, planes_at_once;
    bool spread;
} channels_split;

typedef struct channels_plan {
    linnet_backend_plan base;
    linnet_cl_conv2d shape;
    linnet_cl_kernel *product; /* forward, or backward with respect to the input */
    linnet_cl_channels_weight weight;
} channels_plan;

static axis axis_of(bool forward, int64_t inputs, int64_t outputs, int64_t kernel, int64_t stride, int64_t dilation)
{
    if (forward)
        return (axis){outputs, kernel, (kernel - 1) * dilation + 1, stride};
    int64_t step = stride / gcd(stride, dilation), taps = ceil_div(kernel, step);
    return (axis){ceil_div(inputs, stride), taps, (taps - 1) * (dilation * step / stride) + 1, 1};
}

static axis rows_of(const linnet_cl_conv2d *s)
{
    return axis_of(s->forward, s->height, s->out_height, s->kernel_height, s->stride_y, s->dilation_y);
}

static axis columns_of(const linnet_cl_conv2d *s)
{
    return axis_of(s->forward, s->width, s->out_width, s->kernel_width, s->stride_x, s->dilation_x);
}

int64_t linnet_cl_channels_copy_floats(const linnet_cl_conv2d *s, bool spread, int64_t rows)
{
    axis y = rows_of(s), x = columns_of(s);
    int64_t phases = smaller(y.stride, y.span), copies = smaller(x.stride, x.span);
    int64_t columns = spread ? x.outputs : x.outputs + (x.span - 1) / x.stride;
    return (spread ? x.taps : copies) * phases * (rows + (y.span - 1) / y.stride) * columns * s->in_lanes;
}

bool linnet_cl_channels_spread(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    bool wanted = columns_of(s).outputs < SHORT_ROW || linnet_cl_forces(device, LINNET_CL_VARIANT_ROWS_JOINED);
    return wanted && !linnet_cl_forces(device, LINNET_CL_VARIANT_ROWS_APART) &&
           (s->forward || (s->stride_y == 1 && s->stride_x == 1));
}

int64_t linnet_cl_channels_limit(const linnet_backend_device *device)
{
    int64_t limit = ((int64_t)device->local_memory - 1024) / (int64_t)sizeof(float);
    return smaller(limit, TASK_FLOATS);
}

/* Halves a task's rows until its copies fit; then splits until there are tasks enough, by rows where the weights are
   small enough to be read by everyone, else by blocks of outputs. */
static channels_split split_of(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    int64_t in = ceil_div(s->group_inputs, s->in_lanes), out = linnet_cl_blocks(s->group_outputs);
    axis y = rows_of(s), x = columns_of(s);
    channels_split split = {.in_planes = s->forward ? in : out,
                            .out_blocks = s->forward ? out : in,
                            .phases = s->forward ? 1 : s->stride_y * s->stride_x,
                            .rows = y.outputs,
                            .spread = linnet_cl_channels_spread(device, s)};
    int64_t limit = linnet_cl_channels_limit(device), rows = y.outputs, blocks = split.out_blocks;
    int64_t items = s->images * s->groups * split.phases, wanted = 4 * (int64_t)device->info.compute_units;
    while (rows > 1 &&
           (rows * x.outputs >= LEAST_PIXELS || linnet_cl_channels_copy_floats(s, split.spread, rows) > limit) &&
           split.in_planes * linnet_cl_channels_copy_floats(s, split.spread, rows) > limit)
        rows = ceil_div(rows, 2);
    bool is_small =
        split.in_planes * split.out_blocks * y.taps * x.taps * s->in_lanes * LINNET_CL_LANES <= SMALL_WEIGHTS;
    while (is_small && items * ceil_div(y.outputs, rows) < wanted && rows * x.outputs >= 2 * LEAST_PIXELS)
        rows = ceil_div(rows, 2);
    while (items * ceil_div(y.outputs, rows) * ceil_div(split.out_blocks, blocks) < wanted && blocks > 2)
        blocks = ceil_div(blocks, 4) * 2;
    split.plane_floats = linnet_cl_channels_copy_floats(s, split.spread, rows);
    split.planes_at_once = smaller(limit / split.plane_floats, split.in_planes);
    split.rows_per_task = rows;
    split.row_chunks = ceil_div(y.outputs, rows);
    split.blocks_per_task = blocks;
    split.block_chunks = ceil_div(split.out_blocks, blocks);
    return split;
}

bool linnet_cl_channels_fits(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    return linnet_cl_channels_is_1x1(s) || split_of(device, s).planes_at_once >= 1;
}

const char *linnet_cl_window_refusal(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    if (!device->prefers_vectors)
        return "for devices with vectors";
    if (s->kernel_height * s->kernel_width > MOST_TAPS)
        return "needs a kernel of at most 256 taps";
    if (s->stride_y * s->stride_x > MOST_PHASES)
        return "needs strides whose product is at most 16";
    return NULL;
}

const char *linnet_cl_channels_refusal(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    const char *refusal = linnet_cl_window_refusal(device, s);
    if (refusal)
        return refusal;
    if (s->groups > 1 && (s->group_inputs % LINNET_CL_LANES != 0 || s->group_outputs % LINNET_CL_LANES != 0))
        return "needs groups of whole blocks of 16 channels";
    if (!(s->low <= 0 && s->high >= 0) && s->outputs % LINNET_CL_LANES != 0)
        return "needs an operator that keeps 0 in spare lanes";
    if ((s->forward || s->want_data) && !linnet_cl_channels_fits(device, s))
        return "a row of pixels does not fit local memory";
    return NULL;
}

static const char *channels_refusal(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    if (device->prefers_vectors && s->want_weight && !linnet_cl_channels_weight_fits(device, s))
        return "a chunk of pixels does not fit local memory";
    if (s->y_stride != 0 && s->want_bias && !s->want_weight)
        return "needs dense tensors for the gradient of the bias alone";
    return linnet_cl_channels_refusal(device, s);
}

static uint64_t channels_workspace_bytes(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    return s->want_weight || s->want_bias ? linnet_cl_channels_weight_workspace(device, s) : 0;
}

linnet_status linnet_cl_channels_run_forward(linnet_cl_kernel *kernel, const linnet_cl_conv2d *shape,
                                             linnet_backend_queue *queue, const linnet_layer_args *args)
{
    linnet_cl_run_int(kernel, 0, 0);
    return linnet_cl_launch(kernel, queue, args->inputs[LINNET_CONV2D_X], args->parameters[LINNET_CONV2D_WEIGHT],
                            shape->has_bias ? args->parameters[LINNET_CONV2D_BIAS] : linnet_cl_no_view,
                            shape->adds ? args->inputs[LINNET_CONV2D_X + 1] : linnet_cl_no_view,
                            args->outputs[LINNET_CONV2D_Y]);
}

static linnet_status channels_run_forward(linnet_backend_plan *base, linnet_backend_queue *queue,
                                          const linnet_layer_args *args)
{
    channels_plan *plan = (channels_plan *)base;
    return linnet_cl_channels_run_forward(plan->product, &plan->shape, queue, args);
}

static linnet_status channels_run_backward(linnet_backend_plan *base, linnet_backend_queue *queue,
                                           const linnet_layer_args *args)
{
    channels_plan *plan = (channels_plan *)base;
    linnet_status status = LINNET_OK;
    if (plan->product) {
        linnet_cl_run_int(plan->product, 0, linnet_cl_bit(args->accumulate_inputs, LINNET_CONV2D_X));
        status = linnet_cl_launch(plan->product, queue, args->output_gradients[LINNET_CONV2D_Y],
                                  args->parameters[LINNET_CONV2D_WEIGHT], linnet_cl_no_view, linnet_cl_no_view,
                                  args->input_gradients[LINNET_CONV2D_X]);
    }
    return status ? status : linnet_cl_channels_weight_run(&plan->weight, queue, args);
}

typedef struct way_program {
    linnet_cl_program_id id;
    const char *kernel;
} way_program;

/* Blocks of 16 channels and planes of one, wide and narrow tiles. */
static const way_program way_programs[2][2] = {{{LINNET_CL_PROGRAM_CONV2D_CHANNELS, "conv2d_channels"},
                                                {LINNET_CL_PROGRAM_CONV2D_CHANNELS_NARROW, "conv2d_channels_narrow"}},
                                               {{LINNET_CL_PROGRAM_CONV2D_PLANES, "conv2d_planes"},
                                                {LINNET_CL_PROGRAM_CONV2D_PLANES_NARROW, "conv2d_planes_narrow"}}};

linnet_cl_kernel *linnet_cl_channels_kernel(linnet_backend_plan *plan, const linnet_cl_conv2d *s)
{
    if (linnet_cl_channels_is_1x1(s))
        return linnet_cl_channels_1x1_kernel(plan, s);
    channels_split split = split_of(plan->device, s);
    bool forward = s->forward;
    int64_t pair = s->kernel_height * s->kernel_width * s->in_lanes * LINNET_CL_LANES;
    int64_t all_out = split.in_planes * s->groups; /* backward: blocks of outputs of the convolution */
    bool narrow = plan->device->tile_columns == 1 || split.out_blocks == 1;
    const way_program *program = &way_programs[s->in_lanes == 1][narrow];
    linnet_cl_kernel *kernel = linnet_cl_kernel_new(plan, program->id, program->kernel, 5);
    const int64_t channels[] = {split.in_planes, split.out_blocks, s->groups};
    const int64_t before[] = {pair,
                              forward ? split.in_planes * pair : all_out * pair,
                              forward ? split.out_blocks * split.in_planes * pair : split.in_planes * pair,
                              split.block_chunks,
                              split.rows_per_task,
                              split.blocks_per_task,
                              split.planes_at_once,
                              split.spread,
                              forward ? linnet_cl_conv2d_x_item(s) : linnet_cl_conv2d_y_item(s),
                              forward ? linnet_cl_conv2d_y_item(s) : linnet_cl_conv2d_x_item(s),
                              linnet_cl_conv2d_added_item(s)};
    linnet_cl_int(kernel, !forward);
    linnet_cl_conv2d_sizes(kernel, s, !forward);
    linnet_cl_ints(kernel, channels);
    linnet_cl_conv2d_window(kernel, s);
    linnet_cl_ints(kernel, before);
    linnet_cl_local(kernel, (uint64_t)(split.planes_at_once * split.plane_floats) * sizeof(float));
    linnet_cl_int(kernel, forward && s->has_bias ? s->outputs : 0);
    linnet_cl_conv2d_clamp(kernel, s);
    linnet_cl_range(kernel, split.row_chunks, s->groups * split.block_chunks, s->images * split.phases, 1);
    return kernel;
}

static linnet_status channels_plan_new(linnet_backend_device *device, const linnet_cl_conv2d *shape,
                                       linnet_backend_plan **out)
{
    linnet_backend_plan *base;
    linnet_status status = linnet_cl_plan_new(device, sizeof(channels_plan),
                                              shape->forward ? channels_run_forward : channels_run_backward, &base);
    if (status)
        return status;
    channels_plan *plan = (channels_plan *)base;
    plan->shape = *shape;
    if (shape->forward || shape->want_data)
        plan->product = linnet_cl_channels_kernel(base, shape);
    if (!shape->forward)
        linnet_cl_channels_weight_kernels(base, shape, &plan->weight);
    return linnet_cl_plan_done(base, out);
}

const linnet_cl_conv2d_way linnet_cl_conv2d_channels = {.name = "channels",
                                                        .products_a_microsecond = 60e3f,
                                                        .blocked = true,
                                                        .strides = {true, true},
                                                        .refusal = channels_refusal,
                                                        .workspace_bytes = channels_workspace_bytes,
                                                        .plan = channels_plan_new};
