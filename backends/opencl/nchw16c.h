/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Storage formats of f32 tensors on processors. nchw16c is [N][ceil(C/16)][rest...][16], the channels innermost: a
 * vector holds 16 channels of one element. The last block's spare lanes are zero, always, in activations and in
 * gradients: whoever writes a tensor keeps it so, and whoever reads one need not care. Formats of weights belong to
 * conv2d_channels.c (kernels/nchw16c.cl draws them).
 *
 * nchw16n is [ceil(N/16)][C][rest...][16], the batch innermost, for layers of few channels: a vector holds one element
 * of 16 images. Spare lanes of gradients are zero; those of activations are what comes of zeros.
 */
#ifndef LINNET_OPENCL_NCHW16C_H
#define LINNET_OPENCL_NCHW16C_H

#include "plan.h"
#include "sizes.h"

enum {
    LINNET_CL_LANES = 16,
    LINNET_CL_NCHW16N = LINNET_FORMAT_PRIVATE + 1,
    LINNET_CL_NCHW16C = LINNET_FORMAT_PRIVATE + 2,
    LINNET_CL_CONV2D_FORWARD = LINNET_FORMAT_PRIVATE + 16,
    LINNET_CL_CONV2D_BACKWARD = LINNET_FORMAT_PRIVATE + 17,
    LINNET_CL_CONV2D_PLANES = LINNET_FORMAT_PRIVATE + 18
};

static inline bool linnet_cl_is_nchw16c(const linnet_tensor_desc *desc)
{
    return desc->format == LINNET_CL_NCHW16C;
}

static inline bool linnet_cl_is_nchw16n(const linnet_tensor_desc *desc)
{
    return desc->format == LINNET_CL_NCHW16N;
}

static inline int64_t linnet_cl_blocks(int64_t channels)
{
    return ceil_div(channels, LINNET_CL_LANES);
}

/* Can the device keep the tensor so? */
bool linnet_cl_can_block(const linnet_backend_device *device, const linnet_tensor_desc *desc);
/* Floats that the tensor takes, spare lanes included. */
int64_t linnet_cl_storage(const linnet_tensor_desc *desc);
/* Planes of a tensor in either: [planes][rest...][16]. */
int64_t linnet_cl_planes(const linnet_tensor_desc *desc);
/* From one item to the next, not in nchw16n; dims[0] is not 0. */
int64_t linnet_cl_item(const linnet_tensor_desc *desc);
/* For candidates: asks for nchw16c for every input and output that can be so. */
void linnet_cl_want_nchw16c(const linnet_backend_device *device, const linnet_layer_desc *desc, linnet_candidate *out);
/* For candidates that take either: asks for nchw16c where the first input (or, backward, the output) has it. Returns
 * whether it did. */
bool linnet_cl_follow_nchw16c(const linnet_backend_device *device, const linnet_layer_desc *desc,
                              linnet_candidate *out);
/* The same for nchw16n. */
void linnet_cl_want_nchw16n(const linnet_backend_device *device, const linnet_layer_desc *desc, linnet_candidate *out);
bool linnet_cl_follow_nchw16n(const linnet_backend_device *device, const linnet_layer_desc *desc,
                              linnet_candidate *out);

linnet_status linnet_cl_format_bytes(linnet_backend_device *device, const linnet_tensor_desc *desc,
                                     uint64_t *out_bytes);
linnet_status linnet_cl_convert(linnet_backend_queue *queue, const linnet_tensor_desc *destination_desc,
                                linnet_view destination, const linnet_tensor_desc *source_desc, linnet_view source);
const char *linnet_cl_format_name(uint32_t format);
uint32_t linnet_cl_format_is_exact(uint32_t format);
linnet_status linnet_cl_format_slice(linnet_backend_device *device, const linnet_tensor_desc *whole,
                                     const linnet_tensor_desc *part, uint32_t axis, int64_t start, uint64_t *out_offset,
                                     int64_t *out_stride);

#endif
