/* SPDX-License-Identifier: Apache-2.0 */
/* The plugin's own formats: sizes, conversion, and what a layer asks for. */
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

cpu_channel_extent cpu_channel_extent_of(const linnet_tensor_desc *desc)
{
    int64_t channels = desc->dims[1], blocks = cpu_ceil(channels, CPU_LANES), plane = cpu_dims(desc, 2, desc->rank);
    int64_t item = blocks * plane * CPU_LANES;
    return (cpu_channel_extent){.blocks = blocks,
                                .plane = plane,
                                .item = item,
                                .stride = desc->outer_stride ? desc->outer_stride : item,
                                .tail = channels - (blocks - 1) * CPU_LANES};
}

cpu_extent cpu_extent_of(const linnet_tensor_desc *desc)
{
    int64_t items = desc->rank > 0 ? desc->dims[0] : 1, item = cpu_dims(desc, 1, desc->rank);
    if (cpu_is_nchw16c(desc))
        item = cpu_channel_extent_of(desc).item;
    if (!cpu_is_nchw16n(desc))
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

/* ---- Parameters ---- */

static const cpu_packing *const packings[] = {
    &cpu_depthwise_packing,   &cpu_conv2d_forward_packing, &cpu_conv2d_backward_packing, &cpu_conv2d_planes_packing,
    &cpu_conv2d_rows_packing, &cpu_winograd_f2_packing,    &cpu_winograd_f4_packing,     &cpu_winograd_f6_packing};

/* NULL for a format that is none of a parameter's. */
static const cpu_packing *find_packing(uint32_t format)
{
    for (size_t i = 0; i < sizeof packings / sizeof packings[0]; i++)
        if (packings[i]->format == format)
            return packings[i];
    return NULL;
}

linnet_status cpu_format_bytes(linnet_backend_device *device, const linnet_tensor_desc *desc, uint64_t *out_bytes)
{
    (void)device;
    const cpu_packing *packing = find_packing(desc->format);
    if (packing)
        return packing->bytes(desc, out_bytes);
    bool has_format = cpu_is_nchw16n(desc) || cpu_is_nchw16c(desc);
    if (!has_format || !cpu_can_block(desc))
        return cpu_fail(LINNET_UNSUPPORTED, "cpu: no such format");
    uint32_t axis = cpu_is_nchw16n(desc) ? 0 : 1; /* whose elements lie in the lanes */
    uint64_t blocks = (uint64_t)cpu_ceil(desc->dims[axis], CPU_LANES);
    uint64_t others = (uint64_t)(desc->dims[1 - axis] * cpu_dims(desc, 2, desc->rank)); /* checked by the host */
    if (__builtin_mul_overflow(blocks * CPU_LANES * sizeof(float), others, out_bytes))
        return cpu_fail(LINNET_LIMIT, "cpu: a blocked tensor is too large");
    return LINNET_OK;
}

const char *cpu_format_name(uint32_t format)
{
    const cpu_packing *packing = find_packing(format);
    if (packing)
        return packing->name;
    return format == CPU_FORMAT_NCHW16N ? "nchw16n" : format == CPU_FORMAT_NCHW16C ? "nchw16c" : NULL;
}

uint32_t cpu_format_is_exact(uint32_t format)
{
    return format == CPU_FORMAT_NCHW16C;
}

linnet_status cpu_format_slice(linnet_backend_device *device, const linnet_tensor_desc *whole,
                               const linnet_tensor_desc *part, uint32_t axis, int64_t start, uint64_t *out_offset,
                               int64_t *out_stride)
{
    (void)device;
    if (axis != 1 || !cpu_can_block(whole) || part->rank != whole->rank || start + part->dims[1] > whole->dims[1])
        return cpu_fail(LINNET_UNSUPPORTED, "cpu: only channels are parts of a blocked tensor");
    int64_t last = start + part->dims[1], plane = cpu_dims(whole, 2, whole->rank);
    /* Spare lanes are zero: only where the whole has them may the part. */
    bool blocks = start % CPU_LANES == 0 && (last % CPU_LANES == 0 || last == whole->dims[1]);
    if (cpu_is_nchw16c(whole) && blocks) {
        *out_offset = (uint64_t)(start * plane) * sizeof(float);
        *out_stride = cpu_channel_extent_of(whole).item;
        return LINNET_OK;
    }
    if (cpu_is_nchw16n(whole) && whole->dims[0] <= CPU_LANES) {
        *out_offset = (uint64_t)(start * plane * CPU_LANES) * sizeof(float);
        *out_stride = 0;
        return LINNET_OK;
    }
    return cpu_fail(LINNET_UNSUPPORTED, "cpu: these channels are no tensor by themselves");
}

/* ---- Conversion ---- */

typedef struct conversion {
    const float *source;
    float *destination;
    cpu_extent batch, dense;     /* nchw16n's and NCHW's, where they take part */
    cpu_channel_extent channels; /* nchw16c's */
    int64_t items;
    bool forth; /* into nchw16n from NCHW; into nchw16c from any other */
} conversion;

/* A block of 16 images: NCHW and nchw16n. */
static void batch_task(const void *context, int64_t block, uint32_t worker)
{
    (void)worker;
    const conversion *c = context;
    int32_t rows = (int32_t)cpu_min(CPU_LANES, c->dense.items - block * CPU_LANES);
    int64_t dense = block * CPU_LANES * c->dense.stride, blocked = block * c->batch.stride;
    if (c->forth)
        cpu_table.lanes_from_rows(c->source + dense, c->dense.stride, rows, c->dense.item, c->destination + blocked,
                                  CPU_LANES, CPU_LANES);
    else
        cpu_table.rows_from_lanes(c->source + blocked, c->dense.item, c->destination + dense, c->dense.stride, rows,
                                  false);
}

static int32_t block_channels(const conversion *c, int64_t block)
{
    return (int32_t)(block == c->channels.blocks - 1 ? c->channels.tail : CPU_LANES);
}

/* A block of 16 channels of an image: NCHW and nchw16c. */
static void channel_task(const void *context, int64_t task, uint32_t worker)
{
    (void)worker;
    const conversion *c = context;
    int64_t item = task / c->channels.blocks, block = task % c->channels.blocks, plane = c->channels.plane;
    int64_t dense = item * c->dense.stride + block * CPU_LANES * plane;
    int64_t blocked = item * c->channels.stride + block * CPU_LANES * plane;
    int32_t rows = block_channels(c, block);
    if (c->forth)
        cpu_table.lanes_from_rows(c->source + dense, plane, rows, plane, c->destination + blocked, CPU_LANES,
                                  CPU_LANES);
    else
        cpu_table.rows_from_lanes(c->source + blocked, plane, c->destination + dense, plane, rows, false);
}

/* A block of 16 channels of a block of 16 images: nchw16n and nchw16c, 16 x 16 for every element of the plane. */
static void both_task(const void *context, int64_t task, uint32_t worker)
{
    (void)worker;
    const conversion *c = context;
    int64_t images = task / c->channels.blocks, block = task % c->channels.blocks, plane = c->channels.plane;
    int32_t rows = (int32_t)cpu_min(CPU_LANES, c->items - images * CPU_LANES), channels = block_channels(c, block);
    int64_t by_batch = images * c->batch.stride + block * CPU_LANES * plane * CPU_LANES;
    int64_t by_channel = images * CPU_LANES * c->channels.stride + block * CPU_LANES * plane;
    for (int64_t at = 0; at < plane * CPU_LANES; at += CPU_LANES)
        if (c->forth)
            cpu_table.lanes_from_rows(c->source + by_batch + at, plane * CPU_LANES, channels, rows,
                                      c->destination + by_channel + at, c->channels.stride, CPU_LANES);
        else
            cpu_table.lanes_from_rows(c->source + by_channel + at, c->channels.stride, rows, channels,
                                      c->destination + by_batch + at, plane * CPU_LANES, CPU_LANES);
}

/* Converts by the rule of the pair of formats; false: there is none. */
static bool convert_pair(conversion *c, const linnet_tensor_desc *to, const linnet_tensor_desc *from)
{
    const linnet_tensor_desc *batch = cpu_is_nchw16n(to) ? to : cpu_is_nchw16n(from) ? from : NULL;
    const linnet_tensor_desc *channels = cpu_is_nchw16c(to) ? to : cpu_is_nchw16c(from) ? from : NULL;
    const linnet_tensor_desc *dense = to->format == LINNET_FORMAT_NCHW     ? to
                                      : from->format == LINNET_FORMAT_NCHW ? from
                                                                           : NULL;
    int count = (batch != NULL) + (channels != NULL) + (dense != NULL);
    if (count != 2 || !cpu_can_block(to) || (batch && batch->outer_stride))
        return false;
    int64_t work = cpu_extent_of(batch ? batch : channels).item * cpu_extent_of(batch ? batch : channels).items;
    c->items = to->dims[0];
    c->forth = channels ? to == channels : to == batch;
    if (batch)
        c->batch = cpu_extent_of(batch);
    if (dense)
        c->dense = cpu_extent_of(dense);
    if (channels)
        c->channels = cpu_channel_extent_of(channels);
    if (!channels)
        cpu_parallel(c->batch.items, work, batch_task, c);
    else if (!batch)
        cpu_parallel(c->items * c->channels.blocks, work, channel_task, c);
    else
        cpu_parallel(c->batch.items * c->channels.blocks, work, both_task, c);
    return true;
}

linnet_status cpu_convert(linnet_backend_queue *queue, const linnet_tensor_desc *destination_desc,
                          linnet_view destination, const linnet_tensor_desc *source_desc, linnet_view source)
{
    (void)queue;
    const cpu_packing *packing = find_packing(destination_desc->format);
    packing = packing ? packing : find_packing(source_desc->format);
    if (packing)
        return packing->convert(destination_desc, destination, source_desc, source);
    conversion c = {.source = cpu_view(source), .destination = cpu_view(destination)};
    if (!convert_pair(&c, destination_desc, source_desc))
        return cpu_fail(LINNET_UNSUPPORTED, "cpu: converts only between NCHW and formats of its own");
    return LINNET_OK;
}

/* Of a block of lanes elements each. */
static void clear_lanes(float *block, int64_t elements, int64_t tail)
{
    for (int64_t i = 0; i < elements; i++)
        for (int64_t lane = tail; lane < CPU_LANES; lane++)
            block[i * CPU_LANES + lane] = 0;
}

void cpu_clear_spare_lanes(const linnet_tensor_desc *desc, float *data)
{
    if (cpu_is_nchw16c(desc)) {
        cpu_channel_extent extent = cpu_channel_extent_of(desc);
        for (int64_t item = 0; item < desc->dims[0] && extent.tail < CPU_LANES; item++)
            clear_lanes(data + item * extent.stride + (extent.blocks - 1) * extent.plane * CPU_LANES, extent.plane,
                        extent.tail);
    } else if (cpu_is_nchw16n(desc)) {
        cpu_extent extent = cpu_extent_of(desc);
        if (extent.tail < CPU_LANES)
            clear_lanes(data + (extent.items - 1) * extent.stride, extent.item / CPU_LANES, extent.tail);
    }
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

/* The tensor's format when the layer takes it, else NCHW. */
static uint32_t taken_format(const linnet_tensor_desc *desc, uint32_t takes)
{
    bool taken =
        (cpu_is_nchw16n(desc) && takes & CPU_TAKES_NCHW16N) || (cpu_is_nchw16c(desc) && takes & CPU_TAKES_NCHW16C);
    return taken ? desc->format : LINNET_FORMAT_NCHW;
}

void cpu_want_same(const linnet_layer_desc *desc, linnet_candidate *out, uint32_t takes)
{
    uint32_t format = LINNET_FORMAT_NCHW;
    for (uint32_t i = 0; i < desc->input_count && format == LINNET_FORMAT_NCHW; i++)
        format = taken_format(&desc->inputs[i], takes);
    for (uint32_t i = 0; i < desc->output_count && format == LINNET_FORMAT_NCHW; i++)
        format = desc->direction == LINNET_BACKWARD ? taken_format(&desc->outputs[i], takes) : LINNET_FORMAT_NCHW;
    cpu_want(desc, out, format);
    if ((format != LINNET_FORMAT_NCHW || !(takes & CPU_TAKES_STRIDES)) && cpu_has_stride(desc))
        out->refusal = "needs dense tensors";
}

void cpu_want_axis(const linnet_layer_desc *desc, linnet_candidate *out, uint32_t axis)
{
    cpu_want_same(desc, out, CPU_TAKES_NCHW16N);
    if (axis == 0)
        cpu_want(desc, out, LINNET_FORMAT_NCHW);
}
