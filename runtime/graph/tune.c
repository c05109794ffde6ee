/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tuning: a plan is compiled with a recorder that notes every candidate that compiling asks for; each is measured on
 * its device (verify/measure.c) and the time becomes its cost (device/tuner.c). Compiling again then chooses by it.
 */
#include "../device/tuner.h"
#include "../verify/measure.h"
#include "session.h"

#include <stdio.h>
#include <string.h>

#define USUAL_SECONDS 0.02
#define WRONG_COST    1e12 /* microseconds: never the cheapest */
#define UNKNOWN_COST  1e-6 /* while recording: so that every candidate is asked for, where the plugin does not say */

typedef struct linnet_recorder {
    linnet_measured *items;
    uint32_t *places;
    size_t count, capacity, place_capacity;
    bool failed; /* no memory */
} linnet_recorder;

static bool is_recorded(const linnet_recorder *r, uint64_t key, uint32_t place)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->items[i].key == key && r->places[i] == place)
            return true;
    return false;
}

static void record(linnet_recorder *r, const linnet_plan_step *step, const linnet_candidate *candidate, uint64_t key)
{
    if (candidate->alias || is_recorded(r, key, step->place))
        return;
    if (!linnet_grow(&r->items, &r->capacity, r->count + 1, sizeof *r->items) ||
        !linnet_grow(&r->places, &r->place_capacity, r->count + 1, sizeof *r->places)) {
        r->failed = true;
        return;
    }
    linnet_measured *m = &r->items[r->count];
    *m = (linnet_measured){.desc = step->desc, .candidate = *candidate, .key = key};
    m->layer = linnet_tuned_layer(&step->desc);
    m->attributes = step->desc.attributes == &step->own_attributes ? NULL : step->desc.attributes;
    m->own = step->own_attributes;
    memcpy(m->inputs, step->inputs, sizeof m->inputs);
    memcpy(m->outputs, step->outputs, sizeof m->outputs);
    memcpy(m->parameters, step->parameters, sizeof m->parameters);
    memcpy(m->states, step->states, sizeof m->states);
    memcpy(m->epilogue, step->epilogue, sizeof m->epilogue);
    r->places[r->count++] = step->place;
}

void linnet_tune_candidate(linnet_session *session, const linnet_plan_step *step, linnet_candidate *candidate)
{
    uint64_t key = linnet_tuned_key(&step->desc, candidate);
    double measured = linnet_choices_cost(session, step->place, key);
    if (measured > 0)
        candidate->cost = (float)measured;
    if (!session->recorder)
        return;
    record(session->recorder, step, candidate, key);
    if (candidate->cost <= 0)
        candidate->cost = (float)UNKNOWN_COST;
}

bool linnet_tune_has(const linnet_session *session, const linnet_plan_step *step)
{
    return step->type == LINNET_STEP_LAYER &&
           linnet_choices_has(session, step->place, linnet_tuned_key(&step->desc, &step->candidate));
}

/* Plans are stale before and behind the recording one. */
static linnet_status record_plan(linnet_session *session, const linnet_batch *batch, linnet_recorder *recorder)
{
    linnet_plan *plan;
    session->settings_version++;
    session->current = NULL;
    session->recorder = recorder;
    linnet_status status = linnet_session_plan(session, batch, &plan);
    session->recorder = NULL;
    session->settings_version++;
    if (status == LINNET_OK && recorder->failed)
        status = linnet_fail(session->context, LINNET_OUT_OF_MEMORY, "no memory to note what can be measured");
    return status;
}

static void keep(linnet_session *session, const linnet_measured *m, uint32_t place, linnet_tune_report *report)
{
    char label[56];
    bool wrong = m->outcome == LINNET_MEASURED_WRONG;
    if (m->outcome == LINNET_MEASURED_NOT) {
        report->skipped++;
        return;
    }
    report->measured++;
    report->wrong += wrong;
    int length = snprintf(label, sizeof label, "%s %s %.24s", linnet_layer_find(m->desc.kind)->name,
                          m->desc.direction == LINNET_FORWARD ? "forward" : "backward", m->candidate.name);
    if (wrong) {
        linnet_log(session->context, LINNET_LOG_WARNING, "%s: %s does not compute what is right and is left out",
                   session->places[place].device->label, label);
        snprintf(label + length, sizeof label - (size_t)length, " wrong");
    }
    linnet_tuned_set(session->places[place].device, m->key, label, wrong ? WRONG_COST : 1e6 * m->seconds);
}

static bool is_same_layer(const linnet_recorder *r, size_t a, size_t b)
{
    return r->items[a].layer == r->items[b].layer && r->places[a] == r->places[b];
}

