/* SPDX-License-Identifier: Apache-2.0 */
/* linear: x [N,...] with I elements behind N, weight [O,I], bias [O] -> y [N,O]. */
#include "layer.h"

#include <inttypes.h>

enum { KIND = LINNET_LAYER_LINEAR };

static linnet_status make_weight(linnet_shape_job *job, int64_t features)
{
    char text[192];
    if (job->features < 1 || job->features > LINNET_MAX_ELEMENTS)
        return linnet_layer_fail(job, KIND, LINNET_INVALID, "out_features is %" PRId64 ", wants at least 1",
                                 job->features);
    if (features == LINNET_FREE_DIM)
        return linnet_layer_fail(job, KIND, LINNET_SHAPE, "all but the first dimension of input %s must be known",
                                 linnet_shape_text(&job->inputs[0], text, sizeof text));
    job->parameters[LINNET_LINEAR_WEIGHT] =
        (linnet_shape){.type = job->inputs[0].type, .rank = 2, .dims = {job->features, features}};
    return LINNET_OK;
}

static linnet_status check_weight(const linnet_shape_job *job, int64_t features)
{
    const linnet_shape *x = &job->inputs[0], *weight = &job->parameters[LINNET_LINEAR_WEIGHT];
    char text[192];
    if (weight->rank != 2 || weight->type != x->type || linnet_shape_product(weight, 0, 2) < 1)
        return linnet_layer_fail(job, KIND, LINNET_SHAPE, "weight is %s %s, wants %s [out,in]",
                                 linnet_type_name(weight->type), linnet_shape_text(weight, text, sizeof text),
                                 linnet_type_name(x->type));
    if (job->features && job->features != weight->dims[0])
        return linnet_layer_fail(job, KIND, LINNET_SHAPE, "out_features is %" PRId64 ", weight makes %" PRId64,
                                 job->features, weight->dims[0]);
    if (!linnet_dim_agrees(features, weight->dims[1]))
        return linnet_layer_fail(job, KIND, LINNET_SHAPE, "input %s has %" PRId64 " features, weight wants %" PRId64,
                                 linnet_shape_text(x, text, sizeof text), features, weight->dims[1]);
    return LINNET_OK;
}

static linnet_status infer(linnet_shape_job *job)
{
    linnet_status status = linnet_layer_check_inputs(job, KIND);
    if (!status)
        status = linnet_layer_check_float(job, KIND, 0, 0);
    if (status)
        return status;
    const linnet_shape *x = &job->inputs[0];
    if (x->rank < 2)
        return linnet_layer_fail(job, KIND, LINNET_SHAPE,
                                 "input has %" PRIu32 " dimensions, wants at least 2 (batch, features)", x->rank);
    int64_t features = linnet_shape_product(x, 1, x->rank);
    if (job->parameters[LINNET_LINEAR_WEIGHT].rank == 0)
        status = make_weight(job, features);
    if (!status)
        status = check_weight(job, features);
    if (status)
        return status;
    int64_t outputs = job->parameters[LINNET_LINEAR_WEIGHT].dims[0];
    if (job->parameter_count > LINNET_LINEAR_BIAS)
        status = linnet_layer_vector(job, KIND, LINNET_LINEAR_BIAS, outputs);
    job->outputs[0] = (linnet_shape){.type = x->type, .rank = 2, .dims = {x->dims[0], outputs}};
    job->output_count = 1;
    job->state_count = 0;
    return status ? status : linnet_layer_check_outputs(job, KIND);
}

static uint64_t multiply_adds(const linnet_shape_job *job)
{
    uint64_t weights = (uint64_t)linnet_shape_product(&job->parameters[LINNET_LINEAR_WEIGHT], 0, 2);
    return linnet_count_multiply((uint64_t)job->outputs[0].dims[0], weights);
}

const linnet_layer linnet_linear_layer = {
    .kind = LINNET_LAYER_LINEAR,
    .name = "linear",
    .differentiable_inputs = 1,
    .split_backward = true,
    .parameter_names = {"weight", "bias"},
    .infer = infer,
    .multiply_adds = multiply_adds,
};
