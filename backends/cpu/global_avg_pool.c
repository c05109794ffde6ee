/* SPDX-License-Identifier: Apache-2.0 */
/* A plane's mean; in the blocked formats one per lane. Of nchw16c the result is NCHW, which is what a linear layer
   reads. A task is some planes of one item. */
#include "cpu.h"
#include "kernels/kernels.h"

enum { CHUNK = 1 << 13 /* elements of a task, about */ };

typedef struct job {
    int64_t channels; /* of y, or of a block of images */
    int64_t planes, area, lanes, x_item, y_item;
    int64_t per_task, tasks, work;
    const float *x, *dy;
    float *y, *dx;
    bool accumulate;
} job;

static job job_of(const linnet_layer_desc *desc)
{
    const linnet_tensor_desc *x = &desc->inputs[0];
    cpu_extent from = cpu_extent_of(x), to = cpu_extent_of(&desc->outputs[0]);
    job j = {.planes = cpu_planes_per_item(x),
             .area = cpu_dims(x, 2, x->rank),
             .lanes = cpu_plane_lanes(x),
             .x_item = from.stride,
             .y_item = to.stride,
             .work = from.items * from.item};
    j.channels = cpu_is_nchw16c(x) ? x->dims[1] : j.planes * j.lanes;
    j.per_task = cpu_max(1, cpu_min(j.planes, CHUNK / (j.area * j.lanes)));
    j.tasks = from.items * cpu_ceil(j.planes, j.per_task);
    return j;
}

static int describe(const linnet_layer_desc *desc, linnet_candidate *out)
{
    cpu_want_same(desc, out,
                  CPU_TAKES_NCHW16N | CPU_TAKES_NCHW16C | (desc->direction == LINNET_FORWARD ? CPU_TAKES_STRIDES : 0));
    if (out->output_formats[0] == CPU_FORMAT_NCHW16C)
        out->output_formats[0] = LINNET_FORMAT_NCHW;
    return 0;
}

/* The task's planes: [*first, returned) of *item. */
static int64_t planes_of(const job *j, int64_t task, int64_t *item, int64_t *first)
{
    int64_t per_item = cpu_ceil(j->planes, j->per_task);
    *item = task / per_item;
    *first = task % per_item * j->per_task;
    return cpu_min(j->planes, *first + j->per_task);
}

static void forward_task(const void *context, int64_t task, uint32_t worker)
{
    (void)worker;
    const job *j = context;
    int64_t item, plane, last = planes_of(j, task, &item, &plane);
    for (; plane < last; plane++) {
        float sums[CPU_LANES] = {0}, *y = j->y + item * j->y_item + plane * j->lanes;
        cpu_table.lane_sums(j->x + item * j->x_item + plane * j->area * j->lanes, j->area * j->lanes, sums);
        for (int i = 1; j->lanes == 1 && i < CPU_LANES; i++)
            sums[0] += sums[i];
        for (int64_t i = 0; i < cpu_min(j->lanes, j->channels - plane * j->lanes); i++)
            y[i] = sums[i] / (float)j->area;
    }
}

static void forward(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    job j = job_of(desc);
    j.x = cpu_view(args->inputs[0]);
    j.y = cpu_view(args->outputs[0]);
    cpu_parallel(j.tasks, j.work, forward_task, &j);
}

static void backward_task(const void *context, int64_t task, uint32_t worker)
{
    (void)worker;
    const job *j = context;
    int64_t item, plane, last = planes_of(j, task, &item, &plane);
    for (; plane < last; plane++) {
        const float *dy = j->dy + item * j->y_item + plane * j->lanes;
        float share[CPU_LANES] = {0};
        int64_t there = cpu_min(j->lanes, j->channels - plane * j->lanes);
        for (int64_t i = 0; i < there; i++)
            share[i] = dy[i] / (float)j->area;
        for (int64_t i = 1; j->lanes == 1 && i < CPU_LANES; i++)
            share[i] = share[0];
        cpu_table.fill_lanes(share, j->dx + item * j->x_item + plane * j->area * j->lanes, j->area * j->lanes,
                             j->accumulate);
    }
}

static void backward(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    job j = job_of(desc);
    j.dy = cpu_view(args->output_gradients[0]);
    j.dx = cpu_view_at(args->input_gradients, 0);
    j.accumulate = args->accumulate_inputs & 1;
    if (j.dx)
        cpu_parallel(j.tasks, j.work, backward_task, &j);
}

static const cpu_algorithm algorithms[] = {
    {"vector", LINNET_FORWARD, false, describe, forward},
    {"vector", LINNET_BACKWARD, false, describe, backward},
};
CPU_LAYER(global_avg_pool, algorithms);
