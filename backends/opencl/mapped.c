/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transfers through memory that the driver made for the host (CL_MEM_ALLOC_HOST_PTR): where the device has memory of
 * its own it is pinned, so that it is sent without being copied by the driver first; where the device shares the host's
 * it is where the device reads. A place for uploads is mapped while nothing goes through it:
 *
 *     host     memcpy, unmap ........................ (place in use) ............... memcpy, unmap
 *     sender                 [sent to the device]
 *     queue    kernels of the step before .......... [copy to the tensor] [map]  kernels of this step
 *
 * The sender is a queue of its own where that lets a transfer run beside kernels, else the queue itself; so it is on
 * queues with timestamps, whose commands end in their order. A place for reads is mapped from the read on until its
 * data have been fetched. Every command names the memory that it works on: memory released too early is the driver's
 * until they have run.
 */
#include "opencl.h"

#include <string.h>

enum { UPLOADS = 8, READS = 4, PAGE = 4096, READ_BYTES = 64 << 10 };
#define MOST_BYTES ((uint64_t)64 << 20) /* of a queue's places for uploads */

typedef struct upload_place {
    cl_mem memory; /* NULL: there is none */
    uint64_t bytes;
    void *host;
    cl_event mapped; /* host may be written when it is done */
} upload_place;

struct linnet_cl_read_place {
    cl_mem memory; /* NULL: there is none */
    linnet_backend_queue *queue;
    linnet_backend_event *reader; /* who has still to fetch the data; NULL: the place is free, and not mapped */
    void *host, *destination;
    uint64_t bytes;
};

struct linnet_cl_mapped {
    cl_command_queue sender; /* the queue's own, or one more */
    upload_place uploads[UPLOADS];
    linnet_cl_read_place reads[READS];
};

/* NULL: there is none to be had. */
static cl_mem make_memory(const linnet_backend_device *device, uint64_t bytes)
{
    cl_int error = CL_SUCCESS;
    cl_mem memory =
        clCreateBuffer(device->context, CL_MEM_READ_WRITE | CL_MEM_ALLOC_HOST_PTR, (size_t)bytes, NULL, &error);
    if (memory)
        linnet_cl_count_made();
    return memory;
}

/* NULL: no memory, or no second queue. */
static linnet_cl_mapped *mapped_of(linnet_backend_queue *queue)
{
    linnet_backend_device *device = queue->device;
    if (queue->mapped)
        return queue->mapped;
    linnet_cl_mapped *mapped = linnet_cl_host->allocate(sizeof(*mapped));
    if (!mapped)
        return NULL;
    *mapped = (linnet_cl_mapped){.sender = queue->queue};
    if (device->transfers == LINNET_CL_TRANSFERS_APART && !queue->timestamps) {
        cl_int error = CL_SUCCESS;
        mapped->sender = clCreateCommandQueue(device->context, device->id, 0, &error);
        if (!mapped->sender) {
            linnet_cl_host->release(mapped);
            return NULL;
        }
        linnet_cl_count_made();
    }
    queue->mapped = mapped;
    return mapped;
}

cl_command_queue linnet_cl_mapped_sender(linnet_backend_queue *queue)
{
    bool apart = queue->device->transfers == LINNET_CL_TRANSFERS_APART && !queue->timestamps;
    return apart && mapped_of(queue) ? queue->mapped->sender : NULL;
}

/* ---- Uploads ---- */

static void drop(upload_place *place)
{
    linnet_cl_release_event(place->mapped);
    linnet_cl_release_memory(place->memory);
    *place = (upload_place){.memory = NULL};
}

static bool is_ready(const upload_place *place)
{
    cl_int state = CL_QUEUED;
    return place->memory &&
           clGetEventInfo(place->mapped, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof(state), &state, NULL) ==
               CL_SUCCESS &&
           state == CL_COMPLETE;
}

static uint64_t pages(uint64_t bytes)
{
    return (bytes + PAGE - 1) / PAGE * PAGE;
}

static bool fits(const upload_place *place, uint64_t bytes)
{
    return place->bytes >= bytes && place->bytes / 2 <= pages(bytes);
}

/* Of a place that is ready. Memory may be released while it is mapped, but there are drivers that then keep it. */
static void give_up(linnet_backend_queue *queue, upload_place *place)
{
    if (clEnqueueUnmapMemObject(queue->queue, place->memory, place->host, 0, NULL, NULL) != CL_SUCCESS)
        linnet_cl_log(3, "opencl: '%s' does not unmap what is freed", queue->device->info.name);
    queue->is_busy = true;
    drop(place);
}

