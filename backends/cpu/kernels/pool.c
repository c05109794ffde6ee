/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pooling of planes [h][w][16]: a vector is one element of 16 images or channels.
 *
 * Windows that lie inside the plane are apart from those that reach over its edge: for them 2 x 2 and 3 x 3 are loops
 * without bounds, unrolled. A row of the result, kw = 3, stride 2:
 *
 *         left padding                      right padding
 *          |  x x x x x x x x x x x x x x x  |
 *        [ edge ][ inside: first..last ][ edge ]
 */
#include "simd.h"

enum { LANES = 16 };

/* Rows or columns of the result whose windows lie inside: [*first, *last), perhaps empty. */
static void inside(int64_t count, int64_t stride, int64_t before, int64_t kernel, int64_t size, int64_t *first,
                   int64_t *last)
{
    int64_t end = size - kernel + before; /* where the last window inside may begin, counted from the padding */
    *first = (before + stride - 1) / stride;
    *last = end < 0 ? 0 : end / stride + 1;
    *last = *last > count ? count : *last;
    *first = *first > *last ? *last : *first;
}

/* The first element of the window of (oy, ox), which may lie outside. */
static ALWAYS_INLINE int64_t corner_of(const cpu_pool *g, int64_t oy, int64_t ox)
{
    return ((oy * g->sh - g->top) * g->w + ox * g->sw - g->left) * LANES;
}

/* ---- Maxima ---- */

/* Any window. */
static void max_one(const cpu_pool *g, const float *x, int64_t oy, int64_t ox, float *y, uint8_t *winners)
{
    int64_t u0, u1, v0, v1;
    cpu_window(oy, g->sh, g->top, g->kh, g->h, &u0, &u1);
    cpu_window(ox, g->sw, g->left, g->kw, g->w, &v0, &v1);
    bool is_empty = u0 >= u1 || v0 >= v1;
    const float *corner = x + corner_of(g, oy, ox);
    for (int part = 0; part < LANES; part += VEC) {
        vec best = vec_set(-INFINITY), winner = vec_set(is_empty ? CPU_NO_WINNER : (float)(u0 * g->kw + v0));
        for (int64_t u = u0; u < u1; u++)
            for (int64_t v = v0; v < v1; v++) {
                vec value = vec_load(corner + (u * g->w + v) * LANES + part);
                mask better = mask_or(vec_gt(value, best), mask_and_not(vec_is_nan(value), vec_is_nan(best)));
                best = vec_select(better, value, best);
                winner = vec_select(better, vec_set((float)(u * g->kw + v)), winner);
            }
        vec_store(y + part, best);
        if (winners)
            bytes_store(winners + part, winner);
    }
}

static void max_edge(const cpu_pool *g, const float *x, int64_t oy, int64_t first, int64_t last, float *y,
                     uint8_t *winners)
{
    for (int64_t ox = first; ox < last; ox++)
        max_one(g, x, oy, ox, y + ox * LANES, winners ? winners + ox * LANES : NULL);
}

/* Windows inside. The maximum is a chain of comparisons, first come first kept; NaN, which compares with nothing, is
   seen in the sum and takes the other way. */
static ALWAYS_INLINE void max_inside(const cpu_pool *g, const int kh, const int kw, const float *x, int64_t oy,
                                     int64_t first, int64_t last, float *y, uint8_t *winners)
{
    for (int64_t ox = first; ox < last; ox++)
        for (int part = 0; part < LANES; part += VEC) {
            const float *corner = x + corner_of(g, oy, ox) + part;
            vec best = vec_load(corner), sum = best, winner = vec_set(0);
            UNROLL
            for (int i = 1; i < kh * kw; i++) {
                vec value = vec_load(corner + (i / kw * g->w + i % kw) * LANES);
                sum = sum + value;
                if (winners)
                    winner = vec_select(vec_gt(value, best), vec_set((float)i), winner);
                best = vec_max(best, value);
            }
            if (mask_any(vec_is_nan(sum))) {
                max_edge(g, x, oy, ox, ox + 1, y, winners);
                break;
            }
            vec_store(y + ox * LANES + part, best);
            if (winners)
                bytes_store(winners + ox * LANES + part, winner);
        }
}

static void max_row(const cpu_pool *g, const float *x, int64_t oy, int64_t first, int64_t last, float *y,
                    uint8_t *winners)
{
    if (g->kh == 2 && g->kw == 2 && winners)
        max_inside(g, 2, 2, x, oy, first, last, y, winners);
    else if (g->kh == 2 && g->kw == 2)
        max_inside(g, 2, 2, x, oy, first, last, y, NULL);
    else if (g->kh == 3 && g->kw == 3 && winners)
        max_inside(g, 3, 3, x, oy, first, last, y, winners);
    else if (g->kh == 3 && g->kw == 3)
        max_inside(g, 3, 3, x, oy, first, last, y, NULL);
    else
        max_edge(g, x, oy, first, last, y, winners);
}

