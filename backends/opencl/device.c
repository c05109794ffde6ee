/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and closing a device: its context, its limits, the programs built for it. Buffers. */
#include "variants.h"

#include <clblast_c.h>
#include <stdio.h>
#include <string.h>

static linnet_status read_limits(linnet_backend_device *device)
{
    size_t items[8] = {0}, group = 0;
    cl_ulong local = 0;
    cl_int error = clGetDeviceInfo(device->id, CL_DEVICE_MAX_WORK_GROUP_SIZE, sizeof(group), &group, NULL);
    if (error == CL_SUCCESS)
        error = clGetDeviceInfo(device->id, CL_DEVICE_MAX_WORK_ITEM_SIZES, sizeof(items), items, NULL);
    if (error == CL_SUCCESS)
        error = clGetDeviceInfo(device->id, CL_DEVICE_LOCAL_MEM_SIZE, sizeof(local), &local, NULL);
    if (error != CL_SUCCESS)
        return linnet_cl_check(device, "clGetDeviceInfo", error);
    device->max_group = group < items[0] ? group : items[0];
    if (device->max_group < 1)
        device->max_group = 1;
    device->local_memory = local;
    bool fits = local >= 24 << 10; /* what the larger ones take of it, and some */
    atomic_init(&device->tile_most, fits && device->max_group >= 256 ? 128 : fits && device->max_group >= 128 ? 64 : 0);
    return LINNET_OK;
}

/* Processors that call vectors their own get the kernels with explicit vectors; Mesa's llvmpipe, which runs
   neighbouring work-items in the lanes of a vector as a GPU does, calls 1 its width. Unless LINNET_OPENCL_KERNELS says
   otherwise. */
static linnet_status choose_kernels(linnet_backend_device *device)
{
    cl_uint width = 1;
    linnet_cl_kernel_set set = LINNET_CL_KERNELS_BY_DEVICE;
    linnet_status status = linnet_cl_kernels_option(&set);
    if (status)
        return status;
    cl_int error = clGetDeviceInfo(device->id, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, sizeof(width), &width, NULL);
    device->prefers_vectors = device->info.type == LINNET_DEVICE_CPU && width > 1;
    if (set != LINNET_CL_KERNELS_BY_DEVICE)
        device->prefers_vectors = set == LINNET_CL_KERNELS_CPU;
    /* Vectors of 16 come with 32 registers. */
    bool wide = width >= 16;
    wide = linnet_cl_forces(device, LINNET_CL_VARIANT_REGISTERS_WIDE) ||
           (wide && !linnet_cl_forces(device, LINNET_CL_VARIANT_REGISTERS_NARROW));
    device->tile_rows = wide ? 14 : 6;
    device->tile_columns = wide ? 2 : 1;
    return linnet_cl_check(device, "clGetDeviceInfo", error);
}

static linnet_status choose_transfers(linnet_backend_device *device)
{
    cl_bool shared = CL_FALSE;
    cl_int error = clGetDeviceInfo(device->id, CL_DEVICE_HOST_UNIFIED_MEMORY, sizeof(shared), &shared, NULL);
    device->transfers = device->info.type == LINNET_DEVICE_CPU ? LINNET_CL_TRANSFERS_PLAIN
                        : shared                               ? LINNET_CL_TRANSFERS_MAPPED
                                                               : LINNET_CL_TRANSFERS_APART;
    if (linnet_cl_forces(device, LINNET_CL_VARIANT_TRANSFERS_PLAIN))
        device->transfers = LINNET_CL_TRANSFERS_PLAIN;
    if (linnet_cl_forces(device, LINNET_CL_VARIANT_TRANSFERS_MAPPED))
        device->transfers = LINNET_CL_TRANSFERS_MAPPED;
    if (linnet_cl_forces(device, LINNET_CL_VARIANT_TRANSFERS_APART))
        device->transfers = LINNET_CL_TRANSFERS_APART;
    return linnet_cl_check(device, "clGetDeviceInfo", error);
}

/* As parameters.def calls it; "": it has no name. AMD's devices are called so, perhaps with features behind a colon. */
static void architecture_of(const linnet_backend_device *device, char *out, size_t size)
{
    enum { NVIDIA_MAJOR = 0x4000, NVIDIA_MINOR = 0x4001 }; /* cl_nv_device_attribute_query */
    cl_uint width = 0, major = 0, minor = 0;
    const char *name = device->info.name;
    *out = '\0';
    if (strncmp(name, "gfx", 3) == 0)
        snprintf(out, size, "%.*s", (int)strcspn(name, ":"), name);
    else if (clGetDeviceInfo(device->id, NVIDIA_MAJOR, sizeof(major), &major, NULL) == CL_SUCCESS &&
             clGetDeviceInfo(device->id, NVIDIA_MINOR, sizeof(minor), &minor, NULL) == CL_SUCCESS)
        snprintf(out, size, "sm_%u%u", major, minor);
    else if (device->prefers_vectors && clGetDeviceInfo(device->id, CL_DEVICE_NATIVE_VECTOR_WIDTH_FLOAT, sizeof(width),
                                                        &width, NULL) == CL_SUCCESS)
        snprintf(out, size, "%u lanes", width);
}

