/* SPDX-License-Identifier: Apache-2.0 */
/* Datasets from IDX files, whole and damaged, and from arrays. */
#include "files.h"
#include "linnet/data.h"

#include <zlib.h>

enum { COUNT = 5, HEIGHT = 3, WIDTH = 4, IMAGE_BYTES = 16 + COUNT * HEIGHT * WIDTH, LABEL_BYTES = 8 + COUNT };

static const uint8_t labels[LABEL_BYTES] = {0, 0, 8, 1, 0, 0, 0, COUNT, 7, 2, 1, 0, 9};

static void images_make(uint8_t *out)
{
    memcpy(out, (uint8_t[]){0, 0, 8, 3, 0, 0, 0, COUNT, 0, 0, 0, HEIGHT, 0, 0, 0, WIDTH}, 16);
    for (int i = 0; i < COUNT * HEIGHT * WIDTH; i++)
        out[16 + i] = (uint8_t)(3 * i);
}

static size_t zip(const void *bytes, size_t size, uint8_t *out, size_t room)
{
    z_stream stream = {
        .next_in = (Bytef *)(uintptr_t)bytes, .avail_in = (uInt)size, .next_out = out, .avail_out = (uInt)room};
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    deflateEnd(&stream);
    return room - stream.avail_out;
}

/* Both files of a part, as they are or zipped. */
static void part_put(const char *folder, const char *images_name, const char *labels_name, bool zipped)
{
    uint8_t images[IMAGE_BYTES], packed[4096];
    images_make(images);
    if (!zipped) {
        file_put(path_in(folder, images_name), images, sizeof images);
        file_put(path_in(folder, labels_name), labels, sizeof labels);
        return;
    }
    file_put(path_in(folder, images_name), packed, zip(images, sizeof images, packed, sizeof packed));
    file_put(path_in(folder, labels_name), packed, zip(labels, sizeof labels, packed, sizeof packed));
}

static void assert_whole(linnet_dataset *dataset)
{
    if (!dataset)
        fail_msg("%s", linnet_context_message(NULL));
    assert_int_equal(linnet_dataset_count(dataset), COUNT);
    assert_int_equal(linnet_dataset_channels(dataset), 1);
    assert_int_equal(linnet_dataset_height(dataset), HEIGHT);
    assert_int_equal(linnet_dataset_width(dataset), WIDTH);
    assert_int_equal(linnet_dataset_class_count(dataset), 10);
    linnet_tensor image;
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(linnet_dataset_label(dataset, i), labels[8 + i]);
        assert_int_equal(linnet_dataset_image(dataset, i, &image), LINNET_OK);
        assert_int_equal(linnet_tensor_bytes(&image), HEIGHT * WIDTH);
        for (int j = 0; j < HEIGHT * WIDTH; j++)
            assert_int_equal(((uint8_t *)image.data)[j], (uint8_t)(3 * (i * HEIGHT * WIDTH + j)));
    }
    assert_int_equal(linnet_dataset_image(dataset, COUNT, &image), LINNET_INVALID);
    assert_int_equal(linnet_dataset_label(dataset, -1), -1);
}

static void idx_under_its_usual_names(void **state)
{
    static const struct {
        const char *images, *labels;
        linnet_part part;
        bool zipped;
    } cases[] = {
        {"train-images-idx3-ubyte", "train-labels-idx1-ubyte", LINNET_PART_TRAIN, false},
        {"train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", LINNET_PART_TRAIN, true},
        {"t10k-images.idx3-ubyte", "t10k-labels.idx1-ubyte", LINNET_PART_TEST, false},
        {"t10k-images.idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz", LINNET_PART_TEST, true},
        {"raw/t10k-images-idx3-ubyte", "raw/t10k-labels-idx1-ubyte", LINNET_PART_TEST, false},
        {"train-images-idx3-ubyte", "train-labels-idx1-ubyte", LINNET_PART_TRAIN, true}, /* zipped without saying so */
    };
    char *folder = *state;
    assert_int_equal(mkdir(path_in(folder, "raw"), 0700), 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        part_put(folder, cases[i].images, cases[i].labels, cases[i].zipped);
        linnet_dataset *dataset = linnet_dataset_open_idx(NULL, folder, cases[i].part);
        assert_whole(dataset);
        assert_string_equal(linnet_dataset_class_name(dataset, 7), "7");
        assert_null(linnet_dataset_class_name(dataset, 10));
        linnet_dataset_free(&dataset);
        assert_null(dataset);
        unlink(path_in(folder, cases[i].images));
        unlink(path_in(folder, cases[i].labels));
    }
}

