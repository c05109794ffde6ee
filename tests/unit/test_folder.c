/* SPDX-License-Identifier: Apache-2.0 */
/* Datasets from folders of pictures: classes, parts, order, sizes, what is left out, what is refused. */
#include "files.h"
#include "linnet/data.h"

#include <fcntl.h>

/* folder/name, valid until the next call. */
static const char *in(const void *folder, const char *name)
{
    static char path[2048];
    snprintf(path, sizeof path, "%s/%s", (const char *)folder, name);
    return path;
}

static void folder_put(const void *folder, const char *name)
{
    assert_int_equal(mkdir(in(folder, name), 0700), 0);
}

/* A PNG of one colour per pixel: red is value, green the column, blue the row. */
static void picture_put(const void *folder, const char *name, int32_t width, int32_t height, uint8_t value)
{
    linnet_image *image = linnet_image_new(NULL, width, height, 3);
    assert_non_null(image);
    for (int32_t y = 0; y < height; y++)
        for (int32_t x = 0; x < width; x++) {
            uint8_t *pixel = image->pixels + 3 * (y * width + x);
            pixel[0] = value;
            pixel[1] = (uint8_t)x;
            pixel[2] = (uint8_t)y;
        }
    assert_int_equal(linnet_image_write(NULL, image, in(folder, "new.png")), LINNET_OK);
    linnet_image_free(&image);
    char from[2048];
    snprintf(from, sizeof from, "%s", in(folder, "new.png"));
    assert_int_equal(rename(from, in(folder, name)), 0);
}

/* Pixel (y, x) of a channel. */
static int pixel(const linnet_dataset *dataset, int64_t index, int channel, int64_t y, int64_t x)
{
    linnet_tensor image;
    assert_int_equal(linnet_dataset_image(dataset, index, &image), LINNET_OK);
    assert_int_equal(image.type, LINNET_U8);
    return ((uint8_t *)image.data)[(channel * image.dims[1] + y) * image.dims[2] + x];
}

/* The dataset holds these values of red with these labels. */
static void assert_holds(const linnet_dataset *dataset, const int *values, const int *labels, int count)
{
    if (!dataset)
        fail_msg("%s", linnet_context_message(NULL));
    assert_int_equal(linnet_dataset_count(dataset), count);
    for (int i = 0; i < count; i++) {
        assert_int_equal(pixel(dataset, i, 0, 0, 0), values[i]);
        assert_int_equal(linnet_dataset_label(dataset, i), labels[i]);
    }
}

/* Classes cat and dog in train and test, fox in test only. */
static void parts_put(const void *folder, const char *test)
{
    char name[64];
    folder_put(folder, "train");
    folder_put(folder, "train/dog");
    folder_put(folder, "train/cat");
    folder_put(folder, test);
    for (const char *const *c = (const char *const[]){"cat", "dog", "fox", NULL}; *c; c++) {
        snprintf(name, sizeof name, "%s/%s", test, *c);
        folder_put(folder, name);
    }
    picture_put(folder, "train/dog/1.png", 4, 3, 11);
    picture_put(folder, "train/cat/b.png", 4, 3, 22);
    picture_put(folder, "train/cat/a.PNG", 4, 3, 21);
    picture_put(folder, "train/cat/c.jpg", 4, 3, 23); /* what it is, its bytes say */
    picture_put(folder, "train/cat/.d.png", 4, 3, 24);
    snprintf(name, sizeof name, "%s/fox/1.png", test);
    picture_put(folder, name, 8, 8, 31);
    snprintf(name, sizeof name, "%s/cat/1.png", test);
    picture_put(folder, name, 4, 3, 32);
    file_put(in(folder, "train/cat/notes.txt"), "not a picture", 13);
}

