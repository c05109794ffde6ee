/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Depthwise convolution in nchw16c: a column is 16 floats, one per channel, so every product is lane by lane.
 *
 * Forward, and the input's gradient: a tile is TILE columns of one output row, kept in registers; for each row tap the
 * weights of its column taps are in registers too, and every input column is loaded once for all of them (3 taps,
 * step 1):
 *
 *        in   q:  0   1   2   3   4   5   6   7   8
 *                 |\ /|\ /|\ /|\ /|\ /|\ /|\ /|\ /|      sum[t] += w[v] in[t step + v]
 *        sum  t:    0   1   2   3   4   5   6
 *
 * Weight's gradient: sums of U row taps by K column taps are in registers over all rows; a tile of one or two rows of
 * dy is loaded once for all of them, and every column of x once:
 *
 *        sum[u][v] += dy[r][t] x[r step + u][t step + v]
 *
 * Tiles at the borders are the same code with a test for each column that is loaded or stored. Where a vector is
 * shorter than 16 lanes, a row is done once for each part of the lanes.
 */
#include "simd.h"

/* GRADIENT_*: columns and rows of a tile of dy, row taps at once, so that sums, dy and one x fit into the registers. */
#if defined(CPU_ISA_AVX512) || defined(CPU_ISA_NEON)
enum { GRADIENT_TILE_3 = 7, GRADIENT_LINES_3 = 2, GRADIENT_TILE_5 = 4, GRADIENT_ROWS_5 = 5 };
#else
enum { GRADIENT_TILE_3 = 4, GRADIENT_LINES_3 = 1, GRADIENT_TILE_5 = 4, GRADIENT_ROWS_5 = 2 };
#endif
enum { LANES = 16, TILE = 7, TILE_ROWS = 2, MAX_LINES = 2, MAX_TAPS = 5 };

/* The row taps of one output row that lie inside the input. */
typedef struct row_taps {
    const float *in, *weights; /* of the first: start of its input row, its column tap 0 */
    int64_t count, in_step, weight_step;
} row_taps;

static row_taps row_taps_of(const cpu_depthwise *d, const cpu_depthwise_axis *axis, const float *in,
                            const float *weights, int64_t at)
{
    int64_t row = at * axis->step + axis->offset, first = 0, last = axis->taps;
    while (first < last && row + first * axis->pitch < 0)
        first++;
    while (last > first && row + (last - 1) * axis->pitch >= d->in_rows)
        last--;
    row_taps taps = {.in = in,
                     .weights = weights,
                     .count = last - first,
                     .in_step = axis->pitch * d->in_columns * LANES,
                     .weight_step = axis->weight_step * d->weight_row * LANES};
    int64_t weight = axis->weight + first * axis->weight_step;
    if (taps.count > 0) {
        taps.in = in + (row + first * axis->pitch) * d->in_columns * LANES;
        taps.weights = weights + weight * d->weight_row * LANES;
    }
    return taps;
}

/* ---- Forward and input gradient ---- */

/* One row tap, pitch 1. in: the tile's first input, of which those from first on and before last are inside. */
static ALWAYS_INLINE void tile_row(vec sum[TILE], const int taps, const int step, const bool is_whole, const float *in,
                                   int64_t first, int64_t last, const float *w, int64_t w_step)
{
    vec weight[MAX_TAPS];
    UNROLL
    for (int v = 0; v < taps; v++)
        weight[v] = vec_load(w + v * w_step);
    UNROLL
    for (int q = 0; q < (TILE - 1) * step + taps; q++) {
        if (!is_whole && (q < first || q >= last))
            continue;
        vec x = vec_load(in + q * LANES);
        UNROLL
        for (int v = 0; v < taps; v++)
            if (q >= v && (q - v) % step == 0 && (q - v) / step < TILE)
                sum[(q - v) / step] = vec_fma(x, weight[v], sum[(q - v) / step]);
    }
}

