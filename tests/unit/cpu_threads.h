/* SPDX-License-Identifier: Apache-2.0 */
/* The cpu backend's thread pool alone, on a host that answers with a number of threads. */
#ifndef LINNET_TEST_CPU_THREADS_H
#define LINNET_TEST_CPU_THREADS_H

#include "../../backends/cpu/cpu.h"

static uint32_t wanted_threads = 2;

static uint32_t count_threads(void)
{
    return wanted_threads;
}

static const linnet_host threads_host = {.struct_size = sizeof threads_host, .thread_count = count_threads};
const linnet_host *cpu_host = &threads_host;

static inline void open_pool(uint32_t threads)
{
    wanted_threads = threads;
    cpu_threads_retain();
}

#endif
