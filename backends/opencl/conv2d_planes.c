/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conv2d for processors, from few channels in NCHW to nchw16c (conv2d_planes.cl, conv2d_planes_weight.cl,
 * conv2d_planes_data.cl). The workspace of backward holds the parts of the weight's gradient, then those of the bias.
 */
#include "conv2d.h"
#include "nchw16c.h"
#include "sizes.h"

enum { MOST_CHANNELS = 15, CHUNK_PIXELS = 512, PARTS_A_UNIT = 8 };

typedef struct planes_split {
    int64_t rows_per_chunk, row_chunks, chunks, chunks_per_part, parts;
    int64_t depth, blocks, columns, part_floats, copy_floats;
} planes_split;

typedef struct planes_plan {
    linnet_backend_plan base;
    linnet_cl_conv2d shape;
    linnet_cl_kernel *forward, *data;
    linnet_cl_channels_weight weight;
} planes_plan;

static linnet_cl_conv2d planes_shape(const linnet_cl_conv2d *shape, bool forward)
{
    linnet_cl_conv2d s = *shape;
    s.in_lanes = 1;
    s.forward = forward;
    return s;
}

static planes_split split_of(const linnet_backend_device *device, const linnet_cl_conv2d *shape)
{
    linnet_cl_conv2d s = planes_shape(shape, true);
    planes_split split = {.depth = s.channels * s.kernel_height * s.kernel_width,
                          .blocks = linnet_cl_blocks(s.outputs)};
    int64_t rows = smaller(ceil_div(CHUNK_PIXELS, s.out_width), s.out_height);
    while (rows > 1 && s.channels * linnet_cl_channels_copy_floats(&s, false, rows) > linnet_cl_channels_limit(device))
        rows = ceil_div(rows, 2);
    split.rows_per_chunk = rows;
    split.copy_floats = s.channels * linnet_cl_channels_copy_floats(&s, false, rows);
    split.row_chunks = ceil_div(s.out_height, rows);
    split.chunks = s.images * split.row_chunks;
    int64_t wanted = PARTS_A_UNIT * (int64_t)device->info.compute_units;
    split.chunks_per_part = ceil_div(split.chunks, smaller(wanted, split.chunks));
    split.parts = ceil_div(split.chunks, split.chunks_per_part);
    split.columns = split.blocks % 2 == 0 ? device->tile_columns : 1;
    split.part_floats =
        (split.blocks * (split.depth + 1) + split.blocks / split.columns * s.kernel_width) * LINNET_CL_LANES;
    return split;
}

static const char *planes_refusal(const linnet_backend_device *device, const linnet_cl_conv2d *shape)
{
    linnet_cl_conv2d s = planes_shape(shape, shape->forward);
    if (s.groups > 1 || s.channels > MOST_CHANNELS)
        return "needs one group and at most 15 channels";
    s.want_data = false; /* has its own way */
    const char *refusal = linnet_cl_channels_refusal(device, &s);
    if (!refusal && shape->want_data && !linnet_cl_planes_data_fits(device, &s))
        refusal = "a row of the gradient does not fit local memory";
    if (!refusal && s.want_weight && split_of(device, &s).copy_floats > linnet_cl_channels_limit(device))
        refusal = "a chunk of pixels does not fit local memory";
    return refusal;
}

static uint64_t weight_bytes(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    planes_split split = split_of(device, s);
    return s->want_weight ? (uint64_t)(split.parts * split.part_floats) * sizeof(float) : 0;
}

static uint64_t planes_workspace_bytes(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    if (s->want_weight)
        return weight_bytes(device, s);
    return s->want_bias ? (uint64_t)(linnet_cl_channels_bias_shape(device, s).parts * s->outputs) * sizeof(float) : 0;
}

static linnet_status planes_run_forward(linnet_backend_plan *base, linnet_backend_queue *queue,
                                        const linnet_layer_args *args)
{
    planes_plan *plan = (planes_plan *)base;
    return linnet_cl_channels_run_forward(plan->forward, &plan->shape, queue, args);
}

