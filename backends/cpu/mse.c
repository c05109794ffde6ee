/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu.h"
#include "kernels/kernels.h"

enum { CHUNK = 1 << 14 };

typedef struct job {
    cpu_extent extent;
    int64_t chunks; /* per item of the storage */
    const float *x, *target;
    float *gradient;
    double *sums; /* one per task */
    float factor;
    bool accumulate;
} job;

/* Dense tensors are one item; so are those in nchw16c, whose spare lanes do not differ. */
static job job_of(const linnet_layer_desc *desc)
{
    job j = {.extent = cpu_extent_of(&desc->inputs[0])};
    if (j.extent.lanes == 1) {
        j.extent.item *= j.extent.items;
        j.extent.items = 1;
    }
    j.chunks = cpu_ceil(j.extent.item, CHUNK);
    return j;
}

static int describe(const linnet_layer_desc *desc, linnet_candidate *out)
{
    cpu_want_same(desc, out, CPU_TAKES_NCHW16N | CPU_TAKES_NCHW16C);
    if (desc->direction == LINNET_BACKWARD) {
        out->reads_inputs = 3;
    } else {
        /* Two dense tensors and two blocked ones differ little: room for the larger count of tasks. */
        cpu_extent extent = cpu_extent_of(&desc->inputs[0]);
        uint64_t elements = (uint64_t)(extent.items * extent.item) * CPU_LANES;
        out->workspace_bytes = (elements / CHUNK + (uint64_t)extent.items + 1) * sizeof(double);
    }
    return 0;
}

static void sum_task(const void *context, int64_t task, uint32_t worker)
{
    (void)worker;
    const job *j = context;
    int64_t item = task / j->chunks, first = task % j->chunks * CHUNK, at = item * j->extent.item + first;
    float sums[CPU_LANES] = {0};
    int64_t lanes = item + 1 == j->extent.items && j->extent.lanes > 1 ? j->extent.tail : CPU_LANES;
    double total = 0;
    cpu_table.lane_distances(j->x + at, j->target + at, cpu_min(CHUNK, j->extent.item - first), sums);
    for (int64_t i = 0; i < lanes; i++)
        total += sums[i];
    j->sums[task] = total;
}

static void forward(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    job j = job_of(desc);
    float *loss = cpu_view(args->outputs[0]);
    int64_t tasks = j.extent.items * j.chunks;
    double total = 0;
    j.x = cpu_view(args->inputs[LINNET_MSE_X]);
    j.target = cpu_view(args->inputs[LINNET_MSE_TARGET]);
    j.sums = cpu_view(args->workspace);
    cpu_parallel(tasks, j.extent.items * j.extent.item, sum_task, &j);
    for (int64_t i = 0; i < tasks; i++)
        total += j.sums[i];
    *loss = (float)(total / (double)linnet_desc_count(&desc->inputs[0]));
}

static void gradient_task(const void *context, int64_t task, uint32_t worker)
{
    (void)worker;
    const job *j = context;
    int64_t item = task / j->chunks, first = task % j->chunks * CHUNK, at = item * j->extent.item + first;
    cpu_table.affine(j->factor, j->x + at, 0, -j->factor, j->target + at, 0, j->gradient + at,
                     cpu_min(CHUNK, j->extent.item - first), j->accumulate);
}

static void backward(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    job j = job_of(desc);
    const float *dloss = cpu_view(args->output_gradients[0]);
    float factor = 2.0f * *dloss / (float)linnet_desc_count(&desc->inputs[0]);
    j.x = cpu_view(args->inputs[LINNET_MSE_X]);
    j.target = cpu_view(args->inputs[LINNET_MSE_TARGET]);
    for (uint32_t i = 0; i < 2; i++) {
        j.gradient = cpu_view_at(args->input_gradients, i);
        j.factor = i == LINNET_MSE_X ? factor : -factor;
        j.accumulate = args->accumulate_inputs >> i & 1;
        if (!j.gradient)
            continue;
        cpu_parallel(j.extent.items * j.chunks, j.extent.items * j.extent.item, gradient_task, &j);
        cpu_clear_spare_lanes(&desc->inputs[i], j.gradient);
    }
}

static const cpu_algorithm algorithms[] = {
    {"vector", LINNET_FORWARD, false, describe, forward},
    {"vector", LINNET_BACKWARD, false, describe, backward},
};
CPU_LAYER(mse, algorithms);
