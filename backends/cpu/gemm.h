/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix product for the dense layers. */
#ifndef LINNET_CPU_GEMM_H
#define LINNET_CPU_GEMM_H

#include "cpu.h"

#include <string.h>

/* c[m][n] (+)= sum over k of a[m,k] b[k,n], plus biases, then the epilogue. Strides in elements; b_k or b_n is 1. */
typedef struct cpu_gemm {
    int64_t m, n, k;
    const float *a, *b;
    int64_t a_m, a_k, b_k, b_n;
    float *c;
    int64_t c_m;
    const float *bias_n; /* [n], or NULL */
    bool accumulate;
    cpu_epilogue epilogue;
    float *workspace; /* cpu_gemm_workspace(n, k) bytes */
} cpu_gemm;

uint64_t cpu_gemm_workspace(int64_t n, int64_t k);
void cpu_gemm_run(const cpu_gemm *gemm);

/* b packed: panels of CPU_GEMM_PANEL columns, each [depth][CPU_GEMM_PANEL], one behind the other. */
enum { CPU_GEMM_PANEL = CPU_LANES };

/* Columns rounded up to whole panels. */
static inline int64_t cpu_gemm_padded_columns(int64_t columns)
{
    return cpu_ceil(columns, CPU_GEMM_PANEL) * CPU_GEMM_PANEL;
}

/* One row of b[depth][columns] into its place in every panel, out being that of the first; zeros behind the last
 * column.
 */
static inline void cpu_gemm_pack_row(const float *b, int64_t depth, int64_t columns, float *out)
{
    for (; columns >= CPU_GEMM_PANEL; columns -= CPU_GEMM_PANEL, b += CPU_GEMM_PANEL, out += depth * CPU_GEMM_PANEL)
        memcpy(out, b, CPU_GEMM_PANEL * sizeof *out);
    for (int64_t n = 0; n < CPU_GEMM_PANEL && columns > 0; n++)
        out[n] = n < columns ? b[n] : 0;
}

/* Packs b[depth][columns] (one of its strides is 1) into panels, zeros behind the last column. */
void cpu_gemm_pack(const float *b, int64_t b_k, int64_t b_n, int64_t depth, int64_t columns, float *out);

/* A product with b already packed, on the calling thread. Behind the last column b may hold anything. b_k: 0, or b is
   not packed: it lies in rows, b_k apart, and columns are whole panels. */
typedef struct cpu_gemm_packed {
    int64_t rows, columns, depth;
    const float *a;
    int64_t a_m, a_k;
    const float *packed;
    int64_t b_k;
    float *c;
    int64_t c_m;
    const float *bias_m, *bias_n;
    bool accumulate;
    float low, high;
} cpu_gemm_packed;

void cpu_gemm_packed_run(const cpu_gemm_packed *gemm);

#endif
