/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Winograd's convolution in nchw16c, forward and with respect to the input, which is the same convolution with the
 * kernel flipped, dy for x, and 2 - padding for padding.
 *
 * Work goes in blocks of tiles, each of some groups of as many tiles as a product has rows, and in steps of outputs:
 *
 *     V [group][block of 16 inputs][position][tile][16]     transformed input of a block of tiles
 *     U [block of 16 outputs][block of inputs][position][16 inputs][16]    transformed weights: a step by a chunk
 *     M [group][block of 16 outputs][position][tile][16]    products of a step, summed over the chunks
 *
 * U and M, and V where the image has many blocks of tiles, belong to one thread and stay in its second cache. What one
 * transform reads or writes lies close together: its positions are on few pages. The weights are transformed where
 * they are needed, again for every block of tiles: it costs a few percent of the products and spares reading weights
 * four times as large from memory. Where there are so few tiles that it costs more, and weights that stay as they are,
 * the packed parameter holds them transformed (conv2d_winograd_packing.c), and a step reads them as they lie.
 */
#include "conv2d_winograd.h"

#include <math.h>
#include <string.h>

enum {
    KERNEL_FLOATS = 9 * CPU_LANES,
    LEAST_TERMS = 32,
    CHUNK = 4,            /* blocks of 16 inputs of U */
    KEPT_CHUNK = 32,      /* the same of kept weights */
    MOST_STEP = 4,        /* blocks of 16 outputs of U and M */
    V_BYTES = 1 << 20,    /* of a block of tiles */
    M_BYTES = 512 << 10,  /* of a step of outputs */
    LEAST_TILES = 98,     /* of a block: for each the weights are transformed anew */
    SHARED_BLOCKS = 8,    /* fewer blocks of tiles: all threads work on one after the other */
    KEPT_TILES = 64,      /* at most, for weights that are kept transformed */
    KEPT_BYTES = 20 << 20 /* of them at most: they come from memory, or from a cache that others want too */
};

cpu_winograd_sizes cpu_winograd_sizes_of(const cpu_conv2d_sizes *s, int64_t m, bool backward)
{
    cpu_winograd_sizes w = {.size = (int32_t)m / 2 - 1, .m = m, .n = m + 2, .positions = (m + 2) * (m + 2)};
    w.items = s->n;
    w.ic = backward ? s->o : s->c;
    w.oc = backward ? s->c : s->o;
    w.in_blocks = cpu_ceil(w.ic, CPU_LANES);
    w.out_blocks = cpu_ceil(w.oc, CPU_LANES);
    w.in_h = backward ? s->oh : s->h;
    w.in_w = backward ? s->ow : s->w;
    w.out_h = backward ? s->h : s->oh;
    w.out_w = backward ? s->w : s->ow;
    w.top = backward ? 2 - s->top : s->top;
    w.left = backward ? 2 - s->left : s->left;
    w.tiles_y = cpu_ceil(w.out_h, m);
    w.tiles_x = cpu_ceil(w.out_w, m);
    w.tiles = w.items * w.tiles_y * w.tiles_x;
    return w;
}

/* How the work is cut. Results do not depend on it. */
typedef struct plan {
    int64_t block, blocks; /* tiles of a block, and how many blocks there are */
    int64_t rows, groups;  /* tiles of a group, and groups of a block; the last ones may be smaller */
    int64_t step, steps;   /* blocks of outputs of a step, and how many steps */
    int64_t columns;       /* of them, in a product */
    int64_t chunk;         /* blocks of inputs of a chunk */
    bool shared;           /* V is there for all threads */
    /* Floats from one position to the next, and from one group's or weight block's positions to the next's: odd
       multiples of 16, so that neither all positions of a tile nor equal positions of several groups meet in a few
       sets of the first cache. */
    int64_t tile_position, tile_pitch, weight_position, weight_pitch;
    int64_t v_floats, m_floats, u_floats;
} plan;

