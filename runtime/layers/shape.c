/* SPDX-License-Identifier: Apache-2.0 */
/* Arithmetic on shapes with free dimensions. */
#include "layer.h"

#include <inttypes.h>
#include <stdio.h>

int64_t linnet_shape_product(const linnet_shape *shape, uint32_t first, uint32_t last)
{
    int64_t product = 1;
    bool free_dim = false;
    for (uint32_t i = first; i < last; i++) {
        int64_t dim = shape->dims[i];
        if (dim == LINNET_FREE_DIM) {
            free_dim = true;
            continue;
        }
        if (dim < 1 || dim > LINNET_MAX_ELEMENTS / product)
            return -3;
        product *= dim;
    }
    return free_dim ? LINNET_FREE_DIM : product;
}

const char *linnet_shape_text(const linnet_shape *shape, char *out, size_t size)
{
    if (size == 0)
        return out;
    size_t used = (size_t)snprintf(out, size, "[");
    for (uint32_t i = 0; i < shape->rank && used < size; i++) {
        const char *comma = i ? "," : "";
        if (shape->dims[i] == LINNET_FREE_DIM)
            used += (size_t)snprintf(out + used, size - used, "%s%s", comma, i ? "?" : "N");
        else
            used += (size_t)snprintf(out + used, size - used, "%s%" PRId64, comma, shape->dims[i]);
    }
    if (used < size)
        snprintf(out + used, size - used, "]");
    return out;
}

bool linnet_shape_equal(const linnet_shape *a, const linnet_shape *b)
{
    if (a->type != b->type || a->rank != b->rank)
        return false;
    for (uint32_t i = 0; i < a->rank; i++)
        if (a->dims[i] != b->dims[i])
            return false;
    return true;
}

bool linnet_dim_agrees(int64_t a, int64_t b)
{
    return a == b || a == LINNET_FREE_DIM || b == LINNET_FREE_DIM;
}

int64_t linnet_window_length(int64_t input, int64_t kernel, int64_t stride, int64_t dilation, int64_t before,
                             int64_t after)
{
    if (input == LINNET_FREE_DIM)
        return LINNET_FREE_DIM;
    int64_t room = input + before + after - ((kernel - 1) * dilation + 1);
    return room < 0 ? 0 : room / stride + 1;
}

uint64_t linnet_count_multiply(uint64_t a, uint64_t b)
{
    return b && a > UINT64_MAX / b ? UINT64_MAX : a * b;
}
