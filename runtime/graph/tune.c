/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tuning: a step is run once for what each layer takes, then a plan is compiled with a recorder that notes every
 * candidate that compiling asks for. Those that have rivals are measured on their device (verify/measure.c), the layers
 * that take the most time first. Compiling again then chooses by the times (rivals.c), which stay with the device
 * (device/tuner.c).
 */
#include "../device/tuner.h"
#include "../verify/measure.h"
#include "session.h"

#include <stdio.h>
#include <string.h>

#define USUAL_SECONDS 0.02

/* What a problem, or a layer with all its problems, takes in a step. */
typedef struct share {
    uint64_t problem;
    uint32_t place;
    double seconds;
} share;

struct linnet_recorder {
    linnet_session *session;
    share *shares; /* each problem of the step */
    size_t share_count, share_capacity;
    linnet_measured *items; /* each candidate */
    share *notes;           /* the item's problem; what its layer takes */
    size_t count, capacity, note_capacity;
    bool failed; /* no memory */
};

/* ---- What a step takes ---- */

static share *find_share(const linnet_recorder *r, uint64_t problem, uint32_t place)
{
    for (size_t i = 0; i < r->share_count; i++)
        if (r->shares[i].problem == problem && r->shares[i].place == place)
            return &r->shares[i];
    return NULL;
}

static void add_span(void *context, const linnet_span *span)
{
    linnet_recorder *r = context;
    const linnet_plan_step *step = span->index < 0 ? NULL : &r->session->current->steps[span->index];
    if (!step || step->type != LINNET_STEP_LAYER)
        return;
    uint64_t problem = linnet_tuned_problem(&step->desc);
    share *s = find_share(r, problem, step->place);
    if (!s) {
        if (!linnet_grow(&r->shares, &r->share_capacity, r->share_count + 1, sizeof *r->shares)) {
            r->failed = true;
            return;
        }
        s = &r->shares[r->share_count++];
        *s = (share){problem, step->place, 0};
    }
    s->seconds += span->seconds;
}

/* ---- What can be measured ---- */

static bool is_recorded(const linnet_recorder *r, uint64_t key, uint32_t place)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->items[i].key == key && r->notes[i].place == place)
            return true;
    return false;
}

