/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix products by our own kernels. */
#include "gemm.h"
#include "variants.h"

#include <math.h>

enum { COLUMN_ROWS = 4, TILE_ROWS = 6, TILE_BLOCK = 64, DOT_ROWS = 3, DOT_COLUMNS = 4 }; /* as in the kernels */
enum { STRIP_ROWS = 4, STRIP = 512, LEAST_STRIP = 64 };
enum { FEW_ROWS = 7, FEW_DEPTH = 7 }; /* rows and depth up to which packing does not pay */

static int64_t tiles(int64_t length, int64_t tile)
{
    return (length + tile - 1) / tile;
}

static int64_t batches_of(const linnet_cl_gemm *gemm)
{
    return gemm->batches ? gemm->batches : 1;
}

static int64_t run_of(const linnet_cl_gemm *gemm)
{
    return gemm->run ? gemm->run : gemm->depth;
}

/* The products that one launch does. */
static int64_t products(const linnet_cl_gemm *gemm)
{
    return batches_of(gemm) * (gemm->depth > 0 ? tiles(gemm->depth, run_of(gemm)) : 1);
}

/* ---- gemm_panel.cl ---- */

/* Depth of a block, its columns (at most), and rows (about). */
enum {
    BLOCK_K = 256,
    BLOCK_N = 256,
    BLOCK_M = 168,
    LEAST_COLUMNS = 8,
    LEAST_ROWS = 4,
    LEAST_DEPTH = 1,
    PANEL_BYTES = 512 << 10
};

typedef struct panel_split {
    int64_t panel, block_m, block_n, block_k;
    uint64_t bytes;
} panel_split;

static bool clamp_of(const linnet_epilogue *epilogue, float *out_low, float *out_high)
{
    *out_low = epilogue->op == LINNET_UNARY_RELU ? 0 : epilogue->op == LINNET_UNARY_CLIP ? epilogue->alpha : -INFINITY;
    *out_high = epilogue->op == LINNET_UNARY_CLIP ? epilogue->beta : INFINITY;
    return epilogue->op == 0 || epilogue->op == LINNET_UNARY_RELU || epilogue->op == LINNET_UNARY_CLIP;
}

static int64_t round_up(int64_t length, int64_t unit)
{
    return tiles(length, unit) * unit;
}

/* Rows of a tile as wastes least; blocks as large as leave something to do for everyone and fit local memory. */
static panel_split split_of(const linnet_backend_device *device, const linnet_cl_gemm *gemm)
{
    bool wide = device->tile_columns > 1;
    int64_t columns = wide ? 32 : 16, wanted = 4 * (int64_t)device->info.compute_units;
    int64_t limit = (int64_t)device->local_memory / 4 < PANEL_BYTES ? (int64_t)device->local_memory / 4 : PANEL_BYTES;
    panel_split split = {.panel = !wide                                                   ? 4
                                  : round_up(gemm->m, 8) * 10 < round_up(gemm->m, 14) * 9 ? 8
                                                                                          : 14,
                         .block_k = run_of(gemm) < BLOCK_K ? run_of(gemm) : BLOCK_K};
    split.block_m = round_up(gemm->m < BLOCK_M ? gemm->m : BLOCK_M, split.panel);
    split.block_n = round_up(gemm->n < BLOCK_N ? gemm->n : BLOCK_N, columns);
    while (split.block_n > columns &&
           products(gemm) * tiles(gemm->m, split.block_m) * tiles(gemm->n, split.block_n) < wanted)
        split.block_n = round_up(split.block_n / 2, columns);
    while (split.block_m > 4 * split.panel &&
           products(gemm) * tiles(gemm->m, split.block_m) * tiles(gemm->n, split.block_n) < wanted)
        split.block_m = round_up(split.block_m / 2, split.panel);
    while (split.block_k > 16 && (split.block_m + split.block_n) * split.block_k * 4 > limit)
        split.block_k /= 2;
    /* The last vector of a narrow panel goes beyond it; and a tile at an edge. */
    int64_t beyond = split.block_m / split.panel * 16 + split.panel * columns;
    split.bytes = (uint64_t)((split.block_m + split.block_n) * split.block_k + beyond) * sizeof(float);
    return split;
}

