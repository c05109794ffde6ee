/* SPDX-License-Identifier: Apache-2.0 */
/* log_softmax along an axis: y has the shape of x. */
#include "layer.h"

enum { KIND = LINNET_LAYER_LOG_SOFTMAX };

static linnet_status infer(linnet_shape_job *job)
{
    linnet_status status = linnet_layer_check_inputs(job, KIND);
    if (!status)
        status = linnet_layer_check_float(job, KIND, 0, 0);
    if (!status)
        status = linnet_layer_check_axis(job, KIND);
    job->outputs[0] = job->inputs[0];
    job->output_count = 1;
    job->state_count = 0;
    return status;
}

const linnet_layer linnet_log_softmax_layer = {
    .kind = LINNET_LAYER_LOG_SOFTMAX,
    .name = "log_softmax",
    .attributes_size = sizeof(linnet_axis_attributes),
    .differentiable_inputs = 1,
    .infer = infer,
};
