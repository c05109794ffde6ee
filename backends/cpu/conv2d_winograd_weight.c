/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The weight's gradient by Winograd's algorithm, in nchw16c:
 *
 *     V [group][block of inputs][position][tile][16]     transformed input of a chunk of tiles
 *     W [group][block of outputs][position][tile][16]    transformed gradient of the output
 *     D [output block][input block][position][16 inputs][16 outputs]    sum over the tiles of V^T W
 *
 * and at the end the transform of D. There are three ways:
 *
 *     whole    V and W of all tiles stay in the caches: first all of them are transformed; then a task sums all
 *              positions of a few pairs of blocks and transforms them, and D is never more than that
 *     split    else, where D is small: the tiles are split into a few parts, each with a D of its own that stays in a
 *              core's second cache, as do the V and W of a chunk; they are added up in their order
 *     shared   else all threads work on one chunk after the other, first on its tiles, then on its positions
 */
#include "conv2d_winograd.h"

#include <math.h>
#include <string.h>

enum {
    ROWS = 15, /* tiles of a group; odd, so that the positions of a tile do not meet in a few sets of a cache */
    MOST_GROUPS = 64,
    MOST_SPLITS = 8,
    WHOLE_BYTES = 4 << 20,   /* of V and W */
    SPLIT_BYTES = 1 << 20,   /* of a D that each part has */
    PRIVATE_BYTES = 1 << 20, /* of V and W of a part's chunk */
    SHARED_BYTES = 16 << 20  /* of V and W of everybody's chunk */
};

/* One of x and dy, [items][blocks][h][w][16]. A tile begins at its first output's place less top and left. */
typedef struct side {
    const float *data;
    int64_t stride, blocks, h, w, top, left;
    void (*transform)(const cpu_winograd_gather *tile);
} side;

typedef struct job {
    const cpu_conv2d_data *d;
    cpu_winograd_sizes w;
    side x, dy;
    int64_t chunk, chunks; /* groups of a chunk at most, and how many chunks there are */
    bool is_whole;
    int64_t splits, chunks_per_split; /* 0 splits: all threads share a chunk */
    int64_t tile_pitch, weight_position, weight_pitch;
    int64_t d_floats; /* of a part's D; whole: of a task's */
    float *v, *sums;
    int64_t current; /* the chunk that all share */
} job;

static void plan(job *j)
{
    int64_t groups = cpu_ceil(j->w.tiles, ROWS);
    j->tile_pitch = (j->w.positions * ROWS + 1) * CPU_LANES;
    j->weight_position = (CPU_LANES + 1) * CPU_LANES;
    j->weight_pitch = j->w.positions * j->weight_position + CPU_LANES;
    int64_t bytes = j->tile_pitch * (j->w.in_blocks + j->w.out_blocks) * (int64_t)sizeof(float);
    j->is_whole = groups <= MOST_GROUPS && groups * bytes <= WHOLE_BYTES;
    j->d_floats = (j->is_whole ? CPU_BATCH_COLUMNS : j->w.in_blocks * j->w.out_blocks) * j->weight_pitch;
    bool is_split = !j->is_whole && j->d_floats * (int64_t)sizeof(float) <= SPLIT_BYTES;
    j->chunk = j->is_whole ? groups : cpu_max(1, (is_split ? PRIVATE_BYTES : SHARED_BYTES) / bytes);
    j->chunk = cpu_min(cpu_min(j->chunk, MOST_GROUPS), groups);
    j->chunks = cpu_ceil(groups, j->chunk);
    j->chunk = cpu_ceil(groups, j->chunks);
    j->chunks_per_split = is_split ? cpu_ceil(j->chunks, cpu_min(j->chunks, MOST_SPLITS)) : 0;
    j->splits = is_split ? cpu_ceil(j->chunks, j->chunks_per_split) : 0;
}

static job job_of(const cpu_conv2d_data *d, int64_t m)
{
    const cpu_conv2d_sizes *s = &d->s;
    job j = {.d = d, .w = cpu_winograd_sizes_of(s, m, false)};
    const cpu_winograd_table *kernels = &cpu_table.winograd[j.w.size];
    j.x = (side){d->x, s->x_stride, j.w.in_blocks, s->h, s->w, s->top, s->left, kernels->input};
    j.dy = (side){d->dy, s->y_stride, j.w.out_blocks, s->oh, s->ow, 0, 0, kernels->output_gradient};
    plan(&j);
    return j;
}

/* Floats of V and W of one chunk. */
static int64_t chunk_floats(const job *j)
{
    return j->chunk * (j->w.in_blocks + j->w.out_blocks) * j->tile_pitch;
}

/* How many Ds there are. */
static int64_t parts(const job *j)
{
    return j->is_whole ? cpu_worker_count() : cpu_max(1, j->splits);
}

static uint64_t workspace_bytes(const job *j)
{
    int64_t chunks = j->splits > 0 ? cpu_worker_count() : 1;
    return (uint64_t)(chunks * chunk_floats(j) + parts(j) * j->d_floats) * sizeof(float);
}

