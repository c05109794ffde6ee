/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The weight's gradient in nchw16c. For a pair of blocks (16 outputs, 16 inputs) and a tap it is a 16 x 16 product with
 * the pixels as its depth: dweight[o][c] = sum over pixels of dy[p][o] x[p + tap][c]. A unit is some blocks of outputs
 * by some blocks of inputs; it goes through the batch and the plane in chunks that stay in the caches. Where there are
 * few units of a small gradient, the chunks are split too, and the parts added up in a fixed order.
 *
 * A product's columns are vectors of the side that is the last of a pair's sums:
 *
 *     one tap      rows: 16 outputs (dy), columns: blocks of inputs (x)     [16 o][16 c], as the gradient lies
 *     more         rows: 16 inputs (x), columns: blocks of outputs (dy)     [16 c][tap][16 o], one transposition away
 */
#include "conv2d_channels.h"

#include <math.h>
#include <string.h>

enum {
    WANTED_TASKS = 8,
    CHUNK_PIXELS = 128,
    MOST_ROWS = 2 * CHUNK_PIXELS,
    PAIR = CPU_LANES * CPU_LANES,
    MOST_UNIT = 1 << 15,  /* floats of the sums: half the second cache */
    FIRST_UNIT = 1 << 13, /* or most of the first */
    MOST_SET = 8,
    SMALL_GRADIENT = 1 << 15,
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
    bool by_inputs;            /* rows of a product are inputs */
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

/* Halves a unit until it stays in the second cache (in the first one where all that follows is its transposition) and
   there are enough of them; those of a small gradient rather share the chunks. */
static void choose_units(weight_job *j)
{
    int64_t area = j->window.taps, wanted = cpu_ceil(WANTED_TASKS, j->d->s.groups);
    int64_t most = j->by_inputs && j->chunks == 1 ? FIRST_UNIT : MOST_UNIT;
    bool is_small = j->out_blocks * j->in_blocks * area * PAIR <= SMALL_GRADIENT;
    j->out_set = cpu_min(j->out_blocks, MOST_SET);
    j->in_set = j->in_blocks;
    for (;;) {
        j->in_units = cpu_ceil(j->in_blocks, j->in_set);
        j->out_units = cpu_ceil(j->out_blocks, j->out_set);
        int64_t tasks = j->in_units * j->out_units * (is_small ? j->chunks : 1), pairs = j->out_set * j->in_set;
        if (pairs == 1 || (pairs * area * PAIR <= most && tasks >= wanted))
            break;
        if (j->out_set > j->in_set)
            j->out_set = cpu_ceil(j->out_set, 2);
        else
            j->in_set = cpu_ceil(j->in_set, 2);
    }
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
    j->in_gradient = j->splits == 1 && !j->by_inputs && s->group_c % CPU_LANES == 0;
    j->scratch = (j->is_shared ? 0 : j->copy * j->in_set) + (j->splits == 1 ? unit_floats(j) : 0);
}

static void weight_job_of(const cpu_conv2d_data *d, weight_job *out)
{
    const cpu_conv2d_sizes *s = &d->s;
    *out = (weight_job){
        .d = d, .in_blocks = cpu_ceil(s->group_c, CPU_LANES), .out_blocks = cpu_ceil(s->group_o, CPU_LANES)};
    cpu_channels_forward_window(s, CPU_LANES, PAIR, CPU_CHANNELS_JOINS, &out->window);
    out->by_inputs = out->window.taps > 1;
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

/* ---- A unit's part of the gradient: [out_set][in_set] pairs ---- */

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

/* Products tap by tap, in as many parts as the registers ask for. p: a, b and out of the first tap, rows of all parts.
   It is changed as it goes: copying what was only just written waits until the sums before it are in the cache. */
static void add_pairs(const weight_job *j, cpu_batch_reduce *p, bool accumulate)
{
    const float *a = p->a, *b = p->b;
    float *out = p->out;
    int64_t rows = p->rows, tiles = cpu_ceil(rows, cpu_table.batch_rows[p->columns - 1]);
    for (int64_t i = 0; i < j->window.taps; i++)
        for (int64_t tile = 0, row = 0; tile < tiles; tile++, row += p->rows) {
            p->rows = (int32_t)cpu_ceil(rows - row, tiles - tile);
            p->a = a + row + (j->by_inputs ? j->tap_offset[i] : 0);
            p->b = b + (j->by_inputs ? 0 : j->tap_offset[i]);
            p->out = out + i * CPU_LANES + row * p->out_r;
            p->add = accumulate ? p->out : NULL;
            cpu_table.batch_reduce(p);
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

/* Blocks in a product's columns: an odd one rather in a product of three than alone. */
static int32_t next_columns(int64_t blocks)
{
    int64_t most = cpu_min(blocks, cpu_table.batch_columns);
    return (int32_t)(most < 3 ? most : blocks % 3 == 1 ? 2 : 3);
}

/* What all products of a unit and `rows` rows of pixels have in common. */
static cpu_batch_reduce unit_product(const weight_job *j, const unit *u, int64_t rows)
{
    bool is_joined = j->window.pitch == j->window.ow;
    const cpu_conv2d_sizes *s = &j->d->s;
    int64_t dy_plane = s->oh * s->ow * CPU_LANES, x_plane = j->window.in_place ? s->h * s->w * CPU_LANES : j->copy;
    cpu_batch_reduce p = {.layout = CPU_BATCH_CHANNELS, .low = -INFINITY, .high = INFINITY};
    p.terms = j->terms;
    p.count = is_joined ? 1 : rows;
    p.depth = is_joined ? rows * j->row_pixels : j->row_pixels;
    p.out_r = j->in_gradient ? s->group_c : j->window.taps * CPU_LANES;
    p.out_t = j->in_gradient ? CPU_LANES : (j->by_inputs ? u->in_last - u->in_first : 1) * j->window.taps * PAIR;
    p.b_t = j->by_inputs ? dy_plane : x_plane;
    return p;
}

/* Products of some blocks of outputs (dy) and of inputs (x), one of either, as p's columns say. */
static void add_blocks(const weight_job *j, const unit *u, int64_t o, int64_t c, const float *dy, const float *x,
                       bool accumulate, cpu_batch_reduce *p, float *out)
{
    const cpu_conv2d_sizes *s = &j->d->s;
    int64_t first = (u->out_first + o) * CPU_LANES, outputs = cpu_min(CPU_LANES, s->group_o - first);
    int64_t inputs = cpu_min(CPU_LANES, s->group_c - (u->in_first + c) * CPU_LANES);
    p->rows = (int32_t)(j->by_inputs ? inputs : outputs);
    p->a = j->by_inputs ? x : dy;
    p->b = j->by_inputs ? dy : x;
    p->out = j->in_gradient
                 ? j->d->dweight + (u->group * s->group_o + first) * s->group_c + (u->in_first + c) * CPU_LANES
                 : out + (o * (u->in_last - u->in_first) + c) * j->window.taps * PAIR;
    add_pairs(j, p, accumulate || (j->in_gradient && j->d->accumulate_weight));
}

static void add_chunk(const weight_job *j, const unit *u, int64_t chunk, bool accumulate, float *copy, float *out,
                      float *bias)
{
    const cpu_conv2d_sizes *s = &j->d->s;
    int64_t item = chunk / j->row_chunks, row = chunk % j->row_chunks * j->rows_per_chunk;
    int64_t ins = u->in_last - u->in_first, outs = u->out_last - u->out_first;
    int64_t rows = cpu_min(j->rows_per_chunk, j->rows - row), plane = s->oh * s->ow * CPU_LANES;
    const float *dy = j->d->dy + item * s->y_stride + row * j->row_pixels * CPU_LANES +
                      (u->group * j->out_blocks + u->out_first) * plane;
    cpu_batch_reduce p = unit_product(j, u, rows);
    for (int64_t c = 0, step; c < ins && j->d->dweight; c += step) {
        p.columns = next_columns(ins - c);
        step = j->by_inputs ? 1 : p.columns;
        const float *x = chunk_input(j, u, item, u->in_first + c, row, copy);
        for (int64_t t = 1; t < step; t++)
            chunk_input(j, u, item, u->in_first + c + t, row, copy);
        for (int64_t o = 0; o < outs; o += j->by_inputs ? p.columns : 1) {
            if (j->by_inputs)
                p.columns = next_columns(outs - o);
            add_blocks(j, u, o, c, dy + o * plane, x, accumulate, &p, out);
        }
    }
    for (int64_t o = 0; o < outs && u->in_first == 0; o++)
        cpu_table.lane_sums(dy + o * plane, rows * j->row_pixels * CPU_LANES, bias + o * CPU_LANES);
}

/* ---- From pairs to [O,C,kh,kw] ---- */

/* A unit's gradients, added to what is there where accumulate says so. */
static void store_unit(const weight_job *j, const unit *u, const float *pair, bool accumulate)
{
    const cpu_conv2d_sizes *s = &j->d->s;
    int64_t taps = j->window.taps, stride = s->group_c * taps;
    for (int64_t o = u->out_first; o < u->out_last; o++)
        for (int64_t c = u->in_first; c < u->in_last; c++, pair += taps * PAIR) {
            int64_t outputs = cpu_min(CPU_LANES, s->group_o - o * CPU_LANES);
            int64_t inputs = cpu_min(CPU_LANES, s->group_c - c * CPU_LANES);
            float *out = j->d->dweight + (u->group * s->group_o + o * CPU_LANES) * stride + c * CPU_LANES * taps;
            if (j->by_inputs)
                cpu_table.rows_from_lanes(pair, inputs * taps, out, stride, (int32_t)outputs, accumulate);
            for (int64_t lane = 0; lane < outputs && !j->by_inputs; lane++)
                cpu_table.scale(1, pair + lane * CPU_LANES, out + lane * stride, inputs, accumulate);
        }
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

/* Where row i of a chunk begins in the product's sides. */
static cpu_batch_term row_term(const weight_job *j, int64_t i)
{
    int64_t dy = i * j->row_pixels * CPU_LANES, x = i * j->window.pitch * CPU_LANES;
    return j->by_inputs ? (cpu_batch_term){.a = x, .b = dy} : (cpu_batch_term){.a = dy, .b = x};
}

void cpu_channels_weight_gradient(const cpu_conv2d_data *d)
{
    weight_job j;
    weight_job_of(d, &j);
    for (int64_t i = 0; i < cpu_min(j.rows_per_chunk, MOST_ROWS); i++)
        j.terms[i] = row_term(&j, i);
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
