/* SPDX-License-Identifier: Apache-2.0 */
/* Max pooling in NCHW with vectors along the rows: first the maximum over the rows of the windows, column by column,
   then over neighbouring columns of that. Padding is -infinity. Windows two wide and two apart that lie inside, the
   usual ones, need no memory in between. */
#include "simd.h"

enum { BUFFER = 1024, SLACK = 2 * VEC };

/* The greater; NaN wins. */
static ALWAYS_INLINE vec greater(vec a, vec b)
{
    return vec_select(vec_is_nan(a), a, vec_max(a, b));
}

/* out[i]: the maximum over rows [0, rows) of column first + i, i < count; -infinity outside the plane, as in what lies
   behind, up to SLACK. */
static void max_of_rows(const cpu_pool *g, const float *row, int64_t rows, int64_t first, int64_t count, float *out)
{
    int64_t from = first < 0 ? -first : 0, to = g->w - first < count ? g->w - first : count;
    if (rows <= 0 || from > to)
        from = to = count;
    for (int64_t i = 0; i < from; i++)
        out[i] = -INFINITY;
    for (int64_t i = from; i < to; i += VEC) {
        const float *x = row + first + i;
        vec best = vec_load_upto(x, to - i);
        for (int64_t u = 1; u < rows; u++)
            best = greater(best, vec_load_upto(x + u * g->w, to - i));
        vec_store_upto(out + i, best, to - i);
    }
    for (int64_t i = to; i < count + SLACK; i += VEC)
        vec_store_upto(out + i, vec_set(-INFINITY), count + SLACK - i);
}

/* y[j] = the maximum of in[j * sw ...+ kw), j < count; SLACK behind the last is read. */
static void max_of_columns(const cpu_pool *g, const float *in, int64_t count, float *y)
{
    for (int64_t j = 0; j < count && g->sw <= 2; j += VEC) {
        vec best = vec_set(-INFINITY);
        for (int64_t v = 0; v < g->kw; v++) {
            const float *x = in + j * g->sw + v;
            best = greater(best, g->sw == 1 ? vec_load(x) : vec_even(vec_load(x), vec_load(x + VEC)));
        }
        vec_store_upto(y + j, best, count - j);
    }
    for (int64_t j = 0; j < count && g->sw > 2; j++) {
        const float *x = in + j * g->sw;
        float best = -INFINITY;
        for (int64_t v = 0; v < g->kw; v++)
            best = best > x[v] || isnan(best) ? best : x[v];
        y[j] = best;
    }
}

static bool is_in_pairs(const cpu_pool *g)
{
    return g->kw == 2 && g->sw == 2 && g->top == 0 && g->left == 0 && 2 * g->ow <= g->w &&
           (g->oh - 1) * g->sh + g->kh <= g->h;
}

/* The maxima of x[0], x[1]; x[2], x[3]; ..., of which n floats are there, n - VEC in the second vector. */
static ALWAYS_INLINE vec max_of_pairs(const float *x, int64_t n)
{
    if (n >= 2 * VEC)
        return greater(vec_even(vec_load(x), vec_load(x + VEC)),
                       vec_even(vec_load(x + 1), vec_load_n(x + 1 + VEC, VEC - 1)));
    const int64_t low = n < VEC ? n : VEC, high = n - low, odd_low = n - 1 < VEC ? n - 1 : VEC;
    return greater(vec_even(vec_load_n(x, low), vec_load_n(x + VEC, high)),
                   vec_even(vec_load_n(x + 1, odd_low), vec_load_n(x + 1 + VEC, n - 1 - odd_low)));
}

/* A strip of a vector's columns at a time, so that its masks stay in their registers. */
static void max_of_inner_pairs(const cpu_pool *g, const float *x, float *y)
{
    for (int64_t ox = 0; ox < g->ow; ox += VEC) {
        const int64_t count = g->ow - ox;
        const float *in = x + 2 * ox;
        float *out = y + ox;
        for (int64_t oy = 0; oy < g->oh; oy++, in += g->sh * g->w, out += g->ow) {
            vec best = max_of_pairs(in, 2 * count);
            for (int64_t u = 1; u < g->kh; u++)
                best = greater(best, max_of_pairs(in + u * g->w, 2 * count));
            vec_store_upto(out, best, count);
        }
    }
}

static void max_pool_rows(const cpu_pool *g, const float *x, float *y)
{
    if (is_in_pairs(g)) {
        max_of_inner_pairs(g, x, y);
        return;
    }
    float buffer[BUFFER];
    const int64_t most = (BUFFER - SLACK - g->kw) / g->sw;
    for (int64_t oy = 0; oy < g->oh; oy++) {
        int64_t u0, u1;
        cpu_window(oy, g->sh, g->top, g->kh, g->h, &u0, &u1);
        const float *row = x + (oy * g->sh - g->top + u0) * g->w;
        for (int64_t ox = 0; ox < g->ow; ox += most) {
            int64_t count = g->ow - ox < most ? g->ow - ox : most;
            max_of_rows(g, row, u1 - u0, ox * g->sw - g->left, (count - 1) * g->sw + g->kw, buffer);
            max_of_columns(g, buffer, count, y + oy * g->ow + ox);
        }
    }
}

void KERNEL(cpu_pool_rows_init)(cpu_table_type *table)
{
    table->max_pool_rows = max_pool_rows;
}