static void idx_of_fashion_has_its_names(void **state)
{
    const char *folder = path_in(*state, "Fashion-Mnist");
    assert_int_equal(mkdir(folder, 0700), 0);
    part_put(folder, "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte", false);
    linnet_dataset *dataset = linnet_dataset_open_idx(NULL, path_in(*state, "Fashion-Mnist/"), LINNET_PART_TEST);
    assert_whole(dataset);
    assert_string_equal(linnet_dataset_name(dataset), "Fashion-Mnist");
    assert_string_equal(linnet_dataset_class_name(dataset, 1), "Trouser");
    linnet_dataset_free(&dataset);
}

static void idx_that_is_not_there(void **state)
{
    assert_null(linnet_dataset_open_idx(NULL, *state, LINNET_PART_TRAIN));
    assert_failed_with(LINNET_NOT_FOUND, *state);
    assert_null(linnet_dataset_open_idx(NULL, "/nonexistent/mnist", LINNET_PART_TRAIN));
    assert_failed_with(LINNET_IO, "/nonexistent/mnist");
    assert_null(linnet_dataset_open_idx(NULL, NULL, LINNET_PART_TRAIN));
    assert_failed_with(LINNET_INVALID, "folder");
    assert_null(linnet_dataset_open_idx(NULL, *state, (linnet_part)3));
    assert_failed_with(LINNET_INVALID, "part");
}

/* Writes these bytes as one of the files, the other whole, and expects a damaged file by name. */
static void assert_damaged(const char *folder, bool image_file, const void *bytes, size_t size, const char *text)
{
    part_put(folder, "train-images-idx3-ubyte", "train-labels-idx1-ubyte", false);
    const char *name = image_file ? "train-images-idx3-ubyte" : "train-labels-idx1-ubyte";
    file_put(path_in(folder, name), bytes, size);
    assert_null(linnet_dataset_open_idx(NULL, folder, LINNET_PART_TRAIN));
    assert_failed_with(LINNET_BAD_FILE, name);
    assert_failed_with(LINNET_BAD_FILE, text);
}

static void idx_damaged(void **state)
{
    uint8_t images[IMAGE_BYTES + 1], other[LABEL_BYTES];
    images_make(images);
    images[IMAGE_BYTES] = 0;
    assert_damaged(*state, true, images, IMAGE_BYTES + 1, "more bytes");
    images[3] = 1;
    assert_damaged(*state, true, images, IMAGE_BYTES, "00000801");
    images_make(images);
    images[11] = 0;
    assert_damaged(*state, true, images, IMAGE_BYTES, "dimension 1 is 0");
    images_make(images);
    images[5] = 0xff; /* sixteen million images in 76 bytes */
    assert_damaged(*state, true, images, IMAGE_BYTES, "cut short");
    memcpy(other, labels, LABEL_BYTES);
    other[9] = 10;
    assert_damaged(*state, false, other, LABEL_BYTES, "label 10 of image 1");
    other[7] = COUNT - 1;
    assert_damaged(*state, false, other, LABEL_BYTES - 1, "4 labels for 5 images");
    images_make(images);
    memset(images + 8, 0xff, 4);
    assert_damaged(*state, true, images, IMAGE_BYTES, "dimension 1");
}

