/* SPDX-License-Identifier: Apache-2.0 */
/* Layers that the chosen device lacks run on another one, with their parameters, gradients and optimiser state. */
#include "../../runtime/graph/session.h"
#include "plugins.h"
#include "sessions.h"

#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

enum { N = 4, CLASSES = 3, STEPS = 5 };

#define REFERENCE_ONLY TEST_BINARY_DIR "/tests/unit/reference_only"

static float pixels[N * 2 * 36];
static const int32_t labels[N] = {0, 2, 1, 0};
static int warnings;
static char warning[512]; /* the last one */

static void count_warnings(void *user, linnet_log_level level, const char *message)
{
    (void)user;
    warnings += level == LINNET_LOG_WARNING;
    if (level == LINNET_LOG_WARNING)
        snprintf(warning, sizeof warning, "%s", message);
}

/* A folder with the reference alone, so that nothing else can help. */
static int make_folder(void **state)
{
    (void)state;
    mkdir(REFERENCE_ONLY, 0755);
    unlink(REFERENCE_ONLY "/linnet-reference-abi0.so");
    fill_random(pixels, sizeof pixels / sizeof *pixels, 8, 1);
    return symlink(TEST_BINARY_DIR "/lib/linnet/linnet-reference-abi0.so", REFERENCE_ONLY "/linnet-reference-abi0.so");
}

static int clear_environment(void **state)
{
    (void)state;
    unsetenv("LINNET_FALLBACK");
    unsetenv("LINNET_STUB_LACKS");
    unsetenv("LINNET_STUB_ALIGNMENT");
    return 0;
}

typedef struct setup {
    linnet_context *context;
    linnet_net *net;
    linnet_value logits, loss;
    linnet_session *session;
} setup;

/* conv, relu, conv, relu, linear; the bias of the second conv is the linear layer's too when it is shared. */
static setup setup_new(const char *path, const char *selection, int shared)
{
    setup s = {.context = context_with_path(path)};
    linnet_context_set_log(s.context, count_warnings, NULL);
    warnings = 0;
    s.net = linnet_net_new(s.context);
    linnet_value bias =
        shared ? linnet_parameter_with(s.net, "bias", 1, (const int64_t[]){CLASSES}, NULL) : (linnet_value){0};
    linnet_value x = linnet_input(s.net, "image", 2, 6, 6);
    x = linnet_relu(s.net, linnet_conv2d(s.net, x, .out_channels = 4, .kernel = 3, .padding = 1));
    x = linnet_relu(s.net, linnet_conv2d(s.net, x, .out_channels = CLASSES, .kernel = 3, .stride = 2, .bias = bias));
    s.logits = linnet_linear(s.net, x, .name = "fc", .out_features = CLASSES, .bias = bias);
    linnet_output(s.net, s.logits, "logits");
    s.loss = linnet_cross_entropy(s.net, s.logits, linnet_labels(s.net, "label"));
    assert_string_equal(linnet_net_message(s.net), "");
    linnet_device *device = linnet_device_open(s.context, selection);
    if (!device)
        fail_msg("%s: %s", selection, linnet_context_message(s.context));
    s.session = linnet_session_new(s.net, device);
    assert_non_null(s.session);
    linnet_device_close(&device); /* the session has its own hold */
    return s;
}

static void setup_free(setup *s)
{
    linnet_session_free(&s->session);
    linnet_net_free(&s->net);
    linnet_context_free(&s->context);
}

static linnet_batch batch_of(int with_labels)
{
    linnet_batch batch = {.feed_count = 0};
    FEED(&batch, "image", pixels, N, 2, 6, 6);
    if (with_labels)
        FEED_LABELS(&batch, "label", labels, N);
    return batch;
}

static uint32_t fallbacks(const setup *s)
{
    linnet_session_stats stats = {.struct_size = sizeof stats};
    assert_int_equal(linnet_session_get_stats(s->session, &stats), LINNET_OK);
    return stats.fallbacks;
}

static void must(const setup *s, linnet_status status)
{
    if (status != LINNET_OK)
        fail_msg("%s: %s", linnet_status_name(status), linnet_context_message(s->context));
}

