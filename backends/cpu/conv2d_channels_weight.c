/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The weight's gradient in nchw16c. For a pair of blocks (16 outputs, 16 inputs) and a tap it is a 16 x 16 product with
 * the pixels as its depth: dweight[o][c] = sum over pixels of dy[p][o] x[p + tap][c]. A unit is some blocks of outputs
 * by some blocks of inputs; it goes through the batch and the plane in chunks that stay in the caches. Where there are
 * few units, the chunks are split too, and the parts added up in a fixed order.
 */
#include "conv2d_channels.h"

#include <math.h>
#include <string.h>

enum {
    WANTED_TASKS = 8,
    CHUNK_PIXELS = 192,
    MOST_ROWS = 2 * CHUNK_PIXELS,
    PAIR = CPU_LANES * CPU_LANES,
    MOST_UNIT = 1 << 15,
    MOST_SET = 8,
    SHARED_FLOATS = 1 << 22
};

typedef struct weight_job {
    const cpu_conv2d_data *d;
    cpu_channels_window window;
    int64_t in_blocks, out_blocks; /* of a group */
    int64_t row_pixels, rows, rows_per_chunk, row_chunks, chunks;
    int64_t in_set, out_set, in_units, out_units, units; /* blocks of a unit; units of a group and of all */
    int64_t splits, chunks_per_split;
    /* Copies of the input: made by each unit for itself, or, where several would make the same, all before. */
    bool is_shared;
    int64_t copied_rows, copy; /* of a block's copy, floats of it */
    bool in_gradient;          /* sums are made where the gradient lies */
    int64_t scratch;           /* floats of a thread */
    float *scratches, *copies, *biases, *partials;
    int64_t tap_offset[CPU_CHANNELS_MOST_TAPS];
    cpu_batch_term terms[MOST_ROWS]; /* rows of a chunk */
} weight_job;

static void choose_chunks(weight_job *j)
{
    const cpu_channels_window *w = &j->window;
    j->row_pixels = w->in_place ? 1 : w->ow;
    j->rows = w->in_place ? w->oh * w->ow : w->oh;
    int64_t count = cpu_max(1, j->rows * j->row_pixels / CHUNK_PIXELS);
    j->rows_per_chunk = cpu_ceil(j->rows, count);
    j->row_chunks = cpu_ceil(j->rows, j->rows_per_chunk);
    j->chunks = j->d->s.n * j->row_chunks;
}

static void choose_units(weight_job *j)
{
    int64_t area = j->window.taps;
    j->out_set = cpu_min(j->out_blocks, MOST_SET);
    j->in_set = cpu_min(j->in_blocks, cpu_max(1, MOST_UNIT / (j->out_set * area * PAIR)));
    j->in_units = cpu_ceil(j->in_blocks, j->in_set);
    j->out_units = cpu_ceil(j->out_blocks, j->out_set);
    j->units = j->d->s.groups * j->in_units * j->out_units;
    j->chunks_per_split = cpu_ceil(j->chunks, cpu_min(j->chunks, cpu_ceil(WANTED_TASKS, j->units)));
    j->splits = cpu_ceil(j->chunks, j->chunks_per_split);
}

static int64_t unit_floats(const weight_job *j)
{
    return j->out_set * j->in_set * j->window.taps * PAIR;
}

/* Floats of a split's partial bias gradient and, where there are several, weight gradient. */
static int64_t bias_floats(const weight_job *j)
{
    return j->d->s.groups * j->out_blocks * CPU_LANES;
}

static int64_t partial_floats(const weight_job *j)
{
    return j->splits == 1 ? 0 : j->units * unit_floats(j);
}

static int64_t shared_floats(const weight_job *j)
{
    return j->is_shared ? j->d->s.n * j->d->s.groups * j->in_blocks * j->copy : 0;
}

