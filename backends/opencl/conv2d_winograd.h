/* SPDX-License-Identifier: Apache-2.0 */
/* The weight's gradient of Winograd's convolution on GPUs (conv2d_winograd_weight.c), and the bias' with it. */
#ifndef LINNET_OPENCL_CONV2D_WINOGRAD_H
#define LINNET_OPENCL_CONV2D_WINOGRAD_H

#include "conv2d.h"

typedef struct linnet_cl_winograd_gradient {
    linnet_cl_kernel *input, *gradient, *product, *store; /* the first three run once a chunk of tiles */
    linnet_cl_channel_sum bias;
    int64_t chunk, tile_count;
    uint64_t w_at, sums_at, bias_parts_at; /* bytes into the workspace */
} linnet_cl_winograd_gradient;

/* Of the workspace. */
uint64_t linnet_cl_winograd_gradient_bytes(const linnet_backend_device *device, const linnet_cl_conv2d *shape);
void linnet_cl_winograd_gradient_kernels(linnet_backend_plan *plan, const linnet_cl_conv2d *shape,
                                         linnet_cl_winograd_gradient *out);
linnet_status linnet_cl_winograd_gradient_run(linnet_cl_winograd_gradient *weight, linnet_backend_queue *queue,
                                              const linnet_layer_args *args);

#endif
