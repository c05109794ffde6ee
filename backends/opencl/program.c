/* SPDX-License-Identifier: Apache-2.0 */
/* Programs: taken from the cache or built from the embedded source, at first use. A failed build shows the compiler's
 * log. */
#include "opencl.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { OPTIONS_LENGTH = 256 };

static _Thread_local int plain; /* 1: this thread builds without the driver's optimisations */

double linnet_cl_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* Does a source that is built there ask for that macro? */
static bool knows(const linnet_backend_device *device, linnet_cl_program_id place, const char *macro)
{
    const char *sources[LINNET_CL_MOST_TOGETHER];
    cl_uint count = linnet_cl_program_sources(device, place, sources);
    for (cl_uint i = 0; i < count; i++)
        if (strstr(sources[i], macro))
            return true;
    return false;
}

/* What of a device a program is built with. */
typedef struct build_form {
    linnet_cl_subgroups subgroups; /* its reductions */
    bool limits_registers;         /* its tiles (tile.clh) */
    int smallest_sub_group;        /* of kernels with many registers (sub_group.clh); 0: the compiler's choice */
    int plain;                     /* 1: without optimisation, and as simply as can be */
} build_form;

static build_form form_for(const linnet_backend_device *device, linnet_cl_program_id place, int way)
{
    build_form form = {LINNET_CL_SUBGROUPS_NONE, false, 0, way};
    if (!way && knows(device, place, "SUBGROUPS"))
        form.subgroups = (linnet_cl_subgroups)atomic_load(&device->subgroups);
    if (!way && knows(device, place, "TILE_REGISTERS_LIMITED"))
        form.limits_registers = atomic_load(&device->limits_registers);
    if (!way && knows(device, place, "SMALLEST_SUB_GROUP"))
        form.smallest_sub_group = atomic_load(&device->smallest_sub_group);
    return form;
}

/* Tiles are as large as the device's registers, processors' work-items have nobody to share a sum with, and a driver
   may refuse a program for a kernel that requires groups which the device does not have: the rest that kernels need to
   know are arguments. */
static void build_options_of(const linnet_backend_device *device, const build_form *form, char out[OPTIONS_LENGTH])
{
    char sub_group[40] = "";
    if (form->smallest_sub_group)
        snprintf(sub_group, sizeof(sub_group), " -DSMALLEST_SUB_GROUP=%d", form->smallest_sub_group);
    snprintf(out, OPTIONS_LENGTH, "%s%s%s%s%s%s%s",
             form->subgroups ? linnet_cl_subgroups_options(device, form->subgroups) : "-cl-std=CL1.2",
             device->prefers_vectors ? " -DALONE" : "",
             device->tile_columns > 1 ? "" : " -DTILE_ROWS=6 -DTILE_COLUMNS=1",
             device->max_group < 256 ? " -DTILE_MOST=64" : "",
             form->limits_registers ? " -cl-nv-maxrregcount=128 -DTILE_REGISTERS_LIMITED" : "", sub_group,
             form->plain ? " -cl-opt-disable" : "");
}

static linnet_status fail_with_log(linnet_backend_device *device, linnet_cl_program_id id, cl_program program,
                                   cl_int error)
{
    size_t bytes = 0;
    char *log = NULL;
    if (clGetProgramBuildInfo(program, device->id, CL_PROGRAM_BUILD_LOG, 0, NULL, &bytes) == CL_SUCCESS && bytes > 1)
        log = linnet_cl_host->allocate(bytes + 1);
    if (log) {
        memset(log, 0, bytes + 1);
        if (clGetProgramBuildInfo(program, device->id, CL_PROGRAM_BUILD_LOG, bytes, log, NULL) != CL_SUCCESS)
            log[0] = '\0';
    }
    linnet_status status =
        linnet_cl_fail(error == CL_OUT_OF_HOST_MEMORY ? LINNET_OUT_OF_MEMORY : LINNET_BUILD_FAILED,
                       "'%s' could not build %s: %s; its log: %s", device->info.name, linnet_cl_source_names[id],
                       linnet_cl_error_name(error), log ? log : "(empty)");
    linnet_cl_host->release(log);
    return status;
}

