/* SPDX-License-Identifier: Apache-2.0 */
/* A device whose kernels a driver compiles is checked at first use; what computes wrong there is not used. */
#include "../../runtime/verify/trust.h"
#include "plugins.h"
#include "sessions.h"

#include <dirent.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

enum { N = 2, FEATURES = 3, CLASSES = 2, WIDE = 16 };

#define PLUGINS STUBS_DIR "/unsteady:" TEST_BINARY_DIR "/lib/linnet"
#define CACHE   TEST_BINARY_DIR "/tests/unit/trust_cache"

static char said[8192]; /* warnings and what was checked */
static int warnings, checks;
static bool activates; /* y = relu(linear(x)) instead */
static bool tunes;     /* before it runs; what came of it: */
static linnet_tune_report tuned;

static void listen(void *user, linnet_log_level level, const char *message)
{
    (void)user;
    if (level > LINNET_LOG_INFO)
        return;
    warnings += level == LINNET_LOG_WARNING;
    checks += strstr(message, "first use") != NULL;
    snprintf(said + strlen(said), sizeof said - strlen(said), "%s\n", message);
}

static void forget_verdicts(void)
{
    char path[1024];
    mkdir(CACHE, 0700);
    DIR *list = opendir(CACHE);
    for (struct dirent *entry = list ? readdir(list) : NULL; entry; entry = readdir(list)) {
        snprintf(path, sizeof path, CACHE "/%s", entry->d_name);
        unlink(path);
    }
    if (list)
        closedir(list);
}

/* No verdicts, no variables. */
static int forget(void **state)
{
    (void)state;
    forget_verdicts();
    setenv("LINNET_CACHE_DIR", CACHE, 1);
    setenv("LINNET_CHECK", "first-use", 1);
    setenv("LINNET_VERBOSE", "2", 1);
    setenv("OCL_ICD_VENDORS", "/nonexistent", 1);
    unsetenv("LINNET_STUB_WRONG");
    unsetenv("LINNET_STUB_KERNELS");
    unsetenv("LINNET_FALLBACK");
    tunes = activates = false;
    return 0;
}

/* y = linear(x) in a context of its own; what the plan says goes to plan. */
static linnet_status run_linear_of(const char *selection, int outputs, float *out, char *plan, size_t size)
{
    static const float x[N * FEATURES] = {1, 2, 3, -1, 0, 4};
    linnet_context *context = context_with_path(PLUGINS);
    linnet_context_set_log(context, listen, NULL);
    *said = '\0';
    warnings = checks = 0;
    linnet_net *net = linnet_net_new(context);
    linnet_value y = linnet_linear(net, linnet_input(net, "x", FEATURES), .out_features = outputs);
    if (activates)
        y = linnet_relu(net, y);
    linnet_device *device = linnet_device_open(context, selection);
    if (!device)
        fail_msg("%s", linnet_context_message(context));
    linnet_session *session = linnet_session_new(net, device);
    assert_non_null(session);
    linnet_batch batch = {.feed_count = 0};
    FEED(&batch, "x", x, N, FEATURES);
    tuned = (linnet_tune_report){.struct_size = sizeof tuned};
    linnet_status status = tunes ? linnet_session_tune(session, &batch, NULL, &tuned) : LINNET_OK;
    if (status == LINNET_OK)
        status = linnet_forward(session, &batch);
    char *text = NULL;
    if (status == LINNET_OK)
        status = linnet_session_read(session, y, out, sizeof(float) * N * (size_t)outputs);
    if (status == LINNET_OK && linnet_session_describe(session, &batch, 0, &text) == LINNET_OK)
        snprintf(plan, size, "%s", text);
    linnet_text_free(&text);
    linnet_session_free(&session);
    linnet_device_close(&device);
    linnet_net_free(&net);
    linnet_context_free(&context);
    return status;
}

static linnet_status run_linear(const char *selection, float out[N * CLASSES], char *plan, size_t size)
{
    return run_linear_of(selection, CLASSES, out, plan, size);
}

static char plan[4096];
static float right[N * CLASSES], own[N * CLASSES];

static void assert_right(void)
{
    assert_int_equal(run_linear("unsteady", own, plan, sizeof plan), LINNET_OK);
    for (int i = 0; i < N * CLASSES; i++)
        assert_true(fabsf(own[i] - right[i]) <= 1e-5f);
}

static void what_is_right_is_checked_once(void **state)
{
    (void)state;
    assert_right();
    assert_contains(plan, "first");
    assert_int_equal(checks, 1);
    assert_int_equal(warnings, 0);
    assert_right();
    assert_int_equal(checks, 0);
}

static void another_implementation_takes_the_place_of_a_wrong_one(void **state)
{
    (void)state;
    setenv("LINNET_STUB_WRONG", "first", 1);
    assert_right();
    assert_contains(plan, "second");
    assert_int_equal(checks, 2);
    assert_int_equal(warnings, 1);
    assert_contains(said, "linear by first does not compute right here and is not used (linear:");
    assert_right(); /* remembered */
    assert_contains(plan, "second");
    assert_int_equal(checks, 0);
}

