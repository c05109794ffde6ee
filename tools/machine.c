/* SPDX-License-Identifier: Apache-2.0 */
#include "machine.h"

#include "text.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

enum { MOST_THREADS = 256, SAMPLES = 9, UNIT = 256 /* floats that loops go in steps of */ };
#define SAMPLE_SECONDS 0.015

typedef struct job {
    const machine_set *set;
    enum { MULTIPLY_ADD, READ, TRIAD } kind;
    size_t count; /* floats of an array */
    float *arrays[3];
    int64_t rounds;
    double work; /* operations or bytes, done by this thread in a sample */
    float sink;
} job;

static bool job_new(job *j)
{
    int arrays = j->kind == MULTIPLY_ADD ? 0 : j->kind == READ ? 1 : 3;
    for (int i = 0; i < arrays; i++) {
        j->arrays[i] = aligned_alloc(64, j->count * sizeof(float));
        if (!j->arrays[i])
            return false;
        for (size_t k = 0; k < j->count; k++)
            j->arrays[i][k] = 1;
    }
    return true;
}

static void job_free(job *j)
{
    for (int i = 0; i < 3; i++)
        free(j->arrays[i]);
}

static void *job_run(void *context)
{
    job *j = context;
    float **a = j->arrays;
    if (j->kind == MULTIPLY_ADD) {
        j->work = j->set->multiply_add(j->rounds, &j->sink);
        return NULL;
    }
    float sink = 0;
    for (int64_t i = 0; i < j->rounds; i++) {
        if (j->kind == READ)
            sink += j->set->read(a[0], j->count);
        else
            j->set->triad(a[0], a[1], a[2], 3, j->count);
    }
    j->sink = sink;
    j->work = (double)j->rounds * (double)j->count * sizeof(float) * (j->kind == READ ? 1 : 3);
    return NULL;
}

/* All jobs at once, the last one on this thread: a rate; 0 when a thread did not start. */
static double sample(job *jobs, uint32_t count, double *out_seconds)
{
    pthread_t threads[MOST_THREADS];
    uint32_t started = 0;
    double work = 0, start = text_now();
    while (started + 1 < count && pthread_create(&threads[started], NULL, job_run, &jobs[started]) == 0)
        started++;
    job_run(&jobs[count - 1]);
    for (uint32_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    *out_seconds = text_now() - start;
    for (uint32_t i = 0; i < count; i++)
        work += jobs[i].work;
    return started + 1 == count ? work / *out_seconds : 0;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Samples of equal work, none of them short. Whoever is disturbed takes longer than the work does: so many rounds are
   enough only when each of them is long enough, and the best is the least disturbed. */
static machine_rate measure(job *jobs, uint32_t count)
{
    double rates[SAMPLES], seconds = 0;
    int64_t rounds = 1;
    for (int taken = 0; taken < SAMPLES;) {
        for (uint32_t i = 0; i < count; i++)
            jobs[i].rounds = rounds;
        rates[taken++] = sample(jobs, count, &seconds);
        if (rates[taken - 1] <= 0)
            return (machine_rate){0};
        if (seconds >= SAMPLE_SECONDS || rounds > INT64_MAX / 4)
            continue;
        rounds *= 2;
        taken = 0;
    }
    qsort(rates, SAMPLES, sizeof rates[0], compare);
    return (machine_rate){rates[SAMPLES / 2], rates[SAMPLES - 1]};
}

static machine_rate measure_kind(const machine_set *set, int kind, uint32_t threads, size_t bytes)
{
    machine_rate rate = {0};
    threads = threads < 1 ? 1 : threads > MOST_THREADS ? MOST_THREADS : threads;
    job *jobs = calloc(threads, sizeof *jobs);
    bool good = jobs != NULL;
    for (uint32_t i = 0; i < threads && good; i++) {
        size_t count = bytes / (kind == TRIAD ? 3 : 1) / sizeof(float) / UNIT * UNIT;
        jobs[i] = (job){.set = set, .kind = kind, .count = count ? count : UNIT};
        good = job_new(&jobs[i]);
    }
    if (good)
        rate = measure(jobs, threads);
    for (uint32_t i = 0; jobs && i < threads; i++)
        job_free(&jobs[i]);
    free(jobs);
    return rate;
}

machine_rate machine_multiply_adds(const machine_set *set, uint32_t threads)
{
    return measure_kind(set, MULTIPLY_ADD, threads, 0);
}

machine_rate machine_read(const machine_set *set, uint32_t threads, size_t bytes)
{
    return measure_kind(set, READ, threads, bytes);
}

machine_rate machine_triad(const machine_set *set, uint32_t threads, size_t bytes)
{
    return measure_kind(set, TRIAD, threads, bytes);
}

size_t machine_cache_bytes(int level)
{
#ifdef _SC_LEVEL1_DCACHE_SIZE
    static const int names[] = {_SC_LEVEL1_DCACHE_SIZE, _SC_LEVEL2_CACHE_SIZE, _SC_LEVEL3_CACHE_SIZE};
    long bytes = sysconf(names[level - 1]);
    return bytes > 0 ? (size_t)bytes : 0;
#else
    return (void)level, 0;
#endif
}

size_t machine_memory_bytes(uint32_t threads)
{
    size_t last = machine_cache_bytes(3), least = (size_t)64 << 20, most = (size_t)512 << 20;
    size_t bytes = 2 * last > least ? 2 * last : least;
    return (bytes > most ? most : bytes) / (threads ? threads : 1);
}

/* Measured once per number of threads. */
static double kept(int kind, uint32_t threads)
{
    static struct {
        uint32_t threads;
        double rates[3];
    } kept_rates[16];
    size_t row = 0, rows = sizeof kept_rates / sizeof kept_rates[0];
    while (row < rows - 1 && kept_rates[row].threads && kept_rates[row].threads != threads)
        row++;
    if (kept_rates[row].threads != threads)
        kept_rates[row].rates[MULTIPLY_ADD] = kept_rates[row].rates[TRIAD] = -1;
    kept_rates[row].threads = threads;
    if (kept_rates[row].rates[kind] < 0)
        kept_rates[row].rates[kind] =
            measure_kind(machine_set_at(0), kind, threads, machine_memory_bytes(threads)).best;
    return kept_rates[row].rates[kind];
}

double machine_peak(uint32_t threads)
{
    return kept(MULTIPLY_ADD, threads);
}

double machine_bandwidth(uint32_t threads)
{
    return kept(TRIAD, threads);
}
