/* SPDX-License-Identifier: Apache-2.0 */
/* Attacks on a small smooth net: the step against differences of the loss, the ball, what is kept, 8 bits. */
#include "sessions.h"

#include "core/core.h"

#include <math.h>

enum { N = 3, C = 3, SIDE = 4, ITEM = C * SIDE * SIDE, COUNT = N * ITEM, CLASSES = 4 };

typedef struct subject {
    linnet_model model;
    linnet_session *session;
    float pictures[COUNT];
    int32_t labels[N];
    linnet_tensor tensor;
} subject;

/* certainty: factor of the scores. */
static void make_certain(subject *s, linnet_device *device, float certainty)
{
    linnet_net *net = linnet_net_new(NULL);
    assert_non_null(net);
    *s = (subject){
        .model = {.net = net,
                  .preprocess = {.scale = 2, .bgr = 1, .mean = {0.3f, 0.5f, 0.7f}, .deviation = {0.5f, 0.25f, 1}}}};
    s->model.image = linnet_input(net, "image", C, SIDE, SIDE);
    s->model.label = linnet_labels(net, "label");
    linnet_value x = linnet_tanh(net, linnet_conv2d(net, s->model.image, .out_channels = 5, .kernel = 3, .padding = 1));
    s->model.logits = linnet_linear(net, x, .out_features = CLASSES);
    s->model.logits = linnet_scale(net, s->model.logits, certainty, 0);
    linnet_output(net, s->model.logits, "logits");
    s->model.loss = linnet_cross_entropy(net, s->model.logits, s->model.label);
    s->session = linnet_session_new(net, device);
    assert_non_null(s->session);
    assert_ok(linnet_session_initialize(s->session, 9));
    fill_random(s->pictures, COUNT, 3, 1);
    for (int i = 0; i < COUNT; i++)
        s->pictures[i] = 0.5f + 0.3f * s->pictures[i];
    for (int i = 0; i < N; i++)
        s->labels[i] = i + 1;
    s->tensor = (linnet_tensor){.type = LINNET_F32, .rank = 4, .dims = {N, C, SIDE, SIDE}, .data = s->pictures};
}

static void make(subject *s, linnet_device *device)
{
    make_certain(s, device, 1);
}

static void unmake(subject *s)
{
    linnet_session_free(&s->session);
    linnet_model_free(&s->model);
}

/* Mean cross-entropy at pictures. */
static double loss_at(subject *s, const float *pictures)
{
    float input[COUNT], loss;
    linnet_batch batch = {0};
    for (int i = 0; i < N; i++)
        linnet_preprocess_apply(&s->model.preprocess, pictures + i * ITEM, C, SIDE * SIDE, input + i * ITEM);
    FEED(&batch, "image", input, N, C, SIDE, SIDE);
    FEED_LABELS(&batch, "label", s->labels, N);
    assert_ok(linnet_forward(s->session, &batch));
    assert_ok(linnet_session_read(s->session, s->model.loss, &loss, sizeof loss));
    return (double)loss;
}

static double slope(subject *s, int i)
{
    float moved[COUNT];
    memcpy(moved, s->pictures, sizeof moved);
    moved[i] = s->pictures[i] + 0.01f;
    double above = loss_at(s, moved);
    moved[i] = s->pictures[i] - 0.01f;
    return (above - loss_at(s, moved)) / 0.02;
}

/* epsilon times the sign of the slope, measured by differences; downwards for a target. */
static void fgsm_goes_along_the_slope(void **state)
{
    subject s;
    float out[COUNT];
    make(&s, *state);
    for (int targeted = 0; targeted < 2; targeted++) {
        linnet_attack_options o = {.struct_size = sizeof o, .epsilon = 0.05f, .targeted = targeted};
        int checked = 0;
        assert_ok(linnet_attack_with(s.session, &s.model, &s.tensor, s.labels, &o, out, NULL));
        for (int i = 0; i < COUNT; i++) {
            double g = slope(&s, i);
            if (fabs(g) < 1e-4)
                continue;
            float wanted = s.pictures[i] + ((g > 0) == !targeted ? 0.05f : -0.05f);
            assert_true(fabsf(out[i] - wanted) < 1e-6f);
            checked++;
        }
        assert_true(checked > COUNT * 9 / 10);
        assert_true(targeted ? loss_at(&s, out) < loss_at(&s, s.pictures) : loss_at(&s, out) > loss_at(&s, s.pictures));
    }
    assert_int_equal(linnet_session_get_gradients(s.session), 0); /* as before */
    unmake(&s);
}

