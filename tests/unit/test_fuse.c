/* SPDX-License-Identifier: Apache-2.0 */
/* Residuals and activations fused into the layer before them, concatenation without a copy: the same numbers as by
   themselves, forwards and backwards, also where a value has several readers. */
#include "sessions.h"

#include <math.h>

enum {
    MOST = 3,
    C = 3,
    SIZE = 7,
    OUT = 18,
    COUNT = MOST * OUT * SIZE * SIZE,
    VALUES = 20,
    ITEM = OUT * SIZE * SIZE * (int)sizeof(float)
};

typedef struct residual_net {
    linnet_net *net;
    linnet_value input, loss, values[VALUES];
    int value_count;
} residual_net;

static linnet_value note(residual_net *r, linnet_value value)
{
    r->values[r->value_count++] = value;
    return value;
}

/* conv-bn-clip, depthwise conv-bn-clip, conv-bn-add-relu, conv-add, and a sum whose parts have other readers. */
static residual_net make_net(void)
{
    residual_net r = {.net = linnet_net_new(NULL)};
    linnet_net *net = r.net;
    linnet_value x = r.input = linnet_input(net, "image", C, SIZE, SIZE);
    x = note(&r, linnet_conv2d(net, x, .out_channels = OUT, .kernel = 3, .padding = 1, .no_bias = 1));
    x = note(&r, linnet_batch_norm(net, x, .name = "bn1"));
    linnet_value start = note(&r, linnet_clip(net, x, 0, 6));
    x = note(&r, linnet_conv2d(net, start, .out_channels = OUT, .kernel = 3, .padding = 1, .groups = OUT));
    x = note(&r, linnet_batch_norm(net, x, .name = "bn2"));
    x = note(&r, linnet_clip(net, x, 0, 6));
    x = note(&r, linnet_conv2d(net, x, .out_channels = OUT, .kernel = 1));
    x = note(&r, linnet_batch_norm(net, x, .name = "bn3"));
    x = note(&r, linnet_add(net, x, start));
    linnet_value middle = note(&r, linnet_relu(net, x));
    x = note(&r, linnet_conv2d(net, middle, .out_channels = OUT, .kernel = 3, .padding = 1));
    x = note(&r, linnet_add(net, middle, x)); /* what conv2d reads itself */
    x = note(&r, linnet_add(net, x, start));  /* a sum of its own: x has one more reader */
    linnet_value y = note(&r, linnet_mul(net, x, middle));
    linnet_output(net, y, "y");
    r.loss = linnet_mse(net, y, linnet_input(net, "target", OUT, SIZE, SIZE));
    assert_string_equal(linnet_net_message(net), "");
    return r;
}

/* SqueezeNet's module, with parts that fill no block of 16 channels, one that is read elsewhere, one without an
   activation, a sum behind, and one that is there twice. */
static residual_net make_concat_net(void)
{
    residual_net r = {.net = linnet_net_new(NULL)};
    linnet_net *net = r.net;
    linnet_value x = r.input = linnet_input(net, "image", C, SIZE, SIZE);
    x = note(&r, linnet_conv2d(net, x, .out_channels = 16, .kernel = 3, .padding = 1));
    linnet_value s = note(&r, linnet_relu(net, x));
    linnet_value a = note(&r, linnet_conv2d(net, s, .out_channels = 16, .kernel = 1));
    a = note(&r, linnet_relu(net, a));
    linnet_value b = note(&r, linnet_conv2d(net, s, .out_channels = 20, .kernel = 3, .padding = 1));
    b = note(&r, linnet_relu(net, b));
    linnet_value y = note(&r, linnet_concat(net, (linnet_value[]){a, b}, 2, 1));
    linnet_value p = note(&r, linnet_conv2d(net, y, .out_channels = 16, .kernel = 1));
    linnet_value q = note(&r, linnet_conv2d(net, y, .out_channels = 16, .kernel = 1));
    linnet_value t = note(&r, linnet_tanh(net, s));
    y = note(&r, linnet_concat(net, (linnet_value[]){p, q, t}, 3, 1));
    x = note(&r, linnet_conv2d(net, y, .out_channels = OUT, .kernel = 1));
    x = note(&r, linnet_concat(net, (linnet_value[]){linnet_add(net, t, p), x, t}, 3, 1));
    y = note(&r, linnet_conv2d(net, x, .out_channels = OUT, .kernel = 1));
    linnet_output(net, y, "y");
    r.loss = linnet_mse(net, y, linnet_input(net, "target", OUT, SIZE, SIZE));
    assert_string_equal(linnet_net_message(net), "");
    return r;
}

