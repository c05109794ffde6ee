/* SPDX-License-Identifier: Apache-2.0 */
/* Plans and kernels: making them, their arguments and sizes, and launching. */
#include "plan.h"
#include "sizes.h"

#include <stdio.h>
#include <string.h>

linnet_status linnet_cl_plan_new(linnet_backend_device *device, size_t bytes,
                                 linnet_status (*run)(linnet_backend_plan *, linnet_backend_queue *,
                                                      const linnet_layer_args *),
                                 linnet_backend_plan **out)
{
    *out = NULL;
    linnet_status status = linnet_cl_fork_check();
    if (status)
        return status;
    linnet_backend_plan *plan = linnet_cl_host->allocate(bytes);
    if (!plan)
        return linnet_cl_fail(LINNET_OUT_OF_MEMORY, "out of memory making an OpenCL plan");
    memset(plan, 0, bytes);
    plan->device = device;
    plan->run = run;
    *out = plan;
    return LINNET_OK;
}

linnet_status linnet_cl_plan_done(linnet_backend_plan *plan, linnet_backend_plan **out)
{
    linnet_status status = plan->status;
    if (status) {
        linnet_cl_plan_free(plan);
        plan = NULL;
    }
    *out = plan;
    return status;
}

void linnet_cl_plan_free(linnet_backend_plan *plan)
{
    if (!plan)
        return;
    for (uint32_t i = 0; i < plan->kernel_count; i++)
        linnet_cl_release_kernel(plan->kernels[i].kernel);
    linnet_cl_host->release(plan);
}

linnet_status linnet_cl_plan_run(linnet_backend_plan *plan, linnet_backend_queue *queue, const linnet_layer_args *args)
{
    linnet_status status = linnet_cl_fork_check();
    return status ? status : plan->run(plan, queue, args);
}

void linnet_cl_kernel_init(linnet_backend_device *device, linnet_cl_kernel *kernel, linnet_status *status,
                           linnet_cl_program_id program, const char *name, cl_uint view_count)
{
    *kernel =
        (linnet_cl_kernel){.device = device, .name = name, .view_count = view_count, .dimensions = 1, .status = status};
    cl_program built = NULL;
    if (linnet_cl_program_is_wish(program, name) && !*status)
        *status = LINNET_END; /* nothing else is done with it */
    if (*status)
        return;
    *status = linnet_cl_program(device, program, &built);
    if (*status)
        return;
    cl_int error = CL_SUCCESS;
    kernel->kernel = clCreateKernel(built, name, &error);
    if (kernel->kernel)
        linnet_cl_count_made();
    if (error != CL_SUCCESS || !kernel->kernel)
        *status = linnet_cl_check(device, "clCreateKernel", error ? error : CL_OUT_OF_HOST_MEMORY);
    else
        linnet_cl_log(3, "opencl: kernel %s", name);
}

linnet_cl_kernel *linnet_cl_kernel_new(linnet_backend_plan *plan, linnet_cl_program_id program, const char *name,
                                       cl_uint view_count)
{
    linnet_cl_kernel *kernel =
        &plan->kernels[plan->kernel_count < LINNET_CL_MAX_KERNELS ? plan->kernel_count : LINNET_CL_MAX_KERNELS - 1];
    if (plan->kernel_count == LINNET_CL_MAX_KERNELS) {
        if (!plan->status)
            plan->status =
                linnet_cl_fail(LINNET_INTERNAL, "an OpenCL plan wants more than %d kernels", LINNET_CL_MAX_KERNELS);
        return kernel;
    }
    plan->kernel_count++;
    linnet_cl_kernel_init(plan->device, kernel, &plan->status, program, name, view_count);
    return kernel;
}

static linnet_status check_kernel(const linnet_cl_kernel *kernel, const char *call, cl_int error)
{
    if (error == CL_SUCCESS)
        return LINNET_OK;
    char text[128];
    snprintf(text, sizeof(text), "%s for kernel %s", call, kernel->name);
    return linnet_cl_check(kernel->device, text, error);
}

static void set_constant(linnet_cl_kernel *kernel, size_t bytes, const void *value)
{
    cl_uint index = 2 * kernel->view_count + kernel->constant_count++;
    if (!*kernel->status)
        *kernel->status = check_kernel(kernel, "clSetKernelArg", clSetKernelArg(kernel->kernel, index, bytes, value));
}

static void set_number(linnet_cl_kernel *kernel, const void *value)
{
    if (!kernel->is_struct)
        set_constant(kernel, sizeof(cl_uint), value);
    else if (kernel->member_count < LINNET_CL_MOST_MEMBERS)
        memcpy(&kernel->members[kernel->member_count++], value, sizeof(cl_uint));
    else if (!*kernel->status)
        *kernel->status = linnet_cl_fail(LINNET_INTERNAL, "kernel %s: a struct of more than %d members", kernel->name,
                                         LINNET_CL_MOST_MEMBERS);
}

void linnet_cl_struct(linnet_cl_kernel *kernel)
{
    kernel->is_struct = true;
}

