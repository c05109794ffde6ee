/* SPDX-License-Identifier: Apache-2.0 */
/*
 * c (+)= a b with bias and low..high, as gemm.cl, for processors and products of some size. A work-item (a group of its
 * own) makes block_m x block_n of c, block_k of the depth at a time: it packs what it needs of a and b into local
 * memory and multiplies there in register tiles (Goto and van de Geijn 2008, with one level of blocks):
 *
 *     a: [block_m / R][block_k][R]       b: [block_n / 32][block_k][32]
 *
 *                 b[k]:  | 16 columns | 16 columns |
 *       row 0 of a[k]  x | sum[0][0]    sum[0][1]  |
 *       row 1          x | sum[1][0]    sum[1][1]  |     R rows: 14 or 8
 *            :           |     :            :      |     over block_k; then c is left to the next block's sums
 *
 * Tunables: R is an argument (panel), block_m (a multiple of it), block_n (of 32) and block_k, too; gemm.c has the
 * defaults. With 16 registers of 8 floats TILE_ROWS 6 makes it 4 rows by 16 columns.
 */
#include "gemm_arguments.clh"
#include "loops.clh"
#include "vectors.clh"

#ifdef TILE_ROWS
#define PANEL_COLUMNS 16
#else
#define PANEL_COLUMNS 32
#endif
#define BLOCKS (PANEL_COLUMNS / 16)

#define ROW(i)     vload4(0, from + (ulong)min(i, last) * step)
#define ROWS(i)    (float16)(ROW(i), ROW(i + 1), ROW(i + 2), ROW(i + 3))
#define EVEN(a, b) (float16)(a.even, b.even)
#define ODD(a, b)  (float16)(a.odd, b.odd)

/* Transposes: four values of each of 16 rows (the last one again where there are fewer) to four vectors. */
void panel_transpose4(__global const float *from, int step, int last, __local float *to, int to_step)
{
    float16 r0 = ROWS(0), r4 = ROWS(4), r8 = ROWS(8), rc = ROWS(12);
    float16 even0 = EVEN(r0, r4), odd0 = ODD(r0, r4), even8 = EVEN(r8, rc), odd8 = ODD(r8, rc);
    store16(EVEN(even0, even8), 0, to);
    store16(EVEN(odd0, odd8), 0, to + to_step);
    store16(ODD(even0, even8), 0, to + 2 * to_step);
    store16(ODD(odd0, odd8), 0, to + 3 * to_step);
}

/* 16 lines that begin line apart, whose elements lie step apart, to [depth][to_step]; count of them are there, the
   others are anything, or zeros. Vectors of 16 are stored, in order: what is behind a narrower line is overwritten. */
void panel_pack(__global const float *from, int line, int step, int count, int depth, bool zeros, __local float *to,
                int to_step)
{
    int k = 0;
    if (step == 1 && (count >= 16 || !zeros))
        ROLLED for (; k + 4 <= depth; k += 4)
            panel_transpose4(from + k, line, min(count, 16) - 1, to + k * to_step, to_step);
    ROLLED for (; k < depth; k++)
        ROLLED for (int i = 0; i < min(16, to_step); i++)
            to[k * to_step + i] = i < count ? from[(ulong)i * line + (ulong)k * step] : 0.0f;
}

/* All whole panels of lines that lie side by side, row by row; returns how many lines those are. */
int panel_pack_rows(__global const float *from, int step, int count, int depth, __local float *to, int width,
                    int panel_floats)
{
    ROLLED for (int k = 0; k < depth; k++, from += step, to += width) {
        __local float *place = to;
        ROLLED for (int i = 0; i + max(width, 16) <= count; i += width, place += panel_floats)
            ROLLED for (int l = 0; l < width; l += 16)
                store16(load16(0, from + i + l), 0, place + l);
    }
    return count < max(width, 16) ? 0 : (count - max(width, 16)) / width * width + width;
}

/* One side of the product: its count lines to panels of width lines, panel_floats apart. */
APART void panel_pack_side(__global const float *from, int line, int step, int count, int depth, bool zeros,
                           __local float *to, int width, int panel_floats)
{
    int i = line == 1 ? panel_pack_rows(from, step, count, depth, to, width, panel_floats) : 0;
    ROLLED for (; i < count; i += min(width, 16))
        panel_pack(from + (ulong)i * line, line, step, count - i, depth, zeros,
                   to + i / width * panel_floats + i % width, width);
}

typedef struct panel_tile {
    int depth, rows, columns, c_row; /* rows and columns that are there */
    int load, last;                  /* start from what is in c; finish with low..high */
    float low, high;
} panel_tile;

float16 panel_clamp(float16 v, float low, float high)
{
    v = select(v, (float16)low, v < low);
    return select(v, (float16)high, v > high);
}

APART float16 panel_load(int columns, __global const float *from)
{
    float lane[16];
    ROLLED for (int i = 0; i < 16; i++)
        lane[i] = i < columns ? from[i] : 0.0f;
    return load16(0, lane);
}

/* What there is of a tile at an edge, from local memory where the tile left it. */
APART void panel_edge(const panel_tile *tile, int rows, __local const float *sums, __global float *c)
{
    ROLLED for (int r = 0; r < min(rows, tile->rows); r++, sums += PANEL_COLUMNS, c += tile->c_row)
        ROLLED for (int i = 0; i < min(PANEL_COLUMNS, tile->columns); i++) {
            float v = tile->load ? c[i] + sums[i] : sums[i];
            v = tile->last && v < tile->low ? tile->low : v;
            c[i] = tile->last && v > tile->high ? tile->high : v;
        }
}

