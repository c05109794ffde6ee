/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Convolution in nchw16c: forward, and backward with respect to the input. A task owns some output rows (or pixels,
 * where nothing has to be spread) of one item and some blocks of output channels; its loops, from the outside: columns
 * up to batch_columns blocks of output channels: their weights stay in the second cache rows      up to batch_rows
 * output pixels of a run taps and blocks of input channels, 16 channels each: one batch-reduce product, the sums in
 * registers throughout
 */
#include "conv2d_channels.h"

#include <math.h>
#include <string.h>

enum { MOST_KERNEL = 16, WANTED_TASKS = 8, SPREAD_FLOATS = 1 << 17, SMALL_WEIGHTS = 1 << 17, LEAST_PIXELS = 56 };

typedef struct channels_job {
    cpu_channels_window window;
    const float *in, *weight, *bias;
    float *out;
    int64_t items, groups, in_blocks, out_blocks; /* blocks of 16 channels of one group */
    int64_t in_item, out_item;                    /* floats between items */
    int64_t weight_in, weight_out, weight_group;  /* floats between blocks and groups of packed weights */
    int64_t out_plane, out_row, out_column;       /* floats between blocks, rows and pixels of the output */
    bool accumulate;
    cpu_epilogue epilogue;
    /* The split. A row is one pixel where nothing is spread and the output has no gaps: then any pixel may be first. */
    bool joined; /* the output pixels of a row follow those of the row above */
    int64_t row_pixels, rows, rows_per_task, row_chunks, blocks_per_task, block_chunks;
    int64_t scratch; /* floats of a thread */
    float *scratches;
    cpu_batch_term *terms; /* [in_blocks][taps] */
} channels_job;

/* ---- The split: by shape alone, so that sums do not depend on the number of threads ---- */

/* Floats that a task of so many rows reads. */
static int64_t task_floats(const channels_job *j, int64_t rows)
{
    const cpu_channels_window *w = &j->window;
    return j->in_blocks * (w->in_place ? rows * j->row_pixels * CPU_LANES : cpu_channels_spread_floats(w, rows));
}

/* Halves the rows of a task until what they read fits the second cache; then splits until there are enough tasks, by
   rows where the weights are small enough to be read by everyone, else by blocks of output channels. */
static void split(channels_job *j)
{
    const cpu_channels_window *w = &j->window;
    j->joined = j->out_row == w->ow * j->out_column;
    bool by_pixel = w->in_place && j->joined;
    j->row_pixels = by_pixel ? 1 : w->ow;
    j->rows = by_pixel ? w->oh * w->ow : w->oh;
    int64_t rows = j->rows, blocks = j->out_blocks, items = j->items * j->groups;
    while (rows > 1 && rows * j->row_pixels >= LEAST_PIXELS && task_floats(j, rows) > SPREAD_FLOATS)
        rows = cpu_ceil(rows, 2);
    bool is_small = j->in_blocks * blocks * w->taps * CPU_LANES * CPU_LANES <= SMALL_WEIGHTS;
    while (is_small && items * cpu_ceil(j->rows, rows) < WANTED_TASKS && rows * j->row_pixels >= 2 * LEAST_PIXELS)
        rows = cpu_ceil(rows, 2);
    while (items * cpu_ceil(j->rows, rows) * cpu_ceil(j->out_blocks, blocks) < WANTED_TASKS && blocks > 2)
        blocks = cpu_ceil(blocks, 4) * 2;
    j->rows_per_task = rows;
    j->blocks_per_task = blocks;
    j->row_chunks = cpu_ceil(j->rows, rows);
    j->block_chunks = cpu_ceil(j->out_blocks, blocks);
    j->scratch = cpu_channels_spread_floats(w, rows) * j->in_blocks;
}

static uint64_t align(uint64_t bytes)
{
    return (bytes + CPU_ALIGNMENT - 1) / CPU_ALIGNMENT * CPU_ALIGNMENT;
}

static uint64_t terms_bytes(const channels_job *j)
{
    return align((uint64_t)(j->in_blocks * j->window.taps) * sizeof(cpu_batch_term));
}