static void choose_memory(weight_job *j)
{
    const cpu_conv2d_sizes *s = &j->d->s;
    int64_t all = s->n * s->groups * j->in_blocks * cpu_channels_copy_floats(&j->window, j->rows);
    j->is_shared = !j->window.in_place && j->out_units > 1 && all <= SHARED_FLOATS;
    j->copied_rows = j->is_shared ? j->rows : j->rows_per_chunk;
    j->copy = cpu_channels_copy_floats(&j->window, j->copied_rows);
    j->in_gradient = j->splits == 1 && j->window.taps == 1 && s->group_c % CPU_LANES == 0;
    j->scratch = (j->is_shared ? 0 : j->copy * j->in_set) + (j->splits == 1 ? unit_floats(j) : 0);
}

static void weight_job_of(const cpu_conv2d_data *d, weight_job *out)
{
    const cpu_conv2d_sizes *s = &d->s;
    *out = (weight_job){
        .d = d, .in_blocks = cpu_ceil(s->group_c, CPU_LANES), .out_blocks = cpu_ceil(s->group_o, CPU_LANES)};
    cpu_channels_forward_window(s, CPU_LANES, PAIR, true, &out->window);
    choose_chunks(out);
    choose_units(out);
    choose_memory(out);
}

uint64_t cpu_channels_weight_workspace(const cpu_conv2d_sizes *s)
{
    cpu_conv2d_data d = {.s = *s};
    weight_job j;
    weight_job_of(&d, &j);
    return ((uint64_t)j.scratch * cpu_worker_count() + (uint64_t)shared_floats(&j) +
            (uint64_t)j.splits * (uint64_t)(bias_floats(&j) + partial_floats(&j))) *
           sizeof(float);
}

/* ---- A unit's part of the gradient, [out_set][in_set][tap][16 o][16 c] ---- */

typedef struct unit {
    int64_t group, out_first, out_last, in_first, in_last; /* blocks of the group */
} unit;

static unit unit_of(const weight_job *j, int64_t number)
{
    unit u = {.group = number / (j->in_units * j->out_units),
              .out_first = number / j->in_units % j->out_units * j->out_set,
              .in_first = number % j->in_units * j->in_set};
    u.out_last = cpu_min(j->out_blocks, u.out_first + j->out_set);
    u.in_last = cpu_min(j->in_blocks, u.in_first + j->in_set);
    return u;
}

/* Products of `rows` rows of pixels for a block of outputs and some of inputs, tap by tap. first: out, out_r and out_t,
   b of the first tap and b_t, columns. */
static void add_pairs(const weight_job *j, const cpu_batch_reduce *first, int64_t rows, int64_t outputs,
                      bool accumulate)
{
    bool is_joined = j->window.pitch == j->window.ow;
    cpu_batch_reduce p = *first;
    int64_t tiles = cpu_ceil(outputs, cpu_table.batch_rows[p.columns - 1]);
    p.terms = j->terms;
    p.count = is_joined ? 1 : rows;
    p.depth = is_joined ? rows * j->row_pixels : j->row_pixels;
    for (int64_t i = 0; i < j->window.taps; i++)
        for (int64_t tile = 0, row = 0; tile < tiles; tile++, row += p.rows) {
            p.rows = (int32_t)cpu_ceil(outputs - row, tiles - tile);
            p.a = first->a + row;
            p.b = first->b + j->tap_offset[i];
            p.out = first->out + i * PAIR + row * p.out_r;
            p.add = accumulate ? p.out : NULL;
            cpu_table.batch_reduce(&p);
        }
}

/* The block's input at a chunk's first row, copied where that has to be. */
static const float *chunk_input(const weight_job *j, const unit *u, int64_t item, int64_t block, int64_t row,
                                float *copy)
{
    const cpu_conv2d_sizes *s = &j->d->s;
    int64_t plane = s->h * s->w * CPU_LANES, at = u->group * j->in_blocks + block;
    const float *x = j->d->x + item * s->x_stride + at * plane;
    if (j->window.in_place)
        return x + row * j->row_pixels * CPU_LANES;
    if (j->is_shared)
        return j->copies + (item * s->groups * j->in_blocks + at) * j->copy + row * j->window.pitch * CPU_LANES;
    copy += (block - u->in_first) * j->copy;
    cpu_channels_copy(&j->window, x, row, j->copied_rows, copy);
    return copy;
}

