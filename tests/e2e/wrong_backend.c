/* SPDX-License-Identifier: Apache-2.0 */
/* The example backend (relu and linear), whose linear is a little off: what `linnet selftest` is there to find. */
#define linnet_backend_query tiny_query
#include "../stubs/tiny_backend.c"
#undef linnet_backend_query

LINNET_API const linnet_backend *linnet_backend_query(uint32_t host_abi, const linnet_host *host_table);

static linnet_status wrong_run(linnet_backend_plan *p, linnet_backend_queue *queue, const linnet_layer_args *args)
{
    linnet_status status = run(p, queue, args);
    if (status == LINNET_OK && p->desc.kind == LINNET_LAYER_LINEAR && p->desc.direction == LINNET_FORWARD)
        *(float *)at(args->outputs[0]) += 0.5f;
    return status;
}

static const linnet_layer_ops *wrong_layer_ops(linnet_backend_device *device, uint32_t kind)
{
    static linnet_layer_ops ops;
    const linnet_layer_ops *tiny = layer_ops(device, kind);
    if (!tiny)
        return NULL;
    ops = *tiny;
    ops.run = wrong_run;
    return &ops;
}

const linnet_backend *linnet_backend_query(uint32_t host_abi, const linnet_host *host_table)
{
    static linnet_backend backend;
    const linnet_backend *tiny = tiny_query(host_abi, host_table);
    if (!tiny)
        return NULL;
    backend = *tiny;
    backend.name = "wrong";
    backend.layer_ops = wrong_layer_ops;
    return &backend;
}
