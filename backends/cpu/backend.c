/* SPDX-License-Identifier: Apache-2.0 */
/* The plugin's table: one device, synchronous queues, buffers in host memory. */
#include "cpu.h"
#include "kernels/kernels.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

struct linnet_backend_device {
    int unused;
};

struct linnet_backend_queue {
    linnet_backend_device *device;
};

struct linnet_backend_event {
    uint64_t nanoseconds;
};

const linnet_host *cpu_host;
static _Atomic uint64_t objects;

linnet_status cpu_fail(linnet_status status, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    cpu_host->set_error(text);
    return status;
}

void *cpu_object_new(size_t bytes)
{
    void *object = cpu_host->allocate(bytes);
    if (!object) {
        cpu_fail(LINNET_OUT_OF_MEMORY, "cpu: no memory for %zu bytes", bytes);
        return NULL;
    }
    atomic_fetch_add(&objects, 1);
    return memset(object, 0, bytes);
}

void cpu_object_free(void *object)
{
    if (object)
        atomic_fetch_sub(&objects, 1);
    cpu_host->release(object);
}

uint64_t cpu_object_count(void)
{
    return atomic_load(&objects);
}

/* ---- Devices ---- */

static linnet_status probe(uint32_t *out_count)
{
    *out_count = 0;
    if (!cpu_isa_is_valid())
        return cpu_fail(LINNET_INVALID, "LINNET_CPU_ISA=%s: this machine has %s", cpu_host->option("LINNET_CPU_ISA"),
                        cpu_isa_list());
    *out_count = 1;
    return LINNET_OK;
}

static linnet_status device_info(uint32_t index, linnet_device_info *out)
{
    if (index > 0 || out->struct_size < sizeof *out)
        return cpu_fail(LINNET_INVALID, "cpu: no device %u", index);
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    out->type = LINNET_DEVICE_CPU;
    out->score = cpu_table.score;
    out->capabilities = LINNET_CAPABILITY_HOST_VISIBLE | LINNET_CAPABILITY_TIMESTAMPS;
    out->memory_bytes = pages > 0 && page > 0 ? (uint64_t)pages * (uint64_t)page : 0;
    out->max_buffer_bytes = out->memory_bytes;
    out->alignment_bytes = CPU_ALIGNMENT;
    out->compute_units = cpu_worker_count();
    cpu_brand(out->name, sizeof out->name);
    cpu_vendor(out->vendor, sizeof out->vendor);
    out->platform[0] = '\0';
    snprintf(out->version, sizeof out->version, "%s", cpu_table.isa);
    snprintf(out->cache_key, sizeof out->cache_key, "cpu %s %s threads=%u", out->name, cpu_table.isa,
             out->compute_units);
    return LINNET_OK;
}

static linnet_status open_device(uint32_t index, linnet_backend_device **out)
{
    *out = NULL;
    if (index > 0)
        return cpu_fail(LINNET_INVALID, "cpu: no device %u", index);
    *out = cpu_object_new(sizeof **out);
    if (!*out)
        return LINNET_OUT_OF_MEMORY;
    cpu_threads_retain();
    return LINNET_OK;
}

static void close_device(linnet_backend_device *device)
{
    if (!device)
        return;
    cpu_threads_release();
    cpu_object_free(device);
}

static const linnet_layer_ops *layer_ops(linnet_backend_device *device, uint32_t kind)
{
    (void)device;
    return cpu_layer_find(kind) ? &cpu_layer_ops : NULL;
}

/* ---- Buffers ---- */

static linnet_status buffer_new(linnet_backend_device *device, uint64_t bytes, linnet_backend_buffer **out)
{
    (void)device;
    *out = NULL;
    if (bytes == 0 || bytes > SIZE_MAX)
        return cpu_fail(LINNET_INVALID, "cpu: a buffer cannot have %llu bytes", (unsigned long long)bytes);
    linnet_backend_buffer *buffer = cpu_object_new(sizeof *buffer);
    if (!buffer)
        return LINNET_OUT_OF_MEMORY;
    buffer->bytes = bytes;
    buffer->data = cpu_host->allocate((size_t)bytes);
    if (!buffer->data) {
        cpu_object_free(buffer);
        return cpu_fail(LINNET_OUT_OF_MEMORY, "cpu: no memory for a buffer of %llu bytes", (unsigned long long)bytes);
    }
    *out = buffer;
    return LINNET_OK;
}

static void buffer_free(linnet_backend_buffer *buffer)
{
    if (buffer)
        cpu_host->release(buffer->data);
    cpu_object_free(buffer);
}

static void *host_pointer(linnet_backend_buffer *buffer)
{
    return buffer->data;
}

/* The range of a transfer must lie in its buffer. */
static linnet_status check_range(linnet_view view, uint64_t bytes)
{
    if (view.buffer && view.offset <= view.buffer->bytes && bytes <= view.buffer->bytes - view.offset)
        return LINNET_OK;
    return cpu_fail(LINNET_INVALID, "cpu: %llu bytes at offset %llu are not in the buffer", (unsigned long long)bytes,
                    (unsigned long long)view.offset);
}

