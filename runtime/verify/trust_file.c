/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file of verdicts, one a device:
 *
 *     linnet verdicts 1
 *     <cache key of the device, Linnet's version, size and time of the plugin's file>
 *     passed|failed <layer> <implementation>
 *     plain <layer> -
 *     ...
 *     sum <FNV-1a of all bytes before this line, 16 hexadecimal digits>
 */
#include "trust.h"

#include "../core/cache.h"
#include "../core/text.h"
#include "linnet/linnet.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEADING "linnet verdicts 1\n"
enum { MOST_BYTES = 1 << 20, LAST_LINE = 4 + 16 + 1 };

static const char *const words[] = {"", "passed", "failed", "plain"};

uint64_t linnet_trust_sum(const char *bytes, size_t count)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < count; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static char *own_key(const linnet_device *device)
{
    struct stat file;
    if (stat(device->plugin_path, &file) != 0)
        memset(&file, 0, sizeof file);
    char *key = linnet_format("%s, Linnet %s, plugin %lld %lld.%09ld", device->info.cache_key, linnet_version(),
                              (long long)file.st_size, (long long)file.st_mtim.tv_sec, file.st_mtim.tv_nsec);
    for (char *p = key; p && *p; p++)
        *p = *p < ' ' || *p > '~' ? '?' : *p;
    return key;
}

static char *path_of(const char *folder, const char *key)
{
    return linnet_format("%s/verdicts-%016" PRIx64 ".txt", folder, linnet_trust_sum(key, strlen(key)));
}

linnet_trust_entry *linnet_trust_find(linnet_trust *trust, const char *layer, const char *implementation)
{
    for (size_t i = 0; i < trust->count; i++)
        if (strcmp(trust->entries[i].layer, layer) == 0 &&
            strcmp(trust->entries[i].implementation, implementation) == 0)
            return &trust->entries[i];
    return NULL;
}

bool linnet_trust_put(linnet_trust *trust, linnet_verdict verdict, const char *layer, const char *implementation,
                      bool passes)
{
    linnet_trust_entry *entry = linnet_trust_find(trust, layer, implementation);
    if (!entry) {
        if (!linnet_grow(&trust->entries, &trust->capacity, trust->count + 1, sizeof *trust->entries))
            return false;
        entry = &trust->entries[trust->count++];
        snprintf(entry->layer, sizeof entry->layer, "%s", layer);
        snprintf(entry->implementation, sizeof entry->implementation, "%s", implementation);
    }
    entry->verdict = verdict;
    entry->passes = passes;
    return true;
}

static bool read_line(const char *line, linnet_trust *trust)
{
    char word[8], layer[32], implementation[LINNET_TRUST_NAME];
    int end = 0;
    if (sscanf(line, "%7s %31s %143s%n", word, layer, implementation, &end) != 3 || line[end])
        return false;
    for (int verdict = LINNET_VERDICT_PASSED; verdict <= LINNET_VERDICT_PLAIN; verdict++)
        if (strcmp(word, words[verdict]) == 0)
            return linnet_trust_put(trust, (linnet_verdict)verdict, layer,
                                    verdict == LINNET_VERDICT_PLAIN ? "" : implementation, false);
    return false;
}

static bool parse(const char *key, char *text, size_t size, linnet_trust *trust)
{
    size_t heading = strlen(HEADING), length = strlen(key);
    char wanted[LAST_LINE + 1];
    if (size < heading + length + 1 + LAST_LINE || memchr(text, 0, size))
        return false;
    char *last = text + size - LAST_LINE;
    snprintf(wanted, sizeof wanted, "sum %016" PRIx64 "\n", linnet_trust_sum(text, (size_t)(last - text)));
    if (strncmp(text, HEADING, heading) != 0 || strncmp(text + heading, key, length) != 0 ||
        text[heading + length] != '\n' || last[-1] != '\n' || strcmp(last, wanted) != 0)
        return false;
    *last = '\0';
    for (char *line = text + heading + length + 1; *line;) {
        size_t end = strcspn(line, "\n");
        line[end] = '\0';
        if (!read_line(line, trust))
            return false;
        line += end + 1;
    }
    return true;
}

void linnet_trust_read(linnet_device *device, linnet_trust *trust)
{
    char *folder = linnet_cache_path(), *key = own_key(device);
    char *path = folder && key ? path_of(folder, key) : NULL;
    void *data = NULL;
    size_t size = 0;
    if (path && access(path, R_OK) == 0 &&
        linnet_file_read(device->context, path, MOST_BYTES, &data, &size) == LINNET_OK) {
        char *text = linnet_allocate(size + 1, 1);
        if (text)
            memcpy(text, data, size);
        if (!text || !parse(key, text, size, trust)) {
            trust->count = 0;
            if (text)
                linnet_log(device->context, LINNET_LOG_WARNING,
                           "%s is ignored: it is damaged (what it says is found out anew)", path);
        }
        linnet_release(text);
    }
    linnet_release(data);
    linnet_release(path);
    linnet_release(key);
    linnet_release(folder);
}

void linnet_trust_write(linnet_device *device, const linnet_trust *trust)
{
    const char *folder = linnet_cache_directory(device->context);
    char *key = folder ? own_key(device) : NULL, *path = key ? path_of(folder, key) : NULL;
    linnet_text text = {0};
    if (path) {
        linnet_text_append(&text, "%s%s\n", HEADING, key);
        for (size_t i = 0; i < trust->count; i++) {
            const linnet_trust_entry *e = &trust->entries[i];
            if (!e->passes)
                linnet_text_append(&text, "%s %s %s\n", words[e->verdict], e->layer,
                                   *e->implementation ? e->implementation : "-");
        }
        if (!text.failed)
            linnet_text_append(&text, "sum %016" PRIx64 "\n", linnet_trust_sum(text.data, text.length));
        if (!text.failed)
            linnet_cache_write(device->context, path, text.data);
    }
    linnet_release(text.data);
    linnet_release(path);
    linnet_release(key);
}
