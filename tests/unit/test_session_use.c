/* SPDX-License-Identifier: Apache-2.0 */
/* One session with batches of many sizes, with and without labels, evaluating in between; and every mistake in calling
 * it. */
#include "sessions.h"

#include <math.h>

#define DEVICE(state) ((linnet_device *)*(state))

enum { CLASSES = 3 };

typedef struct classifier {
    linnet_net *net;
    linnet_value image, label, pooled, logits, loss;
    linnet_session *session;
} classifier;

/* Images of any height and width. */
static classifier classifier_new(linnet_device *device)
{
    classifier c = {.net = linnet_net_new(NULL)};
    c.image = linnet_input(c.net, "image", 2, LINNET_FREE, LINNET_FREE);
    linnet_value x = linnet_conv2d(c.net, c.image, .out_channels = 5, .kernel = 3, .padding = 1);
    x = linnet_relu(c.net, linnet_batch_norm(c.net, x));
    c.pooled = linnet_global_avg_pool(c.net, x);
    c.logits = linnet_linear(c.net, c.pooled, .out_features = CLASSES);
    c.label = linnet_labels(c.net, "label");
    linnet_output(c.net, c.logits, "logits");
    c.loss = linnet_cross_entropy(c.net, c.logits, c.label);
    assert_string_equal(linnet_net_message(c.net), "");
    c.session = linnet_session_new(c.net, device);
    assert_non_null(c.session);
    return c;
}

static void classifier_free(classifier *c)
{
    linnet_session_free(&c->session);
    linnet_net_free(&c->net);
}

static float pixels[8 * 2 * 24 * 24];
static const int32_t labels[8] = {0, 1, 2, 0, 1, 2, 0, 1};

static linnet_batch images(int64_t n, int64_t height, int64_t width, int with_labels)
{
    linnet_batch batch = {.feed_count = 0};
    fill_random(pixels, sizeof pixels / sizeof *pixels, 3, 3);
    FEED(&batch, "image", pixels, n, 2, height, width);
    if (with_labels)
        FEED_LABELS(&batch, "label", labels, n);
    return batch;
}

static void logits_of(classifier *c, const linnet_batch *batch, float *out)
{
    assert_ok(linnet_forward(c->session, batch));
    assert_ok(linnet_session_read(c->session, c->logits, out, (size_t)batch->size * CLASSES * sizeof *out));
}

static linnet_session_stats stats_of(const linnet_session *session)
{
    linnet_session_stats stats = {.struct_size = sizeof stats};
    assert_ok(linnet_session_get_stats(session, &stats));
    return stats;
}

/* ---- Sizes ---- */

/* An image's scores do not depend on who else is in the batch, nor on which plan made them. */
static void batches_of_any_size_share_a_session(void **state)
{
    classifier c = classifier_new(DEVICE(state));
    float alone[CLASSES], together[8 * CLASSES];
    const int64_t sizes[] = {8, 3, 1, 7, 8, 3};
    linnet_batch one = images(1, 9, 11, 0);
    logits_of(&c, &one, alone);
    for (int i = 0; i < 6; i++) {
        linnet_batch batch = images(sizes[i], 9, 11, i % 2);
        logits_of(&c, &batch, together);
        for (int k = 0; k < CLASSES; k++)
            assert_true(fabsf(alone[k] - together[k]) <= 1e-5f);
    }
    assert_int_equal(stats_of(c.session).compiles, 4); /* 1 and 8 without labels, 3 and 7 with */
    classifier_free(&c);
}

