/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix products by CLBlast, which builds its own kernels at first use. */
#include "gemm.h"

#include <clblast_c.h>

static const char *clblast_status_name(CLBlastStatusCode code)
{
    switch (code) {
    case CLBlastNotImplemented:
        return "CLBlastNotImplemented";
    case CLBlastInvalidMatrixA:
        return "CLBlastInvalidMatrixA";
    case CLBlastInvalidMatrixB:
        return "CLBlastInvalidMatrixB";
    case CLBlastInvalidMatrixC:
        return "CLBlastInvalidMatrixC";
    case CLBlastInvalidDimension:
        return "CLBlastInvalidDimension";
    case CLBlastInvalidLeadDimA:
        return "CLBlastInvalidLeadDimA";
    case CLBlastInvalidLeadDimB:
        return "CLBlastInvalidLeadDimB";
    case CLBlastInvalidLeadDimC:
        return "CLBlastInvalidLeadDimC";
    case CLBlastInsufficientMemoryA:
        return "CLBlastInsufficientMemoryA";
    case CLBlastInsufficientMemoryB:
        return "CLBlastInsufficientMemoryB";
    case CLBlastInsufficientMemoryC:
        return "CLBlastInsufficientMemoryC";
    case CLBlastInsufficientMemoryTemp:
        return "CLBlastInsufficientMemoryTemp";
    case CLBlastInvalidBatchCount:
        return "CLBlastInvalidBatchCount";
    case CLBlastInvalidLocalMemUsage:
        return "CLBlastInvalidLocalMemUsage";
    case CLBlastNoHalfPrecision:
        return "CLBlastNoHalfPrecision";
    case CLBlastNoDoublePrecision:
        return "CLBlastNoDoublePrecision";
    case CLBlastDatabaseError:
        return "CLBlastDatabaseError";
    case CLBlastUnknownError:
        return "CLBlastUnknownError";
    case CLBlastUnexpectedError:
        return "CLBlastUnexpectedError";
    default:
        return "an unknown CLBlast error";
    }
}

static linnet_status clblast_check(const linnet_backend_queue *queue, const char *call, CLBlastStatusCode code)
{
    if (code == CLBlastSuccess)
        return LINNET_OK;
    if (code > -1000) /* OpenCL's own codes pass through */
        return linnet_cl_check(queue->device, call, (cl_int)code);
    linnet_status status = code == CLBlastInsufficientMemoryTemp ? LINNET_OUT_OF_MEMORY : LINNET_DEVICE_ERROR;
    return linnet_cl_fail(status, "%s on '%s' failed: %s (%d)", call, queue->device->info.name,
                          clblast_status_name(code), (int)code);
}

/* Row-major: an operand whose rows are dense is as it is, one whose columns are is transposed. With a side of 1 both
   strides may be 1, and then only one of the two is long enough to be a leading dimension. */
static CLBlastTranspose transposition(int64_t row, int64_t col, int64_t columns, int64_t *out_leading)
{
    bool plain = col == 1 && row >= columns;
    *out_leading = plain ? row : col;
    return plain ? CLBlastTransposeNo : CLBlastTransposeYes;
}

linnet_status linnet_cl_clblast(linnet_backend_queue *queue, const linnet_cl_gemm *gemm,
                                const linnet_cl_batches *batches, linnet_view a, linnet_view b, linnet_view c,
                                bool accumulate)
{
    int64_t a_leading, b_leading;
    CLBlastTranspose a_transpose = transposition(gemm->a_row, gemm->a_col, gemm->depth, &a_leading);
    CLBlastTranspose b_transpose = transposition(gemm->b_row, gemm->b_col, gemm->n, &b_leading);
    size_t m = (size_t)gemm->m, n = (size_t)gemm->n, depth = (size_t)gemm->depth;
    size_t a_at = (size_t)(a.offset / 4), b_at = (size_t)(b.offset / 4), c_at = (size_t)(c.offset / 4);
    float beta = accumulate ? 1.0f : 0.0f;
    atomic_store_explicit(&queue->device->used_clblast, true, memory_order_relaxed);
    if (batches->count == 1)
        return clblast_check(queue, "CLBlastSgemm",
                             CLBlastSgemm(CLBlastLayoutRowMajor, a_transpose, b_transpose, m, n, depth, 1.0f,
                                          a.buffer->memory, a_at, (size_t)a_leading, b.buffer->memory, b_at,
                                          (size_t)b_leading, beta, c.buffer->memory, c_at, (size_t)gemm->c_row,
                                          &queue->queue, NULL));
    return clblast_check(queue, "CLBlastSgemmStridedBatched",
                         CLBlastSgemmStridedBatched(
                             CLBlastLayoutRowMajor, a_transpose, b_transpose, m, n, depth, 1.0f, a.buffer->memory, a_at,
                             (size_t)a_leading, (size_t)batches->a_stride, b.buffer->memory, b_at, (size_t)b_leading,
                             (size_t)batches->b_stride, beta, c.buffer->memory, c_at, (size_t)gemm->c_row,
                             (size_t)batches->c_stride, (size_t)batches->count, &queue->queue, NULL));
}
