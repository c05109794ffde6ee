/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The drivers that the ICD loader would load, read as it reads them (ocl-icd's and Khronos' loaders: OCL_ICD_VENDORS, a
 * folder or one file, else /etc/OpenCL/vendors; each .icd file names a library), without loading any.
 */
#include "opencl.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char default_folder[] = "/etc/OpenCL/vendors";

/* What changes the answer of a driver without changing its files. */
static const char *const variables[] = {"OCL_ICD_VENDORS", "RUSTICL_ENABLE", "POCL_DEVICES", "CUDA_VISIBLE_DEVICES",
                                        "ROCR_VISIBLE_DEVICES"};

static int is_icd(const struct dirent *entry)
{
    size_t length = strlen(entry->d_name);
    return length > 4 && strcmp(entry->d_name + length - 4, ".icd") == 0;
}

static bool is_folder(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

/* Path of .icd file number index, in the order of their names. A folder is none, whatever its name. */
static bool file_at(uint32_t index, char out[PATH_MAX])
{
    const char *asked = linnet_cl_host->option("OCL_ICD_VENDORS"), *place = asked ? asked : default_folder;
    struct stat about;
    if (stat(place, &about) == 0 && !S_ISDIR(about.st_mode)) {
        snprintf(out, PATH_MAX, "%s", place);
        return index == 0;
    }
    struct dirent **entries;
    int count = scandir(place, &entries, is_icd, alphasort);
    uint32_t seen = 0;
    for (int i = 0; i < count; i++) {
        if (seen <= index) {
            snprintf(out, PATH_MAX, "%s/%s", place, entries[i]->d_name);
            seen += !is_folder(out);
        }
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    return seen > index;
}

/* The first line of the file; "" when it has none. */
static void read_line(const char *path, char *out, size_t size)
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t got = file >= 0 ? read(file, out, size - 1) : 0;
    if (file >= 0)
        close(file);
    out[got > 0 ? got : 0] = '\0';
    out[strcspn(out, "\r\n")] = '\0';
}

/* Where the dynamic linker would find a library that is named without a folder: the places where drivers lie. */
static void find_library(const char *name, char out[PATH_MAX])
{
    static const char *const folders[] = {"/usr/lib/" LINNET_CL_MULTIARCH, "/lib/" LINNET_CL_MULTIARCH, "/usr/lib64",
                                          "/usr/lib", "/usr/local/lib"};
    snprintf(out, PATH_MAX, "%s", name);
    for (size_t i = 0; !strchr(name, '/') && i < sizeof(folders) / sizeof(folders[0]); i++) {
        int wrote = snprintf(out, PATH_MAX, "%s/%s", folders[i], name);
        if (wrote > 0 && wrote < PATH_MAX && access(out, R_OK) == 0)
            return;
    }
}

/* Appends path, size and time of a file, what it leads to by links included. */
static size_t note_file(const char *path, char *out, size_t size, size_t at)
{
    struct stat about;
    if (at >= size)
        return at;
    if (stat(path, &about) != 0)
        memset(&about, 0, sizeof(about));
    int wrote = snprintf(out + at, size - at, "%s %lld %lld.%09ld;", path, (long long)about.st_size,
                         (long long)about.st_mtim.tv_sec, about.st_mtim.tv_nsec);
    return wrote < 0 ? at : at + (size_t)wrote;
}

linnet_status linnet_cl_driver(uint32_t index, linnet_driver *out)
{
    char path[PATH_MAX], library[512], found[PATH_MAX];
    linnet_driver driver = {.struct_size = out->struct_size};
    if (!file_at(index, path))
        return LINNET_END;
    read_line(path, library, sizeof(library));
    find_library(library, found);
    const char *slash = strrchr(path, '/');
    snprintf(driver.name, sizeof(driver.name), "%.100s (%.140s)", slash ? slash + 1 : path, library);
    size_t at = note_file(path, driver.key, sizeof(driver.key), 0);
    at = note_file(found, driver.key, sizeof(driver.key), at);
    for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]) && at < sizeof(driver.key); i++) {
        const char *value = linnet_cl_host->option(variables[i]);
        int wrote = snprintf(driver.key + at, sizeof(driver.key) - at, "%s;", value ? value : "");
        at += wrote < 0 ? 0 : (size_t)wrote;
    }
    snprintf(driver.variable, sizeof(driver.variable), "OCL_ICD_VENDORS");
    int wrote = snprintf(driver.value, sizeof(driver.value), "%s", path);
    if (wrote < 0 || (size_t)wrote >= sizeof(driver.value))
        driver.variable[0] = '\0';
    memcpy(out, &driver, out->struct_size < sizeof(driver) ? out->struct_size : sizeof(driver));
    return LINNET_OK;
}