/* Parts that are whole blocks: from a 3x3 convolution without an activation, a 1x1 one with, one that reads the image,
   and one that an activation makes of its own. */
static residual_net make_wide_net(void)
{
    residual_net r = {.net = linnet_net_new(NULL)};
    linnet_net *net = r.net;
    linnet_value image = r.input = linnet_input(net, "image", C, SIZE, SIZE);
    linnet_value x = note(&r, linnet_conv2d(net, image, .out_channels = 32, .kernel = 3, .padding = 1));
    linnet_value s = note(&r, linnet_relu(net, x));
    linnet_value a = note(&r, linnet_conv2d(net, s, .out_channels = 32, .kernel = 3, .padding = 1));
    linnet_value b = note(&r, linnet_relu(net, note(&r, linnet_conv2d(net, s, .out_channels = 48, .kernel = 1))));
    linnet_value first = note(&r, linnet_conv2d(net, image, .out_channels = 16, .kernel = 3, .padding = 1));
    linnet_value d = note(&r, linnet_mul(net, s, s));
    d = note(&r, linnet_tanh(net, d));
    linnet_value y = note(&r, linnet_concat(net, (linnet_value[]){a, b, first, d}, 4, 1));
    y = note(&r, linnet_conv2d(net, y, .out_channels = OUT, .kernel = 1));
    linnet_output(net, y, "y");
    r.loss = linnet_mse(net, y, linnet_input(net, "target", OUT, SIZE, SIZE));
    assert_string_equal(linnet_net_message(net), "");
    return r;
}

static linnet_batch make_batch(float *image, float *target, int64_t n)
{
    linnet_batch batch = {.struct_size = sizeof batch, .feed_count = 2, .size = n};
    batch.feeds[0] = (linnet_feed){"image", {LINNET_F32, 4, {n, C, SIZE, SIZE}, image}};
    batch.feeds[1] = (linnet_feed){"target", {LINNET_F32, 4, {n, OUT, SIZE, SIZE}, target}};
    for (int i = 0; i < MOST * C * SIZE * SIZE; i++)
        image[i] = 2.0f * linnet_philox_uniform(1, 0, 0, (uint64_t)i) - 1.0f;
    for (int i = 0; i < COUNT; i++)
        target[i] = linnet_philox_uniform(2, 0, 0, (uint64_t)i);
    return batch;
}

/* apart: every value is kept, so that nothing is fused. */
static linnet_session *make_session(const residual_net *r, linnet_device *device, int apart)
{
    linnet_session *session = linnet_session_new(r->net, device);
    assert_non_null(session);
    assert_ok(linnet_session_initialize(session, 5));
    for (int i = 0; i < r->value_count && apart; i++)
        assert_ok(linnet_session_keep(session, r->values[i]));
    assert_ok(linnet_session_want_gradient(session, r->input));
    return session;
}

static void assert_close(const float *got, const float *wanted, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!(fabsf(got[i] - wanted[i]) <= 2e-4f * (1.0f + fabsf(wanted[i]))))
            fail_msg("element %zu is %g, not %g", i, (double)got[i], (double)wanted[i]);
}

static void read_gradients(linnet_session *session, const residual_net *r, int64_t n, float *out, size_t *out_count)
{
    size_t count = (size_t)n * C * SIZE * SIZE;
    assert_ok(linnet_session_read_gradient(session, r->input, out, count * sizeof *out));
    const char *name;
    linnet_tensor shape;
    for (size_t i = 0; linnet_session_variable(session, i, &name, &shape) == LINNET_OK; i++) {
        linnet_value value = linnet_net_parameter(r->net, name);
        size_t size = (size_t)linnet_tensor_bytes(&shape) / sizeof *out;
        if (!value.id)
            continue; /* a running statistic */
        assert_ok(linnet_session_read_gradient(session, value, out + count, size * sizeof *out));
        count += size;
    }
    *out_count = count;
}