static void what_is_wrong_in_every_way_is_built_plainly(void **state)
{
    (void)state;
    setenv("LINNET_STUB_WRONG", "all", 1);
    assert_right();
    assert_contains(plan, "first");
    assert_int_equal(checks, 3);
    assert_contains(said, "linear is built without the driver's optimisations from now on");
    assert_right(); /* built plainly again, from the start */
    assert_int_equal(checks, 0);
}

static void what_stays_wrong_runs_elsewhere(void **state)
{
    (void)state;
    setenv("LINNET_STUB_WRONG", "ever", 1);
    assert_right();
    assert_contains(said, "runs on");
    assert_int_equal(checks, 4);
    assert_right();
    assert_int_equal(checks, 0);
    setenv("LINNET_FALLBACK", "error", 1);
    assert_int_equal(run_linear("unsteady", own, plan, sizeof plan), LINNET_UNSUPPORTED);
}

static void without_checks_nothing_is_found(void **state)
{
    (void)state;
    setenv("LINNET_CHECK", "never", 1);
    setenv("LINNET_STUB_WRONG", "first", 1);
    assert_int_equal(run_linear("unsteady", own, plan, sizeof plan), LINNET_OK);
    assert_int_equal(checks, 0);
    assert_true(fabsf(own[0] - right[0]) > 0.4f);
}

static void the_kernels_of_the_plan_are_compared_and_no_others(void **state)
{
    (void)state;
    float wide[N * WIDE], wanted[N * WIDE];
    setenv("LINNET_STUB_KERNELS", "stubborn", 1);
    setenv("LINNET_STUB_WRONG", "wide", 1);
    assert_right(); /* does not meet it */
    assert_contains(plan, "first");
    assert_contains(said, "linear by first, narrow, first use: right");
    assert_int_equal(warnings, 0);
    assert_int_equal(run_linear_of("reference", WIDE, wanted, plan, sizeof plan), LINNET_OK);
    assert_int_equal(run_linear_of("unsteady", WIDE, wide, plan, sizeof plan), LINNET_OK);
    assert_contains(said, "linear by first, wide, first use: wrong");
    assert_contains(said, "the kernel wide does not compute right here and linear by first is not used (linear:");
    assert_contains(said, "linear by second is not used for the same reason");
    assert_int_equal(warnings, 2); /* the kernel, once; built plainly */
    assert_contains(said, "linear is built without the driver's optimisations from now on");
    for (int i = 0; i < N * WIDE; i++)
        assert_true(fabsf(wide[i] - wanted[i]) <= 1e-5f);
    assert_int_equal(run_linear_of("unsteady", WIDE, wide, plan, sizeof plan), LINNET_OK);
    assert_int_equal(checks, 0);
}

/* Which kernels are told of, when comparisons of several at once fail. */
static void each_wrong_kernel_is_told_of_once(void **state)
{
    (void)state;
    static const struct {
        const char *kernels;
        bool plain, right;
        size_t suspects;
        const char *told;
    } found[] = {
        {"a,b", false, true, 0, NULL},    {"a,b,c", false, false, 1, "c"}, /* the others were right */
        {"c", false, false, 0, NULL},     {"d,c", false, false, 0, NULL},
        {"d,e", false, false, 2, "d, e"}, {"e,f", false, false, 0, NULL},
        {"f", false, false, 1, "f"},      {"a,b", false, false, 2, "a, b"}, /* only together */
        {"c", true, false, 1, "c"},       {"c", true, false, 0, NULL},
        {"c", false, true, 0, NULL},      {"c", false, false, 0, NULL}, /* it stays told of */
    };
    linnet_trust trust = {0};
    for (size_t i = 0; i < sizeof found / sizeof *found; i++) {
        linnet_text told = {0};
        if (found[i].right)
            linnet_trust_kernels_right(&trust, found[i].kernels, found[i].plain);
        else
            assert_int_equal(linnet_trust_kernels_wrong(&trust, found[i].kernels, found[i].plain, &told),
                             found[i].suspects);
        assert_int_equal(told.data != NULL, found[i].told != NULL);
        if (found[i].told)
            assert_string_equal(told.data, found[i].told);
        linnet_release(told.data);
    }
    linnet_release(trust.kernels);
}

static void small_cases_take_the_kernels_of_large_plans(void **state)
{
    (void)state;
    float wide[N * WIDE];
    setenv("LINNET_STUB_KERNELS", "yes", 1);
    setenv("LINNET_STUB_WRONG", "wide", 1);
    assert_int_equal(run_linear_of("unsteady", WIDE, wide, plan, sizeof plan), LINNET_OK);
    assert_contains(said, "linear by first, wide, first use: wrong");
    assert_contains(said, "is not used (linear:n1i1_o1: forward first");
    assert_right(); /* and prefer nothing any more */
    assert_contains(said, "linear by first, narrow, first use: right");
}

