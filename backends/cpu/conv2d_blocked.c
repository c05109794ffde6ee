/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Convolution in nchw16n. Forward and backward with respect to the input are the same gathering loop: forward reads x
 * where the kernel falls, backward reads dy where outputs have met the element, which for a stride of s is every s-th
 * one: columns of equal remainder form a tile. Padding is never read: taps outside are left out.
 */
#include "conv2d.h"
#include "kernels/kernels.h"

#include <math.h>
#include <string.h>

enum {
    MAX_KERNEL = 16,
    TASK_STEPS = 1 << 15,
    WEIGHT_TASKS = 8,
    PART_TAPS = 64,
    CHUNK_L1 = 20 << 10,
    CHUNK_L2 = 48 << 10
};

/* ---- Gathering ---- */

/* Output columns begin + t * step, t < columns, and the taps that reach some of them. */
typedef struct column_tile {
    int64_t begin;
    int32_t columns, tap_count;
    bool is_whole;
    cpu_tap taps[MAX_KERNEL];
} column_tile;

typedef struct row_taps {
    int64_t count;
    cpu_tap taps[MAX_KERNEL];
} row_taps;

/* Backward: in is dy and out is dx, and ic and oc change places with them. */
typedef struct gather_job {
    const cpu_conv2d_data *d;
    bool backward;
    int64_t ic, oc; /* channels of a group: read, written */
    int64_t in_h, in_w, out_h, out_w;
    int64_t in_block, out_block; /* floats of a block of 16 images */
    const float *in, *bias;
    float *out;
    bool accumulate;
    cpu_epilogue epilogue;
    /* In the workspace. */
    column_tile *tiles;
    row_taps *rows; /* of every output row */
    float *packed;
    int64_t tile_count, rows_per_task, tasks_per_block;
} gather_job;

static int64_t channel_tiles(int64_t channels)
{
    return cpu_ceil(channels, CPU_TILE_ROWS);
}

/* Weights of a group's tile of outputs, from output k0 on, as [kh][ic][kw][outputs of the tile]. */
static void pack_tile(const gather_job *j, int64_t group, int64_t k0, float *out)
{
    const cpu_conv2d_sizes *s = &j->d->s;
    int64_t rows = cpu_min(CPU_TILE_ROWS, j->oc - k0), area = s->kh * s->kw;
    /* weight is [o][group_c][kh][kw] */
    int64_t by_output = j->backward ? area : s->group_c * area, by_input = j->backward ? s->group_c * area : area;
    const float *weight = j->d->weight + group * s->group_o * s->group_c * area + k0 * by_output;
    for (int64_t u = 0; u < s->kh; u++)
        for (int64_t c = 0; c < j->ic; c++)
            for (int64_t v = 0; v < s->kw; v++)
                for (int64_t k = 0; k < rows; k++)
                    *out++ = weight[k * by_output + c * by_input + u * s->kw + v];
}

static void pack_task(const void *context, int64_t task, uint32_t worker)
{
    (void)worker;
    const gather_job *j = context;
    int64_t group = task / channel_tiles(j->oc), k0 = task % channel_tiles(j->oc) * CPU_TILE_ROWS;
    pack_tile(j, group, k0, j->packed + (group * j->oc + k0) * j->ic * j->d->s.kh * j->d->s.kw);
}

/* Where output element `at` meets element `index` of the kernel along one axis: the input's, or -1 for none (backward:
   the outputs that met it are stride apart). Forward it may lie outside. */
static bool meets(const gather_job *j, int64_t at, int64_t index, int64_t stride, int64_t dilation, int64_t before,
                  int64_t *in)
{
    if (!j->backward) {
        *in = at * stride - before + index * dilation;
        return true;
    }
    int64_t scaled = at + before - index * dilation;
    *in = scaled / stride;
    return scaled % stride == 0;
}

static void fill_rows(gather_job *j)
{
    const cpu_conv2d_sizes *s = &j->d->s;
    for (int64_t at = 0; at < j->out_h; at++) {
        row_taps *row = &j->rows[at];
        row->count = 0;
        for (int64_t u = 0, in; u < s->kh; u++)
            if (meets(j, at, u, s->sh, s->dh, s->top, &in) && in >= 0 && in < j->in_h)
                row->taps[row->count++] = (cpu_tap){.offset = in * j->in_w * CPU_LANES, .index = (int32_t)u};
    }
}

