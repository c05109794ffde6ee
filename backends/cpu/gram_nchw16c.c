/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gram of x in nchw16c: a lane is a channel, so that x x^T is a sum over pixels of products of 16 channels by 16, which
 * the batch-reduce kernel takes as they lie. Only blocks on and above the diagonal are computed. A task owns two groups
 * of rows, one from the top and one from the bottom, which together have as much to do as any other two, and a share of
 * the pixels (the shape alone says how many); the shares are added up in order.
 *
 *      group 0   | d x x x x x x x |     d: on the diagonal
 *      group 1   |     d x x x x x |
 *      group 2   |         d x x x |     task 0 has groups 0 and 3, task 1 groups 1 and 2
 *      group 3   |             d x |
 */
#include "gram.h"

#include "kernels/kernels.h"

#include <math.h>

enum {
    DEPTH = 128,         /* pixels at once: what tiles read of them stays in the nearest cache */
    GROUP = 4,           /* blocks of rows that share what is read of the columns */
    FORWARD_COLUMNS = 3, /* blocks of columns of a tile */
    WANTED_TASKS = 8,
    LEAST_PIXELS = 256,
    SQUARE = CPU_LANES * CPU_LANES,
    BACKWARD_COLUMNS = 2,
    BACKWARD_BLOCKS = 8,   /* blocks of channels of a task */
    BACKWARD_PIXELS = 112, /* its pixels */
    TERMS = 64
};

typedef struct job {
    cpu_channel_extent extent;
    int64_t n, channels, padded, y_stride;
    int64_t groups, pairs, splits, split_pixels;
    float scale;
    const float *x, *dy;
    float *y, *dx;
    float *partials; /* [n][splits][padded][padded], blocks above the diagonal */
    float *sums;     /* backward: scale (dy + dy^T) of one item, [block][block][16][16] */
    bool accumulate;
} job;

static job job_of(const linnet_layer_desc *desc)
{
    const linnet_tensor_desc *x = &desc->inputs[LINNET_GRAM_X];
    job j = {.extent = cpu_channel_extent_of(x),
             .n = x->dims[0],
             .channels = x->dims[1],
             .y_stride = cpu_extent_of(&desc->outputs[LINNET_GRAM_Y]).stride,
             .scale = ((const linnet_gram_attributes *)desc->attributes)->scale};
    j.padded = j.extent.blocks * CPU_LANES;
    j.groups = cpu_ceil(j.extent.blocks, GROUP);
    j.pairs = cpu_ceil(j.groups, 2);
    int64_t splits = cpu_min(cpu_ceil(WANTED_TASKS, j.n * j.pairs), cpu_ceil(j.extent.plane, LEAST_PIXELS));
    j.split_pixels = cpu_ceil(cpu_ceil(j.extent.plane, splits), DEPTH) * DEPTH;
    j.splits = cpu_ceil(j.extent.plane, j.split_pixels);
    return j;
}

int cpu_gram_describe_nchw16c(const linnet_layer_desc *desc, linnet_candidate *out)
{
    job j = job_of(desc);
    uint64_t square = (uint64_t)(j.padded * j.padded) * sizeof(float);
    cpu_want(desc, out, LINNET_FORMAT_NCHW);
    out->input_formats[LINNET_GRAM_X] = CPU_FORMAT_NCHW16C;
    out->workspace_bytes = desc->direction == LINNET_FORWARD ? square * (uint64_t)(j.n * j.splits) : square;
    if (desc->direction == LINNET_BACKWARD)
        out->reads_inputs = 1u << LINNET_GRAM_X;
    if (desc->inputs[LINNET_GRAM_X].outer_stride)
        out->refusal = "needs dense tensors";
    return cpu_is_nchw16c(&desc->inputs[LINNET_GRAM_X]) ? CPU_PREFER : CPU_AVOID;
}

/* ---- Forward ---- */

