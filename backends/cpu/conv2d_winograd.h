/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of Winograd's convolution share: sizes. */
#ifndef LINNET_CPU_CONV2D_WINOGRAD_H
#define LINNET_CPU_CONV2D_WINOGRAD_H

#include "conv2d.h"
#include "kernels/kernels.h"

/* A convolution as its tiles: the input [items][in_blocks][in_h][in_w][16] and the output, likewise, which is covered
   by tiles of m x m. Tile t of all belongs to item t / (tiles_y tiles_x). */
typedef struct cpu_winograd_sizes {
    int32_t size; /* index of cpu_table.winograd */
    int64_t m, n, positions;
    int64_t items, ic, oc, in_blocks, out_blocks;
    int64_t in_h, in_w, out_h, out_w, top, left;
    int64_t tiles_y, tiles_x, tiles;
    bool kept; /* weights come transformed */
} cpu_winograd_sizes;

/* m: 2, 4 or 6. backward: of the convolution that turns dy into dx. */
cpu_winograd_sizes cpu_winograd_sizes_of(const cpu_conv2d_sizes *s, int64_t m, bool backward);

/* NULL, or why the convolution has no such algorithm. */
const char *cpu_winograd_refusal(const linnet_layer_desc *desc);
/* How often the weights are transformed: once for each block of tiles. */
int64_t cpu_winograd_blocks(const cpu_winograd_sizes *w);

/* Do few tiles make it worth it to keep the transformed weights of inference, and are they small enough? */
bool cpu_winograd_keeps_weights(const cpu_winograd_sizes *w);

/* The place of a tile: its item, and its first row and column of the output. */
typedef struct cpu_winograd_place {
    int64_t item, row, column;
} cpu_winograd_place;

static inline cpu_winograd_place cpu_winograd_place_of(const cpu_winograd_sizes *w, int64_t tile)
{
    int64_t in_item = tile % (w->tiles_y * w->tiles_x);
    return (cpu_winograd_place){tile / (w->tiles_y * w->tiles_x), in_item / w->tiles_x * w->m,
                                in_item % w->tiles_x * w->m};
}

/* The gradients of weight and bias (conv2d_winograd_weight.c). */
uint64_t cpu_winograd_weight_workspace(const cpu_conv2d_sizes *s, int64_t m);
void cpu_winograd_weight_gradient(const cpu_conv2d_data *data, int64_t m);

#endif
