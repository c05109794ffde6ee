/* SPDX-License-Identifier: Apache-2.0 */
/* Regularisers of pictures: powers of magnitudes, and of the differences between neighbouring pixels. */
#include "simd.h"

#include <float.h>

enum { LANES = 16, PARTS = LANES / VEC, MOST_INTEGER = 64 };

/* ---- Powers ---- */

/* log2 of 1 <= m < 2 as a sum: *whole is 0 or 1, the result within +-0.5. ln m = 2 atanh((m-1)/(m+1)), whose series to
   z^9 leaves less than 1e-9 for m within a factor of sqrt 2 of 1. */
static ALWAYS_INLINE vec log2_of_mantissa(vec m, vec *whole)
{
    vec one = vec_set(1.0f);
    mask upper = vec_gt(m, vec_set(1.41421356f));
    m = vec_select(upper, m * vec_set(0.5f), m);
    *whole = vec_select(upper, one, vec_set(0));
    vec z = (m - one) / (m + one), square = z * z;
    vec p = vec_set(1.0f / 9);
    p = vec_fma(p, square, vec_set(1.0f / 7));
    p = vec_fma(p, square, vec_set(1.0f / 5));
    p = vec_fma(p, square, vec_set(1.0f / 3));
    p = vec_fma(p * square, z, z);
    return p * vec_set(2 * 1.44269504f);
}

/* x^e for x >= 0 and e other than 0. x = 2^n m: the whole part of e n becomes an exponent, so that only what is left is
   rounded. Numbers below 2^-126 count as 0, whose power is 0. NaN stays NaN. */
static ALWAYS_INLINE vec vec_power(vec x, vec e)
{
    vec upper, small = log2_of_mantissa(vec_mantissa(x), &upper);
    vec n = vec_exponent(x) + upper;
    vec whole = vec_round(vec_min(vec_set(4096.0f), vec_max(vec_set(-4096.0f), e * n)));
    vec rest = vec_fma(e, n, vec_set(0) - whole) + e * small;
    vec half = vec_round(whole * vec_set(0.5f));
    vec low = vec_set(-126.0f), high = vec_set(127.0f);
    vec first = vec_exp2i(vec_min(high, vec_max(low, half)));
    vec second = vec_exp2i(vec_min(high, vec_max(low, whole - half)));
    vec y = vec_exp(rest * vec_set(0.693147181f)) * first * second;
    y = vec_select(vec_gt(vec_set(FLT_MIN), x), vec_set(0), y);
    vec infinite = vec_select(vec_gt(e, vec_set(0)), vec_set(INFINITY), vec_set(0));
    y = vec_select(vec_gt(x, vec_set(FLT_MAX)), infinite, y);
    return vec_select(vec_is_nan(x), x, y);
}

/* x^n by squaring; n is the same for all lanes. */
static ALWAYS_INLINE vec integer_power(vec x, int n)
{
    vec y = vec_set(1.0f);
    for (; n > 0; n >>= 1) {
        if (n & 1)
            y = y * x;
        x = x * x;
    }
    return y;
}

static ALWAYS_INLINE vec magnitude_of(vec x)
{
    return vec_max(vec_set(0) - x, x);
}

/* 1 to MOST_INTEGER where power is that integer, else 0. */
static int integer_of(float power)
{
    return power >= 1 && power <= MOST_INTEGER && power == (float)(int)power ? (int)power : 0;
}

static ALWAYS_INLINE vec magnitude_power(vec x, int integer, vec power)
{
    x = magnitude_of(x);
    return integer ? integer_power(x, integer) : vec_power(x, power);
}

static void power_sums(float power, const float *x, int64_t count, float sums[16])
{
    vec total[PARTS], e = vec_set(power);
    int integer = integer_of(power);
    UNROLL
    for (int p = 0; p < PARTS; p++)
        total[p] = vec_load(sums + p * VEC);
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        UNROLL
        for (int p = 0; p < PARTS; p++)
            total[p] = total[p] + magnitude_power(vec_load(x + i + p * VEC), integer, e);
    }
    UNROLL
    for (int p = 0; p < PARTS; p++) /* zeros behind the end add nothing */
        if (i + p * VEC < count)
            total[p] = total[p] + magnitude_power(vec_load_upto(x + i + p * VEC, count - i - p * VEC), integer, e);
    UNROLL
    for (int p = 0; p < PARTS; p++)
        vec_store(sums + p * VEC, total[p]);
}

static void power_gradient(float power, float factor, const float *x, float *dx, int64_t count, bool accumulate)
{
    vec zero = vec_set(0), f = vec_set(factor * power), e = vec_set(power - 1);
    int integer = integer_of(power);
    for (int64_t i = 0; i < count; i += VEC) {
        int64_t n = count - i;
        vec v = vec_load_upto(x + i, n), size = magnitude_of(v);
        vec slope = f * (integer ? integer_power(size, integer - 1) : vec_power(size, e));
        slope = vec_select(vec_gt(v, zero), slope, vec_select(vec_gt(zero, v), zero - slope, v));
        vec_put(dx + i, slope, n, accumulate);
    }
}

/* ---- Total variation ---- */

/* What differences are raised to. */
enum measure { SQUARES /* beta 2 */, LENGTHS /* beta 1 */, POWERS };

