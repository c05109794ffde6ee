/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between rows and lanes of 16 (the batch's items in nchw16n, channels in nchw16c), by squares of VEC x VEC.
 */
#include "simd.h"

enum { LANES = 16 };

/* In place. Each round rotates the bits of (row, column) by one; after log2(VEC) rounds they have changed places. */
static ALWAYS_INLINE void transpose(vec square[VEC])
{
    UNROLL
    for (int width = 1; width < VEC; width *= 2) {
        vec next[VEC];
        UNROLL
        for (int i = 0; i < VEC / 2; i++) {
            next[2 * i] = vec_zip_low(square[i], square[i + VEC / 2]);
            next[2 * i + 1] = vec_zip_high(square[i], square[i + VEC / 2]);
        }
        UNROLL
        for (int i = 0; i < VEC; i++)
            square[i] = next[i];
    }
}

/* ---- Whole squares: fours of rows are put side by side by the loads, and only 4 x 4 is left to be transposed ---- */

#if defined(CPU_ISA_AVX512)
/* 4 floats of each of VEC / 4 rows. */
static ALWAYS_INLINE vec load_fours(const float *p, int64_t stride)
{
    __m256 low = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p)), _mm_loadu_ps(p + stride), 1), high;
    high = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p + 2 * stride)), _mm_loadu_ps(p + 3 * stride), 1);
    return _mm512_insertf32x8(_mm512_castps256_ps512(low), high, 1);
}

/* Within each four: a0 b0 a1 b1, a2 b2 a3 b3; and pairs: a0 a1 b0 b1, a2 a3 b2 b3. */
#define ZIP_LOW(a, b)    _mm512_unpacklo_ps(a, b)
#define ZIP_HIGH(a, b)   _mm512_unpackhi_ps(a, b)
#define PAIRS_LOW(a, b)  _mm512_shuffle_ps(a, b, 0x44)
#define PAIRS_HIGH(a, b) _mm512_shuffle_ps(a, b, 0xee)
#elif defined(CPU_ISA_AVX2)
static ALWAYS_INLINE vec load_fours(const float *p, int64_t stride)
{
    return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p)), _mm_loadu_ps(p + stride), 1);
}

#define ZIP_LOW(a, b)    _mm256_unpacklo_ps(a, b)
#define ZIP_HIGH(a, b)   _mm256_unpackhi_ps(a, b)
#define PAIRS_LOW(a, b)  _mm256_shuffle_ps(a, b, 0x44)
#define PAIRS_HIGH(a, b) _mm256_shuffle_ps(a, b, 0xee)
#else
static ALWAYS_INLINE vec load_fours(const float *p, int64_t stride)
{
    (void)stride;
    return vec_load(p);
}

#define ZIP_LOW(a, b)    __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define ZIP_HIGH(a, b)   __builtin_shufflevector(a, b, 2, 6, 3, 7)
#define PAIRS_LOW(a, b)  __builtin_shufflevector(a, b, 0, 1, 4, 5)
#define PAIRS_HIGH(a, b) __builtin_shufflevector(a, b, 2, 3, 6, 7)
#endif

/* Rows [first, first + 4) of the transposed square. */
static ALWAYS_INLINE void transposed_rows(const float *x, int64_t x_stride, int first, vec out[4])
{
    vec in[4];
    UNROLL
    for (int i = 0; i < 4; i++)
        in[i] = load_fours(x + i * x_stride + first, 4 * x_stride);
    vec low0 = ZIP_LOW(in[0], in[1]), high0 = ZIP_HIGH(in[0], in[1]);
    vec low1 = ZIP_LOW(in[2], in[3]), high1 = ZIP_HIGH(in[2], in[3]);
    out[0] = PAIRS_LOW(low0, low1);
    out[1] = PAIRS_HIGH(low0, low1);
    out[2] = PAIRS_LOW(high0, high1);
    out[3] = PAIRS_HIGH(high0, high1);
}

static ALWAYS_INLINE void whole_square(const float *x, int64_t x_stride, float *y, int64_t y_stride)
{
    for (int first = 0; first < VEC; first += 4, y += 4 * y_stride) {
        vec rows[4];
        transposed_rows(x, x_stride, first, rows);
        UNROLL
        for (int i = 0; i < 4; i++)
            vec_store(y + i * y_stride, rows[i]);
    }
}

