/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies runs: from axis on, the storage of an item is [outer, run]. Along the batch, whole items. In nchw16c, channels
 * that do not begin with a block are moved lane by lane, an element of a plane at a time.
 */
#include "cpu.h"
#include "kernels/kernels.h"

#include <string.h>

enum { CHUNK = 1 << 14 /* elements of a task, about */ };

/* One part of the whole. */
typedef struct job {
    int64_t outer;                 /* runs per item */
    int64_t part_run, whole_run;   /* elements: of the part, of the whole */
    int64_t part_item, whole_item; /* strides between items */
    int64_t runs, piece, pieces;   /* of a task: runs, or with one run a piece of it; tasks per item */
    int64_t plane, channels;       /* moving lanes: floats of a plane; of the part */
    int64_t first_lane;            /* of the whole's block that the part begins in */
    float *part, *whole;
    bool to_part, accumulate;
} job;

static int describe(const linnet_layer_desc *desc, linnet_candidate *out)
{
    const linnet_axis_attributes *attributes = desc->attributes;
    uint32_t blocked = CPU_TAKES_NCHW16C | (attributes->axis > 0 ? CPU_TAKES_NCHW16N : 0);
    cpu_want_same(desc, out, blocked | (desc->direction == LINNET_FORWARD ? CPU_TAKES_STRIDES : 0));
    return 0;
}

static void copy_run(const job *j, float *part, float *whole, int64_t count)
{
    if (j->to_part && j->accumulate)
        cpu_table.scale(1, whole, part, count, true);
    else if (j->to_part)
        memcpy(part, whole, (size_t)count * sizeof(float));
    else
        memcpy(whole, part, (size_t)count * sizeof(float));
}

static void copy_task(const void *context, int64_t task, uint32_t worker)
{
    (void)worker;
    const job *j = context;
    int64_t item = task / j->pieces, number = task % j->pieces;
    float *part = j->part + item * j->part_item, *whole = j->whole + item * j->whole_item;
    if (j->outer == 1) {
        int64_t first = number * j->piece;
        copy_run(j, part + first, whole + first, cpu_min(j->piece, j->part_run - first));
        return;
    }
    int64_t last = cpu_min(j->outer, (number + 1) * j->runs);
    for (int64_t o = number * j->runs; o < last; o++)
        copy_run(j, part + o * j->part_run, whole + o * j->whole_run, j->part_run);
}

/* A block of the part goes to or comes from two of the whole. */
static void move_task(const void *context, int64_t task, uint32_t worker)
{
    (void)worker;
    const job *j = context;
    int64_t item = task / j->pieces, block = task % j->pieces, elements = j->plane / CPU_LANES;
    int64_t lanes = cpu_min(CPU_LANES, j->channels - block * CPU_LANES);
    int64_t upper = cpu_min(lanes, CPU_LANES - j->first_lane); /* lanes in the first of the two */
    float *part = j->part + item * j->part_item + block * j->plane;
    float *whole = j->whole + item * j->whole_item + block * j->plane;
    if (j->to_part) {
        cpu_table.move_lanes(whole + j->first_lane, part, elements, (int32_t)upper, j->accumulate);
        cpu_table.move_lanes(whole + j->plane, part + upper, elements, (int32_t)(lanes - upper), j->accumulate);
    } else {
        cpu_table.move_lanes(part, whole + j->first_lane, elements, (int32_t)upper, false);
        cpu_table.move_lanes(part + upper, whole + j->plane, elements, (int32_t)(lanes - upper), false);
    }
}

/* Do all parts but the last end with a block? */
static bool ends_with_blocks(const linnet_layer_desc *desc)
{
    for (uint32_t i = 0; i + 1 < desc->input_count; i++)
        if (desc->inputs[i].dims[1] % CPU_LANES != 0)
            return false;
    return true;
}

