/* SPDX-License-Identifier: Apache-2.0 */
/* Reading from and writing to a session; what it holds. */
#include "profile.h"

#include <stddef.h>
#include <string.h>

static linnet_status check_size(const linnet_session *session, const char *name, uint64_t bytes, size_t given)
{
    if (bytes == given)
        return LINNET_OK;
    return linnet_fail(session->context, LINNET_INVALID, "'%s' has %llu bytes, room for %zu was given", name,
                       (unsigned long long)bytes, given);
}

/* value: of the net, of what is read. out_event: as for a backend's read. */
static linnet_status start_read(linnet_session *session, uint32_t value, uint32_t index, linnet_view view, void *out,
                                uint64_t bytes, linnet_backend_event **out_event)
{
    const linnet_place *place = &session->places[index];
    linnet_profile_begin(session, index);
    linnet_status status =
        linnet_device_check(session->context, place->device,
                            place->device->backend->read(place->queue, view, out, bytes, out_event), "reading");
    if (status != LINNET_OK)
        session->arena_user = NULL;
    return linnet_profile_end(session, status, "read", session->net->values[value].name, bytes);
}

static linnet_status read_view(linnet_session *session, uint32_t value, uint32_t index, linnet_view view, void *out,
                               uint64_t bytes)
{
    return start_read(session, value, index, view, out, bytes, NULL);
}

linnet_status linnet_session_find(linnet_session *session, linnet_value value, uint32_t *out_tensor)
{
    linnet_status status = linnet_session_check(session);
    if (status != LINNET_OK)
        return status;
    const linnet_plan *plan = session->current;
    if (value.id < 1 || value.id > session->net->value_count)
        return linnet_fail(session->context, LINNET_INVALID, "a value that is not of the session's net was read");
    const char *name = session->net->values[value.id - 1].name;
    if (session->net->values[value.id - 1].kind == LINNET_VALUE_PARAMETER)
        return linnet_fail(session->context, LINNET_INVALID, "'%s' is a parameter: linnet_session_get reads it", name);
    if (!plan)
        return linnet_fail(session->context, LINNET_INVALID, "'%s' is read before a forward", name);
    bool exists = false;
    for (size_t i = 0; i < plan->instance_count; i++) {
        uint32_t tensor = plan->instances[i].tensor;
        if (plan->instances[i].value != value.id - 1)
            continue;
        exists = true;
        if (plan->tensors[tensor].readable) {
            *out_tensor = tensor;
            return LINNET_OK;
        }
    }
    return linnet_fail(
        session->context, LINNET_INVALID,
        exists ? "'%s' is not kept after a run: name it with linnet_output or linnet_session_keep"
               : "'%s' was not computed: an input that it needs is not fed, the session is lazy, or it became part of "
                 "another layer: linnet_session_keep",
        name);
}

/* The same, for so many bytes of room. */
static linnet_status find_value_of(linnet_session *session, linnet_value value, size_t bytes, uint32_t *out_tensor)
{
    linnet_status status = linnet_session_find(session, value, out_tensor);
    if (status != LINNET_OK)
        return status;
    return check_size(session, session->net->values[value.id - 1].name, session->current->tensors[*out_tensor].bytes,
                      bytes);
}

linnet_status linnet_session_read(linnet_session *session, linnet_value value, void *out_data, size_t bytes)
{
    uint32_t tensor = LINNET_NONE;
    linnet_status status = find_value_of(session, value, bytes, &tensor);
    if (status != LINNET_OK)
        return status;
    const linnet_plan_tensor *t = &session->current->tensors[tensor];
    return read_view(session, value.id - 1, t->place, linnet_plan_view(session, session->current, tensor), out_data,
                     t->bytes);
}

/* The device writes into memory of the reading's own. Where waiting fails, its driver may still do so: then the reading
   is left to it, and the caller's memory is the caller's. */
struct linnet_reading {
    linnet_session *session;
    const linnet_device *device;
    linnet_backend_event *event; /* NULL: it is done */
    void *out_data;
    size_t bytes;
    max_align_t data[];
};

