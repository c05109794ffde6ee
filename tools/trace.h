/* SPDX-License-Identifier: Apache-2.0 */
/* A Chrome trace (chrome://tracing, ui.perfetto.dev): a JSON array of complete events, one track for the host and one
   for each device. */
#ifndef LINNET_TOOLS_TRACE_H
#define LINNET_TOOLS_TRACE_H

#include "cli.h"

enum { TRACE_HOST = 1, TRACE_DEVICE = 2 }; /* tracks; further devices behind the first */

typedef struct trace trace;

/* Starts a file; the host's track has its name. */
int trace_open(const char *path, trace **out);
/* Something that took from start to end, seconds on CLOCK_MONOTONIC (text_now). category: "layer", "optimizer",
   "transfer", "program"; detail NULL: none. After a fixed number of events no more are written. t NULL: nothing. */
void trace_event(trace *t, int track, const char *name, const char *category, const char *detail, double start,
                 double end);
/* Names a track, once. */
void trace_name(trace *t, int track, const char *name);
/* Ends the file; NULL is fine. EXIT_GO_ON, or what could not be written is said. */
int trace_close(trace **t);

#endif
