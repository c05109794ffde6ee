/* SPDX-License-Identifier: Apache-2.0 */
/* Minimising on the host: both methods on functions whose minimum is known, and what stops them. */
#include "sessions.h"

#include <math.h>

/* Rosenbrock's valley over pairs: 100 (y - x^2)^2 + (1 - x)^2, lowest (0) where all are 1. */
typedef struct valley {
    size_t count;
    int evaluations, fail_at; /* fails at this evaluation; 0: never */
    double value_at_failure;  /* no number: handed out instead of a status */
} valley;

static linnet_status rosenbrock(void *user, const float *x, float *out_gradient, double *out_value)
{
    valley *v = user;
    *out_value = 0;
    for (size_t i = 0; i < v->count; i += 2) {
        double a = (double)x[i], b = (double)x[i + 1], fall = b - a * a;
        *out_value += 100 * fall * fall + (1 - a) * (1 - a);
        out_gradient[i] = (float)(-400 * a * fall - 2 * (1 - a));
        out_gradient[i + 1] = (float)(200 * fall);
    }
    if (++v->evaluations != v->fail_at)
        return LINNET_OK;
    *out_value = v->value_at_failure;
    return isnan(v->value_at_failure) ? LINNET_OK : LINNET_DEVICE_LOST;
}

static void lbfgs_goes_down_the_valley(void **state)
{
    (void)state;
    enum { COUNT = 50 }; /* not a multiple of what vector units take */
    float x[COUNT];
    valley v = {.count = COUNT};
    linnet_minimize_result result;
    for (int i = 0; i < COUNT; i++)
        x[i] = i % 2 ? 1.0f : -1.2f;
    if (!linnet_minimizer_available(LINNET_MINIMIZER_LBFGS)) {
        assert_fails(linnet_minimize(NULL, COUNT, x, rosenbrock, &v, &result, .method = LINNET_MINIMIZER_LBFGS),
                     LINNET_UNSUPPORTED, "not in this build");
        assert_string_equal(linnet_minimizer_name(LINNET_MINIMIZER_DEFAULT), "adam");
        return;
    }
    assert_string_equal(linnet_minimizer_name(LINNET_MINIMIZER_DEFAULT), "lbfgs");
    assert_ok(linnet_minimize(NULL, COUNT, x, rosenbrock, &v, &result, .iterations = 200));
    assert_float_equal(result.first, 25 * 24.2, 1e-3);
    assert_true(result.last < 1e-6);
    assert_int_equal(result.evaluations, v.evaluations);
    for (int i = 0; i < COUNT; i++)
        assert_float_equal(x[i], 1, 1e-3);
}

/* By hand: a first step moves every number by the rate against its gradient's sign, whatever the gradient's size. */
static void adam_takes_the_first_step(void **state)
{
    (void)state;
    float x[2] = {-1.2f, 1.0f};
    valley v = {.count = 2};
    linnet_minimize_result result;
    assert_ok(linnet_minimize(NULL, 2, x, rosenbrock, &v, &result, .method = LINNET_MINIMIZER_ADAM, .iterations = 1,
                              .rate = 0.5f));
    assert_float_equal(x[0], -0.7f, 1e-6); /* gradient -215.6 */
    assert_float_equal(x[1], 1.5f, 1e-6);  /* gradient -88 */
    assert_float_equal(result.first, 24.2, 1e-5);
    assert_float_equal(result.last, 100 * 1.01 * 1.01 + 1.7 * 1.7, 1e-4);
    assert_int_equal(result.iterations, 1);
    assert_int_equal(result.evaluations, 2);
}

static void adam_goes_down_the_valley(void **state)
{
    (void)state;
    float x[2] = {-1.2f, 1.0f};
    valley v = {.count = 2};
    linnet_minimize_result result;
    assert_ok(
        linnet_minimize(NULL, 2, x, rosenbrock, &v, &result, .method = LINNET_MINIMIZER_ADAM, .iterations = 4000));
    assert_true(result.last < 1e-3);
}

static void adam_resumes_with_the_same_bits(void **state)
{
    (void)state;
    float whole[4] = {-1.2f, 1, 0.3f, -2}, parts[4] = {-1.2f, 1, 0.3f, -2}, moments[8];
    valley v = {.count = 4};
    assert_ok(linnet_minimize(NULL, 4, whole, rosenbrock, &v, NULL, .method = LINNET_MINIMIZER_ADAM, .iterations = 30));
    for (uint64_t i = 0; i < 30; i += 10)
        assert_ok(linnet_minimize(NULL, 4, parts, rosenbrock, &v, NULL, .method = LINNET_MINIMIZER_ADAM,
                                  .iterations = 10, .done = i, .moments = moments));
    assert_memory_equal(whole, parts, sizeof whole);
}

