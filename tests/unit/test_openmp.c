/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A host program that computes with OpenMP by itself: sessions inside a parallel region, one a thread, and sessions
 * while other OpenMP threads keep the processors busy. What they compute is, bit for bit, what one session alone does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <linnet/linnet.h>

#include <omp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 40, STEPS = 6, MOST_WEIGHTS = 70000, HOSTS = 3 };

typedef struct weights {
    float values[MOST_WEIGHTS];
    size_t used;
    bool good;
} weights;

static linnet_dataset *digits;

static bool read_weights(linnet_session *session, weights *out)
{
    const char *name;
    linnet_tensor shape;
    out->used = 0;
    for (size_t i = 0; linnet_session_variable(session, i, &name, &shape) == LINNET_OK; i++) {
        size_t count = (size_t)linnet_tensor_count(&shape);
        if (out->used + count > MOST_WEIGHTS ||
            linnet_session_get(session, name, out->values + out->used, count * sizeof(float)) != LINNET_OK)
            return false;
        out->used += count;
    }
    return out->used > 0;
}

static bool train_session(linnet_session *session, linnet_value loss)
{
    linnet_loader *loader = linnet_loader_new(NULL, digits, .batch = BATCH);
    linnet_optimizer *sgd = linnet_sgd_new(session, .learning_rate = 0.05f, .momentum = 0.9f);
    linnet_batch batch;
    linnet_status status = loader && sgd ? LINNET_OK : LINNET_INTERNAL;
    while (status == LINNET_OK && linnet_loader_next(loader, &batch)) {
        linnet_zero_grad(sgd);
        linnet_forward(session, &batch);
        linnet_backward(session, loss);
        status = linnet_step(sgd);
    }
    linnet_optimizer_free(&sgd);
    linnet_loader_free(&loader);
    return status == LINNET_OK;
}

/* LeNet-5 after a few steps. */
static void train(weights *out)
{
    linnet_context *context = linnet_context_new();
    linnet_device *device = linnet_device_open(context, "cpu");
    linnet_model model = {0};
    out->good = false;
    if (device && linnet_model_new(context, "lenet5", NULL, &model) == LINNET_OK) {
        linnet_session *session = linnet_session_new(model.net, device);
        out->good = session && train_session(session, model.loss) && read_weights(session, out);
        linnet_session_free(&session);
        linnet_model_free(&model);
    }
    linnet_device_close(&device);
    linnet_context_free(&context);
}

static void assert_same(const weights *a, const weights *b)
{
    assert_true(a->good && b->good);
    assert_int_equal(a->used, b->used);
    assert_memory_equal(a->values, b->values, a->used * sizeof(float));
}

static void sessions_work_inside_a_parallel_region(void **state)
{
    (void)state;
    static weights alone, together[HOSTS];
    train(&alone);
#pragma omp parallel for num_threads(HOSTS) schedule(static, 1)
    for (int i = 0; i < HOSTS; i++)
        train(&together[i]);
    for (int i = 0; i < HOSTS; i++)
        assert_same(&alone, &together[i]);
}

static atomic_bool stop;

/* Sums that OpenMP's threads share, again and again: false when one was wrong. */
static void *keep_busy(void *argument)
{
    enum { TERMS = 20000 };
    bool right = true;
    while (!atomic_load(&stop)) {
        int64_t sum = 0;
#pragma omp parallel for num_threads(HOSTS) reduction(+ : sum)
        for (int64_t i = 1; i <= TERMS; i++)
            sum += i;
        right = right && sum == (int64_t)TERMS * (TERMS + 1) / 2;
    }
    return right ? argument : NULL;
}

static void sessions_work_beside_busy_openmp_threads(void **state)
{
    (void)state;
    static weights alone, beside;
    pthread_t busy;
    void *right;
    train(&alone);
    atomic_store(&stop, false);
    assert_int_equal(pthread_create(&busy, NULL, keep_busy, &stop), 0);
    for (int i = 0; i < 3; i++) {
        train(&beside);
        assert_same(&alone, &beside);
    }
    atomic_store(&stop, true);
    assert_int_equal(pthread_join(busy, &right), 0);
    assert_non_null(right);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sessions_work_inside_a_parallel_region),
        cmocka_unit_test(sessions_work_beside_busy_openmp_threads),
    };
    setenv("LINNET_NUM_THREADS", "3", 1);
    digits = linnet_dataset_digits(NULL, 1, STEPS * BATCH - 7);
    if (!digits)
        return EXIT_FAILURE;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    linnet_dataset_free(&digits);
    return failed;
}
