/* SPDX-License-Identifier: Apache-2.0 */
#include "device.h"

#include "registry.h"
#include "tuner.h"
#include "../verify/trust.h"

#include <stdio.h>
#include <string.h>

enum { DESCRIPTION = 16384 }; /* bytes of a plugin's lines about a device */

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

/* What the plugin said of the device, before anything is computed with it. */
static linnet_status take_info(linnet_device *device)
{
    linnet_device_info_end_texts(&device->info);
    snprintf(device->label, sizeof device->label, "%s: %s", device->backend->name, device->info.name);
    if (alignment_is_sane(device->info.alignment_bytes))
        return LINNET_OK;
    return linnet_fail(device->context, LINNET_DEVICE_ERROR, "%s: device %u claims an alignment of %u bytes",
                       device->backend->name, device->index, device->info.alignment_bytes);
}

uint64_t linnet_device_largest_buffer(const linnet_device *device)
{
    return device->info.max_buffer_bytes ? device->info.max_buffer_bytes : UINT64_MAX;
}

uint64_t linnet_device_align(const linnet_device *device, uint64_t offset)
{
    uint64_t alignment = device->info.alignment_bytes;
    return (offset + alignment - 1) / alignment * alignment;
}

static linnet_status device_open(const linnet_plugin *plugin, linnet_device *device)
{
    linnet_status status =
        linnet_device_check(device->context, device, linnet_plugin_device_info(plugin, device->index, &device->info),
                            "asking for its properties");
    if (status == LINNET_OK)
        status = take_info(device);
    if (status != LINNET_OK)
        return status;
    return linnet_device_check(device->context, device, device->backend->open(device->index, &device->handle),
                               "opening the device");
}

static linnet_device *device_new(linnet_context *context, const linnet_plugin *plugin, uint32_t index)
{
    linnet_device *device = linnet_allocate(1, sizeof *device);
    if (!device) {
        linnet_fail(context, LINNET_OUT_OF_MEMORY, "no memory for device %s:%u", plugin->name, index);
        return NULL;
    }
    device->context = context;
    device->backend = &plugin->backend;
    device->plugin_path = plugin->path;
    device->index = index;
    device->references = 1;
    snprintf(device->label, sizeof device->label, "%s", device->backend->name);
    return device;
}

linnet_device *linnet_device_open_at(linnet_context *context, const char *backend, uint32_t index)
{
    linnet_registry *registry = linnet_registry_get(context);
    linnet_plugin *plugin = registry ? linnet_registry_find(registry, backend, strlen(backend)) : NULL;
    linnet_device *device = plugin ? device_new(context, plugin, index) : NULL;
    if (!device)
        return NULL;
    if (device_open(plugin, device) != LINNET_OK) {
        linnet_release(device);
        return NULL;
    }
    linnet_log(context, LINNET_LOG_INFO, "opened %s", device->label);
    return device;
}

/* ---- Objects that the caller has ---- */

static linnet_status adopt(const linnet_native_objects *objects, linnet_device *device)
{
    linnet_native_objects own = {.struct_size = sizeof own};
    if (!device->backend->adopt)
        return linnet_fail(device->context, LINNET_UNSUPPORTED, "%s takes no objects of others", device->label);
    if (!objects || objects->struct_size < sizeof own)
        return linnet_fail(device->context, LINNET_INVALID, "linnet_device_adopt wants objects, and their struct_size");
    memcpy(&own, objects, sizeof own);
    own.struct_size = sizeof own;
    device->info.struct_size = sizeof device->info;
    linnet_status status =
        linnet_device_check(device->context, device, device->backend->adopt(&own, &device->info, &device->handle),
                            "taking the caller's objects");
    if (status != LINNET_OK)
        return status;
    status = take_info(device);
    if (status != LINNET_OK)
        device->backend->close(device->handle);
    return status;
}

/* Loaded, not probed: the caller has asked the driver already. NULL with the error said. */
static const linnet_plugin *find_plugin(linnet_context *context, const char *name)
{
    linnet_registry *registry = linnet_registry_get(context);
    if (!registry)
        return NULL;
    linnet_plugin *plugin = name ? linnet_registry_find(registry, name, strlen(name)) : NULL;
    if (plugin)
        linnet_plugin_load(context, plugin);
    if (plugin && plugin->accepted)
        return plugin;
    linnet_fail(context, LINNET_NO_DEVICE, "backend '%s' cannot be used: %s", name ? name : "",
                plugin ? plugin->reason : "no plugin of that name was found");
    return NULL;
}

linnet_device *linnet_device_adopt(linnet_context *context, const char *backend, const linnet_native_objects *objects)
{
    context = linnet_context_or_default(context);
    const linnet_plugin *plugin = linnet_context_check(context) == LINNET_OK ? find_plugin(context, backend) : NULL;
    linnet_device *device = plugin ? device_new(context, plugin, UINT32_MAX) : NULL; /* none of those found */
    if (!device)
        return NULL;
    if (adopt(objects, device) != LINNET_OK) {
        linnet_release(device);
        return NULL;
    }
    linnet_log(context, LINNET_LOG_INFO, "took objects of the caller's as %s", device->label);
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

linnet_status linnet_device_describe(linnet_device *device, char **out_text)
{
    if (!device || !out_text)
        return linnet_fail(device ? device->context : NULL, LINNET_INVALID, "a description needs a device and a place");
    linnet_text text = {0};
    char *lines = linnet_allocate(1, DESCRIPTION);
    if (lines && device->backend->describe)
        device->backend->describe(device->handle, lines, DESCRIPTION);
    if (lines)
        linnet_text_append(&text, "%s", lines);
    linnet_trust_describe(device, &text);
    linnet_release(lines);
    *out_text = text.failed ? NULL : text.data;
    if (*out_text)
        return LINNET_OK;
    linnet_release(text.data);
    return linnet_fail(device->context, LINNET_OUT_OF_MEMORY, "no memory to describe a device");
}
