/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocked matrix product (Goto and van de Geijn 2008) on the batch-reduce kernel, rows and columns of its register tile
 * as kernels/batch_reduce.c has them; for AVX-512:
 *
 *                         b, packed: [DEPTH][16] panels, in the second cache
 *                        |  16  |  16  |  16  |  16  | .. COLUMNS
 *      a   strip of 14   | c: 14 x 32  |             |      A task owns a block of c, of at most ROWS x COLUMNS, which
 *          strip of 14   |             |             |      stays in the second cache while it goes through k by
 *            :           |             |             |      parts of at most DEPTH.
 *
 * b is read as it lies where it has rows and packing would not pay. A strip of a, [DEPTH][16], is packed into the first
 * cache and used for all columns of the block. How c is split into blocks may depend on the number of threads: every
 * element is the same sum in the same order wherever it lies.
 */
#include "gemm.h"
#include "kernels/kernels.h"

#include <math.h>
#include <stdalign.h>
#include <string.h>

enum { PANEL = CPU_GEMM_PANEL, DEPTH = 256, ROWS = 1024, COLUMNS = 768, LEAST_ROWS = 112, LEAST_COLUMNS = 64 };
enum { MOST_STRIP_ROWS = 16, FEW_ROWS = 28, FEW_ROWS_OF_SMALL = 64, SMALL_FLOATS = 1 << 18 };

/* ---- Packing ---- */

void cpu_gemm_pack(const float *b, int64_t b_k, int64_t b_n, int64_t depth, int64_t columns, float *out)
{
    if (b_n == 1) {
        for (int64_t k = 0; k < depth; k++, b += b_k, out += PANEL)
            cpu_gemm_pack_row(b, depth, columns, out);
        return;
    }
    for (int64_t n = 0; n < columns; n += PANEL)
        cpu_table.lanes_from_rows(b + n * b_n, b_n, (int32_t)cpu_min(PANEL, columns - n), depth, out + n * depth, PANEL,
                                  PANEL);
}

/* strip[k][r] = a[r, k]; after: rows of a from the strip's first on. */
static void pack_strip(const cpu_gemm_packed *g, int64_t row, int64_t rows, int64_t k0, int64_t depth, float *strip)
{
    const float *a = g->a + row * g->a_m + k0 * g->a_k;
    if (g->a_k == 1) {
        int64_t lanes = cpu_ceil(rows, cpu_table.vector) * cpu_table.vector;
        cpu_table.lanes_from_rows(a, g->a_m, (int32_t)rows, depth, strip, PANEL, (int32_t)lanes);
    } else if (g->a_m == 1 && g->rows - row >= PANEL) {
        cpu_table.copy_lines(a, g->a_k, strip, depth);
    } else {
        for (int64_t k = 0; k < depth; k++)
            for (int64_t r = 0; r < rows; r++)
                strip[k * PANEL + r] = a[r * g->a_m + k * g->a_k];
    }
}

/* ---- A product with b packed ---- */

/* The register tile for so many rows: as wide as they allow, but no wider than two where there are many. */
static int64_t tile_columns(int64_t rows)
{
    int64_t columns = cpu_min(2, cpu_table.batch_columns);
    while (columns < cpu_table.batch_columns && rows <= cpu_table.batch_rows[columns])
        columns++;
    return columns;
}

/* The last panel, of which columns count: by way of a tile of its own. p is left without add and bias. */
static void edge_tile(cpu_batch_reduce *p, int64_t columns)
{
    alignas(CPU_ALIGNMENT) float tile[MOST_STRIP_ROWS * PANEL] = {0}, bias[PANEL] = {0};
    size_t bytes = (size_t)columns * sizeof(float);
    float *out = p->out;
    int64_t out_r = p->out_r;
    if (p->bias)
        p->bias = memcpy(bias, p->bias, bytes);
    for (int64_t r = 0; r < p->rows && p->add; r++)
        memcpy(tile + r * PANEL, out + r * out_r, bytes);
    p->add = p->add ? tile : NULL;
    p->columns = 1;
    p->out = tile;
    p->out_r = PANEL;
    cpu_table.batch_reduce(p);
    for (int64_t r = 0; r < p->rows; r++)
        memcpy(out + r * out_r, tile + r * PANEL, bytes);
    p->out = out;
    p->out_r = out_r;
    p->add = p->bias = NULL;
}

