/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a convolution prefers which algorithm in nchw16c, by shape: measured with tests/peers on two cores with AVX-512.
 * `linnet tune` measures on the machine at hand instead. Against them, nchw16n prefers itself by 1 where the batch
 * fills its lanes, and im2col by 0.
 */
#include "conv2d_winograd.h"

#include <math.h>
#include <string.h>

enum { ANY = 0, FORWARD = 1, INPUT = 2, WEIGHT = 4, ALL = FORWARD | INPUT | WEIGHT };

typedef struct rule {
    const char *algorithm;
    uint32_t directions;       /* every one that is asked for is among these */
    int64_t kernel;            /* square, with stride and dilation 1 */
    int64_t channels, outputs; /* of a group, at least */
    int64_t plane;             /* rows and columns of the output, at least */
    int64_t pixels;            /* of the outputs of the whole batch, at least */
    int preference;
} rule;

/* clang-format off */
static const rule rules[] = {
    /* algorithm  directions  kernel  channels  outputs  plane  pixels  preference */
    {"depthwise", ALL,        ANY,    1,        1,       ANY,   ANY,    3},
    {"winograd",  ALL,        3,      16,       16,      4,     ANY,    4},
    {"channels",  ALL,        ANY,    16,       16,      ANY,   ANY,    3},
    {"planes",    ALL,        ANY,    ANY,      32,      ANY,   ANY,    2},
};

/* Winograd's tile is the one that costs least, if that is less than "channels": products at two vectors of multiply-adds
   a cycle, and what the transforms of 16 channels take, in cycles. A transform of weights serves a whole block of tiles. */
static const struct winograd_cost { int64_t m; double input, output, weights; } winograd_costs[] = {
    /* m  a tile's input  output  weights of a channel by 16 outputs */
    {2,   70,             70,     65},
    {4,   250,            170,    125},
    {6,   520,            380,    300},
};
/* clang-format on */
static const double PRODUCTS_A_CYCLE = 1.8;
/* A product of fewer rows takes as long: it waits for weights, and for its own sums. */
static const double LEAST_ROWS = 10;
/* Cycles in which 16 transformed weights arrive from memory, while the products before them are computed. */
static const double CYCLES_A_KEPT_WEIGHT = 14;
/* Cycles per 16 sums of the weight's gradient before its transform: they go to memory and back. */
static const double CYCLES_A_SUM = 20;

static uint32_t directions_of(const linnet_layer_desc *desc)
{
    if (desc->direction == LINNET_FORWARD)
        return FORWARD;
    return (desc->want_inputs ? INPUT : 0) | (desc->want_parameters ? WEIGHT : 0);
}

static bool has_kernel(const cpu_conv2d_sizes *s, int64_t size)
{
    return s->kh == size && s->kw == size && s->sh == 1 && s->sw == 1 && s->dh == 1 && s->dw == 1;
}

int cpu_conv2d_preference(const linnet_layer_desc *desc, const char *algorithm)
{
    cpu_conv2d_sizes s = cpu_conv2d_sizes_of(desc);
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        const rule *r = &rules[i];
        if (strcmp(r->algorithm, algorithm) == 0 && (directions_of(desc) & ~r->directions) == 0 &&
            (r->kernel == ANY || has_kernel(&s, r->kernel)) && s.group_c >= r->channels && s.group_o >= r->outputs &&
            s.oh >= r->plane && s.ow >= r->plane && s.n * s.oh * s.ow >= r->pixels)
            return r->preference;
    }
    return CPU_AVOID;
}

static double winograd_cost_of(const struct winograd_cost *cost, const cpu_conv2d_sizes *s, uint32_t direction)
{
    cpu_winograd_sizes w = cpu_winograd_sizes_of(s, cost->m, direction == CPU_CONV2D_INPUT);
    w.kept = direction == CPU_CONV2D_INFERENCE && cpu_winograd_keeps_weights(&w);
    double tiles = (double)w.tiles, ins = (double)w.in_blocks, outs = (double)w.out_blocks;
    double positions = (double)w.positions, pairs = ins * CPU_LANES * outs;
    double products = positions * fmax(tiles, LEAST_ROWS) / PRODUCTS_A_CYCLE;
    double weights = direction == CPU_CONV2D_WEIGHT ? positions * CYCLES_A_SUM
                     : w.kept                       ? fmax(0, positions * CYCLES_A_KEPT_WEIGHT - products)
                                                    : (double)cpu_winograd_blocks(&w) * cost->weights;
    return pairs * (products + weights) + tiles * (ins * cost->input + outs * cost->output);
}

int64_t cpu_conv2d_winograd_choice(const cpu_conv2d_sizes *s, uint32_t direction)
{
    int64_t best = 0, pixels = s->n * (direction == CPU_CONV2D_INPUT ? s->h * s->w : s->oh * s->ow);
    double pairs = (double)(cpu_ceil(s->c, CPU_LANES) * cpu_ceil(s->o, CPU_LANES) * CPU_LANES);
    double least = (double)(pixels * s->kh * s->kw) * pairs / PRODUCTS_A_CYCLE;
    for (size_t i = 0; i < sizeof winograd_costs / sizeof winograd_costs[0]; i++) {
        double cost = winograd_cost_of(&winograd_costs[i], s, direction);
        if (cost < least) {
            best = winograd_costs[i].m;
            least = cost;
        }
    }
    return best;
}
