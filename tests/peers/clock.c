/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Engines take turns, a block of runs each. The first run of a block is not timed: it brings the engine's operands back
 * into the caches. Between blocks the process sleeps until the last engine's threads have stopped spinning.
 */
#include "peers.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static cpu_set_t bound, everywhere;

void peer_clock_start(void)
{
    sched_getaffinity(0, sizeof bound, &bound);
    if (sched_getaffinity(getppid(), sizeof everywhere, &everywhere) != 0)
        everywhere = bound;
    sched_setaffinity(0, sizeof everywhere, &everywhere);
}

enum { ENGINES_AT_MOST = 8 };

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void rest(double seconds)
{
    struct timespec time = {.tv_nsec = (long)(1e9 * seconds)};
    if (seconds > 0)
        nanosleep(&time, NULL);
}

/* Seconds of one run; negative: it failed. */
static double block(const peer_engine *engine, void *state, int64_t runs)
{
    const cpu_set_t *place = engine->bound ? &bound : &everywhere;
    if (sched_setaffinity(0, sizeof *place, place) != 0 || !engine->run(state))
        return -1;
    double start = now();
    for (int64_t i = 0; i < runs; i++)
        if (!engine->run(state))
            return -1;
    return (now() - start) / (double)runs;
}

/* Runs that fill a block of so many seconds. */
static int64_t calibrate(const peer_engine *engine, void *state, double seconds)
{
    double once = block(engine, state, 1);
    for (double start = now(); once >= 0 && now() - start < 0.5 * seconds;) {
        double again = block(engine, state, 1);
        once = again < once ? again : once;
    }
    return once < 0 ? -1 : 1 + (int64_t)(seconds / (once + 1e-9));
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double sorted_median(double *values)
{
    qsort(values, PEER_ROUNDS, sizeof values[0], compare);
    return values[PEER_ROUNDS / 2];
}

static void summarise(peer_times *times)
{
    double sorted[PEER_ROUNDS];
    memcpy(sorted, times->rounds, sizeof sorted);
    times->median = sorted_median(sorted);
    times->least = sorted[0];
    times->most = sorted[PEER_ROUNDS - 1];
}

double peer_ratio(const peer_times *peer, const peer_times *ours)
{
    double ratios[PEER_ROUNDS];
    if (!(peer->median > 0 && ours->median > 0))
        return 0;
    for (int round = 0; round < PEER_ROUNDS; round++)
        ratios[round] = peer->rounds[round] / ours->rounds[round];
    return sorted_median(ratios);
}

bool peer_measure(const peer_engine *const *engines, void *const *states, size_t count, double seconds,
                  double pause_seconds, peer_times *out_times)
{
    int64_t runs[ENGINES_AT_MOST];
    if (count > ENGINES_AT_MOST)
        return false;
    memset(out_times, 0, count * sizeof *out_times);
    for (size_t e = 0; e < count; e++) {
        if (states[e] && (runs[e] = calibrate(engines[e], states[e], seconds / PEER_ROUNDS)) < 0)
            return false;
        rest(pause_seconds);
    }
    for (int round = 0; round < PEER_ROUNDS; round++)
        for (size_t i = 0; i < count; i++) {
            size_t e = round % 2 ? count - 1 - i : i;
            if (!states[e])
                continue;
            rest(pause_seconds);
            if ((out_times[e].rounds[round] = block(engines[e], states[e], runs[e])) < 0)
                return false;
        }
    /* Threads that an engine starts while it prepares inherit this. */
    sched_setaffinity(0, sizeof everywhere, &everywhere);
    for (size_t e = 0; e < count; e++)
        if (states[e])
            summarise(&out_times[e]);
    return true;
}