static void check_net(void **state, residual_net (*make)(void), int64_t n, linnet_behaviour behaviour, int gradients)
{
    static float image[MOST * C * SIZE * SIZE], target[COUNT], y[2][COUNT], all[2][40000];
    size_t count = 0;
    residual_net r = make();
    linnet_batch batch = make_batch(image, target, n);
    for (int apart = 0; apart < 2; apart++) {
        linnet_session *session = make_session(&r, *state, apart);
        linnet_session_set_behaviour(session, behaviour);
        linnet_session_set_gradients(session, gradients);
        for (int round = 0; round < 2; round++) {
            assert_ok(linnet_session_zero_gradients(session));
            assert_ok(linnet_forward(session, &batch));
            if (gradients)
                assert_ok(linnet_backward(session, r.loss));
        }
        assert_ok(linnet_session_read(session, r.values[r.value_count - 1], y[apart], (size_t)n * ITEM));
        if (gradients)
            read_gradients(session, &r, n, all[apart], &count);
        linnet_session_free(&session);
    }
    assert_close(y[0], y[1], COUNT);
    assert_close(all[0], all[1], count);
    linnet_net_free(&r.net);
}

static void check_behaviour(void **state, linnet_behaviour behaviour, int gradients)
{
    for (int64_t n = 1; n <= MOST; n++) {
        check_net(state, make_net, n, behaviour, gradients);
        check_net(state, make_concat_net, n, behaviour, gradients);
        check_net(state, make_wide_net, n, behaviour, gradients);
    }
}

static void test_inference(void **state)
{
    check_behaviour(state, LINNET_EVALUATE, 0);
}

static void test_gradients_in_evaluate(void **state)
{
    check_behaviour(state, LINNET_EVALUATE, 1);
}

static void test_training(void **state)
{
    check_behaviour(state, LINNET_TRAIN, 1);
}

static void test_what_is_fused(void **state)
{
    static float image[MOST * C * SIZE * SIZE], target[COUNT];
    residual_net r = make_net();
    linnet_batch batch = make_batch(image, target, 2);
    linnet_session *session = make_session(&r, *state, 0);
    char *text = NULL;
    assert_ok(linnet_session_describe(session, &batch, 0, &text));
    if (strcmp(linnet_device_backend_name(*state), "opencl") != 0) {
        assert_non_null(strstr(text, "conv2d+add+relu"));
        assert_null(strstr(text, " unary "));
    }
    assert_null(strstr(text, "batch_norm"));
    linnet_text_free(&text);
    linnet_session_free(&session);
    linnet_net_free(&r.net);
}

typedef struct concats {
    int steps, copies, blocked_copies; /* in the plan; of them, those that copy; of these, in blocks of channels */
} concats;

/* For n items. */
static concats count_concats(linnet_device *device, residual_net (*make)(void), int64_t n)
{
    static float image[MOST * C * SIZE * SIZE], target[COUNT];
    residual_net r = make();
    linnet_batch batch = make_batch(image, target, n);
    linnet_session *session = make_session(&r, device, 0);
    char *text = NULL;
    concats found = {0};
    assert_ok(linnet_session_describe(session, &batch, 0, &text));
    for (char *at = text, *end; (at = strstr(at, " concat ")); at = end) {
        end = at + strcspn(at, "\n");
        bool copies = strncmp(at + strlen(" concat") + strspn(at + strlen(" concat"), " "), "alias", 5) != 0;
        const char *format = strstr(at, "nchw16c");
        found.steps++;
        found.copies += copies;
        found.blocked_copies += copies && format && format < end;
    }
    linnet_text_free(&text);
    linnet_session_free(&session);
    linnet_net_free(&r.net);
    return found;
}

static void test_what_is_copied(void **state)
{
    concats one = count_concats(*state, make_concat_net, 1), several = count_concats(*state, make_concat_net, MOST);
    assert_int_equal(one.steps, 3);
    assert_true(one.copies >= 1); /* t belongs to one of two only */
    assert_int_equal(several.steps, 3);
    bool opencl = strcmp(linnet_device_backend_name(*state), "opencl") == 0;
    if (!opencl)
        assert_true(several.copies < 3);
    several = count_concats(*state, make_wide_net, MOST);
    assert_int_equal(several.steps, 1);
    if (opencl)
        assert_int_equal(several.blocked_copies, 0);
}

int main(int argc, char **argv)
{
    static const device_test tests[] = {
        DEVICE_TEST(test_inference),     DEVICE_TEST(test_gradients_in_evaluate), DEVICE_TEST(test_training),
        DEVICE_TEST(test_what_is_fused), DEVICE_TEST(test_what_is_copied),
    };
    return run_on_devices("fuse", tests, sizeof tests / sizeof tests[0], argc, argv);
}