/* No implementation takes a relu with it. */
static void what_is_refused_for_other_reasons_is_not_built_plainly(void **state)
{
    (void)state;
    activates = true;
    assert_int_equal(run_linear("unsteady", own, plan, sizeof plan), LINNET_OK);
    assert_contains(plan, "relu");
    assert_int_equal(warnings, 0);
    setenv("LINNET_STUB_WRONG", "first", 1);
    forget_verdicts();
    assert_int_equal(run_linear("unsteady", own, plan, sizeof plan), LINNET_OK);
    assert_contains(plan, "second");
    assert_int_equal(warnings, 1);
}

/* The first implementation would make all others wrong. */
static void tuning_does_not_measure_by_what_is_wrong(void **state)
{
    (void)state;
    tunes = true;
    assert_right();
    assert_int_equal(tuned.measured, 2);
    assert_int_equal(tuned.wrong, 0);
    forget(NULL);
    tunes = true;
    setenv("LINNET_STUB_WRONG", "first", 1);
    assert_right();
    assert_contains(plan, "second");
    assert_int_equal(tuned.measured, 0); /* what is left has no rival */
    forget(NULL);
    tunes = true;
    setenv("LINNET_STUB_WRONG", "second", 1); /* which no plan used so far */
    assert_right();
    assert_contains(plan, "first");
    assert_contains(said, "linear forward second does not compute what is right");
    assert_int_equal(tuned.measured, 2);
    assert_int_equal(tuned.wrong, 1);
}

/* Any bytes in the place of the verdicts: they are found out anew. */
static void damaged_verdicts_count_as_none(void **state)
{
    (void)state;
    char path[1024] = "", text[4096];
    setenv("LINNET_STUB_WRONG", "first", 1);
    assert_right();
    DIR *list = opendir(CACHE);
    for (struct dirent *entry = readdir(list); entry; entry = readdir(list))
        if (strncmp(entry->d_name, "verdicts-", 9) == 0)
            snprintf(path, sizeof path, CACHE "/%s", entry->d_name);
    closedir(list);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t size = fread(text, 1, sizeof text, file);
    fclose(file);
    for (size_t at = 0; at < size; at += 7) {
        file = fopen(path, "wb");
        text[at] ^= 1;
        assert_int_equal(fwrite(text, 1, size, file), size);
        text[at] ^= 1;
        fclose(file);
        assert_right();
        assert_contains(plan, "second");
        assert_int_equal(checks, 2);
        assert_contains(said, "is ignored: it is damaged");
    }
    assert_int_equal(truncate(path, (off_t)size / 2), 0);
    assert_right();
    assert_int_equal(checks, 2);
}

/* It works all the same, and the first loss is said. */
static void what_cannot_be_kept_is_said_once(void **state)
{
    (void)state;
    FILE *file = fopen(CACHE "/file", "wb");
    assert_non_null(file);
    fclose(file);
    setenv("LINNET_CACHE_DIR", CACHE "/file/cache", 1);
    assert_right();
    assert_int_equal(warnings, 1);
    assert_contains(said, "not kept for the next time: " CACHE "/file/cache: cannot be made: Not a directory");
    assert_right();
    assert_int_equal(checks, 1);
    assert_int_equal(warnings, 0);
}

static void a_word_that_makes_no_sense_is_refused(void **state)
{
    (void)state;
    setenv("LINNET_CHECK", "sometimes", 1);
    linnet_context *context = context_with_path(PLUGINS);
    assert_not_opened(context, "unsteady", LINNET_INVALID, "LINNET_CHECK");
    linnet_context_free(&context);
}

int main(void)
{
    forget(NULL);
    if (run_linear("reference", right, plan, sizeof plan) != LINNET_OK)
        return EXIT_FAILURE;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_is_right_is_checked_once, forget),
        cmocka_unit_test_setup(another_implementation_takes_the_place_of_a_wrong_one, forget),
        cmocka_unit_test_setup(what_is_wrong_in_every_way_is_built_plainly, forget),
        cmocka_unit_test_setup(what_stays_wrong_runs_elsewhere, forget),
        cmocka_unit_test_setup(without_checks_nothing_is_found, forget),
        cmocka_unit_test_setup(the_kernels_of_the_plan_are_compared_and_no_others, forget),
        cmocka_unit_test(each_wrong_kernel_is_told_of_once),
        cmocka_unit_test_setup(small_cases_take_the_kernels_of_large_plans, forget),
        cmocka_unit_test_setup(what_is_refused_for_other_reasons_is_not_built_plainly, forget),
        cmocka_unit_test_setup(tuning_does_not_measure_by_what_is_wrong, forget),
        cmocka_unit_test_setup(damaged_verdicts_count_as_none, forget),
        cmocka_unit_test_setup(what_cannot_be_kept_is_said_once, forget),
        cmocka_unit_test_setup(a_word_that_makes_no_sense_is_refused, forget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
