/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts the driver objects that the plugin holds. A wrapper adds one where a clCreate* or clEnqueue* gave an object,
 * and every release below takes one away.
 */
#include "opencl.h"

static atomic_uint_fast64_t live;

void linnet_cl_count_made(void)
{
    atomic_fetch_add_explicit(&live, 1, memory_order_relaxed);
}

static void count_released(void)
{
    atomic_fetch_sub_explicit(&live, 1, memory_order_relaxed);
}

uint64_t linnet_cl_live_objects(void)
{
    return atomic_load(&live);
}

/* What a release call returns says nothing that the caller could act on: the object is gone either way. In a fork's
   child a thread that is not there may hold the driver's lock for ever: its copy goes with the process. */
#define RELEASE(name, type, call)                                                                                      \
    void linnet_cl_release_##name(type object)                                                                         \
    {                                                                                                                  \
        if (!object)                                                                                                   \
            return;                                                                                                    \
        count_released();                                                                                              \
        if (linnet_cl_is_forked())                                                                                     \
            return;                                                                                                    \
        cl_int error = call(object);                                                                                   \
        if (error != CL_SUCCESS)                                                                                       \
            linnet_cl_log(1, "opencl: " #call " failed: %s", linnet_cl_error_name(error));                             \
    }

RELEASE(context, cl_context, clReleaseContext)
RELEASE(queue, cl_command_queue, clReleaseCommandQueue)
RELEASE(program, cl_program, clReleaseProgram)
RELEASE(kernel, cl_kernel, clReleaseKernel)
RELEASE(memory, cl_mem, clReleaseMemObject)
RELEASE(event, cl_event, clReleaseEvent)
