/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sub-groups: work-items that a device runs together (waves of 16, 32, 64), which reductions make use of where it says
 * that it has them (group.clh). Nothing needs them, and results are the same to the bit.
 *
 * cl_khr_subgroups and its shuffles are functions of OpenCL C 2.0; OpenCL 3.0 has them as a feature, of devices that
 * count sub-groups; cl_intel_subgroups has them in OpenCL C 1.2, too, its shuffles under names of its own.
 */
#include "variants.h"

#include <stdio.h>

enum { MAX_NUM_SUB_GROUPS = 0x105C }; /* CL_DEVICE_MAX_NUM_SUB_GROUPS, of OpenCL 2.1 */

static linnet_cl_subgroups subgroups_of(const linnet_backend_device *device, const char *extensions)
{
    cl_uint count = 0;
    if (linnet_cl_has_word(extensions, "cl_khr_subgroup_shuffle"))
        return LINNET_CL_SUBGROUPS_SHUFFLES;
    if (linnet_cl_has_word(extensions, "cl_intel_subgroups"))
        return LINNET_CL_SUBGROUPS_INTEL;
    if (linnet_cl_has_word(extensions, "cl_khr_subgroups"))
        return LINNET_CL_SUBGROUPS_BARRIERS;
    if (clGetDeviceInfo(device->id, MAX_NUM_SUB_GROUPS, sizeof(count), &count, NULL) != CL_SUCCESS)
        count = 0; /* older than 2.1: it does not know the question */
    return count > 0 ? LINNET_CL_SUBGROUPS_BARRIERS : LINNET_CL_SUBGROUPS_NONE;
}

linnet_cl_subgroups linnet_cl_subgroups_find(const linnet_backend_device *device, const char *extensions)
{
    if (device->prefers_vectors || linnet_cl_forces(device, LINNET_CL_VARIANT_REDUCE_LOCAL))
        return LINNET_CL_SUBGROUPS_NONE;
    linnet_cl_subgroups found = subgroups_of(device, extensions);
    bool barriers = linnet_cl_forces(device, LINNET_CL_VARIANT_REDUCE_BARRIERS);
    return barriers && found == LINNET_CL_SUBGROUPS_SHUFFLES ? LINNET_CL_SUBGROUPS_BARRIERS : found;
}

const char *linnet_cl_subgroups_options(const linnet_backend_device *device, linnet_cl_subgroups subgroups)
{
    char version[128] = "";
    int major = 1;
    bool known = clGetDeviceInfo(device->id, CL_DEVICE_VERSION, sizeof(version) - 1, version, NULL) == CL_SUCCESS &&
                 sscanf(version, "OpenCL %d", &major) == 1;
    int row = !known || major < 2 ? 0 : major == 2 ? 1 : 2;
#define OPTIONS(standard)                                                                                              \
    {                                                                                                                  \
        "-cl-std=" standard, "-cl-std=" standard " -DSUBGROUPS",                                                       \
            "-cl-std=" standard " -DSUBGROUPS -DSUBGROUP_XOR=sub_group_shuffle_xor",                                   \
            "-cl-std=" standard " -DSUBGROUPS -DSUBGROUP_XOR=intel_sub_group_shuffle_xor"                              \
    }
    static const char *const options[3][4] = {OPTIONS("CL1.2"), OPTIONS("CL2.0"), OPTIONS("CL3.0")};
#undef OPTIONS
    return options[row][subgroups];
}

const char *linnet_cl_subgroups_name(linnet_cl_subgroups subgroups)
{
    static const char *const names[] = {"local memory", "sub-groups, by barriers", "sub-groups, by shuffles",
                                        "sub-groups, by Intel's shuffles"};
    return names[subgroups];
}
