/* SPDX-License-Identifier: Apache-2.0 */
/* The opencl plugin's one symbol and its table. */
#include "nchw16c.h"

#include <string.h>

static const linnet_layer_ops *const layers[] = {
#define LINNET_LAYER(number, NAME, name, ...) [number] = &linnet_cl_##name##_ops,
#include "linnet/layers.def"
};

static const linnet_layer_ops *layer_ops(linnet_backend_device *device, uint32_t kind)
{
    (void)device;
    return kind < sizeof(layers) / sizeof(layers[0]) ? layers[kind] : NULL;
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
    .layer_ops = layer_ops,
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
    .optimizer_step = linnet_cl_optimizer_step,
    .live_objects = linnet_cl_live_objects,
    .diagnose = diagnose,
    .driver = linnet_cl_driver,
};

LINNET_API const linnet_backend *linnet_backend_query(uint32_t host_abi, const linnet_host *host);

const linnet_backend *linnet_backend_query(uint32_t host_abi, const linnet_host *host)
{
    if (host_abi >> 16 != LINNET_ABI_MAJOR || !LINNET_HAS(host, linnet_host, cache_directory))
        return NULL;
    linnet_cl_host = host;
    return &backend;
}
