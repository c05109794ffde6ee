/* SPDX-License-Identifier: Apache-2.0 */
/* OpenCL's error codes as statuses and sentences; the guard against use after fork. */
#include "opencl.h"

#include <stdarg.h>
#include <stdio.h>

const linnet_host *linnet_cl_host;

static atomic_bool forked;

static void note_fork(void)
{
    atomic_store(&forked, true);
}

static void install_fork_guard(void)
{
    pthread_atfork(NULL, NULL, note_fork);
}

void linnet_cl_fork_guard(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, install_fork_guard);
}

bool linnet_cl_is_forked(void)
{
    return atomic_load_explicit(&forked, memory_order_relaxed);
}

linnet_status linnet_cl_fork_check(void)
{
    if (!atomic_load_explicit(&forked, memory_order_relaxed))
        return LINNET_OK;
    return linnet_cl_fail(LINNET_FORKED, "OpenCL was in use before fork(); the child cannot go on with it");
}

linnet_status linnet_cl_fail(linnet_status status, const char *format, ...)
{
    char text[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    linnet_cl_host->set_error(text);
    return status;
}

void linnet_cl_log(int level, const char *format, ...)
{
    char text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    linnet_cl_host->log(level, text);
}

/* X(name, code, status) */
#define ERROR_TABLE(X)                                                                                                 \
    X(CL_DEVICE_NOT_FOUND, -1, NO_DEVICE)                                                                              \
    X(CL_DEVICE_NOT_AVAILABLE, -2, DEVICE_LOST)                                                                        \
    X(CL_COMPILER_NOT_AVAILABLE, -3, UNSUPPORTED)                                                                      \
    X(CL_MEM_OBJECT_ALLOCATION_FAILURE, -4, OUT_OF_MEMORY)                                                             \
    X(CL_OUT_OF_RESOURCES, -5, OUT_OF_MEMORY)                                                                          \
    X(CL_OUT_OF_HOST_MEMORY, -6, OUT_OF_MEMORY)                                                                        \
    X(CL_PROFILING_INFO_NOT_AVAILABLE, -7, UNSUPPORTED)                                                                \
    X(CL_MEM_COPY_OVERLAP, -8, INVALID)                                                                                \
    X(CL_IMAGE_FORMAT_MISMATCH, -9, DEVICE_ERROR)                                                                      \
    X(CL_IMAGE_FORMAT_NOT_SUPPORTED, -10, DEVICE_ERROR)                                                                \
    X(CL_BUILD_PROGRAM_FAILURE, -11, BUILD_FAILED)                                                                     \
    X(CL_MAP_FAILURE, -12, DEVICE_ERROR)                                                                               \
    X(CL_MISALIGNED_SUB_BUFFER_OFFSET, -13, DEVICE_ERROR)                                                              \
    X(CL_EXEC_STATUS_ERROR_FOR_EVENTS_IN_WAIT_LIST, -14, DEVICE_ERROR)                                                 \
    X(CL_COMPILE_PROGRAM_FAILURE, -15, BUILD_FAILED)                                                                   \
    X(CL_LINKER_NOT_AVAILABLE, -16, BUILD_FAILED)                                                                      \
    X(CL_LINK_PROGRAM_FAILURE, -17, BUILD_FAILED)                                                                      \
    X(CL_DEVICE_PARTITION_FAILED, -18, DEVICE_ERROR)                                                                   \
    X(CL_KERNEL_ARG_INFO_NOT_AVAILABLE, -19, DEVICE_ERROR)                                                             \
    X(CL_INVALID_VALUE, -30, DEVICE_ERROR)                                                                             \
    X(CL_INVALID_DEVICE_TYPE, -31, DEVICE_ERROR)                                                                       \
    X(CL_INVALID_PLATFORM, -32, DEVICE_ERROR)                                                                          \
    X(CL_INVALID_DEVICE, -33, DEVICE_LOST)                                                                             \
    X(CL_INVALID_CONTEXT, -34, DEVICE_LOST)                                                                            \
    X(CL_INVALID_QUEUE_PROPERTIES, -35, DEVICE_ERROR)                                                                  \
    X(CL_INVALID_COMMAND_QUEUE, -36, DEVICE_LOST)                                                                      \
    X(CL_INVALID_HOST_PTR, -37, DEVICE_ERROR)                                                                          \
    X(CL_INVALID_MEM_OBJECT, -38, DEVICE_ERROR)                                                                        \
    X(CL_INVALID_IMAGE_FORMAT_DESCRIPTOR, -39, DEVICE_ERROR)                                                           \
    X(CL_INVALID_IMAGE_SIZE, -40, DEVICE_ERROR)                                                                        \
    X(CL_INVALID_SAMPLER, -41, DEVICE_ERROR)                                                                           \
    X(CL_INVALID_BINARY, -42, BUILD_FAILED)                                                                            \
    X(CL_INVALID_BUILD_OPTIONS, -43, BUILD_FAILED)                                                                     \
    X(CL_INVALID_PROGRAM, -44, BUILD_FAILED)                                                                           \
    X(CL_INVALID_PROGRAM_EXECUTABLE, -45, BUILD_FAILED)                                                                \
    X(CL_INVALID_KERNEL_NAME, -46, BUILD_FAILED)                                                                       \
    X(CL_INVALID_KERNEL_DEFINITION, -47, BUILD_FAILED)                                                                 \
    X(CL_INVALID_KERNEL, -48, DEVICE_ERROR)                                                                            \
    X(CL_INVALID_ARG_INDEX, -49, DEVICE_ERROR)                                                                         \
    X(CL_INVALID_ARG_VALUE, -50, DEVICE_ERROR)                                                                         \
    X(CL_INVALID_ARG_SIZE, -51, DEVICE_ERROR)                                                                          \
    X(CL_INVALID_KERNEL_ARGS, -52, DEVICE_ERROR)                                                                       \
    X(CL_INVALID_WORK_DIMENSION, -53, DEVICE_ERROR)                                                                    \
    X(CL_INVALID_WORK_GROUP_SIZE, -54, DEVICE_ERROR)                                                                   \
    X(CL_INVALID_WORK_ITEM_SIZE, -55, DEVICE_ERROR)                                                                    \
    X(CL_INVALID_GLOBAL_OFFSET, -56, DEVICE_ERROR)                                                                     \
    X(CL_INVALID_EVENT_WAIT_LIST, -57, DEVICE_ERROR)                                                                   \
    X(CL_INVALID_EVENT, -58, DEVICE_ERROR)                                                                             \
    X(CL_INVALID_OPERATION, -59, DEVICE_ERROR)                                                                         \
    X(CL_INVALID_BUFFER_SIZE, -61, OUT_OF_MEMORY)                                                                      \
    X(CL_INVALID_GLOBAL_WORK_SIZE, -63, DEVICE_ERROR)                                                                  \
    X(CL_INVALID_PROPERTY, -64, DEVICE_ERROR)                                                                          \
    X(CL_PLATFORM_NOT_FOUND_KHR, -1001, NO_DEVICE)

const char *linnet_cl_error_name(cl_int error)
{
    switch (error) {
#define ERROR_CASE(name, code, status)                                                                                 \
    case code:                                                                                                         \
        return #name;
        ERROR_TABLE(ERROR_CASE)
#undef ERROR_CASE
    default:
        return "an unknown OpenCL error";
    }
}

static linnet_status error_status(cl_int error)
{
    switch (error) {
#define ERROR_CASE(name, code, status)                                                                                 \
    case code:                                                                                                         \
        return LINNET_##status;
        ERROR_TABLE(ERROR_CASE)
#undef ERROR_CASE
    default:
        return LINNET_DEVICE_ERROR;
    }
}

linnet_status linnet_cl_check(const linnet_backend_device *device, const char *call, cl_int error)
{
    if (error == CL_SUCCESS)
        return LINNET_OK;
    linnet_status status = error_status(error);
    if (error == CL_OUT_OF_RESOURCES && device && linnet_cl_is_lost(device))
        status = LINNET_DEVICE_LOST;
    const char *on = device ? " on '" : "", *name = device ? device->info.name : "", *quote = device ? "'" : "";
    return linnet_cl_fail(status, "%s%s%s%s failed: %s (%d)%s", call, on, name, quote, linnet_cl_error_name(error),
                          (int)error, status == LINNET_DEVICE_LOST ? "; the context is lost" : "");
}