static void move_part(const linnet_layer_desc *desc, uint32_t index, int64_t start, job *j)
{
    cpu_channel_extent from = cpu_channel_extent_of(&desc->inputs[index]);
    j->plane = from.plane * CPU_LANES;
    j->channels = desc->inputs[index].dims[1];
    j->first_lane = start % CPU_LANES;
    j->whole += start / CPU_LANES * j->plane;
    j->pieces = from.blocks;
    cpu_parallel(desc->inputs[index].dims[0] * j->pieces, desc->inputs[index].dims[0] * from.item, move_task, j);
    if (j->to_part && !j->accumulate)
        cpu_clear_spare_lanes(&desc->inputs[index], j->part);
}

/* Copies part `index` between its tensor and the whole, where it begins at position `start` of the axis. */
static void copy_part(const linnet_layer_desc *desc, uint32_t index, int64_t start, float *part, float *whole,
                      bool to_part, bool accumulate)
{
    const linnet_axis_attributes *attributes = desc->attributes;
    const linnet_tensor_desc *shape = &desc->inputs[index], *total = &desc->outputs[0];
    uint32_t axis = attributes->axis;
    cpu_extent from = cpu_extent_of(shape), to = cpu_extent_of(total);
    job j = {.outer = 1, .part_run = from.item, .part_item = from.stride, .whole_item = to.stride, .to_part = to_part};
    j.accumulate = accumulate;
    j.part = part;
    j.whole = whole;
    if (cpu_is_nchw16c(shape) && axis == 1 && !ends_with_blocks(desc)) {
        move_part(desc, index, start, &j);
        return;
    }
    if (axis == 0) {
        j.whole += start * to.stride;
    } else {
        int64_t inner = cpu_dims(shape, axis + 1, shape->rank) * cpu_plane_lanes(shape);
        bool in_blocks = cpu_is_nchw16c(shape) && axis == 1;
        int64_t length = in_blocks ? cpu_planes_per_item(shape) : shape->dims[axis];
        j.outer = axis == 1 ? 1 : cpu_planes_per_item(shape) * cpu_dims(shape, 2, axis);
        j.part_run = length * inner;
        j.whole_run = (in_blocks ? cpu_planes_per_item(total) : total->dims[axis]) * inner;
        j.whole += (in_blocks ? start / CPU_LANES : start) * inner;
    }
    j.piece = CHUNK;
    j.runs = cpu_max(1, CHUNK / j.part_run);
    j.pieces = j.outer == 1 ? cpu_ceil(j.part_run, j.piece) : cpu_ceil(j.outer, j.runs);
    cpu_parallel(from.items * j.pieces, from.items * from.item, copy_task, &j);
}

static void forward(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    const linnet_axis_attributes *attributes = desc->attributes;
    int64_t start = 0;
    for (uint32_t i = 0; i < desc->input_count; i++) {
        copy_part(desc, i, start, cpu_view(args->inputs[i]), cpu_view(args->outputs[0]), false, false);
        start += desc->inputs[i].dims[attributes->axis];
    }
    if (cpu_is_nchw16c(&desc->outputs[0]) && attributes->axis == 1)
        cpu_clear_spare_lanes(&desc->outputs[0], cpu_view(args->outputs[0]));
}

static void backward(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    const linnet_axis_attributes *attributes = desc->attributes;
    int64_t start = 0;
    for (uint32_t i = 0; i < desc->input_count; i++) {
        float *dx = cpu_view_at(args->input_gradients, i);
        if (dx)
            copy_part(desc, i, start, dx, cpu_view(args->output_gradients[0]), true, args->accumulate_inputs >> i & 1);
        start += desc->inputs[i].dims[attributes->axis];
    }
}

static const cpu_algorithm algorithms[] = {
    {"copy", LINNET_FORWARD, false, describe, forward},
    {"copy", LINNET_BACKWARD, false, describe, backward},
};
CPU_LAYER(concat, algorithms);
