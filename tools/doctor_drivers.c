/* SPDX-License-Identifier: Apache-2.0 */
/* OpenCL drivers: read from where the ICD loader reads, so that this works without the OpenCL plugin. */
#include "doctor.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SECTION "OpenCL drivers"

/* Graphics cards by PCI vendor, the Debian packages for them, and how their ICD files are called. */
static const struct vendor {
    unsigned id;
    const char *name, *packages, *drivers[4];
} vendors[] = {
    {0x1002, "AMD", "mesa-opencl-icd", {"mesa", "rusticl", "amdocl"}},
    {0x8086, "Intel", "intel-opencl-icd", {"intel", "mesa", "rusticl"}},
    {0x10de, "NVIDIA", "nvidia-driver nvidia-opencl-icd", {"nvidia"}},
};

#define VENDOR_COUNT (sizeof vendors / sizeof vendors[0])

enum { MOST_DRIVERS = 64 };

typedef struct driver {
    char name[256], library[512];
    doctor_driver answer;
} driver;

static struct {
    driver drivers[MOST_DRIVERS];
    int count;
} list;

/* For whose cards a driver is. */
static void note_vendors(const char *file, bool served[VENDOR_COUNT])
{
    for (size_t i = 0; i < VENDOR_COUNT; i++)
        for (size_t j = 0; j < 4 && vendors[i].drivers[j]; j++)
            served[i] = served[i] || strstr(file, vendors[i].drivers[j]);
}

/* Any file may be called .icd: nothing in it moves a terminal's cursor. */
static void make_printable(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || (unsigned char)*text > '~')
            *text = '?';
}

/* An ICD file holds the name of the driver's library. */
static void ask_file(const char *path)
{
    if (list.count == MOST_DRIVERS)
        return;
    driver *d = &list.drivers[list.count++];
    const char *slash = strrchr(path, '/');
    struct stat info;
    *d = (driver){.answer.devices = -1};
    snprintf(d->name, sizeof d->name, "%s", slash ? slash + 1 : path);
    FILE *file = stat(path, &info) == 0 && S_ISREG(info.st_mode) ? fopen(path, "re") : NULL;
    if (!file) {
        snprintf(d->answer.error, sizeof d->answer.error, "the file cannot be read");
        return;
    }
    if (!fgets(d->library, sizeof d->library, file))
        *d->library = '\0';
    fclose(file);
    d->library[strcspn(d->library, "\r\n")] = '\0';
    if (*d->library)
        doctor_ask_driver(path, d->library, &d->answer);
    else
        snprintf(d->answer.error, sizeof d->answer.error, "the file names no library");
    make_printable(d->library);
    make_printable(d->answer.error);
}

static bool is_set(const char *variable)
{
    const char *value = getenv(variable);
    return value && *value;
}

/* Where PoCL keeps programs; without that it has no device, or cannot compile for it. */
static void find_pocl_cache(char *out, size_t size)
{
    if (is_set("POCL_CACHE_DIR"))
        snprintf(out, size, "%s", getenv("POCL_CACHE_DIR"));
    else if (is_set("XDG_CACHE_HOME"))
        snprintf(out, size, "%s/pocl/kcache", getenv("XDG_CACHE_HOME"));
    else if (getenv("HOME"))
        snprintf(out, size, "%s/.cache/pocl/kcache", getenv("HOME"));
    else
        snprintf(out, size, "/tmp/pocl/kcache");
}

/* What stands in the way of a driver, or of its devices; "" where nothing is known of. */
static void find_hindrance(const driver *d, char *out, size_t size)
{
    char cache[1024];
    const char *refusal;
    *out = '\0';
    if (strstr(d->library, "libpocl")) {
        find_pocl_cache(cache, sizeof cache);
        if ((refusal = doctor_folder_refusal(cache)))
            snprintf(out, size, "its own cache %s cannot be written to: %s (POCL_CACHE_DIR names another folder)",
                     cache, refusal);
        else if (!d->answer.devices && is_set("POCL_DEVICES"))
            snprintf(out, size, "POCL_DEVICES=%s", getenv("POCL_DEVICES"));
    }
    if (*out || d->answer.devices)
        return;
    if (strstr(d->library, "Rusticl") && is_set("RUSTICL_ENABLE"))
        snprintf(out, size, "RUSTICL_ENABLE=%s names none that is here", getenv("RUSTICL_ENABLE"));
    else if (strstr(d->library, "Rusticl"))
        snprintf(out, size,
                 "it shows those that RUSTICL_ENABLE names: radeonsi (AMD), iris (Intel), llvmpipe (processor)");
    else
        snprintf(out, size, "no device of its kind is here, or this user may not open it");
}

static void show_driver(const driver *d)
{
    char text[2048], hindrance[1536];
    const doctor_driver *a = &d->answer;
    if (*a->error) {
        doctor_line(SECTION, d->name, "refused", a->error);
        return;
    }
    find_hindrance(d, hindrance, sizeof hindrance);
    if (a->devices < 0)
        snprintf(text, sizeof text, "%s", d->library);
    else
        snprintf(text, sizeof text, "%s, %d device%s", d->library, a->devices, a->devices == 1 ? "" : "s");
    if (*hindrance)
        snprintf(text + strlen(text), sizeof text - strlen(text), ": %s", hindrance);
    doctor_line(SECTION, d->name, a->devices ? "ok" : "idle", text);
}

static int is_icd(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return length > 4 && strcmp(entry->d_name + length - 4, ".icd") == 0;
}

static void ask_folder(const char *folder)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, is_icd, alphasort);
    for (int i = 0; i < count; i++) {
        char path[1024];
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        ask_file(path);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}

static const char *find_place(void)
{
    return is_set("OCL_ICD_VENDORS") ? getenv("OCL_ICD_VENDORS") : "/etc/OpenCL/vendors";
}

void doctor_ask_drivers(void)
{
    struct stat info;
    const char *place = find_place();
    if (stat(place, &info) == 0 && !S_ISDIR(info.st_mode))
        ask_file(place);
    else
        ask_folder(place);
}

/* What is missing for the graphics cards that are here. */
static void advise_cards(const bool served[VENDOR_COUNT])
{
    for (int card = 0; card < 16; card++) {
        char path[64];
        unsigned id = 0;
        snprintf(path, sizeof path, "/sys/class/drm/card%d/device/vendor", card);
        FILE *file = fopen(path, "re");
        if (!file)
            continue;
        int found = fscanf(file, "%x", &id);
        fclose(file);
        for (size_t i = 0; found == 1 && i < VENDOR_COUNT; i++)
            if (vendors[i].id == id && !served[i]) {
                char text[160];
                snprintf(text, sizeof text, "for the %s card: apt install %s", vendors[i].name, vendors[i].packages);
                doctor_line(SECTION, "advice", "missing", text);
            }
    }
}

void doctor_show_drivers(void)
{
    bool served[VENDOR_COUNT] = {false};
    doctor_line(SECTION, find_place(), "", "");
    for (int i = 0; i < list.count; i++) {
        show_driver(&list.drivers[i]);
        note_vendors(list.drivers[i].name, served);
    }
    if (!list.count)
        doctor_line(SECTION, "(none here)", "missing",
                    "any processor: apt install pocl-opencl-icd; AMD: mesa-opencl-icd; Intel: intel-opencl-icd; "
                    "NVIDIA: nvidia-driver nvidia-opencl-icd");
    advise_cards(served);
}