/* A strip times all panels; p: of the strip's first tile. b and bias are the same again afterwards; while it runs, p is
   changed in place: copying what was only just written waits until the sums before it are in the cache. */
static void strip_run(const cpu_gemm_packed *g, cpu_batch_reduce *p, int64_t step)
{
    const float *b = p->b, *bias = p->bias;
    float *out = p->out;
    bool adds = p->add != NULL;
    for (int64_t n = 0; n < g->columns; n += p->columns * PANEL) {
        p->columns = (int32_t)cpu_max(1, cpu_min(step, (g->columns - n) / PANEL));
        p->b = b + n / PANEL * p->b_t;
        p->out = out + n;
        p->add = adds ? p->out : NULL;
        p->bias = bias ? bias + n : NULL;
        if (g->columns - n < PANEL)
            edge_tile(p, g->columns - n);
        else
            cpu_table.batch_reduce(p);
    }
    p->b = b;
    p->bias = bias;
}

/* Rows of c get their bias first and are added to. */
static void start_rows(const cpu_gemm_packed *g)
{
    for (int64_t m = 0; m < g->rows; m++)
        for (int64_t n = 0; n < g->columns; n++)
            g->c[m * g->c_m + n] = g->accumulate ? g->c[m * g->c_m + n] + g->bias_m[m] : g->bias_m[m];
}

/* Depth [k0, k0 + depth) of the sums. Panels of b are one product, rows of it one each. */
static void depth_run(const cpu_gemm_packed *g, int64_t k0, int64_t depth)
{
    alignas(CPU_ALIGNMENT) float strip[DEPTH * PANEL];
    cpu_batch_term terms[DEPTH] = {{0, 0}};
    int64_t count = g->b_k ? cpu_max(1, depth) : 1;
    bool is_first = k0 == 0, is_last = k0 + depth == g->depth;
    cpu_batch_reduce p = {.a = strip,
                          .b = g->packed + k0 * (g->b_k ? g->b_k : PANEL),
                          .terms = terms,
                          .count = count,
                          .bias = is_first ? g->bias_n : NULL,
                          .depth = depth / count,
                          .out_r = g->c_m,
                          .out_t = PANEL,
                          .b_t = g->b_k ? PANEL : g->depth * PANEL,
                          .layout = CPU_BATCH_CHANNELS,
                          .low = is_last ? g->low : -INFINITY,
                          .high = is_last ? g->high : INFINITY};
    for (int64_t k = 0; k < count; k++)
        terms[k] = (cpu_batch_term){.a = k * PANEL, .b = k * g->b_k};
    int64_t step = tile_columns(g->rows), tiles = cpu_ceil(g->rows, cpu_table.batch_rows[step - 1]);
    for (int64_t tile = 0, row = 0; tile < tiles; tile++, row += p.rows) {
        p.rows = (int32_t)cpu_ceil(g->rows - row, tiles - tile);
        p.out = g->c + row * g->c_m;
        p.add = g->accumulate || g->bias_m || !is_first ? p.out : NULL;
        pack_strip(g, row, p.rows, k0, depth, strip);
        strip_run(g, &p, step);
    }
}

void cpu_gemm_packed_run(const cpu_gemm_packed *g)
{
    int64_t parts = cpu_max(1, cpu_ceil(g->depth, DEPTH));
    if (g->bias_m)
        start_rows(g);
    for (int64_t part = 0, k0 = 0, depth; part < parts; part++, k0 += depth) {
        depth = cpu_ceil(g->depth - k0, parts - part);
        depth_run(g, k0, depth);
    }
}

/* ---- A product of dense matrices ---- */

static int64_t slice_floats(int64_t n, int64_t k)
{
    return cpu_gemm_padded_columns(cpu_min(n, COLUMNS)) * cpu_min(k, DEPTH);
}

uint64_t cpu_gemm_workspace(int64_t n, int64_t k)
{
    return (uint64_t)slice_floats(n, k) * cpu_worker_count() * sizeof(float);
}

