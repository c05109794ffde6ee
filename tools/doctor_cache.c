/* SPDX-License-Identifier: Apache-2.0 */
#include "doctor.h"

#include "text.h"

#include <errno.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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
    if (stat(folder, &info) != 0) {
        doctor_line("Cache", "state", errno == ENOENT ? "ok" : "refused",
                    errno == ENOENT ? "not made yet" : strerror(errno));
        return;
    }
    nftw(folder, count_file, 16, FTW_PHYS | FTW_MOUNT);
    snprintf(text, sizeof text, "%s file%s, %s", text_count(count, seen.files), seen.files == 1 ? "" : "s",
             text_bytes(bytes, seen.bytes));
    bool usable = S_ISDIR(info.st_mode) && access(folder, W_OK | X_OK) == 0;
    doctor_line("Cache", "state", usable ? "ok" : "refused", usable ? text : "it cannot be written to");
}
