/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the tiles of Winograd's convolution on GPUs go in chunks. A chunk's transformed tiles lie in the workspace until
 * they are multiplied and transformed back: small chunks take little memory, of which a cache may hold much, but each
 * has three launches, reads the weights again and should give every unit as much to do. All is a function of the shape,
 * the device's units and its parameters.
 */
#include "conv2d_winograd.h"
#include "sizes.h"

enum {
    LINE = 32,                   /* tiles: rows of a chunk begin on lines of a cache */
    STEP = 8,                    /* and parts of one where vectors may, with whole steps of the product (tile.clh) */
    LEAST_DEPTH = 64,            /* of a part */
    LAUNCHES = 3,                /* of a chunk */
    MOST_CHUNK_BYTES = 256 << 20 /* unless the parameter says more */
};

/* Tiles of a chunk, at most: as many bytes as the parameter says, or `times` those of the weights, transformed, which
   every chunk goes through once more. */
static int64_t most_tiles(const linnet_backend_device *device, const linnet_cl_conv2d *s, int64_t positions,
                          int64_t times)
{
    int64_t position_bytes = positions * (int64_t)sizeof(float);
    int64_t bytes = smaller(times * s->channels * s->outputs * position_bytes, MOST_CHUNK_BYTES);
    int64_t wanted = (int64_t)device->parameters.values[LINNET_CL_CHUNK];
    int64_t tiles = larger(bytes, wanted) / (position_bytes * (s->channels + s->outputs));
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

static double chunks_cost(const linnet_backend_device *device, const linnet_cl_winograd_tiles *t, int64_t rows,
                          int64_t depth)
{
    const linnet_cl_tiled product = {rows, t->chunk, t->positions, depth, false, {NULL}};
    return (double)ceil_div(t->all, t->chunk) *
           (linnet_cl_product_cost(device, &product, 1) + LAUNCHES * (double)LINNET_CL_LAUNCH_COST);
}

/* The best of these, of one size each; more than twice as many as there have to be never pay. */
linnet_cl_winograd_tiles linnet_cl_winograd_tiles_of(const linnet_backend_device *device, const linnet_cl_conv2d *s,
                                                     int64_t height, int64_t width, int64_t rows, int64_t depth)
{
    linnet_cl_winograd_tiles best = tiles_of(s, height, width), t = best;
    int64_t least = ceil_div(t.all, most_tiles(device, s, t.positions, 4));
    double least_cost = 0;
    for (int64_t count = least; count <= 2 * least; count++) {
        t.chunk = round_up(ceil_div(t.all, count), LINE);
        double cost = chunks_cost(device, &t, rows, depth);
        if (best.chunk == 0 || cost < least_cost) {
            best = t;
            least_cost = cost;
        }
    }
    return best;
}

/* As few as there have to be, with as many parts as keep the units busy. */
linnet_cl_winograd_tiles linnet_cl_winograd_gradient_tiles(const linnet_backend_device *device,
                                                           const linnet_cl_conv2d *s)
{
    linnet_cl_winograd_tiles best = tiles_of(s, s->out_height, s->out_width), t = best;
    t.chunk = round_up(ceil_div(t.all, ceil_div(t.all, most_tiles(device, s, t.positions, 16))), LINE);
    double least_cost = 0;
    for (int64_t parts = 1; parts == 1 || parts <= t.chunk / LEAST_DEPTH; parts++) {
        t.run = round_up(ceil_div(t.chunk, parts), STEP);
        t.parts = ceil_div(t.chunk, t.run);
        const linnet_cl_tiled product = {s->outputs, s->channels, t.positions, t.run * t.parts, false, {NULL}};
        double cost = linnet_cl_product_cost(device, &product, t.parts);
        if (best.chunk == 0 || cost < least_cost) {
            best = t;
            least_cost = cost;
        }
    }
    return best;
}
