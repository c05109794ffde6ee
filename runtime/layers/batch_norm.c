/* SPDX-License-Identifier: Apache-2.0 */
/* batch_norm: x [N,C] or [N,C,...], weight, bias, running mean and variance [C] -> y like x. */
#include "layer.h"

#include <inttypes.h>
#include <math.h>

enum { KIND = LINNET_LAYER_BATCH_NORM };

static linnet_status check_attributes(const linnet_shape_job *job, const linnet_batch_norm_attributes *a)
{
    if (!(a->epsilon > 0 && isfinite(a->epsilon)))
        return linnet_layer_fail(job, KIND, LINNET_INVALID, "epsilon is %g, wants more than 0", (double)a->epsilon);
    if (!(a->momentum >= 0 && a->momentum <= 1))
        return linnet_layer_fail(job, KIND, LINNET_INVALID, "momentum is %g, wants 0 to 1", (double)a->momentum);
    if (job->parameter_count != 2)
        return linnet_layer_fail(job, KIND, LINNET_INVALID, "has %" PRIu32 " parameters, wants 2",
                                 job->parameter_count);
    return LINNET_OK;
}

static linnet_status infer(linnet_shape_job *job)
{
    linnet_status status = linnet_layer_check_inputs(job, KIND);
    if (!status)
        status = linnet_layer_check_float(job, KIND, 0, 0);
    if (!status)
        status = check_attributes(job, job->attributes);
    if (status)
        return status;
    const linnet_shape *x = &job->inputs[0], *weight = &job->parameters[LINNET_BATCH_NORM_WEIGHT];
    if (x->rank < 2)
        return linnet_layer_fail(job, KIND, LINNET_SHAPE,
                                 "input has %" PRIu32 " dimensions, wants at least 2 (batch, channels)", x->rank);
    int64_t channels = x->dims[1];
    if (channels == LINNET_FREE_DIM && weight->rank == 1)
        channels = weight->dims[0];
    if (channels == LINNET_FREE_DIM)
        return linnet_layer_fail(job, KIND, LINNET_SHAPE, "the number of input channels must be known");
    if (weight->rank == 1 && weight->dims[0] != channels)
        return linnet_layer_fail(job, KIND, LINNET_SHAPE, "input has %" PRId64 " channels, weight wants %" PRId64,
                                 channels, weight->dims[0]);
    status = linnet_layer_vector(job, KIND, LINNET_BATCH_NORM_WEIGHT, channels);
    if (!status)
        status = linnet_layer_vector(job, KIND, LINNET_BATCH_NORM_BIAS, channels);
    job->outputs[0] = *x;
    job->output_count = 1;
    job->states[LINNET_BATCH_NORM_MEAN] = (linnet_shape){.type = x->type, .rank = 1, .dims = {channels}};
    job->states[LINNET_BATCH_NORM_VARIANCE] = job->states[LINNET_BATCH_NORM_MEAN];
    job->state_count = 2;
    return status ? status : linnet_layer_check_outputs(job, KIND);
}

const linnet_layer linnet_batch_norm_layer = {
    .kind = LINNET_LAYER_BATCH_NORM,
    .name = "batch_norm",
    .attributes_size = sizeof(linnet_batch_norm_attributes),
    .differentiable_inputs = 1,
    .parameter_names = {"weight", "bias"},
    .state_names = {"running_mean", "running_var"},
    .infer = infer,
};
