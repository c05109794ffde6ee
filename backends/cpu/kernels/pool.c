/* SPDX-License-Identifier: Apache-2.0 */
/* Pooling in nchw16n: a plane's elements are vectors over the batch. */
#include "simd.h"

enum { LANES = 16 };

static ALWAYS_INLINE void max_one(const cpu_pool *g, const float *x, int64_t oy, int64_t ox, float *y, uint8_t *winners)
{
    int64_t u0, u1, v0, v1;
    cpu_window(oy, g->sh, g->top, g->kh, g->h, &u0, &u1);
    cpu_window(ox, g->sw, g->left, g->kw, g->w, &v0, &v1);
    bool is_empty = u0 >= u1 || v0 >= v1;
    const float *corner = x + ((oy * g->sh - g->top) * g->w + ox * g->sw - g->left) * LANES;
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

/* Are all windows 2 x 2 and inside? */
static bool is_plain_2x2(const cpu_pool *g)
{
    return g->kh == 2 && g->kw == 2 && g->top == 0 && g->left == 0 && (g->oh - 1) * g->sh + 2 <= g->h &&
           (g->ow - 1) * g->sw + 2 <= g->w;
}

/* The usual window, with half the instructions: the winner is who equals the maximum, first of all the first. NaN,
   which equals nothing, takes the other way. */
static void max_pool_2x2(const cpu_pool *g, const float *x, float *y, uint8_t *winners)
{
    for (int64_t oy = 0; oy < g->oh; oy++)
        for (int64_t ox = 0; ox < g->ow; ox++) {
            int64_t at = (oy * g->ow + ox) * LANES;
            for (int part = 0; part < LANES; part += VEC) {
                const float *corner = x + (oy * g->sh * g->w + ox * g->sw) * LANES + part;
                vec a = vec_load(corner), b = vec_load(corner + LANES);
                vec c = vec_load(corner + g->w * LANES), d = vec_load(corner + (g->w + 1) * LANES);
                vec best = vec_max(vec_max(a, b), vec_max(c, d));
                if (mask_any(vec_is_nan(a + b + c + d))) {
                    max_one(g, x, oy, ox, y + at, winners ? winners + at : NULL);
                    break;
                }
                vec_store(y + at + part, best);
                if (!winners)
                    continue;
                vec winner = vec_select(vec_gt(best, c), vec_set(3), vec_set(2));
                winner = vec_select(vec_gt(best, b), winner, vec_set(1));
                bytes_store(winners + at + part, vec_select(vec_gt(best, a), winner, vec_set(0)));
            }
        }
}

static void max_pool(const cpu_pool *g, const float *x, float *y, uint8_t *winners)
{
    if (is_plain_2x2(g)) {
        max_pool_2x2(g, x, y, winners);
        return;
    }
    for (int64_t oy = 0; oy < g->oh; oy++)
        for (int64_t ox = 0; ox < g->ow; ox++) {
            int64_t at = (oy * g->ow + ox) * LANES;
            max_one(g, x, oy, ox, y + at, winners ? winners + at : NULL);
        }
}

/* Does every input element lie in exactly one window? Then gradients can be stored without having been cleared. */
static bool is_tiling(const cpu_pool *g)
{
    return g->sh == g->kh && g->sw == g->kw && g->top == 0 && g->left == 0 && g->oh * g->kh == g->h &&
           g->ow * g->kw == g->w;
}

static ALWAYS_INLINE void max_gradient_loop(const cpu_pool *g, const uint8_t *winners, const float *dy, float *dx,
                                            const bool add)
{
    for (int64_t oy = 0; oy < g->oh; oy++)
        for (int64_t ox = 0; ox < g->ow; ox++) {
            int64_t u0, u1, v0, v1, at = (oy * g->ow + ox) * LANES;
            cpu_window(oy, g->sh, g->top, g->kh, g->h, &u0, &u1);
            cpu_window(ox, g->sw, g->left, g->kw, g->w, &v0, &v1);
            for (int part = 0; part < LANES; part += VEC) {
                vec gradient = vec_load(dy + at + part);
                for (int64_t u = u0; u < u1; u++)
                    for (int64_t v = v0; v < v1; v++) {
                        float *target =
                            dx + ((oy * g->sh - g->top + u) * g->w + ox * g->sw - g->left + v) * LANES + part;
                        vec value =
                            vec_select(bytes_equal(winners + at + part, (int)(u * g->kw + v)), gradient, vec_set(0));
                        vec_put(target, value, VEC, add);
                    }
            }
        }
}

/* The usual window, side by side: every element is written once. */
static void max_gradient_2x2(const cpu_pool *g, const uint8_t *winners, const float *dy, float *dx)
{
    const vec zero = vec_set(0);
    for (int64_t oy = 0; oy < g->oh; oy++)
        for (int64_t ox = 0; ox < g->ow; ox++) {
            int64_t at = (oy * g->ow + ox) * LANES;
            float *corner = dx + (oy * 2 * g->w + ox * 2) * LANES;
            for (int part = 0; part < LANES; part += VEC) {
                vec gradient = vec_load(dy + at + part);
                UNROLL
                for (int i = 0; i < 4; i++)
                    vec_store(corner + (i / 2 * g->w + i % 2) * LANES + part,
                              vec_select(bytes_equal(winners + at + part, i), gradient, zero));
            }
        }
}

static void max_pool_gradient(const cpu_pool *g, const uint8_t *winners, const float *dy, float *dx, bool accumulate)
{
    if (!accumulate && is_tiling(g) && g->kh == 2 && g->kw == 2) {
        max_gradient_2x2(g, winners, dy, dx);
        return;
    }
    if (!accumulate && is_tiling(g)) {
        max_gradient_loop(g, winners, dy, dx, false);
        return;
    }
    if (!accumulate)
        memset(dx, 0, (size_t)(g->h * g->w * LANES) * sizeof *dx);
    max_gradient_loop(g, winners, dy, dx, true);
}

/* One over the elements that an average is taken of. */
static ALWAYS_INLINE float weight_of(const cpu_pool *g, int64_t rows, int64_t columns)
{
    int64_t area = g->exclude_padding ? rows * columns : g->kh * g->kw;
    return area > 0 ? 1.0f / (float)area : 0;
}

static void avg_pool(const cpu_pool *g, const float *x, float *y)
{
    for (int64_t oy = 0; oy < g->oh; oy++)
        for (int64_t ox = 0; ox < g->ow; ox++) {
            int64_t u0, u1, v0, v1, at = (oy * g->ow + ox) * LANES;
            cpu_window(oy, g->sh, g->top, g->kh, g->h, &u0, &u1);
            cpu_window(ox, g->sw, g->left, g->kw, g->w, &v0, &v1);
            const float *corner = x + ((oy * g->sh - g->top) * g->w + ox * g->sw - g->left) * LANES;
            vec weight = vec_set(u0 < u1 && v0 < v1 ? weight_of(g, u1 - u0, v1 - v0) : 0);
            for (int part = 0; part < LANES; part += VEC) {
                vec sum = vec_set(0);
                for (int64_t u = u0; u < u1; u++)
                    for (int64_t v = v0; v < v1; v++)
                        sum = sum + vec_load(corner + (u * g->w + v) * LANES + part);
                vec_store(y + at + part, sum * weight);
            }
        }
}

static void avg_pool_gradient(const cpu_pool *g, const float *dy, float *dx, bool accumulate)
{
    bool add = accumulate || !is_tiling(g);
    if (!accumulate && add)
        memset(dx, 0, (size_t)(g->h * g->w * LANES) * sizeof *dx);
    for (int64_t oy = 0; oy < g->oh; oy++)
        for (int64_t ox = 0; ox < g->ow; ox++) {
            int64_t u0, u1, v0, v1, at = (oy * g->ow + ox) * LANES;
            cpu_window(oy, g->sh, g->top, g->kh, g->h, &u0, &u1);
            cpu_window(ox, g->sw, g->left, g->kw, g->w, &v0, &v1);
            if (u0 >= u1 || v0 >= v1)
                continue;
            vec weight = vec_set(weight_of(g, u1 - u0, v1 - v0));
            for (int part = 0; part < LANES; part += VEC) {
                vec gradient = vec_load(dy + at + part) * weight;
                for (int64_t u = u0; u < u1; u++)
                    for (int64_t v = v0; v < v1; v++)
                        vec_put(dx + ((oy * g->sh - g->top + u) * g->w + ox * g->sw - g->left + v) * LANES + part,
                                gradient, VEC, add);
            }
        }
}

void KERNEL(cpu_pool_init)(cpu_table_type *table)
{
    table->max_pool = max_pool;
    table->max_pool_gradient = max_pool_gradient;
    table->avg_pool = avg_pool;
    table->avg_pool_gradient = avg_pool_gradient;
}
