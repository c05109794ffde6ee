/* SPDX-License-Identifier: Apache-2.0 */
/* total_variation: x [N,C,H,W] -> loss []. */
#include "layer.h"

#include <math.h>

enum { KIND = LINNET_LAYER_TOTAL_VARIATION };

static linnet_status infer(linnet_shape_job *job)
{
    const linnet_total_variation_attributes *a = job->attributes;
    linnet_status status = linnet_layer_check_inputs(job, KIND);
    if (!status)
        status = linnet_layer_check_float(job, KIND, LINNET_TOTAL_VARIATION_X, 4);
    if (!status && !(a->beta > 0 && isfinite(a->beta)))
        status = linnet_layer_fail(job, KIND, LINNET_INVALID, "beta is %g, wants more than 0", (double)a->beta);
    if (!status && !(a->epsilon >= 0 && isfinite(a->epsilon)))
        status = linnet_layer_fail(job, KIND, LINNET_INVALID, "epsilon is %g, wants 0 or more", (double)a->epsilon);
    job->outputs[0] = (linnet_shape){.type = job->inputs[LINNET_TOTAL_VARIATION_X].type, .rank = 0};
    job->output_count = 1;
    job->state_count = 0;
    return status;
}

const linnet_layer linnet_total_variation_layer = {
    .kind = LINNET_LAYER_TOTAL_VARIATION,
    .name = "total_variation",
    .attributes_size = sizeof(linnet_total_variation_attributes),
    .differentiable_inputs = 1u << LINNET_TOTAL_VARIATION_X,
    .is_loss = true,
    .infer = infer,
};