linnet_status linnet_session_read_later(linnet_session *session, linnet_value value, void *out_data, size_t bytes,
                                        linnet_reading **out_reading)
{
    uint32_t tensor = LINNET_NONE;
    *out_reading = NULL;
    linnet_status status = find_value_of(session, value, bytes, &tensor);
    if (status != LINNET_OK)
        return status;
    linnet_reading *reading = linnet_allocate(1, sizeof *reading + bytes); /* find_value_of checked them */
    if (!reading)
        return linnet_fail(session->context, LINNET_OUT_OF_MEMORY, "no memory to read");
    reading->out_data = out_data;
    reading->bytes = bytes;
    const linnet_plan_tensor *t = &session->current->tensors[tensor];
    reading->session = session;
    reading->device = session->places[t->place].device;
    status = start_read(session, value.id - 1, t->place, linnet_plan_view(session, session->current, tensor),
                        reading->data, bytes, &reading->event);
    if (status == LINNET_OK)
        *out_reading = reading;
    else if (!reading->event)
        linnet_release(reading);
    return status;
}

linnet_status linnet_reading_wait(linnet_reading **handle)
{
    linnet_reading *reading = handle ? *handle : NULL;
    linnet_status status = LINNET_OK;
    if (!reading)
        return LINNET_OK;
    *handle = NULL;
    if (reading->event) {
        const linnet_backend *backend = reading->device->backend;
        status = linnet_device_check(reading->session->context, reading->device, backend->event_wait(reading->event),
                                     "reading");
        backend->event_free(reading->event);
    }
    if (status != LINNET_OK) {
        reading->session->arena_user = NULL;
        return status;
    }
    memcpy(reading->out_data, reading->data, reading->bytes);
    linnet_release(reading);
    return LINNET_OK;
}

static void describe_tensor(const linnet_tensor_desc *desc, linnet_tensor *out)
{
    *out = (linnet_tensor){.type = (linnet_type)desc->type, .rank = desc->rank};
    memcpy(out->dims, desc->dims, desc->rank * sizeof *desc->dims);
}

linnet_status linnet_session_shape(linnet_session *session, linnet_value value, linnet_tensor *out_shape)
{
    uint32_t tensor = LINNET_NONE;
    linnet_status status = linnet_session_find(session, value, &tensor);
    if (status == LINNET_OK)
        describe_tensor(&session->current->tensors[tensor].desc, out_shape);
    return status;
}

static linnet_status read_parameter_gradient(linnet_session *session, uint32_t value, void *out, size_t bytes)
{
    const linnet_variable *variable = &session->variables[session->variable_of[value]];
    const linnet_place *place = &session->places[variable->place];
    linnet_status status = check_size(session, session->net->values[value].name, variable->bytes, bytes);
    if (status != LINNET_OK)
        return status;
    if (variable->gradient_is_zero || !place->gradients) {
        memset(out, 0, bytes);
        return LINNET_OK;
    }
    return read_view(session, value, variable->place,
                     linnet_place_view(place, place->gradients, session->variable_of[value]), out, variable->bytes);
}

linnet_status linnet_session_read_gradient(linnet_session *session, linnet_value value, void *out_data, size_t bytes)
{
    linnet_status status = linnet_session_check(session);
    if (status != LINNET_OK)
        return status;
    if (value.id < 1 || value.id > session->value_count)
        return linnet_fail(session->context, LINNET_INVALID,
                           "the gradient of a value that is not of the session's net was read");
    uint32_t index = value.id - 1;
    if (session->net->values[index].kind == LINNET_VALUE_PARAMETER)
        return read_parameter_gradient(session, index, out_data, bytes);
    const linnet_plan *plan = session->current;
    for (size_t i = 0; plan && i < plan->gradient_instance_count; i++) {
        const linnet_instance *instance = &plan->gradient_instances[i];
        bool differentiated = instance->segment && session->backward_done >> (instance->segment - 1) & 1;
        if (instance->value != index || instance->segment != session->last_segment || !differentiated)
            continue;
        const linnet_plan_tensor *t = &plan->tensors[instance->tensor];
        status = check_size(session, session->net->values[index].name, t->bytes, bytes);
        if (status != LINNET_OK)
            return status;
        return read_view(session, index, t->place, linnet_plan_view(session, plan, instance->tensor), out_data,
                         t->bytes);
    }
    return linnet_fail(
        session->context, LINNET_INVALID,
        "'%s' has no gradient: ask for it with linnet_session_want_gradient before forward, then run backward",
        session->net->values[index].name);
}

