/* SPDX-License-Identifier: Apache-2.0 */
/* Measured costs: plans say so, results stay, the file outlives the device, and no bytes in it do harm. */
#include "files.h"
#include "plugins.h"
#include "sessions.h"

#include <dirent.h>
#include <math.h>

enum { N = 3, C = 5, SIDE = 9, IMAGE = C * SIDE * SIDE, CLASSES = 4, MOST = 1 << 18 };

typedef struct rig {
    linnet_device *device;
    linnet_net *net;
    linnet_session *session;
    linnet_batch batch;
    linnet_value scores, loss;
} rig;

static void *folder; /* for caches: one, as long as the program runs */
static float pixels[N * IMAGE];
static const int32_t labels[N] = {0, 3, 1};

/* A small network of convolutions in training, on a device opened anew. */
static void rig_open_with(rig *r, void **state, bool drops)
{
    const linnet_device *like = *state;
    *r = (rig){.device = linnet_device_open(NULL, linnet_device_backend_name(like)), .net = linnet_net_new(NULL)};
    assert_non_null(r->device);
    linnet_value x = linnet_input(r->net, "x", C, SIDE, SIDE);
    x = linnet_relu(r->net, linnet_conv2d(r->net, x, .name = "a", .out_channels = 17, .kernel = 3, .padding = 1));
    x = linnet_batch_norm(r->net, x, .name = "n");
    x = linnet_max_pool2d(r->net, x, .kernel = 3, .stride = 2);
    x = linnet_relu(r->net, linnet_conv2d(r->net, x, .name = "b", .out_channels = 8, .kernel = 1));
    if (drops)
        x = linnet_dropout(r->net, x, 0.5f);
    r->scores = linnet_linear(r->net, linnet_flatten(r->net, x), .name = "c", .out_features = CLASSES);
    linnet_output(r->net, r->scores, "scores");
    r->loss = linnet_cross_entropy(r->net, r->scores, linnet_labels(r->net, "label"));
    r->session = linnet_session_new(r->net, r->device);
    assert_non_null(r->session);
    linnet_session_set_gradients(r->session, 1);
    linnet_session_set_behaviour(r->session, LINNET_TRAIN);
    fill_random(pixels, N * IMAGE, 3, 3);
    FEED(&r->batch, "x", pixels, N, C, SIDE, SIDE);
    FEED_LABELS(&r->batch, "label", labels, N);
}

static void rig_open(rig *r, void **state)
{
    rig_open_with(r, state, false);
}

static void rig_close(rig *r)
{
    linnet_session_free(&r->session);
    linnet_net_free(&r->net);
    linnet_device_close(&r->device);
}

static bool plan_is_tuned(rig *r)
{
    char *text;
    assert_ok(linnet_session_describe(r->session, &r->batch, 0, &text));
    bool tuned = strstr(text, "  tuned") != NULL;
    linnet_text_free(&text);
    return tuned;
}

static linnet_tune_report tune(rig *r)
{
    const linnet_tune_options options = {.struct_size = sizeof options, .seconds = 1e-4};
    linnet_tune_report report = {.struct_size = sizeof report};
    assert_ok(linnet_session_tune(r->session, &r->batch, &options, &report));
    return report;
}

static void run(rig *r, float scores[N * CLASSES])
{
    assert_ok(linnet_forward(r->session, &r->batch));
    assert_ok(linnet_backward(r->session, r->loss));
    assert_ok(linnet_session_read(r->session, r->scores, scores, N * CLASSES * sizeof *scores));
}

/* The one file of costs; NULL: none. */
static const char *find_file(void)
{
    const char *found = NULL;
    DIR *list = opendir(folder);
    assert_non_null(list);
    for (struct dirent *entry; (entry = readdir(list));)
        if (strncmp(entry->d_name, "costs-", 6) == 0) {
            assert_null(found);
            found = path_in(folder, entry->d_name);
        }
    closedir(list);
    return found;
}

static void empty_folder(void)
{
    const char *path = find_file();
    if (path)
        assert_int_equal(unlink(path), 0);
}

