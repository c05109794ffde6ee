/* SPDX-License-Identifier: Apache-2.0 */
/* Optimisers against their formulas, schedules, start values, evaluation, the rules of a training round. */
#include "sessions.h"

#include <math.h>

#define DEVICE(state) ((linnet_device *)*(state))

enum { IN = 7, OUT = 3, N = 5, WEIGHTS = OUT * IN };

static float pixels[N * IN], targets[N * OUT];

typedef struct trainee {
    linnet_net *net;
    linnet_value y, loss, weight, bias;
    linnet_session *session;
    linnet_batch batch;
} trainee;

static trainee trainee_new(linnet_device *device)
{
    trainee t = {.net = linnet_net_new(NULL)};
    linnet_value x = linnet_input(t.net, "x", IN);
    t.y = linnet_linear(t.net, x, .name = "fc", .out_features = OUT);
    linnet_output(t.net, t.y, "y");
    t.loss = linnet_mse(t.net, t.y, linnet_input(t.net, "t", OUT));
    t.weight = linnet_net_parameter(t.net, "fc.weight");
    t.bias = linnet_net_parameter(t.net, "fc.bias");
    t.session = linnet_session_new(t.net, device);
    assert_non_null(t.session);
    fill_random(pixels, N * IN, 1, 1);
    fill_random(targets, N * OUT, 1, 2);
    FEED(&t.batch, "x", pixels, N, IN);
    FEED(&t.batch, "t", targets, N, OUT);
    return t;
}

static void trainee_free(trainee *t, linnet_optimizer **optimizer)
{
    linnet_optimizer_free(optimizer);
    linnet_session_free(&t->session);
    linnet_net_free(&t->net);
}

static void weights_of(trainee *t, float *out) /* weight, then bias */
{
    assert_ok(linnet_session_get(t->session, "fc.weight", out, WEIGHTS * sizeof *out));
    assert_ok(linnet_session_get(t->session, "fc.bias", out + WEIGHTS, OUT * sizeof *out));
}

static void gradients_of(trainee *t, float *out)
{
    assert_ok(linnet_session_read_gradient(t->session, t->weight, out, WEIGHTS * sizeof *out));
    assert_ok(linnet_session_read_gradient(t->session, t->bias, out + WEIGHTS, OUT * sizeof *out));
}

static linnet_status round_of(trainee *t, linnet_optimizer *optimizer)
{
    linnet_zero_grad(optimizer);
    linnet_forward(t->session, &t->batch);
    linnet_backward(t->session, t->loss);
    return linnet_step(optimizer);
}

/* ---- Formulas: PyTorch's, in double precision, from the gradients that the session says ---- */

typedef struct formula {
    const char *name;
    int adam;
    linnet_sgd_options sgd;
    linnet_adam_options with_adam;
} formula;

typedef struct slots {
    double a[WEIGHTS + OUT], b[WEIGHTS + OUT];
} slots;

static double sgd_step(const linnet_sgd_options *o, double p, double g, double *velocity)
{
    g += (double)o->weight_decay * p;
    if (o->momentum != 0) {
        *velocity = (double)o->momentum * *velocity + g;
        g = o->nesterov ? g + (double)o->momentum * *velocity : *velocity;
    }
    return p - (double)o->learning_rate * g;
}

static double adam_step(const linnet_adam_options *o, double p, double g, double *first, double *second, int step)
{
    g += (double)o->weight_decay * p;
    *first = (double)o->beta1 * *first + (1 - (double)o->beta1) * g;
    *second = (double)o->beta2 * *second + (1 - (double)o->beta2) * g * g;
    double m = *first / (1 - pow((double)o->beta1, step)), v = *second / (1 - pow((double)o->beta2, step));
    return p - (double)o->learning_rate * m / (sqrt(v) + (double)o->epsilon);
}

static void follow(linnet_device *device, const formula *f)
{
    slots s = {{0}, {0}};
    float before[WEIGHTS + OUT], gradient[WEIGHTS + OUT], after[WEIGHTS + OUT];
    trainee t = trainee_new(device);
    linnet_optimizer *optimizer =
        f->adam ? linnet_adam_new_with(t.session, &f->with_adam) : linnet_sgd_new_with(t.session, &f->sgd);
    assert_non_null(optimizer);
    for (int step = 1; step <= 6; step++) {
        weights_of(&t, before);
        assert_ok(round_of(&t, optimizer));
        gradients_of(&t, gradient);
        weights_of(&t, after);
        for (int i = 0; i < WEIGHTS + OUT; i++) {
            double g = (double)gradient[i], p = (double)before[i];
            double wanted =
                f->adam ? adam_step(&f->with_adam, p, g, &s.a[i], &s.b[i], step) : sgd_step(&f->sgd, p, g, &s.a[i]);
            if (!(fabs((double)after[i] - wanted) <= 2e-6))
                fail_msg("%s, step %d, weight %d is %.8g, the formula says %.8g", f->name, step, i, (double)after[i],
                         wanted);
        }
    }
    assert_int_equal(linnet_optimizer_steps(optimizer), 6);
    trainee_free(&t, &optimizer);
}

