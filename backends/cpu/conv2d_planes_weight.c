/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The weight's gradient of few input channels, which lie in NCHW: dweight[o][c][u][v] = sum over pixels of dy[p][o]
 * x[c][p + (u, v)]. Rows of a product are weights (c, u, v), each with its own place in the copied input; columns are
 * blocks of outputs; the depth is some rows of pixels. Chunks of rows are split into parts, whose sums are added up in
 * a fixed order.
 */
#include "conv2d_channels.h"

#include <math.h>
#include <string.h>

enum { WANTED_TASKS = 16, CHUNK_ROWS = 8, CACHED_FLOATS = 1 << 13, MOST_ROWS = 16 };

typedef struct planes_job {
    const cpu_conv2d_data *d;
    cpu_channels_window window;
    int64_t blocks, depth;                                    /* blocks of outputs; weights of one output */
    int64_t first_weight, last_weight;                        /* whose gradients are asked for; the bias is the last */
    int64_t rows_per_chunk, row_chunks, chunks, rows_at_once; /* rows whose gradients stay in the first cache */
    int64_t splits, chunks_per_split;
    int64_t plane;            /* floats of a plane's copy */
    float *copies, *partials; /* a split: [block][weight][16 o] */
    int64_t tap_offset[CPU_CHANNELS_MOST_TAPS];
    cpu_batch_term terms[CHUNK_ROWS];
} planes_job;

static void planes_job_of(const cpu_conv2d_data *d, planes_job *j)
{
    const cpu_conv2d_sizes *s = &d->s;
    *j = (planes_job){.d = d, .blocks = cpu_ceil(s->o, CPU_LANES), .depth = s->c * s->kh * s->kw};
    j->first_weight = d->dweight ? 0 : j->depth;
    j->last_weight = j->depth + (d->dbias ? 1 : 0);
    /* Copied in any case: the ones lie behind the copies. */
    cpu_channels_forward_window(s, 1, 0, CPU_CHANNELS_COPIES, &j->window);
    j->rows_per_chunk = cpu_min(CHUNK_ROWS, s->oh);
    j->row_chunks = cpu_ceil(s->oh, j->rows_per_chunk);
    j->chunks = s->n * j->row_chunks;
    j->rows_at_once = cpu_max(1, CACHED_FLOATS / (s->ow * CPU_LANES * cpu_min(j->blocks, CPU_BATCH_COLUMNS)));
    j->chunks_per_split = cpu_ceil(j->chunks, cpu_min(j->chunks, WANTED_TASKS));
    j->splits = cpu_ceil(j->chunks, j->chunks_per_split);
    j->plane = cpu_channels_copy_floats(&j->window, j->rows_per_chunk);
    for (int64_t i = 0; i < j->rows_per_chunk; i++)
        j->terms[i] = (cpu_batch_term){.a = i * j->window.pitch, .b = i * s->ow * CPU_LANES};
    for (int64_t i = 0; i < j->window.taps; i++)
        j->tap_offset[i] = cpu_channels_tap_offset(&j->window, &j->window.tap[i], j->rows_per_chunk);
}

static int64_t partial_floats(const planes_job *j)
{
    return j->blocks * (j->depth + 1) * CPU_LANES;
}

static int64_t copy_floats(const planes_job *j)
{
    return cpu_ceil(j->plane * (j->d->s.c + 1), CPU_LANES) * CPU_LANES;
}

uint64_t cpu_planes_weight_workspace(const cpu_conv2d_sizes *s)
{
    cpu_conv2d_data d = {.s = *s};
    planes_job j;
    planes_job_of(&d, &j);
    return (uint64_t)(copy_floats(&j) * cpu_worker_count() + j.splits * partial_floats(&j)) * sizeof(float);
}

/* Where a weight finds the input of a chunk's first output. */
static int64_t weight_place(const planes_job *j, int64_t weight)
{
    int64_t taps = j->window.taps;
    return weight / taps * j->plane + (weight < j->depth ? j->tap_offset[weight % taps] : 0);
}

/* Products of all weights, in parts of about equal size; p: columns, b and out of its blocks of outputs. It is changed
   as it goes: copying what was only just written waits until the sums before it are in the cache. */
