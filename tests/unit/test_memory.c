/* SPDX-License-Identifier: Apache-2.0 */
/* Devices with too little memory: a plan says how much it needs, and takes implementations that need less first. */
#include "../../runtime/graph/session.h"
#include "sessions.h"

#include <math.h>

#define DEVICE(state) ((linnet_device *)*(state))

enum { BATCH = 4, SIDE = 28, CLASSES = 10 };

typedef struct learner {
    linnet_net *net;
    linnet_value logits, loss;
    linnet_session *session;
    linnet_optimizer *sgd;
} learner;

/* Small activations and many weights: what a gradient of weights is summed up in is large beside them. */
static learner learner_new(linnet_device *device)
{
    learner l = {.net = linnet_net_new(NULL)};
    linnet_value x = linnet_input(l.net, "image", 1, SIDE, SIDE);
    x = linnet_relu(l.net, linnet_conv2d(l.net, x, .out_channels = 32, .kernel = 5, .stride = 4));
    x = linnet_relu(l.net, linnet_conv2d(l.net, x, .out_channels = 64, .kernel = 3));
    l.logits = linnet_linear(l.net, linnet_flatten(l.net, x), .out_features = CLASSES);
    l.loss = linnet_cross_entropy(l.net, l.logits, linnet_labels(l.net, "label"));
    assert_string_equal(linnet_net_message(l.net), "");
    l.session = linnet_session_new(l.net, device);
    l.sgd = linnet_sgd_new(l.session, .learning_rate = 0.1f);
    assert_non_null(l.sgd);
    return l;
}

static void learner_free(learner *l)
{
    linnet_optimizer_free(&l->sgd);
    linnet_session_free(&l->session);
    linnet_net_free(&l->net);
}

static linnet_status step(learner *l, float *out_loss)
{
    static float pixels[BATCH * SIDE * SIDE];
    static const int32_t labels[BATCH] = {0, 2, 4, 9};
    linnet_batch batch = {.feed_count = 0};
    fill_random(pixels, BATCH * SIDE * SIDE, 3, 3);
    FEED(&batch, "image", pixels, BATCH, 1, SIDE, SIDE);
    FEED_LABELS(&batch, "label", labels, BATCH);
    linnet_status status = linnet_zero_grad(l->sgd);
    if (status == LINNET_OK)
        status = linnet_forward(l->session, &batch);
    if (status == LINNET_OK)
        status = linnet_backward(l->session, l->loss);
    if (status == LINNET_OK)
        status = linnet_step(l->sgd);
    return status == LINNET_OK ? linnet_session_read(l->session, l->loss, out_loss, sizeof *out_loss) : status;
}

/* What the session has, and of it the arena. */
static uint64_t bytes_of(const learner *l, uint64_t *out_arena)
{
    linnet_session_stats stats = {.struct_size = sizeof stats};
    assert_ok(linnet_session_get_stats(l->session, &stats));
    *out_arena = stats.arena_bytes;
    return stats.arena_bytes + stats.parameter_bytes + stats.gradient_bytes + stats.optimizer_bytes +
           stats.packed_bytes;
}

static uint64_t largest_workspace(const learner *l)
{
    return l->session->current->largest_workspace;
}

/* Losses of two steps on a device of so many bytes. */
static linnet_status two_losses(linnet_device *device, uint64_t bytes, float *out_losses, uint64_t *out_workspace)
{
    uint64_t arena;
    linnet_device_info usual = device->info;
    learner l = learner_new(device);
    device->info.memory_bytes = bytes;
    linnet_status status = step(&l, &out_losses[0]);
    if (status == LINNET_OK)
        status = step(&l, &out_losses[1]);
    *out_workspace = status == LINNET_OK ? largest_workspace(&l) : 0;
    if (status == LINNET_OK)
        assert_true(bytes_of(&l, &arena) <= bytes);
    learner_free(&l);
    device->info = usual;
    return status;
}

