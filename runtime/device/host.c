/* SPDX-License-Identifier: Apache-2.0 */
/* The host's side of the plugin ABI: one table for the whole process. */
#include "registry.h"

#include "../core/cache.h"

#include <stdio.h>

static _Thread_local char error[512];

static void *host_allocate(size_t bytes)
{
    return linnet_allocate(bytes, 1);
}

static void host_log(int level, const char *message)
{
    linnet_log(NULL, (linnet_log_level)level, "%s", message);
}

static void host_set_error(const char *message)
{
    snprintf(error, sizeof error, "%s", message);
}

const char *linnet_host_error(void)
{
    return error;
}

void linnet_host_error_clear(void)
{
    error[0] = '\0';
}

static const char *host_cache_directory(void)
{
    return linnet_cache_directory(NULL);
}

static void host_cache_failed(const char *message)
{
    linnet_cache_failed(NULL, message);
}

const linnet_host linnet_host_table = {
    .struct_size = sizeof(linnet_host),
    .abi = LINNET_ABI_VERSION,
    .allocate = host_allocate,
    .release = linnet_release,
    .log = host_log,
    .set_error = host_set_error,
    .thread_count = linnet_thread_count,
    .option = linnet_environment,
    .cache_directory = host_cache_directory,
    .cache_failed = host_cache_failed,
};
