/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A backend with one device in host memory that has no layers, for tests of the loader: each stub takes it, breaks one
 * thing and returns it from linnet_backend_query.
 */
#ifndef LINNET_STUB_H
#define LINNET_STUB_H

#include "linnet/backend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct linnet_backend_device {
    int open;
};
struct linnet_backend_buffer {
    unsigned char *bytes;
};
struct linnet_backend_queue {
    int open;
};

static linnet_status stub_probe(uint32_t *out_count)
{
    *out_count = 1;
    return LINNET_OK;
}

static linnet_status stub_device_info(uint32_t index, linnet_device_info *out)
{
    linnet_device_info info = {.struct_size = out->struct_size,
                               .type = LINNET_DEVICE_ACCELERATOR,
                               .score = -1000, /* never the default */
                               .capabilities = LINNET_CAPABILITY_HOST_VISIBLE,
                               .memory_bytes = 1 << 20,
                               .max_buffer_bytes = 1 << 20,
                               .alignment_bytes = 64,
                               .compute_units = 1};
    snprintf(info.name, sizeof info.name, "Stub device %u", index);
    snprintf(info.vendor, sizeof info.vendor, "Stub vendor");
    snprintf(info.platform, sizeof info.platform, "Stub platform");
    snprintf(info.version, sizeof info.version, "Stub driver 1.0");
    snprintf(info.cache_key, sizeof info.cache_key, "stub-%u", index);
    *out = info;
    return LINNET_OK;
}

static linnet_status stub_open(uint32_t index, linnet_backend_device **out)
{
    (void)index;
    *out = calloc(1, sizeof **out);
    return *out ? LINNET_OK : LINNET_OUT_OF_MEMORY;
}

static void stub_close(linnet_backend_device *device)
{
    free(device);
}

static const linnet_layer_ops *stub_layer_ops(linnet_backend_device *device, uint32_t kind)
{
    (void)device;
    (void)kind;
    return NULL;
}

static void stub_buffer_free(linnet_backend_buffer *buffer)
{
    if (buffer)
        free(buffer->bytes);
    free(buffer);
}

static linnet_status stub_buffer_new(linnet_backend_device *device, uint64_t bytes, linnet_backend_buffer **out)
{
    (void)device;
    linnet_backend_buffer *buffer = calloc(1, sizeof *buffer);
    if (buffer && (buffer->bytes = calloc(1, bytes))) {
        *out = buffer;
        return LINNET_OK;
    }
    stub_buffer_free(buffer);
    return LINNET_OUT_OF_MEMORY;
}

static linnet_status stub_queue_new(linnet_backend_device *device, uint32_t flags, linnet_backend_queue **out)
{
    (void)device;
    (void)flags;
    *out = calloc(1, sizeof **out);
    return *out ? LINNET_OK : LINNET_OUT_OF_MEMORY;
}

static void stub_queue_free(linnet_backend_queue *queue)
{
    free(queue);
}

static linnet_status stub_upload(linnet_backend_queue *queue, linnet_view destination, const void *source,
                                 uint64_t bytes, linnet_backend_event **out_event)
{
    (void)queue;
    if (out_event)
        *out_event = NULL;
    memcpy(destination.buffer->bytes + destination.offset, source, bytes);
    return LINNET_OK;
}

static linnet_status stub_read(linnet_backend_queue *queue, linnet_view source, void *destination, uint64_t bytes,
                               linnet_backend_event **out_event)
{
    (void)queue;
    if (out_event)
        *out_event = NULL;
    memcpy(destination, source.buffer->bytes + source.offset, bytes);
    return LINNET_OK;
}

static linnet_status stub_copy(linnet_backend_queue *queue, linnet_view destination, linnet_view source, uint64_t bytes)
{
    (void)queue;
    memcpy(destination.buffer->bytes + destination.offset, source.buffer->bytes + source.offset, bytes);
    return LINNET_OK;
}

static linnet_status stub_fill(linnet_backend_queue *queue, linnet_view destination, uint32_t pattern, uint64_t bytes)
{
    (void)queue;
    for (uint64_t i = 0; i < bytes; i += sizeof pattern)
        memcpy(destination.buffer->bytes + destination.offset + i, &pattern, sizeof pattern);
    return LINNET_OK;
}

static linnet_status stub_finish(linnet_backend_queue *queue)
{
    (void)queue;
    return LINNET_OK;
}

static inline linnet_backend stub_backend(const char *name)
{
    return (linnet_backend){.struct_size = sizeof(linnet_backend),
                            .abi = LINNET_ABI_VERSION,
                            .name = name,
                            .description = "a stub",
                            .probe = stub_probe,
                            .device_info = stub_device_info,
                            .open = stub_open,
                            .close = stub_close,
                            .layer_ops = stub_layer_ops,
                            .buffer_new = stub_buffer_new,
                            .buffer_free = stub_buffer_free,
                            .queue_new = stub_queue_new,
                            .queue_free = stub_queue_free,
                            .upload = stub_upload,
                            .read = stub_read,
                            .copy = stub_copy,
                            .fill = stub_fill,
                            .finish = stub_finish};
}

#endif
