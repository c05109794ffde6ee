/* SPDX-License-Identifier: Apache-2.0 */
/* The opencl plugin's one symbol and its table. */
#include "nchw16c.h"

#include <string.h>

static const linnet_layer_ops *const layers[] = {
#define LINNET_LAYER(number, NAME, name, ...) [number] = &linnet_cl_##name##_ops,
#include "linnet/layers.def"
};

enum { KINDS = sizeof(layers) / sizeof(layers[0]) };
_Static_assert((int)KINDS <= (int)LINNET_CL_USUALLY, "a bit for every kind of layer");

static linnet_layer_ops wrapped[KINDS]; /* filled once, by linnet_backend_query */

/* A layer's own plan, its programs built as the device was told for this kind. */
static linnet_status plan(linnet_backend_device *device, const linnet_layer_desc *desc, const char *candidate,
                          linnet_backend_plan **out)
{
    linnet_cl_build_for(device, desc->kind);
    linnet_status status = layers[desc->kind]->plan(device, desc, candidate, out);
    linnet_cl_build_for(device, LINNET_CL_USUALLY);
    return status;
}

static void wrap_layers(void)
{
    for (int kind = 0; kind < KINDS; kind++)
        if (layers[kind]) {
            wrapped[kind] = *layers[kind];
            wrapped[kind].plan = plan;
        }
}

const linnet_layer_ops *linnet_cl_layer_ops(linnet_backend_device *device, uint32_t kind)
{
    (void)device;
    return kind < KINDS && layers[kind] ? &wrapped[kind] : NULL;
}

static void diagnose(char *out_text, size_t size)
{
    if (size == 0)
        return;
    out_text[0] = '\0';
    if (linnet_cl_fork_check() != LINNET_OK)
        return;
    size_t at = linnet_cl_platforms_describe(out_text, size);
    linnet_cl_cache_describe(out_text + at, size - at);
}

static const linnet_backend backend = {
    .struct_size = sizeof(linnet_backend),
    .abi = LINNET_ABI_VERSION,
    .name = "opencl",
    .description = "OpenCL 1.2 devices of any vendor, through the ICD loader",
    .probe = linnet_cl_probe,
    .device_info = linnet_cl_device_info,
    .open = linnet_cl_open,
    .close = linnet_cl_close,
    .layer_ops = linnet_cl_layer_ops,
    .buffer_new = linnet_cl_buffer_new,
    .buffer_free = linnet_cl_buffer_free,
    .queue_new = linnet_cl_queue_new,
    .queue_free = linnet_cl_queue_free,
    .upload = linnet_cl_upload,
    .read = linnet_cl_read,
    .copy = linnet_cl_copy,
    .fill = linnet_cl_fill,
    .finish = linnet_cl_finish,
    .flush = linnet_cl_flush,
    .mark = linnet_cl_mark,
    .event_wait = linnet_cl_event_wait,
    .event_time = linnet_cl_event_time,
    .event_free = linnet_cl_event_free,
    .format_bytes = linnet_cl_format_bytes,
    .convert = linnet_cl_convert,
    .format_name = linnet_cl_format_name,
    .format_is_exact = linnet_cl_format_is_exact,
    .format_slice = linnet_cl_format_slice,
    .optimizer_step = linnet_cl_optimizer_step,
    .live_objects = linnet_cl_live_objects,
    .diagnose = diagnose,
    .driver = linnet_cl_driver,
    .set_plain = linnet_cl_set_plain,
    .adopt = linnet_cl_adopt,
    .buffer_wrap = linnet_cl_buffer_wrap,
    .command_count = linnet_cl_command_count,
    .command = linnet_cl_command,
    .forget_commands = linnet_cl_commands_forget,
    .describe = linnet_cl_describe,
    .prepare = linnet_cl_prepare,
    .kernels = linnet_cl_kernels,
    .prefer = linnet_cl_prefer,
    .pinned_new = linnet_cl_pinned_new,
    .pinned_free = linnet_cl_pinned_free,
};

LINNET_API const linnet_backend *linnet_backend_query(uint32_t host_abi, const linnet_host *host);

const linnet_backend *linnet_backend_query(uint32_t host_abi, const linnet_host *host)
{
    if (host_abi >> 16 != LINNET_ABI_MAJOR || !LINNET_HAS(host, linnet_host, cache_failed))
        return NULL;
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    linnet_cl_host = host;
    pthread_once(&once, wrap_layers);
    return &backend;
}