/* VEC + 1 pixels of a row and VEC of the next, the last one repeated behind the end, so that differences there are 0.
 */
typedef struct edge {
    float row[VEC + 1], next[VEC];
} edge;

static void fill_edge(edge *e, const float *row, const float *next, int64_t n)
{
    for (int64_t i = 0; i <= VEC; i++)
        e->row[i] = row[i < n ? i : n - 1];
    for (int64_t i = 0; i < VEC; i++)
        e->next[i] = i < n ? next[i] : e->row[i];
}

/* Of pixels [j, j + VEC) to the right and down; 0 from the last on. */
static ALWAYS_INLINE void differences(const float *row, const float *next, int64_t j, int64_t width, vec *right,
                                      vec *down)
{
    edge rest;
    const float *here = row + j, *below = next + j;
    if (j + VEC >= width) {
        fill_edge(&rest, here, below, width - j);
        here = rest.row;
        below = rest.next;
    }
    vec x = vec_load(here);
    *right = vec_load(here + 1) - x;
    *down = vec_load(below) - x;
}

static ALWAYS_INLINE vec term_of(const enum measure measure, vec right, vec down, vec epsilon, vec half_beta, vec flat)
{
    vec squares = vec_fma(right, right, down * down);
    if (measure == SQUARES)
        return squares;
    squares = squares + epsilon;
    return (measure == LENGTHS ? vec_sqrt(squares) : vec_power(squares, half_beta)) - flat;
}

static ALWAYS_INLINE void sums_loop(const enum measure measure, float beta, float epsilon, const float *row,
                                    const float *next, int64_t width, float sums[16])
{
    vec eps = vec_set(epsilon), half = vec_set(beta * 0.5f);
    vec flat = measure == LENGTHS ? vec_sqrt(eps) : measure == POWERS ? vec_power(eps, half) : eps;
    for (int64_t j = 0; j < width; j += VEC) {
        vec right, down;
        differences(row, next, j, width, &right, &down);
        vec_put(sums + j % LANES, term_of(measure, right, down, eps, half, flat), width - j, true);
    }
}

static void variation_sums(float beta, float epsilon, const float *row, const float *next, int64_t width,
                           float sums[16])
{
    if (beta == 2)
        sums_loop(SQUARES, beta, epsilon, row, next, width, sums);
    else if (beta == 1)
        sums_loop(LENGTHS, beta, epsilon, row, next, width, sums);
    else
        sums_loop(POWERS, beta, epsilon, row, next, width, sums);
}

/* beta (right^2 + down^2 + epsilon)^(beta/2 - 1), 0 where nothing is raised. */
static ALWAYS_INLINE vec factor_of(const enum measure measure, vec right, vec down, vec beta, vec epsilon, vec power)
{
    vec zero = vec_set(0);
    if (measure == SQUARES)
        return beta;
    vec squares = vec_fma(right, right, down * down) + epsilon;
    vec y = measure == LENGTHS ? vec_set(1.0f) / vec_sqrt(squares) : beta * vec_power(squares, power);
    return vec_select(vec_gt(squares, zero), y, vec_select(vec_is_nan(squares), squares, zero));
}

static ALWAYS_INLINE void slopes_loop(const enum measure measure, float beta, float epsilon, const float *row,
                                      const float *next, int64_t width, float *right_slopes, float *down_slopes)
{
    vec b = vec_set(beta), eps = vec_set(epsilon), power = vec_set(beta * 0.5f - 1);
    for (int64_t j = 0; j < width; j += VEC) {
        vec right, down;
        differences(row, next, j, width, &right, &down);
        vec factor = factor_of(measure, right, down, b, eps, power);
        vec_store_upto(right_slopes + j, factor * right, width - j);
        vec_store_upto(down_slopes + j, factor * down, width - j);
    }
}

static void variation_slopes(float beta, float epsilon, const float *row, const float *next, int64_t width,
                             float *right_slopes, float *down_slopes)
{
    if (beta == 2)
        slopes_loop(SQUARES, beta, epsilon, row, next, width, right_slopes, down_slopes);
    else if (beta == 1)
        slopes_loop(LENGTHS, beta, epsilon, row, next, width, right_slopes, down_slopes);
    else
        slopes_loop(POWERS, beta, epsilon, row, next, width, right_slopes, down_slopes);
}

static void variation_gradient(float factor, const float *right_slopes, const float *down_slopes,
                               const float *above_slopes, float *dx, int64_t width, bool accumulate)
{
    vec f = vec_set(factor);
    for (int64_t j = 0; j < width; j += VEC) {
        int64_t n = width - j;
        vec left = vec_load_upto(right_slopes - 1 + j, n), right = vec_load_upto(right_slopes + j, n);
        vec above = vec_load_upto(above_slopes + j, n), below = vec_load_upto(down_slopes + j, n);
        vec_put(dx + j, f * ((left - right) + (above - below)), n, accumulate);
    }
}

void KERNEL(cpu_picture_init)(cpu_table_type *table)
{
    table->power_sums = power_sums;
    table->power_gradient = power_gradient;
    table->variation_sums = variation_sums;
    table->variation_slopes = variation_slopes;
    table->variation_gradient = variation_gradient;
}