static void fill_tile(const gather_job *j, int64_t begin, int64_t columns, column_tile *tile)
{
    const cpu_conv2d_sizes *s = &j->d->s;
    *tile = (column_tile){.begin = begin, .columns = (int32_t)columns, .is_whole = columns == cpu_table.tile_vectors};
    for (int64_t v = 0, in, first, last; v < s->kw; v++) {
        if (!meets(j, begin, v, s->sw, s->dw, s->left, &in))
            continue;
        cpu_conv2d_range(j->backward ? 1 : s->sw, -in, 0, j->in_w, columns, &first, &last);
        tile->is_whole = tile->is_whole && first == 0 && last == columns;
        if (first < last)
            tile->taps[tile->tap_count++] = (cpu_tap){
                .offset = in * CPU_LANES, .index = (int32_t)v, .first = (int16_t)first, .last = (int16_t)last};
    }
}

/* Columns of equal remainder by the stride make tiles when backward; forward all are neighbours. */
static void fill_tiles(gather_job *j)
{
    int64_t step = j->backward ? j->d->s.sw : 1, width = cpu_table.tile_vectors;
    j->tile_count = 0;
    for (int64_t remainder = 0; remainder < cpu_min(step, j->out_w); remainder++) {
        int64_t columns = cpu_ceil(j->out_w - remainder, step);
        for (int64_t t = 0; t < columns; t += width)
            fill_tile(j, remainder + t * step, cpu_min(width, columns - t), &j->tiles[j->tile_count++]);
    }
}

/* All channels of one group for a tile of columns of one row. */
static void gather_tile(const gather_job *j, int64_t block, int64_t group, int64_t row, const column_tile *tile)
{
    const cpu_conv2d_sizes *s = &j->d->s;
    int64_t in_plane = j->in_h * j->in_w * CPU_LANES, out_plane = j->out_h * j->out_w * CPU_LANES;
    cpu_gather g = {.in = j->in + block * j->in_block + group * j->ic * in_plane,
                    .row_taps = j->rows[row].taps,
                    .row_count = j->rows[row].count,
                    .column_taps = tile->taps,
                    .column_count = tile->tap_count,
                    .channels = j->ic,
                    .in_c = in_plane,
                    .out_k = out_plane,
                    .out_t = (j->backward ? s->sw : 1) * CPU_LANES,
                    .in_t = (j->backward ? 1 : s->sw) * CPU_LANES,
                    .columns = tile->columns,
                    .is_whole = tile->is_whole,
                    .accumulate = j->accumulate,
                    .low = j->epilogue.low,
                    .high = j->epilogue.high};
    for (int64_t k0 = 0; k0 < j->oc; k0 += CPU_TILE_ROWS) {
        int64_t rows = cpu_min(CPU_TILE_ROWS, j->oc - k0), channel = group * j->oc + k0;
        g.rows = (int32_t)rows;
        g.weight_c = s->kw * rows;
        g.weight_u = j->ic * g.weight_c;
        g.weights = j->packed + channel * j->ic * s->kh * s->kw;
        g.bias = j->bias ? j->bias + channel : NULL;
        g.out = j->out + block * j->out_block + channel * out_plane + (row * j->out_w + tile->begin) * CPU_LANES;
        cpu_table.gather(&g);
    }
}

static void gather_task(const void *context, int64_t task, uint32_t worker)
{
    (void)worker;
    const gather_job *j = context;
    const cpu_conv2d_sizes *s = &j->d->s;
    int64_t block = task / j->tasks_per_block, first = task % j->tasks_per_block * j->rows_per_task;
    int64_t last = cpu_min(j->out_h, first + j->rows_per_task);
    for (int64_t row = first; row < last; row++)
        for (int64_t group = 0; group < s->groups; group++)
            for (int64_t t = 0; t < j->tile_count; t++)
                gather_tile(j, block, group, row, &j->tiles[t]);
    for (int64_t o = 0; o < s->groups * j->oc && j->epilogue.count > 0; o++)
        cpu_epilogue_apply(&j->epilogue, j->out + block * j->out_block + (o * j->out_h + first) * j->out_w * CPU_LANES,
                           (last - first) * j->out_w * CPU_LANES);
}

/* Tiles of a row of `columns` outputs of which every step-th are neighbours: at most. */
static int64_t most_tiles(int64_t columns, int64_t step)
{
    return columns / cpu_table.tile_vectors + cpu_min(step, columns);
}