/* Adds the products of depth pixels from `pixel` on to blocks [row][column..column + columns) of out. */
static void add_tile(const job *j, const float *x, int64_t row, int64_t column, int64_t columns, int64_t depth,
                     float *out, bool is_first)
{
    static const cpu_batch_term origin = {0, 0};
    int64_t plane = j->extent.plane * CPU_LANES;
    int32_t most = cpu_table.batch_rows[columns - 1];
    int32_t rows = (int32_t)cpu_ceil(CPU_LANES, cpu_ceil(CPU_LANES, most)); /* equal parts of a block */
    cpu_batch_reduce product = {.b = x + column * plane,
                                .terms = &origin,
                                .count = 1,
                                .depth = depth,
                                .out_r = j->padded,
                                .out_t = CPU_LANES,
                                .b_t = plane,
                                .columns = (int32_t)columns,
                                .layout = CPU_BATCH_CHANNELS,
                                .low = -INFINITY,
                                .high = INFINITY};
    for (int32_t lane = 0; lane < CPU_LANES; lane += rows) {
        product.a = x + row * plane + lane;
        product.out = out + (row * CPU_LANES + lane) * j->padded + column * CPU_LANES;
        product.add = is_first ? NULL : product.out;
        product.rows = (int32_t)cpu_min(rows, CPU_LANES - lane);
        cpu_table.batch_reduce(&product);
    }
}

/* The group's blocks, from the diagonal on. */
static void add_group(const job *j, const float *x, int64_t group, int64_t depth, float *out, bool is_first)
{
    int64_t first = group * GROUP, last = cpu_min(j->extent.blocks, first + GROUP);
    int64_t most = cpu_min(FORWARD_COLUMNS, cpu_table.batch_columns);
    for (int64_t column = first; column < j->extent.blocks; column += most) {
        int64_t columns = cpu_min(most, j->extent.blocks - column);
        for (int64_t row = first; row < cpu_min(last, column + columns); row++)
            add_tile(j, x, row, column, columns, depth, out, is_first);
    }
}

static void product_task(const void *context, int64_t task, uint32_t worker)
{
    (void)worker;
    const job *j = context;
    int64_t split = task % j->splits, pair = task / j->splits % j->pairs, n = task / (j->splits * j->pairs);
    int64_t begin = split * j->split_pixels, end = cpu_min(j->extent.plane, begin + j->split_pixels);
    float *out = j->partials + (n * j->splits + split) * j->padded * j->padded;
    for (int64_t p = begin; p < end; p += DEPTH) {
        const float *x = j->x + n * j->extent.stride + p * CPU_LANES;
        int64_t depth = cpu_min(DEPTH, end - p), other = j->groups - 1 - pair;
        add_group(j, x, pair, depth, out, p == begin);
        if (other != pair)
            add_group(j, x, other, depth, out, p == begin);
    }
}

/* Blocks of rows of y from the diagonal on, scaled sums of the shares, and their mirror images. */
static void block_task(const void *context, int64_t task, uint32_t worker)
{
    (void)worker;
    const job *j = context;
    int64_t n = task / j->extent.blocks, first = task % j->extent.blocks * CPU_LANES, square = j->padded * j->padded;
    int64_t last = cpu_min(j->channels, first + CPU_LANES);
    const float *part = j->partials + n * j->splits * square;
    float *y = j->y + n * j->y_stride;
    for (int64_t row = first; row < last; row++) {
        float *out = y + row * j->channels + row;
        for (int64_t split = 0; split < j->splits; split++)
            cpu_table.scale(1, part + split * square + row * j->padded + row, out, j->channels - row, split > 0);
        cpu_table.scale(j->scale, out, out, j->channels - row, false);
    }
    for (int64_t column = first; column < j->channels; column++)
        for (int64_t row = first; row < cpu_min(last, column); row++)
            y[column * j->channels + row] = y[row * j->channels + column];
}

void cpu_gram_forward_nchw16c(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    job j = job_of(desc);
    int64_t square = j.padded * j.padded;
    j.x = cpu_view(args->inputs[LINNET_GRAM_X]);
    j.y = cpu_view(args->outputs[LINNET_GRAM_Y]);
    j.partials = cpu_view(args->workspace);
    cpu_parallel(j.n * j.pairs * j.splits, j.n * square * j.extent.plane / (2 * CPU_LANES), product_task, &j);
    cpu_parallel(j.n * j.extent.blocks, j.n * j.splits * square, block_task, &j);
}

