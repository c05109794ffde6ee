/* SPDX-License-Identifier: Apache-2.0 */
/* Synthetic digits: reproducible, balanced, hard enough for a linear classifier; pictures of digits framed as MNIST's.
 */
#include "files.h"
#include "data/digits.h"
#include "linnet/data.h"

#include <math.h>
#include <pthread.h>

enum { PIXELS = 28 * 28 };

static const uint8_t *pixels_of(const linnet_dataset *dataset, int64_t index)
{
    linnet_tensor image;
    assert_int_equal(linnet_dataset_image(dataset, index, &image), LINNET_OK);
    return image.data;
}

/* The table of shapes: as many points as each row says, the pen down first, every digit written in several ways. */
static void shapes_are_what_they_say(void **state)
{
    (void)state;
    static const linnet_pen_point none;
    int ways[10] = {0};
    for (size_t i = 0; i < linnet_digit_shape_count; i++) {
        const linnet_digit_shape *shape = &linnet_digit_shapes[i];
        assert_true(shape->digit < 10 && shape->weight > 0);
        assert_true(shape->count >= 3 && shape->count <= LINNET_DIGIT_MAX_POINTS);
        ways[shape->digit]++;
        assert_int_equal(shape->points[0].kind, LINNET_PEN_START);
        for (int j = 0; j < LINNET_DIGIT_MAX_POINTS; j++)
            assert_int_equal(!memcmp(&shape->points[j], &none, sizeof none), j >= shape->count);
    }
    for (int i = 0; i < 10; i++)
        assert_true(ways[i] >= 3);
}

static void the_same_on_every_machine(void **state)
{
    (void)state;
    linnet_dataset *dataset = linnet_dataset_digits(NULL, 1, 100);
    assert_non_null(dataset);
    assert_int_equal(linnet_dataset_channels(dataset), 1);
    assert_int_equal(linnet_dataset_height(dataset), 28);
    assert_int_equal(linnet_dataset_width(dataset), 28);
    assert_int_equal(linnet_dataset_class_count(dataset), 10);
    /* Changes when the generator does: then say so in NEWS. */
    assert_int_equal(sum_of(pixels_of(dataset, 0), 100 * PIXELS), UINT64_C(0x88d1344d332fc49f));
    linnet_dataset_free(&dataset);
}

static void an_image_depends_on_seed_and_index_alone(void **state)
{
    (void)state;
    linnet_dataset *few = linnet_dataset_digits(NULL, 7, 30), *many = linnet_dataset_digits(NULL, 7, 300);
    linnet_dataset *fresh = linnet_dataset_digits(NULL, 8, 30),
                   *high = linnet_dataset_digits(NULL, 7 + (UINT64_C(1) << 32), 30);
    assert_memory_equal(pixels_of(few, 0), pixels_of(many, 0), 30 * PIXELS);
    for (int64_t i = 0; i < 30; i++) {
        assert_int_equal(linnet_dataset_label(few, i), linnet_dataset_label(many, i));
        assert_true(memcmp(pixels_of(few, i), pixels_of(fresh, i), PIXELS));
        assert_true(memcmp(pixels_of(few, i), pixels_of(high, i), PIXELS));
        for (int64_t j = 0; j < i; j++)
            assert_true(memcmp(pixels_of(few, i), pixels_of(few, j), PIXELS));
    }
    linnet_dataset_free(&few);
    linnet_dataset_free(&many);
    linnet_dataset_free(&fresh);
    linnet_dataset_free(&high);
}

static void *make_many(void *out)
{
    linnet_dataset *dataset = linnet_dataset_digits(NULL, 5, 500);
    *(uint64_t *)out = dataset ? sum_of(pixels_of(dataset, 0), 500 * PIXELS) : 0;
    linnet_dataset_free(&dataset);
    return NULL;
}

static void the_same_from_several_threads(void **state)
{
    (void)state;
    uint64_t sums[4] = {0};
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, make_many, &sums[i]), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    for (int i = 1; i < 4; i++)
        assert_true(sums[i] == sums[0] && sums[0]);
}

