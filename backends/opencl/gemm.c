/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix products by our own kernels. */
#include "gemm.h"
#include "gemm_panel.h"
#include "sizes.h"
#include "variants.h"

enum { COLUMN_ROWS = 4, TILE_ROWS = 6, TILE_BLOCK = 64, DOT_ROWS = 3, DOT_COLUMNS = 4 }; /* as in the kernels */
enum { LOW_ROWS = 32, LOW_COLUMNS = 128, LOW_LANES = 64 };
enum { SMALL_SIDE = 16, SMALL_LANES = 128 };
enum { STRIP_ROWS = 4, STRIP = 512, LEAST_STRIP = 64 };
enum { FEW_ROWS = 7, FEW_DEPTH = 7 }; /* rows and depth up to which packing does not pay */

/* ---- gemm_strips.cl ---- */

/* Few rows, so that b is read once or twice, or so little depth that writing c is all there is to do. */
static bool strips_pay(const linnet_cl_gemm *gemm)
{
    return gemm->b_col == 1 && (gemm->m <= FEW_ROWS || linnet_cl_gemm_part_depth(gemm) <= FEW_DEPTH);
}

static linnet_cl_kernel *strips_kernel(linnet_backend_plan *plan, const linnet_cl_gemm *gemm)
{
    int64_t strip = STRIP, wanted = 4 * (int64_t)plan->device->info.compute_units;
    int64_t others = linnet_cl_gemm_products(gemm) * ceil_div(gemm->m, STRIP_ROWS);
    while (strip > LEAST_STRIP && others * ceil_div(gemm->n, strip) < wanted)
        strip /= 2;
    linnet_cl_kernel *kernel = linnet_cl_kernel_new(plan, LINNET_CL_PROGRAM_GEMM_STRIPS, "gemm_strips", 4);
    linnet_cl_int(kernel, strip);
    linnet_cl_range(kernel, ceil_div(gemm->n, strip), ceil_div(gemm->m, STRIP_ROWS), linnet_cl_gemm_products(gemm), 1);
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
        linnet_cl_range(kernel, ceil_div(gemm->m, TILE_ROWS), ceil_div(gemm->n, TILE_BLOCK),
                        linnet_cl_gemm_products(gemm), 1);
    else
        linnet_cl_range(kernel, ceil_div(gemm->n, DOT_COLUMNS), ceil_div(gemm->m, DOT_ROWS),
                        linnet_cl_gemm_products(gemm), 1);
    return kernel;
}

/* NULL, and no kernel in the plan, where the device has no tiles. */
static linnet_cl_kernel *local_kernel(linnet_backend_plan *plan, const linnet_cl_gemm *gemm)
{
    const linnet_cl_tiled product = {
        gemm->m, gemm->n, linnet_cl_gemm_products(gemm), linnet_cl_gemm_part_depth(gemm), false, {"gemm_local"}};
    int64_t tile = linnet_cl_tiling_of(plan->device, &product, 1).tile;
    if (tile == 0)
        return NULL;
    linnet_cl_kernel *kernel = linnet_cl_kernel_new(
        plan, LINNET_CL_PROGRAM_GEMM_LOCAL, tile == LINNET_CL_TILE_LARGE ? "gemm_local_128" : "gemm_local_64", 4);
    linnet_cl_range_required(kernel, ceil_div(gemm->n, tile) * ceil_div(gemm->m, tile), 1,
                             linnet_cl_gemm_products(gemm), (size_t)linnet_cl_tile_lanes(tile));
    return kernel;
}

/* ---- gemm_low.cl ---- */

static bool low_fits(const linnet_backend_device *device, const linnet_cl_gemm *gemm)
{
    return !gemm->has_bias && gemm->epilogue.op == 0 && atomic_load(&device->tile_most) > 0;
}

/* Tiles of 32 rows, where those of 64 would make a tenth more rows. */
static bool low_pays(const linnet_cl_gemm *gemm)
{
    return 11 * round_up(gemm->m, LOW_ROWS) <= 10 * round_up(gemm->m, LINNET_CL_TILE_SMALL);
}

static linnet_cl_kernel *low_kernel(linnet_backend_plan *plan, const linnet_cl_gemm *gemm)
{
    linnet_cl_kernel *kernel = linnet_cl_kernel_new(plan, LINNET_CL_PROGRAM_GEMM_LOW, "gemm_low", 4);
    linnet_cl_range_required(kernel, ceil_div(gemm->n, LOW_COLUMNS), ceil_div(gemm->m, LOW_ROWS),
                             linnet_cl_gemm_products(gemm), LOW_LANES);
    return kernel;
}

/* NULL: the device has no such groups. */
static linnet_cl_kernel *small_kernel(linnet_backend_plan *plan, const linnet_cl_gemm *gemm)
{
    if (atomic_load(&plan->device->tile_most) == 0)
        return NULL;
    linnet_cl_kernel *kernel = linnet_cl_kernel_new(plan, LINNET_CL_PROGRAM_GEMM_SMALL, "gemm_small", 4);
    linnet_cl_range_required(kernel, ceil_div(gemm->n, SMALL_SIDE), ceil_div(gemm->m, SMALL_SIDE),
                             linnet_cl_gemm_products(gemm), SMALL_LANES);
    return kernel;
}