/* The same for any number of taps, step and pitch: a load for each product. */
static ALWAYS_INLINE void tile_row_any(vec sum[TILE], const cpu_depthwise_axis *axis, const bool is_whole,
                                       const float *in, int64_t first, int64_t last, const float *w, int64_t w_step)
{
    for (int64_t v = 0, at = 0; v < axis->taps; v++, at += axis->pitch, w += w_step) {
        vec weight = vec_load(w);
        UNROLL
        for (int t = 0; t < TILE; t++) {
            int64_t q = at + t * axis->step;
            if (is_whole || (q >= first && q < last))
                sum[t] = vec_fma(vec_load(in + q * LANES), weight, sum[t]);
        }
    }
}

/* The first count sums to out, out_t apart. */
static ALWAYS_INLINE void tile_store(const cpu_depthwise *d, vec sum[TILE], float *out, int64_t out_t, int64_t count)
{
    if (d->accumulate) {
        UNROLL
        for (int t = 0; t < TILE; t++)
            if (t < count)
                sum[t] = sum[t] + vec_load(out + t * out_t);
    }
    if (d->clamps) {
        const vec low = vec_set(d->low), high = vec_set(d->high);
        UNROLL
        for (int t = 0; t < TILE; t++)
            sum[t] = vec_min(high, vec_max(low, sum[t]));
    }
    UNROLL
    for (int t = 0; t < TILE; t++)
        if (t < count)
            vec_store(out + t * out_t, sum[t]);
}

/* TILE outputs from column t on, or as many as there are. taps 0: any. */
static ALWAYS_INLINE void tile(const cpu_depthwise *d, const row_taps *rows, const cpu_depthwise_axis *axis,
                               const float *bias, const int taps, const int step, const bool is_whole, int64_t t,
                               float *out, int part)
{
    const int64_t at = t * axis->step + axis->offset, w_step = axis->weight_step * LANES;
    const float *in = rows->in + at * LANES + part, *w = rows->weights + axis->weight * LANES + part;
    const int64_t out_t = d->column_phases * LANES;
    vec sum[TILE], start = bias ? vec_load(bias + part) : vec_set(0);
    UNROLL
    for (int i = 0; i < TILE; i++)
        sum[i] = start;
    for (int64_t u = 0; u < rows->count; u++, in += rows->in_step, w += rows->weight_step) {
        if (taps > 0)
            tile_row(sum, taps, step, is_whole, in, -at, d->in_columns - at, w, w_step);
        else
            tile_row_any(sum, axis, is_whole, in, -at, d->in_columns - at, w, w_step);
    }
    tile_store(d, sum, out + t * out_t + part, out_t, is_whole ? TILE : axis->outputs - t);
}

/* One phase of an output row, for each part of the lanes. out: of the phase's first column. */
static ALWAYS_INLINE void row(const cpu_depthwise *d, const row_taps *rows, const cpu_depthwise_axis *axis,
                              const float *bias, const int taps, const int step, float *out)
{
    for (int part = 0; part < LANES; part += VEC)
        for (int64_t t = 0; t < axis->outputs; t += TILE) {
            if (t >= axis->inside_first && t + TILE <= axis->inside_last)
                tile(d, rows, axis, bias, taps, step, true, t, out, part);
            else
                tile(d, rows, axis, bias, taps, step, false, t, out, part);
        }
}

typedef void row_function(const cpu_depthwise *d, const row_taps *rows, const cpu_depthwise_axis *axis,
                          const float *bias, float *out);

/* clang-format off */
#define ROW(taps, step) \
    static void row_##taps##_##step(const cpu_depthwise *d, const row_taps *rows, const cpu_depthwise_axis *axis, \
                                    const float *bias, float *out) { row(d, rows, axis, bias, taps, step, out); }
ROW(0, 0) ROW(1, 1) ROW(2, 1) ROW(3, 1) ROW(5, 1) ROW(3, 2) ROW(5, 2)
    /* clang-format on */

    static row_function *row_of(const cpu_depthwise_axis *axis)
{
    static row_function *const step_1[MAX_TAPS + 1] = {row_0_0, row_1_1, row_2_1, row_3_1, row_0_0, row_5_1};
    if (axis->taps > MAX_TAPS || axis->pitch != 1)
        return row_0_0;
    if (axis->step == 1)
        return step_1[axis->taps];
    return axis->step != 2 ? row_0_0 : axis->taps == 3 ? row_3_2 : axis->taps == 5 ? row_5_2 : row_0_0;
}

