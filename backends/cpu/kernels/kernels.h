/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of inner loops. Every file in this folder is compiled once per instruction set (CPU_ISA is portable, avx2,
 * avx512 or neon) and puts its functions into the table with its init function; a later set overwrites an earlier
 * one's. All pointers may be unaligned; nothing outside the described ranges is read or written. accumulate: add, else
 * overwrite.
 */
#ifndef LINNET_CPU_KERNELS_H
#define LINNET_CPU_KERNELS_H

#include "winograd.h"

#include <stdbool.h>
#include <stdint.h>

/* Register tile of the matrix kernels: CPU_TILE_ROWS rows by up to table.tile_vectors vectors. */
enum { CPU_TILE_ROWS = 6 };

/* out[k][t] (+)= sum over r of a[k,r] b[r,t], where t counts vectors of table.vector floats.
   clamp: the result is brought into [low, high]; -inf and inf leave it as it is, NaN stays. */
typedef struct cpu_tile {
    float *out;
    const float *a, *b;
    const float *bias_rows;    /* [rows], or NULL */
    const float *bias_columns; /* [vectors * vector], or NULL */
    int64_t out_k, out_t;      /* strides in elements */
    int64_t a_k, a_r;
    int64_t b_r, b_t;
    int64_t depth; /* r < depth */
    int32_t rows, columns /* vectors */;
    int32_t tail; /* elements of the last vector that are there: 1..vector; b is read, out is written only there */
    bool accumulate;
    float low, high;
} cpu_tile;

/* y[t][r] = clamp(bias[r] + sum over i < depth of weights[r][i] x[t][i]), rows r < table.vector / (1, 2 or 4: the next
   of them from items on) and items t <= 4; both lie in rows. */
typedef struct cpu_gemv {
    float *y;
    const float *weights, *x;
    const float *bias; /* [rows], or NULL */
    int64_t weight_r, x_n, y_n, depth;
    int32_t rows, items;
    float low, high;
} cpu_gemv;

/* ---- Batch-reduce matrix products (batch_reduce.c): the inner loop of everything in nchw16c ---- */

/* How the elements of a lie: CPU_BATCH_PIXELS a row is 16 floats (a pixel), a step is the next float (channel), of at
   most 16; CPU_BATCH_CHANNELS the other way round; CPU_BATCH_TAPS a row is the next float, and depth is 1;
   CPU_BATCH_LISTED a step is the next float, and rows are anywhere. PIXELS_2 and TAPS_2: a row is the next but
   one, as a stride of 2 reads. */
enum {
    CPU_BATCH_PIXELS,
    CPU_BATCH_CHANNELS,
    CPU_BATCH_TAPS,
    CPU_BATCH_LISTED,
    CPU_BATCH_PIXELS_2,
    CPU_BATCH_TAPS_2,
    CPU_BATCH_LAYOUTS
};
enum { CPU_BATCH_COLUMNS = 4 };

/* One product of the sum: where its factors begin, in floats from a and b. */
typedef struct cpu_batch_term {
    int64_t a, b;
} cpu_batch_term;

/* out[r][t] = clamp(bias[t] + add[r][t] + sum over i < count, k < depth of
                     a[terms[i].a + r a_r + k a_k] b[terms[i].b + t b_t + 16 k])
   for rows r and columns t; a column is 16 floats (one per channel). (a_r, a_k) is what the layout says, or list[r]
   takes the place of r a_r. The last short_count terms are only short_depth deep: a last block of channels that is not
   full. */
typedef struct cpu_batch_reduce {
    float *out;
    const float *a, *b;
    const cpu_batch_term *terms;
    const float *bias;   /* [columns][16], or NULL */
    const float *add;    /* strides of out, may be out; or NULL */
    const int64_t *list; /* CPU_BATCH_LISTED: [rows] */
    const float *ahead;  /* count * depth lines that a later product reads, to be fetched into the second cache; or
                            NULL. Not with CHANNELS and LISTED. */
    int64_t count, depth, short_count, short_depth;
    int64_t out_r, out_t, b_t; /* strides, floats */
    int32_t rows, columns;     /* columns at most table.batch_columns, rows at most table.batch_rows[columns - 1] */
    int32_t layout;            /* CPU_BATCH_... */
    float low, high;
} cpu_batch_reduce;