/* A net so certain that its cross-entropy is 0 in single precision has a slope all the same. */
static void certainty_does_not_hide_the_slope(void **state)
{
    subject s;
    float out[COUNT];
    linnet_attack_options o = {.struct_size = sizeof o};
    int different = 0;
    make_certain(&s, *state, 1e4f);
    assert_ok(linnet_attack_with(s.session, &s.model, &s.tensor, s.labels, &o, out, s.labels));
    assert_true(loss_at(&s, s.pictures) == 0);
    o.epsilon = 0.001f;
    assert_ok(linnet_attack_with(s.session, &s.model, &s.tensor, s.labels, &o, out, NULL));
    for (int i = 0; i < COUNT; i++)
        different += fabsf(out[i] - s.pictures[i]) > 0.0009f;
    assert_true(different > COUNT * 9 / 10);
    unmake(&s);
}

static void assert_in_ball(const subject *s, const float *out, float epsilon)
{
    for (int i = 0; i < COUNT; i++) {
        assert_true(fabsf(out[i] - s->pictures[i]) <= epsilon + 1e-6f);
        assert_true(out[i] >= 0 && out[i] <= 1);
    }
}

/* Whatever the step size and the epsilon; also where the picture is near black and white. */
static void pgd_stays_in_the_ball(void **state)
{
    subject s;
    float out[COUNT];
    make(&s, *state);
    for (int i = 0; i < COUNT; i += 5)
        s.pictures[i] = i % 2 ? 0.995f : 0.002f;
    for (int k = 0; k < 8; k++) {
        static const float epsilons[] = {1 / 255.0f, 0.03f, 0.3f, 1};
        linnet_attack_options o = {.struct_size = sizeof o,
                                   .method = LINNET_ATTACK_PGD,
                                   .epsilon = epsilons[k / 2],
                                   .steps = 7,
                                   .step_size = k % 2 ? 0.5f : 0,
                                   .targeted = k / 2 % 2,
                                   .seed = (uint64_t)k};
        assert_ok(linnet_attack_with(s.session, &s.model, &s.tensor, s.labels, &o, out, NULL));
        assert_in_ball(&s, out, o.epsilon);
    }
    unmake(&s);
}

/* As strong as one step and stronger; the same again from the same seed; no worse than where it begins. */
static void pgd_finds_more(void **state)
{
    subject s;
    float one[COUNT], many[COUNT], again[COUNT];
    int32_t classes[N];
    make(&s, *state);
    linnet_attack_options o = {.struct_size = sizeof o, .epsilon = 0.2f, .seed = 4};
    assert_ok(linnet_attack_with(s.session, &s.model, &s.tensor, s.labels, &o, one, NULL));
    o.method = LINNET_ATTACK_PGD;
    assert_ok(linnet_attack_with(s.session, &s.model, &s.tensor, s.labels, &o, many, classes));
    double one_loss = loss_at(&s, one), many_loss = loss_at(&s, many);
    assert_true(many_loss > one_loss);
    assert_ok(linnet_attack_with(s.session, &s.model, &s.tensor, s.labels, &o, again, NULL));
    assert_memory_equal(many, again, sizeof many);
    o.begin = many;
    o.steps = 1;
    o.step_size = 1; /* far too large: only makes it worse */
    assert_ok(linnet_attack_with(s.session, &s.model, &s.tensor, s.labels, &o, again, NULL));
    assert_true(loss_at(&s, again) >= many_loss - 1e-5);
    for (int i = 0; i < N; i++) { /* what was said is what the net sees */
        linnet_prediction top;
        linnet_tensor item = {.type = LINNET_F32, .rank = 3, .dims = {C, SIDE, SIDE}, .data = many + i * ITEM};
        assert_ok(linnet_classify(s.session, &s.model, &item, 1, &top));
        assert_int_equal(top.class_index, classes[i]);
    }
    unmake(&s);
}

