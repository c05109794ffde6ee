/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gradients of weight and bias by Winograd's algorithm in nchw16c (conv2d_channels_winograd_weight.clh). The
 * workspace holds V and W of a chunk of tiles, and the sums where there are several chunks.
 */
#include "conv2d.h"
#include "nchw16c.h"
#include "sizes.h"

enum {
    CHUNK_BYTES = 8 << 20, /* of V and W: what a third-level cache gives */
    RUN = 8,               /* tiles of a task that transforms */
    TASKS_A_UNIT = 4,      /* at least, that multiply */
    PAIR = LINNET_CL_LANES * LINNET_CL_LANES
};

typedef struct weight_split {
    int64_t in_blocks, out_blocks, tiles_y, tiles_x, tiles, positions;
    int64_t chunk, chunks, capacity; /* tiles of a chunk, and those that its blocks have room for */
    int64_t v_position, w_position;  /* floats from a position to the next */
    int64_t out_set;
    bool is_whole;                 /* one chunk: the sums of a pair of blocks stay in local memory */
    int64_t w_at, sums_at, floats; /* of the workspace */
} weight_split;

/* Of local memory, of a task that has all positions of a pair. */
static int64_t pair_floats(const linnet_backend_device *device, const weight_split *w)
{
    return w->positions * (device->tile_columns * PAIR + LINNET_CL_LANES);
}

static weight_split split_of(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    weight_split w = {.in_blocks = linnet_cl_blocks(s->channels),
                      .out_blocks = linnet_cl_blocks(s->outputs),
                      .tiles_y = ceil_div(s->out_height, s->winograd),
                      .tiles_x = ceil_div(s->out_width, s->winograd),
                      .positions = (s->winograd + 2) * (s->winograd + 2)};
    int64_t bytes = (w.in_blocks + w.out_blocks) * w.positions * LINNET_CL_LANES * (int64_t)sizeof(float);
    int64_t most = larger(CHUNK_BYTES / bytes, 1);
    w.tiles = s->images * w.tiles_y * w.tiles_x;
    w.chunks = ceil_div(w.tiles, most);
    w.chunk = ceil_div(w.tiles, w.chunks);
    w.chunks = ceil_div(w.tiles, w.chunk);
    /* Odd multiples of 16 floats, so that neither blocks nor positions meet in a few sets of a cache. */
    w.capacity = w.chunk | 1;
    w.v_position = (w.in_blocks * w.capacity | 1) * LINNET_CL_LANES;
    w.w_position = (w.out_blocks * w.capacity | 1) * LINNET_CL_LANES;
    w.is_whole = w.chunks == 1 && pair_floats(device, &w) <= linnet_cl_channels_limit(device) &&
                 w.out_blocks * ceil_div(w.in_blocks, device->tile_columns) >=
                     TASKS_A_UNIT * (int64_t)device->info.compute_units;
    w.out_set = w.out_blocks;
    while (w.out_set > 1 &&
           w.positions * ceil_div(w.out_blocks, w.out_set) < TASKS_A_UNIT * (int64_t)device->info.compute_units)
        w.out_set = ceil_div(w.out_set, 2);
    w.w_at = w.positions * w.v_position;
    w.sums_at = w.w_at + w.positions * w.w_position;
    w.floats = w.sums_at;
    if (!w.is_whole)
        w.floats += w.positions * w.out_blocks * w.in_blocks * PAIR + w.out_blocks * LINNET_CL_LANES;
    return w;
}

int64_t linnet_cl_winograd_weight_floats(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    return split_of(device, s).floats;
}

/* Multiply-adds in microseconds of one unit, and what transforms take: measured with AVX-512. */
double linnet_cl_winograd_weight_microseconds(const linnet_backend_device *device, const linnet_cl_conv2d *s)
{
    static const double products = 50e3, tile[2] = {0.05, 0.15}, pair[2] = {1, 2};
    int large = s->winograd == 4;
    weight_split w = split_of(device, s);
    double pairs = (double)(w.in_blocks * w.out_blocks), tiles = (double)w.tiles;
    return tiles * (double)w.positions * pairs * PAIR / products +
           tiles * (double)(w.in_blocks + w.out_blocks) * tile[large] +
           pairs * pair[large] * (1 + 0.3 * (double)w.chunks);
}