/* Most columns of batch_dot: the same struct, but a product sums over the lanes of a and b too:
   out[r out_r + t out_t] = add[..] + sum over i, k < 16 of a[terms[i].a + 16 r + k] b[terms[i].b + t b_t + k].
   bias, depth, layout, low and high are not looked at. */
enum { CPU_DOT_COLUMNS = 3 };

/* ---- Convolutions in NCHW with vectors along the rows (rows.c) ---- */

/* A vector of pixels: where it begins, in floats from in and from out, and how many of them are stored. A whole vector
   is read. */
typedef struct cpu_rows_span {
    int64_t in, out;
    int64_t count; /* 1..vector */
} cpu_rows_span;

/* out[k][span] = clamp(bias[k] + add[k][span] + sum over taps i of weights[i][k] in[span + taps[i]]), rows outputs k
   out of CPU_TILE_ROWS that weights has. */
typedef struct cpu_rows {
    float *out;
    const float *in, *weights;
    const float *bias; /* [rows], or NULL */
    const float *add;  /* as out, may be out; or NULL */
    const cpu_rows_span *spans;
    const int32_t *taps; /* offsets in floats */
    int64_t tap_count, out_k;
    int32_t rows, columns; /* columns at most table.tile_vectors */
    float low, high;
} cpu_rows;

/* ---- Convolutions in nchw16n: a column is 16 floats, one per image. ---- */

/* A row or a column of the kernel as one output tile meets it. Column taps: in[index] + offset + t * in_t lies inside
   the input for the tile's columns t in [first, last), and only there. */
typedef struct cpu_tap {
    int64_t offset; /* floats */
    int32_t index;  /* in the kernel */
    int16_t first, last;
} cpu_tap;

/* out[k][t] (+)= bias[k] + sum over row taps u, channels c and column taps v of weights[u][c][v][k] in[c][u][v][t], for
   rows outputs k and columns t, each 16 lanes. Forward gathers x, backward with respect to the input gathers dy. */
typedef struct cpu_gather {
    float *out;
    const float *in, *weights;
    const float *bias; /* [rows], or NULL */
    const cpu_tap *row_taps, *column_taps;
    int64_t row_count, column_count; /* of the taps */
    int64_t channels, in_c;
    int64_t weight_u, weight_c; /* strides of weights, floats; v's is rows */
    int64_t out_k, out_t, in_t;
    int32_t rows, columns; /* columns at most table.tile_vectors */
    bool is_whole;         /* table.tile_vectors columns, and every tap reaches all of them */
    bool accumulate;
    float low, high;
} cpu_gather;

/* One weight [u, v] of a kernel: where it reads. Offsets in floats from the input element of output (0, 0); rows and
   columns are the outputs for which it lies inside the input. */
typedef struct cpu_kernel_tap {
    int64_t offset;
    int64_t first_row, last_row, first_column, last_column;
} cpu_kernel_tap;

/* sums[k][tap] += sum over output rows [first_row, last_row) and all columns j of dy[k][i][j] x[tap][i][j], lane by
   lane: a tile of the weight's gradient, rows outputs by some taps. x may lie outside; it is read where the tap says.
 */
typedef struct cpu_weight_tile {
    float *sums;         /* [rows][taps][16] */
    const float *dy, *x; /* of output (0, 0) */
    const cpu_kernel_tap *taps;
    int64_t dy_k, dy_i, x_i, x_j; /* strides between outputs, rows, columns; floats. dy's columns are 16 apart */
    int64_t first_row, last_row;
    int32_t rows, tap_count; /* taps at most table.tile_vectors */
} cpu_weight_tile;

/* ---- Depthwise convolutions in nchw16c: a column is 16 floats, one per channel. ---- */

/* Along one axis, for one phase of the outputs: output t reads the inputs t * step + offset + k * pitch, k < taps, with
   the weights `weight` + k * weight_step. Outputs [inside_first, inside_last) read none outside. */
typedef struct cpu_depthwise_axis {
    int64_t outputs, step, offset, pitch, taps;
    int64_t weight, weight_step;
    int64_t inside_first, inside_last;
} cpu_depthwise_axis;

enum { CPU_DEPTHWISE_PHASES = 8 };

