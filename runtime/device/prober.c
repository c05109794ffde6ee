/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a plugin's drivers may be loaded into this process. The verdict's file:
 *
 *     linnet probe 1
 *     <key of plugin and drivers, 16 hexadecimal digits>
 *     ok, or: bad <when, seconds since 1970> <sentence>
 *
 * A bad verdict is believed for an hour, a good one until something changes. A file that makes no sense counts as none,
 * with a warning.
 */
#include "prober.h"

#include "../core/cache.h"

#include "linnet/linnet.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define HEADING "linnet probe 1\n"
enum { MOST_DRIVERS = 64, BELIEVED_SECONDS = 3600 };

static uint64_t add(uint64_t hash, const void *data, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        hash = (hash ^ ((const unsigned char *)data)[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static uint64_t add_text(uint64_t hash, const char *text)
{
    return add(hash, text, strlen(text) + 1);
}

/* Number index, its texts ended; false behind the last. */
static bool driver_at(const linnet_plugin *plugin, uint32_t index, linnet_driver *out)
{
    memset(out, 0, sizeof *out);
    out->struct_size = sizeof *out;
    if (index >= MOST_DRIVERS || plugin->backend.driver(index, out) != LINNET_OK)
        return false;
    out->name[sizeof out->name - 1] = '\0';
    out->key[sizeof out->key - 1] = '\0';
    out->variable[sizeof out->variable - 1] = '\0';
    out->value[sizeof out->value - 1] = '\0';
    return true;
}

/* Of Linnet, the plugin's file and the drivers; 0: there are none. */
static uint64_t key_of(const linnet_plugin *plugin)
{
    uint64_t hash = add_text(UINT64_C(0xcbf29ce484222325), linnet_version());
    struct stat file;
    linnet_driver driver;
    uint32_t count = 0;
    hash = add_text(hash, plugin->path);
    if (stat(plugin->path, &file) == 0) {
        hash = add(hash, &file.st_size, sizeof file.st_size);
        hash = add(hash, &file.st_mtim, sizeof file.st_mtim);
    }
    for (; driver_at(plugin, count, &driver); count++)
        hash = add_text(add_text(add_text(hash, driver.name), driver.key), driver.value);
    return count ? hash | 1 : 0;
}

static char *path_of(linnet_context *context, uint64_t key)
{
    const char *folder = linnet_cache_directory(context);
    return folder ? linnet_format("%s/probe-%016" PRIx64 ".txt", folder, key) : NULL;
}

/* What the file says. out_bad: the sentence, "" for a good verdict; out_old: it is no longer to be believed. False: it
   makes no sense. */
static bool parse(const char *text, uint64_t key, char *out_bad, size_t size, bool *out_old)
{
    char first[64];
    int at = 0;
    long long when;
    int length = snprintf(first, sizeof first, HEADING "%016" PRIx64 "\n", key);
    *out_bad = '\0';
    *out_old = false;
    if (strncmp(text, first, (size_t)length) != 0)
        return false;
    text += length;
    if (strcmp(text, "ok\n") == 0)
        return true;
    if (sscanf(text, "bad %lld %n", &when, &at) != 1 || at == 0)
        return false;
    long long age = (long long)time(NULL) - when;
    snprintf(out_bad, size, "%.*s", (int)strcspn(text + at, "\n"), text + at);
    *out_old = age < 0 || age >= BELIEVED_SECONDS;
    return *out_bad != '\0';
}

static bool recall(linnet_context *context, uint64_t key, char *out_bad, size_t size)
{
    void *data = NULL;
    size_t bytes = 0;
    char *path = path_of(context, key);
    bool old = false, known = false;
    if (path && access(path, R_OK) == 0 && linnet_file_read(context, path, 4096, &data, &bytes) == LINNET_OK) {
        char *text = linnet_format("%.*s", (int)bytes, (const char *)data);
        known = text && strlen(text) == bytes && parse(text, key, out_bad, size, &old);
        if (!known)
            linnet_log(context, LINNET_LOG_WARNING, "%s is ignored: it is damaged (the drivers are asked anew)", path);
        linnet_release(text);
    }
    linnet_release(data);
    linnet_release(path);
    return known && !old;
}

static void keep(linnet_context *context, uint64_t key, const char *bad)
{
    char *path = path_of(context, key);
    char *text = *bad ? linnet_format(HEADING "%016" PRIx64 "\nbad %lld %s\n", key, (long long)time(NULL), bad)
                      : linnet_format(HEADING "%016" PRIx64 "\nok\n", key);
    if (path && text)
        linnet_cache_write(context, path, text);
    linnet_release(text);
    linnet_release(path);
}

/* Adds to a sentence, whole or not at all. */
static void add_sentence(char *out, size_t size, const char *format, ...)
{
    size_t used = strlen(out);
    va_list arguments;
    va_start(arguments, format);
    int wrote = vsnprintf(out + used, size - used, format, arguments);
    va_end(arguments);
    if (wrote < 0 || (size_t)wrote >= size - used)
        out[used] = '\0';
}

/* Which of the drivers it is, each asked alone, and a way to the devices of the others. */
static void blame(const linnet_registry *registry, const linnet_plugin *plugin, double seconds, const char *together,
                  char *out, size_t size)
{
    linnet_driver driver, first = {.struct_size = 0};
    char links[1024] = "";
    *out = '\0';
    for (uint32_t i = 0; driver_at(plugin, i, &driver); i++) {
        linnet_helper_end end;
        if (!*driver.variable)
            continue;
        linnet_helper_run(registry, plugin, driver.variable, driver.value, seconds, &end);
        if (end.ran && !end.good)
            add_sentence(out, size, "%sits driver %s %s", *out ? ", " : "", driver.name, end.text);
        if (!end.device)
            continue;
        if (first.struct_size)
            add_sentence(links, sizeof links, "%s%s", *links ? ", " : "", driver.value);
        else
            first = driver;
    }
    if (!*out)
        add_sentence(out, size, "asking its drivers for devices %s", together);
    if (first.struct_size)
        add_sentence(out, size, "; without it: %s=%s", first.variable, first.value);
    if (*links)
        add_sentence(out, size, ", or for more a folder with links to that and %s", links);
    add_sentence(out, size, "; LINNET_PROBE=inline loads it all the same");
}

/* Asked for, it is no surprise; else it is said once. */
static void say_unprotected(linnet_context *context, const linnet_plugin *plugin, const char *reason)
{
    static atomic_bool said;
    if (!atomic_exchange(&said, true))
        linnet_log(
            context, LINNET_LOG_WARNING,
            "%s: its drivers are asked in this process, and one that crashes takes it down: %s ('linnet doctor' says "
            "where it is looked for; LINNET_PROBE=inline asks for that)",
            plugin->name, reason);
}

linnet_status linnet_prober_ask(linnet_context *context, const linnet_plugin *plugin, char *out_reason, size_t size)
{
    linnet_helper_end end;
    double seconds = context->settings.probe_seconds;
    *out_reason = '\0';
    if (!plugin->backend.driver || seconds <= 0 || getauxval(AT_SECURE))
        return LINNET_OK;
    uint64_t key = key_of(plugin);
    if (!key)
        return LINNET_OK;
    if (!recall(context, key, out_reason, size)) {
        linnet_helper_run(context->registry, plugin, "", "", seconds, &end);
        if (!end.ran) {
            say_unprotected(context, plugin, end.text);
            return LINNET_OK;
        }
        *out_reason = '\0';
        if (!end.good)
            blame(context->registry, plugin, seconds, end.text, out_reason, size);
        keep(context, key, out_reason);
    }
    return *out_reason ? LINNET_DEVICE_ERROR : LINNET_OK;
}