/* NULL unless the cache holds a binary that the driver takes. */
static cl_program program_from_cache(linnet_backend_device *device, const linnet_cl_cache_key *key,
                                     const char *build_options)
{
    size_t bytes = 0;
    const unsigned char *binary = linnet_cl_cache_load(key, &bytes);
    if (!binary)
        return NULL;
    cl_int error = CL_SUCCESS, loaded = CL_SUCCESS;
    cl_program program = clCreateProgramWithBinary(device->context, 1, &device->id, &bytes, &binary, &loaded, &error);
    if (program)
        linnet_cl_count_made();
    if (program && error == CL_SUCCESS && loaded == CL_SUCCESS)
        error = clBuildProgram(program, 1, &device->id, build_options, NULL, NULL);
    linnet_cl_host->release((void *)binary);
    if (program && error == CL_SUCCESS && loaded == CL_SUCCESS)
        return program;
    linnet_cl_release_program(program);
    linnet_cl_cache_discard(key);
    return NULL;
}

static void program_to_cache(linnet_backend_device *device, cl_program program, const linnet_cl_cache_key *key)
{
    size_t bytes = 0;
    if ((device->quirks & LINNET_CL_QUIRK_KEEPS_PROGRAMS) || !linnet_cl_host->cache_directory() ||
        clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof(bytes), &bytes, NULL) != CL_SUCCESS || bytes == 0)
        return;
    unsigned char *binary = linnet_cl_host->allocate(bytes);
    if (!binary)
        return;
    if (clGetProgramInfo(program, CL_PROGRAM_BINARIES, sizeof(binary), &binary, NULL) == CL_SUCCESS)
        linnet_cl_cache_store(key, binary, bytes);
    else
        linnet_cl_log(3, "opencl: '%s' gives no program binaries", device->info.name);
    linnet_cl_host->release(binary);
}

static linnet_status compile(linnet_backend_device *device, cl_context context, linnet_cl_program_id id,
                             const char *build_options, cl_program *out)
{
    cl_int error = CL_SUCCESS;
    const char *sources[LINNET_CL_MOST_TOGETHER];
    cl_uint count = linnet_cl_program_sources(device, id, sources);
    cl_program program = clCreateProgramWithSource(context, count, sources, NULL, &error);
    if (!program || error != CL_SUCCESS)
        return linnet_cl_check(device, "clCreateProgramWithSource", error ? error : CL_OUT_OF_HOST_MEMORY);
    linnet_cl_count_made();
    error = clBuildProgram(program, 1, &device->id, build_options, NULL, NULL);
    if (error != CL_SUCCESS) {
        linnet_status status = fail_with_log(device, id, program, error);
        linnet_cl_release_program(program);
        return status;
    }
    *out = program;
    return LINNET_OK;
}

static void key_of(const linnet_backend_device *device, linnet_cl_program_id id, const char *build_options,
                   linnet_cl_cache_key *out)
{
    const char *sources[LINNET_CL_MOST_TOGETHER];
    cl_uint count = linnet_cl_program_sources(device, id, sources);
    linnet_cl_cache_key_make(device, sources, count, build_options, out);
}

static cl_program cached(linnet_backend_device *device, linnet_cl_program_id id, const char *build_options)
{
    linnet_cl_cache_key key;
    key_of(device, id, build_options, &key);
    return program_from_cache(device, &key, build_options);
}

cl_program linnet_cl_program_cached(linnet_backend_device *device, linnet_cl_program_id id, int way)
{
    char build_options[OPTIONS_LENGTH];
    const build_form form = form_for(device, id, way);
    build_options_of(device, &form, build_options);
    return cached(device, id, build_options);
}

/* As the device says; where that does not build, without sub-groups, then without limited registers, then with
   sub-groups of the compiler's size, once again from the cache. */
