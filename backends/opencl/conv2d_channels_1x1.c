/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conv2d of one tap, stride 1 and no padding for processors in nchw16c (conv2d_channels_1x1.clh,
 * conv2d_channels_1x1_weight.cl): how the work is split. The split is a function of the shape and the device, so
 * results are the same at every run.
 */
#include "conv2d.h"
#include "nchw16c.h"
#include "sizes.h"

enum {
    TASK_FLOATS = 1 << 17,   /* of inputs: what a second cache holds beside weights and outputs */
    CHUNK_WEIGHTS = 1 << 13, /* floats that serve a task's pixels in turn: of the first cache */
    SMALL_WEIGHTS = 1 << 17,
    LEAST_PIXELS = 56,
    CHUNK_PIXELS = 392,      /* of two blocks of inputs, whose sums go through memory once a chunk */
    WEIGHT_FLOATS = 1 << 21, /* of inputs and gradients: those that do not fit a cache are better read once, in parts */
    TASKS_A_UNIT = 4
};

typedef struct pixels_split {
    int64_t in_planes, out_blocks; /* of a group */
    int64_t pixels, pixels_per_task, pixel_chunks, blocks_per_task, block_chunks, planes_at_once;
} pixels_split;

static pixels_split split_of(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    int64_t in = linnet_cl_blocks(s->group_inputs), out = linnet_cl_blocks(s->group_outputs);
    pixels_split split = {
        .in_planes = s->forward ? in : out, .out_blocks = s->forward ? out : in, .pixels = s->height * s->width};
    int64_t chunks = 1, blocks = split.out_blocks, items = s->images * s->groups;
    int64_t wanted = TASKS_A_UNIT * (int64_t)device->info.compute_units, most = ceil_div(split.pixels, LEAST_PIXELS);
    while (chunks < most && ceil_div(split.pixels, chunks) * split.in_planes * LINNET_CL_LANES > TASK_FLOATS)
        chunks *= 2;
    bool is_small = split.in_planes * split.out_blocks * LINNET_CL_LANES * LINNET_CL_LANES <= SMALL_WEIGHTS;
    while (is_small && chunks < most && items * chunks < wanted)
        chunks *= 2;
    while (items * chunks * ceil_div(split.out_blocks, blocks) < wanted && blocks > 2)
        blocks = ceil_div(blocks, 4) * 2;
    split.pixels_per_task = ceil_div(split.pixels, chunks);
    split.pixel_chunks = ceil_div(split.pixels, split.pixels_per_task);
    split.blocks_per_task = blocks;
    split.block_chunks = ceil_div(split.out_blocks, blocks);
    int64_t floats = device->tile_columns * LINNET_CL_LANES * LINNET_CL_LANES;
    split.planes_at_once = ceil_div(split.in_planes, ceil_div(split.in_planes * floats, CHUNK_WEIGHTS));
    return split;
}

bool linnet_cl_channels_is_1x1(const linnet_cl_conv2d *s)
{
    return s->in_lanes == LINNET_CL_LANES && s->kernel_height * s->kernel_width == 1 &&
           s->stride_y * s->stride_x == 1 && s->out_height == s->height && s->out_width == s->width && s->top == 0 &&
           s->left == 0;
}