static void exchange(linnet_recorder *r, size_t a, size_t b)
{
    linnet_measured item = r->items[a];
    uint32_t place = r->places[a];
    r->items[a] = r->items[b];
    r->places[a] = r->places[b];
    r->items[b] = item;
    r->places[b] = place;
}

/* What is estimated for the cheapest implementation of an item's layer, in the item's direction. */
static float estimate(const linnet_recorder *r, size_t item)
{
    float least = r->items[item].candidate.cost;
    for (size_t i = 0; i < r->count; i++)
        if (is_same_layer(r, i, item) && r->items[i].desc.direction == r->items[item].desc.direction &&
            r->items[i].candidate.cost < least)
            least = r->items[i].candidate.cost;
    return least;
}

/* The layer that takes the most time goes first: where there is no time for all, most is won there. */
static void bring_dearest(linnet_recorder *r, size_t first)
{
    size_t dearest = first;
    float most = estimate(r, first);
    for (size_t i = first + 1; i < r->count; i++) {
        float cost = estimate(r, i);
        if (cost > most) {
            most = cost;
            dearest = i;
        }
    }
    exchange(r, first, dearest);
}

/* Moves those with the layer and the place of item first to the front; how many they are. */
static size_t gather(linnet_recorder *r, size_t first)
{
    size_t end = first + 1;
    for (size_t i = end; i < r->count; i++)
        if (is_same_layer(r, i, first))
            exchange(r, i, end++);
    return end - first;
}

/* Within a layer what is estimated to be cheap goes first. */
static void sort_by_cost(linnet_recorder *r, size_t first, size_t count)
{
    for (size_t i = first + 1; i < first + count; i++)
        for (size_t k = i; k > first && r->items[k].candidate.cost < r->items[k - 1].candidate.cost; k--)
            exchange(r, k, k - 1);
}

/* Where a layer's implementations begin among all. */
typedef struct tuning {
    const linnet_tune_options *options;
    const char *layer;
    size_t first, all;
} tuning;

static bool is_stopped(void *context, size_t done)
{
    const tuning *t = context;
    const linnet_tune_options *o = t->options;
    return o->progress && o->progress(o->context, t->first + done, t->all, t->layer);
}

static linnet_status measure_all(linnet_session *session, linnet_recorder *r, const linnet_tune_options *o,
                                 linnet_tune_report *report)
{
    linnet_status status = LINNET_OK;
    for (size_t i = 0, count; i < r->count && status == LINNET_OK; i += count) {
        bring_dearest(r, i);
        count = gather(r, i);
        sort_by_cost(r, i, count);
        tuning t = {o, linnet_layer_find(r->items[i].desc.kind)->name, i, r->count};
        for (size_t k = 0; k < count; k++)
            linnet_measured_bind(&r->items[i + k]);
        uint32_t before = report->measured;
        status =
            linnet_measure_layer(session->places[r->places[i]].device, &r->items[i], count, o->seconds, is_stopped, &t);
        for (size_t k = 0; k < count && (status == LINNET_OK || status == LINNET_END); k++)
            if (status == LINNET_OK || r->items[i + k].outcome != LINNET_MEASURED_NOT)
                keep(session, &r->items[i + k], r->places[i], report);
        report->layers += status == LINNET_OK || report->measured > before;
    }
    return status;
}

linnet_status linnet_session_tune(linnet_session *session, const linnet_batch *batch,
                                  const linnet_tune_options *options, linnet_tune_report *out_report)
{
    linnet_status status = linnet_session_check(session);
    linnet_tune_options o = {.struct_size = sizeof o};
    linnet_recorder recorder = {.count = 0};
    if (status != LINNET_OK)
        return status;
    if (!out_report || out_report->struct_size < sizeof *out_report ||
        (options && options->struct_size < sizeof *options))
        return linnet_fail(session->context, LINNET_INVALID,
                           "linnet_session_tune: a place for the report and struct_size of both are needed");
    if (options)
        o = *options;
    o.seconds = o.seconds > 0 ? o.seconds : USUAL_SECONDS;
    *out_report = (linnet_tune_report){.struct_size = sizeof *out_report};
    linnet_choices_forget(session);
    status = record_plan(session, batch, &recorder);
    if (status == LINNET_OK)
        status = measure_all(session, &recorder, &o, out_report);
    linnet_choices_forget(session);
    linnet_release(recorder.items);
    linnet_release(recorder.places);
    return status;
}

linnet_status linnet_session_keep_tuning(linnet_session *session)
{
    linnet_status status = linnet_session_check(session);
    for (uint32_t i = 0; i < session->place_count && status == LINNET_OK; i++)
        status = linnet_tuned_save(session->places[i].device);
    return status;
}