static void what_was_measured_decides_and_lasts(void **state)
{
    rig r;
    float before[N * CLASSES], after[N * CLASSES];
    empty_folder();
    rig_open(&r, state);
    assert_false(plan_is_tuned(&r));
    run(&r, before);
    linnet_tune_report report = tune(&r);
    assert_true(report.layers > 4 && report.measured >= report.layers);
    assert_int_equal(report.wrong + report.skipped, 0);
    assert_true(plan_is_tuned(&r));
    run(&r, after);
    for (int i = 0; i < N * CLASSES; i++)
        assert_true(fabsf(before[i] - after[i]) < 1e-4f);
    rig_close(&r);

    rig_open(&r, state); /* nothing was kept */
    assert_false(plan_is_tuned(&r));
    tune(&r);
    assert_ok(linnet_session_keep_tuning(r.session));
    rig_close(&r);
    rig_open(&r, state);
    assert_true(plan_is_tuned(&r));
    run(&r, after);
    rig_close(&r);
}

static int warnings;

static void count_warnings(void *user, linnet_log_level level, const char *message)
{
    (void)user;
    warnings += level == LINNET_LOG_WARNING && strstr(message, "is ignored") != NULL;
}

static void assert_ignored(void **state, const char *path, const char *bytes, size_t size)
{
    rig r;
    file_put(path, bytes, size);
    warnings = 0;
    rig_open(&r, state);
    assert_false(plan_is_tuned(&r));
    assert_int_equal(warnings, 1);
    rig_close(&r);
}

/* The sum of the file's bytes, put in its last line anew, so that what stands before is looked at. */
static void sum_anew(char *bytes, size_t size)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    char line[32];
    for (size_t i = 0; i < size - 21; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3);
    snprintf(line, sizeof line, "sum %016llx\n", (unsigned long long)hash);
    memcpy(bytes + size - 21, line, 21);
}

static void no_bytes_do_harm(void **state)
{
    rig r;
    static char good[MOST], bad[MOST];
    empty_folder();
    rig_open(&r, state);
    tune(&r);
    assert_ok(linnet_session_keep_tuning(r.session));
    rig_close(&r);
    char path[1200];
    assert_non_null(find_file());
    snprintf(path, sizeof path, "%s", find_file());
    size_t size = file_get(path, good, MOST), heading = strcspn(good, "\n") + 1;
    size_t lines = heading + strcspn(good + heading, "\n") + 1; /* behind the device's key */
    linnet_context_set_log(NULL, count_warnings, NULL);
    assert_ignored(state, path, good, 0);
    for (size_t length = 1; length < size; length += 1 + length / 3)
        assert_ignored(state, path, good, length);
    for (size_t place = 0; place < size; place += 1 + size / 16) {
        memcpy(bad, good, size);
        bad[place] ^= 1;
        assert_ignored(state, path, bad, size);
    }
    const size_t places[] = {heading, lines, lines + 15, lines + 16, lines + 17};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        memcpy(bad, good, size);
        bad[places[i]] = 'x';
        sum_anew(bad, size);
        assert_ignored(state, path, bad, size);
    }
    file_put(path, good, size);
    warnings = 0;
    rig_open(&r, state);
    assert_true(plan_is_tuned(&r));
    assert_int_equal(warnings, 0);
    rig_close(&r);
    linnet_context_set_log(NULL, NULL, NULL);
}

/* Where a checkpoint of the rig goes to or comes from. */
static linnet_status exchange(rig *r, const char *name, bool save)
{
    linnet_optimizer *sgd = linnet_sgd_new(r->session, .learning_rate = 0.01f, .momentum = 0.9f);
    assert_non_null(sgd);
    linnet_checkpoint checkpoint = {.struct_size = sizeof checkpoint, .session = r->session, .optimizer = sgd};
    const char *path = path_in(folder, name);
    linnet_status status = save ? linnet_checkpoint_save(&checkpoint, path) : linnet_checkpoint_load(&checkpoint, path);
    linnet_optimizer_free(&sgd);
    return status;
}

static void a_checkpoint_keeps_what_was_chosen_by(void **state)
{
    rig r;
    float scores[N * CLASSES], again[N * CLASSES];
    empty_folder();
    rig_open(&r, state);
    run(&r, scores);
    assert_ok(exchange(&r, "untuned", true));
    tune(&r);
    assert_ok(linnet_session_keep_tuning(r.session));
    assert_true(plan_is_tuned(&r));
    assert_ok(exchange(&r, "untuned", false)); /* of before it was measured */
    assert_false(plan_is_tuned(&r));
    run(&r, again);
    assert_memory_equal(scores, again, sizeof scores);
    rig_close(&r);

    rig_open(&r, state);
    assert_true(plan_is_tuned(&r));
    run(&r, scores);
    assert_ok(exchange(&r, "tuned", true));
    rig_close(&r);

    empty_folder(); /* another machine's user, a cleared cache */
    rig_open(&r, state);
    assert_false(plan_is_tuned(&r));
    assert_ok(exchange(&r, "tuned", false));
    assert_true(plan_is_tuned(&r));
    run(&r, again);
    assert_memory_equal(scores, again, sizeof scores);
    tune(&r); /* decides anew */
    assert_true(plan_is_tuned(&r));
    rig_close(&r);
}

