/* SPDX-License-Identifier: Apache-2.0 */
/* Weights and checkpoints: the same bits after loading, nothing changed by a file that does not fit. Evaluation,
 * prediction. */
#include "files.h"
#include "sessions.h"

#include <math.h>

enum { IMAGES = 50, BATCH = 8, STEPS = 11 };

static char *folder;
static uint8_t images[IMAGES * 64];
static int32_t classes[IMAGES];

typedef struct learner {
    linnet_net *net;
    linnet_value image, logits, loss;
    linnet_session *session;
    linnet_optimizer *adam;
    linnet_dataset *data;
    linnet_loader *loader;
} learner;

static void make_data(void)
{
    for (int i = 0; i < IMAGES; i++) {
        classes[i] = i % 4;
        for (int p = 0; p < 64; p++)
            images[i * 64 + p] = (uint8_t)((p / 8 % 4 == classes[i] ? 200 : 20) + (i * 7 + p * 5) % 50);
    }
}

/* Convolution, batch norm (running statistics) and dropout (random state): all that has to come back. */
static learner learner_new(const char *selection, const char *name, int64_t hidden, int64_t limit)
{
    learner l = {.net = linnet_net_new(NULL)};
    l.image = linnet_input(l.net, "image", 1, 8, 8);
    linnet_value x = linnet_conv2d(l.net, l.image, .name = "conv", .out_channels = hidden, .kernel = 3);
    x = linnet_relu(l.net, linnet_batch_norm(l.net, x, .name = "bn"));
    x = linnet_dropout(l.net, x, 0.25f);
    l.logits = linnet_linear(l.net, x, .name = "fc", .out_features = 4);
    l.loss = linnet_cross_entropy(l.net, l.logits, linnet_labels(l.net, "label"));
    assert_ok(linnet_net_set_name(l.net, name));
    linnet_device *device = linnet_device_open(NULL, selection);
    l.session = linnet_session_new(l.net, device);
    linnet_device_close(&device);
    assert_non_null(l.session);
    l.adam = linnet_adam_new(l.session, .learning_rate = 0.01f);
    const linnet_tensor pixels = {LINNET_U8, 4, {IMAGES, 1, 8, 8}, images}, labels = {LINNET_I32, 1, {IMAGES}, classes};
    l.data = linnet_dataset_from_arrays(NULL, &pixels, &labels, .class_count = 4);
    l.loader = linnet_loader_new(NULL, l.data, .batch = BATCH, .shuffle = 1, .seed = 3, .limit = limit);
    assert_true(l.adam && l.data && l.loader);
    return l;
}

static void learner_free(learner *l)
{
    linnet_loader_free(&l->loader);
    linnet_dataset_free(&l->data);
    linnet_optimizer_free(&l->adam);
    linnet_session_free(&l->session);
    linnet_net_free(&l->net);
}

static void train(learner *l, int steps)
{
    linnet_batch batch;
    while (steps > 0) {
        if (!linnet_loader_next(l->loader, &batch))
            continue; /* the next epoch */
        linnet_zero_grad(l->adam);
        linnet_forward(l->session, &batch);
        linnet_backward(l->session, l->loss);
        assert_ok(linnet_step(l->adam));
        steps--;
    }
}

static linnet_checkpoint checkpoint_of(learner *l, char **notes)
{
    return (linnet_checkpoint){.struct_size = sizeof(linnet_checkpoint),
                               .session = l->session,
                               .optimizer = l->adam,
                               .loader = l->loader,
                               .notes = notes};
}

/* A sum over everything that a checkpoint holds. */
static uint64_t state_of(learner *l)
{
    static uint8_t bytes[1 << 20];
    char path[1200]; /* of its own: path_in has room for four */
    snprintf(path, sizeof path, "%s/state", folder);
    linnet_checkpoint checkpoint = checkpoint_of(l, NULL);
    assert_ok(linnet_checkpoint_save(&checkpoint, path));
    return sum_of(bytes, file_get(path, bytes, sizeof bytes));
}

/* Its images come as random crops, mirrored or not: which is random state, too. */
static void augment(learner *l)
{
    linnet_loader_free(&l->loader);
    l->loader = linnet_loader_new(NULL, l->data, .batch = BATCH, .shuffle = 1, .seed = 3, .crop_padding = 2, .flip = 1);
    assert_non_null(l->loader);
}

