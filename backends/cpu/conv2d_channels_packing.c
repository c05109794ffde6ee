/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Weights [O, C, kh, kw] (C: of a group) as the batch-reduce products read them, zeros in the spare lanes:
 *     conv2d_forward    [O/16][C/16][kh][kw][16 c][16 o]
 *     conv2d_backward   [C/16][O/16][kh][kw][16 o][16 c]
 *     conv2d_planes     [O/16][C][kh][kw][16 o]
 */
#include "conv2d.h"
#include "kernels/kernels.h"

#include <string.h>

typedef struct packing_job {
    int64_t o, c, area, blocks; /* blocks of channels */
    uint32_t format;
    const float *from;
    float *to;
} packing_job;

static linnet_status packing_job_of(const linnet_tensor_desc *desc, uint32_t format, packing_job *out)
{
    if (desc->type != LINNET_F32 || desc->rank != 4 || desc->outer_stride != 0)
        return cpu_fail(LINNET_UNSUPPORTED, "cpu: only dense weights [O,C,kh,kw] are packed");
    *out = (packing_job){.o = desc->dims[0],
                         .c = desc->dims[1],
                         .area = desc->dims[2] * desc->dims[3],
                         .blocks = cpu_ceil(desc->dims[1], CPU_LANES),
                         .format = format};
    return LINNET_OK;
}

static linnet_status bytes(const linnet_tensor_desc *desc, uint64_t *out_bytes)
{
    packing_job j = {0};
    linnet_status status = packing_job_of(desc, desc->format, &j);
    if (status != LINNET_OK)
        return status;
    uint64_t outputs = (uint64_t)cpu_ceil(j.o, CPU_LANES) * CPU_LANES;
    uint64_t inputs = (uint64_t)(j.format == CPU_FORMAT_CONV2D_PLANES ? j.c : j.blocks * CPU_LANES), all;
    if (__builtin_mul_overflow(outputs, inputs, &all) || __builtin_mul_overflow(all, (uint64_t)j.area, &all) ||
        __builtin_mul_overflow(all, sizeof(float), out_bytes))
        return cpu_fail(LINNET_LIMIT, "cpu: packed weights are too large");
    return LINNET_OK;
}

enum { CHUNK = 16 }; /* taps of 16 channels at once: 16 KiB */

/* Taps [first, first + count) of one pair of blocks. lines: [c][tap][16 o]. */
static void pack_taps(const packing_job *j, const float *from, int64_t channels, int64_t outputs, int64_t first,
                      int64_t count, float *to)
{
    float lines[CPU_LANES * CHUNK * CPU_LANES];
    if (channels < CPU_LANES)
        memset(lines, 0, sizeof lines);
    if (count == j->area)
        cpu_table.lanes_from_rows(from, j->c * j->area, (int32_t)outputs, channels * count, lines, CPU_LANES,
                                  CPU_LANES);
    for (int64_t c = 0; c < channels && count < j->area; c++)
        cpu_table.lanes_from_rows(from + c * j->area + first, j->c * j->area, (int32_t)outputs, count,
                                  lines + c * count * CPU_LANES, CPU_LANES, CPU_LANES);
    for (int64_t tap = 0; tap < count; tap++, to += CPU_LANES * CPU_LANES)
        if (j->format == CPU_FORMAT_CONV2D_FORWARD)
            cpu_table.copy_lines(lines + tap * CPU_LANES, count * CPU_LANES, to, CPU_LANES);
        else
            cpu_table.lanes_from_rows(lines + tap * CPU_LANES, count * CPU_LANES, CPU_LANES, CPU_LANES, to, CPU_LANES,
                                      CPU_LANES);
}

/* Which pair of blocks comes where. */
static int64_t pair_place(const packing_job *j, int64_t ob, int64_t cb)
{
    return j->format == CPU_FORMAT_CONV2D_FORWARD ? ob * j->blocks + cb : cb * cpu_ceil(j->o, CPU_LANES) + ob;
}

