/* SPDX-License-Identifier: Apache-2.0 */
#include "environment.h"
#include "processors.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_THREADS 1024

const char *linnet_environment(const char *name)
{
    const char *value = secure_getenv(name);
    return value && *value ? value : NULL;
}

/* A whole number in [low, high]; false when text is anything else. */
static bool parse_number(const char *text, long low, long high, long *out)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno || end == text || *end || value < low || value > high)
        return false;
    *out = value;
    return true;
}

static bool read_number(const char *name, long low, long high, long *out, char *message, size_t size)
{
    const char *text = linnet_environment(name);
    if (!text || parse_number(text, low, high, out))
        return true;
    snprintf(message, size, "%s='%s' makes no sense: a number from %ld to %ld is wanted", name, text, low, high);
    return false;
}

static bool read_fallback(linnet_fallback *out, char *message, size_t size)
{
    static const char *const names[] = {"allow", "warn", "error"};
    const char *text = linnet_environment("LINNET_FALLBACK");
    *out = LINNET_FALLBACK_WARN;
    if (!text)
        return true;
    for (int i = 0; i < 3; i++)
        if (strcmp(text, names[i]) == 0) {
            *out = (linnet_fallback)i;
            return true;
        }
    snprintf(message, size, "LINNET_FALLBACK='%s' makes no sense: error, warn or allow is wanted", text);
    return false;
}

static bool read_numerics(bool *out_direct, char *message, size_t size)
{
    const char *text = linnet_environment("LINNET_NUMERICS");
    *out_direct = text && strcmp(text, "direct") == 0;
    if (!text || *out_direct || strcmp(text, "any") == 0)
        return true;
    snprintf(message, size, "LINNET_NUMERICS='%s' makes no sense: any or direct is wanted", text);
    return false;
}

static bool read_check(bool *out_check, char *message, size_t size)
{
    const char *text = linnet_environment("LINNET_CHECK");
    *out_check = !text || strcmp(text, "first-use") == 0;
    if (*out_check || strcmp(text, "never") == 0)
        return true;
    snprintf(message, size, "LINNET_CHECK='%s' makes no sense: first-use or never is wanted", text);
    return false;
}

static bool read_probe(int *out_seconds, char *message, size_t size)
{
    const char *text = linnet_environment("LINNET_PROBE");
    long seconds = 30;
    bool inlined = text && strcmp(text, "inline") == 0;
    if (text && !inlined && !parse_number(text, 1, 3600, &seconds)) {
        snprintf(message, size, "LINNET_PROBE='%s' makes no sense: inline or a number of seconds is wanted", text);
        return false;
    }
    *out_seconds = inlined ? 0 : (int)seconds;
    return true;
}

static bool read_text(const char *name, char **out)
{
    const char *text = linnet_environment(name);
    *out = text ? linnet_duplicate(text) : NULL;
    return !text || *out;
}

/* A cache folder that was asked for by name has to be usable. */
static bool check_cache_directory(char *message, size_t size)
{
    const char *asked = linnet_environment("LINNET_CACHE_DIR");
    if (!asked || *asked == '/')
        return true;
    snprintf(message, size, "LINNET_CACHE_DIR='%s' makes no sense: an absolute path is wanted", asked);
    return false;
}

linnet_status linnet_settings_read(linnet_settings *out, char *message, size_t size)
{
    long verbose = -1, threads = 0;
    memset(out, 0, sizeof *out);
    out->verbose = -1;
    if (!read_number("LINNET_VERBOSE", 0, 3, &verbose, message, size) ||
        !read_number("LINNET_NUM_THREADS", 1, MAX_THREADS, &threads, message, size) ||
        !read_probe(&out->probe_seconds, message, size) || !read_check(&out->check, message, size) ||
        !read_fallback(&out->fallback, message, size) || !read_numerics(&out->direct, message, size) ||
        !check_cache_directory(message, size))
        return LINNET_INVALID;
    out->verbose = (int)verbose;
    if (!read_text("LINNET_BACKEND", &out->backend) || !read_text("LINNET_PLUGIN_PATH", &out->plugin_path)) {
        snprintf(message, size, "no memory for the environment");
        return LINNET_OUT_OF_MEMORY;
    }
    return LINNET_OK;
}

void linnet_settings_clear(linnet_settings *settings)
{
    linnet_release(settings->backend);
    linnet_release(settings->plugin_path);
}

uint32_t linnet_thread_count(void)
{
    const char *text = linnet_environment("LINNET_NUM_THREADS");
    long threads;
    if (text && parse_number(text, 1, MAX_THREADS, &threads))
        return (uint32_t)threads;
    return linnet_processor_count();
}
