/* SPDX-License-Identifier: Apache-2.0 */
/* `--profile` and `--trace` of linnet bench and linnet train: what a session's profile says, summed up by layer and
   direction, and written down as a trace. */
#ifndef LINNET_TOOLS_PROFILE_H
#define LINNET_TOOLS_PROFILE_H

#include "cli.h"
#include "trace.h"

/* "conv2d+relu winograd": what a step does, as a person would say it. */
void profile_describe(const linnet_step_info *info, char *out, size_t size);

typedef struct profile_row {
    char node[64], work[128], direction[12]; /* direction "": work of no layer */
    linnet_step_info info;                   /* of the last time */
    double seconds, multiply_adds, bytes;    /* sums */
    uint64_t count;
} profile_row;

typedef struct profile {
    linnet_session *session;
    trace *trace; /* NULL: none is written */
    profile_row *rows;
    size_t count, capacity;
    double wall;    /* seconds that the runs took */
    int64_t runs;   /* training steps, inferences */
    double started; /* profile_start; 0: not */
    bool failed;    /* for want of memory */
} profile;

/* From now on the session records. path NULL: no trace. The profile belongs to the caller, who closes it. */
int profile_open(profile *p, linnet_session *session, const char *path);
/* Around what is counted: so many runs in between. profile_stop waits for the device and takes what it did. */
void profile_start(profile *p);
int profile_stop(profile *p, int64_t runs);
/* Forgets what was done since the last stop. */
int profile_skip(profile *p);
/* A thing of the tool's own on the host's track. */
void profile_host(profile *p, const char *name, double start, double end);
/* The table, or JSON lines with this "name"; run: what a run is called. */
void profile_print(const profile *p, const char *name, const char *run);
/* Ends the trace and frees; a zero profile is fine. */
int profile_close(profile *p);

#endif