static void resume_gives_the_same_bits(const char *selection)
{
    char *notes = (char *)"{\"epoch\": \"halfway\"}", *back = NULL;
    const char *path = path_in(folder, "checkpoint");
    learner whole = learner_new(selection, "one", 6, 0);
    augment(&whole);
    linnet_checkpoint checkpoint = checkpoint_of(&whole, &notes);
    train(&whole, 4); /* in the middle of an epoch of 7 */
    assert_ok(linnet_checkpoint_save(&checkpoint, path));
    uint64_t saved = state_of(&whole);
    train(&whole, STEPS);
    learner resumed = learner_new(selection, "one", 6, 0);
    augment(&resumed);
    train(&resumed, 2); /* whatever it did before */
    checkpoint = checkpoint_of(&resumed, &back);
    assert_ok(linnet_checkpoint_load(&checkpoint, path));
    assert_string_equal(back, notes);
    linnet_text_free(&back);
    assert_true(state_of(&resumed) == saved);
    train(&resumed, STEPS);
    assert_true(state_of(&resumed) == state_of(&whole));
    learner_free(&whole);
    learner_free(&resumed);
}

static void resuming_in_an_epoch_gives_the_same_bits(void **state)
{
    folder = *state;
    resume_gives_the_same_bits("reference");
    resume_gives_the_same_bits("cpu");
}

/* Every cut, and bits turned over here and there: loads or not, but a file that does not load changes nothing. */
static void damaged_checkpoints_change_nothing(void **state)
{
    static uint8_t bytes[1 << 20];
    folder = *state;
    const char *path = path_in(folder, "whole"), *damaged = path_in(folder, "damaged");
    learner l = learner_new("reference", "one", 6, 0);
    linnet_checkpoint checkpoint = checkpoint_of(&l, NULL);
    train(&l, 3);
    assert_ok(linnet_checkpoint_save(&checkpoint, path));
    size_t size = file_get(path, bytes, sizeof bytes);
    train(&l, 1);
    uint64_t before = state_of(&l);
    for (size_t cut = 0; cut < size; cut += 1 + size / 60) {
        file_put(damaged, bytes, cut);
        assert_int_equal(linnet_checkpoint_load(&checkpoint, damaged), LINNET_BAD_FILE);
        assert_int_equal(linnet_load(l.session, damaged), LINNET_BAD_FILE);
        assert_true(state_of(&l) == before);
    }
    int refused = 0;
    assert_ok(linnet_checkpoint_load(&checkpoint, path));
    before = state_of(&l);
    for (size_t at = 0; at < 2400; at += 7) { /* the header: names, shapes, offsets, numbers */
        bytes[at] ^= 0x11;
        file_put(damaged, bytes, size);
        bytes[at] ^= 0x11;
        if (linnet_checkpoint_load(&checkpoint, damaged) == LINNET_OK)
            assert_ok(linnet_checkpoint_load(&checkpoint, path)); /* a seed or count that is as good as another */
        else
            refused++;
    }
    assert_true(refused > 100);
    assert_true(state_of(&l) == before);
    assert_int_equal(linnet_checkpoint_load(&checkpoint, path_in(folder, "absent")), LINNET_IO);
    learner_free(&l);
}

