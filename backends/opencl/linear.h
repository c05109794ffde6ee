/* SPDX-License-Identifier: Apache-2.0 */
/* linear: y [N,O] = x [N,I] weight^T + bias. */
#ifndef LINNET_OPENCL_LINEAR_H
#define LINNET_OPENCL_LINEAR_H

#include "gemm.h"

/* The three products, for N images, I inputs, O outputs. */
static inline linnet_cl_gemm linnet_cl_linear_forward(int64_t n, int64_t i, int64_t o)
{
    return (linnet_cl_gemm){.m = n, .n = o, .depth = i, .a_row = i, .a_col = 1, .b_row = 1, .b_col = i, .c_row = o};
}

/* dx [N,I] = dy [N,O] weight [O,I] */
static inline linnet_cl_gemm linnet_cl_linear_backward_data(int64_t n, int64_t i, int64_t o)
{
    return (linnet_cl_gemm){.m = n, .n = i, .depth = o, .a_row = o, .a_col = 1, .b_row = i, .b_col = 1, .c_row = i};
}

/* dweight [O,I] = dy^T [O,N] x [N,I] */
static inline linnet_cl_gemm linnet_cl_linear_backward_weight(int64_t n, int64_t i, int64_t o)
{
    return (linnet_cl_gemm){.m = o, .n = i, .depth = n, .a_row = 1, .a_col = o, .b_row = i, .b_col = 1, .c_row = i};
}

#endif
