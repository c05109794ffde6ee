/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The example backend (relu and linear) with estimates that are wrong: what is said to be cheap takes long. Linear has
 *
 *     hasty    estimated  10   takes 400
 *     steady   estimated  20   takes 100
 *     packed   estimated  30   takes  20, but in a format of its own, to which conversions take a thousand
 *
 * and relu one implementation, estimated a million, which takes next to nothing. LINNET_STUB_RIVALS: relu has a second
 * one, like the first. Microseconds.
 */
#include <stdlib.h>
#include <time.h>

#define linnet_backend_query tiny_query
#include "tiny_backend.c"
#undef linnet_backend_query

LINNET_API const linnet_backend *linnet_backend_query(uint32_t host_abi, const linnet_host *host_table);

enum { PACKED = LINNET_FORMAT_PRIVATE, CONVERSION = 1000 };

static const struct way {
    const char *name;
    float estimated;
    int takes;
} ways[] = {{"hasty", 10, 400}, {"steady", 20, 100}, {"packed", 30, 20}};

static void wait_for(int microseconds)
{
    struct timespec start, now;
    clock_gettime(CLOCK_MONOTONIC, &start);
    do
        clock_gettime(CLOCK_MONOTONIC, &now);
    while ((now.tv_sec - start.tv_sec) * 1000000 + (now.tv_nsec - start.tv_nsec) / 1000 < microseconds);
}

/* As the example backend's candidate, whatever the formats. */
static linnet_status ask(linnet_backend_device *device, const linnet_layer_desc *desc, linnet_candidate *out)
{
    linnet_layer_desc dense = *desc;
    linnet_tensor_desc input = desc->inputs[0], output = desc->outputs[0];
    input.format = output.format = LINNET_FORMAT_NCHW;
    dense.inputs = &input;
    dense.outputs = &output;
    return candidate(device, &dense, 0, out);
}

static linnet_status estimated_candidate(linnet_backend_device *device, const linnet_layer_desc *desc, uint32_t index,
                                         linnet_candidate *out)
{
    static const char *const relus[] = {"plain", "other"};
    bool linear = desc->kind == LINNET_LAYER_LINEAR;
    if (index >= (linear ? sizeof ways / sizeof ways[0] : host->option("LINNET_STUB_RIVALS") ? 2 : 1))
        return LINNET_END;
    linnet_status status = ask(device, desc, out);
    out->name = linear ? ways[index].name : relus[index];
    out->cost = linear ? ways[index].estimated : 1e6f;
    out->input_formats[0] = out->output_formats[0] = linear && index == 2 ? (uint32_t)PACKED : LINNET_FORMAT_NCHW;
    return status;
}

/* Keeps what it takes where the desc has room for a number. */
static linnet_status timed_plan(linnet_backend_device *device, const linnet_layer_desc *desc, const char *name,
                                linnet_backend_plan **out)
{
    linnet_status status = plan(device, desc, name, out);
    for (size_t i = 0; status == LINNET_OK && i < sizeof ways / sizeof ways[0]; i++)
        if (strcmp(name, ways[i].name) == 0)
            (*out)->desc.struct_size = (uint32_t)ways[i].takes;
    if (status == LINNET_OK && desc->kind != LINNET_LAYER_LINEAR)
        (*out)->desc.struct_size = 0;
    return status;
}

static linnet_status timed_run(linnet_backend_plan *p, linnet_backend_queue *queue, const linnet_layer_args *args)
{
    wait_for((int)p->desc.struct_size);
    return run(p, queue, args);
}

static const linnet_layer_ops *timed_layer_ops(linnet_backend_device *device, uint32_t kind)
{
    static const linnet_layer_ops ops = {sizeof ops, 0, estimated_candidate, timed_plan, plan_free, timed_run};
    return layer_ops(device, kind) ? &ops : NULL;
}

/* Elements lie in the format of its own as in any other. */
static linnet_status format_bytes(linnet_backend_device *device, const linnet_tensor_desc *desc, uint64_t *out_bytes)
{
    *out_bytes = (uint64_t)linnet_desc_count(desc) * sizeof(float);
    return desc->format == PACKED ? LINNET_OK : LINNET_UNSUPPORTED;
}

static linnet_status convert(linnet_backend_queue *queue, const linnet_tensor_desc *destination_desc,
                             linnet_view destination, const linnet_tensor_desc *source_desc, linnet_view source)
{
    wait_for(CONVERSION);
    return copy(queue, destination, source, (uint64_t)linnet_desc_count(source_desc) * sizeof(float));
}

static const char *format_name(uint32_t format)
{
    return format == PACKED ? "packed" : NULL;
}

static linnet_status named_info(uint32_t index, linnet_device_info *out)
{
    linnet_status status = device_info(index, out);
    memcpy(out->name, "estimates", sizeof "estimates");
    memcpy(out->cache_key, "estimates", sizeof "estimates");
    return status;
}

const linnet_backend *linnet_backend_query(uint32_t host_abi, const linnet_host *host_table)
{
    static linnet_backend backend;
    const linnet_backend *tiny = tiny_query(host_abi, host_table);
    if (!tiny)
        return NULL;
    backend = *tiny;
    backend.name = "estimates";
    backend.device_info = named_info;
    backend.layer_ops = timed_layer_ops;
    backend.format_bytes = format_bytes;
    backend.convert = convert;
    backend.format_name = format_name;
    return &backend;
}