static void the_same_with_smaller_workspaces(void **state)
{
    linnet_device *device = DEVICE(state);
    float usual[2], tight[2];
    uint64_t arena, workspace, smaller;
    learner l = learner_new(device);
    assert_ok(step(&l, &usual[0]));
    assert_ok(step(&l, &usual[1]));
    uint64_t bytes = bytes_of(&l, &arena);
    workspace = largest_workspace(&l);
    learner_free(&l);
    if (workspace < 4096)
        skip(); /* the backend's first choices take none that could be smaller */
    linnet_status status = two_losses(device, bytes - 1024, tight, &smaller);
    if (status != LINNET_OK) { /* no implementation needs less */
        assert_fails(status, LINNET_OUT_OF_MEMORY, "bytes are needed");
        skip(); /* the failure was as it has to be; how it goes on with less is seen on other devices */
    }
    assert_true(smaller < workspace);
    for (int i = 0; i < 2; i++)
        assert_true(fabsf(usual[i] - tight[i]) <= 1e-5f * usual[i]);
}

/* The sentence names the bytes; with as many it works. */
static void what_is_needed_is_said(void **state)
{
    linnet_device *device = DEVICE(state);
    float losses[2];
    uint64_t workspace;
    unsigned long long needed = 0;
    assert_fails(two_losses(device, 240000 /* parameters, and little more */, losses, &workspace), LINNET_OUT_OF_MEMORY,
                 " bytes are needed");
    const char *number = strstr(linnet_context_message(NULL), " bytes are needed");
    while (number[-1] >= '0' && number[-1] <= '9')
        number--;
    assert_int_equal(sscanf(number, "%llu", &needed), 1);
    assert_ok(two_losses(device, needed, losses, &workspace));
    assert_fails(two_losses(device, needed - 1, losses, &workspace), LINNET_OUT_OF_MEMORY, " bytes are needed");
}

/* The same when nothing but the parameters is to be there. */
static void what_parameters_need_is_said(void **state)
{
    linnet_device *device = DEVICE(state);
    linnet_device_info usual = device->info;
    linnet_net *net = linnet_net_new(NULL);
    linnet_value x = linnet_flatten(net, linnet_input(net, "image", 1, SIDE, SIDE));
    linnet_linear(net, x, .out_features = CLASSES, .no_bias = 1);
    device->info.memory_bytes = SIDE * SIDE * CLASSES * 4;
    linnet_session *session = linnet_session_new(net, device);
    assert_non_null(session);
    assert_null(linnet_sgd_new(session, .momentum = 0.9f));
    assert_fails(linnet_context_last_status(NULL), LINNET_OUT_OF_MEMORY,
                 "94080 bytes are needed for parameters and what they learn by alone, the device has 31360");
    linnet_session_free(&session);
    device->info.memory_bytes--;
    assert_null(linnet_session_new(net, device));
    assert_fails(linnet_context_last_status(NULL), LINNET_OUT_OF_MEMORY,
                 "31360 bytes are needed for parameters alone, the device has 31359");
    device->info = usual;
    linnet_net_free(&net);
}

/* Where so much works, more does; where it does not, what is needed is more than there is. */
static void more_memory_never_hurts(void **state)
{
    linnet_device *device = DEVICE(state);
    float losses[2];
    uint64_t arena, workspace;
    bool worked = false;
    learner l = learner_new(device);
    assert_ok(step(&l, &losses[0]));
    uint64_t most = bytes_of(&l, &arena);
    learner_free(&l);
    for (uint64_t bytes = most / 4; bytes <= most; bytes += most / 12) {
        linnet_status status = two_losses(device, bytes, losses, &workspace);
        if (status != LINNET_OK)
            assert_fails(status, LINNET_OUT_OF_MEMORY, " bytes are needed");
        assert_true(status == LINNET_OK || !worked);
        worked = status == LINNET_OK;
    }
    assert_ok(two_losses(device, most, losses, &workspace));
}

