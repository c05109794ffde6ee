/* SPDX-License-Identifier: Apache-2.0 */
/* Built programs that go when there are too many of them: those that were not used for longest. */
#include "opencl.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MOST_ENTRIES = 4096, USUAL_MIB = 256, MOST_MIB = 1 << 20, STALE_SECONDS = 3600 };

typedef struct entry {
    char name[128];
    uint64_t bytes;
    struct timespec used;
} entry;

linnet_status linnet_cl_cache_option(uint64_t *out_bytes)
{
    const char *asked = linnet_cl_host->option("LINNET_CACHE_MIB");
    char *end = NULL;
    unsigned long long mib = asked ? strtoull(asked, &end, 10) : USUAL_MIB;
    *out_bytes = (uint64_t)mib << 20;
    if (!asked || (*asked >= '0' && *asked <= '9' && *end == '\0' && mib <= MOST_MIB))
        return LINNET_OK;
    return linnet_cl_fail(LINNET_INVALID, "LINNET_CACHE_MIB=%s: it is a number of 0 to %d", asked, MOST_MIB);
}

static int oldest_first(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    if (x->used.tv_sec != y->used.tv_sec)
        return x->used.tv_sec < y->used.tv_sec ? -1 : 1;
    return (x->used.tv_nsec > y->used.tv_nsec) - (x->used.tv_nsec < y->used.tv_nsec);
}

/* Left by a writer that died; younger ones may be under way. */
static bool is_stale(const char *name, const struct stat *about)
{
    const char *end = strstr(name, ".bin");
    return end && end[4] == '.' && about->st_mtim.tv_sec + STALE_SECONDS < time(NULL);
}

/* Lists the programs of a folder, at most MOST_ENTRIES, and returns how many. */
static size_t list_entries(DIR *list, entry *out)
{
    struct stat about;
    size_t count = 0;
    for (struct dirent *item = readdir(list); item && count < MOST_ENTRIES; item = readdir(list)) {
        size_t length = strlen(item->d_name);
        if (strncmp(item->d_name, "opencl-", 7) != 0 || length >= sizeof(out->name) ||
            fstatat(dirfd(list), item->d_name, &about, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        if (is_stale(item->d_name, &about))
            unlinkat(dirfd(list), item->d_name, 0);
        if (strcmp(item->d_name + length - 4, ".bin") != 0)
            continue;
        memcpy(out[count].name, item->d_name, length + 1);
        out[count].bytes = (uint64_t)about.st_size;
        out[count++].used = about.st_mtim;
    }
    return count;
}

void linnet_cl_cache_trim(void)
{
    uint64_t limit, sum = 0;
    const char *folder = linnet_cl_host->cache_directory();
    DIR *list = folder && linnet_cl_cache_option(&limit) == LINNET_OK ? opendir(folder) : NULL;
    entry *entries = list ? linnet_cl_host->allocate(MOST_ENTRIES * sizeof(*entries)) : NULL;
    if (entries) {
        size_t count = list_entries(list, entries);
        for (size_t i = 0; i < count; i++)
            sum += entries[i].bytes;
        qsort(entries, count, sizeof(*entries), oldest_first);
        for (size_t i = 0; i < count && sum > limit; i++) {
            sum -= entries[i].bytes;
            unlinkat(dirfd(list), entries[i].name, 0);
        }
    }
    linnet_cl_host->release(entries);
    if (list)
        closedir(list);
}