/* out[i][j] (+)= bias + sum over row and column taps of weights in. Output row i is number i / row_phases of phase
   i % row_phases, columns likewise: forward has one phase, the input's gradient as many as the stride. */
typedef struct cpu_depthwise {
    int64_t in_rows, in_columns, out_columns;
    int64_t weight_row; /* weights of one row of the kernel */
    cpu_depthwise_axis rows[CPU_DEPTHWISE_PHASES], columns[CPU_DEPTHWISE_PHASES];
    int64_t row_phases, column_phases;
    float low, high;
    bool accumulate, clamps;
} cpu_depthwise;

/* sums[u][v] = sum over rows [first_row, last_row) of dy and their columns of dy x; sums[kh kw] = that of dy. */
typedef struct cpu_depthwise_gradient {
    const float *x, *dy; /* [h][w][16], [oh][ow][16] */
    float *sums;         /* [kh * kw + 1][16] */
    int64_t h, w, ow, kh, kw, sh, sw, dh, dw, top, left;
    int64_t first_row, last_row;
} cpu_depthwise_gradient;

/* Geometry of a pooling window, as in linnet_pool2d_attributes. */
typedef struct cpu_pool {
    int64_t h, w, oh, ow, kh, kw, sh, sw, top, left;
    bool exclude_padding;
} cpu_pool;

enum { CPU_NO_WINNER = 255 };

static inline bool cpu_pool_takes_rows(const cpu_pool *pool)
{
    return pool->kw <= 256 && pool->sw <= 64;
}

/* Indices [*first, *last) of the window's elements, along one axis, that lie inside the input, for output `at`. */
static inline void cpu_window(int64_t at, int64_t stride, int64_t before, int64_t kernel, int64_t size, int64_t *first,
                              int64_t *last)
{
    int64_t start = at * stride - before;
    *first = start < 0 ? -start : 0;
    *last = start + kernel > size ? size - start : kernel;
}

/* Per lane of nchw16c: y (+)= what brings factor (x - mean) + shift z + offset into [low, high]. */
typedef struct cpu_affine_lanes {
    float factor[16], mean[16], shift[16], offset[16];
    float low, high; /* NaN stays */
} cpu_affine_lanes;

/* What dropout draws. */
typedef struct cpu_mask {
    uint64_t seed, step;
    uint32_t node;
    float probability, factor;
} cpu_mask;