/* ---- Backward: dx = scale (dy + dy^T) x ---- */

static void symmetric_task(const void *context, int64_t block, uint32_t worker)
{
    (void)worker;
    const job *j = context;
    int64_t first = block * CPU_LANES;
    float *out = j->sums + block * j->extent.blocks * SQUARE;
    for (int64_t other = 0; other < j->extent.blocks; other++)
        for (int64_t i = 0; i < CPU_LANES; i++)
            for (int64_t k = 0; k < CPU_LANES; k++, out++) {
                int64_t a = first + i, b = other * CPU_LANES + k, c = j->channels;
                *out = a < c && b < c ? j->scale * (j->dy[a * c + b] + j->dy[b * c + a]) : 0;
            }
}

/* Channels [block, block + columns) of `rows` pixels. */
static void gradient_tile(const job *j, int64_t pixel, int64_t rows, int64_t block, int64_t columns)
{
    cpu_batch_term terms[TERMS];
    int64_t blocks = j->extent.blocks, plane = j->extent.plane * CPU_LANES;
    cpu_batch_reduce product = {.out = j->dx + block * plane + pixel * CPU_LANES,
                                .a = j->x + pixel * CPU_LANES,
                                .b = j->sums + block * SQUARE,
                                .terms = terms,
                                .depth = CPU_LANES,
                                .out_r = CPU_LANES,
                                .out_t = plane,
                                .b_t = SQUARE,
                                .rows = (int32_t)rows,
                                .columns = (int32_t)columns,
                                .layout = CPU_BATCH_PIXELS,
                                .low = -INFINITY,
                                .high = INFINITY};
    for (int64_t first = 0; first < blocks; first += TERMS) {
        product.count = cpu_min(TERMS, blocks - first);
        for (int64_t i = 0; i < product.count; i++)
            terms[i] = (cpu_batch_term){(first + i) * plane, (first + i) * blocks * SQUARE};
        product.add = first > 0 || j->accumulate ? product.out : NULL;
        cpu_table.batch_reduce(&product);
    }
}

static void gradient_task(const void *context, int64_t task, uint32_t worker)
{
    (void)worker;
    const job *j = context;
    int64_t parts = cpu_ceil(j->extent.blocks, BACKWARD_BLOCKS), first = task % parts * BACKWARD_BLOCKS;
    int64_t last = cpu_min(j->extent.blocks, first + BACKWARD_BLOCKS);
    int64_t begin = task / parts * BACKWARD_PIXELS, end = cpu_min(j->extent.plane, begin + BACKWARD_PIXELS);
    int64_t most = cpu_min(BACKWARD_COLUMNS, cpu_table.batch_columns);
    for (int64_t block = first; block < last; block += most) {
        int64_t columns = cpu_min(most, last - block), rows = cpu_table.batch_rows[columns - 1];
        for (int64_t pixel = begin; pixel < end; pixel += rows)
            gradient_tile(j, pixel, cpu_min(rows, end - pixel), block, columns);
    }
}

void cpu_gram_backward_nchw16c(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    job j = job_of(desc);
    const float *x = cpu_view(args->inputs[LINNET_GRAM_X]), *dy = cpu_view(args->output_gradients[LINNET_GRAM_Y]);
    float *dx = cpu_view(args->input_gradients[LINNET_GRAM_X]);
    int64_t square = j.padded * j.padded;
    int64_t tasks = cpu_ceil(j.extent.plane, BACKWARD_PIXELS) * cpu_ceil(j.extent.blocks, BACKWARD_BLOCKS);
    j.sums = cpu_view(args->workspace);
    j.accumulate = args->accumulate_inputs & 1;
    for (int64_t n = 0; n < j.n; n++) {
        j.dy = dy + n * j.y_stride;
        j.x = x + n * j.extent.stride;
        j.dx = dx + n * j.extent.stride;
        cpu_parallel(j.extent.blocks, square, symmetric_task, &j);
        cpu_parallel(tasks, square * j.extent.plane / CPU_LANES, gradient_task, &j);
    }
}