/* Without waiting; where it cannot be mapped the place is gone. */
static void map(linnet_backend_queue *queue, cl_command_queue by, upload_place *place)
{
    cl_int error = CL_SUCCESS;
    place->host = clEnqueueMapBuffer(by, place->memory, CL_FALSE, CL_MAP_WRITE_INVALIDATE_REGION, 0,
                                     (size_t)place->bytes, 0, NULL, &place->mapped, &error);
    if (place->host)
        linnet_cl_count_made();
    else
        place->mapped = NULL;
    if (!place->host || clFlush(by) != CL_SUCCESS)
        drop(place);
    else if (by == queue->queue)
        queue->is_busy = true;
}

/* For later uploads of so many bytes, of which half of the places may be; in the room that is left or, for a size that
   has none, that others give up. */
static void make_place(linnet_backend_queue *queue, uint64_t bytes)
{
    linnet_cl_mapped *mapped = queue->mapped;
    upload_place *free_place = NULL;
    uint64_t used = pages(bytes);
    int fitting = 0;
    for (int i = 0; i < UPLOADS; i++) {
        used += mapped->uploads[i].bytes;
        fitting += fits(&mapped->uploads[i], bytes);
        free_place = mapped->uploads[i].memory ? free_place : &mapped->uploads[i];
    }
    for (int i = 0; i < UPLOADS && !fitting && (!free_place || used > MOST_BYTES); i++)
        if (is_ready(&mapped->uploads[i])) {
            used -= mapped->uploads[i].bytes;
            give_up(queue, &mapped->uploads[i]);
            free_place = &mapped->uploads[i];
        }
    if (!free_place || used > MOST_BYTES || fitting >= UPLOADS / 2)
        return;
    free_place->memory = make_memory(queue->device, pages(bytes));
    free_place->bytes = free_place->memory ? pages(bytes) : 0;
    if (free_place->memory)
        map(queue, mapped->sender, free_place);
}

/* What lies in the place goes to the tensor; the place is mapped again behind that. */
static linnet_status send(linnet_backend_queue *queue, upload_place *place, linnet_view destination, uint64_t bytes)
{
    cl_command_queue sender = queue->mapped->sender;
    bool apart = sender != queue->queue;
    cl_event sent = NULL, copied = NULL;
    linnet_cl_release_event(place->mapped);
    place->mapped = NULL;
    cl_int error = clEnqueueUnmapMemObject(sender, place->memory, place->host, 0, NULL,
                                           apart ? &sent : linnet_cl_event_for(queue, &sent));
    if (error != CL_SUCCESS)
        return linnet_cl_check(queue->device, "clEnqueueUnmapMemObject", error);
    if (apart)
        linnet_cl_count_made();
    else
        linnet_cl_command_add(queue, "upload", sent);
    error = apart ? clFlush(sender) : CL_SUCCESS;
    if (error == CL_SUCCESS)
        error =
            clEnqueueCopyBuffer(queue->queue, place->memory, destination.buffer->memory, 0, (size_t)destination.offset,
                                (size_t)bytes, apart, apart ? &sent : NULL, linnet_cl_event_for(queue, &copied));
    if (apart)
        linnet_cl_release_event(sent);
    if (error != CL_SUCCESS)
        return linnet_cl_check(queue->device, "clEnqueueCopyBuffer", error);
    linnet_cl_command_add(queue, "upload", copied);
    map(queue, queue->queue, place);
    return LINNET_OK;
}

linnet_status linnet_cl_mapped_upload(linnet_backend_queue *queue, linnet_view destination, const void *source,
                                      uint64_t bytes, bool *out_done)
{
    *out_done = false;
    linnet_cl_mapped *mapped = bytes <= MOST_BYTES ? mapped_of(queue) : NULL;
    if (!mapped)
        return LINNET_OK;
    int i = 0;
    while (i < UPLOADS && !(fits(&mapped->uploads[i], bytes) && is_ready(&mapped->uploads[i])))
        i++;
    if (i == UPLOADS) {
        make_place(queue, bytes);
        return LINNET_OK;
    }
    memcpy(mapped->uploads[i].host, source, (size_t)bytes);
    linnet_status status = send(queue, &mapped->uploads[i], destination, bytes);
    if (status)
        drop(&mapped->uploads[i]);
    *out_done = !status;
    return status;
}

/* ---- Reads ---- */

static void drop_read(linnet_cl_read_place *place)
{
    linnet_cl_release_memory(place->memory);
    *place = (linnet_cl_read_place){.memory = NULL};
}

