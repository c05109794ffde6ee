/* SPDX-License-Identifier: Apache-2.0 */
/* Objectives of pictures: losses against their definitions, gradients against differences, what they refuse. */
#include "sessions.h"

#include "core/core.h"

#include <math.h>

#define DEVICE(state) ((linnet_device *)*(state))
#define TEXTURES(opened)                                                                                               \
    (&(const linnet_feature_source){                                                                                   \
        .struct_size = sizeof(linnet_feature_source), .device = (opened), .model = "textures"})

enum { HEIGHT = 20, WIDTH = 24, COUNT = 3 * HEIGHT * WIDTH, STYLE_HEIGHT = 26, STYLE_WIDTH = 22 };

static float content_numbers[COUNT], style_numbers[3 * STYLE_HEIGHT * STYLE_WIDTH], picture[COUNT];
static const linnet_tensor content = {LINNET_F32, 3, {3, HEIGHT, WIDTH}, content_numbers};
static const linnet_tensor style = {LINNET_F32, 3, {3, STYLE_HEIGHT, STYLE_WIDTH}, style_numbers};

static int make_pictures(void **state)
{
    (void)state;
    fill_random(content_numbers, COUNT, 1, 1);
    fill_random(style_numbers, sizeof style_numbers / sizeof *style_numbers, 1, 2);
    fill_random(picture, COUNT, 1, 3);
    for (int i = 0; i < COUNT; i++) {
        content_numbers[i] = 0.5f + 0.5f * content_numbers[i];
        picture[i] = 0.5f + 0.5f * picture[i];
    }
    return 0;
}

static double loss_at(linnet_objective *objective, const float *x)
{
    static float gradient[COUNT];
    double loss;
    assert_ok(linnet_objective_evaluate(objective, x, gradient, &loss));
    return loss;
}

/* The slope along the gradient and along a random direction, by central differences with Richardson's step. relu's
   kinks and single precision leave a little. */
static void check_slopes(linnet_objective *objective)
{
    static float gradient[COUNT], direction[COUNT], moved[COUNT];
    double loss;
    assert_ok(linnet_objective_evaluate(objective, picture, gradient, &loss));
    fill_random(direction, COUNT, 5, 5);
    for (int which = 0; which < 2; which++) {
        const float *along = which ? direction : gradient;
        double length = 0, said = 0, seen[2];
        for (int i = 0; i < COUNT; i++)
            length += (double)along[i] * (double)along[i];
        for (int i = 0; i < COUNT; i++)
            said += (double)along[i] * (double)gradient[i] / sqrt(length);
        double step = fmin(0.05, 0.02 * loss / fabs(said));
        for (int half = 0; half < 2; half++, step /= 2) {
            double values[2];
            for (int side = 0; side < 2; side++) {
                for (int i = 0; i < COUNT; i++)
                    moved[i] = picture[i] + (float)((side ? -step : step) * (double)along[i] / sqrt(length));
                values[side] = loss_at(objective, moved);
            }
            seen[half] = (values[0] - values[1]) / (2 * step);
        }
        double slope = (4 * seen[1] - seen[0]) / 3;
        if (!(fabs(slope - said) <= 0.01 * fabs(said) + 1e-3 * loss))
            fail_msg("slope %d is %.6g, the gradient says %.6g (loss %.6g)", which, slope, said, loss);
    }
}

static linnet_objective *style_new(linnet_device *device, uint32_t absolute, double tv)
{
    linnet_objective *objective = linnet_style_new(
        NULL, .source = TEXTURES(device), .content = &content, .style = &style, .absolute = absolute, .tv_weight = tv,
        .style_layers = (const linnet_weighted_layer[]){{"scale1", 0.25}, {"scale2", 0}}, .style_count = 2);
    if (!objective)
        fail_msg("%s", linnet_context_message(NULL));
    return objective;
}

static void style_gradients_are_slopes(void **state)
{
    for (uint32_t absolute = 0; absolute < 2; absolute++) {
        linnet_objective *objective = style_new(DEVICE(state), absolute, 0.5);
        check_slopes(objective);
        linnet_objective_free(&objective);
    }
}

static void inversion_gradients_are_slopes(void **state)
{
    linnet_objective *objective =
        linnet_inversion_new(NULL, .source = TEXTURES(DEVICE(state)), .picture = &content, .layer = "scale2");
    assert_non_null(objective);
    check_slopes(objective);
    linnet_objective_free(&objective);
}

/* At the content itself the content loss is 0; weighted relative losses of an all-zero layer would be the weights. */
static void terms_are_what_they_are_called(void **state)
{
    linnet_objective *objective = style_new(DEVICE(state), 0, 2);
    linnet_objective_term term;
    double total = loss_at(objective, content_numbers), sum = 0;
    static const char *const kinds[] = {"content", "style", "style", "total variation"};
    static const char *const layers[] = {"scale2", "scale1", "scale2", ""};
    for (size_t i = 0; i < 4; i++) {
        assert_ok(linnet_objective_get_term(objective, i, &term));
        assert_string_equal(term.kind, kinds[i]);
        assert_string_equal(term.layer, layers[i]);
        sum += term.weight * term.loss;
        if (i == 0)
            assert_true(term.loss == 0);
    }
    assert_int_equal(linnet_objective_get_term(objective, 4, &term), LINNET_END);
    assert_float_equal(sum, total, 1e-4 * total);
    assert_int_equal(linnet_objective_size(objective), COUNT);
    linnet_objective_free(&objective);
}

