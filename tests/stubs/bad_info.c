/* SPDX-License-Identifier: Apache-2.0 */
/* Describes its device with nonsense: texts that never end, an alignment that is no power of two. */
#include "stub.h"

static linnet_status bad_info(uint32_t index, linnet_device_info *out)
{
    linnet_status status = stub_device_info(index, out);
    memset(out->name, 'x', sizeof out->name);
    memset(out->vendor, 'x', sizeof out->vendor);
    memset(out->platform, 'x', sizeof out->platform);
    memset(out->version, 'x', sizeof out->version);
    memset(out->cache_key, 'x', sizeof out->cache_key);
    out->alignment_bytes = 3;
    return status;
}

const linnet_backend *linnet_backend_query(uint32_t host_abi, const linnet_host *host)
{
    static linnet_backend backend;
    (void)host_abi;
    (void)host;
    backend = stub_backend("bad_info");
    backend.device_info = bad_info;
    return &backend;
}
