/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds the devices of every platform that the ICD loader knows. Counting them makes no driver object. A platform
 * without a device (Clover on a machine without a Radeon) is passed over.
 */
#include "opencl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PLATFORMS = 32, MAX_DEVICES = 128 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static linnet_cl_location found[MAX_DEVICES];
static uint32_t found_count;

static void platform_text(cl_platform_id platform, cl_platform_info what, char *out, size_t size)
{
    char text[512] = "";
    if (clGetPlatformInfo(platform, what, sizeof(text), text, NULL) != CL_SUCCESS)
        text[0] = '\0';
    text[sizeof(text) - 1] = '\0';
    size_t length = strnlen(text, size - 1);
    memcpy(out, text, length);
    out[length] = '\0';
}

/* Trimmed: some drivers pad names with blanks. */
static void device_text(cl_device_id device, cl_device_info what, char *out, size_t size)
{
    char text[512] = "";
    if (clGetDeviceInfo(device, what, sizeof(text), text, NULL) != CL_SUCCESS)
        text[0] = '\0';
    text[sizeof(text) - 1] = '\0';
    const char *start = text + strspn(text, " ");
    size_t length = strlen(start);
    while (length > 0 && start[length - 1] == ' ')
        length--;
    if (length >= size)
        length = size - 1;
    memcpy(out, start, length);
    out[length] = '\0';
}

static cl_ulong device_ulong(cl_device_id device, cl_device_info what)
{
    cl_ulong value = 0;
    return clGetDeviceInfo(device, what, sizeof(value), &value, NULL) == CL_SUCCESS ? value : 0;
}

static cl_uint device_uint(cl_device_id device, cl_device_info what)
{
    cl_uint value = 0;
    return clGetDeviceInfo(device, what, sizeof(value), &value, NULL) == CL_SUCCESS ? value : 0;
}

static cl_device_type device_type(cl_device_id device)
{
    cl_device_type type = 0;
    return clGetDeviceInfo(device, CL_DEVICE_TYPE, sizeof(type), &type, NULL) == CL_SUCCESS ? type : 0;
}

void linnet_cl_driver_version(cl_device_id device, char out[LINNET_CL_DRIVER_BYTES])
{
    device_text(device, CL_DRIVER_VERSION, out, LINNET_CL_DRIVER_BYTES);
}

const char *linnet_cl_device_objection(cl_device_id device)
{
    char version[128];
    int major = 0, minor = 0;
    device_text(device, CL_DEVICE_VERSION, version, sizeof(version));
    if (sscanf(version, "OpenCL %d.%d", &major, &minor) != 2 || major < 1 || (major == 1 && minor < 2))
        return "older than OpenCL 1.2";
    if (!device_uint(device, CL_DEVICE_AVAILABLE))
        return "not available";
    if (!device_uint(device, CL_DEVICE_COMPILER_AVAILABLE))
        return "without a compiler";
    if (!device_uint(device, CL_DEVICE_ENDIAN_LITTLE))
        return "big-endian";
    if (device_type(device) & CL_DEVICE_TYPE_CUSTOM)
        return "a custom device";
    return NULL;
}

/* 0 when there is no ICD at all, which is a normal answer. */
static cl_uint list_platforms(cl_platform_id *out)
{
    cl_uint count = 0;
    if (clGetPlatformIDs(MAX_PLATFORMS, out, &count) != CL_SUCCESS)
        return 0;
    return count < MAX_PLATFORMS ? count : MAX_PLATFORMS;
}

static cl_uint list_devices(cl_platform_id platform, cl_device_id *out)
{
    cl_uint count = 0;
    if (clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, MAX_DEVICES, out, &count) != CL_SUCCESS)
        return 0;
    return count < MAX_DEVICES ? count : MAX_DEVICES;
}

linnet_status linnet_cl_kernels_option(linnet_cl_kernel_set *out)
{
    const char *asked = linnet_cl_host->option("LINNET_OPENCL_KERNELS");
    *out = LINNET_CL_KERNELS_BY_DEVICE;
    if (!asked)
        return LINNET_OK;
    *out = strcmp(asked, "cpu") == 0 ? LINNET_CL_KERNELS_CPU : LINNET_CL_KERNELS_GPU;
    if (*out == LINNET_CL_KERNELS_GPU && strcmp(asked, "gpu") != 0)
        return linnet_cl_fail(LINNET_INVALID, "LINNET_OPENCL_KERNELS=%s: it is cpu or gpu", asked);
    return LINNET_OK;
}

