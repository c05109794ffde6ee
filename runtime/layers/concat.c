/* SPDX-License-Identifier: Apache-2.0 */
/* concat: inputs of equal shape but for one axis, laid one behind the other along it. */
#include "layer.h"

#include <inttypes.h>

enum { KIND = LINNET_LAYER_CONCAT };

/* Joins input index to what is known of y. */
static linnet_status join(const linnet_shape_job *job, uint32_t index, uint32_t axis, linnet_shape *y)
{
    const linnet_shape *x = &job->inputs[index];
    char first[192], other[192];
    bool agree = x->rank == y->rank && x->type == y->type;
    for (uint32_t i = 0; i < y->rank && agree; i++) {
        if (i == axis) {
            bool known = x->dims[i] != LINNET_FREE_DIM && y->dims[i] != LINNET_FREE_DIM;
            y->dims[i] = known ? y->dims[i] + x->dims[i] : LINNET_FREE_DIM;
        } else {
            agree = linnet_dim_agrees(x->dims[i], y->dims[i]);
            y->dims[i] = y->dims[i] == LINNET_FREE_DIM ? x->dims[i] : y->dims[i];
        }
    }
    if (!agree)
        return linnet_layer_fail(job, KIND, LINNET_SHAPE,
                                 "input 0 is %s %s, input %" PRIu32 " is %s %s, wants the same but for axis %" PRIu32,
                                 linnet_type_name(job->inputs[0].type),
                                 linnet_shape_text(&job->inputs[0], first, sizeof first), index,
                                 linnet_type_name(x->type), linnet_shape_text(x, other, sizeof other), axis);
    return LINNET_OK;
}

static linnet_status infer(linnet_shape_job *job)
{
    const linnet_axis_attributes *a = job->attributes;
    linnet_status status = linnet_layer_check_inputs(job, KIND);
    if (!status)
        status = linnet_layer_check_axis(job, KIND);
    job->outputs[0] = job->inputs[0];
    for (uint32_t i = 1; i < job->input_count && !status; i++)
        status = join(job, i, a->axis, &job->outputs[0]);
    job->output_count = 1;
    job->state_count = 0;
    return status ? status : linnet_layer_check_outputs(job, KIND);
}

const linnet_layer linnet_concat_layer = {
    .kind = LINNET_LAYER_CONCAT,
    .name = "concat",
    .attributes_size = sizeof(linnet_axis_attributes),
    .differentiable_inputs = UINT32_MAX,
    .infer = infer,
};
