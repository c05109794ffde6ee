/* SPDX-License-Identifier: Apache-2.0 */
/* The table of quirks by itself: which drivers a range of versions is for, and what turns the table off. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "opencl.h"

#include <string.h>

static const char *asked;

static const char *host_option(const char *name)
{
    return strcmp(name, "LINNET_OPENCL_QUIRKS") == 0 ? asked : NULL;
}

static const linnet_host host = {.struct_size = sizeof(host), .option = host_option};
const linnet_host *linnet_cl_host = &host;

linnet_status linnet_cl_fail(linnet_status status, const char *format, ...)
{
    (void)format;
    return status;
}

static const struct {
    const char *version, *from, *below;
    bool within;
} ranges[] = {
    {"3.1", "", "", true},
    {"", "", "", true},
    {"24.2.devel", "24.2", "", true},
    {"24.2", "", "24.2.devel", false},
    {"1.x", "1", "2", true},
    /* from counts, below does not */
    {"3.1", "3.1", "", true},
    {"3.1", "", "3.1", false},
    {"3.1", "3.1", "3.2", true},
    {"3.2", "3.1", "3.2", false},
    {"3.0", "3.1", "3.2", false},
    /* one begins like the other */
    {"3.1", "", "3.1.1", true},
    {"3.1.1", "", "3.1.1", false},
    {"3.1", "3.1.1", "", false},
    {"3.1", "3.1.0", "", true},
    {"3.1.0", "", "3.1", false},
    {"3.10", "3.9", "", true},
    {"3", "", "3.1", true},
    {"31", "3.1", "", true},
    /* what stands around the version is none of it */
    {"3.1, OpenCL 3.0 PoCL 3.1+debian", "", "3.1.1", true},
    {"3.1, OpenCL 3.0 PoCL 3.1+debian", "3.1", "", true},
    {"3.1+debian", "3.1", "3.1.1", true},
    {"23.2.1-1ubuntu3", "23.2.1", "", true},
    {"23.2.1-1ubuntu3", "", "23.2.1", false},
    {"23.2.1-1ubuntu3", "", "23.2.1.1", true},
    {"23.2.1-1ubuntu3", "23.2.1", "23.2.2", true},
    {"3570.0 (HSA1.1,LC)", "3570.0", "3570.0.1", true},
    {"Mesa 22.3.6", "22.3.6", "22.3.7", true},
    {"535.104.05", "535.104.5", "", true},
    {"535.104.05", "", "535.104.05", false},
    {"535.104.05", "535.54.03", "535.113.01", true},
    {"535.113.01", "535.54.03", "535.113.01", false},
    /* who says none is older than any */
    {"", "0.1", "", false},
    {"unknown", "", "0.1", true},
};

static void ranges_are_from_and_below(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
        if (linnet_cl_version_is_within(ranges[i].version, ranges[i].from, ranges[i].below) != ranges[i].within)
            fail_msg("'%s' from '%s' below '%s'", ranges[i].version, ranges[i].from, ranges[i].below);
}

static void the_table_can_be_turned_off(void **state)
{
    (void)state;
    char text[1024] = "";
    asked = NULL;
    assert_true(linnet_cl_quirks("Portable Computing Language", "cpu", "3.1") & LINNET_CL_QUIRK_KEEPS_PROGRAMS);
    assert_true(linnet_cl_quirks_describe("Portable Computing Language", "cpu", "3.1", text, sizeof(text)) > 0);
    assert_int_equal(linnet_cl_quirks("another", "cpu", "3.1"), 0);
    asked = "none";
    assert_int_equal(linnet_cl_quirks("Portable Computing Language", "cpu", "3.1"), 0);
    assert_int_equal(linnet_cl_quirks_describe("Portable Computing Language", "cpu", "3.1", text, sizeof(text)), 0);
    bool none;
    asked = "known";
    assert_int_equal(linnet_cl_quirks_option(&none), LINNET_OK);
    asked = "nown";
    assert_int_equal(linnet_cl_quirks_option(&none), LINNET_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(ranges_are_from_and_below),
                                       cmocka_unit_test(the_table_can_be_turned_off)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
