/* SPDX-License-Identifier: Apache-2.0 */
/* Between rows and the batch-innermost order of nchw16n, by squares of VEC x VEC. */
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

static void lanes_from_rows(const float *x, int64_t x_stride, int32_t rows, int64_t columns, float *y, int64_t y_stride,
                            int32_t lanes)
{
    for (int part = 0; part < lanes; part += VEC)
        for (int64_t c = 0; c < columns; c += VEC) {
            vec square[VEC];
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

static void rows_from_lanes(const float *x, int64_t columns, float *y, int64_t y_stride, int32_t rows)
{
    for (int part = 0; part < rows; part += VEC)
        for (int64_t c = 0; c < columns; c += VEC) {
            vec square[VEC];
            UNROLL
            for (int i = 0; i < VEC; i++)
                square[i] = c + i < columns ? vec_load(x + (c + i) * LANES + part) : vec_set(0);
            transpose(square);
            UNROLL
            for (int i = 0; i < VEC; i++)
                if (part + i < rows)
                    vec_store_upto(y + (part + i) * y_stride + c, square[i], columns - c);
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

static void copy_strided(const float *x, int64_t x_stride, float *y, int64_t count)
{
    if (x_stride == 1)
        memcpy(y, x, (size_t)count * sizeof *y);
    else if (x_stride == 2)
        for (int64_t i = 0; i < count; i++)
            y[i] = x[2 * i];
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
