/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The convolution algorithm `planes`: few input channels, which stay in NCHW, to nchw16c. Forward, a step of a product
 * is one weight of 16 outputs (or several blocks of them) by some pixels of one input plane. The input's gradient sums
 * over the outputs in the lanes. The weight's gradient has the taps of a kernel row as rows and the pixels as depth.
 */
#include "conv2d_channels.h"

#include <math.h>
#include <string.h>

enum { MOST_CHANNELS = 15 };

static void set_formats(const linnet_layer_desc *desc, linnet_candidate *out)
{
    cpu_conv2d_describe(desc, out, CPU_FORMAT_NCHW16C);
    out->input_formats[0] = LINNET_FORMAT_NCHW;
    out->parameter_formats[LINNET_CONV2D_WEIGHT] = CPU_FORMAT_CONV2D_PLANES;
}

void cpu_conv2d_forward_planes(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    cpu_conv2d_data d = cpu_conv2d_data_of(desc, args);
    cpu_channels_job j;
    cpu_channels_forward_job(&d.s, 1, &j);
    cpu_channels_forward_run(desc, args, &d, &j);
}

void cpu_conv2d_backward_planes(const linnet_layer_desc *desc, const linnet_layer_args *args)
{
    cpu_conv2d_data d = cpu_conv2d_data_of(desc, args);
    if (d.dx)
        cpu_channels_backward_run(&d, true);
    if (d.dweight || d.dbias)
        cpu_planes_weight_gradient(&d);
}

int cpu_conv2d_describe_planes(const linnet_layer_desc *desc, linnet_candidate *out)
{
    cpu_conv2d_sizes s = cpu_conv2d_sizes_of(desc);
    bool is_forward = desc->direction == LINNET_FORWARD;
    cpu_channels_job j;
    set_formats(desc, out);
    if (s.groups > 1 || s.c > MOST_CHANNELS)
        out->refusal = "needs one group and at most 15 channels";
    if (!out->refusal)
        out->refusal = cpu_channels_refusal(&s);
    if (out->refusal)
        return CPU_AVOID;
    if (is_forward) {
        cpu_channels_forward_job(&s, 1, &j);
        out->workspace_bytes = cpu_channels_job_workspace(&j) + cpu_channels_bias_bytes(&s);
    }
    if (!is_forward && desc->want_inputs) {
        cpu_channels_backward_job(&s, true, &j);
        out->workspace_bytes = cpu_channels_job_workspace(&j);
    }
    if (!is_forward && desc->want_parameters && cpu_planes_weight_workspace(&s) > out->workspace_bytes)
        out->workspace_bytes = cpu_planes_weight_workspace(&s);
    return cpu_conv2d_preference(desc, out->name);
}
