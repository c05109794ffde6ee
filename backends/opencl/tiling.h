/* SPDX-License-Identifier: Apache-2.0 */
/* Tiles of GPUs (kernels/tile.clh): of which size, and the depth in how many parts. */
#ifndef LINNET_OPENCL_TILING_H
#define LINNET_OPENCL_TILING_H

#include "plan.h"

enum { LINNET_CL_TILE_SMALL = 64, LINNET_CL_TILE_LARGE = 128 };

/* Products that tiles (tile.clh) may do: `batches` of rows by columns, each of so much depth. */
typedef struct linnet_cl_tiled {
    int64_t rows, columns, batches, depth;
    bool gathers;           /* elements are read one by one, which costs small tiles more */
    const char *kernels[2]; /* what may do it, names without _64 and _128; NULL: none, or one */
} linnet_cl_tiled;

/* How these cut them: into tiles of so many rows and columns, the depth into so many parts, whose sums are added
   afterwards. What the device is estimated to take the least time for; tile 0 where it has no such groups or too little
   local memory. */
typedef struct linnet_cl_tiling {
    int64_t tile, parts;
} linnet_cl_tiling;
linnet_cl_tiling linnet_cl_tiling_of(const linnet_backend_device *device, const linnet_cl_tiled *product,
                                     int64_t most_parts);
/* How long tiles take for them and for adding up their parts, of the better size, in what a unit multiplies and adds in
   that time; and how long a launch takes (NVIDIA's H200: 2.5 microseconds, at 250 a nanosecond). */
enum { LINNET_CL_LAUNCH_COST = 600000 };
double linnet_cl_product_cost(const linnet_backend_device *device, const linnet_cl_tiled *product, int64_t parts);
/* Work-items of a tile's group. */
static inline int64_t linnet_cl_tile_lanes(int64_t tile)
{
    return 2 * tile;
}

#endif
