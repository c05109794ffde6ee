/* SPDX-License-Identifier: Apache-2.0 */
/* Gradients from any value (linnet_backward_from), lazy sessions, names after the fact: on every device. */
#include "sessions.h"

#define DEVICE(state) (*(linnet_device **)(state))

/* image [2,5,5] -> conv 3x3 (3 maps) -> relu -> pool -> linear 2 */
typedef struct small_net {
    linnet_net *net;
    linnet_value image, conv, relu, pool, logits;
} small_net;

static small_net small_new(void)
{
    small_net s = {.net = linnet_net_new(NULL)};
    s.image = linnet_input(s.net, "image", 2, 6, 6);
    s.conv = linnet_conv2d(s.net, s.image, .name = "conv", .out_channels = 3, .kernel = 3);
    s.relu = linnet_relu(s.net, s.conv);
    s.pool = linnet_max_pool2d(s.net, s.relu, .kernel = 2);
    s.logits = linnet_linear(s.net, s.pool, .name = "fc", .out_features = 2);
    assert_ok(linnet_net_status(s.net));
    return s;
}

enum { PIXELS = 2 * 2 * 6 * 6, MAPS = 2 * 3 * 4 * 4 };

static linnet_session *session_of(const small_net *s, linnet_device *device)
{
    linnet_session *session = linnet_session_new(s->net, device);
    assert_non_null(session);
    assert_ok(linnet_session_initialize(session, 5));
    linnet_session_set_gradients(session, 1);
    linnet_session_set_parameter_gradients(session, 0);
    assert_ok(linnet_session_want_gradient(session, s->image));
    return session;
}

static double weighted_sum(linnet_session *session, linnet_value value, const float *weights, size_t count)
{
    float values[MAPS];
    double sum = 0;
    assert_ok(linnet_session_read(session, value, values, count * sizeof(float)));
    for (size_t i = 0; i < count; i++)
        sum += (double)values[i] * (double)weights[i];
    return sum;
}

/* Central differences over the pixels against the gradient that comes back; the nets are piecewise linear. */
static void check_from(linnet_session *session, linnet_value value, size_t count)
{
    float pixels[PIXELS], weights[MAPS], gradient[PIXELS];
    linnet_batch batch = {0};
    fill_random(pixels, PIXELS, 3, 1);
    fill_random(weights, count, 3, 2);
    FEED(&batch, "image", pixels, 2, 2, 6, 6);
    assert_ok(linnet_forward(session, &batch));
    assert_ok(linnet_backward_from(session, value, weights, count * sizeof(float)));
    linnet_value image = linnet_net_find(linnet_session_net(session), "image");
    assert_ok(linnet_session_read_gradient(session, image, gradient, sizeof gradient));
    for (size_t i = 0; i < PIXELS; i += 7) {
        const float step = 0x1p-10f;
        float middle = pixels[i];
        pixels[i] = middle + step;
        assert_ok(linnet_forward(session, &batch));
        double high = weighted_sum(session, value, weights, count);
        pixels[i] = middle - step;
        assert_ok(linnet_forward(session, &batch));
        double low = weighted_sum(session, value, weights, count);
        pixels[i] = middle;
        assert_float_equal((high - low) / (2 * (double)step), (double)gradient[i], 2e-3);
    }
}

static void gradients_start_from_any_value(void **state)
{
    small_net s = small_new();
    linnet_session *session = session_of(&s, DEVICE(state));
    const linnet_value values[] = {s.conv, s.relu, s.logits};
    const size_t counts[] = {MAPS, MAPS, 4};
    for (int i = 0; i < 3; i++)
        assert_ok(linnet_session_add_loss(session, values[i]));
    for (int i = 0; i < 3; i++)
        check_from(session, values[i], counts[i]);
    linnet_session_free(&session);
    linnet_net_free(&s.net);
}

/* y = batch norm of a convolution, its relu, and the relu's flat alias: where a seed lies, is wanted itself, and starts
   again for another loss, whatever the order. */
