/* SPDX-License-Identifier: Apache-2.0 */
/* Saliency against finite differences, Grad-CAM and effective receptive fields against numbers worked out by hand,
   activation maximisation; and that looking leaves no trace. */
#include "sessions.h"

#include <math.h>

#define SIDE   8
#define PIXELS (3 * SIDE * SIDE)

/* A smooth classifier of three classes; its input wants blue first, centred and scaled. */
static linnet_model smooth_model(void)
{
    linnet_model m = {.net = linnet_net_new(NULL),
                      .preprocess = {.scale = 2, .bgr = 1, .mean = {0.4f, 0.5f, 0.6f}, .deviation = {0.5f, 0.25f, 1}}};
    assert_non_null(m.net);
    m.image = linnet_input(m.net, "image", 3, SIDE, SIDE);
    linnet_value x = linnet_conv2d(m.net, m.image, .name = "conv1", .out_channels = 4, .kernel = 3, .padding = 1);
    x = linnet_tanh(m.net, x);
    x = linnet_conv2d(m.net, x, .name = "conv2", .out_channels = 5, .kernel = 3, .stride = 2);
    x = linnet_tanh(m.net, x);
    m.logits = linnet_linear(m.net, x, .name = "fc", .out_features = 3);
    linnet_output(m.net, m.logits, "logits");
    m.label = linnet_labels(m.net, "label");
    m.loss = linnet_cross_entropy(m.net, m.logits, m.label);
    assert_ok(linnet_net_status(m.net));
    return m;
}

static void random_picture(float *out)
{
    fill_random(out, PIXELS, 5, 1);
    for (int i = 0; i < PIXELS; i++)
        out[i] = 0.5f + 0.5f * out[i];
}

static double score_at(linnet_session *session, const linnet_model *model, const linnet_tensor *picture, int64_t k)
{
    linnet_maps scores;
    assert_ok(linnet_activations_read(session, model, picture, &model->logits, 1, &scores));
    assert_int_equal(scores.channels, 3);
    double score = (double)scores.data[k];
    linnet_maps_free(&scores);
    return score;
}

/* Central differences of the score by every number of the picture, the largest of the three colours. */
static void saliency_is_the_slope(void **state)
{
    float pixels[PIXELS];
    linnet_tensor picture = {.type = LINNET_F32, .rank = 3, .dims = {3, SIDE, SIDE}, .data = pixels};
    linnet_model model = smooth_model();
    linnet_session *session = linnet_session_new(model.net, *state);
    linnet_attribution saliency;
    assert_non_null(session);
    random_picture(pixels);
    assert_ok(linnet_saliency_map(session, &model, &picture, 1, &saliency));
    assert_int_equal(saliency.class_index, 1);
    assert_int_equal(saliency.map.height, SIDE);
    assert_true(fabs((double)saliency.score - score_at(session, &model, &picture, 1)) < 1e-5);
    for (int i = 0; i < SIDE * SIDE; i++) {
        double largest = 0;
        for (int c = 0; c < 3; c++) {
            float *at = &pixels[c * SIDE * SIDE + i], was = *at;
            *at = was + 0.01f;
            double above = score_at(session, &model, &picture, 1);
            *at = was - 0.01f;
            double slope = (above - score_at(session, &model, &picture, 1)) / 0.02;
            *at = was;
            largest = fmax(largest, fabs(slope));
        }
        if (!(fabs(largest - (double)saliency.map.data[i]) < 1e-3 * fmax(1, largest)))
            fail_msg("pixel %d: slope %g, saliency %g", i, largest, (double)saliency.map.data[i]);
    }
    linnet_maps_free(&saliency.map);
    linnet_session_free(&session);
    linnet_model_free(&model);
}

static void the_best_class_explains_itself(void **state)
{
    float pixels[PIXELS];
    linnet_tensor picture = {.type = LINNET_F32, .rank = 3, .dims = {3, SIDE, SIDE}, .data = pixels};
    linnet_model model = smooth_model();
    linnet_session *session = linnet_session_new(model.net, *state);
    linnet_attribution a;
    int64_t best = 0;
    double sum = 0;
    assert_non_null(session);
    random_picture(pixels);
    for (int64_t k = 1; k < 3; k++)
        best = score_at(session, &model, &picture, k) > score_at(session, &model, &picture, best) ? k : best;
    assert_ok(linnet_grad_cam_map(session, &model, &picture, (linnet_value){0}, LINNET_CLASS_BEST, &a));
    assert_int_equal(a.class_index, best);
    assert_int_equal(a.map.height, 3); /* of the layer behind conv2 */
    linnet_maps_free(&a.map);
    for (int64_t k = 0; k < 3; k++) {
        assert_ok(linnet_saliency_map(session, &model, &picture, k, &a));
        sum += (double)a.probability;
        linnet_maps_free(&a.map);
    }
    assert_true(fabs(sum - 1) < 1e-6);
    assert_fails(linnet_saliency_map(session, &model, &picture, 3, &a), LINNET_INVALID, "numbered 0 to 2");
    picture.dims[1] = SIDE - 1;
    assert_fails(linnet_saliency_map(session, &model, &picture, 0, &a), LINNET_SHAPE, "3 channels, 8 x 8");
    linnet_session_free(&session);
    linnet_model_free(&model);
}

