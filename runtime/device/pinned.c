/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of the host that a device's driver has page-locked, where it does such a thing. */
#include "pinned.h"

#include "../core/core.h"
#include "device.h"
#include "registry.h"

#include <pthread.h>

enum { HEADER = 64 }; /* in front of what the caller has */

typedef struct linnet_pinned linnet_pinned;
struct linnet_pinned {
    linnet_pinned *next;
    linnet_device *device; /* held */
    size_t bytes;          /* of what the caller has */
    bool is_plain;         /* nothing was locked */
};
_Static_assert(sizeof(linnet_pinned) <= HEADER, "what is kept of it lies in front of it");

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* of all devices' lists */

/* NULL: the device has none, or no more of it. */
static linnet_pinned *lock_pages(linnet_device *device, size_t bytes)
{
    const linnet_backend *backend = device->backend;
    void *memory = NULL;
    if (!backend->pinned_new || !backend->pinned_free || !backend->event_wait || !backend->event_free)
        return NULL;
    if (backend->pinned_new(device->handle, bytes, &memory) == LINNET_OK)
        return memory;
    linnet_log(device->context, LINNET_LOG_INFO, "%s: %s; plain memory is taken instead", device->label,
               linnet_host_error());
    linnet_host_error_clear();
    return NULL;
}

void *linnet_pinned_new(linnet_device *device, size_t bytes)
{
    size_t all;
    if (!device || !bytes) {
        linnet_fail(device ? device->context : NULL, LINNET_INVALID, "pinned memory needs a device and a size");
        return NULL;
    }
    bool fits = !__builtin_add_overflow(bytes, (size_t)HEADER, &all);
    linnet_pinned *pinned = fits ? lock_pages(device, all) : NULL;
    bool is_plain = !pinned;
    if (is_plain)
        pinned = fits ? linnet_allocate(1, all) : NULL;
    if (!pinned) {
        linnet_fail(device->context, LINNET_OUT_OF_MEMORY, "no memory for %zu bytes on the host", bytes);
        return NULL;
    }
    *pinned = (linnet_pinned){.device = linnet_device_retain(device), .bytes = bytes, .is_plain = is_plain};
    if (!is_plain) {
        pthread_mutex_lock(&mutex);
        pinned->next = device->pinned;
        device->pinned = pinned;
        pthread_mutex_unlock(&mutex);
    }
    return (char *)pinned + HEADER;
}

static void forget(const linnet_pinned *pinned)
{
    pthread_mutex_lock(&mutex);
    linnet_pinned **link = &pinned->device->pinned;
    while (*link != pinned)
        link = &(*link)->next;
    *link = pinned->next;
    pthread_mutex_unlock(&mutex);
}

void linnet_pinned_free(void *memory)
{
    if (!memory)
        return;
    linnet_pinned *pinned = (linnet_pinned *)((char *)memory - HEADER);
    linnet_device *device = pinned->device;
    /* In a fork's child a thread that is not there may have the lock. */
    if (!pinned->is_plain && linnet_context_check(device->context) == LINNET_FORKED)
        return;
    if (pinned->is_plain) {
        linnet_release(pinned);
    } else {
        forget(pinned);
        device->backend->pinned_free(device->handle, pinned);
    }
    linnet_device_close(&device);
}

bool linnet_pinned_has(const linnet_device *device, const void *data, uint64_t bytes)
{
    uintptr_t first = (uintptr_t)data;
    bool found = false;
    pthread_mutex_lock(&mutex);
    for (const linnet_pinned *p = device->pinned; p && !found; p = p->next) {
        uintptr_t start = (uintptr_t)p + HEADER;
        found = first >= start && first - start <= p->bytes && bytes <= p->bytes - (first - start);
    }
    pthread_mutex_unlock(&mutex);
    return found;
}
