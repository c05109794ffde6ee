/* SPDX-License-Identifier: Apache-2.0 */
#include "profiles.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const icd_profile profiles[] = {
#include "profiles.def"
};

const icd_profile *icd_profile_find(const char *id)
{
    for (size_t i = 0; i < sizeof(profiles) / sizeof(profiles[0]); i++)
        if (strcmp(profiles[i].id, id) == 0)
            return &profiles[i];
    return NULL;
}

typedef struct answer {
    size_t size;
    void *value;
    size_t *out_size;
    cl_int error;
} answer;

static bool give(answer *a, const void *data, size_t bytes)
{
    if (a->out_size)
        *a->out_size = bytes;
    a->error = a->value && a->size < bytes ? CL_INVALID_VALUE : CL_SUCCESS;
    if (a->value && a->error == CL_SUCCESS)
        memcpy(a->value, data, bytes);
    return true;
}

static bool give_text(answer *a, const char *text)
{
    return give(a, text, strlen(text) + 1);
}

static bool give_uint(answer *a, cl_uint number)
{
    return give(a, &number, sizeof(number));
}

static bool give_ulong(answer *a, cl_ulong number)
{
    return give(a, &number, sizeof(number));
}

static bool give_size(answer *a, size_t number)
{
    return give(a, &number, sizeof(number));
}

static bool refuse(answer *a)
{
    a->error = CL_INVALID_VALUE;
    return true;
}

static bool answer_text(const icd_profile *p, cl_device_info what, answer *a)
{
    switch (what) {
    case CL_DEVICE_NAME:
        return give_text(a, p->name);
    case CL_DEVICE_VENDOR:
        return give_text(a, p->vendor);
    case CL_DRIVER_VERSION:
        return give_text(a, p->driver);
    case CL_DEVICE_VERSION:
        return give_text(a, p->version);
    case CL_DEVICE_OPENCL_C_VERSION:
        return give_text(a, p->c_version);
    case CL_DEVICE_EXTENSIONS:
        return give_text(a, p->extensions);
    default:
        return false;
    }
}

static bool answer_memory(const icd_profile *p, cl_device_info what, answer *a)
{
    switch (what) {
    case CL_DEVICE_LOCAL_MEM_SIZE:
        return give_ulong(a, p->local);
    case CL_DEVICE_MAX_CONSTANT_BUFFER_SIZE:
        return give_ulong(a, p->constant);
    case CL_DEVICE_GLOBAL_MEM_SIZE:
        return give_ulong(a, p->memory);
    case CL_DEVICE_MAX_MEM_ALLOC_SIZE:
        return give_ulong(a, p->alloc);
    case CL_DEVICE_GLOBAL_MEM_CACHE_SIZE:
        return give_ulong(a, p->cache);
    case CL_DEVICE_GLOBAL_MEM_CACHELINE_SIZE:
        return give_uint(a, p->lines);
    case CL_DEVICE_MEM_BASE_ADDR_ALIGN:
        return give_uint(a, p->align);
    case CL_DEVICE_HOST_UNIFIED_MEMORY:
        return give_uint(a, p->shared);
    default:
        return false;
    }
}

/* What not every driver knows: questions of 2.1 and of vendors. */
static bool answer_newer(const icd_profile *p, cl_device_info what, answer *a)
{
    enum {
        MAX_NUM_SUB_GROUPS = 0x105C,
        NVIDIA_FIRST = 0x4000,
        NVIDIA_MINOR,
        AMD_BOARD = 0x4038,
        INTEL_SUB_GROUP_SIZES = 0x4108,
        VENDORS_LAST = 0x4FFF
    };
    if (what == MAX_NUM_SUB_GROUPS && strcmp(p->version, "OpenCL 2.1") >= 0)
        return give_uint(a, p->subgroups ? (cl_uint)(p->group / p->subgroups) : 0);
    if (what == MAX_NUM_SUB_GROUPS)
        return refuse(a);
    if (what < NVIDIA_FIRST || what > VENDORS_LAST)
        return false;
    if (what == AMD_BOARD && p->board)
        return give_text(a, p->board);
    if (what == INTEL_SUB_GROUP_SIZES && strstr(p->extensions, "cl_intel_required_subgroup_size")) {
        static const size_t sizes[] = {32, 8, 16};
        return give(a, sizes, sizeof(sizes));
    }
    if (what > NVIDIA_MINOR || !p->compute_major)
        return refuse(a);
    return give_uint(a, what == NVIDIA_MINOR ? p->compute_minor : p->compute_major);
}