/* What a plan of before had is no hindrance: its arena, and packed copies that only it read. */
static void memory_of_other_plans_is_given_back(void **state)
{
    linnet_device *device = DEVICE(state);
    linnet_device_info usual = device->info;
    static float pixels[16 * BATCH * SIDE * SIDE];
    float losses[2];
    uint64_t arena;
    learner alone = learner_new(device), after = learner_new(device);
    assert_ok(step(&alone, &losses[0]));
    uint64_t bytes = bytes_of(&alone, &arena);
    linnet_batch batch = {.feed_count = 0};
    FEED(&batch, "image", pixels, 16 * BATCH, 1, SIDE, SIDE);
    linnet_session_set_behaviour(after.session, LINNET_EVALUATE);
    linnet_session_set_gradients(after.session, 0);
    assert_ok(linnet_forward(after.session, &batch));
    linnet_session_set_behaviour(after.session, LINNET_TRAIN);
    linnet_session_set_gradients(after.session, 1);
    device->info.memory_bytes = bytes;
    assert_ok(step(&after, &losses[1]));
    assert_true(bytes_of(&after, &arena) <= bytes);
    assert_true(losses[0] == losses[1]);
    assert_int_equal(largest_workspace(&after), largest_workspace(&alone)); /* nothing smaller had to be taken */
    device->info = usual;
    learner_free(&alone);
    learner_free(&after);
}

/* No buffer may be larger than the device allows: a tensor that is says how large. */
static void a_buffer_that_is_too_large_is_said(void **state)
{
    linnet_device *device = DEVICE(state);
    linnet_device_info usual = device->info;
    float loss;
    learner l = learner_new(device);
    device->info.max_buffer_bytes = 1024;
    assert_fails(step(&l, &loss), LINNET_OUT_OF_MEMORY, "the device's largest buffer has 1024");
    const char *said = linnet_context_message(NULL);
    assert_ptr_equal(strstr(said, linnet_device_label(device)), said);
    assert_non_null(strstr(said, " of '"));
    assert_non_null(strstr(said, " bytes in all"));
    device->info = usual;
    assert_ok(step(&l, &loss)); /* it works on */
    learner_free(&l);
}

/* ---- Parameters that do not fit in one buffer ---- */

enum { HIDDEN = 48, LARGEST = SIDE * SIDE * HIDDEN * 4 /* bytes of the largest parameter */ };

/* Most of the bytes are parameters; one in their midst is frozen. */
static learner wide_new(linnet_device *device, bool adam)
{
    learner l = {.net = linnet_net_new(NULL)};
    linnet_value x = linnet_flatten(l.net, linnet_input(l.net, "image", 1, SIDE, SIDE));
    x = linnet_relu(l.net, linnet_linear(l.net, x, .out_features = HIDDEN));
    x = linnet_relu(l.net, linnet_linear(l.net, x, .out_features = HIDDEN, .name = "frozen"));
    x = linnet_relu(l.net, linnet_linear(l.net, x, .out_features = HIDDEN));
    x = linnet_batch_norm(l.net, linnet_linear(l.net, x, .out_features = HIDDEN));
    l.logits = linnet_linear(l.net, x, .out_features = CLASSES);
    l.loss = linnet_cross_entropy(l.net, l.logits, linnet_labels(l.net, "label"));
    linnet_net_freeze(l.net, linnet_net_parameter(l.net, "frozen.weight"), 1);
    assert_string_equal(linnet_net_message(l.net), "");
    l.session = linnet_session_new(l.net, device);
    l.sgd = adam ? linnet_adam_new(l.session, .learning_rate = 0.01f)
                 : linnet_sgd_new(l.session, .learning_rate = 0.1f, .momentum = 0.9f);
    assert_non_null(l.sgd);
    return l;
}

enum { WIDE_STEPS = 4 };