/* ---- Square kernels without dilation ---- */

typedef vec weight_block[MAX_TAPS][MAX_TAPS];

/* What of a tile is there: all inputs; TILE outputs, of whose inputs less than taps on each side are outside; anything.
 */
enum reach { INSIDE, EDGE, PARTIAL };

/* Is column q of size a hole? Constant but at the edges. */
static ALWAYS_INLINE bool is_outside(const enum reach reach, const int taps, const int size, int q, int64_t first,
                                     int64_t last)
{
    bool left = reach == PARTIAL || (reach == EDGE && q < taps - 1);
    bool right = reach == PARTIAL || (reach == EDGE && q > size - taps);
    return (left && q < first) || (right && q >= last);
}

/* A tile of rows by TILE outputs. in: of the first output's first tap. Input rows and columns from first on and before
   last are inside. */
static ALWAYS_INLINE void square_tile(const cpu_depthwise *d, const weight_block weight, vec start, const int taps,
                                      const int step, const int rows, const enum reach reach, const float *in,
                                      int64_t first_row, int64_t last_row, int64_t first, int64_t last, float *out,
                                      int64_t count)
{
    const int64_t in_row = d->in_columns * LANES;
    const int size = (TILE - 1) * step + taps;
    vec sum[TILE_ROWS][TILE];
    UNROLL
    for (int r = 0; r < rows; r++) {
        UNROLL
        for (int t = 0; t < TILE; t++)
            sum[r][t] = start;
    }
    UNROLL
    for (int i = 0; i < (rows - 1) * step + taps; i++, in += in_row) {
        if (i < first_row || i >= last_row)
            continue;
        UNROLL
        for (int q = 0; q < size; q++) {
            if (is_outside(reach, taps, size, q, first, last))
                continue;
            vec x = vec_load(in + q * LANES);
            UNROLL
            for (int r = 0; r < rows; r++) {
                const int u = i - r * step;
                UNROLL
                for (int v = 0; v < taps; v++)
                    if (u >= 0 && u < taps && q >= v && (q - v) % step == 0 && (q - v) / step < TILE)
                        sum[r][(q - v) / step] = vec_fma(x, weight[u][v], sum[r][(q - v) / step]);
            }
        }
    }
    UNROLL
    for (int r = 0; r < rows; r++)
        tile_store(d, sum[r], out + r * d->out_columns * LANES, LANES, reach == PARTIAL ? count : TILE);
}

static ALWAYS_INLINE void square_rows(const cpu_depthwise *d, const weight_block weight, vec start, const int taps,
                                      const int step, const int rows, int64_t i, const float *in, float *out)
{
    const cpu_depthwise_axis *axis = d->columns;
    const int64_t row = i * step + d->rows->offset, last_row = d->in_rows - row, size = (TILE - 1) * step + taps;
    in += (row * d->in_columns + axis->offset) * LANES;
    out += i * d->out_columns * LANES;
    for (int64_t t = 0; t < axis->outputs; t += TILE, in += TILE * step * LANES, out += TILE * LANES) {
        const int64_t at = t * step + axis->offset, first = -at, last = d->in_columns - at;
        if (t + TILE > axis->outputs || first >= taps || last <= size - taps)
            square_tile(d, weight, start, taps, step, rows, PARTIAL, in, -row, last_row, first, last, out,
                        axis->outputs - t);
        else if (first > 0 || last < size)
            square_tile(d, weight, start, taps, step, rows, EDGE, in, -row, last_row, first, last, out, TILE);
        else
            square_tile(d, weight, start, taps, step, rows, INSIDE, in, -row, last_row, 0, 0, out, TILE);
    }
}