/* More shapes than the cache holds, twice around; a small plan's result is the same before and after the arena grew. */
static void plans_are_evicted_and_made_again(void **state)
{
    classifier c = classifier_new(DEVICE(state));
    float first[20][CLASSES], again[CLASSES];
    for (int round = 0; round < 2; round++)
        for (int64_t size = 4; size < 24; size++) {
            linnet_batch batch = images(1, size, 27 - size, 0);
            logits_of(&c, &batch, round ? again : first[size - 4]);
            if (round)
                assert_memory_equal(first[size - 4], again, sizeof again);
        }
    assert_true(stats_of(c.session).plans <= 16);
    assert_int_equal(stats_of(c.session).compiles, 40); /* used in a circle, the one longest unused is always next */
    linnet_batch last = images(1, 23, 4, 0);
    logits_of(&c, &last, again);
    assert_int_equal(stats_of(c.session).compiles, 40);
    classifier_free(&c);
}

/* Two sizes of training batches, evaluation in between: the same parameters as training without evaluation. */
static void evaluation_does_not_disturb_training(void **state)
{
    float weight[2][CLASSES * 5], statistics[2][5], scores[8 * CLASSES];
    for (int disturbed = 0; disturbed < 2; disturbed++) {
        classifier c = classifier_new(DEVICE(state));
        linnet_optimizer *adam = linnet_adam_new(c.session, .learning_rate = 0.01f);
        assert_non_null(adam);
        for (int i = 0; i < 6; i++) {
            linnet_batch batch = images(i % 2 ? 3 : 8, 10, 10, 1), other = images(5, 24, 24, i % 2);
            linnet_zero_grad(adam);
            linnet_forward(c.session, &batch);
            linnet_backward(c.session, c.loss);
            assert_ok(linnet_step(adam));
            if (!disturbed)
                continue;
            linnet_session_set_behaviour(c.session, LINNET_EVALUATE);
            linnet_session_set_gradients(c.session, i % 2);
            logits_of(&c, &other, scores);
            linnet_session_set_behaviour(c.session, LINNET_TRAIN);
            linnet_session_set_gradients(c.session, 1);
        }
        assert_ok(linnet_session_get(c.session, "linear1.weight", weight[disturbed], sizeof weight[0]));
        assert_ok(
            linnet_session_get(c.session, "batch_norm1.running_var", statistics[disturbed], sizeof statistics[0]));
        linnet_optimizer_free(&adam);
        classifier_free(&c);
    }
    assert_memory_equal(weight[0], weight[1], sizeof weight[0]);
    assert_memory_equal(statistics[0], statistics[1], sizeof statistics[0]);
}

static void without_labels_the_loss_is_left_out(void **state)
{
    classifier c = classifier_new(DEVICE(state));
    float scores[2 * CLASSES], with[2 * CLASSES], loss;
    linnet_batch batch = images(2, 5, 5, 0);
    linnet_session_set_gradients(c.session, 1);
    logits_of(&c, &batch, scores);
    assert_fails(linnet_session_read(c.session, c.loss, &loss, sizeof loss), LINNET_INVALID, "was not computed");
    assert_fails(linnet_backward(c.session, c.loss), LINNET_INVALID, "an input is missing");
    batch = images(2, 5, 5, 1);
    logits_of(&c, &batch, with);
    assert_memory_equal(scores, with, sizeof with);
    assert_ok(linnet_session_read(c.session, c.loss, &loss, sizeof loss));
    assert_ok(linnet_session_zero_gradients(c.session));
    assert_ok(linnet_backward(c.session, c.loss));
    assert_true(loss > 0);
    classifier_free(&c);
}

/* ---- Mistakes ---- */

