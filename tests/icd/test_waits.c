/* SPDX-License-Identifier: Apache-2.0 */
/* Inside a training step nothing waits for the device, with a profile or without; a loss that is read later is waited
   for where the program says so, and is the one of its step. */
#include "icd.h"

#include <linnet/linnet.h>

#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 16, STEPS = 4, SKIP = 77 };

static icd_control *icd;
static int failures;

static void check(int fine, const char *what)
{
    if (!fine)
        printf("FAILED: %s (%s)\n", what, linnet_context_message(NULL));
    failures += !fine;
}

typedef struct training {
    linnet_model model;
    linnet_session *session;
    linnet_optimizer *sgd;
    linnet_dataset *data;
    linnet_loader *loader;
    linnet_batch batch;
} training;

static void start(training *t, linnet_device *device)
{
    *t = (training){.session = NULL};
    check(linnet_model_new(NULL, "lenet5", NULL, &t->model) == LINNET_OK, "the network");
    t->data = linnet_dataset_digits(NULL, 1, BATCH);
    t->loader = linnet_loader_new(NULL, t->data, .batch = BATCH);
    t->session = linnet_session_new(t->model.net, device);
    t->sgd = linnet_sgd_new(t->session, .learning_rate = 0.1f, .momentum = 0.9f);
    check(t->sgd && linnet_loader_next(t->loader, &t->batch), "the training");
}

static void stop(training *t)
{
    linnet_optimizer_free(&t->sgd);
    linnet_session_free(&t->session);
    linnet_loader_free(&t->loader);
    linnet_dataset_free(&t->data);
    linnet_model_free(&t->model);
}

static void step(training *t)
{
    linnet_zero_grad(t->sgd);
    linnet_forward(t->session, &t->batch);
    linnet_backward(t->session, t->model.loss);
    check(linnet_step(t->sgd) == LINNET_OK, "a step");
}

/* Losses of steps, each read at once. */
static void losses_at_once(linnet_device *device, float *out)
{
    training t;
    start(&t, device);
    for (int i = 0; i < STEPS; i++) {
        step(&t);
        check(linnet_session_read(t.session, t.model.loss, &out[i], sizeof out[i]) == LINNET_OK, "a read");
    }
    stop(&t);
}

static void losses_later(linnet_device *device, int profile, const float *wanted)
{
    training t;
    float losses[STEPS] = {0};
    linnet_reading *readings[STEPS] = {NULL};
    start(&t, device);
    check(linnet_session_set_profile(t.session, profile) == LINNET_OK, "a profile");
    for (int i = 0; i < STEPS; i++) {
        int64_t before = icd->waits;
        step(&t);
        check(linnet_session_read_later(t.session, t.model.loss, &losses[i], sizeof losses[i], &readings[i]) ==
                  LINNET_OK,
              "a read");
        if (i > 0) /* in the first one the plan is made */
            check(icd->waits == before, profile ? "a step with a profile waits" : "a step waits");
    }
    int64_t before = icd->waits;
    for (int i = 0; i < STEPS; i++)
        check(linnet_reading_wait(&readings[i]) == LINNET_OK && !readings[i], "waiting for a read");
    check(icd->waits > before, "nothing was waited for");
    check(memcmp(losses, wanted, sizeof losses) == 0, "another loss than the one that was waited for");
    stop(&t);
}

static bool variant_is(const char *what)
{
    const char *variant = getenv("LINNET_OPENCL_VARIANT");
    return variant && strstr(variant, what);
}

/* 80 MB an upload: the host runs one ahead of the device, and waits for the one before it. The first one has nothing to
   wait for but itself, and is not copied aside: it is written as it lies, or goes in pieces. */
static void large_uploads(linnet_device *device)
{
    enum { CHANNELS = 20, SIDE = 1000, COUNT = CHANNELS * SIDE * SIDE, BYTES = COUNT * sizeof(float) };
    linnet_net *net = linnet_net_new(NULL);
    linnet_value y = linnet_relu(net, linnet_input(net, "x", CHANNELS, SIDE, SIDE));
    linnet_session *session = linnet_session_new(net, device);
    float *values = calloc(COUNT, sizeof *values), *found = calloc(COUNT, sizeof *found);
    for (int i = 0; values && i < COUNT; i++)
        values[i] = (float)i;
    linnet_batch batch = {.struct_size = sizeof batch, .feed_count = 1, .size = 1};
    batch.feeds[0] =
        (linnet_feed){"x", {.type = LINNET_F32, .rank = 4, .dims = {1, CHANNELS, SIDE, SIDE}, .data = values}};
    check(y.id && values && found && linnet_forward(session, &batch) == LINNET_OK, "a large forward");
    check(linnet_session_finish(session) == LINNET_OK, "a finish");
    check(linnet_forward(session, &batch) == LINNET_OK && linnet_session_read(session, y, found, BYTES) == LINNET_OK &&
              memcmp(found, values, BYTES) == 0,
          "other values than those that were fed");
    int64_t before = icd->waits;
    check(linnet_forward(session, &batch) == LINNET_OK, "a large forward");
    check(variant_is("apart") ? icd->waits > before + 9 : icd->waits == before + 1,
          "an upload with nothing before it is copied aside");
    before = icd->waits;
    check(linnet_forward(session, &batch) == LINNET_OK, "a large forward");
    check(icd->waits == before, "a large upload waits for work before it");
    for (int i = 0; i < 3; i++)
        check(linnet_forward(session, &batch) == LINNET_OK, "a large forward");
    check(icd->waits <= before + 3, "a large upload waits more than once");
    linnet_session_free(&session);
    linnet_net_free(&net);
    free(values);
    free(found);
}

