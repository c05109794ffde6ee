/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between host and device, and within it. An upload without an event must have read its source when it returns, yet a
 * blocking write would wait for all the work before it: so the source is copied aside and written from there, on GPUs
 * through memory that the driver maps (mapped.c). When too much lies aside, the upload waits for the oldest copy to be
 * read: the host stays a few uploads ahead, not more. Where no work is before it, as when weights are set, it is
 * written as it lies, and copied once (on processors mapping it would copy as often), or goes in pieces (pieces.c).
 *
 * An upload with an event is from memory that the driver reads by itself (pinned.c). Where no work is before it, it is
 * sent from there and the event says when it has been read. Else its event would be a wait for all that work: it is
 * sent beside the work (landing.c), or copied aside like any other.
 */
#include "opencl.h"

#include <string.h>

/* Beyond this many bytes copied aside and not yet read an upload waits; one by itself may be larger. */
#define STAGING_LIMIT ((uint64_t)64 << 20)

struct linnet_cl_staging {
    linnet_cl_staging *next;
    cl_event written;
    uint64_t bytes;
    /* The data follow at STAGING_HEADER bytes. */
};
enum { STAGING_HEADER = 64 };

static void staging_free(linnet_backend_queue *queue, linnet_cl_staging *staging, bool is_read)
{
    queue->staging_bytes -= staging->bytes;
    linnet_cl_release_event(staging->written);
    if (is_read)
        linnet_cl_host->release(staging);
    else
        linnet_cl_log(1,
                      "opencl: '%s' does not say whether it has read an upload of %llu bytes: their copy is left to it",
                      queue->device->info.name, (unsigned long long)staging->bytes);
}

void linnet_cl_staging_reap(linnet_backend_queue *queue, bool all_done)
{
    /* Oldest first: the queue is in order, so the first that is not done ends the search. */
    while (queue->staging) {
        linnet_cl_staging *oldest = queue->staging;
        cl_int state = CL_COMPLETE;
        if (!all_done && (clGetEventInfo(oldest->written, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof(state), &state,
                                         NULL) != CL_SUCCESS ||
                          state > CL_COMPLETE))
            return;
        queue->staging = oldest->next;
        staging_free(queue, oldest, true);
    }
}

void linnet_cl_staging_settle(linnet_backend_queue *queue)
{
    while (queue->staging) {
        linnet_cl_staging *oldest = queue->staging;
        cl_int error = clWaitForEvents(1, &oldest->written);
        queue->staging = oldest->next;
        staging_free(queue, oldest, error == CL_SUCCESS || error == CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST);
    }
}

/* Until there is room for so many bytes, or nothing lies aside. */
static linnet_status wait_for_room(linnet_backend_queue *queue, uint64_t bytes)
{
    linnet_cl_staging_reap(queue, false);
    while (queue->staging && (bytes > STAGING_LIMIT || queue->staging_bytes > STAGING_LIMIT - bytes)) {
        cl_int error = clWaitForEvents(1, &queue->staging->written);
        if (error != CL_SUCCESS)
            return linnet_cl_check(queue->device, "clWaitForEvents", error);
        linnet_cl_staging *oldest = queue->staging;
        queue->staging = oldest->next;
        staging_free(queue, oldest, true);
    }
    return LINNET_OK;
}

/* A blocking write would wait for nothing but itself. On a caller's queue is what the caller enqueues. */
static bool is_idle(const linnet_backend_queue *queue)
{
    return !queue->is_busy && !queue->device->given_queue;
}

