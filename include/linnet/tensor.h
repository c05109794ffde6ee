/* SPDX-License-Identifier: Apache-2.0 */
/* Element types and host tensors: dense, row-major arrays in host memory, images as [N,C,H,W]. */
#ifndef LINNET_TENSOR_H
#define LINNET_TENSOR_H

#include "status.h"

#include <stddef.h>
#include <stdint.h>

LINNET_BEGIN_DECLS

#define LINNET_MAX_RANK 8

/* Numbers are part of the ABI and never reused. */
typedef enum linnet_type {
    LINNET_F32 = 1,
    LINNET_F16 = 2,
    LINNET_BF16 = 3,
    LINNET_F64 = 4,
    LINNET_I64 = 5,
    LINNET_I32 = 6,
    LINNET_U8 = 7,
    LINNET_BOOL = 8
} linnet_type;

/* Bytes of one element; 0 for a number that is no type. */
LINNET_API size_t linnet_type_size(linnet_type type);
/* "f32", "i32", ... ; "?" for a number that is no type. */
LINNET_API const char *linnet_type_name(linnet_type type);

/* A host tensor does not own its data: it says where it is and what it means. rank 0 is a scalar. */
typedef struct linnet_tensor {
    linnet_type type;
    uint32_t rank;
    int64_t dims[LINNET_MAX_RANK]; /* outermost first: {N, C, H, W} */
    void *data;                    /* dense, row-major; may point to const data where a function only reads */
} linnet_tensor;

/* Number of elements, -1 when a dimension is negative or the product overflows. */
LINNET_API int64_t linnet_tensor_count(const linnet_tensor *tensor);
/* Bytes of the data, -1 as above. */
LINNET_API int64_t linnet_tensor_bytes(const linnet_tensor *tensor);

LINNET_END_DECLS
#endif