static void seeds_stay_what_they_are(void **state)
{
    enum { COUNT = 2 * 3 * 4 * 4 };
    float pixels[PIXELS], seeds[4][COUNT], got[COUNT], image[4][PIXELS], again[PIXELS];
    linnet_net *net = linnet_net_new(NULL);
    linnet_value x = linnet_input(net, "image", 2, 6, 6), from[4];
    from[0] = linnet_conv2d(net, x, .out_channels = 3, .kernel = 3);
    from[1] = linnet_batch_norm(net, from[0]);
    from[2] = linnet_relu(net, from[1]);
    from[3] = linnet_flatten(net, from[2]);
    linnet_linear(net, linnet_add(net, from[3], from[3]), .out_features = 2);
    linnet_session *session = linnet_session_new(net, DEVICE(state));
    assert_non_null(session);
    assert_ok(linnet_session_initialize(session, 5));
    linnet_session_set_gradients(session, 1);
    linnet_session_set_parameter_gradients(session, 0);
    assert_ok(linnet_session_want_gradient(session, x));
    fill_random(pixels, PIXELS, 3, 1);
    linnet_batch batch = {0};
    FEED(&batch, "image", pixels, 2, 2, 6, 6);
    for (int i = 0; i < 4; i++) {
        fill_random(seeds[i], COUNT, 7, (uint32_t)i);
        assert_ok(linnet_session_add_loss(session, from[i]));
        assert_ok(linnet_forward(session, &batch));
        assert_ok(linnet_backward_from(session, from[i], seeds[i], sizeof seeds[i]));
        assert_ok(linnet_session_read_gradient(session, x, image[i], sizeof image[i]));
    }
    for (int i = 0; i < 4; i++)
        assert_ok(linnet_session_want_gradient(session, from[i]));
    for (int round = 0; round < 2; round++) {
        linnet_session_set_lazy(session, round);
        assert_ok(linnet_forward(session, &batch));
        for (int k = 0; k < 4; k++) {
            int i = round ? k : (k * 3 + 2) % 4;
            assert_ok(linnet_backward_from(session, from[i], seeds[i], sizeof seeds[i]));
            assert_ok(linnet_session_read_gradient(session, from[i], got, sizeof got));
            assert_memory_equal(got, seeds[i], sizeof got);
            assert_ok(linnet_session_read_gradient(session, x, again, sizeof again));
            for (int p = 0; p < PIXELS; p++)
                assert_float_equal(again[p], image[i][p], 1e-5);
        }
    }
    linnet_session_free(&session);
    linnet_net_free(&net);
}

static void a_gradient_has_the_size_of_its_value(void **state)
{
    small_net s = small_new();
    linnet_session *session = session_of(&s, DEVICE(state));
    float pixels[PIXELS] = {0}, gradient[4] = {1, 0, 0, 0};
    linnet_batch batch = {0};
    FEED(&batch, "image", pixels, 2, 2, 6, 6);
    assert_ok(linnet_forward(session, &batch));
    assert_fails(linnet_backward_from(session, s.logits, gradient, sizeof gradient), LINNET_INVALID, "add_loss");
    assert_fails(linnet_session_add_loss(session, s.image), LINNET_INVALID, "'image' is made by no layer");
    assert_fails(linnet_session_add_loss(session, linnet_net_parameter(s.net, "fc.weight")), LINNET_INVALID,
                 "'fc.weight' is made by no layer");
    assert_ok(linnet_session_add_loss(session, s.logits));
    assert_ok(linnet_forward(session, &batch));
    assert_fails(linnet_backward(session, s.logits), LINNET_INVALID, "linnet_backward is for scalars");
    assert_fails(linnet_backward_from(session, s.logits, gradient, 8), LINNET_INVALID, "16 bytes");
    assert_fails(linnet_backward_from(session, s.logits, NULL, 16), LINNET_INVALID, "without a gradient");
    assert_ok(linnet_backward_from(session, s.logits, gradient, sizeof gradient));
    assert_fails(linnet_backward_from(session, s.logits, gradient, sizeof gradient), LINNET_INVALID, "already");
    linnet_session_free(&session);
    linnet_net_free(&s.net);
}

/* Only what is asked for runs: an image that the linear layer could not take is welcome below it. */
static void a_lazy_session_runs_what_is_asked_for(void **state)
{
    linnet_net *net = linnet_net_new(NULL);
    linnet_value image = linnet_input(net, "image", 1, LINNET_FREE, LINNET_FREE);
    linnet_value doubled = linnet_scale(net, image, 2, 0), plus = linnet_scale(net, doubled, 1, 1);
    linnet_value other = linnet_conv2d(net, doubled, .out_channels = 1, .kernel = 5);
    float pixels[6] = {1, 2, 3, 4, 5, 6}, out[6];
    linnet_batch batch = {0};
    FEED(&batch, "image", pixels, 1, 1, 2, 3);
    linnet_session *session = linnet_session_new(net, DEVICE(state));
    assert_non_null(session);
    assert_fails(linnet_forward(session, &batch), LINNET_SHAPE, "does not fit");
    linnet_session_set_lazy(session, 1);
    assert_ok(linnet_session_keep(session, doubled));
    assert_ok(linnet_forward(session, &batch));
    assert_ok(linnet_session_read(session, doubled, out, sizeof out));
    assert_float_equal(out[5], 12, 0);
    assert_fails(linnet_session_read(session, plus, out, sizeof out), LINNET_INVALID, "not computed");
    assert_fails(linnet_session_read(session, other, out, sizeof out), LINNET_INVALID, "not computed");
    assert_ok(linnet_session_add_loss(session, plus));
    assert_ok(linnet_forward(session, &batch));
    assert_ok(linnet_session_read(session, plus, out, sizeof out));
    assert_float_equal(out[5], 13, 0);
    linnet_session_set_lazy(session, 0);
    assert_fails(linnet_forward(session, &batch), LINNET_SHAPE, "does not fit");
    linnet_session_free(&session);
    linnet_net_free(&net);
}

