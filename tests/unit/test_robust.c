/* SPDX-License-Identifier: Apache-2.0 */
/* Memory that runs out at every single allocation, forks, threads that share a device. */
#include "sessions.h"

#include "core/core.h"

#include <math.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

enum { N = 6 };

static float pixels[N * 2 * 49];
static const int32_t labels[N] = {0, 1, 2, 2, 1, 0};

typedef struct machine {
    linnet_net *net;
    linnet_value logits, loss;
    linnet_session *session;
    linnet_optimizer *adam;
} machine;

static linnet_batch batch_of(int64_t n)
{
    linnet_batch batch = {.feed_count = 0};
    FEED(&batch, "image", pixels, n, 2, 7, 7);
    FEED_LABELS(&batch, "label", labels, n);
    return batch;
}

/* Every kind of step: conversion, fusion, residual sums, running statistics, dropout, two losses. */
static linnet_status machine_new(linnet_device *device, machine *m)
{
    *m = (machine){.net = linnet_net_new(NULL)};
    if (!m->net)
        return linnet_context_last_status(NULL);
    linnet_value x = linnet_input(m->net, "image", 2, 7, 7);
    x = linnet_relu(m->net, linnet_conv2d(m->net, x, .out_channels = 16, .kernel = 3, .padding = 1));
    linnet_value y = linnet_batch_norm(m->net, linnet_conv2d(m->net, x, .out_channels = 16, .kernel = 1));
    x = linnet_add(m->net, x, linnet_tanh(m->net, y));
    linnet_value parts[] = {x, x, linnet_mul(m->net, y, y)};
    x = linnet_dropout(m->net, linnet_max_pool2d(m->net, linnet_concat(m->net, parts, 3, 1), .kernel = 2), 0.2f);
    m->logits = linnet_linear(m->net, x, .out_features = 3);
    linnet_output(m->net, m->logits, "logits");
    m->loss = linnet_cross_entropy(m->net, m->logits, linnet_labels(m->net, "label"));
    linnet_mse(m->net, m->logits, linnet_scale(m->net, m->logits, 0, 0));
    if (linnet_net_status(m->net) != LINNET_OK)
        return linnet_net_status(m->net);
    m->session = linnet_session_new(m->net, device);
    m->adam = m->session ? linnet_adam_new(m->session, .learning_rate = 0.01f) : NULL;
    return m->adam ? LINNET_OK : linnet_context_last_status(NULL);
}

static void machine_free(machine *m)
{
    linnet_optimizer_free(&m->adam);
    linnet_session_free(&m->session);
    linnet_net_free(&m->net);
}

static linnet_status train(machine *m, int64_t n)
{
    linnet_batch batch = batch_of(n);
    linnet_status status = linnet_zero_grad(m->adam);
    if (status == LINNET_OK)
        status = linnet_forward(m->session, &batch);
    if (status == LINNET_OK)
        status = linnet_backward(m->session, m->loss);
    return status == LINNET_OK ? linnet_step(m->adam) : status;
}

static float loss_of(machine *m)
{
    float loss = NAN;
    assert_ok(linnet_session_read(m->session, m->loss, &loss, sizeof loss));
    return loss;
}

/* ---- Memory: the walks end when nothing failed any more ---- */

static void make_pixels(void)
{
    fill_random(pixels, sizeof pixels / sizeof *pixels, 6, 6);
}

/* Failing with anything but this status (and a sentence) is wrong. */
static void assert_out_of_memory(linnet_status status, int64_t allocation, const char *what)
{
    if (status != LINNET_OUT_OF_MEMORY || !*linnet_context_message(NULL))
        fail_msg("%s, allocation %lld: %s: '%s'", what, (long long)allocation, linnet_status_name(status),
                 linnet_context_message(NULL));
}

static void building_and_training_run_out_of_memory(void **state)
{
    linnet_device *device = *state;
    linnet_status status = LINNET_OUT_OF_MEMORY;
    int64_t allocation = 0;
    for (; status != LINNET_OK; allocation++) {
        machine m;
        linnet_context_clear(NULL);
        linnet_memory_fail_after(allocation);
        status = machine_new(device, &m);
        if (status == LINNET_OK)
            status = train(&m, N);
        linnet_memory_fail_after(-1);
        if (status != LINNET_OK)
            assert_out_of_memory(status, allocation, "building");
        machine_free(&m);
    }
    assert_true(allocation > 150);
    print_message("%lld allocations\n", (long long)allocation);
}

