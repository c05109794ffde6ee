/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Convolutions in nchw16n. The same register tile as the matrix kernel: 6 channels by TILE_VECTORS columns; where a vector is
 * shorter than 16 lanes, everything is done once per part of the lanes. At the borders some columns of a tile have no input:
 * their range is known per tap, and a switch picks code for exactly that range, so that padding costs nothing.
 */
#include "simd.h"

enum { LANES = 16, ROWS = CPU_TILE_ROWS };

/* Calls step(first, last) with constants, for 0 <= first < last <= TILE_VECTORS. */
#define RANGE(first, last, step)                                                                                       \
    case (first) * 8 + (last):                                                                                         \
        step(first, last);                                                                                             \
        break;
#if defined(CPU_ISA_AVX512)
#define RANGES(step)                                                                                                   \
    RANGE(0, 1, step)                                                                                                  \
    RANGE(0, 2, step)                                                                                                  \
    RANGE(0, 3, step)                                                                                                  \
    RANGE(0, 4, step)                                                                                                  \
    RANGE(1, 2, step)                                                                                                  \
    RANGE(1, 3, step)                                                                                                  \
    RANGE(1, 4, step) RANGE(2, 3, step) RANGE(2, 4, step) RANGE(3, 4, step)
#else
#define RANGES(step) RANGE(0, 1, step) RANGE(0, 2, step) RANGE(1, 2, step)
#endif
#define FOR_RANGE(first, last, step)                                                                                   \
    switch ((first) * 8 + (last)) {                                                                                    \
        RANGES(step)                                                                                                   \
    default:                                                                                                           \
        break;                                                                                                         \
    }

typedef vec sums_tile[ROWS][TILE_VECTORS];

/* One tap: weights w[0 .. rows), inputs x + t * x_t for t in [first, last). */
static ALWAYS_INLINE void gather_step(sums_tile sum, const int rows, const int first, const int last, const float *w,
                                      const float *x, int64_t x_t)
{
    vec value[TILE_VECTORS];
    UNROLL for (int t = first; t < last; t++)
        value[t] = vec_load(x + t * x_t);
    UNROLL for (int k = 0; k < rows; k++) {
        vec weight = vec_set(w[k]);
        UNROLL for (int t = first; t < last; t++)
            sum[k][t] = vec_fma(weight, value[t], sum[k][t]);
    }
}

/* Do all taps reach all columns of a whole tile? */
static bool is_whole(const cpu_gather *g)
{
    if (g->columns != TILE_VECTORS)
        return false;
    for (int64_t v = 0; v < g->column_count; v++)
        if (g->column_taps[v].first != 0 || g->column_taps[v].last != TILE_VECTORS)
            return false;
    return true;
}

