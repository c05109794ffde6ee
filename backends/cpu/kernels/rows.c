/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Convolution in NCHW with vectors along the rows of the picture. A tile is some outputs by some vectors of pixels that
 * may lie anywhere; a step is one tap (channel, row and column of the kernel) at a constant offset from all of them:
 *
 *                      in[0] + offset   in[1] + offset ..     columns: 1..4 (AVX-512) or 1..2 vectors of pixels
 *      weights[0]  x   |  sum[0][0]        sum[0][1]  |
 *      weights[1]  x   |  sum[1][0]        sum[1][1]  |       rows: 1..6 outputs, their weights broadcast
 *          :           |      :                :      |
 */
#include "simd.h"

enum { ROWS = CPU_TILE_ROWS };

static ALWAYS_INLINE void finish(const cpu_rows *p, const int rows, const int columns, vec sum[ROWS][TILE_VECTORS])
{
    const vec low = vec_set(p->low), high = vec_set(p->high);
    const bool clamps = p->low > -INFINITY || p->high < INFINITY;
    const int64_t out_k = p->out_k;
    UNROLL
    for (int t = 0; t < columns; t++) {
        const int64_t n = p->spans[t].count;
        float *out = p->out + p->spans[t].out;
        const float *add = p->add ? p->add + p->spans[t].out : NULL;
        UNROLL
        for (int k = 0; k < rows; k++) {
            vec y = sum[k][t];
            if (add)
                y = y + vec_load_upto(add + k * out_k, n);
            if (clamps)
                y = vec_min(high, vec_max(low, y));
            vec_store_upto(out + k * out_k, y, n);
        }
    }
}

/* rows and columns are constants where this is inlined, so that sum lives in registers. */
static ALWAYS_INLINE void rows_loop(const cpu_rows *p, const int rows, const int columns)
{
    vec sum[ROWS][TILE_VECTORS];
    const float *in[TILE_VECTORS], *weights = p->weights;
    UNROLL
    for (int t = 0; t < columns; t++)
        in[t] = p->in + p->spans[t].in;
    UNROLL
    for (int k = 0; k < rows; k++) {
        UNROLL
        for (int t = 0; t < columns; t++)
            sum[k][t] = vec_set(p->bias ? p->bias[k] : 0);
    }
    for (const int32_t *tap = p->taps, *end = tap + p->tap_count; tap < end; tap++, weights += ROWS) {
        vec x[TILE_VECTORS];
        const int64_t offset = *tap;
        UNROLL
        for (int t = 0; t < columns; t++)
            x[t] = vec_load(in[t] + offset);
        UNROLL
        for (int k = 0; k < rows; k++) {
            const vec weight = vec_set(weights[k]);
            UNROLL
            for (int t = 0; t < columns; t++)
                sum[k][t] = vec_fma(weight, x[t], sum[k][t]);
        }
    }
    finish(p, rows, columns, sum);
}

typedef void rows_function(const cpu_rows *p);

/* clang-format off */
#define ROWS_BY(rows, columns) \
    static void rows_##rows##x##columns(const cpu_rows *p) { rows_loop(p, rows, columns); }
#if defined(CPU_ISA_AVX512)
#define ROWS_ROW(rows) ROWS_BY(rows, 1) ROWS_BY(rows, 2) ROWS_BY(rows, 3) ROWS_BY(rows, 4)
#define ROWS_ENTRY(rows) {rows_##rows##x1, rows_##rows##x2, rows_##rows##x3, rows_##rows##x4}
#else
#define ROWS_ROW(rows) ROWS_BY(rows, 1) ROWS_BY(rows, 2)
#define ROWS_ENTRY(rows) {rows_##rows##x1, rows_##rows##x2}
#endif
ROWS_ROW(1) ROWS_ROW(2) ROWS_ROW(3) ROWS_ROW(4) ROWS_ROW(5) ROWS_ROW(6)
/* clang-format on */

static void rows(const cpu_rows *p)
{
    static rows_function *const functions[ROWS][TILE_VECTORS] = {ROWS_ENTRY(1), ROWS_ENTRY(2), ROWS_ENTRY(3),
                                                                 ROWS_ENTRY(4), ROWS_ENTRY(5), ROWS_ENTRY(6)};
    functions[p->rows - 1][p->columns - 1](p);
}

static void pad_row(const float *x, int64_t width, int64_t before, float *out, int64_t pitch)
{
    before = before < pitch ? before : pitch;
    if (width > pitch - before)
        width = pitch - before;
    for (int64_t i = 0; i < before; i += VEC)
        vec_store_upto(out + i, vec_set(0), before - i);
    for (int64_t i = 0; i < width; i += VEC)
        vec_store_upto(out + before + i, vec_load_upto(x + i, width - i), width - i);
    for (int64_t i = before + width; i < pitch; i += VEC)
        vec_store_upto(out + i, vec_set(0), pitch - i);
}

void KERNEL(cpu_rows_init)(cpu_table_type *table)
{
    table->rows = rows;
    table->pad_row = pad_row;
}