static linnet_cl_kernel *columns_kernel(linnet_backend_plan *plan, const linnet_cl_gemm *gemm)
{
    linnet_cl_kernel *kernel = linnet_cl_kernel_new(plan, LINNET_CL_PROGRAM_GEMM, "gemm_columns", 4);
    linnet_cl_range(kernel, gemm->n, ceil_div(gemm->m, COLUMN_ROWS), linnet_cl_gemm_products(gemm), 64);
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
    if (linnet_cl_gemm_panel_fits(plan->device, gemm) && (gemm->m > FEW_ROWS || !is_dense(gemm)))
        return linnet_cl_gemm_panel_kernel(plan, gemm);
    return is_dense(gemm) ? vector_kernel(plan, gemm) : NULL;
}

/* NULL: none is, or it cannot do this product. */
static linnet_cl_kernel *forced_kernel(linnet_backend_plan *plan, const linnet_cl_gemm *gemm)
{
    const linnet_backend_device *device = plan->device;
    if (linnet_cl_forces(device, LINNET_CL_VARIANT_GEMM_PANEL) && linnet_cl_gemm_panel_fits(device, gemm))
        return linnet_cl_gemm_panel_kernel(plan, gemm);
    if (linnet_cl_forces(device, LINNET_CL_VARIANT_GEMM_VECTOR) && is_dense(gemm))
        return vector_kernel(plan, gemm);
    if (linnet_cl_forces(device, LINNET_CL_VARIANT_GEMM_STRIPS) && gemm->b_col == 1)
        return strips_kernel(plan, gemm);
    if (linnet_cl_forces(device, LINNET_CL_VARIANT_GEMM_LOW) && low_fits(device, gemm))
        return low_kernel(plan, gemm);
    if (linnet_cl_forces(device, LINNET_CL_VARIANT_GEMM_LOCAL))
        return local_kernel(plan, gemm);
    if (linnet_cl_forces(device, LINNET_CL_VARIANT_GEMM_SMALL))
        return small_kernel(plan, gemm);
    return linnet_cl_forces(device, LINNET_CL_VARIANT_GEMM_COLUMNS) ? columns_kernel(plan, gemm) : NULL;
}

/* NULL: the device has no tiles. */
static linnet_cl_kernel *gpu_kernel(linnet_backend_plan *plan, const linnet_cl_gemm *gemm)
{
    if (low_fits(plan->device, gemm) && low_pays(gemm))
        return low_kernel(plan, gemm);
    return local_kernel(plan, gemm);
}

static linnet_cl_kernel *pick_kernel(linnet_backend_plan *plan, const linnet_cl_gemm *gemm, bool tiled)
{
    linnet_cl_kernel *kernel = forced_kernel(plan, gemm);
    if (kernel)
        return kernel;
    if (tiled)
        kernel = plan->device->prefers_vectors ? processor_kernel(plan, gemm) : gpu_kernel(plan, gemm);
    else if (!plan->device->prefers_vectors)
        kernel = small_kernel(plan, gemm);
    return kernel ? kernel : columns_kernel(plan, gemm);
}

linnet_cl_kernel *linnet_cl_gemm_kernel(linnet_backend_plan *plan, const linnet_cl_gemm *gemm, bool tiled)
{
    linnet_cl_kernel *kernel = pick_kernel(plan, gemm, tiled);
    const int64_t constants[] = {gemm->m,
                                 gemm->n,
                                 gemm->depth,
                                 gemm->a_row,
                                 gemm->a_col,
                                 gemm->b_row,
                                 gemm->b_col,
                                 gemm->c_row,
                                 gemm->has_bias,
                                 linnet_cl_gemm_batches(gemm),
                                 linnet_cl_gemm_part_depth(gemm),
                                 gemm->a_batch,
                                 gemm->b_batch,
                                 gemm->c_batch,
                                 gemm->epilogue.op};
    linnet_cl_ints(kernel, constants);
    linnet_cl_float(kernel, gemm->epilogue.alpha);
    linnet_cl_float(kernel, gemm->epilogue.beta);
    return kernel;
}

bool linnet_cl_gemm_has_sums(const linnet_cl_kernel *kernel, const linnet_cl_gemm *gemm)
{
    return gemm->row_sums && kernel->view_count == LINNET_CL_GEMM_PANEL_VIEWS;
}

static linnet_status run_panel(linnet_cl_kernel *kernel, linnet_backend_queue *queue, const linnet_view *views,
                               cl_int accumulate, cl_int accumulate_sums)
{
    linnet_cl_run_int(kernel, 0, accumulate);
    linnet_cl_run_int(kernel, 1, accumulate_sums);
    return linnet_cl_launch_views(kernel, queue, views, LINNET_CL_GEMM_PANEL_VIEWS);
}

linnet_status linnet_cl_gemm_run_sums(linnet_cl_kernel *kernel, linnet_backend_queue *queue, linnet_view a,
                                      linnet_view b, linnet_view c, cl_int accumulate, linnet_view sums,
                                      cl_int accumulate_sums)
{
    const linnet_view views[LINNET_CL_GEMM_PANEL_VIEWS] = {a, b, linnet_cl_no_view, c, sums};
    return run_panel(kernel, queue, views, accumulate, accumulate_sums);
}

linnet_status linnet_cl_gemm_run(linnet_cl_kernel *kernel, linnet_backend_queue *queue, linnet_view a, linnet_view b,
                                 linnet_view bias, linnet_view c, cl_int accumulate)
{
    const linnet_view views[LINNET_CL_GEMM_PANEL_VIEWS] = {a, b, bias, c, linnet_cl_no_view};
    if (kernel->view_count == LINNET_CL_GEMM_PANEL_VIEWS)
        return run_panel(kernel, queue, views, accumulate, 0);
    linnet_cl_run_int(kernel, 0, accumulate);
    return linnet_cl_launch(kernel, queue, a, b, bias, c);
}
