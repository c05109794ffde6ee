/* SPDX-License-Identifier: Apache-2.0 */
/* Random crops and flips: where they lie, that nothing but seed, epoch and image decides it, what is outside. */
#include "files.h"
#include "linnet/data.h"

enum { COUNT = 6, CHANNELS = 2, HEIGHT = 5, WIDTH = 7, PLANE = HEIGHT * WIDTH, IMAGE = CHANNELS * PLANE, PADDING = 2 };

typedef struct view {
    int down, right, flip;
} view;

/* Computed from the formula in data.h with an implementation of Philox4x32-10 in Python that reproduces the known
   answers of Random123: seed 7, epochs 0 and 1, images 0 to 5, padding 2. */
static const view views[2][COUNT] = {
    {{2, 1, 0}, {1, 2, 1}, {-2, -1, 1}, {1, 2, 0}, {2, 0, 0}, {2, -1, 0}},
    {{2, -2, 0}, {2, 0, 1}, {0, 1, 0}, {0, -1, 0}, {2, -2, 1}, {1, 1, 0}},
};
/* Seed 0x123456789ab, epoch 3. */
static const view late_views[COUNT] = {{-2, 1, 1}, {-2, 1, 1}, {0, 1, 1}, {-2, 0, 0}, {2, 2, 1}, {2, 0, 1}};

static float values[COUNT][CHANNELS][HEIGHT][WIDTH];
static uint8_t bytes[COUNT][CHANNELS][HEIGHT][WIDTH];
static int32_t classes[COUNT];

/* Every pixel of every image is another number, none of them 0; image n is of class n. */
static linnet_dataset *numbered(linnet_type type)
{
    for (int i = 0; i < COUNT * IMAGE; i++) {
        (&values[0][0][0][0])[i] = (float)(1 + i);
        (&bytes[0][0][0][0])[i] = (uint8_t)(1 + i % 251);
    }
    for (int n = 0; n < COUNT; n++)
        classes[n] = n;
    linnet_tensor images = {type, 4, {COUNT, CHANNELS, HEIGHT, WIDTH}, type == LINNET_F32 ? (void *)values : bytes};
    linnet_tensor labels = {LINNET_I32, 1, {COUNT}, classes};
    linnet_dataset *dataset = linnet_dataset_from_arrays(NULL, &images, &labels);
    assert_non_null(dataset);
    return dataset;
}

/* Pixel (y, x) of the picture that the view gives, 0 outside. */
static float seen(const view *v, int n, int c, int y, int x)
{
    int from_y = y + v->down, from_x = (v->flip ? WIDTH - 1 - x : x) + v->right;
    bool inside = from_y >= 0 && from_y < HEIGHT && from_x >= 0 && from_x < WIDTH;
    return inside ? values[n][c][from_y][from_x] : 0;
}

/* What is left of an epoch: every image has its view, whatever its place. */
static int check_epoch(linnet_loader *loader, const view wanted[COUNT])
{
    linnet_batch batch;
    int count = 0;
    while (linnet_loader_next(loader, &batch))
        for (int64_t s = 0; s < batch.size; s++, count++) {
            const float *image = (const float *)batch.feeds[0].tensor.data + s * IMAGE;
            int n = ((const int32_t *)batch.feeds[1].tensor.data)[s];
            for (int i = 0; i < IMAGE; i++)
                assert_true(image[i] == seen(&wanted[n], n, i / PLANE, i % PLANE / WIDTH, i % WIDTH));
        }
    return count;
}

static void nothing_but_seed_epoch_and_image(void **state)
{
    (void)state;
    linnet_dataset *dataset = numbered(LINNET_F32);
    for (uint32_t batch = 1; batch <= COUNT; batch++)
        for (uint32_t shuffle = 0; shuffle < 2; shuffle++) {
            linnet_loader *loader = linnet_loader_new(NULL, dataset, .batch = batch, .shuffle = shuffle, .seed = 7,
                                                      .crop_padding = PADDING, .flip = 1);
            assert_int_equal(check_epoch(loader, views[0]), COUNT);
            assert_int_equal(check_epoch(loader, views[1]), COUNT);
            linnet_loader_free(&loader);
        }
    linnet_dataset_free(&dataset);
}

static void a_position_resumes_exactly(void **state)
{
    (void)state;
    linnet_dataset *dataset = numbered(LINNET_F32);
    linnet_loader *loader = linnet_loader_new(NULL, dataset, .batch = 2, .shuffle = 1, .seed = 0x123456789ab,
                                              .crop_padding = PADDING, .flip = 1);
    assert_int_equal(linnet_loader_seek(loader, (linnet_loader_position){3, 1}), LINNET_OK);
    assert_int_equal(check_epoch(loader, late_views), COUNT - 2);
    linnet_loader_free(&loader);
    linnet_dataset_free(&dataset);
}

