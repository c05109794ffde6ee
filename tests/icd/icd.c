/* SPDX-License-Identifier: Apache-2.0 */
/* The calls themselves: icd.h says what this is for. REAL_OPENCL is the full path of the loader that answers. */
#define CL_TARGET_OPENCL_VERSION 120
#define CL_USE_DEPRECATED_OPENCL_1_1_APIS
#include <CL/cl.h>

#include "icd.h"
#include "profiles.h"
#include "subgroups.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((visibility("default"))) icd_control linnet_icd = {.fail_at = -1};

static const icd_profile *profile; /* NULL: devices are what they are */

static void take_profile(const char *id)
{
    profile = icd_profile_find(id);
    if (!profile) {
        fprintf(stderr, "tests/icd: no device '%s' in profiles.def\n", id);
        abort();
    }
    linnet_icd.subgroups = profile->subgroups;
}

/* For programs that do not know of it: LINNET_TEST_LOSE=N loses the context at call N, out of resources;
 * LINNET_TEST_SUBGROUPS=N emulates sub-groups of N, LINNET_TEST_SHUFFLES=N such with shuffles;
 * LINNET_TEST_MISCOMPILED=KERNEL is one that does nothing, with LINNET_TEST_PLAINLY=1 even when built plainly;
 * LINNET_TEST_LARGEST=BYTES is the largest buffer that devices say they take, and take; LINNET_TEST_MEMORY=BYTES is the
 * memory that they say they have; LINNET_TEST_UNLIMITED=1 refuses options that only NVIDIA's compiler knows;
 * LINNET_TEST_DEVICE=NAME is a device of profiles.def. */
__attribute__((constructor)) static void read_environment(void)
{
    const char *call = getenv("LINNET_TEST_LOSE"), *shuffles = getenv("LINNET_TEST_SHUFFLES");
    const char *subgroups = shuffles ? shuffles : getenv("LINNET_TEST_SUBGROUPS");
    if (call)
        linnet_icd = (icd_control){.fail_at = atoll(call), .lose = true, .code = CL_OUT_OF_RESOURCES};
    linnet_icd.subgroups = subgroups ? (uint32_t)atoi(subgroups) : 0;
    linnet_icd.shuffles = shuffles != NULL;
    linnet_icd.miscompiled = getenv("LINNET_TEST_MISCOMPILED");
    const char *largest = getenv("LINNET_TEST_LARGEST"), *memory = getenv("LINNET_TEST_MEMORY");
    linnet_icd.largest = linnet_icd.most_bytes = largest ? strtoull(largest, NULL, 10) : 0;
    linnet_icd.memory = memory ? strtoull(memory, NULL, 10) : 0;
    linnet_icd.plainly = getenv("LINNET_TEST_PLAINLY") != NULL;
    linnet_icd.unlimited = getenv("LINNET_TEST_UNLIMITED") != NULL;
    if (getenv("LINNET_TEST_DEVICE"))
        take_profile(getenv("LINNET_TEST_DEVICE"));
}

/* The real function of that name: dlopen by a path does not give back ourselves, whose soname is the same. */
static void *real(const char *name)
{
    static void *library;
    void *loaded = __atomic_load_n(&library, __ATOMIC_ACQUIRE);
    if (!loaded) {
        loaded = dlopen(REAL_OPENCL, RTLD_NOW | RTLD_LOCAL);
        __atomic_store_n(&library, loaded, __ATOMIC_RELEASE);
    }
    void *function = loaded ? dlsym(loaded, name) : NULL;
    if (!function) {
        fprintf(stderr, "tests/icd: no %s in %s\n", name, REAL_OPENCL);
        abort();
    }
    return function;
}

/* What a driver answers without a context. */
static bool is_about_devices(const char *name)
{
    return strncmp(name, "clGetPlatform", 13) == 0 || strncmp(name, "clGetDevice", 11) == 0;
}

/* Is this call one that a lost context fails? */
static bool is_lost(const char *name, int64_t call)
{
    if (linnet_icd.fail_at >= 0 && call == linnet_icd.fail_at)
        linnet_icd.lost = true;
    if (linnet_icd.lost && strcmp(name, "clCreateContext") == 0)
        linnet_icd.lost = false;
    return linnet_icd.lost && !is_about_devices(name);
}

