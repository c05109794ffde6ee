/* SPDX-License-Identifier: Apache-2.0 */
/* The selection grammar: name[:device]. */
#include "device.h"

#include "registry.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_number(const char *text)
{
    if (!*text)
        return false;
    for (; *text; text++)
        if (!isdigit((unsigned char)*text))
            return false;
    return true;
}

static bool matches(const linnet_device_info *info, const char *part)
{
    return strcasestr(info->platform, part) || strcasestr(info->vendor, part) || strcasestr(info->name, part) ||
           strcasestr(info->version, part);
}

/* Appends to a list for a sentence; cut when text is full. */
static void append(char *text, size_t size, const char *separator, const char *item)
{
    size_t used = strlen(text);
    snprintf(text + used, size - used, "%s%s", used ? separator : "", item);
}

static linnet_status fail_no_backend(linnet_context *context, const linnet_registry *registry, const char *name,
                                     int length)
{
    char names[512] = "";
    for (size_t i = 0; i < registry->plugin_count; i++)
        append(names, sizeof names, ", ", registry->plugins[i]->name);
    return linnet_fail(context, LINNET_NO_DEVICE, "no backend '%.*s'; there are: %s", length, name,
                       *names ? names : "none");
}

static linnet_status fail_no_match(linnet_context *context, const linnet_plugin *plugin, const char *part)
{
    char names[768] = "";
    linnet_device_info info;
    for (uint32_t i = 0; i < plugin->device_count; i++)
        if (linnet_plugin_device_info(plugin, i, &info) == LINNET_OK) {
            char item[320];
            snprintf(item, sizeof item, "%u = %s%s%s", i, info.name, *info.platform ? " on " : "", info.platform);
            append(names, sizeof names, "; ", item);
        }
    if (!*names)
        return linnet_fail(context, LINNET_NO_DEVICE,
                           "backend '%s' finds no device on this machine; 'linnet doctor' looks for the reason",
                           plugin->name);
    return linnet_fail(context, LINNET_NO_DEVICE,
                       "backend '%s' has no device '%s'; there are: %s ('linnet doctor' says what is missing)",
                       plugin->name, part, names);
}

/* The device of one plugin that part names, "" being the best. */
static linnet_status choose_device(linnet_context *context, const linnet_plugin *plugin, const char *part,
                                   uint32_t *out_index)
{
    bool numbered = is_number(part), found = false;
    int32_t best = 0;
    for (uint32_t i = 0; i < plugin->device_count; i++) {
        linnet_device_info info;
        if (linnet_plugin_device_info(plugin, i, &info) != LINNET_OK)
            continue;
        bool wanted = numbered ? strtoul(part, NULL, 10) == i : !*part || matches(&info, part);
        if (wanted && (!found || info.score > best)) {
            found = true;
            best = info.score;
            *out_index = i;
        }
    }
    return found ? LINNET_OK : fail_no_match(context, plugin, part);
}

static linnet_device *open_named(linnet_context *context, linnet_registry *registry, const char *selection)
{
    const char *colon = strchr(selection, ':');
    size_t length = colon ? (size_t)(colon - selection) : strlen(selection);
    const char *part = colon ? colon + 1 : "";
    uint32_t index;
    linnet_plugin *plugin = linnet_registry_find(registry, selection, length);
    if (!plugin) {
        fail_no_backend(context, registry, selection, (int)length);
        return NULL;
    }
    linnet_plugin_ensure(context, plugin);
    if (plugin->status != LINNET_OK) {
        linnet_fail(context, plugin->status == LINNET_INVALID ? LINNET_INVALID : LINNET_NO_DEVICE,
                    "backend '%s' cannot be used: %s: %s", plugin->name, plugin->path, plugin->reason);
        return NULL;
    }
    if (choose_device(context, plugin, part, &index) != LINNET_OK)
        return NULL;
    return linnet_device_open_at(context, plugin->name, index);
}

static int by_score(const void *a, const void *b)
{
    const linnet_device_choice *x = a, *y = b;
    if (x->score != y->score)
        return x->score < y->score ? 1 : -1;
    int name = strcmp(x->backend, y->backend);
    return name ? name : (x->index > y->index) - (x->index < y->index);
}

size_t linnet_device_alternatives(linnet_context *context, linnet_device_choice *out, size_t capacity)
{
    size_t count = 0;
    linnet_registry *registry = linnet_registry_get(context);
    for (size_t p = 0; registry && p < registry->plugin_count; p++) {
        linnet_plugin *plugin = registry->plugins[p];
        linnet_plugin_ensure(context, plugin);
        linnet_device_info info;
        for (uint32_t i = 0; plugin->status == LINNET_OK && i < plugin->device_count && count < capacity; i++)
            if (linnet_plugin_device_info(plugin, i, &info) == LINNET_OK)
                out[count++] = (linnet_device_choice){plugin->name, i, info.score};
    }
    qsort(out, count, sizeof *out, by_score);
    return count;
}

/* A backend that refuses a variable of the environment: that is an error of the user's, no reason to take another one.
 */
static linnet_status check_refusals(linnet_context *context, const linnet_registry *registry)
{
    for (size_t i = 0; i < registry->plugin_count; i++)
        if (registry->plugins[i]->status == LINNET_INVALID)
            return linnet_fail(context, LINNET_INVALID, "backend '%s': %s", registry->plugins[i]->name,
                               registry->plugins[i]->reason);
    return LINNET_OK;
}

/* Tries the best device first and goes on when it does not open. */
static linnet_device *open_best(linnet_context *context, const linnet_registry *registry)
{
    linnet_device_choice choices[64];
    size_t count = linnet_device_alternatives(context, choices, 64);
    if (check_refusals(context, registry) != LINNET_OK)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        linnet_device *device = linnet_device_open_at(context, choices[i].backend, choices[i].index);
        if (device)
            return device;
        linnet_log(context, LINNET_LOG_WARNING, "%s", linnet_context_message(context));
    }
    char tried[768] = "";
    for (size_t i = 0; i < registry->plugin_count; i++) {
        const linnet_plugin *plugin = registry->plugins[i];
        char item[384];
        snprintf(item, sizeof item, "%s (%.300s)", plugin->name, *plugin->reason ? plugin->reason : "no device");
        append(tried, sizeof tried, ", ", item);
    }
    linnet_fail(context, LINNET_NO_DEVICE, "no usable device; backends tried: %s", *tried ? tried : "none found");
    return NULL;
}

linnet_device *linnet_device_open(linnet_context *context, const char *selection)
{
    context = linnet_context_or_default(context);
    if (linnet_context_check(context) != LINNET_OK)
        return NULL;
    linnet_registry *registry = linnet_registry_get(context);
    if (!registry)
        return NULL;
    if (!selection)
        selection = context->settings.backend;
    return selection ? open_named(context, registry, selection) : open_best(context, registry);
}
