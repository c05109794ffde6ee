/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running a step for what it takes, so that nothing is different afterwards: the count of steps stays (session.c),
 * states and gradients that were collected are copied aside, and backwards start from a gradient of zeros.
 */
#include "../device/device.h"
#include "session.h"

/* Copies of a place's buffers of one kind; NULL: none. */
typedef linnet_backend_buffer **copies;

typedef struct rehearsal {
    copies states[LINNET_MAX_PLACES], gradients[LINNET_MAX_PLACES];
    bool *are_zero; /* per variable of the net: its gradient */
    uint32_t place_count;
    linnet_status round_status;
} rehearsal;

/* From each buffer to the one that goes with it. */
static linnet_status copy_buffers(const linnet_session *session, const linnet_place *place, const linnet_layout *layout,
                                  linnet_backend_buffer *const *from, linnet_backend_buffer *const *to)
{
    const linnet_device *device = place->device;
    linnet_status status = LINNET_OK;
    for (size_t i = 0; i < layout->count && status == LINNET_OK; i++)
        status = linnet_device_check(
            session->context, device,
            device->backend->copy(place->queue, (linnet_view){to[i], 0}, (linnet_view){from[i], 0}, layout->bytes[i]),
            "copying a buffer");
    return status;
}

static linnet_status keep_buffers(const linnet_session *session, const linnet_place *place, const linnet_layout *layout,
                                  linnet_backend_buffer *const *from, copies *out)
{
    const linnet_device *device = place->device;
    linnet_status status = LINNET_OK;
    if (!from || !layout->count)
        return LINNET_OK;
    *out = linnet_allocate(layout->count, sizeof **out);
    if (!*out)
        return linnet_fail(session->context, LINNET_OUT_OF_MEMORY, "no memory to look at a step");
    for (size_t i = 0; i < layout->count && status == LINNET_OK; i++)
        status = linnet_device_check(session->context, device,
                                     device->backend->buffer_new(device->handle, layout->bytes[i], &(*out)[i]),
                                     "allocating a buffer");
    return status == LINNET_OK ? copy_buffers(session, place, layout, from, *out) : status;
}

/* Notes which gradients are zero; all count as zero in the meantime, so that the step writes over them. */
static linnet_status keep_zeros(linnet_session *session, rehearsal *r, bool *out_all)
{
    *out_all = true;
    r->are_zero = linnet_allocate(session->variable_count + 1, sizeof *r->are_zero);
    if (!r->are_zero)
        return linnet_fail(session->context, LINNET_OUT_OF_MEMORY, "no memory to look at a step");
    for (size_t i = 0; i < session->variable_count; i++) {
        r->are_zero[i] = session->variables[i].gradient_is_zero;
        *out_all = *out_all && r->are_zero[i];
        session->variables[i].gradient_is_zero = true;
    }
    return LINNET_OK;
}

static linnet_status keep(linnet_session *session, rehearsal *r)
{
    bool all_zero;
    linnet_status status = keep_zeros(session, r, &all_zero);
    r->round_status = session->round_status;
    r->place_count = session->place_count;
    for (uint32_t p = 0; p < r->place_count && status == LINNET_OK; p++) {
        const linnet_place *place = &session->places[p];
        if (session->settings.behaviour == LINNET_TRAIN)
            status = keep_buffers(session, place, &place->state_layout, place->states, &r->states[p]);
        if (status == LINNET_OK && !all_zero)
            status = keep_buffers(session, place, &place->parameter_layout, place->gradients, &r->gradients[p]);
    }
    return status;
}

static void free_copies(const linnet_place *place, const linnet_layout *layout, copies buffers)
{
    for (size_t i = 0; buffers && i < layout->count; i++)
        if (buffers[i])
            place->device->backend->buffer_free(buffers[i]);
    linnet_release(buffers);
}

/* did: the step was run, as far as it came. */
static linnet_status put_back(linnet_session *session, const rehearsal *r, bool did)
{
    linnet_status status = LINNET_OK;
    session->current = NULL;
    session->round_status = r->round_status;
    for (size_t i = 0; r->are_zero && i < session->variable_count; i++)
        session->variables[i].gradient_is_zero = r->are_zero[i];
    linnet_release(r->are_zero);
    for (uint32_t p = 0; p < r->place_count; p++) {
        const linnet_place *place = &session->places[p];
        if (did && r->states[p] && status == LINNET_OK)
            status = copy_buffers(session, place, &place->state_layout, r->states[p], place->states);
        if (did && r->gradients[p] && status == LINNET_OK)
            status = copy_buffers(session, place, &place->parameter_layout, r->gradients[p], place->gradients);
        place->device->backend->finish(place->queue);
        free_copies(place, &place->state_layout, r->states[p]);
        free_copies(place, &place->parameter_layout, r->gradients[p]);
    }
    return status;
}

static linnet_status run_backward(linnet_session *session, uint32_t loss)
{
    const linnet_plan *plan = session->current;
    uint32_t first = plan->segment_starts[loss + 1];
    if (first == plan->segment_starts[loss + 2])
        return LINNET_OK; /* nothing to differentiate by */
    uint64_t bytes = plan->tensors[plan->steps[first].destination].bytes;
    void *zeros = linnet_allocate(1, bytes);
    if (!zeros)
        return linnet_fail(session->context, LINNET_OUT_OF_MEMORY, "no memory to look at a step");
    linnet_status status = linnet_backward_from(session, (linnet_value){plan->losses[loss] + 1}, zeros, bytes);
    linnet_release(zeros);
    return status;
}

static linnet_status run(linnet_session *session, const linnet_batch *batch)
{
    linnet_status status = linnet_forward(session, batch);
    for (uint32_t i = 0; status == LINNET_OK && session->current->gradients && i < session->current->loss_count; i++)
        status = run_backward(session, i);
    return status;
}

/* Once so that all is made that is made at the first use, then watched; not where the queue is somebody else's and
   tells no times. */
static linnet_status run_twice(linnet_session *session, const linnet_batch *batch,
                               void (*each)(void *, const linnet_span *), void *context)
{
    bool was_on = session->profile != NULL;
    linnet_status status = run(session, batch);
    if (status != LINNET_OK)
        return status;
    status = linnet_session_set_profile(session, 1);
    if (status == LINNET_UNSUPPORTED)
        return LINNET_OK;
    if (status == LINNET_OK)
        status = run(session, batch);
    if (status == LINNET_OK)
        status = linnet_session_take_profile(session, each, context);
    linnet_status end = linnet_session_set_profile(session, was_on);
    return status == LINNET_OK ? end : status;
}

linnet_status linnet_session_rehearse(linnet_session *session, const linnet_batch *batch,
                                      void (*each)(void *context, const linnet_span *span), void *context)
{
    rehearsal r = {.place_count = 0};
    linnet_plan *plan;
    linnet_status status = linnet_session_plan(session, batch, &plan); /* which may move variables */
    if (status == LINNET_OK)
        status = keep(session, &r);
    bool does = status == LINNET_OK;
    session->rehearses = true;
    if (does)
        status = run_twice(session, batch, each, context);
    session->rehearses = false;
    linnet_status end = put_back(session, &r, does);
    return status == LINNET_OK ? end : status;
}
