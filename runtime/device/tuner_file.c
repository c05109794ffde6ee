/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file of measured costs, one a device:
 *
 *     linnet measured costs 2
 *     <cache key of the device>
 *     <key, 16 hexadecimal digits> <nanoseconds that plans choose by, or 0> <nanoseconds measured> <label for people>
 *     ...
 *     sum <FNV-1a of all bytes before this line, 16 hexadecimal digits>
 *
 * Read whole and believed only when the sum is right, then line by line, strictly: a cost can make a plan slow, but no
 * bytes can make it wrong.
 */
#include "tuner_file.h"

#include "tuner.h"

#include "../core/cache.h"
#include "../core/text.h"
#include "linnet/linnet.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define HEADING "linnet measured costs 2\n"

enum { MOST_BYTES = 16 << 20, DIGITS = 16, LAST_LINE = 4 + DIGITS + 1 };
#define MOST_NANOSECONDS UINT64_C(1000000000000000)

static uint64_t sum_of(const char *bytes, size_t count)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < count; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3);
    return hash;
}

char *linnet_tuned_device_key(const linnet_device *device)
{
    char *key = linnet_format("%s, Linnet %s", device->info.cache_key, linnet_version());
    for (char *p = key; p && *p; p++)
        *p = *p < ' ' || *p > '~' ? '?' : *p;
    return key;
}

static char *path_of(const linnet_device *device, const char *folder)
{
    char *key = linnet_tuned_device_key(device);
    char *path = key ? linnet_format("%s/costs-%016" PRIx64 ".txt", folder, sum_of(key, strlen(key))) : NULL;
    linnet_release(key);
    return path;
}

/* Exactly 16 digits at text, which holds so many. */
static bool read_digits(const char *text, uint64_t *out)
{
    *out = 0;
    for (int i = 0; i < DIGITS; i++) {
        const char *digits = "0123456789abcdef", *found = text[i] ? strchr(digits, text[i]) : NULL;
        if (!found)
            return false;
        *out = *out << 4 | (uint64_t)(found - digits);
    }
    return true;
}

/* A number and the space or the end behind it; NULL: it is none. */
static const char *read_number(const char *text, uint64_t *out)
{
    const char *p = text;
    *out = 0;
    for (; *p >= '0' && *p <= '9' && *out < MOST_NANOSECONDS; p++)
        *out = 10 * *out + (uint64_t)(*p - '0');
    if (p == text || (*p && *p != ' '))
        return NULL;
    return *p ? p + 1 : p;
}

/* One line without its end, of length characters and a NUL. */
static bool read_entry(const char *line, size_t length, linnet_tuned_entry *out)
{
    *out = (linnet_tuned_entry){.key = 0};
    if (length < DIGITS + 2 || !read_digits(line, &out->key) || line[DIGITS] != ' ')
        return false;
    const char *p = read_number(line + DIGITS + 1, &out->adopted);
    p = p ? read_number(p, &out->measured) : NULL;
    if (!p || !out->key || !out->measured)
        return false;
    snprintf(out->label, sizeof out->label, "%s", p);
    return true;
}

/* NULL, or what is wrong; text is NUL-terminated and taken apart. */
static const char *parse(const linnet_device *device, char *text, size_t size, linnet_tuned *table)
{
    uint64_t sum;
    size_t heading = strlen(HEADING);
    if (size < heading + LAST_LINE || memchr(text, 0, size) || strncmp(text, HEADING, heading) != 0)
        return "it is no file of measured costs";
    char *last = text + size - LAST_LINE;
    if (last[-1] != '\n' || strncmp(last, "sum ", 4) != 0 || text[size - 1] != '\n' || !read_digits(last + 4, &sum) ||
        sum != sum_of(text, (size_t)(last - text)))
        return "it is damaged";
    char *line = text + heading, *key = linnet_tuned_device_key(device);
    *last = '\0';
    for (bool first = true; line < last; first = false) {
        linnet_tuned_entry entry;
        size_t length = strcspn(line, "\n");
        line[length] = '\0';
        bool good =
            first ? key && strcmp(line, key) == 0 : read_entry(line, length, &entry) && linnet_tuned_put(table, &entry);
        if (!good) {
            linnet_release(key);
            return first ? "it is another device's" : "a line makes no sense";
        }
        line += length + 1;
    }
    linnet_release(key);
    return NULL;
}

void linnet_tuned_read(linnet_device *device, linnet_tuned *table)
{
    char *folder = linnet_cache_path();
    char *path = folder ? path_of(device, folder) : NULL;
    void *data = NULL;
    size_t size = 0;
    const char *wrong = NULL;
    if (path && access(path, R_OK) == 0) {
        linnet_status status = linnet_file_read(device->context, path, MOST_BYTES, &data, &size);
        char *text = status == LINNET_OK ? linnet_allocate(size + 1, 1) : NULL;
        if (text)
            memcpy(text, data, size);
        wrong = text ? parse(device, text, size, table) : "it cannot be read";
        linnet_release(text);
    }
    if (wrong) {
        linnet_log(device->context, LINNET_LOG_WARNING, "%s is ignored: %s ('linnet tune' makes a new one)", path,
                   wrong);
        linnet_release(table->entries);
        *table = (linnet_tuned){.count = 0};
    }
    linnet_release(data);
    linnet_release(path);
    linnet_release(folder);
}

linnet_status linnet_tuned_write(linnet_device *device, const linnet_tuned *table)
{
    const char *folder = linnet_cache_directory(device->context);
    if (!folder)
        return linnet_fail(
            device->context, LINNET_UNSUPPORTED,
            "there is no folder for caches: neither LINNET_CACHE_DIR nor HOME names one that can be made");
    linnet_text text = {0};
    char *path = path_of(device, folder), *key = linnet_tuned_device_key(device);
    linnet_text_append(&text, "%s%s\n", HEADING, key ? key : "");
    for (size_t i = 0; i < table->capacity; i++)
        if (table->entries[i].key)
            linnet_text_append(&text, "%016" PRIx64 " %" PRIu64 " %" PRIu64 " %s\n", table->entries[i].key,
                               table->entries[i].adopted, table->entries[i].measured, table->entries[i].label);
    if (!text.failed)
        linnet_text_append(&text, "sum %016" PRIx64 "\n", sum_of(text.data, text.length));
    const void *pieces[] = {text.data};
    const size_t sizes[] = {text.length};
    linnet_status status = path && key && !text.failed
                               ? linnet_file_write(device->context, path, pieces, sizes, 1)
                               : linnet_fail(device->context, LINNET_OUT_OF_MEMORY, "no memory for measured costs");
    linnet_release(text.data);
    linnet_release(path);
    linnet_release(key);
    return status;
}
