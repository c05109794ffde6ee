/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plugins of a context: which files are here, which of them were loaded, what was wrong with the others. Scanning a
 * folder loads nothing; a plugin is loaded when it is asked for by name, or when every device is wanted. Internal.
 */
#ifndef LINNET_REGISTRY_H
#define LINNET_REGISTRY_H

#include "../core/context.h"
#include "linnet/backend.h"

typedef struct linnet_plugin {
    char *name; /* from the file's name */
    char *path;
    linnet_status status;           /* of loading, then of probing */
    char reason[1024];              /* why it was passed over */
    bool loaded, probed, diagnosed; /* tried already */
    bool accepted;                  /* loading went well, whatever probing said */
    /* The plugin's table, filled up with NULL where the plugin is older than we are; valid when loading went well. */
    linnet_backend backend;
    uint32_t device_count;
    char diagnosis[2048];
} linnet_plugin;

typedef struct linnet_registry {
    pthread_mutex_t mutex; /* guards everything below */
    char **folders;
    size_t folder_count, folder_capacity;
    linnet_plugin **plugins;
    size_t plugin_count, plugin_capacity;
} linnet_registry;

/* The registry of a context, scanned at the first call. NULL: out of memory, said. */
linnet_registry *linnet_registry_get(linnet_context *context);

/* The plugin of that name, one that was not refused before one that was; NULL when no file is there. */
linnet_plugin *linnet_registry_find(linnet_registry *registry, const char *name, size_t name_length);

/* Loads once, without probing; afterwards status and reason say how it went. A plugin of the context's registry. */
void linnet_plugin_load(linnet_context *context, linnet_plugin *plugin);
/* Loads and probes once; afterwards status and reason say how it went. A plugin of the context's registry. */
void linnet_plugin_ensure(linnet_context *context, linnet_plugin *plugin);

/* What the plugin says of its device number index, texts cut to size and ended: a plugin's mistakes stay its own. */
linnet_status linnet_plugin_device_info(const linnet_plugin *plugin, uint32_t index, linnet_device_info *out);
void linnet_device_info_end_texts(linnet_device_info *info);

/* ---- loader.c ---- */
/* Adds every plugin file of a folder, sorted by name. A missing folder is no error. */
linnet_status linnet_loader_scan(linnet_registry *registry, const char *folder);
/* dlopen, query, check. Sets backend or status and reason. */
void linnet_loader_load(linnet_plugin *plugin);

/* ---- elf.c ---- */
/* NULL when the file looks like a complete shared object for this machine, else why not (static). */
const char *linnet_elf_refusal(const char *path);

/* ---- host.c: what plugins are given ---- */
extern const linnet_host linnet_host_table;
/* The sentence the plugin left on this thread since the last clear, "" when none. */
const char *linnet_host_error(void);
void linnet_host_error_clear(void);

#endif
