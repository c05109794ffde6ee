/* SPDX-License-Identifier: Apache-2.0 */
/* How gemm_panel.cl cuts a product into blocks and panels for a processor. */
#include "gemm_panel.h"
#include "sizes.h"

#include <math.h>

/* Depth of a block and bytes of its rows, at most: half of a second cache, about. Half of each without wide registers.
 */
enum {
    BLOCK_K = 512,
    ROWS_BYTES = 1152 << 10,
    LEAST_COLUMNS = 8,
    LEAST_ROWS = 4,
    LEAST_DEPTH = 1,
    FEWEST_ROWS = 56 /* in local memory */
};

typedef struct panel_split {
    int64_t panel, columns; /* a tile's */
    int64_t block_m, block_n, block_k;
} panel_split;

static bool clamp_of(const linnet_epilogue *epilogue, float *out_low, float *out_high)
{
    *out_low = epilogue->op == LINNET_UNARY_RELU ? 0 : epilogue->op == LINNET_UNARY_CLIP ? epilogue->alpha : -INFINITY;
    *out_high = epilogue->op == LINNET_UNARY_CLIP ? epilogue->beta : INFINITY;
    return epilogue->op == 0 || epilogue->op == LINNET_UNARY_RELU || epilogue->op == LINNET_UNARY_CLIP;
}

static uint64_t split_bytes(const panel_split *split)
{
    int64_t edge = split->panel * split->columns;
    return (uint64_t)((split->block_m + split->columns) * split->block_k + edge + 16) * sizeof(float);
}

/* A function of the product and the device's local memory alone: how sums are taken must not depend on who takes them.
 */
static int64_t block_k_of(const linnet_backend_device *device, const linnet_cl_gemm *gemm, const panel_split *split)
{
    int64_t most = split->columns > 16 ? BLOCK_K : BLOCK_K / 2;
    int64_t floats = (int64_t)(device->local_memory / sizeof(float)) - FEWEST_ROWS * split->columns;
    while (most > 16 && most * (FEWEST_ROWS + split->columns) > floats)
        most /= 2;
    return gemm->depth > 0
               ? round_up(ceil_div(linnet_cl_gemm_part_depth(gemm), ceil_div(linnet_cl_gemm_part_depth(gemm), most)), 8)
               : most;
}

/* Rows of a block, at most: whole panels. */
static int64_t most_rows(const linnet_backend_device *device, const panel_split *split)
{
    int64_t bytes = split->columns > 16 ? ROWS_BYTES : ROWS_BYTES / 2;
    int64_t rows = bytes / (int64_t)sizeof(float) / split->block_k;
    panel_split whole = *split;
    whole.block_m = rows < split->panel ? split->panel : rows / split->panel * split->panel;
    while (whole.block_m > split->panel && split_bytes(&whole) > device->local_memory)
        whole.block_m -= split->panel;
    return whole.block_m;
}

/* About how long a group takes, in multiply-adds of a vector, by element of the depth: tiles, packing, its start. */
static double group_cost(const linnet_cl_gemm *gemm, const panel_split *split, int64_t rows, int64_t columns)
{
    double wide = (double)ceil_div(columns, split->columns), pack = 0.5, low = 9.5;
    double tile = split->panel == 8 ? low : (double)split->panel + 1, lines = (double)(rows / split->panel) * tile;
    int64_t rest = rows % split->panel;
    lines += rest == 0 ? 0 : rest <= 8 && split->panel > 8 ? low : tile;
    return wide * lines * (double)split->columns / 32 + pack * ((double)rows + wide * (double)split->columns) +
           4000.0 / (double)(linnet_cl_gemm_part_depth(gemm) + 1);
}

/* The blocks in which the product is done first, when each unit takes one after the other. */
static double split_cost(const linnet_backend_device *device, const linnet_cl_gemm *gemm, const panel_split *split)
{
    int64_t rows = split->block_m < gemm->m ? split->block_m : gemm->m;
    int64_t columns = split->block_n < gemm->n ? split->block_n : gemm->n;
    int64_t groups =
        linnet_cl_gemm_products(gemm) * ceil_div(gemm->m, split->block_m) * ceil_div(gemm->n, split->block_n);
    return (double)ceil_div(groups, (int64_t)device->info.compute_units) * group_cost(gemm, split, rows, columns);
}

static panel_split split_for(const linnet_backend_device *device, const linnet_cl_gemm *gemm, int64_t panel)
{
    int64_t units = (int64_t)device->info.compute_units;
    panel_split split = {.panel = panel, .columns = device->tile_columns > 1 ? 32 : 16}, best;
    split.block_k = block_k_of(device, gemm, &split);
    int64_t least = ceil_div(gemm->m, most_rows(device, &split)), panels = ceil_div(gemm->m, panel);
    double least_cost = INFINITY;
    best = split;
    for (int64_t down = least; down <= panels && down <= least + 4 * units; down++)
        for (int64_t across = 1; across == 1 || (across <= ceil_div(gemm->n, split.columns) &&
                                                 linnet_cl_gemm_products(gemm) * down * across <= 4 * units);
             across++) {
            split.block_m = round_up(ceil_div(gemm->m, down), panel);
            split.block_n = round_up(ceil_div(gemm->n, across), split.columns);
            double cost = split_cost(device, gemm, &split);
            best = cost < least_cost ? split : best;
            least_cost = cost < least_cost ? cost : least_cost;
        }
    return best;
}

static panel_split split_of(const linnet_backend_device *device, const linnet_cl_gemm *gemm)
{
    if (device->tile_columns == 1)
        return split_for(device, gemm, 4);
    panel_split tall = split_for(device, gemm, 14), low = split_for(device, gemm, 8);
    return split_cost(device, gemm, &low) < split_cost(device, gemm, &tall) ? low : tall;
}

static bool panel_in_local(const linnet_backend_device *device, const linnet_cl_gemm *gemm)
{
    panel_split split = split_of(device, gemm);
    return split_bytes(&split) <= device->local_memory;
}

bool linnet_cl_gemm_panel_fits(const linnet_backend_device *device, const linnet_cl_gemm *gemm)
{
    float low, high;
    return gemm->m >= LEAST_ROWS && gemm->n >= LEAST_COLUMNS && linnet_cl_gemm_part_depth(gemm) >= LEAST_DEPTH &&
           clamp_of(&gemm->epilogue, &low, &high) && panel_in_local(device, gemm);
}

linnet_cl_kernel *linnet_cl_gemm_panel_kernel(linnet_backend_plan *plan, const linnet_cl_gemm *gemm)
{
    panel_split split = split_of(plan->device, gemm);
    float low, high;
    clamp_of(&gemm->epilogue, &low, &high);
    linnet_cl_kernel *kernel =
        linnet_cl_kernel_new(plan, LINNET_CL_PROGRAM_GEMM_PANEL, "gemm_panel", LINNET_CL_GEMM_PANEL_VIEWS);
    linnet_cl_int(kernel, split.panel);
    linnet_cl_int(kernel, split.block_m);
    linnet_cl_int(kernel, split.block_n);
    linnet_cl_int(kernel, split.block_k);
    linnet_cl_float(kernel, low);
    linnet_cl_float(kernel, high);
    linnet_cl_int(kernel, gemm->row_sums);
    linnet_cl_local(kernel, split_bytes(&split));
    linnet_cl_range(kernel, ceil_div(gemm->m, split.block_m), ceil_div(gemm->n, split.block_n),
                    linnet_cl_gemm_products(gemm), 1);
    return kernel;
}
