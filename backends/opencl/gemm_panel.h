/* SPDX-License-Identifier: Apache-2.0 */
/* Large matrix products on processors, whose operands are packed into panels first. */
#ifndef LINNET_OPENCL_GEMM_PANEL_H
#define LINNET_OPENCL_GEMM_PANEL_H

#include "gemm.h"

enum { LINNET_CL_GEMM_PANEL_VIEWS = 5 }; /* with the sums of rows: one more than other kernels */

/* Can it do this product, in the device's local memory? */
bool linnet_cl_gemm_panel_fits(const linnet_backend_device *device, const linnet_cl_gemm *gemm);
/* The plan's next kernel, without what all kernels of products are given. */
linnet_cl_kernel *linnet_cl_gemm_panel_kernel(linnet_backend_plan *plan, const linnet_cl_gemm *gemm);

#endif