static float train_step(const setup *s, linnet_optimizer *sgd)
{
    float loss;
    linnet_batch batch = batch_of(1);
    linnet_zero_grad(sgd);
    linnet_forward(s->session, &batch);
    linnet_backward(s->session, s->loss);
    must(s, linnet_step(sgd));
    must(s, linnet_session_read(s->session, s->loss, &loss, sizeof loss));
    return loss;
}

static linnet_optimizer *sgd_of(const setup *s)
{
    linnet_optimizer *sgd = linnet_sgd_new(s->session, .learning_rate = 0.2f, .momentum = 0.9f);
    if (!sgd)
        fail_msg("%s", linnet_context_message(s->context));
    return sgd;
}

static void losses_of(const char *path, const char *selection, int shared, float losses[STEPS], uint32_t *out_fallbacks)
{
    setup s = setup_new(path, selection, shared);
    linnet_optimizer *sgd = sgd_of(&s);
    for (int i = 0; i < STEPS; i++)
        losses[i] = train_step(&s, sgd);
    *out_fallbacks = fallbacks(&s);
    linnet_optimizer_free(&sgd);
    setup_free(&s);
}

#define HELPED STUBS_DIR "/learns:" STUBS_DIR "/tiny:" REFERENCE_ONLY

static void assert_close(const float *a, const float *b, int count)
{
    for (int i = 0; i < count; i++)
        if (!(fabsf(a[i] - b[i]) <= 1e-5f * (1.0f + fabsf(b[i]))))
            fail_msg("number %d is %.7g, wants %.7g", i, (double)a[i], (double)b[i]);
}

/* ---- Running ---- */

static void missing_layers_run_elsewhere(void **state)
{
    (void)state;
    float logits[2][N * CLASSES];
    linnet_batch batch = batch_of(0);
    for (int helped = 0; helped < 2; helped++) {
        setup s = setup_new(HELPED, helped ? "tiny" : "reference", 0);
        for (int i = 0; i < 2; i++)
            must(&s, linnet_forward(s.session, &batch));
        must(&s, linnet_session_read(s.session, s.logits, logits[helped], sizeof logits[0]));
        assert_int_equal(fallbacks(&s), helped ? 2 : 0);
        assert_int_equal(warnings, helped ? 1 : 0); /* one for all that leave for the same reason */
        if (helped)
            assert_contains(warning, "tiny: tiny cannot run 2 layers ('conv2d1', 'conv2d2') forward: it has no conv2d; "
                                     "they run on reference: ");
        setup_free(&s);
    }
    assert_close(logits[1], logits[0], N * CLASSES);
}

static void training_goes_over_two_devices(void **state)
{
    (void)state;
    float own[STEPS], right[STEPS];
    uint32_t elsewhere, nowhere;
    for (int shared = 0; shared < 2; shared++) {
        losses_of(HELPED, "reference", shared, right, &nowhere);
        losses_of(HELPED, "learns", shared, own, &elsewhere);
        assert_close(own, right, STEPS);
        assert_true(right[STEPS - 1] < right[0]);
        assert_int_equal(nowhere, 0);
        assert_int_equal(elsewhere, shared ? 4 : 3); /* two convs, the loss; linear follows a bias that it shares */
    }
}

/* A device with coarser offsets takes what one with finer ones lacks, and the other way round. */
static void alignments_may_differ(void **state)
{
    (void)state;
    float own[STEPS], right[STEPS];
    uint32_t elsewhere;
    losses_of(HELPED, "reference", 0, right, &elsewhere);
    setenv("LINNET_STUB_ALIGNMENT", "4096", 1);
    losses_of(HELPED, "learns", 0, own, &elsewhere);
    assert_close(own, right, STEPS);
}

