/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Batch normalisation in nchw16c, a lane per channel. A block of 16 channels that fits into a core's cache is one task,
 * which reads its batch twice, but from memory once; larger ones are split into parts, each some items, whose moments
 * are added up in order (Chan, Golub and LeVeque 1983). How it is split depends on the shape alone.
 */
#include "batch_norm.h"

#include "kernels/kernels.h"

#include <math.h>
#include <string.h>

enum { CHUNK = 1 << 12, CACHED = 1 << 19 /* floats of a block */, WANTED_TASKS = 8 };

/* In double, of each lane: what a part of the batch adds up to. Backward, mean and squares are sums of dy and of dy (x
   - mean). */
typedef struct moments {
    double count, mean[CPU_LANES], squares[CPU_LANES];
} moments;

typedef struct job {
    cpu_batch_norm_data norm;
    cpu_channel_extent extent;
    int64_t items, parts, part_items;
    float low, high;
    const float *residual;
    bool needs_sums;   /* backward */
    moments *partials; /* [blocks][parts] */
} job;

/* How the work is split. */
static job split(const linnet_layer_desc *desc)
{
    const linnet_tensor_desc *x = &desc->inputs[0];
    job j = {.extent = cpu_channel_extent_of(x), .items = x->dims[0]};
    int64_t floats = j.items * j.extent.plane * CPU_LANES;
    int64_t parts = floats <= CACHED && j.extent.blocks > 1 ? 1 : cpu_ceil(WANTED_TASKS, j.extent.blocks);
    j.part_items = cpu_ceil(j.items, parts);
    j.parts = cpu_ceil(j.items, j.part_items);
    return j;
}

static job job_of(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    job j = split(desc);
    j.norm = cpu_batch_norm_data_of(desc, args);
    j.partials = cpu_view(args->workspace);
    return j;
}

/* What affine_lanes does on the way: a residual and a clamp that leaves spare lanes 0. */
static bool takes_epilogue(const linnet_layer_desc *desc)
{
    uint32_t i = 0;
    if (i < desc->epilogue_count && desc->epilogue[i].op == LINNET_EPILOGUE_ADD)
        i++;
    if (i < desc->epilogue_count &&
        (desc->epilogue[i].op == LINNET_UNARY_RELU || desc->epilogue[i].op == LINNET_UNARY_CLIP) &&
        cpu_keeps_zero(desc->epilogue[i].op, desc->epilogue[i].alpha, desc->epilogue[i].beta))
        i++;
    return i == desc->epilogue_count;
}

int cpu_batch_norm_describe_nchw16c(const linnet_layer_desc *desc, linnet_candidate *out)
{
    const linnet_tensor_desc *x = &desc->inputs[0], *y = &desc->outputs[0];
    job j = split(desc);
    cpu_want(desc, out, CPU_FORMAT_NCHW16C);
    cpu_batch_norm_describe_saved(desc, out);
    out->in_place = 1;
    out->workspace_bytes = j.parts > 1 ? (uint64_t)(j.extent.blocks * j.parts) * sizeof(moments) : 0;
    if (cpu_has_stride(desc))
        out->refusal = "needs dense tensors";
    if (!takes_epilogue(desc))
        out->refusal = "takes a sum, then a relu or a clip round 0";
    if (desc->direction == LINNET_FORWARD && linnet_epilogue_inputs(desc) > 0)
        out->in_place |= 1u << (desc->input_count - 1);
    return cpu_is_nchw16c(x) || (desc->direction == LINNET_BACKWARD && cpu_is_nchw16c(y)) ? CPU_PREFER : CPU_AVOID;
}

/* Where item's plane of a block lies. */
static int64_t place_of(const job *j, int64_t block, int64_t item)
{
    return item * j->extent.stride + block * j->extent.plane * CPU_LANES;
}

static int64_t lanes_of(const job *j, int64_t block)
{
    return block + 1 == j->extent.blocks ? j->extent.tail : CPU_LANES;
}

/* Of [C], what belongs to the block's lanes, `otherwise` where there is nothing. */
static void load_lanes(const job *j, int64_t block, const float *values, float otherwise, float out[CPU_LANES])
{
    for (int64_t i = 0; i < CPU_LANES; i++)
        out[i] = values && i < lanes_of(j, block) ? values[block * CPU_LANES + i] : otherwise;
}

