/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The mask is drawn again in backward: nothing is saved. Numbers are drawn in the order of the dense tensor in every
 * format. A lane of a blocked format is a row of the dense one (an image, or a channel of one), so that a task draws
 * the masks of 16 rows and turns them round.
 */
#include "cpu.h"
#include "kernels/kernels.h"

#include <string.h>

enum { CHUNK = 1 << 12, COLUMNS = CHUNK / CPU_LANES };

typedef struct job {
    cpu_mask mask;
    const float *x;
    float *y;
    int64_t count; /* elements of the dense tensor, or of a row */
    bool accumulate;
    /* Blocked formats: blocks of 16 rows, `group` of them before a gap (the channels of an image, which may fill the
       last block in part). */
    int64_t blocks, group, group_rows;
} job;

static bool is_identity(const linnet_layer_desc *desc)
{
    const linnet_dropout_attributes *attributes = desc->attributes;
    return desc->behaviour == LINNET_EVALUATE || attributes->probability == 0;
}

static int describe(const linnet_layer_desc *desc, linnet_candidate *out)
{
    cpu_want_same(desc, out, CPU_TAKES_NCHW16N | CPU_TAKES_NCHW16C);
    out->in_place = 1;
    out->alias = is_identity(desc);
    return 0;
}

/* Factors of the dense tensor's elements [first, first + count), count at most COLUMNS. */
static void draw(const job *j, int64_t first, int64_t count, float *out)
{
    float drawn[COLUMNS + 4];
    int64_t rest = first % 4;
    cpu_table.draw_mask(&j->mask, (uint64_t)(first - rest), count + rest, drawn);
    memcpy(out, drawn + rest, (size_t)count * sizeof *out);
}

static void dense_task(const void *context, int64_t task, uint32_t worker)
{
    (void)worker;
    const job *j = context;
    float factors[CHUNK];
    int64_t first = task * CHUNK, count = cpu_min(CHUNK, j->count - first);
    cpu_table.draw_mask(&j->mask, (uint64_t)first, count, factors);
    cpu_table.apply_mask(factors, j->x + first, j->y + first, count, j->accumulate);
}

/* Up to COLUMNS elements of a block's rows. */
static void lanes_task(const void *context, int64_t task, uint32_t worker)
{
    (void)worker;
    const job *j = context;
    float rows[CPU_LANES * COLUMNS], lanes[CPU_LANES * COLUMNS];
    int64_t chunks = cpu_ceil(j->count, COLUMNS), block = task / chunks, first = task % chunks * COLUMNS;
    int64_t count = cpu_min(COLUMNS, j->count - first), at = (block * j->count + first) * CPU_LANES;
    int64_t in_group = block % j->group * CPU_LANES, there = cpu_min(CPU_LANES, j->group_rows - in_group);
    int64_t row = block / j->group * j->group_rows + in_group;
    for (int64_t i = 0; i < there; i++)
        draw(j, (row + i) * j->count + first, count, rows + i * COLUMNS);
    cpu_table.lanes_from_rows(rows, COLUMNS, (int32_t)there, count, lanes, CPU_LANES, CPU_LANES);
    cpu_table.apply_mask(lanes, j->x + at, j->y + at, count * CPU_LANES, j->accumulate);
}

static void drop(const linnet_layer_desc *desc, const linnet_layer_args *args, const float *x, float *y,
                 bool accumulate)
{
    const linnet_dropout_attributes *attributes = desc->attributes;
    const linnet_tensor_desc *shape = &desc->inputs[0];
    if (is_identity(desc)) {
        cpu_copy_scaled(shape, y, shape, x, 1, accumulate);
        return;
    }
    job j = {.mask = {.seed = args->seed,
                      .step = args->step,
                      .node = args->node,
                      .probability = attributes->probability,
                      .factor = 1.0f / (1.0f - attributes->probability)},
             .x = x,
             .y = y,
             .count = linnet_desc_count(shape),
             .accumulate = accumulate};
    int64_t work = j.count * 4;
    bool by_channel = cpu_is_nchw16c(shape);
    if (cpu_plane_lanes(shape) == 1) {
        cpu_parallel(cpu_ceil(j.count, CHUNK), work, dense_task, &j);
        return;
    }
    j.count = cpu_dims(shape, by_channel ? 2 : 1, shape->rank);
    j.group_rows = shape->dims[by_channel];
    j.group = cpu_ceil(j.group_rows, CPU_LANES);
    j.blocks = by_channel ? shape->dims[0] * j.group : j.group;
    cpu_parallel(j.blocks * cpu_ceil(j.count, COLUMNS), work, lanes_task, &j);
}

static void forward(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    drop(desc, args, cpu_view(args->inputs[0]), cpu_view(args->outputs[0]), false);
}

static void backward(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    float *dx = cpu_view_at(args->input_gradients, 0);
    if (dx)
        drop(desc, args, cpu_view(args->output_gradients[0]), dx, args->accumulate_inputs & 1);
}

static const cpu_algorithm algorithms[] = {
    {"philox", LINNET_FORWARD, false, describe, forward},
    {"philox", LINNET_BACKWARD, false, describe, backward},
};
CPU_LAYER(dropout, algorithms);
