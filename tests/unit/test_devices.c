/* SPDX-License-Identifier: Apache-2.0 */
/* What every backend of this build promises about its devices. Backends without a device here are left out. */
#include "plugins.h"

#include "device/device.h"
#include "linnet/linnet.h"

#include <pthread.h>
#include <stdbool.h>

enum { THREADS = 4, ROUNDS = 20, BYTES = 4096 };

/* Calls check with every device of every backend that is there, each in a context of its own. */
static void for_every_device(void (*check)(linnet_context *context, const char *selection))
{
    linnet_context *context = linnet_context_new();
    linnet_backend_report report;
    int checked = 0;
    for (uint32_t i = 0; linnet_backend_report_at(context, i, &report) == LINNET_OK; i++)
        for (uint32_t k = 0; k < report.device_count; k++) {
            char selection[128];
            snprintf(selection, sizeof selection, "%s:%u", report.name, k);
            check(context, selection);
            checked++;
        }
    linnet_context_free(&context);
    assert_true(checked > 0);
}

static linnet_device *open_or_fail(linnet_context *context, const char *selection)
{
    linnet_device *device = linnet_device_open(context, selection);
    if (!device)
        fail_msg("%s does not open: %s", selection, linnet_context_message(context));
    return device;
}

/* A buffer and a queue of its own; what is written comes back. */
static bool round_trip(linnet_device *device, unsigned char salt)
{
    const linnet_backend *b = device->backend;
    linnet_backend_queue *queue = NULL;
    linnet_backend_buffer *buffer = NULL;
    unsigned char wanted[BYTES], got[BYTES] = {0};
    for (int i = 0; i < BYTES; i++)
        wanted[i] = (unsigned char)(i * 7 + salt);
    bool same = b->queue_new(device->handle, 0, &queue) == LINNET_OK &&
                b->buffer_new(device->handle, BYTES, &buffer) == LINNET_OK &&
                b->upload(queue, (linnet_view){buffer, 0}, wanted, BYTES, NULL) == LINNET_OK &&
                b->read(queue, (linnet_view){buffer, 0}, got, BYTES, NULL) == LINNET_OK &&
                memcmp(wanted, got, BYTES) == 0;
    if (queue)
        b->queue_free(queue);
    b->buffer_free(buffer);
    return same;
}

/* ---- Closing ---- */

static void check_closing(linnet_context *context, const char *selection)
{
    linnet_device *device = open_or_fail(context, selection), *second = open_or_fail(context, selection);
    const linnet_backend *backend = device->backend;
    assert_true(round_trip(device, 1));
    assert_true(round_trip(second, 2));
    linnet_device_close(&device);
    assert_true(round_trip(second, 3)); /* the other one stays */
    linnet_device_close(&second);
    if (backend->live_objects && backend->live_objects() != 0)
        fail_msg("%s: %llu objects are left", selection, (unsigned long long)backend->live_objects());
}

static void closing_gives_everything_back(void **state)
{
    (void)state;
    for_every_device(check_closing);
}

/* ---- Threads ---- */

typedef struct job {
    linnet_context *context;
    linnet_device *shared;
    const char *selection;
    int number;
    bool fine;
} job;

static void *work(void *user)
{
    job *j = user;
    j->fine = true;
    for (int i = 0; i < ROUNDS && j->fine; i++) {
        linnet_backend_report report;
        linnet_device *own = linnet_device_open(j->context, j->selection);
        j->fine = own && round_trip(own, (unsigned char)(j->number + i)) &&
                  round_trip(j->shared, (unsigned char)(j->number * 31 + i)) &&
                  linnet_backend_report_at(j->context, 0, &report) == LINNET_OK;
        linnet_device_close(&own);
    }
    return NULL;
}

