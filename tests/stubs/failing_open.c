/* SPDX-License-Identifier: Apache-2.0 */
/* Its only device cannot be opened. */
#include "stub.h"

static const linnet_host *the_host;

static linnet_status no_open(uint32_t index, linnet_backend_device **out)
{
    (void)index;
    (void)out;
    the_host->set_error("the stub's device is busy");
    return LINNET_DEVICE_ERROR;
}

const linnet_backend *linnet_backend_query(uint32_t host_abi, const linnet_host *host)
{
    static linnet_backend backend;
    (void)host_abi;
    the_host = host;
    backend = stub_backend("failing_open");
    backend.open = no_open;
    return &backend;
}
