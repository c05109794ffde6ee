/* SPDX-License-Identifier: Apache-2.0 */
/* Built against a later minor: more slots behind the ones the host knows. It works. */
#include "stub.h"

const linnet_backend *linnet_backend_query(uint32_t host_abi, const linnet_host *host)
{
    static struct {
        linnet_backend known;
        void (*later_slots[8])(void);
    } backend;
    (void)host_abi;
    (void)host;
    backend.known = stub_backend("newer_minor");
    backend.known.struct_size = sizeof backend;
    backend.known.abi = LINNET_ABI_VERSION + 7;
    return &backend.known;
}