static void damaged_choices_are_refused(void **state)
{
    static char good[MOST];
    rig r;
    empty_folder();
    rig_open(&r, state);
    tune(&r);
    run(&r, (float[N * CLASSES]){0});
    assert_ok(exchange(&r, "checkpoint", true));
    char path[1200];
    snprintf(path, sizeof path, "%s", path_in(folder, "checkpoint"));
    size_t size = file_get(path, good, MOST);
    char *text = strstr(good + 8, "place 0 ");
    assert_non_null(text);
    char *line = strstr(text, "\\n");
    assert_non_null(line);
    char *const places[] = {text, text + 5, text + 6, line + 2, line + 17, line + 18, line + 19};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        char was = *places[i];
        *places[i] = 'x';
        file_put(path, good, size);
        *places[i] = was;
        assert_fails(exchange(&r, "checkpoint", false), LINNET_BAD_FILE, "checkpoint");
        assert_true(plan_is_tuned(&r));
    }
    rig_close(&r);
}

static int stop_at_once(void *context, size_t done, size_t all, const char *layer)
{
    (void)context;
    return done == 0 && all > 0 && *layer;
}

static void it_can_be_stopped(void **state)
{
    rig r;
    const linnet_tune_options options = {.struct_size = sizeof options, .progress = stop_at_once};
    linnet_tune_report report = {.struct_size = sizeof report};
    float scores[N * CLASSES];
    empty_folder();
    rig_open(&r, state);
    assert_int_equal(linnet_session_tune(r.session, &r.batch, &options, &report), LINNET_END);
    assert_int_equal(report.measured, 0);
    assert_fails(linnet_session_tune(r.session, &r.batch, &options, NULL), LINNET_INVALID, "report");
    run(&r, scores);
    rig_close(&r);
}

typedef struct watched {
    size_t stop_at, calls, last;
    char layers[1024]; /* in their order, a space behind each */
} watched;

static int stop_at(void *context, size_t done, size_t all, const char *layer)
{
    watched *w = context;
    assert_true(done < all && (!w->calls || done >= w->last));
    w->calls++;
    snprintf(w->layers + strlen(w->layers), sizeof w->layers - strlen(w->layers), "%s ", layer);
    w->last = done;
    return done >= w->stop_at;
}

/* Wherever that is. */
static void it_can_be_stopped_between_implementations(void **state)
{
    rig r;
    uint32_t measured = 0;
    empty_folder();
    for (size_t at = 0; at <= 12; at++) {
        watched w = {.stop_at = at};
        linnet_tune_report report = {.struct_size = sizeof report};
        const linnet_tune_options options = {
            .struct_size = sizeof options, .seconds = 1e-4, .progress = stop_at, .context = &w};
        rig_open(&r, state);
        linnet_status status = linnet_session_tune(r.session, &r.batch, &options, &report);
        assert_true(status == LINNET_END || (status == LINNET_OK && w.last < at));
        assert_true(report.measured + report.skipped <= (status ? at : w.last + 1));
        assert_true(report.layers <= report.measured && (!plan_is_tuned(&r) || report.measured > 0));
        measured = report.measured;
        rig_close(&r);
    }
    assert_true(measured > 0);
}

/* What a training step before it left is there after it, and the next one is the same as without it: its dropout, too.
 */
static void it_leaves_no_trace(void **state)
{
    enum { WEIGHTS = 17 * C * 9, CHANNELS = 17 };
    rig r;
    static float gradient[2][WEIGHTS], mean[2][CHANNELS], scores[2][N * CLASSES];
    empty_folder();
    for (int tunes = 0; tunes < 2; tunes++) {
        rig_open_with(&r, state, true);
        run(&r, scores[tunes]);
        if (tunes) {
            tune(&r);
            assert_ok(linnet_session_drop_tuning(r.session));
        }
        run(&r, scores[tunes]); /* adds to the gradients that are there */
        assert_ok(linnet_session_read_gradient(r.session, linnet_net_find(r.net, "a.weight"), gradient[tunes],
                                               sizeof gradient[tunes]));
        assert_ok(linnet_session_get(r.session, "n.running_mean", mean[tunes], sizeof mean[tunes]));
        rig_close(&r);
    }
    assert_memory_equal(scores[0], scores[1], sizeof scores[0]);
    assert_memory_equal(mean[0], mean[1], sizeof mean[0]);
    for (int i = 0; i < WEIGHTS; i++)
        assert_true(fabsf(gradient[0][i] - gradient[1][i]) <= 1e-5f * (1 + fabsf(gradient[0][i])));
}

