/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gradients of weight and bias in nchw16c (conv2d_channels_weight.cl). The workspace holds the parts of the
 * weight's gradient, then those of the bias.
 */
#include "conv2d.h"
#include "nchw16c.h"
#include "sizes.h"

enum {
    CHUNK_PIXELS = 192,
    MOST_SET = 8,         /* blocks of outputs of a task, */
    SET_FLOATS = 9 << 12, /* whose sums stay in a cache */
    PAIR = LINNET_CL_LANES * LINNET_CL_LANES,
};

static const int64_t PARTS_FLOATS = (int64_t)16 << 20;

typedef struct weight_split {
    int64_t in_blocks, out_blocks, pairs; /* of a group; pairs: as many blocks of inputs as a tile has columns */
    int64_t rows_per_chunk, row_chunks, chunks, out_set, out_units, chunks_per_part, parts;
    int64_t part_floats; /* of all groups */
} weight_split;

static weight_split split_of(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    weight_split split = {.in_blocks = linnet_cl_blocks(s->group_inputs),
                          .out_blocks = linnet_cl_blocks(s->group_outputs)};
    linnet_cl_conv2d forward = linnet_cl_conv2d_forward(s);
    bool spread = linnet_cl_channels_spread(device, &forward);
    int64_t area = s->kernel_height * s->kernel_width, columns = device->tile_columns;
    int64_t limit = linnet_cl_channels_limit(device);
    split.pairs = ceil_div(split.in_blocks, columns);
    split.rows_per_chunk = ceil_div(s->out_height, larger(1, s->out_height * s->out_width / CHUNK_PIXELS));
    while (split.rows_per_chunk > 1 &&
           columns * linnet_cl_channels_copy_floats(&forward, spread, split.rows_per_chunk) > limit)
        split.rows_per_chunk = ceil_div(split.rows_per_chunk, 2);
    split.row_chunks = ceil_div(s->out_height, split.rows_per_chunk);
    split.chunks = s->images * split.row_chunks;
    /* Sets of one size: a driver may give half of the tasks to each of two threads beforehand. */
    split.out_set = split.out_blocks;
    while (split.out_set > 1 && (split.out_set > MOST_SET || split.out_set * columns * area * PAIR > SET_FLOATS))
        split.out_set = ceil_div(split.out_set, 2);
    split.out_units = ceil_div(split.out_blocks, split.out_set);
    split.part_floats = s->groups * split.out_blocks * (split.in_blocks * area * PAIR + LINNET_CL_LANES);
    int64_t units = s->groups * split.pairs * split.out_units;
    int64_t wanted =
        smaller(ceil_div(8 * (int64_t)device->info.compute_units, units), larger(1, PARTS_FLOATS / split.part_floats));
    split.chunks_per_part = ceil_div(split.chunks, smaller(split.chunks, wanted));
    split.parts = ceil_div(split.chunks, split.chunks_per_part);
    return split;
}

static uint64_t copies_bytes(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    linnet_cl_conv2d forward = linnet_cl_conv2d_forward(s);
    int64_t floats = linnet_cl_channels_copy_floats(&forward, linnet_cl_channels_spread(device, &forward),
                                                    split_of(device, s).rows_per_chunk);
    return (uint64_t)(device->tile_columns * floats) * sizeof(float);
}

bool linnet_cl_channels_weight_fits(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    return linnet_cl_channels_is_1x1_weight(device, s) ||
           copies_bytes(device, s) <= (uint64_t)linnet_cl_channels_limit(device) * sizeof(float);
}

static uint64_t weight_bytes(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    weight_split split = split_of(device, s);
    if (linnet_cl_channels_is_1x1_weight(device, s))
        return 0;
    return s->want_weight ? (uint64_t)(split.parts * split.part_floats) * sizeof(float) : 0;
}

linnet_cl_channels linnet_cl_channels_bias_shape(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    return linnet_cl_blocks_of(device, s->images, s->outputs, s->out_height * s->out_width);
}

uint64_t linnet_cl_channels_weight_workspace(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    if (s->want_weight)
        return weight_bytes(device, s);
    return (uint64_t)(linnet_cl_channels_bias_shape(device, s).parts * s->outputs) * sizeof(float);
}