static void max_pool(const cpu_pool *g, const float *x, float *y, uint8_t *winners)
{
    int64_t first_row, last_row, first, last;
    inside(g->oh, g->sh, g->top, g->kh, g->h, &first_row, &last_row);
    inside(g->ow, g->sw, g->left, g->kw, g->w, &first, &last);
    for (int64_t oy = 0; oy < g->oh; oy++) {
        bool is_inside = oy >= first_row && oy < last_row;
        int64_t from = is_inside ? first : g->ow, to = is_inside ? last : g->ow;
        float *row = y + oy * g->ow * LANES;
        uint8_t *row_winners = winners ? winners + oy * g->ow * LANES : NULL;
        max_edge(g, x, oy, 0, from, row, row_winners);
        max_row(g, x, oy, from, to, row, row_winners);
        max_edge(g, x, oy, to, g->ow, row, row_winners);
    }
}

/* ---- Averages ---- */

/* One over the elements that an average is taken of. */
static ALWAYS_INLINE float weight_of(const cpu_pool *g, int64_t rows, int64_t columns)
{
    int64_t area = g->exclude_padding ? rows * columns : g->kh * g->kw;
    return area > 0 ? 1.0f / (float)area : 0;
}

static void average_edge(const cpu_pool *g, const float *x, int64_t oy, int64_t first, int64_t last, float *y)
{
    for (int64_t ox = first; ox < last; ox++) {
        int64_t u0, u1, v0, v1;
        cpu_window(oy, g->sh, g->top, g->kh, g->h, &u0, &u1);
        cpu_window(ox, g->sw, g->left, g->kw, g->w, &v0, &v1);
        const float *corner = x + corner_of(g, oy, ox);
        vec weight = vec_set(u0 < u1 && v0 < v1 ? weight_of(g, u1 - u0, v1 - v0) : 0);
        for (int part = 0; part < LANES; part += VEC) {
            vec sum = vec_set(0);
            for (int64_t u = u0; u < u1; u++)
                for (int64_t v = v0; v < v1; v++)
                    sum = sum + vec_load(corner + (u * g->w + v) * LANES + part);
            vec_store(y + ox * LANES + part, sum * weight);
        }
    }
}

static ALWAYS_INLINE void average_inside(const cpu_pool *g, const int kh, const int kw, const float *x, int64_t oy,
                                         int64_t first, int64_t last, float *y)
{
    const vec weight = vec_set(1.0f / (float)(kh * kw));
    for (int64_t ox = first; ox < last; ox++)
        for (int part = 0; part < LANES; part += VEC) {
            const float *corner = x + corner_of(g, oy, ox) + part;
            vec sum = vec_set(0);
            UNROLL
            for (int i = 0; i < kh * kw; i++)
                sum = sum + vec_load(corner + (i / kw * g->w + i % kw) * LANES);
            vec_store(y + ox * LANES + part, sum * weight);
        }
}

static void average_row(const cpu_pool *g, const float *x, int64_t oy, int64_t first, int64_t last, float *y)
{
    if (g->kh == 2 && g->kw == 2)
        average_inside(g, 2, 2, x, oy, first, last, y);
    else if (g->kh == 3 && g->kw == 3)
        average_inside(g, 3, 3, x, oy, first, last, y);
    else
        average_edge(g, x, oy, first, last, y);
}

static void avg_pool(const cpu_pool *g, const float *x, float *y)
{
    int64_t first_row, last_row, first, last;
    inside(g->oh, g->sh, g->top, g->kh, g->h, &first_row, &last_row);
    inside(g->ow, g->sw, g->left, g->kw, g->w, &first, &last);
    for (int64_t oy = 0; oy < g->oh; oy++) {
        bool is_inside = oy >= first_row && oy < last_row;
        int64_t from = is_inside ? first : g->ow, to = is_inside ? last : g->ow;
        float *row = y + oy * g->ow * LANES;
        average_edge(g, x, oy, 0, from, row);
        average_row(g, x, oy, from, to, row);
        average_edge(g, x, oy, to, g->ow, row);
    }
}

/* ---- Gradients: what a window's output got goes to the winner, or in equal shares (winners NULL) to all. ---- */

/* Element i of the window's share of the gradient. */
static ALWAYS_INLINE vec share_of(const uint8_t *winners, int i, vec gradient)
{
    return winners ? vec_select(bytes_equal(winners, i), gradient, vec_set(0)) : gradient;
}

static void spread_edge(const cpu_pool *g, const uint8_t *winners, const float *dy, int64_t oy, int64_t first,
                        int64_t last, float *dx, bool add)
{
    for (int64_t ox = first; ox < last; ox++) {
        int64_t u0, u1, v0, v1, corner = corner_of(g, oy, ox);
        cpu_window(oy, g->sh, g->top, g->kh, g->h, &u0, &u1);
        cpu_window(ox, g->sw, g->left, g->kw, g->w, &v0, &v1);
        vec weight = vec_set(winners || u0 >= u1 || v0 >= v1 ? 1.0f : weight_of(g, u1 - u0, v1 - v0));
        for (int part = 0; part < LANES; part += VEC) {
            vec gradient = vec_load(dy + ox * LANES + part) * weight;
            for (int64_t u = u0; u < u1; u++)
                for (int64_t v = v0; v < v1; v++)
                    vec_put(dx + corner + (u * g->w + v) * LANES + part,
                            share_of(winners ? winners + ox * LANES + part : NULL, (int)(u * g->kw + v), gradient), VEC,
                            add);
        }
    }
}