/* Input blocks of a product: an odd one rather in a product of three than alone. */
static int32_t next_columns(int64_t blocks)
{
    int64_t most = cpu_min(blocks, cpu_table.batch_columns);
    return (int32_t)(most < 3 ? most : blocks % 2 ? 3 : 2);
}

static void add_chunk(const weight_job *j, const unit *u, int64_t chunk, bool accumulate, float *copy, float *out,
                      float *bias)
{
    const cpu_conv2d_sizes *s = &j->d->s;
    int64_t item = chunk / j->row_chunks, row = chunk % j->row_chunks * j->rows_per_chunk,
            count = u->in_last - u->in_first;
    int64_t rows = cpu_min(j->rows_per_chunk, j->rows - row), plane = s->oh * s->ow * CPU_LANES;
    const float *dy = j->d->dy + item * s->y_stride + row * j->row_pixels * CPU_LANES +
                      (u->group * j->out_blocks + u->out_first) * plane;
    cpu_batch_reduce p = {.out_r = j->in_gradient ? s->group_c : CPU_LANES,
                          .out_t = j->in_gradient ? CPU_LANES : j->window.taps * PAIR,
                          .b_t = j->window.in_place ? s->h * s->w * CPU_LANES : j->copy,
                          .layout = CPU_BATCH_CHANNELS,
                          .low = -INFINITY,
                          .high = INFINITY};
    for (int64_t c = 0; c < count && j->d->dweight; c += p.columns) {
        p.columns = next_columns(count - c);
        p.b = chunk_input(j, u, item, u->in_first + c, row, copy);
        for (int64_t t = 1; t < p.columns; t++)
            chunk_input(j, u, item, u->in_first + c + t, row, copy);
        for (int64_t o = 0; o < u->out_last - u->out_first; o++) {
            int64_t first = (u->out_first + o) * CPU_LANES, outputs = cpu_min(CPU_LANES, s->group_o - first);
            p.a = dy + o * plane;
            p.out = j->in_gradient
                        ? j->d->dweight + (u->group * s->group_o + first) * s->group_c + (u->in_first + c) * CPU_LANES
                        : out + (o * count + c) * j->window.taps * PAIR;
            add_pairs(j, &p, rows, j->in_gradient ? outputs : CPU_LANES,
                      accumulate || (j->in_gradient && j->d->accumulate_weight));
        }
    }
    for (int64_t o = 0; o < u->out_last - u->out_first && u->in_first == 0; o++)
        cpu_table.lane_sums(dy + o * plane, rows * j->row_pixels * CPU_LANES, bias + o * CPU_LANES);
}

/* ---- From pairs to [O,C,kh,kw] ---- */

/* One output's gradients: taps [tap][..][16 c], PAIR apart, to [channels][tap]. */
static void store_output(const float *pair, int64_t taps, int64_t channels, bool accumulate, float *out)
{
    float line[CPU_CHANNELS_MOST_TAPS * CPU_LANES + CPU_LANES];
    if (taps == 1) {
        cpu_table.scale(1, pair, out, channels, accumulate);
        return;
    }
    /* A last group that is not full writes beyond itself, into what the groups before it write afterwards. */
    int64_t width = cpu_table.vector;
    for (int64_t group = (taps - 1) / width * width; group >= 0; group -= width)
        cpu_table.lanes_from_rows(pair + group * PAIR, PAIR, (int32_t)cpu_min(width, taps - group), channels,
                                  line + group, taps, (int32_t)width);
    cpu_table.scale(1, line, out, channels * taps, accumulate);
}

/* A unit's gradients, added to what is there where accumulate says so. */
static void store_unit(const weight_job *j, const unit *u, const float *pair, bool accumulate)
{
    const cpu_conv2d_sizes *s = &j->d->s;
    int64_t taps = j->window.taps;
    for (int64_t o = u->out_first; o < u->out_last; o++)
        for (int64_t c = u->in_first; c < u->in_last; c++, pair += taps * PAIR)
            for (int64_t lane = 0; lane < cpu_min(CPU_LANES, s->group_o - o * CPU_LANES); lane++)
                store_output(pair + lane * CPU_LANES, taps, cpu_min(CPU_LANES, s->group_c - c * CPU_LANES), accumulate,
                             j->d->dweight +
                                 ((u->group * s->group_o + o * CPU_LANES + lane) * s->group_c + c * CPU_LANES) * taps);
}

