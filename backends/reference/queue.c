/* SPDX-License-Identifier: Apache-2.0 */
/* A queue that does everything at once: each call returns when its work is done. */
#include "reference.h"

#include <string.h>
#include <time.h>

struct linnet_backend_queue {
    uint32_t flags;
};

struct linnet_backend_event {
    uint64_t nanoseconds;
};

linnet_status reference_queue_new(linnet_backend_device *device, uint32_t flags, linnet_backend_queue **out)
{
    (void)device;
    linnet_backend_queue *queue = reference_object_new(sizeof *queue);
    if (!queue)
        return LINNET_OUT_OF_MEMORY;
    queue->flags = flags;
    *out = queue;
    return LINNET_OK;
}

void reference_queue_free(linnet_backend_queue *queue)
{
    reference_object_free(queue);
}

linnet_status reference_mark(linnet_backend_queue *queue, linnet_backend_event **out)
{
    (void)queue;
    linnet_backend_event *event = reference_object_new(sizeof *event);
    if (!event)
        return LINNET_OUT_OF_MEMORY;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    event->nanoseconds = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    *out = event;
    return LINNET_OK;
}

linnet_status reference_event_wait(linnet_backend_event *event)
{
    (void)event;
    return LINNET_OK;
}

linnet_status reference_event_time(linnet_backend_event *event, uint64_t *out_nanoseconds)
{
    *out_nanoseconds = event->nanoseconds;
    return LINNET_OK;
}

void reference_event_free(linnet_backend_event *event)
{
    reference_object_free(event);
}

/* The host keeps ranges inside buffers; a reference says so when it did not. */
static linnet_status check_range(linnet_view view, uint64_t bytes)
{
    if (!view.buffer || view.offset > view.buffer->bytes || bytes > view.buffer->bytes - view.offset)
        return reference_fail(LINNET_INVALID, "reference: a range reaches beyond its buffer");
    return LINNET_OK;
}

linnet_status reference_upload(linnet_backend_queue *queue, linnet_view destination, const void *source, uint64_t bytes,
                               linnet_backend_event **out_event)
{
    linnet_status status = check_range(destination, bytes);
    if (status)
        return status;
    memcpy(destination.buffer->data + destination.offset, source, (size_t)bytes);
    return out_event ? reference_mark(queue, out_event) : LINNET_OK;
}

linnet_status reference_read(linnet_backend_queue *queue, linnet_view source, void *destination, uint64_t bytes,
                             linnet_backend_event **out_event)
{
    linnet_status status = check_range(source, bytes);
    if (status)
        return status;
    memcpy(destination, source.buffer->data + source.offset, (size_t)bytes);
    return out_event ? reference_mark(queue, out_event) : LINNET_OK;
}

linnet_status reference_copy(linnet_backend_queue *queue, linnet_view destination, linnet_view source, uint64_t bytes)
{
    (void)queue;
    linnet_status status = check_range(destination, bytes);
    if (!status)
        status = check_range(source, bytes);
    if (!status)
        memcpy(destination.buffer->data + destination.offset, source.buffer->data + source.offset, (size_t)bytes);
    return status;
}

linnet_status reference_fill(linnet_backend_queue *queue, linnet_view destination, uint32_t pattern, uint64_t bytes)
{
    (void)queue;
    linnet_status status = check_range(destination, bytes);
    if (!status && bytes % sizeof pattern)
        status = reference_fail(LINNET_INVALID, "reference: fill wants whole words");
    if (status)
        return status;
    for (uint64_t at = 0; at < bytes; at += sizeof pattern)
        memcpy(destination.buffer->data + destination.offset + at, &pattern, sizeof pattern);
    return LINNET_OK;
}

linnet_status reference_finish(linnet_backend_queue *queue)
{
    (void)queue;
    return LINNET_OK;
}