/* Gradients that were collected stay to the bit, whatever is in the batch that is tuned for. */
static void collected_gradients_stay(void **state)
{
    enum { WEIGHTS = 17 * C * 9 };
    static float scores[N * CLASSES], gradient[2][WEIGHTS];
    rig r;
    empty_folder();
    rig_open(&r, state);
    run(&r, scores);
    linnet_value weight = linnet_net_find(r.net, "a.weight");
    assert_ok(linnet_session_read_gradient(r.session, weight, gradient[0], sizeof gradient[0]));
    pixels[0] = INFINITY;
    tune(&r);
    assert_ok(linnet_session_read_gradient(r.session, weight, gradient[1], sizeof gradient[1]));
    assert_memory_equal(gradient[0], gradient[1], sizeof gradient[0]);
    rig_close(&r);
}

/* ---- On a device whose estimates are wrong: tests/stubs/estimates.c ---- */

enum { WAYS = 3, LAYERS = 2, ITEMS = 2, FEATURES = 6 };

typedef struct stub_rig {
    linnet_context *context;
    linnet_device *device;
    linnet_net *net;
    linnet_session *session;
    linnet_batch batch;
    char plan[4096];
} stub_rig;

/* y = linear(relu(linear(x))), for inference; or without the relu. */
static void stub_open(stub_rig *r, bool relu)
{
    static const float x[ITEMS * FEATURES];
    *r = (stub_rig){.context = context_with_path(STUBS_DIR "/estimates")};
    r->net = linnet_net_new(r->context);
    linnet_value y = linnet_linear(r->net, linnet_input(r->net, "x", FEATURES), .name = "a", .out_features = 7);
    if (relu)
        y = linnet_relu(r->net, y);
    linnet_linear(r->net, y, .name = "b", .out_features = 5);
    r->device = linnet_device_open(r->context, "estimates");
    r->session = linnet_session_new(r->net, r->device);
    if (!r->session)
        fail_msg("%s", linnet_context_message(r->context));
    FEED(&r->batch, "x", x, ITEMS, FEATURES);
}

static void stub_close(stub_rig *r)
{
    linnet_session_free(&r->session);
    linnet_device_close(&r->device);
    linnet_net_free(&r->net);
    linnet_context_free(&r->context);
}

static linnet_tune_report stub_tune(stub_rig *r, bool anew, watched *w)
{
    linnet_tune_report report = {.struct_size = sizeof report};
    const linnet_tune_options options = {
        .struct_size = sizeof options, .anew = anew, .seconds = 1e-3, .progress = stop_at, .context = w};
    linnet_status status = linnet_session_tune(r->session, &r->batch, &options, &report);
    if (status != LINNET_OK && status != LINNET_END)
        fail_msg("%s", linnet_context_message(r->context));
    return report;
}

static int stub_forget(void **state)
{
    (void)state;
    empty_folder();
    unsetenv("LINNET_STUB_RIVALS");
    return 0;
}

/* How often the plan has a word. */
static int count_in_plan(stub_rig *r, const char *word)
{
    char *text;
    int count = 0;
    assert_int_equal(linnet_session_describe(r->session, &r->batch, 0, &text), LINNET_OK);
    for (const char *p = strstr(text, word); p; p = strstr(p + 1, word))
        count++;
    linnet_text_free(&text);
    return count;
}

static void what_has_no_rival_is_not_measured(void **state)
{
    (void)state;
    stub_rig r;
    watched w = {.stop_at = SIZE_MAX};
    stub_open(&r, true);
    linnet_tune_report report = stub_tune(&r, false, &w);
    assert_int_equal(report.measured, LAYERS * WAYS);
    assert_int_equal(report.layers, LAYERS);
    assert_null(strstr(w.layers, "unary"));
    assert_int_equal(count_in_plan(&r, "tuned"), LAYERS);
    stub_close(&r);
}

/* The estimates have relu for the dearest. */
static void what_takes_the_most_time_goes_first(void **state)
{
    (void)state;
    stub_rig r;
    watched w = {.stop_at = SIZE_MAX};
    setenv("LINNET_STUB_RIVALS", "1", 1);
    stub_open(&r, true);
    assert_int_equal(stub_tune(&r, false, &w).measured, LAYERS * WAYS + 2);
    assert_string_equal(w.layers, "linear linear linear linear linear linear linear linear unary unary unary ");
    stub_close(&r);
}

