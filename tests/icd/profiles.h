/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Devices that are not here: what their drivers say of them (profiles.def), and what those drivers refuse. The device
 * that is here does the work. LINNET_TEST_DEVICE names one.
 */
#ifndef LINNET_TESTS_ICD_PROFILES_H
#define LINNET_TESTS_ICD_PROFILES_H

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>

#include <stdbool.h>
#include <stddef.h>

typedef struct icd_profile {
    const char *id;
    const char *platform, *platform_vendor, *platform_version;
    const char *name, *vendor, *driver, *version, *c_version, *extensions;
    const char *board;                       /* cl_amd_device_attribute_query; NULL: it does not know the question */
    unsigned vendor_id, units, clock, lines; /* lines: bytes of a line of its cache */
    size_t group, items[3];                  /* work-items of a group, and along each dimension */
    size_t kernel_group;                     /* of a group of any kernel's, whatever the device's; 0: the device's */
    size_t groups;                           /* along y and along z; 0: as many as a size_t holds */
    cl_ulong local, constant, cache, memory, alloc; /* bytes */
    unsigned align;                                 /* of buffers, bits */
    bool shared;                                    /* its memory is the host's */
    unsigned wave;                                  /* work-items that run together */
    unsigned subgroups;                             /* of so many, emulated; 0: it has none */
    bool shuffles, refuses_required;       /* in them; a program with a kernel that wants larger groups is not built */
    unsigned compute_major, compute_minor; /* cl_nv_device_attribute_query; 0: it does not know the question */
    double newest_c;                       /* -cl-std=CL... at most */
} icd_profile;

/* NULL: there is none of that name. */
const icd_profile *icd_profile_find(const char *id);
/* What it answers to clGetDeviceInfo and clGetPlatformInfo. false: ask the device that is here. */
bool icd_profile_device(const icd_profile *profile, cl_device_info what, size_t size, void *value, size_t *out_size,
                        cl_int *out_error);
bool icd_profile_platform(const icd_profile *profile, cl_platform_info what, size_t size, void *value, size_t *out_size,
                          cl_int *out_error);
/* clGetKernelWorkGroupInfo, of what the device that is here has answered. */
void icd_profile_kernel(const icd_profile *profile, cl_kernel_work_group_info what, size_t size, void *value);
/* Does a driver take such options? Where it does, out[size] is what the device that is here is to be told. */
bool icd_profile_options(const icd_profile *profile, const char *options, char *out, size_t size);
/* The error of a launch; local_bytes: what the kernel takes of local memory. */
cl_int icd_profile_launch(const icd_profile *profile, cl_uint dimensions, const size_t *global, const size_t *local,
                          cl_ulong local_bytes);

#endif