static void idx_over_the_limit(void **state)
{
    uint8_t images[IMAGE_BYTES];
    images_make(images);
    memcpy(images + 4, (uint8_t[]){0xff, 0xff, 0xff, 0xff, 0, 0, 0x40, 0, 0, 0, 0x40, 0}, 12);
    part_put(*state, "train-images-idx3-ubyte", "train-labels-idx1-ubyte", false);
    file_put(path_in(*state, "train-images-idx3-ubyte"), images, sizeof images);
    assert_null(linnet_dataset_open_idx(NULL, *state, LINNET_PART_TRAIN));
    assert_failed_with(LINNET_LIMIT, "train-images-idx3-ubyte");
}

static void idx_cut_at_every_length(void **state)
{
    uint8_t images[IMAGE_BYTES], packed[4096];
    images_make(images);
    for (size_t size = 0; size < sizeof images; size++)
        assert_damaged(*state, true, images, size, "cut short");
    for (size_t size = 0; size < LABEL_BYTES; size++)
        assert_damaged(*state, false, labels, size, "cut short");
    size_t zipped = zip(images, sizeof images, packed, sizeof packed);
    for (size_t size = 0; size < zipped; size++)
        assert_damaged(*state, true, packed, size, "");
    packed[zipped] = 0;
    assert_damaged(*state, true, packed, zipped + 1, "more bytes");
}

/* One bit turned over: a plain file is read or refused; a zipped one has a sum, so it is refused or the bit meant
 * nothing. */