/* epsilon 0: the pictures and what the net sees in them. */
static void nothing_changes_nothing(void **state)
{
    subject s;
    float out[COUNT];
    int32_t classes[N];
    make(&s, *state);
    for (int method = 0; method < 2; method++) {
        linnet_attack_options o = {.struct_size = sizeof o, .method = (linnet_attack_method)method};
        memset(out, 0, sizeof out);
        assert_ok(linnet_attack_with(s.session, &s.model, &s.tensor, s.labels, &o, out, classes));
        assert_memory_equal(out, s.pictures, sizeof out);
        for (int i = 0; i < N; i++) {
            linnet_prediction top;
            linnet_tensor item = {.type = LINNET_F32, .rank = 3, .dims = {C, SIDE, SIDE}, .data = out + i * ITEM};
            assert_ok(linnet_classify(s.session, &s.model, &item, 1, &top));
            assert_int_equal(top.class_index, classes[i]);
        }
    }
    unmake(&s);
}

/* A target is reached where the ball is large. */
static void a_target_is_reached(void **state)
{
    subject s;
    float out[COUNT];
    int32_t classes[N];
    make(&s, *state);
    linnet_attack_options o = {
        .struct_size = sizeof o, .method = LINNET_ATTACK_PGD, .epsilon = 1, .targeted = 1, .stop_early = 1};
    for (int i = 0; i < N; i++)
        s.labels[i] = 2;
    assert_ok(linnet_attack_with(s.session, &s.model, &s.tensor, s.labels, &o, out, classes));
    for (int i = 0; i < N; i++)
        assert_int_equal(classes[i], 2);
    unmake(&s);
}

/* A picture that is no picture is taken for nothing, least of all for the first class. */
static void no_number_is_no_class(void **state)
{
    subject s;
    float out[COUNT];
    int32_t classes[N];
    make(&s, *state);
    for (int i = 0; i < ITEM; i++)
        s.pictures[i] = NAN;
    for (int method = 0; method < 2; method++) {
        assert_ok(linnet_attack(s.session, &s.model, &s.tensor, s.labels, out, classes,
                                .method = (linnet_attack_method)method, .epsilon = 0.1f, .steps = 2));
        assert_int_equal(classes[0], -1);
        for (int i = 1; i < N; i++)
            assert_true(classes[i] >= 0 && classes[i] < CLASSES);
    }
    unmake(&s);
}

static int stop_at_two(void *user, int64_t done, int64_t all)
{
    *(int64_t *)user = done;
    return done == 2 || all != 40;
}

static void wrong_options_are_refused(void **state)
{
    subject s;
    float out[COUNT];
    int64_t done = 0;
    make(&s, *state);
    linnet_attack_options o = {.struct_size = sizeof o, .method = LINNET_ATTACK_PGD, .epsilon = -0.1f};
#define ATTACK linnet_attack_with(s.session, &s.model, &s.tensor, s.labels, &o, out, NULL)
    assert_fails(ATTACK, LINNET_INVALID, "epsilon -0.1");
    o.epsilon = NAN;
    assert_fails(ATTACK, LINNET_INVALID, "epsilon");
    o.epsilon = 0.1f;
    o.method = (linnet_attack_method)2;
    assert_fails(ATTACK, LINNET_INVALID, "no method 2");
    o.method = LINNET_ATTACK_PGD;
    s.labels[1] = CLASSES;
    assert_fails(ATTACK, LINNET_INVALID, "label of picture 1 is none of 4 classes");
    s.labels[1] = 0;
    o.progress = stop_at_two;
    o.user = &done;
    assert_fails(ATTACK, LINNET_INTERRUPTED, "interrupted");
    assert_int_equal(done, 2);
    s.tensor.rank = 2;
    assert_fails(ATTACK, LINNET_SHAPE, "f32 [N,C,H,W]");
    s.tensor.rank = 4;
    s.model.logits = (linnet_value){0};
    assert_fails(ATTACK, LINNET_INVALID, "has no classes");
    unmake(&s);
}

