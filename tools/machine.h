/* SPDX-License-Identifier: Apache-2.0 */
/* What this machine's processor can do at most, measured with loops of its own: what layers are held against. */
#ifndef LINNET_TOOLS_MACHINE_H
#define LINNET_TOOLS_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An instruction set: loops that keep its multipliers, or its loads, busy. */
typedef struct machine_set {
    const char *name;
    /* rounds times multiply-adds on registers; *out_sink depends on all of them. Operations (two a multiply-add). */
    double (*multiply_add)(int64_t rounds, float *out_sink);
    /* Adds up count floats (a multiple of 256, 64-byte aligned). */
    float (*read)(const float *x, size_t count);
    /* a = b + factor * c, as STREAM's triad. */
    void (*triad)(float *a, const float *b, const float *c, float factor, size_t count);
} machine_set;

/* Those that this processor has, best first; NULL behind the last. */
const machine_set *machine_set_at(size_t index);

/* Bytes of a cache of level 1 to 3, 0: unknown or not there. */
size_t machine_cache_bytes(int level);

typedef struct machine_rate {
    double median, best; /* a second: operations, or bytes; 0: it could not be measured */
} machine_rate;

/* Of threads working at once, together. 0.1 to 0.3 seconds each. */
machine_rate machine_multiply_adds(const machine_set *set, uint32_t threads);
/* Every thread reads bytes of its own again and again. */
machine_rate machine_read(const machine_set *set, uint32_t threads, size_t bytes);
/* Every thread has three arrays of its own, bytes together; the two that are read and the one that is written count. */
machine_rate machine_triad(const machine_set *set, uint32_t threads, size_t bytes);

/* Larger than any cache of the machine, for each thread. */
size_t machine_memory_bytes(uint32_t threads);

/* The two that layers are held against, with the best instruction set: measured at the first call for a number of
   threads, kept until the program ends. 0: could not be measured. */
double machine_peak(uint32_t threads);      /* floating point operations a second */
double machine_bandwidth(uint32_t threads); /* bytes a second, the triad's */

#endif