static linnet_status find_parameters(linnet_backend_device *device)
{
    char architecture[64];
    architecture_of(device, architecture, sizeof(architecture));
    const linnet_cl_subject subject = {device->info.name, architecture, device->info.vendor,
                                       device->prefers_vectors ? "cpu" : "gpu"};
    return linnet_cl_parameters_find(&subject, &device->parameters);
}

static linnet_status make_context(linnet_backend_device *device, cl_platform_id platform)
{
    cl_context_properties properties[] = {CL_CONTEXT_PLATFORM, (cl_context_properties)platform, 0};
    cl_int error = CL_SUCCESS;
    device->context = clCreateContext(properties, 1, &device->id, NULL, NULL, &error);
    if (!device->context || error != CL_SUCCESS) {
        device->context = NULL;
        return linnet_cl_check(device, "clCreateContext", error ? error : CL_OUT_OF_HOST_MEMORY);
    }
    linnet_cl_count_made();
    return LINNET_OK;
}

linnet_status linnet_cl_device_new(linnet_cl_location at, linnet_backend_device **out)
{
    *out = NULL;
    linnet_backend_device *device = linnet_cl_host->allocate(sizeof(*device));
    if (!device)
        return linnet_cl_fail(LINNET_OUT_OF_MEMORY, "out of memory opening an OpenCL device");
    memset(device, 0, sizeof(*device));
    pthread_mutex_init(&device->lock, NULL);
    device->id = at.device;
    device->info.struct_size = sizeof(device->info);
    linnet_status status = linnet_cl_describe_device(at, &device->info);
    if (!status)
        status = linnet_cl_variants_option(&device->forced);
    char driver[LINNET_CL_DRIVER_BYTES];
    linnet_cl_driver_version(at.device, driver);
    device->quirks = linnet_cl_quirks(device->info.platform, device->info.name, driver);
    if (!status)
        status = choose_kernels(device);
    if (!status)
        status = linnet_cl_find_extensions(device);
    if (!status)
        status = choose_transfers(device);
    if (!status)
        status = find_parameters(device);
    if (!status)
        status = read_limits(device);
    if (status)
        linnet_cl_close(device);
    else
        *out = device;
    return status;
}

linnet_status linnet_cl_open(uint32_t index, linnet_backend_device **out)
{
    *out = NULL;
    linnet_cl_location at = {0};
    linnet_status status = linnet_cl_fork_check();
    if (!status)
        status = linnet_cl_locate(index, &at);
    if (!status)
        status = linnet_cl_device_new(at, out);
    if (!status)
        status = make_context(*out, at.platform);
    if (status) {
        linnet_cl_close(*out);
        *out = NULL;
    }
    return status;
}

void linnet_cl_close(linnet_backend_device *device)
{
    if (!device)
        return;
    for (int i = 0; i < LINNET_CL_PROGRAM_COUNT; i++) {
        linnet_cl_release_program(device->programs[0][i]);
        linnet_cl_release_program(device->programs[1][i]);
    }
    /* CLBlast keeps programs per context, and with them the context. */
    if (atomic_load(&device->used_clblast) && CLBlastClearCache() != CLBlastSuccess)
        linnet_cl_log(1, "opencl: CLBlast did not clear its cache");
    linnet_cl_release_queue(device->given_queue);
    linnet_cl_release_context(device->context);
    pthread_mutex_destroy(&device->lock);
    linnet_cl_host->release(device);
}

linnet_status linnet_cl_check_bytes(const linnet_backend_device *device, const char *what, uint64_t bytes)
{
    uint64_t most = device->info.max_buffer_bytes;
    if (bytes > 0 && bytes <= most)
        return LINNET_OK;
    return linnet_cl_fail(bytes ? LINNET_OUT_OF_MEMORY : LINNET_INVALID, "%s of %llu bytes: '%s' allows 1 to %llu",
                          what, (unsigned long long)bytes, device->info.name, (unsigned long long)most);
}

linnet_status linnet_cl_buffer_new(linnet_backend_device *device, uint64_t bytes, linnet_backend_buffer **out)
{
    *out = NULL;
    linnet_status status = linnet_cl_fork_check();
    if (status)
        return status;
    status = linnet_cl_check_bytes(device, "a buffer", bytes);
    if (status)
        return status;
    linnet_backend_buffer *buffer = linnet_cl_host->allocate(sizeof(*buffer));
    if (!buffer)
        return linnet_cl_fail(LINNET_OUT_OF_MEMORY, "out of memory making an OpenCL buffer");
    cl_int error = CL_SUCCESS;
    *buffer = (linnet_backend_buffer){.device = device, .bytes = bytes};
    buffer->memory = clCreateBuffer(device->context, CL_MEM_READ_WRITE, (size_t)bytes, NULL, &error);
    if (!buffer->memory || error != CL_SUCCESS) {
        linnet_cl_host->release(buffer);
        return linnet_cl_check(device, "clCreateBuffer", error ? error : CL_OUT_OF_HOST_MEMORY);
    }
    linnet_cl_count_made();
    *out = buffer;
    return LINNET_OK;
}

void linnet_cl_buffer_free(linnet_backend_buffer *buffer)
{
    if (!buffer)
        return;
    linnet_cl_release_memory(buffer->memory);
    linnet_cl_host->release(buffer);
}
