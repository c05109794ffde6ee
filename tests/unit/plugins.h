/* SPDX-License-Identifier: Apache-2.0 */
/* Helpers of the tests that load stub plugins: contexts that see chosen folders, reports by name. */
#ifndef LINNET_TEST_PLUGINS_H
#define LINNET_TEST_PLUGINS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "linnet/device.h"

/* A context whose LINNET_PLUGIN_PATH is the colon-separated text, with LINNET_BACKEND unset. */
static inline linnet_context *context_with_path(const char *path)
{
    unsetenv("LINNET_BACKEND");
    setenv("LINNET_PLUGIN_PATH", path, 1);
    linnet_context *context = linnet_context_new();
    assert_non_null(context);
    return context;
}

/* A context that sees the folder of one stub. */
static inline linnet_context *context_with_stub(const char *stub)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", STUBS_DIR, stub);
    return context_with_path(path);
}

/* The report whose path contains part; fails the test when there is none. */
static inline linnet_backend_report report_of(linnet_context *context, const char *part)
{
    linnet_backend_report report;
    for (uint32_t i = 0; linnet_backend_report_at(context, i, &report) == LINNET_OK; i++)
        if (strstr(report.path, part))
            return report;
    fail_msg("no report about a file with '%s' in its path", part);
    return report;
}

static inline void assert_contains(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("'%s' does not contain '%s'", text, part);
}

/* Opening fails with this status, and the message has this part. */
static inline void assert_not_opened(linnet_context *context, const char *selection, linnet_status status,
                                     const char *part)
{
    linnet_device *device = linnet_device_open(context, selection);
    assert_null(device);
    assert_contains(linnet_context_message(context), part);
    assert_string_equal(linnet_status_name(linnet_context_last_status(context)), linnet_status_name(status));
}

/* Opening succeeds; the device's name is the one given. */
static inline void assert_opened(linnet_context *context, const char *selection, const char *name)
{
    linnet_device *device = linnet_device_open(context, selection);
    if (!device)
        fail_msg("'%s' did not open: %s", selection ? selection : "(default)", linnet_context_message(context));
    assert_string_equal(linnet_device_get_info(device)->name, name);
    linnet_device_close(&device);
    assert_null(device);
}

#endif
