/* SPDX-License-Identifier: Apache-2.0 */
/* avg_pool2d: x [N,C,H,W] -> y [N,C,OH,OW]. */
#include "layer.h"

static linnet_status infer(linnet_shape_job *job)
{
    return linnet_pool2d_infer(job, LINNET_LAYER_AVG_POOL2D);
}

const linnet_layer linnet_avg_pool2d_layer = {
    .kind = LINNET_LAYER_AVG_POOL2D,
    .name = "avg_pool2d",
    .attributes_size = sizeof(linnet_pool2d_attributes),
    .differentiable_inputs = 1,
    .infer = infer,
};