static void idx_with_every_bit_flipped(void **state)
{
    uint8_t images[IMAGE_BYTES], packed[4096];
    images_make(images);
    size_t zipped = zip(images, sizeof images, packed, sizeof packed);
    part_put(*state, "train-images-idx3-ubyte", "train-labels-idx1-ubyte", false);
    for (int pass = 0; pass < 2; pass++) {
        uint8_t *bytes = pass ? packed : images;
        size_t size = pass ? zipped : sizeof images;
        for (size_t bit = 0; bit < 8 * size; bit++) {
            bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
            file_put(path_in(*state, "train-images-idx3-ubyte"), bytes, size);
            linnet_dataset *dataset = linnet_dataset_open_idx(NULL, *state, LINNET_PART_TRAIN);
            if (dataset && pass == 1)
                assert_whole(dataset);
            if (!dataset)
                assert_failed_with(linnet_context_last_status(NULL), "train-images-idx3-ubyte");
            linnet_dataset_free(&dataset);
            bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
}

/* A few kilobytes that inflate to far more than their header says. */
static void idx_bomb(void **state)
{
    size_t size = 1 << 24;
    uint8_t *zeros = calloc(1, size), *packed = malloc(1 << 16);
    assert_non_null(zeros);
    assert_non_null(packed);
    memcpy(zeros, (uint8_t[]){0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0, 8}, 16);
    size_t zipped = zip(zeros, size, packed, 1 << 16);
    assert_damaged(*state, true, packed, zipped, "more bytes");
    free(zeros);
    free(packed);
}

/* Every allocation on the way fails once: an error each time, nothing lost, and in the end the dataset. */
static void idx_without_memory(void **state)
{
    part_put(*state, "train-images-idx3-ubyte", "train-labels-idx1-ubyte", true);
    linnet_dataset *dataset = NULL;
    int64_t allowed = 0;
    for (; !dataset && allowed < 200; allowed++) {
        linnet_memory_fail_after(allowed);
        dataset = linnet_dataset_open_idx(NULL, *state, LINNET_PART_TRAIN);
        linnet_memory_fail_after(-1);
        if (!dataset)
            assert_int_equal(linnet_context_last_status(NULL), LINNET_OUT_OF_MEMORY);
    }
    assert_true(allowed > 5);
    assert_whole(dataset);
    linnet_dataset_free(&dataset);
}

static void arrays_are_referenced_and_labels_copied(void **state)
{
    (void)state;
    float pixels[2 * 3 * 2 * 2];
    int64_t classes[2] = {4, 1};
    for (size_t i = 0; i < 24; i++)
        pixels[i] = (float)i;
    linnet_tensor images = {LINNET_F32, 4, {2, 3, 2, 2}, pixels}, numbers = {LINNET_I64, 1, {2}, classes}, image;
    linnet_dataset *dataset = linnet_dataset_from_arrays(NULL, &images, &numbers, .name = "mine");
    assert_non_null(dataset);
    classes[0] = 0;
    assert_int_equal(linnet_dataset_label(dataset, 0), 4);
    assert_int_equal(linnet_dataset_class_count(dataset), 5);
    assert_int_equal(linnet_dataset_channels(dataset), 3);
    assert_string_equal(linnet_dataset_name(dataset), "mine");
    assert_int_equal(linnet_dataset_image(dataset, 1, &image), LINNET_OK);
    assert_ptr_equal(image.data, pixels + 12);
    assert_int_equal(image.rank, 3);
    linnet_dataset_free(&dataset);
    linnet_tensor grey = {LINNET_F32, 3, {2, 3, 4}, pixels};
    static const char *const names[] = {"cat", "dog"};
    classes[1] = 1;
    dataset = linnet_dataset_from_arrays(NULL, &grey, &numbers, .class_count = 2, .class_names = names);
    assert_non_null(dataset);
    assert_int_equal(linnet_dataset_channels(dataset), 1);
    assert_string_equal(linnet_dataset_class_name(dataset, 1), "dog");
    linnet_dataset_free(&dataset);
}

static void arrays_that_do_not_fit(void **state)
{
    (void)state;
    uint8_t pixels[24] = {0};
    int32_t classes[3] = {0, 1, 2};
    linnet_tensor images = {LINNET_U8, 3, {2, 3, 4}, pixels}, numbers = {LINNET_I32, 1, {2}, classes}, wrong = numbers;
    wrong.dims[0] = 3;
    assert_null(linnet_dataset_from_arrays(NULL, &images, &wrong, .name = "mine"));
    assert_failed_with(LINNET_SHAPE, "'mine'");
    wrong = numbers;
    wrong.type = LINNET_F32;
    assert_null(linnet_dataset_from_arrays(NULL, &images, &wrong, .name = "mine"));
    assert_failed_with(LINNET_INVALID, "f32");
    wrong = images;
    wrong.rank = 2;
    assert_null(linnet_dataset_from_arrays(NULL, &wrong, &numbers, .name = "mine"));
    assert_failed_with(LINNET_SHAPE, "[N,C,H,W]");
    wrong = images;
    wrong.dims[0] = INT64_MAX;
    assert_null(linnet_dataset_from_arrays(NULL, &wrong, &numbers, .name = "mine"));
    assert_failed_with(LINNET_SHAPE, "[N,C,H,W]");
    assert_null(linnet_dataset_from_arrays(NULL, &images, &numbers, .class_count = 1));
    assert_failed_with(LINNET_INVALID, "label 1 of image 1");
    assert_null(linnet_dataset_from_arrays(NULL, &images, &numbers, .class_count = -1));
    assert_failed_with(LINNET_INVALID, "class_count -1");
    classes[0] = -1;
    assert_null(linnet_dataset_from_arrays(NULL, &images, &numbers, .name = "mine"));
    assert_failed_with(LINNET_INVALID, "label -1 of image 0");
    assert_null(linnet_dataset_from_arrays_with(NULL, NULL, NULL, NULL));
    assert_int_equal(linnet_context_last_status(NULL), LINNET_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(idx_under_its_usual_names, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(idx_of_fashion_has_its_names, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(idx_that_is_not_there, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(idx_damaged, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(idx_over_the_limit, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(idx_cut_at_every_length, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(idx_with_every_bit_flipped, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(idx_bomb, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(idx_without_memory, folder_make, folder_remove),
        cmocka_unit_test(arrays_are_referenced_and_labels_copied),
        cmocka_unit_test(arrays_that_do_not_fit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
