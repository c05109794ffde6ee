/* SPDX-License-Identifier: Apache-2.0 */
/* Loaders: batches, order, position. */
#include "files.h"
#include "linnet/data.h"

#include <math.h>

enum { COUNT = 23 };

static uint8_t pixels[COUNT][2][2][2];
static int32_t classes[COUNT];

/* COUNT images of two channels; every pixel of image i is i, or 200 + i in the second channel; its label is i. */
static linnet_dataset *numbered(void)
{
    for (int i = 0; i < COUNT; i++) {
        memset(pixels[i][0], i, 4);
        memset(pixels[i][1], 200 + i, 4);
        classes[i] = i;
    }
    linnet_tensor images = {LINNET_U8, 4, {COUNT, 2, 2, 2}, pixels}, labels = {LINNET_I32, 1, {COUNT}, classes};
    linnet_dataset *dataset = linnet_dataset_from_arrays(NULL, &images, &labels, .class_count = COUNT);
    assert_non_null(dataset);
    return dataset;
}

static int label_of(const linnet_batch *batch, int64_t i)
{
    return ((const int32_t *)batch->feeds[1].tensor.data)[i];
}

/* Image and label of a sample belong together. */
static void assert_sample(const linnet_batch *batch, int64_t i)
{
    const float *image = (const float *)batch->feeds[0].tensor.data + 8 * i;
    for (int j = 0; j < 4; j++) {
        assert_true(image[j] == (float)label_of(batch, i) / 255.0f);
        assert_true(image[4 + j] == (float)(200 + label_of(batch, i)) / 255.0f);
    }
}

/* The labels of the rest of the epoch in order; how many. */
static int epoch_labels(linnet_loader *loader, int *out)
{
    linnet_batch batch;
    int count = 0;
    while (linnet_loader_next(loader, &batch))
        for (int64_t i = 0; i < batch.size; i++) {
            assert_sample(&batch, i);
            out[count++] = label_of(&batch, i);
        }
    return count;
}

static void batches_in_order_with_a_smaller_last_one(void **state)
{
    (void)state;
    linnet_dataset *dataset = numbered();
    linnet_loader *loader = linnet_loader_new(NULL, dataset, .batch = 5);
    assert_non_null(loader);
    assert_int_equal(linnet_loader_samples(loader), COUNT);
    assert_int_equal(linnet_loader_batches(loader), 5);
    for (int epoch = 0; epoch < 3; epoch++) {
        linnet_batch batch;
        for (int i = 0; i < 5; i++) {
            assert_true(linnet_loader_next(loader, &batch));
            assert_int_equal(batch.size, i < 4 ? 5 : 3);
            assert_int_equal(batch.struct_size, sizeof batch);
            assert_int_equal(batch.feed_count, 2);
            assert_string_equal(batch.feeds[0].name, "image");
            assert_string_equal(batch.feeds[1].name, "label");
            const linnet_tensor *image = &batch.feeds[0].tensor, *label = &batch.feeds[1].tensor;
            assert_int_equal(image->type, LINNET_F32);
            assert_int_equal(label->type, LINNET_I32);
            assert_int_equal(image->rank, 4);
            assert_int_equal(label->rank, 1);
            assert_int_equal(image->dims[0], batch.size);
            assert_int_equal(label->dims[0], batch.size);
            assert_int_equal(image->dims[1] * 100 + image->dims[2] * 10 + image->dims[3], 222);
            for (int64_t j = 0; j < batch.size; j++) {
                assert_int_equal(label_of(&batch, j), 5 * i + j);
                assert_sample(&batch, j);
            }
        }
        batch.size = -7;
        assert_false(linnet_loader_next(loader, &batch));
        assert_int_equal(batch.size, -7);
    }
    linnet_loader_free(&loader);
    assert_null(loader);
    linnet_dataset_free(&dataset);
}

