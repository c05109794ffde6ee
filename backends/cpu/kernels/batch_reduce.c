/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batch-reduce matrix product (Georganas et al. 2020, "Harnessing deep learning via a single building block"): the sum
 * of a list of products, in one register tile. A step multiplies a column of a, broadcast, by a row of b:
 *
 *              b[k]:   | 16 floats | 16 floats |       columns: 1..4 blocks of 16, 16 / VEC vectors each
 *      a[0][k]  x      |  sum[0][0]   sum[0][1]  |
 *      a[1][k]  x      |  sum[1][0]   sum[1][1]  |      rows: as many as leave registers for b and the broadcast;
 *         :            |      :           :      |      ROWS_1 for one block, ROWS_2 for two, ...
 *
 *                 AVX-512 (32 registers)    AVX2 (16)       portable (16)
 *      rows       16 / 14 / 9 / 6           6 / - / - / -   3 / - / - / -
 *      sums       16 / 28 / 27 / 24         12              12
 */
#include "simd.h"

enum { LANES = 16, PARTS = LANES / VEC, AHEAD = 32 * LANES };
#if defined(CPU_ISA_AVX512)
enum { MOST_COLUMNS = 4, ROWS_1 = 16, ROWS_2 = 14, ROWS_3 = 9, ROWS_4 = 6 };
#elif defined(CPU_ISA_AVX2)
enum { MOST_COLUMNS = 1, ROWS_1 = 6, ROWS_2 = 0, ROWS_3 = 0, ROWS_4 = 0 };
#else
enum { MOST_COLUMNS = 1, ROWS_1 = 3, ROWS_2 = 0, ROWS_3 = 0, ROWS_4 = 0 };
#endif

typedef vec sums_tile[ROWS_1][MOST_COLUMNS * PARTS];

/* Adds, clamps and stores the sums. */
static ALWAYS_INLINE void finish(const cpu_batch_reduce *p, sums_tile sum, const int rows, const int columns)
{
    const int vectors = columns * PARTS;
    const int64_t out_r = p->out_r, out_t = p->out_t;
    float *out = p->out;
    if (p->add) {
        const float *add = p->add;
        UNROLL
        for (int r = 0; r < rows; r++) {
            UNROLL
            for (int t = 0; t < vectors; t++)
                sum[r][t] = sum[r][t] + vec_load(add + r * out_r + t / PARTS * out_t + t % PARTS * VEC);
        }
    }
    if (p->low > -INFINITY) {
        const vec low = vec_set(p->low);
        UNROLL
        for (int r = 0; r < rows; r++) {
            UNROLL
            for (int t = 0; t < vectors; t++)
                sum[r][t] = vec_max(low, sum[r][t]);
        }
    }
    if (p->high < INFINITY) {
        const vec high = vec_set(p->high);
        UNROLL
        for (int r = 0; r < rows; r++) {
            UNROLL
            for (int t = 0; t < vectors; t++)
                sum[r][t] = vec_min(high, sum[r][t]);
        }
    }
    UNROLL
    for (int r = 0; r < rows; r++) {
        UNROLL
        for (int t = 0; t < vectors; t++)
            vec_store(out + r * out_r + t / PARTS * out_t + t % PARTS * VEC, sum[r][t]);
    }
}

/* The rows of a that are needed two terms later; at the end of the list, those that the next product begins with if it
   continues where this one ends. */
static ALWAYS_INLINE const float *later_rows(const cpu_batch_reduce *p, const cpu_batch_term *term, const int64_t rows)
{
    int64_t left = p->terms + p->count - term;
    if (left > 2)
        return p->a + term[2].a;
    return p->a + rows + p->terms[left == 2 || p->count == 1 ? 0 : 1].a;
}

/* rows, columns and the layout are constants where this is inlined, so that sum lives in registers. Meanwhile
   it fetches, one a step: lines of p->ahead and, of pixels, lines of b a little ahead and the rows of a later term. */