/* As many columns as leave rows for all tiles, but no less than two. */
static int64_t columns_for(int64_t tiles, int64_t step)
{
    int64_t columns = cpu_min(cpu_table.batch_columns, step);
    while (columns > 2 && cpu_table.batch_rows[columns - 1] < tiles)
        columns--;
    return columns;
}

static plan plan_of(const cpu_winograd_sizes *w)
{
    plan p = {.chunk = cpu_min(w->kept ? KEPT_CHUNK : CHUNK, w->in_blocks)};
    int64_t bytes = w->positions * CPU_LANES * (int64_t)sizeof(float); /* of one tile and 16 channels */
    int64_t v_tiles = V_BYTES / (bytes * w->in_blocks), m_tiles = M_BYTES / (bytes * 2);
    p.block = cpu_min(w->tiles, cpu_min(m_tiles, cpu_max(v_tiles, LEAST_TILES)));
    p.blocks = cpu_ceil(w->tiles, p.block);
    p.block = cpu_ceil(w->tiles, p.blocks);
    p.step = p.block * bytes * MOST_STEP <= M_BYTES ? MOST_STEP : 2;
    p.step = cpu_min(p.step, w->out_blocks);
    p.steps = cpu_ceil(w->out_blocks, p.step);
    p.columns = columns_for(p.block, p.step);
    p.groups = cpu_ceil(p.block, cpu_table.batch_rows[p.columns - 1]);
    p.rows = cpu_ceil(p.block, p.groups);
    p.groups = cpu_ceil(p.block, p.rows);
    p.shared = p.blocks < SHARED_BLOCKS;
    p.tile_position = (p.rows | 1) * CPU_LANES;
    p.tile_pitch = w->positions * p.tile_position + CPU_LANES;
    p.weight_position = (CPU_LANES | 1) * CPU_LANES;
    p.weight_pitch = w->positions * p.weight_position + CPU_LANES;
    p.v_floats = p.groups * w->in_blocks * p.tile_pitch;
    p.m_floats = p.groups * p.step * p.tile_pitch;
    p.u_floats = w->kept ? 0 : p.step * p.chunk * p.weight_pitch;
    return p;
}

static uint64_t workspace_bytes(const cpu_winograd_sizes *w)
{
    plan p = plan_of(w);
    int64_t workers = cpu_worker_count();
    return (uint64_t)((p.shared ? p.blocks : workers) * p.v_floats + workers * (p.m_floats + p.u_floats)) *
           sizeof(float);
}

typedef struct job {
    cpu_winograd_sizes w;
    plan p;
    const cpu_winograd_table *kernels;
    const float *in, *weights, *bias; /* weights: as the packing has them */
    float *out;
    const float *add;              /* lies as out does; or NULL */
    int64_t in_stride, out_stride; /* between items, floats */
    int64_t weight_o, weight_c;    /* between blocks of outputs, inputs */
    bool flip;
    cpu_epilogue epilogue;
    bool finishes; /* the epilogue wants a pass, or makes something of the spare lanes' zeros */
    float *v, *m, *u;
} job;

static int64_t tiles_of(const job *j, int64_t block)
{
    return cpu_min(j->p.block, j->w.tiles - block * j->p.block);
}

/* ---- V ---- */

static void transform_input(const job *j, int64_t block, int64_t channels, float *v)
{
    const cpu_winograd_sizes *w = &j->w;
    int64_t tiles = tiles_of(j, block), plane = w->in_h * w->in_w * CPU_LANES;
    cpu_winograd_gather tile = {.h = w->in_h, .w = w->in_w, .out_position = j->p.tile_position};
    for (int64_t t = 0; t < tiles; t++) {
        cpu_winograd_place at = cpu_winograd_place_of(w, block * j->p.block + t);
        tile.plane = j->in + at.item * j->in_stride + channels * plane;
        tile.row = at.row - w->top;
        tile.column = at.column - w->left;
        tile.out = v + (t / j->p.rows * w->in_blocks + channels) * j->p.tile_pitch + t % j->p.rows * CPU_LANES;
        j->kernels->input(&tile);
    }
}