static void classes_are_balanced_and_mixed(void **state)
{
    (void)state;
    linnet_dataset *dataset = linnet_dataset_digits(NULL, 3, 1000);
    int follows[10][10] = {{0}};
    for (int64_t i = 0; i < 1000; i += 10) {
        unsigned seen = 0;
        for (int64_t j = i; j < i + 10; j++)
            seen |= 1u << linnet_dataset_label(dataset, j);
        assert_int_equal(seen, 0x3ff);
    }
    for (int64_t i = 1; i < 1000; i++)
        follows[linnet_dataset_label(dataset, i - 1)][linnet_dataset_label(dataset, i)]++;
    for (int i = 0; i < 100; i++) /* every digit follows every other, none always */
        assert_true(follows[i / 10][i % 10] < 40 && (i / 10 == i % 10 || follows[i / 10][i % 10] > 0));
    linnet_dataset_free(&dataset);
}

/* As in MNIST: the ink fits a box of 20 pixels, its centre of mass near the middle, and there is enough of it. */
static void framed_like_mnist(void **state)
{
    (void)state;
    linnet_dataset *dataset = linnet_dataset_digits(NULL, 4, 2000);
    double mean = 0, offset[2] = {0, 0};
    for (int64_t i = 0; i < 2000; i++) {
        const uint8_t *pixels = pixels_of(dataset, i);
        double mass = 0, centre[2] = {0, 0};
        int darkest = 0;
        for (int j = 0; j < PIXELS; j++) {
            mass += pixels[j];
            centre[0] += pixels[j] * (j % 28 - 14);
            centre[1] += pixels[j] * (j / 28 - 14);
            darkest = pixels[j] > darkest ? pixels[j] : darkest;
        }
        assert_true(mass / 255 > 15 && mass / 255 < 350);
        assert_true(fabs(centre[0] / mass) < 3.5 && fabs(centre[1] / mass) < 3.5);
        assert_true(darkest > 180);
        mean += mass / 255 / PIXELS / 2000;
        offset[0] += centre[0] / mass / 2000;
        offset[1] += centre[1] / mass / 2000;
    }
    assert_true(mean > 0.11 && mean < 0.16); /* MNIST: 0.13 */
    assert_true(fabs(offset[0]) < 0.2 && fabs(offset[1]) < 0.2);
    linnet_dataset_free(&dataset);
}

static void counts_are_checked(void **state)
{
    (void)state;
    assert_null(linnet_dataset_digits(NULL, 1, 0));
    assert_failed_with(LINNET_INVALID, "0 synthetic digits");
    assert_null(linnet_dataset_digits(NULL, 1, INT64_MAX));
    assert_failed_with(LINNET_INVALID, "wanted 1 to");
    linnet_memory_fail_after(3);
    assert_null(linnet_dataset_digits(NULL, 1, 10));
    linnet_memory_fail_after(-1);
    assert_failed_with(LINNET_OUT_OF_MEMORY, "10 synthetic digits");
}

typedef struct linear_model {
    float weight[10][PIXELS], bias[10];
} linear_model;

static void linear_scores(const linear_model *model, const float *image, float *out_scores)
{
    for (int k = 0; k < 10; k++) {
        float sum = model->bias[k];
        for (int j = 0; j < PIXELS; j++)
            sum += model->weight[k][j] * image[j];
        out_scores[k] = sum;
    }
}

/* One epoch of softmax regression, one sample a step. */
static void linear_train(linear_model *model, linnet_loader *loader, float rate)
{
    linnet_batch batch;
    while (linnet_loader_next(loader, &batch)) {
        const float *image = batch.feeds[0].tensor.data;
        for (int64_t i = 0; i < batch.size; i++, image += PIXELS) {
            float scores[10], largest = -INFINITY, sum = 0;
            linear_scores(model, image, scores);
            for (int k = 0; k < 10; k++)
                largest = fmaxf(largest, scores[k]);
            for (int k = 0; k < 10; k++)
                sum += scores[k] = expf(scores[k] - largest);
            scores[((const int32_t *)batch.feeds[1].tensor.data)[i]] -= sum;
            for (int k = 0; k < 10; k++) {
                float step = rate * scores[k] / sum;
                model->bias[k] -= step;
                for (int j = 0; j < PIXELS; j++)
                    model->weight[k][j] -= step * image[j];
            }
        }
    }
}

static double linear_accuracy(const linear_model *model, linnet_loader *loader)
{
    linnet_batch batch;
    int right = 0;
    while (linnet_loader_next(loader, &batch))
        for (int64_t i = 0; i < batch.size; i++) {
            float scores[10];
            int best = 0;
            linear_scores(model, (const float *)batch.feeds[0].tensor.data + i * PIXELS, scores);
            for (int k = 1; k < 10; k++)
                best = scores[k] > scores[best] ? k : best;
            right += best == ((const int32_t *)batch.feeds[1].tensor.data)[i];
        }
    return (double)right / (double)linnet_loader_samples(loader);
}

