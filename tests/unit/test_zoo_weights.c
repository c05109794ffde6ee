/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Published weights in the networks of the zoo, against the outputs that came with them: SqueezeNet 1.1's official test
 * data, VGG-19's features in double precision by an evaluator of its own. Skipped where ../shared/models is not.
 */
#include "tensor_proto.h"

#include <math.h>
#include <unistd.h>

#define MODELS TEST_SOURCE_DIR "/../shared/models/"
#define IMAGES TEST_SOURCE_DIR "/../shared/images/"

typedef struct loaded {
    linnet_model model;
    linnet_session *session;
} loaded;

static loaded load(linnet_device *device, const linnet_model_options *options, const char *path)
{
    loaded l;
    assert_ok(linnet_model_for_weights(NULL, path, NULL, options, &l.model));
    l.session = linnet_session_new(l.model.net, device);
    assert_non_null(l.session);
    assert_ok(linnet_load(l.session, path));
    return l;
}

static void unload(loaded *l)
{
    linnet_session_free(&l->session);
    linnet_model_free(&l->model);
}

/* Every element within 1e-3 of the largest expected one. */
static void assert_close(loaded *l, linnet_value value, const char *expected_path)
{
    linnet_tensor expected = proto_read(expected_path);
    size_t count = (size_t)linnet_tensor_count(&expected);
    float *got = malloc(count * sizeof *got), largest = 0, difference = 0;
    const float *wanted = expected.data;
    assert_non_null(got);
    assert_ok(linnet_session_read(l->session, value, got, count * sizeof *got));
    for (size_t i = 0; i < count; i++) {
        largest = fmaxf(largest, fabsf(wanted[i]));
        difference = fmaxf(difference, fabsf(got[i] - wanted[i]));
        assert_true(isfinite(got[i]));
    }
    if (!(difference <= 1e-3f * largest))
        fail_msg("%s: off by %g, the largest is %g", expected_path, (double)difference, (double)largest);
    free(got);
    free(expected.data);
}

static void forward(loaded *l, const char *input_path)
{
    linnet_tensor input = proto_read(input_path);
    linnet_batch batch = {0};
    FEED(&batch, "image", input.data, input.dims[0], input.dims[1], input.dims[2], input.dims[3]);
    assert_ok(linnet_forward(l->session, &batch));
    free(input.data);
}

static void squeezenet_agrees_with_its_test_data(void **state)
{
    loaded l = load(*state, NULL, MODELS "squeezenet1.1/model.safetensors");
    for (int set = 0; set < 3; set++) {
        char input[256], output[256];
        snprintf(input, sizeof input, MODELS "squeezenet1.1/test_data_set_%d/input_0.pb", set);
        snprintf(output, sizeof output, MODELS "squeezenet1.1/test_data_set_%d/output_0.pb", set);
        forward(&l, input);
        assert_close(&l, l.model.logits, output);
    }
    unload(&l);
}

static void squeezenet_sees_a_tabby(void **state)
{
    enum { SIDE = 224, PIXELS = SIDE * SIDE, TABBY = 281 };
    loaded l = load(*state, NULL, MODELS "squeezenet1.1/model.safetensors");
    linnet_image *image = linnet_image_read(NULL, IMAGES "kitten_224.png");
    assert_non_null(image);
    assert_true(image->width == SIDE && image->height == SIDE && image->channels >= 3);
    float *picture = malloc(2 * 3 * PIXELS * sizeof *picture), *input = picture + 3 * PIXELS;
    for (int c = 0; c < 3; c++)
        for (int i = 0; i < PIXELS; i++)
            picture[c * PIXELS + i] = (float)image->pixels[i * image->channels + c] / 255.0f;
    linnet_preprocess_apply(&l.model.preprocess, picture, 3, PIXELS, input);
    linnet_tensor sample = {.type = LINNET_F32, .rank = 3, .dims = {3, SIDE, SIDE}, .data = input};
    linnet_prediction best[2];
    assert_ok(linnet_predict(l.session, l.model.logits, &sample, 2, best));
    assert_int_equal(best[0].class_index, TABBY);
    assert_true(fabsf(best[0].probability - 0.76f) < 0.005f);
    free(picture);
    linnet_image_free(&image);
    unload(&l);
}

static void vgg19_features_agree(void **state)
{
    static const char *const layers[] = {"relu1_1", "relu2_1", "relu3_1", "relu3_4"};
    const linnet_model_options options = {.struct_size = sizeof options, .height = 64, .width = 96};
    loaded l = load(*state, &options, MODELS "vgg19_features/model.safetensors");
    linnet_value values[4];
    assert_true(l.model.preprocess.bgr && l.model.preprocess.mean[2] == 123.68f);
    for (int i = 0; i < 4; i++) {
        assert_ok(linnet_net_layer(l.model.net, layers[i], &values[i]));
        assert_ok(linnet_session_keep(l.session, values[i]));
    }
    forward(&l, MODELS "vgg19_features/test_data_set_0/input_0.pb");
    for (int i = 0; i < 4; i++) {
        char output[256];
        snprintf(output, sizeof output, MODELS "vgg19_features/test_data_set_0/output_%d.pb", i);
        assert_close(&l, values[i], output);
    }
    unload(&l);
}

int main(int argc, char **argv)
{
    static const device_test tests[] = {DEVICE_TEST(squeezenet_agrees_with_its_test_data),
                                        DEVICE_TEST(squeezenet_sees_a_tabby), DEVICE_TEST(vgg19_features_agree)};
    static char *usual[] = {(char *)"test_zoo_weights", (char *)"cpu"}; /* the reference takes its time */
    if (access(MODELS "squeezenet1.1/model.safetensors", R_OK) != 0) {
        printf("skipped: no models at %s\n", MODELS);
        return SKIPPED;
    }
    return argc > 1 ? run_on_devices("published weights", tests, 3, argc, argv)
                    : run_on_devices("published weights", tests, 3, 2, usual);
}
