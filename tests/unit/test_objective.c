/* SPDX-License-Identifier: Apache-2.0 */
/* What pictures are optimised for: a little style objective (pad2d, conv2d, relu, gram, mse, total_variation,
 * alpha_norm) and its gradient with respect to the picture, and the gradients of a net with local_conv2d: on every
 * device as on the reference, twice the same bits, and as the objective's own slope says. */
#include "sessions.h"

#include <math.h>

#define DEVICE(state) (*(linnet_device **)(state))

enum { N = 2, H = 13, W = 18, MAPS = 6, PIXELS = N * 3 * H * W };

typedef struct objective {
    linnet_net *net;
    linnet_value image, gram, total;
    linnet_session *session;
} objective;

/* image -> pad -> conv 3x3 -> relu -> gram -> mse, plus how rough and how bright the image is. */
static objective objective_new(linnet_device *device, uint32_t mode, float beta, float epsilon)
{
    objective o = {.net = linnet_net_new(NULL)};
    o.image = linnet_input(o.net, "image", 3, LINNET_FREE, LINNET_FREE);
    linnet_value x = linnet_pad2d(o.net, o.image, .mode = mode, .padding = 2, .padding_right = 3, .value = 0.25f);
    x = linnet_relu(o.net, linnet_conv2d(o.net, x, .out_channels = MAPS, .kernel = 3));
    o.gram = linnet_gram(o.net, x, 1.0f / (H * W));
    linnet_value style = linnet_mse(o.net, o.gram, linnet_input(o.net, "style", MAPS, MAPS));
    style = linnet_scale(o.net, style, 30, 0);
    linnet_value rough = linnet_scale(o.net, linnet_total_variation(o.net, o.image, beta, epsilon), 1e-3f, 0);
    linnet_value bright = linnet_scale(o.net, linnet_alpha_norm(o.net, o.image, 0), 1e-3f, 0);
    o.total = linnet_add(o.net, style, linnet_add(o.net, rough, bright));
    assert_string_equal(linnet_net_message(o.net), "");
    o.session = linnet_session_new(o.net, device);
    assert_non_null(o.session);
    assert_ok(linnet_session_initialize(o.session, 7));
    assert_ok(linnet_session_keep(o.session, o.gram));
    assert_ok(linnet_session_add_loss(o.session, o.total));
    assert_ok(linnet_session_want_gradient(o.session, o.image));
    linnet_session_set_gradients(o.session, 1);
    linnet_session_set_parameter_gradients(o.session, 0);
    return o;
}

static void objective_free(objective *o)
{
    linnet_session_free(&o->session);
    linnet_net_free(&o->net);
}

typedef struct measured {
    float loss, gram[N * MAPS * MAPS], gradient[PIXELS];
} measured;

static void measure(objective *o, const float *pixels, measured *out)
{
    static float style[N * MAPS * MAPS];
    linnet_batch batch = {0};
    fill_random(style, N * MAPS * MAPS, 2, 2);
    for (int i = 0; i < N * MAPS * MAPS; i++)
        style[i] *= 0.25f;
    FEED(&batch, "image", pixels, N, 3, H, W);
    FEED(&batch, "style", style, N, MAPS, MAPS);
    assert_ok(linnet_forward(o->session, &batch));
    assert_ok(linnet_backward(o->session, o->total));
    assert_ok(linnet_session_read(o->session, o->total, &out->loss, sizeof out->loss));
    assert_ok(linnet_session_read(o->session, o->gram, out->gram, sizeof out->gram));
    assert_ok(linnet_session_read_gradient(o->session, o->image, out->gradient, sizeof out->gradient));
}

/* Within tolerance of the largest of wanted. */
static void assert_close(const char *what, const float *got, const float *wanted, size_t count, float tolerance)
{
    float largest = 0;
    for (size_t i = 0; i < count; i++)
        largest = fmaxf(largest, fabsf(wanted[i]));
    assert_true(largest > 0);
    for (size_t i = 0; i < count; i++)
        if (!(fabsf(got[i] - wanted[i]) <= tolerance * largest))
            fail_msg("%s[%zu] is %g, wanted %g, the largest is %g", what, i, (double)got[i], (double)wanted[i],
                     (double)largest);
}

static const struct {
    uint32_t mode;
    float beta, epsilon;
} variants[] = {{LINNET_PAD_REFLECT, 2, 0}, {LINNET_PAD_REPLICATE, 1, 1e-3f}, {LINNET_PAD_CONSTANT, 1.5f, 0}};

enum { VARIANTS = 3 };

static void style_objective_is_as_on_the_reference(void **state)
{
    static float pixels[PIXELS];
    static measured got, again, wanted;
    linnet_device *reference = linnet_device_open(NULL, "reference");
    assert_non_null(reference);
    fill_random(pixels, PIXELS, 11, 1);
    for (int v = 0; v < VARIANTS; v++) {
        objective here = objective_new(DEVICE(state), variants[v].mode, variants[v].beta, variants[v].epsilon);
        objective there = objective_new(reference, variants[v].mode, variants[v].beta, variants[v].epsilon);
        measure(&here, pixels, &got);
        measure(&there, pixels, &wanted);
        assert_close("loss", &got.loss, &wanted.loss, 1, 1e-5f);
        assert_close("gram", got.gram, wanted.gram, N * MAPS * MAPS, 1e-5f);
        assert_close("gradient", got.gradient, wanted.gradient, PIXELS, 1e-5f);
        measure(&here, pixels, &again);
        assert_memory_equal(&got, &again, sizeof got);
        objective_free(&here);
        objective_free(&there);
    }
    linnet_device_close(&reference);
}

