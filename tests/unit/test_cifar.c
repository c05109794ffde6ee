/* SPDX-License-Identifier: Apache-2.0 */
/* CIFAR's binary files, whole and damaged, and finding out which kind of data a folder holds. */
#include "files.h"
#include "linnet/data.h"

#include <zlib.h>

enum { PLANE = 32 * 32, IMAGE = 3 * PLANE, TEN = 1 + IMAGE, HUNDRED = 2 + IMAGE, ROOM = 8 * HUNDRED };

/* Pixel i of image n, the same at every place of the file that it may come from. */
static uint8_t pixel(int n, int i)
{
    return (uint8_t)(37 * n + i + i / PLANE * 5);
}

/* count records, images first .. first+count-1; image n is of class 3n mod classes. */
static size_t records_make(uint8_t *out, int first, int count, bool hundred)
{
    size_t size = 0;
    for (int n = first; n < first + count; n++) {
        if (hundred)
            out[size++] = (uint8_t)(n % 20);
        out[size++] = (uint8_t)(3 * n % (hundred ? 100 : 10));
        for (int i = 0; i < IMAGE; i++)
            out[size++] = pixel(n, i);
    }
    return size;
}

static void put(const char *folder, const char *name, int first, int count, bool hundred)
{
    static uint8_t bytes[ROOM];
    file_put(path_in(folder, name), bytes, records_make(bytes, first, count, hundred));
}

static void put_zipped(const char *folder, const char *name, int first, int count)
{
    static uint8_t bytes[ROOM];
    size_t size = records_make(bytes, first, count, false);
    gzFile file = gzopen(path_in(folder, name), "wb9");
    assert_non_null(file);
    assert_int_equal(gzwrite(file, bytes, (unsigned)size), size);
    assert_int_equal(gzclose(file), Z_OK);
}

static void assert_whole(const linnet_dataset *dataset, int count, int classes)
{
    linnet_tensor image;
    if (!dataset)
        fail_msg("%s", linnet_context_message(NULL));
    assert_int_equal(linnet_dataset_count(dataset), count);
    assert_int_equal(linnet_dataset_channels(dataset), 3);
    assert_int_equal(linnet_dataset_height(dataset), 32);
    assert_int_equal(linnet_dataset_width(dataset), 32);
    assert_int_equal(linnet_dataset_class_count(dataset), classes);
    for (int n = 0; n < count; n++) {
        assert_int_equal(linnet_dataset_label(dataset, n), 3 * n % classes);
        assert_int_equal(linnet_dataset_image(dataset, n, &image), LINNET_OK);
        assert_int_equal(linnet_tensor_bytes(&image), IMAGE);
        for (int i = 0; i < IMAGE; i++)
            assert_int_equal(((uint8_t *)image.data)[i], pixel(n, i));
    }
}

static void files_in_a_row(void **state)
{
    put(*state, "data_batch_1.bin", 0, 2, false);
    put_zipped(*state, "data_batch_3.bin.gz", 2, 3); /* the second is not here */
    put(*state, "test_batch.bin", 0, 1, false);
    linnet_dataset *train = linnet_dataset_open_cifar(NULL, *state, LINNET_PART_TRAIN);
    assert_whole(train, 5, 10);
    assert_string_equal(linnet_dataset_class_name(train, 9), "truck"); /* no names beside the files */
    linnet_dataset_free(&train);
    linnet_dataset *test = linnet_dataset_open(NULL, *state, LINNET_PART_TEST);
    assert_whole(test, 1, 10);
    linnet_dataset_free(&test);
}

static void files_where_the_archive_puts_them(void **state)
{
    char folder[1100];
    snprintf(folder, sizeof folder, "%s/cifar-10-batches-bin", (char *)*state);
    assert_int_equal(mkdir(folder, 0700), 0);
    put_zipped(folder, "test_batch.bin", 0, 4); /* zipped without saying so */
    const char *names = "a\r\nb\n\nc\nd\ne\nf\ng\nh\ni\nlast\n";
    file_put(path_in(folder, "batches.meta.txt"), names, strlen(names));
    linnet_dataset *dataset = linnet_dataset_open(NULL, *state, LINNET_PART_TEST);
    assert_whole(dataset, 4, 10);
    assert_string_equal(linnet_dataset_class_name(dataset, 1), "b");
    assert_string_equal(linnet_dataset_class_name(dataset, 2), "c");
    assert_string_equal(linnet_dataset_class_name(dataset, 9), "last");
    linnet_dataset_free(&dataset);
    assert_null(linnet_dataset_open(NULL, *state, LINNET_PART_TRAIN));
    assert_failed_with(LINNET_NOT_FOUND, "data_batch_1.bin");
}

static void hundred_classes(void **state)
{
    char folder[1100];
    snprintf(folder, sizeof folder, "%s/cifar-100-binary", (char *)*state);
    assert_int_equal(mkdir(folder, 0700), 0);
    put(folder, "train.bin", 0, 3, true);
    linnet_dataset *dataset = linnet_dataset_open(NULL, *state, LINNET_PART_TRAIN);
    assert_whole(dataset, 3, 100);
    assert_string_equal(linnet_dataset_class_name(dataset, 99), "99");
    linnet_dataset_free(&dataset);
}

