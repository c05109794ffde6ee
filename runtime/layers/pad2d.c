/* SPDX-License-Identifier: Apache-2.0 */
/* pad2d: x [N,C,H,W] -> y [N,C,top+H+bottom,left+W+right]. */
#include "layer.h"

#include <inttypes.h>
#include <math.h>

enum { KIND = LINNET_LAYER_PAD2D };

static linnet_status check_attributes(const linnet_shape_job *job, const linnet_pad2d_attributes *a)
{
    static const char *const sides[] = {"top", "left", "bottom", "right"};
    if (a->mode > LINNET_PAD_REFLECT)
        return linnet_layer_fail(job, KIND, LINNET_INVALID, "%" PRIu32 " is no mode", a->mode);
    if (isnan(a->value))
        return linnet_layer_fail(job, KIND, LINNET_INVALID, "value is not a number");
    linnet_status status = linnet_layer_check_window(job, KIND, "padding", a->padding, 4, 0);
    for (uint32_t i = 0; i < 4 && !status && a->mode == LINNET_PAD_REFLECT; i++) {
        int64_t size = job->inputs[LINNET_PAD2D_X].dims[2 + i % 2];
        char text[192];
        if (size != LINNET_FREE_DIM && a->padding[i] >= size)
            status = linnet_layer_fail(
                job, KIND, LINNET_SHAPE,
                "padding %" PRId64 " at the %s reflects more than input %s has, wants at most %" PRId64, a->padding[i],
                sides[i], linnet_shape_text(&job->inputs[LINNET_PAD2D_X], text, sizeof text), size - 1);
    }
    return status;
}

static linnet_status infer(linnet_shape_job *job)
{
    const linnet_pad2d_attributes *a = job->attributes;
    linnet_status status = linnet_layer_check_inputs(job, KIND);
    if (!status)
        status = linnet_layer_check_float(job, KIND, LINNET_PAD2D_X, 4);
    if (!status)
        status = check_attributes(job, a);
    if (status)
        return status;
    linnet_shape *y = &job->outputs[0];
    *y = job->inputs[LINNET_PAD2D_X];
    for (uint32_t i = 0; i < 2; i++)
        if (y->dims[2 + i] != LINNET_FREE_DIM)
            y->dims[2 + i] += a->padding[i] + a->padding[2 + i];
    job->output_count = 1;
    job->state_count = 0;
    return linnet_layer_check_outputs(job, KIND);
}

const linnet_layer linnet_pad2d_layer = {
    .kind = LINNET_LAYER_PAD2D,
    .name = "pad2d",
    .attributes_size = sizeof(linnet_pad2d_attributes),
    .differentiable_inputs = 1u << LINNET_PAD2D_X,
    .infer = infer,
};
