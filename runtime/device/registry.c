/* SPDX-License-Identifier: Apache-2.0 */
#include "prober.h"
#include "registry.h"

#include "linnet/device.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/auxv.h>

static void registry_free(linnet_registry *registry)
{
    if (!registry)
        return;
    for (size_t i = 0; i < registry->folder_count; i++)
        linnet_release(registry->folders[i]);
    for (size_t i = 0; i < registry->plugin_count; i++) {
        linnet_release(registry->plugins[i]->name);
        linnet_release(registry->plugins[i]->path);
        linnet_release(registry->plugins[i]);
    }
    linnet_release(registry->folders);
    linnet_release(registry->plugins);
    pthread_mutex_destroy(&registry->mutex);
    linnet_release(registry);
}

/* Takes over folder (NULL: out of memory). A folder named twice is searched once. */
static linnet_status add_folder(linnet_registry *registry, char *folder)
{
    char resolved[PATH_MAX];
    if (folder && realpath(folder, resolved)) {
        linnet_release(folder);
        folder = linnet_duplicate(resolved);
    }
    for (size_t i = 0; folder && i < registry->folder_count; i++)
        if (strcmp(registry->folders[i], folder) == 0) {
            linnet_release(folder);
            return LINNET_OK;
        }
    if (!folder || !linnet_grow(&registry->folders, &registry->folder_capacity, registry->folder_count + 1,
                                sizeof *registry->folders)) {
        linnet_release(folder);
        return LINNET_OUT_OF_MEMORY;
    }
    registry->folders[registry->folder_count++] = folder;
    return linnet_loader_scan(registry, folder);
}

/* The colon-separated folders of LINNET_PLUGIN_PATH; relative ones are passed over: never the working directory. */
static linnet_status add_path(linnet_registry *registry, const char *path)
{
    linnet_status status = LINNET_OK;
    while (path && status == LINNET_OK) {
        const char *colon = strchr(path, ':');
        int length = colon ? (int)(colon - path) : (int)strlen(path);
        if (length > 0 && path[0] == '/')
            status = add_folder(registry, linnet_format("%.*s", length, path));
        path = colon ? colon + 1 : NULL;
    }
    return status;
}

/* Beside the library, so that a build works where it is and an installation can be moved. */
static linnet_status add_own_folders(linnet_registry *registry)
{
    Dl_info info;
    char path[PATH_MAX];
    if (!dladdr((const void *)&linnet_host_table, &info) || !info.dli_fname || !realpath(info.dli_fname, path))
        return LINNET_OK;
    char *slash = strrchr(path, '/');
    if (slash)
        *slash = '\0';
    linnet_status status = add_folder(registry, linnet_format("%s/linnet", path));
    return status != LINNET_OK ? status : add_folder(registry, linnet_format("%s/../lib/linnet", path));
}

static linnet_status fill(linnet_registry *registry, const linnet_settings *settings)
{
    linnet_status status = LINNET_OK;
    if (!getauxval(AT_SECURE)) {
        status = add_path(registry, settings->plugin_path);
        if (status == LINNET_OK)
            status = add_own_folders(registry);
    }
    return status != LINNET_OK ? status : add_folder(registry, linnet_duplicate(LINNET_PLUGIN_DIR));
}

linnet_registry *linnet_registry_get(linnet_context *context)
{
    pthread_mutex_lock(&context->mutex);
    linnet_registry *registry = context->registry;
    if (!registry) {
        registry = linnet_allocate(1, sizeof *registry);
        if (registry && pthread_mutex_init(&registry->mutex, NULL) == 0) {
            if (fill(registry, &context->settings) == LINNET_OK) {
                context->registry = registry;
                context->registry_free = registry_free;
            } else {
                registry_free(registry);
                registry = NULL;
            }
        }
    }
    pthread_mutex_unlock(&context->mutex);
    if (!registry)
        linnet_fail(context, LINNET_OUT_OF_MEMORY, "no memory for the list of backends");
    return registry;
}

linnet_plugin *linnet_registry_find(linnet_registry *registry, const char *name, size_t name_length)
{
    linnet_plugin *refused = NULL;
    for (size_t i = 0; i < registry->plugin_count; i++) {
        linnet_plugin *plugin = registry->plugins[i];
        if (strlen(plugin->name) != name_length || strncasecmp(plugin->name, name, name_length) != 0)
            continue;
        if (plugin->status == LINNET_OK)
            return plugin;
        if (!refused)
            refused = plugin;
    }
    return refused;
}

static void probe(linnet_context *context, linnet_plugin *plugin)
{
    plugin->device_count = 0;
    plugin->status = linnet_prober_ask(context, plugin, plugin->reason, sizeof plugin->reason);
    if (plugin->status != LINNET_OK) {
        linnet_log(context, LINNET_LOG_WARNING, "%s: %s", plugin->name, plugin->reason);
        return;
    }
    linnet_host_error_clear();
    linnet_status status = plugin->backend.probe(&plugin->device_count);
    if (status != LINNET_OK) {
        const char *said = linnet_host_error();
        plugin->device_count = 0;
        plugin->status = status;
        snprintf(plugin->reason, sizeof plugin->reason, "probing failed: %s",
                 *said ? said : linnet_status_text(status));
    }
}

