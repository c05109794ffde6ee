/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The layers that look at pictures, and local_conv2d: results and gradients of small examples. The numbers were
 * computed with PyTorch 1.13 in double precision: gram as 0.5 m m^T, total variation from shifted differences, pads by
 * functional.pad, local_conv2d from unfold and einsum.
 *
 *     test_pictures [DEVICE...]
 */
#include "sessions.h"

#include <math.h>

#define DEVICE(state) ((linnet_device *)*(state))

typedef struct subject {
    linnet_net *net;
    linnet_value x;
    linnet_session *session;
    linnet_batch batch;
} subject;

/* A net with the input "x" [N, dims...]. */
static subject subject_new(size_t rank, const int64_t *dims)
{
    subject s = {.net = linnet_net_new(NULL)};
    s.x = linnet_input_with(s.net, "x", LINNET_F32, rank, dims);
    return s;
}

/* Runs y forward and back from seed. */
static void subject_run(subject *s, linnet_device *device, linnet_value y, int64_t n, const float *x, const float *seed,
                        size_t seed_bytes)
{
    int64_t dims[LINNET_MAX_RANK];
    if (linnet_net_status(s->net) != LINNET_OK)
        fail_msg("%s", linnet_net_message(s->net));
    if (!s->session) {
        s->session = linnet_session_new(s->net, device);
        assert_non_null(s->session);
        linnet_session_set_gradients(s->session, 1);
        assert_ok(linnet_session_want_gradient(s->session, s->x));
        assert_ok(linnet_session_keep(s->session, y));
        assert_ok(linnet_session_add_loss(s->session, y));
    }
    uint32_t rank = linnet_value_shape(s->net, s->x, dims);
    dims[0] = n;
    s->batch = (linnet_batch){.feed_count = 0};
    feed(&s->batch, "x", LINNET_F32, x, rank, dims);
    assert_ok(linnet_forward(s->session, &s->batch));
    assert_ok(linnet_backward_from(s->session, y, seed, seed_bytes));
}

static void subject_free(subject *s)
{
    linnet_session_free(&s->session);
    linnet_net_free(&s->net);
}

static void assert_floats(const float *got, const float *wanted, size_t count, const char *what)
{
    for (size_t i = 0; i < count; i++)
        if (!(fabsf(got[i] - wanted[i]) <= 2e-6f * (1.0f + fabsf(wanted[i]))))
            fail_msg("%s[%zu] is %.7g, wants %.7g", what, i, (double)got[i], (double)wanted[i]);
}

#define FLOATS(...)                                                                                                    \
    (const float[])                                                                                                    \
    {                                                                                                                  \
        __VA_ARGS__                                                                                                    \
    }