/* x = 1 2 3 4; A0 = x, A1 = 5 - x; the class takes A0 with 1 0 0 1 (mean 0.5) and A1 with -1 0 0 0 (mean -0.25):
   0.5 A0 - 0.25 A1 = -0.5 0.25 1 1.75. */
static void grad_cam_weighs_the_maps(void **state)
{
    static const float conv[2] = {1, -1}, bias[2] = {0, 5};
    static const float linear[16] = {0, 0, 0, 0, 0, 0, 0, 0, /* class 0 */ 1, 0, 0, 1, -1, 0, 0, 0 /* class 1 */};
    float pixels[4] = {1, 2, 3, 4}, none[2] = {0, 0};
    linnet_tensor picture = {.type = LINNET_F32, .rank = 3, .dims = {1, 2, 2}, .data = pixels};
    linnet_model model = {.net = linnet_net_new(NULL)};
    model.image = linnet_input(model.net, "image", 1, 2, 2);
    linnet_value maps =
        linnet_relu(model.net, linnet_conv2d(model.net, model.image, .name = "conv", .out_channels = 2, .kernel = 1));
    model.logits = linnet_linear(model.net, maps, .name = "fc", .out_features = 2);
    linnet_session *session = linnet_session_new(model.net, *state);
    assert_non_null(session);
    assert_ok(linnet_session_set(session, "conv.weight", conv, sizeof conv));
    assert_ok(linnet_session_set(session, "conv.bias", bias, sizeof bias));
    assert_ok(linnet_session_set(session, "fc.weight", linear, sizeof linear));
    assert_ok(linnet_session_set(session, "fc.bias", none, sizeof none));
    linnet_attribution cam;
    assert_ok(linnet_grad_cam_map(session, &model, &picture, maps, 1, &cam));
    static const float wanted[4] = {0, 0.25f, 1, 1.75f};
    for (int i = 0; i < 4; i++)
        assert_true(fabsf(cam.map.data[i] - wanted[i]) < 1e-6f);
    assert_true(fabsf(cam.score - (1.0f + 4.0f - 4.0f)) < 1e-6f);
    linnet_maps_free(&cam.map);
    linnet_session_free(&session);
    linnet_model_free(&model);
}

/* Two 3x3 convolutions of ones: the gradient of one unit is the outer product of 1 2 3 2 1 with itself. */
static void effective_field_of_two_convolutions(void **state)
{
    float pixels[81], ones[9];
    static const int tent[5] = {1, 2, 3, 2, 1};
    linnet_tensor picture = {.type = LINNET_F32, .rank = 3, .dims = {1, 9, 9}, .data = pixels};
    linnet_model model = {.net = linnet_net_new(NULL)};
    model.image = linnet_input(model.net, "image", 1, 9, 9);
    linnet_value x = linnet_conv2d(model.net, model.image, .name = "a", .out_channels = 1, .kernel = 3, .padding = 1);
    x = linnet_conv2d(model.net, x, .name = "b", .out_channels = 1, .kernel = 3, .padding = 1);
    linnet_session *session = linnet_session_new(model.net, *state);
    linnet_effective field;
    assert_non_null(session);
    fill_random(pixels, 81, 3, 3);
    for (int i = 0; i < 9; i++)
        ones[i] = 1;
    assert_ok(linnet_session_set(session, "a.weight", ones, sizeof ones));
    assert_ok(linnet_session_set(session, "b.weight", ones, sizeof ones));
    assert_ok(linnet_effective_field(session, &model, &picture, x, &field));
    assert_true(field.x == 4 && field.y == 4);
    for (int i = 0; i < 81; i++) {
        int row = i / 9 - 2, column = i % 9 - 2;
        bool inside = row >= 0 && row < 5 && column >= 0 && column < 5;
        float wanted = inside ? (float)(tent[row] * tent[column]) : 0;
        assert_true(fabsf(field.map.data[i] - wanted) < 1e-5f);
    }
    /* of 81 in all: 9 in the centre, 33 within 1, 49 within sqrt 2 */
    assert_true(linnet_maps_radius(&field.map, 4, 4, 0.1) == 0);
    assert_true(linnet_maps_radius(&field.map, 4, 4, 0.4) == 1);
    assert_true(fabs(linnet_maps_radius(&field.map, 4, 4, 0.5) - sqrt(2)) < 1e-9);
    assert_true(fabs(linnet_maps_radius(&field.map, 4, 4, 1) - sqrt(8)) < 1e-9);
    linnet_maps_free(&field.map);
    assert_ok(linnet_effective_field(session, &model, &picture, x, &field, .chosen = 1, .x = 0, .y = 8));
    assert_true(fabsf(field.map.data[8 * 9] - 4) < 1e-5f); /* the corner sees four units between */
    linnet_maps_free(&field.map);
    assert_fails(linnet_effective_field(session, &model, &picture, x, &field, .chosen = 1, .x = 9), LINNET_INVALID,
                 "there is no unit at 9,0");
    linnet_session_free(&session);
    linnet_model_free(&model);
}

