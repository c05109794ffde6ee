/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix products by our own kernels. */
#include "gemm.h"

linnet_cl_kernel *linnet_cl_gemm_kernel(linnet_backend_plan *plan, const linnet_cl_gemm *gemm)
{
    linnet_cl_kernel *kernel = linnet_cl_kernel_new(plan, LINNET_CL_PROGRAM_GEMM, "gemm_columns", 4);
    const int64_t constants[] = {gemm->m,     gemm->n,     gemm->depth, gemm->a_row,    gemm->a_col,
                                 gemm->b_row, gemm->b_col, gemm->c_row, gemm->has_bias, gemm->epilogue.op};
    for (size_t i = 0; i < sizeof(constants) / sizeof(constants[0]); i++)
        linnet_cl_int(kernel, constants[i]);
    linnet_cl_float(kernel, gemm->epilogue.alpha);
    linnet_cl_float(kernel, gemm->epilogue.beta);
    linnet_cl_range(kernel, gemm->n, (gemm->m + 3) / 4, 1, 64);
    return kernel;
}

linnet_status linnet_cl_gemm_run(linnet_cl_kernel *kernel, linnet_backend_queue *queue, linnet_view a, linnet_view b,
                                 linnet_view bias, linnet_view c, cl_int accumulate)
{
    linnet_cl_run_int(kernel, 0, accumulate);
    return linnet_cl_launch(kernel, queue, a, b, bias, c);
}