static void parts_and_their_order(void **state)
{
    static const char *const tests[] = {"test", "val"};
    for (int i = 0; i < 2; i++) {
        char root[1100];
        snprintf(root, sizeof root, "%s/%d", (char *)*state, i);
        assert_int_equal(mkdir(root, 0700), 0);
        parts_put(root, tests[i]);
        linnet_dataset *train = linnet_dataset_open(NULL, root, LINNET_PART_TRAIN);
        assert_holds(train, (int[]){21, 11, 22, 23}, (int[]){0, 1, 0, 0}, 4);
        assert_int_equal(linnet_dataset_class_count(train), 3);
        assert_string_equal(linnet_dataset_class_name(train, 0), "cat");
        assert_string_equal(linnet_dataset_class_name(train, 2), "fox");
        assert_int_equal(linnet_dataset_channels(train), 3);
        linnet_dataset_free(&train);
        linnet_dataset *test = linnet_dataset_open(NULL, root, LINNET_PART_TEST);
        assert_holds(test, (int[]){32, 31}, (int[]){0, 2}, 2);
        /* Both have the size of the first picture to train with. */
        assert_int_equal(linnet_dataset_width(test), 4);
        assert_int_equal(linnet_dataset_height(test), 3);
        linnet_dataset_free(&test);
        train = linnet_dataset_open(NULL, root, LINNET_PART_TRAIN, .limit = 2);
        assert_holds(train, (int[]){21, 11}, (int[]){0, 1}, 2);
        linnet_dataset_free(&train);
    }
}

static void a_split_without_parts(void **state)
{
    char name[64];
    folder_put(*state, "a");
    folder_put(*state, "b");
    for (int i = 0; i < 7; i++) {
        snprintf(name, sizeof name, "a/%d.png", i);
        picture_put(*state, name, 2, 2, (uint8_t)(10 + i));
    }
    picture_put(*state, "b/x.png", 2, 2, 50);
    linnet_dataset *test = linnet_dataset_open(NULL, *state, LINNET_PART_TEST);
    assert_holds(test, (int[]){11, 16}, (int[]){0, 0}, 2);
    assert_int_equal(linnet_dataset_class_count(test), 2);
    linnet_dataset_free(&test);
    linnet_dataset *train = linnet_dataset_open(NULL, *state, LINNET_PART_TRAIN);
    assert_holds(train, (int[]){10, 50, 12, 13, 14, 15}, (int[]){0, 1, 0, 0, 0, 0}, 6);
    linnet_dataset_free(&train);
}

static void sizes(void **state)
{
    folder_put(*state, "a");
    picture_put(*state, "a/1.png", 448, 100, 7);
    picture_put(*state, "a/3.png", 20, 50, 8);
    linnet_dataset *dataset = linnet_dataset_open_folder(NULL, *state, LINNET_PART_TRAIN);
    assert_holds(dataset, (int[]){7}, (int[]){0}, 1);
    assert_int_equal(linnet_dataset_width(dataset), 224);
    assert_int_equal(linnet_dataset_height(dataset), 50);
    linnet_dataset_free(&dataset);
    /* The middle 100 x 100 of 448 x 100, as it is: columns 174 to 273. */
    dataset = linnet_dataset_open_folder(NULL, *state, LINNET_PART_TRAIN, .width = 100, .height = 100);
    assert_int_equal(pixel(dataset, 0, 1, 5, 0), 174);
    assert_int_equal(pixel(dataset, 0, 1, 5, 80), 254);
    assert_int_equal(pixel(dataset, 0, 2, 5, 0), 5);
    assert_int_equal(pixel(dataset, 0, 2, 99, 99), 99);
    linnet_dataset_free(&dataset);
    /* The middle 20 x 40 of 20 x 50, halved: pixel (y, x) is the mean of rows 2y+5 and 2y+6, columns 2x and 2x+1,
       weighted by a triangle, which is symmetric and so keeps a ramp: 2y+5.5 and 2x+0.5 away from the edge. */
    dataset = linnet_dataset_open_folder(NULL, *state, LINNET_PART_TEST, .width = 10, .height = 20);
    assert_in_range(pixel(dataset, 0, 2, 9, 5), 23, 24);
    assert_in_range(pixel(dataset, 0, 1, 9, 5), 10, 11);
    assert_int_equal(pixel(dataset, 0, 0, 9, 5), 8);
    linnet_dataset_free(&dataset);
    /* 0.299 * 7 + 0.587 * 174 + 0.114 * 5 = 104.8 */
    dataset = linnet_dataset_open(NULL, *state, LINNET_PART_TRAIN, .width = 100, .height = 100, .channels = 1);
    assert_int_equal(linnet_dataset_channels(dataset), 1);
    assert_int_equal(pixel(dataset, 0, 0, 5, 0), 105);
    linnet_dataset_free(&dataset);
}

