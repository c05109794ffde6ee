/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every candidate of one case in every way that the contract allows the runtime to use it: with and without gradients,
 * each set of wanted gradients, overwriting and accumulating, in place, strided, in other formats, in exact buffers,
 * and twice for equal bits.
 */
#include "harness.h"

#include <stdio.h>
#include <string.h>

typedef enum variant {
    PLAIN,
    NO_GRADIENTS,
    EXACT_BUFFERS,
    STRIDED_INPUTS,
    STRIDED_OUTPUTS,
    STRIDED,
    FORMAT,
    FORMAT_EXACT_BUFFERS
} variant;

enum { STRIDE_GAP = 7, FORMATS_AT_MOST = 16, CANDIDATES_AT_MOST = 64, MASKS_AT_MOST = 16 };

typedef enum visit { VISIT_END, VISIT_REFUSED, VISIT_RUN } visit;

/* One case under one fill. */
typedef struct layer_check {
    linnet_check *check;
    linnet_arena arena;
    const linnet_case *problem;
    linnet_fill fill;
    linnet_values operands, expected, scale, first, again, third;
    uint32_t format; /* of variants FORMAT and FORMAT_EXACT_BUFFERS */
    const char *format_name;
    uint32_t accepted; /* forward candidates of this variant that ran */
    bool is_dry;       /* with a focus: nothing is run */
    uint64_t would;    /* ... but here are the kernels that had been reached */
    linnet_repeats repeats;
} layer_check;

typedef struct wanted {
    uint32_t inputs, parameters;
} wanted;

static bool has_format(variant v)
{
    return v == FORMAT || v == FORMAT_EXACT_BUFFERS;
}

static const char *variant_text(const layer_check *l, variant v)
{
    static const char *const texts[] = {"",
                                        ", without gradients",
                                        ", a buffer per tensor",
                                        ", strided inputs",
                                        ", strided outputs",
                                        ", strided inputs and outputs"};
    return has_format(v) ? l->format_name : texts[v];
}

static void say_where(layer_check *l, const char *direction, const char *candidate, variant v, const char *more)
{
    snprintf(l->check->where, sizeof l->check->where, "%s %s, %s fill%s%s%s%s", direction, candidate,
             l->fill == LINNET_FILL_INTEGER ? "integer" : "random", has_format(v) ? ", format " : "",
             variant_text(l, v), v == FORMAT_EXACT_BUFFERS ? ", a buffer per tensor" : "", more);
}

static void stride_all(linnet_tensor_desc *descs, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (descs[i].rank >= 2 && descs[i].format == LINNET_FORMAT_NCHW)
            descs[i].outer_stride = linnet_desc_count(&descs[i]) / descs[i].dims[0] + STRIDE_GAP;
}

/* Can the device keep this tensor in a format? NHWC is for images, the plugin's own for what it has a size for. */
static bool can_format(const layer_check *l, const linnet_tensor_desc *desc, uint32_t format)
{
    const linnet_backend *backend = l->arena.device->backend;
    linnet_tensor_desc other = *desc;
    uint64_t bytes;
    other.format = format;
    if (desc->type != LINNET_F32 || desc->outer_stride || format == LINNET_FORMAT_NHWC)
        return desc->type == LINNET_F32 && !desc->outer_stride && desc->rank == 4;
    return backend->format_bytes && backend->format_bytes(l->arena.device->handle, &other, &bytes) == LINNET_OK;
}

static void format_all(const layer_check *l, linnet_tensor_desc *descs, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (can_format(l, &descs[i], l->format))
            descs[i].format = l->format;
}

static void apply_variant(const layer_check *l, linnet_trial *t, variant v)
{
    if (v == STRIDED_INPUTS || v == STRIDED)
        stride_all(t->inputs, t->desc.input_count);
    if (v == STRIDED_OUTPUTS || v == STRIDED)
        stride_all(t->outputs, t->desc.output_count);
    if (has_format(v)) {
        format_all(l, t->inputs, t->desc.input_count);
        format_all(l, t->outputs, t->desc.output_count);
    }
}

