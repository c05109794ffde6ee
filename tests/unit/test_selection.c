/* SPDX-License-Identifier: Apache-2.0 */
/* The selection grammar name[:device], and environment values that make no sense. */
#include "plugins.h"

static void backend_without_device_takes_its_best(void **state)
{
    (void)state;
    linnet_context *context = context_with_stub("three_devices");
    assert_opened(context, "three_devices", "Hare 20");
    assert_opened(context, "three_devices:", "Hare 20");
    assert_opened(context, "THREE_Devices", "Hare 20");
    assert_opened(context, "Three_Devices:0", "Turtle 10");
    linnet_context_free(&context);
}

static void device_by_number(void **state)
{
    (void)state;
    linnet_context *context = context_with_stub("three_devices");
    assert_opened(context, "three_devices:0", "Turtle 10");
    assert_opened(context, "three_devices:1", "Hare 20");
    assert_opened(context, "three_devices:2", "Hare 30");
    linnet_context_free(&context);
}

static void device_by_part_of_a_name_in_any_case(void **state)
{
    (void)state;
    linnet_context *context = context_with_stub("three_devices");
    assert_opened(context, "three_devices:turtle", "Turtle 10");
    assert_opened(context, "three_devices:TURT", "Turtle 10");
    assert_opened(context, "three_devices:slow AND", "Turtle 10"); /* vendor */
    assert_opened(context, "three_devices:quick", "Hare 20");      /* two match: the better one */
    assert_opened(context, "three_devices:hare 3", "Hare 30");
    assert_opened(context, "three_devices:stub PLAT", "Hare 20");  /* platform */
    assert_opened(context, "three_devices:driver 1.0", "Hare 20"); /* version */
    linnet_context_free(&context);
}

static void missing_device_names_what_is_there(void **state)
{
    (void)state;
    linnet_context *context = context_with_stub("three_devices");
    static const char *const selections[] = {"three_devices:3", "three_devices:99999999999999999999",
                                             "three_devices:snail", "three_devices:-1"};
    for (size_t i = 0; i < sizeof selections / sizeof *selections; i++) {
        assert_not_opened(context, selections[i], LINNET_NO_DEVICE, "Turtle 10");
        assert_contains(linnet_context_message(context), "Hare 30");
        assert_contains(linnet_context_message(context), strchr(selections[i], ':') + 1);
    }
    linnet_context_free(&context);
}

static void unknown_backend_names_what_is_there(void **state)
{
    (void)state;
    linnet_context *context = context_with_stub("three_devices");
    static const char *const selections[] = {"four_devices",     "three",         "THREE_DEVICE:0", ":", ":0",
                                             "../three_devices", "three_devices "};
    for (size_t i = 0; i < sizeof selections / sizeof *selections; i++)
        assert_not_opened(context, selections[i], LINNET_NO_DEVICE, "three_devices");
    linnet_context_free(&context);
}

static void overlong_selection_is_an_error(void **state)
{
    (void)state;
    static char selection[100000];
    memset(selection, 'x', sizeof selection - 1);
    linnet_context *context = context_with_stub("good");
    assert_not_opened(context, selection, LINNET_NO_DEVICE, "xxx");
    memcpy(selection, "good:", 5);
    assert_not_opened(context, selection, LINNET_NO_DEVICE, "xxx");
    linnet_context_free(&context);
}

static void linnet_backend_chooses(void **state)
{
    (void)state;
    linnet_context *context = context_with_stub("three_devices");
    linnet_context_free(&context);
    setenv("LINNET_BACKEND", "three_devices:turtle", 1);
    context = linnet_context_new();
    assert_opened(context, NULL, "Turtle 10");
    assert_opened(context, "three_devices:2", "Hare 30"); /* the argument goes before the environment */
    linnet_context_free(&context);
    setenv("LINNET_BACKEND", "nobody", 1);
    context = linnet_context_new();
    assert_not_opened(context, NULL, LINNET_NO_DEVICE, "nobody");
    linnet_context_free(&context);
    unsetenv("LINNET_BACKEND");
}

