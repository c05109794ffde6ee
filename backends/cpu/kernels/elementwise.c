/* SPDX-License-Identifier: Apache-2.0 */
/* Element-wise loops. Arrays may be the same, never partly overlap. */
#include "simd.h"

#include "linnet/layers.h"

/* tanh: an odd polynomial of our own fit (relative error below 2e-7) for |x| < 0.625, else 1 - 2 / (e^2|x| + 1) with
 * x's sign. */
static ALWAYS_INLINE vec vec_tanh(vec x)
{
    vec zero = vec_set(0), square = x * x;
    vec magnitude = vec_select(vec_gt(zero, x), zero - x, x);
    vec p = vec_set(-5.704985014e-03f);
    p = vec_fma(p, square, vec_set(2.063908550e-02f));
    p = vec_fma(p, square, vec_set(-5.373971455e-02f));
    p = vec_fma(p, square, vec_set(1.333144219e-01f));
    p = vec_fma(p, square, vec_set(-3.333328194e-01f));
    vec small = vec_fma(p * square, x, x);
    vec large = vec_set(1.0f) - vec_set(2.0f) / (vec_exp(magnitude + magnitude) + vec_set(1.0f));
    large = vec_select(vec_gt(zero, x), zero - large, large);
    return vec_select(vec_gt(vec_set(0.625f), magnitude), small, large);
}

static ALWAYS_INLINE vec unary_one(const uint32_t op, vec x, vec alpha, vec beta)
{
    switch (op) {
    case LINNET_UNARY_RELU:
        return vec_max(vec_set(0), x);
    case LINNET_UNARY_LEAKY_RELU:
        return vec_select(vec_gt(x, vec_set(0)), x, alpha * x);
    case LINNET_UNARY_CLIP:
        return vec_min(beta, vec_max(alpha, x));
    case LINNET_UNARY_TANH:
        return vec_tanh(x);
    case LINNET_UNARY_SIGMOID:
        return vec_set(1.0f) / (vec_set(1.0f) + vec_exp(vec_set(0) - x));
    default:
        return vec_fma(alpha, x, beta);
    }
}

static ALWAYS_INLINE void unary_loop(const uint32_t op, float alpha, float beta, const float *x, float *y,
                                     int64_t count)
{
    vec a = vec_set(alpha), b = vec_set(beta);
    int64_t i = 0;
    for (; i + VEC <= count; i += VEC)
        vec_store(y + i, unary_one(op, vec_load(x + i), a, b));
    if (i < count)
        vec_store_n(y + i, unary_one(op, vec_load_n(x + i, count - i), a, b), count - i);
}

static void unary(uint32_t op, float alpha, float beta, const float *x, float *y, int64_t count)
{
    switch (op) {
    case LINNET_UNARY_RELU:
        unary_loop(LINNET_UNARY_RELU, alpha, beta, x, y, count);
        break;
    case LINNET_UNARY_LEAKY_RELU:
        unary_loop(LINNET_UNARY_LEAKY_RELU, alpha, beta, x, y, count);
        break;
    case LINNET_UNARY_CLIP:
        unary_loop(LINNET_UNARY_CLIP, alpha, beta, x, y, count);
        break;
    case LINNET_UNARY_TANH:
        unary_loop(LINNET_UNARY_TANH, alpha, beta, x, y, count);
        break;
    case LINNET_UNARY_SIGMOID:
        unary_loop(LINNET_UNARY_SIGMOID, alpha, beta, x, y, count);
        break;
    default:
        unary_loop(LINNET_UNARY_SCALE, alpha, beta, x, y, count);
        break;
    }
}

static ALWAYS_INLINE vec gradient_one(const uint32_t op, vec y, vec dy, vec alpha, vec beta)
{
    vec zero = vec_set(0), one = vec_set(1.0f);
    switch (op) {
    case LINNET_UNARY_RELU:
        return vec_select(vec_gt(y, zero), dy, zero);
    case LINNET_UNARY_LEAKY_RELU:
        return vec_select(vec_gt(y, zero), dy, alpha * dy);
    case LINNET_UNARY_CLIP:
        return vec_select(vec_gt(y, alpha), vec_select(vec_gt(beta, y), dy, zero), zero);
    case LINNET_UNARY_TANH:
        return dy * (one - y * y);
    case LINNET_UNARY_SIGMOID:
        return dy * y * (one - y);
    default:
        return alpha * dy;
    }
}

static ALWAYS_INLINE void gradient_loop(const uint32_t op, float alpha, float beta, const float *y, const float *dy,
                                        float *dx, int64_t count, bool accumulate)
{
    vec a = vec_set(alpha), b = vec_set(beta);
    for (int64_t i = 0; i < count; i += VEC) {
        int64_t n = count - i;
        vec g = gradient_one(op, vec_load_upto(y + i, n), vec_load_upto(dy + i, n), a, b);
        vec_put(dx + i, g, n, accumulate);
    }
}

