/* SPDX-License-Identifier: Apache-2.0 */
/* Inputs and outputs in memory that the caller has on the session's device. */
#include "session.h"

#include <string.h>

static linnet_status wrap(const linnet_session *session, const linnet_place *place, void *object,
                          linnet_backend_buffer **out, uint64_t *out_bytes)
{
    const linnet_backend *backend = place->device->backend;
    if (!backend->buffer_wrap)
        return linnet_fail(session->context, LINNET_UNSUPPORTED, "%s takes no memory of others", place->device->label);
    return linnet_device_check(session->context, place->device,
                               backend->buffer_wrap(place->device->handle, object, out, out_bytes),
                               "taking the caller's memory");
}

static linnet_status check_room(const linnet_session *session, uint32_t value, uint64_t size, uint64_t offset,
                                uint64_t bytes)
{
    if (offset <= size && bytes <= size - offset)
        return LINNET_OK;
    return linnet_fail(session->context, LINNET_INVALID, "'%s' needs %llu bytes at %llu of memory that has %llu",
                       session->net->values[value].name, (unsigned long long)bytes, (unsigned long long)offset,
                       (unsigned long long)size);
}

/* ---- Inputs ---- */

static void free_binding(const linnet_session *session, const linnet_binding *binding)
{
    session->places[0].device->backend->buffer_free(binding->buffer);
}

void linnet_bindings_free(linnet_session *session)
{
    for (size_t i = 0; i < session->binding_count; i++)
        free_binding(session, &session->bindings[i]);
    linnet_release(session->bindings);
    session->bindings = NULL;
    session->binding_count = session->binding_capacity = 0;
}

const linnet_binding *linnet_binding_of(const linnet_session *session, uint32_t value)
{
    for (size_t i = 0; i < session->binding_count; i++)
        if (session->bindings[i].value == value)
            return &session->bindings[i];
    return NULL;
}

static void unbind(linnet_session *session, uint32_t value)
{
    for (size_t i = 0; i < session->binding_count; i++)
        if (session->bindings[i].value == value) {
            free_binding(session, &session->bindings[i]);
            session->bindings[i] = session->bindings[--session->binding_count];
            return;
        }
}

/* A binding fails as a whole: the input then stays bound as it was. */
static linnet_status bind(linnet_session *session, uint32_t value, void *object, uint64_t offset)
{
    linnet_binding binding = {.value = value, .offset = offset};
    if (!linnet_grow(&session->bindings, &session->binding_capacity, session->binding_count + 1,
                     sizeof *session->bindings))
        return linnet_fail(session->context, LINNET_OUT_OF_MEMORY, "no memory to bind an input");
    linnet_status status = wrap(session, &session->places[0], object, &binding.buffer, &binding.bytes);
    if (status != LINNET_OK)
        return status;
    unbind(session, value);
    session->bindings[session->binding_count++] = binding;
    return LINNET_OK;
}

linnet_status linnet_session_bind(linnet_session *session, linnet_value input, void *object, uint64_t offset)
{
    linnet_status status = linnet_session_check(session);
    if (status != LINNET_OK)
        return status;
    if (input.id < 1 || input.id > session->value_count ||
        session->net->values[input.id - 1].kind != LINNET_VALUE_INPUT)
        return linnet_fail(session->context, LINNET_INVALID, "only an input of the session's net can be bound");
    if (object)
        return bind(session, input.id - 1, object, offset);
    unbind(session, input.id - 1);
    return LINNET_OK;
}

linnet_status linnet_binding_copy(linnet_session *session, const linnet_binding *binding, const linnet_plan *plan,
                                  uint32_t tensor)
{
    const linnet_plan_tensor *t = &plan->tensors[tensor];
    const linnet_place *place = &session->places[0];
    if (t->place != 0)
        return linnet_fail(session->context, LINNET_UNSUPPORTED, "'%s' is bound on %s, but %s needs it",
                           session->net->values[binding->value].name, place->device->label,
                           session->places[t->place].device->label);
    linnet_status status = check_room(session, binding->value, binding->bytes, binding->offset, t->bytes);
    if (status != LINNET_OK)
        return status;
    return linnet_device_check(session->context, place->device,
                               place->device->backend->copy(place->queue, linnet_plan_view(session, plan, tensor),
                                                            (linnet_view){binding->buffer, binding->offset}, t->bytes),
                               "copying an input");
}

/* ---- Outputs ---- */

static linnet_status copy_tensor(const linnet_session *session, uint32_t tensor, linnet_backend_buffer *buffer,
                                 uint64_t offset)
{
    const linnet_plan_tensor *t = &session->current->tensors[tensor];
    const linnet_place *place = &session->places[t->place];
    return linnet_device_check(session->context, place->device,
                               place->device->backend->copy(place->queue, (linnet_view){buffer, offset},
                                                            linnet_plan_view(session, session->current, tensor),
                                                            t->bytes),
                               "copying a tensor");
}

linnet_status linnet_session_copy(linnet_session *session, linnet_value value, void *object, uint64_t offset)
{
    uint32_t tensor = LINNET_NONE;
    uint64_t size = 0;
    linnet_backend_buffer *buffer = NULL;
    linnet_status status = linnet_session_find(session, value, &tensor);
    if (status != LINNET_OK)
        return status;
    const linnet_plan_tensor *t = &session->current->tensors[tensor];
    const linnet_place *place = &session->places[t->place];
    if (t->place != 0)
        return linnet_fail(session->context, LINNET_UNSUPPORTED, "'%s' is made on %s, not on %s",
                           session->net->values[value.id - 1].name, place->device->label,
                           session->places[0].device->label);
    status = wrap(session, place, object, &buffer, &size);
    if (status == LINNET_OK)
        status = check_room(session, value.id - 1, size, offset, t->bytes);
    if (status == LINNET_OK)
        status = copy_tensor(session, tensor, buffer, offset);
    place->device->backend->buffer_free(buffer); /* the driver keeps what it still works on */
    return status;
}

linnet_status linnet_session_flush(linnet_session *session)
{
    linnet_status status = linnet_session_check(session);
    for (uint32_t p = 0; status == LINNET_OK && p < session->place_count; p++) {
        const linnet_place *place = &session->places[p];
        if (place->device->backend->flush)
            status = linnet_device_check(session->context, place->device, place->device->backend->flush(place->queue),
                                         "starting the work");
    }
    return status;
}