/* Counts a call; the error with which it is to fail. */
static cl_int before(const char *name)
{
    int64_t call = __atomic_fetch_add(&linnet_icd.calls, 1, __ATOMIC_RELAXED);
    bool at = linnet_icd.lose ? is_lost(name, call)
                              : linnet_icd.fail_at >= 0 &&
                                    (call == linnet_icd.fail_at || (linnet_icd.and_after && call > linnet_icd.fail_at));
    if (!at && !(linnet_icd.fail_name && strcmp(linnet_icd.fail_name, name) == 0))
        return CL_SUCCESS;
    __atomic_fetch_add(&linnet_icd.failed, 1, __ATOMIC_RELAXED);
    linnet_icd.failed_name = name;
    return linnet_icd.code;
}

/* A call is about to wait for the device. */
static void wait_for_device(void)
{
    __atomic_fetch_add(&linnet_icd.waits, 1, __ATOMIC_RELAXED);
}

static void hold(int64_t objects)
{
    __atomic_fetch_add(&linnet_icd.live, objects, __ATOMIC_RELAXED);
}

#define EXPORT     __attribute__((visibility("default")))
#define REAL(name) ((__typeof__(&name))real(#name))

#define STATUS(name, parameters, arguments)                                                                            \
    EXPORT cl_int CL_API_CALL name parameters                                                                          \
    {                                                                                                                  \
        cl_int failure = before(#name);                                                                                \
        return failure ? failure : REAL(name) arguments;                                                               \
    }

#define MAKE(type, name, parameters, arguments)                                                                        \
    EXPORT type CL_API_CALL name parameters                                                                            \
    {                                                                                                                  \
        cl_int failure = before(#name);                                                                                \
        type object = failure ? NULL : REAL(name) arguments;                                                           \
        if (failure && error)                                                                                          \
            *error = failure;                                                                                          \
        hold(object != NULL);                                                                                          \
        return object;                                                                                                 \
    }

#define RETAIN(name, type)                                                                                             \
    EXPORT cl_int CL_API_CALL name(type object)                                                                        \
    {                                                                                                                  \
        cl_int failure = before(#name);                                                                                \
        cl_int error = failure ? failure : REAL(name)(object);                                                         \
        hold(error == CL_SUCCESS);                                                                                     \
        return error;                                                                                                  \
    }

/* A release that is to fail still releases: whatever it returns, nobody asks twice. */
#define RELEASE(name, type)                                                                                            \
    EXPORT cl_int CL_API_CALL name(type object)                                                                        \
    {                                                                                                                  \
        cl_int failure = before(#name), error = REAL(name)(object);                                                    \
        hold(-(error == CL_SUCCESS));                                                                                  \
        return failure ? failure : error;                                                                              \
    }

#define ENQUEUE(name, parameters, arguments)                                                                           \
    EXPORT cl_int CL_API_CALL name parameters                                                                          \
    {                                                                                                                  \
        cl_int failure = before(#name);                                                                                \
        cl_int error = failure ? failure : REAL(name) arguments;                                                       \
        hold(error == CL_SUCCESS && event);                                                                            \
        return error;                                                                                                  \
    }

#define WAITING(name, parameters, arguments)                                                                           \
    EXPORT cl_int CL_API_CALL name parameters                                                                          \
    {                                                                                                                  \
        cl_int failure = before(#name);                                                                                \
        wait_for_device();                                                                                             \
        return failure ? failure : REAL(name) arguments;                                                               \
    }

#define TRANSFER(name, parameters, arguments)                                                                          \
    EXPORT cl_int CL_API_CALL name parameters                                                                          \
    {                                                                                                                  \
        cl_int failure = before(#name);                                                                                \
        if (blocking)                                                                                                  \
            wait_for_device();                                                                                         \
        cl_int error = failure ? failure : REAL(name) arguments;                                                       \
        hold(error == CL_SUCCESS && event);                                                                            \
        return error;                                                                                                  \
    }

#include "calls.def"

/* ---- Calls that say what they are told to say ---- */

EXPORT cl_int CL_API_CALL clGetPlatformIDs(cl_uint entries, cl_platform_id *platforms, cl_uint *out_count)
{
    cl_int failure = before("clGetPlatformIDs");
    if (!failure && linnet_icd.no_platforms)
        failure = -1001; /* CL_PLATFORM_NOT_FOUND_KHR */
    if (failure && out_count)
        *out_count = 0;
    return failure ? failure : REAL(clGetPlatformIDs)(entries, platforms, out_count);
}

EXPORT cl_int CL_API_CALL clGetDeviceIDs(cl_platform_id platform, cl_device_type type, cl_uint entries,
                                         cl_device_id *devices, cl_uint *out_count)
{
    cl_int failure = before("clGetDeviceIDs");
    if (!failure && linnet_icd.no_devices)
        failure = CL_DEVICE_NOT_FOUND;
    if (failure && out_count)
        *out_count = 0;
    return failure ? failure : REAL(clGetDeviceIDs)(platform, type, entries, devices, out_count);
}

/* Bytes of one number among those that limit what a program may do; 0: it is none of them. */
static size_t limit_bytes(cl_device_info what)
{
    switch (what) {
    case CL_DEVICE_MAX_COMPUTE_UNITS:
    case CL_DEVICE_MAX_WORK_ITEM_DIMENSIONS:
    case CL_DEVICE_MEM_BASE_ADDR_ALIGN:
    case CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT:
    case CL_DEVICE_PREFERRED_VECTOR_WIDTH_FLOAT:
        return sizeof(cl_uint);
    case CL_DEVICE_MAX_MEM_ALLOC_SIZE:
    case CL_DEVICE_GLOBAL_MEM_SIZE:
    case CL_DEVICE_LOCAL_MEM_SIZE:
    case CL_DEVICE_GLOBAL_MEM_CACHE_SIZE:
    case CL_DEVICE_MAX_CONSTANT_BUFFER_SIZE:
        return sizeof(cl_ulong);
    case CL_DEVICE_MAX_WORK_GROUP_SIZE:
    case CL_DEVICE_MAX_WORK_ITEM_SIZES:
    case CL_DEVICE_MAX_PARAMETER_SIZE:
        return sizeof(size_t);
    default:
        return 0;
    }
}

/* The device's own extensions, and sub-groups'. */
static cl_int answer_extensions(cl_device_id device, ANSWER)
{
    const char *more = icd_subgroups_extensions(linnet_icd.shuffles);
    char text[8192] = "";
    cl_int error = REAL(clGetDeviceInfo)(device, CL_DEVICE_EXTENSIONS, sizeof(text) - strlen(more) - 1, text, NULL);
    size_t bytes = strlen(text) + strlen(more) + 1;
    if (error == CL_SUCCESS && out_size)
        *out_size = bytes;
    if (error == CL_SUCCESS && value && size < bytes)
        return CL_INVALID_VALUE;
    if (error == CL_SUCCESS && value)
        memcpy(value, strcat(text, more), bytes);
    return error;
}

EXPORT cl_int CL_API_CALL clGetDeviceInfo(cl_device_id device, cl_device_info what, ANSWER)
{
    size_t unit = linnet_icd.limits == ICD_LIMITS_REAL ? 0 : limit_bytes(what), bytes = 0;
    cl_int failure = before("clGetDeviceInfo");
    cl_int answered = CL_SUCCESS;
    cl_ulong told = what == CL_DEVICE_MAX_MEM_ALLOC_SIZE ? linnet_icd.largest
                    : what == CL_DEVICE_GLOBAL_MEM_SIZE  ? linnet_icd.memory
                                                         : 0;
    if (!failure && profile && !told && icd_profile_device(profile, what, GIVE, &answered))
        return answered;
    if (!failure && linnet_icd.subgroups && what == CL_DEVICE_EXTENSIONS)
        return answer_extensions(device, GIVE);
    cl_int error = failure ? failure : REAL(clGetDeviceInfo)(device, what, size, value, &bytes);
    if (error == CL_SUCCESS && out_size)
        *out_size = bytes;
    for (size_t at = 0; error == CL_SUCCESS && value && unit && at < bytes; at += unit) {
        memset((char *)value + at, linnet_icd.limits == ICD_LIMITS_LARGE ? 0xff : 0, unit);
        *((unsigned char *)value + at) |= linnet_icd.limits == ICD_LIMITS_ONE;
    }
    if (error == CL_SUCCESS && value && told && size >= sizeof(told))
        memcpy(value, &told, sizeof(told));
    return error;
}

EXPORT cl_int CL_API_CALL clGetPlatformInfo(cl_platform_id platform, cl_platform_info what, ANSWER)
{
    cl_int failure = before("clGetPlatformInfo"), answered = CL_SUCCESS;
    if (!failure && profile && icd_profile_platform(profile, what, GIVE, &answered))
        return answered;
    return failure ? failure : REAL(clGetPlatformInfo)(platform, what, GIVE);
}

EXPORT cl_int CL_API_CALL clGetKernelWorkGroupInfo(cl_kernel kernel, cl_device_id device,
                                                   cl_kernel_work_group_info what, ANSWER)
{
    cl_int failure = before("clGetKernelWorkGroupInfo");
    cl_int error = failure ? failure : REAL(clGetKernelWorkGroupInfo)(kernel, device, what, GIVE);
    if (error == CL_SUCCESS && profile)
        icd_profile_kernel(profile, what, size, value);
    return error;
}

/* Does a kernel of the program want groups that the device does not have? */
static bool wants_too_much(cl_program program, const cl_device_id *devices)
{
    enum { MOST = 32 };
    cl_kernel kernels[MOST];
    cl_uint count = 0;
    bool found = false;
    if (!profile || !profile->refuses_required || !devices ||
        REAL(clCreateKernelsInProgram)(program, MOST, kernels, &count) != CL_SUCCESS)
        return false;
    for (cl_uint i = 0; i < count; i++) {
        size_t wanted[3] = {0};
        REAL(clGetKernelWorkGroupInfo)
        (kernels[i], devices[0], CL_KERNEL_COMPILE_WORK_GROUP_SIZE, sizeof(wanted), wanted, NULL);
        found = found || wanted[0] * wanted[1] * wanted[2] > profile->group;
        REAL(clReleaseKernel)(kernels[i]);
    }
    return found;
}

EXPORT cl_int CL_API_CALL clBuildProgram(cl_program program, cl_uint count, const cl_device_id *devices,
                                         const char *options, void(CL_CALLBACK *done)(cl_program, void *), void *data)
{
    char told[2048];
    cl_int failure = before("clBuildProgram");
    if (!failure && profile && !icd_profile_options(profile, options, told, sizeof(told)))
        failure = CL_INVALID_BUILD_OPTIONS;
    if (!failure && linnet_icd.unlimited && options && strstr(options, " -cl-nv-"))
        failure = CL_INVALID_BUILD_OPTIONS;
    if (failure)
        return failure;
    cl_int error = REAL(clBuildProgram)(program, count, devices, profile ? told : options, done, data);
    return error == CL_SUCCESS && wants_too_much(program, devices) ? CL_BUILD_PROGRAM_FAILURE : error;
}

EXPORT cl_int CL_API_CALL clGetProgramBuildInfo(cl_program program, cl_device_id device, cl_program_build_info what,
                                                ANSWER)
{
    cl_int failure = before("clGetProgramBuildInfo");
    if (!failure && linnet_icd.empty_logs && what == CL_PROGRAM_BUILD_LOG) {
        if (out_size)
            *out_size = 0;
        return CL_SUCCESS;
    }
    return failure ? failure : REAL(clGetProgramBuildInfo)(program, device, what, GIVE);
}

EXPORT cl_int CL_API_CALL clGetProgramInfo(cl_program program, cl_program_info what, ANSWER)
{
    cl_int failure = before("clGetProgramInfo");
    cl_int error = failure ? failure : REAL(clGetProgramInfo)(program, what, GIVE);
    if (error == CL_SUCCESS && linnet_icd.no_binaries && what == CL_PROGRAM_BINARY_SIZES && value)
        memset(value, 0, size);
    return error;
}

/* ---- Calls of other shapes ---- */

EXPORT cl_program CL_API_CALL clCreateProgramWithSource(cl_context context, cl_uint count, const char **strings,
                                                        const size_t *lengths, cl_int *error)
{
    enum { MOST = 64 };
    char emulation[2048];
    const char *all[MOST] = {emulation};
    cl_int failure = before("clCreateProgramWithSource");
    if (!failure && linnet_icd.subgroups && linnet_icd.subgroups != UINT32_MAX && !lengths && count < MOST) {
        icd_subgroups_source(linnet_icd.subgroups, emulation, sizeof(emulation));
        memcpy(all + 1, strings, count * sizeof(*strings));
        strings = all;
        count++;
    }
    cl_program program = failure ? NULL : REAL(clCreateProgramWithSource)(context, count, strings, lengths, error);
    if (failure && error)
        *error = failure;
    hold(program != NULL);
    return program;
}

EXPORT cl_mem CL_API_CALL clCreateBuffer(cl_context context, cl_mem_flags flags, size_t size, void *host, cl_int *error)
{
    cl_int failure = before("clCreateBuffer");
    if (!failure && linnet_icd.most_bytes && size > linnet_icd.most_bytes)
        failure = CL_MEM_OBJECT_ALLOCATION_FAILURE;
    cl_mem memory = failure ? NULL : REAL(clCreateBuffer)(context, flags, size, host, error);
    if (failure && error)
        *error = failure;
    hold(memory != NULL);
    return memory;
}

/* Is this a kernel that a driver made nothing of? */
static bool is_miscompiled(cl_command_queue queue, cl_kernel kernel)
{
    char name[128] = "", options[1024] = "";
    cl_program program = NULL;
    cl_device_id device = NULL;
    if (!linnet_icd.miscompiled)
        return false;
    REAL(clGetKernelInfo)(kernel, CL_KERNEL_FUNCTION_NAME, sizeof name, name, NULL);
    REAL(clGetKernelInfo)(kernel, CL_KERNEL_PROGRAM, sizeof program, &program, NULL);
    REAL(clGetCommandQueueInfo)(queue, CL_QUEUE_DEVICE, sizeof device, &device, NULL);
    REAL(clGetProgramBuildInfo)(program, device, CL_PROGRAM_BUILD_OPTIONS, sizeof options, options, NULL);
    return strcmp(name, linnet_icd.miscompiled) == 0 && (linnet_icd.plainly || !strstr(options, "-cl-opt-disable"));
}

/* The error with which the profile's driver would refuse a launch. */
static cl_int refusal(cl_command_queue queue, cl_kernel kernel, cl_uint dimensions, const size_t *global,
                      const size_t *local)
{
    cl_device_id device = NULL;
    cl_ulong bytes = 0;
    if (!profile)
        return CL_SUCCESS;
    REAL(clGetCommandQueueInfo)(queue, CL_QUEUE_DEVICE, sizeof device, &device, NULL);
    REAL(clGetKernelWorkGroupInfo)(kernel, device, CL_KERNEL_LOCAL_MEM_SIZE, sizeof bytes, &bytes, NULL);
    return icd_profile_launch(profile, dimensions, global, local, bytes);
}

EXPORT cl_int CL_API_CALL clEnqueueNDRangeKernel(cl_command_queue queue, cl_kernel kernel, cl_uint dimensions,
                                                 const size_t *offset, const size_t *global, const size_t *local, WAITS)
{
    cl_int error = before("clEnqueueNDRangeKernel");
    if (!error)
        error = refusal(queue, kernel, dimensions, global, local);
    if (!error && is_miscompiled(queue, kernel))
        error = REAL(clEnqueueMarkerWithWaitList)(queue, GIVE_WAIT);
    else if (!error)
        error = REAL(clEnqueueNDRangeKernel)(queue, kernel, dimensions, offset, global, local, GIVE_WAIT);
    hold(error == CL_SUCCESS && event);
    return error;
}

EXPORT void *CL_API_CALL clEnqueueMapBuffer(cl_command_queue queue, cl_mem memory, cl_bool blocking, cl_map_flags flags,
                                            size_t offset, size_t bytes, WAITS, cl_int *error)
{
    cl_int failure = before("clEnqueueMapBuffer");
    __atomic_fetch_add(&linnet_icd.maps, 1, __ATOMIC_RELAXED);
    if (blocking)
        wait_for_device();
    void *pointer =
        failure ? NULL : REAL(clEnqueueMapBuffer)(queue, memory, blocking, flags, offset, bytes, GIVE_WAIT, error);
    if (failure && error)
        *error = failure;
    hold(pointer && event);
    return pointer;
}

EXPORT cl_int CL_API_CALL clEnqueueUnmapMemObject(cl_command_queue queue, cl_mem memory, void *pointer, WAITS)
{
    cl_int failure = before("clEnqueueUnmapMemObject");
    __atomic_fetch_add(&linnet_icd.unmaps, 1, __ATOMIC_RELAXED);
    cl_int error = failure ? failure : REAL(clEnqueueUnmapMemObject)(queue, memory, pointer, GIVE_WAIT);
    hold(error == CL_SUCCESS && event);
    return error;
}

EXPORT cl_int CL_API_CALL clCreateKernelsInProgram(cl_program program, cl_uint entries, cl_kernel *kernels,
                                                   cl_uint *out_count)
{
    cl_uint made = 0;
    cl_int failure = before("clCreateKernelsInProgram");
    cl_int error = failure ? failure : REAL(clCreateKernelsInProgram)(program, entries, kernels, &made);
    if (error == CL_SUCCESS && out_count)
        *out_count = made;
    hold(error == CL_SUCCESS && kernels ? (int64_t)made : 0);
    return error;
}

EXPORT void *CL_API_CALL clGetExtensionFunctionAddressForPlatform(cl_platform_id platform, const char *name)
{
    return before("clGetExtensionFunctionAddressForPlatform")
               ? NULL
               : REAL(clGetExtensionFunctionAddressForPlatform)(platform, name);
}
