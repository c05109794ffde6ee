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

enum { FIRST_ENTRIES = 256, USUAL_MIB = 256, MOST_MIB = 1 << 20, STALE_SECONDS = 3600 };

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

/* Room for twice as many; false: no memory. */
static bool grow(entry **entries, size_t *capacity)
{
    size_t larger = *capacity ? 2 * *capacity : FIRST_ENTRIES;
    entry *grown = linnet_cl_host->allocate(larger * sizeof(*grown));
    if (!grown)
        return false;
    if (*entries)
        memcpy(grown, *entries, *capacity * sizeof(*grown));
    linnet_cl_host->release(*entries);
    *entries = grown;
    *capacity = larger;
    return true;
}

/* Lists the programs of a folder, to be released; where there is no memory for all of them, as many as there is. Any
   that were left out would make others go that were used later. */
static entry *list_entries(DIR *list, size_t *out_count)
{
    struct stat about;
    entry *entries = NULL;
    size_t count = 0, capacity = 0;
    for (struct dirent *item = readdir(list); item; item = readdir(list)) {
        size_t length = strlen(item->d_name);
        if (strncmp(item->d_name, "opencl-", 7) != 0 || length >= sizeof(entries->name) ||
            fstatat(dirfd(list), item->d_name, &about, AT_SYMLINK_NOFOLLOW) != 0)
            continue;
        if (is_stale(item->d_name, &about))
            unlinkat(dirfd(list), item->d_name, 0);
        if (strcmp(item->d_name + length - 4, ".bin") != 0)
            continue;
        if (count == capacity && !grow(&entries, &capacity))
            break;
        memcpy(entries[count].name, item->d_name, length + 1);
        entries[count].bytes = (uint64_t)about.st_size;
        entries[count++].used = about.st_mtim;
    }
    *out_count = count;
    return entries;
}

void linnet_cl_cache_trim(void)
{
    uint64_t limit, sum = 0;
    const char *folder = linnet_cl_host->cache_directory();
    DIR *list = folder && linnet_cl_cache_option(&limit) == LINNET_OK ? opendir(folder) : NULL;
    size_t count = 0;
    entry *entries = list ? list_entries(list, &count) : NULL;
    if (entries) {
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