#define PANEL_TILE(R)                                                                                                  \
    APART void panel_tile_##R(const panel_tile *tile, __local const float *a, __local const float *b,                  \
                              const float16 *bias, __local float *edge, __global float *c)                             \
    {                                                                                                                  \
        float16 sum[R][BLOCKS];                                                                                        \
        UNROLL for (int r = 0; r < R; r++)                                                                             \
        {                                                                                                              \
            UNROLL for (int t = 0; t < BLOCKS; t++) sum[r][t] = bias[t];                                               \
        }                                                                                                              \
        for (int k = tile->depth; k > 0; k--, a += R, b += PANEL_COLUMNS) {                                            \
            float16 x[BLOCKS];                                                                                         \
            UNROLL for (int t = 0; t < BLOCKS; t++) x[t] = load16(t, b);                                               \
            UNROLL for (int r = 0; r < R; r++)                                                                         \
            {                                                                                                          \
                UNROLL for (int t = 0; t < BLOCKS; t++) sum[r][t] += a[r] * x[t];                                      \
            }                                                                                                          \
        }                                                                                                              \
        if (tile->rows < R || tile->columns < PANEL_COLUMNS) {                                                         \
            UNROLL for (int r = 0; r < R; r++)                                                                         \
            {                                                                                                          \
                UNROLL for (int t = 0; t < BLOCKS; t++) store16(sum[r][t], r *BLOCKS + t, edge);                       \
            }                                                                                                          \
            return;                                                                                                    \
        }                                                                                                              \
        if (tile->load) {                                                                                              \
            UNROLL for (int r = 0; r < R; r++)                                                                         \
            {                                                                                                          \
                UNROLL for (int t = 0; t < BLOCKS; t++) sum[r][t] += load16(t, c + r * tile->c_row);                   \
            }                                                                                                          \
        }                                                                                                              \
        float low = tile->last ? tile->low : -INFINITY, high = tile->last ? tile->high : INFINITY;                     \
        UNROLL for (int r = 0; r < R; r++)                                                                             \
        {                                                                                                              \
            UNROLL for (int t = 0; t < BLOCKS; t++)                                                                    \
                store16(panel_clamp(sum[r][t], low, high), t, c + r * tile->c_row);                                    \
        }                                                                                                              \
    }

#ifdef TILE_ROWS
PANEL_TILE(4)
#else
PANEL_TILE(14)
PANEL_TILE(8)
#endif

/* x: rows / block_m, y: columns / block_n. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
gemm_panel(__global const float *restrict a, ulong a_at, __global const float *restrict b, ulong b_at,
           __global const float *restrict bias, ulong bias_at, __global float *restrict c, ulong c_at, int panel,
           int block_m, int block_n, int block_k, float low, float high, __local float *panels, GEMM_ARGUMENTS)
{
    int i0 = (int)get_global_id(0) * block_m, j0 = (int)get_global_id(1) * block_n;
    int rows = min(block_m, m - i0), columns = min(block_n, n - j0);
    GEMM_BEGIN
    __local float *b_panels = panels, *a_panels = panels + block_n * block_k;
    int a_floats = panel * block_k + 16; /* a last vector of a panel goes beyond it */
    __local float *edge = a_panels + block_m / panel * a_floats;
    panel_tile tile = {.c_row = c_row, .low = low, .high = high};
    a += (ulong)i0 * a_row;
    b += (ulong)j0 * b_col;
    c += (ulong)i0 * c_row + j0;
    ROLLED for (int k = 0; k < depth; k += block_k) {
        tile.depth = min(block_k, depth - k);
        tile.load = k > 0 || accumulate;
        tile.last = k + block_k >= depth;
        ROLLED for (int side = 0; side < 2; side++) /* b, a: a loop, so that the code is there once */
            panel_pack_side(side ? a + (ulong)k * a_col : b + (ulong)k * b_row, side ? a_row : b_col,
                            side ? a_col : b_row, side ? rows : columns, tile.depth, !side, side ? a_panels : b_panels,
                            side ? panel : PANEL_COLUMNS, side ? a_floats : PANEL_COLUMNS * block_k);
        ROLLED for (int j = 0; j < columns; j += PANEL_COLUMNS) {
            float16 start[BLOCKS];
            for (int t = 0; t < BLOCKS; t++)
                start[t] = has_bias && k == 0 && j + 16 * t < columns
                               ? panel_load(columns - j - 16 * t, bias + bias_at + j0 + j + 16 * t)
                               : (float16)0.0f;
            ROLLED for (int i = 0; i < rows; i += panel) {
                tile.rows = rows - i;
                tile.columns = columns - j;
                __local const float *a_panel = a_panels + i / panel * a_floats, *b_panel = b_panels + j * block_k;
                __global float *place = c + (ulong)i * c_row + j;
#ifdef TILE_ROWS
                panel_tile_4(&tile, a_panel, b_panel, start, edge, place);
#else
                if (panel == 14)
                    panel_tile_14(&tile, a_panel, b_panel, start, edge, place);
                else
                    panel_tile_8(&tile, a_panel, b_panel, start, edge, place);
#endif
                if (tile.rows < panel || tile.columns < PANEL_COLUMNS)
                    panel_edge(&tile, panel, edge, place);
            }
        }
    }
}
