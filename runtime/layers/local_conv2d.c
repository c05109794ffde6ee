/* SPDX-License-Identifier: Apache-2.0 */
/* local_conv2d: x [N,C,H,W], weight [OH,OW,O,C,KH,KW], bias [O,OH,OW] -> y [N,O,OH,OW]. */
#include "layer.h"

#include <inttypes.h>

enum { KIND = LINNET_LAYER_LOCAL_CONV2D };

static linnet_status check_attributes(const linnet_shape_job *job, const linnet_local_conv2d_attributes *a)
{
    linnet_status status = linnet_layer_check_window(job, KIND, "kernel", a->kernel, 2, 1);
    if (!status)
        status = linnet_layer_check_window(job, KIND, "stride", a->stride, 2, 1);
    if (!status)
        status = linnet_layer_check_window(job, KIND, "padding", a->padding, 4, 0);
    return status;
}

/* Height and width of y. */
static linnet_status measure(const linnet_shape_job *job, const linnet_local_conv2d_attributes *a, int64_t out[2])
{
    const linnet_shape *x = &job->inputs[LINNET_LOCAL_CONV2D_X];
    char text[192];
    for (uint32_t i = 0; i < 2; i++) {
        if (x->dims[2 + i] == LINNET_FREE_DIM)
            return linnet_layer_fail(job, KIND, LINNET_SHAPE,
                                     "height and width of input %s must be known: every place has its own weights",
                                     linnet_shape_text(x, text, sizeof text));
        out[i] = linnet_window_length(x->dims[2 + i], a->kernel[i], a->stride[i], 1, a->padding[i], a->padding[2 + i]);
    }
    if (out[0] == 0 || out[1] == 0)
        return linnet_layer_fail(job, KIND, LINNET_SHAPE,
                                 "kernel %" PRId64 "x%" PRId64 " does not fit into input %s with padding %" PRId64
                                 ",%" PRId64 ",%" PRId64 ",%" PRId64,
                                 a->kernel[0], a->kernel[1], linnet_shape_text(x, text, sizeof text), a->padding[0],
                                 a->padding[1], a->padding[2], a->padding[3]);
    return LINNET_OK;
}

/* Makes the weight's shape when it is not there yet. */
static linnet_status make_weight(linnet_shape_job *job, const linnet_local_conv2d_attributes *a, const int64_t size[2])
{
    const linnet_shape *x = &job->inputs[LINNET_LOCAL_CONV2D_X];
    if (job->features < 1 || job->features > LINNET_MAX_ELEMENTS)
        return linnet_layer_fail(job, KIND, LINNET_INVALID, "out_channels is %" PRId64 ", wants at least 1",
                                 job->features);
    if (x->dims[1] == LINNET_FREE_DIM)
        return linnet_layer_fail(job, KIND, LINNET_SHAPE, "the number of input channels must be known");
    job->parameters[LINNET_LOCAL_CONV2D_WEIGHT] = (linnet_shape){
        .type = x->type, .rank = 6, .dims = {size[0], size[1], job->features, x->dims[1], a->kernel[0], a->kernel[1]}};
    return LINNET_OK;
}

