/* SPDX-License-Identifier: Apache-2.0 */
/* Calls itself something else than its file does. */
#include "stub.h"

const linnet_backend *linnet_backend_query(uint32_t host_abi, const linnet_host *host)
{
    static linnet_backend backend;
    (void)host_abi;
    (void)host;
    backend = stub_backend("somebody_else");
    return &backend;
}
