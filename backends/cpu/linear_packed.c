/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linear with weights that stay: packed into panels once, then every forward only streams them. For inference with few
 * items, where packing would cost more than the product; while training, weights change with every step.
 */
#include "gemm.h"
#include "linear.h"

#include <math.h>
#include <string.h>

enum { TASK_COLUMNS = 128, FEW_ITEMS = 8 };

/* ---- The format ---- */

static bool can_pack(const linnet_tensor_desc *desc)
{
    return desc->type == LINNET_F32 && desc->rank == 2;
}

static linnet_status panels_bytes(const linnet_tensor_desc *desc, uint64_t *out_bytes)
{
    if (!can_pack(desc))
        return cpu_fail(LINNET_UNSUPPORTED, "cpu: only matrices are packed into panels");
    uint64_t columns = (uint64_t)cpu_gemm_padded_columns(desc->dims[0]);
    if (__builtin_mul_overflow(columns * sizeof(float), (uint64_t)desc->dims[1], out_bytes))
        return cpu_fail(LINNET_LIMIT, "cpu: a packed matrix is too large");
    return LINNET_OK;
}

/* Back to [O,I]. */
static void unpack(const float *packed, int64_t outputs, int64_t depth, float *out)
{
    int64_t width = cpu_gemm_padded_columns(1);
    for (int64_t o = 0; o < outputs; o++)
        for (int64_t i = 0; i < depth; i++)
            out[o * depth + i] = packed[(o / width * depth + i) * width + o % width];
}

static linnet_status panels_convert(const linnet_tensor_desc *destination_desc, linnet_view destination,
                                    const linnet_tensor_desc *source_desc, linnet_view source)
{
    int64_t outputs = source_desc->dims[0], depth = source_desc->dims[1];
    if (!can_pack(source_desc) || source_desc->outer_stride != 0 || destination_desc->outer_stride != 0)
        return cpu_fail(LINNET_UNSUPPORTED, "cpu: only dense matrices are packed into panels");
    if (source_desc->format == LINNET_FORMAT_NCHW)
        cpu_gemm_pack(cpu_view(source), 1, depth, depth, outputs, cpu_view(destination));
    else if (destination_desc->format == LINNET_FORMAT_NCHW)
        unpack(cpu_view(source), outputs, depth, cpu_view(destination));
    else
        return cpu_fail(LINNET_UNSUPPORTED, "cpu: converts only between NCHW and a format of its own");
    return LINNET_OK;
}

const cpu_packing cpu_panels_packing = {CPU_FORMAT_PANELS, "panels", panels_bytes, panels_convert};

/* ---- The layer ---- */

int cpu_linear_describe_packed(const linnet_layer_desc *desc, linnet_candidate *out)
{
    cpu_linear_describe(desc, out, LINNET_FORMAT_NCHW);
    out->parameter_formats[LINNET_LINEAR_WEIGHT] = CPU_FORMAT_PANELS;
    bool weights_stay = desc->behaviour == LINNET_EVALUATE && !desc->differentiate;
    return weights_stay && desc->inputs[0].dims[0] < FEW_ITEMS ? CPU_PREFER : CPU_AVOID;
}

typedef struct job {
    cpu_linear_sizes s;
    const float *x, *weight, *bias;
    float *y;
    cpu_epilogue epilogue;
} job;

static void columns_task(const void *context, int64_t task, uint32_t worker)
{
    (void)worker;
    const job *j = context;
    int64_t per_task = cpu_gemm_padded_columns(TASK_COLUMNS), first = task * per_task;
    cpu_gemm_packed part = {.rows = j->s.n,
                            .columns = cpu_min(per_task, j->s.o - first),
                            .depth = j->s.i,
                            .a = j->x,
                            .a_m = j->s.x_stride,
                            .a_k = 1,
                            .packed = j->weight + first * j->s.i,
                            .c = j->y + first,
                            .c_m = j->s.y_stride,
                            .bias_n = j->bias ? j->bias + first : NULL,
                            .low = j->epilogue.low,
                            .high = j->epilogue.high};
    cpu_gemm_packed_run(&part);
    for (int64_t n = 0; n < j->s.n && j->epilogue.count > 0; n++)
        cpu_epilogue_apply(&j->epilogue, part.c + n * part.c_m, part.columns);
}

void cpu_linear_forward_packed(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    job j = {.s = cpu_linear_sizes_of(desc),
             .x = cpu_view(args->inputs[0]),
             .weight = cpu_view(args->parameters[LINNET_LINEAR_WEIGHT]),
             .bias = desc->parameter_count > 1 ? cpu_view(args->parameters[LINNET_LINEAR_BIAS]) : NULL,
             .y = cpu_view(args->outputs[0]),
             .epilogue = cpu_epilogue_of(desc, args)};
    cpu_parallel(cpu_ceil(j.s.o, cpu_gemm_padded_columns(TASK_COLUMNS)), j.s.o * j.s.i, columns_task, &j);
}
