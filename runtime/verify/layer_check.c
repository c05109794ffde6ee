/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every candidate of one case in every way that the contract allows the runtime to use it: with and without gradients,
 * each set of wanted gradients, overwriting and accumulating, in place, strided, in other formats, in exact buffers,
 * and twice for equal bits.
 */
#include "layer_check.h"

#include <stdio.h>
#include <string.h>

bool linnet_layer_is_in_focus(linnet_layer_check *l, linnet_trial *t)
{
    linnet_focus *focus = l->check->focus;
    if (!focus)
        return true;
    linnet_trial_formats(t);
    uint64_t reached = linnet_focus_takes(t);
    l->would |= reached;
    focus->reached |= l->is_dry ? 0 : reached;
    return reached != 0;
}

bool linnet_layer_can_share(linnet_layer_check *l, uint32_t input)
{
    bool equal = linnet_desc_count(&l->problem->inputs[input]) == linnet_desc_count(&l->problem->outputs[0]);
    if (!equal)
        linnet_check_fail(l->check, "claims that input %u and output 0 may share a place, but their sizes differ",
                          input);
    return equal;
}

/* Choices are stored by name. */
static void check_names(linnet_layer_check *l)
{
    const char *names[LINNET_CANDIDATES_AT_MOST];
    linnet_trial t;
    linnet_trial_begin(&t, &l->arena, l->problem, LINNET_FORWARD);
    snprintf(l->check->where, sizeof l->check->where, "forward candidates");
    for (uint32_t i = 0; i < LINNET_CANDIDATES_AT_MOST && linnet_trial_candidate(&t, i) == LINNET_OK; i++) {
        names[i] = t.candidate.name;
        for (uint32_t j = 0; j < i; j++)
            if (strcmp(names[i], names[j]) == 0)
                linnet_check_fail(l->check, "numbers %u and %u are both called '%s'", j, i, names[i]);
    }
    linnet_trial_end(&t);
}

static bool check_fill(linnet_layer_check *l, linnet_arena *reference, linnet_fill fill)
{
    l->fill = fill;
    l->repeats.count = 0;
    linnet_values_fill(&l->operands, l->problem, fill, l->check->seed);
    if (!linnet_expected_compute(reference, l->problem, &l->operands, &l->expected) ||
        !linnet_expected_scale(reference, l->problem, &l->operands, &l->expected, &l->scale))
        return true;
    linnet_layer_visit_all(l, LINNET_VARIANT_PLAIN);
    if (!l->accepted)
        return false;
    if (fill == LINNET_FILL_RANDOM) {
        check_names(l);
        for (linnet_variant v = LINNET_VARIANT_NO_GRADIENTS; v <= LINNET_VARIANT_STRIDED && !l->check->no_memory; v++)
            linnet_layer_visit_all(l, v);
        linnet_layer_visit_formats(l);
    }
    return true;
}

/* Is there something for the focus, as tensors come or in formats? */
static bool would_reach(linnet_layer_check *l, bool in_formats)
{
    const linnet_focus *focus = l->check->focus;
    l->is_dry = true;
    l->would = 0;
    if (in_formats)
        linnet_layer_visit_formats(l);
    else
        linnet_layer_visit_all(l, LINNET_VARIANT_PLAIN);
    l->is_dry = false;
    bool all = focus->reached == linnet_focus_all(focus);
    return focus->is_search && !all && l->fill == LINNET_FILL_INTEGER ? l->would & ~focus->reached : l->would;
}

/* With a focus: as the tensors come, or else in the formats in which that reaches it. */
static bool check_focused(linnet_layer_check *l, linnet_arena *reference, linnet_fill fill)
{
    linnet_focus *focus = l->check->focus;
    l->fill = fill;
    l->repeats.count = 0;
    if (focus->most_multiply_adds && l->problem->multiply_adds > focus->most_multiply_adds)
        return false;
    bool plain = would_reach(l, false);
    if (!plain && !would_reach(l, true))
        return false;
    focus->cases += fill == LINNET_FILL_INTEGER;
    linnet_values_fill(&l->operands, l->problem, fill, l->check->seed);
    if (!linnet_expected_compute(reference, l->problem, &l->operands, &l->expected) ||
        !linnet_expected_scale(reference, l->problem, &l->operands, &l->expected, &l->scale))
        return true;
    if (plain)
        linnet_layer_visit_all(l, LINNET_VARIANT_PLAIN);
    else
        linnet_layer_visit_formats(l);
    return true;
}

static bool values_new(linnet_layer_check *l)
{
    return linnet_values_new(l->problem, &l->operands) && linnet_values_new(l->problem, &l->expected) &&
           linnet_values_new(l->problem, &l->scale) && linnet_values_new(l->problem, &l->first) &&
           linnet_values_new(l->problem, &l->again) && linnet_values_new(l->problem, &l->third);
}

static double bytes_of(const linnet_tensor_desc *descs, uint32_t count)
{
    double sum = 0;
    for (uint32_t i = 0; i < count; i++)
        sum += 4.0 * (double)linnet_desc_count(&descs[i]);
    return sum;
}

/* Six sets of values, and one while magnitudes are computed. Asked for first, and of the machine's memory only half: a
   system that grants more than it has ends the program later. */
static bool has_host_memory(linnet_check *check, const linnet_case *c)
{
    double plain = bytes_of(c->inputs, c->input_count) + bytes_of(c->outputs, c->output_count) +
                   bytes_of(c->parameters, c->parameter_count),
           needed = 7 * (2 * plain + bytes_of(c->states, c->state_count));
    uint64_t there = check->reference->info.memory_bytes / 2;
    if (there == 0)
        return true;
    if (needed <= (double)there) {
        check->memory_left = there - (uint64_t)needed;
        return true;
    }
    check->no_memory++;
    snprintf(check->where, sizeof check->where, "operands");
    linnet_check_fail(check, "at least %.0f bytes are needed to check it, half of the machine's memory are %llu",
                      needed, (unsigned long long)there);
    return false;
}

bool linnet_check_layer(linnet_check *check, const linnet_case *problem)
{
    linnet_layer_check l = {.check = check, .problem = problem};
    linnet_arena reference = {0};
    bool have = true;
    if (!check->device->backend->layer_ops(check->device->handle, problem->layer->kind)) {
        linnet_check_note(check, "the device does not have %s", problem->layer->name);
        return false;
    }
    if (!has_host_memory(check, problem))
        return false;
    bool ready =
        linnet_arena_open(&l.arena, check, check->device) && linnet_arena_open(&reference, check, check->reference);
    if (ready && !values_new(&l))
        linnet_check_memory(check, check->device, LINNET_OUT_OF_MEMORY, "values");
    else if (ready) {
        bool (*fill)(linnet_layer_check *, linnet_arena *, linnet_fill) = check->focus ? check_focused : check_fill;
        have =
            fill(&l, &reference, LINNET_FILL_INTEGER) && !check->no_memory && fill(&l, &reference, LINNET_FILL_RANDOM);
    }
    linnet_values_free(&l.operands);
    linnet_values_free(&l.expected);
    linnet_values_free(&l.scale);
    linnet_values_free(&l.first);
    linnet_values_free(&l.again);
    linnet_values_free(&l.third);
    if (l.arena.device)
        linnet_arena_close(&l.arena);
    if (reference.device)
        linnet_arena_close(&reference);
    return have;
}
