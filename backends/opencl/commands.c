/* SPDX-License-Identifier: Apache-2.0 */
/* What a queue with timestamps has run: the event of every command, kept until the host has read its times. */
#include "opencl.h"

#include <string.h>

/* One command, or several of which first is a marker ahead and last the end. */
typedef struct command {
    const char *name;
    cl_event first, last; /* first NULL: last is the command itself */
} command;

struct linnet_cl_commands {
    size_t count, capacity;
    command list[];
};

enum { FIRST_COMMANDS = 256 };

static void release(const command *c)
{
    linnet_cl_release_event(c->first);
    linnet_cl_release_event(c->last);
}

static bool grow(linnet_backend_queue *queue)
{
    linnet_cl_commands *old = queue->commands;
    size_t count = old ? old->count : 0, capacity = old ? 2 * old->capacity : FIRST_COMMANDS;
    if (old && count < old->capacity)
        return true;
    linnet_cl_commands *fresh = linnet_cl_host->allocate(sizeof(*fresh) + capacity * sizeof(command));
    if (!fresh)
        return false;
    fresh->count = count;
    fresh->capacity = capacity;
    if (count)
        memcpy(fresh->list, old->list, count * sizeof(command));
    linnet_cl_host->release(old);
    queue->commands = fresh;
    return true;
}

/* Without memory for it a command is not timed. */
static void add(linnet_backend_queue *queue, command c)
{
    if (c.last && grow(queue))
        queue->commands->list[queue->commands->count++] = c;
    else
        release(&c);
}

void linnet_cl_command_add(linnet_backend_queue *queue, const char *name, cl_event event)
{
    linnet_cl_command_add_span(queue, name, NULL, event);
}

void linnet_cl_command_add_span(linnet_backend_queue *queue, const char *name, cl_event first, cl_event last)
{
    queue->is_busy = true;
    if (first)
        linnet_cl_count_made();
    if (last)
        linnet_cl_count_made();
    if (first || last)
        add(queue, (command){name, first, last});
}

void linnet_cl_command_share(linnet_backend_queue *queue, const char *name, cl_event event)
{
    queue->is_busy = true;
    if (queue->timestamps && clRetainEvent(event) == CL_SUCCESS)
        linnet_cl_command_add(queue, name, event);
}

uint64_t linnet_cl_command_count(linnet_backend_queue *queue)
{
    return queue->commands ? queue->commands->count : 0;
}

static linnet_status time_of(const linnet_backend_queue *queue, cl_event event, cl_profiling_info what, uint64_t *out)
{
    cl_ulong time = 0;
    cl_int error = clGetEventProfilingInfo(event, what, sizeof(time), &time, NULL);
    *out = time;
    return linnet_cl_check(queue->device, "clGetEventProfilingInfo", error);
}

linnet_status linnet_cl_command(linnet_backend_queue *queue, uint64_t index, linnet_command *out)
{
    if (index >= linnet_cl_command_count(queue))
        return LINNET_END;
    if (!LINNET_HAS(out, linnet_command, end))
        return linnet_cl_fail(LINNET_INVALID, "a command of an OpenCL queue needs room for its times");
    const command *c = &queue->commands->list[index];
    linnet_status status = linnet_cl_fork_check();
    out->name = c->name;
    if (!status)
        status = time_of(queue, c->first ? c->first : c->last, CL_PROFILING_COMMAND_QUEUED, &out->queued);
    if (!status)
        status = time_of(queue, c->first ? c->first : c->last,
                         c->first ? CL_PROFILING_COMMAND_END : CL_PROFILING_COMMAND_START, &out->start);
    return status ? status : time_of(queue, c->last, CL_PROFILING_COMMAND_END, &out->end);
}

void linnet_cl_commands_forget(linnet_backend_queue *queue)
{
    for (size_t i = 0; queue->commands && i < queue->commands->count; i++)
        release(&queue->commands->list[i]);
    if (queue->commands)
        queue->commands->count = 0;
}

void linnet_cl_commands_free(linnet_backend_queue *queue)
{
    linnet_cl_commands_forget(queue);
    linnet_cl_host->release(queue->commands);
    queue->commands = NULL;
}
