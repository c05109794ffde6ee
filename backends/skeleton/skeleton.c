/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A backend that compiles, loads and supports nothing: copy this folder to write one. README.md is the guide,
 * linnet/backend.h the contract. What is here works on host memory and has every mandatory slot; it finds no device
 * until device_count says so, and has no layer until layer_ops does.
 */
#include "linnet/backend.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#define NAME "skeleton" /* as in the file's name: linnet-skeleton-abi0.so */

static const uint32_t device_count = 0;

/* What the host offers: memory, log, error record, environment. There is no other way to Linnet from here. */
static const linnet_host *host;

/* Everything that must be gone when the last device is closed. */
static atomic_ullong live_object_count;

/* Say why, then return the status: return fail(LINNET_DEVICE_ERROR, "skeleton: the command buffer is full"); */
static linnet_status fail(linnet_status status, const char *sentence)
{
    host->set_error(sentence);
    return status;
}

static void *object_new(size_t bytes)
{
    void *object = host->allocate(bytes);
    if (!object) {
        fail(LINNET_OUT_OF_MEMORY, NAME ": out of memory");
        return NULL;
    }
    memset(object, 0, bytes);
    atomic_fetch_add(&live_object_count, 1);
    return object;
}

static void object_free(void *object)
{
    if (!object)
        return;
    atomic_fetch_sub(&live_object_count, 1);
    host->release(object);
}

/* ---- Devices ---- */

/* One opened device: a context, a driver's handle, compiled programs. Shared between threads. */
struct linnet_backend_device {
    uint32_t index;
};

/* Look, and leave no trace: no context, no thread, no file. A missing driver is 0 devices and LINNET_OK. */
static linnet_status probe(uint32_t *out_count)
{
    *out_count = device_count;
    return LINNET_OK;
}

/* The host zeroed out and set struct_size. Asked without open: as cheap as probe. */
static linnet_status device_info(uint32_t index, linnet_device_info *out)
{
    if (index >= device_count)
        return fail(LINNET_NO_DEVICE, NAME ": no such device");
    out->type = LINNET_DEVICE_CPU;
    out->score = 1; /* the device with the best score is the default one; see backend.h for what others have */
    out->memory_bytes = (uint64_t)1 << 30;
    out->max_buffer_bytes = (uint64_t)1 << 30;
    out->alignment_bytes = 64;
    out->compute_units = 1;
    snprintf(out->name, sizeof out->name, NAME);
    snprintf(out->cache_key, sizeof out->cache_key, NAME);
    return LINNET_OK;
}

static linnet_status device_open(uint32_t index, linnet_backend_device **out)
{
    if (index >= device_count)
        return fail(LINNET_NO_DEVICE, NAME ": no such device");
    *out = object_new(sizeof **out);
    if (!*out)
        return LINNET_OUT_OF_MEMORY;
    (*out)->index = index;
    return LINNET_OK;
}

static void device_close(linnet_backend_device *device)
{
    object_free(device);
}

/* ---- Buffers: memory of the device. The host sees handles and byte offsets, never a pointer. ---- */

struct linnet_backend_buffer {
    unsigned char *data;
};

static void buffer_free(linnet_backend_buffer *buffer)
{
    if (buffer)
        host->release(buffer->data);
    object_free(buffer);
}

static linnet_status buffer_new(linnet_backend_device *device, uint64_t bytes, linnet_backend_buffer **out)
{
    (void)device;
    linnet_backend_buffer *buffer = object_new(sizeof *buffer);
    if (!buffer)
        return LINNET_OUT_OF_MEMORY;
    buffer->data = host->allocate((size_t)bytes);
    if (!buffer->data) {
        buffer_free(buffer);
        return fail(LINNET_OUT_OF_MEMORY, NAME ": out of memory");
    }
    *out = buffer;
    return LINNET_OK;
}

static void *memory(linnet_view view)
{
    return view.buffer->data + view.offset;
}

/* ---- Queues: work runs in the order in which it was put there. This one does everything at once. ---- */

struct linnet_backend_queue {
    linnet_backend_device *device;
};

static linnet_status queue_new(linnet_backend_device *device, uint32_t flags, linnet_backend_queue **out)
{
    (void)flags; /* LINNET_QUEUE_TIMESTAMPS comes only to devices with that capability */
    *out = object_new(sizeof **out);
    if (!*out)
        return LINNET_OUT_OF_MEMORY;
    (*out)->device = device;
    return LINNET_OK;
}

static void queue_free(linnet_backend_queue *queue)
{
    object_free(queue);
}

/* A backend with events (mark, event_wait, event_free) may return before the copy is done and hand out an event.
   Without them: copy now, and leave *out_event NULL. */
static linnet_status upload(linnet_backend_queue *queue, linnet_view destination, const void *source, uint64_t bytes,
                            linnet_backend_event **out_event)
{
    (void)queue;
    memcpy(memory(destination), source, (size_t)bytes);
    if (out_event)
        *out_event = NULL;
    return LINNET_OK;
}

static linnet_status read_back(linnet_backend_queue *queue, linnet_view source, void *destination, uint64_t bytes,
                               linnet_backend_event **out_event)
{
    (void)queue;
    memcpy(destination, memory(source), (size_t)bytes);
    if (out_event)
        *out_event = NULL;
    return LINNET_OK;
}

static linnet_status copy(linnet_backend_queue *queue, linnet_view destination, linnet_view source, uint64_t bytes)
{
    (void)queue;
    memcpy(memory(destination), memory(source), (size_t)bytes);
    return LINNET_OK;
}

static linnet_status fill(linnet_backend_queue *queue, linnet_view destination, uint32_t pattern, uint64_t bytes)
{
    (void)queue;
    uint32_t *words = memory(destination);
    for (uint64_t i = 0; i < bytes / sizeof pattern; i++)
        words[i] = pattern;
    return LINNET_OK;
}

/* Waits, then returns the first error of the work since the last finish. */
static linnet_status finish(linnet_backend_queue *queue)
{
    (void)queue;
    return LINNET_OK;
}

/* ---- Layers: NULL for every kind that this device does not have; the host runs those elsewhere. ---- */

static const linnet_layer_ops *layer_ops(linnet_backend_device *device, uint32_t kind)
{
    (void)device;
    switch (kind) {
    default:
        return NULL;
    }
}

/* ---- Optional slots: leave out what you do not have. ---- */

static uint64_t live_objects(void)
{
    return atomic_load(&live_object_count);
}

/* ---- The table and the only exported symbol ---- */

static const linnet_backend backend = {
    .struct_size = sizeof backend,
    .abi = LINNET_ABI_VERSION,
    .name = NAME,
    .description = "supports nothing: copy it to write a backend",
    .probe = probe,
    .device_info = device_info,
    .open = device_open,
    .close = device_close,
    .layer_ops = layer_ops,
    .buffer_new = buffer_new,
    .buffer_free = buffer_free,
    .queue_new = queue_new,
    .queue_free = queue_free,
    .upload = upload,
    .read = read_back,
    .copy = copy,
    .fill = fill,
    .finish = finish,
    .live_objects = live_objects,
};

/* Called once, before everything else. NULL where host and plugin have no version in common: another major, or a host
   too old to have what this plugin was compiled against. */
const linnet_backend *linnet_backend_query(uint32_t host_abi, const linnet_host *given_host)
{
    if (host_abi >> 16 != LINNET_ABI_MAJOR || (host_abi & 0xffff) < LINNET_ABI_MINOR)
        return NULL;
    host = given_host;
    return &backend;
}