static linnet_status build_somehow(linnet_backend_device *device, linnet_cl_program_id id, build_form *form,
                                   char build_options[OPTIONS_LENGTH], cl_program *out)
{
    build_options_of(device, form, build_options);
    linnet_status status = compile(device, device->context, id, build_options, out);
    while (status == LINNET_BUILD_FAILED && (form->subgroups || form->limits_registers || form->smallest_sub_group)) {
        if (form->subgroups)
            form->subgroups = LINNET_CL_SUBGROUPS_NONE;
        else if (form->limits_registers)
            form->limits_registers = false;
        else
            form->smallest_sub_group = 0;
        build_options_of(device, form, build_options);
        *out = cached(device, id, build_options);
        status = *out ? LINNET_OK : compile(device, device->context, id, build_options, out);
    }
    return status;
}

/* What did not build there is not asked for again, and said once. */
static void go_on_without(linnet_backend_device *device, linnet_cl_program_id id, const build_form *tried,
                          const build_form *built)
{
    const char *name = device->info.name, *source = linnet_cl_source_names[id];
    if (tried->subgroups != built->subgroups &&
        atomic_exchange(&device->subgroups, LINNET_CL_SUBGROUPS_NONE) != LINNET_CL_SUBGROUPS_NONE)
        linnet_cl_log(1,
                      "opencl: '%s' says that it has sub-groups, but could not build %s with them: reductions go on "
                      "without",
                      name, source);
    if (tried->limits_registers != built->limits_registers && atomic_exchange(&device->limits_registers, false))
        linnet_cl_log(1,
                      "opencl: '%s' says that registers can be limited, but could not build %s so: tiles go on without",
                      name, source);
    if (tried->smallest_sub_group != built->smallest_sub_group && atomic_exchange(&device->smallest_sub_group, 0))
        linnet_cl_log(
            1,
            "opencl: '%s' says that kernels may ask for a size of sub-groups, but could not build %s so: they "
            "go on without",
            name, source);
}

linnet_status linnet_cl_program_build(linnet_backend_device *device, linnet_cl_program_id id, int way, cl_program *out)
{
    linnet_cl_cache_key key;
    char build_options[OPTIONS_LENGTH];
    double start = linnet_cl_now();
    const build_form tried = form_for(device, id, way);
    build_form form = tried;
    linnet_status status = build_somehow(device, id, &form, build_options, out);
    if (status)
        return status;
    go_on_without(device, id, &tried, &form);
    linnet_cl_log(3, "opencl: built %s%s%s%s for '%s' in %.3f s", linnet_cl_source_names[id],
                  linnet_cl_program_is_many(device, id) ? " and what goes with it" : "", form.subgroups ? " with " : "",
                  form.subgroups ? linnet_cl_subgroups_name(form.subgroups) : "", device->info.name,
                  linnet_cl_now() - start);
    key_of(device, id, build_options, &key);
    program_to_cache(device, *out, &key);
    return LINNET_OK;
}

void linnet_cl_build_for(const linnet_backend_device *device, uint32_t kind)
{
    plain = kind < LINNET_CL_USUALLY && (atomic_load_explicit(&device->plain, memory_order_relaxed) >> kind & 1);
}

linnet_status linnet_cl_set_plain(linnet_backend_device *device, uint32_t kind)
{
    if (kind >= LINNET_CL_USUALLY)
        return LINNET_UNSUPPORTED;
    atomic_fetch_or(&device->plain, (uint64_t)1 << kind);
    return LINNET_OK;
}

bool linnet_cl_program_is_wish(linnet_cl_program_id id, const char *kernel)
{
    return linnet_cl_wish(id, plain, kernel);
}

linnet_status linnet_cl_program(linnet_backend_device *device, linnet_cl_program_id id, cl_program *out)
{
    linnet_status status = LINNET_OK;
    id = linnet_cl_program_place(device, id);
    pthread_mutex_lock(&device->lock);
    if (!device->programs[plain][id])
        device->programs[plain][id] = linnet_cl_program_cached(device, id, plain);
    if (!device->programs[plain][id])
        status = linnet_cl_program_build(device, id, plain, &device->programs[plain][id]);
    *out = device->programs[plain][id];
    pthread_mutex_unlock(&device->lock);
    return status;
}
