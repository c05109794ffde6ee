/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix products by our own kernels. */
#include "gemm.h"

enum { COLUMN_ROWS = 4, TILE_ROWS = 6, TILE_BLOCK = 64, DOT_ROWS = 3, DOT_COLUMNS = 4 }; /* as in the kernels */

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
    bool fills = rows > SMALL && columns > SMALL && groups >= 2 * (int64_t)device->info.compute_units;
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
    linnet_cl_range_groups(kernel, tiles(gemm->n, tile), tiles(gemm->m, tile), products(gemm), (size_t)(2 * tile));
    return kernel;
}

static linnet_cl_kernel *pick_kernel(linnet_backend_plan *plan, const linnet_cl_gemm *gemm, bool tiled)
{
    bool dense = gemm->b_col == 1 || (gemm->a_col == 1 && gemm->b_row == 1);
    if (tiled && plan->device->prefers_vectors && dense)
        return vector_kernel(plan, gemm);
    linnet_cl_kernel *kernel = tiled && !plan->device->prefers_vectors ? local_kernel(plan, gemm) : NULL;
    if (kernel)
        return kernel;
    kernel = linnet_cl_kernel_new(plan, LINNET_CL_PROGRAM_GEMM, "gemm_columns", 4);
    linnet_cl_range(kernel, gemm->n, tiles(gemm->m, COLUMN_ROWS), products(gemm), 64);
    return kernel;
}

linnet_cl_kernel *linnet_cl_gemm_kernel(linnet_backend_plan *plan, const linnet_cl_gemm *gemm, bool tiled)
{
    linnet_cl_kernel *kernel = pick_kernel(plan, gemm, tiled);
    const int64_t constants[] = {gemm->m,      gemm->n,       gemm->depth,   gemm->a_row,    gemm->a_col,
                                 gemm->b_row,  gemm->b_col,   gemm->c_row,   gemm->has_bias, batches_of(gemm),
                                 run_of(gemm), gemm->a_batch, gemm->b_batch, gemm->c_batch,  gemm->epilogue.op};
    for (size_t i = 0; i < sizeof(constants) / sizeof(constants[0]); i++)
        linnet_cl_int(kernel, constants[i]);
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
