/* SPDX-License-Identifier: Apache-2.0 */
/* A plan as text or JSON lines: what runs, in which formats, in how many bytes, and what refused. */
#include "../core/text.h"
#include "session.h"

#include <stdio.h>
#include <string.h>

static const char *format_name(const linnet_device *device, uint32_t format)
{
    const char *name = NULL;
    if (format == LINNET_FORMAT_NCHW)
        return "nchw";
    if (format == LINNET_FORMAT_NHWC)
        return "nhwc";
    if (device->backend->format_name)
        name = device->backend->format_name(format);
    return name ? name : "private";
}

/* "[64,6,28,28] nchw16n" */
static const char *tensor_text(const linnet_session *session, const linnet_plan *plan, uint32_t index, char *out,
                               size_t size)
{
    const linnet_plan_tensor *tensor = &plan->tensors[index];
    linnet_shape shape = {.type = (linnet_type)tensor->desc.type, .rank = tensor->desc.rank};
    char dims[160];
    for (uint32_t i = 0; i < shape.rank; i++)
        shape.dims[i] = tensor->desc.dims[i];
    snprintf(out, size, "%s %s", linnet_shape_text(&shape, dims, sizeof dims),
             format_name(session->places[tensor->place].device, tensor->desc.format));
    return out;
}

typedef struct row {
    const char *segment, *node, *layer, *implementation, *refusals;
    char tensors[400];
    uint64_t workspace, saved;
    bool in_place;
} row;

static void name_tensors(const linnet_session *session, const linnet_plan *plan, const linnet_plan_step *step, row *out)
{
    char from[192], to[192];
    const linnet_step_operands *o = &step->operands;
    uint32_t source = step->source, destination = step->destination;
    if (step->type == LINNET_STEP_LAYER || step->type == LINNET_STEP_NOTHING) {
        bool forward = step->desc.direction == LINNET_FORWARD;
        source = forward ? o->inputs[0] : o->output_gradients[0];
        destination = forward ? o->outputs[0] : o->input_gradients[0];
        if (destination == LINNET_NONE)
            for (uint32_t i = 0; i < LINNET_MAX_PARAMETERS && destination == LINNET_NONE; i++)
                destination = o->parameter_gradients[i];
    }
    snprintf(out->tensors, sizeof out->tensors, "%s -> %s",
             source == LINNET_NONE ? "given" : tensor_text(session, plan, source, from, sizeof from),
             destination == LINNET_NONE ? "nothing" : tensor_text(session, plan, destination, to, sizeof to));
}

static bool shares_storage(const linnet_plan *plan, uint32_t a, uint32_t b)
{
    if (a == LINNET_NONE || b == LINNET_NONE || plan->tensors[a].home != LINNET_HOME_ARENA ||
        plan->tensors[b].home != LINNET_HOME_ARENA)
        return false;
    return linnet_plan_storage_root(plan, plan->tensors[a].storage) ==
           linnet_plan_storage_root(plan, plan->tensors[b].storage);
}

/* The texts of a row but its tensors. */
static void name_step(const linnet_session *session, const linnet_plan_step *step, row *out)
{
    static const char *const types[] = {"", "convert", "transfer", "seed", "alias"};
    *out = (row){.segment = step->segment ? "backward" : "forward", .node = "", .refusals = step->refusals};
    if (step->node != LINNET_NO_NODE)
        out->node = session->net->nodes[step->node].name;
    bool layer = step->type == LINNET_STEP_LAYER || step->type == LINNET_STEP_NOTHING;
    out->layer = layer ? linnet_layer_find(step->desc.kind)->name : types[step->type];
    out->implementation = layer ? step->candidate.name : "";
    if (step->type == LINNET_STEP_NOTHING)
        out->implementation = types[step->type];
}

static void fill_row(const linnet_session *session, const linnet_plan *plan, const linnet_plan_step *step, row *out)
{
    const linnet_step_operands *o = &step->operands;
    bool layer = step->type == LINNET_STEP_LAYER || step->type == LINNET_STEP_NOTHING;
    name_step(session, step, out);
    out->workspace = step->candidate.workspace_bytes;
    for (uint32_t i = 0; layer && step->desc.direction == LINNET_FORWARD && i < step->candidate.saved_count; i++)
        out->saved += step->candidate.saved_bytes[i];
    out->in_place = layer && (step->desc.direction == LINNET_FORWARD
                                  ? shares_storage(plan, o->inputs[0], o->outputs[0])
                                  : shares_storage(plan, o->output_gradients[0], o->input_gradients[0]));
    name_tensors(session, plan, step, out);
}