static void check_threads(linnet_context *context, const char *selection)
{
    pthread_t threads[THREADS];
    job jobs[THREADS];
    linnet_device *shared = open_or_fail(context, selection);
    const linnet_backend *backend = shared->backend;
    for (int i = 0; i < THREADS; i++) {
        jobs[i] = (job){.context = context, .shared = shared, .selection = selection, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &jobs[i]), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        if (!jobs[i].fine)
            fail_msg("%s: thread %d failed", selection, i);
    }
    linnet_device_close(&shared);
    if (backend->live_objects)
        assert_int_equal(backend->live_objects(), 0);
}

static void devices_work_from_several_threads(void **state)
{
    (void)state;
    for_every_device(check_threads);
}

/* ---- Memory ---- */

/* It keeps its device open, and what lies there is fed like anything else. */
static void check_pinned(linnet_context *context, const char *selection)
{
    enum { COUNT = 1000 };
    linnet_device *device = open_or_fail(context, selection);
    const linnet_backend *backend = device->backend;
    float *memory = linnet_pinned_new(device, COUNT * sizeof(float)), *more = linnet_pinned_new(device, 1);
    assert_true(memory && more && (uintptr_t)memory % 64 == 0);
    linnet_net *net = linnet_net_new(context);
    linnet_value y = linnet_relu(net, linnet_input(net, "x", COUNT, 1, 1));
    linnet_session *session = linnet_session_new(net, device);
    linnet_batch batch = {.struct_size = sizeof batch, .feed_count = 1, .size = 1};
    batch.feeds[0] = (linnet_feed){"x", {.type = LINNET_F32, .rank = 4, .dims = {1, COUNT, 1, 1}, .data = memory}};
    for (int i = 0; i < COUNT; i++)
        memory[i] = (float)(i - 500);
    assert_int_equal(linnet_forward(session, &batch), LINNET_OK);
    memset(memory, 0xff, COUNT * sizeof(float));
    assert_int_equal(linnet_session_read(session, y, memory, COUNT * sizeof(float)), LINNET_OK);
    for (int i = 0; i < COUNT; i++)
        assert_true(memory[i] == (float)(i < 500 ? 0 : i - 500));
    assert_null(linnet_pinned_new(device, 0));
    assert_int_equal(linnet_context_last_status(context), LINNET_INVALID);
    assert_null(linnet_pinned_new(device, SIZE_MAX - 1));
    assert_int_equal(linnet_context_last_status(context), LINNET_OUT_OF_MEMORY);
    linnet_session_free(&session);
    linnet_net_free(&net);
    linnet_device_close(&device);
    linnet_pinned_free(memory);
    memset(more, 1, 1);
    linnet_pinned_free(more);
    linnet_pinned_free(NULL);
    if (backend->live_objects && backend->live_objects() != 0)
        fail_msg("%s: %llu objects are left", selection, (unsigned long long)backend->live_objects());
}

/* A loader's batches are the same there, and outlive the caller's hold on the device. */
static void check_pinned_loader(linnet_context *context, const char *selection)
{
    linnet_device *device = open_or_fail(context, selection);
    const linnet_backend *backend = device->backend;
    linnet_dataset *digits = linnet_dataset_digits(context, 1, 10);
    linnet_loader *usual = linnet_loader_new(context, digits, .batch = 4, .shuffle = 1);
    linnet_loader *pinned = linnet_loader_new(context, digits, .batch = 4, .shuffle = 1);
    linnet_batch wanted, got;
    assert_int_equal(linnet_loader_pin(pinned, device), LINNET_OK);
    assert_int_equal(linnet_loader_pin(pinned, device), LINNET_OK);
    assert_int_equal(linnet_loader_pin(pinned, NULL), LINNET_INVALID);
    linnet_device_close(&device);
    while (linnet_loader_next(usual, &wanted)) {
        assert_true(linnet_loader_next(pinned, &got) && got.size == wanted.size);
        for (uint32_t f = 0; f < wanted.feed_count; f++)
            assert_memory_equal(got.feeds[f].tensor.data, wanted.feeds[f].tensor.data,
                                (size_t)linnet_tensor_bytes(&wanted.feeds[f].tensor));
    }
    assert_false(linnet_loader_next(pinned, &got));
    linnet_loader_free(&usual);
    linnet_loader_free(&pinned);
    linnet_dataset_free(&digits);
    if (backend->live_objects && backend->live_objects() != 0)
        fail_msg("%s: %llu objects are left", selection, (unsigned long long)backend->live_objects());
}

