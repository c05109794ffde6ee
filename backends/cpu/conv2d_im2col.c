/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Convolution in NCHW as a matrix product: the input is lowered to [c * kh * kw][oh * ow] (im2col; Chellapilla, Puri
 * and Simard 2006), a block of COLUMNS pixels at a time and straight into the panels that the product reads, so that
 * the whole matrix never exists. In what follows k is (c, u, v) and p is an output pixel.
 */
#include "conv2d.h"
#include "gemm.h"
#include "kernels/kernels.h"

#include <math.h>
#include <string.h>

enum { DEPTH = 256, COLUMNS = 256, WANTED_TASKS = 8, LOWERED_ROWS = 512, WEIGHT_COLUMNS = 64 };

/* Row k of the lowered matrix, pixels [p0, p0 + count). x: the group's first plane. */
static void lower_row(const cpu_conv2d_sizes *s, const float *x, int64_t k, int64_t p0, int64_t count, float *out)
{
    int64_t v = k % s->kw, u = k / s->kw % s->kh, c = k / (s->kw * s->kh), first, last;
    cpu_conv2d_range(s->sw, s->left, v * s->dw, s->w, s->ow, &first, &last);
    while (count > 0) {
        int64_t i = p0 / s->ow, j = p0 % s->ow, run = cpu_min(s->ow - j, count), row = i * s->sh - s->top + u * s->dh;
        int64_t from = cpu_min(cpu_max(first - j, 0), run), to = cpu_max(from, cpu_min(last - j, run));
        if (row < 0 || row >= s->h)
            from = to = run;
        const float *in = x + (c * s->h + row) * s->w + (j + from) * s->sw - s->left + v * s->dw;
        for (int64_t t = 0; t < from; t++)
            out[t] = 0;
        if (s->sw == 1 && to > from)
            memcpy(out + from, in, (size_t)(to - from) * sizeof *out);
        for (int64_t t = from; t < to && s->sw != 1; t++)
            out[t] = in[(t - from) * s->sw];
        for (int64_t t = to; t < run; t++)
            out[t] = 0;
        out += run;
        p0 += run;
        count -= run;
    }
}

/* The reverse: adds a row of gradients to the pixels that it came from. */
static void raise_row(const cpu_conv2d_sizes *s, const float *in, int64_t k, int64_t p0, int64_t count, float *dx)
{
    int64_t v = k % s->kw, u = k / s->kw % s->kh, c = k / (s->kw * s->kh), first, last;
    cpu_conv2d_range(s->sw, s->left, v * s->dw, s->w, s->ow, &first, &last);
    while (count > 0) {
        int64_t i = p0 / s->ow, j = p0 % s->ow, run = cpu_min(s->ow - j, count), row = i * s->sh - s->top + u * s->dh;
        int64_t from = cpu_min(cpu_max(first - j, 0), run), to = cpu_max(from, cpu_min(last - j, run));
        if (row >= 0 && row < s->h && from < to) {
            float *out = dx + (c * s->h + row) * s->w + (j + from) * s->sw - s->left + v * s->dw;
            if (s->sw == 1)
                cpu_table.scale(1, in + from, out, to - from, true);
            for (int64_t t = from; t < to && s->sw != 1; t++)
                out[(t - from) * s->sw] += in[t];
        }
        in += run;
        p0 += run;
        count -= run;
    }
}

typedef struct job {
    const cpu_conv2d_data *d;
    int64_t k, pixels; /* rows and columns of the lowered matrix */
    int64_t column_blocks, channel_tasks, channels_per_task;
    int64_t k_blocks, splits, split_images; /* of the weight's gradient */
    int64_t slice;                          /* floats of a thread's scratch */
    float *slices, *partials;
} job;

/* Workspace of the directions, floats of one thread. */
static int64_t forward_slice(const cpu_conv2d_sizes *s)
{
    int64_t k = s->group_c * s->kh * s->kw, columns = cpu_min(s->oh * s->ow, COLUMNS);
    return cpu_gemm_padded_columns(columns) * cpu_min(k, DEPTH) + COLUMNS;
}