/* ---- U ---- */

static void clear_inputs(const job *j, int64_t first, float *u)
{
    for (int64_t p = 0; p < j->w.positions; p++)
        memset(u + p * j->p.weight_position + first * CPU_LANES, 0,
               (size_t)((CPU_LANES - first) * CPU_LANES) * sizeof *u);
}

/* chunk blocks of inputs from first on, of one block of outputs. */
static void transform_weights(const job *j, int64_t output, int64_t first, int64_t chunk, float *u)
{
    cpu_winograd_weights block = {
        .weight_c = j->weight_c, .position = j->p.weight_position, .position_c = CPU_LANES, .flip = j->flip};
    for (int64_t c = 0; c < chunk; c++) {
        block.positions = u + c * j->p.weight_pitch;
        block.weights = (float *)j->weights + output * j->weight_o + (first + c) * CPU_LANES * j->weight_c;
        block.channels = (int32_t)cpu_min(CPU_LANES, j->w.ic - (first + c) * CPU_LANES);
        j->kernels->weights(&block);
        if (block.channels < CPU_LANES)
            clear_inputs(j, block.channels, block.positions);
    }
}

/* ---- M ---- */

/* Transformed weights of a step, a chunk of inputs; strides in floats. */
typedef struct transformed {
    const float *at;
    int64_t output, input, position; /* from one block of 16 to the next, from one position to the next */
} transformed;

static transformed own_weights(const job *j, const float *u)
{
    return (transformed){u, j->p.chunk * j->p.weight_pitch, j->p.weight_pitch, j->p.weight_position};
}

static transformed kept_weights(const job *j, int64_t output, int64_t input)
{
    int64_t block = CPU_LANES * CPU_LANES, position = j->w.in_blocks * block, all = j->w.positions * position;
    return (transformed){j->weights + output * all + input * block, all, block, position};
}

/* The kept weights of the product after this one, to be fetched: they come from far away. NULL: none. */
static const float *later_weights(const job *j, const transformed *u, int64_t at, int64_t o, int64_t outputs)
{
    if (!j->w.kept)
        return NULL;
    if (o + j->p.columns < outputs)
        return u->at + (o + j->p.columns) * u->output + at * u->position;
    return at + 1 < j->w.positions ? u->at + (at + 1) * u->position : NULL;
}

/* Adds the products of a chunk for all positions and groups; the first chunk overwrites. Every group fetches a column
   of the weights that come next. */
static void multiply(const job *j, int64_t tiles, int64_t outputs, int64_t first, int64_t chunk, const float *v,
                     const transformed *u, float *m)
{
    const plan *p = &j->p;
    cpu_batch_term terms[KEPT_CHUNK];
    cpu_batch_reduce product = {.terms = terms,
                                .count = chunk,
                                .depth = CPU_LANES,
                                .out_r = CPU_LANES,
                                .out_t = p->tile_pitch,
                                .b_t = u->output,
                                .layout = CPU_BATCH_PIXELS,
                                .low = -INFINITY,
                                .high = INFINITY};
    for (int64_t i = 0; i < chunk; i++)
        terms[i] = (cpu_batch_term){i * p->tile_pitch, i * u->input};
    for (int64_t at = 0; at < j->w.positions; at++)
        for (int64_t o = 0; o < outputs; o += p->columns) {
            product.columns = (int32_t)cpu_min(p->columns, outputs - o);
            product.b = u->at + o * u->output + at * u->position;
            const float *later = later_weights(j, u, at, o, outputs);
            for (int64_t g = 0; g * p->rows < tiles; g++) {
                int64_t offset = at * p->tile_position;
                product.rows = (int32_t)cpu_min(p->rows, tiles - g * p->rows);
                product.a = v + (g * j->w.in_blocks + first) * p->tile_pitch + offset;
                product.out = m + (g * p->step + o) * p->tile_pitch + offset;
                product.add = first > 0 ? product.out : NULL;
                product.ahead = later ? later + g % product.columns * u->output : NULL;
                cpu_table.batch_reduce(&product);
            }
        }
}

