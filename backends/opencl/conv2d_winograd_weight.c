/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gradients of weight and bias by Winograd's algorithm on GPUs (conv2d_winograd.clh). The workspace holds V and W
 * of a chunk of tiles, the parts of the sums, and those of the bias.
 *
 * A tile of 4 x 4 outputs takes 36 multiply-adds for a pair of channels, where 144 would be direct. Its transforms read
 * 16 floats and write 36 a channel, which the product reads again: 72 C O operations for 352 (C + O) bytes, 6.5 a byte
 * with 64 channels and 26 with 256.
 */
#include "conv2d_winograd.h"

enum { CHUNK_BYTES = 256 << 20 /* of V and W */, GROUPS_A_UNIT = 2, LEAST_DEPTH = 512, TILE = 64 };

typedef struct gradient_split {
    int64_t tiles_y, tiles_x, tiles, positions;
    int64_t chunk, run, parts; /* tiles of a chunk, and of a part of its products */
    uint64_t w_at, sums_at, bias_at, bytes;
} gradient_split;

static int64_t ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static int64_t between(int64_t value, int64_t least, int64_t most)
{
    return value < least ? least : value > most ? most : value;
}

static linnet_cl_channels bias_shape(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    return linnet_cl_channels_of(device, s->images, s->outputs, s->out_height * s->out_width);
}

/* Chunks of one size; parts where the products alone are too few for the device. */
static gradient_split split_of(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    gradient_split g = {.tiles_y = ceil_div(s->out_height, s->winograd),
                        .tiles_x = ceil_div(s->out_width, s->winograd),
                        .positions = (s->winograd + 2) * (s->winograd + 2)};
    g.tiles = s->images * g.tiles_y * g.tiles_x;
    int64_t tile_bytes = g.positions * (s->channels + s->outputs) * (int64_t)sizeof(float);
    g.chunk = ceil_div(g.tiles, ceil_div(g.tiles, between(CHUNK_BYTES / tile_bytes, 1, g.tiles)));
    int64_t groups = g.positions * ceil_div(s->channels, TILE) * ceil_div(s->outputs, TILE);
    int64_t wanted = ceil_div(GROUPS_A_UNIT * (int64_t)device->info.compute_units, groups);
    g.run = ceil_div(g.chunk, between(wanted, 1, ceil_div(g.chunk, LEAST_DEPTH)));
    g.parts = ceil_div(g.chunk, g.run);
    g.w_at = (uint64_t)(g.positions * s->channels * g.chunk) * sizeof(float);
    g.sums_at = (uint64_t)(g.chunk * tile_bytes);
    g.bias_at = g.sums_at + (uint64_t)(g.parts * g.positions * s->channels * s->outputs) * sizeof(float);
    g.bytes = g.bias_at;
    if (s->want_bias)
        g.bytes += (uint64_t)(bias_shape(device, s).parts * s->outputs) * sizeof(float);
    return g;
}

uint64_t linnet_cl_winograd_gradient_bytes(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    return split_of(device, s).bytes;
}

static void transform_kernels(linnet_backend_plan *plan, const linnet_cl_conv2d *s, const gradient_split *g,
                              linnet_cl_winograd_gradient *out)
{
    bool large = s->winograd == 4;
    linnet_cl_program_id program = large ? LINNET_CL_PROGRAM_CONV2D_WINOGRAD_F4 : LINNET_CL_PROGRAM_CONV2D_WINOGRAD_F2;
    const int64_t input[] = {s->channels, s->height,  s->width, s->top,  s->left,
                             g->tiles_y,  g->tiles_x, g->chunk, g->tiles};
    const int64_t gradient[] = {s->outputs, s->out_height, s->out_width, g->tiles_y, g->tiles_x, g->chunk, g->tiles};
    out->input =
        linnet_cl_kernel_new(plan, program, large ? "conv2d_winograd_input_f4" : "conv2d_winograd_input_f2", 2);
    linnet_cl_ints(out->input, input);
    linnet_cl_range(out->input, g->chunk, s->channels, 1, 0);
    out->gradient =
        linnet_cl_kernel_new(plan, program, large ? "conv2d_winograd_gradient_f4" : "conv2d_winograd_gradient_f2", 2);
    linnet_cl_ints(out->gradient, gradient);
    linnet_cl_range(out->gradient, g->chunk, s->outputs, 1, 0);
    out->store = linnet_cl_kernel_new(
        plan, program, large ? "conv2d_winograd_weights_gradient_f4" : "conv2d_winograd_weights_gradient_f2", 2);
    linnet_cl_int(out->store, s->channels);
    linnet_cl_int(out->store, s->outputs);
    linnet_cl_int(out->store, g->parts);
    linnet_cl_range(out->store, s->channels, s->outputs, 1, 0);
}

void linnet_cl_winograd_gradient_kernels(linnet_backend_plan *plan, const linnet_cl_conv2d *s,
                                         linnet_cl_winograd_gradient *out)
{
    gradient_split g = split_of(plan->device, s);
    *out = (linnet_cl_winograd_gradient){
        .chunk = g.chunk, .tile_count = g.tiles, .w_at = g.w_at, .sums_at = g.sums_at, .bias_parts_at = g.bias_at};
    transform_kernels(plan, s, &g, out);
    const linnet_cl_gemm product = {.m = s->outputs,
                                    .n = s->channels,
                                    .depth = g.chunk,
                                    .a_row = g.chunk,
                                    .a_col = 1,
                                    .b_row = 1,
                                    .b_col = g.chunk,
                                    .c_row = s->channels,
                                    .batches = g.positions,
                                    .a_batch = s->outputs * g.chunk,
                                    .b_batch = s->channels * g.chunk,
                                    .c_batch = s->outputs * s->channels,
                                    .run = g.run};
    out->product = linnet_cl_gemm_kernel(plan, &product, true);
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
    linnet_status status = LINNET_OK;
    for (int64_t first = 0; first < weight->tile_count && !status; first += weight->chunk)
        status = run_chunk(weight, queue, args, first);
    if (status)
        return status;
    linnet_cl_run_int(weight->store, 0, linnet_cl_bit(args->accumulate_parameters, LINNET_CONV2D_WEIGHT));
    status = linnet_cl_launch(weight->store, queue, linnet_cl_view_at(args->workspace, weight->sums_at),
                              args->parameter_gradients[LINNET_CONV2D_WEIGHT]);
    if (status || !weight->bias.parts)
        return status;
    return linnet_cl_channel_sum_run(&weight->bias, queue, args->output_gradients[LINNET_CONV2D_Y],
                                     linnet_cl_view_at(args->workspace, weight->bias_parts_at),
                                     args->parameter_gradients[LINNET_CONV2D_BIAS],
                                     linnet_cl_bit(args->accumulate_parameters, LINNET_CONV2D_BIAS));
}
