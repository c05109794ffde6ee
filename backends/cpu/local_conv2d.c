/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every place of the output has filters of its own, so every place is a small matrix product, weight [O][K] times the
 * input's patch [K][items], where K counts (c, u, v). The patches of up to GROUP items are lowered side by side into
 * the panels that the product reads; with many items every weight is read once for all of them. With the batch
 * innermost (nchw16n) lowering copies whole vectors, otherwise single numbers. With few items the time is that of
 * reading the weights: those of a place are read once, from the first to the last.
 */
#include "gemm.h"
#include "kernels/kernels.h"

#include <math.h>
#include <string.h>

enum { GROUP = 64, WANTED_TASKS = 8, PLACES = 4 /* of a task */, FEW_ITEMS = 6, CHUNK = 1 << 15 /* floats */ };

typedef struct job {
    int64_t n, c, h, w, o, oh, ow, kh, kw, sh, sw, top, left;
    int64_t depth, places;    /* K, OH OW */
    int64_t lanes;            /* 16, or 1 where tensors are dense */
    int64_t x_block, y_block; /* floats from one item (nchw16n: block of 16 items) to the next */
    int64_t group, groups;    /* items that are worked on at once; how many such groups */
    int64_t band, bands;      /* of the input's gradient: rows of places of a task, and how many such */
    int64_t channels;         /* that a task works on at once */
    int64_t slice;            /* floats of a worker's scratch */
    const float *x, *weight, *bias, *dy;
    float *y, *dx, *dweight, *dbias, *slices;
    bool accumulate_x, accumulate_weight, accumulate_bias;
} job;

/* Panels of depth rows by the items of a group. */
static int64_t panels_floats(const job *j, int64_t depth)
{
    return depth * cpu_gemm_padded_columns(j->group);
}

static int64_t slice_of(const job *j, const linnet_layer_desc *desc)
{
    if (desc->direction == LINNET_FORWARD)
        return cpu_max(panels_floats(j, j->depth), j->group * j->depth) + j->o * j->group + j->o;
    int64_t inputs = panels_floats(j, j->o) + j->channels * j->kh * j->kw * (j->group + j->o);
    int64_t parameters = j->group * j->depth + j->group * cpu_gemm_padded_columns(j->depth) + GROUP;
    return desc->want_parameters ? cpu_max(inputs, parameters) : inputs;
}

static job job_of(const linnet_layer_desc *desc, bool blocked)
{
    const linnet_local_conv2d_attributes *a = desc->attributes;
    const linnet_tensor_desc *x = &desc->inputs[LINNET_LOCAL_CONV2D_X], *y = &desc->outputs[LINNET_LOCAL_CONV2D_Y];
    job j = {.n = x->dims[0],
             .c = x->dims[1],
             .h = x->dims[2],
             .w = x->dims[3],
             .o = y->dims[1],
             .oh = y->dims[2],
             .ow = y->dims[3],
             .kh = a->kernel[0],
             .kw = a->kernel[1],
             .sh = a->stride[0],
             .sw = a->stride[1],
             .top = a->padding[0],
             .left = a->padding[1],
             .lanes = blocked ? CPU_LANES : 1,
             .x_block = cpu_extent_of(x).stride,
             .y_block = cpu_extent_of(y).stride};
    j.depth = j.c * j.kh * j.kw;
    j.places = j.oh * j.ow;
    j.group = cpu_min(GROUP, cpu_ceil(j.n, j.lanes) * j.lanes);
    j.groups = cpu_ceil(j.n, j.group);
    /* Bands two apart touch no common row of the input. */
    j.band = cpu_max(cpu_max(1, cpu_ceil(j.kh, j.sh) - 1), cpu_ceil(j.oh, 2 * WANTED_TASKS));
    j.bands = cpu_ceil(j.oh, j.band);
    j.channels = cpu_max(1, cpu_min(j.c, CHUNK / (j.kh * j.kw * cpu_max(j.group, j.o))));
    j.slice = cpu_ceil(slice_of(&j, desc), CPU_LANES) * CPU_LANES;
    return j;
}