/* Forward alone stays; when gradients are asked for, the layer leaves with its parameters, and comes out the same. */
static void layers_leave_when_gradients_are_asked_for(void **state)
{
    (void)state;
    float own[STEPS], right[STEPS], before[N * CLASSES], after[N * CLASSES];
    uint32_t ignored;
    linnet_batch batch = batch_of(0);
    losses_of(HELPED, "reference", 0, right, &ignored);
    setenv("LINNET_STUB_LACKS", "backward", 1);
    setup s = setup_new(HELPED, "learns", 0);
    must(&s, linnet_forward(s.session, &batch));
    assert_int_equal(fallbacks(&s), 2);
    must(&s, linnet_session_read(s.session, s.logits, before, sizeof before));
    linnet_optimizer *sgd = sgd_of(&s);
    own[0] = train_step(&s, sgd);
    assert_int_equal(fallbacks(&s), 4);
    for (int i = 1; i < STEPS; i++)
        own[i] = train_step(&s, sgd);
    assert_close(own, right, STEPS);
    linnet_session_set_gradients(s.session, 0);
    must(&s, linnet_session_initialize(s.session, 0));
    must(&s, linnet_forward(s.session, &batch));
    must(&s, linnet_session_read(s.session, s.logits, after, sizeof after));
    assert_close(after, before, N * CLASSES);
    linnet_optimizer_free(&sgd);
    setup_free(&s);
}

/* The sentence begins with the device that was chosen, whichever lacks the memory. */
static void the_chosen_device_is_named_first(void **state)
{
    (void)state;
    linnet_batch batch = batch_of(0), smaller = batch_of(0);
    smaller.feeds[0].tensor.dims[0] = N - 1;
    setup s = setup_new(HELPED, "tiny", 0);
    must(&s, linnet_forward(s.session, &batch));
    assert_int_equal(s.session->place_count, 2);
    linnet_device *helper = s.session->places[1].device;
    linnet_device_info usual = helper->info;
    helper->info.max_buffer_bytes = 512;
    assert_int_equal(linnet_forward(s.session, &smaller), LINNET_OUT_OF_MEMORY);
    assert_contains(linnet_context_message(s.context), "tiny: tiny: on reference: ");
    assert_contains(linnet_context_message(s.context),
                    ", which runs 2 layers in its stead, the output of 'conv2d1' needs 1728 bytes, the device's "
                    "largest buffer has 512; activations and workspaces need at least ");
    helper->info = usual;
    helper->info.memory_bytes = 2000;
    assert_int_equal(linnet_forward(s.session, &smaller), LINNET_OUT_OF_MEMORY);
    assert_contains(linnet_context_message(s.context), "tiny: tiny: on reference: ");
    assert_contains(linnet_context_message(s.context), " bytes are needed (");
    helper->info = usual;
    must(&s, linnet_forward(s.session, &smaller));
    setup_free(&s);
}

/* ---- Policies ---- */

static void policies_are_kept(void **state)
{
    (void)state;
    linnet_batch batch = batch_of(0);
    setenv("LINNET_FALLBACK", "allow", 1);
    setup s = setup_new(HELPED, "tiny", 0);
    must(&s, linnet_forward(s.session, &batch));
    assert_int_equal(warnings, 0);
    assert_int_equal(fallbacks(&s), 2);
    setup_free(&s);
    setenv("LINNET_FALLBACK", "error", 1);
    s = setup_new(HELPED, "tiny", 0);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(linnet_forward(s.session, &batch), LINNET_UNSUPPORTED);
        assert_contains(linnet_context_message(s.context), "tiny: tiny has no conv2d (LINNET_FALLBACK=error)");
    }
    setup_free(&s);
    s = setup_new(HELPED, "reference", 0); /* nothing to fall back */
    must(&s, linnet_forward(s.session, &batch));
    setup_free(&s);
    setenv("LINNET_FALLBACK", "sometimes", 1);
    linnet_context *context = context_with_path(HELPED);
    assert_null(linnet_net_new(context));
    assert_int_equal(linnet_context_last_status(context), LINNET_INVALID);
    assert_contains(linnet_context_message(context), "LINNET_FALLBACK='sometimes'");
    linnet_context_free(&context);
}

static void nobody_else_is_said(void **state)
{
    (void)state;
    linnet_batch batch = batch_of(0);
    setup s = setup_new(STUBS_DIR "/tiny:" STUBS_DIR "/learns", "tiny", 0);
    assert_int_equal(linnet_forward(s.session, &batch), LINNET_UNSUPPORTED);
    assert_contains(linnet_context_message(s.context), "tiny: tiny has no conv2d; no other device has it");
    setup_free(&s);
}