static void pack_task(const void *context, int64_t task, uint32_t worker)
{
    (void)worker;
    const packing_job *j = context;
    int64_t o0 = task / j->blocks * CPU_LANES, c0 = task % j->blocks * CPU_LANES;
    int64_t outputs = cpu_min(CPU_LANES, j->o - o0), channels = cpu_min(CPU_LANES, j->c - c0);
    float *to = j->to + pair_place(j, task / j->blocks, task % j->blocks) * j->area * CPU_LANES * CPU_LANES;
    for (int64_t first = 0; first < j->area; first += CHUNK)
        pack_taps(j, j->from + (o0 * j->c + c0) * j->area, channels, outputs, first, cpu_min(CHUNK, j->area - first),
                  to + first * CPU_LANES * CPU_LANES);
}

static void pack_planes_task(const void *context, int64_t block, uint32_t worker)
{
    (void)worker;
    const packing_job *j = context;
    int64_t o0 = block * CPU_LANES, depth = j->c * j->area;
    cpu_table.lanes_from_rows(j->from + o0 * depth, depth, (int32_t)cpu_min(CPU_LANES, j->o - o0), depth,
                              j->to + o0 * depth, CPU_LANES, CPU_LANES);
}

/* Where weight [o, c, tap] lies. */
static int64_t place(const packing_job *j, int64_t o, int64_t c, int64_t tap)
{
    int64_t ob = o / CPU_LANES, ol = o % CPU_LANES, cb = c / CPU_LANES, cl = c % CPU_LANES;
    int64_t pair = pair_place(j, ob, cb) * j->area + tap;
    if (j->format == CPU_FORMAT_CONV2D_PLANES)
        return ((ob * j->c + c) * j->area + tap) * CPU_LANES + ol;
    return (pair * CPU_LANES + (j->format == CPU_FORMAT_CONV2D_FORWARD ? cl : ol)) * CPU_LANES +
           (j->format == CPU_FORMAT_CONV2D_FORWARD ? ol : cl);
}

static void unpack(const packing_job *j)
{
    for (int64_t o = 0; o < j->o; o++)
        for (int64_t c = 0; c < j->c; c++)
            for (int64_t tap = 0; tap < j->area; tap++)
                j->to[(o * j->c + c) * j->area + tap] = j->from[place(j, o, c, tap)];
}

static linnet_status convert(const linnet_tensor_desc *destination_desc, linnet_view destination,
                             const linnet_tensor_desc *source_desc, linnet_view source)
{
    bool packs = source_desc->format == LINNET_FORMAT_NCHW;
    packing_job j = {0};
    linnet_status status = packing_job_of(source_desc, packs ? destination_desc->format : source_desc->format, &j);
    if (status != LINNET_OK)
        return status;
    j.from = cpu_view(source);
    j.to = cpu_view(destination);
    int64_t work = j.o * j.c * j.area, outputs = cpu_ceil(j.o, CPU_LANES);
    if (!packs && destination_desc->format != LINNET_FORMAT_NCHW)
        return cpu_fail(LINNET_UNSUPPORTED, "cpu: converts only between NCHW and a format of its own");
    if (!packs)
        unpack(&j);
    else if (j.format == CPU_FORMAT_CONV2D_PLANES)
        cpu_parallel(outputs, work, pack_planes_task, &j);
    else
        cpu_parallel(outputs * j.blocks, work, pack_task, &j);
    return LINNET_OK;
}

const cpu_packing cpu_conv2d_forward_packing = {CPU_FORMAT_CONV2D_FORWARD, "conv2d_forward", bytes, convert};
const cpu_packing cpu_conv2d_backward_packing = {CPU_FORMAT_CONV2D_BACKWARD, "conv2d_backward", bytes, convert};
const cpu_packing cpu_conv2d_planes_packing = {CPU_FORMAT_CONV2D_PLANES, "conv2d_planes", bytes, convert};
