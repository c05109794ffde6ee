/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Winograd's transforms, by Toom and Cook's interpolation at 0, +-p for `pairs` points p, and infinity. Every one is
 * the same transform of the columns, then of the rows. The points come in pairs so that an even and an odd half serve
 * both signs:
 *
 *     rows of B^T:  0         x^0 Q(x^2)        Q(s) = product over all points of (s - p^2)
 *                   +-p       (x^2 +- p x) Q_p(x^2), Q_p without p's factor
 *                   infinity  x Q(x^2)          (as polynomials: coefficient k belongs to input k)
 *     rows of G:    (1, x, x^2) / N_x           N_0 = Q(0), N_p = 2 p^2 Q_p(p^2); infinity: (0, 0, 1)
 *     columns of A^T: (1, x, x^2, ...); infinity: (0, ..., 0, 1)
 *
 * Order of the positions along an axis: 0, +p1, -p1, +p2, -p2, ..., infinity.
 */
#include "simd.h"

enum { LANES = 16, MOST = 8, PARTS = LANES / VEC };

/* ---- Points and their polynomials; pairs and i are constants where these are inlined. ---- */

static ALWAYS_INLINE double point(int pairs, int i)
{
    static const double points[3][3] = {{1}, {1, 2}, {1, 2, 0.5}};
    return points[pairs - 1][i];
}

static ALWAYS_INLINE double square(int pairs, int i)
{
    return point(pairs, i) * point(pairs, i);
}

/* Coefficient k of the product of (s - p^2) over all points but number omit. */
static ALWAYS_INLINE double coefficient(int pairs, int omit, int k)
{
    double c[4] = {1, 0, 0, 0}; /* of s^0, s^1, ... so far */
    UNROLL
    for (int i = 0; i < pairs; i++) {
        if (i == omit)
            continue;
        UNROLL
        for (int power = 3; power > 0; power--)
            c[power] = c[power - 1] - square(pairs, i) * c[power];
        c[0] = -square(pairs, i) * c[0];
    }
    return c[k];
}

/* N of point i, of 0 for i < 0. */
static ALWAYS_INLINE double norm(int pairs, int i)
{
    double n = i < 0 ? 1 : 2 * square(pairs, i);
    UNROLL
    for (int j = 0; j < pairs; j++)
        if (j != i)
            n *= (i < 0 ? 0 : square(pairs, i)) - square(pairs, j);
    return n;
}

static ALWAYS_INLINE double power(double x, int exponent)
{
    double result = 1;
    UNROLL
    for (int i = 0; i < exponent; i++)
        result *= x;
    return result;
}

/* a * x + y, where a costs nothing if it is 1. */
static ALWAYS_INLINE vec scaled(double a, vec x, vec y)
{
    if (a == 1)
        return y + x;
    if (a == -1)
        return y - x;
    return vec_fma(vec_set((float)a), x, y);
}

/* ---- One axis ---- */

typedef void transform(const int pairs, const vec *in, vec *out);

/* sum over k of coefficient k times d[first + 2 k] */
static ALWAYS_INLINE vec weighted(const int pairs, const int omit, const vec *d, const int first)
{
    const int degree = omit < 0 ? pairs : pairs - 1;
    vec sum = d[first + 2 * degree];
    UNROLL
    for (int k = degree - 1; k >= 0; k--)
        sum = scaled(coefficient(pairs, omit, k), d[first + 2 * k], sum);
    return sum;
}

/* B^T d: n to n. */
static ALWAYS_INLINE void input_axis(const int pairs, const vec *d, vec *out)
{
    out[0] = weighted(pairs, -1, d, 0);
    UNROLL
    for (int i = 0; i < pairs; i++) {
        vec even = weighted(pairs, i, d, 2), odd = weighted(pairs, i, d, 1);
        out[2 * i + 1] = scaled(point(pairs, i), odd, even);
        out[2 * i + 2] = scaled(-point(pairs, i), odd, even);
    }
    out[2 * pairs + 1] = weighted(pairs, -1, d, 1);
}

/* A^T m: n to m = 2 pairs. */
static ALWAYS_INLINE void output_axis(const int pairs, const vec *in, vec *out)
{
    const int m = 2 * pairs;
    vec sums[3], differences[3];
    UNROLL
    for (int i = 0; i < pairs; i++) {
        sums[i] = in[2 * i + 1] + in[2 * i + 2];
        differences[i] = in[2 * i + 1] - in[2 * i + 2];
    }
    UNROLL
    for (int k = 0; k < m; k++) {
        const vec *half = k % 2 ? differences : sums;
        vec y = half[0]; /* times 1: p1 = 1 */
        UNROLL
        for (int i = 1; i < pairs; i++)
            y = scaled(power(point(pairs, i), k), half[i], y);
        out[k] = y;
    }
    out[0] = out[0] + in[0];
    out[m - 1] = out[m - 1] + in[m + 1];
}