/* With OpenCL devices that pin some, and those that do not. */
static void pinned_memory_is_memory(void **state)
{
    (void)state;
    for_every_device(check_pinned);
    for_every_device(check_pinned_loader);
    setenv("LINNET_OPENCL_VARIANT", "transfers=apart", 1);
    for_every_device(check_pinned);
    for_every_device(check_pinned_loader);
    unsetenv("LINNET_OPENCL_VARIANT");
    assert_null(linnet_pinned_new(NULL, 1));
}

/* ---- Results ---- */

enum { STEPS = 4, BATCH = 23, WEIGHTS = 61706 };

static linnet_status train(linnet_session *session, linnet_dataset *digits, linnet_value loss)
{
    linnet_loader *loader = linnet_loader_new(NULL, digits, .batch = BATCH);
    linnet_optimizer *sgd = linnet_sgd_new(session, .learning_rate = 0.05f, .momentum = 0.9f);
    linnet_status status = loader && sgd ? LINNET_OK : LINNET_INTERNAL;
    linnet_batch batch;
    while (status == LINNET_OK && linnet_loader_next(loader, &batch)) {
        linnet_zero_grad(sgd);
        linnet_forward(session, &batch);
        linnet_backward(session, loss);
        status = linnet_step(sgd);
    }
    linnet_optimizer_free(&sgd);
    linnet_loader_free(&loader);
    return status;
}

/* LeNet-5 after a few steps on so many threads of the cpu backend: all its weights, one after the other. */
static void train_with_threads(const char *threads, linnet_dataset *digits, float *out_weights)
{
    setenv("LINNET_NUM_THREADS", threads, 1);
    linnet_context *context = linnet_context_new();
    linnet_device *device = open_or_fail(context, "cpu");
    assert_int_equal(linnet_device_get_info(device)->compute_units, atoi(threads));
    linnet_model model;
    assert_int_equal(linnet_model_new(context, "lenet5", NULL, &model), LINNET_OK);
    linnet_session *session = linnet_session_new(model.net, device);
    assert_non_null(session);
    assert_int_equal(train(session, digits, model.loss), LINNET_OK);
    const char *name;
    linnet_tensor shape;
    size_t used = 0;
    for (size_t i = 0; linnet_session_variable(session, i, &name, &shape) == LINNET_OK; i++) {
        size_t count = (size_t)linnet_tensor_count(&shape);
        assert_true(used + count <= WEIGHTS);
        assert_int_equal(linnet_session_get(session, name, out_weights + used, count * sizeof(float)), LINNET_OK);
        used += count;
    }
    assert_int_equal(used, WEIGHTS);
    linnet_session_free(&session);
    linnet_model_free(&model);
    linnet_device_close(&device);
    linnet_context_free(&context);
    unsetenv("LINNET_NUM_THREADS");
}

static void results_do_not_depend_on_the_number_of_threads(void **state)
{
    (void)state;
    static float one[WEIGHTS], several[WEIGHTS];
    static const char *const numbers[] = {"2", "3", "5"};
    linnet_dataset *digits = linnet_dataset_digits(NULL, 1, STEPS * BATCH - 5);
    assert_non_null(digits);
    train_with_threads("1", digits, one);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        train_with_threads(numbers[i], digits, several);
        if (memcmp(one, several, sizeof one) != 0)
            fail_msg("%s threads give other bits than one", numbers[i]);
    }
    linnet_dataset_free(&digits);
}

/* Layers that look at pictures, large enough to be shared out. */
enum { PIXELS = 70 * 61, PICTURE = 2 * 20 * PIXELS };

