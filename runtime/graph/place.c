/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which device runs which node. A node stays on place 0 when that device has an accepting candidate for everything the
 * plan needs of it, and does the optimiser's steps right; else it goes, with its parameters, to the best other device
 * that has. It never comes back, so that parameters stay where they are.
 */
#include "../core/context.h"
#include "../core/text.h"
#include "../verify/trust.h"
#include "session.h"

#include <stdio.h>
#include <string.h>

/* Has the node parameters that the session's optimiser updates? */
static bool is_trained(const linnet_compiler *c, uint32_t n)
{
    const linnet_node *node = &c->net->nodes[n];
    bool trained = false;
    for (uint32_t i = 0; i < node->parameter_count; i++)
        trained |= !c->net->values[node->parameters[i]].frozen;
    return trained && c->session->settings.optimizer;
}

/* Are the optimiser's steps right where the node's parameters would be? */
static bool steps_are_right(linnet_compiler *c, uint32_t place, uint32_t n)
{
    linnet_device *device = c->session->places[place].device;
    if (!is_trained(c, n) || linnet_trust_optimizer(device, c->session->settings.optimizer))
        return true;
    c->refusal = linnet_format("in training: steps of the optimiser are not right");
    linnet_fail(c->context, LINNET_UNSUPPORTED, "%s: steps of the optimiser are not right", device->label);
    return false;
}

/* Everything a node may be asked for on a place: forward, and backward with all its gradients; and the optimiser's
   steps of its parameters. */
static bool supports(linnet_compiler *c, uint32_t place, const void *subject)
{
    linnet_plan_step step;
    uint32_t n = *(const uint32_t *)subject;
    linnet_release(c->refusal);
    c->refusal = NULL;
    if (!steps_are_right(c, place, n))
        return false;
    linnet_step_draft(c, place, n, &step);
    linnet_emit_describe_node(c, n, LINNET_FORWARD, &step);
    bool good = linnet_emit_choose(c, &step, NULL) == LINNET_OK;
    if (good && step.desc.differentiate) {
        const char *forward = step.candidate.name;
        linnet_emit_describe_node(c, n, LINNET_BACKWARD, &step);
        step.desc.forward = forward;
        const linnet_node *node = &c->net->nodes[n];
        for (uint32_t i = 0; i < node->input_count; i++)
            step.desc.want_inputs |= (node->layer->differentiable_inputs >> i & 1) << i;
        step.desc.want_parameters = (1u << node->parameter_count) - 1;
        good = linnet_emit_choose(c, &step, NULL) == LINNET_OK;
    }
    linnet_release(step.refusals);
    return good;
}

static bool is_in_use(const linnet_session *session, const linnet_device_choice *choice)
{
    for (uint32_t p = 0; p < session->place_count; p++) {
        const linnet_device *device = session->places[p].device;
        if (device->index == choice->index && strcmp(device->backend->name, choice->backend) == 0)
            return true;
    }
    return false;
}

/* A place where the test holds: one in use already, else a device opened now. LINNET_NONE: there is none. */
static uint32_t find_other(linnet_compiler *c, linnet_place_test test, const void *subject)
{
    linnet_session *session = c->session;
    for (uint32_t p = 0; p < session->place_count; p++)
        if (test(c, p, subject))
            return p;
    linnet_device_choice choices[64];
    size_t count = linnet_device_alternatives(c->context, choices, 64);
    for (size_t i = 0; i < count && session->place_count < LINNET_MAX_PLACES; i++) {
        if (is_in_use(session, &choices[i]))
            continue; /* was asked already */
        linnet_device *device = linnet_device_open_at(c->context, choices[i].backend, choices[i].index);
        uint32_t place = device ? linnet_place_add(session, device) : LINNET_NONE;
        linnet_device_close(&device); /* the place keeps its own hold */
        if (place == LINNET_NONE)
            continue;
        if (test(c, place, subject))
            return place;
        linnet_place_free(session, &session->places[--session->place_count]);
    }
    return LINNET_NONE;
}

uint32_t linnet_place_fall_back(linnet_compiler *c, linnet_place_test test, const void *subject)
{
    char reason[768];
    bool never = c->context->settings.fallback == LINNET_FALLBACK_ERROR;
    snprintf(reason, sizeof reason, "%s", linnet_context_message(c->context));
    uint32_t place = never ? LINNET_NONE : find_other(c, test, subject);
    if (place == LINNET_NONE)
        linnet_fail(c->context, LINNET_UNSUPPORTED, "%s%s", reason,
                    never ? " (LINNET_FALLBACK=error)" : "; no other device has it");
    return place;
}

void linnet_place_say(const linnet_compiler *c, const char *why, const char *what, uint32_t place)
{
    linnet_log(c->context, c->context->settings.fallback == LINNET_FALLBACK_WARN ? LINNET_LOG_WARNING : LINNET_LOG_INFO,
               "%s; %s on %s", why, what, c->session->places[place].device->label);
}

/* ---- Nodes that leave their place, told of together where they have the same reason ---- */

typedef struct leaver {
    uint32_t node, from, to;
    char *reason; /* "forward: over 2^31 elements"; NULL: it was told */
} leaver;

typedef struct leavers {
    leaver *items;
    size_t count, capacity;
} leavers;

