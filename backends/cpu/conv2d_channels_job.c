/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Convolution jobs of batch-reduce products. A task owns some output rows (or pixels, where planes are read in place)
 * of one item and some blocks of output channels; its loops, from the outside:
 *
 *     columns           two or three blocks of output channels: their weights stay in the second cache
 *     phases            of the stride, backward
 *     rows              up to batch_rows output pixels of a run
 *     taps and planes   of the input: one batch-reduce product, the sums in registers throughout
 */
#include "conv2d_channels.h"

#include <math.h>
#include <string.h>

enum {
    WANTED_TASKS = 8,
    TASK_FLOATS = 1 << 17,
    SMALL_WEIGHTS = 1 << 17,
    LEAST_PIXELS = 56,
    FEW_PIXELS = 64,
    SHARED_FLOATS = 1 << 22
};

/* ---- The split: by shape alone, so that sums do not depend on the number of threads ---- */

/* Floats that a task of so many rows reads. */
static int64_t task_floats(const cpu_channels_job *j, int64_t rows)
{
    const cpu_channels_window *w = &j->window;
    return j->in_planes * (w->in_place ? rows * j->row_pixels * w->lanes : cpu_channels_copy_floats(w, rows));
}

/* Halves the rows of a task until what they read fits the second cache; then splits until there are enough tasks, by
   rows where the weights are small enough to be read by everyone, else by blocks of output channels. */
static void split(cpu_channels_job *j)
{
    const cpu_channels_window *w = &j->window;
    j->joined = w->pitch == w->ow && w->step == 1 && j->phases == 1 && j->out_row == w->ow * j->out_column;
    bool by_pixel = w->in_place && j->joined;
    j->row_pixels = by_pixel ? 1 : w->ow;
    j->in_row = by_pixel ? 1 : w->pitch;
    j->rows = by_pixel ? w->oh * w->ow : w->oh;
    int64_t rows = j->rows, blocks = j->out_blocks, items = j->items * j->groups;
    while (rows > 1 && rows * j->row_pixels >= LEAST_PIXELS && task_floats(j, rows) > TASK_FLOATS)
        rows = cpu_ceil(rows, 2);
    bool is_small = j->dot || j->in_planes * j->out_blocks * w->taps * CPU_LANES * CPU_LANES <= SMALL_WEIGHTS;
    while (is_small && items * cpu_ceil(j->rows, rows) < WANTED_TASKS && rows * j->row_pixels >= 2 * LEAST_PIXELS)
        rows = cpu_ceil(rows, 2);
    while (items * cpu_ceil(j->rows, rows) * cpu_ceil(j->out_blocks, blocks) < WANTED_TASKS && blocks > 2 && !j->dot)
        blocks = cpu_ceil(blocks, 4) * 2;
    int64_t tasks = items * cpu_ceil(j->rows, rows) * cpu_ceil(j->out_blocks, blocks);
    if (tasks < WANTED_TASKS && tasks % 2 == 1) /* two threads would wait for one of them */
        rows = cpu_ceil(rows, 2);
    j->rows_per_task = rows;
    j->blocks_per_task = blocks;
    j->row_chunks = cpu_ceil(j->rows, rows);
    j->block_chunks = cpu_ceil(j->out_blocks, blocks);
    j->is_shared = !w->in_place && j->block_chunks > 1 &&
                   items * j->in_planes * cpu_channels_copy_floats(w, j->rows) <= SHARED_FLOATS;
    j->copied_rows = j->is_shared ? j->rows : rows;
    j->copy = cpu_channels_copy_floats(w, j->copied_rows);
}

/* Planes that are copied at the same time. */
static int64_t copied_planes(const cpu_channels_job *j)
{
    return j->in_planes * (j->is_shared ? j->items * j->groups : cpu_worker_count());
}

static uint64_t terms_bytes(const cpu_channels_job *j)
{
    uint64_t bytes = (uint64_t)(j->in_planes * j->window.taps) * sizeof(cpu_batch_term);
    return (bytes + CPU_ALIGNMENT - 1) / CPU_ALIGNMENT * CPU_ALIGNMENT;
}

uint64_t cpu_channels_job_workspace(cpu_channels_job *j)
{
    split(j);
    return terms_bytes(j) + (uint64_t)(copied_planes(j) * j->copy) * sizeof(float);
}

