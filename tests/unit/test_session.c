/* SPDX-License-Identifier: Apache-2.0 */
/* Small nets forward and backward against numbers worked out by hand, and what a session does with mistakes. */
#include "sessions.h"

#include <math.h>

#define DEVICE(state) ((linnet_device *)*(state))

static linnet_session *session_of(linnet_net *net, linnet_device *device, int gradients)
{
    assert_string_equal(linnet_net_message(net), "");
    linnet_session *session = linnet_session_new(net, device);
    if (!session)
        fail_msg("%s", linnet_context_message(NULL));
    linnet_session_set_gradients(session, gradients);
    return session;
}

static void finish(linnet_net **net, linnet_session **session)
{
    linnet_session_free(session);
    linnet_net_free(net);
}

static void assert_floats(const float *got, const float *wanted, size_t count, const char *what)
{
    for (size_t i = 0; i < count; i++)
        if (!(fabsf(got[i] - wanted[i]) <= 1e-5f * (1.0f + fabsf(wanted[i]))))
            fail_msg("%s[%zu] is %.7g, wants %.7g", what, i, (double)got[i], (double)wanted[i]);
}

#define ASSERT_READS(session, value, ...)                                                                              \
    do {                                                                                                               \
        const float wanted_[] = {__VA_ARGS__};                                                                         \
        float got_[sizeof wanted_ / sizeof *wanted_];                                                                  \
        assert_ok(linnet_session_read(session, value, got_, sizeof got_));                                             \
        assert_floats(got_, wanted_, sizeof wanted_ / sizeof *wanted_, #value);                                        \
    } while (0)
#define ASSERT_GRADIENT(session, value, ...)                                                                           \
    do {                                                                                                               \
        const float wanted_[] = {__VA_ARGS__};                                                                         \
        float got_[sizeof wanted_ / sizeof *wanted_];                                                                  \
        assert_ok(linnet_session_read_gradient(session, value, got_, sizeof got_));                                    \
        assert_floats(got_, wanted_, sizeof wanted_ / sizeof *wanted_, "gradient of " #value);                         \
    } while (0)
#define SET(session, name, ...)                                                                                        \
    assert_ok(linnet_session_set(session, name, (const float[]){__VA_ARGS__}, sizeof((const float[]){__VA_ARGS__})))

/* x [1,2] -> linear 2-2 without bias, and what comes behind it against a target [1,2]. */
typedef struct pair_net {
    linnet_net *net;
    linnet_value x, target, hidden;
} pair_net;

static pair_net pair_new(void)
{
    pair_net p = {.net = linnet_net_new(NULL)};
    p.x = linnet_input(p.net, "x", 2);
    p.target = linnet_input(p.net, "t", 2);
    p.hidden = linnet_linear(p.net, p.x, .name = "fc", .out_features = 2, .no_bias = 1);
    return p;
}

static const float pair_x[] = {1, 2}, pair_t[] = {0, 1};

static linnet_batch pair_batch(void)
{
    linnet_batch batch = {.feed_count = 0};
    FEED(&batch, "x", pair_x, 1, 2);
    FEED(&batch, "t", pair_t, 1, 2);
    return batch;
}

/* ---- Values used more than once ---- */

/* y = h + tanh-free residual: h = W x = (1, 4); r = relu(h); y = h + r = (2, 8); mse over two: dy = (y - t) = (2, 7);
   dh = 2 dy = (4, 14). */
static void gradients_of_a_residual_add_up(void **state)
{
    pair_net p = pair_new();
    linnet_value y = linnet_add(p.net, p.hidden, linnet_relu(p.net, p.hidden));
    linnet_value loss = linnet_mse(p.net, y, p.target);
    linnet_session *session = session_of(p.net, DEVICE(state), 1);
    linnet_batch batch = pair_batch();
    assert_ok(linnet_session_want_gradient(session, p.x));
    assert_ok(linnet_session_want_gradient(session, p.hidden));
    assert_ok(linnet_session_keep(session, y));
    SET(session, "fc.weight", 1, 0, 0, 2);
    assert_ok(linnet_forward(session, &batch));
    assert_ok(linnet_backward(session, loss));
    ASSERT_READS(session, y, 2, 8);
    ASSERT_READS(session, loss, (4 + 49) / 2.0f);
    ASSERT_GRADIENT(session, p.hidden, 4, 14);
    ASSERT_GRADIENT(session, p.x, 4, 28);
    ASSERT_GRADIENT(session, linnet_net_parameter(p.net, "fc.weight"), 4, 8, 14, 28);
    finish(&p.net, &session);
}

/* h = (1, 4); y = h h + (h + h) = (3, 24); dy = (3, 23); dh = dy (2 h + 2) = (12, 230). */
static void one_value_may_be_both_inputs(void **state)
{
    pair_net p = pair_new();
    linnet_value y = linnet_add(p.net, linnet_mul(p.net, p.hidden, p.hidden), linnet_add(p.net, p.hidden, p.hidden));
    linnet_value nothing = linnet_sub(p.net, p.hidden, p.hidden), loss = linnet_mse(p.net, y, p.target);
    linnet_session *session = session_of(p.net, DEVICE(state), 1);
    linnet_batch batch = pair_batch();
    assert_ok(linnet_session_want_gradient(session, p.hidden));
    SET(session, "fc.weight", 1, 0, 0, 2);
    assert_ok(linnet_forward(session, &batch));
    assert_ok(linnet_backward(session, loss));
    ASSERT_READS(session, nothing, 0, 0); /* no layer uses it: an output */
    ASSERT_GRADIENT(session, p.hidden, 12, 230);
    finish(&p.net, &session);
}

/* y = W (W x): W = [[1,1],[0,2]], x = (1,2): h = (3,4), y = (7,8); dy = (7,7); dW = dy h^T + (W^T dy) x^T
   = [[21,28],[21,28]] + (7,21) (1,2)^T = [[28,42],[42,70]]. */
static void gradients_of_a_shared_weight_add_up(void **state)
{
    linnet_net *net = linnet_net_new(NULL);
    linnet_value x = linnet_input(net, "x", 2), t = linnet_input(net, "t", 2);
    linnet_value weight = linnet_parameter_with(net, "w", 2, (const int64_t[]){2, 2}, NULL);
    linnet_value y = linnet_linear(net, x, .weight = weight, .no_bias = 1);
    y = linnet_linear(net, y, .weight = weight, .no_bias = 1);
    linnet_value loss = linnet_mse(net, y, t);
    linnet_session *session = session_of(net, DEVICE(state), 1);
    linnet_batch batch = pair_batch();
    SET(session, "w", 1, 1, 0, 2);
    for (int round = 1; round <= 2; round++) { /* the second round adds to the first */
        assert_ok(linnet_forward(session, &batch));
        assert_ok(linnet_backward(session, loss));
        float r = (float)round;
        ASSERT_GRADIENT(session, weight, 28 * r, 42 * r, 42 * r, 70 * r);
    }
    assert_ok(linnet_session_zero_gradients(session));
    ASSERT_GRADIENT(session, weight, 0, 0, 0, 0);
    assert_ok(linnet_forward(session, &batch));
    assert_ok(linnet_backward(session, loss));
    ASSERT_GRADIENT(session, weight, 28, 42, 42, 70);
    finish(&net, &session);
}

/* ---- Several losses ---- */

/* Two losses from h: mse(h, t) and mse(relu(h), 0-ish). Any order, and their weighted sum. */
static void losses_differentiate_in_any_order(void **state)
{
    pair_net p = pair_new();
    linnet_value a = linnet_mse(p.net, p.hidden, p.target);
    linnet_value b = linnet_mse(p.net, linnet_relu(p.net, p.hidden), p.target);
    linnet_value unused = linnet_relu(p.net, p.target);
    linnet_value weight = linnet_net_parameter(p.net, "fc.weight");
    linnet_session *session = session_of(p.net, DEVICE(state), 1);
    linnet_batch batch = pair_batch();
    assert_ok(linnet_session_want_gradient(session, p.hidden));
    SET(session, "fc.weight", 1, 0, 0, -2); /* h = (1, -4): dh of a = (1, -5), of b = (1, 0) */
    for (int order = 0; order < 2; order++) {
        assert_ok(linnet_session_zero_gradients(session));
        assert_ok(linnet_forward(session, &batch));
        assert_ok(linnet_backward(session, order ? b : a));
        assert_ok(linnet_backward(session, order ? a : b));
        ASSERT_GRADIENT(session, weight, 2, 4, -5, -10);
        if (order) /* gradients of values are the last loss's */
            ASSERT_GRADIENT(session, p.hidden, 1, -5);
        else
            ASSERT_GRADIENT(session, p.hidden, 1, 0);
        ASSERT_READS(session, a, 13); /* still there */
        ASSERT_READS(session, b, 1);
        ASSERT_READS(session, unused, 0, 1);
    }
    finish(&p.net, &session);
}

static void losses_may_be_summed(void **state)
{
    pair_net p = pair_new();
    linnet_value a = linnet_mse(p.net, p.hidden, p.target);
    linnet_value b = linnet_mse(p.net, linnet_relu(p.net, p.hidden), p.target);
    linnet_value total = linnet_add(p.net, a, linnet_scale(p.net, b, 10, 5));
    linnet_value weight = linnet_net_parameter(p.net, "fc.weight");
    linnet_session *session = session_of(p.net, DEVICE(state), 1);
    linnet_batch batch = pair_batch();
    SET(session, "fc.weight", 1, 0, 0, -2);
    assert_ok(linnet_forward(session, &batch));
    assert_fails(linnet_backward(session, a), LINNET_INVALID, "linnet_session_add_loss");
    assert_ok(linnet_session_zero_gradients(session));
    assert_ok(linnet_backward(session, total));
    ASSERT_READS(session, total, 13 + 10 + 5);
    ASSERT_GRADIENT(session, weight, 11, 22, -5, -10);
    assert_ok(linnet_session_add_loss(session, a));
    assert_ok(linnet_session_zero_gradients(session));
    assert_ok(linnet_forward(session, &batch));
    assert_ok(linnet_backward(session, a));
    ASSERT_GRADIENT(session, weight, 1, 2, -5, -10);
    assert_ok(linnet_backward(session, total)); /* adds */
    ASSERT_GRADIENT(session, weight, 12, 24, -10, -20);
    finish(&p.net, &session);
}

/* ---- What has gradients ---- */

static void frozen_parameters_stand_still(void **state)
{
    pair_net p = pair_new();
    linnet_value y = linnet_linear(p.net, p.hidden, .name = "top", .out_features = 2, .no_bias = 1);
    linnet_value loss = linnet_mse(p.net, y, p.target), frozen = linnet_net_parameter(p.net, "fc.weight");
    float before[4], after[4], top[4], moved[4];
    linnet_net_freeze(p.net, frozen, 1);
    linnet_session *session = session_of(p.net, DEVICE(state), 0);
    linnet_optimizer *sgd = linnet_sgd_new(session, .learning_rate = 0.1f, .momentum = 0.9f, .weight_decay = 0.1f);
    assert_non_null(sgd);
    linnet_batch batch = pair_batch();
    assert_ok(linnet_session_get(session, "fc.weight", before, sizeof before));
    assert_ok(linnet_session_get(session, "top.weight", top, sizeof top));
    for (int i = 0; i < 3; i++) {
        linnet_zero_grad(sgd);
        linnet_forward(session, &batch);
        linnet_backward(session, loss);
        assert_ok(linnet_step(sgd));
        ASSERT_GRADIENT(session, frozen, 0, 0, 0, 0);
    }
    assert_ok(linnet_session_get(session, "fc.weight", after, sizeof after));
    assert_ok(linnet_session_get(session, "top.weight", moved, sizeof moved));
    assert_memory_equal(before, after, sizeof after);
    assert_memory_not_equal(top, moved, sizeof top);
    linnet_net_freeze(p.net, frozen, 0); /* and thaw */
    linnet_zero_grad(sgd);
    linnet_forward(session, &batch);
    linnet_backward(session, loss);
    assert_ok(linnet_step(sgd));
    assert_ok(linnet_session_get(session, "fc.weight", after, sizeof after));
    assert_memory_not_equal(before, after, sizeof after);
    linnet_optimizer_free(&sgd);
    finish(&p.net, &session);
}

/* An adversarial example's gradient: of the input alone, in evaluate behaviour (dropout does nothing). */
static void input_gradients_in_evaluate_behaviour(void **state)
{
    pair_net p = pair_new();
    linnet_value loss = linnet_mse(p.net, linnet_dropout(p.net, p.hidden, 0.5f), p.target);
    linnet_session *session = session_of(p.net, DEVICE(state), 1);
    linnet_batch batch = pair_batch();
    linnet_session_set_parameter_gradients(session, 0);
    assert_ok(linnet_session_want_gradient(session, p.x));
    SET(session, "fc.weight", 1, 0, 0, 2);
    assert_ok(linnet_forward(session, &batch));
    assert_ok(linnet_backward(session, loss));
    ASSERT_GRADIENT(session, p.x, 1, 6);
    ASSERT_GRADIENT(session, linnet_net_parameter(p.net, "fc.weight"), 0, 0, 0, 0);
    linnet_session_stats stats = {.struct_size = sizeof stats};
    assert_ok(linnet_session_get_stats(session, &stats));
    assert_int_equal(stats.gradient_bytes, 0); /* no room taken for what nobody asked for */
    linnet_session_set_parameter_gradients(session, 1);
    assert_ok(linnet_forward(session, &batch));
    assert_ok(linnet_backward(session, loss));
    ASSERT_GRADIENT(session, linnet_net_parameter(p.net, "fc.weight"), 1, 2, 3, 6);
    finish(&p.net, &session);
}

/* conv + relu + max_pool: with the value before the activation kept nothing can be fused, and the numbers stay. */
static void fused_is_the_same_as_unfused(void **state)
{
    enum { N = 3, COUNT = N * 16 * 8 * 8, WEIGHTS = 16 * 3 * 9 };
    static float x[N * 3 * 64], y[2][COUNT], weight[2][WEIGHTS], before[COUNT];
    fill_random(x, sizeof x / sizeof *x, 4, 1);
    for (int keep = 0; keep < 2; keep++) {
        linnet_net *net = linnet_net_new(NULL);
        linnet_value in = linnet_input(net, "x", 3, 8, 8);
        linnet_value conv = linnet_conv2d(net, in, .out_channels = 16, .kernel = 3, .padding = 1);
        linnet_value relu = linnet_relu(net, conv);
        linnet_value loss = linnet_mse(net, relu, linnet_scale(net, relu, 0, 0.5f));
        linnet_session *session = session_of(net, DEVICE(state), 1);
        linnet_batch batch = {.feed_count = 0};
        FEED(&batch, "x", x, N, 3, 8, 8);
        assert_ok(linnet_session_keep(session, relu));
        if (keep)
            assert_ok(linnet_session_keep(session, conv));
        assert_ok(linnet_forward(session, &batch));
        assert_ok(linnet_backward(session, loss));
        assert_ok(linnet_session_read(session, relu, y[keep], sizeof y[keep]));
        assert_ok(linnet_session_read_gradient(session, linnet_net_parameter(net, "conv2d1.weight"), weight[keep],
                                               sizeof weight[keep]));
        if (keep) {
            assert_ok(linnet_session_read(session, conv, before, sizeof before));
            for (int i = 0; i < COUNT; i++)
                assert_true(fmaxf(before[i], 0) == y[1][i]);
        } else {
            assert_fails(linnet_session_read(session, conv, before, sizeof before), LINNET_INVALID,
                         "linnet_session_keep");
        }
        finish(&net, &session);
    }
    assert_floats(y[0], y[1], COUNT, "relu");
    assert_floats(weight[0], weight[1], WEIGHTS, "gradient of the weight");
}

/* He, Zhang, Ren and Sun 2015: uniform within sqrt(6 / fan_in), the bias at 0; else within 1 / sqrt(fan_in). */
static void weights_start_for_relu_when_asked(void **state)
{
    enum { COUNT = 40 * 3 * 3 * 3 };
    float weight[COUNT], bias[40];
    linnet_net *net = linnet_net_new(NULL);
    linnet_value x = linnet_input(net, "x", 3, 4, 4);
    linnet_conv2d(net, x, .name = "he", .out_channels = 40, .kernel = 3, .initial = LINNET_INITIAL_HE_UNIFORM);
    linnet_conv2d(net, x, .name = "usual", .out_channels = 40, .kernel = 3);
    linnet_session *session = linnet_session_new(net, DEVICE(state));
    assert_non_null(session);
    const char *const names[] = {"he.weight", "usual.weight"};
    const double bounds[] = {sqrt(6.0 / 27), sqrt(1.0 / 27)};
    for (int n = 0; n < 2; n++) {
        double largest = 0;
        assert_ok(linnet_session_get(session, names[n], weight, sizeof weight));
        for (int i = 0; i < COUNT; i++)
            largest = fmax(largest, fabs((double)weight[i]));
        assert_true(largest <= bounds[n] && largest > 0.99 * bounds[n]);
    }
    assert_ok(linnet_session_get(session, "he.bias", bias, sizeof bias));
    for (int i = 0; i < 40; i++)
        assert_true(bias[i] == 0);
    finish(&net, &session);
}

/* Mean and deviation of a weight's start. */
static void assert_normal(linnet_session *session, const char *name, double deviation)
{
    enum { COUNT = 64 * 8 * 9 };
    static float weight[COUNT];
    double sum = 0, squares = 0;
    assert_ok(linnet_session_get(session, name, weight, sizeof weight));
    for (int i = 0; i < COUNT; i++) {
        sum += (double)weight[i];
        squares += (double)weight[i] * (double)weight[i];
    }
    assert_true(fabs(sum / COUNT) < 0.05 * deviation);
    assert_true(fabs(sqrt(squares / COUNT) / deviation - 1) < 0.05);
}

/* As torchvision starts its networks: by fan_out, which takes no notice of groups; the bias at 0. */
static void weights_start_normal_when_asked(void **state)
{
    float bias[64];
    linnet_net *net = linnet_net_new(NULL);
    linnet_value x = linnet_input(net, "x", 8, 4, 4), grouped = linnet_input(net, "y", 16, 4, 4);
    linnet_conv2d(net, x, .name = "a", .out_channels = 64, .kernel = 3, .initial = LINNET_INITIAL_HE_NORMAL);
    linnet_conv2d(net, grouped, .name = "b", .out_channels = 64, .kernel = 3, .groups = 2,
                  .initial = LINNET_INITIAL_HE_NORMAL);
    x = linnet_input(net, "z", 72);
    linnet_linear(net, x, .name = "c", .out_features = 64, .initial = LINNET_INITIAL_SMALL_NORMAL);
    linnet_session *session = linnet_session_new(net, DEVICE(state));
    assert_non_null(session);
    assert_normal(session, "a.weight", sqrt(2.0 / (64 * 9)));
    assert_normal(session, "b.weight", sqrt(2.0 / (64 * 9)));
    assert_normal(session, "c.weight", 0.01);
    assert_ok(linnet_session_get(session, "c.bias", bias, sizeof bias));
    for (int i = 0; i < 64; i++)
        assert_true(bias[i] == 0);
    finish(&net, &session);
}

static void parameters_start_with_given_values(void **state)
{
    const float given[3] = {-1, 0.5f, 2};
    float values[3] = {-1, 0.5f, 2}, got[3];
    linnet_net *net = linnet_net_new(NULL);
    linnet_value x = linnet_input(net, "x", 3);
    linnet_parameter_options options = {
        .struct_size = sizeof options, .initial = LINNET_INITIAL_VALUES, .values = values};
    linnet_value w = linnet_parameter_with(net, "w", 2, (const int64_t[]){1, 3}, &options);
    linnet_linear(net, x, .weight = w, .no_bias = 1);
    values[0] = 9; /* they were copied */
    linnet_session *session = session_of(net, DEVICE(state), 0);
    for (uint64_t seed = 0; seed < 2; seed++) {
        assert_ok(linnet_session_get(session, "w", got, sizeof got));
        assert_floats(got, given, 3, "w");
        SET(session, "w", 4, 5, 6);
        assert_ok(linnet_session_initialize(session, seed));
    }
    finish(&net, &session);
}

static const device_test tests[] = {
    DEVICE_TEST(gradients_of_a_residual_add_up),
    DEVICE_TEST(one_value_may_be_both_inputs),
    DEVICE_TEST(gradients_of_a_shared_weight_add_up),
    DEVICE_TEST(losses_differentiate_in_any_order),
    DEVICE_TEST(losses_may_be_summed),
    DEVICE_TEST(frozen_parameters_stand_still),
    DEVICE_TEST(input_gradients_in_evaluate_behaviour),
    DEVICE_TEST(fused_is_the_same_as_unfused),
    DEVICE_TEST(weights_start_for_relu_when_asked),
    DEVICE_TEST(weights_start_normal_when_asked),
    DEVICE_TEST(parameters_start_with_given_values),
};

int main(int argc, char **argv)
{
    return run_on_devices("session", tests, sizeof tests / sizeof tests[0], argc, argv);
}
