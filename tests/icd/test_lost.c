/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A context that reports that it is out of resources, at any call: inference gets over it once with the same results,
 * training goes on from its checkpoint with the same bits, and a driver that has less memory than it says gets
 * implementations that need less.
 *
 *     test_lost ICD SELECTION FOLDER
 */
#include "../unit/sessions.h"
#include "icd.h"

#include <dlfcn.h>
#include <math.h>

enum { BATCH = 4, CLASSES = 10, OUT_OF_RESOURCES = -5 };

static icd_control *icd;
static const char *selection;
static char checkpoint_path[512];

static void reset(void)
{
    *icd = (icd_control){.fail_at = -1, .live = icd->live, .calls = icd->calls};
}

/* From `calls` calls on from now the context is gone. */
static void lose_in(int64_t calls)
{
    reset();
    icd->fail_at = icd->calls + calls;
    icd->lose = true;
    icd->code = OUT_OF_RESOURCES;
}

typedef struct network {
    linnet_device *device;
    linnet_model model;
    linnet_dataset *digits;
    linnet_loader *loader;
    linnet_session *session;
    linnet_optimizer *sgd;
} network;

static network network_new(int training)
{
    network n = {.device = linnet_device_open(NULL, selection)};
    assert_non_null(n.device);
    assert_ok(linnet_model_new(NULL, "lenet5", NULL, &n.model));
    n.digits = linnet_dataset_digits(NULL, 1, 8 * BATCH);
    n.loader = linnet_loader_new(NULL, n.digits, .batch = BATCH);
    assert_non_null(n.loader);
    n.session = linnet_session_new(n.model.net, n.device);
    assert_non_null(n.session);
    n.sgd = training ? linnet_sgd_new(n.session, .learning_rate = 0.1f, .momentum = 0.9f) : NULL;
    return n;
}

static void network_free(network *n)
{
    linnet_optimizer_free(&n->sgd);
    linnet_session_free(&n->session);
    linnet_loader_free(&n->loader);
    linnet_dataset_free(&n->digits);
    linnet_model_free(&n->model);
    linnet_device_close(&n->device);
}

/* A weight that is no start value, as if it came from a file. */
static void set_bias(network *n)
{
    float bias[CLASSES];
    for (int i = 0; i < CLASSES; i++)
        bias[i] = 0.25f * (float)i;
    assert_ok(linnet_session_set(n->session, "fc3.bias", bias, sizeof bias));
}

static linnet_status scores(network *n, const linnet_batch *batch, float *out)
{
    linnet_status status = linnet_forward(n->session, batch);
    return status == LINNET_OK ? linnet_session_read(n->session, n->model.logits, out, sizeof(float) * BATCH * CLASSES)
                               : status;
}

static void assert_close(const float *got, const float *wanted, int64_t call)
{
    for (int i = 0; i < BATCH * CLASSES; i++)
        if (!(fabsf(got[i] - wanted[i]) <= 1e-5f))
            fail_msg("lost at call %lld: score %d is %g, was %g", (long long)call, i, (double)got[i],
                     (double)wanted[i]);
}

/* How many calls a forward and its read take, once all is built. */
static int64_t calls_of_scores(void)
{
    float got[BATCH * CLASSES];
    linnet_batch batch;
    network n = network_new(0);
    assert_true(linnet_loader_next(n.loader, &batch));
    assert_ok(scores(&n, &batch, got));
    int64_t before = icd->calls;
    assert_ok(scores(&n, &batch, got));
    int64_t calls = icd->calls - before;
    network_free(&n);
    return calls;
}

/* ---- Inference ---- */

static void inference_gets_over_it_once(void **state)
{
    (void)state;
    reset();
    int64_t calls = calls_of_scores();
    for (int64_t call = 0; call < calls; call++) {
        float wanted[BATCH * CLASSES], got[BATCH * CLASSES];
        linnet_batch batch;
        reset();
        network n = network_new(0);
        set_bias(&n);
        assert_true(linnet_loader_next(n.loader, &batch));
        assert_ok(scores(&n, &batch, wanted));
        lose_in(call);
        linnet_status status = scores(&n, &batch, got);
        if (status == LINNET_DEVICE_LOST) /* at the read, or a copy of an input that was under way */
            status = scores(&n, &batch, got);
        assert_ok(status);
        assert_close(got, wanted, call);
        assert_ok(scores(&n, &batch, got)); /* and goes on */
        assert_close(got, wanted, call);
        lose_in(2);
        status = scores(&n, &batch, got);
        assert_fails(status == LINNET_OK ? scores(&n, &batch, got) : status, LINNET_DEVICE_LOST, "CL_OUT_OF_RESOURCES");
        network_free(&n);
        assert_int_equal(icd->live, 0);
    }
}