static void dropping_the_last_and_limits(void **state)
{
    (void)state;
    int labels[COUNT];
    bool seen_all[COUNT] = {false};
    linnet_dataset *dataset = numbered();
    linnet_loader *loader = linnet_loader_new(NULL, dataset, .batch = 5, .drop_last = 1, .shuffle = 1);
    assert_int_equal(linnet_loader_samples(loader), 20);
    for (int epoch = 0; epoch < 20; epoch++) {
        assert_int_equal(epoch_labels(loader, labels), 20);
        for (int i = 0; i < 20; i++)
            seen_all[labels[i]] = true;
    }
    for (int i = 0; i < COUNT; i++) /* what is dropped changes from epoch to epoch */
        assert_true(seen_all[i]);
    linnet_loader_free(&loader);
    loader = linnet_loader_new(NULL, dataset, .batch = 5, .limit = 7, .shuffle = 1);
    assert_int_equal(linnet_loader_samples(loader), 7);
    assert_int_equal(epoch_labels(loader, labels), 7);
    for (int i = 0; i < 7; i++)
        assert_true(labels[i] < 7);
    linnet_loader_free(&loader);
    loader = linnet_loader_new_with(NULL, dataset, NULL);
    assert_int_equal(linnet_loader_batches(loader), 1);
    assert_int_equal(epoch_labels(loader, labels), COUNT);
    linnet_loader_free(&loader);
    linnet_dataset_free(&dataset);
}

static void shuffling_is_a_function_of_seed_and_epoch(void **state)
{
    (void)state;
    int first[4][COUNT], again[COUNT], others[COUNT];
    linnet_dataset *dataset = numbered();
    linnet_loader *loader = linnet_loader_new(NULL, dataset, .batch = 4, .shuffle = 1, .seed = 7);
    for (int epoch = 0; epoch < 4; epoch++) {
        bool seen[COUNT] = {false};
        assert_int_equal(epoch_labels(loader, first[epoch]), COUNT);
        for (int i = 0; i < COUNT; i++) {
            assert_false(seen[first[epoch][i]]);
            seen[first[epoch][i]] = true;
        }
        assert_true(epoch == 0 || memcmp(first[epoch], first[epoch - 1], sizeof first[0]));
    }
    linnet_loader *other = linnet_loader_new(NULL, dataset, .batch = 9, .shuffle = 1, .seed = 8);
    epoch_labels(other, others);
    assert_true(memcmp(first[0], others, sizeof others));
    linnet_loader_free(&other);
    other =
        linnet_loader_new(NULL, dataset, .batch = 9, .shuffle = 1, .seed = 7); /* another batch size, the same order */
    assert_int_equal(linnet_loader_seek(other, (linnet_loader_position){.epoch = 2}), LINNET_OK);
    epoch_labels(other, again);
    assert_memory_equal(first[2], again, sizeof again);
    linnet_loader_free(&other);
    linnet_loader_free(&loader);
    linnet_dataset_free(&dataset);
}

static void a_position_resumes_exactly(void **state)
{
    (void)state;
    linnet_dataset *dataset = numbered();
    for (uint32_t shuffle = 0; shuffle < 2; shuffle++)
        for (int stop = 0; stop < 14; stop++) {
            linnet_loader *loader = linnet_loader_new(NULL, dataset, .batch = 5, .shuffle = shuffle, .seed = 3);
            linnet_batch batch, resumed_batch;
            for (int i = 0; i < stop; i++)
                linnet_loader_next(loader, &batch);
            linnet_loader *resumed = linnet_loader_new(NULL, dataset, .batch = 5, .shuffle = shuffle, .seed = 3);
            assert_int_equal(linnet_loader_seek(resumed, linnet_loader_tell(loader)), LINNET_OK);
            for (int i = 0; i < 15; i++) {
                bool more = linnet_loader_next(loader, &batch);
                assert_int_equal(more, linnet_loader_next(resumed, &resumed_batch));
                if (!more)
                    continue;
                assert_int_equal(batch.size, resumed_batch.size);
                assert_memory_equal(batch.feeds[0].tensor.data, resumed_batch.feeds[0].tensor.data,
                                    (size_t)linnet_tensor_bytes(&batch.feeds[0].tensor));
                assert_memory_equal(batch.feeds[1].tensor.data, resumed_batch.feeds[1].tensor.data,
                                    (size_t)linnet_tensor_bytes(&batch.feeds[1].tensor));
            }
            linnet_loader_free(&loader);
            linnet_loader_free(&resumed);
        }
    linnet_loader *loader = linnet_loader_new(NULL, dataset, .batch = 5);
    assert_int_equal(linnet_loader_seek(loader, (linnet_loader_position){.batch = 6}), LINNET_INVALID);
    assert_int_equal(linnet_loader_seek(loader, (linnet_loader_position){.batch = -1}), LINNET_INVALID);
    linnet_loader_free(&loader);
    linnet_dataset_free(&dataset);
}