static void grey_pictures(void **state)
{
    folder_put(*state, "a");
    picture_put(*state, "a/2.png", 2, 2, 100);
    linnet_image *grey = linnet_image_new(NULL, 2, 2, 1);
    grey->pixels[0] = 9;
    assert_int_equal(linnet_image_write(NULL, grey, in(*state, "a/1.png")), LINNET_OK);
    linnet_image_free(&grey);
    for (int part = LINNET_PART_TRAIN; part <= LINNET_PART_TEST; part++) {
        linnet_dataset *dataset = linnet_dataset_open(NULL, *state, (linnet_part)part);
        assert_non_null(dataset);
        assert_int_equal(linnet_dataset_channels(dataset), 1);
        assert_int_equal(pixel(dataset, 0, 0, 0, 0), part == LINNET_PART_TRAIN ? 9 : 30); /* 0.299 * 100 = 29.9 */
        linnet_dataset_free(&dataset);
    }
}

static void covering(void **state)
{
    (void)state;
    static const struct {
        int32_t width, height, to_width, to_height;
    } cases[] = {{5, 3, 2, 2}, {3, 5, 7, 2}, {1, 9, 9, 1}, {9, 1, 1, 9}, {2, 2, 2, 2}, {1, 1, 6, 3}, {16384, 1, 3, 3}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        linnet_image *image = linnet_image_new(NULL, cases[i].width, cases[i].height, 1);
        linnet_image *out =
            linnet_image_cover(NULL, image, cases[i].to_width, cases[i].to_height, LINNET_RESIZE_BILINEAR);
        assert_non_null(out);
        assert_int_equal(out->width, cases[i].to_width);
        assert_int_equal(out->height, cases[i].to_height);
        linnet_image_free(&out);
        assert_null(linnet_image_cover(NULL, image, 0, 3, LINNET_RESIZE_BILINEAR));
        assert_failed_with(LINNET_INVALID, "0x3");
        linnet_image_free(&image);
    }
    assert_null(linnet_image_cover(NULL, NULL, 1, 1, LINNET_RESIZE_BILINEAR));
}

static void links_stay_inside(void **state)
{
    char outside[1100], root[1100];
    snprintf(outside, sizeof outside, "%s/outside", (char *)*state);
    snprintf(root, sizeof root, "%s/root", (char *)*state);
    assert_int_equal(mkdir(outside, 0700) + mkdir(root, 0700), 0);
    picture_put(outside, "1.png", 2, 2, 1);
    folder_put(root, "a");
    assert_int_equal(symlink("../../outside/1.png", in(root, "a/1.png")), 0);
    assert_int_equal(symlink("../outside", in(root, "b")), 0);
    assert_null(linnet_dataset_open(NULL, root, LINNET_PART_TRAIN));
    assert_failed_with(LINNET_NOT_FOUND, "2 symbolic links lead out");
    picture_put(root, "a/2.png", 2, 2, 2);
    assert_int_equal(symlink("2.png", in(root, "a/3.png")), 0); /* within: the second picture, for testing */
    assert_int_equal(symlink("nowhere", in(root, "a/4.png")), 0);
    assert_int_equal(mkfifo(in(root, "a/5.png"), 0600), 0);
    linnet_dataset *dataset = linnet_dataset_open(NULL, root, LINNET_PART_TEST);
    assert_holds(dataset, (int[]){2}, (int[]){0}, 1);
    assert_int_equal(linnet_dataset_class_count(dataset), 1);
    linnet_dataset_free(&dataset);
    /* The folder itself may be reached by a link. */
    assert_int_equal(symlink("root", in(*state, "link")), 0);
    dataset = linnet_dataset_open(NULL, in(*state, "link"), LINNET_PART_TRAIN);
    assert_holds(dataset, (int[]){2}, (int[]){0}, 1);
    linnet_dataset_free(&dataset);
}

