/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The example backend (relu and linear), as if a driver had compiled it: linear has two implementations, and what
 * LINNET_STUB_WRONG names is off: "first"; "second"; "all", unless built plainly; "ever", all of them, however built; "wide", all
 * with more than 8 outputs, unless built plainly. With LINNET_STUB_KERNELS these have a kernel of their own, wide,
 * which others take, too, where that is preferred; LINNET_STUB_KERNELS=stubborn: nothing is preferred.
 */
#define linnet_backend_query tiny_query
#include "tiny_backend.c"
#include <stdio.h>
#undef linnet_backend_query

LINNET_API const linnet_backend *linnet_backend_query(uint32_t host_abi, const linnet_host *host_table);

static uint32_t plain_kinds;
static bool prefers_wide;

static void prefer(linnet_backend_device *device, const char *names)
{
    const char *kernels = host->option("LINNET_STUB_KERNELS");
    (void)device;
    prefers_wide = names && kernels && strcmp(names, "wide") == 0 && strcmp(kernels, "stubborn") != 0;
}

static linnet_status two_candidates(linnet_backend_device *device, const linnet_layer_desc *desc, uint32_t index,
                                    linnet_candidate *out)
{
    if (desc->kind != LINNET_LAYER_LINEAR)
        return candidate(device, desc, index, out);
    if (index > 1)
        return LINNET_END;
    linnet_status status = candidate(device, desc, 0, out);
    out->name = index ? "second" : "first";
    return status;
}

/* Keeps the name where the desc of a forward has room for one. */
static linnet_status named_plan(linnet_backend_device *device, const linnet_layer_desc *desc, const char *name,
                                linnet_backend_plan **out)
{
    linnet_status status = plan(device, desc, name, out);
    if (status == LINNET_OK && desc->direction == LINNET_FORWARD)
        (*out)->desc.forward = strcmp(name, "first") == 0 ? "first" : "second";
    return status;
}

static bool is_wide(const linnet_layer_desc *desc)
{
    return prefers_wide || desc->outputs[0].dims[1] > 8;
}

static linnet_status kernels(linnet_backend_device *device, const linnet_layer_desc *desc, const char *name, char *out,
                             size_t size)
{
    (void)device;
    (void)name;
    snprintf(out, size, "%s", !host->option("LINNET_STUB_KERNELS") ? "" : is_wide(desc) ? "wide" : "narrow");
    return LINNET_OK;
}

static bool is_off(const linnet_backend_plan *p)
{
    const char *wrong = host->option("LINNET_STUB_WRONG");
    if (!wrong || p->desc.kind != LINNET_LAYER_LINEAR || p->desc.direction != LINNET_FORWARD)
        return false;
    if (strcmp(wrong, "wide") == 0 && !prefers_wide && p->y.dims[1] <= 8)
        return false;
    if (strcmp(wrong, "first") == 0)
        return strcmp(p->desc.forward, "first") == 0;
    if (strcmp(wrong, "second") == 0)
        return strcmp(p->desc.forward, "first") != 0;
    return strcmp(wrong, "ever") == 0 || !(plain_kinds >> p->desc.kind & 1);
}

static linnet_status unsteady_run(linnet_backend_plan *p, linnet_backend_queue *queue, const linnet_layer_args *args)
{
    linnet_status status = run(p, queue, args);
    if (is_off(p))
        *(float *)at(args->outputs[0]) += 0.5f;
    return status;
}

static const linnet_layer_ops *unsteady_layer_ops(linnet_backend_device *device, uint32_t kind)
{
    static const linnet_layer_ops ops = {sizeof ops, 0, two_candidates, named_plan, plan_free, unsteady_run};
    return layer_ops(device, kind) ? &ops : NULL;
}

static linnet_status unsteady_info(uint32_t index, linnet_device_info *out)
{
    linnet_status status = device_info(index, out);
    out->capabilities |= LINNET_CAPABILITY_COMPILED_HERE;
    memcpy(out->name, "unsteady", sizeof "unsteady");
    return status;
}

static linnet_status unsteady_open(uint32_t index, linnet_backend_device **out)
{
    plain_kinds = 0;
    return device_open(index, out);
}

static linnet_status set_plain(linnet_backend_device *device, uint32_t kind)
{
    plain_kinds |= 1u << kind;
    return LINNET_OK;
}

const linnet_backend *linnet_backend_query(uint32_t host_abi, const linnet_host *host_table)
{
    static linnet_backend backend;
    const linnet_backend *tiny = tiny_query(host_abi, host_table);
    if (!tiny)
        return NULL;
    backend = *tiny;
    backend.name = "unsteady";
    backend.device_info = unsteady_info;
    backend.open = unsteady_open;
    backend.layer_ops = unsteady_layer_ops;
    backend.set_plain = set_plain;
    backend.kernels = kernels;
    backend.prefer = prefer;
    return &backend;
}
