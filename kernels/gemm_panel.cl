/* SPDX-License-Identifier: Apache-2.0 */
/*
 * c (+)= a b with bias and low..high, as gemm.cl, for processors and products of some size. A work-item (a group of its
 * own) makes block_m x block_n of c, block_k of the depth at a time (Goto and van de Geijn 2008): it packs its rows of
 * a into local memory once, where they fill the second cache, and columns of b when it comes to them, a panel that
 * stays in the first. Register tiles multiply the panels:
 *
 *     a: [block_m / R][block_k][R]       b: [block_k][32]
 *
 *                 b[k]:  | 16 columns | 16 columns |
 *       row 0 of a[k]  x | sum[0][0]    sum[0][1]  |
 *       row 1          x | sum[1][0]    sum[1][1]  |     R rows: 14 or 8
 *            :           |     :            :      |     over block_k; then c is left to the next block's sums
 *
 * On the way the sums of a's rows may be taken, too: of a gradient's columns, when weights' gradients are made of it.
 *
 * Tunables: R is an argument (panel); where it is 14, eight last rows or fewer are a tile of 8. block_m (a multiple of
 * R), block_n (of 32) and block_k are, too; gemm_panel.c chooses. PANEL_COLUMNS: 32; with 16 registers of 8
 * floats TILE_ROWS 6 makes it 4 rows by 16 columns.
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

/* Of each four elements of a and b: the first two, one of each by turns, and the last two; the first pairs, and the
   last; fours of both, the even ones and the odd ones. Processors have an instruction for each. */
#ifdef __clang__
#define FIRST(a, b)      __builtin_shufflevector(a, b, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29)
#define LAST(a, b)       __builtin_shufflevector(a, b, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31)
#define FIRST_PAIR(a, b) __builtin_shufflevector(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29)
#define LAST_PAIR(a, b)  __builtin_shufflevector(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31)
#define EVEN_FOURS(a, b) __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27)
#define ODD_FOURS(a, b)  __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31)
#else
#define FIRST(a, b)                                                                                                    \
    (float16)(a.s0, b.s0, a.s1, b.s1, a.s4, b.s4, a.s5, b.s5, a.s8, b.s8, a.s9, b.s9, a.sc, b.sc, a.sd, b.sd)
#define LAST(a, b)                                                                                                     \
    (float16)(a.s2, b.s2, a.s3, b.s3, a.s6, b.s6, a.s7, b.s7, a.sa, b.sa, a.sb, b.sb, a.se, b.se, a.sf, b.sf)
#define FIRST_PAIR(a, b) (float16)(a.s01, b.s01, a.s45, b.s45, a.s89, b.s89, a.scd, b.scd)
#define LAST_PAIR(a, b)  (float16)(a.s23, b.s23, a.s67, b.s67, a.sab, b.sab, a.sef, b.sef)
#define EVEN_FOURS(a, b) (float16)(a.s0123, a.s89ab, b.s0123, b.s89ab)
#define ODD_FOURS(a, b)  (float16)(a.s4567, a.scdef, b.s4567, b.scdef)
#endif

/* Transposes: 8 values of each of 16 lines (the last one again where there are fewer) to 8 vectors to_step apart. Four
   lines and four values are a square of their own; v[4 q + i] has lines 8 q + i and 8 q + i + 4. */
APART void panel_transpose(__global const float *from, int line, int last, __local float *to, int to_step)
{
    float8 low[16];
    float16 v[8], w[8];
    UNROLL for (int i = 0; i < 16; from += i < last ? line : 0, i++) low[i] = load8(0, from);
    UNROLL for (int i = 0; i < 8; i++) v[i] = (float16)(low[i + i / 4 * 4], low[i + i / 4 * 4 + 4]);
    UNROLL for (int i = 0; i < 8; i += 2)
    {
        w[i] = FIRST(v[i], v[i + 1]);
        w[i + 1] = LAST(v[i], v[i + 1]);
    }
    UNROLL for (int i = 0; i < 8; i += 4)
    {
        v[i] = FIRST_PAIR(w[i], w[i + 2]);
        v[i + 1] = LAST_PAIR(w[i], w[i + 2]);
        v[i + 2] = FIRST_PAIR(w[i + 1], w[i + 3]);
        v[i + 3] = LAST_PAIR(w[i + 1], w[i + 3]);
    }
    UNROLL for (int i = 0; i < 4; i++, to += to_step) store16(EVEN_FOURS(v[i], v[i + 4]), 0, to);
    UNROLL for (int i = 0; i < 4; i++, to += to_step) store16(ODD_FOURS(v[i], v[i + 4]), 0, to);
}

