/* SPDX-License-Identifier: Apache-2.0 */
/* alpha_norm: x of any shape -> loss []. */
#include "layer.h"

#include <math.h>

enum { KIND = LINNET_LAYER_ALPHA_NORM };

static linnet_status infer(linnet_shape_job *job)
{
    const linnet_alpha_norm_attributes *a = job->attributes;
    linnet_status status = linnet_layer_check_inputs(job, KIND);
    if (!status)
        status = linnet_layer_check_float(job, KIND, LINNET_ALPHA_NORM_X, 0);
    if (!status && !(a->alpha >= 1 && isfinite(a->alpha)))
        status = linnet_layer_fail(job, KIND, LINNET_INVALID, "alpha is %g, wants at least 1", (double)a->alpha);
    job->outputs[0] = (linnet_shape){.type = job->inputs[LINNET_ALPHA_NORM_X].type, .rank = 0};
    job->output_count = 1;
    job->state_count = 0;
    return status;
}

const linnet_layer linnet_alpha_norm_layer = {
    .kind = LINNET_LAYER_ALPHA_NORM,
    .name = "alpha_norm",
    .attributes_size = sizeof(linnet_alpha_norm_attributes),
    .differentiable_inputs = 1u << LINNET_ALPHA_NORM_X,
    .is_loss = true,
    .infer = infer,
};