static linnet_status check_weight(const linnet_shape_job *job, const linnet_local_conv2d_attributes *a,
                                  const int64_t size[2])
{
    const linnet_shape *x = &job->inputs[LINNET_LOCAL_CONV2D_X];
    const linnet_shape *weight = &job->parameters[LINNET_LOCAL_CONV2D_WEIGHT];
    char text[192];
    if (weight->rank != 6 || weight->type != x->type || linnet_shape_product(weight, 0, 6) < 1)
        return linnet_layer_fail(
            job, KIND, linnet_shape_product(weight, 0, weight->rank) == -3 ? LINNET_LIMIT : LINNET_SHAPE,
            "weight is %s %s, wants %s [out height,out width,out,in,height,width]", linnet_type_name(weight->type),
            linnet_shape_text(weight, text, sizeof text), linnet_type_name(x->type));
    if (weight->dims[0] != size[0] || weight->dims[1] != size[1])
        return linnet_layer_fail(job, KIND, LINNET_SHAPE,
                                 "output has %" PRId64 "x%" PRId64 " places, weight is for %" PRId64 "x%" PRId64,
                                 size[0], size[1], weight->dims[0], weight->dims[1]);
    if (job->features && job->features != weight->dims[2])
        return linnet_layer_fail(job, KIND, LINNET_SHAPE, "out_channels is %" PRId64 ", weight makes %" PRId64,
                                 job->features, weight->dims[2]);
    if (!linnet_dim_agrees(x->dims[1], weight->dims[3]))
        return linnet_layer_fail(job, KIND, LINNET_SHAPE, "input has %" PRId64 " channels, weight wants %" PRId64,
                                 x->dims[1], weight->dims[3]);
    if (weight->dims[4] != a->kernel[0] || weight->dims[5] != a->kernel[1])
        return linnet_layer_fail(job, KIND, LINNET_SHAPE,
                                 "kernel is %" PRId64 "x%" PRId64 ", weight is for %" PRId64 "x%" PRId64, a->kernel[0],
                                 a->kernel[1], weight->dims[4], weight->dims[5]);
    return LINNET_OK;
}

/* The bias's shape, made or checked. */
static linnet_status infer_bias(linnet_shape_job *job, const linnet_shape *y)
{
    linnet_shape wanted = {.type = y->type, .rank = 3, .dims = {y->dims[1], y->dims[2], y->dims[3]}};
    linnet_shape *bias = &job->parameters[LINNET_LOCAL_CONV2D_BIAS];
    char first[192], second[192];
    if (bias->rank == 0)
        *bias = wanted;
    if (!linnet_shape_equal(bias, &wanted))
        return linnet_layer_fail(job, KIND, LINNET_SHAPE, "bias is %s %s, wants %s %s", linnet_type_name(bias->type),
                                 linnet_shape_text(bias, first, sizeof first), linnet_type_name(wanted.type),
                                 linnet_shape_text(&wanted, second, sizeof second));
    return LINNET_OK;
}

static linnet_status infer(linnet_shape_job *job)
{
    const linnet_local_conv2d_attributes *a = job->attributes;
    int64_t size[2] = {0, 0};
    linnet_status status = linnet_layer_check_inputs(job, KIND);
    if (!status)
        status = linnet_layer_check_float(job, KIND, LINNET_LOCAL_CONV2D_X, 4);
    if (!status)
        status = check_attributes(job, a);
    if (!status)
        status = measure(job, a, size);
    if (!status && job->parameters[LINNET_LOCAL_CONV2D_WEIGHT].rank == 0)
        status = make_weight(job, a, size);
    if (!status)
        status = check_weight(job, a, size);
    if (status)
        return status;
    const linnet_shape *x = &job->inputs[LINNET_LOCAL_CONV2D_X];
    int64_t outputs = job->parameters[LINNET_LOCAL_CONV2D_WEIGHT].dims[2];
    job->outputs[0] = (linnet_shape){.type = x->type, .rank = 4, .dims = {x->dims[0], outputs, size[0], size[1]}};
    job->output_count = 1;
    job->state_count = 0;
    if (job->parameter_count > LINNET_LOCAL_CONV2D_BIAS)
        status = infer_bias(job, &job->outputs[0]);
    return status ? status : linnet_layer_check_outputs(job, KIND);
}

static uint64_t multiply_adds(const linnet_shape_job *job)
{
    const linnet_shape *weight = &job->parameters[LINNET_LOCAL_CONV2D_WEIGHT];
    uint64_t outputs = (uint64_t)linnet_shape_product(&job->outputs[0], 0, 4);
    return linnet_count_multiply(outputs, (uint64_t)linnet_shape_product(weight, 3, 6));
}

const linnet_layer linnet_local_conv2d_layer = {
    .kind = LINNET_LAYER_LOCAL_CONV2D,
    .name = "local_conv2d",
    .attributes_size = sizeof(linnet_local_conv2d_attributes),
    .differentiable_inputs = 1u << LINNET_LOCAL_CONV2D_X,
    .split_backward = true,
    .fan_in_from = 3,
    .parameter_names = {"weight", "bias"},
    .infer = infer,
    .multiply_adds = multiply_adds,
};