static uint64_t workspace(channels_job *j)
{
    split(j);
    return terms_bytes(j) + (uint64_t)j->scratch * sizeof(float) * cpu_worker_count();
}

static void fill_terms(const channels_job *j)
{
    const cpu_channels_window *w = &j->window;
    int64_t rows = j->rows_per_task,
            block = w->in_place ? w->h * w->w * CPU_LANES : cpu_channels_spread_floats(w, rows);
    for (int64_t c = 0; c < j->in_blocks; c++)
        for (int64_t i = 0; i < w->taps; i++)
            j->terms[c * w->taps + i] = (cpu_batch_term){.a = c * block + cpu_channels_tap_offset(w, &w->tap[i], rows),
                                                         .b = c * j->weight_in + w->tap[i].weight};
}

/* ---- A task ---- */

/* How many blocks to take next: an odd one rather in a product of three than alone. */
static int32_t next_columns(int64_t blocks)
{
    int64_t most = cpu_min(blocks, cpu_table.batch_columns);
    return (int32_t)(most < 3 ? most : blocks % 2 ? 3 : 2);
}

/* A run of pixels, in as few products as the registers allow, about equally long. */
static void run_pixels(const channels_job *j, const cpu_batch_reduce *first, int64_t pixels)
{
    cpu_batch_reduce p = *first;
    int64_t tiles = cpu_ceil(pixels, cpu_table.batch_rows[p.columns - 1]);
    for (int64_t tile = 0, at = 0; tile < tiles; tile++, at += p.rows) {
        p.rows = (int32_t)cpu_ceil(pixels - at, tiles - tile);
        p.a = first->a + at * CPU_LANES;
        p.out = first->out + at * j->out_column;
        p.add = j->accumulate ? p.out : NULL;
        cpu_table.batch_reduce(&p);
    }
}

/* Rows [row, row + rows): one run where the output has no gaps. */
static void run_rows(const channels_job *j, const cpu_batch_reduce *first, int64_t rows)
{
    cpu_batch_reduce p = *first;
    if (j->joined) {
        run_pixels(j, &p, rows * j->row_pixels);
        return;
    }
    for (int64_t i = 0; i < rows; i++, p.a += j->row_pixels * CPU_LANES, p.out += j->out_row)
        run_pixels(j, &p, j->row_pixels);
}

/* Where the products of a task find the input: in place, or in the scratch after it was spread there. */
static const float *task_input(const channels_job *j, const float *in, int64_t row, float *scratch)
{
    const cpu_channels_window *w = &j->window;
    int64_t rows = j->rows_per_task, block = cpu_channels_spread_floats(w, rows);
    if (w->in_place)
        return in + row * j->row_pixels * CPU_LANES;
    for (int64_t c = 0; c < j->in_blocks; c++)
        cpu_channels_spread(w, in + c * w->h * w->w * CPU_LANES, row, rows, scratch + c * block);
    return scratch;
}

static void task(const void *context, int64_t number, uint32_t worker)
{
    const channels_job *j = context;
    int64_t row = number % j->row_chunks * j->rows_per_task, item = number / j->row_chunks % j->items;
    int64_t chunk = number / (j->row_chunks * j->items), group = chunk / j->block_chunks;
    int64_t block = chunk % j->block_chunks * j->blocks_per_task;
    int64_t last = cpu_min(j->out_blocks, block + j->blocks_per_task);
    int64_t rows = cpu_min(j->rows_per_task, j->rows - row), plane = j->window.h * j->window.w * CPU_LANES;
    float *out = j->out + item * j->out_item + row * (j->joined ? j->row_pixels * j->out_column : j->out_row);
    const float *in = j->in + item * j->in_item + group * j->in_blocks * plane;
    cpu_batch_reduce p = {.a = task_input(j, in, row, j->scratches + worker * j->scratch),
                          .terms = j->terms,
                          .count = j->in_blocks * j->window.taps,
                          .depth = CPU_LANES,
                          .out_r = j->out_column,
                          .out_t = j->out_plane,
                          .b_t = j->weight_out,
                          .layout = CPU_BATCH_PIXELS,
                          .low = j->epilogue.low,
                          .high = j->epilogue.high};
    for (; block < last; block += p.columns) {
        int64_t at = group * j->out_blocks + block;
        p.columns = next_columns(last - block);
        p.b = j->weight + group * j->weight_group + block * j->weight_out;
        p.bias = j->bias ? j->bias + at * CPU_LANES : NULL;
        p.out = out + at * j->out_plane;
        run_rows(j, &p, rows);
        for (int64_t t = 0; t < p.columns && j->epilogue.count > 0; t++)
            cpu_epilogue_apply(&j->epilogue, p.out + t * p.out_t, rows * j->row_pixels * CPU_LANES);
    }
}