void linnet_cl_winograd_weight_kernels(linnet_backend_plan *plan, const linnet_cl_conv2d *s,
                                       linnet_cl_winograd_weight *out)
{
    bool large = s->winograd == 4;
    linnet_cl_program_id program = large ? LINNET_CL_PROGRAM_CONV2D_CHANNELS_WINOGRAD_WEIGHT_F4
                                         : LINNET_CL_PROGRAM_CONV2D_CHANNELS_WINOGRAD_WEIGHT_F2;
    weight_split w = split_of(plan->device, s);
    *out = (linnet_cl_winograd_weight){.chunk = w.chunk,
                                       .tile_count = w.tiles,
                                       .w_at = (uint64_t)w.w_at * sizeof(float),
                                       .sums_at = (uint64_t)w.sums_at * sizeof(float),
                                       .wants_bias = s->want_bias};
    const int64_t tiles[] = {w.in_blocks,   w.out_blocks, s->height,    s->width,
                             s->out_height, s->out_width, s->top,       s->left,
                             w.tiles_y,     w.tiles_x,    w.tiles,      RUN,
                             w.capacity,    w.v_position, w.w_position, linnet_cl_conv2d_y_item(s)};
    out->tiles = linnet_cl_kernel_new(
        plan, program, large ? "conv2d_channels_winograd_weight_tiles_f4" : "conv2d_channels_winograd_weight_tiles_f2",
        4);
    linnet_cl_ints(out->tiles, tiles);
    linnet_cl_range(out->tiles, ceil_div(w.chunk, RUN), w.in_blocks + w.out_blocks, 1, 1);
    if (w.is_whole) {
        const int64_t whole[] = {s->outputs, s->channels, w.capacity, w.v_position, w.w_position, w.tiles};
        out->whole = linnet_cl_kernel_new(
            plan, program,
            large ? "conv2d_channels_winograd_weight_whole_f4" : "conv2d_channels_winograd_weight_whole_f2", 4);
        linnet_cl_ints(out->whole, whole);
        linnet_cl_local(out->whole, (uint64_t)pair_floats(plan->device, &w) * sizeof(float));
        linnet_cl_range(out->whole, w.out_blocks, ceil_div(w.in_blocks, plan->device->tile_columns), 1, 1);
        return;
    }
    const int64_t sums[] = {w.in_blocks, w.out_blocks, w.out_set, w.capacity, w.v_position, w.w_position};
    out->sums = linnet_cl_kernel_new(
        plan, program, large ? "conv2d_channels_winograd_weight_f4" : "conv2d_channels_winograd_weight_f2", 3);
    linnet_cl_ints(out->sums, sums);
    linnet_cl_range(out->sums, w.positions, ceil_div(w.out_blocks, w.out_set), 1, 1);
    out->store = linnet_cl_kernel_new(
        plan, program, large ? "conv2d_channels_winograd_weight_sum_f4" : "conv2d_channels_winograd_weight_sum_f2", 3);
    linnet_cl_int(out->store, s->outputs);
    linnet_cl_int(out->store, s->channels);
    linnet_cl_range(out->store, s->outputs, w.in_blocks, 1, 1);
}

static linnet_status run_chunk(linnet_cl_winograd_weight *weight, linnet_backend_queue *queue,
                               const linnet_layer_args *args, int64_t first)
{
    cl_int count = (cl_int)smaller(weight->tile_count - first, weight->chunk);
    linnet_view v = args->workspace, w = linnet_cl_view_at(v, weight->w_at);
    linnet_cl_run_int(weight->tiles, 0, (cl_int)first);
    linnet_cl_run_int(weight->tiles, 1, count);
    linnet_status status = linnet_cl_launch(weight->tiles, queue, args->inputs[LINNET_CONV2D_X],
                                            args->output_gradients[LINNET_CONV2D_Y], v, w);
    if (status || weight->whole)
        return status;
    linnet_cl_run_int(weight->sums, 0, count);
    linnet_cl_run_int(weight->sums, 1, first > 0);
    return linnet_cl_launch(weight->sums, queue, v, w, linnet_cl_view_at(v, weight->sums_at));
}

linnet_status linnet_cl_winograd_weight_run(linnet_cl_winograd_weight *weight, linnet_backend_queue *queue,
                                            const linnet_layer_args *args)
{
    linnet_cl_kernel *last = weight->whole ? weight->whole : weight->store;
    linnet_status status = LINNET_OK;
    for (int64_t first = 0; first < weight->tile_count && !status; first += weight->chunk)
        status = run_chunk(weight, queue, args, first);
    if (status)
        return status;
    linnet_view dweight = args->parameter_gradients[LINNET_CONV2D_WEIGHT];
    linnet_view dbias = weight->wants_bias ? args->parameter_gradients[LINNET_CONV2D_BIAS] : linnet_cl_no_view;
    linnet_cl_run_int(last, 0, linnet_cl_bit(args->accumulate_parameters, LINNET_CONV2D_WEIGHT));
    linnet_cl_run_int(last, 1, dbias.buffer ? 1 + linnet_cl_bit(args->accumulate_parameters, LINNET_CONV2D_BIAS) : 0);
    if (weight->whole)
        return linnet_cl_launch(last, queue, args->workspace, linnet_cl_view_at(args->workspace, weight->w_at), dweight,
                                dbias);
    return linnet_cl_launch(last, queue, linnet_cl_view_at(args->workspace, weight->sums_at), dweight, dbias);
}
