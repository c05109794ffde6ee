/* SPDX-License-Identifier: Apache-2.0 */
/* Works, and finds no device: a normal answer. */
#include "stub.h"

static linnet_status no_device(uint32_t *out_count)
{
    *out_count = 0;
    return LINNET_OK;
}

const linnet_backend *linnet_backend_query(uint32_t host_abi, const linnet_host *host)
{
    static linnet_backend backend;
    (void)host_abi;
    (void)host;
    backend = stub_backend("no_device");
    backend.probe = no_device;
    return &backend;
}