linnet_cl_kernel *linnet_cl_channels_1x1_kernel(linnet_backend_plan *plan, const linnet_cl_conv2d *s)
{
    enum { PAIR = LINNET_CL_LANES * LINNET_CL_LANES };
    pixels_split split = split_of(plan->device, s);
    bool forward = s->forward, narrow = plan->device->tile_columns == 1 || split.out_blocks == 1;
    linnet_cl_kernel *kernel = linnet_cl_kernel_new(
        plan, narrow ? LINNET_CL_PROGRAM_CONV2D_CHANNELS_1X1_NARROW : LINNET_CL_PROGRAM_CONV2D_CHANNELS_1X1,
        narrow ? "conv2d_channels_1x1_narrow" : "conv2d_channels_1x1", 5);
    int64_t all_out = split.in_planes * s->groups; /* backward: blocks of outputs of the convolution */
    const int64_t constants[] = {split.pixels,
                                 split.in_planes,
                                 split.out_blocks,
                                 PAIR,
                                 (forward ? split.in_planes : all_out) * PAIR,
                                 (forward ? split.out_blocks : 1) * split.in_planes * PAIR,
                                 split.block_chunks,
                                 split.pixels_per_task,
                                 split.blocks_per_task,
                                 split.planes_at_once,
                                 forward ? linnet_cl_conv2d_x_item(s) : linnet_cl_conv2d_y_item(s),
                                 forward ? linnet_cl_conv2d_y_item(s) : linnet_cl_conv2d_x_item(s),
                                 linnet_cl_conv2d_added_item(s)};
    linnet_cl_ints(kernel, constants);
    linnet_cl_int(kernel, forward && s->has_bias ? s->outputs : 0);
    linnet_cl_conv2d_clamp(kernel, s);
    linnet_cl_range(kernel, split.pixel_chunks, s->groups * split.block_chunks, s->images, 1);
    return kernel;
}

/* ---- The gradients of weight and bias ---- */

typedef struct weight_split {
    int64_t in_blocks, out_blocks, in_set, out_set, in_sets, out_sets; /* of a group */
    int64_t pixels_at_once;
} weight_split;

static weight_split weight_split_of(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    weight_split w = {.in_blocks = linnet_cl_blocks(s->group_inputs), .out_blocks = linnet_cl_blocks(s->group_outputs)};
    int64_t columns = device->tile_columns, pairs = ceil_div(w.in_blocks, columns), set = pairs,
            pixels = s->height * s->width;
    int64_t wanted = TASKS_A_UNIT * (int64_t)device->info.compute_units;
    w.out_set = w.out_blocks;
    while (s->groups * ceil_div(pairs, set) * ceil_div(w.out_blocks, w.out_set) < wanted && set * w.out_set > 1) {
        if (w.out_set >= columns * set)
            w.out_set = ceil_div(w.out_set, 2);
        else
            set = ceil_div(set, 2);
    }
    w.in_set = set * columns;
    w.in_sets = ceil_div(pairs, set);
    w.out_sets = ceil_div(w.out_blocks, w.out_set);
    w.pixels_at_once = ceil_div(pixels, ceil_div(pixels, CHUNK_PIXELS));
    return w;
}

bool linnet_cl_channels_is_1x1_weight(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    if (!linnet_cl_channels_is_1x1(s) || s->group_inputs % LINNET_CL_LANES || s->group_outputs % LINNET_CL_LANES)
        return false;
    weight_split w = weight_split_of(device, s);
    int64_t floats = s->images * (s->channels + s->outputs) * s->height * s->width;
    return s->groups * w.in_sets * w.out_sets >= 2 * (int64_t)device->info.compute_units && floats <= WEIGHT_FLOATS;
}

linnet_cl_kernel *linnet_cl_channels_1x1_weight_kernel(linnet_backend_plan *plan, const linnet_cl_conv2d *s)
{
    weight_split w = weight_split_of(plan->device, s);
    linnet_cl_kernel *kernel =
        linnet_cl_kernel_new(plan, LINNET_CL_PROGRAM_CONV2D_CHANNELS_1X1_WEIGHT, "conv2d_channels_1x1_weight", 4);
    const int64_t constants[] = {s->images,
                                 s->height * s->width,
                                 w.in_blocks,
                                 w.out_blocks,
                                 w.out_set,
                                 w.in_set,
                                 w.pixels_at_once,
                                 linnet_cl_conv2d_x_item(s),
                                 linnet_cl_conv2d_y_item(s)};
    linnet_cl_ints(kernel, constants);
    linnet_cl_range(kernel, w.in_sets, w.out_sets, s->groups, 1);
    return kernel;
}