static int64_t work_of(const job *j)
{
    return j->n * j->places * j->o * j->depth / CPU_LANES;
}

/* Items of group g, counted in whole blocks. */
static int64_t items_of(const job *j, int64_t g)
{
    return cpu_min(j->group, cpu_ceil(j->n, j->lanes) * j->lanes - g * j->group);
}

/* Where items [g * group, ...) start in a tensor whose blocks are so far apart. */
static int64_t group_start(const job *j, int64_t g, int64_t block)
{
    return g * j->group / j->lanes * block;
}

/* Taps [*first, *last) of a window along one axis that lie inside the input. */
static void taps_inside(int64_t at, int64_t stride, int64_t before, int64_t kernel, int64_t size, int64_t *first,
                        int64_t *last)
{
    cpu_window(at, stride, before, kernel, size, first, last);
    *first = cpu_min(*first, kernel);
    *last = cpu_max(*last, *first);
}

/* ---- Numbers of all items of a group, between a tensor and panels [rows][width] ---- */

/* One number of each item, blocks apart in the tensor; row is where the first panel has it, panels are panel apart. */
static void load_items(const job *j, const float *in, int64_t block, int64_t items, float *row, int64_t panel)
{
    int64_t width = CPU_GEMM_PANEL, step = cpu_min(width, j->lanes);
    for (int64_t i = 0; i < items; i += step) {
        float *to = row + i / width * panel + i % width;
        const float *from = in + i / j->lanes * block + i % j->lanes;
        if (step == 1)
            *to = *from;
        else
            memcpy(to, from, (size_t)step * sizeof *to);
    }
}

static void zero_items(int64_t items, float *row, int64_t panel)
{
    int64_t width = CPU_GEMM_PANEL;
    for (int64_t i = 0; i < items; i += width)
        memset(row + i / width * panel, 0, (size_t)cpu_min(width, items - i) * sizeof *row);
}

/* Back: from items beside each other. */
static void store_items(const job *j, const float *row, int64_t items, float *out, int64_t block)
{
    for (int64_t i = 0; i < items; i += j->lanes)
        if (j->lanes == 1)
            out[i * block] = row[i];
        else
            memcpy(out + i / j->lanes * block, row + i, CPU_LANES * sizeof *out);
}

static void add_items(const job *j, const float *row, int64_t items, float *out, int64_t block)
{
    for (int64_t i = 0; i < items; i += j->lanes)
        if (j->lanes == 1)
            out[i * block] += row[i];
        else
            cpu_table.scale(1, row + i, out + i / j->lanes * block, CPU_LANES, true);
}

/* The patch of place (i, k) as panels [depth][width]. x: of the group's first item. */
static void lower_patch(const job *j, const float *x, int64_t place, int64_t items, float *panels)
{
    int64_t i = place / j->ow, k = place % j->ow, u0, u1, v0, v1, width = CPU_GEMM_PANEL, panel = j->depth * width;
    taps_inside(i, j->sh, j->top, j->kh, j->h, &u0, &u1);
    taps_inside(k, j->sw, j->left, j->kw, j->w, &v0, &v1);
    float *row = panels;
    for (int64_t c = 0; c < j->c; c++)
        for (int64_t u = 0; u < j->kh; u++)
            for (int64_t v = 0; v < j->kw; v++, row += width) {
                int64_t at = (c * j->h + i * j->sh - j->top + u) * j->w + k * j->sw - j->left + v;
                if (u >= u0 && u < u1 && v >= v0 && v < v1)
                    load_items(j, x + at * j->lanes, j->x_block, items, row, panel);
                else
                    zero_items(items, row, panel);
            }
}