static ALWAYS_INLINE void square(const cpu_depthwise *d, const int taps, const int step, const float *in,
                                 const float *weights, const float *bias, float *out, int64_t first_row,
                                 int64_t last_row)
{
    for (int part = 0; part < LANES; part += VEC) {
        weight_block weight;
        vec start = bias ? vec_load(bias + part) : vec_set(0);
        UNROLL
        for (int u = 0; u < taps; u++) {
            UNROLL
            for (int v = 0; v < taps; v++) {
                int64_t row = d->rows->weight + u * d->rows->weight_step;
                int64_t column = d->columns->weight + v * d->columns->weight_step;
                weight[u][v] = vec_load(weights + (row * d->weight_row + column) * LANES + part);
            }
        }
        int64_t i = first_row;
        for (; i + TILE_ROWS <= last_row; i += TILE_ROWS)
            square_rows(d, weight, start, taps, step, TILE_ROWS, i, in + part, out + part);
        for (; i < last_row; i++)
            square_rows(d, weight, start, taps, step, 1, i, in + part, out + part);
    }
}

static bool is_square(const cpu_depthwise *d, int taps, int step)
{
    const cpu_depthwise_axis *rows = d->rows, *columns = d->columns;
    return d->row_phases == 1 && d->column_phases == 1 && rows->taps == taps && columns->taps == taps &&
           rows->step == step && columns->step == step && rows->pitch == 1 && columns->pitch == 1;
}

/* ---- Input gradient with stride 2: the two phases of a row side by side, so that every column of dy is loaded once
   for both of them ---- */

/* TILE outputs of each phase, taps0 and taps1 for them, phase 1 a column (shift) later. in: of the first phase's first
   tap. */
static ALWAYS_INLINE void pair_tile(const cpu_depthwise *d, const row_taps *rows, vec start, const int taps0,
                                    const int taps1, const int shift, const enum reach reach, const float *in,
                                    int64_t first, int64_t last, float *out, int64_t t, int part)
{
    const cpu_depthwise_axis *columns = d->columns;
    const int64_t step0 = columns[0].weight_step * LANES, step1 = columns[1].weight_step * LANES;
    const int span = taps0 > taps1 + shift ? taps0 : taps1 + shift, size = TILE - 1 + span;
    const float *w = rows->weights + part;
    vec sum[2][TILE];
    UNROLL
    for (int i = 0; i < TILE; i++)
        sum[0][i] = sum[1][i] = start;
    for (int64_t u = 0; u < rows->count; u++, in += rows->in_step, w += rows->weight_step) {
        vec weight[2][MAX_TAPS];
        UNROLL
        for (int v = 0; v < taps0; v++)
            weight[0][v] = vec_load(w + columns[0].weight * LANES + v * step0);
        UNROLL
        for (int v = 0; v < taps1; v++)
            weight[1][v] = vec_load(w + columns[1].weight * LANES + v * step1);
        UNROLL
        for (int q = 0; q < size; q++) {
            if (is_outside(reach, span, size, q, first, last))
                continue;
            vec x = vec_load(in + q * LANES);
            UNROLL
            for (int v = 0; v < taps0; v++)
                if (q >= v && q - v < TILE)
                    sum[0][q - v] = vec_fma(x, weight[0][v], sum[0][q - v]);
            UNROLL
            for (int v = 0; v < taps1; v++)
                if (q - shift >= v && q - shift - v < TILE)
                    sum[1][q - shift - v] = vec_fma(x, weight[1][v], sum[1][q - shift - v]);
        }
    }
    tile_store(d, sum[0], out, 2 * LANES, reach == PARTIAL ? columns[0].outputs - t : TILE);
    tile_store(d, sum[1], out + LANES, 2 * LANES, reach == PARTIAL ? columns[1].outputs - t : TILE);
}