static void wrong_feeds_are_refused_and_do_no_harm(void **state)
{
    classifier c = classifier_new(DEVICE(state));
    float before[2 * CLASSES], after[2 * CLASSES];
    linnet_batch good = images(2, 5, 5, 1), bad;
    logits_of(&c, &good, before);
    bad = good;
    bad.feeds[0].name = "picture";
    assert_fails(linnet_forward(c.session, &bad), LINNET_INVALID, "'picture'");
    bad = good;
    bad.feeds[1].name = "image";
    bad.feeds[1].tensor = bad.feeds[0].tensor;
    assert_fails(linnet_forward(c.session, &bad), LINNET_INVALID, "'image' is fed twice");
    bad = good;
    bad.feeds[0].name = NULL;
    assert_fails(linnet_forward(c.session, &bad), LINNET_INVALID, "without a name");
    bad = good;
    bad.feeds[0].tensor.type = LINNET_U8;
    assert_fails(linnet_forward(c.session, &bad), LINNET_SHAPE, "input 'image' wants f32 [N,2,?,?], got u8 [2,2,5,5]");
    bad = good;
    bad.feeds[0].tensor.dims[1] = 3;
    assert_fails(linnet_forward(c.session, &bad), LINNET_SHAPE, "got f32 [2,3,5,5]");
    bad = good;
    bad.feeds[0].tensor.dims[2] = 0;
    assert_fails(linnet_forward(c.session, &bad), LINNET_SHAPE, "got f32 [2,2,0,5]");
    bad = good;
    bad.feeds[0].tensor.dims[2] = INT64_MAX / 2;
    assert_fails(linnet_forward(c.session, &bad), LINNET_SHAPE, "image");
    bad = good;
    bad.feeds[0].tensor.dims[2] = INT64_C(1) << 39;
    assert_int_not_equal(linnet_forward(c.session, &bad), LINNET_OK);
    bad = good;
    bad.feeds[0].tensor.rank = 200;
    assert_fails(linnet_forward(c.session, &bad), LINNET_SHAPE, "image");
    bad = good;
    bad.feeds[0].tensor.data = NULL;
    assert_fails(linnet_forward(c.session, &bad), LINNET_SHAPE, "without data");
    bad = good;
    bad.feeds[1].tensor.dims[0] = 1;
    assert_fails(linnet_forward(c.session, &bad), LINNET_SHAPE, "labels [1] do not fit logits [2,3]");
    bad = good;
    bad.feed_count = 0;
    assert_fails(linnet_forward(c.session, &bad), LINNET_INVALID, "no input of the net is fed");
    bad.feed_count = LINNET_MAX_FEEDS + 1;
    assert_fails(linnet_forward(c.session, &bad), LINNET_INVALID, "feeds");
    assert_fails(linnet_forward(c.session, NULL), LINNET_INVALID, "feeds");
    assert_int_equal(linnet_forward(NULL, &good), LINNET_INVALID);
    assert_fails(linnet_session_read(c.session, c.logits, after, sizeof after), LINNET_INVALID, "before a forward");
    logits_of(&c, &good, after);
    assert_memory_equal(before, after, sizeof after);
    classifier_free(&c);
}