/* A dy: m to n. */
static ALWAYS_INLINE void output_gradient_axis(const int pairs, const vec *dy, vec *out)
{
    const int m = 2 * pairs;
    out[0] = dy[0];
    UNROLL
    for (int i = 0; i < pairs; i++) {
        vec even = dy[0], odd = dy[1];
        UNROLL
        for (int k = 1; k < pairs; k++) {
            even = scaled(power(point(pairs, i), 2 * k), dy[2 * k], even);
            odd = scaled(power(point(pairs, i), 2 * k), dy[2 * k + 1], odd);
        }
        out[2 * i + 1] = scaled(point(pairs, i), odd, even);
        out[2 * i + 2] = scaled(-point(pairs, i), odd, even);
    }
    out[m + 1] = dy[m - 1];
}

/* G g: 3 to n. */
static ALWAYS_INLINE void weights_axis(const int pairs, const vec *g, vec *out)
{
    out[0] = vec_set((float)(1 / norm(pairs, -1))) * g[0];
    UNROLL
    for (int i = 0; i < pairs; i++) {
        const double n = norm(pairs, i), p = point(pairs, i);
        vec even = vec_fma(vec_set((float)(p * p / n)), g[2], vec_set((float)(1 / n)) * g[0]);
        vec odd = vec_set((float)(p / n)) * g[1];
        out[2 * i + 1] = even + odd;
        out[2 * i + 2] = even - odd;
    }
    out[2 * pairs + 1] = g[2];
}

/* G^T u: n to 3. */
static ALWAYS_INLINE void weights_gradient_axis(const int pairs, const vec *u, vec *out)
{
    out[0] = vec_set((float)(1 / norm(pairs, -1))) * u[0];
    out[1] = vec_set(0);
    out[2] = u[2 * pairs + 1];
    UNROLL
    for (int i = 0; i < pairs; i++) {
        const double n = norm(pairs, i), p = point(pairs, i);
        vec sum = u[2 * i + 1] + u[2 * i + 2], difference = u[2 * i + 1] - u[2 * i + 2];
        out[0] = vec_fma(vec_set((float)(1 / n)), sum, out[0]);
        out[1] = vec_fma(vec_set((float)(p / n)), difference, out[1]);
        out[2] = vec_fma(vec_set((float)(p * p / n)), sum, out[2]);
    }
}

/* ---- Both axes: element [i][j] comes from load and goes to store. ---- */

/* From where to where. */
typedef struct context {
    const float *in;
    float *out;
    int64_t in_row, in_column, out_row, out_column; /* floats */
    /* load_inside: rows and columns of the tile that are inside the plane */
    int first_row, last_row, first_column, last_column;
} context;

typedef vec load_element(const context *c, int i, int j);

static ALWAYS_INLINE vec load_any(const context *c, int i, int j)
{
    return vec_load(c->in + i * c->in_row + j * c->in_column);
}

static ALWAYS_INLINE vec load_inside(const context *c, int i, int j)
{
    static const float zeros[LANES];
    bool inside = i >= c->first_row && i < c->last_row && j >= c->first_column && j < c->last_column;
    return vec_load(inside ? c->in + i * c->in_row + j * c->in_column : zeros);
}

static ALWAYS_INLINE void store(const context *c, int i, int j, vec x)
{
    vec_store(c->out + i * c->out_row + j * c->out_column, x);
}

static ALWAYS_INLINE void both_axes(transform *axis, const int pairs, const int from, const int to, const context *c,
                                    load_element *load)
{
    vec half[MOST][MOST]; /* [column][row] */
    for (int j = 0; j < from; j++) {
        vec in[MOST];
        UNROLL
        for (int i = 0; i < from; i++)
            in[i] = load(c, i, j);
        axis(pairs, in, half[j]);
    }
    for (int i = 0; i < to; i++) {
        vec in[MOST], result[MOST];
        UNROLL
        for (int j = 0; j < from; j++)
            in[j] = half[j][i];
        axis(pairs, in, result);
        UNROLL
        for (int j = 0; j < to; j++)
            store(c, i, j, result[j]);
    }
}

/* ---- Tiles of activations ---- */

/* Of size elements from start on: those inside an axis of length. */
static ALWAYS_INLINE void inside(int64_t start, int64_t length, int size, int *first, int *last)
{
    *first = start < 0 ? (int)(start < -size ? size : -start) : 0;
    *last = length - start < size ? (int)(length - start) : size;
}

