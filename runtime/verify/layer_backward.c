/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes back from a forward candidate: each set of wanted gradients, overwriting and accumulating, in place, and
 * twice for equal bits.
 */
#include "layer_check.h"

#include <string.h>

enum { MASKS_AT_MOST = 16 };

typedef struct wanted {
    uint32_t inputs, parameters;
} wanted;

static void compare_backward(linnet_layer_check *l, const linnet_trial *t, uint32_t forward_numerics,
                             const linnet_values *got, uint32_t accumulate_inputs, uint32_t accumulate_parameters)
{
    const linnet_case *c = l->problem;
    uint32_t numerics = t->candidate.numerics;
    if ((t->candidate.reads_outputs || t->candidate.reads_saved) && forward_numerics > numerics)
        numerics = forward_numerics;
    double bound = linnet_tolerance_bound(c, LINNET_ROLE_INPUT_GRADIENT, numerics, l->fill);
    for (uint32_t i = 0; i < c->input_count; i++)
        if (t->desc.want_inputs >> i & 1)
            linnet_compare(l->check, "gradient of input", i, &c->inputs[i], got->input_gradients[i],
                           l->expected.input_gradients[i], l->scale.input_gradients[i],
                           accumulate_inputs >> i & 1 ? l->operands.input_gradients[i] : NULL, bound);
    bound = linnet_tolerance_bound(c, LINNET_ROLE_PARAMETER_GRADIENT, numerics, l->fill);
    for (uint32_t i = 0; i < c->parameter_count; i++)
        if (t->desc.want_parameters >> i & 1)
            linnet_compare(l->check, "gradient of parameter", i, &c->parameters[i], got->parameter_gradients[i],
                           l->expected.parameter_gradients[i], l->scale.parameter_gradients[i],
                           accumulate_parameters >> i & 1 ? l->operands.parameter_gradients[i] : NULL, bound);
}

/* The sets of gradients to ask for. Split layers are asked for inputs and parameters apart; all of both is allowed to
 * be refused. */
static uint32_t list_wanted(const linnet_layer_check *l, linnet_variant v, wanted *out)
{
    const linnet_case *c = l->problem;
    uint32_t inputs = c->layer->differentiable_inputs & (uint32_t)((UINT64_C(1) << c->input_count) - 1);
    uint32_t parameters = (1u << c->parameter_count) - 1, count = 0;
    bool split = c->layer->split_backward && parameters,
         all_masks = v == LINNET_VARIANT_PLAIN && l->fill == LINNET_FILL_RANDOM;
    out[count++] = (wanted){inputs, parameters};
    if (split || (all_masks && parameters)) {
        out[count++] = (wanted){inputs, 0};
        out[count++] = (wanted){0, parameters};
    }
    for (uint32_t i = 0; all_masks && parameters > 1 && i < c->parameter_count; i++)
        out[count++] = (wanted){0, 1u << i};
    for (uint32_t i = 0; all_masks && c->input_count > 1 && i < c->input_count && count < MASKS_AT_MOST; i++)
        if (inputs >> i & 1)
            out[count++] = (wanted){1u << i, 0};
    return count;
}

static void run_in_place(linnet_layer_check *l, linnet_trial *t, const linnet_values *operands, linnet_variant v,
                         uint32_t numerics)
{
    for (uint32_t i = 0; i < l->problem->input_count; i++) {
        if (!(t->candidate.in_place >> i & 1) || !(t->desc.want_inputs >> i & 1))
            continue;
        linnet_variant_say(l, "backward", t->candidate.name, v, t->candidate.alias ? ", alias" : ", in place");
        if (!linnet_layer_can_share(l, i))
            continue;
        if (t->candidate.alias)
            memcpy(l->again.input_gradients[i], operands->output_gradients[0],
                   (size_t)linnet_desc_count(&l->problem->inputs[i]) * sizeof(float));
        else if (!linnet_trial_backward(t, operands, 0, 0, (int32_t)i, &l->again))
            continue;
        compare_backward(l, t, numerics, &l->again, 0, 0);
    }
}

static void run_backward_again(linnet_layer_check *l, linnet_trial *t, const linnet_values *operands, linnet_variant v)
{
    const linnet_case *c = l->problem;
    linnet_variant_say(l, "backward", t->candidate.name, v, ", run again");
    if (!linnet_trial_backward(t, operands, 0, 0, -1, &l->again) ||
        !linnet_trial_backward(t, operands, 0, 0, -1, &l->third))
        return;
    for (uint32_t i = 0; i < c->input_count; i++)
        if (t->desc.want_inputs >> i & 1)
            linnet_compare_bits(l->check, "gradient of input", i, &c->inputs[i], l->third.input_gradients[i],
                                l->again.input_gradients[i]);
    for (uint32_t i = 0; i < c->parameter_count; i++)
        if (t->desc.want_parameters >> i & 1)
            linnet_compare_bits(l->check, "gradient of parameter", i, &c->parameters[i],
                                l->third.parameter_gradients[i], l->again.parameter_gradients[i]);
}

