/* SPDX-License-Identifier: Apache-2.0 */
/* Forward candidates, with what goes back from each: as the variant has them, in place, and twice for equal bits. */
#include "layer_check.h"

#include <string.h>

static void compare_forward(linnet_layer_check *l, const linnet_trial *t, const linnet_values *got)
{
    const linnet_case *c = l->problem;
    double bound = linnet_tolerance_bound(c, LINNET_ROLE_OUTPUT, t->candidate.numerics, l->fill);
    for (uint32_t i = 0; i < c->output_count; i++)
        linnet_compare(l->check, "output", i, &c->outputs[i], got->outputs[i], l->expected.outputs[i],
                       l->scale.outputs[i], NULL, bound);
    bound = linnet_tolerance_bound(c, LINNET_ROLE_STATE, t->candidate.numerics, l->fill);
    for (uint32_t i = 0; i < c->state_count; i++)
        linnet_compare(l->check, "state", i, &c->states[i], got->states[i], l->expected.states[i], l->scale.states[i],
                       NULL, bound);
}

static void run_forward_again(linnet_layer_check *l, linnet_trial *t, linnet_variant v)
{
    const linnet_case *c = l->problem;
    linnet_variant_say(l, "forward", t->candidate.name, v, ", run again");
    if (!linnet_trial_forward(t, &l->operands, -1, &l->again))
        return;
    for (uint32_t i = 0; i < c->output_count; i++)
        linnet_compare_bits(l->check, "output", i, &c->outputs[i], l->again.outputs[i], l->first.outputs[i]);
    for (uint32_t i = 0; i < c->state_count; i++)
        linnet_compare_bits(l->check, "state", i, &c->states[i], l->again.states[i], l->first.states[i]);
}

static void run_forward_in_place(linnet_layer_check *l, linnet_trial *t, linnet_variant v)
{
    for (uint32_t i = 0; i < l->problem->input_count; i++) {
        if (!(t->candidate.in_place >> i & 1))
            continue;
        linnet_variant_say(l, "forward", t->candidate.name, v, t->candidate.alias ? ", alias" : ", in place");
        if (!linnet_layer_can_share(l, i))
            continue;
        if (t->candidate.alias)
            memcpy(l->again.outputs[0], l->operands.inputs[i],
                   (size_t)linnet_desc_count(&l->problem->outputs[0]) * sizeof(float));
        else if (!linnet_trial_forward(t, &l->operands, (int32_t)i, &l->again))
            continue;
        compare_forward(l, t, &l->again);
    }
}

/* What comes out of a forward run that saves nothing, without running it. */
static void take_expected(linnet_layer_check *l)
{
    const linnet_case *c = l->problem;
    for (uint32_t i = 0; i < c->output_count; i++)
        memcpy(l->first.outputs[i], l->expected.outputs[i], (size_t)linnet_desc_count(&c->outputs[i]) * sizeof(float));
    for (uint32_t i = 0; i < c->state_count; i++)
        memcpy(l->first.states[i], l->expected.states[i], (size_t)linnet_desc_count(&c->states[i]) * sizeof(float));
}

/* What goes back, where that is in the focus; forward runs only where something is saved by it. */
static void run_focused_backward(linnet_layer_check *l, linnet_trial *t, linnet_variant v)
{
    bool was_dry = l->is_dry;
    linnet_trial_formats(t);
    l->first.saved_count = 0;
    l->is_dry = true;
    l->would = was_dry ? l->would : 0;
    linnet_layer_check_backward(l, t, v);
    l->is_dry = was_dry;
    if (l->is_dry || !l->would || !linnet_values_saved(l->check, &l->first, &t->candidate))
        return;
    if (t->candidate.saved_count == 0)
        take_expected(l);
    else if (!linnet_trial_plan(t) || !linnet_trial_forward(t, &l->operands, -1, &l->first))
        return;
    linnet_layer_check_backward(l, t, v);
}

static void run_forward(linnet_layer_check *l, linnet_trial *t, linnet_variant v)
{
    if (l->check->focus && l->check->only_backward && *l->check->only_backward) {
        run_focused_backward(l, t, v);
        return;
    }
    if (!linnet_layer_is_in_focus(l, t) || l->is_dry || !linnet_trial_plan(t) ||
        !linnet_values_saved(l->check, &l->first, &t->candidate) ||
        !linnet_trial_forward(t, &l->operands, -1, &l->first))
        return;
    compare_forward(l, t, &l->first);
    if ((v == LINNET_VARIANT_PLAIN || v == LINNET_VARIANT_FORMAT) && l->fill == LINNET_FILL_RANDOM)
        run_forward_again(l, t, v);
    if (v == LINNET_VARIANT_PLAIN || v == LINNET_VARIANT_NO_GRADIENTS || v == LINNET_VARIANT_FORMAT)
        run_forward_in_place(l, t, v);
    if (v != LINNET_VARIANT_NO_GRADIENTS && !(l->check->only_backward && !*l->check->only_backward))
        linnet_layer_check_backward(l, t, v);
}

static linnet_visit visit_forward(linnet_layer_check *l, uint32_t index, linnet_variant v)
{
    linnet_trial t;
    linnet_visit result = LINNET_VISIT_REFUSED;
    linnet_trial_begin(&t, &l->arena, l->problem, LINNET_FORWARD);
    t.desc.differentiate = v != LINNET_VARIANT_NO_GRADIENTS && !(l->check->focus && l->check->focus->no_gradients);
    linnet_variant_apply(l, &t, v);
    linnet_variant_say(l, "forward", "candidates", v, "");
    linnet_status status = linnet_trial_candidate(&t, index);
    if (status == LINNET_END) {
        result = LINNET_VISIT_END;
    } else if (!status && t.candidate.refusal) {
        if (v == LINNET_VARIANT_PLAIN && l->fill == LINNET_FILL_INTEGER && !l->accepted)
            linnet_check_note(l->check, "%s refuses: %s", t.candidate.name, t.candidate.refusal);
    } else if (!status && linnet_variant_is_kept(l, &t, v) &&
               (!l->check->only || strcmp(l->check->only, t.candidate.name) == 0)) {
        linnet_variant_say(l, "forward", t.candidate.name, v, "");
        l->arena.separate = v == LINNET_VARIANT_EXACT_BUFFERS || v == LINNET_VARIANT_FORMAT_EXACT_BUFFERS;
        result = LINNET_VISIT_RUN;
        run_forward(l, &t, v);
        linnet_arena_reset(&l->arena);
        l->arena.separate = false;
    }
    linnet_trial_end(&t);
    return result;
}

void linnet_layer_visit_all(linnet_layer_check *l, linnet_variant v)
{
    l->accepted = 0;
    for (uint32_t i = 0; i < LINNET_CANDIDATES_AT_MOST; i++) {
        linnet_visit result = visit_forward(l, i, v);
        if (result == LINNET_VISIT_END || l->check->no_memory)
            return;
        l->accepted += result == LINNET_VISIT_RUN;
    }
    linnet_check_fail(l->check, "more than %d candidates: is there no end?", LINNET_CANDIDATES_AT_MOST);
}
