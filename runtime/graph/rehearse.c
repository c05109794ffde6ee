/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Running a step for what it takes, so that nothing is different afterwards: the count of steps stays (session.c),
 * states are copied aside, and backwards start from a gradient of zeros, which adds nothing to the parameters'
 * gradients.
 */
#include "../device/device.h"
#include "session.h"

typedef struct rehearsal {
    linnet_backend_buffer **states[LINNET_MAX_PLACES]; /* copies; NULL: none */
    uint32_t place_count;
    linnet_status round_status;
} rehearsal;

/* From each buffer of states to the one that goes with it. */
static linnet_status copy_states(const linnet_session *session, const linnet_place *place,
                                 linnet_backend_buffer *const *from, linnet_backend_buffer *const *to)
{
    const linnet_device *device = place->device;
    linnet_status status = LINNET_OK;
    for (size_t i = 0; i < place->state_layout.count && status == LINNET_OK; i++)
        status = linnet_device_check(session->context, device,
                                     device->backend->copy(place->queue, (linnet_view){to[i], 0},
                                                           (linnet_view){from[i], 0}, place->state_layout.bytes[i]),
                                     "copying a buffer");
    return status;
}

static linnet_status keep_states(const linnet_session *session, const linnet_place *place, linnet_backend_buffer ***out)
{
    const linnet_device *device = place->device;
    linnet_status status = LINNET_OK;
    if (!place->states || !place->state_layout.count)
        return LINNET_OK;
    *out = linnet_allocate(place->state_layout.count, sizeof **out);
    if (!*out)
        return linnet_fail(session->context, LINNET_OUT_OF_MEMORY, "no memory to look at a step");
    for (size_t i = 0; i < place->state_layout.count && status == LINNET_OK; i++)
        status =
            linnet_device_check(session->context, device,
                                device->backend->buffer_new(device->handle, place->state_layout.bytes[i], &(*out)[i]),
                                "allocating a buffer");
    return status == LINNET_OK ? copy_states(session, place, place->states, *out) : status;
}

static linnet_status keep(const linnet_session *session, rehearsal *r)
{
    linnet_status status = LINNET_OK;
    r->round_status = session->round_status;
    r->place_count = session->place_count;
    for (uint32_t p = 0; p < r->place_count && status == LINNET_OK; p++)
        if (session->settings.behaviour == LINNET_TRAIN)
            status = keep_states(session, &session->places[p], &r->states[p]);
    return status;
}

/* did: the step was run, as far as it came. */
static linnet_status put_back(linnet_session *session, const rehearsal *r, bool did)
{
    linnet_status status = LINNET_OK;
    session->current = NULL;
    session->round_status = r->round_status;
    for (uint32_t p = 0; p < r->place_count; p++) {
        const linnet_place *place = &session->places[p];
        if (did && r->states[p] && status == LINNET_OK)
            status = copy_states(session, place, r->states[p], place->states);
        place->device->backend->finish(place->queue);
        for (size_t i = 0; r->states[p] && i < place->state_layout.count; i++)
            if (r->states[p][i])
                place->device->backend->buffer_free(r->states[p][i]);
        linnet_release(r->states[p]);
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
