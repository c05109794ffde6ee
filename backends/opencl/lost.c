/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver says CL_OUT_OF_RESOURCES for a launch that asks for too much, and also for everything once a kernel has
 * crashed or run too long and taken its context along (NVIDIA's). A write of four bytes tells the two apart.
 */
#include "opencl.h"

/* Memory and a queue of its own: both must have been possible before. */
static cl_int write_something(const linnet_backend_device *device, cl_command_queue queue)
{
    const cl_uint word = 0;
    cl_int error = CL_SUCCESS;
    cl_mem memory = clCreateBuffer(device->context, CL_MEM_READ_WRITE, sizeof(word), NULL, &error);
    if (!memory)
        return error;
    linnet_cl_count_made();
    error = clEnqueueWriteBuffer(queue, memory, CL_TRUE, 0, sizeof(word), &word, 0, NULL, NULL);
    linnet_cl_release_memory(memory);
    return error;
}

bool linnet_cl_is_lost(const linnet_backend_device *device)
{
    cl_int error = CL_SUCCESS;
    if (!device->context)
        return false;
    cl_command_queue queue = clCreateCommandQueue(device->context, device->id, 0, &error);
    if (!queue)
        return error == CL_OUT_OF_RESOURCES;
    linnet_cl_count_made();
    error = write_something(device, queue);
    linnet_cl_release_queue(queue);
    return error == CL_OUT_OF_RESOURCES || error == CL_INVALID_COMMAND_QUEUE;
}
