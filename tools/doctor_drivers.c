/* SPDX-License-Identifier: Apache-2.0 */
/* OpenCL drivers: read from where the ICD loader reads, so that this works without the OpenCL plugin. */
#include "doctor.h"

#include <linnet/linnet.h>

#include <dirent.h>
#include <dlfcn.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

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

typedef struct findings {
    int files;                 /* ICD files */
    bool rusticl;              /* Mesa's driver is among them */
    bool served[VENDOR_COUNT]; /* a driver for that vendor is among them */
} findings;

static void note(findings *f, const char *file)
{
    f->files++;
    f->rusticl = f->rusticl || strstr(file, "rusticl");
    for (size_t i = 0; i < VENDOR_COUNT; i++)
        for (size_t j = 0; j < 4 && vendors[i].drivers[j]; j++)
            f->served[i] = f->served[i] || strstr(file, vendors[i].drivers[j]);
}

/* Whether the library can be loaded, tried in a process of its own, which it may take down. "" or why not. */
static void try_library(const char *library, char *out, size_t size)
{
    int ends[2], status = 0;
    snprintf(out, size, "it cannot be tried");
    if (pipe(ends))
        return;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGALRM, SIG_DFL);
        alarm(20);
        const char *error = dlopen(library, RTLD_LAZY | RTLD_LOCAL) ? "" : dlerror();
        ssize_t wrote = write(ends[1], error, strlen(error) + 1);
        _exit(wrote < 1);
    }
    close(ends[1]);
    ssize_t got = child > 0 ? read(ends[0], out, size - 1) : 0;
    close(ends[0]);
    if (child > 0 && waitpid(child, &status, 0) == child && got <= 0)
        snprintf(out, size,
                 WIFSIGNALED(status) ? "loading it ends in a crash or hangs" : "loading it ends the process");
    else if (got > 0)
        out[got] = '\0';
}

/* What a backend says of the driver, which it asked for devices in a process of its own. NULL: nothing bad. */
static const char *complaint_about(const char *file)
{
    linnet_backend_report report;
    for (uint32_t i = 0; linnet_backend_report_at(NULL, i, &report) == LINNET_OK; i++)
        if (report.status != LINNET_OK && strstr(report.reason, file))
            return report.reason;
    return NULL;
}

/* Any file may be called .icd: nothing in it moves a terminal's cursor. */
static void make_printable(char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || (unsigned char)*text > '~')
            *text = '?';
}

/* An ICD file holds the name of the driver's library. */
static void show_file(findings *f, const char *path)
{
    char library[512] = "", error[512] = "";
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    FILE *file = fopen(path, "re");
    if (file) {
        if (!fgets(library, sizeof library, file))
            *library = '\0';
        fclose(file);
    }
    library[strcspn(library, "\r\n")] = '\0';
    note(f, name);
    if (*library)
        try_library(library, error, sizeof error);
    make_printable(library);
    make_printable(error);
    if (!*library)
        doctor_line(SECTION, name, "refused", file ? "the file names no library" : "the file cannot be read");
    else if (*error)
        doctor_line(SECTION, name, "refused", error);
    else if (complaint_about(name))
        doctor_line(SECTION, name, "refused", "it takes down what asks it for devices, see above");
    else
        doctor_line(SECTION, name, "ok", library);
}

static int is_icd(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return length > 4 && strcmp(entry->d_name + length - 4, ".icd") == 0;
}

static void show_folder(findings *f, const char *folder)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, is_icd, alphasort);
    for (int i = 0; i < count; i++) {
        char path[1024];
        snprintf(path, sizeof path, "%s/%s", folder, entries[i]->d_name);
        show_file(f, path);
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
}

/* What is missing for the graphics cards that are here. */
static void advise_cards(const findings *f)
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
            if (vendors[i].id == id && !f->served[i]) {
                char text[160];
                snprintf(text, sizeof text, "for the %s card: apt install %s", vendors[i].name, vendors[i].packages);
                doctor_line(SECTION, "advice", "missing", text);
            }
    }
}

void doctor_show_drivers(void)
{
    findings f = {0};
    struct stat info;
    const char *asked = getenv("OCL_ICD_VENDORS");
    const char *place = asked && *asked ? asked : "/etc/OpenCL/vendors";
    doctor_line(SECTION, place, "", "");
    if (stat(place, &info) == 0 && !S_ISDIR(info.st_mode))
        show_file(&f, place);
    else
        show_folder(&f, place);
    if (!f.files)
        doctor_line(SECTION, "(none here)", "missing",
                    "any processor: apt install pocl-opencl-icd; AMD: mesa-opencl-icd; Intel: intel-opencl-icd; "
                    "NVIDIA: nvidia-driver nvidia-opencl-icd");
    advise_cards(&f);
    const char *enabled = getenv("RUSTICL_ENABLE");
    if (f.rusticl && !(enabled && *enabled))
        doctor_line(SECTION, "advice", "",
                    "Mesa's rusticl shows a device only when told: RUSTICL_ENABLE=radeonsi (AMD), iris (Intel), "
                    "llvmpipe (processor)");
}
