/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known of drivers and cannot be asked. A row applies to the devices whose platform's and own name contain its
 * texts, and whose driver's version (linnet_cl_driver_version) is at least `from` and below `below`, where these are
 * given.
 * LINNET_OPENCL_QUIRKS=none turns all of them off.
 */
#include "opencl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct quirk {
    const char *platform, *device, *from, *below;
    uint32_t effect; /* LINNET_CL_QUIRK_... */
    const char *reason, *link;
} quirk;

static const quirk quirks[] = {
    {"Portable Computing Language", "", "", "", LINNET_CL_QUIRK_KEEPS_PROGRAMS,
     "it caches programs and kernels itself; asked for a program's binary, it compiles every kernel of it once more: "
     "Linnet's cache leaves them to it",
     "https://github.com/pocl/pocl/blob/main/lib/CL/clGetProgramInfo.c"},
    {"Portable Computing Language", "", "", "", LINNET_CL_QUIRK_LATE_KERNELS,
     "it compiles a kernel when it first runs, and each program reads OpenCL's headers again: small programs are built "
     "as one",
     "https://github.com/pocl/pocl/blob/main/lib/CL/pocl_llvm_build.cc"},
    {"Clover", "", "", "", LINNET_CL_QUIRK_LESS_LIKED,
     "Mesa's older OpenCL is no longer developed: where another platform offers the device, that is taken",
     "https://docs.mesa3d.org/rusticl.html"},
};

/* The next number of a version and what joins it to the one behind: a dot goes on, anything else is the end. */
static unsigned long take_number(const char **version)
{
    char *end;
    const char *at = *version;
    *version = "";
    if (!(*at >= '0' && *at <= '9'))
        return 0;
    unsigned long number = strtoul(at, &end, 10);
    if (*end == '.')
        *version = end + 1;
    return number;
}

/* -1, 0, 1: a is below, equal to, above b. What counts is the first number of each text and those behind it that dots
   join to it; missing ones are 0. */
static int compare_versions(const char *a, const char *b)
{
    a += strcspn(a, "0123456789");
    b += strcspn(b, "0123456789");
    while (*a || *b) {
        unsigned long x = take_number(&a), y = take_number(&b);
        if (x != y)
            return x < y ? -1 : 1;
    }
    return 0;
}

bool linnet_cl_version_is_within(const char *version, const char *from, const char *below)
{
    return (!*from || compare_versions(version, from) >= 0) && (!*below || compare_versions(version, below) < 0);
}

static bool applies(const quirk *q, const char *platform, const char *device, const char *driver)
{
    return strstr(platform, q->platform) && strstr(device, q->device) &&
           linnet_cl_version_is_within(driver, q->from, q->below);
}

linnet_status linnet_cl_quirks_option(bool *out_none)
{
    const char *asked = linnet_cl_host->option("LINNET_OPENCL_QUIRKS");
    *out_none = asked && strcmp(asked, "none") == 0;
    if (!asked || *out_none || strcmp(asked, "known") == 0)
        return LINNET_OK;
    return linnet_cl_fail(LINNET_INVALID, "LINNET_OPENCL_QUIRKS=%s: it is known or none", asked);
}

uint32_t linnet_cl_quirks(const char *platform, const char *device, const char *driver)
{
    bool none;
    uint32_t effects = 0;
    if (linnet_cl_quirks_option(&none) != LINNET_OK || none)
        return 0;
    for (size_t i = 0; i < sizeof(quirks) / sizeof(quirks[0]); i++)
        if (applies(&quirks[i], platform, device, driver))
            effects |= quirks[i].effect;
    return effects;
}

size_t linnet_cl_quirks_describe(const char *platform, const char *device, const char *driver, char *out, size_t size)
{
    size_t at = 0;
    bool none;
    if (linnet_cl_quirks_option(&none) != LINNET_OK || none)
        return 0;
    for (size_t i = 0; i < sizeof(quirks) / sizeof(quirks[0]) && at < size; i++)
        if (applies(&quirks[i], platform, device, driver)) {
            int wrote = snprintf(out + at, size - at, "quirk: %s (%s)\n", quirks[i].reason, quirks[i].link);
            at += wrote < 0 ? 0 : (size_t)wrote;
        }
    return at < size ? at : size - 1;
}