/* These bytes as the only file make a damaged one. */
static void assert_damaged(const char *folder, const char *name, const void *bytes, size_t size, const char *text)
{
    file_put(path_in(folder, name), bytes, size);
    assert_null(linnet_dataset_open(NULL, folder, LINNET_PART_TRAIN));
    assert_failed_with(LINNET_BAD_FILE, name);
    assert_failed_with(LINNET_BAD_FILE, text);
    unlink(path_in(folder, name));
}

static void damaged_files(void **state)
{
    static uint8_t bytes[ROOM];
    size_t size = records_make(bytes, 0, 2, false);
    assert_damaged(*state, "data_batch_1.bin", bytes, 0, "0 and 0 bytes");
    assert_damaged(*state, "data_batch_1.bin", bytes, size - 1, "1 and 3072 bytes more");
    assert_damaged(*state, "data_batch_2.bin", bytes, size + 1, "2 and 1 bytes more");
    bytes[TEN] = 10;
    assert_damaged(*state, "data_batch_5.bin", bytes, size, "label 10 of image 1 is not in 0..9");
    size = records_make(bytes, 0, 2, true);
    bytes[HUNDRED] = 20;
    assert_damaged(*state, "train.bin", bytes, size, "coarse label 20 of image 1");
    bytes[HUNDRED] = 19;
    bytes[1] = 100;
    assert_damaged(*state, "train.bin", bytes, size, "label 100 of image 0");
}

static void damaged_gzip(void **state)
{
    uint8_t bytes[ROOM];
    put_zipped(*state, "data_batch_1.bin.gz", 0, 2);
    size_t size = file_get(path_in(*state, "data_batch_1.bin.gz"), bytes, sizeof bytes);
    for (size_t cut = 2; cut < size; cut += 7) { /* the first two bytes say that it is gzip */
        file_put(path_in(*state, "data_batch_1.bin.gz"), bytes, cut);
        assert_null(linnet_dataset_open(NULL, *state, LINNET_PART_TRAIN));
        assert_failed_with(LINNET_BAD_FILE, "data_batch_1.bin.gz");
    }
    for (size_t i = 10; i < size; i += 5) { /* behind the header every bit counts: the sum at the end says so */
        bytes[i] ^= 0x10;
        file_put(path_in(*state, "data_batch_1.bin.gz"), bytes, size);
        assert_null(linnet_dataset_open(NULL, *state, LINNET_PART_TRAIN));
        assert_failed_with(LINNET_BAD_FILE, "data_batch_1.bin.gz");
        bytes[i] ^= 0x10;
    }
}

static void damaged_names(void **state)
{
    put(*state, "data_batch_1.bin", 0, 1, false);
    assert_damaged(*state, "batches.meta.txt", "a\nb\n", 4, "2 names, there are 10 classes");
    assert_damaged(*state, "batches.meta.txt", "a\nb\nc\nd\ne\nf\ng\nh\ni\nj\nk", 21, "11 names");
    assert_damaged(*state, "batches.meta.txt", "a\nb\nc\nd\ne\nf\ng\nh\ni\n\033[", 20, "byte 18 is 27");
}

static void memory_ends(void **state)
{
    put(*state, "data_batch_1.bin", 0, 2, false);
    put_zipped(*state, "data_batch_2.bin.gz", 2, 2);
    linnet_dataset *dataset = NULL;
    for (int64_t left = 0; !dataset; left++) {
        linnet_memory_fail_after(left);
        dataset = linnet_dataset_open_cifar(NULL, *state, LINNET_PART_TRAIN);
        linnet_memory_fail_after(-1);
        if (!dataset)
            assert_failed_with(LINNET_OUT_OF_MEMORY, "");
    }
    assert_whole(dataset, 4, 10);
    linnet_dataset_free(&dataset);
}

static void nothing_there(void **state)
{
    assert_null(linnet_dataset_open(NULL, *state, LINNET_PART_TRAIN));
    assert_failed_with(LINNET_NOT_FOUND, *state);
    assert_null(linnet_dataset_open_cifar(NULL, *state, LINNET_PART_TEST));
    assert_failed_with(LINNET_NOT_FOUND, "test_batch.bin");
    assert_null(linnet_dataset_open(NULL, "/nonexistent/data", LINNET_PART_TRAIN));
    assert_failed_with(LINNET_IO, "/nonexistent/data");
    assert_null(linnet_dataset_open(NULL, NULL, LINNET_PART_TRAIN));
    assert_failed_with(LINNET_INVALID, "folder");
    put(*state, "test_batch.bin", 0, 1, false);
    assert_null(linnet_dataset_open(NULL, *state, (linnet_part)3));
    assert_failed_with(LINNET_INVALID, "part");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(files_in_a_row, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(files_where_the_archive_puts_them, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(hundred_classes, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(damaged_files, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(damaged_gzip, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(damaged_names, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(memory_ends, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(nothing_there, folder_make, folder_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