static void weight_kernels(linnet_backend_plan *plan, const linnet_cl_conv2d *s, linnet_cl_channels_weight *out)
{
    weight_split split = split_of(plan->device, s);
    linnet_cl_conv2d forward = linnet_cl_conv2d_forward(s);
    int64_t area = s->kernel_height * s->kernel_width;
    out->sums = linnet_cl_kernel_new(plan, LINNET_CL_PROGRAM_CONV2D_CHANNELS_WEIGHT, "conv2d_channels_weight", 3);
    const int64_t channels[] = {split.in_blocks, split.out_blocks, s->groups};
    const int64_t constants[] = {split.chunks,
                                 split.chunks_per_part,
                                 split.row_chunks,
                                 split.rows_per_chunk,
                                 split.out_set,
                                 split.part_floats,
                                 linnet_cl_channels_spread(plan->device, &forward),
                                 linnet_cl_conv2d_y_item(s)};
    linnet_cl_conv2d_sizes(out->sums, s, false);
    linnet_cl_ints(out->sums, channels);
    linnet_cl_conv2d_window(out->sums, s);
    linnet_cl_ints(out->sums, constants);
    linnet_cl_local(out->sums, copies_bytes(plan->device, s));
    linnet_cl_range(out->sums, split.parts, s->groups * split.pairs, split.out_units, 1);
    out->store = linnet_cl_kernel_new(plan, LINNET_CL_PROGRAM_CONV2D_CHANNELS_WEIGHT, "conv2d_channels_weight_sum", 3);
    linnet_cl_int(out->store, s->outputs);
    linnet_cl_int(out->store, s->group_outputs);
    linnet_cl_int(out->store, s->group_inputs);
    linnet_cl_int(out->store, area);
    linnet_cl_int(out->store, split.parts);
    linnet_cl_int(out->store, split.part_floats);
    linnet_cl_range(out->store, s->outputs, split.in_blocks, 1, 1);
}

void linnet_cl_channels_weight_kernels(linnet_backend_plan *plan, const linnet_cl_conv2d *s,
                                       linnet_cl_channels_weight *out)
{
    if (s->want_weight && linnet_cl_channels_is_1x1_weight(plan->device, s))
        out->whole = linnet_cl_channels_1x1_weight_kernel(plan, s);
    else if (s->want_weight)
        weight_kernels(plan, s, out);
    out->with_bias = s->want_weight;
    out->wants_bias = s->want_bias;
    if (s->want_bias && !s->want_weight)
        linnet_cl_block_sum_kernels(plan, linnet_cl_channels_bias_shape(plan->device, s), &out->bias);
}

static linnet_status store_weight(linnet_cl_channels_weight *weight, linnet_backend_queue *queue,
                                  const linnet_layer_args *args)
{
    linnet_view dweight = args->parameter_gradients[LINNET_CONV2D_WEIGHT], dbias = linnet_cl_no_view;
    linnet_cl_run_int(weight->store, 0, linnet_cl_bit(args->accumulate_parameters, LINNET_CONV2D_WEIGHT));
    if (!weight->with_bias)
        return linnet_cl_launch(weight->store, queue, args->workspace, dweight);
    if (weight->wants_bias)
        dbias = args->parameter_gradients[LINNET_CONV2D_BIAS];
    linnet_cl_run_int(weight->store, 1,
                      dbias.buffer ? 1 + linnet_cl_bit(args->accumulate_parameters, LINNET_CONV2D_BIAS) : 0);
    return linnet_cl_launch(weight->store, queue, args->workspace, dweight, dbias);
}

static linnet_status run_whole(linnet_cl_channels_weight *weight, linnet_backend_queue *queue,
                               const linnet_layer_args *args)
{
    linnet_view dbias = weight->wants_bias ? args->parameter_gradients[LINNET_CONV2D_BIAS] : linnet_cl_no_view;
    linnet_cl_run_int(weight->whole, 0, linnet_cl_bit(args->accumulate_parameters, LINNET_CONV2D_WEIGHT));
    linnet_cl_run_int(weight->whole, 1,
                      dbias.buffer ? 1 + linnet_cl_bit(args->accumulate_parameters, LINNET_CONV2D_BIAS) : 0);
    return linnet_cl_launch(weight->whole, queue, args->inputs[LINNET_CONV2D_X],
                            args->output_gradients[LINNET_CONV2D_Y], args->parameter_gradients[LINNET_CONV2D_WEIGHT],
                            dbias);
}

linnet_status linnet_cl_channels_weight_run(linnet_cl_channels_weight *weight, linnet_backend_queue *queue,
                                            const linnet_layer_args *args)
{
    linnet_view dy = args->output_gradients[LINNET_CONV2D_Y];
    linnet_status status = LINNET_OK;
    if (weight->whole)
        return run_whole(weight, queue, args);
    if (weight->sums) {
        status = linnet_cl_launch(weight->sums, queue, args->inputs[LINNET_CONV2D_X], dy, args->workspace);
        if (!status)
            status = store_weight(weight, queue, args);
    }
    if (weight->bias.parts && !status)
        status = linnet_cl_channel_sum_run(&weight->bias, queue, dy,
                                           linnet_cl_view_at(args->workspace, weight->bias_parts_at),
                                           args->parameter_gradients[LINNET_CONV2D_BIAS],
                                           linnet_cl_bit(args->accumulate_parameters, LINNET_CONV2D_BIAS));
    return status;
}