/* Along the gradient g the objective rises by |g|^2 a unit of step. */
static void gradient_is_the_slope_of_the_objective(void **state)
{
    static float pixels[PIXELS], moved[PIXELS];
    static measured here, high, low;
    const float step = 0x1p-5f; /* spread over all pixels */
    fill_random(pixels, PIXELS, 12, 1);
    for (int v = 0; v < VARIANTS; v++) {
        objective o = objective_new(DEVICE(state), variants[v].mode, variants[v].beta, variants[v].epsilon);
        double square = 0, dot = 0;
        measure(&o, pixels, &here);
        for (int i = 0; i < PIXELS; i++)
            square += (double)here.gradient[i] * (double)here.gradient[i];
        for (int i = 0; i < PIXELS; i++)
            moved[i] = pixels[i] + step * here.gradient[i] / (float)sqrt(square);
        for (int i = 0; i < PIXELS; i++)
            dot += (double)here.gradient[i] * ((double)moved[i] - (double)pixels[i]);
        measure(&o, moved, &high);
        for (int i = 0; i < PIXELS; i++)
            moved[i] = 2 * pixels[i] - moved[i];
        measure(&o, moved, &low);
        assert_float_equal(((double)high.loss - (double)low.loss) / (2 * dot), 1, 5e-4);
        objective_free(&o);
    }
}

/* ---- Filters that are not shared ---- */

enum { IMAGES = 5, SIDE = 9, OUT = 5, WEIGHTS = OUT * OUT * 4 * 2 * 3 * 3, BIASES = 4 * OUT * OUT };

typedef struct local_gradients {
    float loss, image[IMAGES * 2 * SIDE * SIDE], weight[WEIGHTS], bias[BIASES];
} local_gradients;

/* image -> local_conv2d 3x3 with stride 2 -> tanh -> linear -> cross_entropy */
static void local_measure(linnet_device *device, local_gradients *out)
{
    static float pixels[IMAGES * 2 * SIDE * SIDE];
    static const int32_t labels[IMAGES] = {0, 2, 1, 1, 0};
    linnet_batch batch = {0};
    linnet_net *net = linnet_net_new(NULL);
    linnet_value image = linnet_input(net, "image", 2, SIDE, SIDE);
    linnet_value x =
        linnet_local_conv2d(net, image, .name = "local", .out_channels = 4, .kernel = 3, .stride = 2, .padding = 1);
    x = linnet_linear(net, linnet_tanh(net, x), .out_features = 3);
    linnet_value loss = linnet_cross_entropy(net, x, linnet_labels(net, "label"));
    assert_string_equal(linnet_net_message(net), "");
    linnet_session *session = linnet_session_new(net, device);
    assert_non_null(session);
    assert_ok(linnet_session_initialize(session, 3));
    assert_ok(linnet_session_want_gradient(session, image));
    linnet_session_set_gradients(session, 1);
    fill_random(pixels, sizeof pixels / sizeof *pixels, 4, 4);
    FEED(&batch, "image", pixels, IMAGES, 2, SIDE, SIDE);
    FEED_LABELS(&batch, "label", labels, IMAGES);
    assert_ok(linnet_session_zero_gradients(session));
    assert_ok(linnet_forward(session, &batch));
    assert_ok(linnet_backward(session, loss));
    assert_ok(linnet_session_read(session, loss, &out->loss, sizeof out->loss));
    assert_ok(linnet_session_read_gradient(session, image, out->image, sizeof out->image));
    assert_ok(
        linnet_session_read_gradient(session, linnet_net_find(net, "local.weight"), out->weight, sizeof out->weight));
    assert_ok(linnet_session_read_gradient(session, linnet_net_find(net, "local.bias"), out->bias, sizeof out->bias));
    linnet_session_free(&session);
    linnet_net_free(&net);
}

static void local_convolution_learns_as_on_the_reference(void **state)
{
    static local_gradients got, again, wanted;
    linnet_device *reference = linnet_device_open(NULL, "reference");
    assert_non_null(reference);
    local_measure(DEVICE(state), &got);
    local_measure(reference, &wanted);
    assert_close("loss", &got.loss, &wanted.loss, 1, 1e-5f);
    assert_close("image", got.image, wanted.image, sizeof got.image / sizeof(float), 1e-5f);
    assert_close("weight", got.weight, wanted.weight, WEIGHTS, 1e-5f);
    assert_close("bias", got.bias, wanted.bias, BIASES, 1e-5f);
    local_measure(DEVICE(state), &again);
    assert_memory_equal(&got, &again, sizeof got);
    linnet_device_close(&reference);
}

int main(int argc, char **argv)
{
    static const device_test tests[] = {
        DEVICE_TEST(style_objective_is_as_on_the_reference),
        DEVICE_TEST(gradient_is_the_slope_of_the_objective),
        DEVICE_TEST(local_convolution_learns_as_on_the_reference),
    };
    return run_on_devices("objective", tests, sizeof tests / sizeof *tests, argc, argv);
}
