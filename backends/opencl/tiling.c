/* SPDX-License-Identifier: Apache-2.0 */
/* Which tiles take the least time on a GPU. */
#include "tiling.h"
#include "sizes.h"
#include "variants.h"

#include <math.h>
#include <stdio.h>

enum { SMALL = LINNET_CL_TILE_SMALL, LARGE = LINNET_CL_TILE_LARGE, LEAST_PART = 64 };
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
    double part = (double)ceil_div(product->depth, tiling->parts) + START;
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
    int64_t groups = ceil_div(p->rows, tiling->tile) * ceil_div(p->columns, tiling->tile) * p->batches * tiling->parts;
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