/* Patches of a group as lines: nchw16n [K][16] of one block, dense [items][K]. */
static void patch_lines(const job *j, const float *x, int64_t place, int64_t items, float *lines)
{
    int64_t i = place / j->ow, k = place % j->ow, u0, u1, v0, v1;
    taps_inside(i, j->sh, j->top, j->kh, j->h, &u0, &u1);
    taps_inside(k, j->sw, j->left, j->kw, j->w, &v0, &v1);
    int64_t run = v1 - v0;
    bool whole = run == j->kw && u1 - u0 == j->kh;
    for (int64_t item = 0; item < items; item += j->lanes) {
        float *line = lines + item * j->depth;
        if (!whole)
            memset(line, 0, (size_t)(j->depth * j->lanes) * sizeof *line);
        for (int64_t c = 0; c < j->c; c++)
            for (int64_t u = u0; u < u1; u++) {
                int64_t row = (c * j->h + i * j->sh - j->top + u) * j->w + k * j->sw - j->left;
                const float *in = x + item / j->lanes * j->x_block + (row + v0) * j->lanes;
                float *out = line + ((c * j->kh + u) * j->kw + v0) * j->lanes;
                memcpy(out, in, (size_t)(run * j->lanes) * sizeof *out);
            }
    }
}

/* ---- Forward ---- */

/* Dense and few items: every filter is read once, in its order, and multiplied with the patches of all items. */
static void forward_few(const job *j, int64_t place, const float *x, float *y, int64_t items, float *lines)
{
    patch_lines(j, x, place, items, lines);
    for (int64_t o = 0; o < j->o; o++)
        for (int64_t n = 0; n < items; n++) {
            float sums[CPU_LANES] = {0}, total = j->bias ? j->bias[o * j->places + place] : 0;
            cpu_table.lane_products(j->weight + (place * j->o + o) * j->depth, 0, lines + n * j->depth, j->depth, sums);
            for (int lane = 0; lane < CPU_LANES; lane++)
                total += sums[lane];
            y[n * j->y_block + o * j->places + place] = total;
        }
}

static void forward_place(const job *j, int64_t place, float *scratch)
{
    float *panels = scratch, *out = panels + panels_floats(j, j->depth), *bias = out + j->o * j->group;
    for (int64_t o = 0; o < j->o && j->bias; o++)
        bias[o] = j->bias[o * j->places + place];
    for (int64_t g = 0; g < j->groups; g++) {
        int64_t items = items_of(j, g);
        float *y = j->y + group_start(j, g, j->y_block) + place * j->lanes;
        if (j->lanes == 1 && items < FEW_ITEMS) {
            forward_few(j, place, j->x + group_start(j, g, j->x_block), y - place, items, scratch);
            continue;
        }
        lower_patch(j, j->x + group_start(j, g, j->x_block), place, items, panels);
        cpu_gemm_packed product = {.rows = j->o,
                                   .columns = items,
                                   .depth = j->depth,
                                   .a = j->weight + place * j->o * j->depth,
                                   .a_m = j->depth,
                                   .a_k = 1,
                                   .packed = panels,
                                   .c = out,
                                   .c_m = items,
                                   .bias_m = j->bias ? bias : NULL,
                                   .low = -INFINITY,
                                   .high = INFINITY};
        cpu_gemm_packed_run(&product);
        for (int64_t o = 0; o < j->o; o++)
            store_items(j, out + o * items, items, y + o * j->places * j->lanes, j->y_block);
    }
}

static void forward_task(const void *context, int64_t task, uint32_t worker)
{
    const job *j = context;
    for (int64_t place = task * PLACES; place < cpu_min(j->places, (task + 1) * PLACES); place++)
        forward_place(j, place, j->slices + worker * j->slice);
}