static void finish_tile(const job *j, int64_t output, const cpu_winograd_scatter *tile)
{
    int64_t spare = output == j->w.out_blocks - 1 ? j->w.out_blocks * CPU_LANES - j->w.oc : 0;
    for (int64_t i = 0; i < tile->rows; i++) {
        float *y = tile->y + i * tile->y_row;
        cpu_epilogue_apply(&j->epilogue, y, tile->columns * CPU_LANES);
        for (int64_t c = 1; c <= tile->columns && spare > 0; c++)
            memset(y + c * CPU_LANES - spare, 0, (size_t)spare * sizeof *y);
    }
}

static void transform_output(const job *j, int64_t block, int64_t output, const float *m)
{
    const cpu_winograd_sizes *w = &j->w;
    int64_t tiles = tiles_of(j, block), lanes = cpu_min(CPU_LANES, w->oc - output * CPU_LANES);
    float bias[CPU_LANES] = {0};
    cpu_winograd_scatter tile = {.in_position = j->p.tile_position,
                                 .y_row = w->out_w * CPU_LANES,
                                 .bias = j->bias ? bias : NULL,
                                 .low = j->epilogue.low,
                                 .high = j->epilogue.high};
    if (j->bias)
        memcpy(bias, j->bias + output * CPU_LANES, (size_t)lanes * sizeof *bias);
    for (int64_t t = 0; t < tiles; t++) {
        cpu_winograd_place at = cpu_winograd_place_of(w, block * j->p.block + t);
        int64_t offset = at.item * j->out_stride + ((output * w->out_h + at.row) * w->out_w + at.column) * CPU_LANES;
        tile.in = m + t / j->p.rows * j->p.step * j->p.tile_pitch + t % j->p.rows * CPU_LANES;
        tile.rows = (int32_t)cpu_min(w->m, w->out_h - at.row);
        tile.columns = (int32_t)cpu_min(w->m, w->out_w - at.column);
        tile.y = j->out + offset;
        tile.add = j->add ? j->add + offset : NULL;
        j->kernels->output(&tile);
        if (j->finishes)
            finish_tile(j, output, &tile);
    }
}

/* ---- Tasks ---- */

static void do_step(const job *j, int64_t block, int64_t step, uint32_t worker, const float *v)
{
    const plan *p = &j->p;
    int64_t first = step * p->step, outputs = cpu_min(p->step, j->w.out_blocks - first);
    float *m = j->m + worker * p->m_floats, *u = j->u + worker * p->u_floats;
    for (int64_t c = 0; c < j->w.in_blocks; c += p->chunk) {
        int64_t chunk = cpu_min(p->chunk, j->w.in_blocks - c);
        transformed weights = j->w.kept ? kept_weights(j, first, c) : own_weights(j, u);
        for (int64_t o = 0; o < outputs && !j->w.kept; o++)
            transform_weights(j, first + o, c, chunk, u + o * p->chunk * p->weight_pitch);
        multiply(j, tiles_of(j, block), outputs, c, chunk, v, &weights, m);
    }
    for (int64_t o = 0; o < outputs; o++)
        transform_output(j, block, first + o, m + o * p->tile_pitch);
}

static void block_task(const void *context, int64_t block, uint32_t worker)
{
    const job *j = context;
    float *v = j->v + worker * j->p.v_floats;
    for (int64_t c = 0; c < j->w.in_blocks; c++)
        transform_input(j, block, c, v);
    for (int64_t step = 0; step < j->p.steps; step++)
        do_step(j, block, step, worker, v);
}