void linnet_cl_struct_end(linnet_cl_kernel *kernel)
{
    kernel->is_struct = false;
    set_constant(kernel, kernel->member_count * sizeof(cl_uint), kernel->members);
}

void linnet_cl_int(linnet_cl_kernel *kernel, int64_t value)
{
    cl_int narrow = (cl_int)value;
    if (narrow != value && !*kernel->status)
        *kernel->status =
            linnet_cl_fail(LINNET_LIMIT, "kernel %s: %lld is over 31 bits", kernel->name, (long long)value);
    set_number(kernel, &narrow);
}

void linnet_cl_int_list(linnet_cl_kernel *kernel, const int64_t *values, size_t count)
{
    for (size_t i = 0; i < count; i++)
        linnet_cl_int(kernel, values[i]);
}

void linnet_cl_float(linnet_cl_kernel *kernel, float value)
{
    cl_float narrow = value;
    set_number(kernel, &narrow);
}

void linnet_cl_local(linnet_cl_kernel *kernel, uint64_t bytes)
{
    set_constant(kernel, (size_t)bytes, NULL);
}

/* The largest power of two that is at most wanted and that kernel and device allow. */
static size_t group_size(linnet_cl_kernel *kernel, size_t wanted)
{
    size_t limit = kernel->device->max_group, own = 0, size = 1;
    if (*kernel->status)
        return 1;
    cl_int error = clGetKernelWorkGroupInfo(kernel->kernel, kernel->device->id, CL_KERNEL_WORK_GROUP_SIZE, sizeof(own),
                                            &own, NULL);
    *kernel->status = check_kernel(kernel, "clGetKernelWorkGroupInfo", error);
    if (own > 0 && own < limit)
        limit = own;
    while (size * 2 <= limit && size * 2 <= wanted)
        size *= 2;
    return size;
}

/* Along y and z, which have groups of one: more than NVIDIA's GPUs take. */
enum { MOST_GROUPS = 65535 };

static void set_range(linnet_cl_kernel *kernel, size_t x, size_t group_x, int64_t y, int64_t z)
{
    kernel->dimensions = z > 1 ? 3 : y > 1 ? 2 : 1;
    size_t global[3] = {x, (size_t)y, (size_t)z}, local[3] = {group_x, 1, 1};
    memcpy(kernel->global, global, sizeof(global));
    memcpy(kernel->local, local, sizeof(local));
}

void linnet_cl_range(linnet_cl_kernel *kernel, int64_t x, int64_t y, int64_t z, size_t group_x)
{
    /* Few sizes: a driver may build a kernel anew for each. */
    size_t usual = (size_t)kernel->device->parameters.values[LINNET_CL_GROUP];
    /* Where rows are short, most of a group would be beyond their end. */
    usual = x <= (kernel->device->prefers_vectors ? 256 : 64) && usual > 64 ? 64 : usual;
    size_t group = group_size(kernel, group_x ? group_x : usual);
    size_t groups = ((size_t)x + group - 1) / group;
    set_range(kernel, groups * group, group, y, z);
}

void linnet_cl_elements(linnet_cl_kernel *kernel, int64_t count, int64_t y)
{
    enum { MOST_EACH = 8, MOST_GROUP = 4096 }; /* work-items beyond the last element have numbers, too, which are int */
    int64_t each = kernel->device->prefers_vectors ? 1 : MOST_EACH; /* ELEMENTS in elements.clh */
    if (count > INT32_MAX - MOST_EACH * MOST_GROUP && !*kernel->status)
        *kernel->status = linnet_cl_fail(LINNET_LIMIT, "kernel %s: %lld elements are more than it can number",
                                         kernel->name, (long long)count);
    linnet_cl_range(kernel, ceil_div(count, each), y, 1, 0);
}

/* Of a kernel that asks for the numbers of its groups, which pieces of a launch would all count from 0. */
static void set_groups(linnet_cl_kernel *kernel, size_t x, size_t group_x, int64_t y, int64_t z)
{
    set_range(kernel, x, group_x, y, z);
    if ((y > MOST_GROUPS || z > MOST_GROUPS) && !kernel->device->prefers_vectors && !*kernel->status)
        *kernel->status =
            linnet_cl_fail(LINNET_LIMIT, "kernel %s: %lld by %lld groups are more than a GPU has along y and z",
                           kernel->name, (long long)y, (long long)z);
}

void linnet_cl_range_groups(linnet_cl_kernel *kernel, int64_t groups_x, int64_t y, int64_t z, size_t group_x)
{
    size_t group = group_size(kernel, group_x);
    set_groups(kernel, (size_t)groups_x * group, group, y, z);
}

void linnet_cl_range_required(linnet_cl_kernel *kernel, int64_t groups_x, int64_t y, int64_t z, size_t group_x)
{
    set_groups(kernel, (size_t)groups_x * group_x, group_x, y, z);
}

static void set_run_scalar(linnet_cl_kernel *kernel, cl_uint index, size_t bytes, const void *value)
{
    cl_int error =
        clSetKernelArg(kernel->kernel, 2 * kernel->view_count + kernel->constant_count + index, bytes, value);
    if (kernel->error == CL_SUCCESS)
        kernel->error = error;
}