static void apply(const job *j, const cpu_affine_lanes *lanes, int64_t block, int64_t first, int64_t last)
{
    int64_t plane = j->extent.plane * CPU_LANES;
    for (int64_t item = last; item-- > first;) { /* the last ones may still be in the cache */
        int64_t at = place_of(j, block, item);
        if (j->norm.dx)
            cpu_table.affine_lanes(lanes, j->norm.x + at, j->norm.dy + at, j->norm.dx + at, plane,
                                   j->norm.accumulate_x);
        else
            cpu_table.affine_lanes(lanes, j->norm.x + at, j->residual ? j->residual + at : NULL, j->norm.y + at, plane,
                                   false);
    }
}

/* Runs sums for all parts and then finish, whose part 0 writes what there is once for a block. */
static void run(const job *j, cpu_task *sums, cpu_task *whole, cpu_task *finish)
{
    int64_t tasks = j->extent.blocks * j->parts, work = j->items * j->extent.item;
    if (j->parts == 1 && sums) {
        cpu_parallel(tasks, work, whole, j);
        return;
    }
    if (sums)
        cpu_parallel(tasks, work, sums, j);
    cpu_parallel(tasks, work, finish, j);
}

/* ---- Forward ---- */

static void add_moments(moments *sum, double count, const double mean[CPU_LANES], const double squares[CPU_LANES])
{
    double total = sum->count + count, share = count / total, weight = sum->count * share;
    for (int i = 0; i < CPU_LANES; i++) {
        double delta = mean[i] - sum->mean[i];
        sum->mean[i] += delta * share;
        sum->squares[i] += squares[i] + delta * delta * weight;
    }
    sum->count = total;
}

static void add_chunk(moments *sum, const float *x, int64_t count)
{
    float sums[CPU_LANES], means[CPU_LANES], squares[CPU_LANES];
    double mean[CPU_LANES], square[CPU_LANES], elements = (double)(count / CPU_LANES);
    cpu_table.lane_moments(x, count, sums, means, squares);
    for (int i = 0; i < CPU_LANES; i++) { /* the rounding of the mean is taken out again */
        mean[i] = sums[i] / elements;
        square[i] = fmax(0, squares[i] - (mean[i] - means[i]) * (mean[i] - means[i]) * elements);
    }
    add_moments(sum, elements, mean, square);
}

static moments part_moments(const job *j, int64_t block, int64_t part)
{
    moments sum = {0};
    int64_t plane = j->extent.plane * CPU_LANES, last = cpu_min(j->items, (part + 1) * j->part_items);
    for (int64_t item = part * j->part_items; item < last; item++)
        for (int64_t at = 0; at < plane; at += CHUNK)
            add_chunk(&sum, j->norm.x + place_of(j, block, item) + at, cpu_min(CHUNK, plane - at));
    return sum;
}

static void moments_task(const void *context, int64_t task, uint32_t worker)
{
    (void)worker;
    const job *j = context;
    j->partials[task] = part_moments(j, task / j->parts, task % j->parts);
}

/* What the block's lanes are normalised by; the first part keeps it. total: of the batch, NULL in evaluation. */
static cpu_affine_lanes forward_lanes(const job *j, int64_t block, bool is_first, const moments *total)
{
    cpu_affine_lanes lanes = {.low = j->low, .high = j->high};
    load_lanes(j, block, j->norm.weight, 1, lanes.factor);
    load_lanes(j, block, j->norm.bias, 0, lanes.offset);
    for (int64_t i = 0; i < CPU_LANES; i++) {
        int64_t channel = block * CPU_LANES + i;
        if (i >= lanes_of(j, block)) {
            lanes.factor[i] = 0; /* spare lanes stay 0 */
            continue;
        }
        double mean = total ? total->mean[i] : j->norm.running_mean[channel];
        double variance = total ? total->squares[i] / j->norm.count : j->norm.running_variance[channel];
        float inverse = (float)(1.0 / sqrt(variance + j->norm.epsilon));
        lanes.mean[i] = (float)mean;
        lanes.shift[i] = 1; /* of the residual */
        lanes.factor[i] *= inverse;
        if (is_first && total)
            cpu_batch_norm_update_running(&j->norm, channel, mean, variance);
        if (is_first && j->norm.saved) {
            j->norm.saved[channel] = (float)mean;
            j->norm.saved[j->norm.channels + channel] = inverse;
        }
    }
    return lanes;
}

static void forward_part(const job *j, int64_t block, int64_t part, const moments *total)
{
    cpu_affine_lanes lanes = forward_lanes(j, block, part == 0, total);
    apply(j, &lanes, block, part * j->part_items, cpu_min(j->items, (part + 1) * j->part_items));
}

static void forward_block(const void *context, int64_t block, uint32_t worker)
{
    (void)worker;
    moments total = part_moments(context, block, 0);
    forward_part(context, block, 0, &total);
}