/* A session that was refused memory works as if nothing had happened once there is some. */
static void sessions_survive_a_lack_of_memory(void **state)
{
    linnet_device *device = *state;
    linnet_status status = LINNET_OUT_OF_MEMORY;
    machine whole, m;
    assert_ok(machine_new(device, &whole));
    assert_ok(train(&whole, 2));
    float first = loss_of(&whole);
    assert_ok(machine_new(device, &m));
    for (int64_t allocation = 0; status != LINNET_OK; allocation++) {
        linnet_batch batch = batch_of(2);
        linnet_session_set_behaviour(m.session, LINNET_EVALUATE);
        linnet_memory_fail_after(allocation);
        status = linnet_forward(m.session, &batch);
        linnet_memory_fail_after(-1);
        if (status == LINNET_OK)
            continue;
        assert_out_of_memory(status, allocation, "evaluating");
        assert_fails(linnet_session_read(m.session, m.loss, &first, sizeof first), LINNET_INVALID, "before a forward");
        assert_int_equal(linnet_backward(m.session, m.loss), LINNET_OUT_OF_MEMORY); /* the forward's */
    }
    linnet_session_set_behaviour(m.session, LINNET_TRAIN);
    for (int64_t allocation = 0; allocation < 40; allocation++) { /* other sizes, each refused once */
        linnet_memory_fail_after(allocation);
        status = train(&m, 1 + allocation % N);
        linnet_memory_fail_after(-1);
        if (status != LINNET_OK)
            assert_out_of_memory(status, allocation, "training");
    }
    assert_ok(linnet_session_initialize(m.session, 0));
    assert_ok(train(&m, 2));
    assert_true(isfinite(first) && loss_of(&m) == loss_of(&whole));
    machine_free(&whole);
    machine_free(&m);
}

static void saving_runs_out_of_memory(void **state)
{
    (void)state;
    char path[] = TEST_BINARY_DIR "/tests/unit/robust.safetensors";
    linnet_device *device = linnet_device_open(NULL, "reference");
    linnet_status status = LINNET_OUT_OF_MEMORY;
    machine m;
    assert_ok(machine_new(device, &m));
    assert_ok(train(&m, 2));
    unlink(path);
    linnet_checkpoint checkpoint = {.struct_size = sizeof checkpoint, .session = m.session, .optimizer = m.adam};
    for (int64_t allocation = 0; status != LINNET_OK; allocation++) {
        linnet_memory_fail_after(allocation);
        status = allocation % 2 ? linnet_save(m.session, path) : linnet_checkpoint_save(&checkpoint, path);
        linnet_memory_fail_after(-1);
        if (status != LINNET_OK) {
            assert_out_of_memory(status, allocation, "saving");
            assert_int_not_equal(access(path, F_OK), 0); /* nothing is left behind */
        }
    }
    machine_free(&m);
    linnet_device_close(&device);
}

/* Loading does all or nothing. */
static void loading_runs_out_of_memory(void **state)
{
    char path[] = TEST_BINARY_DIR "/tests/unit/robust.safetensors";
    float saved[16], before[16], now[16];
    char *notes = NULL;
    machine m;
    assert_ok(machine_new(*state, &m));
    assert_ok(train(&m, 2));
    linnet_checkpoint checkpoint = {.struct_size = sizeof checkpoint, .session = m.session, .optimizer = m.adam};
    assert_ok(linnet_checkpoint_save(&checkpoint, path));
    assert_ok(linnet_session_get(m.session, "conv2d2.bias", saved, sizeof saved));
    assert_ok(train(&m, 3));
    assert_ok(linnet_session_get(m.session, "conv2d2.bias", before, sizeof before));
    assert_memory_not_equal(before, saved, sizeof saved);
    checkpoint.notes = &notes;
    linnet_status status = LINNET_OUT_OF_MEMORY;
    for (int64_t allocation = 0; status != LINNET_OK; allocation++) {
        linnet_memory_fail_after(allocation);
        status = linnet_checkpoint_load(&checkpoint, path);
        linnet_memory_fail_after(-1);
        assert_ok(linnet_session_get(m.session, "conv2d2.bias", now, sizeof now));
        if (status != LINNET_OK) {
            assert_out_of_memory(status, allocation, "loading");
            assert_memory_equal(now, before, sizeof now);
            assert_int_equal(linnet_optimizer_steps(m.adam), 2);
            assert_null(notes);
        }
    }
    assert_memory_equal(now, saved, sizeof now);
    assert_int_equal(linnet_optimizer_steps(m.adam), 1);
    assert_non_null(notes);
    linnet_text_free(&notes);
    machine_free(&m);
}