/* No pixel outside the theoretical field counts, every edge of it does; at all units, those at the border, too. */
static void effective_fields_lie_in_theoretical_ones(void **state)
{
    enum { WIDE = 21, HIGH = 17 };
    float pixels[2 * HIGH * WIDE];
    linnet_tensor picture = {.type = LINNET_F32, .rank = 3, .dims = {2, HIGH, WIDE}, .data = pixels};
    linnet_model model = {.net = linnet_net_new(NULL)};
    model.image = linnet_input(model.net, "image", 2, HIGH, WIDE);
    linnet_value x = linnet_conv2d(model.net, model.image, .name = "a", .out_channels = 5, .kernel = 3, .padding = 1);
    x = linnet_tanh(model.net, x);
    x = linnet_avg_pool2d(model.net, x, .kernel = 2);
    x = linnet_conv2d(model.net, x, .name = "b", .out_channels = 4, .kernel_h = 1, .kernel_w = 3, .dilation = 2);
    linnet_session *session = linnet_session_new(model.net, *state);
    linnet_field field;
    linnet_effective e;
    assert_non_null(session);
    fill_random(pixels, 2 * HIGH * WIDE, 3, 3);
    assert_ok(linnet_receptive_field(model.net, x, &field));
    for (int64_t unit = 0; unit < 8 * 6; unit += 7) {
        const int64_t at[2] = {unit / 6, unit % 6};
        double low[2], high[2];
        bool touched[4] = {false};
        assert_ok(linnet_effective_field(session, &model, &picture, x, &e, .chosen = 1, .x = at[1], .y = at[0]));
        for (int i = 0; i < 2; i++) {
            low[i] = field.offset[i] + (double)(at[i] * field.stride[i]) - (double)(field.size[i] - 1) / 2;
            high[i] = low[i] + (double)(field.size[i] - 1);
        }
        for (int i = 0; i < HIGH * WIDE; i++) {
            double row = i / WIDE, column = i % WIDE;
            if (e.map.data[i] == 0)
                continue;
            assert_true(row >= low[0] && row <= high[0] && column >= low[1] && column <= high[1]);
            touched[0] = touched[0] || row == fmax(low[0], 0);
            touched[1] = touched[1] || row == fmin(high[0], HIGH - 1);
            touched[2] = touched[2] || column == fmax(low[1], 0);
            touched[3] = touched[3] || column == fmin(high[1], WIDE - 1);
        }
        assert_true(touched[0] && touched[1] && touched[2] && touched[3]);
        linnet_maps_free(&e.map);
    }
    linnet_session_free(&session);
    linnet_model_free(&model);
}

/* Of all pictures the one that a linear unit likes best is white where its weight is positive, else black. */
static void ascent_goes_up(void **state)
{
    float weights[2 * 64];
    linnet_model model = {.net = linnet_net_new(NULL)};
    model.image = linnet_input(model.net, "image", 1, 8, 8);
    model.logits = linnet_linear(model.net, model.image, .name = "fc", .out_features = 2);
    linnet_session *session = linnet_session_new(model.net, *state);
    linnet_maps picture, again;
    float value, once_more;
    int right = 0;
    assert_non_null(session);
    for (int i = 0; i < 128; i++)
        weights[i] = i % 8 < 4 ? 0.25f : -0.25f;
    assert_ok(linnet_session_set(session, "fc.weight", weights, sizeof weights));
    assert_ok(
        linnet_unit_maximise(session, &model, model.logits, 1, &picture, &value, .steps = 40, .jitter = -1, .seed = 4));
    for (int i = 0; i < 64; i++) {
        assert_true(picture.data[i] >= 0 && picture.data[i] <= 1);
        right += (picture.data[i] > 0.5f) == (i % 8 < 4);
    }
    assert_int_equal(right, 64);
    assert_true(value > 4);
    assert_ok(linnet_unit_maximise(session, &model, model.logits, 1, &again, &once_more, .steps = 40, .jitter = -1,
                                   .seed = 4));
    assert_memory_equal(picture.data, again.data, 64 * sizeof(float));
    assert_true(value == once_more);
    linnet_maps_free(&picture);
    linnet_maps_free(&again);
    assert_fails(linnet_unit_maximise(session, &model, model.logits, 2, &picture, &value), LINNET_INVALID,
                 "there is no unit 2");
    assert_null(picture.data);
    linnet_session_free(&session);
    linnet_model_free(&model);
}