static void calls_in_the_wrong_order_are_refused(void **state)
{
    classifier c = classifier_new(DEVICE(state));
    float scores[2 * CLASSES], gradient[CLASSES];
    linnet_value bias = linnet_net_parameter(c.net, "linear1.bias");
    linnet_batch batch = images(2, 5, 5, 1);
    assert_fails(linnet_session_read(c.session, c.logits, scores, sizeof scores), LINNET_INVALID, "before a forward");
    assert_fails(linnet_backward(c.session, c.loss), LINNET_INVALID, "without a forward");
    assert_ok(linnet_forward(c.session, &batch));
    assert_fails(linnet_backward(c.session, c.loss), LINNET_INVALID, "gradients are off");
    linnet_session_set_gradients(c.session, 1);
    assert_fails(linnet_backward(c.session, c.loss), LINNET_INVALID,
                 "gradients are off"); /* from the next forward on */
    assert_ok(linnet_forward(c.session, &batch));
    assert_fails(linnet_backward(c.session, c.logits), LINNET_INVALID, "no scalar");
    assert_fails(linnet_backward(c.session, (linnet_value){0}), LINNET_INVALID, "not of this net");
    assert_fails(linnet_backward(c.session, (linnet_value){9999}), LINNET_INVALID, "not of this net");
    assert_ok(linnet_backward(c.session, c.loss));
    assert_fails(linnet_backward(c.session, c.loss), LINNET_INVALID, "differentiated already");
    assert_ok(linnet_session_read_gradient(c.session, bias, gradient, sizeof gradient));
    assert_fails(linnet_session_read_gradient(c.session, bias, gradient, 4), LINNET_INVALID, "has 12 bytes");
    assert_fails(linnet_session_read_gradient(c.session, c.pooled, gradient, 4), LINNET_INVALID, "want_gradient");
    assert_fails(linnet_session_read_gradient(c.session, c.image, gradient, 4), LINNET_INVALID, "want_gradient");
    assert_fails(linnet_session_read_gradient(c.session, (linnet_value){9999}, gradient, 4), LINNET_INVALID, "not of");
    assert_fails(linnet_session_read(c.session, c.logits, scores, 4), LINNET_INVALID, "'logits' has 24 bytes");
    assert_fails(linnet_session_read(c.session, c.pooled, scores, 4), LINNET_INVALID, "linnet_session_keep");
    assert_fails(linnet_session_read(c.session, bias, scores, sizeof gradient), LINNET_INVALID, "linnet_session_get");
    assert_fails(linnet_session_keep(c.session, (linnet_value){0}), LINNET_INVALID, "not of the session's net");
    assert_fails(linnet_session_want_gradient(c.session, (linnet_value){9999}), LINNET_INVALID, "not of");
    assert_fails(linnet_session_get(c.session, "nobody", scores, 4), LINNET_NOT_FOUND, "nobody");
    assert_fails(linnet_session_get(c.session, NULL, scores, 4), LINNET_NOT_FOUND, "no parameter");
    assert_fails(linnet_session_set(c.session, "linear1.bias", scores, 8), LINNET_INVALID, "12 bytes");
    linnet_session_stats stats = {.struct_size = 0};
    assert_int_equal(linnet_session_get_stats(c.session, &stats), LINNET_INVALID);
    classifier_free(&c);
}

static void no_session_is_no_crash(void **state)
{
    (void)state;
    float data[4] = {0};
    char *text = NULL;
    const char *name;
    linnet_tensor shape;
    linnet_session *none = NULL;
    const linnet_value x = {1};
    linnet_session_stats stats = {.struct_size = sizeof stats};
    linnet_evaluation evaluation;
    linnet_prediction prediction;
    linnet_batch batch = images(1, 4, 4, 0);
    assert_fails(linnet_forward(none, &batch), LINNET_INVALID, "there is no session");
    assert_fails(linnet_backward(none, x), LINNET_INVALID, "there is no session");
    assert_fails(linnet_session_initialize(none, 1), LINNET_INVALID, "there is no session");
    assert_fails(linnet_session_want_gradient(none, x), LINNET_INVALID, "there is no session");
    assert_fails(linnet_session_add_loss(none, x), LINNET_INVALID, "there is no session");
    assert_fails(linnet_session_keep(none, x), LINNET_INVALID, "there is no session");
    assert_fails(linnet_session_zero_gradients(none), LINNET_INVALID, "there is no session");
    assert_fails(linnet_session_finish(none), LINNET_INVALID, "there is no session");
    assert_fails(linnet_session_read(none, x, data, 4), LINNET_INVALID, "there is no session");
    assert_fails(linnet_session_shape(none, x, &shape), LINNET_INVALID, "there is no session");
    assert_fails(linnet_session_read_gradient(none, x, data, 4), LINNET_INVALID, "there is no session");
    assert_fails(linnet_session_get(none, "w", data, 4), LINNET_INVALID, "there is no session");
    assert_fails(linnet_session_set(none, "w", data, 4), LINNET_INVALID, "there is no session");
    assert_fails(linnet_session_variable(none, 0, &name, &shape), LINNET_INVALID, "there is no session");
    assert_fails(linnet_session_get_stats(none, &stats), LINNET_INVALID, "need a session");
    assert_fails(linnet_session_describe(none, &batch, 0, &text), LINNET_INVALID, "there is no session");
    assert_fails(linnet_save(none, "/nonexistent"), LINNET_INVALID, "there is no session");
    assert_fails(linnet_load(none, "/nonexistent"), LINNET_INVALID, "there is no session");
    assert_fails(linnet_evaluate(none, NULL, x, x, NULL, NULL, NULL, &evaluation), LINNET_INVALID,
                 "there is no session");
    assert_fails(linnet_predict(none, x, &batch.feeds[0].tensor, 1, &prediction), LINNET_INVALID,
                 "there is no session");
    linnet_session_free(&none);
    linnet_session_free(NULL);
}

