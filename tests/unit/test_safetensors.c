/* SPDX-License-Identifier: Apache-2.0 */
/* safetensors: what was written comes back; damaged files are refused. */
#include "files.h"
#include "linnet/safetensors.h"

typedef struct bytes {
    size_t size;
    uint8_t data[4096];
} bytes;

/* Length, header (without padding), then count bytes 1, 2, 3... */
static bytes file_of(const char *header, size_t count)
{
    bytes file = {.size = 8 + strlen(header) + count};
    assert_true(file.size <= sizeof file.data);
    for (int i = 0; i < 8; i++)
        file.data[i] = (uint8_t)((uint64_t)strlen(header) >> 8 * i);
    memcpy(file.data + 8, header, strlen(header));
    for (size_t i = 0; i < count; i++)
        file.data[8 + strlen(header) + i] = (uint8_t)(i + 1);
    return file;
}

static void assert_refused(linnet_status status, const char *text, const char *header, size_t count)
{
    bytes file = file_of(header, count);
    assert_null(linnet_safetensors_parse(NULL, file.data, file.size, "weights"));
    assert_failed_with(status, text);
    assert_failed_with(status, "weights");
}

static void written_and_read(void **state)
{
    float weight[2][3] = {{1, 2, 3}, {4, 5, -6.5f}}, scalar = 7;
    uint8_t odd[3] = {9, 8, 7};
    int64_t wide[1] = {-1};
    const linnet_named_tensor tensors[] = {
        {"odd", {LINNET_U8, 1, {3}, odd}},
        {"conv1.weight", {LINNET_F32, 2, {2, 3}, weight}},
        {"nothing", {LINNET_F32, 2, {0, 3}, NULL}},
        {"scalar", {LINNET_F32, 0, {0}, &scalar}},
        {"wide \"\u00e9\"", {LINNET_I64, 1, {1}, wide}},
    };
    const linnet_metadata notes[] = {{"architecture", "lenet5"}, {"note", "two\nlines"}};
    const char *path = path_in(*state, "a.safetensors");
    assert_int_equal(linnet_safetensors_write(NULL, path, tensors, 5, notes, 2), LINNET_OK);
    uint8_t bytes_on_disk[1024], again[1024];
    size_t size = file_get(path, bytes_on_disk, sizeof bytes_on_disk);
    assert_int_equal((bytes_on_disk[0] | bytes_on_disk[1] << 8) % 8, 0);
    assert_int_equal(size, 8 + (size_t)(bytes_on_disk[0] | bytes_on_disk[1] << 8) + 8 + 24 + 4 + 3);
    assert_int_equal(linnet_safetensors_write(NULL, path, tensors, 5, notes, 2), LINNET_OK);
    assert_int_equal(file_get(path, again, sizeof again), size);
    assert_memory_equal(again, bytes_on_disk, size);

    linnet_safetensors *file = linnet_safetensors_read(NULL, path);
    assert_non_null(file);
    assert_int_equal(linnet_safetensors_count(file), 5);
    assert_string_equal(linnet_safetensors_at(file, 0, NULL), tensors[4].name); /* widest first */
    assert_string_equal(linnet_safetensors_at(file, 4, NULL), "odd");
    assert_null(linnet_safetensors_at(file, 5, NULL));
    for (size_t i = 0; i < 5; i++) {
        linnet_tensor tensor;
        assert_int_equal(linnet_safetensors_find(file, tensors[i].name, &tensor), LINNET_OK);
        assert_int_equal(tensor.type, tensors[i].tensor.type);
        assert_int_equal(tensor.rank, tensors[i].tensor.rank);
        assert_memory_equal(tensor.dims, tensors[i].tensor.dims, tensor.rank * sizeof tensor.dims[0]);
        assert_int_equal((uintptr_t)tensor.data % linnet_type_size(tensor.type), 0);
        if (tensors[i].tensor.data)
            assert_memory_equal(tensor.data, tensors[i].tensor.data, (size_t)linnet_tensor_bytes(&tensor));
    }
    linnet_tensor tensor;
    assert_int_equal(linnet_safetensors_find(file, "conv2.weight", &tensor), LINNET_NOT_FOUND);
    assert_string_equal(linnet_safetensors_metadata(file, "architecture"), "lenet5");
    assert_string_equal(linnet_safetensors_metadata(file, "note"), "two\nlines");
    assert_null(linnet_safetensors_metadata(file, "author"));
    assert_int_equal(linnet_safetensors_metadata_count(file), 2);
    assert_string_equal(linnet_safetensors_metadata_key(file, 1), "note");
    assert_null(linnet_safetensors_metadata_key(file, 2));
    linnet_safetensors_free(&file);
    assert_null(file);
}