static void copy_task(const void *context, int64_t number, uint32_t worker)
{
    (void)worker;
    const weight_job *j = context;
    const cpu_conv2d_sizes *s = &j->d->s;
    int64_t planes = s->groups * j->in_blocks;
    const float *x = j->d->x + number / planes * s->x_stride + number % planes * s->h * s->w * CPU_LANES;
    cpu_channels_copy(&j->window, x, 0, j->copied_rows, j->copies + number * j->copy);
}

static void weight_task(const void *context, int64_t task, uint32_t worker)
{
    const weight_job *j = context;
    int64_t split = task / j->units, number = task % j->units;
    int64_t first = split * j->chunks_per_split, last = cpu_min(j->chunks, first + j->chunks_per_split);
    unit u = unit_of(j, number);
    float *copy = j->scratches + worker * j->scratch, *sums = copy + (j->is_shared ? 0 : j->copy * j->in_set);
    float *bias = j->biases + split * bias_floats(j) + (u.group * j->out_blocks + u.out_first) * CPU_LANES;
    if (j->splits > 1)
        sums = j->partials + (split * j->units + number) * unit_floats(j);
    if (u.in_first == 0)
        memset(bias, 0, (size_t)((u.out_last - u.out_first) * CPU_LANES) * sizeof *bias);
    for (int64_t chunk = first; chunk < last; chunk++)
        add_chunk(j, &u, chunk, chunk > first, copy, sums, bias);
    if (j->splits == 1 && j->d->dweight && !j->in_gradient)
        store_unit(j, &u, sums, j->d->accumulate_weight);
}

/* Adds up the splits of a unit, in their order. */
static void store_task(const void *context, int64_t number, uint32_t worker)
{
    (void)worker;
    const weight_job *j = context;
    unit u = unit_of(j, number);
    float *sums = j->partials + number * unit_floats(j);
    for (int64_t split = 1; split < j->splits; split++)
        cpu_table.scale(1, sums + split * j->units * unit_floats(j), sums, unit_floats(j), true);
    store_unit(j, &u, sums, j->d->accumulate_weight);
}

static void store_bias(const weight_job *j)
{
    const cpu_conv2d_sizes *s = &j->d->s;
    for (int64_t split = 0; split < j->splits && j->d->dbias; split++)
        cpu_table.scale(1, j->biases + split * bias_floats(j), j->d->dbias, s->o, split > 0 || j->d->accumulate_bias);
}

void cpu_channels_weight_gradient(const cpu_conv2d_data *d)
{
    weight_job j;
    weight_job_of(d, &j);
    for (int64_t i = 0; i < cpu_min(j.rows_per_chunk, MOST_ROWS); i++)
        j.terms[i] = (cpu_batch_term){.a = i * j.row_pixels * CPU_LANES, .b = i * j.window.pitch * CPU_LANES};
    for (int64_t i = 0; i < j.window.taps; i++)
        j.tap_offset[i] = cpu_channels_tap_offset(&j.window, &j.window.tap[i], j.copied_rows);
    j.copies = (float *)(void *)d->workspace;
    j.scratches = j.copies + shared_floats(&j);
    j.biases = j.scratches + j.scratch * cpu_worker_count();
    j.partials = j.biases + j.splits * bias_floats(&j);
    if (j.is_shared && d->dweight)
        cpu_parallel(d->s.n * d->s.groups * j.in_blocks, shared_floats(&j), copy_task, &j);
    cpu_parallel(j.units * j.splits, cpu_conv2d_work(&d->s), weight_task, &j);
    if (j.splits > 1 && d->dweight)
        cpu_parallel(j.units, j.units * unit_floats(&j), store_task, &j);
    store_bias(&j);
}
