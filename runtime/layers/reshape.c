/* SPDX-License-Identifier: Apache-2.0 */
/* reshape: the same elements in row-major order under another shape. */
#include "layer.h"

#include <inttypes.h>

enum { KIND = LINNET_LAYER_RESHAPE, REST = -2 };

static linnet_status mismatch(const linnet_shape_job *job, const linnet_shape *target)
{
    char from[192], to[192];
    return linnet_layer_fail(job, KIND, LINNET_SHAPE, "input %s does not fit into %s",
                             linnet_shape_text(&job->inputs[0], from, sizeof from),
                             linnet_shape_text(target, to, sizeof to));
}

/* Dims that the target copies are set to 1 on both sides: *from and *to keep what must have equal products. Sets *rest
   to the place of the -2, or to the rank. */
static linnet_status split(const linnet_shape_job *job, const linnet_shape *target, linnet_shape *from,
                           linnet_shape *to, uint32_t *rest)
{
    *rest = target->rank;
    for (uint32_t i = 0; i < target->rank; i++) {
        if (target->dims[i] == LINNET_FREE_DIM) {
            if (i >= from->rank)
                return mismatch(job, target);
            from->dims[i] = to->dims[i] = 1;
        } else if (target->dims[i] == REST && *rest == target->rank) {
            *rest = i;
            to->dims[i] = 1;
        } else if (target->dims[i] < 1) {
            return linnet_layer_fail(job, KIND, LINNET_INVALID, "%" PRId64 " is no size of a dimension",
                                     target->dims[i]);
        }
    }
    return LINNET_OK;
}

static linnet_status infer(linnet_shape_job *job)
{
    const linnet_shape *target = job->attributes;
    linnet_status status = linnet_layer_check_inputs(job, KIND);
    if (!status && target->rank > LINNET_MAX_RANK)
        status =
            linnet_layer_fail(job, KIND, LINNET_LIMIT, "%" PRIu32 " dimensions are wanted, at most %d are possible",
                              target->rank, LINNET_MAX_RANK);
    if (status)
        return status;
    linnet_shape from = job->inputs[0], to = *target;
    uint32_t rest = 0;
    status = split(job, target, &from, &to, &rest);
    if (status)
        return status;
    int64_t have = linnet_shape_product(&from, 0, from.rank), want = linnet_shape_product(&to, 0, to.rank);
    if (want < 1 || (have != LINNET_FREE_DIM && (rest < to.rank ? have % want != 0 : have != want)))
        return mismatch(job, target);
    linnet_shape *y = &job->outputs[0];
    *y = *target;
    y->type = job->inputs[0].type;
    for (uint32_t i = 0; i < y->rank; i++)
        if (y->dims[i] == LINNET_FREE_DIM)
            y->dims[i] = job->inputs[0].dims[i];
    if (rest < y->rank)
        y->dims[rest] = have == LINNET_FREE_DIM ? LINNET_FREE_DIM : have / want;
    job->output_count = 1;
    job->state_count = 0;
    return linnet_layer_check_outputs(job, KIND);
}

const linnet_layer linnet_reshape_layer = {
    .kind = LINNET_LAYER_RESHAPE,
    .name = "reshape",
    .attributes_size = sizeof(linnet_shape),
    .differentiable_inputs = 1,
    .infer = infer,
};
