/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gram is x x^T for x [C][pixels]: of a symmetric product only the tiles on and above the diagonal are computed. Few
 * channels and many pixels leave little to share out but the sum itself, so it is split into parts of equal length,
 * which depend on the shape alone, and added up in order.
 */
#include "gemm.h"
#include "gram.h"
#include "kernels/kernels.h"

#include <math.h>

enum { DEPTH = 256, COLUMNS = 64, WANTED_TASKS = 32, LEAST_PIXELS = 1024, SQUARE = 16 };

typedef struct job {
    int64_t n, channels, pixels, x_stride, y_stride;
    int64_t column_blocks, splits, split_pixels;
    float scale;
    const float *x, *dy;
    float *y;
    float *partials; /* [n][splits][channels][channels], above the diagonal */
    float *panels;   /* of each worker */
    float *sums;     /* backward: scale (dy + dy^T) of one item */
} job;

static job job_of(const linnet_layer_desc *desc)
{
    const linnet_tensor_desc *x = &desc->inputs[LINNET_GRAM_X];
    job j = {.n = x->dims[0],
             .channels = x->dims[1],
             .pixels = x->dims[2] * x->dims[3],
             .x_stride = cpu_extent_of(x).stride,
             .y_stride = cpu_extent_of(&desc->outputs[LINNET_GRAM_Y]).stride,
             .scale = ((const linnet_gram_attributes *)desc->attributes)->scale};
    j.column_blocks = cpu_ceil(j.channels, COLUMNS);
    int64_t splits = cpu_min(cpu_ceil(WANTED_TASKS, j.n * j.column_blocks), cpu_ceil(j.pixels, LEAST_PIXELS));
    j.split_pixels = cpu_ceil(cpu_ceil(j.pixels, splits), DEPTH) * DEPTH;
    j.splits = cpu_ceil(j.pixels, j.split_pixels);
    return j;
}

static int64_t panel_floats(void)
{
    return cpu_gemm_padded_columns(COLUMNS) * DEPTH;
}

static int describe(const linnet_layer_desc *desc, linnet_candidate *out)
{
    job j = job_of(desc);
    uint64_t square = (uint64_t)(j.channels * j.channels) * sizeof(float);
    cpu_want(desc, out, LINNET_FORMAT_NCHW);
    if (desc->direction == LINNET_BACKWARD) {
        out->reads_inputs = 1u << LINNET_GRAM_X;
        out->workspace_bytes = square + cpu_gemm_workspace(j.pixels, j.channels);
    } else {
        out->workspace_bytes =
            square * (uint64_t)(j.n * j.splits) + (uint64_t)panel_floats() * cpu_worker_count() * sizeof(float);
    }
    return 0;
}

/* ---- Forward ---- */

/* One block of columns, from the first row to the diagonal. */
static void add_columns(const job *j, const float *x, int64_t first, int64_t depth, const float *panels, float *out,
                        bool accumulate)
{
    int64_t end = cpu_min(j->channels, first + COLUMNS);
    cpu_gemm_packed part = {.rows = end,
                            .columns = end - first,
                            .depth = depth,
                            .a = x,
                            .a_m = j->pixels,
                            .a_k = 1,
                            .packed = panels,
                            .c = out + first,
                            .c_m = j->channels,
                            .accumulate = accumulate,
                            .low = -INFINITY,
                            .high = INFINITY};
    cpu_gemm_packed_run(&part);
}

static void product_task(const void *context, int64_t task, uint32_t worker)
{
    const job *j = context;
    int64_t split = task % j->splits, block = task / j->splits % j->column_blocks;
    int64_t n = task / (j->splits * j->column_blocks), first = block * COLUMNS;
    int64_t begin = split * j->split_pixels, end = cpu_min(j->pixels, begin + j->split_pixels);
    float *panels = j->panels + worker * panel_floats();
    float *out = j->partials + (n * j->splits + split) * j->channels * j->channels;
    for (int64_t p = begin; p < end; p += DEPTH) {
        const float *x = j->x + n * j->x_stride + p;
        int64_t depth = cpu_min(DEPTH, end - p);
        cpu_gemm_pack(x + first * j->pixels, 1, j->pixels, depth, cpu_min(COLUMNS, j->channels - first), panels);
        add_columns(j, x, first, depth, panels, out, p > begin);
    }
}

