/* SPDX-License-Identifier: Apache-2.0 */
/* Winograd's convolution: what its files share. */
#ifndef LINNET_OPENCL_CONV2D_WINOGRAD_H
#define LINNET_OPENCL_CONV2D_WINOGRAD_H

#include "conv2d.h"

/* ---- conv2d_winograd_shape.c: on any device ---- */

/* What Winograd's algorithm has to refuse; NULL: nothing. */
const char *linnet_cl_winograd_refusal(const linnet_cl_conv2d *shape);

/* Of the forward direction, or of that with respect to the input, which convolves y's gradient. */
typedef struct linnet_cl_winograd_sizes {
    int64_t channels, outputs, in_height, in_width, out_height, out_width, top, left;
} linnet_cl_winograd_sizes;

linnet_cl_winograd_sizes linnet_cl_winograd_sizes_of(const linnet_cl_conv2d *shape);

/* ---- conv2d_winograd_chunks.c: on GPUs, as what follows ---- */

typedef struct linnet_cl_winograd_tiles {
    int64_t down, across, all; /* of a plane, and of all images' */
    int64_t positions;
    int64_t chunk;      /* tiles that are transformed and multiplied at once: whole lines of a cache */
    int64_t run, parts; /* of the weight's gradient: tiles of a part of its products */
} linnet_cl_winograd_tiles;

/* Of planes of height by width, of products with `rows` rows and `depth` channels. */
linnet_cl_winograd_tiles linnet_cl_winograd_tiles_of(const linnet_backend_device *device, const linnet_cl_conv2d *shape,
                                                     int64_t height, int64_t width, int64_t rows, int64_t depth);
/* Of the weight's gradient. */
linnet_cl_winograd_tiles linnet_cl_winograd_gradient_tiles(const linnet_backend_device *device,
                                                           const linnet_cl_conv2d *shape);

/* ---- conv2d_winograd_weight.c: the weight's gradient, and the bias' with it ---- */

typedef struct linnet_cl_winograd_gradient {
    linnet_cl_kernel *input, *gradient, *product; /* once a chunk of tiles */
    linnet_cl_kernel *reduce, *store;             /* reduce is NULL where there is one part */
    linnet_cl_channel_sum bias;
    int64_t chunk, tile_count;
    uint64_t w_at, sums_at, sum_at, bias_parts_at; /* bytes into the workspace; sum: of the parts in sums */
} linnet_cl_winograd_gradient;

/* Of the workspace. */
uint64_t linnet_cl_winograd_gradient_bytes(const linnet_backend_device *device, const linnet_cl_conv2d *shape);
void linnet_cl_winograd_gradient_kernels(linnet_backend_plan *plan, const linnet_cl_conv2d *shape,
                                         linnet_cl_winograd_gradient *out);
linnet_status linnet_cl_winograd_gradient_run(linnet_cl_winograd_gradient *weight, linnet_backend_queue *queue,
                                              const linnet_layer_args *args);

#endif
