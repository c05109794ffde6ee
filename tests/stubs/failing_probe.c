/* SPDX-License-Identifier: Apache-2.0 */
/* Its driver refuses to say what is there. */
#include "stub.h"

static const linnet_host *the_host;

static linnet_status failing_probe(uint32_t *out_count)
{
    *out_count = 77; /* not to be believed */
    the_host->set_error("the stub's driver does not answer");
    return LINNET_DEVICE_ERROR;
}

const linnet_backend *linnet_backend_query(uint32_t host_abi, const linnet_host *host)
{
    static linnet_backend backend;
    (void)host_abi;
    the_host = host;
    backend = stub_backend("failing_probe");
    backend.probe = failing_probe;
    return &backend;
}