/* Transforms one block of 16 channels of a group of tiles; those that a last group lacks are zeros. */
static void transform_group(const job *j, const side *s, int64_t group, int64_t channels, float *out)
{
    int64_t first = group * ROWS, count = cpu_min(ROWS, j->w.tiles - first);
    cpu_winograd_gather tile = {.h = s->h, .w = s->w, .out_position = ROWS * CPU_LANES};
    for (int64_t t = 0; t < count; t++) {
        cpu_winograd_place at = cpu_winograd_place_of(&j->w, first + t);
        tile.plane = s->data + at.item * s->stride + channels * s->h * s->w * CPU_LANES;
        tile.row = at.row - s->top;
        tile.column = at.column - s->left;
        tile.out = out + t * CPU_LANES;
        s->transform(&tile);
    }
    for (int64_t p = 0; p < j->w.positions && count < ROWS; p++)
        memset(out + (p * ROWS + count) * CPU_LANES, 0, (size_t)((ROWS - count) * CPU_LANES) * sizeof *out);
}

static int64_t groups_of(const job *j, int64_t chunk)
{
    return cpu_min(j->chunk, cpu_ceil(j->w.tiles, ROWS) - chunk * j->chunk);
}

/* Block number of a chunk's: those of V's groups, then those of W's. */
static void transform_block(const job *j, int64_t chunk, int64_t block, float *v)
{
    int64_t v_blocks = groups_of(j, chunk) * j->w.in_blocks;
    const side *s = block < v_blocks ? &j->x : &j->dy;
    int64_t at = block < v_blocks ? block : block - v_blocks;
    float *out = v + (block < v_blocks ? at : j->chunk * j->w.in_blocks + at) * j->tile_pitch;
    transform_group(j, s, chunk * j->chunk + at / s->blocks, at % s->blocks, out);
}

/* Rows of 16, in as many products as the registers ask for. */
static void multiply_rows(cpu_batch_reduce *p, bool accumulate)
{
    const float *a = p->a;
    float *out = p->out;
    int64_t parts = cpu_ceil(CPU_LANES, cpu_table.batch_rows[p->columns - 1]);
    for (int64_t i = 0, row = 0; i < parts; i++, row += p->rows) {
        p->rows = (int32_t)cpu_ceil(CPU_LANES - row, parts - i);
        p->a = a + row;
        p->out = out + row * CPU_LANES;
        p->add = accumulate ? p->out : NULL;
        cpu_table.batch_reduce(p);
    }
}

/* A chunk's products of one position, of columns blocks of outputs from o on and a block of inputs, c. out, out_t:
   where the position's sums of their D begin, from one block of outputs to the next. */
static void multiply_blocks(const job *j, int64_t chunk, int64_t position, int64_t o, int32_t columns, int64_t c,
                            bool accumulate, const float *v, float *out, int64_t out_t)
{
    cpu_batch_term terms[MOST_GROUPS];
    int64_t ins = j->w.in_blocks, outs = j->w.out_blocks, offset = position * ROWS * CPU_LANES;
    cpu_batch_reduce p = {.out = out,
                          .a = v + c * j->tile_pitch + offset,
                          .b = v + (j->chunk * ins + o) * j->tile_pitch + offset,
                          .terms = terms,
                          .count = groups_of(j, chunk),
                          .depth = ROWS,
                          .out_r = CPU_LANES,
                          .out_t = out_t,
                          .b_t = j->tile_pitch,
                          .columns = columns,
                          .layout = CPU_BATCH_CHANNELS,
                          .low = -INFINITY,
                          .high = INFINITY};
    for (int64_t g = 0; g < p.count; g++)
        terms[g] = (cpu_batch_term){g * ins * j->tile_pitch, g * outs * j->tile_pitch};
    multiply_rows(&p, accumulate);
}

static int32_t columns_from(const job *j, int64_t o)
{
    return (int32_t)cpu_min(cpu_table.batch_columns, j->w.out_blocks - o);
}

/* One position's products of a chunk: D overwritten or added to. */
static void multiply(const job *j, int64_t chunk, int64_t position, bool accumulate, const float *v, float *sums)
{
    int64_t ins = j->w.in_blocks;
    for (int64_t o = 0; o < j->w.out_blocks; o += columns_from(j, o))
        for (int64_t c = 0; c < ins; c++)
            multiply_blocks(j, chunk, position, o, columns_from(j, o), c, accumulate, v,
                            sums + (o * ins + c) * j->weight_pitch + position * j->weight_position,
                            ins * j->weight_pitch);
}

/* The sums of a pair of blocks become [O,C,3,3]. */
static void finish_pair(const job *j, int64_t out_block, int64_t in_block, float *sums)
{
    int64_t o = out_block * CPU_LANES, c = in_block * CPU_LANES, channels = j->w.ic;
    int32_t rows = (int32_t)cpu_min(CPU_LANES, j->w.oc - o), columns = (int32_t)cpu_min(CPU_LANES, channels - c);
    float lanes[CPU_LANES * 9 * CPU_LANES];
    cpu_winograd_weights block = {.weights = lanes,
                                  .positions = sums,
                                  .weight_c = 9 * CPU_LANES,
                                  .position = j->weight_position,
                                  .position_c = CPU_LANES,
                                  .channels = columns};
    cpu_table.winograd[j->w.size].weights_gradient(&block);
    cpu_table.rows_from_lanes(lanes, columns * 9, j->d->dweight + (o * channels + c) * 9, channels * 9, rows,
                              j->d->accumulate_weight);
}

