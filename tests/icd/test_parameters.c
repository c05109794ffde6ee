/* SPDX-License-Identifier: Apache-2.0 */
/* The database of parameters by itself: which level counts, and what LINNET_OPENCL_PARAMETERS may say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "opencl.h"

#include <stdio.h>
#include <string.h>

static const char *asked;
static char sentence[2048];

static const char *host_option(const char *name)
{
    return strcmp(name, "LINNET_OPENCL_PARAMETERS") == 0 ? asked : NULL;
}

static const linnet_host host = {.struct_size = sizeof(host), .option = host_option};
const linnet_host *linnet_cl_host = &host;

linnet_status linnet_cl_fail(linnet_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence, sizeof(sentence), format, arguments);
    va_end(arguments);
    return status;
}

static const linnet_cl_subject radeon = {"AMD Radeon VII", "gfx906", "Advanced Micro Devices, Inc.", "gpu"};

static linnet_cl_parameters found(linnet_cl_subject subject, const char *option)
{
    linnet_cl_parameters parameters;
    asked = option;
    assert_int_equal(linnet_cl_parameters_find(&subject, &parameters), LINNET_OK);
    return parameters;
}

static void expect_group(linnet_cl_subject subject, double value, const char *from)
{
    linnet_cl_parameters parameters = found(subject, NULL);
    assert_true(parameters.values[LINNET_CL_GROUP] == value);
    assert_string_equal(parameters.from[LINNET_CL_GROUP], from);
}

static void the_nearest_level_counts(void **state)
{
    (void)state;
    linnet_cl_subject subject = radeon;
    expect_group(subject, 5, "device");
    subject.device = "AMD Radeon Pro";
    expect_group(subject, 4, "architecture");
    subject.architecture = "gfx90";
    expect_group(subject, 3, "vendor");
    subject.vendor = "Somebody";
    expect_group(subject, 2, "type");
    subject.type = "cpu";
    expect_group(subject, 1, "default");
    assert_true(found(radeon, NULL).values[LINNET_CL_BYTES] == 10);
}

static void the_option_counts_before_all(void **state)
{
    (void)state;
    linnet_cl_parameters parameters = found(radeon, "group=64,large_product=1e9");
    assert_true(parameters.values[LINNET_CL_GROUP] == 64);
    assert_true(parameters.values[LINNET_CL_LARGE_PRODUCT] == 1e9);
    assert_string_equal(parameters.from[LINNET_CL_LARGE_PRODUCT], "option");
    assert_true(parameters.values[LINNET_CL_SMALL_PRODUCT] == 7);
    assert_true(found(radeon, "").values[LINNET_CL_GROUP] == 5);
}

static void nonsense_is_refused(void **state)
{
    static const struct {
        const char *text, *said;
    } rows[] = {{"groups=1", "'groups=1' has no name of a parameter;"},
                {",group=1", "'' has no name of a parameter;"},
                {"=1", "'=1' has no name of a parameter;"},
                {"group", "'group' has no number;"},
                {"group=", "'group=' has no number;"},
                {"group=x", "'group=x' has something that is no number;"},
                {"group=64;", "'group=64;' has something that is no number;"},
                {"group=nan", "'group=nan' has something that is no number;"},
                {"bytes=inf", "'bytes=inf' has something that is no number;"},
                {"group=1 speed=1", "'group=1 speed=1' has something that is no number;"},
                {"group=0", "'group=0' is out of range;"},
                {"group=1e9", "'group=1e9' is out of range;"},
                {"speed=-1", "'speed=-1' is out of range;"},
                {"group=1,,", "'' has no name of a parameter;"},
                {"group=1,", "'group=1' has a comma behind it, and nothing more;"},
                {"group=1,group=2", "'group=2' is the second of its name;"}};
    linnet_cl_parameters parameters;
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        asked = rows[i].text;
        *sentence = '\0';
        if (linnet_cl_parameters_find(&radeon, &parameters) != LINNET_INVALID)
            fail_msg("'%s' was taken", rows[i].text);
        assert_non_null(strstr(sentence, "LINNET_OPENCL_PARAMETERS="));
        if (!strstr(sentence, rows[i].said))
            fail_msg("'%s': %s", rows[i].text, sentence);
        assert_non_null(strstr(sentence, "group=1..4096"));
    }
}

static void each_is_described(void **state)
{
    char text[1024], little[10];
    linnet_cl_parameters parameters = found(radeon, "group=64");
    (void)state;
    linnet_cl_parameters_describe(&parameters, text, sizeof(text));
    assert_non_null(strstr(text, "parameter group: 64 (option)\n"));
    assert_non_null(strstr(text, "parameter speed: 12 (default)\n"));
    linnet_cl_parameters_describe(&parameters, little, sizeof(little));
    assert_string_equal(little, "parameter");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_nearest_level_counts),
        cmocka_unit_test(the_option_counts_before_all),
        cmocka_unit_test(nonsense_is_refused),
        cmocka_unit_test(each_is_described),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