/* ---- The table's ---- */

static void lanes_from_rows(const float *x, int64_t x_stride, int32_t rows, int64_t columns, float *y, int64_t y_stride,
                            int32_t lanes)
{
    for (int part = 0; part < lanes; part += VEC)
        for (int64_t c = 0; c < columns; c += VEC) {
            vec square[VEC];
            if (part + VEC <= rows && c + VEC <= columns) {
                whole_square(x + part * x_stride + c, x_stride, y + c * y_stride + part, y_stride);
                continue;
            }
            UNROLL
            for (int i = 0; i < VEC; i++)
                square[i] = part + i < rows ? vec_load_upto(x + (part + i) * x_stride + c, columns - c) : vec_set(0);
            transpose(square);
            UNROLL
            for (int i = 0; i < VEC; i++)
                if (c + i < columns)
                    vec_store(y + (c + i) * y_stride + part, square[i]);
        }
}

static void rows_from_lanes(const float *x, int64_t columns, float *y, int64_t y_stride, int32_t rows, bool accumulate)
{
    for (int part = 0; part < rows; part += VEC)
        for (int64_t c = 0; c < columns; c += VEC) {
            vec square[VEC];
            if (part + VEC <= rows && c + VEC <= columns && !accumulate) {
                whole_square(x + c * LANES + part, LANES, y + part * y_stride + c, y_stride);
                continue;
            }
            UNROLL
            for (int i = 0; i < VEC; i++)
                square[i] = c + i < columns ? vec_load(x + (c + i) * LANES + part) : vec_set(0);
            transpose(square);
            UNROLL
            for (int i = 0; i < VEC; i++)
                if (part + i < rows)
                    vec_put(y + (part + i) * y_stride + c, square[i], columns - c, accumulate);
        }
}

static void copy_lines(const float *x, int64_t x_stride, float *y, int64_t count)
{
    for (int64_t i = 0; i < count; i++, x += x_stride, y += LANES) {
        UNROLL
        for (int part = 0; part < LANES; part += VEC)
            vec_store(y + part, vec_load(x + part));
    }
}

/* y[i] = x[2 i]; nothing behind the last element is read. */
static void copy_even(const float *x, float *y, int64_t count)
{
    int64_t i = 0;
    for (; count - i > VEC; i += VEC)
        vec_store(y + i, vec_even(vec_load(x + 2 * i), vec_load(x + 2 * i + VEC)));
    if (i == count)
        return;
    int64_t left = 2 * (count - i) - 1;
    vec low = vec_load_upto(x + 2 * i, left);
    vec high = left > VEC ? vec_load_n(x + 2 * i + VEC, left - VEC) : vec_set(0);
    vec_store_upto(y + i, vec_even(low, high), count - i);
}

static void copy_strided(const float *x, int64_t x_stride, float *y, int64_t count)
{
    if (x_stride == 1)
        memcpy(y, x, (size_t)count * sizeof *y);
    else if (x_stride == 2)
        copy_even(x, y, count);
    else
        for (int64_t i = 0; i < count; i++)
            y[i] = x[i * x_stride];
}

static void fold_lanes(const float *x, int64_t columns, float *y)
{
    for (int64_t c = 0; c < columns; c += VEC) {
        vec total = vec_set(0);
        for (int part = 0; part < LANES; part += VEC) {
            vec square[VEC];
            UNROLL
            for (int i = 0; i < VEC; i++)
                square[i] = c + i < columns ? vec_load(x + (c + i) * LANES + part) : vec_set(0);
            transpose(square);
            UNROLL
            for (int i = 0; i < VEC; i++)
                total = total + square[i];
        }
        vec_store_upto(y + c, total, columns - c);
    }
}

void KERNEL(cpu_transpose_init)(cpu_table_type *table)
{
    table->lanes_from_rows = lanes_from_rows;
    table->rows_from_lanes = rows_from_lanes;
    table->copy_strided = copy_strided;
    table->copy_lines = copy_lines;
    table->fold_lanes = fold_lanes;
}
