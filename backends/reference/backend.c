/* SPDX-License-Identifier: Apache-2.0 */
/* The plugin's front door: the query, the table of slots, errors and counted memory. */
#include "reference.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

const linnet_host *reference_host;
static atomic_ullong live_objects;

linnet_status reference_fail(linnet_status status, const char *message)
{
    reference_host->set_error(message);
    return status;
}

void *reference_object_new(size_t bytes)
{
    void *object = reference_host->allocate(bytes);
    if (!object) {
        reference_fail(LINNET_OUT_OF_MEMORY, "reference: out of memory");
        return NULL;
    }
    memset(object, 0, bytes);
    atomic_fetch_add(&live_objects, 1);
    return object;
}

void reference_object_free(void *object)
{
    if (!object)
        return;
    atomic_fetch_sub(&live_objects, 1);
    reference_host->release(object);
}

uint64_t reference_live_objects(void)
{
    return atomic_load(&live_objects);
}

static const linnet_layer_ops *layer_ops(linnet_backend_device *device, uint32_t kind)
{
    (void)device;
    return reference_layer_find(kind) ? &reference_ops : NULL;
}

static void diagnose(char *out_text, size_t size)
{
    snprintf(out_text, size, "arithmetic: plain C, sums in double precision\nthreads: 1\n");
}

static const linnet_backend backend = {
    .struct_size = sizeof backend,
    .abi = LINNET_ABI_VERSION,
    .name = "reference",
    .description = "plain C, obviously right: what every other backend is compared with",
    .probe = reference_probe,
    .device_info = reference_device_info,
    .open = reference_open,
    .close = reference_close,
    .layer_ops = layer_ops,
    .buffer_new = reference_buffer_new,
    .buffer_free = reference_buffer_free,
    .queue_new = reference_queue_new,
    .queue_free = reference_queue_free,
    .upload = reference_upload,
    .read = reference_read,
    .copy = reference_copy,
    .fill = reference_fill,
    .finish = reference_finish,
    .host_pointer = reference_host_pointer,
    .flush = reference_finish,
    .mark = reference_mark,
    .event_wait = reference_event_wait,
    .event_time = reference_event_time,
    .event_free = reference_event_free,
    .optimizer_step = reference_optimizer_step,
    .live_objects = reference_live_objects,
    .diagnose = diagnose,
};

const linnet_backend *linnet_backend_query(uint32_t host_abi, const linnet_host *host)
{
    if (host_abi >> 16 != LINNET_ABI_MAJOR || (host_abi & 0xffff) < LINNET_ABI_MINOR)
        return NULL;
    reference_host = host;
    return &backend;
}
