/* SPDX-License-Identifier: Apache-2.0 */
/* One device, always there: this machine's memory and one of its processors. */
#include "reference.h"

#include <stdio.h>
#include <unistd.h>

struct linnet_backend_device {
    uint32_t index;
};

linnet_status reference_probe(uint32_t *out_count)
{
    *out_count = 1;
    return LINNET_OK;
}

linnet_status reference_device_info(uint32_t index, linnet_device_info *out)
{
    if (index != 0)
        return reference_fail(LINNET_NO_DEVICE, "reference: there is only device 0");
    long pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
    out->type = LINNET_DEVICE_CPU;
    out->score = 0;
    out->capabilities = LINNET_CAPABILITY_HOST_VISIBLE | LINNET_CAPABILITY_TIMESTAMPS;
    out->memory_bytes = pages > 0 && page_bytes > 0 ? (uint64_t)pages * (uint64_t)page_bytes : 0;
    out->max_buffer_bytes = out->memory_bytes;
    out->alignment_bytes = 64;
    out->compute_units = 1;
    snprintf(out->name, sizeof out->name, "plain C");
    snprintf(out->vendor, sizeof out->vendor, "Linnet");
    out->platform[0] = '\0';
    snprintf(out->version, sizeof out->version, "abi %d.%d", LINNET_ABI_MAJOR, LINNET_ABI_MINOR);
    snprintf(out->cache_key, sizeof out->cache_key, "reference");
    return LINNET_OK;
}

linnet_status reference_open(uint32_t index, linnet_backend_device **out)
{
    if (index != 0)
        return reference_fail(LINNET_NO_DEVICE, "reference: there is only device 0");
    *out = reference_object_new(sizeof **out);
    return *out ? LINNET_OK : LINNET_OUT_OF_MEMORY;
}

void reference_close(linnet_backend_device *device)
{
    reference_object_free(device);
}

linnet_status reference_buffer_new(linnet_backend_device *device, uint64_t bytes, linnet_backend_buffer **out)
{
    (void)device;
    if (bytes == 0 || bytes > SIZE_MAX)
        return reference_fail(LINNET_INVALID, "reference: a buffer of this size is impossible");
    linnet_backend_buffer *buffer = reference_object_new(sizeof *buffer);
    if (!buffer)
        return LINNET_OUT_OF_MEMORY;
    buffer->bytes = bytes;
    buffer->data = reference_host->allocate((size_t)bytes);
    if (!buffer->data) {
        reference_object_free(buffer);
        return reference_fail(LINNET_OUT_OF_MEMORY, "reference: out of memory");
    }
    *out = buffer;
    return LINNET_OK;
}

void reference_buffer_free(linnet_backend_buffer *buffer)
{
    if (!buffer)
        return;
    reference_host->release(buffer->data);
    reference_object_free(buffer);
}

void *reference_host_pointer(linnet_backend_buffer *buffer)
{
    return buffer->data;
}
