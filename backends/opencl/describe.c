/* SPDX-License-Identifier: Apache-2.0 */
/* What an open device says of itself, and what was decided for it. */
#include "opencl.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef struct text {
    char *out;
    size_t size, at;
} text;

static void line(text *t, const char *format, ...) LINNET_PRINTF(2, 3);

static void line(text *t, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int wrote = t->at < t->size ? vsnprintf(t->out + t->at, t->size - t->at, format, arguments) : 0;
    va_end(arguments);
    t->at += wrote < 0 ? 0 : (size_t)wrote;
    t->at = t->at < t->size ? t->at : t->size - 1;
}

/* A text of the device; "" where it gives none. */
static void text_line(text *t, const linnet_backend_device *device, const char *name, cl_device_info what)
{
    char value[4096] = "";
    if (clGetDeviceInfo(device->id, what, sizeof(value) - 1, value, NULL) == CL_SUCCESS && *value)
        line(t, "%s: %s\n", name, value);
}

/* Numbers of 4 or 8 bytes. */
static void number_line(text *t, const linnet_backend_device *device, const char *name, cl_device_info what)
{
    unsigned char bytes[8] = {0};
    size_t size = 0;
    uint64_t wide;
    uint32_t narrow;
    if (clGetDeviceInfo(device->id, what, sizeof(bytes), bytes, &size) != CL_SUCCESS)
        return;
    memcpy(&wide, bytes, sizeof(wide));
    memcpy(&narrow, bytes, sizeof(narrow));
    line(t, "%s: %llu\n", name, (unsigned long long)(size == 8 ? wide : narrow));
}

static void limits(text *t, const linnet_backend_device *device)
{
    size_t items[8] = {0};
    text_line(t, device, "OpenCL", CL_DEVICE_VERSION);
    text_line(t, device, "OpenCL C", CL_DEVICE_OPENCL_C_VERSION);
    text_line(t, device, "profile", CL_DEVICE_PROFILE);
    number_line(t, device, "clock, MHz", CL_DEVICE_MAX_CLOCK_FREQUENCY);
    number_line(t, device, "work-items of a group", CL_DEVICE_MAX_WORK_GROUP_SIZE);
    if (clGetDeviceInfo(device->id, CL_DEVICE_MAX_WORK_ITEM_SIZES, sizeof(items), items, NULL) == CL_SUCCESS)
        line(t, "work-items of a group by dimension: %zu %zu %zu\n", items[0], items[1], items[2]);
    number_line(t, device, "local memory, bytes", CL_DEVICE_LOCAL_MEM_SIZE);
    number_line(t, device, "constant memory, bytes", CL_DEVICE_MAX_CONSTANT_BUFFER_SIZE);
    number_line(t, device, "cache, bytes", CL_DEVICE_GLOBAL_MEM_CACHE_SIZE);
    number_line(t, device, "cache line, bytes", CL_DEVICE_GLOBAL_MEM_CACHELINE_SIZE);
    number_line(t, device, "vector width, preferred", CL_DEVICE_PREFERRED_VECTOR_WIDTH_FLOAT);
    number_line(t, device, "vector width, native", CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT);
    number_line(t, device, "memory shared with the host", CL_DEVICE_HOST_UNIFIED_MEMORY);
    number_line(t, device, "clock's tick, ns", CL_DEVICE_PROFILING_TIMER_RESOLUTION);
    number_line(t, device, "fp32 abilities", CL_DEVICE_SINGLE_FP_CONFIG);
    text_line(t, device, "extensions", CL_DEVICE_EXTENSIONS);
}

void linnet_cl_describe(linnet_backend_device *device, char *out_text, size_t size)
{
    text t = {out_text, size, 0};
    char driver[LINNET_CL_DRIVER_BYTES];
    if (size == 0)
        return;
    out_text[0] = '\0';
    if (linnet_cl_fork_check() != LINNET_OK)
        return;
    limits(&t, device);
    line(&t, "kernels for: %s\n", device->prefers_vectors ? "processors" : "GPUs");
    line(&t, "transfers: %s\n", (const char *[]){"plain", "mapped", "apart"}[device->transfers]);
    line(&t, "reductions: %s\n",
         device->prefers_vectors ? "a work-item each"
                                 : linnet_cl_subgroups_name((linnet_cl_subgroups)atomic_load(&device->subgroups)));
    line(&t, "registers of a work-item: %s\n",
         atomic_load(&device->limits_registers) ? "128 in tiles" : "the compiler's");
    int sub_group = atomic_load(&device->smallest_sub_group);
    if (sub_group)
        line(&t, "sub-groups of kernels with many registers: %d\n", sub_group);
    line(&t, "registers' tile: %d x %d\n", device->tile_rows, device->tile_columns);
    linnet_cl_parameters_describe(&device->parameters, t.out + t.at, t.size - t.at);
    t.at += strlen(t.out + t.at);
    linnet_cl_driver_version(device->id, driver);
    linnet_cl_quirks_describe(device->info.platform, device->info.name, driver, out_text + t.at, size - t.at);
}
