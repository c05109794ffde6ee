/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The weight's gradient of few input channels, which lie in NCHW: dweight[o][c][u][v] = sum over pixels of dy[p][o]
 * x[c][p + (u, v)]. Rows of a product are taps of a kernel row that lie side by side in the copied input (all of them,
 * or those of one phase of the stride); columns are blocks of outputs; the depth is a row of pixels. Chunks of rows are
 * split into parts, whose sums are added up in a fixed order.
 */
#include "conv2d_channels.h"

#include <math.h>
#include <string.h>

enum { WANTED_TASKS = 16, CHUNK_ROWS = 8, CACHED_FLOATS = 1 << 13 };

typedef struct planes_job {
    const cpu_conv2d_data *d;
    cpu_channels_window window;
    int64_t blocks, depth;                                    /* blocks of outputs; weights of one output */
    int64_t rows_per_chunk, row_chunks, chunks, rows_at_once; /* rows whose gradients stay in the first cache */
    int64_t splits, chunks_per_split;
    int64_t plane;            /* floats of a plane's copy */
    float *copies, *partials; /* a split: [block][c][tap][16 o], then the bias */
    cpu_batch_term terms[CHUNK_ROWS];
} planes_job;

static void planes_job_of(const cpu_conv2d_data *d, planes_job *j)
{
    const cpu_conv2d_sizes *s = &d->s;
    *j = (planes_job){.d = d, .blocks = cpu_ceil(s->o, CPU_LANES), .depth = s->c * s->kh * s->kw};
    cpu_channels_forward_window(s, 1, 0, false, &j->window);
    j->rows_per_chunk = cpu_min(CHUNK_ROWS, s->oh);
    j->row_chunks = cpu_ceil(s->oh, j->rows_per_chunk);
    j->chunks = s->n * j->row_chunks;
    j->rows_at_once = cpu_max(1, CACHED_FLOATS / (s->ow * CPU_LANES * cpu_min(j->blocks, CPU_BATCH_COLUMNS)));
    j->chunks_per_split = cpu_ceil(j->chunks, cpu_min(j->chunks, WANTED_TASKS));
    j->splits = cpu_ceil(j->chunks, j->chunks_per_split);
    j->plane = j->window.in_place ? s->h * s->w : cpu_channels_copy_floats(&j->window, j->rows_per_chunk);
    for (int64_t i = 0; i < j->rows_per_chunk; i++)
        j->terms[i] = (cpu_batch_term){.a = i * j->window.pitch, .b = i * s->ow * CPU_LANES};
}

static int64_t partial_floats(const planes_job *j)
{
    return j->blocks * (j->depth + 1) * CPU_LANES;
}

static int64_t copy_floats(const planes_job *j)
{
    return j->window.in_place ? 0 : cpu_ceil(j->plane * j->d->s.c, CPU_LANES) * CPU_LANES;
}

uint64_t cpu_planes_weight_workspace(const cpu_conv2d_sizes *s)
{
    cpu_conv2d_data d = {.s = *s};
    planes_job j;
    planes_job_of(&d, &j);
    return (uint64_t)(copy_floats(&j) * cpu_worker_count() + j.splits * partial_floats(&j)) * sizeof(float);
}

/* How many taps from (u, v) on, each the stride behind the last, lie side by side in the copy. */
static int64_t side_by_side(const cpu_conv2d_sizes *s, int64_t v)
{
    return s->dw == 1 ? cpu_ceil(s->kw - v, s->sw) : 1;
}

/* Some rows' products of one channel and all taps; columns blocks of outputs from p's on. */
static void add_taps(const planes_job *j, const cpu_batch_reduce *columns, const float *plane)
{
    const cpu_conv2d_sizes *s = &j->d->s;
    cpu_batch_reduce p = *columns;
    int64_t most = cpu_table.batch_rows[p.columns - 1];
    for (int64_t tap = 0; tap < s->kh * s->kw; tap++) {
        int64_t v = tap % s->kw, run = side_by_side(s, v);
        if (s->dw == 1 && v >= s->sw)
            continue; /* belongs to the run of a tap before */
        for (int64_t r = 0; r < run; r += p.rows) {
            p.rows = (int32_t)cpu_min(most, run - r);
            p.a = plane + r + cpu_channels_tap_offset(&j->window, &j->window.tap[tap], j->rows_per_chunk);
            p.out = columns->out + (tap + r * s->sw) * CPU_LANES;
            p.add = columns->add ? p.out : NULL;
            cpu_table.batch_reduce(&p);
        }
    }
}