/* What a straight line can tell apart is no handwriting: below 92 % on fresh digits, yet far from guessing. */
static void hard_for_a_linear_classifier(void **state)
{
    (void)state;
    linnet_dataset *digits = linnet_dataset_digits(NULL, 11, 20000), *fresh = linnet_dataset_digits(NULL, 12, 4000);
    linnet_loader *train = linnet_loader_new(NULL, digits, .batch = 100, .shuffle = 1);
    linnet_loader *test = linnet_loader_new(NULL, fresh, .batch = 100);
    linear_model *model = calloc(1, sizeof *model);
    assert_non_null(model);
    for (int epoch = 0; epoch < 3; epoch++)
        linear_train(model, train, epoch < 2 ? 0.01f : 0.003f);
    double accuracy = linear_accuracy(model, test);
    print_message("linear classifier: %.1f %%\n", 100 * accuracy);
    assert_true(accuracy < 0.92 && accuracy > 0.8);
    free(model);
    linnet_loader_free(&train);
    linnet_loader_free(&test);
    linnet_dataset_free(&digits);
    linnet_dataset_free(&fresh);
}

/* A synthetic digit as somebody might send it: enlarged, moved, on paper of any shade, with other channels. */
static linnet_image *photo_of(const uint8_t *pixels, int scale, int width, int height, int left, int top, int channels,
                              int paper, int ink)
{
    linnet_image *image = linnet_image_new(NULL, width, height, channels);
    assert_non_null(image);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            int u = (x - left) / scale, v = (y - top) / scale;
            bool inside = x >= left && y >= top && u < 28 && v < 28;
            int value = paper + (ink - paper) * (inside ? pixels[v * 28 + u] : 0) / 255;
            for (int c = 0; c < channels; c++)
                image->pixels[(y * width + x) * channels + c] =
                    (uint8_t)(c == channels - 1 && channels % 2 == 0 ? 255 : value);
        }
    return image;
}

static double difference(const float *a, const uint8_t *b)
{
    double sum = 0, mass = 0;
    for (int i = 0; i < PIXELS; i++) {
        sum += fabs(a[i] - b[i] / 255.0);
        mass += b[i] / 255.0;
    }
    return sum / mass;
}

static void pictures_come_back_as_they_were_drawn(void **state)
{
    (void)state;
    static const struct {
        int scale, width, height, left, top, channels, paper, ink;
    } views[] = {
        {1, 28, 28, 0, 0, 1, 0, 255},       /* as it is */
        {1, 28, 28, 0, 0, 1, 255, 0},       /* dark on light */
        {1, 60, 40, 25, 3, 3, 255, 20},     /* to one side */
        {8, 400, 300, 130, 40, 3, 200, 60}, /* large, grey on grey */
        {8, 300, 500, 30, 200, 4, 30, 230}, /* light on dark, alpha */
        {40, 1200, 1200, 10, 20, 2, 240, 10},
    };
    linnet_dataset *dataset = linnet_dataset_digits(NULL, 6, 60);
    for (size_t k = 0; k < sizeof views / sizeof views[0]; k++) {
        double sum = 0;
        for (int64_t i = 0; i < 60; i++) {
            float out[PIXELS];
            linnet_image *image =
                photo_of(pixels_of(dataset, i), views[k].scale, views[k].width, views[k].height, views[k].left,
                         views[k].top, views[k].channels, views[k].paper, views[k].ink);
            assert_int_equal(linnet_digit_from_image(NULL, image, out), LINNET_OK);
            for (int j = 0; j < PIXELS; j++)
                assert_true(out[j] >= 0 && out[j] <= 1);
            sum += difference(out, pixels_of(dataset, i));
            linnet_image_free(&image);
        }
        print_message("view %zu: differs by %.2f of the ink\n", k, sum / 60);
        assert_true(sum / 60 < 0.45); /* about half a pixel's shift; a digit two pixels off differs by more than 1 */
    }
    linnet_dataset_free(&dataset);
}

/* Light from one side: the dark end of the paper is darker than ink at the bright end would be. */
static void uneven_light(void **state)
{
    (void)state;
    linnet_dataset *dataset = linnet_dataset_digits(NULL, 6, 60);
    double sum = 0;
    for (int64_t i = 0; i < 60; i++) {
        float out[PIXELS];
        linnet_image *image = photo_of(pixels_of(dataset, i), 5, 400, 300, 230, 60, 1, 0, 90);
        for (int j = 0; j < 400 * 300; j++)
            image->pixels[j] = (uint8_t)(110 + (j % 400) / 4 + (j / 400) / 8 - image->pixels[j]);
        assert_int_equal(linnet_digit_from_image(NULL, image, out), LINNET_OK);
        sum += difference(out, pixels_of(dataset, i));
        linnet_image_free(&image);
    }
    assert_true(sum / 60 < 0.45);
    linnet_dataset_free(&dataset);
}