static linnet_status fall_back(linnet_compiler *c, uint32_t n, uint32_t from, leavers *list)
{
    leaver one = {.node = n, .from = from, .reason = c->refusal};
    if (!one.reason)
        one.reason = linnet_format("(%s)", linnet_context_message(c->context));
    c->refusal = NULL;
    one.to = linnet_place_fall_back(c, supports, &n);
    if (one.to != LINNET_NONE && linnet_grow(&list->items, &list->capacity, list->count + 1, sizeof one)) {
        list->items[list->count++] = one;
        c->session->node_place[n] = one.to;
        return LINNET_OK;
    }
    linnet_release(one.reason);
    return one.to == LINNET_NONE ? linnet_context_last_status(c->context)
                                 : linnet_fail(c->context, LINNET_OUT_OF_MEMORY, "no memory to compile a plan");
}

static bool go_together(const leaver *a, const leaver *b)
{
    return a->from == b->from && a->to == b->to && a->reason && b->reason && strcmp(a->reason, b->reason) == 0;
}

/* The first of a group and those behind it: "2 layers ('conv1', 'relu1')"; the first few by name. */
static size_t name_group(const linnet_compiler *c, const leaver *first, const leaver *end, linnet_text *text)
{
    enum { NAMED = 6 };
    size_t count = 0, named = 0;
    for (const leaver *l = first; l < end; l++)
        count += go_together(first, l);
    if (count > 1)
        linnet_text_append(text, "%zu layers (", count);
    for (const leaver *l = first; l < end && named < NAMED; l++)
        if (go_together(first, l))
            linnet_text_append(text, "%s'%s'", named++ ? ", " : "", c->net->nodes[l->node].name);
    if (count > named)
        linnet_text_append(text, " and %zu more", count - named);
    linnet_text_append(text, count > 1 ? ")" : "");
    return count;
}

static void say_group(const linnet_compiler *c, leaver *first, leaver *end)
{
    linnet_text text = {0};
    linnet_text_append(&text, "%s cannot run ", c->session->places[first->from].device->label);
    size_t count = name_group(c, first, end, &text);
    linnet_text_append(&text, " %s", first->reason);
    if (text.data)
        linnet_place_say(c, text.data, count > 1 ? "they run" : "it runs", first->to);
    linnet_release(text.data);
    for (leaver *l = end; l-- > first;) /* the first one last: the others are compared with it */
        if (go_together(first, l)) {
            linnet_release(l->reason);
            l->reason = NULL;
        }
}

static void say_all(const linnet_compiler *c, leavers *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].reason)
            say_group(c, &list->items[i], list->items + list->count);
    linnet_release(list->items);
}

static bool share_parameter(const linnet_node *a, const linnet_node *b)
{
    for (uint32_t i = 0; i < a->parameter_count; i++)
        for (uint32_t j = 0; j < b->parameter_count; j++)
            if (a->parameters[i] == b->parameters[j])
                return true;
    return false;
}

/* Nodes that share a parameter run together: on the last of their places, so that this comes to an end. */
static bool gather_sharers(linnet_compiler *c, uint32_t n)
{
    bool moved = false;
    linnet_session *session = c->session;
    uint32_t *places = session->node_place;
    for (uint32_t m = 0; m < c->net->node_count; m++) {
        if (places[m] == LINNET_NONE || places[m] >= places[n] ||
            !share_parameter(&c->net->nodes[n], &c->net->nodes[m]))
            continue;
        places[m] = places[n];
        moved = true;
    }
    return moved;
}

static linnet_status place_each(linnet_compiler *c)
{
    leavers list = {0};
    uint32_t *places = c->session->node_place;
    linnet_status status = LINNET_OK;
    for (uint32_t n = 0; n < c->net->node_count && status == LINNET_OK; n++) {
        if (!c->active[n])
            continue;
        places[n] = places[n] == LINNET_NONE ? 0 : places[n];
        status = supports(c, places[n], &n) ? LINNET_OK : fall_back(c, n, places[n], &list);
    }
    say_all(c, &list);
    return status;
}

/* Places every active node; those that follow a shared parameter are checked again. */
static linnet_status decide(linnet_compiler *c)
{
    uint32_t *places = c->session->node_place;
    linnet_status status = place_each(c);
    if (status != LINNET_OK)
        return status;
    bool gathered = false;
    for (uint32_t n = 0; n < c->net->node_count; n++)
        if (places[n] != LINNET_NONE && places[n] != 0 && gather_sharers(c, n)) {
            gathered = true;
            n = (uint32_t)-1; /* start over until nothing moves */
        }
    for (uint32_t n = 0; gathered && n < c->net->node_count; n++)
        if (c->active[n] && !supports(c, places[n], &n))
            return linnet_fail(c->context, LINNET_UNSUPPORTED,
                               "'%s' shares a parameter with a layer on %s, which cannot run it", c->net->nodes[n].name,
                               c->session->places[places[n]].device->label);
    return LINNET_OK;
}

static linnet_status move_variables(linnet_compiler *c, uint32_t n)
{
    linnet_session *session = c->session;
    const linnet_node *node = &c->net->nodes[n];
    linnet_status status = LINNET_OK;
    for (uint32_t i = 0; i < node->parameter_count && status == LINNET_OK; i++)
        status = linnet_variable_move(session, &session->variables[session->variable_of[node->parameters[i]]],
                                      session->node_place[n]);
    for (uint32_t i = 0; i < node->state_count && status == LINNET_OK; i++)
        status = linnet_variable_move(session, &session->variables[session->variable_of[node->states[i]]],
                                      session->node_place[n]);
    return status;
}

linnet_status linnet_compile_place(linnet_compiler *c)
{
    linnet_status status = decide(c);
    for (uint32_t n = 0; n < c->net->node_count && status == LINNET_OK; n++)
        if (c->active[n]) {
            c->node_place[n] = c->session->node_place[n];
            c->plan->fallbacks += c->node_place[n] != 0;
            status = move_variables(c, n);
        }
    return status;
}
