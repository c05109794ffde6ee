/* SPDX-License-Identifier: Apache-2.0 */
/* What it costs to share a layer out, per layer. usage: bench_threads [THREADS]; prints microseconds: the median and
   the least of many runs of LAYERS layers in a row, whose tasks take TASK_NANOSECONDS or nothing. */
#include "cpu_threads.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { LAYERS = 100, RUNS = 200, MUCH_WORK = 1 << 20 };

static double microseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec * 1e-3;
}

static void task(const void *context, int64_t number, uint32_t worker)
{
    (void)number;
    (void)worker;
    const double *duration = context;
    double end = *duration > 0 ? microseconds() + *duration : 0;
    while (*duration > 0 && microseconds() < end)
        ;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* A layer of so many tasks, each of so many microseconds; pause: the caller alone, between two layers. */
static void measure(int64_t tasks, double duration, double pause)
{
    double times[RUNS];
    for (int run = 0; run < RUNS; run++) {
        double start = microseconds();
        for (int layer = 0; layer < LAYERS; layer++) {
            cpu_parallel(tasks, MUCH_WORK, task, &duration);
            if (pause > 0)
                task(&pause, 0, 0);
        }
        times[run] = (microseconds() - start) / LAYERS - pause;
    }
    qsort(times, RUNS, sizeof *times, compare);
    printf("%3lld tasks of %4.1f us, pause %5.1f us: %7.2f us a layer, at least %7.2f\n", (long long)tasks, duration,
           pause, times[RUNS / 2], times[0]);
}

int main(int argc, char **argv)
{
    open_pool(argc > 1 ? (uint32_t)atoi(argv[1]) : 2);
    for (int64_t tasks = 2; tasks <= 64; tasks *= 4)
        measure(tasks, 0, 0);
    measure(2, 2, 0);
    measure(8, 2, 0);
    measure(8, 2, 20);
    measure(8, 2, 200);
    cpu_threads_release();
    return 0;
}
