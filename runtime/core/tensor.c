/* SPDX-License-Identifier: Apache-2.0 */
#include "linnet/tensor.h"

/* Rows follow linnet_type; row 0 is no type. */
static const struct {
    const char *name;
    size_t size;
} types[] = {
    {"?", 0}, {"f32", 4}, {"f16", 2}, {"bf16", 2}, {"f64", 8}, {"i64", 8}, {"i32", 4}, {"u8", 1}, {"bool", 1},
};

static size_t type_row(linnet_type type)
{
    return (size_t)type < sizeof types / sizeof types[0] ? (size_t)type : 0;
}

size_t linnet_type_size(linnet_type type)
{
    return types[type_row(type)].size;
}

const char *linnet_type_name(linnet_type type)
{
    return types[type_row(type)].name;
}

int64_t linnet_tensor_count(const linnet_tensor *tensor)
{
    int64_t count = 1;
    if (tensor->rank > LINNET_MAX_RANK)
        return -1;
    for (uint32_t i = 0; i < tensor->rank; i++)
        if (tensor->dims[i] < 0 || __builtin_mul_overflow(count, tensor->dims[i], &count))
            return -1;
    return count;
}

int64_t linnet_tensor_bytes(const linnet_tensor *tensor)
{
    int64_t bytes = linnet_tensor_count(tensor);
    if (bytes < 0 || __builtin_mul_overflow(bytes, (int64_t)linnet_type_size(tensor->type), &bytes))
        return -1;
    return bytes;
}