static void evaluation_and_prediction_get_over_it(void **state)
{
    (void)state;
    linnet_evaluation wanted = {0}, got = {0};
    for (int64_t lost = -1; lost < 200; lost += 40) {
        reset();
        network n = network_new(0);
        linnet_batch batch;
        float first[BATCH * CLASSES];
        assert_true(linnet_loader_next(n.loader, &batch));
        assert_ok(scores(&n, &batch, first)); /* all is built */
        linnet_loader_seek(n.loader, (linnet_loader_position){0});
        if (lost >= 0)
            lose_in(lost);
        assert_ok(linnet_evaluate(n.session, n.loader, n.model.logits, n.model.loss, NULL, NULL, NULL,
                                  lost < 0 ? &wanted : &got));
        if (lost >= 0) {
            assert_int_equal(got.count, wanted.count);
            assert_int_equal(got.correct, wanted.correct);
            assert_true(fabs(got.loss - wanted.loss) <= 1e-5);
        }
        network_free(&n);
        assert_int_equal(icd->live, 0);
    }
}

/* One call fails for want of resources, the next ones do not: that is no loss. */
static void a_single_failure_is_no_loss(void **state)
{
    (void)state;
    float wanted[BATCH * CLASSES], got[BATCH * CLASSES];
    linnet_batch batch;
    reset();
    network n = network_new(0);
    assert_true(linnet_loader_next(n.loader, &batch));
    assert_ok(scores(&n, &batch, wanted));
    icd->fail_name = "clEnqueueNDRangeKernel";
    icd->code = OUT_OF_RESOURCES;
    assert_fails(scores(&n, &batch, got), LINNET_OUT_OF_MEMORY, "CL_OUT_OF_RESOURCES");
    reset();
    assert_ok(scores(&n, &batch, got));
    assert_close(got, wanted, 0);
    network_free(&n);
    assert_int_equal(icd->live, 0);
}

/* ---- Training ---- */

static linnet_status train(network *n)
{
    linnet_batch batch;
    assert_true(linnet_loader_next(n->loader, &batch));
    linnet_zero_grad(n->sgd);
    linnet_forward(n->session, &batch);
    linnet_backward(n->session, n->model.loss);
    return linnet_step(n->sgd);
}

static linnet_checkpoint checkpoint_of(network *n)
{
    return (linnet_checkpoint){
        .struct_size = sizeof(linnet_checkpoint), .session = n->session, .optimizer = n->sgd, .loader = n->loader};
}

static void read_weights(network *n, float *out)
{
    assert_ok(linnet_session_get(n->session, "fc3.weight", out, sizeof(float) * 84 * CLASSES));
}

/* The device goes in the third of four steps, at call number `call` of it. */
static void lose_training(int64_t call, const float *wanted)
{
    static float got[84 * CLASSES];
    reset();
    network n = network_new(1);
    assert_ok(train(&n));
    assert_ok(train(&n));
    linnet_checkpoint checkpoint = checkpoint_of(&n);
    assert_ok(linnet_checkpoint_save(&checkpoint, checkpoint_path));
    lose_in(call);
    linnet_status status = train(&n);
    if (status == LINNET_OK)
        status = linnet_session_finish(n.session);
    assert_fails(status, LINNET_DEVICE_LOST, "CL_OUT_OF_RESOURCES");
    network_free(&n);
    assert_int_equal(icd->live, 0);
    n = network_new(1); /* a context of its own */
    checkpoint = checkpoint_of(&n);
    assert_ok(linnet_checkpoint_load(&checkpoint, checkpoint_path));
    assert_ok(train(&n));
    assert_ok(train(&n));
    read_weights(&n, got);
    assert_memory_equal(got, wanted, sizeof got);
    network_free(&n);
    assert_int_equal(icd->live, 0);
}

static void training_goes_on_from_its_checkpoint(void **state)
{
    (void)state;
    static float wanted[84 * CLASSES];
    reset();
    network n = network_new(1);
    for (int i = 0; i < 2; i++)
        assert_ok(train(&n));
    int64_t before = icd->calls;
    assert_ok(train(&n));
    int64_t calls = icd->calls - before;
    assert_ok(train(&n));
    read_weights(&n, wanted);
    network_free(&n);
    for (int64_t call = 0; call < calls; call += 1 + calls / 12)
        lose_training(call, wanted);
}

/* ---- Less memory than the driver says ---- */

