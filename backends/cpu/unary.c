/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu.h"
#include "kernels/kernels.h"

typedef struct job {
    cpu_spans spans; /* forward: y, x. Backward: dx, dy, y */
    const linnet_unary_attributes *attributes;
    bool accumulate;
} job;

static int describe_forward(const linnet_layer_desc *desc, linnet_candidate *out)
{
    cpu_want_same(desc, out, CPU_TAKES_NCHW16N | CPU_TAKES_NCHW16C | CPU_TAKES_STRIDES);
    out->in_place = 1;
    return 0;
}

static void forward_task(const void *context, int64_t task, uint32_t worker)
{
    (void)worker;
    const job *j = context;
    float *at[4];
    int64_t count = cpu_spans_task(&j->spans, task, at);
    cpu_table.unary(j->attributes->op, j->attributes->alpha, j->attributes->beta, at[1], at[0], count);
}

static void forward(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    job j = {.attributes = desc->attributes};
    cpu_spans_add(&j.spans, &desc->outputs[0], cpu_view(args->outputs[0]));
    cpu_spans_add(&j.spans, &desc->inputs[0], cpu_view(args->inputs[0]));
    cpu_parallel(cpu_spans_tasks(&j.spans), j.spans.items * j.spans.item, forward_task, &j);
    if (cpu_is_nchw16c(&desc->outputs[0]) && !cpu_keeps_zero(j.attributes->op, j.attributes->alpha, j.attributes->beta))
        cpu_clear_spare_lanes(&desc->outputs[0], cpu_view(args->outputs[0]));
}

static int describe_backward(const linnet_layer_desc *desc, linnet_candidate *out)
{
    const linnet_unary_attributes *attributes = desc->attributes;
    cpu_want_same(desc, out, CPU_TAKES_NCHW16N | CPU_TAKES_NCHW16C);
    out->reads_outputs = attributes->op != LINNET_UNARY_SCALE;
    out->in_place = 1;
    return 0;
}

static void backward_task(const void *context, int64_t task, uint32_t worker)
{
    (void)worker;
    const job *j = context;
    float *at[4];
    int64_t count = cpu_spans_task(&j->spans, task, at);
    cpu_table.unary_gradient(j->attributes->op, j->attributes->alpha, j->attributes->beta, at[2], at[1], at[0], count,
                             j->accumulate);
}

static void backward(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    job j = {.attributes = desc->attributes, .accumulate = args->accumulate_inputs & 1};
    if (!cpu_view_at(args->input_gradients, 0))
        return;
    const float *dy = cpu_view(args->output_gradients[0]);
    bool reads_y = j.attributes->op != LINNET_UNARY_SCALE;
    cpu_spans_add(&j.spans, &desc->inputs[0], cpu_view_at(args->input_gradients, 0));
    cpu_spans_add(&j.spans, &desc->outputs[0], dy);
    cpu_spans_add(&j.spans, &desc->outputs[0], reads_y ? cpu_view(args->outputs[0]) : dy);
    cpu_parallel(cpu_spans_tasks(&j.spans), j.spans.items * j.spans.item, backward_task, &j);
}

static const cpu_algorithm algorithms[] = {
    {"vector", LINNET_FORWARD, false, describe_forward, forward},
    {"vector", LINNET_BACKWARD, false, describe_backward, backward},
};
CPU_LAYER(unary, algorithms);
