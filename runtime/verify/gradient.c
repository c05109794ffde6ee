/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Is the reference's backward the derivative of its forward? Central differences of loss = sum of y times fixed
 * weights, for some elements of every input and parameter of small cases.
 */
#include "harness.h"

#include <math.h>
#include <stdio.h>

/* LADDER: more inputs than this lie too close to each other's kinks. */
enum { SAMPLES_AT_MOST = 64, LADDER_AT_MOST = 192, ELEMENTS_AT_MOST = 4096, WORK_AT_MOST = 1 << 18 };

/* Inputs of LINNET_FILL_SPACED are further than this from each other and from 0, where ReLUs and maxima have kinks. */
static const float step = 0x1p-8f;

typedef struct numeric {
    linnet_check *check;
    const linnet_case *problem;
    linnet_trial trial;
    linnet_values operands, analytic, result;
    double magnitude; /* of the terms of the last loss */
} numeric;

static bool has_kinks(const linnet_case *c)
{
    uint32_t op = c->layer->kind == LINNET_LAYER_UNARY ? c->attributes.unary.op : 0;
    if (c->layer->kind == LINNET_LAYER_TOTAL_VARIATION)
        return c->attributes.total_variation.beta < 2;
    if (c->layer->kind == LINNET_LAYER_ALPHA_NORM)
        return c->attributes.alpha_norm.alpha < 2;
    return c->layer->kind == LINNET_LAYER_MAX_POOL2D || op == LINNET_UNARY_RELU || op == LINNET_UNARY_LEAKY_RELU ||
           op == LINNET_UNARY_CLIP;
}

static bool is_small(const linnet_case *c)
{
    int64_t elements = 0;
    for (uint32_t i = 0; i < c->input_count; i++)
        elements += linnet_desc_count(&c->inputs[i]);
    for (uint32_t i = 0; i < c->output_count; i++)
        elements += linnet_desc_count(&c->outputs[i]);
    return elements <= ELEMENTS_AT_MOST && c->multiply_adds <= WORK_AT_MOST && !c->with_nan &&
           (!has_kinks(c) || linnet_desc_count(&c->inputs[0]) <= LADDER_AT_MOST);
}

static bool loss(numeric *n, double *out)
{
    if (!linnet_trial_forward(&n->trial, &n->operands, -1, &n->result))
        return false;
    *out = n->magnitude = 0;
    for (uint32_t i = 0; i < n->problem->output_count; i++)
        for (int64_t j = 0, count = linnet_desc_count(&n->problem->outputs[i]); j < count; j++) {
            double term = (double)n->result.outputs[i][j] * (double)n->operands.output_gradients[i][j];
            *out += term;
            n->magnitude += fabs(term);
        }
    return true;
}

/* clip's corners, the only ones that the fill does not stay away from. */
static bool at_kink(const linnet_case *c, float x)
{
    const linnet_unary_attributes *a = &c->attributes.unary;
    return c->layer->kind == LINNET_LAYER_UNARY && a->op == LINNET_UNARY_CLIP &&
           (fabsf(x - a->alpha) < 2 * step || fabsf(x - a->beta) < 2 * step);
}

static void check_tensor(numeric *n, const char *name, uint32_t index, const linnet_tensor_desc *desc, float *values,
                         const float *analytic)
{
    double scale = 0;
    int64_t count = linnet_desc_count(desc);
    for (int64_t i = 0; i < count; i++)
        scale = fmax(scale, fabs((double)analytic[i]));
    for (int64_t i = 0, stride = 1 + count / SAMPLES_AT_MOST; i < count; i += stride) {
        float kept = values[i];
        double above, below;
        values[i] = kept + step;
        bool done = loss(n, &above);
        double width = (double)values[i];
        values[i] = kept - step;
        done = done && loss(n, &below);
        width -= (double)values[i];
        values[i] = kept;
        if (!done)
            return;
        double difference = (above - below) / width, rounding = 0x1p-22 * n->magnitude / width;
        if (!at_kink(n->problem, kept) && !(fabs(difference - (double)analytic[i]) <= 1e-2 * scale + rounding)) {
            linnet_check_fail(n->check, "gradient of %s %u at element %lld is %.6g, central differences give %.6g",
                              name, index, (long long)i, (double)analytic[i], difference);
            return;
        }
    }
}

static void check_all(numeric *n)
{
    const linnet_case *c = n->problem;
    for (uint32_t i = 0; i < c->input_count; i++)
        if (c->layer->differentiable_inputs >> i & 1)
            check_tensor(n, "input", i, &c->inputs[i], n->operands.inputs[i], n->analytic.input_gradients[i]);
    for (uint32_t i = 0; i < c->parameter_count; i++)
        check_tensor(n, "parameter", i, &c->parameters[i], n->operands.parameters[i],
                     n->analytic.parameter_gradients[i]);
}

void linnet_check_gradient(linnet_check *check, const linnet_case *problem)
{
    linnet_arena arena = {0};
    numeric n = {.check = check, .problem = problem};
    snprintf(check->where, sizeof check->where, "numeric gradient");
    if (!is_small(problem) || !linnet_arena_open(&arena, check, check->reference))
        return;
    if (linnet_values_new(problem, &n.operands) && linnet_values_new(problem, &n.analytic) &&
        linnet_values_new(problem, &n.result)) {
        linnet_values_fill(&n.operands, problem, LINNET_FILL_SPACED, check->seed);
        bool ready = linnet_expected_compute(&arena, problem, &n.operands, &n.analytic);
        snprintf(check->where, sizeof check->where, "numeric gradient");
        linnet_trial_begin(&n.trial, &arena, problem, LINNET_FORWARD);
        n.trial.desc.epilogue_count = 0;
        n.trial.desc.input_count = problem->layer_inputs;
        if (ready && linnet_trial_plan_first(&n.trial))
            check_all(&n);
        linnet_trial_end(&n.trial);
    } else {
        linnet_check_memory(check, check->reference, LINNET_OUT_OF_MEMORY, "values");
    }
    linnet_values_free(&n.operands);
    linnet_values_free(&n.analytic);
    linnet_values_free(&n.result);
    linnet_arena_close(&arena);
}
