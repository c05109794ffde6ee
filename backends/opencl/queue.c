/* SPDX-License-Identifier: Apache-2.0 */
/* In-order queues and their events. */
#include "opencl.h"

static linnet_status make_own(linnet_backend_device *device, bool timestamps, cl_command_queue *out)
{
    cl_int error = CL_SUCCESS;
    *out = clCreateCommandQueue(device->context, device->id, timestamps ? CL_QUEUE_PROFILING_ENABLE : 0, &error);
    if (*out && error == CL_SUCCESS)
        return LINNET_OK;
    return linnet_cl_check(device, "clCreateCommandQueue", error ? error : CL_OUT_OF_HOST_MEMORY);
}

/* The queue that came with an adopted device, held once more. */
static linnet_status take_given(linnet_backend_device *device, bool timestamps, cl_command_queue *out)
{
    cl_command_queue_properties properties = 0;
    cl_int error =
        clGetCommandQueueInfo(device->given_queue, CL_QUEUE_PROPERTIES, sizeof(properties), &properties, NULL);
    if (error != CL_SUCCESS)
        return linnet_cl_check(device, "clGetCommandQueueInfo", error);
    if (timestamps && !(properties & CL_QUEUE_PROFILING_ENABLE))
        return linnet_cl_fail(
            LINNET_UNSUPPORTED,
            "the given cl_command_queue was made without CL_QUEUE_PROFILING_ENABLE: it tells no times");
    error = clRetainCommandQueue(device->given_queue);
    *out = error == CL_SUCCESS ? device->given_queue : NULL;
    return linnet_cl_check(device, "clRetainCommandQueue", error);
}

linnet_status linnet_cl_queue_new(linnet_backend_device *device, uint32_t flags, linnet_backend_queue **out)
{
    *out = NULL;
    linnet_status status = linnet_cl_fork_check();
    if (status)
        return status;
    linnet_backend_queue *queue = linnet_cl_host->allocate(sizeof(*queue));
    if (!queue)
        return linnet_cl_fail(LINNET_OUT_OF_MEMORY, "out of memory making an OpenCL queue");
    *queue = (linnet_backend_queue){.device = device, .timestamps = (flags & LINNET_QUEUE_TIMESTAMPS) != 0};
    bool apart = !device->given_queue || (flags & LINNET_QUEUE_APART);
    status = (apart ? make_own : take_given)(device, queue->timestamps, &queue->queue);
    if (status) {
        linnet_cl_host->release(queue);
        return status;
    }
    linnet_cl_count_made();
    *out = queue;
    return LINNET_OK;
}

void linnet_cl_queue_free(linnet_backend_queue *queue)
{
    if (!queue)
        return;
    bool is_done = linnet_cl_fork_check() == LINNET_OK;
    if (is_done) {
        linnet_cl_mapped_unmap(queue);
        is_done = clFinish(queue->queue) == CL_SUCCESS;
        if (!is_done) {
            linnet_cl_log(1, "opencl: a queue of '%s' was freed with failed work in it", queue->device->info.name);
            linnet_cl_staging_settle(queue);
        }
    }
    linnet_cl_landing_free(queue);
    linnet_cl_mapped_free(queue, is_done);
    linnet_cl_pieces_free(queue, is_done);
    linnet_cl_staging_reap(queue, true);
    linnet_cl_commands_free(queue);
    linnet_cl_optimizers_free(queue);
    linnet_cl_converters_free(queue);
    linnet_cl_release_queue(queue->queue);
    linnet_cl_host->release(queue);
}

/* clFinish alone does not say whether a command failed: a marker behind all of them does. */
linnet_status linnet_cl_finish(linnet_backend_queue *queue)
{
    linnet_status status = linnet_cl_fork_check();
    if (status)
        return status;
    cl_event marker = NULL;
    cl_int error = clEnqueueMarkerWithWaitList(queue->queue, 0, NULL, &marker), state = CL_COMPLETE;
    if (error != CL_SUCCESS)
        return linnet_cl_check(queue->device, "clEnqueueMarkerWithWaitList", error);
    linnet_cl_count_made();
    error = clFinish(queue->queue);
    if (error == CL_SUCCESS)
        error = clGetEventInfo(marker, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof(state), &state, NULL);
    linnet_cl_release_event(marker);
    if (error != CL_SUCCESS)
        linnet_cl_staging_settle(queue);
    linnet_cl_staging_reap(queue, true);
    queue->is_busy = error != CL_SUCCESS;
    queue->launches = 0;
    if (error == CL_SUCCESS && state < 0)
        error = state;
    return linnet_cl_check(queue->device, "clFinish", error);
}

linnet_status linnet_cl_flush(linnet_backend_queue *queue)
{
    linnet_status status = linnet_cl_fork_check();
    return status ? status : linnet_cl_check(queue->device, "clFlush", clFlush(queue->queue));
}

linnet_status linnet_cl_event_wrap(linnet_backend_device *device, cl_event event, linnet_backend_event **out)
{
    *out = linnet_cl_host->allocate(sizeof(**out));
    if (!*out) {
        linnet_cl_release_event(event);
        return linnet_cl_fail(LINNET_OUT_OF_MEMORY, "out of memory making an OpenCL event");
    }
    **out = (linnet_backend_event){.device = device, .event = event};
    return LINNET_OK;
}

linnet_status linnet_cl_mark(linnet_backend_queue *queue, linnet_backend_event **out)
{
    *out = NULL;
    linnet_status status = linnet_cl_fork_check();
    if (status)
        return status;
    cl_event event = NULL;
    cl_int error = clEnqueueMarkerWithWaitList(queue->queue, 0, NULL, &event);
    if (error != CL_SUCCESS)
        return linnet_cl_check(queue->device, "clEnqueueMarkerWithWaitList", error);
    linnet_cl_count_made();
    return linnet_cl_event_wrap(queue->device, event, out);
}

linnet_status linnet_cl_event_wait(linnet_backend_event *event)
{
    linnet_status status = linnet_cl_fork_check();
    if (!status && event->is_lost)
        return linnet_cl_fail(LINNET_DEVICE_ERROR, "a transfer of '%s' never came to its end",
                              event->device->info.name);
    if (!status)
        status = linnet_cl_check(event->device, "clWaitForEvents", clWaitForEvents(1, &event->event));
    if (!status)
        linnet_cl_mapped_deliver(event);
    return status;
}

linnet_status linnet_cl_event_time(linnet_backend_event *event, uint64_t *out_nanoseconds)
{
    cl_ulong time = 0;
    cl_int error = clGetEventProfilingInfo(event->event, CL_PROFILING_COMMAND_END, sizeof(time), &time, NULL);
    *out_nanoseconds = time;
    return linnet_cl_check(event->device, "clGetEventProfilingInfo", error);
}

void linnet_cl_event_free(linnet_backend_event *event)
{
    if (!event)
        return;
    linnet_cl_mapped_forget(event);
    linnet_cl_release_event(event->event);
    linnet_cl_host->release(event);
}