linnet_status linnet_cl_options_check(void)
{
    linnet_cl_kernel_set set;
    uint64_t bytes, forced;
    bool none;
    linnet_cl_parameters parameters;
    linnet_status status = linnet_cl_kernels_option(&set);
    if (!status)
        status = linnet_cl_variants_option(&forced);
    if (!status)
        status = linnet_cl_quirks_option(&none);
    if (!status)
        status = linnet_cl_parameters_find(&(linnet_cl_subject){"", "", "", ""}, &parameters);
    return status ? status : linnet_cl_cache_option(&bytes);
}

linnet_status linnet_cl_probe(uint32_t *out_count)
{
    *out_count = 0;
    linnet_status status = linnet_cl_fork_check();
    if (!status)
        status = linnet_cl_options_check();
    if (status)
        return status;
    linnet_cl_fork_guard();
    cl_platform_id platforms[MAX_PLATFORMS];
    cl_device_id devices[MAX_DEVICES];
    pthread_mutex_lock(&lock);
    found_count = 0;
    cl_uint platform_count = list_platforms(platforms);
    for (cl_uint p = 0; p < platform_count; p++) {
        cl_uint count = list_devices(platforms[p], devices);
        for (cl_uint d = 0; d < count && found_count < MAX_DEVICES; d++)
            if (!linnet_cl_device_objection(devices[d]))
                found[found_count++] = (linnet_cl_location){platforms[p], devices[d]};
    }
    *out_count = found_count;
    pthread_mutex_unlock(&lock);
    return LINNET_OK;
}

linnet_status linnet_cl_locate(uint32_t index, linnet_cl_location *out)
{
    pthread_mutex_lock(&lock);
    uint32_t count = found_count;
    if (index < count)
        *out = found[index];
    pthread_mutex_unlock(&lock);
    if (index < count)
        return LINNET_OK;
    return linnet_cl_fail(LINNET_NO_DEVICE, "there is no OpenCL device number %u: the last probe found %u", index,
                          count);
}

/* A GPU with memory of its own before one that shares the processor's; then by compute units. */
static int32_t device_score(cl_device_id device, cl_device_type type)
{
    cl_uint units = device_uint(device, CL_DEVICE_MAX_COMPUTE_UNITS);
    int32_t unit_score = (int32_t)(units < 500 ? units : 500);
    if (type & CL_DEVICE_TYPE_GPU)
        return (device_uint(device, CL_DEVICE_HOST_UNIFIED_MEMORY) ? 1000 : 2000) + unit_score;
    return type & CL_DEVICE_TYPE_ACCELERATOR ? 40 : 50;
}

static uint32_t public_type(cl_device_type type)
{
    if (type & CL_DEVICE_TYPE_GPU)
        return LINNET_DEVICE_GPU;
    return type & CL_DEVICE_TYPE_CPU ? LINNET_DEVICE_CPU : LINNET_DEVICE_ACCELERATOR;
}

/* Views are never made sub-buffers, and kernels need the alignment of a float. Processors: a line of a cache, which is
   16 channels of one element, so that parts of a concatenation may begin with any block. Else the device's own base
   alignment, which its memory likes. */
static uint32_t offset_alignment(cl_device_id device, cl_device_type type)
{
    uint32_t wanted = device_uint(device, CL_DEVICE_MEM_BASE_ADDR_ALIGN) / 8, alignment = 64;
    while (!(type & CL_DEVICE_TYPE_CPU) && alignment < wanted && alignment < 4096)
        alignment *= 2;
    return alignment;
}

linnet_status linnet_cl_device_info(uint32_t index, linnet_device_info *out)
{
    linnet_cl_location at = {0};
    linnet_status status = linnet_cl_fork_check();
    if (!status)
        status = linnet_cl_locate(index, &at);
    return status ? status : linnet_cl_describe_device(at, out);
}

/* FNV-1a. */
static uint32_t text_hash(const char *text)
{
    uint32_t hash = 0x811c9dc5;
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 0x01000193;
    return hash;
}

/* What was measured and checked with other kernels, or with some forced, is apart. */
static linnet_status cache_key(linnet_device_info *info, const char *driver)
{
    static const char *const sets[] = {"", "/cpu", "/gpu"};
    char variants[40] = "";
    linnet_cl_kernel_set set = LINNET_CL_KERNELS_BY_DEVICE;
    uint64_t forced = 0;
    linnet_status status = linnet_cl_kernels_option(&set);
    if (!status)
        status = linnet_cl_variants_option(&forced);
    if (forced)
        snprintf(variants, sizeof(variants), "/%llx", (unsigned long long)forced);
    /* Other parameters, other kernels. */
    size_t at = strlen(variants);
    if (linnet_cl_host->option("LINNET_OPENCL_PARAMETERS"))
        snprintf(variants + at, sizeof(variants) - at, "/p%08x",
                 text_hash(linnet_cl_host->option("LINNET_OPENCL_PARAMETERS")));
    snprintf(info->cache_key, sizeof(info->cache_key), "opencl/%.36s/%.*s/%.63s%s%s", info->platform,
             *variants ? 46 : 76, info->name, driver, sets[set], variants);
    return status;
}

