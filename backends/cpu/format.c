/* SPDX-License-Identifier: Apache-2.0 */
/* nchw16n: sizes, conversion, and what a layer asks for. */
#include "cpu.h"
#include "kernels/kernels.h"

int64_t cpu_dims(const linnet_tensor_desc *desc, uint32_t first, uint32_t last)
{
    int64_t product = 1;
    for (uint32_t i = first; i < last && i < desc->rank; i++)
        product *= desc->dims[i];
    return product;
}

bool cpu_can_block(const linnet_tensor_desc *desc)
{
    return desc->type == LINNET_F32 && desc->rank >= 2;
}

cpu_extent cpu_extent_of(const linnet_tensor_desc *desc)
{
    int64_t items = desc->rank > 0 ? desc->dims[0] : 1, item = cpu_dims(desc, 1, desc->rank);
    if (!cpu_is_blocked(desc))
        return (cpu_extent){.items = items,
                            .item = item,
                            .stride = desc->outer_stride ? desc->outer_stride : item,
                            .lanes = 1,
                            .tail = 1};
    int64_t blocks = cpu_ceil(items, CPU_LANES);
    return (cpu_extent){.items = blocks,
                        .item = item * CPU_LANES,
                        .stride = item * CPU_LANES,
                        .lanes = CPU_LANES,
                        .tail = items - (blocks - 1) * CPU_LANES};
}

linnet_status cpu_format_bytes(linnet_backend_device *device, const linnet_tensor_desc *desc, uint64_t *out_bytes)
{
    (void)device;
    if (desc->format == CPU_FORMAT_PANELS)
        return cpu_panels_bytes(desc, out_bytes);
    if (!cpu_is_blocked(desc) || !cpu_can_block(desc))
        return cpu_fail(LINNET_UNSUPPORTED, "cpu: no such format");
    uint64_t blocks = (uint64_t)cpu_ceil(desc->dims[0], CPU_LANES), item = (uint64_t)cpu_dims(desc, 1, desc->rank);
    if (__builtin_mul_overflow(blocks * CPU_LANES * sizeof(float), item, out_bytes))
        return cpu_fail(LINNET_LIMIT, "cpu: a blocked tensor is too large");
    return LINNET_OK;
}

const char *cpu_format_name(uint32_t format)
{
    return format == CPU_FORMAT_NCHW16N ? "nchw16n" : format == CPU_FORMAT_PANELS ? "panels" : "?";
}

/* ---- Conversion ---- */

typedef struct conversion {
    const float *source;
    float *destination;
    cpu_extent blocked, dense;
    bool to_blocked;
} conversion;

static void convert_block(const void *context, int64_t block, uint32_t worker)
{
    (void)worker;
    const conversion *c = context;
    int32_t rows = (int32_t)cpu_min(CPU_LANES, c->dense.items - block * CPU_LANES);
    int64_t dense = block * CPU_LANES * c->dense.stride, blocked = block * c->blocked.stride;
    if (c->to_blocked)
        cpu_table.lanes_from_rows(c->source + dense, c->dense.stride, rows, c->dense.item, c->destination + blocked,
                                  CPU_LANES, CPU_LANES);
    else
        cpu_table.rows_from_lanes(c->source + blocked, c->dense.item, c->destination + dense, c->dense.stride, rows);
}

linnet_status cpu_convert(linnet_backend_queue *queue, const linnet_tensor_desc *destination_desc,
                          linnet_view destination, const linnet_tensor_desc *source_desc, linnet_view source)
{
    (void)queue;
    if (destination_desc->format == CPU_FORMAT_PANELS || source_desc->format == CPU_FORMAT_PANELS)
        return cpu_panels_convert(destination_desc, destination, source_desc, source);
    bool to_blocked = cpu_is_blocked(destination_desc), from_blocked = cpu_is_blocked(source_desc);
    const linnet_tensor_desc *blocked = to_blocked ? destination_desc : source_desc;
    const linnet_tensor_desc *dense = to_blocked ? source_desc : destination_desc;
    if (to_blocked == from_blocked || dense->format != LINNET_FORMAT_NCHW || !cpu_can_block(blocked))
        return cpu_fail(LINNET_UNSUPPORTED, "cpu: converts only between NCHW and a format of its own");
    conversion c = {.source = cpu_view(source),
                    .destination = cpu_view(destination),
                    .blocked = cpu_extent_of(blocked),
                    .dense = cpu_extent_of(dense),
                    .to_blocked = to_blocked};
    cpu_parallel(c.blocked.items, c.blocked.items * c.blocked.item, convert_block, &c);
    return LINNET_OK;
}

void cpu_clear_spare_lanes(const linnet_tensor_desc *desc, float *data)
{
    cpu_extent extent = cpu_extent_of(desc);
    if (extent.tail == extent.lanes)
        return;
    float *block = data + (extent.items - 1) * extent.stride;
    for (int64_t i = 0; i < extent.item; i += extent.lanes)
        for (int64_t lane = extent.tail; lane < extent.lanes; lane++)
            block[i + lane] = 0;
}

/* ---- For describe ---- */

void cpu_want(const linnet_layer_desc *desc, linnet_candidate *out, uint32_t format)
{
    for (uint32_t i = 0; i < desc->input_count; i++)
        out->input_formats[i] = cpu_can_block(&desc->inputs[i]) ? format : LINNET_FORMAT_NCHW;
    for (uint32_t i = 0; i < desc->output_count; i++)
        out->output_formats[i] = cpu_can_block(&desc->outputs[i]) ? format : LINNET_FORMAT_NCHW;
}

bool cpu_has_stride(const linnet_layer_desc *desc)
{
    for (uint32_t i = 0; i < desc->input_count; i++)
        if (desc->inputs[i].outer_stride != 0)
            return true;
    for (uint32_t i = 0; i < desc->output_count; i++)
        if (desc->outputs[i].outer_stride != 0)
            return true;
    return false;
}

void cpu_want_same(const linnet_layer_desc *desc, linnet_candidate *out, bool takes_strides)
{
    bool blocked = false;
    for (uint32_t i = 0; i < desc->input_count; i++)
        blocked = blocked || cpu_is_blocked(&desc->inputs[i]);
    for (uint32_t i = 0; i < desc->output_count; i++)
        blocked = blocked || (desc->direction == LINNET_BACKWARD && cpu_is_blocked(&desc->outputs[i]));
    cpu_want(desc, out, blocked ? CPU_FORMAT_NCHW16N : LINNET_FORMAT_NCHW);
    if ((blocked || !takes_strides) && cpu_has_stride(desc))
        out->refusal = "needs dense tensors";
}

void cpu_want_axis(const linnet_layer_desc *desc, linnet_candidate *out, uint32_t axis)
{
    cpu_want_same(desc, out, false);
    if (axis == 0)
        cpu_want(desc, out, LINNET_FORMAT_NCHW);
}
