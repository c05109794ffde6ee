/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linear in nchw16n: y[o] = sum over i of weight[o,i] x[i], each x[i] a vector of 16 items. Nothing is packed: a
 * register tile is 6 outputs by some blocks. The weight's gradient sums over items, so x and dy are brought back into
 * rows for it, a panel at a time.
 */
#include "gemm.h"
#include "kernels/kernels.h"
#include "linear.h"

#include <math.h>
#include <string.h>

enum {
    TASK_STEPS = 1 << 15,
    DEPTH = 256,
    PANEL_ITEMS = 256,
    STRIP = 8 * CPU_TILE_ROWS,
    PANELS = 8,
    MANY_ITEMS = 128,
    CACHE_BYTES = 2 << 20
};

/* out[k] (+)= sum over r of a[k * a_k + r * a_r] in[r], k < outputs, r < depth, for every block. */
typedef struct product {
    int64_t outputs, depth, blocks, a_k, a_r;
    const float *a, *in, *bias;
    float *out;
    bool accumulate;
    cpu_epilogue epilogue;
    int64_t outputs_per_task;
} product;

/* Outputs [first, last) of blocks [block, block + count), which make one register tile. */
static void product_tile(const product *p, int64_t block, int64_t count, int64_t first, int64_t last, int64_t depth,
                         int64_t deep)
{
    bool is_first = depth == 0, is_last = depth + deep == p->depth;
    cpu_tile tile = {.out_k = CPU_LANES,
                     .out_t = p->outputs * CPU_LANES,
                     .a_k = p->a_k,
                     .a_r = p->a_r,
                     .b_r = CPU_LANES,
                     .b_t = p->depth * CPU_LANES,
                     .depth = deep,
                     .columns = (int32_t)count,
                     .tail = cpu_table.vector,
                     .accumulate = p->accumulate || !is_first,
                     .low = is_last ? p->epilogue.low : -INFINITY,
                     .high = is_last ? p->epilogue.high : INFINITY};
    /* Rows of a whole page apart meet in a few sets of the cache: such a part of a is copied first. */
    float strip[STRIP * DEPTH];
    bool copies = p->a_k == 1 && p->a_r % (4096 / (int64_t)sizeof(float)) == 0;
    if (copies)
        tile.a_r = STRIP;
    for (int64_t k = first; k < last; k += CPU_TILE_ROWS) {
        tile.rows = (int32_t)cpu_min(CPU_TILE_ROWS, last - k);
        tile.a = p->a + k * p->a_k + depth * p->a_r;
        int64_t in_strip = (k - first) % STRIP;
        for (int64_t r = 0; r < deep && copies && in_strip == 0; r++)
            memcpy(strip + r * STRIP, tile.a + r * p->a_r, (size_t)cpu_min(STRIP, last - k) * sizeof *strip);
        if (copies)
            tile.a = strip + in_strip;
        tile.bias_rows = is_first && p->bias ? p->bias + k : NULL;
        for (int64_t part = 0; part < CPU_LANES; part += cpu_table.vector) {
            tile.b = p->in + (block * p->depth + depth) * CPU_LANES + part;
            tile.out = p->out + (block * p->outputs + k) * CPU_LANES + part;
            cpu_table.tile(&tile);
        }
    }
}

static void product_task(const void *context, int64_t task, uint32_t worker)
{
    (void)worker;
    const product *p = context;
    int64_t first = task * p->outputs_per_task, last = cpu_min(p->outputs, first + p->outputs_per_task);
    for (int64_t block = 0; block < p->blocks; block += cpu_table.tile_vectors) {
        int64_t count = cpu_min(cpu_table.tile_vectors, p->blocks - block);
        for (int64_t depth = 0; depth < p->depth; depth += DEPTH)
            product_tile(p, block, count, first, last, depth, cpu_min(DEPTH, p->depth - depth));
        for (int64_t b = block; b < block + count && p->epilogue.count > 0; b++)
            cpu_epilogue_apply(&p->epilogue, p->out + (b * p->outputs + first) * CPU_LANES, (last - first) * CPU_LANES);
    }
}

static void product_run(product *p)
{
    int64_t tiles = TASK_STEPS / cpu_max(1, CPU_TILE_ROWS * p->depth * p->blocks);
    p->outputs_per_task = CPU_TILE_ROWS * cpu_max(1, tiles);
    /* Where neighbouring outputs are neighbours in a, whole cache lines of it. */
    if (p->a_k == 1)
        p->outputs_per_task = cpu_ceil(p->outputs_per_task, STRIP) * STRIP;
    cpu_parallel(cpu_ceil(p->outputs, p->outputs_per_task), p->outputs * p->depth * p->blocks, product_task, p);
}

/* ---- The weight's gradient ---- */

typedef struct weight_job {
    cpu_linear_sizes s;
    const float *x, *rows; /* rows: dy as [n][o] */
    float *dweight, *panels;
    bool accumulate;
} weight_job;

/* Of a task's panels of inputs. */
static int64_t panel_floats(int64_t n)
{
    return cpu_min(cpu_ceil(n, CPU_LANES) * CPU_LANES, PANEL_ITEMS) * PANELS * CPU_GEMM_PANEL;
}