/* A value that was overwritten in place is not read as the one that lies there now. */
static void overwritten_values_are_not_readable(void **state)
{
    linnet_net *net = linnet_net_new(NULL);
    linnet_value x = linnet_input(net, "x", 4), tanh = linnet_tanh(net, x), sigmoid = linnet_sigmoid(net, tanh);
    linnet_session *session = linnet_session_new(net, DEVICE(state));
    const float data[] = {-1, 0, 1, 2};
    float out[4], input[4];
    linnet_batch batch = {.feed_count = 0};
    FEED(&batch, "x", data, 1, 4);
    assert_ok(linnet_forward(session, &batch));
    assert_fails(linnet_session_read(session, tanh, out, sizeof out), LINNET_INVALID, "linnet_session_keep");
    assert_ok(linnet_session_read(session, sigmoid, out, sizeof out));
    assert_ok(linnet_session_read(session, x, input, sizeof input));
    assert_memory_equal(input, data, sizeof data);
    assert_ok(linnet_session_keep(session, tanh));
    assert_ok(linnet_forward(session, &batch));
    assert_ok(linnet_session_read(session, tanh, out, sizeof out));
    for (int i = 0; i < 4; i++)
        assert_true(fabsf(out[i] - tanhf(data[i])) < 1e-6f);
    linnet_session_free(&session);
    linnet_net_free(&net);
}

/* y = relu(x) + relu(t) of one number each; t is a constant. */
typedef struct adder {
    linnet_net *net;
    linnet_value y, t;
    linnet_session *session;
} adder;

static float sum_of(const adder *s, int64_t n, const float *x, const float *t)
{
    linnet_batch batch = {.feed_count = 0};
    float y[4] = {0};
    FEED(&batch, "x", x, n, 1, 1, 1);
    FEED(&batch, "t", t, n, 1, 1, 1);
    assert_ok(linnet_forward(s->session, &batch));
    assert_ok(linnet_session_read(s->session, s->y, y, (size_t)n * sizeof *y));
    return y[0];
}

static void constants_are_sent_when_they_have_to_be(void **state)
{
    float x[4] = {1, 2, 3, 4}, t[4] = {10, 20, 30, 40}, other[4] = {100, 200, 300, 400};
    adder s = {.net = linnet_net_new(NULL)};
    linnet_value left = linnet_relu(s.net, linnet_input(s.net, "x", 1, 1, 1));
    s.t = linnet_input(s.net, "t", 1, 1, 1);
    s.y = linnet_add(s.net, left, linnet_relu(s.net, s.t));
    s.session = linnet_session_new(s.net, DEVICE(state));
    assert_ok(linnet_session_set_constant(s.session, s.t, 1));
    assert_ok(linnet_session_set_constant(s.session, s.t, 1));
    assert_true(sum_of(&s, 1, x, t) == 11);
    t[0] = 11; /* which may not be done */
    assert_true(sum_of(&s, 1, x + 1, t) == 12);
    assert_true(sum_of(&s, 1, x, other) == 101);
    assert_true(sum_of(&s, 1, x, t) == 12);
    t[0] = 12;
    assert_true(sum_of(&s, 1, x, t) == 12);
    assert_true(sum_of(&s, 4, x, other) == 101); /* in the same memory */
    assert_true(sum_of(&s, 1, x, t) == 13);
    t[0] = 13;
    assert_fails(linnet_forward(s.session, &(linnet_batch){.feed_count = 0}), LINNET_INVALID, "no input");
    assert_true(sum_of(&s, 1, x, t) == 14);
    assert_ok(linnet_session_set_constant(s.session, s.t, 0));
    t[0] = 14;
    assert_true(sum_of(&s, 1, x, t) == 15);
    assert_ok(linnet_session_set_constant(s.session, s.t, 1)); /* a forward without was not a promise */
    t[0] = 15;
    assert_true(sum_of(&s, 1, x, t) == 16);
    assert_fails(linnet_session_set_constant(s.session, s.y, 1), LINNET_INVALID, "only an input");
    assert_fails(linnet_session_set_constant(NULL, s.t, 1), LINNET_INVALID, "there is no session");
    linnet_session_free(&s.session);
    linnet_net_free(&s.net);
}

