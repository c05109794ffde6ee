/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Blocked matrix product (Goto and van de Geijn 2008, without packing a: its rows are read as broadcasts, which come
 * from as many streams as the register tile has rows). A task owns a block of c and packs its part of b, DEPTH x
 * COLUMNS, into its thread's slice of the workspace.
 */
#include "gemm.h"
#include "kernels/kernels.h"

#include <math.h>
#include <string.h>

enum { DEPTH = 256, COLUMNS = 256, WANTED_TASKS = 8, LEAST_ROWS = 48 };

static int64_t panel_width(void)
{
    return (int64_t)cpu_table.tile_vectors * cpu_table.vector;
}

int64_t cpu_gemm_padded_columns(int64_t columns)
{
    return cpu_ceil(columns, panel_width()) * panel_width();
}

static int64_t slice_floats(int64_t n, int64_t k)
{
    return cpu_gemm_padded_columns(cpu_min(n, COLUMNS)) * cpu_min(k, DEPTH);
}

uint64_t cpu_gemm_workspace(int64_t n, int64_t k)
{
    return (uint64_t)slice_floats(n, k) * cpu_worker_count() * sizeof(float);
}

void cpu_gemm_packed_run(const cpu_gemm_packed *g)
{
    int64_t width = panel_width(), vector = cpu_table.vector;
    for (int64_t first = 0; first < g->columns; first += width) {
        int64_t columns = cpu_min(width, g->columns - first), vectors = cpu_ceil(columns, vector);
        cpu_tile tile = {.b = g->packed + first * g->depth,
                         .bias_columns = g->bias_n ? g->bias_n + first : NULL,
                         .out_k = g->c_m,
                         .out_t = vector,
                         .a_k = g->a_m,
                         .a_r = g->a_k,
                         .b_r = width,
                         .b_t = vector,
                         .depth = g->depth,
                         .columns = (int32_t)vectors,
                         .tail = (int32_t)(columns - (vectors - 1) * vector),
                         .accumulate = g->accumulate,
                         .low = g->low,
                         .high = g->high};
        for (int64_t row = 0; row < g->rows; row += CPU_TILE_ROWS) {
            tile.a = g->a + row * g->a_m;
            tile.out = g->c + row * g->c_m + first;
            tile.bias_rows = g->bias_m ? g->bias_m + row : NULL;
            tile.rows = (int32_t)cpu_min(CPU_TILE_ROWS, g->rows - row);
            cpu_table.tile(&tile);
        }
    }
}

void cpu_gemm_pack(const float *b, int64_t b_k, int64_t b_n, int64_t depth, int64_t columns, float *out)
{
    int64_t width = panel_width();
    int32_t lanes = (int32_t)cpu_min(width, CPU_LANES);
    for (int64_t first = 0; first < columns; first += width, b += width * b_n, out += depth * width) {
        int64_t here = cpu_min(width, columns - first);
        if (b_n == 1) {
            for (int64_t r = 0; r < depth; r++) {
                memcpy(out + r * width, b + r * b_k, (size_t)here * sizeof *out);
                memset(out + r * width + here, 0, (size_t)(width - here) * sizeof *out);
            }
            continue;
        }
        for (int64_t at = 0; at < width; at += lanes) {
            int64_t rows = cpu_max(0, cpu_min(lanes, here - at));
            cpu_table.lanes_from_rows(rows > 0 ? b + at * b_n : b, b_n, (int32_t)rows, depth, out + at, width, lanes);
        }
    }
}

typedef struct blocks {
    const cpu_gemm *gemm;
    int64_t rows, column_blocks; /* of a block of c */
} blocks;

static void block_task(const void *context, int64_t task, uint32_t worker)
{
    const blocks *split = context;
    const cpu_gemm *g = split->gemm;
    float *packed = g->workspace + worker * slice_floats(g->n, g->k);
    int64_t m0 = task / split->column_blocks * split->rows, n0 = task % split->column_blocks * COLUMNS;
    int64_t rows = cpu_min(split->rows, g->m - m0), columns = cpu_min(COLUMNS, g->n - n0);
    for (int64_t k0 = 0; k0 < g->k; k0 += DEPTH) {
        bool is_first = k0 == 0, is_last = k0 + DEPTH >= g->k;
        cpu_gemm_packed part = {.rows = rows,
                                .columns = columns,
                                .depth = cpu_min(DEPTH, g->k - k0),
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
        cpu_gemm_pack(g->b + k0 * g->b_k + n0 * g->b_n, g->b_k, g->b_n, part.depth, columns, packed);
        cpu_gemm_packed_run(&part);
    }
    for (int64_t row = m0; row < m0 + rows && g->epilogue.count > 0; row++)
        cpu_epilogue_apply(&g->epilogue, g->c + row * g->c_m + n0, columns);
}

void cpu_gemm_run(const cpu_gemm *g)
{
    blocks split = {.gemm = g, .column_blocks = cpu_ceil(g->n, COLUMNS)};
    int64_t row_blocks = cpu_max(1, cpu_min(WANTED_TASKS / split.column_blocks, g->m / LEAST_ROWS));
    split.rows = cpu_ceil(cpu_ceil(g->m, row_blocks), CPU_TILE_ROWS) * CPU_TILE_ROWS;
    cpu_parallel(split.column_blocks * cpu_ceil(g->m, split.rows), g->m * g->n * g->k / CPU_LANES, block_task, &split);
}
