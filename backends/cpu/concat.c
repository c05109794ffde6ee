/* SPDX-License-Identifier: Apache-2.0 */
/* Copies runs: from axis on, the storage of an item is [outer, run]. Along the batch, whole items. */
#include "cpu.h"
#include "kernels/kernels.h"

#include <string.h>

typedef struct job {
    int64_t outer;                 /* runs per item */
    int64_t part_run, whole_run;   /* elements: of the part, of the whole */
    int64_t part_item, whole_item; /* strides between items */
    float *part, *whole;
    bool to_part, accumulate;
} job;

static int describe(const linnet_layer_desc *desc, linnet_candidate *out)
{
    const linnet_axis_attributes *attributes = desc->attributes;
    if (attributes->axis == 0) {
        cpu_want(desc, out, LINNET_FORMAT_NCHW);
        if (desc->direction == LINNET_BACKWARD && cpu_has_stride(desc))
            out->refusal = "needs dense tensors";
    } else {
        cpu_want_same(desc, out, CPU_TAKES_NCHW16N | (desc->direction == LINNET_FORWARD ? CPU_TAKES_STRIDES : 0));
    }
    return 0;
}

static void copy_item(const void *context, int64_t item, uint32_t worker)
{
    (void)worker;
    const job *j = context;
    for (int64_t o = 0; o < j->outer; o++) {
        float *part = j->part + item * j->part_item + o * j->part_run;
        float *whole = j->whole + item * j->whole_item + o * j->whole_run;
        if (j->to_part && j->accumulate)
            cpu_table.scale(1, whole, part, j->part_run, true);
        else if (j->to_part)
            memcpy(part, whole, (size_t)j->part_run * sizeof(float));
        else
            memcpy(whole, part, (size_t)j->part_run * sizeof(float));
    }
}

/* Copies part `index` between its tensor and the whole, where it begins at position `start` of the axis. */
static void copy_part(const linnet_layer_desc *desc, uint32_t index, int64_t start, float *part, float *whole,
                      bool to_part, bool accumulate)
{
    const linnet_axis_attributes *attributes = desc->attributes;
    const linnet_tensor_desc *shape = &desc->inputs[index], *total = &desc->outputs[0];
    uint32_t axis = attributes->axis;
    cpu_extent from = cpu_extent_of(shape), to = cpu_extent_of(total);
    int64_t inner = cpu_dims(shape, axis + 1, shape->rank) * from.lanes;
    job j = {.outer = 1, .part_run = from.item, .part_item = from.stride, .whole_item = to.stride, .to_part = to_part};
    j.accumulate = accumulate;
    j.part = part;
    j.whole = whole + start * (axis == 0 ? to.stride : inner);
    if (axis > 0) {
        j.outer = cpu_dims(shape, 1, axis);
        j.part_run = shape->dims[axis] * inner;
        j.whole_run = total->dims[axis] * inner;
    }
    cpu_parallel(from.items, from.items * from.item, copy_item, &j);
}

static void forward(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    const linnet_axis_attributes *attributes = desc->attributes;
    int64_t start = 0;
    for (uint32_t i = 0; i < desc->input_count; i++) {
        copy_part(desc, i, start, cpu_view(args->inputs[i]), cpu_view(args->outputs[0]), false, false);
        start += desc->inputs[i].dims[attributes->axis];
    }
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