/* Did the candidate take what makes the variant one? A strided tensor stays NCHW; a format is used by someone. */
static bool candidate_keeps(const layer_check *l, const linnet_trial *t, variant v)
{
    bool used = false, changed = false;
    for (uint32_t i = 0; i < t->desc.input_count; i++) {
        used |= t->candidate.input_formats[i] == l->format;
        changed |= t->inputs[i].outer_stride && t->candidate.input_formats[i] != LINNET_FORMAT_NCHW;
    }
    for (uint32_t i = 0; i < t->desc.output_count; i++) {
        used |= t->candidate.output_formats[i] == l->format;
        changed |= t->outputs[i].outer_stride && t->candidate.output_formats[i] != LINNET_FORMAT_NCHW;
    }
    return has_format(v) ? used : !changed;
}

static void compare_forward(layer_check *l, const linnet_trial *t, const linnet_values *got)
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

static void compare_backward(layer_check *l, const linnet_trial *t, uint32_t forward_numerics, const linnet_values *got,
                             uint32_t accumulate_inputs, uint32_t accumulate_parameters)
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

/* ---- Backward ---- */

/* The sets of gradients to ask for. Split layers are asked for inputs and parameters apart; all of both is allowed to
 * be refused. */
static uint32_t list_wanted(const layer_check *l, variant v, wanted *out)
{
    const linnet_case *c = l->problem;
    uint32_t inputs = c->layer->differentiable_inputs & (uint32_t)((UINT64_C(1) << c->input_count) - 1);
    uint32_t parameters = (1u << c->parameter_count) - 1, count = 0;
    bool split = c->layer->split_backward && parameters, all_masks = v == PLAIN && l->fill == LINNET_FILL_RANDOM;
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

/* Two tensors can share a place only when they are equally large. */
static bool can_share(layer_check *l, uint32_t input)
{
    bool equal = linnet_desc_count(&l->problem->inputs[input]) == linnet_desc_count(&l->problem->outputs[0]);
    if (!equal)
        linnet_check_fail(l->check, "claims that input %u and output 0 may share a place, but their sizes differ",
                          input);
    return equal;
}

static void run_in_place(layer_check *l, linnet_trial *t, const linnet_values *operands, variant v, uint32_t numerics)
{
    for (uint32_t i = 0; i < l->problem->input_count; i++) {
        if (!(t->candidate.in_place >> i & 1) || !(t->desc.want_inputs >> i & 1))
            continue;
        say_where(l, "backward", t->candidate.name, v, t->candidate.alias ? ", alias" : ", in place");
        if (!can_share(l, i))
            continue;
        if (t->candidate.alias)
            memcpy(l->again.input_gradients[i], operands->output_gradients[0],
                   (size_t)linnet_desc_count(&l->problem->inputs[i]) * sizeof(float));
        else if (!linnet_trial_backward(t, operands, 0, 0, (int32_t)i, &l->again))
            continue;
        compare_backward(l, t, numerics, &l->again, 0, 0);
    }
}

static void run_backward_again(layer_check *l, linnet_trial *t, const linnet_values *operands, variant v)
{
    const linnet_case *c = l->problem;
    say_where(l, "backward", t->candidate.name, v, ", run again");
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
static void run_backward(layer_check *l, linnet_trial *t, const linnet_values *operands, variant v, uint32_t numerics)
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
        say_where(l, "backward", t->candidate.name, v, modes[i].text);
        if (!linnet_trial_backward(t, operands, modes[i].inputs, modes[i].parameters, -1, &l->again))
            continue;
        compare_backward(l, t, numerics, &l->again, modes[i].inputs, modes[i].parameters);
    }
    if (v != PLAIN && v != FORMAT)
        return;
    if (l->fill == LINNET_FILL_RANDOM)
        run_backward_again(l, t, operands, v);
    run_in_place(l, t, operands, v, numerics);
}

/* Notes what it reaches, or that it would. */
static bool is_in_focus(layer_check *l, linnet_trial *t)
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