static ALWAYS_INLINE void product(const cpu_batch_reduce *p, const int rows, const int columns, const int layout)
{
    sums_tile sum;
    const int vectors = columns * PARTS;
    const bool is_pixels = layout == CPU_BATCH_PIXELS || layout == CPU_BATCH_PIXELS_2;
    const int64_t next = layout == CPU_BATCH_PIXELS_2 || layout == CPU_BATCH_TAPS_2 ? 2 : 1;
    const int64_t a_r = is_pixels ? next * LANES : next, a_k = layout == CPU_BATCH_CHANNELS ? LANES : 1;
    const int64_t b_t = p->b_t;
    const float *ahead = p->ahead, *row[ROWS_1];
    const bool is_listed = layout == CPU_BATCH_LISTED, is_fetching = !is_listed && layout != CPU_BATCH_CHANNELS;
    UNROLL
    for (int r = 0; r < rows && is_listed; r++)
        row[r] = p->a + p->list[r];
    UNROLL
    for (int r = 0; r < rows; r++) {
        UNROLL
        for (int t = 0; t < vectors; t++)
            sum[r][t] = p->bias ? vec_load(p->bias + t * VEC) : vec_set(0);
    }
    const cpu_batch_term *end = p->terms + p->count, *end_of_full = end - p->short_count;
    for (const cpu_batch_term *term = p->terms; term < end; term++) {
        const float *a = p->a + term->a, *b = p->b + term->b;
        int64_t at = term->a;
        const float *later = is_pixels ? later_rows(p, term, rows * a_r) : a;
        const int64_t depth = layout == CPU_BATCH_TAPS || layout == CPU_BATCH_TAPS_2 ? 1
                              : term < end_of_full                                   ? p->depth
                                                                                     : p->short_depth;
        for (int64_t k = depth; k > 0; k--) {
            vec x[MOST_COLUMNS * PARTS];
            UNROLL
            for (int t = 0; t < vectors; t++)
                x[t] = vec_hold(vec_load(b + t / PARTS * b_t + t % PARTS * VEC));
            if (is_pixels) {
                UNROLL
                for (int t = 0; t < columns; t++)
                    __builtin_prefetch(b + t * b_t + AHEAD);
                __builtin_prefetch(later);
                later += a_r;
            }
            if (is_fetching && ahead) {
                __builtin_prefetch(ahead, 0, 2);
                ahead += LANES;
            }
            UNROLL
            for (int r = 0; r < rows; r++) {
                vec w = vec_set(is_listed ? row[r][at] : a[r * a_r]);
                UNROLL
                for (int t = 0; t < vectors; t++)
                    sum[r][t] = vec_fma(w, x[t], sum[r][t]);
            }
            at++;
            a += a_k;
            b += LANES;
        }
    }
    finish(p, sum, rows, columns);
}

/* clang-format off */
#define TO_3(each, columns) each(1, columns) each(2, columns) each(3, columns)
#define TO_6(each, columns) TO_3(each, columns) each(4, columns) each(5, columns) each(6, columns)
#define TO_9(each, columns) TO_6(each, columns) each(7, columns) each(8, columns) each(9, columns)
#define TO_14(each, columns) TO_9(each, columns) each(10, columns) each(11, columns) each(12, columns) \
    each(13, columns) each(14, columns)
#define TO_16(each, columns) TO_14(each, columns) each(15, columns) each(16, columns)
#if defined(CPU_ISA_AVX512)
#define ALL(each) TO_16(each, 1) TO_14(each, 2) TO_9(each, 3) TO_6(each, 4)
#elif defined(CPU_ISA_AVX2)
#define ALL(each) TO_6(each, 1)
#else
#define ALL(each) TO_3(each, 1)
#endif
#define PRODUCT(rows, columns) \
    static void pixels_##rows##x##columns(const cpu_batch_reduce *p) { product(p, rows, columns, CPU_BATCH_PIXELS); } \
    static void channels_##rows##x##columns(const cpu_batch_reduce *p) { product(p, rows, columns, CPU_BATCH_CHANNELS); } \
    static void taps_##rows##x##columns(const cpu_batch_reduce *p) { product(p, rows, columns, CPU_BATCH_TAPS); } \
    static void listed_##rows##x##columns(const cpu_batch_reduce *p) { product(p, rows, columns, CPU_BATCH_LISTED); } \
    static void pixels_2_##rows##x##columns(const cpu_batch_reduce *p) { product(p, rows, columns, CPU_BATCH_PIXELS_2); } \
    static void taps_2_##rows##x##columns(const cpu_batch_reduce *p) { product(p, rows, columns, CPU_BATCH_TAPS_2); }
