/* SPDX-License-Identifier: Apache-2.0 */
/* What tests that run nets share: one group of tests on every device named on the command line, feeds, random numbers.
 */
#ifndef LINNET_TEST_SESSIONS_H
#define LINNET_TEST_SESSIONS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <linnet/linnet.h>

#define SKIPPED 77

/* The call succeeds; else its sentence is shown. */
#define assert_ok(call)                                                                                                \
    do {                                                                                                               \
        linnet_status status_of_call = (call);                                                                         \
        if (status_of_call != LINNET_OK)                                                                               \
            fail_msg("%s: %s: %s", #call, linnet_status_name(status_of_call), linnet_context_message(NULL));           \
    } while (0)

/* The call fails with this status, and its sentence contains part. */
#define assert_fails(call, status, part)                                                                               \
    do {                                                                                                               \
        assert_string_equal(linnet_status_name(call), linnet_status_name(status));                                     \
        if (!strstr(linnet_context_message(NULL), part))                                                               \
            fail_msg("'%s' does not contain '%s'", linnet_context_message(NULL), part);                                \
    } while (0)

typedef struct device_test {
    const char *name;
    void (*run)(void **state); /* *state is the linnet_device */
} device_test;
#define DEVICE_TEST(function)                                                                                          \
    {                                                                                                                  \
#function, function                                                                                            \
    }

static inline int run_on_device(const char *group, const device_test *tests, size_t count, const char *selection)
{
    struct CMUnitTest all[64];
    char title[200];
    linnet_device *device = linnet_device_open(NULL, selection);
    if (!device) {
        printf("%s: %s\n", selection, linnet_context_message(NULL));
        return SKIPPED;
    }
    for (size_t i = 0; i < count; i++)
        all[i] = (struct CMUnitTest){tests[i].name, tests[i].run, NULL, NULL, device};
    snprintf(title, sizeof title, "%s on %s", group, linnet_device_label(device));
    int failed = _cmocka_run_group_tests(title, all, count, NULL, NULL);
    linnet_device_close(&device);
    return failed;
}

/* Runs the tests on each device of the command line, else on reference and cpu, which have to be here. */
static inline int run_on_devices(const char *group, const device_test *tests, size_t count, int argc, char **argv)
{
    static char *const usual[] = {(char *)"reference", (char *)"cpu"};
    char *const *selections = argc > 1 ? argv + 1 : usual;
    int number = argc > 1 ? argc - 1 : 2, failed = 0, skipped = 0;
    for (int i = 0; i < number; i++) {
        int result = run_on_device(group, tests, count, selections[i]);
        skipped += result == SKIPPED;
        failed += result != SKIPPED && result != 0;
    }
    return failed || (skipped && argc < 2) ? EXIT_FAILURE : skipped == number ? SKIPPED : EXIT_SUCCESS;
}

/* One more feed of a batch; dims from N on. data is referenced. */
static inline void feed(linnet_batch *batch, const char *name, linnet_type type, const void *data, uint32_t rank,
                        const int64_t *dims)
{
    linnet_feed *f = &batch->feeds[batch->feed_count++];
    *f = (linnet_feed){.name = name, .tensor = {.type = type, .rank = rank, .data = (void *)(uintptr_t)data}};
    memcpy(f->tensor.dims, dims, rank * sizeof *dims);
    batch->struct_size = sizeof *batch;
    batch->size = dims[0];
}
#define FEED(batch, name, data, ...)                                                                                   \
    feed(batch, name, LINNET_F32, data, sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t),                      \
         (const int64_t[]){__VA_ARGS__})
#define FEED_LABELS(batch, name, data, n) feed(batch, name, LINNET_I32, data, 1, (const int64_t[]){n})

/* count numbers in [-1, 1) that depend on (seed, stream). */
static inline void fill_random(float *out, size_t count, uint64_t seed, uint32_t stream)
{
    for (size_t i = 0; i < count; i++)
        out[i] = 2.0f * linnet_philox_uniform(seed, stream, 77, i) - 1.0f;
}

#endif
