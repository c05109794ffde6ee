/* SPDX-License-Identifier: Apache-2.0 */
/* binary: y = f(a, b), three equal shapes. */
#include "layer.h"

#include <inttypes.h>

enum { KIND = LINNET_LAYER_BINARY };

static bool is_op(uint32_t op)
{
    switch (op) {
#define LINNET_BINARY_OP(number, NAME, op_text) case number:
#include "linnet/layers.def"
        return true;
    default:
        return false;
    }
}

static linnet_status infer(linnet_shape_job *job)
{
    const linnet_binary_attributes *a = job->attributes;
    linnet_status status = linnet_layer_check_inputs(job, KIND);
    if (!status)
        status = linnet_layer_check_float(job, KIND, LINNET_BINARY_A, 0);
    if (!status && !is_op(a->op))
        status = linnet_layer_fail(job, KIND, LINNET_INVALID, "%" PRIu32 " is no operator", a->op);
    if (!status)
        status = linnet_layer_check_equal(job, KIND);
    job->output_count = 1;
    job->state_count = 0;
    return status ? status : linnet_layer_check_outputs(job, KIND);
}

const linnet_layer linnet_binary_layer = {
    .kind = LINNET_LAYER_BINARY,
    .name = "binary",
    .attributes_size = sizeof(linnet_binary_attributes),
    .differentiable_inputs = 3,
    .infer = infer,
};