static ALWAYS_INLINE void spread_inside(const cpu_pool *g, const int kh, const int kw, const uint8_t *winners,
                                        const float *dy, int64_t oy, int64_t first, int64_t last, float *dx,
                                        const bool add)
{
    const vec weight = vec_set(1.0f / (float)(kh * kw));
    for (int64_t ox = first; ox < last; ox++)
        for (int part = 0; part < LANES; part += VEC) {
            float *corner = dx + corner_of(g, oy, ox) + part;
            vec gradient = vec_load(dy + ox * LANES + part), shares[9];
            if (!winners)
                gradient = gradient * weight;
            UNROLL
            for (int i = 0; i < kh * kw; i++)
                shares[i] = share_of(winners ? winners + ox * LANES + part : NULL, i, gradient);
            UNROLL
            for (int i = 0; i < kh * kw; i++)
                vec_put(corner + (i / kw * g->w + i % kw) * LANES, shares[i], VEC, add);
        }
}

static void spread_row(const cpu_pool *g, const uint8_t *winners, const float *dy, int64_t oy, int64_t first,
                       int64_t last, float *dx, bool add)
{
    bool is_2x2 = g->kh == 2 && g->kw == 2, is_3x3 = g->kh == 3 && g->kw == 3;
    if (is_2x2 && winners && !add)
        spread_inside(g, 2, 2, winners, dy, oy, first, last, dx, false);
    else if (is_2x2 && winners)
        spread_inside(g, 2, 2, winners, dy, oy, first, last, dx, true);
    else if (is_2x2)
        spread_inside(g, 2, 2, NULL, dy, oy, first, last, dx, add);
    else if (is_3x3 && winners)
        spread_inside(g, 3, 3, winners, dy, oy, first, last, dx, add);
    else if (is_3x3)
        spread_inside(g, 3, 3, NULL, dy, oy, first, last, dx, add);
    else
        spread_edge(g, winners, dy, oy, first, last, dx, add);
}

/* Does every input element lie in exactly one window? Then gradients can be stored without having been cleared. */
static bool is_tiling(const cpu_pool *g)
{
    return g->sh == g->kh && g->sw == g->kw && g->top == 0 && g->left == 0 && g->oh * g->kh == g->h &&
           g->ow * g->kw == g->w;
}

/* Rows of dx are cleared just before the first window that reaches them, so that they are in the nearest cache. */
static void spread(const cpu_pool *g, const uint8_t *winners, const float *dy, float *dx, bool accumulate)
{
    int64_t first_row, last_row, first, last, row = g->w * LANES, cleared = accumulate || is_tiling(g) ? g->h : 0;
    bool add = accumulate || !is_tiling(g);
    inside(g->oh, g->sh, g->top, g->kh, g->h, &first_row, &last_row);
    inside(g->ow, g->sw, g->left, g->kw, g->w, &first, &last);
    for (int64_t oy = 0; oy <= g->oh; oy++) {
        int64_t reached = oy == g->oh ? g->h : oy * g->sh - g->top + g->kh;
        reached = reached > g->h ? g->h : reached;
        if (reached > cleared) {
            memset(dx + cleared * row, 0, (size_t)((reached - cleared) * row) * sizeof *dx);
            cleared = reached;
        }
        if (oy == g->oh)
            break;
        bool is_inside = oy >= first_row && oy < last_row;
        int64_t from = is_inside ? first : g->ow, to = is_inside ? last : g->ow, at = oy * g->ow * LANES;
        spread_edge(g, winners ? winners + at : NULL, dy + at, oy, 0, from, dx, add);
        spread_row(g, winners ? winners + at : NULL, dy + at, oy, from, to, dx, add);
        spread_edge(g, winners ? winners + at : NULL, dy + at, oy, to, g->ow, dx, add);
    }
}

static void max_pool_gradient(const cpu_pool *g, const uint8_t *winners, const float *dy, float *dx, bool accumulate)
{
    spread(g, winners, dy, dx, accumulate);
}

static void avg_pool_gradient(const cpu_pool *g, const float *dy, float *dx, bool accumulate)
{
    spread(g, NULL, dy, dx, accumulate);
}

void KERNEL(cpu_pool_init)(cpu_table_type *table)
{
    table->max_pool = max_pool;
    table->max_pool_gradient = max_pool_gradient;
    table->avg_pool = avg_pool;
    table->avg_pool_gradient = avg_pool_gradient;
}