/* ---- Tasks ---- */

static void split_task(const void *context, int64_t split, uint32_t worker)
{
    const job *j = context;
    float *v = j->v + worker * chunk_floats(j), *sums = j->sums + split * j->d_floats;
    int64_t first = split * j->chunks_per_split, last = cpu_min(j->chunks, first + j->chunks_per_split);
    for (int64_t chunk = first; chunk < last; chunk++) {
        for (int64_t b = 0; b < groups_of(j, chunk) * (j->w.in_blocks + j->w.out_blocks); b++)
            transform_block(j, chunk, b, v);
        for (int64_t p = 0; p < j->w.positions; p++)
            multiply(j, chunk, p, chunk > first, v, sums);
    }
}

static void transform_task(const void *context, int64_t block, uint32_t worker)
{
    (void)worker;
    const job *j = context;
    transform_block(j, j->current, block, j->v);
}

static void position_task(const void *context, int64_t position, uint32_t worker)
{
    (void)worker;
    const job *j = context;
    multiply(j, j->current, position, j->current > 0, j->v, j->sums);
}

/* Whole: a block of inputs and some of outputs. */
static void whole_task(const void *context, int64_t number, uint32_t worker)
{
    const job *j = context;
    float *sums = j->sums + worker * j->d_floats;
    int64_t o = number / j->w.in_blocks * cpu_table.batch_columns, c = number % j->w.in_blocks;
    int32_t columns = columns_from(j, o);
    for (int64_t p = 0; p < j->w.positions; p++)
        multiply_blocks(j, 0, p, o, columns, c, false, j->v, sums + p * j->weight_position, j->weight_pitch);
    for (int64_t t = 0; t < columns; t++)
        finish_pair(j, o + t, c, sums + t * j->weight_pitch);
}

/* A pair of blocks: the splits' sums are added up. */
static void finish_task(const void *context, int64_t pair, uint32_t worker)
{
    (void)worker;
    const job *j = context;
    float *sums = j->sums + pair * j->weight_pitch;
    for (int64_t split = 1; split < j->splits; split++)
        for (int64_t p = 0; p < j->w.positions; p++)
            cpu_table.scale(1, sums + split * j->d_floats + p * j->weight_position, sums + p * j->weight_position,
                            CPU_LANES * CPU_LANES, true);
    finish_pair(j, pair / j->w.in_blocks, pair % j->w.in_blocks, sums);
}

static void bias_task(const void *context, int64_t block, uint32_t worker)
{
    (void)worker;
    const job *j = context;
    const cpu_conv2d_data *d = j->d;
    int64_t count = d->s.oh * d->s.ow * CPU_LANES;
    double totals[CPU_LANES] = {0};
    for (int64_t n = 0; n < d->s.n; n++) {
        float sums[CPU_LANES] = {0};
        cpu_table.lane_sums(d->dy + n * d->s.y_stride + block * count, count, sums);
        for (int i = 0; i < CPU_LANES; i++)
            totals[i] += sums[i];
    }
    for (int64_t i = 0, o = block * CPU_LANES; i < CPU_LANES && o + i < d->s.o; i++)
        d->dbias[o + i] = (float)(totals[i] + (d->accumulate_bias ? d->dbias[o + i] : 0));
}

void cpu_winograd_weight_gradient(const cpu_conv2d_data *d, int64_t m)
{
    job j = job_of(d, m);
    int64_t work = cpu_conv2d_work(&d->s), blocks = j.w.in_blocks + j.w.out_blocks;
    j.sums = (float *)(void *)d->workspace;
    j.v = j.sums + parts(&j) * j.d_floats;
    if (j.splits > 0)
        cpu_parallel(j.splits, work, split_task, &j);
    for (j.current = 0; j.splits == 0 && j.current < j.chunks; j.current++) {
        cpu_parallel(groups_of(&j, j.current) * blocks, work / j.chunks, transform_task, &j);
        if (!j.is_whole)
            cpu_parallel(j.w.positions, work / j.chunks, position_task, &j);
    }
    if (j.is_whole)
        cpu_parallel(cpu_ceil(j.w.out_blocks, cpu_table.batch_columns) * j.w.in_blocks, work, whole_task, &j);
    else
        cpu_parallel(j.w.in_blocks * j.w.out_blocks, j.d_floats, finish_task, &j);
    if (d->dbias)
        cpu_parallel(j.w.out_blocks, d->s.n * d->s.oh * d->s.ow * j.w.out_blocks, bias_task, &j);
}

uint64_t cpu_winograd_weight_workspace(const cpu_conv2d_sizes *s, int64_t m)
{
    cpu_conv2d_data d = {.s = *s};
    job j = job_of(&d, m);
    return workspace_bytes(&j);
}
