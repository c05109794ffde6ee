/* SPDX-License-Identifier: Apache-2.0 */
/* Which of a device's candidates a step gets: those that accept, less what computes wrong here or needs too much
   memory, and of these the cheapest. */
#include "../core/context.h"
#include "../device/registry.h"
#include "../verify/trust.h"
#include "session.h"

#include <stdio.h>
#include <string.h>

/* Zeroes a candidate and presets its formats to the desc's. */
static void preset(const linnet_layer_desc *desc, linnet_candidate *candidate)
{
    memset(candidate, 0, sizeof *candidate);
    candidate->struct_size = sizeof *candidate;
    for (uint32_t i = 0; i < desc->input_count; i++)
        candidate->input_formats[i] = desc->inputs[i].format;
    for (uint32_t i = 0; i < desc->output_count; i++)
        candidate->output_formats[i] = desc->outputs[i].format;
    for (uint32_t i = 0; i < desc->parameter_count; i++)
        candidate->parameter_formats[i] = desc->parameters[i].format;
}

/* Appends "name: reason; " to a growing note; a note that does not fit in memory is left out. */
static void note_refusal(linnet_plan_step *step, const linnet_candidate *candidate)
{
    bool shared = !step->refusals || (step->refusal && strcmp(step->refusal, candidate->refusal) == 0);
    step->refusal = shared ? candidate->refusal : NULL;
    char *longer = linnet_format("%s%s%s: %s", step->refusals ? step->refusals : "", step->refusals ? "; " : "",
                                 candidate->name ? candidate->name : "?", candidate->refusal);
    if (longer) {
        linnet_release(step->refusals);
        step->refusals = longer;
    }
}

static void take_formats(linnet_plan_step *step)
{
    for (uint32_t i = 0; i < step->desc.input_count; i++)
        step->inputs[i].format = step->candidate.input_formats[i];
    for (uint32_t i = 0; i < step->desc.output_count; i++)
        step->outputs[i].format = step->candidate.output_formats[i];
    for (uint32_t i = 0; i < step->desc.parameter_count; i++)
        step->parameters[i].format = step->candidate.parameter_formats[i];
}

static bool candidate_is_sane(const linnet_candidate *candidate)
{
    return candidate->name && candidate->saved_count <= LINNET_MAX_SAVED && (!candidate->alias || candidate->in_place);
}

/* What speaks against a candidate that the plugin accepts. */
static void refuse(const linnet_compiler *c, const linnet_plan_step *step, linnet_candidate *candidate)
{
    if (candidate->refusal)
        return;
    if (c->context->settings.direct && candidate->numerics > LINNET_NUMERICS_DIRECT)
        candidate->refusal = "LINNET_NUMERICS=direct";
    else if (candidate->name &&
             linnet_trust_is_bad(c->session->places[step->place].device, &step->desc, candidate->name))
        candidate->refusal = "what it gave was not right when it was compared";
}

/* The most bytes that one of these has in a candidate's formats. */
static uint64_t largest_tensor(linnet_compiler *c, uint32_t place, const linnet_tensor_desc *descs, uint32_t count,
                               const uint32_t *formats)
{
    uint64_t largest = 0;
    for (uint32_t i = 0; i < count; i++) {
        linnet_tensor_desc desc = descs[i];
        uint64_t bytes = 0;
        desc.format = formats[i];
        if (linnet_emit_tensor_bytes(c, place, &desc, &bytes) == LINNET_OK && bytes > largest)
            largest = bytes;
    }
    return largest;
}

/* The largest buffer that a candidate asks for. */
static uint64_t largest_buffer(linnet_compiler *c, const linnet_plan_step *step, const linnet_candidate *candidate)
{
    const linnet_layer_desc *d = &step->desc;
    uint64_t bytes[LINNET_MAX_SAVED + 4] = {
        candidate->workspace_bytes,
        largest_tensor(c, step->place, step->inputs, d->input_count, candidate->input_formats),
        largest_tensor(c, step->place, step->outputs, d->output_count, candidate->output_formats),
        largest_tensor(c, step->place, step->parameters, d->parameter_count, candidate->parameter_formats),
    };
    uint32_t count = candidate->saved_count <= LINNET_MAX_SAVED ? 4 + candidate->saved_count : 4;
    for (uint32_t i = 4; i < count; i++)
        bytes[i] = candidate->saved_bytes[i - 4];
    uint64_t largest = 0;
    for (uint32_t i = 0; i < count; i++)
        largest = bytes[i] > largest ? bytes[i] : largest;
    return largest;
}

/* The smallest largest buffer of those that accept, and the smallest workspace: of those whose buffers the device takes
   if there are any. */