static void damaged_pictures_are_named(void **state)
{
    folder_put(*state, "a\nb");
    picture_put(*state, "a\nb/1.png", 2, 2, 1);
    file_put(in(*state, "a\nb/3.jpg"), "no JPEG at all", 14);
    linnet_dataset *dataset = linnet_dataset_open(NULL, *state, LINNET_PART_TRAIN);
    assert_string_equal(linnet_dataset_class_name(dataset, 0), "a?b");
    linnet_dataset_free(&dataset);
    assert_null(linnet_dataset_open(NULL, *state, LINNET_PART_TEST));
    assert_failed_with(LINNET_BAD_FILE, "3.jpg");
    file_put(in(*state, "a\nb/1.png"), "", 0);
    assert_null(linnet_dataset_open(NULL, *state, LINNET_PART_TRAIN));
    assert_failed_with(LINNET_BAD_FILE, "1.png");
}

static void nothing_there(void **state)
{
    assert_null(linnet_dataset_open(NULL, *state, LINNET_PART_TRAIN));
    assert_failed_with(LINNET_NOT_FOUND, "CLASS/PICTURE");
    assert_failed_with(LINNET_NOT_FOUND, "CIFAR");
    folder_put(*state, "train");
    folder_put(*state, "train/a");
    picture_put(*state, "train/a/1.png", 2, 2, 1);
    assert_null(linnet_dataset_open(NULL, *state, LINNET_PART_TEST));
    assert_failed_with(LINNET_NOT_FOUND, "test or val");
    assert_null(linnet_dataset_open(NULL, "/nonexistent/pictures", LINNET_PART_TEST));
    assert_failed_with(LINNET_IO, "/nonexistent/pictures");
    assert_null(linnet_dataset_open_folder(NULL, NULL, LINNET_PART_TEST));
    assert_failed_with(LINNET_INVALID, "no folder");
}

static void options_that_make_no_sense(void **state)
{
    assert_null(linnet_dataset_open_folder(NULL, *state, LINNET_PART_TRAIN, .width = 3));
    assert_failed_with(LINNET_INVALID, "3x0");
    assert_null(linnet_dataset_open_folder(NULL, *state, LINNET_PART_TRAIN, .channels = 4));
    assert_failed_with(LINNET_INVALID, "4 channels");
    assert_null(linnet_dataset_open_folder(NULL, *state, LINNET_PART_TRAIN, .limit = -1));
    assert_failed_with(LINNET_INVALID, "limit");
    assert_null(
        linnet_dataset_open_folder_with(NULL, *state, LINNET_PART_TRAIN, &(linnet_folder_options){.struct_size = 4}));
    assert_failed_with(LINNET_INVALID, "struct_size");
    folder_put(*state, "a");
    for (int i = 0; i < 30; i++) {
        char name[32];
        snprintf(name, sizeof name, "a/%d.png", i);
        picture_put(*state, name, 2, 2, 1);
    }
    /* 24 pictures to train with of 3 x 2^28 bytes */
    assert_null(linnet_dataset_open_folder(NULL, *state, LINNET_PART_TRAIN, .width = 16384, .height = 16384));
    assert_failed_with(LINNET_LIMIT, "24 pictures of 16384x16384");
}

static void memory_ends(void **state)
{
    parts_put(*state, "test");
    linnet_dataset *dataset = NULL;
    for (int64_t left = 0; !dataset; left++) {
        linnet_memory_fail_after(left);
        dataset = linnet_dataset_open_folder(NULL, *state, LINNET_PART_TEST);
        linnet_memory_fail_after(-1);
        if (!dataset)
            assert_failed_with(LINNET_OUT_OF_MEMORY, "");
    }
    assert_holds(dataset, (int[]){32, 31}, (int[]){0, 2}, 2);
    linnet_dataset_free(&dataset);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(parts_and_their_order, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(a_split_without_parts, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(sizes, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(grey_pictures, folder_make, folder_remove),
        cmocka_unit_test(covering),
        cmocka_unit_test_setup_teardown(links_stay_inside, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(damaged_pictures_are_named, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(nothing_there, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(options_that_make_no_sense, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(memory_ends, folder_make, folder_remove),
    };
    linnet_image *probe = linnet_image_new(NULL, 1, 1, 1);
    linnet_status status = linnet_image_write(NULL, probe, "/nonexistent/probe.png");
    linnet_image_free(&probe);
    if (status == LINNET_UNSUPPORTED)
        return 77; /* built without PNG */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