static bool answer_compute(const icd_profile *p, cl_device_info what, answer *a)
{
    const cl_device_type type = CL_DEVICE_TYPE_GPU;
    switch (what) {
    case CL_DEVICE_TYPE:
        return give(a, &type, sizeof(type));
    case CL_DEVICE_VENDOR_ID:
        return give_uint(a, p->vendor_id);
    case CL_DEVICE_MAX_COMPUTE_UNITS:
        return give_uint(a, p->units);
    case CL_DEVICE_MAX_CLOCK_FREQUENCY:
        return give_uint(a, p->clock);
    case CL_DEVICE_MAX_WORK_GROUP_SIZE:
        return give_size(a, p->group);
    case CL_DEVICE_MAX_WORK_ITEM_SIZES:
        return give(a, p->items, sizeof(p->items));
    case CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT:
    case CL_DEVICE_PREFERRED_VECTOR_WIDTH_FLOAT:
        return give_uint(a, 1);
    default:
        return answer_newer(p, what, a);
    }
}

bool icd_profile_device(const icd_profile *p, cl_device_info what, size_t size, void *value, size_t *out_size,
                        cl_int *out_error)
{
    answer a = {size, value, out_size, CL_SUCCESS};
    bool known = answer_text(p, what, &a) || answer_memory(p, what, &a) || answer_compute(p, what, &a);
    *out_error = a.error;
    return known;
}

bool icd_profile_platform(const icd_profile *p, cl_platform_info what, size_t size, void *value, size_t *out_size,
                          cl_int *out_error)
{
    answer a = {size, value, out_size, CL_SUCCESS};
    bool known = true;
    if (what == CL_PLATFORM_NAME)
        give_text(&a, p->platform);
    else if (what == CL_PLATFORM_VENDOR)
        give_text(&a, p->platform_vendor);
    else if (what == CL_PLATFORM_VERSION)
        give_text(&a, p->platform_version);
    else if (what == CL_PLATFORM_EXTENSIONS)
        give_text(&a, p->extensions);
    else
        known = false;
    *out_error = a.error;
    return known;
}

static size_t most_of_kernel(const icd_profile *p)
{
    return p->kernel_group ? p->kernel_group : p->group;
}

void icd_profile_kernel(const icd_profile *p, cl_kernel_work_group_info what, size_t size, void *value)
{
    size_t number = what == CL_KERNEL_WORK_GROUP_SIZE ? most_of_kernel(p) : p->wave;
    if (value && size >= sizeof(number) &&
        (what == CL_KERNEL_WORK_GROUP_SIZE || what == CL_KERNEL_PREFERRED_WORK_GROUP_SIZE_MULTIPLE))
        memcpy(value, &number, sizeof(number));
}

bool icd_profile_options(const icd_profile *p, const char *options, char *out, size_t size)
{
    const char *standard = options ? strstr(options, "-cl-std=CL") : NULL;
    if (standard && strtod(standard + strlen("-cl-std=CL"), NULL) > p->newest_c)
        return false;
    snprintf(out, size, "%s", options ? options : "");
    /* What only NVIDIA's compiler knows is for it alone. */
    for (char *own; strstr(p->extensions, "cl_nv_compiler_options") && (own = strstr(out, " -cl-nv-")) != NULL;) {
        char *next = strchr(own + 1, ' ');
        memmove(own, next ? next : "", next ? strlen(next) + 1 : 1);
    }
    /* OpenCL C 3.0 is 2.0 without what not every device has. */
    char *two = strstr(out, "-cl-std=CL2.0");
    if (two)
        two[strlen("-cl-std=CL")] = '3';
    return true;
}

cl_int icd_profile_launch(const icd_profile *p, cl_uint dimensions, const size_t *global, const size_t *local,
                          cl_ulong local_bytes)
{
    size_t items = 1;
    uint64_t all = 1;
    for (cl_uint i = 0; i < dimensions; i++) {
        if (!local || local[i] == 0 || global[i] % local[i] != 0)
            return CL_INVALID_WORK_GROUP_SIZE;
        if (local[i] > p->items[i])
            return CL_INVALID_WORK_ITEM_SIZE;
        if (i > 0 && p->groups && global[i] / local[i] > p->groups)
            return CL_INVALID_GLOBAL_WORK_SIZE;
        items *= local[i];
        all *= global[i];
    }
    if (items > most_of_kernel(p))
        return CL_INVALID_WORK_GROUP_SIZE;
    if (all > UINT32_MAX)
        return CL_INVALID_GLOBAL_WORK_SIZE;
    return local_bytes > p->local ? CL_OUT_OF_RESOURCES : CL_SUCCESS;
}