static int64_t channels_at_once(const cpu_conv2d_sizes *s)
{
    return cpu_min(s->group_c, cpu_max(1, LOWERED_ROWS / (s->kh * s->kw)));
}

static int64_t backward_slice(const cpu_conv2d_sizes *s)
{
    int64_t columns = cpu_gemm_padded_columns(cpu_min(s->oh * s->ow, COLUMNS));
    return columns * s->group_o + channels_at_once(s) * s->kh * s->kw * columns;
}

static int64_t weight_slice(void)
{
    return (WEIGHT_COLUMNS + CPU_LANES) * DEPTH;
}

static job job_of(const cpu_conv2d_sizes *s)
{
    job j = {.k = s->group_c * s->kh * s->kw, .pixels = s->oh * s->ow};
    j.column_blocks = cpu_ceil(j.pixels, COLUMNS);
    j.channel_tasks = cpu_min(s->group_c, cpu_ceil(WANTED_TASKS, s->n * s->groups));
    j.channels_per_task = cpu_ceil(s->group_c, j.channel_tasks);
    j.channel_tasks = cpu_ceil(s->group_c, j.channels_per_task);
    j.k_blocks = cpu_ceil(j.k, WEIGHT_COLUMNS);
    j.split_images = cpu_ceil(s->n, cpu_min(s->n, cpu_ceil(WANTED_TASKS, s->groups * j.k_blocks)));
    j.splits = cpu_ceil(s->n, j.split_images);
    return j;
}

/* ---- Forward: y[o][p] = sum over k of weight[o][k] lowered[k][p] ---- */

static void lower_panels(const cpu_conv2d_sizes *s, const float *x, int64_t k0, int64_t depth, int64_t p0,
                         int64_t columns, float *out)
{
    float row[COLUMNS];
    for (int64_t k = 0; k < depth; k++) {
        lower_row(s, x, k0 + k, p0, columns, row);
        cpu_gemm_pack_row(row, depth, columns, out + k * CPU_GEMM_PANEL);
    }
}

static void forward_task(const void *context, int64_t task, uint32_t worker)
{
    const job *j = context;
    const cpu_conv2d_data *d = j->d;
    const cpu_conv2d_sizes *s = &d->s;
    int64_t p0 = task % j->column_blocks * COLUMNS, group = task / j->column_blocks % s->groups;
    int64_t n = task / (j->column_blocks * s->groups), columns = cpu_min(COLUMNS, j->pixels - p0);
    const float *x = d->x + n * s->x_stride + group * s->group_c * s->h * s->w;
    float *panels = j->slices + worker * j->slice, *y = d->y + n * s->y_stride + group * s->group_o * j->pixels + p0;
    for (int64_t k0 = 0; k0 < j->k; k0 += DEPTH) {
        bool is_first = k0 == 0, is_last = k0 + DEPTH >= j->k;
        cpu_gemm_packed part = {.rows = s->group_o,
                                .columns = columns,
                                .depth = cpu_min(DEPTH, j->k - k0),
                                .a = d->weight + group * s->group_o * j->k + k0,
                                .a_m = j->k,
                                .a_k = 1,
                                .packed = panels,
                                .c = y,
                                .c_m = j->pixels,
                                .bias_m = is_first && d->bias ? d->bias + group * s->group_o : NULL,
                                .accumulate = !is_first,
                                .low = is_last ? d->epilogue.low : -INFINITY,
                                .high = is_last ? d->epilogue.high : INFINITY};
        lower_panels(s, x, k0, part.depth, p0, columns, panels);
        cpu_gemm_packed_run(&part);
    }
    for (int64_t o = 0; o < s->group_o && d->epilogue.count > 0; o++)
        cpu_epilogue_apply(&d->epilogue, y + o * j->pixels, columns);
}