void linnet_tune_record(linnet_recorder *r, const linnet_plan_step *step, uint64_t problem, uint64_t key)
{
    if (is_recorded(r, key, step->place))
        return;
    if (!linnet_grow(&r->items, &r->capacity, r->count + 1, sizeof *r->items) ||
        !linnet_grow(&r->notes, &r->note_capacity, r->count + 1, sizeof *r->notes)) {
        r->failed = true;
        return;
    }
    linnet_measured *m = &r->items[r->count];
    *m = (linnet_measured){.desc = step->desc, .candidate = step->candidate, .key = key};
    m->layer = linnet_tuned_layer(&step->desc);
    m->attributes = step->desc.attributes == &step->own_attributes ? NULL : step->desc.attributes;
    m->own = step->own_attributes;
    memcpy(m->inputs, step->inputs, sizeof m->inputs);
    memcpy(m->outputs, step->outputs, sizeof m->outputs);
    memcpy(m->parameters, step->parameters, sizeof m->parameters);
    memcpy(m->states, step->states, sizeof m->states);
    memcpy(m->epilogue, step->epilogue, sizeof m->epilogue);
    r->notes[r->count++] = (share){.problem = problem, .place = step->place};
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

static bool has_rivals(const linnet_recorder *r, size_t item)
{
    for (size_t i = 0; i < r->count; i++)
        if (i != item && r->notes[i].problem == r->notes[item].problem && r->notes[i].place == r->notes[item].place)
            return true;
    return false;
}

static bool is_same_layer(const linnet_recorder *r, size_t a, size_t b)
{
    return r->items[a].layer == r->items[b].layer && r->notes[a].place == r->notes[b].place;
}

/* What the problems of an item's layer take, each counted once. */
static double layer_seconds(const linnet_recorder *r, size_t item)
{
    double sum = 0;
    for (size_t i = 0; i < r->count; i++) {
        size_t first = 0;
        if (!is_same_layer(r, i, item))
            continue;
        while (r->notes[first].problem != r->notes[i].problem || !is_same_layer(r, first, i))
            first++;
        const share *s = first == i ? find_share(r, r->notes[i].problem, r->notes[i].place) : NULL;
        sum += s ? s->seconds : 0;
    }
    return sum;
}

/* Leaves what has rivals; each knows then what its layer takes. */
static bool leave_rivals(linnet_recorder *r)
{
    size_t count = 0;
    bool *stays = linnet_allocate(r->count + 1, sizeof *stays);
    for (size_t i = 0; stays && i < r->count; i++)
        stays[i] = has_rivals(r, i);
    for (size_t i = 0; stays && i < r->count; i++)
        if (stays[i]) {
            r->items[count] = r->items[i];
            r->notes[count++] = r->notes[i];
        }
    r->count = count;
    for (size_t i = 0; i < count; i++)
        r->notes[i].seconds = layer_seconds(r, i);
    linnet_release(stays);
    return stays != NULL;
}

/* ---- Measuring ---- */

static linnet_device *device_of(const linnet_recorder *r, size_t item)
{
    return r->session->places[r->notes[item].place].device;
}

static void keep(linnet_device *device, const linnet_measured *m, linnet_tune_report *report)
{
    char label[56];
    if (m->outcome == LINNET_MEASURED_NOT) {
        report->skipped++;
        return;
    }
    report->measured++;
    int length = snprintf(label, sizeof label, "%s %s %.24s", linnet_layer_find(m->desc.kind)->name,
                          m->desc.direction == LINNET_FORWARD ? "forward" : "backward", m->candidate.name);
    if (m->outcome == LINNET_MEASURED_TIMED) {
        linnet_tuned_set(device, m->key, label, 1e6 * m->seconds);
        return;
    }
    report->wrong++;
    linnet_log(device->context, LINNET_LOG_WARNING, "%s: %s does not compute what is right and is left out",
               device->label, label);
    snprintf(label + length, sizeof label - (size_t)length, " wrong");
    linnet_tuned_set_wrong(device, m->key, label);
}

static void exchange(linnet_recorder *r, size_t a, size_t b)
{
    linnet_measured item = r->items[a];
    share n = r->notes[a];
    r->items[a] = r->items[b];
    r->notes[a] = r->notes[b];
    r->items[b] = item;
    r->notes[b] = n;
}

/* Brings what is still to be measured to the front; how many they are. */
static size_t put_known_last(linnet_recorder *r, bool anew)
{
    size_t end = anew ? r->count : 0;
    for (size_t i = end; i < r->count; i++)
        if (!linnet_tuned_has(device_of(r, i), r->items[i].key))
            exchange(r, i, end++);
    return end;
}

/* The layer that takes the most time goes first: where there is no time for all, most is won there. */
static void bring_dearest(linnet_recorder *r, size_t first, size_t end)
{
    size_t dearest = first;
    for (size_t i = first + 1; i < end; i++)
        if (r->notes[i].seconds > r->notes[dearest].seconds)
            dearest = i;
    exchange(r, first, dearest);
}

/* Moves those with the layer and the place of item first to the front; how many they are. */
static size_t gather(linnet_recorder *r, size_t first, size_t all)
{
    size_t end = first + 1;
    for (size_t i = end; i < all; i++)
        if (is_same_layer(r, i, first))
            exchange(r, i, end++);
    return end - first;
}

/* Within a layer what is estimated to be cheap goes first: the others need not be measured well then. */
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

static linnet_status measure_all(linnet_recorder *r, const linnet_tune_options *o, linnet_tune_report *report)
{
    linnet_status status = LINNET_OK;
    size_t all = put_known_last(r, o->anew);
    report->reused = (uint32_t)(r->count - all);
    for (size_t i = 0, count; i < all && status == LINNET_OK; i += count) {
        bring_dearest(r, i, all);
        count = gather(r, i, all);
        sort_by_cost(r, i, count);
        tuning t = {o, linnet_layer_find(r->items[i].desc.kind)->name, i, all};
        for (size_t k = 0; k < count; k++)
            linnet_measured_bind(&r->items[i + k]);
        uint32_t before = report->measured;
        status = linnet_measure_layer(device_of(r, i), &r->items[i], count, o->seconds, is_stopped, &t);
        for (size_t k = 0; k < count && (status == LINNET_OK || status == LINNET_END); k++)
            if (status == LINNET_OK || r->items[i + k].outcome != LINNET_MEASURED_NOT)
                keep(device_of(r, i), &r->items[i + k], report);
        report->layers += status == LINNET_OK || report->measured > before;
    }
    for (size_t i = 0; i < r->count; i++)
        linnet_tuned_try(device_of(r, i), r->items[i].key);
    return status;
}

linnet_status linnet_session_tune(linnet_session *session, const linnet_batch *batch,
                                  const linnet_tune_options *options, linnet_tune_report *out_report)
{
    linnet_status status = linnet_session_check(session);
    linnet_tune_options o = {.struct_size = sizeof o};
    linnet_recorder recorder = {.session = session};
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
    status = linnet_session_rehearse(session, batch, add_span, &recorder);
    linnet_choices_forget(session);
    if (status == LINNET_OK)
        status = record_plan(session, batch, &recorder);
    if (status == LINNET_OK && !leave_rivals(&recorder))
        status = linnet_fail(session->context, LINNET_OUT_OF_MEMORY, "no memory to note what can be measured");
    if (status == LINNET_OK)
        status = measure_all(&recorder, &o, out_report);
    linnet_choices_forget(session);
    linnet_release(recorder.items);
    linnet_release(recorder.notes);
    linnet_release(recorder.shares);
    return status;
}

/* What was measured is adopted, or was only measured; the file has it in either case. */
static linnet_status settle(linnet_session *session, bool adopt)
{
    linnet_status status = linnet_session_check(session), first = status;
    for (uint32_t i = 0; status == LINNET_OK && i < session->place_count; i++) {
        linnet_status one = linnet_tuned_settle(session->places[i].device, adopt);
        first = first == LINNET_OK ? one : first;
    }
    return first;
}

linnet_status linnet_session_keep_tuning(linnet_session *session)
{
    return settle(session, true);
}

linnet_status linnet_session_drop_tuning(linnet_session *session)
{
    linnet_status status = settle(session, false);
    if (!session)
        return status;
    linnet_choices_forget(session);
    session->settings_version++;
    session->current = NULL;
    return status;
}
