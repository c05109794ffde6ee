/* SPDX-License-Identifier: Apache-2.0 */
#include "doctor.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern char **environ;

enum { MOST_LETTERS = 64 };

/* All there are: the rows of docs/environment.md. */
static const char *const own[] = {
    "LINNET_BACKEND",        "LINNET_PLUGIN_PATH",
    "LINNET_FALLBACK",       "LINNET_NUMERICS",
    "LINNET_NUM_THREADS",    "LINNET_CPU_ISA",
    "LINNET_CACHE_DIR",      "LINNET_CACHE_MIB",
    "LINNET_OPENCL_KERNELS", "LINNET_OPENCL_PARAMETERS",
    "LINNET_OPENCL_QUIRKS",  "LINNET_OPENCL_VARIANT",
    "LINNET_CHECK",          "LINNET_PROBE",
    "LINNET_VERBOSE",        "LINNET_REQUIRE",
};

static const char *const others[] = {
    "OCL_ICD_VENDORS", "RUSTICL_ENABLE", "POCL_DEVICES", "POCL_CACHE_DIR", "XDG_CACHE_HOME",
};

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

/* Letters to be put in, taken out or changed (Levenshtein), of so many first ones. */
static size_t distance(const char *a, const char *b)
{
    size_t row[MOST_LETTERS + 1], length = strnlen(b, MOST_LETTERS);
    for (size_t j = 0; j <= length; j++)
        row[j] = j;
    for (size_t i = 0; i < MOST_LETTERS && a[i]; i++) {
        size_t before = row[0]++;
        for (size_t j = 0; j < length; j++) {
            size_t best = before + (a[i] != b[j]);
            before = row[j + 1];
            if (before + 1 < best)
                best = before + 1;
            if (row[j] + 1 < best)
                best = row[j] + 1;
            row[j + 1] = best;
        }
    }
    return row[length];
}

static const char *nearest(const char *name)
{
    const char *found = own[0];
    for (size_t i = 1; i < COUNT(own); i++)
        if (distance(name, own[i]) < distance(name, found))
            found = own[i];
    return found;
}

static bool is_own(const char *name)
{
    for (size_t i = 0; i < COUNT(own); i++)
        if (strcmp(name, own[i]) == 0)
            return true;
    return false;
}

static bool show_set(const char *const *names, size_t count)
{
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        const char *value = getenv(names[i]);
        if (!value || !*value)
            continue;
        doctor_line("Environment", names[i], "set", value);
        any = true;
    }
    return any;
}

/* The tests have more of their own. */
static bool show_unknown(void)
{
    bool any = false;
    for (char **entry = environ; *entry; entry++) {
        char name[256], text[128];
        size_t length = strcspn(*entry, "=");
        if (strncmp(*entry, "LINNET_", 7) != 0 || strncmp(*entry, "LINNET_TEST_", 12) == 0 || length >= sizeof name ||
            !(*entry)[length] || !(*entry)[length + 1])
            continue;
        snprintf(name, sizeof name, "%.*s", (int)length, *entry);
        if (is_own(name))
            continue;
        snprintf(text, sizeof text, "there is no such variable; the nearest is %s", nearest(name));
        doctor_line("Environment", name, "unknown", text);
        any = true;
    }
    return any;
}

void doctor_show_environment(void)
{
    bool any = show_set(own, COUNT(own));
    any = show_set(others, COUNT(others)) || any;
    any = show_unknown() || any;
    if (!any)
        doctor_line("Environment", "nothing that matters here is set", "", "");
}
