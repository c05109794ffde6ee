/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gradients of weight and bias by Winograd's algorithm on GPUs (conv2d_winograd.clh). The workspace holds V and W
 * of a chunk of tiles, the parts of the sums, which all chunks add to, then what they add up to, and the parts of the
 * bias' gradient.
 *
 * A tile of 4 x 4 outputs takes 36 multiply-adds for a pair of channels, where 144 would be direct. Its transforms read
 * 16 floats and write 36 a channel, which the product reads again: 72 C O operations for 352 (C + O) bytes, 6.5 a byte
 * with 64 channels and 26 with 256.
 */
#include "conv2d_winograd.h"

enum { STORE_GROUP = 64 }; /* of conv2d_winograd_weights_gradient at most */

typedef struct gradient_sizes {
    linnet_cl_winograd_tiles tiles;
    uint64_t w_at, sums_at, sum_at, bias_at, bytes;
} gradient_sizes;

static linnet_cl_channels bias_shape(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    return linnet_cl_channels_of(device, s->images, s->outputs, s->out_height * s->out_width);
}

static gradient_sizes sizes_of(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    gradient_sizes g = {.tiles = linnet_cl_winograd_gradient_tiles(device, s)};
    const linnet_cl_winograd_tiles *t = &g.tiles;
    uint64_t position_bytes = (uint64_t)t->positions * sizeof(float);
    uint64_t sum_bytes = position_bytes * (uint64_t)(s->outputs * s->channels);
    g.w_at = position_bytes * (uint64_t)(s->channels * t->chunk);
    g.sums_at = g.w_at + position_bytes * (uint64_t)(s->outputs * t->chunk);
    g.sum_at = t->parts > 1 ? g.sums_at + sum_bytes * (uint64_t)t->parts : g.sums_at;
    g.bias_at = g.sum_at + sum_bytes;
    g.bytes = g.bias_at;
    if (s->want_bias)
        g.bytes += (uint64_t)(bias_shape(device, s).parts * s->outputs) * sizeof(float);
    return g;
}

uint64_t linnet_cl_winograd_gradient_bytes(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    return sizes_of(device, s).bytes;
}

static void transform_kernels(linnet_backend_plan *plan, const linnet_cl_conv2d *s, const linnet_cl_winograd_tiles *t,
                              linnet_cl_winograd_gradient *out)
{
    bool large = s->winograd == 4;
    linnet_cl_program_id program = large ? LINNET_CL_PROGRAM_CONV2D_WINOGRAD_F4 : LINNET_CL_PROGRAM_CONV2D_WINOGRAD_F2;
    const int64_t input[] = {s->channels, s->height, s->width, s->top, s->left, t->down, t->across, t->chunk, t->all};
    const int64_t gradient[] = {s->outputs, s->out_height, s->out_width, t->down, t->across, t->chunk, t->all};
    out->input =
        linnet_cl_kernel_new(plan, program, large ? "conv2d_winograd_input_f4" : "conv2d_winograd_input_f2", 2);
    linnet_cl_ints(out->input, input);
    linnet_cl_range(out->input, t->chunk, s->channels, 1, 0);
    out->gradient =
        linnet_cl_kernel_new(plan, program, large ? "conv2d_winograd_gradient_f4" : "conv2d_winograd_gradient_f2", 2);
    linnet_cl_ints(out->gradient, gradient);
    linnet_cl_range(out->gradient, t->chunk, s->outputs, 1, 0);
    out->store = linnet_cl_kernel_new(
        plan, program, large ? "conv2d_winograd_weights_gradient_f4" : "conv2d_winograd_weights_gradient_f2", 2);
    linnet_cl_int(out->store, s->channels);
    linnet_cl_int(out->store, s->outputs);
    linnet_cl_range(out->store, s->channels, s->outputs, 1, STORE_GROUP);
}

void linnet_cl_winograd_gradient_kernels(linnet_backend_plan *plan, const linnet_cl_conv2d *s,
                                         linnet_cl_winograd_gradient *out)
{
    gradient_sizes g = sizes_of(plan->device, s);
    const linnet_cl_winograd_tiles *t = &g.tiles;
    *out = (linnet_cl_winograd_gradient){.chunk = t->chunk,
                                         .tile_count = t->all,
                                         .w_at = g.w_at,
                                         .sums_at = g.sums_at,
                                         .sum_at = g.sum_at,
                                         .bias_parts_at = g.bias_at};
    transform_kernels(plan, s, t, out);
    const linnet_cl_gemm product = {.m = s->outputs,
                                    .n = s->channels,
                                    .depth = t->chunk,
                                    .a_row = t->chunk,
                                    .a_col = 1,
                                    .b_row = 1,
                                    .b_col = t->chunk,
                                    .c_row = s->channels,
                                    .batches = t->positions,
                                    .a_batch = s->outputs * t->chunk,
                                    .b_batch = s->channels * t->chunk,
                                    .c_batch = s->outputs * s->channels,
                                    .run = t->run};
    out->product = linnet_cl_gemm_kernel(plan, &product, true);
    if (t->parts > 1)
        out->reduce = linnet_cl_reduce_kernel(plan, t->positions * product.c_batch, t->parts, 1.0f);
    if (s->want_bias)
        linnet_cl_channel_sum_kernels(plan, bias_shape(plan->device, s), &out->bias);
}

static linnet_status run_chunk(linnet_cl_winograd_gradient *weight, linnet_backend_queue *queue,
                               const linnet_layer_args *args, int64_t first)
{
    linnet_view v = args->workspace, w = linnet_cl_view_at(v, weight->w_at);
    linnet_cl_run_int(weight->input, 0, (cl_int)first);
    linnet_cl_run_int(weight->gradient, 0, (cl_int)first);
    linnet_status status = linnet_cl_launch(weight->input, queue, args->inputs[LINNET_CONV2D_X], v);
    if (!status)
        status = linnet_cl_launch(weight->gradient, queue, args->output_gradients[LINNET_CONV2D_Y], w);
    if (status)
        return status;
    return linnet_cl_gemm_run(weight->product, queue, w, v, linnet_cl_no_view, linnet_cl_view_at(v, weight->sums_at),
                              first > 0);
}

linnet_status linnet_cl_winograd_gradient_run(linnet_cl_winograd_gradient *weight, linnet_backend_queue *queue,
                                              const linnet_layer_args *args)
{
    linnet_view sum = linnet_cl_view_at(args->workspace, weight->sum_at);
    linnet_status status = LINNET_OK;
    for (int64_t first = 0; first < weight->tile_count && !status; first += weight->chunk)
        status = run_chunk(weight, queue, args, first);
    if (!status && weight->reduce)
        status = linnet_cl_reduce(weight->reduce, queue, linnet_cl_view_at(args->workspace, weight->sums_at), sum, 0);
    if (status)
        return status;
    linnet_cl_run_int(weight->store, 0, linnet_cl_bit(args->accumulate_parameters, LINNET_CONV2D_WEIGHT));
    status = linnet_cl_launch(weight->store, queue, sum, args->parameter_gradients[LINNET_CONV2D_WEIGHT]);
    if (status || !weight->bias.parts)
        return status;
    return linnet_cl_channel_sum_run(&weight->bias, queue, args->output_gradients[LINNET_CONV2D_Y],
                                     linnet_cl_view_at(args->workspace, weight->bias_parts_at),
                                     args->parameter_gradients[LINNET_CONV2D_BIAS],
                                     linnet_cl_bit(args->accumulate_parameters, LINNET_CONV2D_BIAS));
}