static uint64_t gather_workspace(const cpu_conv2d_sizes *s, bool backward)
{
    int64_t rows = backward ? s->h : s->oh, tiles = backward ? most_tiles(s->w, s->sw) : most_tiles(s->ow, 1);
    uint64_t bytes = (uint64_t)rows * sizeof(row_taps) + (uint64_t)tiles * sizeof(column_tile);
    return bytes + (uint64_t)(s->o * s->group_c * s->kh * s->kw) * sizeof(float);
}

static void gather_all(gather_job *j)
{
    const cpu_conv2d_sizes *s = &j->d->s;
    int64_t blocks = cpu_ceil(s->n, CPU_LANES), steps = j->oc * s->groups * j->ic * s->kh * s->kw * j->out_w;
    j->rows_per_task = cpu_min(j->out_h, cpu_max(1, TASK_STEPS / cpu_max(1, steps)));
    j->tasks_per_block = cpu_ceil(j->out_h, j->rows_per_task);
    j->rows = (row_taps *)j->d->workspace;
    j->tiles = (column_tile *)(j->rows + j->out_h);
    fill_rows(j);
    fill_tiles(j);
    j->packed = (float *)(j->tiles + j->tile_count);
    cpu_parallel(s->groups * channel_tiles(j->oc), s->o * s->group_c * s->kh * s->kw, pack_task, j);
    cpu_parallel(blocks * j->tasks_per_block, cpu_conv2d_work(s), gather_task, j);
}

/* ---- The weight's gradient. A task has a tile of outputs, some of the weights [c][u][v] that each of them has, and a
   range of blocks. Ranges are few: they only make tasks where outputs and weights are few. ---- */

typedef struct weight_job {
    const cpu_conv2d_data *d;
    int64_t tiles, parts, part_taps; /* tiles of outputs per group; parts of an output's weights, and their length */
    int64_t units;                   /* (group, tile, part) in all */
    int64_t splits, split_blocks;    /* ranges of blocks, and their length */
    int64_t depth, weight_count;     /* weights of an output; floats of the weight */
    const cpu_kernel_tap *taps;      /* [kh][kw] of channel 0 */
    float *partials, *scratches;     /* [splits][weight, bias]; one per thread */
} weight_job;

static weight_job weight_job_of(const cpu_conv2d_sizes *s)
{
    weight_job j = {.tiles = channel_tiles(s->group_o), .depth = s->group_c * s->kh * s->kw};
    int64_t blocks = cpu_ceil(s->n, CPU_LANES), tile = cpu_table.tile_vectors;
    j.part_taps = cpu_ceil(cpu_ceil(j.depth, cpu_ceil(j.depth, PART_TAPS)), tile) * tile;
    j.parts = cpu_ceil(j.depth, j.part_taps);
    j.weight_count = s->o * j.depth;
    j.units = s->groups * j.tiles * j.parts;
    j.split_blocks = cpu_ceil(blocks, cpu_max(1, cpu_min(blocks, WEIGHT_TASKS / j.units)));
    j.splits = cpu_ceil(blocks, j.split_blocks);
    return j;
}

/* Floats of a thread's scratch: lanes' sums and totals of a part's weights and of the bias. */
enum { SCRATCH = CPU_TILE_ROWS * (PART_TAPS + 1) * (CPU_LANES + 1) + CPU_LANES };

static uint64_t weight_workspace(const cpu_conv2d_sizes *s)
{
    weight_job j = weight_job_of(s);
    uint64_t partials = (uint64_t)(j.splits * (j.weight_count + s->o));
    return (partials + CPU_LANES + (uint64_t)SCRATCH * cpu_worker_count()) * sizeof(float);
}

static void fill_taps(const cpu_conv2d_sizes *s, cpu_kernel_tap *taps)
{
    for (int64_t u = 0; u < s->kh; u++)
        for (int64_t v = 0; v < s->kw; v++) {
            cpu_kernel_tap *tap = &taps[u * s->kw + v];
            tap->offset = ((u * s->dh - s->top) * s->w + v * s->dw - s->left) * CPU_LANES;
            cpu_conv2d_range(s->sh, s->top, u * s->dh, s->h, s->oh, &tap->first_row, &tap->last_row);
            cpu_conv2d_range(s->sw, s->left, v * s->dw, s->w, s->ow, &tap->first_column, &tap->last_column);
        }
}