static void input_task(const void *context, int64_t task, uint32_t worker)
{
    (void)worker;
    const job *j = context;
    int64_t block = task / j->w.in_blocks;
    transform_input(j, block, task % j->w.in_blocks, j->v + block * j->p.v_floats);
}

static void step_task(const void *context, int64_t task, uint32_t worker)
{
    const job *j = context;
    int64_t block = task / j->p.steps;
    do_step(j, block, task % j->p.steps, worker, j->v + block * j->p.v_floats);
}

static void run(job *j, const cpu_conv2d_data *d)
{
    int64_t work = cpu_conv2d_work(&d->s), workers = cpu_worker_count();
    j->p = plan_of(&j->w);
    j->kernels = &cpu_table.winograd[j->w.size];
    j->m = (float *)d->workspace;
    j->u = j->m + workers * j->p.m_floats;
    j->v = j->u + workers * j->p.u_floats;
    if (j->p.shared) {
        cpu_parallel(j->p.blocks * j->w.in_blocks, work, input_task, j);
        cpu_parallel(j->p.blocks * j->p.steps, work, step_task, j);
    } else {
        cpu_parallel(j->p.blocks, work, block_task, j);
    }
}

static void forward(const linnet_layer_desc *desc, const linnet_layer_args *args, int64_t m)
{
    cpu_conv2d_data d = cpu_conv2d_data_of(desc, args);
    job j = {.w = cpu_winograd_sizes_of(&d.s, m, false),
             .in = d.x,
             .weights = d.weight,
             .bias = d.bias,
             .out = d.y,
             .in_stride = d.s.x_stride,
             .out_stride = d.s.y_stride,
             .weight_o = d.s.c * KERNEL_FLOATS,
             .weight_c = KERNEL_FLOATS,
             .epilogue = cpu_epilogue_with_residual(desc, args)};
    j.w.kept = desc->parameters[LINNET_CONV2D_WEIGHT].format == CPU_FORMAT_WINOGRAD + (uint32_t)j.w.size;
    j.add = j.epilogue.residual;
    j.finishes = j.epilogue.count > 0 || j.epilogue.low > 0 || j.epilogue.high < 0;
    run(&j, &d);
}

static void input_gradient(const cpu_conv2d_data *d, int64_t m)
{
    job j = {.w = cpu_winograd_sizes_of(&d->s, m, true),
             .in = d->dy,
             .weights = d->weight,
             .out = d->dx,
             .add = d->accumulate_x ? d->dx : NULL,
             .in_stride = d->s.y_stride,
             .out_stride = d->s.x_stride,
             .weight_o = KERNEL_FLOATS,
             .weight_c = cpu_ceil(d->s.c, CPU_LANES) * KERNEL_FLOATS,
             .flip = true,
             .epilogue = {.low = -INFINITY, .high = INFINITY}};
    run(&j, d);
}

static void backward(const linnet_layer_desc *desc, const linnet_layer_args *args, int64_t m)
{
    cpu_conv2d_data d = cpu_conv2d_data_of(desc, args);
    if (d.dx)
        input_gradient(&d, m);
    if (d.dweight)
        cpu_winograd_weight_gradient(&d, m);
}

/* ---- The layer ---- */

const char *cpu_winograd_refusal(const linnet_layer_desc *desc)
{
    cpu_conv2d_sizes s = cpu_conv2d_sizes_of(desc);
    if (s.kh != 3 || s.kw != 3 || s.sh != 1 || s.sw != 1 || s.dh != 1 || s.dw != 1 || s.groups != 1)
        return "needs a 3x3 kernel, stride 1, dilation 1 and groups 1";
    /* With more there are outputs that see padding only: they are 0, exactly. */
    if (s.top > 2 || s.left > 2 || s.oh + 2 - s.h - s.top > 2 || s.ow + 2 - s.w - s.left > 2)
        return "needs padding of at most 2";
    if (s.c < CPU_LANES || s.o < CPU_LANES)
        return "needs 16 channels";
    /* The transforms mix what an element of the gradient adds up with its neighbours: few terms drown in their
       roundings. */
    if (desc->want_parameters && s.n * s.oh * s.ow < LEAST_TERMS)
        return "needs more outputs for the gradient of the weight";
    return NULL;
}

