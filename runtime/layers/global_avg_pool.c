/* SPDX-License-Identifier: Apache-2.0 */
/* global_avg_pool: x [N,C,H,W] -> y [N,C,1,1]. */
#include "layer.h"

enum { KIND = LINNET_LAYER_GLOBAL_AVG_POOL };

static linnet_status infer(linnet_shape_job *job)
{
    linnet_status status = linnet_layer_check_inputs(job, KIND);
    if (!status)
        status = linnet_layer_check_float(job, KIND, 0, 4);
    job->outputs[0] = (linnet_shape){
        .type = job->inputs[0].type, .rank = 4, .dims = {job->inputs[0].dims[0], job->inputs[0].dims[1], 1, 1}};
    job->output_count = 1;
    job->state_count = 0;
    return status ? status : linnet_layer_check_outputs(job, KIND);
}

const linnet_layer linnet_global_avg_pool_layer = {
    .kind = LINNET_LAYER_GLOBAL_AVG_POOL,
    .name = "global_avg_pool",
    .differentiable_inputs = 1,
    .infer = infer,
};