static void optimisers_follow_their_formulas(void **state)
{
    const uint32_t sgd = sizeof(linnet_sgd_options), adam = sizeof(linnet_adam_options);
    const formula formulas[] = {
        {"plain", 0, {.struct_size = sgd, .learning_rate = 0.1f}, {0}},
        {"decay", 0, {.struct_size = sgd, .learning_rate = 0.1f, .weight_decay = 0.3f}, {0}},
        {"momentum", 0, {.struct_size = sgd, .learning_rate = 0.1f, .momentum = 0.9f}, {0}},
        {"nesterov",
         0,
         {.struct_size = sgd, .learning_rate = 0.1f, .momentum = 0.8f, .nesterov = 1, .weight_decay = 0.1f},
         {0}},
        {"adam",
         1,
         {0},
         {.struct_size = adam, .learning_rate = 0.05f, .beta1 = 0.9f, .beta2 = 0.999f, .epsilon = 1e-8f}},
        {"adam with decay",
         1,
         {0},
         {.struct_size = adam,
          .learning_rate = 0.05f,
          .beta1 = 0.7f,
          .beta2 = 0.9f,
          .epsilon = 1e-3f,
          .weight_decay = 0.2f}},
    };
    for (size_t i = 0; i < sizeof formulas / sizeof formulas[0]; i++)
        follow(DEVICE(state), &formulas[i]);
}

static void options_have_defaults(void **state)
{
    trainee t = trainee_new(DEVICE(state));
    linnet_optimizer *optimizer = linnet_sgd_new(t.session, .learning_rate = 0);
    assert_true(linnet_optimizer_learning_rate(optimizer) == 1e-3f);
    linnet_optimizer_free(&optimizer);
    optimizer = linnet_adam_new_with(t.session, NULL);
    assert_true(linnet_optimizer_learning_rate(optimizer) == 1e-3f);
    linnet_optimizer_set_learning_rate(optimizer, 0);
    float before[WEIGHTS + OUT], after[WEIGHTS + OUT];
    weights_of(&t, before);
    assert_ok(round_of(&t, optimizer)); /* a rate of zero moves nothing */
    weights_of(&t, after);
    assert_memory_equal(before, after, sizeof after);
    linnet_optimizer_free(&optimizer);
    assert_null(linnet_sgd_new(t.session, .nesterov = 1));
    assert_string_equal(linnet_context_message(NULL), "Nesterov needs a momentum");
    linnet_sgd_options old = {.struct_size = 0};
    assert_null(linnet_sgd_new_with(t.session, &old));
    assert_null(linnet_sgd_new_with(NULL, &old));
    trainee_free(&t, &optimizer);
}

/* ---- A round: any of the four calls may fail, the step knows ---- */

static void the_step_refuses_what_failed_before(void **state)
{
    trainee t = trainee_new(DEVICE(state));
    linnet_optimizer *sgd = linnet_sgd_new(t.session, .learning_rate = 0.1f);
    float before[WEIGHTS + OUT], after[WEIGHTS + OUT];
    linnet_batch bad = t.batch;
    bad.feeds[0].name = "y";
    weights_of(&t, before);
    linnet_zero_grad(sgd);
    linnet_forward(t.session, &bad);
    linnet_backward(t.session, t.loss);
    assert_int_equal(linnet_step(sgd), LINNET_INVALID);
    assert_int_equal(linnet_step(sgd), LINNET_INVALID);
    weights_of(&t, after);
    assert_memory_equal(before, after, sizeof after);
    assert_int_equal(linnet_optimizer_steps(sgd), 0);
    assert_ok(round_of(&t, sgd)); /* zero_grad begins a new round */
    assert_int_equal(linnet_optimizer_steps(sgd), 1);
    assert_int_equal(linnet_step(NULL), LINNET_INVALID);
    assert_int_equal(linnet_zero_grad(NULL), LINNET_INVALID);
    trainee_free(&t, &sgd);
}

