/* SPDX-License-Identifier: Apache-2.0 */
#include "trace.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_EVENTS = 200000, MOST_TRACKS = 16 };

struct trace {
    FILE *file;
    char *path;
    double origin; /* of the times: the first event */
    long events;
    bool named[MOST_TRACKS];
    bool failed;
};

static void write_object(trace *t, json_t *object)
{
    char *text = object ? json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(12)) : NULL;
    t->failed = t->failed || !text || fprintf(t->file, "%s\n%s", t->events++ ? "," : "[", text) < 0;
    free(text);
    json_decref(object);
}

int trace_open(const char *path, trace **out)
{
    trace *t = calloc(1, sizeof *t);
    *out = NULL;
    if (t)
        t->path = strdup(path);
    if (!t || !t->path) {
        free(t);
        return cli_fail(EXIT_NO_MEMORY, "no memory for a trace");
    }
    t->file = fopen(path, "we");
    if (!t->file) {
        free(t->path);
        free(t);
        return cli_fail(EXIT_FAILED, "%s: %s", path, strerror(errno));
    }
    *out = t;
    trace_name(t, TRACE_HOST, "host");
    return EXIT_GO_ON;
}

void trace_name(trace *t, int track, const char *name)
{
    if (!t || track >= MOST_TRACKS || t->named[track])
        return;
    t->named[track] = true;
    write_object(t, json_pack("{s:s,s:s,s:i,s:i,s:{s:s}}", "name", "thread_name", "ph", "M", "pid", 1, "tid", track,
                              "args", "name", name));
}

void trace_event(trace *t, int track, const char *name, const char *category, const char *detail, double start,
                 double end)
{
    if (!t || t->events >= MOST_EVENTS)
        return;
    t->origin = t->origin > 0 ? t->origin : start;
    json_t *object = json_pack("{s:s,s:s,s:s,s:i,s:i,s:f,s:f}", "name", name, "cat", category, "ph", "X", "pid", 1,
                               "tid", track, "ts", 1e6 * (start - t->origin), "dur", 1e6 * (end - start));
    if (object && detail && *detail)
        json_object_set_new(object, "args", json_pack("{s:s}", "what", detail));
    write_object(t, object);
}

int trace_close(trace **handle)
{
    trace *t = *handle;
    int code = EXIT_GO_ON;
    *handle = NULL;
    if (!t)
        return code;
    t->failed = fputs("\n]\n", t->file) < 0 || t->failed;
    t->failed = fclose(t->file) != 0 || t->failed;
    if (t->failed)
        code = cli_fail(EXIT_FAILED, "%s: could not be written", t->path);
    free(t->path);
    free(t);
    return code;
}
