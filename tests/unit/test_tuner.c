/* SPDX-License-Identifier: Apache-2.0 */
/* Measured costs: plans say so, results stay, the file outlives the device, and no bytes in it do harm. */
#include "files.h"
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

/* A small network of convolutions in training, on a device opened anew; perhaps with a cheap layer in front. */
static void rig_open_with(rig *r, void **state, bool pools_first)
{
    const linnet_device *like = *state;
    *r = (rig){.device = linnet_device_open(NULL, linnet_device_backend_name(like)), .net = linnet_net_new(NULL)};
    assert_non_null(r->device);
    linnet_value x = linnet_input(r->net, "x", C, SIDE, SIDE);
    if (pools_first)
        x = linnet_avg_pool2d(r->net, x, .kernel = 1);
    x = linnet_relu(r->net, linnet_conv2d(r->net, x, .name = "a", .out_channels = 17, .kernel = 3, .padding = 1));
    x = linnet_max_pool2d(r->net, x, .kernel = 3, .stride = 2);
    x = linnet_relu(r->net, linnet_conv2d(r->net, x, .name = "b", .out_channels = 8, .kernel = 1));
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
    char first_layer[24];
} watched;

static int stop_at(void *context, size_t done, size_t all, const char *layer)
{
    watched *w = context;
    assert_true(done < all && (!w->calls || done >= w->last));
    if (!w->calls++)
        snprintf(w->first_layer, sizeof w->first_layer, "%s", layer);
    w->last = done;
    return done >= w->stop_at;
}

/* Also within a layer, whose half measured direction may not count then. */
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

static void the_dearest_layer_goes_first(void **state)
{
    rig r;
    watched w = {.stop_at = 0};
    const linnet_tune_options options = {.struct_size = sizeof options, .progress = stop_at, .context = &w};
    linnet_tune_report report = {.struct_size = sizeof report};
    rig_open_with(&r, state, true);
    assert_int_equal(linnet_session_tune(r.session, &r.batch, &options, &report), LINNET_END);
    assert_int_equal(report.layers, 0);
    if (strcmp(linnet_device_backend_name(r.device), "reference") != 0) /* which estimates nothing */
        assert_string_equal(w.first_layer, "conv2d");
    rig_close(&r);
}

int main(int argc, char **argv)
{
    static const device_test tests[] = {DEVICE_TEST(what_was_measured_decides_and_lasts),
                                        DEVICE_TEST(no_bytes_do_harm),
                                        DEVICE_TEST(a_checkpoint_keeps_what_was_chosen_by),
                                        DEVICE_TEST(damaged_choices_are_refused),
                                        DEVICE_TEST(it_can_be_stopped),
                                        DEVICE_TEST(it_can_be_stopped_between_implementations),
                                        DEVICE_TEST(the_dearest_layer_goes_first)};
    if (folder_make(&folder) != 0)
        return EXIT_FAILURE;
    setenv("LINNET_CACHE_DIR", folder, 1);
    int code = run_on_devices("tuning", tests, sizeof tests / sizeof tests[0], argc, argv);
    folder_remove(&folder);
    return code;
}