static void run(channels_job *j, unsigned char *memory, int64_t work)
{
    split(j);
    j->terms = (cpu_batch_term *)(void *)memory;
    j->scratches = (float *)(void *)(memory + terms_bytes(j));
    fill_terms(j);
    cpu_parallel(j->items * j->groups * j->row_chunks * j->block_chunks, work, task, j);
}

/* ---- The directions ---- */

static int64_t blocks_of(int64_t channels)
{
    return cpu_ceil(channels, CPU_LANES);
}

static void forward_job(const cpu_conv2d_sizes *s, channels_job *out)
{
    int64_t area = s->kh * s->kw * CPU_LANES * CPU_LANES;
    *out = (channels_job){.items = s->n,
                          .groups = s->groups,
                          .in_blocks = blocks_of(s->group_c),
                          .out_blocks = blocks_of(s->group_o),
                          .in_item = s->x_stride,
                          .out_item = s->y_stride,
                          .weight_in = area,
                          .weight_out = blocks_of(s->group_c) * area,
                          .weight_group = blocks_of(s->group_o) * blocks_of(s->group_c) * area,
                          .out_plane = s->oh * s->ow * CPU_LANES,
                          .out_row = s->ow * CPU_LANES,
                          .out_column = CPU_LANES};
    cpu_channels_forward_window(s, &out->window);
}

static void backward_job(const cpu_conv2d_sizes *s, int64_t i0, int64_t j0, channels_job *out)
{
    int64_t area = s->kh * s->kw * CPU_LANES * CPU_LANES;
    *out = (channels_job){.items = s->n,
                          .groups = s->groups,
                          .in_blocks = blocks_of(s->group_o),
                          .out_blocks = blocks_of(s->group_c),
                          .in_item = s->y_stride,
                          .out_item = s->x_stride,
                          .weight_in = blocks_of(s->group_c) * area,
                          .weight_out = area,
                          .weight_group = blocks_of(s->group_o) * blocks_of(s->group_c) * area,
                          .out_plane = s->h * s->w * CPU_LANES,
                          .out_row = s->sh * s->w * CPU_LANES,
                          .out_column = s->sw * CPU_LANES,
                          .epilogue = {.low = -INFINITY, .high = INFINITY}};
    cpu_channels_backward_window(s, i0, j0, &out->window);
}

/* The bias with zeros behind it, where its last block is not full. */
static const float *padded_bias(const cpu_conv2d_data *d, float *out)
{
    if (!d->bias || d->s.o % CPU_LANES == 0)
        return d->bias;
    memcpy(out, d->bias, (size_t)d->s.o * sizeof *out);
    memset(out + d->s.o, 0, (size_t)(CPU_LANES - d->s.o % CPU_LANES) * sizeof *out);
    return out;
}

static uint64_t bias_bytes(const cpu_conv2d_sizes *s)
{
    return (uint64_t)(blocks_of(s->o) * CPU_LANES) * sizeof(float);
}

void cpu_conv2d_forward_channels(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    cpu_conv2d_data d = cpu_conv2d_data_of(desc, args);
    channels_job j;
    forward_job(&d.s, &j);
    j.in = d.x;
    j.out = d.y;
    j.weight = d.weight;
    j.bias = padded_bias(&d, (float *)(void *)d.workspace);
    j.epilogue = d.epilogue;
    run(&j, d.workspace + bias_bytes(&d.s), cpu_conv2d_work(&d.s));
    bool keeps_zero = d.epilogue.low <= 0 && d.epilogue.high >= 0 && d.epilogue.count == 0;
    if (!keeps_zero)
        cpu_clear_spare_lanes(&desc->outputs[0], d.y);
}

