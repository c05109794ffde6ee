/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Page-locked memory of the host: a buffer that the driver makes for the host (CL_MEM_ALLOC_HOST_PTR) and that stays
 * mapped. Writes from where it is mapped and reads to there need no copy on the host, the driver knows the address.
 * Only for devices with memory of their own.
 */
#include "opencl.h"

struct linnet_cl_pinned {
    linnet_cl_pinned *next;
    cl_mem memory;
    void *host;
};

/* For mapping, which is over when it returns: users' queues stay what they are. */
static linnet_status make_queue(const linnet_backend_device *device, cl_command_queue *out)
{
    cl_int error = CL_SUCCESS;
    *out = clCreateCommandQueue(device->context, device->id, 0, &error);
    if (*out)
        linnet_cl_count_made();
    return linnet_cl_check(device, "clCreateCommandQueue", *out || error ? error : CL_OUT_OF_HOST_MEMORY);
}

static linnet_status map(const linnet_backend_device *device, linnet_cl_pinned *pinned, uint64_t bytes)
{
    cl_command_queue queue = NULL;
    cl_int error = CL_SUCCESS;
    linnet_status status = make_queue(device, &queue);
    if (status)
        return status;
    pinned->host = clEnqueueMapBuffer(queue, pinned->memory, CL_TRUE, CL_MAP_READ | CL_MAP_WRITE, 0, (size_t)bytes, 0,
                                      NULL, NULL, &error);
    linnet_cl_release_queue(queue);
    return linnet_cl_check(device, "clEnqueueMapBuffer", pinned->host || error ? error : CL_MAP_FAILURE);
}

static linnet_status make(const linnet_backend_device *device, linnet_cl_pinned *pinned, uint64_t bytes)
{
    cl_int error = CL_SUCCESS;
    pinned->memory =
        clCreateBuffer(device->context, CL_MEM_READ_WRITE | CL_MEM_ALLOC_HOST_PTR, (size_t)bytes, NULL, &error);
    if (!pinned->memory)
        return linnet_cl_check(device, "clCreateBuffer", error ? error : CL_OUT_OF_HOST_MEMORY);
    linnet_cl_count_made();
    linnet_status status = map(device, pinned, bytes);
    if (status)
        linnet_cl_release_memory(pinned->memory);
    return status;
}

linnet_status linnet_cl_pinned_new(linnet_backend_device *device, uint64_t bytes, void **out)
{
    *out = NULL;
    linnet_status status = linnet_cl_fork_check();
    if (status)
        return status;
    if (device->transfers != LINNET_CL_TRANSFERS_APART)
        return linnet_cl_fail(LINNET_UNSUPPORTED, "the memory of '%s' is the host's", device->info.name);
    status = linnet_cl_check_bytes(device, "pinned memory", bytes);
    if (status)
        return status;
    linnet_cl_pinned *pinned = linnet_cl_host->allocate(sizeof(*pinned));
    if (!pinned)
        return linnet_cl_fail(LINNET_OUT_OF_MEMORY, "out of memory making pinned memory");
    status = make(device, pinned, bytes);
    if (status) {
        linnet_cl_host->release(pinned);
        return status;
    }
    pthread_mutex_lock(&device->lock);
    pinned->next = device->pinned;
    device->pinned = pinned;
    pthread_mutex_unlock(&device->lock);
    *out = pinned->host;
    return LINNET_OK;
}

static linnet_cl_pinned *take(linnet_backend_device *device, const void *memory)
{
    pthread_mutex_lock(&device->lock);
    linnet_cl_pinned **link = &device->pinned;
    while ((*link)->host != memory)
        link = &(*link)->next;
    linnet_cl_pinned *found = *link;
    *link = found->next;
    pthread_mutex_unlock(&device->lock);
    return found;
}

/* Memory may be released while it is mapped, but there are drivers that then keep it. */
static void unmap(const linnet_backend_device *device, const linnet_cl_pinned *pinned)
{
    cl_command_queue queue = NULL;
    if (make_queue(device, &queue) != LINNET_OK)
        return;
    if (clEnqueueUnmapMemObject(queue, pinned->memory, pinned->host, 0, NULL, NULL) != CL_SUCCESS ||
        clFinish(queue) != CL_SUCCESS)
        linnet_cl_log(3, "opencl: '%s' does not unmap what is freed", device->info.name);
    linnet_cl_release_queue(queue);
}

void linnet_cl_pinned_free(linnet_backend_device *device, void *memory)
{
    /* In a fork's child a thread that is not there may have the lock. */
    if (!memory || linnet_cl_fork_check() != LINNET_OK)
        return;
    linnet_cl_pinned *pinned = take(device, memory);
    unmap(device, pinned);
    linnet_cl_release_memory(pinned->memory);
    linnet_cl_host->release(pinned);
}