/* count values, zeros behind them. */
APART float16 panel_load(int count, __global const float *from)
{
    float lane[16];
    ROLLED for (int i = 0; i < 16; i++)
        lane[i] = i < count ? from[i] : 0.0f;
    return load16(0, lane);
}

/* Lines side by side, row by row; room elements from the first one on are there. */
void panel_pack_rows(__global const float *from, int step, long room, int depth, __local float *to, int width)
{
    ROLLED for (; depth > 0; depth--, from += step, to += width, room -= step)
        ROLLED for (int l = 0; l < width; l += 16)
            store16(l + 16 <= room ? load16(0, from + l) : panel_load((int)room - l, from + l), 0, to + l);
}

/* A panel of width lines that begin line apart and whose elements lie step apart, to [depth][width]; what is behind the
   count lines that are there is anything. Vectors of 16 are stored, in order: what is behind a narrower panel, too, is
   overwritten. */
APART void panel_pack(__global const float *from, int line, int step, int count, int depth, __local float *to,
                      int width)
{
    if (line == 1) {
        panel_pack_rows(from, step, (long)(depth - 1) * step + count, depth, to, width);
        return;
    }
    int k = 0;
    if (step == 1 && depth >= 8)
        ROLLED for (; k < depth; k += 8) {
            int at = min(k, depth - 8);
            ROLLED for (int l = 0; l < width; l += 16) {
                int first = min(l, count - 1), last = min(count - first, width) - 1;
                panel_transpose(from + (ulong)first * line + at, line, last, to + at * width + l, width);
            }
        }
    ROLLED for (; k < depth; k++)
        ROLLED for (int l = 0; l < width; l++)
            to[k * width + l] = from[(ulong)min(l, count - 1) * line + (ulong)k * step];
}

