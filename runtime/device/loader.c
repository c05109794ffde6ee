/* SPDX-License-Identifier: Apache-2.0 */
/* Finds and loads plugin files: linnet-<name>-abi<major>.so. */
#include "registry.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "linnet-"
#define INFIX  "-abi"
#define SUFFIX ".so"

static void LINNET_PRINTF(3, 4) refuse(linnet_plugin *plugin, linnet_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(plugin->reason, sizeof plugin->reason, format, arguments);
    va_end(arguments);
    plugin->status = status;
}

/* "linnet-cpu-abi0.so" -> name "cpu", major 0. */
static bool parse_file_name(const char *file, size_t *out_name_length, long *out_major)
{
    size_t length = strlen(file);
    if (length < strlen(PREFIX SUFFIX) || strncmp(file, PREFIX, strlen(PREFIX)) != 0 ||
        strcmp(file + length - strlen(SUFFIX), SUFFIX) != 0)
        return false;
    const char *name = file + strlen(PREFIX), *infix = strstr(name, INFIX);
    if (!infix || infix == name)
        return false;
    char *end;
    errno = 0;
    *out_major = strtol(infix + strlen(INFIX), &end, 10);
    *out_name_length = (size_t)(infix - name);
    return !errno && end != infix + strlen(INFIX) && strcmp(end, SUFFIX) == 0;
}

static void plugin_free(linnet_plugin *plugin)
{
    if (!plugin)
        return;
    linnet_release(plugin->name);
    linnet_release(plugin->path);
    linnet_release(plugin);
}

static linnet_status add_file(linnet_registry *registry, const char *folder, const char *file)
{
    size_t name_length;
    long major;
    if (!parse_file_name(file, &name_length, &major))
        return LINNET_OK;
    linnet_plugin *plugin = linnet_allocate(1, sizeof *plugin);
    if (!plugin || !linnet_grow(&registry->plugins, &registry->plugin_capacity, registry->plugin_count + 1,
                                sizeof *registry->plugins)) {
        linnet_release(plugin);
        return LINNET_OUT_OF_MEMORY;
    }
    plugin->name = linnet_format("%.*s", (int)name_length, file + strlen(PREFIX));
    plugin->path = linnet_format("%s/%s", folder, file);
    if (!plugin->name || !plugin->path) {
        plugin_free(plugin);
        return LINNET_OUT_OF_MEMORY;
    }
    linnet_plugin *first = linnet_registry_find(registry, plugin->name, name_length);
    /* The version is in the file's name, so that a wrong one is refused before its constructors run. */
    if (major != LINNET_ABI_MAJOR)
        refuse(plugin, LINNET_UNSUPPORTED, "made for plugin ABI %ld, this Linnet has ABI %d", major, LINNET_ABI_MAJOR);
    else if (first && first->status == LINNET_OK)
        refuse(plugin, LINNET_UNSUPPORTED, "hidden by %s", first->path);
    plugin->loaded = plugin->probed = plugin->status != LINNET_OK;
    registry->plugins[registry->plugin_count++] = plugin;
    return LINNET_OK;
}

linnet_status linnet_loader_scan(linnet_registry *registry, const char *folder)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, NULL, alphasort);
    if (count < 0)
        return errno == ENOMEM ? LINNET_OUT_OF_MEMORY : LINNET_OK;
    linnet_status status = LINNET_OK;
    for (int i = 0; i < count; i++) {
        if (status == LINNET_OK)
            status = add_file(registry, folder, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return status;
}

/* The first mandatory slot that is empty, NULL when all are there. */
static const char *missing_slot(const linnet_backend *b)
{
#define SLOT(name)                                                                                                     \
    if (!b->name)                                                                                                      \
    return #name
    SLOT(name);
    SLOT(description);
    SLOT(probe);
    SLOT(device_info);
    SLOT(open);
    SLOT(close);
    SLOT(layer_ops);
    SLOT(buffer_new);
    SLOT(buffer_free);
    SLOT(queue_new);
    SLOT(queue_free);
    SLOT(upload);
    SLOT(read);
    SLOT(copy);
    SLOT(fill);
    SLOT(finish);
#undef SLOT
    return NULL;
}

/* Checks the table that a plugin gave and keeps a copy of our size. */
static void accept(linnet_plugin *plugin, const linnet_backend *given)
{
    size_t mandatory = offsetof(linnet_backend, host_pointer);
    if (!given) {
        refuse(plugin, LINNET_UNSUPPORTED, "it has no ABI version in common with this Linnet (%d.%d)", LINNET_ABI_MAJOR,
               LINNET_ABI_MINOR);
        return;
    }
    if (given->struct_size < mandatory) {
        refuse(plugin, LINNET_UNSUPPORTED, "its table has %u bytes, at least %zu are needed", given->struct_size,
               mandatory);
        return;
    }
    if (given->abi >> 16 != LINNET_ABI_MAJOR) {
        refuse(plugin, LINNET_UNSUPPORTED, "made for plugin ABI %u, this Linnet has ABI %d", given->abi >> 16,
               LINNET_ABI_MAJOR);
        return;
    }
    memcpy(&plugin->backend, given, given->struct_size < sizeof *given ? given->struct_size : sizeof *given);
    const char *missing = missing_slot(&plugin->backend);
    if (missing)
        refuse(plugin, LINNET_UNSUPPORTED, "the mandatory slot '%s' is empty", missing);
    else if (strcmp(plugin->backend.name, plugin->name) != 0)
        refuse(plugin, LINNET_UNSUPPORTED, "it calls itself '%s', its file '%s'", plugin->backend.name, plugin->name);
    else
        plugin->accepted = true;
}

void linnet_loader_load(linnet_plugin *plugin)
{
    const char *refusal = linnet_elf_refusal(plugin->path);
    if (refusal) {
        refuse(plugin, LINNET_BAD_FILE, "%s", refusal);
        return;
    }
    /* Never closed: a plugin may have started threads (OpenMP, a driver's own) that outlive it. */
    void *library = dlopen(plugin->path, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (!library) {
        refuse(plugin, LINNET_BAD_FILE, "%s", dlerror());
        return;
    }
    linnet_backend_query_function query;
    *(void **)&query = dlsym(library, LINNET_BACKEND_QUERY_SYMBOL);
    if (!query) {
        refuse(plugin, LINNET_BAD_FILE, "it exports no %s", LINNET_BACKEND_QUERY_SYMBOL);
        return;
    }
    accept(plugin, query(LINNET_ABI_VERSION, &linnet_host_table));
}
