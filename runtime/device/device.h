/* SPDX-License-Identifier: Apache-2.0 */
/* An open device as the rest of the runtime sees it. Internal. */
#ifndef LINNET_DEVICE_INTERNAL_H
#define LINNET_DEVICE_INTERNAL_H

#include "linnet/device.h"

struct linnet_device {
    linnet_context *context;
    const linnet_backend *backend; /* full-sized table; optional slots may be NULL */
    linnet_backend_device *handle;
    linnet_device_info info;
    uint32_t index; /* among the backend's devices */
    int references; /* atomic */
    char label[288];
    struct linnet_tuned *tuned;   /* measured costs; NULL until someone asks: tuner.h */
    struct linnet_trust *trust;   /* what was checked on it; NULL until someone asks: verify/trust.h */
    struct linnet_pinned *pinned; /* memory page-locked for it: pinned.c */
    const char *plugin_path;      /* the file; belongs to the context */
};

/* One more hold on an open device; returns it. */
linnet_device *linnet_device_retain(linnet_device *device);

/* Opens device number index of a backend by name; NULL with a sentence. */
linnet_device *linnet_device_open_at(linnet_context *context, const char *backend, uint32_t index);

/* Turns a plugin's status into ours: OK passes; else the message is "<backend>: <what>: <what the plugin said>". */
linnet_status linnet_device_check(linnet_context *context, const linnet_device *device, linnet_status status,
                                  const char *what);

/* Bytes. */
uint64_t linnet_device_largest_buffer(const linnet_device *device);
/* The first offset from this one on at which a tensor may begin. */
uint64_t linnet_device_align(const linnet_device *device, uint64_t offset);

/* Every other usable device, best score first, for the nodes that `device` lacks: writes up to capacity (backend name,
   index) pairs and returns how many. Backend names belong to the context. */
typedef struct linnet_device_choice {
    const char *backend;
    uint32_t index;
    int32_t score;
} linnet_device_choice;
size_t linnet_device_alternatives(linnet_context *context, linnet_device_choice *out, size_t capacity);

#endif