int64_t cpu_winograd_blocks(const cpu_winograd_sizes *w)
{
    return plan_of(w).blocks;
}

bool cpu_winograd_keeps_weights(const cpu_winograd_sizes *w)
{
    int64_t bytes = w->positions * w->in_blocks * w->out_blocks * CPU_LANES * CPU_LANES * (int64_t)sizeof(float);
    return w->tiles <= KEPT_TILES && bytes <= KEPT_BYTES;
}

/* Which weights the direction reads. */
static uint32_t weight_format(const linnet_layer_desc *desc, const cpu_winograd_sizes *w)
{
    if (desc->direction != LINNET_FORWARD)
        return desc->want_inputs & 1 ? CPU_FORMAT_NCHW16C : LINNET_FORMAT_NCHW;
    return w->kept ? CPU_FORMAT_WINOGRAD + (uint32_t)w->size : CPU_FORMAT_NCHW16N;
}

static uint32_t direction_of(const linnet_layer_desc *desc)
{
    if (desc->direction != LINNET_FORWARD)
        return desc->want_inputs & 1 ? CPU_CONV2D_INPUT : CPU_CONV2D_WEIGHT;
    return desc->differentiate || desc->behaviour == LINNET_TRAIN ? CPU_CONV2D_FORWARD : CPU_CONV2D_INFERENCE;
}

static int describe(const linnet_layer_desc *desc, linnet_candidate *out, int64_t m)
{
    cpu_conv2d_describe(desc, out, CPU_FORMAT_NCHW16C);
    out->numerics = LINNET_NUMERICS_WINOGRAD;
    if (!out->refusal)
        out->refusal = cpu_winograd_refusal(desc);
    if (!out->refusal && desc->want_parameters && !(desc->want_parameters & 1u << LINNET_CONV2D_WEIGHT))
        out->refusal = "computes no gradient of the bias alone";
    if (out->refusal)
        return CPU_AVOID;
    cpu_conv2d_sizes s = cpu_conv2d_sizes_of(desc);
    uint32_t direction = direction_of(desc);
    cpu_winograd_sizes w = cpu_winograd_sizes_of(&s, m, direction == CPU_CONV2D_INPUT);
    w.kept = direction == CPU_CONV2D_INFERENCE && cpu_winograd_keeps_weights(&w);
    out->parameter_formats[LINNET_CONV2D_WEIGHT] = weight_format(desc, &w);
    if (direction != CPU_CONV2D_WEIGHT)
        out->workspace_bytes = workspace_bytes(&w);
    if (desc->direction != LINNET_FORWARD && desc->want_parameters &&
        cpu_winograd_weight_workspace(&s, m) > out->workspace_bytes)
        out->workspace_bytes = cpu_winograd_weight_workspace(&s, m);
    return cpu_conv2d_winograd_choice(&s, direction) == m ? cpu_conv2d_preference(desc, "winograd") : CPU_AVOID;
}

/* clang-format off */
#define SIZE(m) \
    int cpu_conv2d_describe_winograd_f##m(const linnet_layer_desc *desc, linnet_candidate *out) { return describe(desc, out, m); } \
    void cpu_conv2d_forward_winograd_f##m(const linnet_layer_desc *desc, const linnet_layer_args *args) { forward(desc, args, m); } \
    void cpu_conv2d_backward_winograd_f##m(const linnet_layer_desc *desc, const linnet_layer_args *args) { backward(desc, args, m); }
SIZE(2)
SIZE(4)
SIZE(6)
/* clang-format on */