/* Taps [first, first + count) of an output's weights [c][u][v]. */
static void part_taps(const weight_job *j, int64_t first, int64_t count, cpu_kernel_tap *out)
{
    int64_t area = j->d->s.kh * j->d->s.kw, plane = j->d->s.h * j->d->s.w * CPU_LANES, c = first / area,
            at = first % area;
    for (int64_t i = 0; i < count; i++) {
        out[i] = j->taps[at];
        out[i].offset += c * plane;
        if (++at == area) {
            at = 0;
            c++;
        }
    }
}

/* Adds up some output rows of one block, in the lanes. tile: what does not change. */
static void add_rows(const cpu_weight_tile *tile, const cpu_kernel_tap *taps, int64_t count, float *sums)
{
    cpu_weight_tile w = *tile;
    for (int64_t tap = 0; tap < count; tap += cpu_table.tile_vectors) {
        w.sums = sums + tap * w.rows * CPU_LANES;
        w.taps = taps + tap;
        w.tap_count = (int32_t)cpu_min(cpu_table.tile_vectors, count - tap);
        cpu_table.weight_tile(&w);
    }
}

/* The lanes' sums become the partial weight gradient. sums is [tile of taps][output][tap], as add_rows made it. */
static void store_sums(const weight_job *j, float *sums, int64_t rows, int64_t count, float *weight, float *bias)
{
    float *totals = sums + (count + 1) * rows * CPU_LANES;
    cpu_table.fold_lanes(sums, (count + 1) * rows, totals);
    for (int64_t tap = 0; tap < count; tap += cpu_table.tile_vectors) {
        int64_t taps = cpu_min(cpu_table.tile_vectors, count - tap);
        for (int64_t k = 0; k < rows; k++)
            for (int64_t t = 0; t < taps; t++)
                weight[k * j->depth + tap + t] = totals[tap * rows + k * taps + t];
    }
    for (int64_t k = 0; k < rows && bias; k++)
        bias[k] = totals[count * rows + k];
}

static void weight_task(const void *context, int64_t task, uint32_t worker)
{
    const weight_job *j = context;
    const cpu_conv2d_data *d = j->d;
    const cpu_conv2d_sizes *s = &d->s;
    int64_t split = task / j->units, unit = task % j->units, part = unit % j->parts, group = unit / j->parts / j->tiles;
    int64_t k0 = unit / j->parts % j->tiles * CPU_TILE_ROWS, rows = cpu_min(CPU_TILE_ROWS, s->group_o - k0);
    int64_t output = group * s->group_o + k0, first = part * j->part_taps,
            count = cpu_min(j->part_taps, j->depth - first);
    int64_t y_plane = s->oh * s->ow * CPU_LANES,
            last_block = cpu_min(cpu_ceil(s->n, CPU_LANES), (split + 1) * j->split_blocks);
    /* Rows of dy that are gone through once per tile of taps: more of them cost fewer calls. Where a vector is a part
       of the lanes, they are read once per part too, and have to stay in the first cache. */
    int64_t bytes = cpu_table.vector == CPU_LANES ? CHUNK_L2 : CHUNK_L1;
    int64_t chunk = cpu_max(1, bytes / (rows * s->ow * CPU_LANES * (int64_t)sizeof(float)));
    float *sums = j->scratches + worker * SCRATCH, *bias_sums = sums + count * rows * CPU_LANES;
    float *weight = j->partials + split * (j->weight_count + s->o), *bias = weight + j->weight_count;
    cpu_kernel_tap taps[PART_TAPS];
    cpu_weight_tile w = {.dy_k = y_plane,
                         .dy_i = s->ow * CPU_LANES,
                         .x_i = s->sh * s->w * CPU_LANES,
                         .x_j = s->sw * CPU_LANES,
                         .rows = (int32_t)rows};
    part_taps(j, first, count, taps);
    memset(sums, 0, (size_t)((count + 1) * rows * CPU_LANES) * sizeof *sums);
    for (int64_t block = split * j->split_blocks; block < last_block; block++)
        for (int64_t i = 0; i < s->oh; i += chunk) {
            w.dy = d->dy + block * s->y_stride + output * y_plane;
            w.x = d->x ? d->x + block * s->x_stride + group * s->group_c * s->h * s->w * CPU_LANES : NULL;
            w.first_row = i;
            w.last_row = cpu_min(s->oh, i + chunk);
            if (d->dweight)
                add_rows(&w, taps, count, sums);
            for (int64_t k = 0; k < rows && part == 0; k++)
                cpu_table.lane_sums(w.dy + k * y_plane + i * w.dy_i, (w.last_row - i) * w.dy_i,
                                    bias_sums + k * CPU_LANES);
        }
    store_sums(j, sums, rows, count, weight + output * j->depth + first, part == 0 ? bias + output : NULL);
}