static void devices_without_an_optimiser_do_not_train(void **state)
{
    (void)state;
    setup s = setup_new(HELPED, "tiny", 0);
    assert_null(linnet_sgd_new(s.session, .learning_rate = 0.1f));
    assert_int_equal(linnet_context_last_status(s.context), LINNET_UNSUPPORTED);
    assert_contains(linnet_context_message(s.context), "tiny: tiny evaluates but does not train");
    assert_int_equal(linnet_session_get_behaviour(s.session), LINNET_EVALUATE); /* and nothing changed */
    assert_int_equal(linnet_session_get_gradients(s.session), 0);
    setup_free(&s);
}

/* Parameters went to a device that cannot update them. */
static void parameters_on_a_device_without_an_optimiser(void **state)
{
    (void)state;
    linnet_batch batch = {.feed_count = 0};
    setenv("LINNET_STUB_LACKS", "linear", 1);
    linnet_context *context = context_with_path(STUBS_DIR "/tiny:" STUBS_DIR "/learns");
    linnet_net *net = linnet_net_new(context);
    linnet_linear(net, linnet_input(net, "x", 6), .out_features = 2);
    linnet_device *device = linnet_device_open(context, "learns");
    linnet_session *session = linnet_session_new(net, device);
    linnet_optimizer *sgd = linnet_sgd_new(session, .learning_rate = 0.1f);
    assert_non_null(sgd);
    FEED(&batch, "x", pixels, 3, 6);
    assert_int_equal(linnet_forward(session, &batch), LINNET_OK);
    assert_int_equal(linnet_step(sgd), LINNET_UNSUPPORTED);
    assert_contains(linnet_context_message(context), "tiny: tiny evaluates but does not train");
    assert_int_equal(linnet_optimizer_steps(sgd), 0);
    linnet_optimizer_free(&sgd);
    linnet_session_free(&session);
    linnet_device_close(&device);
    linnet_net_free(&net);
    linnet_context_free(&context);
}

/* ---- Checkpoints ---- */

/* Loading puts the optimiser's state where the parameters are then; they move on at the first forward, all of them. */
static void checkpoints_follow_the_parameters(void **state)
{
    (void)state;
    const char *path = TEST_BINARY_DIR "/tests/unit/fallback.safetensors";
    float whole[STEPS], resumed[STEPS], weight[2][4 * 2 * 9];
    setup s = setup_new(HELPED, "learns", 0);
    linnet_optimizer *sgd = sgd_of(&s);
    linnet_checkpoint checkpoint = {.struct_size = sizeof checkpoint, .session = s.session, .optimizer = sgd};
    for (int i = 0; i < STEPS; i++) {
        if (i == 2)
            must(&s, linnet_checkpoint_save(&checkpoint, path));
        whole[i] = train_step(&s, sgd);
    }
    must(&s, linnet_session_get(s.session, "conv2d1.weight", weight[0], sizeof weight[0]));
    linnet_optimizer_free(&sgd);
    setup_free(&s);
    s = setup_new(HELPED, "learns", 0);
    checkpoint.session = s.session;
    checkpoint.optimizer = sgd = sgd_of(&s);
    must(&s, linnet_checkpoint_load(&checkpoint, path));
    for (int i = 2; i < STEPS; i++)
        resumed[i] = train_step(&s, sgd);
    must(&s, linnet_session_get(s.session, "conv2d1.weight", weight[1], sizeof weight[1]));
    assert_memory_equal(whole + 2, resumed + 2, (STEPS - 2) * sizeof *whole);
    assert_memory_equal(weight[0], weight[1], sizeof weight[0]);
    linnet_optimizer_free(&sgd);
    setup_free(&s);
}

#define FALLBACK_TEST(function) cmocka_unit_test_teardown(function, clear_environment)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FALLBACK_TEST(missing_layers_run_elsewhere),
        FALLBACK_TEST(training_goes_over_two_devices),
        FALLBACK_TEST(alignments_may_differ),
        FALLBACK_TEST(layers_leave_when_gradients_are_asked_for),
        FALLBACK_TEST(the_chosen_device_is_named_first),
        FALLBACK_TEST(policies_are_kept),
        FALLBACK_TEST(nobody_else_is_said),
        FALLBACK_TEST(devices_without_an_optimiser_do_not_train),
        FALLBACK_TEST(parameters_on_a_device_without_an_optimiser),
        FALLBACK_TEST(checkpoints_follow_the_parameters),
    };
    return cmocka_run_group_tests_name("fallback", tests, make_folder, NULL);
}
