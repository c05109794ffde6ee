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

/* It asks for the binaries of what it builds, and falls over where there are none. */
linnet_status linnet_cl_clblast_check(linnet_backend_device *device)
{
    cl_program program;
    size_t bytes = 0;
    linnet_status status = linnet_cl_program(device, LINNET_CL_PROGRAM_BIAS, &program);
    if (status)
        return status;
    cl_int error = clGetProgramInfo(program, CL_PROGRAM_BINARY_SIZES, sizeof(bytes), &bytes, NULL);
    if (error != CL_SUCCESS)
        return linnet_cl_check(device, "clGetProgramInfo", error);
    if (bytes > 0)
        return LINNET_OK;
    return linnet_cl_fail(LINNET_UNSUPPORTED, "'%s' gives no binaries of programs, which CLBlast needs",
                          device->info.name);
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

/* CLBlast gives the event of the last of its kernels: where the first begins, a marker ahead of it says. */
static linnet_status start_timing(linnet_backend_queue *queue, cl_event *out_first)
{
    if (!queue->timestamps)
        return LINNET_OK;
    return linnet_cl_check(queue->device, "clEnqueueMarkerWithWaitList",
                           clEnqueueMarkerWithWaitList(queue->queue, 0, NULL, out_first));
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
    cl_event first = NULL, last = NULL;
    linnet_status status = start_timing(queue, &first);
    if (status)
        return status;
    bool one = batches->count == 1;
    CLBlastStatusCode code =
        one ? CLBlastSgemm(CLBlastLayoutRowMajor, a_transpose, b_transpose, m, n, depth, 1.0f, a.buffer->memory, a_at,
                           (size_t)a_leading, b.buffer->memory, b_at, (size_t)b_leading, beta, c.buffer->memory, c_at,
                           (size_t)gemm->c_row, &queue->queue, linnet_cl_event_for(queue, &last))
            : CLBlastSgemmStridedBatched(CLBlastLayoutRowMajor, a_transpose, b_transpose, m, n, depth, 1.0f,
                                         a.buffer->memory, a_at, (size_t)a_leading, (size_t)batches->a_stride,
                                         b.buffer->memory, b_at, (size_t)b_leading, (size_t)batches->b_stride, beta,
                                         c.buffer->memory, c_at, (size_t)gemm->c_row, (size_t)batches->c_stride,
                                         (size_t)batches->count, &queue->queue, linnet_cl_event_for(queue, &last));
    linnet_cl_command_add_span(queue, "clblast_sgemm", first, last);
    return clblast_check(queue, one ? "CLBlastSgemm" : "CLBlastSgemmStridedBatched", code);
}
