/* SPDX-License-Identifier: Apache-2.0 */
/* The matrix kernel: a register tile of CPU_TILE_ROWS by TILE_VECTORS vectors. A step is a broadcast times a vector. */
#include "simd.h"

/* rows, columns and is_partial are constants where this is inlined, so that sum lives in registers. */
static ALWAYS_INLINE void tile_loop(const cpu_tile *t, const int rows, const int columns, const bool is_partial)
{
    vec sum[CPU_TILE_ROWS][TILE_VECTORS];
    const float *a = t->a, *b = t->b;
    const int64_t a_k = t->a_k, a_r = t->a_r, b_r = t->b_r, b_t = t->b_t;
    UNROLL
    for (int k = 0; k < rows; k++) {
        UNROLL
        for (int c = 0; c < columns; c++)
            sum[k][c] = vec_set(0);
    }
    for (int64_t r = t->depth; r > 0; r--) {
        vec x[TILE_VECTORS];
        UNROLL
        for (int c = 0; c < columns; c++)
            x[c] = is_partial ? vec_load_n(b + c * b_t, t->tail) : vec_load(b + c * b_t);
        UNROLL
        for (int k = 0; k < rows; k++) {
            vec w = vec_set(a[k * a_k]);
            UNROLL
            for (int c = 0; c < columns; c++)
                sum[k][c] = vec_fma(w, x[c], sum[k][c]);
        }
        a += a_r;
        b += b_r;
    }
    const vec low = vec_set(t->low), high = vec_set(t->high);
    const bool has_low = t->low > -INFINITY, has_high = t->high < INFINITY;
    const float *bias_rows = t->bias_rows, *bias_columns = t->bias_columns;
    const int64_t out_k = t->out_k, out_t = t->out_t, tail = t->tail;
    const bool accumulate = t->accumulate;
    float *first = t->out;
    UNROLL
    for (int k = 0; k < rows; k++) {
        UNROLL
        for (int c = 0; c < columns; c++) {
            float *out = first + k * out_k + c * out_t;
            vec y = sum[k][c];
            if (bias_rows)
                y = y + vec_set(bias_rows[k]);
            if (bias_columns)
                y = y + (is_partial ? vec_load_n(bias_columns + c * VEC, tail) : vec_load(bias_columns + c * VEC));
            if (accumulate)
                y = y + (is_partial ? vec_load_n(out, tail) : vec_load(out));
            if (has_low)
                y = vec_max(low, y);
            if (has_high)
                y = vec_min(high, y);
            if (is_partial)
                vec_store_n(out, y, tail);
            else
                vec_store(out, y);
        }
    }
}

typedef void tile_function(const cpu_tile *t);

/* clang-format off */
#define TILE(rows, columns) \
    static void tile_##rows##x##columns(const cpu_tile *t) { tile_loop(t, rows, columns, false); }
#define TILE_PARTIAL(rows) static void tile_##rows##_partial(const cpu_tile *t) { tile_loop(t, rows, 1, true); }
#if defined(CPU_ISA_AVX512)
#define TILE_ROW(rows) TILE_PARTIAL(rows) TILE(rows, 1) TILE(rows, 2) TILE(rows, 3) TILE(rows, 4)
#define TILE_ENTRY(rows) {tile_##rows##_partial, tile_##rows##x1, tile_##rows##x2, tile_##rows##x3, tile_##rows##x4}
#else
#define TILE_ROW(rows) TILE_PARTIAL(rows) TILE(rows, 1) TILE(rows, 2)
#define TILE_ENTRY(rows) {tile_##rows##_partial, tile_##rows##x1, tile_##rows##x2}
#endif
TILE_ROW(1) TILE_ROW(2) TILE_ROW(3) TILE_ROW(4) TILE_ROW(5) TILE_ROW(6)
/* clang-format on */

static void tile(const cpu_tile *whole)
{
    static tile_function *const functions[CPU_TILE_ROWS][TILE_VECTORS + 1] = {
        TILE_ENTRY(1), TILE_ENTRY(2), TILE_ENTRY(3), TILE_ENTRY(4), TILE_ENTRY(5), TILE_ENTRY(6)};
    if (whole->tail == VEC) {
        functions[whole->rows - 1][whole->columns](whole);
        return;
    }
    cpu_tile rest = *whole;
    int full = whole->columns - 1;
    if (full > 0) {
        rest.columns = full;
        functions[whole->rows - 1][full](&rest);
    }
    rest.out += full * rest.out_t;
    rest.b += full * rest.b_t;
    if (rest.bias_columns)
        rest.bias_columns += full * VEC;
    functions[whole->rows - 1][0](&rest);
}

void KERNEL(cpu_tile_init)(cpu_table_type *table)
{
    table->vector = VEC;
    table->tile_vectors = TILE_VECTORS;
    table->tile = tile;
}
