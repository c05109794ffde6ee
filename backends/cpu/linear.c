/* SPDX-License-Identifier: Apache-2.0 */
#include "linear.h"
#include "gemm.h"
#include "kernels/kernels.h"

#include <math.h>

static const cpu_epilogue no_epilogue = {.low = -INFINITY, .high = INFINITY};

cpu_linear_sizes cpu_linear_sizes_of(const linnet_layer_desc *desc)
{
    cpu_extent x = cpu_extent_of(&desc->inputs[0]), y = cpu_extent_of(&desc->outputs[0]);
    return (cpu_linear_sizes){.n = desc->inputs[0].dims[0],
                              .i = x.item / x.lanes,
                              .o = y.item / y.lanes,
                              .x_stride = x.stride,
                              .y_stride = y.stride};
}

void cpu_linear_describe(const linnet_layer_desc *desc, linnet_candidate *out, uint32_t format)
{
    cpu_want(desc, out, format);
    if (desc->direction == LINNET_BACKWARD) {
        out->reads_inputs = desc->want_parameters & 1u << LINNET_LINEAR_WEIGHT ? 1 : 0;
        out->reads_parameters = desc->want_inputs & 1 ? 1u << LINNET_LINEAR_WEIGHT : 0;
    }
    if ((desc->direction == LINNET_BACKWARD || format != LINNET_FORMAT_NCHW) && cpu_has_stride(desc))
        out->refusal = "needs dense tensors";
}

/* ---- gemm: NCHW ---- */

static int describe_gemm(const linnet_layer_desc *desc, linnet_candidate *out)
{
    cpu_linear_sizes s = cpu_linear_sizes_of(desc);
    cpu_linear_describe(desc, out, LINNET_FORMAT_NCHW);
    out->workspace_bytes = cpu_gemm_workspace(cpu_max(s.i, s.o), cpu_max(s.n, cpu_max(s.i, s.o)));
    return 0;
}

static void forward_gemm(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    cpu_linear_sizes s = cpu_linear_sizes_of(desc);
    cpu_gemm gemm = {.m = s.n,
                     .n = s.o,
                     .k = s.i,
                     .a = cpu_view(args->inputs[0]),
                     .a_m = s.x_stride,
                     .a_k = 1,
                     .b = cpu_view(args->parameters[LINNET_LINEAR_WEIGHT]),
                     .b_k = 1,
                     .b_n = s.i,
                     .c = cpu_view(args->outputs[0]),
                     .c_m = s.y_stride,
                     .bias_n = desc->parameter_count > 1 ? cpu_view(args->parameters[LINNET_LINEAR_BIAS]) : NULL,
                     .epilogue = cpu_epilogue_of(desc, args),
                     .workspace = cpu_view(args->workspace)};
    cpu_gemm_run(&gemm);
}

static void bias_gradient(const cpu_linear_sizes *s, const float *dy, float *dbias, bool accumulate)
{
    for (int64_t n = 0; n < s->n; n++)
        cpu_table.scale(1, dy + n * s->o, dbias, s->o, accumulate || n > 0);
}

static void backward_gemm(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    cpu_linear_sizes s = cpu_linear_sizes_of(desc);
    const float *dy = cpu_view(args->output_gradients[0]);
    float *dx = cpu_view_at(args->input_gradients, 0);
    float *dweight = cpu_view_at(args->parameter_gradients, LINNET_LINEAR_WEIGHT);
    float *dbias = desc->parameter_count > 1 ? cpu_view_at(args->parameter_gradients, LINNET_LINEAR_BIAS) : NULL;
    cpu_gemm gemm = {.a = dy, .b_n = 1, .n = s.i, .b_k = s.i, .c_m = s.i, .epilogue = no_epilogue};
    gemm.workspace = cpu_view(args->workspace);
    if (dx) {
        gemm.m = s.n;
        gemm.k = s.o;
        gemm.a_m = s.o;
        gemm.a_k = 1;
        gemm.b = cpu_view(args->parameters[LINNET_LINEAR_WEIGHT]);
        gemm.c = dx;
        gemm.accumulate = args->accumulate_inputs & 1;
        cpu_gemm_run(&gemm);
    }
    if (dweight) {
        gemm.m = s.o;
        gemm.k = s.n;
        gemm.a_m = 1;
        gemm.a_k = s.o;
        gemm.b = cpu_view(args->inputs[0]);
        gemm.c = dweight;
        gemm.accumulate = args->accumulate_parameters >> LINNET_LINEAR_WEIGHT & 1;
        cpu_gemm_run(&gemm);
    }
    if (dbias)
        bias_gradient(&s, dy, dbias, args->accumulate_parameters >> LINNET_LINEAR_BIAS & 1);
}

static const cpu_algorithm algorithms[] = {
    {"nchw16n", LINNET_FORWARD, true, cpu_linear_describe_blocked, cpu_linear_forward_blocked},
    {"nchw16n", LINNET_BACKWARD, false, cpu_linear_describe_blocked, cpu_linear_backward_blocked},
    {"rows", LINNET_FORWARD, true, cpu_linear_describe_rows, cpu_linear_forward_rows},
    {"gemm", LINNET_FORWARD, true, describe_gemm, forward_gemm},
    {"gemm", LINNET_BACKWARD, false, describe_gemm, backward_gemm},
};
CPU_LAYER(linear, algorithms);
