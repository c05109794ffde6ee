/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix products by our own kernels. */
#include "gemm.h"
#include "sizes.h"
#include "variants.h"

#include <math.h>
#include <stdio.h>

enum { COLUMN_ROWS = 4, TILE_ROWS = 6, TILE_BLOCK = 64, DOT_ROWS = 3, DOT_COLUMNS = 4 }; /* as in the kernels */
enum { LOW_ROWS = 32, LOW_COLUMNS = 128, LOW_LANES = 64 };
enum { SMALL_SIDE = 16, SMALL_LANES = 128 };
enum { STRIP_ROWS = 4, STRIP = 512, LEAST_STRIP = 64 };
enum { FEW_ROWS = 7, FEW_DEPTH = 7 }; /* rows and depth up to which packing does not pay */

static int64_t tiles(int64_t length, int64_t tile)
{
    return ceil_div(length, tile);
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

/* Depth of a block and bytes of its rows, at most: half of a second cache, about. Half of each without wide registers.
 */
enum {
    BLOCK_K = 512,
    ROWS_BYTES = 1152 << 10,
    LEAST_COLUMNS = 8,
    LEAST_ROWS = 4,
    LEAST_DEPTH = 1,
    FEWEST_ROWS = 56, /* in local memory */
    PANEL_VIEWS = 5   /* with the sums of rows: one more than other kernels */
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
    return gemm->depth > 0 ? round_up(tiles(run_of(gemm), tiles(run_of(gemm), most)), 8) : most;
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
    double wide = (double)tiles(columns, split->columns), pack = 0.5, low = 9.5;
    double tile = split->panel == 8 ? low : (double)split->panel + 1, lines = (double)(rows / split->panel) * tile;
    int64_t rest = rows % split->panel;
    lines += rest == 0 ? 0 : rest <= 8 && split->panel > 8 ? low : tile;
    return wide * lines * (double)split->columns / 32 + pack * ((double)rows + wide * (double)split->columns) +
           4000.0 / (double)(run_of(gemm) + 1);
}

/* The blocks in which the product is done first, when each unit takes one after the other. */
static double split_cost(const linnet_backend_device *device, const linnet_cl_gemm *gemm, const panel_split *split)
{
    int64_t rows = split->block_m < gemm->m ? split->block_m : gemm->m;
    int64_t columns = split->block_n < gemm->n ? split->block_n : gemm->n;
    int64_t groups = products(gemm) * tiles(gemm->m, split->block_m) * tiles(gemm->n, split->block_n);
    return (double)tiles(groups, (int64_t)device->info.compute_units) * group_cost(gemm, split, rows, columns);
}

static panel_split split_for(const linnet_backend_device *device, const linnet_cl_gemm *gemm, int64_t panel)
{
    int64_t units = (int64_t)device->info.compute_units;
    panel_split split = {.panel = panel, .columns = device->tile_columns > 1 ? 32 : 16}, best;
    split.block_k = block_k_of(device, gemm, &split);
    int64_t least = tiles(gemm->m, most_rows(device, &split)), panels = tiles(gemm->m, panel);
    double least_cost = INFINITY;
    best = split;
    for (int64_t down = least; down <= panels && down <= least + 4 * units; down++)
        for (int64_t across = 1;
             across == 1 || (across <= tiles(gemm->n, split.columns) && products(gemm) * down * across <= 4 * units);
             across++) {
            split.block_m = round_up(tiles(gemm->m, down), panel);
            split.block_n = round_up(tiles(gemm->n, across), split.columns);
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

static bool panel_fits(const linnet_backend_device *device, const linnet_cl_gemm *gemm)
{
    float low, high;
    return gemm->m >= LEAST_ROWS && gemm->n >= LEAST_COLUMNS && run_of(gemm) >= LEAST_DEPTH &&
           clamp_of(&gemm->epilogue, &low, &high) && panel_in_local(device, gemm);
}

static linnet_cl_kernel *panel_kernel(linnet_backend_plan *plan, const linnet_cl_gemm *gemm)
{
    panel_split split = split_of(plan->device, gemm);
    float low, high;
    clamp_of(&gemm->epilogue, &low, &high);
    linnet_cl_kernel *kernel = linnet_cl_kernel_new(plan, LINNET_CL_PROGRAM_GEMM_PANEL, "gemm_panel", PANEL_VIEWS);
    linnet_cl_int(kernel, split.panel);
    linnet_cl_int(kernel, split.block_m);
    linnet_cl_int(kernel, split.block_n);
    linnet_cl_int(kernel, split.block_k);
    linnet_cl_float(kernel, low);
    linnet_cl_float(kernel, high);
    linnet_cl_int(kernel, gemm->row_sums);
    linnet_cl_local(kernel, split_bytes(&split));
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

enum { SMALL = 64, LARGE = 128, LEAST_PART = 64 };
enum { START = 24, MOST_LANES = 512 }; /* of a unit: with as many registers as tiles take */
/* Tiles of 64 read twice as much for a multiply-add: in quads they took 1.04 to 1.18 of the time, one by one 1.17
   to 1.39 (NVIDIA's H200). A sum of a part written and read, in what a unit multiplies and adds in that time (there: 4
   bytes at 32 a nanosecond, 250 multiply-adds). */
static const double SMALL_LOADS = 1.12, SMALL_GATHERS = 1.22, SUM = 48;

static bool prefers(const linnet_cl_tiled *product, int64_t tile)
{
    char name[64];
    for (int i = 0; i < 2 && product->kernels[i]; i++) {
        snprintf(name, sizeof(name), "%s_%d", product->kernels[i], (int)tile);
        if (linnet_cl_prefers(name))
            return true;
    }
    return false;
}

/* The tile of the kernels that are preferred, whatever there is to do; of both, the one that the sides fill; 0: none
 * is.
 */
static int64_t preferred_tile(const linnet_cl_tiled *product)
{
    bool small = prefers(product, SMALL), large = prefers(product, LARGE);
    bool fills = product->rows > SMALL && product->columns > SMALL;
    return large && (fills || !small) ? LARGE : small ? SMALL : 0;
}

/* How long the busiest unit takes, in multiply-adds. A unit's speed grows with the work-items that it has to switch
   between; what a tile and a part begin and end with is as much as START elements of its depth. */
static double tiling_cost(const linnet_backend_device *device, const linnet_cl_tiling *tiling, int64_t groups,
                          const linnet_cl_tiled *product)
{
    double latency = device->parameters.values[LINNET_CL_LATENCY], units = device->info.compute_units;
    double lanes = linnet_cl_tile_lanes(tiling->tile), each = ceil((double)groups / units);
    double resident = each * lanes < MOST_LANES ? each * lanes : MOST_LANES;
    double loads = tiling->tile == LARGE ? 1 : product->gathers ? SMALL_GATHERS : SMALL_LOADS;
    double part = (double)tiles(product->depth, tiling->parts) + START;
    return each * (double)(tiling->tile * tiling->tile) * part * loads * (1 + latency / resident);
}

/* Of the parts' sums, each written and read by every unit alike, in multiply-adds that a unit could do instead. */
static double parts_cost(const linnet_backend_device *device, const linnet_cl_tiling *tiling, double sums)
{
    double moved = (double)(tiling->parts + 1) * sums * SUM / device->info.compute_units;
    return tiling->parts > 1 ? LINNET_CL_LAUNCH_COST + moved : 0;
}

static double product_cost(const linnet_backend_device *device, const linnet_cl_tiling *tiling,
                           const linnet_cl_tiled *p)
{
    int64_t groups = tiles(p->rows, tiling->tile) * tiles(p->columns, tiling->tile) * p->batches * tiling->parts;
    return tiling_cost(device, tiling, groups, p) +
           parts_cost(device, tiling, (double)p->rows * (double)p->columns * (double)p->batches);
}

double linnet_cl_product_cost(const linnet_backend_device *device, const linnet_cl_tiled *product, int64_t parts)
{
    const linnet_cl_tiling small = {SMALL, parts}, large = {LARGE, parts};
    return fmin(product_cost(device, &small, product), product_cost(device, &large, product));
}

/* The tile that there has to be, and none larger than the device has; 0: any. */
static int64_t forced_tile(const linnet_backend_device *device, const linnet_cl_tiled *product)
{
    int64_t most = atomic_load(&device->tile_most), tile = preferred_tile(product);
    if (linnet_cl_forces(device, LINNET_CL_VARIANT_TILE_128))
        tile = LARGE;
    if (linnet_cl_forces(device, LINNET_CL_VARIANT_TILE_64) || most == SMALL)
        tile = SMALL;
    return tile;
}

/* The parts are the same whatever becomes of tile_most in the meantime: a candidate's workspace has to do for its plan.
 */
linnet_cl_tiling linnet_cl_tiling_of(const linnet_backend_device *device, const linnet_cl_tiled *product,
                                     int64_t most_parts)
{
    if (atomic_load(&device->tile_most) == 0)
        return (linnet_cl_tiling){.parts = 1};
    linnet_cl_tiling best = {.tile = SMALL, .parts = 1};
    double least = INFINITY;
    for (int64_t tile = SMALL; tile <= LARGE; tile *= 2)
        for (int64_t parts = 1; parts <= most_parts && (parts == 1 || product->depth / parts >= LEAST_PART); parts++) {
            const linnet_cl_tiling tiling = {.tile = tile, .parts = parts};
            double cost = product_cost(device, &tiling, product);
            if (cost < least) {
                best = tiling;
                least = cost;
            }
        }
    int64_t forced = forced_tile(device, product);
    best.tile = forced ? forced : best.tile;
    return best;
}

/* NULL, and no kernel in the plan, where the device has no tiles. */
static linnet_cl_kernel *local_kernel(linnet_backend_plan *plan, const linnet_cl_gemm *gemm)
{
    const linnet_cl_tiled product = {gemm->m, gemm->n, products(gemm), run_of(gemm), false, {"gemm_local"}};
    int64_t tile = linnet_cl_tiling_of(plan->device, &product, 1).tile;
    if (tile == 0)
        return NULL;
    linnet_cl_kernel *kernel =
        linnet_cl_kernel_new(plan, LINNET_CL_PROGRAM_GEMM_LOCAL, tile == LARGE ? "gemm_local_128" : "gemm_local_64", 4);
    linnet_cl_range_required(kernel, tiles(gemm->n, tile) * tiles(gemm->m, tile), 1, products(gemm),
                             (size_t)linnet_cl_tile_lanes(tile));
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
    return 11 * round_up(gemm->m, LOW_ROWS) <= 10 * round_up(gemm->m, SMALL);
}

static linnet_cl_kernel *low_kernel(linnet_backend_plan *plan, const linnet_cl_gemm *gemm)
{
    linnet_cl_kernel *kernel = linnet_cl_kernel_new(plan, LINNET_CL_PROGRAM_GEMM_LOW, "gemm_low", 4);
    linnet_cl_range_required(kernel, tiles(gemm->n, LOW_COLUMNS), tiles(gemm->m, LOW_ROWS), products(gemm), LOW_LANES);
    return kernel;
}

/* NULL: the device has no such groups. */
static linnet_cl_kernel *small_kernel(linnet_backend_plan *plan, const linnet_cl_gemm *gemm)
{
    if (atomic_load(&plan->device->tile_most) == 0)
        return NULL;
    linnet_cl_kernel *kernel = linnet_cl_kernel_new(plan, LINNET_CL_PROGRAM_GEMM_SMALL, "gemm_small", 4);
    linnet_cl_range_required(kernel, tiles(gemm->n, SMALL_SIDE), tiles(gemm->m, SMALL_SIDE), products(gemm),
                             SMALL_LANES);
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
    const int64_t constants[] = {gemm->m,      gemm->n,       gemm->depth,   gemm->a_row,    gemm->a_col,
                                 gemm->b_row,  gemm->b_col,   gemm->c_row,   gemm->has_bias, batches_of(gemm),
                                 run_of(gemm), gemm->a_batch, gemm->b_batch, gemm->c_batch,  gemm->epilogue.op};
    linnet_cl_ints(kernel, constants);
    linnet_cl_float(kernel, gemm->epilogue.alpha);
    linnet_cl_float(kernel, gemm->epilogue.beta);
    return kernel;
}

bool linnet_cl_gemm_has_sums(const linnet_cl_kernel *kernel, const linnet_cl_gemm *gemm)
{
    return gemm->row_sums && kernel->view_count == PANEL_VIEWS;
}

static linnet_status run_panel(linnet_cl_kernel *kernel, linnet_backend_queue *queue, const linnet_view *views,
                               cl_int accumulate, cl_int accumulate_sums)
{
    linnet_cl_run_int(kernel, 0, accumulate);
    linnet_cl_run_int(kernel, 1, accumulate_sums);
    return linnet_cl_launch_views(kernel, queue, views, PANEL_VIEWS);
}

linnet_status linnet_cl_gemm_run_sums(linnet_cl_kernel *kernel, linnet_backend_queue *queue, linnet_view a,
                                      linnet_view b, linnet_view c, cl_int accumulate, linnet_view sums,
                                      cl_int accumulate_sums)
{
    const linnet_view views[PANEL_VIEWS] = {a, b, linnet_cl_no_view, c, sums};
    return run_panel(kernel, queue, views, accumulate, accumulate_sums);
}

linnet_status linnet_cl_gemm_run(linnet_cl_kernel *kernel, linnet_backend_queue *queue, linnet_view a, linnet_view b,
                                 linnet_view bias, linnet_view c, cl_int accumulate)
{
    const linnet_view views[PANEL_VIEWS] = {a, b, bias, c, linnet_cl_no_view};
    if (kernel->view_count == PANEL_VIEWS)
        return run_panel(kernel, queue, views, accumulate, 0);
    linnet_cl_run_int(kernel, 0, accumulate);
    return linnet_cl_launch(kernel, queue, a, b, bias, c);
}