static void files_for_something_else_change_nothing(void **state)
{
    folder = *state;
    const char *path = path_in(folder, "other"), *weights = path_in(folder, "weights");
    learner l = learner_new("reference", "one", 6, 0);
    linnet_checkpoint checkpoint = checkpoint_of(&l, NULL);
    train(&l, 2);
    assert_ok(linnet_checkpoint_save(&checkpoint, path));
    assert_ok(linnet_save(l.session, weights));
    assert_fails(linnet_checkpoint_load(&checkpoint, weights), LINNET_BAD_FILE, "is no checkpoint");

    learner other = learner_new("reference", "two", 6, 0); /* another architecture by name */
    uint64_t before = state_of(&other);
    linnet_checkpoint into = checkpoint_of(&other, NULL);
    assert_fails(linnet_checkpoint_load(&into, path), LINNET_BAD_FILE, "holds weights of 'one', not of 'two'");
    assert_fails(linnet_load(other.session, weights), LINNET_BAD_FILE, "holds weights of 'one', not of 'two'");
    assert_true(state_of(&other) == before);
    learner_free(&other);

    other = learner_new("reference", "one", 5, 0); /* by shape */
    before = state_of(&other);
    assert_fails(linnet_load(other.session, weights), LINNET_BAD_FILE,
                 "'conv.weight' is f32 [6,1,3,3], the net wants f32 [5,1,3,3]");
    assert_true(state_of(&other) == before);
    learner_free(&other);

    other = learner_new("reference", "one", 6, BATCH); /* too little data */
    into = checkpoint_of(&other, NULL);
    before = state_of(&other);
    assert_fails(linnet_checkpoint_load(&into, path), LINNET_BAD_FILE, "more data");
    assert_true(state_of(&other) == before);
    linnet_optimizer_free(&other.adam); /* another optimiser */
    other.adam = linnet_sgd_new(other.session, .learning_rate = 0.1f, .momentum = 0.9f);
    into = checkpoint_of(&other, NULL);
    into.loader = NULL;
    assert_fails(linnet_checkpoint_load(&into, path), LINNET_BAD_FILE, "another optimiser");
    into.optimizer = l.adam;
    assert_fails(linnet_checkpoint_load(&into, path), LINNET_INVALID, "its optimiser");
    assert_fails(linnet_checkpoint_save(&into, path), LINNET_INVALID, "its optimiser");
    learner_free(&other);
    learner_free(&l);
}

static void weights_come_back(void **state)
{
    folder = *state;
    const char *path = path_in(folder, "weights");
    float one[16], other[16];
    char *name = NULL;
    learner l = learner_new("cpu", "one", 6, 0), fresh = learner_new("reference", "", 6, 0);
    train(&l, 3);
    assert_ok(linnet_save(l.session, path));
    assert_ok(linnet_weights_architecture(NULL, path, &name));
    assert_string_equal(name, "one");
    linnet_text_free(&name);
    assert_ok(linnet_load(fresh.session, path)); /* a net without a name takes any that fits */
    const char *variables[] = {"fc.bias", "conv.bias", "bn.running_mean", "bn.running_var", "bn.weight"};
    for (size_t i = 0; i < 5; i++) {
        size_t bytes = (i ? 6 : 4) * sizeof(float);
        assert_ok(linnet_session_get(l.session, variables[i], one, bytes));
        assert_ok(linnet_session_get(fresh.session, variables[i], other, bytes));
        assert_memory_equal(one, other, bytes);
    }
    assert_fails(linnet_save(l.session, "/nonexistent/folder/file"), LINNET_IO, "/nonexistent/folder/file");
    learner_free(&l);
    learner_free(&fresh);
}

/* ---- Evaluation and prediction: of values that were not named as outputs, too ---- */

static int stop_after_two(void *user, int64_t done, int64_t samples)
{
    (void)done;
    assert_int_equal(samples, IMAGES);
    return ++*(int *)user == 2;
}

static void evaluation_counts_and_leaves_settings(void **state)
{
    (void)state;
    int32_t predicted[IMAGES];
    int calls = 0;
    learner l = learner_new("reference", "one", 6, 0);
    linnet_loader *loader = linnet_loader_new(NULL, l.data, .batch = 7);
    linnet_evaluation before, after;
    assert_ok(linnet_evaluate(l.session, loader, l.logits, l.loss, NULL, NULL, NULL, &before));
    train(&l, 60);
    assert_ok(linnet_evaluate(l.session, loader, l.logits, l.loss, predicted, NULL, NULL, &after));
    assert_int_equal(after.count, IMAGES);
    assert_true(after.accuracy > before.accuracy && after.loss < before.loss);
    int64_t correct = 0;
    for (int i = 0; i < IMAGES; i++)
        correct += predicted[i] == classes[i];
    assert_int_equal(correct, after.correct);
    assert_true(fabs(after.accuracy - (double)correct / IMAGES) < 1e-12);
    assert_int_equal(linnet_session_get_behaviour(l.session), LINNET_TRAIN);
    assert_int_equal(linnet_session_get_gradients(l.session), 1);
    assert_ok(linnet_evaluate(l.session, loader, l.logits, (linnet_value){0}, NULL, NULL, NULL, &after));
    assert_true(isnan(after.loss));
    assert_fails(linnet_evaluate(l.session, loader, l.logits, l.loss, NULL, stop_after_two, &calls, &after),
                 LINNET_INTERRUPTED, "interrupted");
    assert_int_equal(linnet_session_get_behaviour(l.session), LINNET_TRAIN);
    assert_fails(linnet_evaluate(l.session, loader, (linnet_value){9999}, l.loss, NULL, NULL, NULL, &after),
                 LINNET_INVALID, "not of the session's net");
    linnet_loader_free(&loader);
    learner_free(&l);
}

