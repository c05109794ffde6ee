/* SPDX-License-Identifier: Apache-2.0 */
#include "cpu.h"
#include "kernels/kernels.h"

typedef struct job {
    cpu_spans spans; /* forward: y, a, b. Backward of mul: dx, dy, other */
    uint32_t op;
    bool accumulate;
} job;

static int describe_forward(const linnet_layer_desc *desc, linnet_candidate *out)
{
    cpu_want_same(desc, out, CPU_TAKES_NCHW16N | CPU_TAKES_NCHW16C | CPU_TAKES_STRIDES);
    out->in_place = 3;
    return 0;
}

static void forward_task(const void *context, int64_t task, uint32_t worker)
{
    (void)worker;
    const job *j = context;
    float *at[4];
    int64_t count = cpu_spans_task(&j->spans, task, at);
    cpu_table.binary(j->op, at[1], at[2], at[0], count);
}

static void forward(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    const linnet_binary_attributes *attributes = desc->attributes;
    job j = {.op = attributes->op};
    cpu_spans_add(&j.spans, &desc->outputs[0], cpu_view(args->outputs[0]));
    cpu_spans_add(&j.spans, &desc->inputs[0], cpu_view(args->inputs[0]));
    cpu_spans_add(&j.spans, &desc->inputs[1], cpu_view(args->inputs[1]));
    cpu_parallel(cpu_spans_tasks(&j.spans), j.spans.items * j.spans.item, forward_task, &j);
}

/* Only the gradient of a may take dy's place: b's is computed first. */
static int describe_backward(const linnet_layer_desc *desc, linnet_candidate *out)
{
    const linnet_binary_attributes *attributes = desc->attributes;
    cpu_want_same(desc, out, CPU_TAKES_NCHW16N | CPU_TAKES_NCHW16C);
    if (attributes->op == LINNET_BINARY_MUL)
        out->reads_inputs = (desc->want_inputs & 1 ? 2u : 0u) | (desc->want_inputs & 2 ? 1u : 0u);
    out->in_place = 1;
    return 0;
}

static void multiply_task(const void *context, int64_t task, uint32_t worker)
{
    (void)worker;
    const job *j = context;
    float *at[4];
    int64_t count = cpu_spans_task(&j->spans, task, at);
    cpu_table.multiply(at[1], at[2], at[0], count, j->accumulate);
}

static void backward(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    const linnet_binary_attributes *attributes = desc->attributes;
    const float *dy = cpu_view(args->output_gradients[0]);
    for (uint32_t i = 2; i-- > 0;) {
        float *dx = cpu_view_at(args->input_gradients, i);
        bool accumulate = args->accumulate_inputs >> i & 1;
        if (!dx)
            continue;
        if (attributes->op != LINNET_BINARY_MUL) {
            float sign = i == 1 && attributes->op == LINNET_BINARY_SUB ? -1.0f : 1.0f;
            cpu_copy_scaled(&desc->inputs[i], dx, &desc->outputs[0], dy, sign, accumulate);
            continue;
        }
        job j = {.accumulate = accumulate};
        cpu_spans_add(&j.spans, &desc->inputs[i], dx);
        cpu_spans_add(&j.spans, &desc->outputs[0], dy);
        cpu_spans_add(&j.spans, &desc->inputs[1 - i], cpu_view(args->inputs[1 - i]));
        cpu_parallel(cpu_spans_tasks(&j.spans), j.spans.items * j.spans.item, multiply_task, &j);
    }
}

static const cpu_algorithm algorithms[] = {
    {"vector", LINNET_FORWARD, false, describe_forward, forward},
    {"vector", LINNET_BACKWARD, false, describe_backward, backward},
};
CPU_LAYER(binary, algorithms);
