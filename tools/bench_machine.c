/* SPDX-License-Identifier: Apache-2.0 */
/* What the processor can do: multiply-adds a second, bytes a second from each of its caches and from memory; and what
   it costs the device to share a job out among its threads. */
#include "bench.h"
#include "json_lines.h"
#include "machine.h"

#include <stdio.h>
#include <time.h>

static void report(table *t, const char *what, const char *set, uint32_t threads, machine_rate rate, const char *unit)
{
    char number[24], median[32], best[32];
    if (rate.median <= 0)
        return;
    if (cli_common_options.json) {
        json_t *line = json_object();
        json_text(line, "name", what);
        json_text(line, "instruction_set", set);
        json_count(line, "threads", threads);
        json_number(line, "median", 1e-9 * rate.median);
        json_number(line, "best", 1e-9 * rate.best);
        json_text(line, "unit", unit);
        json_line(line);
        return;
    }
    snprintf(number, sizeof number, "%u", threads);
    snprintf(median, sizeof median, "%.1f", 1e-9 * rate.median);
    snprintf(best, sizeof best, "%.1f", 1e-9 * rate.best);
    table_row(t, (const char *[]){what, set, number, median, best, unit});
}

static void report_memory(table *t, const machine_set *set, uint32_t threads)
{
    static const char *const names[] = {"read level 1", "read level 2", "read level 3"};
    size_t smaller = 0;
    for (int level = 1; level <= 3; level++) {
        size_t cache = machine_cache_bytes(level);
        if (!cache)
            continue;
        size_t own = level == 3 ? cache / threads : cache; /* the last one is shared */
        size_t bytes = own / 2 > 2 * smaller ? own / 2 : 2 * smaller;
        bytes = level == 3 && bytes > 8 * smaller ? 8 * smaller : bytes;
        if (bytes < own)
            report(t, names[level - 1], set->name, threads, machine_read(set, threads, bytes), "GB/s");
        smaller = cache;
    }
    size_t bytes = machine_memory_bytes(threads);
    report(t, "read memory", set->name, threads, machine_read(set, threads, bytes), "GB/s");
    report(t, "triad memory", set->name, threads, machine_triad(set, threads, bytes), "GB/s");
}

/* ---- Jobs of some short tasks for each thread: in a row, while threads look for the next one; and after a rest, when
   they sleep. What they cost is the time beyond that of the tasks, evenly shared (when the caller has them all, where
   threads come too late). ---- */

enum { JOB_SAMPLES = 101, JOBS = 50, TASKS = 8, TASK_NANOSECONDS = 1000, REST_NANOSECONDS = 1000000 };

/* Microseconds beyond the tasks' own, of a job. */
static bench_times time_jobs(linnet_device *device, uint32_t jobs, uint32_t threads, long rest)
{
    double samples[JOB_SAMPLES];
    const struct timespec pause = {.tv_nsec = rest};
    for (int i = 0; i < JOB_SAMPLES; i++) {
        if (rest > 0)
            nanosleep(&pause, NULL);
        double start = text_now();
        linnet_device_run_idle_jobs(device, jobs, TASKS * threads, TASK_NANOSECONDS);
        samples[i] = 1e6 * (text_now() - start) / jobs - 1e-3 * TASKS * TASK_NANOSECONDS;
    }
    return bench_times_of(samples, JOB_SAMPLES);
}

static void report_job(table *t, const char *what, const char *backend, uint32_t threads, bench_times times)
{
    char number[24], median[32], best[32];
    if (cli_common_options.json) {
        json_t *line = json_object();
        json_text(line, "name", what);
        json_text(line, "backend", backend);
        json_count(line, "threads", threads);
        json_number(line, "median", times.median);
        json_number(line, "best", times.least);
        json_text(line, "unit", "us");
        json_line(line);
        return;
    }
    snprintf(number, sizeof number, "%u", threads);
    snprintf(median, sizeof median, "%.2f", times.median);
    snprintf(best, sizeof best, "%.2f", times.least);
    table_row(t, (const char *[]){what, backend, number, median, best, "us"});
}

/* Of the device that the environment chooses, where it has threads. */
static void report_jobs(table *t, uint32_t threads)
{
    bench_set_threads(threads);
    linnet_device *device = threads > 1 ? linnet_device_open(NULL, NULL) : NULL;
    if (device && linnet_device_run_idle_jobs(device, JOBS, TASKS * threads, 0) == LINNET_OK) {
        const char *backend = linnet_device_backend_name(device);
        report_job(t, "shared job", backend, threads, time_jobs(device, JOBS, threads, 0));
        report_job(t, "shared job, woken", backend, threads, time_jobs(device, 1, threads, REST_NANOSECONDS));
    }
    linnet_device_close(&device);
}

int bench_machine(const bench_list *threads)
{
    table t;
    table_start(&t, (const char *[]){"WHAT", "SET", ">THREADS", ">MEDIAN", ">BEST", "UNIT", NULL});
    for (size_t i = 0; i < threads->count; i++) {
        uint32_t count = (uint32_t)threads->numbers[i];
        const machine_set *set;
        for (size_t j = 0; (set = machine_set_at(j)); j++)
            report(&t, "multiply-adds", set->name, count, machine_multiply_adds(set, count), "GFLOP/s");
        report_memory(&t, machine_set_at(0), count);
        report_jobs(&t, count);
    }
    if (!cli_common_options.json)
        table_print(&t, 0);
    return EXIT_GO_ON;
}