/* ---- Queues: everything is done when a call returns. ---- */

static linnet_status queue_new(linnet_backend_device *device, uint32_t flags, linnet_backend_queue **out)
{
    (void)flags;
    *out = cpu_object_new(sizeof **out);
    if (!*out)
        return LINNET_OUT_OF_MEMORY;
    (*out)->device = device;
    return LINNET_OK;
}

static void queue_free(linnet_backend_queue *queue)
{
    cpu_object_free(queue);
}

static linnet_status mark(linnet_backend_queue *queue, linnet_backend_event **out)
{
    (void)queue;
    struct timespec now;
    *out = cpu_object_new(sizeof **out);
    if (!*out)
        return LINNET_OUT_OF_MEMORY;
    clock_gettime(CLOCK_MONOTONIC, &now);
    (*out)->nanoseconds = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    return LINNET_OK;
}

static linnet_status event_wait(linnet_backend_event *event)
{
    (void)event;
    return LINNET_OK;
}

static linnet_status event_time(linnet_backend_event *event, uint64_t *out_nanoseconds)
{
    *out_nanoseconds = event->nanoseconds;
    return LINNET_OK;
}

static void event_free(linnet_backend_event *event)
{
    cpu_object_free(event);
}

static linnet_status upload(linnet_backend_queue *queue, linnet_view destination, const void *source, uint64_t bytes,
                            linnet_backend_event **out_event)
{
    linnet_status status = check_range(destination, bytes);
    if (status != LINNET_OK)
        return status;
    memcpy(cpu_view(destination), source, (size_t)bytes);
    return out_event ? mark(queue, out_event) : LINNET_OK;
}

static linnet_status read_back(linnet_backend_queue *queue, linnet_view source, void *destination, uint64_t bytes,
                               linnet_backend_event **out_event)
{
    linnet_status status = check_range(source, bytes);
    if (status != LINNET_OK)
        return status;
    memcpy(destination, cpu_view(source), (size_t)bytes);
    return out_event ? mark(queue, out_event) : LINNET_OK;
}

static linnet_status copy(linnet_backend_queue *queue, linnet_view destination, linnet_view source, uint64_t bytes)
{
    (void)queue;
    linnet_status status = check_range(destination, bytes);
    if (status == LINNET_OK)
        status = check_range(source, bytes);
    if (status == LINNET_OK)
        memcpy(cpu_view(destination), cpu_view(source), (size_t)bytes);
    return status;
}

static linnet_status fill(linnet_backend_queue *queue, linnet_view destination, uint32_t pattern, uint64_t bytes)
{
    (void)queue;
    linnet_status status = check_range(destination, bytes);
    if (status != LINNET_OK)
        return status;
    uint32_t *words = cpu_view(destination);
    for (uint64_t i = 0; i < bytes / 4; i++)
        words[i] = pattern;
    return LINNET_OK;
}

static linnet_status finish(linnet_backend_queue *queue)
{
    (void)queue;
    return LINNET_OK;
}

static void diagnose(char *out_text, size_t size)
{
    if (size > 0)
        snprintf(out_text, size, "instruction set: %s\ninstruction sets here: %s\nthreads: %u\n", cpu_table.isa,
                 cpu_isa_list(), cpu_worker_count());
}

static void describe(linnet_backend_device *device, char *out_text, size_t size)
{
    (void)device;
    diagnose(out_text, size);
}

static const linnet_backend backend = {
    .struct_size = sizeof backend,
    .abi = LINNET_ABI_VERSION,
    .name = "cpu",
    .description = "SIMD on the processor: AVX-512, AVX2, NEON or portable vectors, threads",
    .probe = probe,
    .device_info = device_info,
    .open = open_device,
    .close = close_device,
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
    .host_pointer = host_pointer,
    .flush = finish,
    .mark = mark,
    .event_wait = event_wait,
    .event_time = event_time,
    .event_free = event_free,
    .format_bytes = cpu_format_bytes,
    .convert = cpu_convert,
    .format_name = cpu_format_name,
    .optimizer_step = cpu_optimizer_step,
    .live_objects = cpu_object_count,
    .diagnose = diagnose,
    .format_is_exact = cpu_format_is_exact,
    .format_slice = cpu_format_slice,
    .idle_jobs = cpu_idle_jobs,
    .describe = describe,
};

const linnet_backend *linnet_backend_query(uint32_t host_abi, const linnet_host *host)
{
    if (host_abi >> 16 != LINNET_ABI_MAJOR || (host_abi & 0xFFFF) < LINNET_ABI_MINOR ||
        host->struct_size < sizeof *host)
        return NULL;
    cpu_host = host;
    cpu_table_init();
    return &backend;
}