/* Scores that are no numbers are no class, least of all the first. */
static void no_number_is_no_class(void **state)
{
    (void)state;
    int32_t predicted[IMAGES];
    float bias[4] = {0};
    learner l = learner_new("reference", "one", 6, 0);
    linnet_loader *loader = linnet_loader_new(NULL, l.data, .batch = 7);
    linnet_evaluation result;
    bias[0] = NAN;
    assert_ok(linnet_session_set(l.session, "fc.bias", bias, sizeof bias));
    assert_ok(linnet_evaluate(l.session, loader, l.logits, l.loss, predicted, NULL, NULL, &result));
    for (int i = 0; i < IMAGES; i++)
        assert_true(predicted[i] >= 1 && predicted[i] <= 3);
    for (int i = 1; i < 4; i++)
        bias[i] = NAN;
    assert_ok(linnet_session_set(l.session, "fc.bias", bias, sizeof bias));
    assert_ok(linnet_evaluate(l.session, loader, l.logits, l.loss, predicted, NULL, NULL, &result));
    for (int i = 0; i < IMAGES; i++)
        assert_int_equal(predicted[i], -1);
    assert_int_equal(result.correct, 0);
    assert_int_equal(result.count, IMAGES);
    assert_true(isnan(result.loss));
    linnet_loader_free(&loader);
    learner_free(&l);
}

static void predictions_are_ordered(void **state)
{
    (void)state;
    float pixels[64], sum = 0;
    linnet_prediction best[4];
    learner l = learner_new("reference", "one", 6, 0);
    train(&l, 60);
    for (int i = 0; i < 64; i++)
        pixels[i] = (float)images[2 * 64 + i] / 255.0f;
    linnet_tensor sample = {LINNET_F32, 3, {1, 8, 8}, pixels};
    assert_ok(linnet_predict(l.session, l.logits, &sample, 4, best));
    assert_int_equal(best[0].class_index, 2);
    for (int i = 0; i < 4; i++) {
        sum += best[i].probability;
        assert_true(i == 0 || best[i].probability <= best[i - 1].probability);
    }
    assert_true(fabsf(sum - 1) < 1e-5f);
    assert_fails(linnet_predict(l.session, l.logits, &sample, 5, best), LINNET_INVALID, "5 classes are wanted");
    pixels[0] = NAN; /* every score is no number: each class comes once all the same */
    assert_ok(linnet_predict(l.session, l.logits, &sample, 4, best));
    for (int i = 0; i < 4; i++) {
        assert_int_equal(best[i].class_index, i);
        assert_true(isnan(best[i].probability));
    }
    sample.rank = 2;
    assert_fails(linnet_predict(l.session, l.logits, &sample, 1, best), LINNET_SHAPE, "input 'image' wants");
    learner_free(&l);
}

#define FOLDER_TEST(function) cmocka_unit_test_setup_teardown(function, folder_make, folder_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(resuming_in_an_epoch_gives_the_same_bits),
        FOLDER_TEST(damaged_checkpoints_change_nothing),
        FOLDER_TEST(files_for_something_else_change_nothing),
        FOLDER_TEST(weights_come_back),
        cmocka_unit_test(evaluation_counts_and_leaves_settings),
        cmocka_unit_test(predictions_are_ordered),
        cmocka_unit_test(no_number_is_no_class),
    };
    make_data();
    return cmocka_run_group_tests_name("checkpoints", tests, NULL, NULL);
}