static void fill_terms(const cpu_channels_job *j)
{
    const cpu_channels_window *w = &j->window;
    int64_t plane = w->in_place ? w->h * w->w * w->lanes : j->copy;
    cpu_batch_term *term = j->terms;
    for (const cpu_channels_phase *phase = j->phase; phase < j->phase + j->phases; phase++)
        for (int64_t c = 0; c < j->in_planes; c++)
            for (const cpu_channels_tap *tap = w->tap + phase->first_tap; tap < w->tap + phase->first_tap + phase->taps;
                 tap++)
                *term++ = (cpu_batch_term){.a = c * plane + cpu_channels_tap_offset(w, tap, j->copied_rows),
                                           .b = c * j->weight_in + tap->weight};
}

/* ---- A task ---- */

/* How many blocks to take next, none alone if that can be: three, which load the least for a multiply-add; where there
   are few pixels two, which read the weights less often. */
static int32_t next_columns(const cpu_channels_job *j, int64_t blocks)
{
    int64_t most = cpu_min(blocks, j->dot ? CPU_DOT_COLUMNS : cpu_table.batch_columns);
    bool few = cpu_min(j->rows_per_task, j->rows) * j->row_pixels <= FEW_PIXELS;
    if (most < 3 || j->dot)
        return (int32_t)most;
    return few ? (blocks % 2 == 1 ? 3 : 2) : blocks % 3 == 1 ? 2 : 3;
}

/* Lines that are fetched into the second cache while products go on: some runs of floats, one after the other. */
typedef struct later {
    const float *at, *end;          /* what is left of a run */
    const float *next;              /* run */
    int64_t runs, length, distance; /* that follow; floats of one, and from one to the next */
} later;

/* The weights of the next blocks of outputs. */
static later later_weights(const cpu_channels_job *j, const cpu_batch_reduce *block)
{
    const float *all = j->weight + j->out_blocks * j->weight_out, *at = block->b + block->columns * block->b_t;
    int64_t floats = block->columns * block->b_t;
    return (later){.at = at, .end = at + floats <= all ? at + floats : at};
}

static const float *fetch_later(const cpu_batch_reduce *p, later *l)
{
    if (l->at >= l->end && l->runs > 0) {
        l->at = l->next;
        l->end = l->at + l->length;
        if (--l->runs > 0)
            l->next += l->distance;
    }
    const float *at = l->at;
    if (at >= l->end)
        return NULL;
    l->at += p->count * p->depth * CPU_LANES;
    return at;
}

/* A run of pixels, in as few products as the registers allow, about equally long. p: of the first of them; it is
   changed as it goes: copying what was only just written waits until the sums before it are in the cache. */
static void run_pixels(const cpu_channels_job *j, cpu_batch_reduce *p, int64_t pixels, later *ahead)
{
    const float *a = p->a;
    float *out = p->out;
    int64_t most = j->dot ? cpu_table.dot_rows[p->columns - 1] : cpu_table.batch_rows[p->columns - 1];
    int64_t tiles = cpu_ceil(pixels, most);
    for (int64_t tile = 0, at = 0; tile < tiles; tile++, at += p->rows) {
        p->rows = (int32_t)cpu_ceil(pixels - at, tiles - tile);
        p->a = a + at * j->window.step * j->window.lanes;
        p->out = out + at * j->out_column;
        p->add = j->add ? j->add + (p->out - j->out) : NULL;
        p->ahead = fetch_later(p, ahead);
        if (j->dot)
            cpu_table.batch_dot(p);
        else
            cpu_table.batch_reduce(p);
    }
}

/* Rows of a phase: one run where they follow one another. */
static void run_rows(const cpu_channels_job *j, cpu_batch_reduce *p, int64_t rows, int64_t columns, later *ahead)
{
    const float *a = p->a;
    float *out = p->out;
    if (j->joined) {
        run_pixels(j, p, rows * j->row_pixels, ahead);
        return;
    }
    for (int64_t i = 0; i < rows; i++) {
        p->a = a + i * j->window.pitch * j->window.lanes;
        p->out = out + i * j->out_row;
        run_pixels(j, p, columns, ahead);
    }
}