/* Rows [i, i + rows) of a chunk, whose planes begin at x. */
static void add_rows(const planes_job *j, const float *dy, const float *x, int64_t i, int64_t rows, bool accumulate,
                     float *sums)
{
    const cpu_conv2d_sizes *s = &j->d->s;
    cpu_batch_reduce p = {.count = rows,
                          .terms = j->terms,
                          .depth = s->ow,
                          .out_r = s->sw * CPU_LANES,
                          .out_t = j->depth * CPU_LANES,
                          .b_t = s->oh * s->ow * CPU_LANES,
                          .layout = CPU_BATCH_PLAIN,
                          .low = -INFINITY,
                          .high = INFINITY};
    for (int64_t block = 0; block < j->blocks; block += p.columns) {
        p.columns = (int32_t)cpu_min(cpu_table.batch_columns, j->blocks - block);
        p.b = dy + block * p.b_t + i * s->ow * CPU_LANES;
        for (int64_t c = 0; c < s->c; c++) {
            p.out = sums + (block * j->depth + c * s->kh * s->kw) * CPU_LANES;
            p.add = accumulate ? p.out : NULL;
            add_taps(j, &p, x + c * j->plane + i * j->window.pitch);
        }
    }
}

static void add_chunk(const planes_job *j, int64_t chunk, bool accumulate, float *copy, float *sums)
{
    const cpu_conv2d_data *d = j->d;
    const cpu_conv2d_sizes *s = &d->s;
    int64_t item = chunk / j->row_chunks, row = chunk % j->row_chunks * j->rows_per_chunk;
    int64_t rows = cpu_min(j->rows_per_chunk, s->oh - row), plane = s->oh * s->ow * CPU_LANES;
    const float *dy = d->dy + item * s->y_stride + row * s->ow * CPU_LANES;
    const float *x = d->dweight ? d->x + item * s->x_stride + (j->window.in_place ? row * s->w : 0) : NULL;
    for (int64_t c = 0; c < s->c && x && !j->window.in_place; c++)
        cpu_channels_copy(&j->window, x + c * s->h * s->w, row, j->rows_per_chunk, copy + c * j->plane);
    for (int64_t i = 0; i < rows && x; i += j->rows_at_once)
        add_rows(j, dy, j->window.in_place ? x : copy, i, cpu_min(j->rows_at_once, rows - i), accumulate || i > 0,
                 sums);
    for (int64_t block = 0; block < j->blocks && d->dbias; block++)
        cpu_table.lane_sums(dy + block * plane, rows * s->ow * CPU_LANES,
                            sums + (j->blocks * j->depth + block) * CPU_LANES);
}

static void split_task(const void *context, int64_t split, uint32_t worker)
{
    const planes_job *j = context;
    int64_t first = split * j->chunks_per_split, last = cpu_min(j->chunks, first + j->chunks_per_split);
    float *sums = j->partials + split * partial_floats(j);
    memset(sums + j->blocks * j->depth * CPU_LANES, 0, (size_t)(j->blocks * CPU_LANES) * sizeof *sums);
    for (int64_t chunk = first; chunk < last; chunk++)
        add_chunk(j, chunk, chunk > first, j->copies + worker * copy_floats(j), sums);
}

/* The sums of one output's weights, in [o][c][tap] where accumulate says so added to what is there. */
static void store_block(const void *context, int64_t block, uint32_t worker)
{
    (void)worker;
    const planes_job *j = context;
    int64_t outputs = cpu_min(CPU_LANES, j->d->s.o - block * CPU_LANES), floats = j->depth * CPU_LANES;
    float *sums = j->partials + block * floats;
    float lines[CPU_LANES][CPU_CHANNELS_MOST_TAPS];
    for (int64_t split = 1; split < j->splits; split++)
        cpu_table.scale(1, sums + split * partial_floats(j), sums, floats, true);
    for (int64_t first = 0; first < j->depth; first += CPU_CHANNELS_MOST_TAPS) {
        int64_t count = cpu_min(CPU_CHANNELS_MOST_TAPS, j->depth - first);
        cpu_table.rows_from_lanes(sums + first * CPU_LANES, count, lines[0], CPU_CHANNELS_MOST_TAPS, (int32_t)outputs);
        for (int64_t o = 0; o < outputs; o++)
            cpu_table.scale(1, lines[o], j->d->dweight + (block * CPU_LANES + o) * j->depth + first, count,
                            j->d->accumulate_weight);
    }
}

void cpu_planes_weight_gradient(const cpu_conv2d_data *d)
{
    planes_job j;
    planes_job_of(d, &j);
    j.copies = (float *)(void *)d->workspace;
    j.partials = j.copies + copy_floats(&j) * cpu_worker_count();
    cpu_parallel(j.splits, cpu_conv2d_work(&d->s), split_task, &j);
    if (d->dweight)
        cpu_parallel(j.blocks, j.splits * partial_floats(&j), store_block, &j);
    for (int64_t split = 0; split < j.splits && d->dbias; split++)
        cpu_table.scale(1, j.partials + split * partial_floats(&j) + j.blocks * j.depth * CPU_LANES, d->dbias, d->s.o,
                        split > 0 || d->accumulate_bias);
}