void cpu_conv2d_forward_im2col(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    cpu_conv2d_data d = cpu_conv2d_data_of(desc, args);
    job j = job_of(&d.s);
    j.d = &d;
    j.slice = forward_slice(&d.s);
    j.slices = (float *)d.workspace;
    cpu_parallel(d.s.n * d.s.groups * j.column_blocks, cpu_conv2d_work(&d.s), forward_task, &j);
}

/* ---- Backward, input: lowered gradient[k][p] = sum over o of weight[o][k] dy[o][p], added up where it came from. A
   task owns the planes of some channels of one image. ---- */

static void pack_gradient(const job *j, const float *dy, int64_t p0, int64_t columns, float *out)
{
    int64_t depth = j->d->s.group_o;
    for (int64_t o = 0; o < depth; o++)
        cpu_gemm_pack_row(dy + o * j->pixels + p0, depth, columns, out + o * CPU_GEMM_PANEL);
}

static void backward_task(const void *context, int64_t task, uint32_t worker)
{
    const job *j = context;
    const cpu_conv2d_data *d = j->d;
    const cpu_conv2d_sizes *s = &d->s;
    int64_t part_of = task % j->channel_tasks, group = task / j->channel_tasks % s->groups,
            n = task / (j->channel_tasks * s->groups);
    int64_t begin = part_of * j->channels_per_task, end = cpu_min(s->group_c, begin + j->channels_per_task);
    int64_t plane = s->h * s->w, area = s->kh * s->kw, step = channels_at_once(s);
    const float *dy = d->dy + n * s->y_stride + group * s->group_o * j->pixels;
    const float *weight = d->weight + group * s->group_o * j->k;
    float *dx = d->dx + n * s->x_stride + group * s->group_c * plane;
    float *panels = j->slices + worker * j->slice;
    if (!d->accumulate_x)
        memset(dx + begin * plane, 0, (size_t)((end - begin) * plane) * sizeof *dx);
    for (int64_t p0 = 0; p0 < j->pixels; p0 += COLUMNS) {
        int64_t columns = cpu_min(COLUMNS, j->pixels - p0);
        float *lowered = panels + cpu_gemm_padded_columns(columns) * s->group_o;
        pack_gradient(j, dy, p0, columns, panels);
        for (int64_t c = begin; c < end; c += step) {
            int64_t rows = cpu_min(step, end - c) * area;
            cpu_gemm_packed part = {.rows = rows,
                                    .columns = columns,
                                    .depth = s->group_o,
                                    .a = weight + c * area,
                                    .a_m = 1,
                                    .a_k = j->k,
                                    .packed = panels,
                                    .c = lowered,
                                    .c_m = columns,
                                    .low = -INFINITY,
                                    .high = INFINITY};
            cpu_gemm_packed_run(&part);
            for (int64_t k = 0; k < rows; k++)
                raise_row(s, lowered + k * columns, c * area + k, p0, columns, dx);
        }
    }
}

/* ---- Backward, weight: dweight[o][k] (+)= sum over images and p of dy[o][p] lowered[k][p] ---- */

/* Panels [p][16] of the lowered matrix's transpose. */
static void lower_transposed(const cpu_conv2d_sizes *s, const float *x, int64_t k0, int64_t rows, int64_t p0,
                             int64_t depth, float *lines, float *out)
{
    for (int64_t first = 0; first < rows; first += CPU_GEMM_PANEL) {
        int64_t count = cpu_min(CPU_GEMM_PANEL, rows - first);
        for (int64_t i = 0; i < count; i++)
            lower_row(s, x, k0 + first + i, p0, depth, lines + i * depth);
        cpu_gemm_pack(lines, 1, depth, depth, count, out + first * depth);
    }
}