static void add_partials(const weight_job *j, int64_t at, int64_t count, float *gradient, bool accumulate)
{
    for (int64_t split = 0; split < j->splits && gradient; split++)
        cpu_table.scale(1, j->partials + split * (j->weight_count + j->d->s.o) + at, gradient, count,
                        accumulate || split > 0);
}

static void weight_gradient(const cpu_conv2d_data *d)
{
    cpu_kernel_tap taps[MAX_KERNEL * MAX_KERNEL];
    weight_job j = weight_job_of(&d->s);
    fill_taps(&d->s, taps);
    j.d = d;
    j.taps = taps;
    j.partials = (float *)d->workspace;
    j.scratches = j.partials + cpu_ceil(j.splits * (j.weight_count + d->s.o), CPU_LANES) * CPU_LANES;
    cpu_parallel(j.units * j.splits, cpu_conv2d_work(&d->s), weight_task, &j);
    add_partials(&j, 0, j.weight_count, d->dweight, d->accumulate_weight);
    add_partials(&j, j.weight_count, d->s.o, d->dbias, d->accumulate_bias);
}

/* ---- The algorithm ---- */

int cpu_conv2d_describe_blocked(const linnet_layer_desc *desc, linnet_candidate *out)
{
    cpu_conv2d_sizes s = cpu_conv2d_sizes_of(desc);
    bool backward = desc->direction == LINNET_BACKWARD;
    cpu_conv2d_describe(desc, out, CPU_FORMAT_NCHW16N);
    if (s.kh > MAX_KERNEL || s.kw > MAX_KERNEL)
        out->refusal = "needs a kernel of at most 16 x 16";
    if (!backward || desc->want_inputs)
        out->workspace_bytes = gather_workspace(&s, backward);
    if (backward && desc->want_parameters && weight_workspace(&s) > out->workspace_bytes)
        out->workspace_bytes = weight_workspace(&s);
    if (backward && desc->forward)
        return strcmp(desc->forward, out->name) == 0 ? CPU_PREFER : CPU_AVOID;
    /* Measured: all lanes used, this runs near the processor's peak; im2col comes to two thirds of it with 32 outputs
       or more, and to a quarter with few. */
    int64_t percent = s.group_o < 32 ? 37 : cpu_is_nchw16n(&desc->inputs[0]) ? 50 : 70;
    return cpu_fills_lanes(s.n, percent) ? CPU_PREFER : CPU_AVOID;
}

void cpu_conv2d_forward_blocked(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    cpu_conv2d_data d = cpu_conv2d_data_of(desc, args);
    const cpu_conv2d_sizes *s = &d.s;
    gather_job j = {.d = &d,
                    .ic = s->group_c,
                    .oc = s->group_o,
                    .in_h = s->h,
                    .in_w = s->w,
                    .out_h = s->oh,
                    .out_w = s->ow,
                    .in_block = s->x_stride,
                    .out_block = s->y_stride,
                    .in = d.x,
                    .bias = d.bias,
                    .out = d.y,
                    .epilogue = d.epilogue};
    gather_all(&j);
}

void cpu_conv2d_backward_blocked(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    cpu_conv2d_data d = cpu_conv2d_data_of(desc, args);
    const cpu_conv2d_sizes *s = &d.s;
    if (d.dx) {
        gather_job j = {.d = &d,
                        .backward = true,
                        .ic = s->group_o,
                        .oc = s->group_c,
                        .in_h = s->oh,
                        .in_w = s->ow,
                        .out_h = s->h,
                        .out_w = s->w,
                        .in_block = s->y_stride,
                        .out_block = s->x_stride,
                        .in = d.dy,
                        .out = d.dx,
                        .accumulate = d.accumulate_x,
                        .epilogue = {.low = -INFINITY, .high = INFINITY}};
        gather_all(&j);
    }
    if (d.dweight || d.dbias)
        weight_gradient(&d);
}