static visit visit_backward(layer_check *l, const linnet_trial *forward, const linnet_values *operands, uint32_t index,
                            const wanted *want, variant v)
{
    linnet_trial t;
    visit result = VISIT_REFUSED;
    linnet_trial_begin(&t, &l->arena, l->problem, LINNET_BACKWARD);
    t.desc.differentiate = 1;
    t.desc.forward = forward->candidate.name;
    t.desc.want_inputs = want->inputs;
    t.desc.want_parameters = want->parameters;
    for (uint32_t i = 0; i < t.desc.input_count; i++)
        t.inputs[i].format = forward->inputs[i].format;
    for (uint32_t i = 0; i < t.desc.output_count; i++)
        t.outputs[i].format = forward->outputs[i].format;
    apply_variant(l, &t, v);
    say_where(l, "backward", "candidates", v, "");
    linnet_status status = linnet_trial_candidate(&t, index);
    if (status == LINNET_END)
        result = VISIT_END;
    else if (!status && !t.candidate.refusal && candidate_keeps(l, &t, v) &&
             !(l->problem->epilogue_count && t.candidate.reads_outputs)) {
        say_where(l, "backward", t.candidate.name, v, "");
        result = VISIT_RUN;
        if (l->problem->layer->kind == LINNET_LAYER_UNARY && (t.candidate.reads_inputs || t.candidate.reads_saved))
            linnet_check_fail(l->check, "the gradient of a unary layer may read only its output");
        bool chosen = !l->check->only_backward || strcmp(l->check->only_backward, t.candidate.name) == 0;
        chosen = chosen && is_in_focus(l, &t);
        if (chosen && !l->is_dry && !linnet_is_repeated(&l->repeats, &t, v == FORMAT ? PLAIN : v) &&
            linnet_trial_plan(&t))
            run_backward(l, &t, operands, v, forward->candidate.numerics);
    }
    linnet_trial_end(&t);
    return result;
}

static void check_backward(layer_check *l, const linnet_trial *forward, variant v)
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
        visit result = VISIT_REFUSED;
        if (!masks[m].inputs && !masks[m].parameters)
            continue;
        for (uint32_t i = 0; i < CANDIDATES_AT_MOST && result != VISIT_END; i++) {
            result = visit_backward(l, forward, &operands, i, &masks[m], v);
            accepted += result == VISIT_RUN;
        }
        if (!accepted && v == PLAIN && !l->is_dry) {
            say_where(l, "backward of", forward->candidate.name, v, "");
            linnet_check_fail(l->check, "no implementation gives the gradients of inputs %#x and parameters %#x",
                              masks[m].inputs, masks[m].parameters);
        }
    }
}

/* ---- Forward ---- */

static void run_forward_again(layer_check *l, linnet_trial *t, variant v)
{
    const linnet_case *c = l->problem;
    say_where(l, "forward", t->candidate.name, v, ", run again");
    if (!linnet_trial_forward(t, &l->operands, -1, &l->again))
        return;
    for (uint32_t i = 0; i < c->output_count; i++)
        linnet_compare_bits(l->check, "output", i, &c->outputs[i], l->again.outputs[i], l->first.outputs[i]);
    for (uint32_t i = 0; i < c->state_count; i++)
        linnet_compare_bits(l->check, "state", i, &c->states[i], l->again.states[i], l->first.states[i]);
}

