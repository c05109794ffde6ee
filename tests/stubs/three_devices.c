/* SPDX-License-Identifier: Apache-2.0 */
/* Three devices with telling names, for the selection grammar. */
#include "stub.h"

static linnet_status three(uint32_t *out_count)
{
    *out_count = 3;
    return LINNET_OK;
}

static linnet_status three_info(uint32_t index, linnet_device_info *out)
{
    static const char *const names[] = {"Turtle 10", "Hare 20", "Hare 30"};
    static const char *const vendors[] = {"Slow and Steady", "Quick Brothers", "Quick Brothers"};
    linnet_status status = stub_device_info(index, out);
    snprintf(out->name, sizeof out->name, "%s", names[index]);
    snprintf(out->vendor, sizeof out->vendor, "%s", vendors[index]);
    out->score = index == 1 ? -10 : -20;
    return status;
}

const linnet_backend *linnet_backend_query(uint32_t host_abi, const linnet_host *host)
{
    static linnet_backend backend;
    (void)host_abi;
    (void)host;
    backend = stub_backend("three_devices");
    backend.probe = three;
    backend.device_info = three_info;
    return &backend;
}
