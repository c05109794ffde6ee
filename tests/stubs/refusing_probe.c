/* SPDX-License-Identifier: Apache-2.0 */
/* A variable of its own makes no sense. */
#include "stub.h"

static const linnet_host *the_host;

static linnet_status refusing_probe(uint32_t *out_count)
{
    *out_count = 0;
    the_host->set_error("LINNET_STUB_OPTION=never makes no sense");
    return LINNET_INVALID;
}

const linnet_backend *linnet_backend_query(uint32_t host_abi, const linnet_host *host)
{
    static linnet_backend backend;
    (void)host_abi;
    the_host = host;
    backend = stub_backend("refusing_probe");
    backend.probe = refusing_probe;
    return &backend;
}