/* A layer that was measured whole gets its fastest in the formats of the estimates, all else stays as it was; at the
   end formats are chosen by times, too. */
static void times_are_compared_with_times_alone(void **state)
{
    (void)state;
    stub_rig r;
    for (size_t at = 0; at <= LAYERS * WAYS; at++) {
        int whole = (int)(at / WAYS);
        watched w = {.stop_at = at};
        empty_folder();
        stub_open(&r, false);
        assert_int_equal(stub_tune(&r, false, &w).measured, at);
        bool all = whole == LAYERS;
        assert_int_equal(count_in_plan(&r, "hasty"), LAYERS - whole);
        assert_int_equal(count_in_plan(&r, "steady"), all ? 0 : whole);
        assert_int_equal(count_in_plan(&r, "convert"), all ? 2 : 0);
        assert_int_equal(count_in_plan(&r, "tuned"), whole);
        stub_close(&r);
    }
}

/* By another session on the device, opened anew. */
static void what_was_measured_is_kept_and_only_chosen_by_when_told(void **state)
{
    (void)state;
    stub_rig r;
    watched stops = {.stop_at = WAYS + 1}, goes = {.stop_at = SIZE_MAX}, anew = goes;
    stub_open(&r, true);
    assert_int_equal(stub_tune(&r, false, &stops).measured, WAYS + 1);
    assert_int_equal(count_in_plan(&r, "steady"), 1);
    assert_ok(linnet_session_drop_tuning(r.session));
    assert_int_equal(count_in_plan(&r, "hasty"), LAYERS);
    stub_close(&r);

    stub_open(&r, true);
    assert_int_equal(count_in_plan(&r, "hasty"), LAYERS);
    linnet_tune_report report = stub_tune(&r, false, &goes);
    assert_int_equal(report.reused, WAYS + 1);
    assert_int_equal(report.measured, WAYS * LAYERS - WAYS - 1);
    assert_int_equal(count_in_plan(&r, "hasty"), 0);
    assert_ok(linnet_session_keep_tuning(r.session));
    stub_close(&r);

    stub_open(&r, true);
    assert_int_equal(count_in_plan(&r, "tuned"), LAYERS);
    report = stub_tune(&r, true, &anew);
    assert_int_equal(report.reused, 0);
    assert_int_equal(report.measured, WAYS * LAYERS);
    assert_ok(linnet_session_drop_tuning(r.session)); /* back to what was kept */
    assert_int_equal(count_in_plan(&r, "tuned"), LAYERS);
    stub_close(&r);
}

int main(int argc, char **argv)
{
    static const device_test tests[] = {DEVICE_TEST(what_was_measured_decides_and_lasts),
                                        DEVICE_TEST(no_bytes_do_harm),
                                        DEVICE_TEST(a_checkpoint_keeps_what_was_chosen_by),
                                        DEVICE_TEST(damaged_choices_are_refused),
                                        DEVICE_TEST(it_can_be_stopped),
                                        DEVICE_TEST(it_can_be_stopped_between_implementations),
                                        DEVICE_TEST(it_leaves_no_trace),
                                        DEVICE_TEST(collected_gradients_stay)};
    const struct CMUnitTest on_stub[] = {
        cmocka_unit_test_setup(what_has_no_rival_is_not_measured, stub_forget),
        cmocka_unit_test_setup(what_takes_the_most_time_goes_first, stub_forget),
        cmocka_unit_test_setup(times_are_compared_with_times_alone, stub_forget),
        cmocka_unit_test_setup(what_was_measured_is_kept_and_only_chosen_by_when_told, stub_forget),
    };
    static char *usual[] = {(char *)"test_tuner", (char *)"cpu"}; /* the reference has no rivals to measure */
    bool chosen = argc > 1;
    if (folder_make(&folder) != 0)
        return EXIT_FAILURE;
    setenv("LINNET_CACHE_DIR", folder, 1);
    int code =
        run_on_devices("tuning", tests, sizeof tests / sizeof tests[0], chosen ? argc : 2, chosen ? argv : usual);
    if (!chosen && code == EXIT_SUCCESS)
        code = cmocka_run_group_tests(on_stub, NULL, NULL) ? EXIT_FAILURE : EXIT_SUCCESS;
    folder_remove(&folder);
    return code;
}
