/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Winograd's convolution F(m x m, 3 x 3), m = 2, 4, 6 (Lavin and Gray 2016): its transforms (winograd.c). A tile of m x
 * m outputs comes from n x n inputs, n = m + 2, by n^2 products:
 *
 *     y = A^T [ (G g G^T) (.) (B^T d B) ] A
 *
 * and backwards, the adjoint: the gradient of g is G^T [ (A dy A^T) (.) (B^T d B) ] G, summed over the tiles.
 * "Position" numbers the n^2 elements of a transformed tile. Everything is in blocks of 16 channels: an element is 16
 * floats.
 */
#ifndef LINNET_CPU_WINOGRAD_KERNELS_H
#define LINNET_CPU_WINOGRAD_KERNELS_H

#include <stdbool.h>
#include <stdint.h>

/* Sizes: F(2), F(4), F(6) are 0, 1, 2. */
enum { CPU_WINOGRAD_SIZES = 3, CPU_WINOGRAD_MOST_POSITIONS = 64 };

/* A tile of one plane [h][w][16] becomes n^2 positions: out[position * out_position + 16 lanes]. What lies outside the
   plane is 0. */
typedef struct cpu_winograd_gather {
    const float *plane;
    int64_t h, w;
    int64_t row, column; /* of the tile's first element; may be negative */
    float *out;
    int64_t out_position;
} cpu_winograd_gather;

/* n^2 positions become the first rows x columns outputs of a tile. */
typedef struct cpu_winograd_scatter {
    const float *in;
    int64_t in_position;
    float *y; /* the tile's first output */
    int64_t y_row;
    int32_t rows, columns;
    const float *bias; /* 16, or NULL */
    const float *add;  /* lies as y does, may be y; or NULL */
    float low, high;
} cpu_winograd_scatter;

/* Weights [channels][9][16 outputs] become out[position][channel][16]; flip: both axes of the kernel reversed. The
   gradient goes the other way: in[position][channel][16] becomes weights [channels][9][16]. */
typedef struct cpu_winograd_weights {
    float *weights;
    float *positions;
    int64_t weight_c; /* strides, floats */
    int64_t position, position_c;
    int32_t channels;
    bool flip;
} cpu_winograd_weights;

typedef struct cpu_winograd_table {
    void (*input)(const cpu_winograd_gather *tile);           /* B^T d B */
    void (*output)(const cpu_winograd_scatter *tile);         /* A^T m A */
    void (*output_gradient)(const cpu_winograd_gather *tile); /* A dy A^T */
    void (*weights)(const cpu_winograd_weights *block);       /* G g G^T */
    void (*weights_gradient)(const cpu_winograd_weights *block);
} cpu_winograd_table;

#endif
