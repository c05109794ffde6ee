/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Building what a whole plan needs at once, in as many threads as the host allows: layers are planned for show first,
 * which says which programs their kernels come from.
 */
#include "plan.h"

#include <stdio.h>
#include <string.h>

enum { MOST_THREADS = 16, JOBS = 2 * LINNET_CL_PROGRAM_COUNT };

/* Programs to be built, taken by threads one after the other. */
typedef struct work {
    linnet_backend_device *device;
    struct {
        linnet_cl_program_id id;
        int way;
    } jobs[JOBS];
    int count;
    atomic_int next;
} work;

static _Thread_local linnet_cl_wishes *wishes; /* where kernels are noted instead of made; NULL: they are made */

static _Thread_local const char *preferred; /* names with commas between; NULL: none */

/* Is name one of those between the commas? */
static bool is_listed(const char *list, const char *name)
{
    size_t length = strlen(name);
    for (const char *p = list; *p; p += strcspn(p, ","), p += *p == ',')
        if (strcspn(p, ",") == length && strncmp(p, name, length) == 0)
            return true;
    return false;
}

void linnet_cl_prefer(linnet_backend_device *device, const char *kernels)
{
    (void)device;
    preferred = kernels;
}

bool linnet_cl_prefers(const char *kernel)
{
    return preferred && is_listed(preferred, kernel);
}

static void note_kernel(linnet_cl_wishes *out, const char *kernel)
{
    size_t length = strlen(kernel), used = strlen(out->kernels);
    if (is_listed(out->kernels, kernel))
        return;
    if (used + length + 2 <= out->size)
        snprintf(out->kernels + used, out->size - used, "%s%s", used ? "," : "", kernel);
}

bool linnet_cl_wish(linnet_cl_program_id id, int way, const char *kernel)
{
    if (wishes)
        wishes->programs[way][id] = true;
    if (wishes && wishes->kernels && kernel)
        note_kernel(wishes, kernel);
    return wishes != NULL;
}

/* The rest of what the queue needs for such tensors. */
static void wish_for_formats(const linnet_layer_desc *desc)
{
    bool is_private = false;
    for (uint32_t i = 0; i < desc->input_count; i++)
        is_private = is_private || desc->inputs[i].format >= LINNET_FORMAT_PRIVATE;
    for (uint32_t i = 0; i < desc->output_count; i++)
        is_private = is_private || desc->outputs[i].format >= LINNET_FORMAT_PRIVATE;
    for (uint32_t i = 0; i < desc->parameter_count; i++)
        is_private = is_private || desc->parameters[i].format >= LINNET_FORMAT_PRIVATE;
    if (is_private)
        linnet_cl_wish(LINNET_CL_PROGRAM_NCHW16C, 0, NULL);
}

/* Failures say nothing here: the plan itself meets them again. */
static void gather(linnet_backend_device *device, const linnet_layer_desc *const *descs, const char *const *candidates,
                   size_t count, linnet_cl_wishes *out)
{
    wishes = out;
    for (size_t i = 0; i < count; i++) {
        const linnet_layer_ops *ops = linnet_cl_layer_ops(device, descs[i]->kind);
        linnet_backend_plan *plan = NULL;
        if (ops && ops->plan(device, descs[i], candidates[i], &plan) == LINNET_OK)
            ops->plan_free(plan);
        wish_for_formats(descs[i]);
    }
    wishes = NULL;
}

/* Those that are not there; the cached ones are taken at once. Under the device's lock. */
static void list_jobs(const linnet_cl_wishes *wanted, work *out)
{
    linnet_backend_device *device = out->device;
    bool listed[2][LINNET_CL_PROGRAM_COUNT] = {{false}};
    for (int way = 0; way < 2; way++)
        for (int id = 0; id < LINNET_CL_PROGRAM_COUNT; id++) {
            linnet_cl_program_id place = linnet_cl_program_place(device, (linnet_cl_program_id)id);
            if (!wanted->programs[way][id] || device->programs[way][place] || listed[way][place])
                continue;
            device->programs[way][place] = linnet_cl_program_cached(device, place, way);
            if (device->programs[way][place])
                continue;
            listed[way][place] = true;
            out->jobs[out->count].id = place;
            out->jobs[out->count++].way = way;
        }
}

/* Builds until nothing is left. */
static void *build(void *argument)
{
    work *w = argument;
    for (int i; (i = atomic_fetch_add(&w->next, 1)) < w->count;) {
        cl_program *place = &w->device->programs[w->jobs[i].way][w->jobs[i].id];
        if (linnet_cl_program_build(w->device, w->jobs[i].id, w->jobs[i].way, place) != LINNET_OK)
            *place = NULL; /* whoever needs it tries again, and says why it fails */
    }
    return NULL;
}

/* The caller is one of the threads. */
static void build_all(work *w)
{
    pthread_t threads[MOST_THREADS];
    int started = 0, wanted = (int)linnet_cl_host->thread_count();
    double start = linnet_cl_now();
    wanted = wanted < w->count ? wanted : w->count;
    wanted = wanted < MOST_THREADS ? wanted : MOST_THREADS;
    while (started + 1 < wanted && pthread_create(&threads[started], NULL, build, w) == 0)
        started++;
    build(w);
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    linnet_cl_log(2, "opencl: '%s': built %d programs in %.2f s, by %d threads", w->device->info.name, w->count,
                  linnet_cl_now() - start, started + 1);
}

void linnet_cl_prepare(linnet_backend_device *device, const linnet_layer_desc *const *descs,
                       const char *const *candidates, size_t count)
{
    linnet_cl_wishes wanted = {0};
    work w = {.device = device};
    if (linnet_cl_fork_check() != LINNET_OK)
        return;
    gather(device, descs, candidates, count, &wanted);
    pthread_mutex_lock(&device->lock);
    list_jobs(&wanted, &w);
    if (w.count > 0)
        build_all(&w);
    pthread_mutex_unlock(&device->lock);
}

linnet_status linnet_cl_kernels(linnet_backend_device *device, const linnet_layer_desc *desc, const char *candidate,
                                char *out_names, size_t size)
{
    linnet_cl_wishes wanted = {.kernels = out_names, .size = size};
    linnet_status status = linnet_cl_fork_check();
    if (size == 0)
        return LINNET_INVALID;
    *out_names = '\0';
    if (status == LINNET_OK)
        gather(device, &desc, &candidate, 1, &wanted);
    return status;
}
