/* SPDX-License-Identifier: Apache-2.0 */
/* Has no version in common with the host. */
#include "stub.h"

const linnet_backend *linnet_backend_query(uint32_t host_abi, const linnet_host *host)
{
    (void)host_abi;
    (void)host;
    return (void)stub_backend, NULL;
}
