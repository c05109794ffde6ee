/* SPDX-License-Identifier: Apache-2.0 */
/* What a session asked its devices to do, and when they did it. */
#include "profile.h"

enum { MOST_SPANS = 1 << 20 };

/* One piece of work: commands [first, end) of its place's queue. */
typedef struct span {
    linnet_step_info step;
    int64_t index;
    uint32_t place;
    double host_start, host_end;
    uint64_t first, end;
} span;

struct linnet_profile {
    span *spans;
    size_t count, capacity;
    span open;                     /* begun */
    linnet_span_command *commands; /* of the span that is being given away */
    size_t command_capacity;
};

/* A plugin that says what its queue ran; the others have done it when they have finished. */
static bool says_commands(const linnet_place *place)
{
    const linnet_backend *backend = place->device->backend;
    return backend->command_count && backend->command && backend->forget_commands &&
           (place->device->info.capabilities & LINNET_CAPABILITY_TIMESTAMPS);
}

/* ---- Recording ---- */

void linnet_profile_begin(linnet_session *session, uint32_t place)
{
    linnet_profile *profile = session->profile;
    if (!profile)
        return;
    const linnet_place *at = &session->places[place];
    uint64_t first = says_commands(at) ? at->device->backend->command_count(at->queue) : 0;
    profile->open = (span){.index = -1, .place = place, .first = first, .host_start = linnet_now()};
}

/* Ends what is open. Without memory for it, or where the device failed, it is not recorded. */
static linnet_status end_open(linnet_session *session)
{
    linnet_profile *profile = session->profile;
    const linnet_place *at = &session->places[profile->open.place];
    linnet_status status = LINNET_OK;
    if (says_commands(at))
        profile->open.end = at->device->backend->command_count(at->queue);
    else
        status = linnet_device_check(session->context, at->device, at->device->backend->finish(at->queue),
                                     "waiting for the device");
    profile->open.host_end = linnet_now();
    if (profile->count == MOST_SPANS && status == LINNET_OK)
        status = linnet_session_take_profile(session, NULL, NULL);
    if (status == LINNET_OK &&
        linnet_grow(&profile->spans, &profile->capacity, profile->count + 1, sizeof *profile->spans))
        profile->spans[profile->count++] = profile->open;
    return status;
}

linnet_status linnet_profile_end(linnet_session *session, linnet_status status, const char *what, const char *name,
                                 uint64_t bytes)
{
    if (!session->profile || status != LINNET_OK)
        return status;
    session->profile->open.step = (linnet_step_info){.struct_size = sizeof(linnet_step_info),
                                                     .node = name,
                                                     .layer = what,
                                                     .epilogue = "",
                                                     .implementation = "",
                                                     .bytes = bytes};
    return end_open(session);
}

linnet_status linnet_plan_run_timed(linnet_session *session, linnet_plan *plan, uint32_t first, uint32_t end)
{
    linnet_status status = LINNET_OK;
    for (uint32_t i = first; i < end && status == LINNET_OK; i++) {
        linnet_profile_begin(session, plan->steps[i].place);
        status = linnet_step_run(session, plan, &plan->steps[i]);
        if (status != LINNET_OK)
            break;
        linnet_step_describe(session, plan, &plan->steps[i], &session->profile->open.step);
        session->profile->open.index = i;
        status = end_open(session);
    }
    return status;
}

/* ---- Giving away ---- */

/* What the place's clock is behind the host's, in seconds: a command was queued during the call that asked for it. The
   latest of the earliest possible. */
static linnet_status clock_difference(const linnet_session *session, uint32_t place, double *out)
{
    const linnet_profile *profile = session->profile;
    const linnet_place *at = &session->places[place];
    bool found = false;
    linnet_status status = LINNET_OK;
    *out = 0;
    for (size_t i = 0; i < profile->count && status == LINNET_OK; i++) {
        const span *s = &profile->spans[i];
        linnet_command command = {.struct_size = sizeof command};
        if (s->place != place || s->first == s->end)
            continue;
        status = at->device->backend->command(at->queue, s->first, &command);
        double difference = s->host_start - 1e-9 * (double)command.queued;
        if (status == LINNET_OK && (!found || difference > *out))
            *out = difference;
        found = true;
    }
    return linnet_device_check(session->context, at->device, status, "times of commands");
}