/* sums[i] (+)= the depth's sum of line i of a panel, count lines. */
APART void panel_sum(__local const float *panel, int width, int depth, int count, int accumulate, __global float *sums)
{
    float lane[16];
    float16 sum = 0.0f;
    ROLLED for (int k = 0; k < depth; k++)
        sum += load16(0, panel + k * width);
    store16(sum, 0, lane);
    ROLLED for (int i = 0; i < min(count, width); i++)
        sums[i] = accumulate ? sums[i] + lane[i] : lane[i];
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

float4 panel_clamp4(float4 v, float low, float high)
{
    v = select(v, (float4)low, v < low);
    return select(v, (float4)high, v > high);
}

/* What there is of a tile at an edge, from local memory where the tile left it. */
APART void panel_edge(const panel_tile *tile, int rows, __local const float *sums, __global float *c)
{
    ROLLED for (int r = 0; r < min(rows, tile->rows); r++, sums += PANEL_COLUMNS, c += tile->c_row) {
        int columns = min(PANEL_COLUMNS, tile->columns), i = 0;
        ROLLED for (; i + 4 <= columns; i += 4) {
            float4 v = vload4(0, sums + i);
            v += tile->load ? vload4(0, c + i) : (float4)0.0f;
            v = tile->last ? panel_clamp4(v, tile->low, tile->high) : v;
            vstore4(v, 0, c + i);
        }
        ROLLED for (; i < columns; i++) {
            float v = tile->load ? c[i] + sums[i] : sums[i];
            v = tile->last && v < tile->low ? tile->low : v;
            c[i] = tile->last && v > tile->high ? tile->high : v;
        }
    }
}

/* Counting is a twentieth of the instructions of a step, and where cores share their front end it is felt. */
#define UNROLL_4 _Pragma("unroll 4")

#define PANEL_TILE(R, STEPS)                                                                                           \
    APART void panel_tile_##R(const panel_tile *tile, __local const float *a, __local const float *b,                  \
                              const float16 *bias, __local float *edge, __global float *c)                             \
    {                                                                                                                  \
        float16 sum[R][BLOCKS];                                                                                        \
        UNROLL for (int r = 0; r < R; r++)                                                                             \
        {                                                                                                              \
            UNROLL for (int t = 0; t < BLOCKS; t++) sum[r][t] = bias[t];                                               \
        }                                                                                                              \
        STEPS for (int k = tile->depth; k > 0; k--, a += R, b += PANEL_COLUMNS)                                        \
        {                                                                                                              \
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
PANEL_TILE(4, UNROLL_4)
#else
PANEL_TILE(14, UNROLL_4)
PANEL_TILE(8, ROLLED)
#endif

/* Rows of the panel that `left` rows begin with. */
#define PANEL_HEIGHT(left) ((left) <= 8 ? min(panel, 8) : panel)

/* x: rows / block_m, y: columns / block_n. has_sums: one product in one part. */
__kernel __attribute__((reqd_work_group_size(1, 1, 1))) void
gemm_panel(__global const float *restrict a, ulong a_at, __global const float *restrict b, ulong b_at,
           __global const float *restrict bias, ulong bias_at, __global float *restrict c, ulong c_at,
           __global float *restrict sums, ulong sums_at, int panel, int block_m, int block_n, int block_k, float low,
           float high, int has_sums, __local float *panels, GEMM_ARGUMENTS, int accumulate_sums)
{
    int i0 = (int)get_global_id(0) * block_m, j0 = (int)get_global_id(1) * block_n;
    int rows = min(block_m, m - i0), columns = min(block_n, n - j0);
    GEMM_BEGIN
    __local float *b_panel = panels, *edge = b_panel + PANEL_COLUMNS * block_k;
    __local float *a_panels = edge + panel * PANEL_COLUMNS; /* last: a vector of a panel may go beyond it */
    panel_tile tile = {.c_row = c_row, .low = low, .high = high};
    a += (ulong)i0 * a_row;
    b += (ulong)j0 * b_col;
    c += (ulong)i0 * c_row + j0;
    ROLLED for (int k = 0; k < depth; k += block_k, a += (ulong)block_k * a_col, b += (ulong)block_k * b_row) {
        tile.depth = min(block_k, depth - k);
        tile.load = k > 0 || accumulate;
        tile.last = k + block_k >= depth;
        ROLLED for (int i = 0; i < rows; i += panel) {
            __local float *to = a_panels + i * block_k;
            int height = PANEL_HEIGHT(rows - i);
            panel_pack(a + (ulong)i * a_row, a_row, a_col, m - i0 - i, tile.depth, to, height);
            if (has_sums && j0 == 0)
                panel_sum(to, height, tile.depth, rows - i, k > 0 || accumulate_sums, sums + sums_at + i0 + i);
        }
        ROLLED for (int j = 0; j < columns; j += PANEL_COLUMNS) {
            float16 start[BLOCKS];
            for (int t = 0; t < BLOCKS; t++)
                start[t] = has_bias && k == 0 && j + 16 * t < columns
                               ? panel_load(columns - j - 16 * t, bias + bias_at + j0 + j + 16 * t)
                               : (float16)0.0f;
            panel_pack(b + (ulong)j * b_col, b_col, b_row, n - j0 - j, tile.depth, b_panel, PANEL_COLUMNS);
            tile.columns = columns - j;
            ROLLED for (int i = 0; i < rows; i += panel) {
                int height = PANEL_HEIGHT(rows - i);
                __local const float *a_panel = a_panels + i * block_k;
                __global float *place = c + (ulong)i * c_row + j;
                tile.rows = rows - i;
#ifdef TILE_ROWS
                panel_tile_4(&tile, a_panel, b_panel, start, edge, place);
#else
                if (height == 14)
                    panel_tile_14(&tile, a_panel, b_panel, start, edge, place);
                else
                    panel_tile_8(&tile, a_panel, b_panel, start, edge, place);
#endif
                if (tile.rows < height || tile.columns < PANEL_COLUMNS)
                    panel_edge(&tile, height, edge, place);
            }
        }
    }
}
