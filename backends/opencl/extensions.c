/* SPDX-License-Identifier: Apache-2.0 */
/* What a device says that it has beyond OpenCL 1.2. */
#include "opencl.h"

#include <string.h>

linnet_status linnet_cl_extensions(const linnet_backend_device *device, char **out)
{
    size_t bytes = 0;
    cl_int error = clGetDeviceInfo(device->id, CL_DEVICE_EXTENSIONS, 0, NULL, &bytes);
    *out = error == CL_SUCCESS ? linnet_cl_host->allocate(bytes + 1) : NULL;
    if (error != CL_SUCCESS)
        return linnet_cl_check(device, "clGetDeviceInfo", error);
    if (!*out)
        return linnet_cl_fail(LINNET_OUT_OF_MEMORY, "out of memory opening an OpenCL device");
    memset(*out, 0, bytes + 1);
    if (bytes > 0)
        error = clGetDeviceInfo(device->id, CL_DEVICE_EXTENSIONS, bytes, *out, NULL);
    return linnet_cl_check(device, "clGetDeviceInfo", error);
}

bool linnet_cl_has_extension(const char *list, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = list; (at = strstr(at, name)) != NULL; at += length)
        if ((at == list || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
            return true;
    return false;
}
