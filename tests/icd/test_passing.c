/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver that cannot compile for a while - its disk is full, it has no memory - is no driver that computes wrong: the
 * work goes on elsewhere meanwhile, and on the device again as soon as it can be, in another process as in another
 * device.
 *
 *     test_passing ICD SELECTION
 */
#include "../unit/sessions.h"
#include "icd.h"

#include <dirent.h>
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

enum { BATCH = 4, FEATURES = 24, CLASSES = 5, STEPS = 3 };

static icd_control *icd;
static const char *selection;

static void empty_cache(void)
{
    const char *folder = getenv("LINNET_CACHE_DIR");
    char path[1024];
    DIR *list = opendir(folder);
    for (struct dirent *entry = list ? readdir(list) : NULL; entry; entry = readdir(list)) {
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        unlink(path);
    }
    if (list)
        closedir(list);
}

/* The last loss of a short training; *out_fallbacks: layers that ran elsewhere. */
static float learn(uint32_t *out_fallbacks)
{
    static float values[BATCH * FEATURES];
    static const int32_t labels[BATCH] = {0, 2, 4, 1};
    float loss = 0;
    linnet_device *device = linnet_device_open(NULL, selection);
    linnet_net *net = linnet_net_new(NULL);
    linnet_value x = linnet_input(net, "x", FEATURES);
    x = linnet_linear(net, linnet_relu(net, linnet_linear(net, x, .out_features = 9)), .out_features = CLASSES);
    linnet_value mean = linnet_cross_entropy(net, x, linnet_labels(net, "label"));
    linnet_session *session = linnet_session_new(net, device);
    linnet_optimizer *adam = linnet_adam_new(session, .learning_rate = 0.01f);
    assert_non_null(adam);
    fill_random(values, BATCH * FEATURES, 3, 3);
    for (int i = 0; i < STEPS; i++) {
        linnet_batch batch = {.feed_count = 0};
        FEED(&batch, "x", values, BATCH, FEATURES);
        FEED_LABELS(&batch, "label", labels, BATCH);
        assert_ok(linnet_zero_grad(adam));
        assert_ok(linnet_forward(session, &batch));
        assert_ok(linnet_backward(session, mean));
        assert_ok(linnet_step(adam));
    }
    assert_ok(linnet_session_read(session, mean, &loss, sizeof loss));
    linnet_session_stats stats = {.struct_size = sizeof stats};
    assert_ok(linnet_session_get_stats(session, &stats));
    *out_fallbacks = stats.fallbacks;
    linnet_optimizer_free(&adam);
    linnet_session_free(&session);
    linnet_net_free(&net);
    linnet_device_close(&device);
    return loss;
}

static void what_cannot_be_compiled_for_a_while_is_no_verdict(void **state)
{
    (void)state;
    uint32_t fallbacks;
    empty_cache();
    *icd = (icd_control){.fail_at = -1, .fail_name = "clBuildProgram", .code = -11};
    float elsewhere = learn(&fallbacks);
    assert_true(fallbacks > 0);
    *icd = (icd_control){.fail_at = -1};
    float here = learn(&fallbacks);
    assert_int_equal(fallbacks, 0);
    assert_true(fabsf(here - elsewhere) <= 1e-4f);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_cannot_be_compiled_for_a_while_is_no_verdict)};
    void *library = argc == 3 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    icd = library ? dlsym(library, "linnet_icd") : NULL;
    selection = argv[2];
    if (!icd) {
        fprintf(stderr, "usage: test_passing ICD SELECTION\n");
        return EXIT_FAILURE;
    }
    linnet_device *device = linnet_device_open(NULL, selection);
    if (!device)
        return SKIPPED;
    linnet_device_close(&device);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
