/* SPDX-License-Identifier: Apache-2.0 */
/* A whole backend: relu and linear, forward and backward, in host memory. backends/skeleton/README.md explains it. */
#include "linnet/backend.h"

#include <stdbool.h>
#include <string.h>
#pragma GCC diagnostic ignored "-Wunused-parameter" /* there is only one device, and nothing to ask its queue */

static const linnet_host *host;

/* ---- Device and queue have no state, a buffer is the memory itself, and all work is done at once. ---- */

static void *at(linnet_view view)
{
    return view.buffer ? (char *)view.buffer + view.offset : NULL;
}

static linnet_status probe(uint32_t *out_count)
{
    *out_count = 1;
    return LINNET_OK;
}

static linnet_status device_info(uint32_t index, linnet_device_info *out)
{
    out->type = LINNET_DEVICE_CPU;
    out->score = 1; /* behind every real device */
    out->alignment_bytes = 64;
    out->memory_bytes = out->max_buffer_bytes = 1u << 30;
    memcpy(out->name, "tiny", sizeof "tiny");
    memcpy(out->cache_key, "tiny", sizeof "tiny");
    return LINNET_OK;
}

static linnet_status device_open(uint32_t index, linnet_backend_device **out)
{
    *out = (void *)&host;
    return LINNET_OK;
}

static void device_close(linnet_backend_device *device) {}

static linnet_status buffer_new(linnet_backend_device *device, uint64_t bytes, linnet_backend_buffer **out)
{
    *out = host->allocate(bytes);
    return *out ? LINNET_OK : LINNET_OUT_OF_MEMORY;
}

static void buffer_free(linnet_backend_buffer *buffer)
{
    host->release(buffer);
}

static linnet_status queue_new(linnet_backend_device *device, uint32_t flags, linnet_backend_queue **out)
{
    *out = (void *)&host;
    return LINNET_OK;
}

static void queue_free(linnet_backend_queue *queue) {}

static linnet_status upload(linnet_backend_queue *queue, linnet_view destination, const void *source, uint64_t bytes,
                            linnet_backend_event **out_event)
{
    memcpy(at(destination), source, bytes);
    return LINNET_OK;
}

static linnet_status download(linnet_backend_queue *queue, linnet_view source, void *destination, uint64_t bytes,
                              linnet_backend_event **out_event)
{
    memcpy(destination, at(source), bytes);
    return LINNET_OK;
}

static linnet_status copy(linnet_backend_queue *queue, linnet_view destination, linnet_view source, uint64_t bytes)
{
    return upload(queue, destination, at(source), bytes, NULL);
}

static linnet_status fill(linnet_backend_queue *queue, linnet_view destination, uint32_t pattern, uint64_t bytes)
{
    for (uint64_t i = 0; i < bytes; i += sizeof pattern)
        memcpy((char *)at(destination) + i, &pattern, sizeof pattern);
    return LINNET_OK;
}

static linnet_status finish(linnet_backend_queue *queue)
{
    return LINNET_OK;
}

/* ---- Layers. The desc is gone when run is called: the plan keeps what run needs. ---- */

struct linnet_backend_plan {
    linnet_layer_desc desc; /* without what it points to */
    linnet_tensor_desc x, y;
};

static linnet_status candidate(linnet_backend_device *device, const linnet_layer_desc *desc, uint32_t index,
                               linnet_candidate *out)
{
    bool linear = desc->kind == LINNET_LAYER_LINEAR, backward = desc->direction == LINNET_BACKWARD;
    const linnet_unary_attributes *unary = desc->attributes;
    if (index > 0)
        return LINNET_END;
    out->name = "plain";
    out->numerics = LINNET_NUMERICS_DIRECT;
    if (desc->inputs[0].type != LINNET_F32 || !linnet_desc_is_dense(&desc->inputs[0]) ||
        !linnet_desc_is_dense(&desc->outputs[0]) || desc->epilogue_count || (!linear && unary->op != LINNET_UNARY_RELU))
        out->refusal = "only relu and linear, dense f32, no epilogue";
    out->reads_inputs = out->reads_parameters = backward && linear;
    out->reads_outputs = backward && !linear;
    return LINNET_OK;
}