static void box_holds(void **state)
{
    linnet_minimizer method = (linnet_minimizer)(intptr_t)*state;
    float x[2] = {-3, 0.5f};
    valley v = {.count = 2};
    if (!linnet_minimizer_available(method))
        skip(); /* a build without liblbfgs has no such method */
    assert_ok(linnet_minimize(NULL, 2, x, rosenbrock, &v, NULL, .method = method, .iterations = 3000, .low = -1,
                              .high = 0.8f));
    assert_true(x[0] >= -1 && x[0] <= 0.8f && x[1] >= -1 && x[1] <= 0.8f);
    assert_float_equal(x[0], 0.8f, 0.02); /* the lowest point of the box: 0.8, 0.64 */
    assert_float_equal(x[1], 0.64f, 0.03);
}

typedef struct watcher {
    uint64_t seen, stop_at;
    double value;
} watcher;

static int watch(void *user, uint64_t iteration, double value, const float *x)
{
    watcher *w = user;
    assert_non_null(x);
    assert_int_equal(iteration, w->seen + 1);
    w->seen = iteration;
    w->value = value;
    return iteration == w->stop_at;
}

static void progress_stops(void **state)
{
    linnet_minimizer method = (linnet_minimizer)(intptr_t)*state;
    float x[2] = {-1.2f, 1.0f}, gradient[2];
    valley v = {.count = 2};
    watcher w = {.seen = 20, .stop_at = 25};
    linnet_minimize_result result;
    double value;
    if (!linnet_minimizer_available(method))
        skip(); /* a build without liblbfgs has no such method */
    assert_fails(linnet_minimize(NULL, 2, x, rosenbrock, &v, &result, .method = method, .done = 20, .progress = watch,
                                 .progress_user = &w, .moments = (float[4]){0}),
                 LINNET_INTERRUPTED, "after 25 iterations");
    assert_int_equal(w.seen, 25);
    assert_int_equal(result.iterations, 5);
    assert_ok(rosenbrock(&v, x, gradient, &value));
    assert_float_equal(value, w.value, 1e-4);
}

static void failures_come_through(void **state)
{
    linnet_minimizer method = (linnet_minimizer)(intptr_t)*state;
    if (!linnet_minimizer_available(method))
        skip(); /* a build without liblbfgs has no such method */
    for (int at = 1; at < 8; at++) {
        float x[2] = {-1.2f, 1.0f};
        valley v = {.count = 2, .fail_at = at};
        assert_int_equal(linnet_minimize(NULL, 2, x, rosenbrock, &v, NULL, .method = method), LINNET_DEVICE_LOST);
        assert_int_equal(v.evaluations, at);
        v = (valley){.count = 2, .fail_at = at, .value_at_failure = NAN};
        assert_fails(linnet_minimize(NULL, 2, x, rosenbrock, &v, NULL, .method = method), LINNET_INVALID,
                     "no number any more");
        assert_int_equal(v.evaluations, at);
    }
}

static void at_the_minimum_it_is_over(void **state)
{
    float x[2] = {1, 1};
    valley v = {.count = 2};
    linnet_minimize_result result;
    (void)state;
    if (!linnet_minimizer_available(LINNET_MINIMIZER_LBFGS))
        skip(); /* a build without liblbfgs has no such method */
    assert_ok(linnet_minimize(NULL, 2, x, rosenbrock, &v, &result, .method = LINNET_MINIMIZER_LBFGS));
    assert_true(result.converged && result.iterations == 0);
    assert_true(x[0] == 1 && x[1] == 1);
}

static void nonsense_is_refused(void **state)
{
    float x[2] = {0, 0};
    valley v = {.count = 2};
    (void)state;
    assert_fails(linnet_minimize(NULL, 0, x, rosenbrock, &v, NULL, .iterations = 1), LINNET_INVALID, "are needed");
    assert_fails(linnet_minimize(NULL, 2, x, rosenbrock, &v, NULL, .rate = -1), LINNET_INVALID, "rate -1");
    assert_fails(linnet_minimize(NULL, 2, x, rosenbrock, &v, NULL, .low = 1), LINNET_INVALID, "box [1, 0]");
    assert_fails(linnet_minimize(NULL, 2, x, rosenbrock, &v, NULL, .method = (linnet_minimizer)9), LINNET_INVALID,
                 "no method 9");
    assert_fails(linnet_minimize_with(NULL, 2, x, rosenbrock, &v, &(linnet_minimize_options){0}, NULL), LINNET_INVALID,
                 "struct_size");
    assert_int_equal(v.evaluations, 0);
}

#define BY(function, method) cmocka_unit_test_prestate(function, (void *)(intptr_t)LINNET_MINIMIZER_##method)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lbfgs_goes_down_the_valley),
        cmocka_unit_test(adam_takes_the_first_step),
        cmocka_unit_test(adam_goes_down_the_valley),
        cmocka_unit_test(adam_resumes_with_the_same_bits),
        BY(box_holds, LBFGS),
        BY(box_holds, ADAM),
        BY(progress_stops, LBFGS),
        BY(progress_stops, ADAM),
        BY(failures_come_through, LBFGS),
        BY(failures_come_through, ADAM),
        cmocka_unit_test(at_the_minimum_it_is_over),
        cmocka_unit_test(nonsense_is_refused),
    };
    return cmocka_run_group_tests_name("minimize", tests, NULL, NULL);
}