enum { IMAGES = 4, PLANES = 32, SIDE = 8 };

typedef struct learner {
    linnet_device *device;
    linnet_net *net;
    linnet_value loss;
    linnet_session *session;
    linnet_optimizer *sgd;
} learner;

/* Weights of 800 KiB, whose gradient is summed up in parts, and small activations. */
static learner learner_new(void)
{
    learner l = {.device = linnet_device_open(NULL, selection), .net = linnet_net_new(NULL)};
    linnet_value x = linnet_input(l.net, "image", PLANES, SIDE, SIDE);
    x = linnet_relu(l.net, linnet_conv2d(l.net, x, .out_channels = 256, .kernel = 5, .stride = 2));
    x = linnet_linear(l.net, linnet_flatten(l.net, x), .out_features = CLASSES);
    l.loss = linnet_cross_entropy(l.net, x, linnet_labels(l.net, "label"));
    l.session = linnet_session_new(l.net, l.device);
    l.sgd = linnet_sgd_new(l.session, .learning_rate = 0.01f);
    assert_non_null(l.sgd);
    return l;
}

static void learner_free(learner *l)
{
    linnet_optimizer_free(&l->sgd);
    linnet_session_free(&l->session);
    linnet_net_free(&l->net);
    linnet_device_close(&l->device);
}

static linnet_status learn(learner *l, float *out_loss)
{
    static float pixels[IMAGES * PLANES * SIDE * SIDE];
    static const int32_t labels[IMAGES] = {0, 1, 2, 3};
    linnet_batch batch = {.feed_count = 0};
    fill_random(pixels, sizeof pixels / sizeof *pixels, 3, 3);
    FEED(&batch, "image", pixels, IMAGES, PLANES, SIDE, SIDE);
    FEED_LABELS(&batch, "label", labels, IMAGES);
    linnet_zero_grad(l->sgd);
    linnet_forward(l->session, &batch);
    linnet_backward(l->session, l->loss);
    linnet_status status = linnet_step(l->sgd);
    return status == LINNET_OK ? linnet_session_read(l->session, l->loss, out_loss, sizeof *out_loss) : status;
}

/* Losses of two steps where buffers of more bytes fail (0: none does); and of the arena, what there was. */
static linnet_status two_losses(uint64_t most_bytes, float *out_losses, uint64_t *out_arena)
{
    linnet_session_stats stats = {.struct_size = sizeof stats};
    reset();
    learner l = learner_new();
    icd->most_bytes = most_bytes;
    linnet_status status = learn(&l, &out_losses[0]);
    if (status == LINNET_OK)
        status = learn(&l, &out_losses[1]);
    assert_ok(linnet_session_get_stats(l.session, &stats));
    *out_arena = stats.arena_bytes;
    learner_free(&l);
    assert_int_equal(icd->live, 0);
    return status;
}

static void buffers_that_fail_get_smaller_workspaces(void **state)
{
    (void)state;
    float usual[2], tight[2];
    uint64_t arena, smaller;
    assert_ok(two_losses(0, usual, &arena));
    linnet_status status = two_losses(arena - 1, tight, &smaller);
    if (status != LINNET_OK) { /* no implementation needs less */
        assert_fails(status, LINNET_OUT_OF_MEMORY, "clCreateBuffer");
        skip(); /* the failure was as it has to be; how it goes on with less is seen on other devices */
    }
    assert_true(smaller < arena);
    for (int i = 0; i < 2; i++)
        assert_true(fabsf(usual[i] - tight[i]) <= 1e-4f * usual[i]);
    assert_fails(two_losses(1024, tight, &smaller), LINNET_OUT_OF_MEMORY, "clCreateBuffer");
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(inference_gets_over_it_once),
        cmocka_unit_test(evaluation_and_prediction_get_over_it),
        cmocka_unit_test(a_single_failure_is_no_loss),
        cmocka_unit_test(training_goes_on_from_its_checkpoint),
        cmocka_unit_test(buffers_that_fail_get_smaller_workspaces),
    };
    void *library = argc > 3 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    icd = library ? dlsym(library, "linnet_icd") : NULL;
    if (!icd)
        return EXIT_FAILURE;
    selection = argv[2];
    snprintf(checkpoint_path, sizeof checkpoint_path, "%s/lost.safetensors", argv[3]);
    linnet_device *device = linnet_device_open(NULL, selection);
    if (!device) {
        printf("%s: %s\n", selection, linnet_context_message(NULL));
        return SKIPPED;
    }
    linnet_device_close(&device);
    return cmocka_run_group_tests_name("a lost device", tests, NULL, NULL);
}
