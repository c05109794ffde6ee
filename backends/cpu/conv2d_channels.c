/* SPDX-License-Identifier: Apache-2.0 */
/* The convolution algorithm `channels`: everything in nchw16c. */
#include "conv2d_channels.h"

void cpu_conv2d_forward_channels(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    cpu_conv2d_data d = cpu_conv2d_data_of(desc, args);
    cpu_channels_job j;
    cpu_channels_forward_job(&d.s, CPU_LANES, &j);
    cpu_channels_forward_run(desc, args, &d, &j);
}

void cpu_conv2d_backward_channels(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    cpu_conv2d_data d = cpu_conv2d_data_of(desc, args);
    if (d.dx)
        cpu_channels_backward_run(&d, false);
    if (d.dweight || d.dbias)
        cpu_channels_weight_gradient(&d);
}

int cpu_conv2d_describe_channels(const linnet_layer_desc *desc, linnet_candidate *out)
{
    cpu_conv2d_sizes s = cpu_conv2d_sizes_of(desc);
    bool is_forward = desc->direction == LINNET_FORWARD;
    cpu_channels_job j;
    cpu_conv2d_describe(desc, out, CPU_FORMAT_NCHW16C);
    if (!out->refusal)
        out->refusal = cpu_channels_refusal(&s);
    out->parameter_formats[LINNET_CONV2D_WEIGHT] = is_forward ? CPU_FORMAT_CONV2D_FORWARD : CPU_FORMAT_CONV2D_BACKWARD;
    if (out->refusal)
        return CPU_AVOID;
    if (is_forward) {
        cpu_channels_forward_job(&s, CPU_LANES, &j);
        out->workspace_bytes = cpu_channels_job_workspace(&j) + cpu_channels_bias_bytes(&s);
    }
    if (!is_forward && desc->want_inputs) {
        cpu_channels_backward_job(&s, false, &j);
        out->workspace_bytes = cpu_channels_job_workspace(&j);
    }
    if (!is_forward && desc->want_parameters && cpu_channels_weight_workspace(&s) > out->workspace_bytes)
        out->workspace_bytes = cpu_channels_weight_workspace(&s);
    return cpu_conv2d_preference(desc, out->name);
}
