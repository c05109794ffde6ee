/* SPDX-License-Identifier: Apache-2.0 */
#include "softmax.h"
#include "kernels/kernels.h"

enum { CHUNK = 1 << 13 };

/* The storage as [outer, length, inner]; in nchw16n the batch lanes are innermost. */
typedef struct job {
    int64_t outer, length, inner, rows_per_task;
    const float *x, *y;
    float *out;
    bool logarithm, accumulate;
} job;

static job job_of(const linnet_layer_desc *desc, bool logarithm)
{
    const linnet_axis_attributes *attributes = desc->attributes;
    const linnet_tensor_desc *shape = &desc->inputs[0];
    cpu_extent extent = cpu_extent_of(shape);
    job j = {.length = shape->dims[attributes->axis],
             .inner = cpu_dims(shape, attributes->axis + 1, shape->rank) * extent.lanes,
             .logarithm = logarithm};
    j.outer = extent.items * extent.item / (j.length * j.inner);
    j.rows_per_task = cpu_max(1, CHUNK / (j.length * j.inner));
    return j;
}

int cpu_softmax_describe(const linnet_layer_desc *desc, linnet_candidate *out)
{
    const linnet_axis_attributes *attributes = desc->attributes;
    cpu_want_axis(desc, out, attributes->axis);
    out->in_place = 1;
    out->reads_outputs = desc->direction == LINNET_BACKWARD;
    return 0;
}

static void forward_task(const void *context, int64_t task, uint32_t worker)
{
    (void)worker;
    const job *j = context;
    int64_t first = task * j->rows_per_task, last = cpu_min(j->outer, first + j->rows_per_task),
            row = j->length * j->inner;
    for (int64_t o = first; o < last; o++)
        cpu_table.softmax(j->x + o * row, j->out + o * row, j->length, j->inner, j->logarithm);
}

void cpu_softmax_forward(const linnet_layer_desc *desc, const linnet_layer_args *args, bool logarithm)
{
    job j = job_of(desc, logarithm);
    j.x = cpu_view(args->inputs[0]);
    j.out = cpu_view(args->outputs[0]);
    cpu_parallel(cpu_ceil(j.outer, j.rows_per_task), j.outer * j.length * j.inner * 2, forward_task, &j);
}

static void backward_task(const void *context, int64_t task, uint32_t worker)
{
    (void)worker;
    const job *j = context;
    int64_t first = task * j->rows_per_task, last = cpu_min(j->outer, first + j->rows_per_task),
            row = j->length * j->inner;
    for (int64_t o = first; o < last; o++)
        cpu_table.softmax_gradient(j->y + o * row, j->x + o * row, j->out + o * row, j->length, j->inner, j->logarithm,
                                   j->accumulate);
}

/* x is dy here. */
void cpu_softmax_backward(const linnet_layer_desc *desc, const linnet_layer_args *args, bool logarithm)
{
    job j = job_of(desc, logarithm);
    j.x = cpu_view(args->output_gradients[0]);
    j.y = cpu_view(args->outputs[0]);
    j.out = cpu_view_at(args->input_gradients, 0);
    j.accumulate = args->accumulate_inputs & 1;
    if (j.out)
        cpu_parallel(cpu_ceil(j.outer, j.rows_per_task), j.outer * j.length * j.inner * 2, backward_task, &j);
}

static void forward(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    cpu_softmax_forward(desc, args, false);
}

static void backward(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    cpu_softmax_backward(desc, args, false);
}

static const cpu_algorithm algorithms[] = {
    {"vector", LINNET_FORWARD, false, cpu_softmax_describe, forward},
    {"vector", LINNET_BACKWARD, false, cpu_softmax_describe, backward},
};
CPU_LAYER(softmax, algorithms);
