/* SPDX-License-Identifier: Apache-2.0 */
/* gram: x [N,C,H,W] -> y [N,C,C]. */
#include "layer.h"

#include <math.h>

enum { KIND = LINNET_LAYER_GRAM };

static linnet_status infer(linnet_shape_job *job)
{
    const linnet_gram_attributes *a = job->attributes;
    linnet_status status = linnet_layer_check_inputs(job, KIND);
    if (!status)
        status = linnet_layer_check_float(job, KIND, LINNET_GRAM_X, 4);
    if (!status && !isfinite(a->scale))
        status = linnet_layer_fail(job, KIND, LINNET_INVALID, "scale is %g, wants a finite number", (double)a->scale);
    if (status)
        return status;
    const linnet_shape *x = &job->inputs[LINNET_GRAM_X];
    job->outputs[0] = (linnet_shape){.type = x->type, .rank = 3, .dims = {x->dims[0], x->dims[1], x->dims[1]}};
    job->output_count = 1;
    job->state_count = 0;
    return linnet_layer_check_outputs(job, KIND);
}

/* N C C H W */
static uint64_t multiply_adds(const linnet_shape_job *job)
{
    uint64_t elements = (uint64_t)linnet_shape_product(&job->inputs[LINNET_GRAM_X], 0, 4);
    return linnet_count_multiply(elements, (uint64_t)job->inputs[LINNET_GRAM_X].dims[1]);
}

const linnet_layer linnet_gram_layer = {
    .kind = LINNET_LAYER_GRAM,
    .name = "gram",
    .attributes_size = sizeof(linnet_gram_attributes),
    .differentiable_inputs = 1u << LINNET_GRAM_X,
    .infer = infer,
    .multiply_adds = multiply_adds,
};