static ALWAYS_INLINE void pair(const cpu_depthwise *d, const row_taps *rows, const float *bias, const int taps0,
                               const int taps1, const int shift, float *out)
{
    const cpu_depthwise_axis *columns = d->columns;
    const int span = taps0 > taps1 + shift ? taps0 : taps1 + shift, size = TILE - 1 + span;
    for (int part = 0; part < LANES; part += VEC) {
        vec start = bias ? vec_load(bias + part) : vec_set(0);
        for (int64_t t = 0; t < columns[0].outputs; t += TILE) {
            const int64_t at = t + columns[0].offset, first = -at, last = d->in_columns - at;
            const float *in = rows->in + at * LANES + part;
            float *to = out + 2 * t * LANES + part;
            if (t + TILE > columns[1].outputs || first >= span || last <= size - span)
                pair_tile(d, rows, start, taps0, taps1, shift, PARTIAL, in, first, last, to, t, part);
            else if (first > 0 || last < size)
                pair_tile(d, rows, start, taps0, taps1, shift, EDGE, in, first, last, to, t, part);
            else
                pair_tile(d, rows, start, taps0, taps1, shift, INSIDE, in, 0, 0, to, t, part);
        }
    }
}

typedef void pair_function(const cpu_depthwise *d, const row_taps *rows, const float *bias, float *out);

/* clang-format off */
#define PAIR(taps0, taps1, shift) \
    static void pair_##taps0##_##taps1(const cpu_depthwise *d, const row_taps *rows, const float *bias, float *out) \
    { pair(d, rows, bias, taps0, taps1, shift, out); }
PAIR(1, 2, 0) PAIR(2, 1, 1) PAIR(2, 3, 0) PAIR(3, 2, 1)
    /* clang-format on */

    /* NULL: this is no such gradient of a kernel 3 or 5 wide. */
    static pair_function *pair_of(const cpu_depthwise *d)
{
    const cpu_depthwise_axis *columns = d->columns;
    int64_t shift = columns[1].offset - columns[0].offset;
    if (d->column_phases != 2 || columns[0].taps < 1 || columns[1].taps < 1 || columns[0].pitch != 1 ||
        columns[1].pitch != 1 || columns[0].step != 1 || columns[1].step != 1)
        return NULL;
    if (shift == 0 && columns[1].taps == columns[0].taps + 1 && columns[0].taps <= 2)
        return columns[0].taps == 1 ? pair_1_2 : pair_2_3;
    if (shift == 1 && columns[0].taps == columns[1].taps + 1 && columns[1].taps <= 2)
        return columns[1].taps == 1 ? pair_2_1 : pair_3_2;
    return NULL;
}

static void any(const cpu_depthwise *d, const float *in, const float *weights, const float *bias, float *out,
                int64_t first_row, int64_t last_row)
{
    pair_function *both = pair_of(d);
    for (int64_t i = first_row; i < last_row; i++) {
        row_taps rows = row_taps_of(d, &d->rows[i % d->row_phases], in, weights, i / d->row_phases);
        float *to = out + i * d->out_columns * LANES;
        if (both) {
            both(d, &rows, bias, to);
            continue;
        }
        for (int64_t phase = 0; phase < d->column_phases; phase++)
            row_of (&d->columns[phase])(d, &rows, &d->columns[phase], bias, to + phase * LANES);
    }
}

static void depthwise(const cpu_depthwise *d, const float *in, const float *weights, const float *bias, float *out,
                      int64_t first_row, int64_t last_row)
{
    if (is_square(d, 3, 1))
        square(d, 3, 1, in, weights, bias, out, first_row, last_row);
    else if (is_square(d, 3, 2))
        square(d, 3, 2, in, weights, bias, out, first_row, last_row);
    else if (is_square(d, 5, 1))
        square(d, 5, 1, in, weights, bias, out, first_row, last_row);
    else if (is_square(d, 5, 2))
        square(d, 5, 2, in, weights, bias, out, first_row, last_row);
    else
        any(d, in, weights, bias, out, first_row, last_row);
}

/* ---- Weight gradient ---- */

/* lines rows of dy[0 .. tile), of which count columns are there, and x: of the first column's first tap. Of the rows of
   x those in [first_row, last_row) lie inside, of its columns those in [first, last). */