static bool panel_fits(const linnet_backend_device *device, const linnet_cl_gemm *gemm)
{
    float low, high;
    return gemm->m >= LEAST_ROWS && gemm->n >= LEAST_COLUMNS && run_of(gemm) >= LEAST_DEPTH &&
           clamp_of(&gemm->epilogue, &low, &high) && split_of(device, gemm).bytes <= device->local_memory;
}

static linnet_cl_kernel *panel_kernel(linnet_backend_plan *plan, const linnet_cl_gemm *gemm)
{
    panel_split split = split_of(plan->device, gemm);
    float low, high;
    clamp_of(&gemm->epilogue, &low, &high);
    linnet_cl_kernel *kernel = linnet_cl_kernel_new(plan, LINNET_CL_PROGRAM_GEMM_PANEL, "gemm_panel", 4);
    linnet_cl_int(kernel, split.panel);
    linnet_cl_int(kernel, split.block_m);
    linnet_cl_int(kernel, split.block_n);
    linnet_cl_int(kernel, split.block_k);
    linnet_cl_float(kernel, low);
    linnet_cl_float(kernel, high);
    linnet_cl_local(kernel, split.bytes);
    linnet_cl_range(kernel, tiles(gemm->m, split.block_m), tiles(gemm->n, split.block_n), products(gemm), 1);
    return kernel;
}

/* ---- gemm_strips.cl ---- */

/* Few rows, so that b is read once or twice, or so little depth that writing c is all there is to do. */
static bool strips_pay(const linnet_cl_gemm *gemm)
{
    return gemm->b_col == 1 && (gemm->m <= FEW_ROWS || run_of(gemm) <= FEW_DEPTH);
}

static linnet_cl_kernel *strips_kernel(linnet_backend_plan *plan, const linnet_cl_gemm *gemm)
{
    int64_t strip = STRIP, wanted = 4 * (int64_t)plan->device->info.compute_units;
    int64_t others = products(gemm) * tiles(gemm->m, STRIP_ROWS);
    while (strip > LEAST_STRIP && others * tiles(gemm->n, strip) < wanted)
        strip /= 2;
    linnet_cl_kernel *kernel = linnet_cl_kernel_new(plan, LINNET_CL_PROGRAM_GEMM_STRIPS, "gemm_strips", 4);
    linnet_cl_int(kernel, strip);
    linnet_cl_range(kernel, tiles(gemm->n, strip), tiles(gemm->m, STRIP_ROWS), products(gemm), 1);
    return kernel;
}

/* ---- Which ---- */

/* On processors the kernel whose vectors lie along what is dense. */
static linnet_cl_kernel *vector_kernel(linnet_backend_plan *plan, const linnet_cl_gemm *gemm)
{
    bool rows = gemm->b_col == 1;
    linnet_cl_kernel *kernel =
        linnet_cl_kernel_new(plan, LINNET_CL_PROGRAM_GEMM_VECTOR, rows ? "gemm_rows" : "gemm_dots", 4);
    if (rows)
        linnet_cl_range(kernel, tiles(gemm->m, TILE_ROWS), tiles(gemm->n, TILE_BLOCK), products(gemm), 1);
    else
        linnet_cl_range(kernel, tiles(gemm->n, DOT_COLUMNS), tiles(gemm->m, DOT_ROWS), products(gemm), 1);
    return kernel;
}

int64_t linnet_cl_tile_of(const linnet_backend_device *device, int64_t rows, int64_t columns, int64_t batches)
{
    enum { SMALL = 64, LARGE = 128 };
    int64_t groups = tiles(rows, LARGE) * tiles(columns, LARGE) * batches;
    double wanted = device->parameters.values[LINNET_CL_TILE_GROUPS] * device->info.compute_units;
    bool fills = rows > SMALL && columns > SMALL && (double)groups >= wanted;
    fills = (fills || linnet_cl_forces(device, LINNET_CL_VARIANT_TILE_128)) &&
            !linnet_cl_forces(device, LINNET_CL_VARIANT_TILE_64);
    if (fills && device->max_group >= 2 * LARGE)
        return LARGE;
    return device->max_group >= 2 * SMALL && device->local_memory >= 24 << 10 ? SMALL : 0;
}