static void a_net_that_grew_is_refused(void **state)
{
    classifier c = classifier_new(DEVICE(state));
    float out[64];
    linnet_batch batch = images(2, 5, 5, 1);
    assert_ok(linnet_forward(c.session, &batch));
    linnet_value more = linnet_linear(c.net, c.logits, .name = "more", .out_features = 2);
    linnet_value parameter = linnet_net_parameter(c.net, "more.bias");
    assert_fails(linnet_session_read_gradient(c.session, parameter, out, 8), LINNET_INVALID,
                 "not of the session's net");
    assert_fails(linnet_session_read(c.session, more, out, 8), LINNET_INVALID, "more");
    assert_fails(linnet_session_get(c.session, "more.bias", out, 8), LINNET_NOT_FOUND, "more.bias");
    assert_fails(linnet_forward(c.session, &batch), LINNET_INVALID, "the net was changed after the session was made");
    classifier_free(&c);
}

/* ---- Size of the net ---- */

/* A search for formats or places that grew faster than the net would not end within the test's time. */
static void two_hundred_layers_compile(void **state)
{
    linnet_net *net = linnet_net_new(NULL);
    linnet_value x = linnet_input(net, "x", 8, 8, 8);
    for (int i = 0; i < 50; i++) {
        linnet_value y = linnet_conv2d(net, x, .out_channels = 8, .kernel = 3, .padding = 1, .no_bias = 1);
        y = linnet_relu(net, linnet_batch_norm(net, y));
        x = linnet_add(net, x, y);
    }
    linnet_value loss =
        linnet_cross_entropy(net, linnet_linear(net, x, .out_features = 4), linnet_labels(net, "label"));
    assert_string_equal(linnet_net_message(net), "");
    assert_int_equal(linnet_net_node_count(net), 202);
    linnet_session *session = linnet_session_new(net, DEVICE(state));
    linnet_session_set_gradients(session, 1);
    linnet_session_set_behaviour(session, LINNET_TRAIN);
    linnet_batch batch = {.feed_count = 0};
    fill_random(pixels, 8 * 8 * 8, 5, 5);
    FEED(&batch, "x", pixels, 1, 8, 8, 8);
    FEED_LABELS(&batch, "label", labels, 1);
    char *text = NULL;
    assert_ok(linnet_session_describe(session, &batch, 0, &text)); /* compiles, runs nothing */
    linnet_text_free(&text);
    assert_ok(linnet_forward(session, &batch));
    assert_ok(linnet_backward(session, loss));
    linnet_session_free(&session);
    linnet_net_free(&net);
}

/* What a profile says, added up. */
typedef struct profile_sums {
    double forward, backward, seconds, uploads, last;
    size_t steps;
    bool fine;
} profile_sums;