static void a_batch_outlives_the_next_call(void **state)
{
    (void)state;
    linnet_dataset *dataset = numbered();
    linnet_loader *loader = linnet_loader_new(NULL, dataset, .batch = 5);
    linnet_batch before, now;
    assert_true(linnet_loader_next(loader, &before));
    while (linnet_loader_next(loader, &now)) {
        int first = label_of(&now, 0) - 5;
        for (int64_t i = 0; i < before.size; i++) {
            assert_int_equal(label_of(&before, i), first + i);
            assert_sample(&before, i);
        }
        before = now;
    }
    linnet_loader_free(&loader);
    linnet_dataset_free(&dataset);
}

static void normalisation(void **state)
{
    (void)state;
    linnet_dataset *dataset = numbered();
    linnet_batch batch;
    linnet_loader *loader = linnet_loader_new(NULL, dataset, .mean = {0.5f, 0.25f}, .deviation = {0.5f},
                                              .image_name = "x", .label_name = "y");
    assert_true(linnet_loader_next(loader, &batch));
    assert_string_equal(batch.feeds[0].name, "x");
    assert_string_equal(batch.feeds[1].name, "y");
    const float *image = batch.feeds[0].tensor.data;
    for (int i = 0; i < COUNT; i++, image += 8) {
        assert_true(fabsf(image[3] - ((float)i / 255 - 0.5f) / 0.5f) < 1e-6f);
        assert_true(fabsf(image[7] - ((float)(200 + i) / 255 - 0.25f)) < 1e-6f);
    }
    linnet_loader_free(&loader);
    linnet_dataset_free(&dataset);
    float values[2][3] = {{-1, 0, 2}, {3, 4, 255}};
    int32_t labels[2] = {0, 1};
    linnet_tensor images = {LINNET_F32, 3, {2, 1, 3}, values}, numbers = {LINNET_I32, 1, {2}, labels};
    dataset = linnet_dataset_from_arrays(NULL, &images, &numbers, .name = "floats");
    loader = linnet_loader_new(NULL, dataset, .mean = {1}, .deviation = {2});
    assert_true(linnet_loader_next(loader, &batch));
    for (int i = 0; i < 6; i++) /* no scaling to 0..1 */
        assert_true(((float *)batch.feeds[0].tensor.data)[i] == (values[i / 3][i % 3] - 1) / 2);
    linnet_loader_free(&loader);
    linnet_dataset_free(&dataset);
}

static void options_that_make_no_sense(void **state)
{
    (void)state;
    linnet_dataset *dataset = numbered();
    assert_null(linnet_loader_new(NULL, dataset, .limit = -1));
    assert_failed_with(LINNET_INVALID, "limit");
    assert_null(linnet_loader_new(NULL, dataset, .deviation = {-1}));
    assert_failed_with(LINNET_INVALID, "deviation");
    assert_null(linnet_loader_new(NULL, dataset, .mean = {NAN}));
    assert_failed_with(LINNET_INVALID, "mean");
    assert_null(linnet_loader_new(NULL, dataset, .batch = 24, .drop_last = 1));
    assert_failed_with(LINNET_INVALID, "batch of 24");
    assert_null(linnet_loader_new(NULL, NULL, .batch = 24));
    assert_failed_with(LINNET_INVALID, "no dataset; the failure before: ");
    linnet_context_clear(NULL);
    assert_null(linnet_loader_new(NULL, NULL, .batch = 24));
    assert_string_equal(linnet_context_message(NULL), "loader: no dataset");
    assert_null(linnet_loader_new_with(NULL, dataset, &(linnet_loader_options){.struct_size = 8}));
    assert_failed_with(LINNET_INVALID, "struct_size");
    linnet_loader *loader = NULL;
    int64_t allowed = 0;
    for (; !loader && allowed < 50; allowed++) {
        linnet_memory_fail_after(allowed);
        loader = linnet_loader_new(NULL, dataset, .shuffle = 1);
        linnet_memory_fail_after(-1);
        if (!loader)
            assert_int_equal(linnet_context_last_status(NULL), LINNET_OUT_OF_MEMORY);
    }
    assert_true(loader && allowed > 5);
    linnet_loader_free(&loader);
    linnet_loader_free(&loader);
    linnet_loader_free(NULL);
    assert_false(linnet_loader_next(NULL, NULL));
    linnet_dataset_free(&dataset);
    linnet_dataset_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_in_order_with_a_smaller_last_one),
        cmocka_unit_test(dropping_the_last_and_limits),
        cmocka_unit_test(shuffling_is_a_function_of_seed_and_epoch),
        cmocka_unit_test(a_position_resumes_exactly),
        cmocka_unit_test(a_batch_outlives_the_next_call),
        cmocka_unit_test(normalisation),
        cmocka_unit_test(options_that_make_no_sense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