static void nothing_to_write_is_a_file(void **state)
{
    const char *path = path_in(*state, "empty.safetensors");
    assert_int_equal(linnet_safetensors_write(NULL, path, NULL, 0, NULL, 0), LINNET_OK);
    linnet_safetensors *file = linnet_safetensors_read(NULL, path);
    assert_non_null(file);
    assert_int_equal(linnet_safetensors_count(file), 0);
    linnet_safetensors_free(&file);
}

static void tensors_that_lie_askew_are_aligned(void **state)
{
    (void)state;
    bytes file = file_of("{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
                         "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[1,9]}}   ",
                         9);
    linnet_safetensors *read = linnet_safetensors_parse(NULL, file.data, file.size, NULL);
    linnet_tensor a, b;
    assert_non_null(read);
    assert_int_equal(linnet_safetensors_find(read, "a", &a), LINNET_OK);
    assert_int_equal(linnet_safetensors_find(read, "b", &b), LINNET_OK);
    assert_int_equal((uintptr_t)b.data % sizeof(float), 0);
    assert_memory_equal(a.data, "\1", 1);
    assert_memory_equal(b.data, "\2\3\4\5\6\7\10\11", 8);
    linnet_safetensors_free(&read);
}

#define TENSOR(dtype, shape, offsets) "{\"dtype\":" dtype ",\"shape\":" shape ",\"data_offsets\":" offsets "}"

static void headers_that_lie(void **state)
{
    (void)state;
    const linnet_status bad = LINNET_BAD_FILE;
    assert_refused(bad, "header", "", 0);
    assert_refused(bad, "header", "[]", 0);
    assert_refused(bad, "header", "{\"a\":", 0);
    assert_refused(bad, "header", "{} {}", 0);
    assert_refused(bad, "dtype", "{\"a\":3}", 0);
    assert_refused(bad, "does not exist", "{\"a\":" TENSOR("\"F33\"", "[1]", "[0,4]") "}", 4);
    assert_refused(LINNET_UNSUPPORTED, "U32", "{\"a\":" TENSOR("\"U32\"", "[1]", "[0,4]") "}", 4);
    assert_refused(bad, "shape", "{\"a\":" TENSOR("\"F32\"", "1", "[0,4]") "}", 4);
    assert_refused(bad, "dimension 0", "{\"a\":" TENSOR("\"F32\"", "[1.0]", "[0,4]") "}", 4);
    assert_refused(bad, "dimension 1", "{\"a\":" TENSOR("\"F32\"", "[1,-1]", "[0,4]") "}", 4);
    assert_refused(LINNET_LIMIT, "9 dimensions", "{\"a\":" TENSOR("\"F32\"", "[1,1,1,1,1,1,1,1,1]", "[0,4]") "}", 4);
    assert_refused(bad, "its shape", "{\"a\":" TENSOR("\"F32\"", "[2]", "[0,4]") "}", 4);
    assert_refused(bad, "its shape", "{\"a\":" TENSOR("\"F32\"", "[4294967296,4294967296]", "[0,0]") "}", 0);
    assert_refused(bad, "data_offsets", "{\"a\":" TENSOR("\"F32\"", "[1]", "[0]") "}", 4);
    assert_refused(bad, "data_offsets", "{\"a\":" TENSOR("\"F32\"", "[1]", "[0,\"4\"]") "}", 4);
    assert_refused(bad, "lies at", "{\"a\":" TENSOR("\"F32\"", "[1]", "[-4,0]") "}", 4);
    assert_refused(bad, "lies at", "{\"a\":" TENSOR("\"F32\"", "[1]", "[4,0]") "}", 4);
    assert_refused(bad, "lies at", "{\"a\":" TENSOR("\"F32\"", "[1]", "[1,5]") "}", 4);
    assert_refused(bad, "header", "{\"a\":" TENSOR("\"F32\"", "[1]", "[0,9223372036854775808]") "}", 4);
    assert_refused(bad, "begins at", "{\"a\":" TENSOR("\"F32\"", "[1]", "[1,5]") "}", 5);
    assert_refused(bad, "5 bytes of data", "{\"a\":" TENSOR("\"F32\"", "[1]", "[0,4]") "}", 5);
    assert_refused(bad, "begins at",
                   "{\"a\":" TENSOR("\"U8\"", "[2]", "[0,2]") ",\"b\":" TENSOR("\"U8\"", "[2]", "[1,3]") "}", 3);
    assert_refused(bad, "begins at",
                   "{\"a\":" TENSOR("\"U8\"", "[2]", "[0,2]") ",\"b\":" TENSOR("\"U8\"", "[2]", "[0,2]") "}", 2);
    assert_refused(bad, "header",
                   "{\"a\":" TENSOR("\"U8\"", "[1]", "[0,1]") ",\"a\":" TENSOR("\"U8\"", "[1]", "[1,2]") "}", 2);
    assert_refused(bad, "metadata", "{\"__metadata__\":3}", 0);
    assert_refused(bad, "metadata 'k'", "{\"__metadata__\":{\"k\":3}}", 0);
}