static ALWAYS_INLINE void gather_loop(const cpu_gather *g, const int rows, int part)
{
    sums_tile sum;
    const int64_t in_t = g->in_t, column_count = g->column_count;
    const cpu_tap *column_taps = g->column_taps;
    const bool whole = is_whole(g);
    UNROLL for (int k = 0; k < rows; k++)
        UNROLL for (int t = 0; t < TILE_VECTORS; t++)
            sum[k][t] = vec_set(g->bias ? g->bias[k] : 0);
    for (int64_t u = 0; u < g->row_count; u++) {
        const float *x = g->in + g->row_taps[u].input + part, *w = g->weights + g->row_taps[u].weight;
        for (int64_t c = 0; c < g->channels; c++, x += g->in_c, w += g->weight_c) {
            if (whole) {
                for (int64_t v = 0; v < column_count; v++)
                    gather_step(sum, rows, 0, TILE_VECTORS, w + column_taps[v].weight, x + column_taps[v].input, in_t);
                continue;
            }
            for (int64_t v = 0; v < column_count; v++) {
                const cpu_tap *tap = &column_taps[v];
#define STEP(first, last) gather_step(sum, rows, first, last, w + tap->weight, x + tap->input, in_t)
                FOR_RANGE(tap->first, tap->last, STEP)
#undef STEP
            }
        }
    }
    const vec low = vec_set(g->low), high = vec_set(g->high);
    const bool has_low = g->low > -INFINITY, has_high = g->high < INFINITY;
    const int64_t out_k = g->out_k, out_t = g->out_t;
    const int32_t columns = g->columns;
    const bool accumulate = g->accumulate;
    float *first = g->out + part;
    UNROLL for (int t = 0; t < TILE_VECTORS; t++) {
        if (t >= columns)
            break;
        UNROLL for (int k = 0; k < rows; k++) {
            float *out = first + k * out_k + t * out_t;
            vec y = sum[k][t];
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

#define GATHER(rows)                                                                                                   \
    static void gather_##rows(const cpu_gather *g, int part)                                                           \
    {                                                                                                                  \
        gather_loop(g, rows, part);                                                                                    \
    }
GATHER(1) GATHER(2) GATHER(3) GATHER(4) GATHER(5) GATHER(6)

static void gather(const cpu_gather *g)
{
    static gather_function *const functions[ROWS] = {gather_1, gather_2, gather_3, gather_4, gather_5, gather_6};
    for (int part = 0; part < LANES; part += VEC)
        functions[g->rows - 1](g, part);
}

/* ---- The weight's gradient ---- */

static ALWAYS_INLINE void weight_step(sums_tile sum, const int rows, const int first, const int last, const float *dy,
                                      int64_t dy_k, const float *x, int64_t x_t)
{
    vec value[TILE_VECTORS];
    UNROLL for (int t = first; t < last; t++)
        value[t] = vec_load(x + t * x_t);
    UNROLL for (int k = 0; k < rows; k++) {
        vec gradient = vec_load(dy + k * dy_k);
        UNROLL for (int t = first; t < last; t++)
            sum[k][t] = vec_fma(gradient, value[t], sum[k][t]);
    }
}

/* Columns [from, to) of one output row, some of whose taps may lie outside. */
static ALWAYS_INLINE void weight_border(sums_tile sum, const int rows, const cpu_weight_tile *w, int64_t from, int64_t to,
                                        const float *dy, const float *x)
{
    for (int64_t j = from; j < to; j++) {
        int64_t column = w->first_column + j * w->stride;
        int first = 0, last = w->taps;
        while (first < last && column + first * w->dilation < 0)
            first++;
        while (last > first && column + (last - 1) * w->dilation >= w->input_columns)
            last--;
#define STEP(one, two) weight_step(sum, rows, one, two, dy + j * LANES, w->dy_k, x + j * w->x_j, w->x_t)
        FOR_RANGE(first, last, STEP)
#undef STEP
    }
}

/* Columns where every tap lies inside: [*from, *to). */
static void inner_columns(const cpu_weight_tile *w, int64_t *from, int64_t *to)
{
    int64_t before = -w->first_column, after = w->input_columns - w->first_column - (w->taps - 1) * w->dilation;
    *from = before > 0 ? (before + w->stride - 1) / w->stride : 0;
    *to = after > 0 ? (after + w->stride - 1) / w->stride : 0;
    *to = *to < w->output_columns ? *to : w->output_columns;
    *from = *from < *to ? *from : *to;
}

static ALWAYS_INLINE void weight_loop(const cpu_weight_tile *w, const int rows, int part)
{
    sums_tile sum;
    int64_t from, to;
    const int64_t dy_k = w->dy_k, x_j = w->x_j, x_t = w->x_t;
    const int32_t taps = w->taps;
    inner_columns(w, &from, &to);
    UNROLL for (int k = 0; k < rows; k++)
        UNROLL for (int t = 0; t < TILE_VECTORS; t++)
            sum[k][t] = t < taps ? vec_load(w->sums + (k * taps + t) * LANES + part) : vec_set(0);
    for (int64_t i = 0; i < w->output_rows; i++) {
        const float *dy = w->dy + i * w->dy_i + part, *x = w->x + i * w->x_i + part;
        weight_border(sum, rows, w, 0, from, dy, x);
        const float *dy_at = dy + from * LANES, *x_at = x + from * x_j;
#define STEP(first, last)                                                                                              \
    for (int64_t j = from; j < to; j++, dy_at += LANES, x_at += x_j)                                                   \
    weight_step(sum, rows, first, last, dy_at, dy_k, x_at, x_t)
        FOR_RANGE(0, taps, STEP)
#undef STEP
        weight_border(sum, rows, w, to, w->output_columns, dy, x);
    }
    UNROLL for (int k = 0; k < rows; k++)
        UNROLL for (int t = 0; t < TILE_VECTORS; t++)
            if (t < taps)
                vec_store(w->sums + (k * taps + t) * LANES + part, sum[k][t]);
}

typedef void weight_function(const cpu_weight_tile *w, int part);

#define WEIGHT(rows)                                                                                                   \
    static void weight_##rows(const cpu_weight_tile *w, int part)                                                      \
    {                                                                                                                  \
        weight_loop(w, rows, part);                                                                                    \
    }
WEIGHT(1) WEIGHT(2) WEIGHT(3) WEIGHT(4) WEIGHT(5) WEIGHT(6)

static void weight_tile(const cpu_weight_tile *w)
{
    static weight_function *const functions[ROWS] = {weight_1, weight_2, weight_3, weight_4, weight_5, weight_6};
    for (int part = 0; part < LANES; part += VEC)
        functions[w->rows - 1](w, part);
}

void KERNEL(cpu_blocked_init)(cpu_table_type *table)
{
    table->gather = gather;
    table->weight_tile = weight_tile;
}