/* The planned candidate: overwriting, again for equal bits, accumulating, a mixture, in place. */
static void run_backward(linnet_layer_check *l, linnet_trial *t, const linnet_values *operands, linnet_variant v,
                         uint32_t numerics)
{
    const struct {
        uint32_t inputs, parameters;
        const char *text;
    } modes[] = {{0, 0, ""},
                 {t->desc.want_inputs, t->desc.want_parameters, ", accumulating"},
                 {0, t->desc.want_parameters, ", accumulating parameters only"}};
    for (size_t i = 0; i < 3; i++) {
        if (i == 2 && (!t->desc.want_inputs || !t->desc.want_parameters))
            continue;
        linnet_variant_say(l, "backward", t->candidate.name, v, modes[i].text);
        if (!linnet_trial_backward(t, operands, modes[i].inputs, modes[i].parameters, -1, &l->again))
            continue;
        compare_backward(l, t, numerics, &l->again, modes[i].inputs, modes[i].parameters);
    }
    if (v != LINNET_VARIANT_PLAIN && v != LINNET_VARIANT_FORMAT)
        return;
    if (l->fill == LINNET_FILL_RANDOM)
        run_backward_again(l, t, operands, v);
    run_in_place(l, t, operands, v, numerics);
}

static linnet_visit visit_backward(linnet_layer_check *l, const linnet_trial *forward, const linnet_values *operands,
                                   uint32_t index, const wanted *want, linnet_variant v)
{
    linnet_trial t;
    linnet_visit result = LINNET_VISIT_REFUSED;
    linnet_trial_begin(&t, &l->arena, l->problem, LINNET_BACKWARD);
    t.desc.differentiate = 1;
    t.desc.forward = forward->candidate.name;
    t.desc.want_inputs = want->inputs;
    t.desc.want_parameters = want->parameters;
    for (uint32_t i = 0; i < t.desc.input_count; i++)
        t.inputs[i].format = forward->inputs[i].format;
    for (uint32_t i = 0; i < t.desc.output_count; i++)
        t.outputs[i].format = forward->outputs[i].format;
    linnet_variant_apply(l, &t, v);
    linnet_variant_say(l, "backward", "candidates", v, "");
    linnet_status status = linnet_trial_candidate(&t, index);
    if (status == LINNET_END)
        result = LINNET_VISIT_END;
    else if (!status && !t.candidate.refusal && linnet_variant_is_kept(l, &t, v) &&
             !(l->problem->epilogue_count && t.candidate.reads_outputs)) {
        linnet_variant_say(l, "backward", t.candidate.name, v, "");
        result = LINNET_VISIT_RUN;
        if (l->problem->layer->kind == LINNET_LAYER_UNARY && (t.candidate.reads_inputs || t.candidate.reads_saved))
            linnet_check_fail(l->check, "the gradient of a unary layer may read only its output");
        bool chosen = !l->check->only_backward || strcmp(l->check->only_backward, t.candidate.name) == 0;
        chosen = chosen && linnet_layer_is_in_focus(l, &t);
        if (chosen && !l->is_dry &&
            !linnet_is_repeated(&l->repeats, &t, v == LINNET_VARIANT_FORMAT ? LINNET_VARIANT_PLAIN : v) &&
            linnet_trial_plan(&t))
            run_backward(l, &t, operands, v, forward->candidate.numerics);
    }
    linnet_trial_end(&t);
    return result;
}

void linnet_layer_check_backward(linnet_layer_check *l, const linnet_trial *forward, linnet_variant v)
{
    wanted masks[MASKS_AT_MOST];
    linnet_values operands = l->operands; /* borrows: with what the device's own forward left */
    memcpy(operands.outputs, l->first.outputs, sizeof operands.outputs);
    memcpy(operands.states, l->first.states, sizeof operands.states);
    memcpy(operands.saved, l->first.saved, sizeof operands.saved);
    memcpy(operands.saved_bytes, l->first.saved_bytes, sizeof operands.saved_bytes);
    operands.saved_count = l->first.saved_count;
    for (uint32_t m = 0, count = list_wanted(l, v, masks); m < count; m++) {
        uint32_t accepted = 0;
        linnet_visit result = LINNET_VISIT_REFUSED;
        if ((!masks[m].inputs && !masks[m].parameters) || l->check->no_memory)
            continue;
        for (uint32_t i = 0; i < LINNET_CANDIDATES_AT_MOST && result != LINNET_VISIT_END; i++) {
            result = visit_backward(l, forward, &operands, i, &masks[m], v);
            accepted += result == LINNET_VISIT_RUN;
        }
        if (!accepted && v == LINNET_VARIANT_PLAIN && !l->is_dry) {
            linnet_variant_say(l, "backward of", forward->candidate.name, v, "");
            linnet_check_fail(l->check, "no implementation gives the gradients of inputs %#x and parameters %#x",
                              masks[m].inputs, masks[m].parameters);
        }
    }
}
