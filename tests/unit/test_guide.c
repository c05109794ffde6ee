/* SPDX-License-Identifier: Apache-2.0 */
/* What the porting guide (backends/skeleton/README.md) promises about the skeleton and about its example. */
#include "plugins.h"

#include "linnet/verify.h"

static void skeleton_loads_and_has_no_device(void **state)
{
    (void)state;
    linnet_context *context = context_with_path(TEST_BINARY_DIR "/lib/linnet-skeleton");
    linnet_backend_report report = report_of(context, "linnet-skeleton-abi");
    assert_string_equal(report.reason, "");
    assert_int_equal(report.status, LINNET_OK);
    assert_int_equal(report.device_count, 0);
    assert_not_opened(context, "skeleton", LINNET_NO_DEVICE, "skeleton");
    linnet_context_free(&context);
}

static void example_is_one_file_under_200_lines(void **state)
{
    (void)state;
    FILE *file = fopen(TEST_SOURCE_DIR "/tests/stubs/tiny_backend.c", "r");
    assert_non_null(file);
    int lines = 0;
    for (int c = fgetc(file); c != EOF; c = fgetc(file))
        lines += c == '\n';
    fclose(file);
    assert_in_range(lines, 50, 199);
}

/* How many cases of the table whose text starts with prefix pass; a failing one fails the test. */
static int passing_cases(linnet_device *device, linnet_device *reference, const char *prefix)
{
    static linnet_verify_result result;
    int passed = 0;
    const char *text;
    for (size_t i = 0; (text = linnet_verify_case_at(LINNET_VERIFY_STANDARD, i)); i++) {
        if (strncmp(text, prefix, strlen(prefix)) != 0)
            continue;
        result = (linnet_verify_result){.size = sizeof result};
        assert_int_equal(linnet_verify_case(device, reference, text, NULL, &result), LINNET_OK);
        if (result.outcome == LINNET_VERIFY_FAILED)
            fail_msg("%s: %s", text, result.report);
        passed += result.outcome == LINNET_VERIFY_PASSED;
    }
    return passed;
}

static void example_computes_relu_and_linear(void **state)
{
    (void)state;
    linnet_context *context = context_with_path(STUBS_DIR "/tiny:" TEST_BINARY_DIR "/lib/linnet");
    linnet_device *device = linnet_device_open(context, "tiny"), *reference = linnet_device_open(context, "reference");
    assert_non_null(device);
    assert_non_null(reference);
    assert_true(passing_cases(device, reference, "unary:relu_") > 0);
    assert_true(passing_cases(device, reference, "linear:") > 0);
    assert_true(passing_cases(device, reference, "queue:memory") > 0);
    linnet_device_close(&device);
    linnet_device_close(&reference);
    linnet_context_free(&context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(skeleton_loads_and_has_no_device),
        cmocka_unit_test(example_is_one_file_under_200_lines),
        cmocka_unit_test(example_computes_relu_and_linear),
    };
    return cmocka_run_group_tests_name("guide", tests, NULL, NULL);
}
