/* SPDX-License-Identifier: Apache-2.0 */
#include "device.h"

#include "registry.h"
#include "tuner.h"
#include "../verify/trust.h"

#include <stdio.h>
#include <string.h>

linnet_status linnet_device_check(linnet_context *context, const linnet_device *device, linnet_status status,
                                  const char *what)
{
    if (status == LINNET_OK)
        return LINNET_OK;
    const char *said = linnet_host_error();
    linnet_fail(context, status, "%s: %s: %s", device->label, what, *said ? said : linnet_status_text(status));
    linnet_host_error_clear();
    return status;
}

/* Offsets are computed with it: anything but a sane power of two is the plugin's mistake. */
static bool alignment_is_sane(uint32_t alignment)
{
    return alignment && alignment <= 4096 && (alignment & (alignment - 1)) == 0;
}

static linnet_status device_open(const linnet_plugin *plugin, linnet_device *device)
{
    linnet_context *context = device->context;
    const char *name = device->backend->name;
    snprintf(device->label, sizeof device->label, "%s", name);
    linnet_status status = linnet_plugin_device_info(plugin, device->index, &device->info);
    if (status != LINNET_OK)
        return linnet_device_check(context, device, status, "asking for its properties");
    if (!alignment_is_sane(device->info.alignment_bytes))
        return linnet_fail(context, LINNET_DEVICE_ERROR, "%s: device %u claims an alignment of %u bytes", name,
                           device->index, device->info.alignment_bytes);
    snprintf(device->label, sizeof device->label, "%s: %s", name, device->info.name);
    return linnet_device_check(context, device, device->backend->open(device->index, &device->handle),
                               "opening the device");
}

linnet_device *linnet_device_open_at(linnet_context *context, const char *backend, uint32_t index)
{
    linnet_registry *registry = linnet_registry_get(context);
    linnet_plugin *plugin = registry ? linnet_registry_find(registry, backend, strlen(backend)) : NULL;
    linnet_device *device = plugin ? linnet_allocate(1, sizeof *device) : NULL;
    if (!device) {
        linnet_fail(context, LINNET_OUT_OF_MEMORY, "no memory for device %s:%u", backend, index);
        return NULL;
    }
    device->context = context;
    device->backend = &plugin->backend;
    device->plugin_path = plugin->path;
    device->index = index;
    device->references = 1;
    if (device_open(plugin, device) != LINNET_OK) {
        linnet_release(device);
        return NULL;
    }
    linnet_log(context, LINNET_LOG_INFO, "opened %s", device->label);
    return device;
}

linnet_device *linnet_device_retain(linnet_device *device)
{
    __atomic_add_fetch(&device->references, 1, __ATOMIC_RELAXED);
    return device;
}

void linnet_device_close(linnet_device **device)
{
    if (!device || !*device)
        return;
    linnet_device *d = *device;
    *device = NULL;
    if (__atomic_sub_fetch(&d->references, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    d->backend->close(d->handle);
    linnet_tuned_free(d);
    linnet_trust_free(d);
    linnet_release(d);
}

const linnet_device_info *linnet_device_get_info(const linnet_device *device)
{
    return &device->info;
}

const char *linnet_device_backend_name(const linnet_device *device)
{
    return device->backend->name;
}

const char *linnet_device_label(const linnet_device *device)
{
    return device->label;
}

linnet_status linnet_device_run_idle_jobs(linnet_device *device, uint32_t jobs, uint32_t tasks, uint32_t nanoseconds)
{
    if (!device || !device->backend->idle_jobs)
        return LINNET_UNSUPPORTED;
    device->backend->idle_jobs(device->handle, jobs, tasks, nanoseconds);
    return LINNET_OK;
}
