/* SPDX-License-Identifier: Apache-2.0 */
/* Batch norm folded into the layer before it: the same numbers as the three layers by themselves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linnet/linnet.h>
#include <math.h>
#include <string.h>

enum { N = 3, C = 2, SIZE = 6, OUT = 4, COUNT = N * OUT * SIZE * SIZE };

typedef struct small_net {
    linnet_net *net;
    linnet_value y, loss;
} small_net;

static small_net make_net(int no_bias)
{
    small_net m = {.net = linnet_net_new(NULL)};
    linnet_value x = linnet_input(m.net, "image", C, SIZE, SIZE);
    x = linnet_conv2d(m.net, x, .name = "conv", .out_channels = OUT, .kernel = 3, .padding = 1, .no_bias = no_bias);
    x = linnet_batch_norm(m.net, x, .name = "norm");
    m.y = linnet_relu(m.net, x);
    linnet_output(m.net, m.y, "y");
    m.loss = linnet_mse(m.net, m.y, linnet_input(m.net, "target", OUT, SIZE, SIZE));
    assert_string_equal(linnet_net_message(m.net), "");
    return m;
}

static linnet_batch make_batch(float *image, float *target)
{
    linnet_batch batch = {.struct_size = sizeof batch, .feed_count = 2, .size = N};
    batch.feeds[0] = (linnet_feed){"image", {LINNET_F32, 4, {N, C, SIZE, SIZE}, image}};
    batch.feeds[1] = (linnet_feed){"target", {LINNET_F32, 4, {N, OUT, SIZE, SIZE}, target}};
    for (int i = 0; i < N * C * SIZE * SIZE; i++)
        image[i] = 2.0f * linnet_philox_uniform(1, 0, 0, (uint64_t)i) - 1.0f;
    for (int i = 0; i < COUNT; i++)
        target[i] = linnet_philox_uniform(2, 0, 0, (uint64_t)i);
    return batch;
}

/* Output in evaluate behaviour; with gradients on nothing is folded. */
static void evaluate(linnet_session *session, const linnet_batch *batch, linnet_value y, int gradients, float *out)
{
    linnet_session_set_behaviour(session, LINNET_EVALUATE);
    linnet_session_set_gradients(session, gradients);
    assert_int_equal(linnet_forward(session, batch), LINNET_OK);
    assert_int_equal(linnet_session_read(session, y, out, COUNT * sizeof *out), LINNET_OK);
}

static void train(linnet_session *session, const linnet_batch *batch, linnet_value loss, linnet_optimizer *sgd)
{
    linnet_session_set_behaviour(session, LINNET_TRAIN);
    linnet_session_set_gradients(session, 1);
    linnet_zero_grad(sgd);
    linnet_forward(session, batch);
    linnet_backward(session, loss);
    assert_int_equal(linnet_step(sgd), LINNET_OK);
}

static int count_steps(linnet_session *session, const linnet_batch *batch, const char *word)
{
    int count = 0;
    char *text = NULL;
    assert_int_equal(linnet_session_describe(session, batch, 0, &text), LINNET_OK);
    for (const char *at = text; (at = strstr(at, word)); at++)
        count++;
    linnet_text_free(&text);
    return count;
}

static void check(const char *backend, int no_bias)
{
    static float image[N * C * SIZE * SIZE], target[COUNT], folded[COUNT], plain[COUNT];
    linnet_batch batch = make_batch(image, target);
    small_net m = make_net(no_bias);
    linnet_device *device = linnet_device_open(NULL, backend);
    assert_non_null(device);
    linnet_session *session = linnet_session_new(m.net, device);
    linnet_optimizer *sgd = linnet_sgd_new(session, .learning_rate = 0.1f);
    for (int round = 0; round < 3; round++) { /* folded weights follow the parameters and statistics they come from */
        train(session, &batch, m.loss, sgd);
        evaluate(session, &batch, m.y, 1, plain);
        assert_true(count_steps(session, &batch, "batch_norm") > 0);
        evaluate(session, &batch, m.y, 0, folded);
        assert_int_equal(count_steps(session, &batch, "batch_norm"), 0);
        for (int i = 0; i < COUNT; i++)
            assert_true(fabsf(folded[i] - plain[i]) <= 1e-5f * (1.0f + fabsf(plain[i])));
    }
    linnet_optimizer_free(&sgd);
    linnet_session_free(&session);
    linnet_device_close(&device);
    linnet_net_free(&m.net);
}

static void test_fold_on_reference(void **state)
{
    (void)state;
    check("reference", 0);
    check("reference", 1);
}

static void test_fold_on_cpu(void **state)
{
    (void)state;
    check("cpu", 0);
    check("cpu", 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fold_on_reference),
        cmocka_unit_test(test_fold_on_cpu),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