/* So many MB one after another that places for uploads have to give way: with work before them, and without. */
static void uploads_of_many_sizes(linnet_device *device)
{
    enum { SIDE = 500, MOST = 40 };
    const int64_t images[] = {17, MOST, 7, 3, 1, 3};
    linnet_net *net = linnet_net_new(NULL);
    linnet_value y = linnet_relu(net, linnet_input(net, "x", 1, SIDE, SIDE));
    linnet_session *session = linnet_session_new(net, device);
    float *values = calloc((size_t)MOST * SIDE * SIDE, sizeof *values);
    check(y.id && values, "an input");
    for (size_t i = 0; i < sizeof images / sizeof images[0]; i++) {
        linnet_batch batch = {.struct_size = sizeof batch, .feed_count = 1, .size = images[i]};
        batch.feeds[0] =
            (linnet_feed){"x", {.type = LINNET_F32, .rank = 4, .dims = {images[i], 1, SIDE, SIDE}, .data = values}};
        for (int k = 0; k < 6; k++)
            check(linnet_forward(session, &batch) == LINNET_OK &&
                      (k % 3 != 2 || linnet_session_finish(session) == LINNET_OK),
                  "a forward");
    }
    linnet_session_free(&session);
    linnet_net_free(&net);
    free(values);
}

/* From pinned memory: each transfer is waited for by itself. Where there is none, the memory is as any other. */
static void pinned_uploads(linnet_device *device)
{
    enum { SIDE = 500, BYTES = SIDE * SIDE * sizeof(float) };
    linnet_net *net = linnet_net_new(NULL);
    linnet_value y = linnet_relu(net, linnet_input(net, "x", 1, SIDE, SIDE));
    linnet_session *session = linnet_session_new(net, device);
    int64_t maps = icd->maps;
    float *values = linnet_pinned_new(device, BYTES), *found = linnet_pinned_new(device, BYTES);
    check((icd->maps - maps == 2) == variant_is("apart"), "memory is pinned where it should not be");
    linnet_batch batch = {.struct_size = sizeof batch, .feed_count = 1, .size = 1};
    batch.feeds[0] = (linnet_feed){"x", {.type = LINNET_F32, .rank = 4, .dims = {1, 1, SIDE, SIDE}, .data = values}};
    check(y.id && session && values && found, "pinned memory");
    for (int i = 0; i < 4; i++) {
        int64_t before = icd->waits, finished = i % 2 == 0;
        for (int k = 0; k < SIDE * SIDE; k++)
            values[k] = (float)(i + k);
        if (finished)
            check(linnet_session_finish(session) == LINNET_OK, "a finish");
        check(linnet_forward(session, &batch) == LINNET_OK, "a forward");
        check(!i || icd->waits <= before + (finished ? 2 : variant_is("apart")),
              "an upload from pinned memory waits for work before it");
        for (int k = 0; k < SIDE * SIDE; k++)
            values[k] = -1; /* it has been read */
        check(i % 2 == 0 || linnet_session_read(session, y, found, BYTES) == LINNET_OK, "a read");
        check(i % 2 == 0 || (found[0] == (float)i && found[SIDE * SIDE - 1] == (float)(i + SIDE * SIDE - 1)),
              "other values than those that were fed");
    }
    linnet_session_free(&session);
    linnet_net_free(&net);
    linnet_pinned_free(values);
    linnet_pinned_free(found);
}

int main(int argc, char **argv)
{
    const char *required = getenv("LINNET_REQUIRE");
    float wanted[STEPS];
    void *library = argc == 3 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    icd = library ? dlsym(library, "linnet_icd") : NULL;
    if (!icd) {
        fprintf(stderr, "usage: test_waits ICD SELECTION\n");
        return 2;
    }
    linnet_device *device = linnet_device_open(NULL, argv[2]);
    if (!device) {
        printf("%s: %s\n", argv[2], linnet_context_message(NULL));
        return required && strstr(required, "opencl") ? EXIT_FAILURE : SKIP;
    }
    losses_at_once(device, wanted);
    check(icd->waits > 0, "no wait was seen");
    for (int profile = 0; profile < 2; profile++)
        losses_later(device, profile, wanted);
    large_uploads(device);
    uploads_of_many_sizes(device);
    pinned_uploads(device);
    check((icd->maps > 0) == (variant_is("mapped") || variant_is("apart")),
          "memory is mapped where it should not be, or is not");
    linnet_device_close(&device);
    check(icd->live == 0, "objects are left");
    check(icd->unmaps == icd->maps, "memory is released while it is mapped");
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