/* NULL, and no kernel in the plan, where the device has no tiles. */
static linnet_cl_kernel *local_kernel(linnet_backend_plan *plan, const linnet_cl_gemm *gemm)
{
    int64_t tile = linnet_cl_tile_of(plan->device, gemm->m, gemm->n, products(gemm));
    if (tile == 0)
        return NULL;
    linnet_cl_kernel *kernel =
        linnet_cl_kernel_new(plan, LINNET_CL_PROGRAM_GEMM_LOCAL, tile == 128 ? "gemm_local_128" : "gemm_local_64", 4);
    linnet_cl_range_required(kernel, tiles(gemm->n, tile), tiles(gemm->m, tile), products(gemm), (size_t)(2 * tile));
    return kernel;
}

static linnet_cl_kernel *columns_kernel(linnet_backend_plan *plan, const linnet_cl_gemm *gemm)
{
    linnet_cl_kernel *kernel = linnet_cl_kernel_new(plan, LINNET_CL_PROGRAM_GEMM, "gemm_columns", 4);
    linnet_cl_range(kernel, gemm->n, tiles(gemm->m, COLUMN_ROWS), products(gemm), 64);
    return kernel;
}

static bool is_dense(const linnet_cl_gemm *gemm)
{
    return gemm->b_col == 1 || (gemm->a_col == 1 && gemm->b_row == 1);
}

/* NULL: none of those for processors. */
static linnet_cl_kernel *processor_kernel(linnet_backend_plan *plan, const linnet_cl_gemm *gemm)
{
    if (strips_pay(gemm))
        return strips_kernel(plan, gemm);
    if (panel_fits(plan->device, gemm) && (gemm->m > FEW_ROWS || !is_dense(gemm)))
        return panel_kernel(plan, gemm);
    return is_dense(gemm) ? vector_kernel(plan, gemm) : NULL;
}

/* NULL: none is, or it cannot do this product. */
static linnet_cl_kernel *forced_kernel(linnet_backend_plan *plan, const linnet_cl_gemm *gemm)
{
    const linnet_backend_device *device = plan->device;
    if (linnet_cl_forces(device, LINNET_CL_VARIANT_GEMM_PANEL) && panel_fits(device, gemm))
        return panel_kernel(plan, gemm);
    if (linnet_cl_forces(device, LINNET_CL_VARIANT_GEMM_VECTOR) && is_dense(gemm))
        return vector_kernel(plan, gemm);
    if (linnet_cl_forces(device, LINNET_CL_VARIANT_GEMM_STRIPS) && gemm->b_col == 1)
        return strips_kernel(plan, gemm);
    if (linnet_cl_forces(device, LINNET_CL_VARIANT_GEMM_LOCAL))
        return local_kernel(plan, gemm);
    return linnet_cl_forces(device, LINNET_CL_VARIANT_GEMM_COLUMNS) ? columns_kernel(plan, gemm) : NULL;
}

static linnet_cl_kernel *pick_kernel(linnet_backend_plan *plan, const linnet_cl_gemm *gemm, bool tiled)
{
    linnet_cl_kernel *kernel = forced_kernel(plan, gemm);
    if (kernel)
        return kernel;
    if (tiled)
        kernel = plan->device->prefers_vectors ? processor_kernel(plan, gemm) : local_kernel(plan, gemm);
    return kernel ? kernel : columns_kernel(plan, gemm);
}

linnet_cl_kernel *linnet_cl_gemm_kernel(linnet_backend_plan *plan, const linnet_cl_gemm *gemm, bool tiled)
{
    linnet_cl_kernel *kernel = pick_kernel(plan, gemm, tiled);
    const int64_t constants[] = {gemm->m,      gemm->n,       gemm->depth,   gemm->a_row,    gemm->a_col,
                                 gemm->b_row,  gemm->b_col,   gemm->c_row,   gemm->has_bias, batches_of(gemm),
                                 run_of(gemm), gemm->a_batch, gemm->b_batch, gemm->c_batch,  gemm->epilogue.op};
    linnet_cl_ints(kernel, constants);
    linnet_cl_float(kernel, gemm->epilogue.alpha);
    linnet_cl_float(kernel, gemm->epilogue.beta);
    return kernel;
}

linnet_status linnet_cl_gemm_run(linnet_cl_kernel *kernel, linnet_backend_queue *queue, linnet_view a, linnet_view b,
                                 linnet_view bias, linnet_view c, cl_int accumulate)
{
    linnet_cl_run_int(kernel, 0, accumulate);
    return linnet_cl_launch(kernel, queue, a, b, bias, c);
}