/* Rows of y from the diagonal on: scale times the sum of the parts. */
static void row_task(const void *context, int64_t task, uint32_t worker)
{
    (void)worker;
    const job *j = context;
    int64_t n = task / j->channels, row = task % j->channels, square = j->channels * j->channels;
    const float *part = j->partials + n * j->splits * square + row * j->channels + row;
    float *out = j->y + n * j->y_stride + row * j->channels + row;
    int64_t count = j->channels - row;
    if (j->splits == 1) {
        cpu_table.scale(j->scale, part, out, count, false);
        return;
    }
    for (int64_t split = 0; split < j->splits; split++)
        cpu_table.scale(1, part + split * square, out, count, split > 0);
    cpu_table.scale(j->scale, out, out, count, false);
}

/* Copies what is above the diagonal below it, a square at a time; a task is the squares of SQUARE rows. */
static void mirror_task(const void *context, int64_t task, uint32_t worker)
{
    (void)worker;
    const job *j = context;
    int64_t per_item = cpu_ceil(j->channels, SQUARE), n = task / per_item, first = task % per_item * SQUARE;
    int64_t last = cpu_min(j->channels, first + SQUARE);
    float *y = j->y + n * j->y_stride;
    for (int64_t column = 0; column < last; column += SQUARE)
        for (int64_t i = first; i < last; i++)
            for (int64_t k = column; k < cpu_min(i, column + SQUARE); k++)
                y[i * j->channels + k] = y[k * j->channels + i];
}

static void forward(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    job j = job_of(desc);
    int64_t square = j.channels * j.channels, tasks = j.n * j.column_blocks * j.splits;
    j.x = cpu_view(args->inputs[LINNET_GRAM_X]);
    j.y = cpu_view(args->outputs[LINNET_GRAM_Y]);
    j.partials = cpu_view(args->workspace);
    j.panels = j.partials + j.n * j.splits * square;
    cpu_parallel(tasks, j.n * square * j.pixels / (2 * CPU_LANES), product_task, &j);
    cpu_parallel(j.n * j.channels, j.n * j.splits * square / 2, row_task, &j);
    cpu_parallel(j.n * cpu_ceil(j.channels, SQUARE), j.n * square / 2, mirror_task, &j);
}

/* ---- Backward: dx = scale (dy + dy^T) x ---- */

static void symmetric_task(const void *context, int64_t task, uint32_t worker)
{
    (void)worker;
    const job *j = context;
    int64_t first = task * SQUARE, last = cpu_min(j->channels, first + SQUARE);
    for (int64_t column = 0; column < j->channels; column += SQUARE)
        for (int64_t i = first; i < last; i++)
            for (int64_t k = column; k < cpu_min(j->channels, column + SQUARE); k++)
                j->sums[i * j->channels + k] = j->scale * (j->dy[i * j->channels + k] + j->dy[k * j->channels + i]);
}

static void backward(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    job j = job_of(desc);
    const float *x = cpu_view(args->inputs[LINNET_GRAM_X]), *dy = cpu_view(args->output_gradients[LINNET_GRAM_Y]);
    float *dx = cpu_view(args->input_gradients[LINNET_GRAM_X]);
    int64_t square = j.channels * j.channels;
    j.sums = cpu_view(args->workspace);
    for (int64_t n = 0; n < j.n; n++) {
        j.dy = dy + n * j.y_stride;
        cpu_parallel(cpu_ceil(j.channels, SQUARE), square, symmetric_task, &j);
        cpu_gemm product = {.m = j.channels,
                            .n = j.pixels,
                            .k = j.channels,
                            .a = j.sums,
                            .a_m = j.channels,
                            .a_k = 1,
                            .b = x + n * j.x_stride,
                            .b_k = j.pixels,
                            .b_n = 1,
                            .c = dx + n * j.x_stride,
                            .c_m = j.pixels,
                            .accumulate = args->accumulate_inputs & 1,
                            .epilogue = {.low = -INFINITY, .high = INFINITY},
                            .workspace = j.sums + square};
        cpu_gemm_run(&product);
    }
}

static const cpu_algorithm algorithms[] = {
    {"gemm", LINNET_FORWARD, false, describe, forward},
    {"nchw16c", LINNET_FORWARD, false, cpu_gram_describe_nchw16c, cpu_gram_forward_nchw16c},
    {"gemm", LINNET_BACKWARD, false, describe, backward},
    {"nchw16c", LINNET_BACKWARD, false, cpu_gram_describe_nchw16c, cpu_gram_backward_nchw16c},
};
CPU_LAYER(gram, algorithms);
