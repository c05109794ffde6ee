/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where variables lie on a place: one after the other in the net's order, each aligned, in buffers no larger than the
 * device allows; a variable for which a buffer has no room left begins the next one. Gradients and the optimiser's
 * slots lie as parameters do, each kind in buffers of its own.
 */
#include "session.h"

#include <string.h>

/* Puts a variable behind the others of its kind. */
static linnet_status append(const linnet_session *session, const linnet_place *place, const linnet_variable *variable,
                            linnet_layout *layout, linnet_spot *out_spot)
{
    const linnet_device *device = place->device;
    uint64_t limit = linnet_device_largest_buffer(device);
    if (variable->bytes > limit)
        return linnet_fail(session->context, LINNET_OUT_OF_MEMORY,
                           "%s: '%s' needs %llu bytes, the device's largest buffer has %llu", device->label,
                           session->net->values[variable->value].name, (unsigned long long)variable->bytes,
                           (unsigned long long)limit);
    uint64_t end = layout->count ? layout->bytes[layout->count - 1] : 0;
    uint64_t offset = linnet_device_align(device, end);
    if (!layout->count || offset > limit || variable->bytes > limit - offset) {
        if (!linnet_grow(&layout->bytes, &layout->capacity, layout->count + 1, sizeof *layout->bytes))
            return linnet_fail(session->context, LINNET_OUT_OF_MEMORY, "no memory for a session");
        layout->count++;
        offset = end = 0;
    }
    *out_spot = (linnet_spot){.buffer = (uint32_t)(layout->count - 1), .offset = offset};
    layout->bytes[layout->count - 1] = offset + variable->bytes;
    layout->total += offset + variable->bytes - end;
    return LINNET_OK;
}

static linnet_status lay_out(const linnet_session *session, linnet_place *place)
{
    if (place->spots)
        return LINNET_OK;
    place->spots = linnet_allocate(session->variable_count, sizeof *place->spots);
    if (!place->spots)
        return linnet_fail(session->context, LINNET_OUT_OF_MEMORY, "no memory for a session");
    linnet_status status = LINNET_OK;
    for (size_t i = 0; i < session->variable_count && status == LINNET_OK; i++) {
        const linnet_variable *variable = &session->variables[i];
        status = append(session, place, variable, variable->is_state ? &place->state_layout : &place->parameter_layout,
                        &place->spots[i]);
    }
    return status;
}

/* ---- The buffers ---- */

static void free_buffers(const linnet_place *place, const linnet_layout *layout, linnet_backend_buffer ***buffers)
{
    for (size_t i = 0; *buffers && i < layout->count; i++)
        place->device->backend->buffer_free((*buffers)[i]);
    linnet_release(*buffers);
    *buffers = NULL;
}

linnet_status linnet_layout_clear(const linnet_session *session, const linnet_place *place, const linnet_layout *layout,
                                  linnet_backend_buffer *const *buffers)
{
    linnet_status status = LINNET_OK;
    for (size_t i = 0; buffers && i < layout->count && status == LINNET_OK; i++)
        status = linnet_device_check(
            session->context, place->device,
            place->device->backend->fill(place->queue, (linnet_view){buffers[i], 0}, 0, layout->bytes[i]),
            "clearing a buffer");
    return status;
}

/* All buffers of one kind, full of zeros, or none. */
static linnet_status new_buffers(const linnet_session *session, const linnet_place *place, const linnet_layout *layout,
                                 linnet_backend_buffer ***out)
{
    const linnet_device *device = place->device;
    if (*out || !layout->count)
        return LINNET_OK;
    *out = linnet_allocate(layout->count, sizeof **out);
    if (!*out)
        return linnet_fail(session->context, LINNET_OUT_OF_MEMORY, "no memory for a session");
    linnet_status status = LINNET_OK;
    for (size_t i = 0; i < layout->count && status == LINNET_OK; i++)
        status = linnet_device_check(session->context, device,
                                     device->backend->buffer_new(device->handle, layout->bytes[i], &(*out)[i]),
                                     "allocating a buffer");
    if (status == LINNET_OK)
        status = linnet_layout_clear(session, place, layout, *out);
    if (status != LINNET_OK)
        free_buffers(place, layout, out);
    return status;
}

linnet_status linnet_place_allocate(const linnet_session *session, linnet_place *place)
{
    linnet_status status = lay_out(session, place);
    if (status == LINNET_OK)
        status = linnet_memory_check_variables(session, place);
    if (status == LINNET_OK)
        status = new_buffers(session, place, &place->parameter_layout, &place->parameters);
    if (status == LINNET_OK)
        status = new_buffers(session, place, &place->state_layout, &place->states);
    if (status == LINNET_OK && session->has_gradients)
        status = new_buffers(session, place, &place->parameter_layout, &place->gradients);
    for (uint32_t i = 0; i < session->slot_count && status == LINNET_OK; i++)
        status = new_buffers(session, place, &place->parameter_layout, &place->slots[i]);
    return status;
}

linnet_status linnet_gradients_allocate(linnet_session *session, uint32_t slot_count)
{
    linnet_status status = LINNET_OK;
    bool had_gradients = session->has_gradients;
    uint32_t had_slots = session->slot_count;
    session->has_gradients = true;
    session->slot_count = slot_count > had_slots ? slot_count : had_slots;
    for (uint32_t p = 0; p < session->place_count && status == LINNET_OK; p++)
        status = linnet_place_allocate(session, &session->places[p]);
    if (status == LINNET_OK)
        return status;
    session->has_gradients = had_gradients;
    session->slot_count = had_slots;
    return status;
}

void linnet_layout_free(linnet_place *place)
{
    free_buffers(place, &place->parameter_layout, &place->parameters);
    free_buffers(place, &place->parameter_layout, &place->gradients);
    for (uint32_t i = 0; i < LINNET_MAX_SLOTS; i++)
        free_buffers(place, &place->parameter_layout, &place->slots[i]);
    free_buffers(place, &place->state_layout, &place->states);
    linnet_release(place->parameter_layout.bytes);
    linnet_release(place->state_layout.bytes);
    linnet_release(place->spots);
}

/* ---- Views ---- */

linnet_view linnet_place_view(const linnet_place *place, linnet_backend_buffer *const *buffers, size_t variable)
{
    const linnet_spot *spot = &place->spots[variable];
    return buffers ? (linnet_view){buffers[spot->buffer], spot->offset} : (linnet_view){0};
}

linnet_view linnet_place_variable(const linnet_session *session, const linnet_place *place, size_t variable)
{
    return linnet_place_view(place, session->variables[variable].is_state ? place->states : place->parameters,
                             variable);
}