/* The span's commands, by the host's clock. */
static linnet_status take_commands(linnet_session *session, const span *s, double difference, linnet_span *out)
{
    linnet_profile *profile = session->profile;
    const linnet_place *at = &session->places[s->place];
    size_t count = (size_t)(s->end - s->first);
    linnet_status status = LINNET_OK;
    if (!linnet_grow(&profile->commands, &profile->command_capacity, count, sizeof *profile->commands))
        return linnet_fail(session->context, LINNET_OUT_OF_MEMORY, "no memory for the times of commands");
    for (size_t i = 0; i < count && status == LINNET_OK; i++) {
        linnet_command command = {.struct_size = sizeof command, .name = ""};
        status = at->device->backend->command(at->queue, s->first + i, &command);
        double start = 1e-9 * (double)command.start + difference, end = 1e-9 * (double)command.end + difference;
        profile->commands[i] = (linnet_span_command){command.name, start, end};
        out->seconds += end - start;
        out->start = i == 0 || start < out->start ? start : out->start;
        out->end = i == 0 || end > out->end ? end : out->end;
    }
    out->commands = profile->commands;
    out->command_count = count;
    return linnet_device_check(session->context, at->device, status, "times of commands");
}

static linnet_status give(linnet_session *session, const span *s, double difference,
                          void (*each)(void *, const linnet_span *), void *context)
{
    const linnet_place *at = &session->places[s->place];
    linnet_span out = {.struct_size = sizeof out,
                       .device = s->place,
                       .label = at->device->label,
                       .step = s->step,
                       .index = s->index,
                       .host_start = s->host_start,
                       .host_end = s->host_end,
                       .start = s->host_start,
                       .end = s->host_start};
    linnet_status status = LINNET_OK;
    if (says_commands(at) && s->first < s->end) {
        status = take_commands(session, s, difference, &out);
    } else if (!says_commands(at)) {
        out.end = s->host_end;
        out.seconds = s->host_end - s->host_start;
    }
    if (status == LINNET_OK)
        each(context, &out);
    return status;
}

void linnet_profile_forget(linnet_session *session)
{
    if (!session->profile)
        return;
    session->profile->count = 0;
    for (uint32_t p = 0; p < session->place_count; p++)
        if (says_commands(&session->places[p]))
            session->places[p].device->backend->forget_commands(session->places[p].queue);
}

linnet_status linnet_session_take_profile(linnet_session *session, void (*each)(void *, const linnet_span *),
                                          void *context)
{
    double differences[LINNET_MAX_PLACES] = {0};
    linnet_status status = linnet_session_finish(session);
    if (status != LINNET_OK || !session->profile)
        return status;
    for (uint32_t p = 0; each && p < session->place_count && status == LINNET_OK; p++)
        if (says_commands(&session->places[p]))
            status = clock_difference(session, p, &differences[p]);
    for (size_t i = 0; each && i < session->profile->count && status == LINNET_OK; i++) {
        const span *s = &session->profile->spans[i];
        status = give(session, s, differences[s->place], each, context);
    }
    linnet_profile_forget(session);
    return status;
}

/* ---- On and off ---- */

/* Another queue with the place's other flags; nothing is under way. */
static linnet_status renew_queue(linnet_session *session, linnet_place *place)
{
    const linnet_backend *backend = place->device->backend;
    linnet_backend_queue *fresh = NULL;
    if (!(place->device->info.capabilities & LINNET_CAPABILITY_TIMESTAMPS))
        return LINNET_OK;
    linnet_status status = linnet_device_check(
        session->context, place->device,
        backend->queue_new(place->device->handle, linnet_profile_queue_flags(session, place->device), &fresh),
        "making a queue");
    if (status != LINNET_OK)
        return status;
    backend->queue_free(place->queue);
    place->queue = fresh;
    return LINNET_OK;
}

uint32_t linnet_profile_queue_flags(const linnet_session *session, const linnet_device *device)
{
    bool timed = session->profile && (device->info.capabilities & LINNET_CAPABILITY_TIMESTAMPS);
    return timed ? LINNET_QUEUE_TIMESTAMPS : 0;
}

linnet_status linnet_session_set_profile(linnet_session *session, int on)
{
    linnet_status status = linnet_session_finish(session);
    if (status != LINNET_OK)
        return status;
    linnet_profile *profile = on ? linnet_allocate(1, sizeof *profile) : NULL;
    if (on && !profile)
        return linnet_fail(session->context, LINNET_OUT_OF_MEMORY, "no memory for a profile");
    linnet_profile_free(session);
    session->profile = profile;
    for (uint32_t p = 0; p < session->place_count && status == LINNET_OK; p++)
        status = renew_queue(session, &session->places[p]);
    if (status != LINNET_OK) /* some queues may have no times: none is asked for them */
        linnet_profile_free(session);
    return status;
}

void linnet_profile_free(linnet_session *session)
{
    if (session->profile) {
        linnet_release(session->profile->spans);
        linnet_release(session->profile->commands);
    }
    linnet_release(session->profile);
    session->profile = NULL;
}