static ALWAYS_INLINE void gradient_tile(weight_block sum, vec *bias, const int rows, const int taps, const int step,
                                        const int tile, const int lines, const enum reach reach, const float *dy,
                                        int64_t dy_row, int64_t count, const float *x, int64_t x_row, int64_t first_row,
                                        int64_t last_row, int64_t first, int64_t last)
{
    const int size = (tile - 1) * step + taps;
    vec slope[MAX_LINES][TILE], total[2] = {vec_set(0), *bias};
    UNROLL
    for (int r = 0; r < lines; r++) {
        UNROLL
        for (int i = 0; i < tile; i++) {
            slope[r][i] = reach == PARTIAL && i >= count ? vec_set(0) : vec_load(dy + r * dy_row + i * LANES);
            total[i % 2] = total[i % 2] + slope[r][i];
        }
    }
    *bias = total[0] + total[1];
    UNROLL
    for (int k = 0; k < (lines - 1) * step + rows; k++, x += x_row) {
        if (k < first_row || k >= last_row)
            continue;
        UNROLL
        for (int q = 0; q < size; q++) {
            if (is_outside(reach, taps, size, q, first, last))
                continue;
            vec value = vec_load(x + q * LANES);
            UNROLL
            for (int r = 0; r < lines; r++) {
                const int u = k - r * step;
                UNROLL
                for (int v = 0; v < taps; v++)
                    if (u >= 0 && u < rows && q >= v && (q - v) % step == 0 && (q - v) / step < tile)
                        sum[u][v] = vec_fma(value, slope[r][(q - v) / step], sum[u][v]);
            }
        }
    }
}

/* Rows i .. i + lines of dy. */
static ALWAYS_INLINE void gradient_lines(const cpu_depthwise_gradient *g, weight_block sum, vec *bias, const int rows,
                                         const int taps, const int step, const int tile, const int lines,
                                         int64_t first_tap, int64_t i, int part)
{
    const int64_t row = i * step - g->top + first_tap, size = (tile - 1) * step + taps;
    const int64_t dy_row = g->ow * LANES, x_row = g->w * LANES, last_row = g->h - row;
    for (int64_t t = 0; t < g->ow; t += tile) {
        const int64_t at = t * step - g->left, first = -at, last = g->w - at;
        const float *dy = g->dy + i * dy_row + t * LANES + part, *x = g->x + row * x_row + at * LANES + part;
        if (t + tile > g->ow || first >= taps || last <= size - taps)
            gradient_tile(sum, bias, rows, taps, step, tile, lines, PARTIAL, dy, dy_row, g->ow - t, x, x_row, -row,
                          last_row, first, last);
        else if (first > 0 || last < size)
            gradient_tile(sum, bias, rows, taps, step, tile, lines, EDGE, dy, dy_row, tile, x, x_row, -row, last_row,
                          first, last);
        else
            gradient_tile(sum, bias, rows, taps, step, tile, lines, INSIDE, dy, dy_row, tile, x, x_row, -row, last_row,
                          0, 0);
    }
}

/* Row taps [first_tap, first_tap + rows) of a kernel without dilation, one part of the lanes. */
static ALWAYS_INLINE void gradient_rows(const cpu_depthwise_gradient *g, const int rows, const int taps, const int step,
                                        const int tile, const int lines, int64_t first_tap, int part)
{
    weight_block sum;
    vec bias = vec_set(0);
    UNROLL
    for (int u = 0; u < rows; u++) {
        UNROLL
        for (int v = 0; v < taps; v++)
            sum[u][v] = vec_set(0);
    }
    int64_t i = g->first_row;
    for (; i + lines <= g->last_row; i += lines)
        gradient_lines(g, sum, &bias, rows, taps, step, tile, lines, first_tap, i, part);
    for (; i < g->last_row; i++)
        gradient_lines(g, sum, &bias, rows, taps, step, tile, 1, first_tap, i, part);
    float *out = g->sums + first_tap * taps * LANES + part;
    UNROLL
    for (int u = 0; u < rows; u++) {
        UNROLL
        for (int v = 0; v < taps; v++)
            vec_store(out + (u * taps + v) * LANES, sum[u][v]);
    }
    vec_store(g->sums + taps * taps * LANES + part, bias);
}

