/* SPDX-License-Identifier: Apache-2.0 */
/* dropout: y has the shape of x. */
#include "layer.h"

enum { KIND = LINNET_LAYER_DROPOUT };

static linnet_status infer(linnet_shape_job *job)
{
    const linnet_dropout_attributes *a = job->attributes;
    linnet_status status = linnet_layer_check_inputs(job, KIND);
    if (!status)
        status = linnet_layer_check_float(job, KIND, 0, 0);
    if (!status && !(a->probability >= 0 && a->probability < 1))
        status = linnet_layer_fail(job, KIND, LINNET_INVALID, "probability is %g, wants 0 or more and less than 1",
                                   (double)a->probability);
    job->outputs[0] = job->inputs[0];
    job->output_count = 1;
    job->state_count = 0;
    return status;
}

const linnet_layer linnet_dropout_layer = {
    .kind = LINNET_LAYER_DROPOUT,
    .name = "dropout",
    .attributes_size = sizeof(linnet_dropout_attributes),
    .differentiable_inputs = 1,
    .infer = infer,
};
