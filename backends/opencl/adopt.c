/* SPDX-License-Identifier: Apache-2.0 */
/* Devices, queues and memory that others have: retained while they are used here, never changed. */
#include "opencl.h"

enum { MOST_DEVICES = 256 }; /* of a context */

/* The device that this one is a part of; NULL: it is whole. */
static cl_device_id parent_of(cl_device_id device)
{
    cl_device_id parent = NULL;
    cl_int error = clGetDeviceInfo(device, CL_DEVICE_PARENT_DEVICE, sizeof(parent), &parent, NULL);
    return error == CL_SUCCESS ? parent : NULL;
}

/* In the context by itself, or as a part: PoCL's contexts of parts list the whole. */
static linnet_status check_device(cl_device_id device, cl_context context)
{
    cl_device_id listed[MOST_DEVICES];
    size_t bytes = 0;
    cl_int error = clGetContextInfo(context, CL_CONTEXT_DEVICES, sizeof(listed), listed, &bytes);
    if (error != CL_SUCCESS)
        return linnet_cl_check(NULL, "clGetContextInfo", error);
    for (; device; device = parent_of(device))
        for (size_t i = 0; i < bytes / sizeof(listed[0]); i++)
            if (listed[i] == device)
                return LINNET_OK;
    return linnet_cl_fail(LINNET_INVALID, "the given cl_device_id is none of the given cl_context's");
}

/* In order, and of this context and device. */
static linnet_status check_queue(cl_device_id device, cl_context context, cl_command_queue queue)
{
    cl_command_queue_properties properties = 0;
    cl_context own_context = NULL;
    cl_device_id own_device = NULL;
    cl_int error = clGetCommandQueueInfo(queue, CL_QUEUE_PROPERTIES, sizeof(properties), &properties, NULL);
    if (error == CL_SUCCESS)
        error = clGetCommandQueueInfo(queue, CL_QUEUE_CONTEXT, sizeof(own_context), &own_context, NULL);
    if (error == CL_SUCCESS)
        error = clGetCommandQueueInfo(queue, CL_QUEUE_DEVICE, sizeof(own_device), &own_device, NULL);
    if (error != CL_SUCCESS)
        return linnet_cl_check(NULL, "clGetCommandQueueInfo", error);
    if (own_context != context || own_device != device)
        return linnet_cl_fail(LINNET_INVALID, "the given cl_command_queue is of another context or device");
    if (properties & CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE)
        return linnet_cl_fail(LINNET_UNSUPPORTED, "the given cl_command_queue works out of order");
    return LINNET_OK;
}

static linnet_status retain(linnet_backend_device *device, cl_context context, cl_command_queue queue)
{
    cl_int error = clRetainContext(context);
    if (error != CL_SUCCESS)
        return linnet_cl_check(device, "clRetainContext", error);
    linnet_cl_count_made();
    device->context = context;
    error = queue ? clRetainCommandQueue(queue) : CL_SUCCESS;
    if (error != CL_SUCCESS)
        return linnet_cl_check(device, "clRetainCommandQueue", error);
    if (queue)
        linnet_cl_count_made();
    device->given_queue = queue;
    return LINNET_OK;
}

static linnet_status check_objects(cl_device_id device, cl_context context, cl_command_queue queue)
{
    if (!device || !context)
        return linnet_cl_fail(LINNET_INVALID, "a cl_device_id and a cl_context have to be given");
    linnet_status status = check_device(device, context);
    if (!status && queue)
        status = check_queue(device, context, queue);
    const char *objection = status ? NULL : linnet_cl_device_objection(device);
    return objection ? linnet_cl_fail(LINNET_UNSUPPORTED, "the given cl_device_id is %s", objection) : status;
}

static linnet_status make_device(const linnet_native_objects *objects, linnet_device_info *out_info,
                                 linnet_backend_device **out)
{
    linnet_cl_location at = {.device = objects->device};
    cl_int error = clGetDeviceInfo(at.device, CL_DEVICE_PLATFORM, sizeof(at.platform), &at.platform, NULL);
    if (error != CL_SUCCESS)
        return linnet_cl_check(NULL, "clGetDeviceInfo", error);
    linnet_status status = linnet_cl_device_new(at, out);
    if (!status)
        status = retain(*out, objects->context, objects->queue);
    return status ? status : linnet_cl_describe_device(at, out_info);
}

linnet_status linnet_cl_adopt(const linnet_native_objects *objects, linnet_device_info *out_info,
                              linnet_backend_device **out)
{
    *out = NULL;
    linnet_status status = linnet_cl_fork_check();
    if (!status)
        status = linnet_cl_options_check();
    if (!status)
        status = check_objects(objects->device, objects->context, objects->queue);
    if (status)
        return status;
    linnet_cl_fork_guard();
    status = make_device(objects, out_info, out);
    if (status) {
        linnet_cl_close(*out);
        *out = NULL;
    }
    return status;
}

/* A buffer of the device's context, and its size. */
static linnet_status check_memory(const linnet_backend_device *device, cl_mem memory, size_t *out_bytes)
{
    cl_context context = NULL;
    cl_mem_object_type type = 0;
    if (!memory)
        return linnet_cl_fail(LINNET_INVALID, "no cl_mem was given");
    cl_int error = clGetMemObjectInfo(memory, CL_MEM_CONTEXT, sizeof(context), &context, NULL);
    if (error == CL_SUCCESS)
        error = clGetMemObjectInfo(memory, CL_MEM_TYPE, sizeof(type), &type, NULL);
    if (error == CL_SUCCESS)
        error = clGetMemObjectInfo(memory, CL_MEM_SIZE, sizeof(*out_bytes), out_bytes, NULL);
    if (error != CL_SUCCESS)
        return linnet_cl_check(device, "clGetMemObjectInfo", error);
    if (context != device->context)
        return linnet_cl_fail(LINNET_INVALID, "the given cl_mem is of another context than '%s'", device->info.name);
    if (type != CL_MEM_OBJECT_BUFFER)
        return linnet_cl_fail(LINNET_INVALID, "the given cl_mem is no buffer");
    return LINNET_OK;
}

linnet_status linnet_cl_buffer_wrap(linnet_backend_device *device, void *object, linnet_backend_buffer **out,
                                    uint64_t *out_bytes)
{
    size_t bytes = 0;
    *out = NULL;
    linnet_status status = linnet_cl_fork_check();
    if (!status)
        status = check_memory(device, object, &bytes);
    if (status)
        return status;
    linnet_backend_buffer *buffer = linnet_cl_host->allocate(sizeof(*buffer));
    if (!buffer)
        return linnet_cl_fail(LINNET_OUT_OF_MEMORY, "out of memory wrapping a cl_mem");
    cl_int error = clRetainMemObject(object);
    if (error != CL_SUCCESS) {
        linnet_cl_host->release(buffer);
        return linnet_cl_check(device, "clRetainMemObject", error);
    }
    linnet_cl_count_made();
    *buffer = (linnet_backend_buffer){.device = device, .memory = object, .bytes = bytes};
    *out = buffer;
    *out_bytes = bytes;
    return LINNET_OK;
}