typedef struct cpu_table_type {
    const char *isa;
    int32_t score;
    int32_t vector;       /* floats in a vector */
    int32_t tile_vectors; /* vectors across a register tile */

    /* tile.c */
    void (*tile)(const cpu_tile *tile);

    /* batch_reduce.c */
    void (*batch_reduce)(const cpu_batch_reduce *product);
    int32_t batch_columns;                 /* most columns of a product, at most CPU_BATCH_COLUMNS */
    int32_t batch_rows[CPU_BATCH_COLUMNS]; /* most rows, by columns - 1 */
    void (*batch_dot)(const cpu_batch_reduce *product);
    int32_t dot_rows[CPU_DOT_COLUMNS]; /* its most rows, by columns - 1 */

    /* winograd.c, by size */
    cpu_winograd_table winograd[CPU_WINOGRAD_SIZES];

    /* gemv.c */
    void (*gemv)(const cpu_gemv *gemv);

    /* rows.c */
    void (*rows)(const cpu_rows *rows);
    /* out[0, pitch): zeros, x[0, width) as far as there is room, zeros. */
    void (*pad_row)(const float *x, int64_t width, int64_t before, float *out, int64_t pitch);

    /* blocked.c */
    void (*gather)(const cpu_gather *gather);
    void (*weight_tile)(const cpu_weight_tile *tile);

    /* depthwise.c */
    /* Output rows [first_row, last_row) of one block of channels. out, in: [rows][columns][16]; weights:
       [kh][weight_row][16]; bias: [16] or NULL. */
    void (*depthwise)(const cpu_depthwise *depthwise, const float *in, const float *weights, const float *bias,
                      float *out, int64_t first_row, int64_t last_row);
    void (*depthwise_gradient)(const cpu_depthwise_gradient *gradient);

    /* elementwise.c */
    void (*unary)(uint32_t op, float alpha, float beta, const float *x, float *y, int64_t count);
    void (*unary_gradient)(uint32_t op, float alpha, float beta, const float *y, const float *dy, float *dx,
                           int64_t count, bool accumulate);
    void (*binary)(uint32_t op, const float *a, const float *b, float *y, int64_t count);
    /* y (+)= scale x */
    void (*scale)(float scale, const float *x, float *y, int64_t count, bool accumulate);
    /* y (+)= a b */
    void (*multiply)(const float *a, const float *b, float *y, int64_t count, bool accumulate);
    /* y (+)= factor (x - mean) + shift z + offset; z may be NULL; y may be x or z */
    void (*affine)(float factor, const float *x, float mean, float shift, const float *z, float offset, float *y,
                   int64_t count, bool accumulate);
    /* The same with everything per lane; z may be NULL, y may be x or z; count is a multiple of 16. */
    void (*affine_lanes)(const cpu_affine_lanes *lanes, const float *x, const float *z, float *y, int64_t count,
                         bool accumulate);
    /* y[i] (+)= values[i % 16] */
    void (*fill_lanes)(const float values[16], float *y, int64_t count, bool accumulate);
    /* y[p][lane] (+)= x[p][lane] for p < elements, lane < lanes (0..16), elements 16 apart */
    void (*move_lanes)(const float *x, float *y, int64_t elements, int32_t lanes, bool accumulate);
    /* y[i] (+)= factors[i % 16] e^x[i], 0 where the factor is 0 */
    void (*exp_lanes)(const float *x, const float factors[16], float *y, int64_t count, bool accumulate);

    /* reduce.c: element i belongs to lane i % 16; each lane's sum is added to sums. */
    void (*lane_sums)(const float *x, int64_t count, float sums[16]);
    void (*lane_squares)(const float *x, float mean, int64_t count, float sums[16]);                  /* (x - mean)^2 */
    void (*lane_products)(const float *x, float mean, const float *y, int64_t count, float sums[16]); /* (x - mean) y */
    void (*lane_distances)(const float *x, const float *y, int64_t count, float sums[16]);            /* (x - y)^2 */
    /* Overwrite: of each lane the sum, a mean (rounded) and the sum of (x - mean)^2. count is a multiple of 16; x is
       read twice, and should fit into the nearest cache. */
    void (*lane_moments)(const float *x, int64_t count, float sums[16], float means[16], float squares[16]);
    /* Added to sums and products: dy and dy (x - mean). */
    void (*lane_gradient_sums)(const float *x, const float mean[16], const float *dy, int64_t count, float sums[16],
                               float products[16]);
    /* softmax over `length` rows of inner elements each, rows inner apart; logarithm: log softmax. */
    void (*softmax)(const float *x, float *y, int64_t length, int64_t inner, bool logarithm);
    void (*softmax_gradient)(const float *y, const float *dy, float *dx, int64_t length, int64_t inner, bool logarithm,
                             bool accumulate);

    /* pool.c: one plane [h][w][16] to one [oh][ow][16]. winners: which element of the window was the first maximum,
       CPU_NO_WINNER where the window lies in the padding; NULL when nobody asks. Windows have at most 255 elements. */
    void (*max_pool)(const cpu_pool *pool, const float *x, float *y, uint8_t *winners);
    /* pool_rows.c: one plane [h][w] to one [oh][ow]; kernel and stride as cpu_pool_takes_rows has it. */
    void (*max_pool_rows)(const cpu_pool *pool, const float *x, float *y);
    void (*max_pool_gradient)(const cpu_pool *pool, const uint8_t *winners, const float *dy, float *dx,
                              bool accumulate);
    void (*avg_pool)(const cpu_pool *pool, const float *x, float *y);
    void (*avg_pool_gradient)(const cpu_pool *pool, const float *dy, float *dx, bool accumulate);

    /* random.c. out[i] = the number linnet_philox_uniform draws for element first + i is below probability ? 0 :
       factor; first is a multiple of 4. */
    void (*draw_mask)(const cpu_mask *mask, uint64_t first, int64_t count, float *out);
    /* y (+)= factors x, 0 where the factor is, whatever x is */
    void (*apply_mask)(const float *factors, const float *x, float *y, int64_t count, bool accumulate);

    /* picture.c. power_sums: |x|^power of element i is added to sums[i % 16]; power_gradient:
       dx (+)= factor power |x|^(power-1) sign(x), 0 where x is 0. */
    void (*power_sums)(float power, const float *x, int64_t count, float sums[16]);
    void (*power_gradient)(float power, float factor, const float *x, float *dx, int64_t count, bool accumulate);
    /* Total variation of one row of pixels; next is the row below, or row itself where there is none. Pixel j's term is
       added to sums[j % 16]. slopes: the derivatives of each term by its difference to the right and down. gradient:
       dx (+)= factor (right[j-1] - right[j] + above[j] - down[j]), where above are the slopes down of the row above;
       right[-1] is read too. */
    void (*variation_sums)(float beta, float epsilon, const float *row, const float *next, int64_t width,
                           float sums[16]);
    void (*variation_slopes)(float beta, float epsilon, const float *row, const float *next, int64_t width,
                             float *right_slopes, float *down_slopes);
    void (*variation_gradient)(float factor, const float *right_slopes, const float *down_slopes,
                               const float *above_slopes, float *dx, int64_t width, bool accumulate);

    /* optimizer.c */
    void (*sgd)(float *p, const float *g, float *m, int64_t count, float rate, float decay, float momentum,
                bool nesterov);
    void (*adam)(float *p, const float *g, float *m, float *v, int64_t count, float rate, float decay, float beta1,
                 float beta2, float epsilon, float correction1, float correction2);

    /* transpose.c: y[c][r] = x[r][c] for r < rows, 0 for rows <= r < lanes (a multiple of vector); c < columns. */
    void (*lanes_from_rows)(const float *x, int64_t x_stride, int32_t rows, int64_t columns, float *y, int64_t y_stride,
                            int32_t lanes);
    /* The inverse, from lanes of 16: y[r][c] (+)= x[c][r] for r < rows. */
    void (*rows_from_lanes)(const float *x, int64_t columns, float *y, int64_t y_stride, int32_t rows, bool accumulate);
    /* y[i] = x[i * x_stride] for i < count. */
    void (*copy_strided)(const float *x, int64_t x_stride, float *y, int64_t count);
    /* Lines of 16 floats: y[i][0..16) = x[i * x_stride + 0..16) for i < count. */
    void (*copy_lines)(const float *x, int64_t x_stride, float *y, int64_t count);
    /* y[c] = sum of x[c][0..16) */
    void (*fold_lanes)(const float *x, int64_t columns, float *y);
} cpu_table_type;

