/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Convolutions in nchw16n. The same register tile as the matrix kernel: 6 channels by TILE_VECTORS columns; where a
 * vector is shorter than 16 lanes, everything is done once per part of the lanes. At the borders some columns of a tile
 * have no input: their range is known per tap, and a switch picks code for exactly that range, so that padding costs
 * nothing.
 */
#include "simd.h"

enum { LANES = 16, ROWS = CPU_TILE_ROWS };

/* clang-format off */
/* Calls step(first, last) with constants, for 0 <= first < last <= TILE_VECTORS. */
#define RANGE(first, last, step) case (first) * 8 + (last): step(first, last); break;
#if defined(CPU_ISA_AVX512)
#define RANGES(step) \
    RANGE(0, 1, step) RANGE(0, 2, step) RANGE(0, 3, step) RANGE(0, 4, step) RANGE(1, 2, step) \
    RANGE(1, 3, step) RANGE(1, 4, step) RANGE(2, 3, step) RANGE(2, 4, step) RANGE(3, 4, step)
#else
#define RANGES(step) RANGE(0, 1, step) RANGE(0, 2, step) RANGE(1, 2, step)
#endif
#define FOR_RANGE(first, last, step) switch ((first) * 8 + (last)) { RANGES(step) default: break; }
/* clang-format on */

typedef vec sums_tile[ROWS][TILE_VECTORS];

/* One tap: weights w[0 .. rows), inputs x + t * x_t for t in [first, last). */
static ALWAYS_INLINE void gather_step(sums_tile sum, const int rows, const int first, const int last, const float *w,
                                      const float *x, int64_t x_t)
{
    vec value[TILE_VECTORS];
    UNROLL
    for (int t = first; t < last; t++)
        value[t] = vec_load(x + t * x_t);
    UNROLL
    for (int k = 0; k < rows; k++) {
        vec weight = vec_set(w[k]);
        UNROLL
        for (int t = first; t < last; t++)
            sum[k][t] = vec_fma(weight, value[t], sum[k][t]);
    }
}

/* A whole tile: every tap reaches every column. */
static ALWAYS_INLINE void gather_row_whole(sums_tile sum, const int rows, const cpu_gather *g, const float *x,
                                           const float *w)
{
    const cpu_tap *end = g->column_taps + g->column_count;
    const int64_t in_t = g->in_t;
    for (int64_t c = 0; c < g->channels; c++, x += g->in_c, w += g->weight_c)
        for (const cpu_tap *tap = g->column_taps; tap < end; tap++)
            gather_step(sum, rows, 0, TILE_VECTORS, w + tap->index * rows, x + tap->offset, in_t);
}

/* One tap after the other, all channels of it, so that the switch is outside. */
static ALWAYS_INLINE void gather_row_partial(sums_tile sum, const int rows, const cpu_gather *g, const float *x,
                                             const float *w)
{
    const int64_t channels = g->channels, in_c = g->in_c, weight_c = g->weight_c, in_t = g->in_t;
    for (int64_t v = 0; v < g->column_count; v++) {
        const cpu_tap *tap = &g->column_taps[v];
        const float *tap_x = x + tap->offset, *tap_w = w + tap->index * rows;
#define STEP(first, last)                                                                                              \
    for (int64_t c = 0; c < channels; c++, tap_x += in_c, tap_w += weight_c)                                           \
    gather_step(sum, rows, first, last, tap_w, tap_x, in_t)
        FOR_RANGE(tap->first, tap->last, STEP)
#undef STEP
    }
}

static ALWAYS_INLINE void gather_loop(const cpu_gather *g, const int rows, const bool is_whole, int part)
{
    sums_tile sum;
    UNROLL
    for (int k = 0; k < rows; k++) {
        UNROLL
        for (int t = 0; t < TILE_VECTORS; t++)
            sum[k][t] = vec_set(g->bias ? g->bias[k] : 0);
    }
    for (int64_t u = 0; u < g->row_count; u++) {
        const float *x = g->in + g->row_taps[u].offset + part, *w = g->weights + g->row_taps[u].index * g->weight_u;
        if (is_whole)
            gather_row_whole(sum, rows, g, x, w);
        else
            gather_row_partial(sum, rows, g, x, w);
    }
    const vec low = vec_set(g->low), high = vec_set(g->high);
    const bool has_low = g->low > -INFINITY, has_high = g->high < INFINITY;
    const int64_t out_k = g->out_k, out_t = g->out_t;
    const int32_t columns = g->columns;
    const bool accumulate = g->accumulate;
    float *first = g->out + part;
    UNROLL
    for (int k = 0; k < rows; k++) {
        UNROLL
        for (int t = 0; t < TILE_VECTORS; t++) {
            float *out = first + k * out_k + t * out_t;
            vec y = sum[k][t];
            if (!is_whole && t >= columns)
                continue;
            if (accumulate)
                y = y + vec_load(out);
            if (has_low)
                y = vec_max(low, y);
            if (has_high)
                y = vec_min(high, y);
            vec_store(out, y);
        }
    }
}

typedef void gather_function(const cpu_gather *g, int part);

/* clang-format off */
#define GATHER(rows) \
    static void gather_##rows(const cpu_gather *g, int part) { gather_loop(g, rows, true, part); } \
    static void gather_##rows##_partial(const cpu_gather *g, int part) { gather_loop(g, rows, false, part); }
#define GATHER_ENTRY(rows) {gather_##rows##_partial, gather_##rows}
GATHER(1) GATHER(2) GATHER(3) GATHER(4) GATHER(5) GATHER(6)
/* clang-format on */