/* LINNET_OK and *out_done false when the caller should write by blocking. */
static linnet_status upload_staged(linnet_backend_queue *queue, linnet_view destination, const void *source,
                                   uint64_t bytes, bool *out_done)
{
    *out_done = false;
    linnet_status status = wait_for_room(queue, bytes);
    if (status)
        return status;
    linnet_cl_staging *staging = linnet_cl_host->allocate(STAGING_HEADER + (size_t)bytes);
    if (!staging)
        return LINNET_OK;
    *staging = (linnet_cl_staging){.bytes = bytes};
    unsigned char *data = (unsigned char *)staging + STAGING_HEADER;
    memcpy(data, source, (size_t)bytes);
    cl_int error = clEnqueueWriteBuffer(queue->queue, destination.buffer->memory, CL_FALSE, (size_t)destination.offset,
                                        (size_t)bytes, data, 0, NULL, &staging->written);
    if (error != CL_SUCCESS) {
        linnet_cl_host->release(staging);
        return linnet_cl_check(queue->device, "clEnqueueWriteBuffer", error);
    }
    linnet_cl_count_made();
    linnet_cl_command_share(queue, "upload", staging->written);
    queue->staging_bytes += bytes;
    linnet_cl_staging **tail = &queue->staging;
    while (*tail)
        tail = &(*tail)->next;
    *tail = staging;
    *out_done = true;
    return linnet_cl_check(queue->device, "clFlush", clFlush(queue->queue));
}

static linnet_status check_range(linnet_backend_queue *queue, linnet_view view, uint64_t bytes, const char *what)
{
    linnet_status status = linnet_cl_fork_check();
    if (status)
        return status;
    if (!view.buffer || view.offset > view.buffer->bytes || bytes > view.buffer->bytes - view.offset)
        return linnet_cl_fail(LINNET_INVALID, "%s of %llu bytes at %llu goes past the buffer's end on '%s'", what,
                              (unsigned long long)bytes, (unsigned long long)view.offset, queue->device->info.name);
    return LINNET_OK;
}

/* Where the event of a transfer is to go; out_event NULL: there is none. */
static linnet_status make_event(linnet_backend_queue *queue, linnet_backend_event **out_event)
{
    if (!out_event)
        return LINNET_OK;
    *out_event = linnet_cl_host->allocate(sizeof(**out_event));
    if (!*out_event)
        return linnet_cl_fail(LINNET_OUT_OF_MEMORY, "out of memory making an OpenCL event");
    **out_event = (linnet_backend_event){.device = queue->device};
    return LINNET_OK;
}

static void unmake_event(linnet_backend_event **out_event)
{
    if (!out_event)
        return;
    linnet_cl_event_free(*out_event);
    *out_event = NULL;
}

/* Fills it. Where flushing fails the transfer is waited for: then nothing is under way; or the event that is left,
   which nothing will come of, says that the driver may still use the caller's memory. */
static linnet_status give_event(linnet_backend_queue *queue, const char *name, cl_event event,
                                linnet_backend_event **out_event)
{
    linnet_cl_count_made();
    linnet_cl_command_share(queue, name, event);
    (*out_event)->event = event;
    linnet_status status = linnet_cl_check(queue->device, "clFlush", clFlush(queue->queue));
    if (!status)
        return LINNET_OK;
    if (clWaitForEvents(1, &event) == CL_SUCCESS) {
        unmake_event(out_event);
        return status;
    }
    linnet_cl_log(1, "opencl: '%s' does not say whether a transfer has ended", queue->device->info.name);
    linnet_cl_release_event(event);
    **out_event = (linnet_backend_event){.device = queue->device, .is_lost = true};
    return status;
}

/* After `call` was made, for a caller's event or, without one, waiting for it. */
static linnet_status enqueued(linnet_backend_queue *queue, const char *what, const char *call, cl_int error,
                              cl_event event, linnet_backend_event **out_event)
{
    if (error != CL_SUCCESS) {
        unmake_event(out_event);
        return linnet_cl_check(queue->device, call, error);
    }
    if (out_event)
        return give_event(queue, what, event, out_event);
    linnet_cl_command_add(queue, what, event);
    queue->is_busy = false;
    queue->launches = 0;
    return LINNET_OK;
}

/* From where it lies, by a caller's event or waiting for it. */
static linnet_status upload_direct(linnet_backend_queue *queue, linnet_view destination, const void *source,
                                   uint64_t bytes, linnet_backend_event **out_event)
{
    bool was_busy = queue->is_busy;
    linnet_status status = make_event(queue, out_event);
    if (status)
        return status;
    cl_event event = NULL;
    cl_int error = clEnqueueWriteBuffer(queue->queue, destination.buffer->memory, out_event ? CL_FALSE : CL_TRUE,
                                        (size_t)destination.offset, (size_t)bytes, source, 0, NULL,
                                        out_event ? &event : linnet_cl_event_for(queue, &event));
    status = enqueued(queue, "upload", "clEnqueueWriteBuffer", error, event, out_event);
    if (!status)
        queue->is_busy = was_busy && out_event;
    return status;
}

