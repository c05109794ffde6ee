/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device that was lost, opened anew: once in a session's life, and only while the host knows what every variable is,
 * that is, until training changes them. What was set by the caller is copied for that, what was not has its start value
 * drawn again. Devices whose memory is the host's own lose nothing, and nothing is copied.
 */
#include "profile.h"

#include <stdio.h>
#include <string.h>

static bool is_host_visible(const linnet_session *session)
{
    return session->places[0].device->info.capabilities & LINNET_CAPABILITY_HOST_VISIBLE;
}

void linnet_host_forget(linnet_session *session, bool knows)
{
    session->host_knows = knows;
    for (size_t i = 0; i < session->variable_count; i++) {
        linnet_release(session->variables[i].host);
        session->variables[i].host = NULL;
    }
}

void linnet_host_keep(linnet_session *session, linnet_variable *variable, const void *data)
{
    if (!session->host_knows || is_host_visible(session))
        return;
    if (!variable->host)
        variable->host = linnet_allocate(1, variable->bytes);
    if (variable->host)
        memcpy(variable->host, data, variable->bytes);
    else
        linnet_host_forget(session, false); /* it works on, and is lost with its device */
}

/* One that was found by its number; an adopted one's context is not ours to make. Collected gradients would be lost,
   and what a rehearsal keeps aside. */
static bool can_be_rebuilt(const linnet_session *session)
{
    for (size_t i = 0; i < session->variable_count; i++)
        if (!session->variables[i].gradient_is_zero)
            return false;
    return session->host_knows && !session->was_rebuilt && !session->rehearses && !session->profile &&
           !is_host_visible(session) && session->places[0].device->index != UINT32_MAX;
}

static linnet_status fill_variable(const linnet_session *session, const linnet_place *place, uint32_t number)
{
    const linnet_variable *variable = &session->variables[number];
    linnet_view view = linnet_place_variable(session, place, number);
    if (!variable->host)
        return linnet_variable_start(session, place, number);
    return linnet_device_check(
        session->context, place->device,
        place->device->backend->upload(place->queue, view, variable->host, variable->bytes, NULL),
        "writing a parameter");
}

/* A place on the device as it is now, with all variables on it. */
static linnet_status open_again(const linnet_session *session, linnet_place *out)
{
    const linnet_device *lost = session->places[0].device;
    linnet_device *device = linnet_device_open_at(session->context, lost->backend->name, lost->index);
    memset(out, 0, sizeof *out);
    if (!device)
        return linnet_context_last_status(session->context);
    linnet_status status = linnet_place_open(session, device, out);
    linnet_device_close(&device); /* the place keeps its own hold */
    if (status == LINNET_OK)
        status = linnet_place_allocate(session, out);
    for (uint32_t i = 0; i < session->variable_count && status == LINNET_OK; i++)
        status = fill_variable(session, out, i);
    if (status != LINNET_OK)
        linnet_place_free(session, out);
    return status;
}

/* In place of all that was on the lost device, and of other devices, which may have had some of the variables. */
static void install(linnet_session *session, const linnet_place *place)
{
    while (session->plan_count)
        linnet_plan_free(session, session->plans[--session->plan_count]);
    session->current = NULL;
    linnet_derived_free(session);
    linnet_bindings_free(session);
    while (session->place_count)
        linnet_place_free(session, &session->places[--session->place_count]);
    session->places[session->place_count++] = *place;
    linnet_profile_forget(session);
    memset(session->node_place, 0xff, session->node_count * sizeof *session->node_place); /* LINNET_NONE */
    session->sum_place = LINNET_NONE;
    session->arena_generation++;
    session->settings_version++;
    for (size_t i = 0; i < session->variable_count; i++) {
        session->variables[i].place = 0;
        session->variables[i].version++;
        session->variables[i].gradient_is_zero = true;
    }
}

linnet_status linnet_session_rebuild(linnet_session *session)
{
    linnet_place place;
    char loss[512];
    if (!can_be_rebuilt(session))
        return LINNET_DEVICE_LOST;
    session->was_rebuilt = true;
    snprintf(loss, sizeof loss, "%s", linnet_context_message(session->context));
    linnet_log(session->context, LINNET_LOG_WARNING, "%s; it is opened anew, with the weights that the host has", loss);
    if (open_again(session, &place) != LINNET_OK) {
        char again[512];
        snprintf(again, sizeof again, "%s", linnet_context_message(session->context));
        return linnet_fail(session->context, LINNET_DEVICE_LOST, "%.400s; opening it anew: %.400s", loss, again);
    }
    install(session, &place);
    return LINNET_OK;
}
