/* SPDX-License-Identifier: Apache-2.0 */
/* What the reference says: the layer, then its epilogue as layers of their own, then all gradients. */
#include "harness.h"
#include "trust.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static bool is_trusted(linnet_trial *t)
{
    if (!t->check->trusts_only)
        return true;
    linnet_trial_formats(t);
    return linnet_trust_check(t->arena->device, &t->desc, t->candidate.name, t->candidate.saved_count > 0);
}

bool linnet_trial_plan_first(linnet_trial *t)
{
    linnet_check *check = t->check;
    for (uint32_t i = 0;; i++) {
        linnet_status status = linnet_trial_candidate(t, i);
        if (status == LINNET_END)
            break;
        if (status)
            return false;
        if (!t->candidate.refusal && is_trusted(t))
            return linnet_trial_plan(t);
    }
    linnet_check_fail(check, "no %s implementation accepts this case",
                      t->desc.direction == LINNET_FORWARD ? "forward" : "backward");
    return false;
}

static bool forward(linnet_arena *arena, const linnet_case *c, const linnet_values *operands, linnet_values *out,
                    const char **out_name)
{
    linnet_trial t;
    linnet_trial_begin(&t, arena, c, LINNET_FORWARD);
    t.desc.differentiate = 1;
    t.desc.epilogue_count = 0;
    t.desc.input_count = c->layer_inputs;
    bool done = linnet_trial_plan_first(&t) && linnet_values_saved(arena->check, out, &t.candidate) &&
                linnet_trial_forward(&t, operands, -1, out);
    *out_name = t.candidate.name;
    linnet_trial_end(&t);
    return done;
}

/* Everything that has a gradient, into out; with forward's results in out already. */
static bool backward(linnet_arena *arena, const linnet_case *c, const linnet_values *operands, linnet_values *out,
                     const char *forward_name)
{
    linnet_values all = *out; /* borrows: the forward run's results, the operands' values */
    memcpy(all.inputs, operands->inputs, sizeof all.inputs);
    memcpy(all.parameters, operands->parameters, sizeof all.parameters);
    memcpy(all.output_gradients, operands->output_gradients, sizeof all.output_gradients);
    uint32_t inputs = c->layer->differentiable_inputs & (uint32_t)((UINT64_C(1) << c->layer_inputs) - 1);
    uint32_t parameters = (1u << c->parameter_count) - 1;
    bool done = true;
    for (uint32_t part = 0; part < 2 && done; part++) {
        linnet_trial t;
        linnet_trial_begin(&t, arena, c, LINNET_BACKWARD);
        t.desc.differentiate = 1;
        t.desc.forward = forward_name;
        t.desc.want_inputs = part == 0 ? inputs : 0;
        t.desc.want_parameters = c->layer->split_backward ? (part == 1 ? parameters : 0) : (part == 0 ? parameters : 0);
        if (t.desc.want_inputs || t.desc.want_parameters)
            done = linnet_trial_plan_first(&t) && linnet_trial_backward(&t, &all, 0, 0, -1, out);
        linnet_trial_end(&t);
    }
    return done;
}

static void add(float *values, const float *others, const linnet_tensor_desc *desc)
{
    for (int64_t i = 0, count = linnet_desc_count(desc); i < count; i++)
        values[i] += others[i];
}

/* y = f(y) for each operator of the epilogue, by the reference's unary layer. */
static bool apply_epilogue(linnet_arena *arena, const linnet_case *c, const linnet_values *operands, linnet_values *out)
{
    uint32_t added = c->layer_inputs;
    for (uint32_t i = 0; i < c->epilogue_count; i++) {
        if (c->epilogue[i].op == LINNET_EPILOGUE_ADD) {
            add(out->outputs[0], operands->inputs[added++], &c->outputs[0]);
            continue;
        }
        linnet_case unary = {.text = c->text,
                             .layer = linnet_layer_find(LINNET_LAYER_UNARY),
                             .behaviour = c->behaviour,
                             .input_count = 1,
                             .layer_inputs = 1,
                             .output_count = 1};
        unary.inputs[0] = unary.outputs[0] = c->outputs[0];
        unary.attributes.unary = (linnet_unary_attributes){.struct_size = sizeof unary.attributes.unary,
                                                           .op = c->epilogue[i].op,
                                                           .alpha = c->epilogue[i].alpha,
                                                           .beta = c->epilogue[i].beta};
        unary.attributes_pointer = &unary.attributes;
        linnet_values operand = {.inputs = {out->outputs[0]}}, result = {.outputs = {out->outputs[0]}};
        const char *name;
        bool done = forward(arena, &unary, &operand, &result, &name);
        linnet_values_saved(arena->check, &result, &(linnet_candidate){0});
        if (!done)
            return false;
    }
    return true;
}