static void gather(const cpu_gather *g)
{
    static gather_function *const functions[ROWS][2] = {GATHER_ENTRY(1), GATHER_ENTRY(2), GATHER_ENTRY(3),
                                                        GATHER_ENTRY(4), GATHER_ENTRY(5), GATHER_ENTRY(6)};
    for (int part = 0; part < LANES; part += VEC)
        functions[g->rows - 1][g->is_whole](g, part);
}

/* ---- The weight's gradient ---- */

/* Columns [from, to) of an output row, for the taps whose inputs x holds. */
static ALWAYS_INLINE void weight_row(sums_tile sum, const int rows, const int first, const int count, int64_t from,
                                     int64_t to, const float *dy, int64_t dy_k, const float *const x[TILE_VECTORS],
                                     int64_t x_j)
{
    int64_t at = from * x_j;
    dy += from * LANES;
    for (int64_t j = from; j < to; j++, dy += LANES, at += x_j) {
        vec value[TILE_VECTORS];
        UNROLL
        for (int t = first; t < first + count; t++)
            value[t] = vec_load(x[t] + at);
        UNROLL
        for (int k = 0; k < rows; k++) {
            vec gradient = vec_load(dy + k * dy_k);
            UNROLL
            for (int t = first; t < first + count; t++)
                sum[k][t] = vec_fma(gradient, value[t], sum[k][t]);
        }
    }
}

/* Where all taps lie inside they share the loads of dy; the rest is done tap by tap. */
static ALWAYS_INLINE void weight_loop(const cpu_weight_tile *w, const int rows, const int count, int part)
{
    sums_tile sum;
    cpu_kernel_tap taps[TILE_VECTORS], inside = w->taps[0];
    const int64_t dy_k = w->dy_k, x_j = w->x_j;
    UNROLL
    for (int t = 0; t < count; t++) {
        taps[t] = w->taps[t];
        inside.first_row = taps[t].first_row > inside.first_row ? taps[t].first_row : inside.first_row;
        inside.last_row = taps[t].last_row < inside.last_row ? taps[t].last_row : inside.last_row;
        inside.first_column = taps[t].first_column > inside.first_column ? taps[t].first_column : inside.first_column;
        inside.last_column = taps[t].last_column < inside.last_column ? taps[t].last_column : inside.last_column;
    }
    bool has_border = false;
    for (int t = 0; t < count; t++)
        has_border =
            has_border || taps[t].first_column < inside.first_column || taps[t].last_column > inside.last_column;
    UNROLL
    for (int k = 0; k < rows; k++) {
        UNROLL
        for (int t = 0; t < count; t++)
            sum[k][t] = vec_load(w->sums + (k * count + t) * LANES + part);
    }
    for (int64_t i = w->first_row; i < w->last_row; i++) {
        const float *dy = w->dy + i * w->dy_i + part, *x[TILE_VECTORS];
        UNROLL
        for (int t = 0; t < count; t++)
            x[t] = w->x + taps[t].offset + i * w->x_i + part;
        int64_t from = inside.first_column, to = inside.last_column;
        if (from < to && i >= inside.first_row && i < inside.last_row) {
            weight_row(sum, rows, 0, count, from, to, dy, dy_k, x, x_j);
            if (!has_border)
                continue;
        } else {
            from = to = 0; /* nothing is shared: the second stretch of each tap is all of it */
        }
        UNROLL
        for (int t = 0; t < count; t++) {
            if (i < taps[t].first_row || i >= taps[t].last_row)
                continue;
            int64_t left = taps[t].last_column < from ? taps[t].last_column : from;
            int64_t right = taps[t].first_column > to ? taps[t].first_column : to;
            weight_row(sum, rows, t, 1, taps[t].first_column, left, dy, dy_k, x, x_j);
            weight_row(sum, rows, t, 1, right, taps[t].last_column, dy, dy_k, x, x_j);
        }
    }
    UNROLL
    for (int k = 0; k < rows; k++) {
        UNROLL
        for (int t = 0; t < count; t++)
            vec_store(w->sums + (k * count + t) * LANES + part, sum[k][t]);
    }
}

typedef void weight_function(const cpu_weight_tile *w, int part);

/* clang-format off */
#define WEIGHT(rows, count) \
    static void weight_##rows##x##count(const cpu_weight_tile *w, int part) { weight_loop(w, rows, count, part); }
#if defined(CPU_ISA_AVX512)
#define WEIGHT_ROW(rows) WEIGHT(rows, 1) WEIGHT(rows, 2) WEIGHT(rows, 3) WEIGHT(rows, 4)
#define WEIGHT_ENTRY(rows) {weight_##rows##x1, weight_##rows##x2, weight_##rows##x3, weight_##rows##x4}
#else
#define WEIGHT_ROW(rows) WEIGHT(rows, 1) WEIGHT(rows, 2)
#define WEIGHT_ENTRY(rows) {weight_##rows##x1, weight_##rows##x2}
#endif
WEIGHT_ROW(1) WEIGHT_ROW(2) WEIGHT_ROW(3) WEIGHT_ROW(4) WEIGHT_ROW(5) WEIGHT_ROW(6)
/* clang-format on */

static void weight_tile(const cpu_weight_tile *w)
{
    static weight_function *const functions[ROWS][TILE_VECTORS] = {WEIGHT_ENTRY(1), WEIGHT_ENTRY(2), WEIGHT_ENTRY(3),
                                                                   WEIGHT_ENTRY(4), WEIGHT_ENTRY(5), WEIGHT_ENTRY(6)};
    for (int part = 0; part < LANES; part += VEC)
        functions[w->rows - 1][w->tap_count - 1](w, part);
}

void KERNEL(cpu_blocked_init)(cpu_table_type *table)
{
    table->gather = gather;
    table->weight_tile = weight_tile;
}
