/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions move with the picture, pooling does so for whole strides only, what comes behind global pooling stays.
 */
#include "sessions.h"

#include <math.h>

#define SIDE 20

static linnet_model start_model(linnet_value *out_image)
{
    linnet_model m = {.net = linnet_net_new(NULL)};
    assert_non_null(m.net);
    m.image = *out_image = linnet_input(m.net, "image", 2, SIDE, SIDE);
    return m;
}

static void random_picture(float out[2 * SIDE * SIDE], linnet_tensor *picture)
{
    fill_random(out, 2 * SIDE * SIDE, 21, 1);
    for (int i = 0; i < 2 * SIDE * SIDE; i++)
        out[i] = 0.5f + 0.5f * out[i];
    *picture = (linnet_tensor){.type = LINNET_F32, .rank = 3, .dims = {2, SIDE, SIDE}, .data = out};
}

/* Without padding, away from borders by construction: exactly equivariant, in both directions. */
static void convolution_without_borders(void **state)
{
    float pixels[2 * SIDE * SIDE];
    linnet_tensor picture;
    linnet_value x;
    linnet_model model = start_model(&x);
    x = linnet_conv2d(model.net, x, .name = "a", .out_channels = 3, .kernel = 3);
    x = linnet_relu(model.net, x);
    x = linnet_conv2d(model.net, x, .name = "b", .out_channels = 4, .kernel = 5);
    linnet_session *session = linnet_session_new(model.net, *state);
    linnet_shift_report report;
    assert_non_null(session);
    random_picture(pixels, &picture);
    static const int64_t ways[4][2] = {{0, 1}, {1, 0}, {0, -2}, {-1, 1}};
    for (int w = 0; w < 4; w++) {
        assert_ok(linnet_shift_measure(session, &model, &picture, &x, 1, &report, .steps = 5, .down = ways[w][0],
                                       .right = ways[w][1]));
        assert_int_equal(report.layers[0].region, LINNET_SHIFT_INTERIOR);
        assert_int_equal(report.steps, 5);
        for (int d = 0; d <= 5; d++)
            assert_true(report.layers[0].error[d] < 1e-6);
        assert_null(report.probability);
        linnet_shift_report_free(&report);
    }
    linnet_session_free(&session);
    linnet_model_free(&model);
}

/* With padding, units that see no border are still exact; the others are left out. */
static void interior_of_a_padded_convolution(void **state)
{
    float pixels[2 * SIDE * SIDE];
    linnet_tensor picture;
    linnet_value x;
    linnet_model model = start_model(&x);
    x = linnet_conv2d(model.net, x, .name = "a", .out_channels = 3, .kernel = 5, .padding = 2);
    linnet_session *session = linnet_session_new(model.net, *state);
    linnet_shift_report report;
    assert_non_null(session);
    random_picture(pixels, &picture);
    for (uint32_t black = 0; black < 2; black++) {
        assert_ok(linnet_shift_measure(session, &model, &picture, &x, 1, &report, .steps = 4, .black = black));
        assert_int_equal(report.layers[0].region, LINNET_SHIFT_INTERIOR);
        assert_int_equal(report.layers[0].units[0], SIDE - 4);
        assert_int_equal(report.layers[0].units[1], SIDE - 4 - 4); /* two at each border, four that came in */
        for (int d = 0; d <= 4; d++)
            assert_true(report.layers[0].error[d] < 1e-6);
        linnet_shift_report_free(&report);
    }
    linnet_session_free(&session);
    linnet_model_free(&model);
}

/* Every second unit: shifts by two are exact, shifts by one fall between units. */
static void pooling_for_whole_strides(void **state)
{
    float pixels[2 * SIDE * SIDE];
    linnet_tensor picture;
    linnet_value x;
    linnet_model model = start_model(&x);
    x = linnet_max_pool2d(model.net, x, .kernel = 2);
    linnet_session *session = linnet_session_new(model.net, *state);
    linnet_shift_report report;
    assert_non_null(session);
    random_picture(pixels, &picture);
    assert_ok(linnet_shift_measure(session, &model, &picture, &x, 1, &report, .steps = 4));
    const linnet_shift_layer *layer = &report.layers[0];
    assert_true(layer->stride[0] == 2 && layer->stride[1] == 2);
    assert_true(layer->error[0] == 0 && layer->error[2] == 0 && layer->error[4] == 0);
    assert_true(layer->error[1] > 0.05 && layer->error[3] > 0.05);
    linnet_shift_report_free(&report);
    linnet_session_free(&session);
    linnet_model_free(&model);
}