/* Losses, then the weights of the last layer, on a device whose buffers have so many bytes at most. */
static size_t train_wide(linnet_device *device, bool adam, uint64_t largest, float *out)
{
    linnet_device_info usual = device->info;
    device->info.max_buffer_bytes = largest;
    learner l = wide_new(device, adam);
    const linnet_layout *layout = &l.session->places[0].parameter_layout;
    for (int i = 0; i < WIDE_STEPS; i++)
        assert_ok(step(&l, &out[i]));
    assert_ok(linnet_session_get(l.session, "linear4.weight", out + WIDE_STEPS, HIDDEN * CLASSES * sizeof *out));
    for (size_t i = 0; i < layout->count; i++)
        assert_true(layout->bytes[i] <= largest);
    size_t count = layout->count;
    learner_free(&l);
    device->info = usual;
    return count;
}

static void parameters_lie_in_several_buffers(void **state)
{
    static float whole[WIDE_STEPS + HIDDEN * CLASSES], split[WIDE_STEPS + HIDDEN * CLASSES];
    for (int adam = 0; adam < 2; adam++) {
        assert_int_equal(train_wide(DEVICE(state), adam, UINT64_MAX, whole), 1);
        assert_true(train_wide(DEVICE(state), adam, LARGEST, split) > 1);
        assert_memory_equal(whole, split, sizeof whole);
    }
}

/* ---- A format that pads channels makes tensors too large that would fit as they are ---- */

enum { CHANNELS = 3, IMAGE = CHANNELS * SIDE * SIDE };

/* Three convolutions, on a device whose buffers have so many bytes at most. */
static void convolve(linnet_device *device, const float *pixels, uint64_t largest, float *out)
{
    linnet_device_info usual = device->info;
    linnet_net *net = linnet_net_new(NULL);
    linnet_value x = linnet_input(net, "image", CHANNELS, SIDE, SIDE);
    for (int k = 0; k < 3; k++)
        x = linnet_relu(net, linnet_conv2d(net, x, .out_channels = CHANNELS, .kernel = 3, .padding = 1));
    linnet_output(net, x, "out");
    linnet_session *session = linnet_session_new(net, device);
    device->info.max_buffer_bytes = largest;
    linnet_batch batch = {.feed_count = 0};
    FEED(&batch, "image", pixels, BATCH, CHANNELS, SIDE, SIDE);
    assert_ok(linnet_forward(session, &batch));
    assert_ok(linnet_session_read(session, x, out, BATCH * IMAGE * sizeof *out));
    for (size_t b = 0; b < session->places[0].block_count; b++)
        assert_true(session->places[0].block_bytes[b] <= largest);
    assert_int_equal(session->place_count, 1); /* no other device had to help */
    linnet_session_free(&session);
    linnet_net_free(&net);
    device->info = usual;
}

static void a_format_that_is_too_large_gives_way(void **state)
{
    static float pixels[BATCH * IMAGE], loose[BATCH * IMAGE], tight[BATCH * IMAGE];
    fill_random(pixels, BATCH * IMAGE, 5, 5);
    convolve(DEVICE(state), pixels, UINT64_MAX, loose);
    convolve(DEVICE(state), pixels, sizeof pixels, tight);
    for (int i = 0; i < BATCH * IMAGE; i++)
        assert_true(fabsf(loose[i] - tight[i]) <= 1e-5f);
}

static void a_parameter_that_is_too_large_is_said(void **state)
{
    linnet_device *device = DEVICE(state);
    linnet_device_info usual = device->info;
    linnet_net *net = linnet_net_new(NULL);
    linnet_value x = linnet_flatten(net, linnet_input(net, "image", 1, SIDE, SIDE));
    linnet_linear(net, x, .out_features = HIDDEN, .name = "wide");
    device->info.max_buffer_bytes = LARGEST - 1;
    assert_null(linnet_session_new(net, device));
    assert_fails(linnet_context_last_status(NULL), LINNET_OUT_OF_MEMORY,
                 "'wide.weight' needs 150528 bytes, the device's largest buffer has 150527");
    device->info = usual;
    linnet_net_free(&net);
}