static linnet_status plan(linnet_backend_device *device, const linnet_layer_desc *desc, const char *name,
                          linnet_backend_plan **out)
{
    if (!(*out = host->allocate(sizeof **out)))
        return LINNET_OUT_OF_MEMORY;
    **out = (linnet_backend_plan){*desc, desc->inputs[0], desc->outputs[0]};
    return LINNET_OK;
}

static void plan_free(linnet_backend_plan *p)
{
    host->release(p);
}

static void relu(const linnet_backend_plan *p, const linnet_layer_args *args)
{
    bool forward = p->desc.direction == LINNET_FORWARD;
    const float *x = at(args->inputs[0]), *dy = forward ? NULL : at(args->output_gradients[0]);
    float *y = at(args->outputs[0]), *dx = forward ? NULL : at(args->input_gradients[0]);
    for (int64_t i = 0; i < linnet_desc_count(&p->x); i++)
        if (forward)
            y[i] = x[i] <= 0 ? 0 : x[i];
        else
            dx[i] = (args->accumulate_inputs ? dx[i] : 0) + (y[i] > 0 ? dy[i] : 0);
}

/* c [m,n] = sum over k of a[i ai + k ak] b[j bj + k bk], on top of bias [n] or 0 or what c holds; c NULL: nothing. */
static void multiply(float *c, int64_t m, int64_t n, int64_t depth, const float *a, int64_t ai, int64_t ak,
                     const float *b, int64_t bj, int64_t bk, const float *bias, bool accumulate)
{
    for (int64_t i = 0; c && i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            float sum = accumulate ? c[i * n + j] : bias ? bias[j] : 0;
            for (int64_t k = 0; k < depth; k++)
                sum += a[i * ai + k * ak] * b[j * bj + k * bk];
            c[i * n + j] = sum;
        }
}

static void linear(const linnet_backend_plan *p, const linnet_layer_args *args)
{
    const int64_t n = p->y.dims[0], o = p->y.dims[1], i = linnet_desc_count(&p->x) / n;
    const float *x = at(args->inputs[0]), *weight = at(args->parameters[0]), one = 1;
    bool biased = p->desc.parameter_count > LINNET_LINEAR_BIAS;
    if (p->desc.direction == LINNET_FORWARD) {
        multiply(at(args->outputs[0]), n, o, i, x, i, 1, weight, i, 1, biased ? at(args->parameters[1]) : NULL, false);
        return;
    }
    const float *dy = at(args->output_gradients[0]);
    const linnet_view *gradients = args->parameter_gradients;
    multiply(at(args->input_gradients[0]), n, i, o, dy, o, 1, weight, 1, i, NULL, args->accumulate_inputs);
    multiply(at(gradients[0]), o, i, n, dy, 1, o, x, 1, i, NULL, args->accumulate_parameters & 1);
    if (biased)
        multiply(at(gradients[1]), o, 1, n, dy, 1, o, &one, 0, 0, NULL, args->accumulate_parameters & 2);
}

static linnet_status run(linnet_backend_plan *p, linnet_backend_queue *queue, const linnet_layer_args *args)
{
    (p->desc.kind == LINNET_LAYER_LINEAR ? linear : relu)(p, args);
    return LINNET_OK;
}

static const linnet_layer_ops *layer_ops(linnet_backend_device *device, uint32_t kind)
{
    static const linnet_layer_ops ops = {sizeof ops, 0, candidate, plan, plan_free, run};
    return kind == LINNET_LAYER_LINEAR || kind == LINNET_LAYER_UNARY ? &ops : NULL;
}

/* The one symbol that a plugin exports. */
const linnet_backend *linnet_backend_query(uint32_t host_abi, const linnet_host *given)
{
    /* clang-format off */
    static const linnet_backend backend = {
        .struct_size = sizeof backend, .abi = LINNET_ABI_VERSION, .name = "tiny", .description = "relu and linear",
        .probe = probe, .device_info = device_info, .open = device_open, .close = device_close, .layer_ops = layer_ops,
        .buffer_new = buffer_new, .buffer_free = buffer_free, .queue_new = queue_new, .queue_free = queue_free,
        .upload = upload, .read = download, .copy = copy, .fill = fill, .finish = finish};
    /* clang-format on */
    host = given;
    return host_abi >> 16 == LINNET_ABI_MAJOR ? &backend : NULL;
}