/* The best score among several backends, and the next one when the best does not open. */
static void unset_backend_takes_the_best_that_opens(void **state)
{
    (void)state;
    linnet_context *context = context_with_path(STUBS_DIR "/three_devices:" STUBS_DIR "/good");
    linnet_device *device = linnet_device_open(context, NULL);
    assert_non_null(device);
    int32_t best = linnet_device_get_info(device)->score;
    linnet_device_close(&device);
    linnet_backend_report report;
    for (uint32_t i = 0; linnet_backend_report_at(context, i, &report) == LINNET_OK; i++)
        for (uint32_t k = 0; k < report.device_count; k++) {
            linnet_device_info info;
            assert_int_equal(linnet_backend_report_device(context, i, k, &info), LINNET_OK);
            assert_true(info.score <= best);
        }
    linnet_context_free(&context);
}

/* Every constructor refuses with the variable's name until the environment makes sense again. */
static void check_nonsense(const char *variable, const char *value)
{
    char *saved = getenv(variable) ? strdup(getenv(variable)) : NULL;
    setenv("LINNET_PLUGIN_PATH", STUBS_DIR "/good", 1);
    setenv(variable, value, 1);
    linnet_context *context = linnet_context_new();
    assert_non_null(context);
    assert_not_opened(context, "good", LINNET_INVALID, variable);
    assert_contains(linnet_context_message(context), value);
    linnet_context_free(&context);
    if (saved)
        setenv(variable, saved, 1);
    else
        unsetenv(variable);
    free(saved);
    context = context_with_stub("good");
    assert_opened(context, "good", "Stub device 0");
    linnet_context_free(&context);
}

static void nonsense_in_the_environment_names_the_variable(void **state)
{
    (void)state;
    static const char *const numbers[] = {"many", "0", "-1", "1.5", "4x", "99999999999999999999"};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        check_nonsense("LINNET_NUM_THREADS", numbers[i]);
    check_nonsense("LINNET_VERBOSE", "yes");
    check_nonsense("LINNET_VERBOSE", "9");
    check_nonsense("LINNET_FALLBACK", "maybe");
    check_nonsense("LINNET_FALLBACK", "WARN ");
    check_nonsense("LINNET_CACHE_DIR", "relative/folder");
}

static void sense_in_the_environment_is_taken(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {{"LINNET_NUM_THREADS", "1"},
                                           {"LINNET_NUM_THREADS", "64"},
                                           {"LINNET_FALLBACK", "error"},
                                           {"LINNET_FALLBACK", "warn"},
                                           {"LINNET_FALLBACK", "allow"},
                                           {"LINNET_VERBOSE", "0"},
                                           {"LINNET_CACHE_DIR", "/nonexistent/but/absolute"},
                                           {"LINNET_BACKEND", ""},
                                           {"LINNET_NUM_THREADS", ""}};
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        setenv("LINNET_PLUGIN_PATH", STUBS_DIR "/good", 1);
        setenv(pairs[i][0], pairs[i][1], 1);
        linnet_context *context = linnet_context_new();
        assert_opened(context, "good", "Stub device 0");
        linnet_context_free(&context);
        unsetenv(pairs[i][0]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(backend_without_device_takes_its_best),
        cmocka_unit_test(device_by_number),
        cmocka_unit_test(device_by_part_of_a_name_in_any_case),
        cmocka_unit_test(missing_device_names_what_is_there),
        cmocka_unit_test(unknown_backend_names_what_is_there),
        cmocka_unit_test(overlong_selection_is_an_error),
        cmocka_unit_test(linnet_backend_chooses),
        cmocka_unit_test(unset_backend_takes_the_best_that_opens),
        cmocka_unit_test(nonsense_in_the_environment_names_the_variable),
        cmocka_unit_test(sense_in_the_environment_is_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