static void find_least(linnet_compiler *c, const linnet_plan_step *step, uint64_t most, uint64_t *out_workspace,
                       uint64_t *out_buffer)
{
    linnet_candidate candidate;
    linnet_backend_device *handle = c->session->places[step->place].device->handle;
    *out_workspace = *out_buffer = UINT64_MAX;
    for (uint32_t i = 0;; i++) {
        preset(&step->desc, &candidate);
        if (step->ops->candidate(handle, &step->desc, i, &candidate) != LINNET_OK)
            return;
        refuse(c, step, &candidate);
        if (candidate.refusal)
            continue;
        uint64_t buffer = largest_buffer(c, step, &candidate);
        bool first = buffer <= most && *out_buffer > most, counts = buffer <= most || *out_buffer > most;
        if (first || (counts && candidate.workspace_bytes < *out_workspace))
            *out_workspace = candidate.workspace_bytes;
        *out_buffer = buffer < *out_buffer ? buffer : *out_buffer;
    }
}

/* Was one of those that accept left out because it computes wrong here? */
static bool has_bad(const linnet_compiler *c, const linnet_plan_step *step)
{
    linnet_candidate candidate;
    linnet_device *device = c->session->places[step->place].device;
    for (uint32_t i = 0;; i++) {
        preset(&step->desc, &candidate);
        if (step->ops->candidate(device->handle, &step->desc, i, &candidate) != LINNET_OK)
            return false;
        if (!candidate.refusal && candidate.name && linnet_trust_is_bad(device, &step->desc, candidate.name))
            return true;
    }
}

/* Where memory is short: is there one that needs less beside its operands, or none but buffers that the device takes?
   NULL, or the reason for a refusal. */
static const char *too_large(linnet_compiler *c, const linnet_plan_step *step)
{
    uint64_t most = linnet_device_largest_buffer(c->session->places[step->place].device);
    uint64_t workspace = step->candidate.workspace_bytes, least_workspace, least_buffer;
    bool large_buffer = largest_buffer(c, step, &step->candidate) > most;
    if (workspace <= c->session->workspace_limit && !large_buffer)
        return NULL;
    find_least(c, step, most, &least_workspace, &least_buffer);
    if (large_buffer && least_buffer <= most)
        return "it needs a larger buffer than the device allows";
    return workspace > c->session->workspace_limit && workspace > least_workspace ? "its workspace is too large here"
                                                                                  : NULL;
}

/* Remembers why a step cannot run. */
static void note_all_refused(linnet_compiler *c, const linnet_plan_step *step, const char *reason)
{
    linnet_release(c->refusal);
    c->refusal = linnet_format("%s: %s", step->desc.direction == LINNET_FORWARD ? "forward" : "backward", reason);
}

/* The next candidate that accepts. notes: why others do not goes into the step's refusals. */
static linnet_status find_next(linnet_compiler *c, linnet_plan_step *step, bool notes, uint32_t *index)
{
    const linnet_device *device = c->session->places[step->place].device;
    const char *layer = linnet_layer_find(step->desc.kind)->name;
    const char *direction = step->desc.direction == LINNET_FORWARD ? "forward" : "backward";
    step->ops = device->backend->layer_ops(device->handle, step->desc.kind);
    if (!step->ops) {
        char reason[64];
        snprintf(reason, sizeof reason, "it has no %s", layer);
        note_all_refused(c, step, reason);
        return linnet_fail(c->context, LINNET_UNSUPPORTED, "%s has no %s", device->label, layer);
    }
    linnet_step_bind_desc(step);
    for (;;) {
        preset(&step->desc, &step->candidate);
        linnet_status status = step->ops->candidate(device->handle, &step->desc, (*index)++, &step->candidate);
        if (status == LINNET_END)
            return status;
        if (status != LINNET_OK)
            return linnet_device_check(c->context, device, status, layer);
        refuse(c, step, &step->candidate);
        if (!step->candidate.refusal)
            step->candidate.refusal = too_large(c, step);
        if (step->candidate.refusal) {
            if (notes)
                note_refusal(step, &step->candidate);
            continue;
        }
        if (candidate_is_sane(&step->candidate)) {
            linnet_rivals_meet(c, step);
            return LINNET_OK;
        }
        return linnet_fail(c->context, LINNET_INTERNAL, "%s: %s %s: candidate %u breaks the contract", device->label,
                           layer, direction, *index - 1);
    }
}

linnet_status linnet_emit_next(linnet_compiler *c, linnet_plan_step *step, uint32_t *index)
{
    return find_next(c, step, true, index);
}

double linnet_conversion_cost(double bytes)
{
    return 1 + 2 * bytes / 8e3; /* a launch; read and written, at 8 GB/s */
}

/* Of the conversions between these formats and the candidate's, microseconds. */
double linnet_emit_conversion_cost(const linnet_plan_step *step, const uint32_t *input_formats,
                                   const uint32_t *output_formats)
{
    double cost = 0;
    for (uint32_t i = 0; i < step->desc.input_count; i++)
        if (input_formats[i] != step->candidate.input_formats[i])
            cost += linnet_conversion_cost((double)linnet_desc_count(&step->inputs[i]) * sizeof(float));
    for (uint32_t i = 0; i < step->desc.output_count; i++)
        if (output_formats[i] != step->candidate.output_formats[i])
            cost += linnet_conversion_cost((double)linnet_desc_count(&step->outputs[i]) * sizeof(float));
    return cost;
}