static void weight_task(const void *context, int64_t task, uint32_t worker)
{
    const job *j = context;
    const cpu_conv2d_data *d = j->d;
    const cpu_conv2d_sizes *s = &d->s;
    int64_t block = task % j->k_blocks, group = task / j->k_blocks % s->groups,
            split = task / (j->k_blocks * s->groups);
    int64_t k0 = block * WEIGHT_COLUMNS, columns = cpu_min(WEIGHT_COLUMNS, j->k - k0);
    int64_t begin = split * j->split_images, end = cpu_min(s->n, begin + j->split_images);
    float *panel = j->slices + worker * j->slice, *lines = panel + WEIGHT_COLUMNS * DEPTH;
    float *target = (j->splits > 1 ? j->partials + split * s->o * j->k : d->dweight) + group * s->group_o * j->k + k0;
    bool accumulate = j->splits == 1 && d->accumulate_weight;
    for (int64_t n = begin; n < end; n++)
        for (int64_t p0 = 0; p0 < j->pixels; p0 += DEPTH) {
            cpu_gemm_packed part = {.rows = s->group_o,
                                    .columns = columns,
                                    .depth = cpu_min(DEPTH, j->pixels - p0),
                                    .a = d->dy + n * s->y_stride + group * s->group_o * j->pixels + p0,
                                    .a_m = j->pixels,
                                    .a_k = 1,
                                    .packed = panel,
                                    .c = target,
                                    .c_m = j->k,
                                    .accumulate = accumulate,
                                    .low = -INFINITY,
                                    .high = INFINITY};
            lower_transposed(s, d->x + n * s->x_stride + group * s->group_c * s->h * s->w, k0, columns, p0, part.depth,
                             lines, panel);
            cpu_gemm_packed_run(&part);
            accumulate = true;
        }
}

static void weight_gradient(job *j)
{
    const cpu_conv2d_data *d = j->d;
    int64_t count = d->s.o * j->k;
    j->slice = weight_slice();
    j->partials = j->slices + j->slice * cpu_worker_count();
    cpu_parallel(j->splits * d->s.groups * j->k_blocks, cpu_conv2d_work(&d->s), weight_task, j);
    for (int64_t split = 0; split < j->splits && j->splits > 1; split++)
        cpu_table.scale(1, j->partials + split * count, d->dweight, count, d->accumulate_weight || split > 0);
}

void cpu_conv2d_backward_im2col(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    cpu_conv2d_data d = cpu_conv2d_data_of(desc, args);
    job j = job_of(&d.s);
    j.d = &d;
    j.slices = (float *)d.workspace;
    if (d.dx) {
        j.slice = backward_slice(&d.s);
        cpu_parallel(d.s.n * d.s.groups * j.channel_tasks, cpu_conv2d_work(&d.s), backward_task, &j);
    }
    if (d.dweight)
        weight_gradient(&j);
    if (d.dbias)
        cpu_conv2d_bias_gradient(&d);
}

int cpu_conv2d_describe_im2col(const linnet_layer_desc *desc, linnet_candidate *out)
{
    cpu_conv2d_sizes s = cpu_conv2d_sizes_of(desc);
    job j = job_of(&s);
    uint64_t threads = cpu_worker_count(), floats = 0, partials = j.splits > 1 ? (uint64_t)(j.splits * s.o * j.k) : 0;
    cpu_conv2d_describe(desc, out, LINNET_FORMAT_NCHW);
    if (desc->direction == LINNET_FORWARD)
        floats = (uint64_t)forward_slice(&s) * threads;
    if (desc->direction == LINNET_BACKWARD && desc->want_inputs)
        floats = (uint64_t)backward_slice(&s) * threads;
    if (desc->direction == LINNET_BACKWARD && desc->want_parameters &&
        (uint64_t)weight_slice() * threads + partials > floats)
        floats = (uint64_t)weight_slice() * threads + partials;
    out->workspace_bytes = floats * sizeof(float);
    /* Lowering costs as much as a few rows of the product. */
    return s.group_o < 4 ? CPU_AVOID : CPU_NEUTRAL;
}