static void lengths_that_lie(void **state)
{
    (void)state;
    bytes file = file_of("{}", 0);
    memset(file.data, 0xff, 8);
    assert_null(linnet_safetensors_parse(NULL, file.data, file.size, "weights"));
    assert_failed_with(LINNET_BAD_FILE, "cut short");
    assert_null(linnet_safetensors_parse(NULL, NULL, 0, "weights"));
    assert_failed_with(LINNET_BAD_FILE, "cut short");
    size_t size = 8 + LINNET_SAFETENSORS_MAX_HEADER + 1;
    uint8_t *large = calloc(1, size);
    assert_non_null(large);
    memset(large, ' ', size);
    memcpy(large, (uint8_t[]){1, 0, 0, 1, 0, 0, 0, 0}, 8);
    assert_null(linnet_safetensors_parse(NULL, large, size, "weights"));
    assert_failed_with(LINNET_LIMIT, "header");
    memset(large + 8, '[', size - 8); /* nested deeper than any parser's stack */
    memcpy(large, (uint8_t[]){0, 0, 0, 1, 0, 0, 0, 0}, 8);
    assert_null(linnet_safetensors_parse(NULL, large, size, "weights"));
    assert_failed_with(LINNET_BAD_FILE, "weights");
    free(large);
}

static void cut_and_flipped(void **state)
{
    (void)state;
    bytes file = file_of("{\"__metadata__\":{\"k\":\"v\"},\"a\":" TENSOR("\"F32\"", "[1,2]", "[0,8]") ",\"b\":" TENSOR(
                             "\"BF16\"", "[3]", "[8,14]") "}",
                         14);
    linnet_safetensors *read = linnet_safetensors_parse(NULL, file.data, file.size, NULL);
    assert_non_null(read);
    linnet_safetensors_free(&read);
    for (size_t size = 0; size < file.size; size++) {
        uint8_t *exact = malloc(size ? size : 1); /* so that a read beyond it is seen */
        memcpy(exact, file.data, size);
        assert_null(linnet_safetensors_parse(NULL, exact, size, "weights"));
        assert_failed_with(LINNET_BAD_FILE, "weights");
        free(exact);
    }
    for (size_t bit = 0; bit < 8 * file.size; bit++) {
        file.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        read = linnet_safetensors_parse(NULL, file.data, file.size, "weights");
        if (!read)
            assert_failed_with(linnet_context_last_status(NULL), "weights");
        for (size_t i = 0; i < linnet_safetensors_count(read); i++) {
            linnet_tensor tensor;
            assert_non_null(linnet_safetensors_at(read, i, &tensor));
            sum_of(tensor.data, (size_t)linnet_tensor_bytes(&tensor)); /* touches every byte */
        }
        linnet_safetensors_free(&read);
        file.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
}

static void reading_without_memory(void **state)
{
    (void)state;
    bytes file = file_of("{\"__metadata__\":{\"k\":\"v\"},\"a\":" TENSOR("\"U8\"", "[1]", "[0,1]") ",\"b\":" TENSOR(
                             "\"F32\"", "[1]", "[1,5]") "}",
                         5);
    linnet_safetensors *read = NULL;
    int64_t allowed = 0;
    for (; !read && allowed < 100; allowed++) {
        linnet_memory_fail_after(allowed);
        read = linnet_safetensors_parse(NULL, file.data, file.size, "weights");
        linnet_memory_fail_after(-1);
        if (!read)
            assert_int_equal(linnet_context_last_status(NULL), LINNET_OUT_OF_MEMORY);
    }
    assert_true(read && allowed > 5);
    linnet_safetensors_free(&read);
}

static void what_cannot_be_written(void **state)
{
    float value = 1;
    const char *path = path_in(*state, "b.safetensors");
    linnet_named_tensor pair[] = {{"a", {LINNET_F32, 1, {1}, &value}}, {"a", {LINNET_F32, 1, {1}, &value}}};
    linnet_metadata notes[] = {{"k", "v"}, {"k", "w"}};
    assert_int_equal(linnet_safetensors_write(NULL, path, pair, 1, NULL, 0), LINNET_OK);
    uint8_t before[256], after[256];
    size_t size = file_get(path, before, sizeof before);
    assert_int_equal(linnet_safetensors_write(NULL, path, pair, 2, NULL, 0), LINNET_INVALID);
    assert_failed_with(LINNET_INVALID, "'a'");
    assert_int_equal(linnet_safetensors_write(NULL, path, pair, 1, notes, 2), LINNET_INVALID);
    assert_failed_with(LINNET_INVALID, "'k'");
    pair[0].name = "\xff";
    assert_int_equal(linnet_safetensors_write(NULL, path, pair, 1, NULL, 0), LINNET_INVALID);
    pair[0].name = "__metadata__";
    assert_int_equal(linnet_safetensors_write(NULL, path, pair, 1, NULL, 0), LINNET_INVALID);
    pair[0].name = "a";
    pair[0].tensor.dims[0] = -1;
    assert_int_equal(linnet_safetensors_write(NULL, path, pair, 1, NULL, 0), LINNET_INVALID);
    pair[0].tensor.dims[0] = 1;
    pair[0].tensor.type = (linnet_type)99;
    assert_int_equal(linnet_safetensors_write(NULL, path, pair, 1, NULL, 0), LINNET_INVALID);
    pair[0].tensor.type = LINNET_F32;
    for (int64_t allowed = 0; allowed < 4; allowed++) {
        linnet_memory_fail_after(allowed);
        assert_int_not_equal(linnet_safetensors_write(NULL, path, pair, 1, NULL, 0), LINNET_OK);
        linnet_memory_fail_after(-1);
    }
    assert_int_equal(file_get(path, after, sizeof after), size); /* nothing was written over */
    assert_memory_equal(before, after, size);
    assert_int_equal(linnet_safetensors_write(NULL, "/nonexistent/b", pair, 1, NULL, 0), LINNET_IO);
    assert_failed_with(LINNET_IO, "/nonexistent/b");
    assert_null(linnet_safetensors_read(NULL, "/nonexistent/b"));
    assert_failed_with(LINNET_IO, "/nonexistent/b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(written_and_read, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(nothing_to_write_is_a_file, folder_make, folder_remove),
        cmocka_unit_test(tensors_that_lie_askew_are_aligned),
        cmocka_unit_test(headers_that_lie),
        cmocka_unit_test(lengths_that_lie),
        cmocka_unit_test(cut_and_flipped),
        cmocka_unit_test(reading_without_memory),
        cmocka_unit_test_setup_teardown(what_cannot_be_written, folder_make, folder_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
