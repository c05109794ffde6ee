/* SPDX-License-Identifier: Apache-2.0 */
/* Its file name says major 9: it must be refused before its constructor runs. */
#include "stub.h"

static __attribute__((constructor)) void tell(void)
{
    setenv("LINNET_STUB_CONSTRUCTED", "yes", 1);
}

const linnet_backend *linnet_backend_query(uint32_t host_abi, const linnet_host *host)
{
    static linnet_backend backend;
    (void)host_abi;
    (void)host;
    backend = stub_backend("abi9");
    return &backend;
}