static void layers_are_named_after_the_fact(void **state)
{
    small_net s = small_new();
    linnet_value found;
    (void)state;
    assert_int_equal(linnet_name(s.net, s.relu, "relu1_1").id, s.relu.id);
    assert_int_equal(linnet_name(s.net, s.conv, "conv1_1").id, s.conv.id);
    assert_ok(linnet_net_layer(s.net, "relu1_1", &found));
    assert_int_equal(found.id, s.relu.id);
    assert_int_equal(linnet_net_find(s.net, "relu1_1").id, s.relu.id);
    assert_int_not_equal(linnet_net_parameter(s.net, "conv.weight").id, 0); /* keeps its name */
    assert_fails(linnet_net_layer(s.net, "conv9", &found), LINNET_NOT_FOUND,
                 "no layer 'conv9'; there are: conv1_1, relu1_1, max_pool2d1, fc");
    assert_int_equal(found.id, 0);
    assert_ok(linnet_net_status(s.net));
    assert_int_equal(linnet_name(s.net, s.relu, "conv1_1").id, 0);
    assert_fails(linnet_net_status(s.net), LINNET_INVALID, "two values named 'conv1_1'");
    linnet_net_free(&s.net);
}

/* An output's layer keeps its name, which no other layer may have: linnet_net_layer finds one. */
static void layers_have_names_of_their_own(void **state)
{
    (void)state;
    linnet_net *net = linnet_net_new(NULL);
    linnet_value x = linnet_input(net, "image", 1, 4, 4);
    linnet_value small = linnet_max_pool2d(net, x, .kernel = 2, .name = "pool"), found;
    linnet_output(net, small, "small");
    assert_ok(linnet_net_layer(net, "pool", &found));
    assert_int_equal(found.id, small.id);
    assert_int_equal(linnet_pad2d(net, x, .padding = 1, .name = "pool").id, 0);
    assert_fails(linnet_net_status(net), LINNET_INVALID, "two values named 'pool'");
    linnet_net_free(&net);
}

static void pictures_become_inputs_and_back(void **state)
{
    const linnet_preprocess p = {.scale = 255, .bgr = 1, .mean = {10, 20, 30}, .deviation = {1, 2, 0}};
    const float picture[6] = {0.1f, 0.2f, 0.3f, 0.4f, 0.5f, 0.6f}; /* R, R, G, G, B, B */
    float input[6], back[6], gradient[6];
    (void)state;
    linnet_preprocess_apply(&p, picture, 3, 2, input);
    assert_float_equal(input[0], 255 * 0.5 - 10, 1e-4);
    assert_float_equal(input[3], (255 * 0.4 - 20) / 2, 1e-4);
    assert_float_equal(input[5], 255 * 0.2 - 30, 1e-4);
    linnet_preprocess_invert(&p, input, 3, 2, back);
    for (int i = 0; i < 6; i++)
        assert_float_equal(back[i], picture[i], 1e-6);
    linnet_preprocess_gradient(&p, (const float[]){1, 2, 3, 4, 5, 6}, 3, 2, gradient);
    assert_float_equal(gradient[0], 255 * 5, 0); /* red is the net's last channel */
    assert_float_equal(gradient[3], 255 * 4 / 2.0, 0);
    assert_float_equal(gradient[4], 255 * 1, 0);
}

int main(int argc, char **argv)
{
    static const device_test tests[] = {
        DEVICE_TEST(gradients_start_from_any_value),       DEVICE_TEST(seeds_stay_what_they_are),
        DEVICE_TEST(a_gradient_has_the_size_of_its_value), DEVICE_TEST(a_lazy_session_runs_what_is_asked_for),
        DEVICE_TEST(layers_are_named_after_the_fact),      DEVICE_TEST(layers_have_names_of_their_own),
        DEVICE_TEST(pictures_become_inputs_and_back),
    };
    return run_on_devices("gradients", tests, sizeof tests / sizeof tests[0], argc, argv);
}