/* ---- Variables by name ---- */

linnet_status linnet_session_get(linnet_session *session, const char *name, void *out_data, size_t bytes)
{
    linnet_status status = linnet_session_check(session);
    const linnet_variable *variable = status == LINNET_OK ? linnet_variable_find(session, name) : NULL;
    if (!variable)
        return status != LINNET_OK ? status : LINNET_NOT_FOUND;
    status = check_size(session, name, variable->bytes, bytes);
    if (status != LINNET_OK)
        return status;
    return read_view(session, variable->value, variable->place, linnet_variable_view(session, variable), out_data,
                     variable->bytes);
}

linnet_status linnet_session_set(linnet_session *session, const char *name, const void *data, size_t bytes)
{
    linnet_status status = linnet_session_check(session);
    linnet_variable *variable = status == LINNET_OK ? linnet_variable_find(session, name) : NULL;
    if (!variable)
        return status != LINNET_OK ? status : LINNET_NOT_FOUND;
    status = check_size(session, name, variable->bytes, bytes);
    if (status != LINNET_OK)
        return status;
    const linnet_place *place = &session->places[variable->place];
    variable->version++;
    linnet_host_keep(session, variable, data);
    return linnet_device_check(session->context, place->device,
                               place->device->backend->upload(place->queue, linnet_variable_view(session, variable),
                                                              data, variable->bytes, NULL),
                               "writing a parameter");
}

linnet_status linnet_session_variable(const linnet_session *session, size_t index, const char **out_name,
                                      linnet_tensor *out_shape)
{
    if (!session)
        return linnet_session_check(session);
    if (index >= session->variable_count)
        return LINNET_END;
    const linnet_net_value *value = &session->net->values[session->variables[index].value];
    linnet_tensor_desc desc = linnet_desc_of(&value->shape);
    *out_name = value->name;
    describe_tensor(&desc, out_shape);
    return LINNET_OK;
}

/* ---- What it holds ---- */

linnet_status linnet_session_get_stats(const linnet_session *session, linnet_session_stats *out_stats)
{
    if (!session || !out_stats)
        return linnet_fail(NULL, LINNET_INVALID, "stats need a session, and a place to go");
    linnet_session_stats s = {.struct_size = sizeof s,
                              .plans = session->plan_count,
                              .compiles = session->compiles,
                              .compile_seconds = session->compile_seconds,
                              .check_seconds = session->check_seconds};
    uint32_t size = out_stats->struct_size;
    if (size < sizeof size)
        return linnet_fail(session->context, LINNET_INVALID, "stats.struct_size is %u", size);
    s.fallbacks = session->current ? session->current->fallbacks : 0;
    for (uint32_t p = 0; p < session->place_count; p++) {
        const linnet_place *place = &session->places[p];
        uint64_t bytes = place->parameter_layout.total;
        s.parameter_bytes += bytes + place->state_layout.total;
        s.gradient_bytes += place->gradients ? bytes : 0;
        for (uint32_t i = 0; i < LINNET_MAX_SLOTS; i++)
            s.optimizer_bytes += place->slots[i] ? bytes : 0;
        for (size_t i = 0; i < place->block_count; i++)
            s.arena_bytes += place->block_bytes[i];
    }
    for (size_t i = 0; i < session->packed_count; i++)
        s.packed_bytes += session->packed[i].buffer ? session->packed[i].bytes : 0;
    memcpy(out_stats, &s, size < sizeof s ? size : sizeof s);
    out_stats->struct_size = size;
    return LINNET_OK;
}