/* A unit that is off everywhere still gets a picture: what goes into the relu is raised. */
static void a_dead_unit_is_woken(void **state)
{
    float weights[9], bias[1] = {-3};
    linnet_model model = {.net = linnet_net_new(NULL)};
    model.image = linnet_input(model.net, "image", 1, LINNET_FREE, LINNET_FREE);
    linnet_value x = linnet_conv2d(model.net, model.image, .name = "conv", .out_channels = 1, .kernel = 3);
    x = linnet_relu(model.net, x);
    linnet_session *session = linnet_session_new(model.net, *state);
    linnet_maps picture;
    float value;
    assert_non_null(session);
    for (int i = 0; i < 9; i++)
        weights[i] = 0.5f;
    assert_ok(linnet_session_set(session, "conv.weight", weights, sizeof weights));
    assert_ok(linnet_session_set(session, "conv.bias", bias, sizeof bias));
    assert_ok(linnet_unit_maximise(session, &model, x, 0, &picture, &value, .steps = 50, .height = 12, .width = 10));
    assert_true(picture.height == 12 && picture.width == 10);
    assert_true(value > 0.5f);
    linnet_maps_free(&picture);
    linnet_session_free(&session);
    linnet_model_free(&model);
}

/* Training goes on as if nobody had looked. */
static void looking_leaves_no_trace(void **state)
{
    float pixels[PIXELS], loss, gradients[2][4 * 27];
    int32_t label = 2;
    linnet_tensor picture = {.type = LINNET_F32, .rank = 3, .dims = {3, SIDE, SIDE}, .data = pixels};
    linnet_model model = smooth_model();
    linnet_session *session = linnet_session_new(model.net, *state);
    linnet_value weight = linnet_net_parameter(model.net, "conv1.weight");
    linnet_attribution a;
    assert_non_null(session);
    random_picture(pixels);
    linnet_session_set_gradients(session, 1);
    linnet_session_set_behaviour(session, LINNET_TRAIN);
    for (int round = 0; round < 2; round++) {
        linnet_batch batch = {0};
        FEED(&batch, "image", pixels, 1, 3, SIDE, SIDE);
        FEED_LABELS(&batch, "label", &label, 1);
        assert_ok(linnet_session_zero_gradients(session));
        assert_ok(linnet_forward(session, &batch));
        assert_ok(linnet_backward(session, model.loss));
        assert_ok(linnet_session_read(session, model.loss, &loss, sizeof loss));
        assert_ok(linnet_session_read_gradient(session, weight, gradients[round], sizeof gradients[0]));
        assert_ok(linnet_saliency_map(session, &model, &picture, 0, &a));
        linnet_maps_free(&a.map);
        assert_fails(linnet_saliency_map(session, &model, &picture, 7, &a), LINNET_INVALID, "no class 7");
        assert_true(linnet_session_get_gradients(session));
        assert_int_equal(linnet_session_get_behaviour(session), LINNET_TRAIN);
    }
    assert_memory_equal(gradients[0], gradients[1], sizeof gradients[0]);
    linnet_session_free(&session);
    linnet_model_free(&model);
}

int main(int argc, char **argv)
{
    static const device_test tests[] = {
        DEVICE_TEST(saliency_is_the_slope),
        DEVICE_TEST(the_best_class_explains_itself),
        DEVICE_TEST(grad_cam_weighs_the_maps),
        DEVICE_TEST(effective_field_of_two_convolutions),
        DEVICE_TEST(effective_fields_lie_in_theoretical_ones),
        DEVICE_TEST(ascent_goes_up),
        DEVICE_TEST(a_dead_unit_is_woken),
        DEVICE_TEST(looking_leaves_no_trace),
    };
    return run_on_devices("attribution", tests, sizeof tests / sizeof tests[0], argc, argv);
}
