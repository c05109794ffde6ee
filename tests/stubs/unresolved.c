/* SPDX-License-Identifier: Apache-2.0 */
/* Needs a symbol that nobody has. */
#include "stub.h"

extern int linnet_stub_symbol_that_nobody_has(void);

const linnet_backend *linnet_backend_query(uint32_t host_abi, const linnet_host *host)
{
    static linnet_backend backend;
    (void)host_abi;
    (void)host;
    backend = stub_backend("unresolved");
    backend.abi += (uint32_t)linnet_stub_symbol_that_nobody_has();
    return &backend;
}