static linnet_status planes_run_backward(linnet_backend_plan *base, linnet_backend_queue *queue,
                                         const linnet_layer_args *args)
{
    planes_plan *plan = (planes_plan *)base;
    linnet_status status = LINNET_OK;
    if (plan->data) {
        linnet_cl_run_int(plan->data, 0, linnet_cl_bit(args->accumulate_inputs, LINNET_CONV2D_X));
        status = linnet_cl_launch(plan->data, queue, args->output_gradients[LINNET_CONV2D_Y],
                                  args->parameters[LINNET_CONV2D_WEIGHT], args->input_gradients[LINNET_CONV2D_X]);
    }
    return status ? status : linnet_cl_channels_weight_run(&plan->weight, queue, args);
}

static void planes_weight_kernels(planes_plan *plan)
{
    const linnet_cl_conv2d *s = &plan->shape;
    planes_split split = split_of(plan->base.device, s);
    bool wide = split.columns > 1;
    linnet_cl_program_id program =
        wide ? LINNET_CL_PROGRAM_CONV2D_PLANES_WEIGHT : LINNET_CL_PROGRAM_CONV2D_PLANES_WEIGHT_NARROW;
    linnet_cl_kernel *sums =
        linnet_cl_kernel_new(&plan->base, program, wide ? "conv2d_planes_weight" : "conv2d_planes_weight_narrow", 3);
    const int64_t constants[] = {split.chunks, split.chunks_per_part, split.row_chunks, split.rows_per_chunk,
                                 split.part_floats};
    linnet_cl_conv2d_sizes(sums, s, false);
    linnet_cl_int(sums, s->channels);
    linnet_cl_int(sums, split.blocks);
    linnet_cl_conv2d_window(sums, s);
    linnet_cl_ints(sums, constants);
    linnet_cl_local(sums, (uint64_t)split.copy_floats * sizeof(float));
    linnet_cl_range(sums, split.parts, split.blocks / split.columns, 1, 1);
    linnet_cl_kernel *store = linnet_cl_kernel_new(
        &plan->base, program, wide ? "conv2d_planes_weight_sum" : "conv2d_planes_weight_narrow_sum", 3);
    linnet_cl_int(store, s->outputs);
    linnet_cl_int(store, split.depth);
    linnet_cl_int(store, split.part_floats);
    linnet_cl_int(store, split.parts);
    linnet_cl_range(store, split.depth + 1, split.blocks, 1, 16);
    plan->weight.sums = sums;
    plan->weight.store = store;
}

static linnet_status planes_plan_new(linnet_backend_device *device, const linnet_cl_conv2d *shape,
                                     linnet_backend_plan **out)
{
    linnet_backend_plan *base;
    linnet_status status = linnet_cl_plan_new(device, sizeof(planes_plan),
                                              shape->forward ? planes_run_forward : planes_run_backward, &base);
    if (status)
        return status;
    planes_plan *plan = (planes_plan *)base;
    plan->shape = planes_shape(shape, shape->forward);
    if (shape->forward)
        plan->forward = linnet_cl_channels_kernel(base, &plan->shape);
    if (shape->want_data)
        plan->data = linnet_cl_planes_data_kernel(base, shape);
    if (shape->want_weight)
        planes_weight_kernels(plan);
    plan->weight.with_bias = shape->want_weight;
    plan->weight.wants_bias = shape->want_bias;
    if (shape->want_bias && !shape->want_weight)
        linnet_cl_block_sum_kernels(base, linnet_cl_channels_bias_shape(device, shape), &plan->weight.bias);
    return linnet_cl_plan_done(base, out);
}

const linnet_cl_conv2d_way linnet_cl_conv2d_planes = {.name = "planes",
                                                      .products_a_microsecond = 50e3f,
                                                      .blocked = true,
                                                      .planes = true,
                                                      .strides = {true, false},
                                                      .refusal = planes_refusal,
                                                      .workspace_bytes = planes_workspace_bytes,
                                                      .plan = planes_plan_new};