#define RUN(s, device, y, n, x, seed) subject_run(s, device, y, n, x, seed, sizeof seed)
#define ASSERT_READS(s, value, ...)                                                                                    \
    do {                                                                                                               \
        float got_[sizeof FLOATS(__VA_ARGS__) / sizeof(float)];                                                        \
        assert_ok(linnet_session_read((s)->session, value, got_, sizeof got_));                                        \
        assert_floats(got_, FLOATS(__VA_ARGS__), sizeof got_ / sizeof *got_, #value);                                  \
    } while (0)
#define ASSERT_GRADIENT(s, value, ...)                                                                                 \
    do {                                                                                                               \
        float got_[sizeof FLOATS(__VA_ARGS__) / sizeof(float)];                                                        \
        assert_ok(linnet_session_read_gradient((s)->session, value, got_, sizeof got_));                               \
        assert_floats(got_, FLOATS(__VA_ARGS__), sizeof got_ / sizeof *got_, "gradient of " #value);                   \
    } while (0)

static void gram_correlates_channels(void **state)
{
    static const float x[] = {1, 2, 3, -1, 0, 2, 0.5f, 1, -2, 2, 2, 1}, seed[] = {1, 2, 3, 4, 5, 6, 7, 8};
    subject s = subject_new(3, (const int64_t[]){2, 1, 3});
    linnet_value y = linnet_gram(s.net, s.x, 0.5f);
    RUN(&s, DEVICE(state), y, 2, x, seed);
    ASSERT_READS(&s, y, 7, 2.5f, 2.5f, 2.5f, 2.625f, 0.5f, 0.5f, 4.5f);
    ASSERT_GRADIENT(&s, s.x, -1.5f, 2, 8, -1.5f, 5, 15.5f, 15.5f, 18, -3.5f, 19.25f, 22.5f, -5);
    subject_free(&s);
}

/* The default scale is 1. */
static void gram_of_one_pixel(void **state)
{
    static const float x[] = {3, -2}, seed[] = {1, 0, 0, 0};
    subject s = subject_new(3, (const int64_t[]){2, 1, 1});
    linnet_value y = linnet_gram(s.net, s.x, 0);
    RUN(&s, DEVICE(state), y, 1, x, seed);
    ASSERT_READS(&s, y, 9, -6, -6, 4);
    ASSERT_GRADIENT(&s, s.x, 6, 0);
    subject_free(&s);
}

/* Two planes; the second is flat but for one pixel, so that most of its differences are 0. */
static const float planes[] = {1, 3, 0, 2, 2, 5, 0, -1, 4, 1, 1, 1, 1, 2, 1, 1, 1, 1};

static subject variation_run(linnet_device *device, float beta, float epsilon, linnet_value *out_loss)
{
    static const float seed[] = {1};
    subject s = subject_new(3, (const int64_t[]){2, 3, 3});
    *out_loss = linnet_total_variation(s.net, s.x, beta, epsilon);
    RUN(&s, device, *out_loss, 1, planes, seed);
    return s;
}

static void total_variation_of_squares(void **state)
{
    linnet_value loss;
    subject s = variation_run(DEVICE(state), 0, 0, &loss); /* beta 2 is the default */
    ASSERT_READS(&s, loss, 93);
    ASSERT_GRADIENT(&s, s.x, -6, 12, -16, 6, -2, 18, -2, -18, 8, 0, -2, 0, -2, 8, -2, 0, -2, 0);
    subject_free(&s);
}

static void total_variation_of_lengths(void **state)
{
    linnet_value loss;
    subject s = variation_run(DEVICE(state), 1, 0.25f, &loss);
    ASSERT_READS(&s, loss, 22.34842f);
    ASSERT_GRADIENT(&s, s.x, -1.309307f, 2.122262f, -1.93208f, 1.406578f, -0.3123475f, 2.591711f, -0.07571531f,
                    -2.591711f, 0.10061f, 0, -0.8944272f, 0, -0.8944272f, 3.122188f, -0.6666667f, 0, -0.6666667f, 0);
    subject_free(&s);
}

static void total_variation_of_powers(void **state)
{
    linnet_value loss;
    subject s = variation_run(DEVICE(state), 1.5f, 0, &loss); /* flat pixels: base and epsilon are 0 */
    ASSERT_READS(&s, loss, 48.57687f);
    ASSERT_GRADIENT(&s, s.x, -3.009331f, 5.380269f, -5.884638f, 3.124431f, -0.843512f, 7.038815f, -0.6213203f,
                    -7.038815f, 1.854102f, 0, -1.5f, 0, -1.5f, 5.522689f, -1.261345f, 0, -1.261345f, 0);
    subject_free(&s);
    s = variation_run(DEVICE(state), 3, 0.5f, &loss);
    ASSERT_READS(&s, loss, 400.9896f);
    ASSERT_GRADIENT(&s, s.x, -21.10687f, 52.95569f, -104.9096f, 19.76355f, -9.721111f, 118.131f, -9.053687f, -118.131f,
                    72.07205f, 0, -3.674235f, 0, -3.674235f, 16.8353f, -4.743416f, 0, -4.743416f, 0);
    subject_free(&s);
}

static subject norm_run(linnet_device *device, float alpha, linnet_value *out_loss)
{
    static const float x[] = {1.5f, -2, 0, 0.5f}, seed[] = {1};
    subject s = subject_new(1, (const int64_t[]){4});
    *out_loss = linnet_alpha_norm(s.net, s.x, alpha);
    RUN(&s, device, *out_loss, 1, x, seed);
    return s;
}

static void alpha_norm_raises_magnitudes(void **state)
{
    linnet_value loss;
    subject s = norm_run(DEVICE(state), 1, &loss);
    ASSERT_READS(&s, loss, 4);
    ASSERT_GRADIENT(&s, s.x, 1, -1, 0, 1);
    subject_free(&s);
    s = norm_run(DEVICE(state), 2, &loss);
    ASSERT_READS(&s, loss, 6.5f);
    ASSERT_GRADIENT(&s, s.x, 3, -4, 0, 1);
    subject_free(&s);
    s = norm_run(DEVICE(state), 0, &loss); /* 6 is the default */
    ASSERT_READS(&s, loss, 75.40625f);
    ASSERT_GRADIENT(&s, s.x, 45.5625f, -192, 0, 0.1875f);
    subject_free(&s);
    s = norm_run(DEVICE(state), 2.5f, &loss);
    ASSERT_READS(&s, loss, 8.589307f);
    ASSERT_GRADIENT(&s, s.x, 4.592793f, -7.071068f, 0, 0.8838835f);
    subject_free(&s);
}

/* What is not finite shows: a gradient that came out as an ordinary number would lead on from a broken picture. */
static void alpha_norm_hides_nothing(void **state)
{
    static const float x[] = {NAN, INFINITY, -INFINITY, 2}, seed[] = {1}, alphas[] = {1, 1.5f, 2.5f, 6};
    for (size_t i = 0; i < sizeof alphas / sizeof *alphas; i++) {
        float loss, gradient[4];
        subject s = subject_new(1, (const int64_t[]){4});
        linnet_value y = linnet_alpha_norm(s.net, s.x, alphas[i]);
        RUN(&s, DEVICE(state), y, 1, x, seed);
        assert_ok(linnet_session_read(s.session, y, &loss, sizeof loss));
        assert_ok(linnet_session_read_gradient(s.session, s.x, gradient, sizeof gradient));
        assert_true(isnan(loss) && isnan(gradient[0]) && isfinite(gradient[3]));
        for (int k = 1; k < 3; k++)
            if (alphas[i] > 1 ? !isinf(gradient[k]) : fabsf(gradient[k]) != 1)
                fail_msg("alpha %g: the gradient at %g is %g", (double)alphas[i], (double)x[k], (double)gradient[k]);
        subject_free(&s);
    }
}

/* Differences whose squares are not finite in single precision: too large a sum, never a small one. */
static void total_variation_of_huge_differences(void **state)
{
    static const float x[] = {-1e20f, 1e20f}, seed[] = {1}, betas[] = {1.5f, 2, 3};
    for (size_t i = 0; i < sizeof betas / sizeof *betas; i++) {
        float loss;
        subject s = subject_new(3, (const int64_t[]){1, 1, 2});
        linnet_value y = linnet_total_variation(s.net, s.x, betas[i], 0);
        RUN(&s, DEVICE(state), y, 1, x, seed);
        assert_ok(linnet_session_read(s.session, y, &loss, sizeof loss));
        if (!((double)loss >= 0.999 * pow(2e20, (double)betas[i])))
            fail_msg("beta %g: the loss is %g", (double)betas[i], (double)loss);
        subject_free(&s);
    }
}

/* A scalar is of some shape, too. */
static void alpha_norm_of_a_scalar(void **state)
{
    static const float x[] = {1.5f, -2}, seed[] = {1};
    subject s = subject_new(1, (const int64_t[]){2});
    linnet_value y = linnet_alpha_norm(s.net, linnet_alpha_norm(s.net, s.x, 2), 2);
    RUN(&s, DEVICE(state), y, 1, x, seed);
    ASSERT_READS(&s, y, 39.0625f);
    ASSERT_GRADIENT(&s, s.x, 37.5f, -50);
    subject_free(&s);
}

/* [1 2 3; 4 5 6] with two columns to the left, one to the right, a row above. */
static subject pad_run(linnet_device *device, uint32_t mode, linnet_value *out_y)
{
    static const float x[] = {1, 2, 3, 4, 5, 6};
    static const float seed[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18};
    subject s = subject_new(3, (const int64_t[]){1, 2, 3});
    *out_y =
        linnet_pad2d(s.net, s.x, .mode = mode, .padding_left = 2, .padding_right = 1, .padding_top = 1, .value = 9);
    RUN(&s, device, *out_y, 1, x, seed);
    return s;
}

static void pad2d_in_every_mode(void **state)
{
    linnet_value y;
    subject s = pad_run(DEVICE(state), LINNET_PAD_CONSTANT, &y);
    ASSERT_READS(&s, y, 9, 9, 9, 9, 9, 9, 9, 9, 1, 2, 3, 9, 9, 9, 4, 5, 6, 9);
    ASSERT_GRADIENT(&s, s.x, 9, 10, 11, 15, 16, 17);
    subject_free(&s);
    s = pad_run(DEVICE(state), LINNET_PAD_REPLICATE, &y);
    ASSERT_READS(&s, y, 1, 1, 1, 2, 3, 3, 1, 1, 1, 2, 3, 3, 4, 4, 4, 5, 6, 6);
    ASSERT_GRADIENT(&s, s.x, 30, 14, 34, 42, 16, 35);
    subject_free(&s);
    s = pad_run(DEVICE(state), LINNET_PAD_REFLECT, &y);
    ASSERT_READS(&s, y, 6, 5, 4, 5, 6, 5, 3, 2, 1, 2, 3, 2, 6, 5, 4, 5, 6, 5);
    ASSERT_GRADIENT(&s, s.x, 9, 30, 18, 18, 60, 36);
    subject_free(&s);
}

/* A free height and width are known when the net runs; one that cannot be reflected is refused then. */
static void pad2d_of_any_size(void **state)
{
    static const float x[] = {1, 2, 3};
    subject s = subject_new(3, (const int64_t[]){1, LINNET_FREE, LINNET_FREE});
    linnet_value y = linnet_pad2d(s.net, s.x, .mode = LINNET_PAD_REFLECT, .padding_left = 2);
    linnet_session *session = linnet_session_new(s.net, DEVICE(state));
    assert_non_null(session);
    linnet_batch batch = {.feed_count = 0};
    FEED(&batch, "x", x, 1, 1, 1, 3);
    assert_ok(linnet_forward(session, &batch));
    float got[5];
    assert_ok(linnet_session_read(session, y, got, sizeof got));
    assert_floats(got, FLOATS(3, 2, 1, 2, 3), 5, "y");
    batch.feed_count = 0;
    FEED(&batch, "x", x, 1, 1, 1, 2);
    assert_fails(linnet_forward(session, &batch), LINNET_SHAPE,
                 "padding 2 at the left reflects more than input [1,1,1,2] has, wants at most 1");
    linnet_session_free(&session);
    subject_free(&s);
}

/* x [2,2,1,3], kernel 1x2, one column of padding to the right: three places with filters of their own. */
static void local_conv2d_shares_nothing(void **state)
{
    static const float x[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, seed[] = {1, 2, 3, -1, 0, 1};
    subject s = subject_new(3, (const int64_t[]){2, 1, 3});
    linnet_value y = linnet_local_conv2d(s.net, s.x, .name = "local", .out_channels = 1, .kernel_h = 1, .kernel_w = 2,
                                         .padding_right = 1);
    linnet_value weight = linnet_net_parameter(s.net, "local.weight"), bias = linnet_net_parameter(s.net, "local.bias");
    s.session = linnet_session_new(s.net, DEVICE(state));
    assert_non_null(s.session);
    linnet_session_set_gradients(s.session, 1);
    assert_ok(linnet_session_want_gradient(s.session, s.x));
    assert_ok(linnet_session_keep(s.session, y));
    assert_ok(linnet_session_add_loss(s.session, y));
    assert_ok(linnet_session_set(s.session, "local.weight", FLOATS(-2, -1, 0, 1, 2, -2, -1, 0, 1, 2, -2, -1),
                                 12 * sizeof(float)));
    assert_ok(linnet_session_set(s.session, "local.bias", FLOATS(0.5f, 1, -1), 3 * sizeof(float)));
    RUN(&s, DEVICE(state), y, 2, x, seed);
    ASSERT_READS(&s, y, 1.5f, -6, -10, -10.5f, -12, -16);
    ASSERT_GRADIENT(&s, s.x, -2, 3, -1, 0, -1, -6, 2, 1, 1, 0, -1, -2);
    ASSERT_GRADIENT(&s, weight, -6, -6, -6, -6, 4, 6, 10, 12, 18, 0, 30, 0);
    ASSERT_GRADIENT(&s, bias, 0, 2, 4);
    subject_free(&s);
}

/* Weights and biases start within 1 / sqrt(inputs of one output), however many places there are. */
static void local_conv2d_starts_like_a_convolution(void **state)
{
    enum { WEIGHTS = 4 * 4 * 2 * 3 * 9, BIASES = 2 * 4 * 4 };
    static float weight[WEIGHTS], bias[BIASES];
    subject s = subject_new(3, (const int64_t[]){3, 6, 6});
    linnet_local_conv2d(s.net, s.x, .name = "local", .out_channels = 2, .kernel = 3);
    s.session = linnet_session_new(s.net, DEVICE(state));
    assert_non_null(s.session);
    assert_ok(linnet_session_get(s.session, "local.weight", weight, sizeof weight));
    assert_ok(linnet_session_get(s.session, "local.bias", bias, sizeof bias));
    float bound = 1 / sqrtf(3 * 9), largest = 0;
    for (size_t i = 0; i < WEIGHTS; i++)
        largest = fmaxf(largest, fabsf(weight[i]));
    for (size_t i = 0; i < BIASES; i++)
        assert_true(fabsf(bias[i]) <= bound);
    assert_true(largest <= bound && largest > 0.95f * bound);
    subject_free(&s);
}

/* With the same filter everywhere it is a convolution. */
static void local_conv2d_with_equal_filters_is_a_convolution(void **state)
{
    enum { N = 5, C = 3, H = 6, W = 5, O = 4, OH = 3, OW = 3, K = C * 9 };
    static float x[N * C * H * W], filters[O * K], weight[OH * OW * O * K], bias[O], biases[O * OH * OW];
    static float local[N * O * OH * OW], shared[N * O * OH * OW];
    linnet_net *net = linnet_net_new(NULL);
    linnet_value in = linnet_input(net, "x", C, H, W);
    linnet_value a =
        linnet_local_conv2d(net, in, .name = "a", .out_channels = O, .kernel = 3, .stride = 2, .padding = 1);
    linnet_value b = linnet_conv2d(net, in, .name = "b", .out_channels = O, .kernel = 3, .stride = 2, .padding = 1);
    linnet_session *session = linnet_session_new(net, DEVICE(state));
    assert_non_null(session);
    fill_random(x, sizeof x / sizeof *x, 1, 1);
    fill_random(filters, O * K, 1, 2);
    fill_random(bias, O, 1, 3);
    for (size_t i = 0; i < OH * OW; i++)
        memcpy(weight + i * O * K, filters, sizeof filters);
    for (size_t i = 0; i < O * OH * OW; i++)
        biases[i] = bias[i / (OH * OW)];
    assert_ok(linnet_session_set(session, "a.weight", weight, sizeof weight));
    assert_ok(linnet_session_set(session, "a.bias", biases, sizeof biases));
    assert_ok(linnet_session_set(session, "b.weight", filters, sizeof filters));
    assert_ok(linnet_session_set(session, "b.bias", bias, sizeof bias));
    linnet_batch batch = {.feed_count = 0};
    FEED(&batch, "x", x, N, C, H, W);
    assert_ok(linnet_forward(session, &batch));
    assert_ok(linnet_session_read(session, a, local, sizeof local));
    assert_ok(linnet_session_read(session, b, shared, sizeof shared));
    assert_floats(local, shared, N * O * OH * OW, "y");
    linnet_session_free(&session);
    linnet_net_free(&net);
}

int main(int argc, char **argv)
{
    static const device_test tests[] = {
        DEVICE_TEST(gram_correlates_channels),
        DEVICE_TEST(gram_of_one_pixel),
        DEVICE_TEST(total_variation_of_squares),
        DEVICE_TEST(total_variation_of_lengths),
        DEVICE_TEST(total_variation_of_powers),
        DEVICE_TEST(alpha_norm_raises_magnitudes),
        DEVICE_TEST(alpha_norm_hides_nothing),
        DEVICE_TEST(total_variation_of_huge_differences),
        DEVICE_TEST(alpha_norm_of_a_scalar),
        DEVICE_TEST(pad2d_in_every_mode),
        DEVICE_TEST(pad2d_of_any_size),
        DEVICE_TEST(local_conv2d_shares_nothing),
        DEVICE_TEST(local_conv2d_starts_like_a_convolution),
        DEVICE_TEST(local_conv2d_with_equal_filters_is_a_convolution),
    };
    return run_on_devices("pictures", tests, sizeof tests / sizeof *tests, argc, argv);
}
