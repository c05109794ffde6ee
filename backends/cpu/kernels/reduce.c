/* SPDX-License-Identifier: Apache-2.0 */
/* Sums by lane, and softmax. The order of every sum depends on lengths alone. */
#include "simd.h"

enum { LANES = 16, PARTS = LANES / VEC };

/* sums[i % 16] += the summand. */
enum summand { VALUE, SQUARE /* (x - mean)^2 */, PRODUCT /* (x - mean) y */, DISTANCE /* (x - y)^2 */ };

static ALWAYS_INLINE void lane_loop(const enum summand which, const float *x, float mean, const float *y, int64_t count,
                                    float sums[16])
{
    vec total[PARTS], m = vec_set(mean);
    UNROLL
    for (int p = 0; p < PARTS; p++)
        total[p] = vec_load(sums + p * VEC);
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES) {
        UNROLL
        for (int p = 0; p < PARTS; p++) {
            vec v = vec_load(x + i + p * VEC);
            if (which == VALUE) {
                total[p] = total[p] + v;
                continue;
            }
            vec d = which == DISTANCE ? v - vec_load(y + i + p * VEC) : v - m;
            total[p] = vec_fma(d, which == PRODUCT ? vec_load(y + i + p * VEC) : d, total[p]);
        }
    }
    UNROLL
    for (int p = 0; p < PARTS; p++)
        vec_store(sums + p * VEC, total[p]);
    for (int lane = 0; i < count; i++, lane++) {
        float d = x[i] - (which == DISTANCE ? y[i] : mean);
        sums[lane] += which == VALUE ? x[i] : d * (which == PRODUCT ? y[i] : d);
    }
}

static void lane_sums(const float *x, int64_t count, float sums[16])
{
    lane_loop(VALUE, x, 0, x, count, sums);
}

static void lane_squares(const float *x, float mean, int64_t count, float sums[16])
{
    lane_loop(SQUARE, x, mean, x, count, sums);
}

static void lane_products(const float *x, float mean, const float *y, int64_t count, float sums[16])
{
    lane_loop(PRODUCT, x, mean, y, count, sums);
}

static void lane_distances(const float *x, const float *y, int64_t count, float sums[16])
{
    lane_loop(DISTANCE, x, 0, y, count, sums);
}

/* Vectors under way, so that an addition need not wait for the one before. */
enum { ROWS = 4 / PARTS, STEP = ROWS * LANES };

static ALWAYS_INLINE void clear_sums(vec sums[ROWS * PARTS])
{
    UNROLL
    for (int p = 0; p < ROWS * PARTS; p++)
        sums[p] = vec_set(0);
}

/* Adds up the rows: out[lane], or added to what is there. */
static ALWAYS_INLINE void store_sums(const vec sums[ROWS * PARTS], float out[16], bool accumulate)
{
    for (int p = 0; p < PARTS; p++) {
        vec total = sums[p];
        for (int row = 1; row < ROWS; row++)
            total = total + sums[row * PARTS + p];
        vec_put(out + p * VEC, total, VEC, accumulate);
    }
}

static void lane_moments(const float *x, int64_t count, float sums[16], float means[16], float squares[16])
{
    vec sum[ROWS * PARTS], square[ROWS * PARTS], mean[PARTS];
    int64_t i = 0;
    clear_sums(sum);
    for (; i + STEP <= count; i += STEP) {
        UNROLL
        for (int p = 0; p < ROWS * PARTS; p++)
            sum[p] = sum[p] + vec_load(x + i + p * VEC);
    }
    for (; i < count; i += LANES) {
        UNROLL
        for (int p = 0; p < PARTS; p++)
            sum[p] = sum[p] + vec_load(x + i + p * VEC);
    }
    store_sums(sum, sums, false);
    UNROLL
    for (int p = 0; p < PARTS; p++) {
        mean[p] = vec_load(sums + p * VEC) * vec_set((float)LANES / (float)count);
        vec_store(means + p * VEC, mean[p]);
    }
    clear_sums(square);
    for (i = 0; i + STEP <= count; i += STEP) {
        UNROLL
        for (int p = 0; p < ROWS * PARTS; p++) {
            vec d = vec_load(x + i + p * VEC) - mean[p % PARTS];
            square[p] = vec_fma(d, d, square[p]);
        }
    }
    for (; i < count; i += LANES) {
        UNROLL
        for (int p = 0; p < PARTS; p++) {
            vec d = vec_load(x + i + p * VEC) - mean[p];
            square[p] = vec_fma(d, d, square[p]);
        }
    }
    store_sums(square, squares, false);
}

static void lane_gradient_sums(const float *x, const float mean[16], const float *dy, int64_t count, float sums[16],
                               float products[16])
{
    vec sum[ROWS * PARTS], product[ROWS * PARTS], m[PARTS];
    int64_t i = 0;
    clear_sums(sum);
    clear_sums(product);
    UNROLL
    for (int p = 0; p < PARTS; p++)
        m[p] = vec_load(mean + p * VEC);
    for (; i + STEP <= count; i += STEP) {
        UNROLL
        for (int p = 0; p < ROWS * PARTS; p++) {
            vec g = vec_load(dy + i + p * VEC);
            sum[p] = sum[p] + g;
            product[p] = vec_fma(vec_load(x + i + p * VEC) - m[p % PARTS], g, product[p]);
        }
    }
    for (; i < count; i += LANES) {
        UNROLL
        for (int p = 0; p < PARTS; p++) {
            vec g = vec_load(dy + i + p * VEC);
            sum[p] = sum[p] + g;
            product[p] = vec_fma(vec_load(x + i + p * VEC) - m[p], g, product[p]);
        }
    }
    store_sums(sum, sums, true);
    store_sums(product, products, true);
}