/* dweight[.., i0 ..] for some panels of inputs, a range of items after the other. */
static void weight_task(const void *context, int64_t task, uint32_t worker)
{
    const weight_job *j = context;
    int64_t i0 = task * PANELS * CPU_GEMM_PANEL, columns = cpu_min(PANELS * CPU_GEMM_PANEL, j->s.i - i0);
    float *panels = j->panels + worker * panel_floats(j->s.n);
    for (int64_t n0 = 0; n0 < j->s.n; n0 += PANEL_ITEMS) {
        int64_t items = cpu_min(PANEL_ITEMS, j->s.n - n0);
        for (int64_t n = 0; n < items; n += CPU_LANES)
            for (int64_t i = 0; i < columns; i += CPU_GEMM_PANEL)
                cpu_table.rows_from_lanes(j->x + (n0 + n) / CPU_LANES * j->s.x_stride + (i0 + i) * CPU_LANES,
                                          cpu_min(CPU_GEMM_PANEL, columns - i), panels + i * items + n * CPU_GEMM_PANEL,
                                          CPU_GEMM_PANEL, (int32_t)cpu_min(CPU_LANES, items - n), false);
        /* Behind the last column the panel holds anything: those products are not stored. */
        cpu_gemm_packed part = {.rows = j->s.o,
                                .columns = columns,
                                .depth = items,
                                .a = j->rows + n0 * j->s.o,
                                .a_m = 1,
                                .a_k = j->s.o,
                                .packed = panels,
                                .c = j->dweight + i0,
                                .c_m = j->s.i,
                                .accumulate = j->accumulate || n0 > 0,
                                .low = -INFINITY,
                                .high = INFINITY};
        cpu_gemm_packed_run(&part);
    }
}

static int64_t rows_floats(const cpu_linear_sizes *s)
{
    return cpu_ceil(s->n * s->o, CPU_LANES) * CPU_LANES;
}

static void parameter_gradients(const cpu_linear_sizes *s, const float *x, const float *dy, float *workspace,
                                float *dweight, float *dbias, uint32_t accumulate)
{
    weight_job j = {.s = *s, .x = x, .rows = workspace, .dweight = dweight, .panels = workspace + rows_floats(s)};
    j.accumulate = accumulate >> LINNET_LINEAR_WEIGHT & 1;
    for (int64_t n = 0; n < s->n; n += CPU_LANES)
        cpu_table.rows_from_lanes(dy + n / CPU_LANES * s->y_stride, s->o, workspace + n * s->o, s->o,
                                  (int32_t)cpu_min(CPU_LANES, s->n - n), false);
    if (dweight)
        cpu_parallel(cpu_ceil(s->i, PANELS * CPU_GEMM_PANEL), s->n * s->i * s->o / CPU_LANES, weight_task, &j);
    bool accumulate_bias = accumulate >> LINNET_LINEAR_BIAS & 1;
    for (int64_t n = 0; n < s->n && dbias; n++)
        cpu_table.scale(1, j.rows + n * s->o, dbias, s->o, accumulate_bias || n > 0);
}

/* ---- The algorithm ---- */

int cpu_linear_describe_blocked(const linnet_layer_desc *desc, linnet_candidate *out)
{
    cpu_linear_sizes s = cpu_linear_sizes_of(desc);
    cpu_linear_describe(desc, out, CPU_FORMAT_NCHW16N);
    if (desc->direction == LINNET_BACKWARD) {
        int64_t panels = panel_floats(s.n) * cpu_worker_count();
        if (desc->want_parameters)
            out->workspace_bytes = (uint64_t)(rows_floats(&s) + panels) * sizeof(float);
        if (desc->forward)
            return strcmp(desc->forward, out->name) == 0 ? CPU_PREFER : CPU_AVOID;
    }
    /* Measured: the matrix product in NCHW packs its weights anew in every run, which costs it about a third of few
       items. Here every block of 16 items reads all weights: of many, that do not stay in the second cache, too often.
     */
    if (s.n >= MANY_ITEMS && s.i * s.o * (int64_t)sizeof(float) > CACHE_BYTES)
        return CPU_AVOID;
    return cpu_fills_lanes(s.n, cpu_is_nchw16n(&desc->inputs[0]) ? 37 : 60) ? CPU_PREFER : CPU_AVOID;
}

void cpu_linear_forward_blocked(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    cpu_linear_sizes s = cpu_linear_sizes_of(desc);
    product p = {.outputs = s.o,
                 .depth = s.i,
                 .blocks = cpu_ceil(s.n, CPU_LANES),
                 .a_k = s.i,
                 .a_r = 1,
                 .a = cpu_view(args->parameters[LINNET_LINEAR_WEIGHT]),
                 .in = cpu_view(args->inputs[0]),
                 .bias = desc->parameter_count > 1 ? cpu_view(args->parameters[LINNET_LINEAR_BIAS]) : NULL,
                 .out = cpu_view(args->outputs[0]),
                 .epilogue = cpu_epilogue_of(desc, args)};
    product_run(&p);
}

void cpu_linear_backward_blocked(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    cpu_linear_sizes s = cpu_linear_sizes_of(desc);
    const float *dy = cpu_view(args->output_gradients[0]);
    float *dx = cpu_view_at(args->input_gradients, 0);
    float *dweight = cpu_view_at(args->parameter_gradients, LINNET_LINEAR_WEIGHT);
    float *dbias = desc->parameter_count > 1 ? cpu_view_at(args->parameter_gradients, LINNET_LINEAR_BIAS) : NULL;
    if (dx) {
        product p = {.outputs = s.i,
                     .depth = s.o,
                     .blocks = cpu_ceil(s.n, CPU_LANES),
                     .a_k = 1,
                     .a_r = s.i,
                     .a = cpu_view(args->parameters[LINNET_LINEAR_WEIGHT]),
                     .in = dy,
                     .out = dx,
                     .accumulate = args->accumulate_inputs & 1,
                     .epilogue = {.low = -INFINITY, .high = INFINITY}};
        product_run(&p);
    }
    if (dweight || dbias)
        parameter_gradients(&s, cpu_view_at(args->inputs, 0), dy, cpu_view(args->workspace), dweight, dbias,
                            args->accumulate_parameters);
}