static void transparent_paper_takes_the_other_shade(void **state)
{
    (void)state;
    linnet_dataset *dataset = linnet_dataset_digits(NULL, 6, 1);
    const uint8_t *pixels = pixels_of(dataset, 0);
    for (int shade = 0; shade < 256; shade += 255) {
        float out[PIXELS];
        linnet_image *image = linnet_image_new(NULL, 28, 28, 4);
        for (int i = 0; i < PIXELS; i++) {
            memset(image->pixels + 4 * i, shade, 3);
            image->pixels[4 * i + 3] = pixels[i];
        }
        assert_int_equal(linnet_digit_from_image(NULL, image, out), LINNET_OK);
        assert_true(difference(out, pixels) < 0.7);
        linnet_image_free(&image);
    }
    linnet_dataset_free(&dataset);
}

static void thin_lines_and_dirt(void **state)
{
    (void)state;
    float out[PIXELS];
    linnet_image *image = linnet_image_new(NULL, 400, 400, 1);
    memset(image->pixels, 250, 400 * 400);
    linnet_image_fill(image, 200, 100, 2, 200, 0); /* a 1, drawn with a hair */
    linnet_image_fill(image, 3, 3, 2, 2, 0);       /* a fly */
    assert_int_equal(linnet_digit_from_image(NULL, image, out), LINNET_OK);
    double mass = 0, centre = 0;
    for (int i = 0; i < PIXELS; i++) {
        mass += out[i];
        centre += out[i] * (i % 28);
    }
    assert_true(mass > 20 && mass < 60); /* 20 pixels long, one to three wide: the fly did not count */
    assert_true(fabs(centre / mass - 14) < 0.6);
    linnet_image_free(&image);
}

static void pictures_without_a_digit(void **state)
{
    (void)state;
    float out[PIXELS];
    for (int channels = 1; channels <= 4; channels++) {
        linnet_image *image = linnet_image_new(NULL, 31, 17, channels);
        assert_int_equal(linnet_digit_from_image(NULL, image, out), LINNET_NOT_FOUND);
        memset(image->pixels, 255, (size_t)(31 * 17 * channels));
        assert_int_equal(linnet_digit_from_image(NULL, image, out), LINNET_NOT_FOUND);
        assert_failed_with(LINNET_NOT_FOUND, "one shade");
        linnet_image_free(&image);
    }
    static const int sizes[][2] = {{1, 1}, {1, 5}, {7, 1}, {1, 16384}, {16384, 2}, {2, 2}};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) /* whatever comes out, nothing breaks */
        for (int pattern = 1; pattern < 4; pattern++) {
            linnet_image *image = linnet_image_new(NULL, sizes[i][0], sizes[i][1], 1);
            for (int j = 0; j < sizes[i][0] * sizes[i][1]; j += pattern)
                image->pixels[j] = 255;
            linnet_status status = linnet_digit_from_image(NULL, image, out);
            assert_true(status == LINNET_OK || status == LINNET_NOT_FOUND);
            for (int j = 0; status == LINNET_OK && j < PIXELS; j++)
                assert_true(out[j] >= 0 && out[j] <= 1);
            linnet_image_free(&image);
        }
    assert_int_equal(linnet_digit_from_image(NULL, NULL, out), LINNET_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shapes_are_what_they_say),
        cmocka_unit_test(the_same_on_every_machine),
        cmocka_unit_test(an_image_depends_on_seed_and_index_alone),
        cmocka_unit_test(the_same_from_several_threads),
        cmocka_unit_test(classes_are_balanced_and_mixed),
        cmocka_unit_test(framed_like_mnist),
        cmocka_unit_test(counts_are_checked),
        cmocka_unit_test(hard_for_a_linear_classifier),
        cmocka_unit_test(pictures_come_back_as_they_were_drawn),
        cmocka_unit_test(uneven_light),
        cmocka_unit_test(transparent_paper_takes_the_other_shade),
        cmocka_unit_test(thin_lines_and_dirt),
        cmocka_unit_test(pictures_without_a_digit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
