/* SPDX-License-Identifier: Apache-2.0 */
/* mse: x and target of equal shape -> loss []. */
#include "layer.h"

enum { KIND = LINNET_LAYER_MSE };

static linnet_status infer(linnet_shape_job *job)
{
    linnet_status status = linnet_layer_check_inputs(job, KIND);
    if (!status)
        status = linnet_layer_check_float(job, KIND, LINNET_MSE_X, 0);
    if (!status)
        status = linnet_layer_check_equal(job, KIND);
    job->outputs[0] = (linnet_shape){.type = job->inputs[LINNET_MSE_X].type, .rank = 0};
    job->output_count = 1;
    job->state_count = 0;
    return status;
}

const linnet_layer linnet_mse_layer = {
    .kind = LINNET_LAYER_MSE,
    .name = "mse",
    .differentiable_inputs = 1u << LINNET_MSE_X | 1u << LINNET_MSE_TARGET,
    .is_loss = true,
    .infer = infer,
};