/* Under the mutex. */
static void load(linnet_plugin *plugin)
{
    if (!plugin->loaded) {
        plugin->loaded = true;
        linnet_loader_load(plugin);
    }
}

void linnet_plugin_load(linnet_context *context, linnet_plugin *plugin)
{
    linnet_registry *registry = context->registry;
    pthread_mutex_lock(&registry->mutex);
    load(plugin);
    pthread_mutex_unlock(&registry->mutex);
}

void linnet_plugin_ensure(linnet_context *context, linnet_plugin *plugin)
{
    linnet_registry *registry = context->registry;
    pthread_mutex_lock(&registry->mutex);
    load(plugin);
    if (!plugin->probed && plugin->status == LINNET_OK)
        probe(context, plugin);
    plugin->probed = true;
    pthread_mutex_unlock(&registry->mutex);
}

linnet_status linnet_plugin_device_info(const linnet_plugin *plugin, uint32_t index, linnet_device_info *out)
{
    memset(out, 0, sizeof *out);
    out->struct_size = sizeof *out;
    linnet_host_error_clear();
    linnet_status status = plugin->backend.device_info(index, out);
    linnet_device_info_end_texts(out);
    return status;
}

void linnet_device_info_end_texts(linnet_device_info *info)
{
    info->name[sizeof info->name - 1] = '\0';
    info->vendor[sizeof info->vendor - 1] = '\0';
    info->platform[sizeof info->platform - 1] = '\0';
    info->version[sizeof info->version - 1] = '\0';
    info->cache_key[sizeof info->cache_key - 1] = '\0';
}

/* Ensures report index; NULL behind the last. */
static linnet_plugin *report_plugin(linnet_context *context, uint32_t index, linnet_status *out_status)
{
    linnet_registry *registry = NULL;
    *out_status = linnet_context_check(context);
    if (*out_status == LINNET_OK && !(registry = linnet_registry_get(context)))
        *out_status = LINNET_OUT_OF_MEMORY;
    if (*out_status != LINNET_OK)
        return NULL;
    if (index >= registry->plugin_count) {
        *out_status = LINNET_END;
        return NULL;
    }
    linnet_plugin_ensure(context, registry->plugins[index]);
    return registry->plugins[index];
}

/* Once: the text belongs to the context and is read without a lock. */
static void diagnose(linnet_registry *registry, linnet_plugin *plugin)
{
    pthread_mutex_lock(&registry->mutex);
    if (!plugin->diagnosed && plugin->status == LINNET_OK && plugin->backend.diagnose)
        plugin->backend.diagnose(plugin->diagnosis, sizeof plugin->diagnosis);
    plugin->diagnosed = true;
    pthread_mutex_unlock(&registry->mutex);
}

linnet_status linnet_backend_report_at(linnet_context *context, uint32_t index, linnet_backend_report *out_report)
{
    linnet_status status;
    context = linnet_context_or_default(context);
    linnet_plugin *plugin = report_plugin(context, index, &status);
    if (!plugin)
        return status;
    diagnose(context->registry, plugin);
    *out_report = (linnet_backend_report){
        .name = plugin->name,
        .path = plugin->path,
        .description = plugin->backend.description ? plugin->backend.description : "",
        .status = plugin->status,
        .reason = plugin->reason,
        .device_count = plugin->device_count,
        .diagnosis = plugin->diagnosis,
    };
    return LINNET_OK;
}

linnet_status linnet_backend_report_device(linnet_context *context, uint32_t index, uint32_t device_index,
                                           linnet_device_info *out_info)
{
    linnet_status status;
    context = linnet_context_or_default(context);
    linnet_plugin *plugin = report_plugin(context, index, &status);
    if (!plugin)
        return status;
    if (device_index >= plugin->device_count)
        return LINNET_END;
    status = linnet_plugin_device_info(plugin, device_index, out_info);
    return status == LINNET_OK ? LINNET_OK : linnet_fail(context, status, "%s: %s", plugin->name, linnet_host_error());
}

const char *linnet_plugin_folder(linnet_context *context, uint32_t index)
{
    context = linnet_context_or_default(context);
    linnet_registry *registry = linnet_context_check(context) == LINNET_OK ? linnet_registry_get(context) : NULL;
    return registry && index < registry->folder_count ? registry->folders[index] : NULL;
}

linnet_status linnet_probe_place(linnet_context *context, uint32_t index, char *out_path, size_t size)
{
    char path[PATH_MAX];
    context = linnet_context_or_default(context);
    linnet_status status = linnet_context_check(context);
    linnet_registry *registry = status == LINNET_OK ? linnet_registry_get(context) : NULL;
    if (!registry)
        return status ? status : LINNET_OUT_OF_MEMORY;
    if (!linnet_helper_place(registry, index, path))
        return LINNET_END;
    if (!out_path || strlen(path) >= size)
        return linnet_fail(context, LINNET_INVALID, "linnet_probe_place: no room for %s", path);
    memcpy(out_path, path, strlen(path) + 1);
    return LINNET_OK;
}
