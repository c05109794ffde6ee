/* SPDX-License-Identifier: Apache-2.0 */
/* conv2d: x [N,C,H,W], weight [O,C/groups,KH,KW], bias [O] -> y [N,O,OH,OW]. */
#include "layer.h"

#include <inttypes.h>

enum { KIND = LINNET_LAYER_CONV2D };

static linnet_status check_attributes(const linnet_shape_job *job, const linnet_conv2d_attributes *a)
{
    linnet_status status = linnet_layer_check_window(job, KIND, "kernel", a->kernel, 2, 1);
    if (!status)
        status = linnet_layer_check_window(job, KIND, "stride", a->stride, 2, 1);
    if (!status)
        status = linnet_layer_check_window(job, KIND, "dilation", a->dilation, 2, 1);
    if (!status)
        status = linnet_layer_check_window(job, KIND, "padding", a->padding, 4, 0);
    if (!status && a->groups < 1)
        status = linnet_layer_fail(job, KIND, LINNET_INVALID, "groups is 0, wants at least 1");
    return status;
}

/* Makes the weight's shape when it is not there yet. */
static linnet_status make_weight(linnet_shape_job *job, const linnet_conv2d_attributes *a)
{
    int64_t channels = job->inputs[0].dims[1];
    if (job->features < 1 || job->features > LINNET_MAX_ELEMENTS)
        return linnet_layer_fail(job, KIND, LINNET_INVALID, "out_channels is %" PRId64 ", wants at least 1",
                                 job->features);
    if (channels == LINNET_FREE_DIM)
        return linnet_layer_fail(job, KIND, LINNET_SHAPE, "the number of input channels must be known");
    if (channels % a->groups)
        return linnet_layer_fail(job, KIND, LINNET_SHAPE,
                                 "input has %" PRId64 " channels, not a multiple of %" PRIu32 " groups", channels,
                                 a->groups);
    job->parameters[LINNET_CONV2D_WEIGHT] =
        (linnet_shape){.type = job->inputs[0].type,
                       .rank = 4,
                       .dims = {job->features, channels / a->groups, a->kernel[0], a->kernel[1]}};
    return LINNET_OK;
}

static linnet_status check_weight(const linnet_shape_job *job, const linnet_conv2d_attributes *a)
{
    const linnet_shape *x = &job->inputs[0], *weight = &job->parameters[LINNET_CONV2D_WEIGHT];
    char text[192];
    if (weight->rank != 4 || weight->type != x->type || linnet_shape_product(weight, 0, 4) < 1)
        return linnet_layer_fail(job, KIND, LINNET_SHAPE, "weight is %s %s, wants %s [out,in/groups,height,width]",
                                 linnet_type_name(weight->type), linnet_shape_text(weight, text, sizeof text),
                                 linnet_type_name(x->type));
    int64_t outputs = weight->dims[0];
    if (job->features && job->features != outputs)
        return linnet_layer_fail(job, KIND, LINNET_SHAPE, "out_channels is %" PRId64 ", weight makes %" PRId64,
                                 job->features, outputs);
    if (outputs % a->groups)
        return linnet_layer_fail(job, KIND, LINNET_SHAPE,
                                 "%" PRId64 " output channels are not a multiple of %" PRIu32 " groups", outputs,
                                 a->groups);
    if (x->dims[1] != LINNET_FREE_DIM && (x->dims[1] % a->groups || x->dims[1] / a->groups != weight->dims[1]))
        return linnet_layer_fail(job, KIND, LINNET_SHAPE, "input has %" PRId64 " channels, weight wants %" PRId64,
                                 x->dims[1], weight->dims[1] * a->groups);
    if (weight->dims[2] != a->kernel[0] || weight->dims[3] != a->kernel[1])
        return linnet_layer_fail(job, KIND, LINNET_SHAPE,
                                 "kernel is %" PRId64 "x%" PRId64 ", weight is for %" PRId64 "x%" PRId64, a->kernel[0],
                                 a->kernel[1], weight->dims[2], weight->dims[3]);
    return LINNET_OK;
}

static linnet_status infer_output(linnet_shape_job *job, const linnet_conv2d_attributes *a)
{
    const linnet_shape *x = &job->inputs[0];
    int64_t height =
        linnet_window_length(x->dims[2], a->kernel[0], a->stride[0], a->dilation[0], a->padding[0], a->padding[2]);
    int64_t width =
        linnet_window_length(x->dims[3], a->kernel[1], a->stride[1], a->dilation[1], a->padding[1], a->padding[3]);
    char text[192];
    if (height == 0 || width == 0)
        return linnet_layer_fail(
            job, KIND, LINNET_SHAPE,
            "kernel %" PRId64 "x%" PRId64 " (dilation %" PRId64 "x%" PRId64
            ") does not fit into input %s with padding %" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64,
            a->kernel[0], a->kernel[1], a->dilation[0], a->dilation[1], linnet_shape_text(x, text, sizeof text),
            a->padding[0], a->padding[1], a->padding[2], a->padding[3]);
    job->outputs[0] = (linnet_shape){
        .type = x->type, .rank = 4, .dims = {x->dims[0], job->parameters[LINNET_CONV2D_WEIGHT].dims[0], height, width}};
    job->output_count = 1;
    job->state_count = 0;
    return LINNET_OK;
}

static linnet_status infer(linnet_shape_job *job)
{
    const linnet_conv2d_attributes *a = job->attributes;
    linnet_status status = linnet_layer_check_inputs(job, KIND);
    if (!status)
        status = linnet_layer_check_float(job, KIND, 0, 4);
    if (!status)
        status = check_attributes(job, a);
    if (!status && job->parameters[LINNET_CONV2D_WEIGHT].rank == 0)
        status = make_weight(job, a);
    if (!status)
        status = check_weight(job, a);
    if (!status && job->parameter_count > LINNET_CONV2D_BIAS)
        status = linnet_layer_vector(job, KIND, LINNET_CONV2D_BIAS, job->parameters[LINNET_CONV2D_WEIGHT].dims[0]);
    if (!status)
        status = infer_output(job, a);
    return status ? status : linnet_layer_check_outputs(job, KIND);
}

static uint64_t multiply_adds(const linnet_shape_job *job)
{
    const linnet_shape *weight = &job->parameters[LINNET_CONV2D_WEIGHT];
    uint64_t outputs = (uint64_t)linnet_shape_product(&job->outputs[0], 0, 4);
    return linnet_count_multiply(outputs, (uint64_t)linnet_shape_product(weight, 1, 4));
}

const linnet_layer linnet_conv2d_layer = {
    .kind = LINNET_LAYER_CONV2D,
    .name = "conv2d",
    .attributes_size = sizeof(linnet_conv2d_attributes),
    .differentiable_inputs = 1,
    .split_backward = true,
    .parameter_names = {"weight", "bias"},
    .infer = infer,
    .multiply_adds = multiply_adds,
};
