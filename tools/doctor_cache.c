/* SPDX-License-Identifier: Apache-2.0 */
#include "doctor.h"

#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* As docs/environment.md says. */
static bool find_folder(char *out, size_t size)
{
    const char *own = getenv("LINNET_CACHE_DIR"), *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    if (own && *own)
        snprintf(out, size, "%s", own);
    else if (xdg && *xdg == '/')
        snprintf(out, size, "%s/linnet", xdg);
    else if (home && *home == '/')
        snprintf(out, size, "%s/.cache/linnet", home);
    else
        return false;
    return true;
}

static bool has_room(const char *folder)
{
    struct statvfs about;
    return statvfs(folder, &about) != 0 || !about.f_blocks || (geteuid() ? about.f_bavail : about.f_bfree) > 0;
}

const char *doctor_folder_refusal(const char *folder)
{
    char path[1024];
    struct stat info;
    snprintf(path, sizeof path, "%s", folder);
    for (char *slash; stat(path, &info) != 0 && errno == ENOENT && (slash = strrchr(path, '/')) && slash > path;)
        *slash = '\0'; /* what is missing would be made in there */
    if (stat(path, &info) != 0)
        return strerror(errno);
    if (!S_ISDIR(info.st_mode))
        return strerror(ENOTDIR);
    if (faccessat(AT_FDCWD, path, W_OK | X_OK, AT_EACCESS) != 0)
        return strerror(errno);
    return has_room(path) ? NULL : strerror(ENOSPC);
}

static struct {
    uint64_t files, bytes;
} seen;

static int count_file(const char *path, const struct stat *info, int type, struct FTW *place)
{
    (void)path;
    (void)place;
    if (type == FTW_F) {
        seen.files++;
        seen.bytes += (uint64_t)info->st_size;
    }
    return 0;
}

void doctor_show_cache(void)
{
    char folder[1024], text[160], count[TEXT_SIZE], bytes[TEXT_SIZE];
    struct stat info;
    if (!find_folder(folder, sizeof folder)) {
        doctor_line("Cache", "(none)", "off", "no HOME and no LINNET_CACHE_DIR: nothing is kept between runs");
        return;
    }
    doctor_line("Cache", folder, "", "");
    const char *refusal = doctor_folder_refusal(folder);
    bool there = stat(folder, &info) == 0;
    if (refusal) {
        snprintf(text, sizeof text, "it cannot be %s: %s; nothing is kept between runs", there ? "written to" : "made",
                 refusal);
        doctor_line("Cache", "state", "refused", text);
        return;
    }
    if (!there) {
        doctor_line("Cache", "state", "ok", "not made yet");
        return;
    }
    nftw(folder, count_file, 16, FTW_PHYS | FTW_MOUNT);
    snprintf(text, sizeof text, "%s file%s, %s", text_count(count, seen.files), seen.files == 1 ? "" : "s",
             text_bytes(bytes, seen.bytes));
    doctor_line("Cache", "state", "ok", text);
}
