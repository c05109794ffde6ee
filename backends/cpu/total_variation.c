/* SPDX-License-Identifier: Apache-2.0 */
/* A task is a band of rows of one plane. Backward, it works out again the slopes of the row above its band. */
#include "cpu.h"
#include "kernels/kernels.h"

#include <string.h>

enum { CHUNK = 1 << 14 /* pixels of a band, about */ };

typedef struct job {
    int64_t channels, height, width, stride;
    int64_t rows, bands; /* of a band, of a plane */
    int64_t tasks;
    const float *x;
    float *dx;
    double *sums;   /* forward: one per task */
    float *scratch; /* backward: scratch_floats() for each worker */
    float beta, epsilon, factor;
    bool accumulate;
} job;

static job job_of(const linnet_layer_desc *desc)
{
    const linnet_total_variation_attributes *a = desc->attributes;
    const linnet_tensor_desc *x = &desc->inputs[LINNET_TOTAL_VARIATION_X];
    job j = {.channels = x->dims[1],
             .height = x->dims[2],
             .width = x->dims[3],
             .stride = cpu_extent_of(x).stride,
             .beta = a->beta,
             .epsilon = a->epsilon};
    j.rows = cpu_max(1, cpu_min(j.height, CHUNK / j.width));
    j.bands = cpu_ceil(j.height, j.rows);
    j.tasks = x->dims[0] * j.channels * j.bands;
    return j;
}

/* A zero and the slopes to the right, two rows of slopes down. */
static int64_t scratch_floats(const job *j)
{
    return cpu_ceil(3 * j->width + 1, CPU_LANES) * CPU_LANES;
}

static int describe(const linnet_layer_desc *desc, linnet_candidate *out)
{
    job j = job_of(desc);
    cpu_want(desc, out, LINNET_FORMAT_NCHW);
    if (desc->direction == LINNET_BACKWARD) {
        out->reads_inputs = 1u << LINNET_TOTAL_VARIATION_X;
        out->workspace_bytes = (uint64_t)scratch_floats(&j) * cpu_worker_count() * sizeof(float);
    } else {
        out->workspace_bytes = (uint64_t)j.tasks * sizeof(double);
    }
    return 0;
}

/* Where the task's plane starts in x. */
static int64_t plane_of(const job *j, int64_t task)
{
    int64_t plane = task / j->bands;
    return plane / j->channels * j->stride + plane % j->channels * j->height * j->width;
}

static const float *row_below(const job *j, const float *plane, int64_t row)
{
    return plane + cpu_min(row + 1, j->height - 1) * j->width;
}

static void sum_task(const void *context, int64_t task, uint32_t worker)
{
    (void)worker;
    const job *j = context;
    const float *plane = j->x + plane_of(j, task);
    int64_t first = task % j->bands * j->rows, last = cpu_min(j->height, first + j->rows);
    float sums[CPU_LANES] = {0};
    double total = 0;
    for (int64_t i = first; i < last; i++)
        cpu_table.variation_sums(j->beta, j->epsilon, plane + i * j->width, row_below(j, plane, i), j->width, sums);
    for (int i = 0; i < CPU_LANES; i++)
        total += sums[i];
    j->sums[task] = total;
}

static void forward(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    job j = job_of(desc);
    double total = 0;
    j.x = cpu_view(args->inputs[LINNET_TOTAL_VARIATION_X]);
    j.sums = cpu_view(args->workspace);
    cpu_parallel(j.tasks, j.tasks * j.rows * j.width, sum_task, &j);
    for (int64_t i = 0; i < j.tasks; i++)
        total += j.sums[i];
    *(float *)cpu_view(args->outputs[LINNET_TOTAL_VARIATION_LOSS]) = (float)total;
}

static void slopes_of_row(const job *j, const float *plane, int64_t row, float *right, float *down)
{
    cpu_table.variation_slopes(j->beta, j->epsilon, plane + row * j->width, row_below(j, plane, row), j->width, right,
                               down);
}

static void gradient_task(const void *context, int64_t task, uint32_t worker)
{
    const job *j = context;
    int64_t at = plane_of(j, task), first = task % j->bands * j->rows, last = cpu_min(j->height, first + j->rows);
    const float *plane = j->x + at;
    float *right = j->scratch + worker * scratch_floats(j) + 1, *down = right + j->width, *above = down + j->width;
    right[-1] = 0;
    if (first > 0)
        slopes_of_row(j, plane, first - 1, right, above);
    else
        memset(above, 0, (size_t)j->width * sizeof *above);
    for (int64_t i = first; i < last; i++) {
        slopes_of_row(j, plane, i, right, down);
        cpu_table.variation_gradient(j->factor, right, down, above, j->dx + at + i * j->width, j->width, j->accumulate);
        float *swap = above;
        above = down;
        down = swap;
    }
}

static void backward(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    job j = job_of(desc);
    j.x = cpu_view(args->inputs[LINNET_TOTAL_VARIATION_X]);
    j.dx = cpu_view(args->input_gradients[LINNET_TOTAL_VARIATION_X]);
    j.scratch = cpu_view(args->workspace);
    j.factor = *(const float *)cpu_view(args->output_gradients[LINNET_TOTAL_VARIATION_LOSS]);
    j.accumulate = args->accumulate_inputs & 1;
    cpu_parallel(j.tasks, j.tasks * j.rows * j.width, gradient_task, &j);
}

static const cpu_algorithm algorithms[] = {
    {"vector", LINNET_FORWARD, false, describe, forward},
    {"vector", LINNET_BACKWARD, false, describe, backward},
};
CPU_LAYER(total_variation, algorithms);