/* ---- fork() ---- */

/* A session of net, new here, with an upload of 4 MB and no work before that. */
static linnet_session *large_session(linnet_device *device, linnet_net **net)
{
    enum { SIDE = 1024 };
    static float weight[SIDE * SIDE];
    *net = linnet_net_new(NULL);
    linnet_linear(*net, linnet_input(*net, "x", SIDE, 1, 1), .out_features = SIDE);
    linnet_session *session = linnet_session_new(*net, device);
    assert_non_null(session);
    assert_ok(linnet_session_finish(session));
    assert_ok(linnet_session_set(session, "linear1.weight", weight, sizeof weight));
    return session;
}

static void a_child_of_a_fork_is_refused_and_does_not_hang(void **state)
{
    machine m;
    int status;
    linnet_net *net;
    assert_ok(machine_new(*state, &m));
    linnet_session *large = large_session(*state, &net);
    void *pinned = linnet_pinned_new(*state, 100);
    assert_ok(train(&m, N)); /* threads are running now */
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        float data[16];
        alarm(20);
        int good = train(&m, N) == LINNET_FORKED && linnet_session_finish(m.session) == LINNET_FORKED;
        good = good && linnet_session_get(m.session, "conv2d2.bias", data, sizeof data) == LINNET_FORKED;
        good = good && linnet_save(m.session, "/nonexistent") == LINNET_FORKED;
        good = good && !linnet_session_new(m.net, *state) && linnet_context_last_status(NULL) == LINNET_FORKED;
        good = good && !linnet_net_new(NULL) && linnet_context_last_status(NULL) == LINNET_FORKED;
        machine_free(&m); /* gives back what it can, waits for nobody */
        linnet_session_free(&large);
        linnet_pinned_free(pinned);
        _exit(good ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_ok(train(&m, N)); /* the parent goes on */
    machine_free(&m);
    linnet_session_free(&large);
    linnet_net_free(&net);
    linnet_pinned_free(pinned);
}

/* ---- Threads ---- */

typedef struct worker {
    linnet_device *device;
    float losses[20];
    linnet_status status;
    char message[200];
} worker;

static void *work(void *argument)
{
    worker *w = argument;
    machine m;
    w->status = machine_new(w->device, &m);
    for (int i = 0; i < 20 && w->status == LINNET_OK; i++) {
        w->status = train(&m, 2 + i % 4);
        if (w->status == LINNET_OK)
            w->status = linnet_session_read(m.session, m.loss, &w->losses[i], sizeof w->losses[i]);
    }
    snprintf(w->message, sizeof w->message, "%s", linnet_context_message(NULL));
    machine_free(&m);
    return NULL;
}

static void threads_share_a_device(void **state)
{
    worker alone = {.device = *state}, together[4];
    pthread_t threads[4];
    work(&alone);
    assert_int_equal(alone.status, LINNET_OK);
    for (int i = 0; i < 4; i++) {
        together[i] = (worker){.device = *state};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &together[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        if (together[i].status != LINNET_OK)
            fail_msg("thread %d: %s", i, together[i].message);
        assert_memory_equal(together[i].losses, alone.losses, sizeof alone.losses);
    }
}

int main(int argc, char **argv)
{
    static const device_test tests[] = {
        DEVICE_TEST(building_and_training_run_out_of_memory),
        DEVICE_TEST(sessions_survive_a_lack_of_memory),
        DEVICE_TEST(saving_runs_out_of_memory),
        DEVICE_TEST(loading_runs_out_of_memory),
        DEVICE_TEST(a_child_of_a_fork_is_refused_and_does_not_hang),
        DEVICE_TEST(threads_share_a_device),
    };
    make_pixels();
    return run_on_devices("robustness", tests, sizeof tests / sizeof tests[0], argc, argv);
}