/* Two halves of a batch added up are the whole, after scaling. */
static void gradients_of_two_batches_add_up(void **state)
{
    trainee t = trainee_new(DEVICE(state));
    float whole[WEIGHTS + OUT], sum[WEIGHTS + OUT];
    linnet_session_set_gradients(t.session, 1);
    linnet_batch part[2] = {{.feed_count = 0}, {.feed_count = 0}};
    FEED(&part[0], "x", pixels, 4, IN);
    FEED(&part[0], "t", targets, 4, OUT);
    FEED(&part[1], "x", pixels + 4 * IN, 1, IN);
    FEED(&part[1], "t", targets + 4 * OUT, 1, OUT);
    assert_ok(linnet_forward(t.session, &t.batch));
    assert_ok(linnet_backward(t.session, t.loss));
    gradients_of(&t, whole);
    assert_ok(linnet_session_zero_gradients(t.session));
    for (int i = 0; i < 2; i++)
        for (int repeat = 0; repeat < (i ? 1 : 4);
             repeat++) { /* means over 4 and 1: 4 times the first, once the second */
            assert_ok(linnet_forward(t.session, &part[i]));
            assert_ok(linnet_backward(t.session, t.loss));
        }
    gradients_of(&t, sum);
    for (int i = 0; i < WEIGHTS + OUT; i++)
        assert_true(fabsf(sum[i] / N - whole[i]) <= 1e-6f);
    linnet_optimizer *none = NULL;
    trainee_free(&t, &none);
}

/* ---- Start values ---- */

/* As PyTorch's layers: uniform within 1 / sqrt(fan_in), weights and biases; batch norm 1 and 0. */
static void start_values_are_as_wide_as_they_should_be(void **state)
{
    static const struct {
        const char *name;
        int fan_in;
    } wanted[] = {{"conv.weight", 8 * 25}, {"conv.bias", 8 * 25}, {"fc.weight", 512}, {"fc.bias", 512}, {"w", 30}};
    static float data[512 * 512];
    linnet_net *net = linnet_net_new(NULL);
    linnet_value x = linnet_input(net, "x", 16, 12, 12);
    x = linnet_conv2d(net, x, .name = "conv", .out_channels = 512, .kernel = 5, .groups = 2);
    x = linnet_global_avg_pool(net, linnet_batch_norm(net, x, .name = "bn"));
    linnet_linear(net, x, .name = "fc", .out_features = 512);
    linnet_parameter_with(net, "w", 1, (const int64_t[]){4000},
                          &(linnet_parameter_options){.struct_size = sizeof(linnet_parameter_options), .fan_in = 30});
    linnet_session *session = linnet_session_new(net, DEVICE(state));
    assert_non_null(session);
    for (int seed = 0; seed < 2; seed++) {
        assert_ok(linnet_session_initialize(session, (uint64_t)seed));
        for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
            const char *name;
            linnet_tensor shape = {.rank = 0};
            for (size_t v = 0; linnet_session_variable(session, v, &name, &shape) == LINNET_OK; v++)
                if (strcmp(name, wanted[i].name) == 0)
                    break;
            size_t count = (size_t)linnet_tensor_count(&shape);
            double bound = 1 / sqrt(wanted[i].fan_in), sum = 0, squares = 0, largest = 0;
            assert_ok(linnet_session_get(session, wanted[i].name, data, count * sizeof *data));
            for (size_t k = 0; k < count; k++) {
                sum += (double)data[k];
                squares += (double)data[k] * (double)data[k];
                largest = fmax(largest, fabs((double)data[k]));
            }
            double n = (double)count, sigma = bound / sqrt(3);
            assert_true(largest <= bound && largest > bound * (1 - 12 / n)); /* 12/n: a chance of e^-12 to fail */
            assert_true(fabs(sum / n) < 5 * sigma / sqrt(n));
            assert_true(fabs(squares / n / (sigma * sigma) - 1) < 5 * sqrt(0.8 / n));
        }
    }
    float ones[512], zeros[512];
    assert_ok(linnet_session_get(session, "bn.weight", ones, sizeof ones));
    assert_ok(linnet_session_get(session, "bn.running_mean", zeros, sizeof zeros));
    for (int i = 0; i < 512; i++)
        assert_true(ones[i] == 1 && zeros[i] == 0);
    linnet_session_free(&session);
    linnet_net_free(&net);
}