/* Gram matrix over its positions of scale1's first two maps by plain loops. */
static double gram_of(const float *maps, size_t positions, size_t i, size_t j)
{
    double sum = 0;
    for (size_t p = 0; p < positions; p++)
        sum += (double)maps[i * positions + p] * (double)maps[j * positions + p];
    return sum / (double)positions;
}

static float *maps_of(linnet_device *device, const linnet_tensor *image, int64_t *out_channels)
{
    linnet_model model;
    linnet_value layer;
    linnet_tensor shape;
    float *input = malloc((size_t)linnet_tensor_bytes(image));
    linnet_model_options options = {.struct_size = sizeof options, .height = image->dims[1], .width = image->dims[2]};
    assert_ok(linnet_model_new(NULL, "textures", &options, &model));
    assert_ok(linnet_net_layer(model.net, "scale1", &layer));
    linnet_session *session = linnet_session_new(model.net, device);
    assert_non_null(session);
    assert_ok(linnet_session_keep(session, layer));
    linnet_preprocess_apply(&model.preprocess, image->data, 3, image->dims[1] * image->dims[2], input);
    linnet_batch batch = {.struct_size = sizeof batch, .feed_count = 1, .size = 1};
    batch.feeds[0] = (linnet_feed){"image", {LINNET_F32, 4, {1, 3, image->dims[1], image->dims[2]}, input}};
    assert_ok(linnet_forward(session, &batch));
    assert_ok(linnet_session_shape(session, layer, &shape));
    float *maps = malloc((size_t)linnet_tensor_bytes(&shape));
    assert_ok(linnet_session_read(session, layer, maps, (size_t)linnet_tensor_bytes(&shape)));
    *out_channels = shape.dims[1];
    free(input);
    linnet_session_free(&session);
    linnet_model_free(&model);
    return maps;
}

/* The paper's formulas, with loops: style of another size, content 1/2 sum (F - P)^2. */
static void losses_are_the_papers(void **state)
{
    int64_t n;
    const linnet_tensor made = {LINNET_F32, 3, {3, HEIGHT, WIDTH}, picture};
    float *f = maps_of(DEVICE(state), &made, &n), *p = maps_of(DEVICE(state), &content, &n);
    float *a = maps_of(DEVICE(state), &style, &n);
    double style_loss = 0, content_loss = 0;
    for (size_t i = 0; i < (size_t)n; i++)
        for (size_t j = 0; j < (size_t)n; j++) {
            double difference = gram_of(f, HEIGHT * WIDTH, i, j) - gram_of(a, STYLE_HEIGHT * STYLE_WIDTH, i, j);
            style_loss += difference * difference / (4 * (double)n * (double)n);
        }
    for (size_t i = 0; i < (size_t)n * HEIGHT * WIDTH; i++)
        content_loss += 0.5 * ((double)f[i] - (double)p[i]) * ((double)f[i] - (double)p[i]);
    linnet_objective *objective = linnet_style_new(
        NULL, .source = TEXTURES(DEVICE(state)), .content = &content, .style = &style, .absolute = 1,
        .content_weight = 3, .style_weight = 7, .style_layers = (const linnet_weighted_layer[]){{"scale1", 1}},
        .style_count = 1, .content_layers = (const linnet_weighted_layer[]){{"scale1", 1}}, .content_count = 1);
    assert_non_null(objective);
    assert_float_equal(loss_at(objective, picture), 3 * content_loss + 7 * style_loss, 1e-4 * content_loss);
    linnet_objective_term term;
    assert_ok(linnet_objective_get_term(objective, 1, &term));
    assert_float_equal(term.loss, style_loss, 1e-4 * style_loss);
    linnet_objective_free(&objective);
    free(f);
    free(p);
    free(a);
}

/* From faint noise it takes a while to get contrast: it goes down on every device. */
static void pictures_move(void **state)
{
    static float x[COUNT];
    linnet_minimize_result result;
    linnet_objective *objective = style_new(DEVICE(state), 0, 0);
    linnet_objective_noise(objective, 1, x);
    for (int i = 0; i < COUNT; i++)
        assert_true(x[i] >= 0.45f && x[i] <= 0.55f);
    assert_ok(linnet_minimize(NULL, COUNT, x, linnet_objective_evaluate, objective, &result, .iterations = 20, .low = 0,
                              .high = 1, .method = LINNET_MINIMIZER_ADAM));
    assert_true(result.last < 0.9 * result.first);
    linnet_objective_free(&objective);
}

/* Every eleventh allocation refused in turn: no objective, one sentence, nothing lost; then with all of them it works.
 */