/* One row of neighbours. */
static void softmax_row(const float *x, float *y, int64_t length, bool logarithm)
{
    float best = x[0], sum = 0;
    int64_t i = 0;
    if (length >= VEC) {
        vec most = vec_load(x);
        for (i = VEC; i + VEC <= length; i += VEC)
            most = vec_max(most, vec_load(x + i));
        best = vec_maximum(most);
    }
    for (; i < length; i++)
        best = x[i] > best || x[i] != x[i] ? x[i] : best;
    vec top = vec_set(best), total = vec_set(0);
    for (i = 0; i + VEC <= length; i += VEC) {
        vec e = vec_exp(vec_load(x + i) - top);
        total = total + e;
        if (!logarithm)
            vec_store(y + i, e);
    }
    sum = vec_sum(total);
    if (i < length) {
        float rest[VEC];
        vec_store(rest, vec_exp(vec_load_n(x + i, length - i) - top));
        for (int64_t j = 0; j < length - i; j++) {
            sum += rest[j];
            if (!logarithm)
                y[i + j] = rest[j];
        }
    }
    vec shift = vec_set(best + logf(sum)), factor = vec_set(1.0f / sum);
    for (i = 0; i < length; i += VEC) {
        int64_t n = length - i;
        vec_store_upto(y + i, logarithm ? vec_load_upto(x + i, n) - shift : vec_load_upto(y + i, n) * factor, n);
    }
}

/* Up to VEC neighbouring columns at once, rows inner apart. */
static void softmax_columns(const float *x, float *y, int64_t length, int64_t inner, int64_t n, bool logarithm)
{
    vec top = vec_load_upto(x, n), total = vec_set(0);
    for (int64_t i = 1; i < length; i++)
        top = vec_max(top, vec_load_upto(x + i * inner, n));
    for (int64_t i = 0; i < length; i++) {
        vec e = vec_exp(vec_load_upto(x + i * inner, n) - top);
        total = total + e;
        if (!logarithm)
            vec_store_upto(y + i * inner, e, n);
    }
    vec shift = vec_set(0), factor = vec_set(1.0f) / total;
    if (logarithm) {
        float logs[VEC];
        vec_store(logs, total);
        for (int j = 0; j < VEC; j++)
            logs[j] = logf(logs[j]);
        shift = top + vec_load(logs);
    }
    for (int64_t i = 0; i < length; i++) {
        float *out = y + i * inner;
        vec_store_upto(out, logarithm ? vec_load_upto(x + i * inner, n) - shift : vec_load_upto(out, n) * factor, n);
    }
}

static void softmax(const float *x, float *y, int64_t length, int64_t inner, bool logarithm)
{
    if (inner == 1) {
        softmax_row(x, y, length, logarithm);
        return;
    }
    for (int64_t c = 0; c < inner; c += VEC)
        softmax_columns(x + c, y + c, length, inner, inner - c, logarithm);
}

/* softmax: dx = y (dy - sum y dy); log softmax: dx = dy - e^y sum dy. */
static ALWAYS_INLINE vec softmax_gradient_one(vec y, vec dy, vec total, bool logarithm)
{
    return logarithm ? dy - vec_exp(y) * total : y * (dy - total);
}

static void softmax_gradient(const float *y, const float *dy, float *dx, int64_t length, int64_t inner, bool logarithm,
                             bool accumulate)
{
    /* With inner 1, a vector runs along the row and its lanes are added up; else it runs across columns. */
    int64_t step = inner == 1 ? VEC : inner, width = inner == 1 ? length : length * inner;
    for (int64_t c = 0; c < inner; c += VEC) {
        vec total = vec_set(0);
        for (int64_t i = c; i < width; i += step) {
            int64_t n = inner == 1 ? length - i : inner - c;
            vec g = vec_load_upto(dy + i, n);
            total = vec_fma(logarithm ? vec_set(1.0f) : vec_load_upto(y + i, n), g, total);
        }
        if (inner == 1)
            total = vec_set(vec_sum(total));
        for (int64_t i = c; i < width; i += step) {
            int64_t n = inner == 1 ? length - i : inner - c;
            vec g = softmax_gradient_one(vec_load_upto(y + i, n), vec_load_upto(dy + i, n), total, logarithm);
            vec_put(dx + i, g, n, accumulate);
        }
    }
}

void KERNEL(cpu_reduce_init)(cpu_table_type *table)
{
    table->lane_sums = lane_sums;
    table->lane_squares = lane_squares;
    table->lane_products = lane_products;
    table->lane_distances = lane_distances;
    table->lane_moments = lane_moments;
    table->lane_gradient_sums = lane_gradient_sums;
    table->softmax = softmax;
    table->softmax_gradient = softmax_gradient;
}