linnet_status linnet_cl_upload(linnet_backend_queue *queue, linnet_view destination, const void *source, uint64_t bytes,
                               linnet_backend_event **out_event)
{
    if (out_event)
        *out_event = NULL;
    linnet_status status = check_range(queue, destination, bytes, "an upload");
    if (status || (bytes == 0 && !out_event))
        return status;
    bool done = false, idle = is_idle(queue), direct = out_event && idle;
    if (idle && !direct)
        status = linnet_cl_pieces_upload(queue, destination, source, bytes, &done);
    if (idle && done)
        queue->is_busy = false;
    if (!idle && out_event)
        status = linnet_cl_landing_upload(queue, destination, source, bytes, out_event, &done);
    if (!status && !done && !direct && queue->device->transfers != LINNET_CL_TRANSFERS_PLAIN)
        status = linnet_cl_mapped_upload(queue, destination, source, bytes, &done);
    if (!status && !done && !idle)
        status = upload_staged(queue, destination, source, bytes, &done);
    return status || done ? status : upload_direct(queue, destination, source, bytes, out_event);
}

linnet_status linnet_cl_read(linnet_backend_queue *queue, linnet_view source, void *destination, uint64_t bytes,
                             linnet_backend_event **out_event)
{
    if (out_event)
        *out_event = NULL;
    linnet_status status = check_range(queue, source, bytes, "a read");
    if (status || (bytes == 0 && !out_event))
        return status;
    bool done = false;
    if (out_event && queue->device->transfers != LINNET_CL_TRANSFERS_PLAIN)
        status = linnet_cl_mapped_read(queue, source, destination, bytes, out_event, &done);
    if (status || done)
        return status;
    status = make_event(queue, out_event);
    if (status)
        return status;
    cl_event event = NULL;
    cl_int error = clEnqueueReadBuffer(queue->queue, source.buffer->memory, out_event ? CL_FALSE : CL_TRUE,
                                       (size_t)source.offset, (size_t)bytes, destination, 0, NULL,
                                       out_event ? &event : linnet_cl_event_for(queue, &event));
    return enqueued(queue, "read", "clEnqueueReadBuffer", error, event, out_event);
}

linnet_status linnet_cl_copy(linnet_backend_queue *queue, linnet_view destination, linnet_view source, uint64_t bytes)
{
    linnet_status status = check_range(queue, destination, bytes, "a copy");
    if (!status)
        status = check_range(queue, source, bytes, "a copy");
    if (status || bytes == 0)
        return status;
    cl_event event = NULL;
    cl_int error =
        clEnqueueCopyBuffer(queue->queue, source.buffer->memory, destination.buffer->memory, (size_t)source.offset,
                            (size_t)destination.offset, (size_t)bytes, 0, NULL, linnet_cl_event_for(queue, &event));
    linnet_cl_command_add(queue, "copy", event);
    return linnet_cl_check(queue->device, "clEnqueueCopyBuffer", error);
}

linnet_status linnet_cl_fill(linnet_backend_queue *queue, linnet_view destination, uint32_t pattern, uint64_t bytes)
{
    linnet_status status = check_range(queue, destination, bytes, "a fill");
    if (!status && bytes % 4)
        status = linnet_cl_fail(LINNET_INVALID, "a fill of %llu bytes: not a multiple of 4", (unsigned long long)bytes);
    if (status || bytes == 0)
        return status;
    cl_event event = NULL;
    cl_int error =
        clEnqueueFillBuffer(queue->queue, destination.buffer->memory, &pattern, sizeof(pattern),
                            (size_t)destination.offset, (size_t)bytes, 0, NULL, linnet_cl_event_for(queue, &event));
    linnet_cl_command_add(queue, "fill", event);
    return linnet_cl_check(queue->device, "clEnqueueFillBuffer", error);
}