static void forward_task(const void *context, int64_t task, uint32_t worker)
{
    (void)worker;
    const job *j = context;
    int64_t block = task / j->parts;
    moments total = {0};
    for (int64_t part = 0; j->norm.train && part < j->parts; part++) {
        const moments *m = &j->partials[block * j->parts + part];
        add_moments(&total, m->count, m->mean, m->squares);
    }
    forward_part(j, block, task % j->parts, j->norm.train ? &total : NULL);
}

void cpu_batch_norm_forward_nchw16c(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    cpu_epilogue epilogue = cpu_epilogue_with_residual(desc, args);
    job j = job_of(desc, args);
    j.residual = epilogue.residual;
    j.low = epilogue.low;
    j.high = epilogue.high;
    run(&j, j.norm.train ? moments_task : NULL, forward_block, forward_task);
}

/* ---- Backward ---- */

static moments part_gradients(const job *j, int64_t block, int64_t part)
{
    moments sum = {0};
    float mean[CPU_LANES];
    int64_t plane = j->extent.plane * CPU_LANES, last = cpu_min(j->items, (part + 1) * j->part_items);
    load_lanes(j, block, j->norm.saved, 0, mean);
    for (int64_t item = part * j->part_items; item < last; item++)
        for (int64_t first = 0; first < plane; first += CHUNK) {
            float sums[CPU_LANES] = {0}, products[CPU_LANES] = {0};
            int64_t at = place_of(j, block, item) + first;
            cpu_table.lane_gradient_sums(j->norm.x + at, mean, j->norm.dy + at, cpu_min(CHUNK, plane - first), sums,
                                         products);
            for (int i = 0; i < CPU_LANES; i++) {
                sum.mean[i] += sums[i];
                sum.squares[i] += products[i];
            }
        }
    return sum;
}

static void gradients_task(const void *context, int64_t task, uint32_t worker)
{
    (void)worker;
    const job *j = context;
    j->partials[task] = part_gradients(j, task / j->parts, task % j->parts);
}

/* With x^ = (x - mean) inverse: dweight = sum dy x^, dbias = sum dy, and where the statistics were the batch's
   dx = weight inverse (dy - mean(dy) - x^ mean(dy x^)), else dx = weight inverse dy. */
static void backward_part(const job *j, int64_t block, int64_t part, const moments *total)
{
    cpu_affine_lanes lanes = {.low = -INFINITY, .high = INFINITY};
    float inverse[CPU_LANES], weight[CPU_LANES];
    load_lanes(j, block, j->norm.saved, 0, lanes.mean);
    load_lanes(j, block, j->norm.saved + j->norm.channels, 0, inverse);
    load_lanes(j, block, j->norm.weight, 1, weight);
    for (int64_t i = 0; i < lanes_of(j, block); i++) {
        int64_t channel = block * CPU_LANES + i;
        double dbias = total->mean[i], dweight = inverse[i] * total->squares[i];
        if (part == 0)
            cpu_batch_norm_store_gradients(&j->norm, channel, dweight, dbias);
        lanes.shift[i] = inverse[i] * weight[i];
        lanes.factor[i] = j->norm.train ? (float)(-lanes.shift[i] * inverse[i] * dweight / j->norm.count) : 0;
        lanes.offset[i] = j->norm.train ? (float)(-lanes.shift[i] * dbias / j->norm.count) : 0;
    }
    if (j->norm.dx)
        apply(j, &lanes, block, part * j->part_items, cpu_min(j->items, (part + 1) * j->part_items));
}

static void backward_block(const void *context, int64_t block, uint32_t worker)
{
    (void)worker;
    moments total = part_gradients(context, block, 0);
    backward_part(context, block, 0, &total);
}

static void backward_task(const void *context, int64_t task, uint32_t worker)
{
    (void)worker;
    const job *j = context;
    int64_t block = task / j->parts, part = task % j->parts;
    moments total = {0};
    if (part > 0 && !j->norm.dx)
        return;
    for (int64_t k = 0; k < j->parts && j->needs_sums; k++)
        for (int i = 0; i < CPU_LANES; i++) {
            total.mean[i] += j->partials[block * j->parts + k].mean[i];
            total.squares[i] += j->partials[block * j->parts + k].squares[i];
        }
    backward_part(j, block, part, &total);
}

void cpu_batch_norm_backward_nchw16c(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    job j = job_of(desc, args);
    j.needs_sums = j.norm.train || j.norm.dweight || j.norm.dbias;
    run(&j, j.needs_sums ? gradients_task : NULL, backward_block, backward_task);
}
