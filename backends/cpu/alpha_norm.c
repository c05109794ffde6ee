/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu.h"
#include "kernels/kernels.h"

typedef struct job {
    cpu_spans spans; /* x, and backward its gradient */
    double *sums;    /* one per task */
    float alpha, factor;
    bool accumulate;
} job;

static job job_of(const linnet_layer_desc *desc, const void *x)
{
    job j = {.alpha = ((const linnet_alpha_norm_attributes *)desc->attributes)->alpha};
    cpu_spans_add(&j.spans, &desc->inputs[LINNET_ALPHA_NORM_X], x);
    return j;
}

static int describe(const linnet_layer_desc *desc, linnet_candidate *out)
{
    linnet_tensor_desc x = desc->inputs[LINNET_ALPHA_NORM_X]; /* as run will see it */
    cpu_spans spans = {0};
    cpu_want_same(desc, out, CPU_TAKES_NCHW16C | CPU_TAKES_STRIDES); /* spare lanes are 0 and add nothing */
    x.format = out->input_formats[LINNET_ALPHA_NORM_X];
    cpu_spans_add(&spans, &x, NULL);
    if (desc->direction == LINNET_BACKWARD)
        out->reads_inputs = 1u << LINNET_ALPHA_NORM_X;
    else
        out->workspace_bytes = (uint64_t)cpu_spans_tasks(&spans) * sizeof(double);
    return 0;
}

static void sum_task(const void *context, int64_t task, uint32_t worker)
{
    (void)worker;
    const job *j = context;
    float *at[4], sums[CPU_LANES] = {0};
    int64_t count = cpu_spans_task(&j->spans, task, at);
    double total = 0;
    cpu_table.power_sums(j->alpha, at[0], count, sums);
    for (int i = 0; i < CPU_LANES; i++)
        total += sums[i];
    j->sums[task] = total;
}

static void forward(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    job j = job_of(desc, cpu_view(args->inputs[LINNET_ALPHA_NORM_X]));
    int64_t tasks = cpu_spans_tasks(&j.spans);
    double total = 0;
    j.sums = cpu_view(args->workspace);
    cpu_parallel(tasks, j.spans.items * j.spans.item, sum_task, &j);
    for (int64_t i = 0; i < tasks; i++)
        total += j.sums[i];
    *(float *)cpu_view(args->outputs[LINNET_ALPHA_NORM_LOSS]) = (float)total;
}

static void gradient_task(const void *context, int64_t task, uint32_t worker)
{
    (void)worker;
    const job *j = context;
    float *at[4];
    int64_t count = cpu_spans_task(&j->spans, task, at);
    cpu_table.power_gradient(j->alpha, j->factor, at[0], at[1], count, j->accumulate);
}

static void backward(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    job j = job_of(desc, cpu_view(args->inputs[LINNET_ALPHA_NORM_X]));
    cpu_spans_add(&j.spans, &desc->inputs[LINNET_ALPHA_NORM_X], cpu_view(args->input_gradients[LINNET_ALPHA_NORM_X]));
    j.factor = *(const float *)cpu_view(args->output_gradients[LINNET_ALPHA_NORM_LOSS]);
    j.accumulate = args->accumulate_inputs & 1;
    cpu_parallel(cpu_spans_tasks(&j.spans), j.spans.items * j.spans.item, gradient_task, &j);
}

static const cpu_algorithm algorithms[] = {
    {"vector", LINNET_FORWARD, false, describe, forward},
    {"vector", LINNET_BACKWARD, false, describe, backward},
};
CPU_LAYER(alpha_norm, algorithms);