static void picture_net(linnet_net *net, linnet_value x, linnet_value losses[3])
{
    linnet_value y = linnet_pad2d(net, x, .mode = LINNET_PAD_REFLECT, .padding = 3);
    losses[0] = linnet_alpha_norm(net, linnet_gram(net, y, 1.0f / PIXELS), 2.5f);
    losses[1] = linnet_total_variation(net, y, 1.5f, 1e-3f);
    losses[2] = linnet_alpha_norm(
        net, linnet_local_conv2d(net, y, .name = "local", .out_channels = 2, .kernel = 2, .stride = 2), 6);
}

/* The losses, then their gradients with respect to the picture and the filters, one after the other. */
static void look_with_threads(const char *threads, const float *picture, float *out, size_t size)
{
    setenv("LINNET_NUM_THREADS", threads, 1);
    linnet_context *context = linnet_context_new();
    linnet_device *device = open_or_fail(context, "cpu");
    linnet_net *net = linnet_net_new(context);
    linnet_value losses[3], x = linnet_input(net, "x", 20, 70, 61);
    picture_net(net, x, losses);
    linnet_session *session = linnet_session_new(net, device);
    assert_non_null(session);
    assert_int_equal(linnet_session_initialize(session, 1), LINNET_OK);
    linnet_value weight = linnet_net_parameter(net, "local.weight");
    linnet_session_set_gradients(session, 1);
    assert_int_equal(linnet_session_want_gradient(session, x), LINNET_OK);
    linnet_batch batch = {.struct_size = sizeof batch, .size = 2, .feed_count = 1};
    batch.feeds[0] = (linnet_feed){
        .name = "x",
        .tensor = {.type = LINNET_F32, .rank = 4, .dims = {2, 20, 70, 61}, .data = (void *)(uintptr_t)picture}};
    assert_int_equal(linnet_forward(session, &batch), LINNET_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(linnet_backward(session, losses[i]), LINNET_OK);
        assert_int_equal(linnet_session_read(session, losses[i], out++, sizeof *out), LINNET_OK);
        assert_int_equal(linnet_session_read_gradient(session, x, out, PICTURE * sizeof *out), LINNET_OK);
        out += PICTURE;
    }
    assert_int_equal(linnet_session_read_gradient(session, weight, out, (size - 3 * (PICTURE + 1)) * sizeof *out),
                     LINNET_OK);
    linnet_session_free(&session);
    linnet_net_free(&net);
    linnet_device_close(&device);
    linnet_context_free(&context);
    unsetenv("LINNET_NUM_THREADS");
}

static void pictures_do_not_depend_on_the_number_of_threads(void **state)
{
    (void)state;
    enum { FILTERS = 38 * 33 * 2 * 20 * 4, SIZE = 3 * (PICTURE + 1) + FILTERS };
    static float picture[PICTURE], one[SIZE], several[SIZE];
    static const char *const numbers[] = {"2", "3", "5"};
    for (uint64_t i = 0; i < PICTURE; i++)
        picture[i] = 2 * linnet_philox_uniform(1, 2, 3, i) - 1;
    look_with_threads("1", picture, one, SIZE);
    assert_true(one[SIZE - 1] != 0 && one[PICTURE] != 0);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        look_with_threads(numbers[i], picture, several, SIZE);
        for (size_t k = 0; k < SIZE; k++)
            if (memcmp(&one[k], &several[k], sizeof one[k]) != 0)
                fail_msg("%s threads give %.9g at %zu, one gives %.9g", numbers[i], (double)several[k], k,
                         (double)one[k]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(closing_gives_everything_back),
        cmocka_unit_test(devices_work_from_several_threads),
        cmocka_unit_test(pinned_memory_is_memory),
        cmocka_unit_test(results_do_not_depend_on_the_number_of_threads),
        cmocka_unit_test(pictures_do_not_depend_on_the_number_of_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