/* p: of the block, with a of the task's first row; out is that row of the block. */
static void run_phases(const cpu_channels_job *j, cpu_batch_reduce *p, int64_t row, float *out, later *ahead)
{
    const float *a = p->a;
    p->terms = j->terms;
    for (const cpu_channels_phase *phase = j->phase; phase < j->phase + j->phases; phase++, p->terms += p->count) {
        int64_t all = j->row_pixels == 1 ? phase->rows * phase->columns : phase->rows;
        p->count = j->in_planes * phase->taps;
        p->short_count = j->last_lanes > 0 ? phase->taps : 0;
        p->short_depth = j->last_lanes;
        p->a = a;
        p->out = out + phase->out;
        if (p->count > 0 || j->add != j->out)
            run_rows(j, p, cpu_min(j->rows_per_task, all - row), phase->columns, ahead);
    }
    p->a = a;
}

/* The first plane of an item's group. */
static const float *group_input(const cpu_channels_job *j, int64_t item, int64_t group)
{
    const cpu_channels_window *w = &j->window;
    return j->in + item * j->in_item + group * j->in_planes * w->h * w->w * w->lanes;
}

static void copy_task(const void *context, int64_t number, uint32_t worker)
{
    (void)worker;
    const cpu_channels_job *j = context;
    const cpu_channels_window *w = &j->window;
    int64_t c = number % j->in_planes, group = number / j->in_planes % j->groups,
            item = number / j->in_planes / j->groups;
    cpu_channels_copy(w, group_input(j, item, group) + c * w->h * w->w * w->lanes, 0, j->copied_rows,
                      j->copies + number * j->copy);
}

/* Where the products of a task find the input: in place, in the shared copies, or in its own. */
static const float *task_input(const cpu_channels_job *j, int64_t item, int64_t group, int64_t row, uint32_t worker)
{
    const cpu_channels_window *w = &j->window;
    const float *in = group_input(j, item, group);
    float *copies = j->copies + worker * j->in_planes * j->copy;
    if (w->in_place)
        return in + row * j->in_row * w->lanes;
    if (j->is_shared)
        return j->copies + (item * j->groups + group) * j->in_planes * j->copy + row * j->in_row * w->lanes;
    for (int64_t c = 0; c < j->in_planes; c++)
        cpu_channels_copy(w, in + c * w->h * w->w * w->lanes, row, j->copied_rows, copies + c * j->copy);
    return copies;
}

/* What the task after this one will copy: a copy waits for all that it reads, products in place hardly do. */
static later later_input(const cpu_channels_job *j, int64_t number)
{
    const cpu_channels_window *w = &j->window;
    int64_t next = number + 1, row = next % j->row_chunks * j->rows_per_task, item = next / j->row_chunks % j->items;
    int64_t group = next / (j->row_chunks * j->items * j->block_chunks), plane = w->h * w->w * w->lanes;
    int64_t in_row = w->sh * w->w * w->lanes, rows = cpu_min(j->rows_per_task, j->rows - row);
    if (group >= j->groups)
        return (later){.runs = 0};
    return (later){.next = group_input(j, item, group) + row * in_row,
                   .runs = j->in_planes,
                   .length = rows * in_row,
                   .distance = plane};
}

static int32_t layout_of(const cpu_channels_window *w)
{
    if (w->lanes == 1)
        return w->step == 2 ? CPU_BATCH_TAPS_2 : CPU_BATCH_TAPS;
    return w->step == 2 ? CPU_BATCH_PIXELS_2 : CPU_BATCH_PIXELS;
}

