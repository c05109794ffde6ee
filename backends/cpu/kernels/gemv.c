/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Products of the rows of two matrices, for few rows on one side: every row of the weights is read once, as it lies. A
 * tile has as many sums as a vector has lanes, some rows by 1, 2 or 4 items:
 *
 *                    x[0][i..]    x[1][i..]  ..
 *      w[0][i..]  x  | sum[0][0]  sum[0][1]  |       rows: VEC / items
 *      w[1][i..]  x  | sum[1][0]  sum[1][1]  |
 *          :         |     :          :      |
 *
 * Each sum is a vector of partial sums; a tree of zips and additions turns them into one vector of results.
 */
#include "simd.h"

/* Lanes of a and b in turn, each the sum of two of theirs. */
static ALWAYS_INLINE vec add_pairs(vec a, vec b)
{
    return vec_zip_low(a, b) + vec_zip_high(a, b);
}

/* Lane i of the result is the sum over sums[i]'s lanes. */
static ALWAYS_INLINE vec sum_each(vec sums[VEC])
{
    UNROLL
    for (int half = VEC / 2; half > 0; half /= 2) {
        UNROLL
        for (int i = 0; i < half; i++)
            sums[i] = add_pairs(sums[i], sums[i + half]);
    }
    return sums[0];
}

static ALWAYS_INLINE void step(const float *const w[VEC], const float *const x[4], int64_t i, int64_t n,
                               const bool is_whole, const int items, vec sums[VEC])
{
    vec in[4];
    const int rows = VEC / items;
    UNROLL
    for (int t = 0; t < items; t++)
        in[t] = is_whole ? vec_load(x[t] + i) : vec_load_n(x[t] + i, n);
    UNROLL
    for (int r = 0; r < rows; r++) {
        vec row = is_whole ? vec_load(w[r] + i) : vec_load_n(w[r] + i, n);
        UNROLL
        for (int t = 0; t < items; t++)
            sums[r * items + t] = vec_fma(row, in[t], sums[r * items + t]);
    }
}

/* items is a constant where this is inlined, so that sums lives in registers. Behind the last row and the last item it
   reads those again and stores nothing. */
static ALWAYS_INLINE void gemv_loop(const cpu_gemv *g, const int items)
{
    const int rows = VEC / items;
    const float *w[VEC], *x[4];
    vec sums[VEC];
    UNROLL
    for (int r = 0; r < rows; r++)
        w[r] = g->weights + (r < g->rows ? r : g->rows - 1) * g->weight_r;
    UNROLL
    for (int t = 0; t < items; t++)
        x[t] = g->x + (t < g->items ? t : g->items - 1) * g->x_n;
    UNROLL
    for (int s = 0; s < VEC; s++)
        sums[s] = vec_set(0);
    int64_t i = 0;
    for (; i + VEC <= g->depth; i += VEC)
        step(w, x, i, VEC, true, items, sums);
    if (i < g->depth)
        step(w, x, i, g->depth - i, false, items, sums);
    float results[VEC];
    vec_store(results, sum_each(sums));
    for (int r = 0; r < g->rows && r < rows; r++)
        for (int t = 0; t < g->items && t < items; t++) {
            float y = results[r * items + t] + (g->bias ? g->bias[r] : 0);
            y = y < g->low ? g->low : y;
            g->y[t * g->y_n + r] = y > g->high ? g->high : y;
        }
}

static void gemv(const cpu_gemv *g)
{
    if (g->items == 1)
        gemv_loop(g, 1);
    else if (g->items == 2)
        gemv_loop(g, 2);
    else
        gemv_loop(g, 4);
}

void KERNEL(cpu_gemv_init)(cpu_table_type *table)
{
    table->gemv = gemv;
}
