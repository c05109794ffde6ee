/* SPDX-License-Identifier: Apache-2.0 */
/* global_avg_pool: the mean of each plane. */
#include "reference.h"

static void candidate(const linnet_layer_desc *desc, linnet_candidate *out)
{
    (void)desc;
    (void)out;
}

static void forward(const reference_call *call)
{
    reference_tensor x = reference_input(call, LINNET_GLOBAL_AVG_POOL_X),
                     y = reference_output(call, LINNET_GLOBAL_AVG_POOL_Y);
    int64_t plane = x.dims[2] * x.dims[3];
    for (int64_t n = 0; n < x.items; n++)
        for (int64_t c = 0; c < x.dims[1]; c++) {
            double sum = 0;
            for (int64_t i = 0; i < plane; i++)
                sum += reference_at(&x, n, c, 0, 0)[i];
            reference_item(&y, n)[c] = (float)(sum / (double)plane);
        }
}

static void backward(const reference_call *call)
{
    reference_tensor dx = reference_input_gradient(call, LINNET_GLOBAL_AVG_POOL_X);
    reference_tensor dy = reference_output_gradient(call, LINNET_GLOBAL_AVG_POOL_Y);
    if (!dx.data)
        return;
    int64_t plane = dx.dims[2] * dx.dims[3];
    for (int64_t n = 0; n < dx.items; n++)
        for (int64_t c = 0; c < dx.dims[1]; c++)
            for (int64_t i = 0; i < plane; i++)
                reference_put(&dx, reference_at(&dx, n, c, 0, 0) + i, reference_item(&dy, n)[c] / (double)plane);
}

const reference_layer reference_global_avg_pool_layer = {
    .candidate = candidate,
    .forward = forward,
    .backward = backward,
};