static ALWAYS_INLINE void gradient_3x3(const cpu_depthwise_gradient *g, const int step)
{
    for (int part = 0; part < LANES; part += VEC)
        gradient_rows(g, 3, 3, step, GRADIENT_TILE_3, GRADIENT_LINES_3, 0, part);
}

static ALWAYS_INLINE void gradient_5x5(const cpu_depthwise_gradient *g, const int step)
{
    for (int part = 0; part < LANES; part += VEC) {
        int tap = 0;
        for (; tap + GRADIENT_ROWS_5 <= 5; tap += GRADIENT_ROWS_5)
            gradient_rows(g, GRADIENT_ROWS_5, 5, step, GRADIENT_TILE_5, 1, tap, part);
        if (tap < 5)
            gradient_rows(g, 5 % GRADIENT_ROWS_5, 5, step, GRADIENT_TILE_5, 1, tap, part);
    }
}

/* Weight [u, v] of any kernel. Outputs [first, last) of a row read inside the input. */
static void gradient_tap(const cpu_depthwise_gradient *g, int64_t u, int64_t v, int part)
{
    int64_t shift = g->left - v * g->dw, first = shift > 0 ? (shift + g->sw - 1) / g->sw : 0;
    int64_t last = g->w + shift > 0 ? (g->w + shift - 1) / g->sw + 1 : 0;
    vec sum[4] = {vec_set(0), vec_set(0), vec_set(0), vec_set(0)};
    if (last > g->ow)
        last = g->ow;
    for (int64_t i = g->first_row; i < g->last_row; i++) {
        int64_t row = i * g->sh - g->top + u * g->dh;
        if (row < 0 || row >= g->h)
            continue;
        const float *dy = g->dy + i * g->ow * LANES + part, *x = g->x + row * g->w * LANES + part;
        int64_t t = first;
        for (; t + 4 <= last; t += 4) {
            UNROLL
            for (int k = 0; k < 4; k++)
                sum[k] =
                    vec_fma(vec_load(dy + (t + k) * LANES), vec_load(x + ((t + k) * g->sw - shift) * LANES), sum[k]);
        }
        for (; t < last; t++)
            sum[0] = vec_fma(vec_load(dy + t * LANES), vec_load(x + (t * g->sw - shift) * LANES), sum[0]);
    }
    vec_store(g->sums + (u * g->kw + v) * LANES + part, (sum[0] + sum[1]) + (sum[2] + sum[3]));
}

static void gradient_any(const cpu_depthwise_gradient *g)
{
    for (int part = 0; part < LANES; part += VEC) {
        for (int64_t u = 0; u < g->kh; u++)
            for (int64_t v = 0; v < g->kw; v++)
                gradient_tap(g, u, v, part);
        vec bias = vec_set(0);
        for (int64_t at = g->first_row * g->ow; at < g->last_row * g->ow; at++)
            bias = bias + vec_load(g->dy + at * LANES + part);
        vec_store(g->sums + g->kh * g->kw * LANES + part, bias);
    }
}

static void depthwise_gradient(const cpu_depthwise_gradient *g)
{
    bool is_tuned = g->kh == g->kw && g->sh == g->sw && g->sh <= 2 && g->dh == 1 && g->dw == 1;
    if (is_tuned && g->kh == 3 && g->sh == 1)
        gradient_3x3(g, 1);
    else if (is_tuned && g->kh == 3)
        gradient_3x3(g, 2);
    else if (is_tuned && g->kh == 5 && g->sh == 1)
        gradient_5x5(g, 1);
    else if (is_tuned && g->kh == 5)
        gradient_5x5(g, 2);
    else
        gradient_any(g);
}

void KERNEL(cpu_depthwise_init)(cpu_table_type *table)
{
    table->depthwise = depthwise;
    table->depthwise_gradient = depthwise_gradient;
}
