/* SPDX-License-Identifier: Apache-2.0 */
/* What a device says that it can do beyond OpenCL, and what kernels make of it. Nothing needs any of it. */
#include "opencl.h"

#include <string.h>

bool linnet_cl_has_word(const char *list, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = list; (at = strstr(at, name)) != NULL; at += length)
        if ((at == list || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
            return true;
    return false;
}

/* "" where the device has none; to be released. */
static linnet_status extensions_of(const linnet_backend_device *device, char **out)
{
    size_t bytes = 0;
    cl_int error = clGetDeviceInfo(device->id, CL_DEVICE_EXTENSIONS, 0, NULL, &bytes);
    *out = linnet_cl_host->allocate(bytes + 1);
    if (!*out)
        return linnet_cl_fail(LINNET_OUT_OF_MEMORY, "out of memory opening an OpenCL device");
    memset(*out, 0, bytes + 1);
    if (error == CL_SUCCESS && bytes > 0)
        error = clGetDeviceInfo(device->id, CL_DEVICE_EXTENSIONS, bytes, *out, NULL);
    return linnet_cl_check(device, "clGetDeviceInfo", error);
}

/* The fewest work-items of a sub-group that kernels may ask for, eight at least; 0: they may not. */
static int smallest_sub_group(const linnet_backend_device *device, const char *extensions)
{
    enum { SUB_GROUP_SIZES_INTEL = 0x4108, MOST = 16, LEAST = 8 };
    size_t sizes[MOST], bytes = 0, least = 0;
    if (device->prefers_vectors || !linnet_cl_has_word(extensions, "cl_intel_required_subgroup_size") ||
        clGetDeviceInfo(device->id, SUB_GROUP_SIZES_INTEL, sizeof(sizes), sizes, &bytes) != CL_SUCCESS)
        return 0;
    for (size_t i = 0; i < bytes / sizeof(*sizes) && i < MOST; i++)
        if (sizes[i] >= LEAST && (least == 0 || sizes[i] < least))
            least = sizes[i];
    return (int)least;
}

linnet_status linnet_cl_find_extensions(linnet_backend_device *device)
{
    char *extensions = NULL;
    linnet_status status = extensions_of(device, &extensions);
    bool known = !status;
    atomic_init(&device->subgroups, known ? linnet_cl_subgroups_find(device, extensions) : LINNET_CL_SUBGROUPS_NONE);
    atomic_init(&device->limits_registers, known && linnet_cl_has_word(extensions, "cl_nv_compiler_options"));
    atomic_init(&device->smallest_sub_group, known ? smallest_sub_group(device, extensions) : 0);
    linnet_cl_host->release(extensions);
    return status;
}