static void forward(const linnet_layer_desc *desc, const linnet_layer_args *args, bool blocked)
{
    job j = job_of(desc, blocked);
    j.x = cpu_view(args->inputs[LINNET_LOCAL_CONV2D_X]);
    j.weight = cpu_view(args->parameters[LINNET_LOCAL_CONV2D_WEIGHT]);
    if (desc->parameter_count > LINNET_LOCAL_CONV2D_BIAS)
        j.bias = cpu_view(args->parameters[LINNET_LOCAL_CONV2D_BIAS]);
    j.y = cpu_view(args->outputs[LINNET_LOCAL_CONV2D_Y]);
    j.slices = cpu_view(args->workspace);
    cpu_parallel(cpu_ceil(j.places, PLACES), work_of(&j), forward_task, &j);
}

/* ---- Backward, input: a task owns a band of places of a group of items. Bands with even numbers first, then those
   with odd ones, so that no two of them add to the same row at once. ---- */

/* Adds the gradient of a patch to what it came from: rows of channels from first on, of [items] each; dense: of one
   item only. */
static void raise_patch(const job *j, const float *rows, int64_t place, int64_t first, int64_t last, int64_t items,
                        float *dx)
{
    int64_t i = place / j->ow, k = place % j->ow, u0, u1, v0, v1;
    taps_inside(i, j->sh, j->top, j->kh, j->h, &u0, &u1);
    taps_inside(k, j->sw, j->left, j->kw, j->w, &v0, &v1);
    for (int64_t c = first; c < last; c++)
        for (int64_t u = u0; u < u1; u++)
            for (int64_t v = v0; v < v1; v++) {
                int64_t at = (c * j->h + i * j->sh - j->top + u) * j->w + k * j->sw - j->left + v;
                const float *row = rows + (((c - first) * j->kh + u) * j->kw + v) * items;
                if (j->lanes == 1)
                    dx[at] += *row;
                else
                    add_items(j, row, items, dx + at * j->lanes, j->x_block);
            }
}

/* Dense, for channels [first, last): every filter is read once, and added to the patches of all items. */
static void raise_filters(const job *j, int64_t place, int64_t first, int64_t last, int64_t items, const float *dy,
                          float *dx, float *rows)
{
    int64_t area = j->kh * j->kw, count = (last - first) * area;
    for (int64_t o = 0; o < j->o; o++)
        for (int64_t n = 0; n < items; n++)
            cpu_table.scale(dy[n * j->y_block + o * j->places + place],
                            j->weight + (place * j->o + o) * j->depth + first * area, rows + n * count, count, o > 0);
    for (int64_t n = 0; n < items; n++)
        raise_patch(j, rows + n * count, place, first, last, 1, dx + n * j->x_block);
}

/* nchw16n: a product with the filters, which are copied because the product reads them across. */
static void raise_product(const job *j, int64_t place, int64_t first, int64_t last, int64_t items, const float *panels,
                          float *dx, float *rows)
{
    int64_t area = j->kh * j->kw, count = (last - first) * area;
    float *filters = rows + count * items;
    for (int64_t o = 0; o < j->o; o++)
        memcpy(filters + o * count, j->weight + (place * j->o + o) * j->depth + first * area,
               (size_t)count * sizeof *filters);
    cpu_gemm_packed product = {.rows = count,
                               .columns = items,
                               .depth = j->o,
                               .a = filters,
                               .a_m = 1,
                               .a_k = count,
                               .packed = panels,
                               .c = rows,
                               .c_m = items,
                               .low = -INFINITY,
                               .high = INFINITY};
    cpu_gemm_packed_run(&product);
    raise_patch(j, rows, place, first, last, items, dx);
}

static void raise_place(const job *j, int64_t place, int64_t items, const float *dy, float *dx, float *scratch)
{
    float *panels = scratch, *rows = panels + panels_floats(j, j->o);
    int64_t width = CPU_GEMM_PANEL;
    for (int64_t o = 0; o < j->o && j->lanes > 1; o++)
        load_items(j, dy + (o * j->places + place) * j->lanes, j->y_block, items, panels + o * width, j->o * width);
    for (int64_t first = 0; first < j->c; first += j->channels) {
        int64_t last = cpu_min(j->c, first + j->channels);
        if (j->lanes == 1)
            raise_filters(j, place, first, last, items, dy, dx, rows);
        else
            raise_product(j, place, first, last, items, panels, dx, rows);
    }
}

