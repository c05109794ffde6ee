/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Weights [O, C, 3, 3] transformed beforehand for Winograd's convolution, for inference, where they stay as they are:
 *     winograd_f2, _f4, _f6    [O/16][position][C/16][16 c][16 o]
 * zeros in the spare lanes. A product over all inputs reads one stretch of memory. There is no way back: rounding loses
 * what the transform adds.
 */
#include "conv2d_winograd.h"

#include <string.h>

enum { TAPS = 9, BLOCK = CPU_LANES * CPU_LANES };

typedef struct packing_job {
    int64_t o, c, in_blocks, out_blocks, positions;
    const cpu_winograd_table *kernels;
    const float *from;
    float *to;
} packing_job;

static linnet_status packing_job_of(const linnet_tensor_desc *desc, uint32_t format, packing_job *out)
{
    if (desc->type != LINNET_F32 || desc->rank != 4 || desc->outer_stride != 0 || desc->dims[2] != 3 ||
        desc->dims[3] != 3)
        return cpu_fail(LINNET_UNSUPPORTED, "cpu: only dense weights [O,C,3,3] are transformed");
    int64_t n = 2 * (int64_t)(format - CPU_FORMAT_WINOGRAD) + 4;
    *out = (packing_job){.o = desc->dims[0],
                         .c = desc->dims[1],
                         .in_blocks = cpu_ceil(desc->dims[1], CPU_LANES),
                         .out_blocks = cpu_ceil(desc->dims[0], CPU_LANES),
                         .positions = n * n,
                         .kernels = &cpu_table.winograd[format - CPU_FORMAT_WINOGRAD]};
    return LINNET_OK;
}

static linnet_status bytes(const linnet_tensor_desc *desc, uint64_t *out_bytes)
{
    packing_job j = {0};
    linnet_status status = packing_job_of(desc, desc->format, &j);
    if (status != LINNET_OK)
        return status;
    uint64_t each = (uint64_t)j.positions * BLOCK * sizeof(float), all;
    if (__builtin_mul_overflow((uint64_t)j.in_blocks, (uint64_t)j.out_blocks, &all) ||
        __builtin_mul_overflow(all, each, out_bytes))
        return cpu_fail(LINNET_LIMIT, "cpu: transformed weights are too large");
    return LINNET_OK;
}

/* A pair of blocks. */
static void pack_task(const void *context, int64_t task, uint32_t worker)
{
    (void)worker;
    const packing_job *j = context;
    float lines[CPU_LANES * TAPS * CPU_LANES] = {0}; /* [c][tap][16 o] */
    int64_t ob = task / j->in_blocks, cb = task % j->in_blocks;
    int64_t outputs = cpu_min(CPU_LANES, j->o - ob * CPU_LANES), channels = cpu_min(CPU_LANES, j->c - cb * CPU_LANES);
    cpu_table.lanes_from_rows(j->from + (ob * CPU_LANES * j->c + cb * CPU_LANES) * TAPS, j->c * TAPS, (int32_t)outputs,
                              channels * TAPS, lines, CPU_LANES, CPU_LANES);
    cpu_winograd_weights block = {.weights = lines,
                                  .weight_c = TAPS * CPU_LANES,
                                  .positions = j->to + (ob * j->positions * j->in_blocks + cb) * BLOCK,
                                  .position = j->in_blocks * BLOCK,
                                  .position_c = CPU_LANES,
                                  .channels = CPU_LANES};
    j->kernels->weights(&block);
}

static linnet_status convert(const linnet_tensor_desc *destination_desc, linnet_view destination,
                             const linnet_tensor_desc *source_desc, linnet_view source)
{
    packing_job j = {0};
    if (source_desc->format != LINNET_FORMAT_NCHW)
        return cpu_fail(LINNET_UNSUPPORTED, "cpu: Winograd's weights are made from NCHW only");
    linnet_status status = packing_job_of(source_desc, destination_desc->format, &j);
    if (status != LINNET_OK)
        return status;
    j.from = cpu_view(source);
    j.to = cpu_view(destination);
    cpu_parallel(j.in_blocks * j.out_blocks, j.in_blocks * j.out_blocks * j.positions * CPU_LANES, pack_task, &j);
    return LINNET_OK;
}

const cpu_packing cpu_winograd_f2_packing = {CPU_FORMAT_WINOGRAD, "winograd_f2", bytes, convert};
const cpu_packing cpu_winograd_f4_packing = {CPU_FORMAT_WINOGRAD + 1, "winograd_f4", bytes, convert};
const cpu_packing cpu_winograd_f6_packing = {CPU_FORMAT_WINOGRAD + 2, "winograd_f6", bytes, convert};