static const char *operator_name(uint32_t op)
{
    switch (op) {
#define LINNET_UNARY_OP(number, NAME, name)                                                                            \
    case number:                                                                                                       \
        return #name;
#include "linnet/layers.def"
    case LINNET_EPILOGUE_ADD:
        return "add";
    }
    return "";
}

void linnet_step_name_epilogue(linnet_plan_step *step)
{
    char *out = step->epilogue_text;
    *out = '\0';
    for (uint32_t i = 0; i < step->desc.epilogue_count; i++) {
        size_t length = strlen(out);
        snprintf(out + length, sizeof step->epilogue_text - length, "%s%s", i ? "+" : "",
                 operator_name(step->epilogue[i].op));
    }
}

void linnet_step_names(const linnet_session *session, const linnet_plan_step *step, linnet_step_info *out_info)
{
    row r;
    name_step(session, step, &r);
    out_info->node = r.node;
    out_info->layer = r.layer;
    out_info->implementation = r.implementation;
    out_info->epilogue = step->epilogue_text;
}

static void append_row(linnet_text *text, const linnet_session *session, const linnet_plan_step *step, const row *r,
                       bool json)
{
    const char *device = session->places[step->place].device->label;
    if (!json) {
        char work[96];
        snprintf(work, sizeof work, "%s%s%s", r->layer, *step->epilogue_text ? "+" : "", step->epilogue_text);
        linnet_text_append(text, "%-8s  %-14s  %-24s  %-22s  %s", r->segment, r->node, work, r->implementation,
                           r->tensors);
        if (r->workspace)
            linnet_text_append(text, "  workspace %llu B", (unsigned long long)r->workspace);
        if (r->saved)
            linnet_text_append(text, "  saved %llu B", (unsigned long long)r->saved);
        if (r->in_place && step->type == LINNET_STEP_LAYER)
            linnet_text_append(text, "  in place");
        if (step->place)
            linnet_text_append(text, "  on %s", device);
        if (step->is_tuned)
            linnet_text_append(text, "  tuned");
        if (r->refusals)
            linnet_text_append(text, "\n%26srefused: %s", "", r->refusals);
        linnet_text_append(text, "\n");
        return;
    }
    const struct {
        const char *key, *value;
    } pairs[] = {{"segment", r->segment},
                 {"node", r->node},
                 {"layer", r->layer},
                 {"epilogue", step->epilogue_text},
                 {"implementation", r->implementation},
                 {"tensors", r->tensors},
                 {"device", device},
                 {"refused", r->refusals ? r->refusals : ""}};
    linnet_text_append(text, "{");
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        linnet_text_append(text, "\"%s\": ", pairs[i].key);
        linnet_text_append_json(text, pairs[i].value);
        linnet_text_append(text, ", ");
    }
    linnet_text_append(text, "\"workspace_bytes\": %llu, \"saved_bytes\": %llu, \"in_place\": %s, \"tuned\": %s}\n",
                       (unsigned long long)r->workspace, (unsigned long long)r->saved, r->in_place ? "true" : "false",
                       step->is_tuned ? "true" : "false");
}

char *linnet_plan_describe(const linnet_session *session, const linnet_plan *plan, bool json)
{
    linnet_text text = {0};
    uint64_t arena = 0;
    for (size_t i = 0; i < plan->step_count; i++) {
        row r;
        fill_row(session, plan, &plan->steps[i], &r);
        append_row(&text, session, &plan->steps[i], &r, json);
    }
    for (size_t p = 0; p < plan->place_count; p++)
        for (size_t b = 0; b < plan->block_counts[p]; b++)
            arena += plan->block_bytes[p][b];
    linnet_text_append(&text, json ? "{\"steps\": %zu, \"arena_bytes\": %llu}\n" : "%zu steps, arena %llu bytes\n",
                       plan->step_count, (unsigned long long)arena);
    return text.data;
}

linnet_status linnet_session_describe(linnet_session *session, const linnet_batch *batch, int json, char **out_text)
{
    linnet_plan *plan;
    *out_text = NULL;
    linnet_status status = linnet_session_check(session);
    if (status == LINNET_OK)
        status = linnet_session_plan(session, batch, &plan);
    if (status != LINNET_OK)
        return status;
    *out_text = linnet_plan_describe(session, plan, json != 0);
    return *out_text ? LINNET_OK : linnet_fail(session->context, LINNET_OUT_OF_MEMORY, "no memory to describe a plan");
}

void linnet_text_free(char **text)
{
    if (!text)
        return;
    linnet_release(*text);
    *text = NULL;
}