linnet_status linnet_cl_describe_device(linnet_cl_location at, linnet_device_info *out)
{
    linnet_device_info info = {0};
    cl_device_type type = device_type(at.device);
    info.type = public_type(type);
    info.score = device_score(at.device, type);
    info.capabilities = LINNET_CAPABILITY_TIMESTAMPS | LINNET_CAPABILITY_COMPILED_HERE;
    info.memory_bytes = device_ulong(at.device, CL_DEVICE_GLOBAL_MEM_SIZE);
    info.max_buffer_bytes = device_ulong(at.device, CL_DEVICE_MAX_MEM_ALLOC_SIZE);
    info.alignment_bytes = offset_alignment(at.device, type);
    info.compute_units = device_uint(at.device, CL_DEVICE_MAX_COMPUTE_UNITS);
    if (info.compute_units == 0) /* or work is shared out among none */
        info.compute_units = 1;
    char driver[LINNET_CL_DRIVER_BYTES], platform_version[128];
    device_text(at.device, CL_DEVICE_NAME, info.name, sizeof(info.name));
    device_text(at.device, CL_DEVICE_VENDOR, info.vendor, sizeof(info.vendor));
    linnet_cl_driver_version(at.device, driver);
    platform_text(at.platform, CL_PLATFORM_NAME, info.platform, sizeof(info.platform));
    platform_text(at.platform, CL_PLATFORM_VERSION, platform_version, sizeof(platform_version));
    /* The platform's version too: that is where PoCL says its short name. */
    snprintf(info.version, sizeof(info.version), "%.63s, %.60s", driver, platform_version);
    if (linnet_cl_quirks(info.platform, info.name, driver) & LINNET_CL_QUIRK_LESS_LIKED)
        info.score -= 500; /* a GPU still goes before every processor */
    linnet_status status = cache_key(&info, driver);
    if (status)
        return status;
    uint32_t size = out->struct_size < sizeof(info) ? out->struct_size : (uint32_t)sizeof(info);
    info.struct_size = out->struct_size;
    memcpy(out, &info, size);
    return LINNET_OK;
}

static size_t append(char *out, size_t size, size_t at, const char *name, const char *value)
{
    if (at >= size)
        return at;
    int wrote = snprintf(out + at, size - at, "%s: %s\n", name, value);
    size_t length = wrote < 0 ? 0 : (size_t)wrote;
    return at + length < size ? at + length : size - 1;
}

static size_t describe_platform(cl_platform_id platform, char *out, size_t size, size_t at)
{
    char name[128], version[128], driver[LINNET_CL_DRIVER_BYTES], platform_name[128], line[400];
    cl_device_id devices[MAX_DEVICES];
    platform_text(platform, CL_PLATFORM_NAME, name, sizeof(name));
    platform_text(platform, CL_PLATFORM_VERSION, version, sizeof(version));
    memcpy(platform_name, name, sizeof(name));
    cl_uint count = list_devices(platform, devices);
    snprintf(line, sizeof(line), "%s, %s, %u device%s", name, version, count, count == 1 ? "" : "s");
    at = append(out, size, at, "platform", line);
    for (cl_uint i = 0; i < count; i++) {
        const char *objection = linnet_cl_device_objection(devices[i]);
        device_text(devices[i], CL_DEVICE_NAME, name, sizeof(name));
        linnet_cl_driver_version(devices[i], driver);
        snprintf(line, sizeof(line), "%s, driver %s%s%s", name, driver, objection ? ", passed over: " : "",
                 objection ? objection : "");
        at = append(out, size, at, "device", line);
        at += linnet_cl_quirks_describe(platform_name, name, driver, out + at, size - at);
    }
    return at;
}

size_t linnet_cl_platforms_describe(char *out_text, size_t size)
{
    cl_platform_id platforms[MAX_PLATFORMS];
    const char *vendors = linnet_cl_host->option("OCL_ICD_VENDORS");
    size_t at = append(out_text, size, 0, "ICDs from", vendors ? vendors : "/etc/OpenCL/vendors");
    cl_uint count = list_platforms(platforms);
    if (count == 0)
        at = append(out_text, size, at, "platforms",
                    "none: no OpenCL driver (ICD) is installed, or all of them were refused");
    for (cl_uint i = 0; i < count; i++)
        at = describe_platform(platforms[i], out_text, size, at);
    return at;
}
