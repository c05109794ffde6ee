/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Affinity by sched_getaffinity; control groups by the files of Documentation/admin-guide/cgroup-v2.rst (cpu.max:
 * "quota period", "max period" for none) and cgroup-v1/cpu of the kernel (cpu.cfs_quota_us, negative for none, and
 * cpu.cfs_period_us). In a container the path of /proc/self/cgroup may be the host's, where the group's own files lie
 * at the root: folders that are not there are passed over.
 */
#include "processors.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

enum { LONGEST_PATH = 4096, LONGEST_LINE = 4600 };

/* The first line of root + path + name, NUL-terminated; false when there is none. */
static bool read_line(const char *root, const char *path, const char *name, char *out, size_t size)
{
    char whole[2 * LONGEST_PATH];
    int length = snprintf(whole, sizeof whole, "%s%s/%s", root, path, name);
    FILE *file = length > 0 && (size_t)length < sizeof whole ? fopen(whole, "re") : NULL;
    if (!file)
        return false;
    bool is_read = fgets(out, (int)size, file) != NULL;
    fclose(file);
    return is_read;
}

/* quota / period rounded up; 0 where they are no limit. */
static uint32_t quotient(long long quota, long long period)
{
    if (quota <= 0 || period <= 0)
        return 0;
    long long count = quota / period + (quota % period != 0);
    return count > 1 << 20 ? 0 : (uint32_t)count;
}

static uint32_t limit_of_version_2(const char *root, const char *path)
{
    char text[128];
    long long quota, period;
    if (!read_line(root, path, "cpu.max", text, sizeof text) || sscanf(text, "%lld %lld", &quota, &period) != 2)
        return 0;
    return quotient(quota, period);
}

static uint32_t limit_of_version_1(const char *root, const char *path)
{
    char quota_text[64], period_text[64];
    long long quota, period;
    if (!read_line(root, path, "cpu.cfs_quota_us", quota_text, sizeof quota_text) ||
        !read_line(root, path, "cpu.cfs_period_us", period_text, sizeof period_text) ||
        sscanf(quota_text, "%lld", &quota) != 1 || sscanf(period_text, "%lld", &period) != 1)
        return 0;
    return quotient(quota, period);
}

static uint32_t smaller_limit(uint32_t a, uint32_t b)
{
    return a == 0 || (b > 0 && b < a) ? b : a;
}

/* The least limit from path, which is cut down to nothing, up to the root. */
static uint32_t least_limit(const char *root, char *path, uint32_t (*limit_of)(const char *root, const char *path))
{
    uint32_t least = 0;
    for (;;) {
        size_t length = strlen(path);
        while (length > 0 && path[length - 1] == '/')
            path[--length] = '\0';
        least = smaller_limit(least, limit_of(root, path));
        char *slash = strrchr(path, '/');
        if (!slash)
            return least;
        *slash = '\0';
    }
}

/* Is cpu one of the controllers of a comma-separated list? */
static bool lists_cpu(const char *controllers)
{
    for (const char *at = controllers; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, "cpu", 3) == 0 && (at[3] == '\0' || at[3] == ','))
            return true;
    }
    return false;
}

/* One line of the membership file: number:controllers:path; version 2 has no controllers. */
static uint32_t limit_of_line(char *line, const char *root)
{
    line[strcspn(line, "\n")] = '\0';
    char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;
    if (!path || path[1] != '/' || strstr(path, "/../"))
        return 0;
    *path++ = '\0';
    if (*++controllers == '\0')
        return least_limit(root, path, limit_of_version_2);
    char folder[LONGEST_PATH];
    int length = snprintf(folder, sizeof folder, "%s/%s", root, controllers);
    if (!lists_cpu(controllers) || length < 0 || (size_t)length >= sizeof folder)
        return 0;
    return least_limit(folder, path, limit_of_version_1);
}

uint32_t linnet_cgroup_limit(const char *membership, const char *root)
{
    char line[LONGEST_LINE];
    uint32_t least = 0;
    FILE *file = fopen(membership, "re");
    while (file && fgets(line, sizeof line, file))
        least = smaller_limit(least, limit_of_line(line, root));
    if (file)
        fclose(file);
    return least;
}

uint32_t linnet_processor_count(void)
{
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    uint32_t limit = linnet_cgroup_limit("/proc/self/cgroup", "/sys/fs/cgroup");
    return smaller_limit(count < 1 ? 1 : (uint32_t)count, limit);
}
