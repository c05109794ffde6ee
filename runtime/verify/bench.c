/* SPDX-License-Identifier: Apache-2.0 */
/* Times every implementation of a case. Nothing is compared: the conformance run does that. */
#include "harness.h"

#include <stdio.h>
#include <string.h>

typedef struct bench {
    linnet_check *check;
    linnet_arena arena;
    const linnet_case *problem;
    linnet_values operands, result;
    double seconds;
} bench;

static void note_time(bench *b, const linnet_trial *t, const char *what, double multiply_adds)
{
    double gflops = 2e-9 * multiply_adds / t->fastest;
    if (multiply_adds > 0)
        linnet_check_note(b->check, "%-20s %-28s %10.4f ms %8.1f GFLOP/s", what, t->candidate.name, 1e3 * t->fastest,
                          gflops);
    else
        linnet_check_note(b->check, "%-20s %-28s %10.4f ms", what, t->candidate.name, 1e3 * t->fastest);
}

static void bench_backward(bench *b, const linnet_trial *forward, uint32_t inputs, uint32_t parameters)
{
    char what[32];
    snprintf(what, sizeof what, "backward%s%s", inputs ? " inputs" : "", parameters ? " params" : "");
    for (uint32_t i = 0; inputs || parameters; i++) {
        linnet_trial t;
        linnet_trial_begin(&t, &b->arena, b->problem, LINNET_BACKWARD);
        t.desc.differentiate = 1;
        t.desc.forward = forward->candidate.name;
        t.desc.want_inputs = inputs;
        t.desc.want_parameters = parameters;
        t.seconds = b->seconds;
        for (uint32_t j = 0; j < t.desc.input_count; j++)
            t.inputs[j].format = forward->inputs[j].format;
        for (uint32_t j = 0; j < t.desc.output_count; j++)
            t.outputs[j].format = forward->outputs[j].format;
        linnet_status status = linnet_trial_candidate(&t, i);
        if (!status && !t.candidate.refusal && linnet_trial_plan(&t) &&
            linnet_trial_backward(&t, &b->operands, 0, 0, -1, &b->result))
            note_time(b, &t, what, (double)b->problem->multiply_adds * ((inputs != 0) + (parameters != 0)));
        linnet_trial_end(&t);
        if (status)
            return;
    }
}

static void bench_forward(bench *b)
{
    const linnet_case *c = b->problem;
    uint32_t inputs = c->layer->differentiable_inputs & (uint32_t)((UINT64_C(1) << c->input_count) - 1);
    uint32_t parameters = (1u << c->parameter_count) - 1;
    for (uint32_t i = 0;; i++) {
        linnet_trial t;
        linnet_trial_begin(&t, &b->arena, c, LINNET_FORWARD);
        t.desc.differentiate = 1;
        t.seconds = b->seconds;
        linnet_status status = linnet_trial_candidate(&t, i);
        bool chosen = !b->check->only || (!status && strcmp(b->check->only, t.candidate.name) == 0);
        if (!status && chosen && !t.candidate.refusal && linnet_trial_plan(&t) &&
            linnet_values_saved(&b->result, &t.candidate) && linnet_trial_forward(&t, &b->operands, -1, &b->result)) {
            note_time(b, &t, "forward", (double)c->multiply_adds);
            memcpy(b->operands.outputs, b->result.outputs, sizeof b->operands.outputs);
            memcpy(b->operands.saved, b->result.saved, sizeof b->operands.saved);
            memcpy(b->operands.saved_bytes, b->result.saved_bytes, sizeof b->operands.saved_bytes);
            b->operands.saved_count = b->result.saved_count;
            bench_backward(b, &t, inputs, c->layer->split_backward ? 0 : parameters);
            if (c->layer->split_backward)
                bench_backward(b, &t, 0, parameters);
        }
        linnet_trial_end(&t);
        if (status)
            return;
    }
}

/* Outputs and saved tensors of the operands are borrowed from the result. */
static void run_bench(bench *b)
{
    linnet_values own;
    if (!linnet_values_new(b->problem, &b->operands) || !linnet_values_new(b->problem, &b->result)) {
        linnet_check_status(b->check, b->check->device, LINNET_OUT_OF_MEMORY, "values");
        linnet_values_free(&b->operands);
        return;
    }
    own = b->operands;
    linnet_values_fill(&b->operands, b->problem, LINNET_FILL_RANDOM, b->check->seed);
    bench_forward(b);
    linnet_values_free(&own);
    linnet_values_free(&b->result);
}

linnet_status linnet_verify_bench(linnet_device *device, const char *text, const linnet_verify_options *options,
                                  linnet_verify_result *result)
{
    linnet_check check;
    if (!linnet_check_begin(&check, device, device, text, options, result))
        return linnet_fail(device ? device->context : NULL, LINNET_INVALID,
                           "linnet_verify_bench: device, text and result (with its size) must be given");
    linnet_case *problem = linnet_allocate(1, sizeof *problem);
    if (!problem)
        return linnet_fail(check.context, LINNET_OUT_OF_MEMORY, "case '%s': out of memory", text);
    linnet_status status = linnet_case_parse(check.context, text, problem);
    bench b = {.check = &check, .problem = problem, .seconds = 0.05};
    if (options && options->size >= sizeof *options && options->seconds > 0)
        b.seconds = options->seconds;
    if (!status && linnet_arena_open(&b.arena, &check, device)) {
        snprintf(check.where, sizeof check.where, "bench");
        run_bench(&b);
        linnet_arena_close(&b.arena);
    }
    linnet_release(problem);
    result->outcome = result->failures ? LINNET_VERIFY_FAILED
                      : result->runs   ? LINNET_VERIFY_PASSED
                                       : LINNET_VERIFY_SKIPPED;
    return status;
}