static void task(const void *context, int64_t number, uint32_t worker)
{
    const cpu_channels_job *j = context;
    const cpu_channels_window *w = &j->window;
    int64_t row = number % j->row_chunks * j->rows_per_task, item = number / j->row_chunks % j->items;
    int64_t chunk = number / (j->row_chunks * j->items), group = chunk / j->block_chunks;
    int64_t block = chunk % j->block_chunks * j->blocks_per_task;
    int64_t last = cpu_min(j->out_blocks, block + j->blocks_per_task);
    float *out = j->out + item * j->out_item + row * (j->joined ? j->row_pixels * j->out_column : j->out_row);
    cpu_batch_reduce p = {.a = task_input(j, item, group, row, worker),
                          .depth = w->lanes,
                          .out_r = j->out_column,
                          .out_t = j->out_plane,
                          .b_t = j->weight_out,
                          .layout = layout_of(w),
                          .low = j->epilogue.low,
                          .high = j->epilogue.high};
    for (; block < last; block += p.columns) {
        int64_t at = group * j->out_blocks + block;
        p.columns = next_columns(j, last - block);
        p.b = j->weight + group * j->weight_group + block * j->weight_out;
        p.bias = j->bias ? j->bias + at * CPU_LANES : NULL;
        bool copies_next = block + p.columns >= last && !w->in_place && !j->is_shared && j->row_chunks * j->items > 1;
        later ahead = copies_next ? later_input(j, number) : later_weights(j, &p);
        run_phases(j, &p, row, out + at * j->out_plane, &ahead);
        for (int64_t t = 0; t < p.columns && j->epilogue.count > 0; t++)
            cpu_epilogue_apply(&j->epilogue, out + at * j->out_plane + t * p.out_t,
                               cpu_min(j->rows_per_task, j->rows - row) * j->row_pixels * CPU_LANES);
    }
}

void cpu_channels_job_run(cpu_channels_job *j, unsigned char *workspace, int64_t work)
{
    split(j);
    j->terms = (cpu_batch_term *)(void *)workspace;
    j->copies = (float *)(void *)(workspace + terms_bytes(j));
    fill_terms(j);
    if (j->is_shared)
        cpu_parallel(copied_planes(j), copied_planes(j) * j->copy, copy_task, j);
    cpu_parallel(j->items * j->groups * j->row_chunks * j->block_chunks, work, task, j);
}

/* ---- The directions ---- */

static int64_t blocks_of(int64_t channels)
{
    return cpu_ceil(channels, CPU_LANES);
}

void cpu_channels_forward_job(const cpu_conv2d_sizes *s, int64_t lanes, cpu_channels_job *out)
{
    int64_t planes = cpu_ceil(s->group_c, lanes), area = s->kh * s->kw * lanes * CPU_LANES;
    *out = (cpu_channels_job){.phases = 1,
                              .items = s->n,
                              .groups = s->groups,
                              .in_planes = planes,
                              .last_lanes = s->group_c % lanes,
                              .out_blocks = blocks_of(s->group_o),
                              .in_item = s->x_stride,
                              .out_item = s->y_stride,
                              .weight_in = area,
                              .weight_out = planes * area,
                              .weight_group = blocks_of(s->group_o) * planes * area,
                              .out_plane = s->oh * s->ow * CPU_LANES,
                              .out_row = s->ow * CPU_LANES,
                              .out_column = CPU_LANES};
    cpu_channels_forward_window(s, lanes, lanes * CPU_LANES, CPU_CHANNELS_JOINS | CPU_CHANNELS_STEPS, &out->window);
    out->phase[0] = (cpu_channels_phase){.taps = out->window.taps, .rows = s->oh, .columns = s->ow};
}

/* The taps of the input gradient's pixels (i0 + sh i, j0 + sw j). */
static void add_phase(const cpu_conv2d_sizes *s, int64_t i0, int64_t j0, int64_t weight_floats, cpu_channels_job *j)
{
    cpu_channels_window *w = &j->window;
    cpu_channels_phase *phase = &j->phase[j->phases++];
    *phase = (cpu_channels_phase){.first_tap = w->taps,
                                  .rows = cpu_ceil(s->h - i0, s->sh),
                                  .columns = cpu_ceil(s->w - j0, s->sw),
                                  .out = i0 * (j->out_row / s->sh) + j0 * (j->out_column / s->sw)};
    for (int64_t u = 0; u < s->kh; u++)
        for (int64_t v = 0; v < s->kw; v++) {
            int64_t y = i0 + s->top - u * s->dh, x = j0 + s->left - v * s->dw;
            if (y % s->sh == 0 && x % s->sw == 0)
                w->tap[w->taps++] =
                    (cpu_channels_tap){.y = y / s->sh, .x = x / s->sw, .weight = (u * s->kw + v) * weight_floats};
        }
    phase->taps = w->taps - phase->first_tap;
}