#define ENTRY(rows, columns) \
    [columns - 1][rows - 1] = {pixels_##rows##x##columns, channels_##rows##x##columns, taps_##rows##x##columns, \
                               listed_##rows##x##columns, pixels_2_##rows##x##columns, taps_2_##rows##x##columns},
ALL(PRODUCT)
/* clang-format on */

typedef void product_function(const cpu_batch_reduce *p);

static void batch_reduce(const cpu_batch_reduce *p)
{
    static product_function *const functions[MOST_COLUMNS][ROWS_1][CPU_BATCH_LAYOUTS] = {ALL(ENTRY)};
    functions[p->columns - 1][p->rows - 1][p->layout](p);
}

/* ---- Dot products: a sum is a vector of partial sums, added up at the end ---- */

#if defined(CPU_ISA_AVX512)
enum { DOT_1 = 16, DOT_2 = 12, DOT_3 = 9 };
#else
enum { DOT_1 = 8, DOT_2 = 5, DOT_3 = 4 };
#endif
enum { DOT_SUMS = (DOT_3 * 3 + VEC) / VEC * VEC + VEC };

/* Element i of the result is the sum of x[i]'s. Each round halves the number of vectors: element by element, two of
   them take turns in one. */
static ALWAYS_INLINE vec fold(vec x[VEC])
{
    UNROLL
    for (int width = VEC / 2; width > 0; width /= 2) {
        UNROLL
        for (int i = 0; i < width; i++)
            x[i] = vec_zip_low(x[i], x[i + width]) + vec_zip_high(x[i], x[i + width]);
    }
    return x[0];
}

static ALWAYS_INLINE void dot(const cpu_batch_reduce *p, const int rows, const int columns)
{
    vec sum[DOT_1][CPU_DOT_COLUMNS], group[VEC];
    float totals[DOT_SUMS];
    const int64_t b_t = p->b_t;
    UNROLL
    for (int r = 0; r < rows; r++) {
        UNROLL
        for (int t = 0; t < columns; t++)
            sum[r][t] = vec_set(0);
    }
    const cpu_batch_term *end = p->terms + p->count;
    for (const cpu_batch_term *term = p->terms; term < end; term++) {
        const float *a = p->a + term->a, *b = p->b + term->b;
        for (int part = 0; part < LANES; part += VEC) {
            vec x[CPU_DOT_COLUMNS];
            UNROLL
            for (int t = 0; t < columns; t++)
                x[t] = vec_hold(vec_load(b + t * b_t + part));
            UNROLL
            for (int r = 0; r < rows; r++) {
                vec value = vec_load(a + r * LANES + part);
                UNROLL
                for (int t = 0; t < columns; t++)
                    sum[r][t] = vec_fma(value, x[t], sum[r][t]);
            }
        }
    }
    UNROLL
    for (int first = 0; first < rows * columns; first += VEC) {
        UNROLL
        for (int i = 0; i < VEC; i++)
            group[i] = first + i < rows * columns ? sum[(first + i) / columns][(first + i) % columns] : vec_set(0);
        vec_store(totals + first, fold(group));
    }
    for (int r = 0; r < rows; r++)
        for (int t = 0; t < columns; t++) {
            float *out = p->out + r * p->out_r + t * p->out_t;
            *out = totals[r * columns + t] + (p->add ? p->add[r * p->out_r + t * p->out_t] : 0);
        }
}

/* clang-format off */
#if defined(CPU_ISA_AVX512)
#define ALL_DOTS(each) TO_16(each, 1) TO_9(each, 2) each(10, 2) each(11, 2) each(12, 2) TO_9(each, 3)
#else
#define ALL_DOTS(each) TO_6(each, 1) each(7, 1) each(8, 1) TO_3(each, 2) each(4, 2) each(5, 2) TO_3(each, 3) each(4, 3)
#endif
#define DOT(rows, columns) \
    static void dot_##rows##x##columns(const cpu_batch_reduce *p) { dot(p, rows, columns); }
#define DOT_ENTRY(rows, columns) [columns - 1][rows - 1] = dot_##rows##x##columns,
ALL_DOTS(DOT)
/* clang-format on */

static void batch_dot(const cpu_batch_reduce *p)
{
    static product_function *const functions[CPU_DOT_COLUMNS][DOT_1] = {ALL_DOTS(DOT_ENTRY)};
    functions[p->columns - 1][p->rows - 1](p);
}

void KERNEL(cpu_batch_reduce_init)(cpu_table_type *table)
{
    static const int32_t rows[CPU_BATCH_COLUMNS] = {ROWS_1, ROWS_2, ROWS_3, ROWS_4};
    table->batch_reduce = batch_reduce;
    table->batch_columns = MOST_COLUMNS;
    memcpy(table->batch_rows, rows, sizeof rows);
    static const int32_t dot_rows[CPU_DOT_COLUMNS] = {DOT_1, DOT_2, DOT_3};
    table->batch_dot = batch_dot;
    memcpy(table->dot_rows, dot_rows, sizeof dot_rows);
}