static void input_task(const job *j, int64_t g, int64_t band, uint32_t worker)
{
    const float *dy = j->dy + group_start(j, g, j->y_block);
    float *dx = j->dx + group_start(j, g, j->x_block);
    int64_t last = cpu_min(j->oh, (band + 1) * j->band) * j->ow;
    for (int64_t place = band * j->band * j->ow; place < last; place++)
        raise_place(j, place, items_of(j, g), dy, dx, j->slices + worker * j->slice);
}

static void even_task(const void *context, int64_t task, uint32_t worker)
{
    const job *j = context;
    int64_t bands = (j->bands + 1) / 2;
    input_task(j, task / bands, task % bands * 2, worker);
}

static void odd_task(const void *context, int64_t task, uint32_t worker)
{
    const job *j = context;
    int64_t bands = j->bands / 2;
    input_task(j, task / bands, task % bands * 2 + 1, worker);
}

static void input_gradient(const job *j)
{
    int64_t blocks = cpu_ceil(j->n, j->lanes), block = j->c * j->h * j->w * j->lanes;
    for (int64_t i = 0; i < blocks && !j->accumulate_x; i++)
        memset(j->dx + i * j->x_block, 0, (size_t)block * sizeof *j->dx);
    cpu_parallel(j->groups * ((j->bands + 1) / 2), work_of(j) / 2, even_task, j);
    cpu_parallel(j->groups * (j->bands / 2), work_of(j) / 2, odd_task, j);
}

/* ---- Backward, parameters: the filters of a place get dy [O][items] times the patch's transpose [items][K]. ---- */

/* dweight of one place from items [first, first + items), which lie in one block where tensors are blocked. */
static void add_filters(const job *j, int64_t place, int64_t first, int64_t items, float *scratch, bool accumulate)
{
    float *lines = scratch, *panels = lines + j->group * j->depth;
    int64_t here = cpu_min(items, j->n - first), x_at = first / j->lanes * j->x_block;
    bool blocked = j->lanes > 1;
    patch_lines(j, j->x + x_at, place, items, lines);
    cpu_gemm_pack(lines, blocked ? 1 : j->depth, blocked ? CPU_LANES : 1, here, j->depth, panels);
    cpu_gemm_packed product = {.rows = j->o,
                               .columns = j->depth,
                               .depth = here,
                               .a = j->dy + first / j->lanes * j->y_block + place * j->lanes,
                               .a_m = j->places * j->lanes,
                               .a_k = blocked ? 1 : j->y_block,
                               .packed = panels,
                               .c = j->dweight + place * j->o * j->depth,
                               .c_m = j->depth,
                               .accumulate = accumulate,
                               .low = -INFINITY,
                               .high = INFINITY};
    cpu_gemm_packed_run(&product);
}

static float sum_items(const job *j, const float *dy)
{
    float sum = 0;
    for (int64_t n = 0; n < j->n; n++)
        sum += dy[n / j->lanes * j->y_block + n % j->lanes];
    return sum;
}

static void parameter_task(const void *context, int64_t task, uint32_t worker)
{
    const job *j = context;
    int64_t step = j->lanes > 1 ? CPU_LANES : j->group;
    for (int64_t place = task * PLACES; place < cpu_min(j->places, (task + 1) * PLACES); place++) {
        for (int64_t n = 0; n < j->n && j->dweight; n += step)
            add_filters(j, place, n, j->lanes > 1 ? step : cpu_min(step, j->n - n), j->slices + worker * j->slice,
                        j->accumulate_weight || n > 0);
        for (int64_t o = 0; o < j->o && j->dbias; o++) {
            float *to = j->dbias + o * j->places + place;
            *to = (j->accumulate_bias ? *to : 0) + sum_items(j, j->dy + (o * j->places + place) * j->lanes);
        }
    }
}

