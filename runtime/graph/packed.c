/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is derived from a session's variables for plans to read: packed copies in private formats, and the buffers of
 * folded weights. Plans note what they read while they are compiled; it is allocated when they are first run.
 */
#include "profile.h"

uint32_t linnet_packed_get(linnet_session *session, uint32_t variable, uint32_t place, uint32_t format, uint64_t bytes)
{
    for (uint32_t i = 0; i < session->packed_count; i++) {
        const linnet_packed *p = &session->packed[i];
        if (p->variable == variable && p->place == place && p->format == format)
            return i;
    }
    if (!linnet_grow(&session->packed, &session->packed_capacity, session->packed_count + 1, sizeof *session->packed)) {
        linnet_fail(session->context, LINNET_OUT_OF_MEMORY, "no memory for packed parameters");
        return LINNET_NONE;
    }
    session->packed[session->packed_count] =
        (linnet_packed){.variable = variable, .place = place, .format = format, .bytes = bytes};
    return (uint32_t)session->packed_count++;
}

static linnet_status allocate_packed(linnet_session *session, linnet_packed *packed)
{
    const linnet_device *device = session->places[packed->place].device;
    if (packed->buffer)
        return LINNET_OK;
    session->packed_made++;
    packed->version = 0; /* of no variable: to be filled */
    return linnet_device_check(session->context, device,
                               device->backend->buffer_new(device->handle, packed->bytes, &packed->buffer),
                               "allocating packed parameters");
}

linnet_status linnet_derived_allocate(linnet_session *session, const linnet_plan *plan)
{
    linnet_status status = LINNET_OK;
    for (size_t i = 0; i < plan->packed_count && status == LINNET_OK; i++)
        status = allocate_packed(session, &session->packed[plan->packed[i]]);
    for (size_t i = 0; i < plan->tensor_count && plan->fold_count && status == LINNET_OK; i++)
        if (linnet_tensor_is_folded(session, &plan->tensors[i]))
            status = linnet_fold_keep(session, plan->tensors[i].variable);
    return status;
}

void linnet_packed_empty(linnet_session *session)
{
    for (size_t i = 0; i < session->packed_count; i++) {
        linnet_packed *packed = &session->packed[i];
        session->places[packed->place].device->backend->buffer_free(packed->buffer);
        packed->buffer = NULL;
    }
}

void linnet_derived_free(linnet_session *session)
{
    linnet_packed_empty(session);
    for (size_t i = session->variable_count; i < session->variable_total; i++)
        session->places[session->variables[i].place].device->backend->buffer_free(session->variables[i].own);
    session->packed_count = session->fold_count = 0;
    session->variable_total = session->variable_count;
}

linnet_status linnet_packed_update(linnet_session *session, linnet_packed *packed)
{
    const linnet_variable *variable = &session->variables[packed->variable];
    const linnet_place *place = &session->places[packed->place];
    if (packed->version == variable->version)
        return LINNET_OK;
    linnet_tensor_desc from = linnet_desc_of(&session->net->values[variable->value].shape), to = from;
    to.format = packed->format;
    linnet_profile_begin(session, packed->place);
    linnet_status status =
        linnet_device_check(session->context, place->device,
                            place->device->backend->convert(place->queue, &to, (linnet_view){packed->buffer, 0}, &from,
                                                            linnet_variable_view(session, variable)),
                            "packing a parameter");
    status = linnet_profile_end(session, status, "pack", session->net->values[variable->value].name,
                                variable->bytes + packed->bytes);
    if (status == LINNET_OK)
        packed->version = variable->version;
    return status;
}