/* A thing in the middle of black: the mean over all positions does not notice where it is. */
static void global_pooling_is_invariant(void **state)
{
    float pixels[2 * SIDE * SIDE] = {0};
    linnet_tensor picture = {.type = LINNET_F32, .rank = 3, .dims = {2, SIDE, SIDE}, .data = pixels};
    linnet_value x;
    linnet_model model = start_model(&x);
    x = linnet_relu(model.net, linnet_conv2d(model.net, x, .name = "a", .out_channels = 6, .kernel = 3, .padding = 1));
    x = linnet_flatten(model.net, linnet_global_avg_pool(model.net, x));
    model.logits = linnet_linear(model.net, x, .name = "fc", .out_features = 4);
    linnet_session *session = linnet_session_new(model.net, *state);
    linnet_shift_report report;
    assert_non_null(session);
    for (int i = 0; i < 2 * SIDE * SIDE; i++)
        if (abs(i % SIDE - 7) < 3 && abs(i / SIDE % SIDE - 10) < 3)
            pixels[i] = linnet_philox_uniform(8, 8, 8, (uint64_t)i);
    assert_ok(linnet_shift_measure(session, &model, &picture, &x, 1, &report, .steps = 6, .black = 1));
    assert_int_equal(report.layers[0].region, LINNET_SHIFT_VECTOR);
    for (int d = 0; d <= 6; d++) {
        assert_true(report.layers[0].error[d] < 1e-5);
        assert_true(fabs(report.cosine[d] - 1) < 1e-9);
        assert_true(fabs(report.probability[d] - report.probability[0]) < 1e-6);
        assert_int_equal(report.best[d], report.top_class);
    }
    linnet_shift_report_free(&report);
    linnet_session_free(&session);
    linnet_model_free(&model);
}

/* A linear layer on pixels knows where everything is. */
static void a_linear_layer_is_not(void **state)
{
    float pixels[2 * SIDE * SIDE];
    linnet_tensor picture;
    linnet_value x;
    linnet_model model = start_model(&x);
    model.logits = linnet_linear(model.net, x, .name = "fc", .out_features = 16);
    linnet_session *session = linnet_session_new(model.net, *state);
    linnet_shift_report report;
    assert_non_null(session);
    random_picture(pixels, &picture);
    assert_ok(linnet_shift_measure(session, &model, &picture, &model.logits, 1, &report));
    assert_int_equal(report.steps, 8);
    assert_true(report.layers[0].error[0] == 0 && report.layers[0].error[8] > 0.1);
    assert_true(report.cosine[8] < 0.999);
    linnet_shift_report_free(&report);
    assert_fails(linnet_shift_measure(session, &model, &picture, &x, 1, &report, .steps = SIDE), LINNET_INVALID,
                 "leave nothing of a picture of 20 x 20");
    assert_null(report.layers);
    linnet_session_free(&session);
    linnet_model_free(&model);
}

static void maps_between_units(void **state)
{
    (void)state;
    float data[6] = {0, 2, 4, 10, 20, 30};
    linnet_maps maps = {.channels = 1, .height = 2, .width = 3, .data = data}, moved;
    assert_ok(linnet_maps_shift(NULL, &maps, 0, 0.5, &moved));
    static const float half[6] = {0, 1, 3, 0, 15, 25}, down[6] = {0, 0, 0, 0, 2, 4};
    assert_memory_equal(moved.data, half, sizeof half);
    linnet_maps_free(&moved);
    assert_ok(linnet_maps_shift(NULL, &maps, 1, 0, &moved));
    assert_memory_equal(moved.data, down, sizeof down);
    linnet_maps_free(&moved);
    assert_fails(linnet_maps_shift(NULL, &maps, (double)NAN, 0, &moved), LINNET_INVALID, "no distance");
}

int main(int argc, char **argv)
{
    static const device_test tests[] = {
        DEVICE_TEST(convolution_without_borders), DEVICE_TEST(interior_of_a_padded_convolution),
        DEVICE_TEST(pooling_for_whole_strides),   DEVICE_TEST(global_pooling_is_invariant),
        DEVICE_TEST(a_linear_layer_is_not),       DEVICE_TEST(maps_between_units),
    };
    return run_on_devices("equivariance", tests, sizeof tests / sizeof tests[0], argc, argv);
}
