/* SPDX-License-Identifier: Apache-2.0 */
/* conv2d: what its candidates share. Each candidate has a file; conv2d.c lists them and picks by shape and device. */
#ifndef LINNET_OPENCL_CONV2D_H
#define LINNET_OPENCL_CONV2D_H

#include "gemm.h"

typedef struct linnet_cl_conv2d {
    int64_t images, channels, height, width, outputs, out_height, out_width;
    int64_t groups, group_inputs, group_outputs;
    int64_t kernel_height, kernel_width, stride_y, stride_x, dilation_y, dilation_x, top, left;
    int64_t weights; /* elements of weight */
    bool has_bias;
    linnet_epilogue epilogue; /* op 0: none */
    bool forward, want_data, want_weight, want_bias;
} linnet_cl_conv2d;

linnet_cl_conv2d linnet_cl_conv2d_of(const linnet_layer_desc *desc);
/* Constants height, width, out_height, out_width, group_inputs, group_outputs, groups, kernel, stride, dilation, top,
 * left. */
void linnet_cl_conv2d_constants(linnet_cl_kernel *kernel, const linnet_cl_conv2d *shape);

/* One way to do it. workspace_bytes and plan get a shape whose direction and wishes are set. */
typedef struct linnet_cl_conv2d_way {
    const char *name;
    const char *(*refusal)(const linnet_backend_device *device, const linnet_cl_conv2d *shape); /* NULL: accepts */
    uint64_t (*workspace_bytes)(const linnet_backend_device *device, const linnet_cl_conv2d *shape);
    linnet_status (*plan)(linnet_backend_device *device, const linnet_cl_conv2d *shape, linnet_backend_plan **out);
} linnet_cl_conv2d_way;

extern const linnet_cl_conv2d_way linnet_cl_conv2d_panel;
extern const linnet_cl_conv2d_way linnet_cl_conv2d_direct;
extern const linnet_cl_conv2d_way linnet_cl_conv2d_clblast;

#endif
