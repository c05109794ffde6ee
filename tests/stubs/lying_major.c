/* SPDX-License-Identifier: Apache-2.0 */
/* Its file name says the host's major, the struct says 9. */
#include "stub.h"

const linnet_backend *linnet_backend_query(uint32_t host_abi, const linnet_host *host)
{
    static linnet_backend backend;
    (void)host_abi;
    (void)host;
    backend = stub_backend("lying_major");
    backend.abi = 9u << 16;
    return &backend;
}