static void unary_gradient(uint32_t op, float alpha, float beta, const float *y, const float *dy, float *dx,
                           int64_t count, bool accumulate)
{
    switch (op) {
    case LINNET_UNARY_RELU:
        gradient_loop(LINNET_UNARY_RELU, alpha, beta, y, dy, dx, count, accumulate);
        break;
    case LINNET_UNARY_LEAKY_RELU:
        gradient_loop(LINNET_UNARY_LEAKY_RELU, alpha, beta, y, dy, dx, count, accumulate);
        break;
    case LINNET_UNARY_CLIP:
        gradient_loop(LINNET_UNARY_CLIP, alpha, beta, y, dy, dx, count, accumulate);
        break;
    case LINNET_UNARY_TANH:
        gradient_loop(LINNET_UNARY_TANH, alpha, beta, y, dy, dx, count, accumulate);
        break;
    case LINNET_UNARY_SIGMOID:
        gradient_loop(LINNET_UNARY_SIGMOID, alpha, beta, y, dy, dx, count, accumulate);
        break;
    default:
        gradient_loop(LINNET_UNARY_SCALE, alpha, beta, y, dy, dx, count, accumulate);
        break;
    }
}

static void binary(uint32_t op, const float *a, const float *b, float *y, int64_t count)
{
    for (int64_t i = 0; i < count; i += VEC) {
        int64_t n = count - i;
        vec p = vec_load_upto(a + i, n), q = vec_load_upto(b + i, n);
        vec_store_upto(y + i, op == LINNET_BINARY_ADD ? p + q : op == LINNET_BINARY_SUB ? p - q : p * q, n);
    }
}

static void scale(float factor, const float *x, float *y, int64_t count, bool accumulate)
{
    vec f = vec_set(factor);
    for (int64_t i = 0; i < count; i += VEC) {
        int64_t n = count - i;
        vec v = f * vec_load_upto(x + i, n);
        vec_put(y + i, v, n, accumulate);
    }
}

static void multiply(const float *a, const float *b, float *y, int64_t count, bool accumulate)
{
    for (int64_t i = 0; i < count; i += VEC) {
        int64_t n = count - i;
        vec v = vec_load_upto(a + i, n) * vec_load_upto(b + i, n);
        vec_put(y + i, v, n, accumulate);
    }
}

static void affine(float factor, const float *x, float mean, float shift, const float *z, float offset, float *y,
                   int64_t count, bool accumulate)
{
    vec f = vec_set(factor), m = vec_set(mean), s = vec_set(shift), o = vec_set(offset);
    for (int64_t i = 0; i < count; i += VEC) {
        int64_t n = count - i;
        vec v = vec_fma(f, vec_load_upto(x + i, n) - m, o);
        if (z)
            v = vec_fma(s, vec_load_upto(z + i, n), v);
        vec_put(y + i, v, n, accumulate);
    }
}

/* count is a multiple of 16, so that a vector's lanes are the same in every step. */
static ALWAYS_INLINE void affine_loop(const cpu_affine_lanes *a, const float *x, const float *z, float *y,
                                      int64_t count, const bool has_z, const bool accumulate)
{
    const vec low = vec_set(a->low), high = vec_set(a->high);
    for (int part = 0; part < 16; part += VEC) {
        const vec factor = vec_load(a->factor + part), mean = vec_load(a->mean + part);
        const vec shift = vec_load(a->shift + part), offset = vec_load(a->offset + part);
        for (int64_t i = part; i < count; i += 16) {
            vec v = vec_fma(factor, vec_load(x + i) - mean, offset);
            if (has_z)
                v = vec_fma(shift, vec_load(z + i), v);
            v = vec_min(high, vec_max(low, v));
            vec_put(y + i, v, VEC, accumulate);
        }
    }
}

static void affine_lanes(const cpu_affine_lanes *a, const float *x, const float *z, float *y, int64_t count,
                         bool accumulate)
{
    if (!z)
        affine_loop(a, x, x, y, count, false, accumulate);
    else if (accumulate)
        affine_loop(a, x, z, y, count, true, true);
    else
        affine_loop(a, x, z, y, count, true, false);
}

static void fill_lanes(const float values[16], float *y, int64_t count, bool accumulate)
{
    for (int64_t i = 0; i < count; i += VEC)
        vec_put(y + i, vec_load(values + i % 16), count - i, accumulate);
}

static void move_lanes(const float *x, float *y, int64_t elements, int32_t lanes, bool accumulate)
{
    for (int part = 0; part < lanes; part += VEC)
        for (int64_t i = part; i < elements * 16; i += 16)
            vec_put(y + i, vec_load_upto(x + i, lanes - part), lanes - part, accumulate);
}

static void exp_lanes(const float *x, const float factors[16], float *y, int64_t count, bool accumulate)
{
    for (int64_t i = 0; i < count; i += VEC) {
        int64_t n = count - i;
        vec f = vec_load(factors + i % 16), zero = vec_set(0), v = f * vec_exp(vec_load_upto(x + i, n));
        v = vec_select(vec_gt(f, zero), v, vec_select(vec_gt(zero, f), v, zero));
        vec_put(y + i, v, n, accumulate);
    }
}

void KERNEL(cpu_elementwise_init)(cpu_table_type *table)
{
    table->unary = unary;
    table->unary_gradient = unary_gradient;
    table->binary = binary;
    table->scale = scale;
    table->multiply = multiply;
    table->affine = affine;
    table->affine_lanes = affine_lanes;
    table->fill_lanes = fill_lanes;
    table->move_lanes = move_lanes;
    table->exp_lanes = exp_lanes;
}
