/* SPDX-License-Identifier: Apache-2.0 */
/* unary: y = f(x; alpha, beta), any shape. */
#include "layer.h"

#include <inttypes.h>
#include <math.h>

enum { KIND = LINNET_LAYER_UNARY };

static const char *op_name(uint32_t op)
{
    switch (op) {
#define LINNET_UNARY_OP(number, NAME, op_text)                                                                         \
    case number:                                                                                                       \
        return #op_text;
#include "linnet/layers.def"
    default:
        return NULL;
    }
}

static linnet_status check_attributes(const linnet_shape_job *job, const linnet_unary_attributes *a)
{
    const char *name = op_name(a->op);
    if (!name)
        return linnet_layer_fail(job, KIND, LINNET_INVALID, "%" PRIu32 " is no operator", a->op);
    if (a->op == LINNET_UNARY_LEAKY_RELU && !(a->alpha > 0 && isfinite(a->alpha)))
        return linnet_layer_fail(job, KIND, LINNET_INVALID, "leaky_relu's slope is %g, wants more than 0",
                                 (double)a->alpha);
    if (a->op == LINNET_UNARY_CLIP && !(a->alpha <= a->beta))
        return linnet_layer_fail(job, KIND, LINNET_INVALID, "clip's limits are %g and %g, wants the smaller first",
                                 (double)a->alpha, (double)a->beta);
    if (a->op == LINNET_UNARY_SCALE && !(isfinite(a->alpha) && isfinite(a->beta)))
        return linnet_layer_fail(job, KIND, LINNET_INVALID, "scale's factors %g and %g are not finite",
                                 (double)a->alpha, (double)a->beta);
    return LINNET_OK;
}

static linnet_status infer(linnet_shape_job *job)
{
    linnet_status status = linnet_layer_check_inputs(job, KIND);
    if (!status)
        status = linnet_layer_check_float(job, KIND, 0, 0);
    if (!status)
        status = check_attributes(job, job->attributes);
    job->outputs[0] = job->inputs[0];
    job->output_count = 1;
    job->state_count = 0;
    return status;
}

const linnet_layer linnet_unary_layer = {
    .kind = LINNET_LAYER_UNARY,
    .name = "unary",
    .attributes_size = sizeof(linnet_unary_attributes),
    .differentiable_inputs = 1,
    .infer = infer,
};