/* ---- Dropout ---- */

/* The same elements are dropped on every device, others at the next step, and as many as asked for. */
static void dropout_masks_are_the_same_everywhere(void **state)
{
    enum { COUNT = 6 * 1500 };
    static float x[COUNT], y[2][3][COUNT];
    linnet_device *devices[] = {DEVICE(state), linnet_device_open(NULL, "reference")};
    for (int i = 0; i < COUNT; i++)
        x[i] = 1;
    for (int d = 0; d < 2; d++) {
        linnet_net *net = linnet_net_new(NULL);
        linnet_value in = linnet_input(net, "x", 15, 10, 10), out = linnet_dropout(net, linnet_relu(net, in), 0.3f);
        linnet_session *session = linnet_session_new(net, devices[d]);
        linnet_session_set_behaviour(session, LINNET_TRAIN);
        assert_ok(linnet_session_initialize(session, 42));
        linnet_batch batch = {.feed_count = 0};
        FEED(&batch, "x", x, 6, 15, 10, 10);
        for (int step = 0; step < 3; step++) {
            assert_ok(linnet_forward(session, &batch));
            assert_ok(linnet_session_read(session, out, y[d][step], sizeof y[d][step]));
        }
        linnet_session_free(&session);
        linnet_net_free(&net);
    }
    for (int step = 0; step < 3; step++) {
        int dropped = 0, changed = 0;
        for (int i = 0; i < COUNT; i++) {
            float value = y[0][step][i];
            assert_true(value == y[1][step][i]);
            assert_true(value == 0 || fabsf(value - 1 / 0.7f) < 1e-6f);
            dropped += value == 0;
            changed += step && (value == 0) != (y[0][step - 1][i] == 0);
        }
        assert_in_range(dropped, COUNT * 0.3 - 200, COUNT * 0.3 + 200);
        assert_true(!step || changed > COUNT / 4);
    }
    linnet_device_close(&devices[1]);
}

/* ---- Schedules ---- */

static void assert_rate(const linnet_schedule *schedule, uint64_t step, double wanted)
{
    double rate = (double)linnet_schedule_rate(schedule, step);
    if (!(fabs(rate - wanted) <= 1e-6 * fabs(wanted) + 1e-12))
        fail_msg("rate at step %llu is %.9g, wants %.9g", (unsigned long long)step, rate, wanted);
}

static void schedules_are_as_written(void **state)
{
    (void)state;
    linnet_schedule constant = {.rate = 0.5f};
    assert_rate(&constant, 0, 0.5);
    assert_rate(&constant, UINT64_MAX, 0.5);
    linnet_schedule step = {.kind = LINNET_SCHEDULE_STEP, .rate = 1, .period = 10, .factor = 0.5f};
    assert_rate(&step, 9, 1);
    assert_rate(&step, 10, 0.5);
    assert_rate(&step, 39, 0.125);
    step.factor = 0;
    assert_rate(&step, 25, 0.01);
    step.period = 0;
    assert_rate(&step, 1000, 1);
    linnet_schedule cosine = {.kind = LINNET_SCHEDULE_COSINE, .rate = 1, .total = 100, .final_rate = 0.2f};
    assert_rate(&cosine, 0, 1);
    assert_rate(&cosine, 50, 0.6);
    assert_rate(&cosine, 25, 0.2 + 0.4 * (1 + sqrt(0.5)));
    assert_rate(&cosine, 100, 0.2);
    assert_rate(&cosine, 100000, 0.2);
    cosine.total = 0;
    assert_rate(&cosine, 7, 1);
    linnet_schedule warm = {.rate = 0.8f, .warm_up = 4};
    assert_rate(&warm, 0, 0.2);
    assert_rate(&warm, 2, 0.6);
    assert_rate(&warm, 3, 0.8);
    assert_rate(&warm, 4, 0.8);
}

static const device_test tests[] = {
    DEVICE_TEST(optimisers_follow_their_formulas),
    DEVICE_TEST(options_have_defaults),
    DEVICE_TEST(the_step_refuses_what_failed_before),
    DEVICE_TEST(gradients_of_two_batches_add_up),
    DEVICE_TEST(start_values_are_as_wide_as_they_should_be),
    DEVICE_TEST(dropout_masks_are_the_same_everywhere),
    DEVICE_TEST(schedules_are_as_written),
};

int main(int argc, char **argv)
{
    return run_on_devices("training", tests, sizeof tests / sizeof tests[0], argc, argv);
}