/* Is this candidate better than the best so far? The desc still has the formats that it was asked with. */
static bool is_better(const linnet_plan_step *step, const char *name, bool found, double *least)
{
    uint32_t inputs[LINNET_MAX_INPUTS], outputs[LINNET_MAX_OUTPUTS];
    for (uint32_t i = 0; i < step->desc.input_count; i++)
        inputs[i] = step->inputs[i].format;
    for (uint32_t i = 0; i < step->desc.output_count; i++)
        outputs[i] = step->outputs[i].format;
    double cost = step->candidate.cost + linnet_emit_conversion_cost(step, inputs, outputs);
    if (name && strcmp(name, step->candidate.name) == 0)
        cost = -1; /* the one that was chosen */
    if (found && cost >= *least)
        return false;
    *least = cost;
    return true;
}

typedef struct pick {
    linnet_candidate candidate;
    double time;
    bool found;
} pick;

/* Which of them was measured has to be known before they are compared. While formats are chosen that is seen at the end
   of it. */
static linnet_status meet_all(linnet_compiler *c, linnet_plan_step *step)
{
    linnet_status status = c->formats_are_chosen && c->costs != LINNET_COSTS_ESTIMATED ? LINNET_OK : LINNET_END;
    for (uint32_t index = 0; status == LINNET_OK;)
        status = find_next(c, step, false, &index);
    return status == LINNET_END ? LINNET_OK : status;
}

static bool has_formats_of(const linnet_plan_step *step, const linnet_candidate *other)
{
    const linnet_candidate *own = &step->candidate;
    return memcmp(own->input_formats, other->input_formats, step->desc.input_count * sizeof own->input_formats[0]) ==
               0 &&
           memcmp(own->output_formats, other->output_formats,
                  step->desc.output_count * sizeof own->output_formats[0]) == 0;
}

/* Of the rivals in the formats of what the estimates picked, the one that was measured to be the fastest. It counts
   with the estimate that its formats were picked for. */
static linnet_status take_fastest(linnet_compiler *c, linnet_plan_step *step, pick *p)
{
    linnet_status status = LINNET_OK;
    linnet_candidate first = p->candidate;
    for (uint32_t index = 0; (status = find_next(c, step, false, &index)) == LINNET_OK;)
        if (has_formats_of(step, &first) && step->time > 0 && step->time < p->time)
            *p = (pick){step->candidate, step->time, true};
    p->candidate.cost = first.cost;
    return status == LINNET_END ? LINNET_OK : status;
}

/* The one called name, else the best; not found where all refuse. */
static linnet_status choose_any(linnet_compiler *c, linnet_plan_step *step, const char *name, pick *out)
{
    double least = 0;
    *out = (pick){.found = false};
    linnet_release(step->refusals);
    step->refusals = NULL;
    linnet_status status = meet_all(c, step);
    for (uint32_t index = 0; status == LINNET_OK && (status = find_next(c, step, true, &index)) == LINNET_OK;) {
        if (is_better(step, name, out->found, &least))
            *out = (pick){step->candidate, step->time, true};
        if (step->candidate.cost <= 0 && !name)
            break; /* unknown: the first */
    }
    if (status == LINNET_END)
        status = LINNET_OK;
    bool is_tuned = status == LINNET_OK && !name && out->time > 0 && linnet_rivals_are_settled(c, step);
    if (is_tuned && c->costs == LINNET_COSTS_MIXED)
        status = take_fastest(c, step, out);
    step->is_tuned = is_tuned;
    return status;
}

linnet_status linnet_emit_choose(linnet_compiler *c, linnet_plan_step *step, const char *name)
{
    pick best;
    linnet_status status;
    do /* again where all that computed wrong is now built without the driver's optimisations */
        status = choose_any(c, step, name, &best);
    while (status == LINNET_OK && !best.found && has_bad(c, step) &&
           linnet_trust_plain(c->session->places[step->place].device, step->desc.kind));
    if (status != LINNET_OK)
        return status;
    if (best.found) {
        step->candidate = best.candidate;
        step->time = best.time;
        take_formats(step);
        return LINNET_OK;
    }
    const char *reason = step->refusal ? step->refusal : step->refusals ? step->refusals : "it has no candidates";
    note_all_refused(c, step, reason);
    return linnet_fail(c->context, LINNET_UNSUPPORTED, "%s cannot run %s %s of '%s': %s",
                       c->session->places[step->place].device->label, linnet_layer_find(step->desc.kind)->name,
                       step->desc.direction == LINNET_FORWARD ? "forward" : "backward",
                       step->node == LINNET_NO_NODE ? "" : c->net->nodes[step->node].name, reason);
}