/* Pixels that no tap reaches have no gradient. */
static void clear_phase(const channels_job *j)
{
    const cpu_channels_window *w = &j->window;
    for (int64_t item = 0; item < j->items; item++)
        for (int64_t block = 0; block < j->groups * j->out_blocks; block++)
            for (int64_t i = 0; i < w->oh; i++)
                for (int64_t column = 0; column < w->ow; column++)
                    memset(j->out + item * j->out_item + block * j->out_plane + i * j->out_row + column * j->out_column,
                           0, CPU_LANES * sizeof *j->out);
}

static void input_gradient(const cpu_conv2d_data *d)
{
    const cpu_conv2d_sizes *s = &d->s;
    for (int64_t i0 = 0; i0 < cpu_min(s->sh, s->h); i0++)
        for (int64_t j0 = 0; j0 < cpu_min(s->sw, s->w); j0++) {
            channels_job j;
            backward_job(s, i0, j0, &j);
            j.in = d->dy;
            j.out = d->dx + (i0 * s->w + j0) * CPU_LANES;
            j.weight = d->weight;
            j.accumulate = d->accumulate_x;
            if (j.window.taps > 0)
                run(&j, d->workspace, cpu_conv2d_work(s) * j.window.taps / (s->kh * s->kw));
            else if (!j.accumulate)
                clear_phase(&j);
        }
}

void cpu_conv2d_backward_channels(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    cpu_conv2d_data d = cpu_conv2d_data_of(desc, args);
    if (d.dx)
        input_gradient(&d);
    if (d.dweight || d.dbias)
        cpu_channels_weight_gradient(&d);
}

/* ---- What it asks for ---- */

const char *cpu_channels_refusal(const cpu_conv2d_sizes *s)
{
    if (s->kh > MOST_KERNEL || s->kw > MOST_KERNEL)
        return "needs a kernel of at most 16 x 16";
    if (s->groups > 1 && (s->group_c % CPU_LANES != 0 || s->group_o % CPU_LANES != 0))
        return "needs groups of whole blocks of 16 channels";
    return NULL;
}

static uint64_t backward_workspace(const cpu_conv2d_sizes *s)
{
    uint64_t most = 0;
    for (int64_t i0 = 0; i0 < cpu_min(s->sh, s->h); i0++)
        for (int64_t j0 = 0; j0 < cpu_min(s->sw, s->w); j0++) {
            channels_job j;
            backward_job(s, i0, j0, &j);
            uint64_t bytes = j.window.taps > 0 ? workspace(&j) : 0;
            most = bytes > most ? bytes : most;
        }
    return most;
}

int cpu_conv2d_describe_channels(const linnet_layer_desc *desc, linnet_candidate *out)
{
    cpu_conv2d_sizes s = cpu_conv2d_sizes_of(desc);
    bool is_forward = desc->direction == LINNET_FORWARD;
    channels_job j;
    cpu_conv2d_describe(desc, out, CPU_FORMAT_NCHW16C);
    if (!out->refusal)
        out->refusal = cpu_channels_refusal(&s);
    out->parameter_formats[LINNET_CONV2D_WEIGHT] = is_forward ? CPU_FORMAT_CONV2D_FORWARD : CPU_FORMAT_CONV2D_BACKWARD;
    if (out->refusal)
        return CPU_AVOID;
    if (is_forward) {
        forward_job(&s, &j);
        out->workspace_bytes = workspace(&j) + bias_bytes(&s);
    }
    if (desc->direction == LINNET_BACKWARD && desc->want_inputs)
        out->workspace_bytes = backward_workspace(&s);
    if (desc->direction == LINNET_BACKWARD && desc->want_parameters &&
        cpu_channels_weight_workspace(&s) > out->workspace_bytes)
        out->workspace_bytes = cpu_channels_weight_workspace(&s);
    return cpu_conv2d_preference(desc, out->name);
}