void linnet_cl_run_int(linnet_cl_kernel *kernel, cl_uint index, cl_int value)
{
    set_run_scalar(kernel, index, sizeof(value), &value);
}

void linnet_cl_run_uint(linnet_cl_kernel *kernel, cl_uint index, cl_uint value)
{
    set_run_scalar(kernel, index, sizeof(value), &value);
}

void linnet_cl_run_ulong(linnet_cl_kernel *kernel, cl_uint index, cl_ulong value)
{
    set_run_scalar(kernel, index, sizeof(value), &value);
}

void linnet_cl_run_float(linnet_cl_kernel *kernel, cl_uint index, cl_float value)
{
    set_run_scalar(kernel, index, sizeof(value), &value);
}

/* A kernel may need more registers than its large groups can have: from now on tiles are smaller. */
static void lower_tiles(linnet_backend_device *device, const linnet_cl_kernel *kernel)
{
    int large = 128, small = 64;
    if (kernel->local[0] == 256 && atomic_compare_exchange_strong(&device->tile_most, &large, small))
        linnet_cl_log(1, "opencl: '%s' does not run kernel %s in groups of 256: tiles are smaller from now on",
                      device->info.name, kernel->name);
}

static cl_int enqueue_at(linnet_backend_queue *queue, const linnet_cl_kernel *kernel, const size_t *offset,
                         const size_t *global)
{
    cl_event event = NULL;
    cl_int error = clEnqueueNDRangeKernel(queue->queue, kernel->kernel, kernel->dimensions, offset, global,
                                          kernel->local, 0, NULL, linnet_cl_event_for(queue, &event));
    linnet_cl_command_add(queue, kernel->name, event);
    return error;
}

/* What has too many groups along y or z is launched in pieces. */
static cl_int enqueue(linnet_backend_queue *queue, const linnet_cl_kernel *kernel)
{
    const size_t *all = kernel->global;
    if (kernel->device->prefers_vectors || (all[1] <= MOST_GROUPS && all[2] <= MOST_GROUPS))
        return enqueue_at(queue, kernel, NULL, all);
    cl_int error = CL_SUCCESS;
    for (size_t z = 0; z < all[2] && error == CL_SUCCESS; z += MOST_GROUPS)
        for (size_t y = 0; y < all[1] && error == CL_SUCCESS; y += MOST_GROUPS) {
            const size_t offset[3] = {0, y, z};
            const size_t piece[3] = {all[0], all[1] - y < MOST_GROUPS ? all[1] - y : MOST_GROUPS,
                                     all[2] - z < MOST_GROUPS ? all[2] - z : MOST_GROUPS};
            error = enqueue_at(queue, kernel, offset, piece);
        }
    return error;
}

/* A driver may keep what is enqueued until it is told to hand it over, and a GPU that has nothing to do would wait
   until the host has enqueued all of a step: so it gets the first kernels at once, and then ever more of them. */
static linnet_status hand_over(linnet_backend_queue *queue)
{
    enum { FIRST = 4, TIMES = 4 };
    if (queue->device->transfers == LINNET_CL_TRANSFERS_PLAIN)
        return LINNET_OK;
    if (queue->launches == 0)
        queue->next_flush = FIRST;
    if (++queue->launches != queue->next_flush)
        return LINNET_OK;
    queue->next_flush *= TIMES;
    return linnet_cl_check(queue->device, "clFlush", clFlush(queue->queue));
}

linnet_status linnet_cl_launch_views(linnet_cl_kernel *kernel, linnet_backend_queue *queue, const linnet_view *views,
                                     cl_uint count)
{
    if (count != kernel->view_count)
        return linnet_cl_fail(LINNET_INTERNAL, "kernel %s wants %u views and was given %u", kernel->name,
                              kernel->view_count, count);
    cl_int error = kernel->error;
    kernel->error = CL_SUCCESS;
    for (cl_uint i = 0; i < count && error == CL_SUCCESS; i++) {
        cl_mem memory = views[i].buffer ? views[i].buffer->memory : NULL;
        cl_ulong offset = views[i].buffer ? views[i].offset / 4 : 0;
        error = clSetKernelArg(kernel->kernel, 2 * i, sizeof(memory), views[i].buffer ? &memory : NULL);
        if (error == CL_SUCCESS)
            error = clSetKernelArg(kernel->kernel, 2 * i + 1, sizeof(offset), &offset);
    }
    if (error != CL_SUCCESS)
        return check_kernel(kernel, "clSetKernelArg", error);
    if (kernel->global[0] == 0 || kernel->global[1] == 0 || kernel->global[2] == 0)
        return LINNET_OK; /* an empty tensor */
    error = enqueue(queue, kernel);
    if (error == CL_INVALID_WORK_GROUP_SIZE)
        lower_tiles(queue->device, kernel);
    return error == CL_SUCCESS ? hand_over(queue) : check_kernel(kernel, "clEnqueueNDRangeKernel", error);
}
