/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The example backend (relu and linear), with an optimiser: it trains what other devices help it to run. What else it
 * lacks is up to LINNET_STUB_LACKS: "linear" or "backward" (of linear); LINNET_STUB_ALIGNMENT sets its alignment_bytes.
 */
#include <stdlib.h>

#define linnet_backend_query tiny_query
#include "tiny_backend.c"
#undef linnet_backend_query

LINNET_API const linnet_backend *linnet_backend_query(uint32_t host_abi, const linnet_host *host_table);

static linnet_status picky_candidate(linnet_backend_device *device, const linnet_layer_desc *desc, uint32_t index,
                                     linnet_candidate *out)
{
    const char *lacks = host->option("LINNET_STUB_LACKS");
    linnet_status status = candidate(device, desc, index, out);
    if (status == LINNET_OK && lacks && desc->kind == LINNET_LAYER_LINEAR &&
        (strcmp(lacks, "linear") == 0 || (strcmp(lacks, "backward") == 0 && desc->direction == LINNET_BACKWARD)))
        out->refusal = "told to refuse";
    return status;
}

static const linnet_layer_ops *picky_layer_ops(linnet_backend_device *device, uint32_t kind)
{
    static linnet_layer_ops ops;
    const linnet_layer_ops *tiny = layer_ops(device, kind);
    if (!tiny)
        return NULL;
    ops = *tiny;
    ops.candidate = picky_candidate;
    return &ops;
}

static linnet_status learns_info(uint32_t index, linnet_device_info *out)
{
    const char *alignment = host->option("LINNET_STUB_ALIGNMENT");
    linnet_status status = device_info(index, out);
    if (alignment)
        out->alignment_bytes = (uint32_t)strtoul(alignment, NULL, 10);
    return status;
}

/* SGD without weight decay is all that the tests need. */
static linnet_status optimizer_step(linnet_backend_queue *queue, const linnet_optimizer_desc *desc,
                                    linnet_view parameters, linnet_view gradients, const linnet_view *slots)
{
    float *p = at(parameters), *v = desc->momentum != 0 ? at(slots[0]) : NULL;
    const float *g = at(gradients);
    if (desc->kind != LINNET_OPTIMIZER_SGD || desc->weight_decay != 0 || desc->nesterov)
        return LINNET_UNSUPPORTED;
    for (uint64_t i = 0; i < desc->count; i++) {
        float step = g[i];
        if (v)
            step = v[i] = desc->momentum * v[i] + g[i];
        p[i] -= desc->learning_rate * step;
    }
    return LINNET_OK;
}

const linnet_backend *linnet_backend_query(uint32_t host_abi, const linnet_host *host_table)
{
    static linnet_backend backend;
    const linnet_backend *tiny = tiny_query(host_abi, host_table);
    if (!tiny)
        return NULL;
    backend = *tiny;
    backend.name = "learns";
    backend.device_info = learns_info;
    backend.layer_ops = picky_layer_ops;
    backend.optimizer_step = optimizer_step;
    return &backend;
}
