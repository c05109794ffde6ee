/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the tiles of Winograd's convolution on GPUs go in chunks. A chunk's transformed tiles lie in the workspace until
 * they are multiplied and transformed back: small chunks take little memory, of which a cache may hold much, but each
 * has three launches, reads the weights again and should give every unit as much to do. All is a function of the shape,
 * the device's units and the parameter `chunk`; time is counted in multiply-adds of a unit.
 */
#include "conv2d_winograd.h"

enum {
    LINE = 32,                   /* tiles: rows of a chunk begin on lines of a cache */
    STEP = 8,                    /* and parts of one where vectors may, with whole steps of the product (tile.clh) */
    UNIT_SUMS = 2 * 128 * 128,   /* of a product that a unit makes at once: two groups, or eight of smaller tiles */
    CHUNK_TIME = 1500000,        /* until a chunk's kernels have started: some 9 microseconds of an H200 */
    BYTE_TIME = 5,               /* of a byte that is a unit's share of memory: 3 to 8 on GPUs of any size */
    LEAST_DEPTH = 16,            /* of a part */
    MOST_CHUNK_BYTES = 256 << 20 /* unless the parameter says more */
};

static int64_t ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static int64_t round_up(int64_t a, int64_t unit)
{
    return ceil_div(a, unit) * unit;
}

/* Units work in rounds. A last one takes as long if few groups are left for it; half of them have a unit each to
   themselves, which is faster, but not twice. */
static double product_time(const linnet_backend_device *device, int64_t rows, int64_t columns, int64_t depth,
                           int64_t products)
{
    int64_t tile = rows > 64 && columns > 64 ? 128 : 64; /* gemm.c */
    int64_t groups = ceil_div(rows, tile) * ceil_div(columns, tile) * products;
    int64_t at_once = device->info.compute_units * (UNIT_SUMS / (tile * tile));
    int64_t last = groups % at_once;
    double rounds = (double)(groups / at_once) + (last == 0 ? 0 : 2 * last <= at_once ? 0.6 : 1);
    return rounds * UNIT_SUMS * (double)depth;
}

/* Tiles of a chunk, at most: as many bytes as the parameter says, or `times` those of the weights, transformed, which
   every chunk goes through once more. */
static int64_t most_tiles(const linnet_backend_device *device, const linnet_cl_conv2d *s, int64_t positions,
                          int64_t times)
{
    int64_t position_bytes = positions * (int64_t)sizeof(float), bytes = times * s->channels * s->outputs;
    bytes = bytes * position_bytes < MOST_CHUNK_BYTES ? bytes * position_bytes : MOST_CHUNK_BYTES;
    int64_t wanted = (int64_t)device->parameters.values[LINNET_CL_CHUNK];
    int64_t tiles = (bytes > wanted ? bytes : wanted) / (position_bytes * (s->channels + s->outputs));
    return tiles < LINE ? LINE : tiles / LINE * LINE;
}

static linnet_cl_winograd_tiles tiles_of(const linnet_cl_conv2d *s, int64_t height, int64_t width)
{
    linnet_cl_winograd_tiles t = {.down = ceil_div(height, s->winograd),
                                  .across = ceil_div(width, s->winograd),
                                  .positions = (s->winograd + 2) * (s->winograd + 2)};
    t.all = s->images * t.down * t.across;
    return t;
}

/* The best of these, of one size each; more than twice as many as there have to be never pay. */
linnet_cl_winograd_tiles linnet_cl_winograd_tiles_of(const linnet_backend_device *device, const linnet_cl_conv2d *s,
                                                     int64_t height, int64_t width, int64_t rows, int64_t depth)
{
    linnet_cl_winograd_tiles best = tiles_of(s, height, width), t = best;
    int64_t least = ceil_div(t.all, most_tiles(device, s, t.positions, 4));
    double least_time = 0;
    for (int64_t count = least; count <= 2 * least; count++) {
        t.chunk = round_up(ceil_div(t.all, count), LINE);
        double time =
            (double)ceil_div(t.all, t.chunk) * (product_time(device, rows, t.chunk, depth, t.positions) + CHUNK_TIME);
        if (best.chunk == 0 || time < least_time) {
            best = t;
            least_time = time;
        }
    }
    return best;
}

/* The same with as many parts as keep the units busy: each is written, and read by the next chunk or to be added up. */
linnet_cl_winograd_tiles linnet_cl_winograd_gradient_tiles(const linnet_backend_device *device,
                                                           const linnet_cl_conv2d *s)
{
    linnet_cl_winograd_tiles best = tiles_of(s, s->out_height, s->out_width), t = best;
    int64_t count = ceil_div(t.all, most_tiles(device, s, t.positions, 16));
    double sum_bytes = (double)(t.positions * s->outputs * s->channels) * sizeof(float), least_time = 0;
    double sum_time = BYTE_TIME * sum_bytes / device->info.compute_units;
    t.chunk = round_up(ceil_div(t.all, count), LINE);
    for (int64_t parts = 1; parts == 1 || parts <= t.chunk / LEAST_DEPTH; parts++) {
        t.run = round_up(ceil_div(t.chunk, parts), STEP);
        t.parts = ceil_div(t.chunk, t.run);
        double time = product_time(device, s->outputs, s->channels, t.run, t.positions * t.parts) +
                      (double)(t.parts > 1 ? 2 * t.parts + 1 : 1) * sum_time;
        if (best.chunk == 0 || time < least_time) {
            best = t;
            least_time = time;
        }
    }
    return best;
}