extern cpu_table_type cpu_table;

/* isa.c */
void cpu_table_init(void);
bool cpu_isa_is_valid(void);    /* LINNET_CPU_ISA is unset or names a set that is here */
const char *cpu_isa_list(void); /* "portable, avx2, avx512" */
void cpu_brand(char *out, unsigned long size);
void cpu_vendor(char *out, unsigned long size);

#define CPU_KERNEL_FILES(isa)                                                                                          \
    void cpu_tile_init_##isa(cpu_table_type *table);                                                                   \
    void cpu_batch_reduce_init_##isa(cpu_table_type *table);                                                           \
    void cpu_winograd_init_##isa(cpu_table_type *table);                                                               \
    void cpu_rows_init_##isa(cpu_table_type *table);                                                                   \
    void cpu_gemv_init_##isa(cpu_table_type *table);                                                                   \
    void cpu_blocked_init_##isa(cpu_table_type *table);                                                                \
    void cpu_depthwise_init_##isa(cpu_table_type *table);                                                              \
    void cpu_elementwise_init_##isa(cpu_table_type *table);                                                            \
    void cpu_reduce_init_##isa(cpu_table_type *table);                                                                 \
    void cpu_pool_rows_init_##isa(cpu_table_type *table);                                                              \
    void cpu_pool_init_##isa(cpu_table_type *table);                                                                   \
    void cpu_picture_init_##isa(cpu_table_type *table);                                                                \
    void cpu_random_init_##isa(cpu_table_type *table);                                                                 \
    void cpu_optimizer_init_##isa(cpu_table_type *table);                                                              \
    void cpu_transpose_init_##isa(cpu_table_type *table);
CPU_KERNEL_FILES(portable)
CPU_KERNEL_FILES(avx2)
CPU_KERNEL_FILES(avx512)
CPU_KERNEL_FILES(neon)
#undef CPU_KERNEL_FILES

#endif
