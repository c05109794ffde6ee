/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Uploads with an event, from pinned memory, behind work: by the second queue to places in the device's memory, beside
 * kernels, and from there to the tensor in the order of the queue. The event is the transfer's, which waits for
 * nothing.
 *
 *     sender                        [write to the place]
 *     queue    kernels of the step before .............. [copy to the tensor] kernels of this step
 */
#include "opencl.h"

#include <string.h>

enum { PLACES = 4, LEAST_BYTES = 256 << 10 }; /* less is copied aside in no time */
#define MOST_BYTES ((uint64_t)64 << 20)       /* of a queue's places */

typedef struct landing_place {
    cl_mem memory; /* NULL: there is none */
    uint64_t bytes;
    cl_event copied; /* the place is free when it is done */
} landing_place;

struct linnet_cl_landing {
    landing_place places[PLACES];
};

static linnet_cl_landing *landing_of(linnet_backend_queue *queue)
{
    if (queue->landing)
        return queue->landing;
    queue->landing = linnet_cl_host->allocate(sizeof(*queue->landing));
    if (queue->landing)
        memset(queue->landing, 0, sizeof(*queue->landing));
    return queue->landing;
}

static void drop(landing_place *place)
{
    linnet_cl_release_event(place->copied);
    linnet_cl_release_memory(place->memory);
    *place = (landing_place){.memory = NULL};
}

/* A place from which copying failed is dropped. */
static bool is_free(landing_place *place)
{
    cl_int state = CL_QUEUED;
    if (!place->memory)
        return true;
    if (clGetEventInfo(place->copied, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof(state), &state, NULL) != CL_SUCCESS)
        return false;
    if (state < CL_COMPLETE)
        drop(place);
    return state <= CL_COMPLETE;
}

/* For so many bytes; NULL: none is free, or there is no room. */
static landing_place *find_place(linnet_backend_queue *queue, uint64_t bytes)
{
    linnet_cl_landing *landing = landing_of(queue);
    landing_place *found = NULL;
    uint64_t used = 0;
    for (int i = 0; landing && i < PLACES; i++) {
        landing_place *place = &landing->places[i];
        bool is_ready = is_free(place);
        used += place->bytes;
        if (!is_ready)
            continue;
        if (place->bytes >= bytes && place->bytes / 2 <= bytes)
            return place;
        found = found && !found->memory ? found : place;
    }
    if (!found || used - found->bytes + bytes > MOST_BYTES)
        return NULL;
    drop(found);
    cl_int error = CL_SUCCESS;
    found->memory = clCreateBuffer(queue->device->context, CL_MEM_READ_WRITE, (size_t)bytes, NULL, &error);
    if (!found->memory)
        return NULL;
    linnet_cl_count_made();
    found->bytes = bytes;
    return found;
}

/* Behind what is sent to the place. */
static cl_int copy(linnet_backend_queue *queue, landing_place *place, linnet_view destination, uint64_t bytes,
                   cl_event sent)
{
    linnet_cl_release_event(place->copied);
    place->copied = NULL;
    cl_int error = clEnqueueCopyBuffer(queue->queue, place->memory, destination.buffer->memory, 0,
                                       (size_t)destination.offset, (size_t)bytes, 1, &sent, &place->copied);
    if (error != CL_SUCCESS)
        return error;
    linnet_cl_count_made();
    queue->is_busy = true;
    return CL_SUCCESS;
}

/* Sending went wrong behind the write: it is waited for, or, where that fails too, the event says that the driver may
   still read the source. */
static linnet_status give_up(linnet_backend_event *event, const char *call, cl_int error,
                             linnet_backend_event **out_event)
{
    linnet_status status = linnet_cl_check(event->device, call, error);
    if (clWaitForEvents(1, &event->event) == CL_SUCCESS) {
        linnet_cl_event_free(event);
        return status;
    }
    linnet_cl_release_event(event->event);
    *event = (linnet_backend_event){.device = event->device, .is_lost = true};
    *out_event = event;
    return status;
}

static linnet_status send(linnet_backend_queue *queue, cl_command_queue sender, landing_place *place,
                          linnet_view destination, const void *source, uint64_t bytes, linnet_backend_event *event,
                          linnet_backend_event **out_event)
{
    cl_int error =
        clEnqueueWriteBuffer(sender, place->memory, CL_FALSE, 0, (size_t)bytes, source, 0, NULL, &event->event);
    if (error != CL_SUCCESS) {
        event->event = NULL;
        linnet_cl_event_free(event);
        return linnet_cl_check(queue->device, "clEnqueueWriteBuffer", error);
    }
    linnet_cl_count_made();
    error = clFlush(sender);
    if (error != CL_SUCCESS)
        return give_up(event, "clFlush", error, out_event);
    error = copy(queue, place, destination, bytes, event->event);
    if (error != CL_SUCCESS)
        return give_up(event, "clEnqueueCopyBuffer", error, out_event);
    *out_event = event;
    return LINNET_OK;
}

linnet_status linnet_cl_landing_upload(linnet_backend_queue *queue, linnet_view destination, const void *source,
                                       uint64_t bytes, linnet_backend_event **out_event, bool *out_done)
{
    bool fits = bytes >= LEAST_BYTES && bytes <= MOST_BYTES;
    cl_command_queue sender = fits ? linnet_cl_mapped_sender(queue) : NULL;
    landing_place *place = sender ? find_place(queue, bytes) : NULL;
    linnet_backend_event *event = place ? linnet_cl_host->allocate(sizeof(*event)) : NULL;
    *out_done = false;
    if (!event) {
        if (place)
            drop(place);
        return LINNET_OK;
    }
    *event = (linnet_backend_event){.device = queue->device};
    linnet_status status = send(queue, sender, place, destination, source, bytes, event, out_event);
    if (status)
        drop(place);
    *out_done = !status;
    return status;
}

void linnet_cl_landing_free(linnet_backend_queue *queue)
{
    for (int i = 0; queue->landing && i < PLACES; i++)
        drop(&queue->landing->places[i]);
    linnet_cl_host->release(queue->landing);
    queue->landing = NULL;
}
