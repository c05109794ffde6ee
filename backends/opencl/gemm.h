/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix products: our own kernels, or CLBlast. */
#ifndef LINNET_OPENCL_GEMM_H
#define LINNET_OPENCL_GEMM_H

#include "sizes.h"
#include "tiling.h"

/* c [m,n] (+)= a b + bias[n], then epilogue. Element (i,k) of a lies at i a_row + k a_col, of b at k b_row + j b_col,
   of c at i c_row + j.

   Our own kernels also do `batches` such products at once, whose operands lie *_batch elements apart, each in parts of
   `run` along depth: a long sum is short ones that keep a device busy. The product of part p and batch z goes to
   c + (p batches + z) c_batch, so the parts of all products are one after the other, as linnet_cl_reduce wants them. */
typedef struct linnet_cl_gemm {
    int64_t m, n, depth;
    int64_t a_row, a_col, b_row, b_col, c_row;
    bool has_bias;
    linnet_epilogue epilogue;          /* op 0: none */
    int64_t batches;                   /* 0: 1 */
    int64_t a_batch, b_batch, c_batch; /* with batches or run */
    int64_t run;                       /* 0: all of depth, one part */
    bool row_sums; /* sums [m] (+)= those of a's rows, too, where the kernel can; one product, one part */
} linnet_cl_gemm;

static inline int64_t linnet_cl_gemm_batches(const linnet_cl_gemm *gemm)
{
    return gemm->batches ? gemm->batches : 1;
}

/* Of each part. */
static inline int64_t linnet_cl_gemm_part_depth(const linnet_cl_gemm *gemm)
{
    return gemm->run ? gemm->run : gemm->depth;
}

/* The products that one launch does: parts, of all batches. */
static inline int64_t linnet_cl_gemm_products(const linnet_cl_gemm *gemm)
{
    int64_t parts = gemm->depth > 0 ? ceil_div(gemm->depth, linnet_cl_gemm_part_depth(gemm)) : 1;
    return linnet_cl_gemm_batches(gemm) * parts;
}

/* The plan's next kernel, ours, for any gemm. tiled: the one for large products on this kind of device; else the one
   that keeps a GPU busy with a small product. */
linnet_cl_kernel *linnet_cl_gemm_kernel(linnet_backend_plan *plan, const linnet_cl_gemm *gemm, bool tiled);
/* Does it take the sums of rows that were asked for? Then run_sums runs it. */
bool linnet_cl_gemm_has_sums(const linnet_cl_kernel *kernel, const linnet_cl_gemm *gemm);
linnet_status linnet_cl_gemm_run_sums(linnet_cl_kernel *kernel, linnet_backend_queue *queue, linnet_view a,
                                      linnet_view b, linnet_view c, cl_int accumulate, linnet_view sums,
                                      cl_int accumulate_sums);
linnet_status linnet_cl_gemm_run(linnet_cl_kernel *kernel, linnet_backend_queue *queue, linnet_view a, linnet_view b,
                                 linnet_view bias, linnet_view c, cl_int accumulate);

/* gemm_parts.c: one product [m,n], c dense, tiled; where its tiles are too few for a GPU in parts along its depth,
   which lie in the workspace and are added up in order, with bias and epilogue. */
typedef struct linnet_cl_gemm_parts {
    linnet_cl_kernel *product, *sum; /* NULL: one part, and no workspace */
} linnet_cl_gemm_parts;

uint64_t linnet_cl_gemm_parts_bytes(const linnet_backend_device *device, const linnet_cl_gemm *gemm);
linnet_cl_gemm_parts linnet_cl_gemm_parts_kernels(linnet_backend_plan *plan, const linnet_cl_gemm *gemm);
linnet_status linnet_cl_gemm_parts_run(const linnet_cl_gemm_parts *parts, linnet_backend_queue *queue, linnet_view a,
                                       linnet_view b, linnet_view bias, linnet_view c, cl_int accumulate,
                                       linnet_view workspace);

/* Adds up `parts` of `count` elements each, in order: out (+)= f(sum + bias[i / plane % channels] + add[i]). */
typedef struct linnet_cl_parts {
    int64_t count, parts, channels, plane;
    bool has_bias, has_add;
    linnet_epilogue epilogue; /* op 0: none */
} linnet_cl_parts;

linnet_cl_kernel *linnet_cl_parts_kernel(linnet_backend_plan *plan, const linnet_cl_parts *parts);
linnet_status linnet_cl_parts_run(linnet_cl_kernel *kernel, linnet_backend_queue *queue, linnet_view parts,
                                  linnet_view bias, linnet_view add, linnet_view out, cl_int accumulate);

/* CLBlast: each of a and b must have a unit stride; no bias, no epilogue, one part. batches products, whose operands
   lie *_stride elements apart (0: the same). */
typedef struct linnet_cl_batches {
    int64_t count, a_stride, b_stride, c_stride;
} linnet_cl_batches;

/* Before a plan uses it: LINNET_UNSUPPORTED where it would crash. */
linnet_status linnet_cl_clblast_check(linnet_backend_device *device);
linnet_status linnet_cl_clblast(linnet_backend_queue *queue, const linnet_cl_gemm *gemm,
                                const linnet_cl_batches *batches, linnet_view a, linnet_view b, linnet_view c,
                                bool accumulate);

#endif