/* The place is free. Behind what reads from it, in order with what next writes to it; it does not keep a queue busy. */
static void let_go(linnet_cl_read_place *place)
{
    linnet_backend_queue *queue = place->queue;
    place->reader->place = NULL;
    place->reader = NULL;
    if (linnet_cl_fork_check() == LINNET_OK &&
        clEnqueueUnmapMemObject(queue->queue, place->memory, place->host, 0, NULL, NULL) != CL_SUCCESS)
        drop_read(place);
}

void linnet_cl_mapped_deliver(linnet_backend_event *event)
{
    linnet_cl_read_place *place = event->place;
    if (!place)
        return;
    memcpy(place->destination, place->host, (size_t)place->bytes);
    let_go(place);
}

void linnet_cl_mapped_forget(linnet_backend_event *event)
{
    if (event->place)
        let_go(event->place);
}

/* Free and there; NULL: none. */
static linnet_cl_read_place *find_read_place(linnet_backend_queue *queue)
{
    linnet_cl_mapped *mapped = mapped_of(queue);
    for (int i = 0; mapped && i < READS; i++) {
        linnet_cl_read_place *place = &mapped->reads[i];
        if (!place->memory)
            *place = (linnet_cl_read_place){.memory = make_memory(queue->device, READ_BYTES), .queue = queue};
        if (place->memory && !place->reader)
            return place;
    }
    return NULL;
}

/* LINNET_OK and event->event NULL: nothing that matters was done. */
static linnet_status fetch(linnet_backend_queue *queue, linnet_cl_read_place *place, linnet_view source, uint64_t bytes,
                           linnet_backend_event *event)
{
    cl_event copied = NULL;
    cl_int error = clEnqueueCopyBuffer(queue->queue, source.buffer->memory, place->memory, (size_t)source.offset, 0,
                                       (size_t)bytes, 0, NULL, linnet_cl_event_for(queue, &copied));
    if (error != CL_SUCCESS)
        return linnet_cl_check(queue->device, "clEnqueueCopyBuffer", error);
    linnet_cl_command_add(queue, "read", copied);
    place->host = clEnqueueMapBuffer(queue->queue, place->memory, CL_FALSE, CL_MAP_READ, 0, (size_t)bytes, 0, NULL,
                                     &event->event, &error);
    if (!place->host) {
        event->event = NULL;
        return LINNET_OK;
    }
    linnet_cl_count_made();
    linnet_cl_command_share(queue, "read", event->event);
    return linnet_cl_check(queue->device, "clFlush", clFlush(queue->queue));
}

linnet_status linnet_cl_mapped_read(linnet_backend_queue *queue, linnet_view source, void *destination, uint64_t bytes,
                                    linnet_backend_event **out_event, bool *out_done)
{
    *out_done = false;
    linnet_cl_read_place *place = bytes && bytes <= READ_BYTES ? find_read_place(queue) : NULL;
    linnet_backend_event *event = place ? linnet_cl_host->allocate(sizeof(*event)) : NULL;
    if (!event)
        return LINNET_OK;
    *event = (linnet_backend_event){.device = queue->device};
    linnet_status status = fetch(queue, place, source, bytes, event);
    if (status || !event->event) {
        drop_read(place);
        linnet_cl_event_free(event);
        return status;
    }
    place->reader = event;
    place->destination = destination;
    place->bytes = bytes;
    event->place = place;
    *out_event = event;
    *out_done = true;
    return LINNET_OK;
}

/* ---- The end ---- */

void linnet_cl_mapped_unmap(linnet_backend_queue *queue)
{
    for (int i = 0; queue->mapped && i < UPLOADS; i++) {
        upload_place *place = &queue->mapped->uploads[i];
        if (place->memory &&
            clEnqueueUnmapMemObject(queue->queue, place->memory, place->host, 1, &place->mapped, NULL) != CL_SUCCESS)
            linnet_cl_log(3, "opencl: '%s' does not unmap what is freed", queue->device->info.name);
    }
}

void linnet_cl_mapped_free(linnet_backend_queue *queue, bool is_done)
{
    linnet_cl_mapped *mapped = queue->mapped;
    if (!mapped)
        return;
    for (int i = 0; i < READS; i++) {
        linnet_backend_event *reader = mapped->reads[i].reader;
        if (reader && is_done)
            linnet_cl_mapped_deliver(reader);
        else if (reader) {
            reader->is_lost = true;
            reader->place = NULL;
        }
        drop_read(&mapped->reads[i]);
    }
    for (int i = 0; i < UPLOADS; i++)
        drop(&mapped->uploads[i]);
    if (mapped->sender != queue->queue)
        linnet_cl_release_queue(mapped->sender);
    linnet_cl_host->release(mapped);
    queue->mapped = NULL;
}