static void add_span(void *context, const linnet_span *span)
{
    profile_sums *sums = context;
    const linnet_step_info *info = &span->step;
    *(info->backward ? &sums->backward : &sums->forward) += (double)info->multiply_adds;
    sums->seconds += span->seconds;
    sums->steps += span->index >= 0;
    sums->uploads += strcmp(info->layer, "upload") == 0 ? (double)info->bytes : 0;
    sums->fine = sums->fine && span->seconds >= 0 && *info->layer && span->host_start >= sums->last &&
                 span->host_end >= span->host_start && span->end >= span->start &&
                 (span->command_count == 0 || span->commands[0].start >= span->host_start - 1e-3);
    sums->fine = sums->fine && (strcmp(info->node, "c") != 0 || info->bytes >= 3 * 2 * 7 * 8 * sizeof(float));
    sums->last = span->host_start;
}

/* Work is that of the direct form: 3x3 over 2 channels to 4, at 5x6 places of 3 items; backwards twice. */
static void profiles_say_what_was_done_and_how_long_it_took(void **state)
{
    float image[3 * 2 * 7 * 8];
    const int32_t classes[3] = {0, 1, 2};
    linnet_step_info info = {.struct_size = sizeof info};
    linnet_net *net = linnet_net_new(NULL);
    linnet_value x = linnet_input(net, "x", 2, 7, 8);
    linnet_value y = linnet_conv2d(net, x, .name = "c", .out_channels = 4, .kernel = 3);
    linnet_value loss = linnet_cross_entropy(net, linnet_flatten(net, y), linnet_labels(net, "label"));
    linnet_session *session = linnet_session_new(net, DEVICE(state));
    linnet_session_set_gradients(session, 1);
    assert_ok(linnet_session_want_gradient(session, x));
    linnet_batch batch = {.feed_count = 0};
    fill_random(image, 3 * 2 * 7 * 8, 5, 5);
    FEED(&batch, "x", image, 3, 2, 7, 8);
    FEED_LABELS(&batch, "label", classes, 3);
    assert_int_equal(linnet_session_step(session, 0, &info), LINNET_END);
    for (int on = 1; on >= 0; on--) {
        profile_sums sums = {.fine = true};
        size_t steps = 0;
        assert_ok(linnet_session_set_profile(session, on));
        assert_ok(linnet_forward(session, &batch));
        assert_ok(linnet_backward(session, loss));
        while (linnet_session_step(session, steps, &info) == LINNET_OK)
            steps++;
        assert_ok(linnet_session_take_profile(session, add_span, &sums));
        assert_true(sums.fine && sums.steps == (on ? steps : 0));
        assert_true(sums.forward == on * 3 * 4 * 5 * 6 * 2 * 9 && sums.backward == 2 * sums.forward);
        assert_true(on ? sums.seconds > 0 && sums.uploads == sizeof image + sizeof classes : sums.seconds == 0);
        assert_ok(linnet_session_take_profile(session, add_span, &sums)); /* nothing is given twice */
        assert_true(sums.steps == (on ? steps : 0));
    }
    linnet_session_free(&session);
    linnet_net_free(&net);
}

static const device_test tests[] = {
    DEVICE_TEST(batches_of_any_size_share_a_session),
    DEVICE_TEST(plans_are_evicted_and_made_again),
    DEVICE_TEST(evaluation_does_not_disturb_training),
    DEVICE_TEST(without_labels_the_loss_is_left_out),
    DEVICE_TEST(wrong_feeds_are_refused_and_do_no_harm),
    DEVICE_TEST(calls_in_the_wrong_order_are_refused),
    DEVICE_TEST(no_session_is_no_crash),
    DEVICE_TEST(overwritten_values_are_not_readable),
    DEVICE_TEST(constants_are_sent_when_they_have_to_be),
    DEVICE_TEST(a_net_that_grew_is_refused),
    DEVICE_TEST(two_hundred_layers_compile),
    DEVICE_TEST(profiles_say_what_was_done_and_how_long_it_took),
};

int main(int argc, char **argv)
{
    return run_on_devices("session in use", tests, sizeof tests / sizeof tests[0], argc, argv);
}