static void objectives_run_out_of_memory(void **state)
{
    static float x[COUNT], gradient[COUNT];
    linnet_status status = LINNET_OUT_OF_MEMORY;
    double loss;
    int64_t allocation = 0;
    for (; status != LINNET_OK; allocation += 11) {
        linnet_context_clear(NULL);
        linnet_memory_fail_after(allocation);
        linnet_objective *objective = linnet_style_new(
            NULL, .source = TEXTURES(DEVICE(state)), .content = &content, .style = &style, .tv_weight = 1,
            .style_layers = (const linnet_weighted_layer[]){{"scale1", 1}}, .style_count = 1);
        status =
            objective ? linnet_objective_evaluate(objective, x, gradient, &loss) : linnet_context_last_status(NULL);
        linnet_memory_fail_after(-1);
        if (status != LINNET_OK)
            assert_int_equal(status, LINNET_OUT_OF_MEMORY);
        if (status != LINNET_OK && objective) /* what was refused once works when there is memory */
            assert_ok(linnet_objective_evaluate(objective, x, gradient, &loss));
        linnet_objective_free(&objective);
    }
    assert_true(allocation > 150);
}

#define REFUSED(status, part, ...)                                                                                     \
    do {                                                                                                               \
        assert_null(linnet_style_new(NULL, __VA_ARGS__));                                                              \
        assert_fails(linnet_context_last_status(NULL), status, part);                                                  \
    } while (0)

static void nonsense_is_refused(void **state)
{
    const linnet_weighted_layer wrong[] = {{"relu9_9", 0}}, flat[] = {{"fc1", 0}};
    const linnet_tensor grey = {LINNET_F32, 3, {1, HEIGHT, WIDTH}, content_numbers};
    const linnet_feature_source lenet = {.struct_size = sizeof lenet, .device = DEVICE(state), .model = "lenet5"};
    const linnet_feature_source sizeless = {.device = DEVICE(state)}, *source = TEXTURES(DEVICE(state));
    REFUSED(LINNET_INVALID, "a content or a style picture is needed", .source = source);
    REFUSED(LINNET_INVALID, "source: options.struct_size is 0", .source = &sizeless, .style = &style);
    REFUSED(LINNET_NOT_FOUND, "scale1", .source = source, .style = &style, .style_layers = wrong, .style_count = 1);
    REFUSED(LINNET_SHAPE, "3 channels, this one has 1", .source = source, .style = &grey);
    REFUSED(LINNET_INVALID, "has no style layers of its own", .source = &lenet, .style = &grey);
    REFUSED(LINNET_SHAPE, "'fc1' has no feature maps", .source = &lenet, .style = &grey, .style_layers = flat,
            .style_count = 1);
    REFUSED(LINNET_INVALID, "negative", .source = source, .style = &style, .tv_weight = -1);
    assert_null(linnet_inversion_new(NULL, .source = source, .picture = &content, .layer = "relu9_9"));
    assert_fails(linnet_context_last_status(NULL), LINNET_NOT_FOUND, "scale5");
    assert_null(linnet_inversion_new(NULL, .source = &sizeless, .picture = &content, .layer = "scale1"));
    assert_fails(linnet_context_last_status(NULL), LINNET_INVALID, "source: options.struct_size is 0");
    assert_null(linnet_inversion_new(NULL, .source = source, .picture = &content));
    assert_fails(linnet_context_last_status(NULL), LINNET_INVALID, "a layer are needed");
}

/* The filters of textures: details without mean, orthogonal; the same numbers for ever. */
static void textures_are_the_same_everywhere(void **state)
{
    enum { FILTERS = 72, TAPS = 75, DETAILS = 32 };
    static float w[FILTERS][TAPS];
    linnet_model model;
    assert_ok(linnet_model_new(NULL, "textures", NULL, &model));
    linnet_session *session = linnet_session_new(model.net, DEVICE(state));
    assert_ok(linnet_session_get(session, "filters3.weight", w, sizeof w));
    for (int i = 0; i < DETAILS; i++)
        for (int j = 0; j <= i; j++) {
            double product = 0, sum = 0;
            for (int t = 0; t < TAPS; t++) {
                product += (double)w[i][t] * (double)w[j][t];
                sum += (double)w[i][t];
                assert_true(w[DETAILS + i][t] == -w[i][t]);
            }
            assert_float_equal(product, i == j ? 4 : 0, 1e-5);
            assert_float_equal(sum, 0, 1e-5);
        }
    linnet_session_free(&session);
    linnet_model_free(&model);
}

static const device_test tests[] = {
    DEVICE_TEST(losses_are_the_papers),
    DEVICE_TEST(style_gradients_are_slopes),
    DEVICE_TEST(inversion_gradients_are_slopes),
    DEVICE_TEST(terms_are_what_they_are_called),
    DEVICE_TEST(pictures_move),
    DEVICE_TEST(nonsense_is_refused),
    DEVICE_TEST(textures_are_the_same_everywhere),
    DEVICE_TEST(objectives_run_out_of_memory),
};

int main(int argc, char **argv)
{
    make_pictures(NULL);
    return run_on_devices("style", tests, sizeof tests / sizeof tests[0], argc, argv);
}