static void one_without_the_other(void **state)
{
    (void)state;
    linnet_dataset *dataset = numbered(LINNET_F32);
    view only[COUNT];
    for (int n = 0; n < COUNT; n++)
        only[n] = (view){.flip = views[0][n].flip};
    linnet_loader *loader = linnet_loader_new(NULL, dataset, .seed = 7, .flip = 1);
    assert_int_equal(check_epoch(loader, only), COUNT);
    linnet_loader_free(&loader);
    for (int n = 0; n < COUNT; n++)
        only[n] = (view){.down = views[0][n].down, .right = views[0][n].right};
    loader = linnet_loader_new(NULL, dataset, .seed = 7, .crop_padding = PADDING);
    assert_int_equal(check_epoch(loader, only), COUNT);
    linnet_loader_free(&loader);
    linnet_dataset_free(&dataset);
}

/* Bytes are scaled and normalised; outside is black, not the mean. */
static void outside_is_black(void **state)
{
    (void)state;
    linnet_dataset *dataset = numbered(LINNET_U8);
    const float mean[] = {0.25f, 0.5f}, deviation[] = {2, 4};
    linnet_loader *loader = linnet_loader_new(NULL, dataset, .seed = 7, .crop_padding = PADDING, .flip = 1,
                                              .mean = {0.25f, 0.5f}, .deviation = {2, 4});
    linnet_batch batch;
    assert_true(linnet_loader_next(loader, &batch));
    for (int i = 0; i < COUNT * IMAGE; i++) {
        int n = i / IMAGE, c = i % IMAGE / PLANE;
        float number = seen(&views[0][n], n, c, i % PLANE / WIDTH, i % WIDTH); /* 1 + place, 0 outside */
        float byte = number == 0 ? 0 : (&bytes[0][0][0][0])[(int)number - 1];
        assert_true(((float *)batch.feeds[0].tensor.data)[i] == (byte / 255.0f - mean[c]) / deviation[c]);
    }
    linnet_loader_free(&loader);
    linnet_dataset_free(&dataset);
}

/* All 25 places and both sides come up about equally often: 6 images over 2,000 epochs, 240 each expected, and no more
   than five standard deviations (77) away. */
static void every_view_comes_up(void **state)
{
    (void)state;
    linnet_dataset *dataset = numbered(LINNET_F32);
    linnet_loader *loader = linnet_loader_new(NULL, dataset, .seed = 5, .crop_padding = PADDING, .flip = 1);
    int counts[5][5][2] = {0};
    linnet_batch batch;
    for (uint64_t epoch = 0; epoch < 2000; epoch++) {
        assert_int_equal(linnet_loader_seek(loader, (linnet_loader_position){.epoch = epoch}), LINNET_OK);
        assert_true(linnet_loader_next(loader, &batch));
        for (int n = 0; n < COUNT; n++) {
            /* The centre is always inside: it says where it came from. */
            const float *image = (const float *)batch.feeds[0].tensor.data + n * IMAGE;
            int at = 2 * WIDTH + 3, from = (int)image[at] - 1 - n * IMAGE;
            bool flip = image[at + 1] < image[at] && image[at + 1] != 0;
            flip = image[at + 1] == 0 ? image[at - 1] > image[at] : flip;
            counts[from / WIDTH][from % WIDTH - 1][flip]++;
        }
    }
    for (int i = 0; i < 50; i++)
        assert_in_range((&counts[0][0][0])[i], 240 - 77, 240 + 77);
    linnet_loader_free(&loader);
    linnet_dataset_free(&dataset);
}

static void options_that_make_no_sense(void **state)
{
    (void)state;
    linnet_dataset *dataset = numbered(LINNET_F32);
    assert_null(linnet_loader_new(NULL, dataset, .crop_padding = HEIGHT));
    assert_failed_with(LINNET_INVALID, "crop_padding 5 of images that are 7x5");
    linnet_loader *loader = NULL;
    for (int64_t left = 0; !loader; left++) {
        linnet_memory_fail_after(left);
        loader = linnet_loader_new(NULL, dataset, .flip = 1, .seed = 7);
        linnet_memory_fail_after(-1);
        if (!loader)
            assert_failed_with(LINNET_OUT_OF_MEMORY, "loader");
    }
    linnet_loader_free(&loader);
    linnet_dataset_free(&dataset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_but_seed_epoch_and_image),
        cmocka_unit_test(a_position_resumes_exactly),
        cmocka_unit_test(one_without_the_other),
        cmocka_unit_test(outside_is_black),
        cmocka_unit_test(every_view_comes_up),
        cmocka_unit_test(options_that_make_no_sense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