static ALWAYS_INLINE void gather(transform *axis, const int pairs, const int size, const cpu_winograd_gather *t)
{
    const int n = 2 * pairs + 2;
    context c = {.in = t->plane + (t->row * t->w + t->column) * LANES,
                 .in_row = t->w * LANES,
                 .in_column = LANES,
                 .out = t->out,
                 .out_row = n * t->out_position,
                 .out_column = t->out_position};
    inside(t->row, t->h, size, &c.first_row, &c.last_row);
    inside(t->column, t->w, size, &c.first_column, &c.last_column);
    bool whole = c.first_row == 0 && c.first_column == 0 && c.last_row == size && c.last_column == size;
    for (int part = 0; part < PARTS; part++, c.in += VEC, c.out += VEC)
        if (whole)
            both_axes(axis, pairs, size, n, &c, load_any);
        else
            both_axes(axis, pairs, size, n, &c, load_inside);
}

/* Adds, clamps and stores a row's outputs that are there. */
static ALWAYS_INLINE void finish_row(const cpu_winograd_scatter *t, const int m, int part, int i, const vec *row)
{
    const vec low = vec_set(t->low), high = vec_set(t->high);
    const vec bias = t->bias ? vec_load(t->bias + part * VEC) : vec_set(0);
    UNROLL
    for (int j = 0; j < m; j++) {
        int64_t at = i * t->y_row + j * LANES + part * VEC;
        vec y = row[j] + bias;
        if (j >= t->columns)
            return;
        if (t->add)
            y = y + vec_load(t->add + at);
        vec_store(t->y + at, vec_min(high, vec_max(low, y)));
    }
}

static ALWAYS_INLINE void scatter(const int pairs, const cpu_winograd_scatter *t)
{
    const int n = 2 * pairs + 2, m = 2 * pairs;
    for (int part = 0; part < PARTS; part++) {
        vec half[MOST][MOST]; /* [column][row] */
        for (int j = 0; j < n; j++) {
            vec in[MOST];
            UNROLL
            for (int i = 0; i < n; i++)
                in[i] = vec_load(t->in + (i * n + j) * t->in_position + part * VEC);
            output_axis(pairs, in, half[j]);
        }
        for (int i = 0; i < t->rows; i++) {
            vec in[MOST], row[MOST];
            UNROLL
            for (int j = 0; j < n; j++)
                in[j] = half[j][i];
            output_axis(pairs, in, row);
            finish_row(t, m, part, i, row);
        }
    }
}

/* ---- Weights ---- */

static ALWAYS_INLINE void transform_weights(const int pairs, const cpu_winograd_weights *b)
{
    const int n = 2 * pairs + 2;
    const int64_t tap = b->flip ? -LANES : LANES;
    context c = {.in_row = 3 * tap, .in_column = tap, .out_row = n * b->position, .out_column = b->position};
    for (int channel = 0; channel < b->channels; channel++)
        for (int part = 0; part < PARTS; part++) {
            c.in = b->weights + channel * b->weight_c + (b->flip ? 8 * LANES : 0) + part * VEC;
            c.out = b->positions + channel * b->position_c + part * VEC;
            both_axes(weights_axis, pairs, 3, n, &c, load_any);
        }
}

static ALWAYS_INLINE void transform_gradient(const int pairs, const cpu_winograd_weights *b)
{
    const int n = 2 * pairs + 2;
    context c = {.in_row = n * b->position, .in_column = b->position, .out_row = 3 * LANES, .out_column = LANES};
    for (int channel = 0; channel < b->channels; channel++)
        for (int part = 0; part < PARTS; part++) {
            c.in = b->positions + channel * b->position_c + part * VEC;
            c.out = b->weights + channel * b->weight_c + part * VEC;
            both_axes(weights_gradient_axis, pairs, n, 3, &c, load_any);
        }
}

/* ---- The table ---- */

/* clang-format off */
#define SIZE(pairs) \
    static void input_##pairs(const cpu_winograd_gather *t) { gather(input_axis, pairs, 2 * pairs + 2, t); } \
    static void output_##pairs(const cpu_winograd_scatter *t) { scatter(pairs, t); } \
    static void output_gradient_##pairs(const cpu_winograd_gather *t) { gather(output_gradient_axis, pairs, 2 * pairs, t); } \
    static void weights_##pairs(const cpu_winograd_weights *b) { transform_weights(pairs, b); } \
    static void weights_gradient_##pairs(const cpu_winograd_weights *b) { transform_gradient(pairs, b); }
SIZE(1) SIZE(2) SIZE(3)
/* clang-format on */

#define ENTRY(pairs)                                                                                                   \
    {                                                                                                                  \
        input_##pairs, output_##pairs, output_gradient_##pairs, weights_##pairs, weights_gradient_##pairs              \
    }

    void KERNEL(cpu_winograd_init)(cpu_table_type *table)
{
    static const cpu_winograd_table sizes[CPU_WINOGRAD_SIZES] = {ENTRY(1), ENTRY(2), ENTRY(3)};
    memcpy(table->winograd, sizes, sizeof sizes);
}
