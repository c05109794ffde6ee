/* SPDX-License-Identifier: Apache-2.0 */
/* The list of algorithms, and what they share. */
#include "conv2d.h"
#include "kernels/kernels.h"

cpu_conv2d_sizes cpu_conv2d_sizes_of(const linnet_layer_desc *desc)
{
    const linnet_conv2d_attributes *a = desc->attributes;
    const linnet_tensor_desc *x = &desc->inputs[0], *y = &desc->outputs[0];
    cpu_conv2d_sizes s = {.n = x->dims[0],
                          .c = x->dims[1],
                          .h = x->dims[2],
                          .w = x->dims[3],
                          .o = y->dims[1],
                          .oh = y->dims[2],
                          .ow = y->dims[3],
                          .groups = a->groups,
                          .kh = a->kernel[0],
                          .kw = a->kernel[1],
                          .sh = a->stride[0],
                          .sw = a->stride[1],
                          .dh = a->dilation[0],
                          .dw = a->dilation[1],
                          .top = a->padding[0],
                          .left = a->padding[1],
                          .x_stride = cpu_extent_of(x).stride,
                          .y_stride = cpu_extent_of(y).stride};
    s.group_c = s.c / s.groups;
    s.group_o = s.o / s.groups;
    return s;
}

cpu_conv2d_data cpu_conv2d_data_of(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    bool has_bias = desc->parameter_count > 1;
    cpu_conv2d_data d = {.s = cpu_conv2d_sizes_of(desc), .x = cpu_view_at(args->inputs, 0)};
    d.weight = cpu_view_at(args->parameters, LINNET_CONV2D_WEIGHT);
    d.workspace = cpu_view(args->workspace);
    if (desc->direction == LINNET_FORWARD) {
        d.epilogue = cpu_epilogue_of(desc, args);
        d.y = cpu_view(args->outputs[0]);
        d.bias = has_bias ? cpu_view(args->parameters[LINNET_CONV2D_BIAS]) : NULL;
        return d;
    }
    d.dy = cpu_view(args->output_gradients[0]);
    d.dx = cpu_view_at(args->input_gradients, 0);
    d.dweight = cpu_view_at(args->parameter_gradients, LINNET_CONV2D_WEIGHT);
    d.dbias = has_bias ? cpu_view_at(args->parameter_gradients, LINNET_CONV2D_BIAS) : NULL;
    d.accumulate_x = args->accumulate_inputs & 1;
    d.accumulate_weight = args->accumulate_parameters >> LINNET_CONV2D_WEIGHT & 1;
    d.accumulate_bias = args->accumulate_parameters >> LINNET_CONV2D_BIAS & 1;
    return d;
}

/* Is a tensor strided in another format than nchw16c? */
static bool has_other_stride(const linnet_layer_desc *desc)
{
    const linnet_tensor_desc *x = &desc->inputs[0], *y = &desc->outputs[0];
    return (x->outer_stride != 0 && !cpu_is_nchw16c(x)) || (y->outer_stride != 0 && !cpu_is_nchw16c(y));
}

void cpu_conv2d_describe(const linnet_layer_desc *desc, linnet_candidate *out, uint32_t format)
{
    cpu_want(desc, out, format);
    if (desc->direction == LINNET_BACKWARD) {
        out->reads_inputs = desc->want_parameters & 1u << LINNET_CONV2D_WEIGHT ? 1 : 0;
        out->reads_parameters = desc->want_inputs & 1 ? 1u << LINNET_CONV2D_WEIGHT : 0;
    }
    bool takes_strides = format == CPU_FORMAT_NCHW16C
                             ? !has_other_stride(desc)
                             : format == LINNET_FORMAT_NCHW && desc->direction == LINNET_FORWARD;
    if (!takes_strides && cpu_has_stride(desc))
        out->refusal = "needs dense tensors";
}

static void bias_task(const void *context, int64_t channel, uint32_t worker)
{
    (void)worker;
    const cpu_conv2d_data *d = context;
    double total = d->accumulate_bias ? d->dbias[channel] : 0;
    for (int64_t n = 0; n < d->s.n; n++) {
        float sums[CPU_LANES] = {0};
        cpu_table.lane_sums(d->dy + n * d->s.y_stride + channel * d->s.oh * d->s.ow, d->s.oh * d->s.ow, sums);
        for (int i = 0; i < CPU_LANES; i++)
            total += sums[i];
    }
    d->dbias[channel] = (float)total;
}

void cpu_conv2d_bias_gradient(const cpu_conv2d_data *data)
{
    cpu_parallel(data->s.o, data->s.n * data->s.o * data->s.oh * data->s.ow, bias_task, data);
}

static const cpu_algorithm algorithms[] = {
    {"depthwise", LINNET_FORWARD, true, cpu_conv2d_describe_depthwise, cpu_conv2d_forward_depthwise},
    {"depthwise", LINNET_BACKWARD, false, cpu_conv2d_describe_depthwise, cpu_conv2d_backward_depthwise},
    {"nchw16n", LINNET_FORWARD, true, cpu_conv2d_describe_blocked, cpu_conv2d_forward_blocked},
    {"nchw16n", LINNET_BACKWARD, false, cpu_conv2d_describe_blocked, cpu_conv2d_backward_blocked},
    {"channels", LINNET_FORWARD, true, cpu_conv2d_describe_channels, cpu_conv2d_forward_channels},
    {"channels", LINNET_BACKWARD, false, cpu_conv2d_describe_channels, cpu_conv2d_backward_channels},
    {"planes", LINNET_FORWARD, true, cpu_conv2d_describe_planes, cpu_conv2d_forward_planes},
    {"planes", LINNET_BACKWARD, false, cpu_conv2d_describe_planes, cpu_conv2d_backward_planes},
    {"winograd_f2_nchw16c", LINNET_FORWARD, true, cpu_conv2d_describe_winograd_f2, cpu_conv2d_forward_winograd_f2},
    {"winograd_f4_nchw16c", LINNET_FORWARD, true, cpu_conv2d_describe_winograd_f4, cpu_conv2d_forward_winograd_f4},
    {"winograd_f6_nchw16c", LINNET_FORWARD, true, cpu_conv2d_describe_winograd_f6, cpu_conv2d_forward_winograd_f6},
    {"winograd_f2_nchw16c", LINNET_BACKWARD, false, cpu_conv2d_describe_winograd_f2, cpu_conv2d_backward_winograd_f2},
    {"winograd_f4_nchw16c", LINNET_BACKWARD, false, cpu_conv2d_describe_winograd_f4, cpu_conv2d_backward_winograd_f4},
    {"winograd_f6_nchw16c", LINNET_BACKWARD, false, cpu_conv2d_describe_winograd_f6, cpu_conv2d_backward_winograd_f6},
    {"rows", LINNET_FORWARD, true, cpu_conv2d_describe_rows, cpu_conv2d_forward_rows},
    {"im2col_gemm", LINNET_FORWARD, true, cpu_conv2d_describe_im2col, cpu_conv2d_forward_im2col},
    {"im2col_gemm", LINNET_BACKWARD, false, cpu_conv2d_describe_im2col, cpu_conv2d_backward_im2col},
    {"direct", LINNET_FORWARD, true, cpu_conv2d_describe_direct, cpu_conv2d_forward_direct},
    {"direct", LINNET_BACKWARD, false, cpu_conv2d_describe_direct, cpu_conv2d_backward_direct},
};
CPU_LAYER(conv2d, algorithms);