/* Every allocation of the library fails once: a status, and the session goes on. */
static void no_memory_is_said(void **state)
{
    subject s;
    float out[COUNT];
    int32_t classes[N];
    linnet_status status = LINNET_OUT_OF_MEMORY;
    int64_t allocations = 0;
    make(&s, *state);
    linnet_attack_options o = {.struct_size = sizeof o, .method = LINNET_ATTACK_PGD, .epsilon = 0.1f, .steps = 2};
    for (; status != LINNET_OK && allocations < 5000; allocations++) {
        linnet_memory_fail_after(allocations);
        status = linnet_attack_with(s.session, &s.model, &s.tensor, s.labels, &o, out, classes);
        linnet_memory_fail_after(-1);
        if (status != LINNET_OK && status != LINNET_OUT_OF_MEMORY)
            fail_msg("allocation %lld: %s", (long long)allocations, linnet_context_message(NULL));
        assert_int_equal(linnet_session_get_gradients(s.session), 0);
    }
    assert_int_equal(status, LINNET_OK);
    assert_true(allocations > 7);
    unmake(&s);
}

/* Every level of a picture and what lies around it, for epsilons on and between levels. */
static void eight_bits_stay_in_the_ball(void **state)
{
    (void)state;
    static const float epsilons[] = {1 / 255.0f, 2 / 255.0f, 4 / 255.0f, 8 / 255.0f, 0.03f, 0.1f, 0.3f, 0.5f, 0.0021f};
    for (size_t e = 0; e < sizeof epsilons / sizeof epsilons[0]; e++)
        for (int level = 0; level < 256; level++)
            for (int k = -10; k <= 10; k++) {
                float picture = (float)level / 255.0f, moved = picture + epsilons[e] * (float)k / 10.0f;
                uint8_t byte;
                moved = fminf(fmaxf(moved, 0), 1);
                linnet_attack_quantise(&picture, &moved, 1, epsilons[e], &byte);
                double change = fabs((double)byte / 255 - (double)picture);
                assert_true(change <= (double)epsilons[e] + 1e-6);
                assert_true(fabs((double)byte - 255 * (double)moved) < 1); /* one side or the other */
            }
    uint8_t byte; /* four levels are four, not three */
    linnet_attack_quantise(&(float){100 / 255.0f}, &(float){100 / 255.0f + 4 / 255.0f}, 1, 4 / 255.0f, &byte);
    assert_int_equal(byte, 104);
    linnet_attack_quantise(&(float){100 / 255.0f}, &(float){100 / 255.0f - 0.03f}, 1, 0.03f, &byte);
    assert_int_equal(byte, 93); /* 7.65 levels: 7 */
    linnet_attack_quantise(&(float){100.4f / 255.0f}, &(float){100.5f / 255.0f}, 1, 0.1f / 255.0f, &byte);
    assert_int_equal(byte, 100); /* none inside */
}

static void differences_are_measured(void **state)
{
    (void)state;
    linnet_difference d;
    linnet_difference_measure((const float[]){0, 1, 2, 3}, (const float[]){0, 4, -2, 3}, 4, &d);
    assert_true(d.largest == 4 && d.length == 5 && d.mean == 1.75);
}

int main(int argc, char **argv)
{
    static const device_test tests[] = {
        DEVICE_TEST(fgsm_goes_along_the_slope),   DEVICE_TEST(certainty_does_not_hide_the_slope),
        DEVICE_TEST(pgd_stays_in_the_ball),       DEVICE_TEST(pgd_finds_more),
        DEVICE_TEST(a_target_is_reached),         DEVICE_TEST(nothing_changes_nothing),
        DEVICE_TEST(wrong_options_are_refused),   DEVICE_TEST(no_memory_is_said),
        DEVICE_TEST(eight_bits_stay_in_the_ball), DEVICE_TEST(differences_are_measured),
        DEVICE_TEST(no_number_is_no_class),
    };
    return run_on_devices("adversarial", tests, sizeof tests / sizeof tests[0], argc, argv);
}