bool linnet_expected_compute(linnet_arena *arena, const linnet_case *c, const linnet_values *operands,
                             linnet_values *out)
{
    const char *name = NULL;
    snprintf(arena->check->where, sizeof arena->check->where, "reference");
    return forward(arena, c, operands, out, &name) && backward(arena, c, operands, out, name) &&
           apply_epilogue(arena, c, operands, out);
}

static void absolute(float *values, const linnet_tensor_desc *desc)
{
    for (int64_t i = 0, count = desc->type == LINNET_F32 ? linnet_desc_count(desc) : 0; i < count; i++)
        values[i] = fabsf(values[i]);
}

/* The same layer with every operand's magnitude adds up the magnitudes of the terms. A maximum keeps its input, so that
   the same elements win. */
static bool magnitudes(linnet_arena *arena, const linnet_case *c, const linnet_values *operands, linnet_values *out)
{
    linnet_values magnitude;
    const char *name = NULL;
    if (!linnet_values_new(c, &magnitude))
        return linnet_check_memory(arena->check, arena->device, LINNET_OUT_OF_MEMORY, "scale");
    for (uint32_t i = 0; i < c->input_count; i++) {
        memcpy(magnitude.inputs[i], operands->inputs[i], (size_t)linnet_desc_count(&c->inputs[i]) * sizeof(float));
        if (c->layer->kind != LINNET_LAYER_MAX_POOL2D)
            absolute(magnitude.inputs[i], &c->inputs[i]);
    }
    for (uint32_t i = 0; i < c->parameter_count; i++) {
        memcpy(magnitude.parameters[i], operands->parameters[i],
               (size_t)linnet_desc_count(&c->parameters[i]) * sizeof(float));
        absolute(magnitude.parameters[i], &c->parameters[i]);
    }
    for (uint32_t i = 0; i < c->output_count; i++) {
        memcpy(magnitude.output_gradients[i], operands->output_gradients[i],
               (size_t)linnet_desc_count(&c->outputs[i]) * sizeof(float));
        absolute(magnitude.output_gradients[i], &c->outputs[i]);
    }
    bool done = forward(arena, c, &magnitude, out, &name) && backward(arena, c, &magnitude, out, name);
    for (uint32_t i = c->layer_inputs; i < c->input_count && done; i++)
        add(out->outputs[0], magnitude.inputs[i], &c->outputs[0]);
    linnet_values_free(&magnitude);
    for (uint32_t i = 0; i < c->output_count; i++)
        absolute(out->outputs[i], &c->outputs[i]);
    for (uint32_t i = 0; i < c->input_count; i++)
        absolute(out->input_gradients[i], &c->inputs[i]);
    for (uint32_t i = 0; i < c->epilogue_count && done; i++)
        for (int64_t j = 0; c->epilogue[i].op == LINNET_UNARY_SCALE && j < linnet_desc_count(&c->outputs[0]); j++)
            out->outputs[0][j] = fabsf(c->epilogue[i].alpha) * out->outputs[0][j] + fabsf(c->epilogue[i].beta);
    return done;
}

bool linnet_expected_scale(linnet_arena *arena, const linnet_case *c, const linnet_values *operands,
                           const linnet_values *expected, linnet_values *out)
{
    return linnet_tolerance_scale(c, operands, expected, out) || magnitudes(arena, c, operands, out);
}