static void backward(const linnet_layer_desc *desc, const linnet_layer_args *args, bool blocked)
{
    job j = job_of(desc, blocked);
    j.x = cpu_view_at(args->inputs, LINNET_LOCAL_CONV2D_X);
    j.weight = cpu_view_at(args->parameters, LINNET_LOCAL_CONV2D_WEIGHT);
    j.dy = cpu_view(args->output_gradients[LINNET_LOCAL_CONV2D_Y]);
    j.dx = cpu_view_at(args->input_gradients, LINNET_LOCAL_CONV2D_X);
    j.dweight = cpu_view_at(args->parameter_gradients, LINNET_LOCAL_CONV2D_WEIGHT);
    if (desc->parameter_count > LINNET_LOCAL_CONV2D_BIAS)
        j.dbias = cpu_view_at(args->parameter_gradients, LINNET_LOCAL_CONV2D_BIAS);
    j.accumulate_x = args->accumulate_inputs & 1;
    j.accumulate_weight = args->accumulate_parameters >> LINNET_LOCAL_CONV2D_WEIGHT & 1;
    j.accumulate_bias = args->accumulate_parameters >> LINNET_LOCAL_CONV2D_BIAS & 1;
    j.slices = cpu_view(args->workspace);
    if (j.dx)
        input_gradient(&j);
    if (j.dweight || j.dbias)
        cpu_parallel(cpu_ceil(j.places, PLACES), work_of(&j), parameter_task, &j);
}

/* ---- The two algorithms ---- */

static void describe(const linnet_layer_desc *desc, linnet_candidate *out, bool blocked)
{
    job j = job_of(desc, blocked);
    cpu_want(desc, out, blocked ? CPU_FORMAT_NCHW16N : LINNET_FORMAT_NCHW);
    out->workspace_bytes = (uint64_t)j.slice * cpu_worker_count() * sizeof(float);
    if (desc->direction == LINNET_BACKWARD) {
        out->reads_inputs = desc->want_parameters & 1u << LINNET_LOCAL_CONV2D_WEIGHT ? 1u << LINNET_LOCAL_CONV2D_X : 0;
        out->reads_parameters = desc->want_inputs & 1 ? 1u << LINNET_LOCAL_CONV2D_WEIGHT : 0;
    }
    if (blocked && cpu_has_stride(desc))
        out->refusal = "needs dense tensors";
}

/* Measured: lowering single numbers takes longer than the product when there are few outputs. */
static int describe_blocked(const linnet_layer_desc *desc, linnet_candidate *out)
{
    describe(desc, out, true);
    if (desc->direction == LINNET_BACKWARD && desc->forward)
        return strcmp(desc->forward, out->name) == 0 ? CPU_PREFER : CPU_AVOID;
    return cpu_fills_lanes(desc->inputs[0].dims[0], 37) ? CPU_PREFER : CPU_AVOID;
}

static int describe_dense(const linnet_layer_desc *desc, linnet_candidate *out)
{
    describe(desc, out, false);
    return CPU_NEUTRAL;
}

static void forward_blocked(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    forward(desc, args, true);
}

static void forward_dense(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    forward(desc, args, false);
}

static void backward_blocked(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    backward(desc, args, true);
}

static void backward_dense(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    backward(desc, args, false);
}

static const cpu_algorithm algorithms[] = {
    {"nchw16n", LINNET_FORWARD, false, describe_blocked, forward_blocked},
    {"nchw16n", LINNET_BACKWARD, false, describe_blocked, backward_blocked},
    {"patches", LINNET_FORWARD, false, describe_dense, forward_dense},
    {"patches", LINNET_BACKWARD, false, describe_dense, backward_dense},
};
CPU_LAYER(local_conv2d, algorithms);
