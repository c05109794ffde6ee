/* SPDX-License-Identifier: Apache-2.0 */
/* Matrix product for the dense layers. */
#ifndef LINNET_CPU_GEMM_H
#define LINNET_CPU_GEMM_H

#include "cpu.h"

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

/* Floats of the widest panel set: columns rounded up to whole register tiles. */
int64_t cpu_gemm_padded_columns(int64_t columns);

/* Packs b[depth][columns] (one of its strides is 1) into panels: panel p, of as many columns as a register tile, lies
   at out + p * depth * panel width as [depth][width], zeros behind the last column. */
void cpu_gemm_pack(const float *b, int64_t b_k, int64_t b_n, int64_t depth, int64_t columns, float *out);

/* A product with b already packed, on the calling thread. */
typedef struct cpu_gemm_packed {
    int64_t rows, columns, depth;
    const float *a;
    int64_t a_m, a_k;
    const float *packed;
    float *c;
    int64_t c_m;
    const float *bias_m, *bias_n;
    bool accumulate;
    float low, high;
} cpu_gemm_packed;

void cpu_gemm_packed_run(const cpu_gemm_packed *gemm);

#endif
