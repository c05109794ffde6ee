/* SPDX-License-Identifier: Apache-2.0 */
/* cross_entropy: logits [N,C], labels i32 [N] -> loss []. */
#include "layer.h"

enum { KIND = LINNET_LAYER_CROSS_ENTROPY };

static linnet_status infer(linnet_shape_job *job)
{
    const linnet_shape *logits = &job->inputs[LINNET_CROSS_ENTROPY_LOGITS];
    const linnet_shape *labels = &job->inputs[LINNET_CROSS_ENTROPY_LABELS];
    linnet_status status = linnet_layer_check_inputs(job, KIND);
    if (!status)
        status = linnet_layer_check_float(job, KIND, LINNET_CROSS_ENTROPY_LOGITS, 2);
    if (status)
        return status;
    char first[192], second[192];
    if (labels->type != LINNET_I32)
        return linnet_layer_fail(job, KIND, LINNET_INVALID, "labels are of type %s, wants i32",
                                 linnet_type_name(labels->type));
    if (labels->rank != 1 || !linnet_dim_agrees(labels->dims[0], logits->dims[0]))
        return linnet_layer_fail(job, KIND, LINNET_SHAPE, "labels %s do not fit logits %s, wants one for each item",
                                 linnet_shape_text(labels, first, sizeof first),
                                 linnet_shape_text(logits, second, sizeof second));
    job->outputs[0] = (linnet_shape){.type = logits->type, .rank = 0};
    job->output_count = 1;
    job->state_count = 0;
    return LINNET_OK;
}

const linnet_layer linnet_cross_entropy_layer = {
    .kind = LINNET_LAYER_CROSS_ENTROPY,
    .name = "cross_entropy",
    .differentiable_inputs = 1u << LINNET_CROSS_ENTROPY_LOGITS,
    .is_loss = true,
    .infer = infer,
};