typedef struct blocks {
    const cpu_gemm *gemm;
    int64_t rows, columns; /* of a block of c */
    int64_t across;        /* blocks of columns */
} blocks;

/* Few rows do not repay packing b, some more not where the second cache holds all of b. */
static bool reads_in_place(const cpu_gemm *g, int64_t rows)
{
    return g->b_n == 1 && rows <= (g->n * g->k <= SMALL_FLOATS ? FEW_ROWS_OF_SMALL : FEW_ROWS);
}

static void run_in_place(cpu_gemm_packed part, const float *b, int64_t b_k, int64_t columns)
{
    part.packed = b;
    part.b_k = b_k;
    part.columns = columns;
    cpu_gemm_packed_run(&part);
}

static void block_task(const void *context, int64_t task, uint32_t worker)
{
    const blocks *split = context;
    const cpu_gemm *g = split->gemm;
    float *packed = g->workspace + worker * slice_floats(g->n, g->k);
    int64_t m0 = task / split->across * split->rows, n0 = task % split->across * split->columns;
    int64_t rows = cpu_min(split->rows, g->m - m0), columns = cpu_min(split->columns, g->n - n0);
    int64_t parts = cpu_max(1, cpu_ceil(g->k, DEPTH));
    int64_t as_it_lies = reads_in_place(g, rows) ? columns / PANEL * PANEL : 0;
    for (int64_t i = 0, k0 = 0, depth; i < parts; i++, k0 += depth) {
        bool is_first = i == 0, is_last = i + 1 == parts;
        const float *b = g->b + k0 * g->b_k + n0 * g->b_n;
        depth = cpu_ceil(g->k - k0, parts - i);
        cpu_gemm_packed part = {.rows = rows,
                                .columns = columns,
                                .depth = depth,
                                .a = g->a + m0 * g->a_m + k0 * g->a_k,
                                .a_m = g->a_m,
                                .a_k = g->a_k,
                                .packed = packed,
                                .c = g->c + m0 * g->c_m + n0,
                                .c_m = g->c_m,
                                .bias_n = is_first && g->bias_n ? g->bias_n + n0 : NULL,
                                .accumulate = g->accumulate || !is_first,
                                .low = is_last ? g->epilogue.low : -INFINITY,
                                .high = is_last ? g->epilogue.high : INFINITY};
        if (as_it_lies > 0)
            run_in_place(part, b, g->b_k, as_it_lies);
        if (as_it_lies < columns) {
            part.columns -= as_it_lies;
            part.c += as_it_lies;
            part.bias_n = part.bias_n ? part.bias_n + as_it_lies : NULL;
            cpu_gemm_pack(b + as_it_lies * g->b_n, g->b_k, g->b_n, depth, part.columns, packed);
            cpu_gemm_packed_run(&part);
        }
    }
    for (int64_t row = m0; row < m0 + rows && g->epilogue.count > 0; row++)
        cpu_epilogue_apply(&g->epilogue, g->c + row * g->c_m + n0, columns);
}

/* Large blocks pack less; each thread should get a few. */
static blocks split_of(const cpu_gemm *g)
{
    int64_t wanted = cpu_worker_count() > 1 ? 2 * (int64_t)cpu_worker_count() : 1;
    int64_t down = cpu_ceil(g->m, ROWS), across = cpu_ceil(g->n, COLUMNS);
    while (down * across < wanted) {
        if (g->m / down >= 2 * LEAST_ROWS && g->m / down >= g->n / across)
            down++;
        else if (g->n / across >= 2 * LEAST_COLUMNS)
            across++;
        else
            break;
    }
    blocks split = {.gemm = g, .rows = cpu_ceil(g->m, down)};
    split.columns = cpu_ceil(cpu_ceil(g->n, across), 2 * PANEL) * 2 * PANEL;
    split.across = cpu_ceil(g->n, split.columns);
    return split;
}

void cpu_gemm_run(const cpu_gemm *g)
{
    blocks split = split_of(g);
    cpu_parallel(split.across * cpu_ceil(g->m, split.rows), g->m * g->n * g->k / CPU_LANES, block_task, &split);
}
