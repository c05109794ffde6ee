/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the expected inputs and outputs that come with ONNX models: TensorProto of f32 with raw data. */
#ifndef LINNET_TEST_TENSOR_PROTO_H
#define LINNET_TEST_TENSOR_PROTO_H

#include "sessions.h"

typedef struct proto_reader {
    const uint8_t *at, *end;
} proto_reader;

static inline uint64_t proto_varint(proto_reader *r)
{
    uint64_t number = 0;
    for (int shift = 0; r->at < r->end && shift < 64; shift += 7) {
        uint8_t byte = *r->at++;
        number |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80)
            break;
    }
    return number;
}

/* Field 1: dims, single or packed; 2: the type; 9: the bytes. */
static inline linnet_tensor proto_tensor(proto_reader r)
{
    linnet_tensor tensor = {.type = LINNET_F32};
    while (r.at < r.end) {
        uint64_t tag = proto_varint(&r), value = proto_varint(&r);
        assert_true((tag & 7) == 0 || ((tag & 7) == 2 && value <= (uint64_t)(r.end - r.at)));
        proto_reader inner = {r.at, r.at + ((tag & 7) == 2 ? value : 0)};
        if (tag >> 3 == 1 && (tag & 7) == 0)
            tensor.dims[tensor.rank++] = (int64_t)value;
        while (tag >> 3 == 1 && inner.at < inner.end && tensor.rank < LINNET_MAX_RANK)
            tensor.dims[tensor.rank++] = (int64_t)proto_varint(&inner);
        if (tag >> 3 == 2)
            assert_int_equal(value, 1); /* FLOAT */
        if (tag == (9 << 3 | 2)) {
            assert_int_equal(value, linnet_tensor_bytes(&tensor));
            tensor.data = malloc(value);
            assert_non_null(tensor.data);
            memcpy(tensor.data, r.at, value);
        }
        if ((tag & 7) == 2)
            r.at += value;
    }
    assert_non_null(tensor.data);
    return tensor;
}

/* The caller frees the data. */
static inline linnet_tensor proto_read(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        fail_msg("%s cannot be read", path);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    size_t size = (size_t)ftell(file);
    uint8_t *bytes = malloc(size);
    assert_non_null(bytes);
    rewind(file);
    assert_int_equal(fread(bytes, 1, size, file), size);
    fclose(file);
    linnet_tensor tensor = proto_tensor((proto_reader){bytes, bytes + size});
    free(bytes);
    return tensor;
}

#endif
