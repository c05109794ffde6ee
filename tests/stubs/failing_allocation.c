/* SPDX-License-Identifier: Apache-2.0 */
/* A device without any memory left. */
#include "stub.h"

static const linnet_host *the_host;

static linnet_status no_buffer(linnet_backend_device *device, uint64_t bytes, linnet_backend_buffer **out)
{
    (void)device;
    (void)bytes;
    (void)out;
    the_host->set_error("the stub has no memory left");
    return LINNET_OUT_OF_MEMORY;
}

const linnet_backend *linnet_backend_query(uint32_t host_abi, const linnet_host *host)
{
    static linnet_backend backend;
    (void)host_abi;
    the_host = host;
    backend = stub_backend("failing_allocation");
    backend.buffer_new = no_buffer;
    return &backend;
}