void cpu_channels_backward_job(const cpu_conv2d_sizes *s, bool few, cpu_channels_job *out)
{
    int64_t lanes = few ? 1 : CPU_LANES, planes = cpu_ceil(s->group_c, lanes); /* of dx */
    int64_t area = s->kh * s->kw * lanes * CPU_LANES;
    *out = (cpu_channels_job){.window = {.h = s->oh,
                                         .w = s->ow,
                                         .oh = cpu_ceil(s->h, s->sh),
                                         .ow = cpu_ceil(s->w, s->sw),
                                         .sh = 1,
                                         .sw = 1,
                                         .lanes = CPU_LANES},
                              .items = s->n,
                              .groups = s->groups,
                              .in_planes = blocks_of(s->group_o),
                              .last_lanes = s->group_o % CPU_LANES,
                              .out_blocks = planes,
                              .in_item = s->y_stride,
                              .out_item = s->x_stride,
                              .weight_in = few ? planes * area : area,
                              .weight_out = few ? area : s->groups * blocks_of(s->group_o) * area,
                              .weight_group = blocks_of(s->group_o) * area,
                              .out_plane = s->h * s->w * lanes,
                              .out_row = s->sh * s->w * lanes,
                              .out_column = s->sw * lanes,
                              .dot = few,
                              .epilogue = {.low = -INFINITY, .high = INFINITY}};
    for (int64_t i0 = 0; i0 < cpu_min(s->sh, s->h); i0++)
        for (int64_t j0 = 0; j0 < cpu_min(s->sw, s->w); j0++)
            add_phase(s, i0, j0, lanes * CPU_LANES, out);
    cpu_channels_window_complete(&out->window, out->phases == 1 ? CPU_CHANNELS_JOINS : 0);
}

/* ---- What the users share ---- */

uint64_t cpu_channels_bias_bytes(const cpu_conv2d_sizes *s)
{
    return (uint64_t)(blocks_of(s->o) * CPU_LANES) * sizeof(float);
}

/* The bias, with zeros behind it where its last block is not full. */
static const float *padded_bias(const cpu_conv2d_data *d, float *out)
{
    if (!d->bias || d->s.o % CPU_LANES == 0)
        return d->bias;
    memcpy(out, d->bias, (size_t)d->s.o * sizeof *out);
    memset(out + d->s.o, 0, (size_t)(CPU_LANES - d->s.o % CPU_LANES) * sizeof *out);
    return out;
}

void cpu_channels_forward_run(const linnet_layer_desc *desc, const linnet_layer_args *args, const cpu_conv2d_data *d,
                              cpu_channels_job *j)
{
    j->in = d->x;
    j->out = d->y;
    j->weight = d->weight;
    j->bias = padded_bias(d, (float *)(void *)d->workspace);
    j->epilogue = cpu_epilogue_with_residual(desc, args);
    j->add = j->epilogue.residual;
    cpu_channels_job_run(j, d->workspace + cpu_channels_bias_bytes(&d->s), cpu_conv2d_work(&d->s));
    bool keeps_zero = j->epilogue.low <= 0 && j->epilogue.high >= 0 && j->epilogue.count == 0;
    if (!keeps_zero)
        cpu_clear_spare_lanes(&desc->outputs[0], d->y);
}

void cpu_channels_backward_run(const cpu_conv2d_data *d, bool few)
{
    cpu_channels_job j;
    cpu_channels_backward_job(&d->s, few, &j);
    j.in = d->dy;
    j.out = d->dx;
    j.weight = d->weight;
    j.add = d->accumulate_x ? d->dx : NULL;
    cpu_channels_job_run(&j, d->workspace, cpu_conv2d_work(&d->s));
}

const char *cpu_channels_refusal(const cpu_conv2d_sizes *s)
{
    if (s->kh > CPU_CHANNELS_MOST_KERNEL || s->kw > CPU_CHANNELS_MOST_KERNEL)
        return "needs a kernel of at most 16 x 16";
    if (s->sh * s->sw > CPU_CHANNELS_MOST_PHASES)
        return "needs strides whose product is at most 16";
    if (s->groups > 1 && (s->group_c % CPU_LANES != 0 || s->group_o % CPU_LANES != 0))
        return "needs groups of whole blocks of 16 channels";
    return NULL;
}