static void add_weights(const planes_job *j, cpu_batch_reduce *p, int64_t list[MOST_ROWS], bool accumulate)
{
    int64_t count = j->last_weight - j->first_weight;
    int64_t tiles = cpu_ceil(count, cpu_table.batch_rows[p->columns - 1]);
    float *out = p->out;
    for (int64_t tile = 0, first = j->first_weight; tile < tiles; tile++, first += p->rows) {
        p->rows = (int32_t)cpu_ceil(j->last_weight - first, tiles - tile);
        for (int64_t r = 0; r < p->rows; r++)
            list[r] = weight_place(j, first + r);
        p->out = out + first * CPU_LANES;
        p->add = accumulate ? p->out : NULL;
        cpu_table.batch_reduce(p);
    }
}

/* Rows [i, i + rows) of a chunk, whose planes begin at x. */
static void add_rows(const planes_job *j, const float *dy, const float *x, int64_t i, int64_t rows, bool accumulate,
                     float *sums)
{
    const cpu_conv2d_sizes *s = &j->d->s;
    int64_t list[MOST_ROWS];
    cpu_batch_reduce p = {.count = rows,
                          .terms = j->terms,
                          .depth = s->ow,
                          .a = x + i * j->window.pitch,
                          .out_r = CPU_LANES,
                          .out_t = (j->depth + 1) * CPU_LANES,
                          .b_t = s->oh * s->ow * CPU_LANES,
                          .layout = CPU_BATCH_LISTED,
                          .list = list,
                          .low = -INFINITY,
                          .high = INFINITY};
    for (int64_t block = 0; block < j->blocks; block += p.columns) {
        p.columns = (int32_t)cpu_min(cpu_table.batch_columns, j->blocks - block);
        p.b = dy + block * p.b_t + i * s->ow * CPU_LANES;
        p.out = sums + block * p.out_t;
        add_weights(j, &p, list, accumulate);
    }
}

static void add_chunk(const planes_job *j, int64_t chunk, bool accumulate, float *copy, float *sums)
{
    const cpu_conv2d_data *d = j->d;
    const cpu_conv2d_sizes *s = &d->s;
    int64_t item = chunk / j->row_chunks, row = chunk % j->row_chunks * j->rows_per_chunk;
    int64_t rows = cpu_min(j->rows_per_chunk, s->oh - row);
    const float *dy = d->dy + item * s->y_stride + row * s->ow * CPU_LANES;
    for (int64_t c = 0; c < s->c && d->dweight; c++)
        cpu_channels_copy(&j->window, d->x + item * s->x_stride + c * s->h * s->w, row, j->rows_per_chunk,
                          copy + c * j->plane);
    for (int64_t i = 0, count; i < rows; i += count) {
        count = cpu_min(j->rows_at_once, rows - i);
        add_rows(j, dy, copy, i, count, accumulate || i > 0, sums);
    }
}

static void split_task(const void *context, int64_t split, uint32_t worker)
{
    const planes_job *j = context;
    int64_t first = split * j->chunks_per_split, last = cpu_min(j->chunks, first + j->chunks_per_split);
    float *copy = j->copies + worker * copy_floats(j), *ones = copy + j->d->s.c * j->plane;
    for (int64_t i = 0; i < j->rows_per_chunk * j->window.pitch; i++)
        ones[i] = 1;
    for (int64_t chunk = first; chunk < last; chunk++)
        add_chunk(j, chunk, chunk > first, copy, j->partials + split * partial_floats(j));
}

/* The sums of 16 outputs, added to what is there where that is asked for. */
static void store_block(const void *context, int64_t block, uint32_t worker)
{
    (void)worker;
    const planes_job *j = context;
    const cpu_conv2d_data *d = j->d;
    int64_t o = block * CPU_LANES, outputs = cpu_min(CPU_LANES, d->s.o - o), floats = (j->depth + 1) * CPU_LANES;
    float *sums = j->partials + block * floats;
    for (int64_t split = 1; split < j->splits; split++)
        cpu_table.scale(1, sums + split * partial_floats(j), sums, floats, true);
    if (d->dweight)
        cpu_table.rows_from_lanes(sums, j->depth, d->dweight + o * j->depth, j->depth, (int32_t)outputs,
                                  d->accumulate_weight);
    if (d->dbias)
        cpu_table.scale(1, sums + j->depth * CPU_LANES, d->dbias + o, outputs, d->accumulate_bias);
}

void cpu_planes_weight_gradient(const cpu_conv2d_data *d)
{
    planes_job j;
    planes_job_of(d, &j);
    j.copies = (float *)(void *)d->workspace;
    j.partials = j.copies + copy_floats(&j) * cpu_worker_count();
    cpu_parallel(j.splits, cpu_conv2d_work(&d->s), split_task, &j);
    cpu_parallel(j.blocks, j.splits * partial_floats(&j), store_block, &j);
}
