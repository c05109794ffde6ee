/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Backends and devices: what is here, and opening one.
 *
 * Selection, one grammar everywhere (LINNET_BACKEND, --backend, linnet_device_open): name[:device], in any case, where
 * device is a number or part of the platform's, vendor's or device's name or version: "cpu", "opencl:1", "opencl:amd",
 * "opencl:pocl". Without a device, or where several match: the one with the best score. Only the named backend's plugin
 * is loaded: "cpu" never touches an OpenCL driver.
 *
 * Threads: a device may be shared between threads; sessions are not.
 */
#ifndef LINNET_DEVICE_H
#define LINNET_DEVICE_H

#include "backend.h"
#include "context.h"

LINNET_BEGIN_DECLS

typedef struct linnet_device linnet_device;

/* Opens a device. selection NULL: what LINNET_BACKEND says; when that is unset, the probed device with the best score.
   NULL on failure: linnet_context_message names what is there (LINNET_NO_DEVICE by linnet_context_last_status). */
LINNET_API linnet_device *linnet_device_open(linnet_context *context, const char *selection);
/* A device on objects that the caller has (linnet_native_objects; backend: "opencl"), so that networks run between the
   caller's own kernels and share their memory (linnet_session_bind, linnet_session_copy). LINNET_BACKEND has no say.

   Ownership: the objects stay the caller's. Linnet retains device, context and queue and lets go of them when the last
   hold on the device is dropped; the caller may release its own references at once. Nothing about them is changed.

   Order: sessions on the device work on the caller's queue. What the caller enqueued there before a call comes before
   what the call enqueues, what it enqueues afterwards comes after. linnet_forward, linnet_backward, optimiser steps and
   linnet_session_copy wait for nothing; linnet_session_read, _get, _finish and _free wait for the queue, the caller's
   commands in it included, and so does a forward that needs a larger arena than those before it, or (the first one)
   folds batch norms into weights. Without a queue each
   session makes its own; then the caller waits (linnet_session_finish) before it uses what Linnet wrote. Programs are
   built, and implementations compared with the reference at their first use (LINNET_CHECK), on queues apart.

   Threads: the device may be shared. Sessions on it that run in several threads enqueue on the one queue, each in its
   own order; the caller may enqueue at the same time.

   NULL on failure, and nothing is retained. By linnet_context_last_status: LINNET_INVALID: an object is missing, the
   device is not in the context, the queue is of another device or context; LINNET_UNSUPPORTED: the queue works out of
   order, the device cannot be worked with (older than OpenCL 1.2, no compiler), or the backend takes no objects;
   LINNET_NO_DEVICE: there is no such backend. What is no live object of the kind crashes the driver: nobody can tell.
 */
LINNET_API linnet_device *linnet_device_adopt(linnet_context *context, const char *backend,
                                              const linnet_native_objects *objects);
/* Drops the caller's hold; sessions made from the device keep theirs. Accepts NULL, clears the pointer. */
LINNET_API void linnet_device_close(linnet_device **device);

/* Both valid as long as the device is open. */
LINNET_API const linnet_device_info *linnet_device_get_info(const linnet_device *device);
LINNET_API const char *linnet_device_backend_name(const linnet_device *device);
/* "cpu: AMD EPYC" as shown to people. */
LINNET_API const char *linnet_device_label(const linnet_device *device);
/* Lines about the device ("name: value\n"...): what its backend says of its limits and of what was decided for it, and
   which implementations were compared with the reference at first use. Free with linnet_text_free. */
LINNET_API linnet_status linnet_device_describe(linnet_device *device, char **out_text);
/* Shares out jobs of so many tasks, each of which only takes so long, among the device's own threads, one job after the
   other, each waited for: for whoever wants to know what it costs to divide a layer's work (`linnet bench machine`).
   LINNET_UNSUPPORTED, without a message, from a device that has no threads of its own. */
LINNET_API linnet_status linnet_device_run_idle_jobs(linnet_device *device, uint32_t jobs, uint32_t tasks,
                                                     uint32_t nanoseconds);

/* ---- Memory for what is sent to a device again and again ---- */

/* Memory of the host, contents undefined, as good as any other for everything else. Where the device has memory of its
   own and its backend can, it is pinned (page-locked): linnet_forward sends a feed that lies there as it lies instead
   of copying it first, and linnet_session_read fetches to there directly. Behind work that is under way the backend
   opencl sends feeds of 256 KiB to 64 MiB so, beside the work, while it has places for them on the device; others it
   copies aside, as from any memory. Where there is no such thing, or no more of it, it is usual memory. bytes > 0.
   NULL: no memory at all (LINNET_OUT_OF_MEMORY), or an argument makes no sense (LINNET_INVALID).

   It keeps the device open until it is freed. Where a session opened a lost device anew (LINNET_DEVICE_LOST,
   session.h), what was pinned for the lost one stays memory and its contents stay, but for the new one it is memory
   like any other.

   Any thread may call both functions at any time, for one device, too. */
LINNET_API void *linnet_pinned_new(linnet_device *device, size_t bytes);
/* Of linnet_pinned_new alone; accepts NULL. No call that was given the memory is under way, and every reading to it has
   been waited for. Behind a linnet_forward that failed the driver may still read its feeds: they may be freed once
   linnet_session_finish has returned LINNET_OK. Of a device that was lost nobody can tell, whether or not the session
   opened it anew: what a forward that met the loss was fed with is kept until the process ends. In a fork's child
   nothing that is pinned is given back. */
LINNET_API void linnet_pinned_free(void *memory);

/* ---- What is here: one report per plugin file that was looked at, for `linnet devices` and `linnet doctor`. ---- */

typedef struct linnet_backend_report {
    const char *name;        /* from the file's name */
    const char *path;        /* the file */
    const char *description; /* "" when it did not load */
    linnet_status status;    /* LINNET_OK: loaded and probed */
    const char *reason;      /* why it was passed over, "" when OK */
    uint32_t device_count;   /* as probed */
    const char *diagnosis;   /* "name: value" lines from the plugin, "" when it has none */
} linnet_backend_report;

/* Loads and probes every plugin found (whatever LINNET_BACKEND says). Strings belong to the context. LINNET_END behind
   the last. */
LINNET_API linnet_status linnet_backend_report_at(linnet_context *context, uint32_t index,
                                                  linnet_backend_report *out_report);
/* Device device_index of report index. */
LINNET_API linnet_status linnet_backend_report_device(linnet_context *context, uint32_t index, uint32_t device_index,
                                                      linnet_device_info *out_info);
/* The folders that were searched, in order; NULL behind the last. */
LINNET_API const char *linnet_plugin_folder(linnet_context *context, uint32_t index);
/* Place number index where linnet-probe is looked for, the program that asks drivers for their devices before they are
   loaded into this process (LINNET_PROBE); the first one that can be run does it. A path goes to out_path, which has
   room for size bytes. LINNET_END behind the last. */
LINNET_API linnet_status linnet_probe_place(linnet_context *context, uint32_t index, char *out_path, size_t size);

LINNET_END_DECLS
#endif