static void run_forward_in_place(layer_check *l, linnet_trial *t, variant v)
{
    for (uint32_t i = 0; i < l->problem->input_count; i++) {
        if (!(t->candidate.in_place >> i & 1))
            continue;
        say_where(l, "forward", t->candidate.name, v, t->candidate.alias ? ", alias" : ", in place");
        if (!can_share(l, i))
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
static void take_expected(layer_check *l)
{
    const linnet_case *c = l->problem;
    for (uint32_t i = 0; i < c->output_count; i++)
        memcpy(l->first.outputs[i], l->expected.outputs[i], (size_t)linnet_desc_count(&c->outputs[i]) * sizeof(float));
    for (uint32_t i = 0; i < c->state_count; i++)
        memcpy(l->first.states[i], l->expected.states[i], (size_t)linnet_desc_count(&c->states[i]) * sizeof(float));
}

/* What goes back, where that is in the focus; forward runs only where something is saved by it. */
static void run_focused_backward(layer_check *l, linnet_trial *t, variant v)
{
    bool was_dry = l->is_dry;
    linnet_trial_formats(t);
    l->first.saved_count = 0;
    l->is_dry = true;
    l->would = was_dry ? l->would : 0;
    check_backward(l, t, v);
    l->is_dry = was_dry;
    if (l->is_dry || !l->would || !linnet_values_saved(&l->first, &t->candidate))
        return;
    if (t->candidate.saved_count == 0)
        take_expected(l);
    else if (!linnet_trial_plan(t) || !linnet_trial_forward(t, &l->operands, -1, &l->first))
        return;
    check_backward(l, t, v);
}

static void run_forward(layer_check *l, linnet_trial *t, variant v)
{
    if (l->check->focus && l->check->only_backward && *l->check->only_backward) {
        run_focused_backward(l, t, v);
        return;
    }
    if (!is_in_focus(l, t) || l->is_dry || !linnet_trial_plan(t) || !linnet_values_saved(&l->first, &t->candidate) ||
        !linnet_trial_forward(t, &l->operands, -1, &l->first))
        return;
    compare_forward(l, t, &l->first);
    if ((v == PLAIN || v == FORMAT) && l->fill == LINNET_FILL_RANDOM)
        run_forward_again(l, t, v);
    if (v == PLAIN || v == NO_GRADIENTS || v == FORMAT)
        run_forward_in_place(l, t, v);
    if (v != NO_GRADIENTS && !(l->check->only_backward && !*l->check->only_backward))
        check_backward(l, t, v);
}

static visit visit_forward(layer_check *l, uint32_t index, variant v)
{
    linnet_trial t;
    visit result = VISIT_REFUSED;
    linnet_trial_begin(&t, &l->arena, l->problem, LINNET_FORWARD);
    t.desc.differentiate = v != NO_GRADIENTS && !(l->check->focus && l->check->focus->no_gradients);
    apply_variant(l, &t, v);
    say_where(l, "forward", "candidates", v, "");
    linnet_status status = linnet_trial_candidate(&t, index);
    if (status == LINNET_END) {
        result = VISIT_END;
    } else if (!status && t.candidate.refusal) {
        if (v == PLAIN && l->fill == LINNET_FILL_INTEGER && !l->accepted)
            linnet_check_note(l->check, "%s refuses: %s", t.candidate.name, t.candidate.refusal);
    } else if (!status && candidate_keeps(l, &t, v) &&
               (!l->check->only || strcmp(l->check->only, t.candidate.name) == 0)) {
        say_where(l, "forward", t.candidate.name, v, "");
        l->arena.separate = v == EXACT_BUFFERS || v == FORMAT_EXACT_BUFFERS;
        result = VISIT_RUN;
        run_forward(l, &t, v);
        linnet_arena_reset(&l->arena);
        l->arena.separate = false;
    }
    linnet_trial_end(&t);
    return result;
}

/* Choices are stored by name. */
static void check_names(layer_check *l)
{
    const char *names[CANDIDATES_AT_MOST];
    linnet_trial t;
    linnet_trial_begin(&t, &l->arena, l->problem, LINNET_FORWARD);
    snprintf(l->check->where, sizeof l->check->where, "forward candidates");
    for (uint32_t i = 0; i < CANDIDATES_AT_MOST && linnet_trial_candidate(&t, i) == LINNET_OK; i++) {
        names[i] = t.candidate.name;
        for (uint32_t j = 0; j < i; j++)
            if (strcmp(names[i], names[j]) == 0)
                linnet_check_fail(l->check, "numbers %u and %u are both called '%s'", j, i, names[i]);
    }
    linnet_trial_end(&t);
}

static void visit_all(layer_check *l, variant v)
{
    l->accepted = 0;
    for (uint32_t i = 0; i < CANDIDATES_AT_MOST; i++) {
        visit result = visit_forward(l, i, v);
        if (result == VISIT_END)
            return;
        l->accepted += result == VISIT_RUN;
    }
    linnet_check_fail(l->check, "more than %d candidates: is there no end?", CANDIDATES_AT_MOST);
}

/* There and back, from a place full of poison: the same bits. */
static void check_convert(layer_check *l, const linnet_tensor_desc *dense)
{
    const linnet_backend *backend = l->arena.device->backend;
    linnet_tensor_desc other = *dense;
    uint64_t bytes = 0;
    other.format = l->format;
    linnet_arena_reset(&l->arena);
    snprintf(l->check->where, sizeof l->check->where, "convert to %s and back", l->format_name);
    if (!linnet_check_status(l->check, l->arena.device, backend->format_bytes(l->arena.device->handle, &other, &bytes),
                             "format_bytes"))
        return;
    int32_t from = linnet_arena_tensor(&l->arena, dense, l->operands.inputs[0]);
    int32_t there = linnet_arena_bytes(&l->arena, bytes, NULL), back = linnet_arena_tensor(&l->arena, dense, NULL);
    if (!linnet_arena_upload(&l->arena))
        return;
    l->check->result->runs++;
    linnet_status status = backend->convert(l->arena.queue, &other, linnet_arena_view(&l->arena, there), dense,
                                            linnet_arena_view(&l->arena, from));
    if (!status)
        status = backend->convert(l->arena.queue, dense, linnet_arena_view(&l->arena, back), &other,
                                  linnet_arena_view(&l->arena, there));
    if (!linnet_check_status(l->check, l->arena.device, status, "convert") || !linnet_arena_download(&l->arena))
        return;
    linnet_arena_values(&l->arena, back, l->again.inputs[0]);
    linnet_compare_bits(l->check, "input", 0, dense, l->again.inputs[0], l->operands.inputs[0]);
}

/* The same by way of another format of the plugin's own, where it converts between the two. */
static void check_convert_between(layer_check *l, const linnet_tensor_desc *dense, uint32_t second)
{
    const linnet_backend *backend = l->arena.device->backend;
    linnet_tensor_desc descs[] = {*dense, *dense, *dense, *dense};
    uint64_t bytes[2] = {0, 0};
    int32_t at[4];
    descs[1].format = l->format;
    descs[2].format = second;
    linnet_arena_reset(&l->arena);
    snprintf(l->check->where, sizeof l->check->where, "convert to %s, to %s and back", l->format_name,
             backend->format_name(second));
    for (int i = 0; i < 2; i++)
        if (backend->format_bytes(l->arena.device->handle, &descs[1 + i], &bytes[i]))
            return;
    at[0] = linnet_arena_tensor(&l->arena, dense, l->operands.inputs[0]);
    at[1] = linnet_arena_bytes(&l->arena, bytes[0], NULL);
    at[2] = linnet_arena_bytes(&l->arena, bytes[1], NULL);
    at[3] = linnet_arena_tensor(&l->arena, dense, NULL);
    if (!linnet_arena_upload(&l->arena))
        return;
    linnet_status status = LINNET_OK;
    for (int i = 0; i < 3 && !status; i++) {
        status = backend->convert(l->arena.queue, &descs[i + 1], linnet_arena_view(&l->arena, at[i + 1]), &descs[i],
                                  linnet_arena_view(&l->arena, at[i]));
        if (i == 1 && status == LINNET_UNSUPPORTED)
            return;
    }
    l->check->result->runs++;
    if (!linnet_check_status(l->check, l->arena.device, status, "convert") || !linnet_arena_download(&l->arena))
        return;
    linnet_arena_values(&l->arena, at[3], l->again.inputs[0]);
    linnet_compare_bits(l->check, "input", 0, dense, l->again.inputs[0], l->operands.inputs[0]);
}

/* NHWC and each of the plugin's own formats that can hold the case's first input. */
static void visit_formats(layer_check *l)
{
    const linnet_backend *backend = l->arena.device->backend;
    for (uint32_t i = 0; i < FORMATS_AT_MOST && backend->convert; i++) {
        l->format = i == 0 ? LINNET_FORMAT_NHWC : LINNET_FORMAT_PRIVATE + i - 1;
        l->format_name = i == 0 ? "nhwc" : backend->format_name ? backend->format_name(l->format) : NULL;
        if (!l->format_name || !can_format(l, &l->problem->inputs[0], l->format))
            continue;
        if (l->check->focus) {
            visit_all(l, FORMAT);
            continue;
        }
        if (i > 0)
            check_convert(l, &l->problem->inputs[0]);
        for (uint32_t j = 1; j < FORMATS_AT_MOST && i > 0; j++) {
            uint32_t second = LINNET_FORMAT_PRIVATE + j - 1;
            if (j != i && backend->format_name && backend->format_name(second) &&
                can_format(l, &l->problem->inputs[0], second))
                check_convert_between(l, &l->problem->inputs[0], second);
        }
        visit_all(l, FORMAT);
        visit_all(l, FORMAT_EXACT_BUFFERS);
    }
}

static bool check_fill(layer_check *l, linnet_arena *reference, linnet_fill fill)
{
    l->fill = fill;
    l->repeats.count = 0;
    linnet_values_fill(&l->operands, l->problem, fill, l->check->seed);
    if (!linnet_expected_compute(reference, l->problem, &l->operands, &l->expected) ||
        !linnet_expected_scale(reference, l->problem, &l->operands, &l->expected, &l->scale))
        return true;
    visit_all(l, PLAIN);
    if (!l->accepted)
        return false;
    if (fill == LINNET_FILL_RANDOM) {
        check_names(l);
        for (variant v = NO_GRADIENTS; v <= STRIDED; v++)
            visit_all(l, v);
        visit_formats(l);
    }
    return true;
}

/* Is there something for the focus, as tensors come or in formats? */
static bool would_reach(layer_check *l, bool in_formats)
{
    const linnet_focus *focus = l->check->focus;
    l->is_dry = true;
    l->would = 0;
    if (in_formats)
        visit_formats(l);
    else
        visit_all(l, PLAIN);
    l->is_dry = false;
    bool all = focus->reached == linnet_focus_all(focus);
    return focus->is_search && !all && l->fill == LINNET_FILL_INTEGER ? l->would & ~focus->reached : l->would;
}

/* With a focus: as the tensors come, or else in the formats in which that reaches it. */
static bool check_focused(layer_check *l, linnet_arena *reference, linnet_fill fill)
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
        visit_all(l, PLAIN);
    else
        visit_formats(l);
    return true;
}

static bool values_new(layer_check *l)
{
    return linnet_values_new(l->problem, &l->operands) && linnet_values_new(l->problem, &l->expected) &&
           linnet_values_new(l->problem, &l->scale) && linnet_values_new(l->problem, &l->first) &&
           linnet_values_new(l->problem, &l->again) && linnet_values_new(l->problem, &l->third);
}

bool linnet_check_layer(linnet_check *check, const linnet_case *problem)
{
    layer_check l = {.check = check, .problem = problem};
    linnet_arena reference = {0};
    bool have = true;
    if (!check->device->backend->layer_ops(check->device->handle, problem->layer->kind)) {
        linnet_check_note(check, "the device does not have %s", problem->layer->name);
        return false;
    }
    bool ready =
        linnet_arena_open(&l.arena, check, check->device) && linnet_arena_open(&reference, check, check->reference);
    if (ready && !values_new(&l))
        linnet_check_status(check, check->device, LINNET_OUT_OF_MEMORY, "values");
    else if (ready) {
        bool (*fill)(layer_check *, linnet_arena *, linnet_fill) = check->focus ? check_focused : check_fill;
        have = fill(&l, &reference, LINNET_FILL_INTEGER) && fill(&l, &reference, LINNET_FILL_RANDOM);
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
