/* SPDX-License-Identifier: Apache-2.0 */
/* A plane's mean; in nchw16n one per lane. */
#include "cpu.h"
#include "kernels/kernels.h"

typedef struct job {
    int64_t channels, area, lanes, x_item, y_item;
    const float *x, *dy;
    float *y, *dx;
    bool accumulate;
} job;

static job job_of(const linnet_layer_desc *desc)
{
    const linnet_tensor_desc *x = &desc->inputs[0];
    cpu_extent from = cpu_extent_of(x), to = cpu_extent_of(&desc->outputs[0]);
    return (job){.channels = x->dims[1],
                 .area = cpu_dims(x, 2, x->rank),
                 .lanes = from.lanes,
                 .x_item = from.stride,
                 .y_item = to.stride};
}

static int describe(const linnet_layer_desc *desc, linnet_candidate *out)
{
    cpu_want_same(desc, out, CPU_TAKES_NCHW16N | (desc->direction == LINNET_FORWARD ? CPU_TAKES_STRIDES : 0));
    return 0;
}

static void forward_item(const void *context, int64_t item, uint32_t worker)
{
    (void)worker;
    const job *j = context;
    for (int64_t c = 0; c < j->channels; c++) {
        float sums[CPU_LANES] = {0}, *y = j->y + item * j->y_item + c * j->lanes;
        cpu_table.lane_sums(j->x + item * j->x_item + c * j->area * j->lanes, j->area * j->lanes, sums);
        if (j->lanes == 1)
            for (int i = 1; i < CPU_LANES; i++)
                sums[0] += sums[i];
        for (int64_t i = 0; i < j->lanes; i++)
            y[i] = sums[i] / (float)j->area;
    }
}

static void forward(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    job j = job_of(desc);
    j.x = cpu_view(args->inputs[0]);
    j.y = cpu_view(args->outputs[0]);
    cpu_parallel(cpu_extent_of(&desc->inputs[0]).items, linnet_desc_count(&desc->inputs[0]), forward_item, &j);
}

static void backward_item(const void *context, int64_t item, uint32_t worker)
{
    (void)worker;
    const job *j = context;
    for (int64_t c = 0; c < j->channels; c++) {
        const float *dy = j->dy + item * j->y_item + c * j->lanes;
        float *dx = j->dx + item * j->x_item + c * j->area * j->lanes, share[CPU_LANES];
        for (int64_t i = 0; i < CPU_LANES; i++)
            share[i] = dy[i % j->lanes] / (float)j->area;
        for (int64_t p = 0; p < j->area * j->lanes; p++)
            dx[p] = share[p % CPU_LANES] + (j->accumulate ? dx[p] : 0);
    }
}

static void backward(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    job j = job_of(desc);
    j.dy = cpu_view(args->output_gradients[0]);
    j.dx = cpu_view_at(args->input_gradients, 0);
    j.accumulate = args->accumulate_inputs & 1;
    if (j.dx)
        cpu_parallel(cpu_extent_of(&desc->inputs[0]).items, linnet_desc_count(&desc->inputs[0]), backward_item, &j);
}

static const cpu_algorithm algorithms[] = {
    {"vector", LINNET_FORWARD, false, describe, forward},
    {"vector", LINNET_BACKWARD, false, describe, backward},
};
CPU_LAYER(global_avg_pool, algorithms);