/* ---- A plan that is described and never run ---- */

static linnet_status describe(learner *l, char **out_text)
{
    static const float pixels[BATCH * SIDE * SIDE];
    linnet_batch batch = {.feed_count = 0};
    FEED(&batch, "image", pixels, BATCH, 1, SIDE, SIDE);
    return linnet_session_describe(l->session, &batch, 0, out_text);
}

static void evaluate(learner *l, bool on)
{
    linnet_session_set_behaviour(l->session, on ? LINNET_EVALUATE : LINNET_TRAIN);
    linnet_session_set_gradients(l->session, !on);
}

/* The batch norm folded into the layer before it does not count against those plans that are run. */
static void what_is_only_described_takes_no_memory(void **state)
{
    linnet_device *device = DEVICE(state);
    linnet_device_info usual = device->info;
    float losses[2];
    uint64_t arena;
    char *text = NULL;
    learner alone = wide_new(device, false), after = wide_new(device, false);
    assert_ok(step(&alone, &losses[0]));
    evaluate(&after, true);
    assert_ok(describe(&after, &text));
    linnet_text_free(&text);
    evaluate(&after, false);
    device->info.memory_bytes = bytes_of(&alone, &arena);
    assert_ok(step(&after, &losses[1]));
    assert_true(losses[0] == losses[1]);
    device->info = usual;
    learner_free(&alone);
    learner_free(&after);
}

/* Describing makes the plan that running takes: with too little memory there is none, with enough it then runs. */
static void a_plan_is_described_as_it_will_run(void **state)
{
    linnet_device *device = DEVICE(state);
    linnet_device_info usual = device->info;
    float loss;
    uint64_t arena;
    char *before = NULL, *after = NULL;
    learner l = learner_new(device);
    assert_ok(step(&l, &loss));
    uint64_t bytes = bytes_of(&l, &arena);
    learner_free(&l);
    for (uint64_t tight = bytes; tight > 0; tight = tight > bytes / 4 ? tight - bytes / 4 : 0) {
        l = learner_new(device);
        device->info.memory_bytes = tight;
        linnet_status status = describe(&l, &before);
        if (status != LINNET_OK) {
            assert_fails(status, LINNET_OUT_OF_MEMORY, " bytes are needed");
            assert_null(before);
        } else {
            static const float pixels[BATCH * SIDE * SIDE];
            linnet_batch batch = {.feed_count = 0};
            FEED(&batch, "image", pixels, BATCH, 1, SIDE, SIDE);
            assert_ok(linnet_forward(l.session, &batch));
            assert_ok(describe(&l, &after));
            assert_string_equal(before, after);
            assert_true(bytes_of(&l, &arena) <= tight);
        }
        linnet_text_free(&before);
        linnet_text_free(&after);
        learner_free(&l);
        device->info = usual;
    }
}

int main(int argc, char **argv)
{
    static const device_test tests[] = {
        DEVICE_TEST(the_same_with_smaller_workspaces),
        DEVICE_TEST(what_is_needed_is_said),
        DEVICE_TEST(a_buffer_that_is_too_large_is_said),
        DEVICE_TEST(parameters_lie_in_several_buffers),
        DEVICE_TEST(a_parameter_that_is_too_large_is_said),
        DEVICE_TEST(what_parameters_need_is_said),
        DEVICE_TEST(more_memory_never_hurts),
        DEVICE_TEST(memory_of_other_plans_is_given_back),
        DEVICE_TEST(a_format_that_is_too_large_gives_way),
        DEVICE_TEST(what_is_only_described_takes_no_memory),
        DEVICE_TEST(a_plan_is_described_as_it_will_run),
    };
    return run_on_devices("memory", tests, sizeof tests / sizeof *tests, argc, argv);
}
