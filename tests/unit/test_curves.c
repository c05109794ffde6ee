/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Twenty training steps of LeNet-5 from one seed: the same bits each time and with any number of threads, and the curve
 * of the reference. Each run is a process of its own, since threads are counted once.
 *
 *     test_curves [SELECTION]                 the tests
 *     test_curves SELECTION THREADS PATH      one run: losses and a sum over all weights into a file
 */
#include "files.h"
#include "sessions.h"

#include <math.h>
#include <sys/wait.h>

enum { STEPS = 20, BATCH = 32 };

static const char *selection = "cpu";
static const char *program;

typedef struct curve {
    float losses[STEPS];
    uint64_t weights; /* a sum over their bits */
} curve;

/* ---- One run ---- */

static linnet_status run_steps(linnet_session *session, const linnet_model *model, linnet_loader *loader, curve *out)
{
    linnet_batch batch;
    linnet_optimizer *adam = linnet_adam_new(session, .learning_rate = 3e-3f); /* learns within twenty steps */
    linnet_status status = adam ? LINNET_OK : linnet_context_last_status(NULL);
    for (int i = 0; i < STEPS && status == LINNET_OK && linnet_loader_next(loader, &batch); i++) {
        linnet_zero_grad(adam);
        linnet_forward(session, &batch);
        linnet_backward(session, model->loss);
        status = linnet_step(adam);
        if (status == LINNET_OK)
            status = linnet_session_read(session, model->loss, &out->losses[i], sizeof out->losses[i]);
    }
    linnet_optimizer_free(&adam);
    return status;
}

static linnet_status sum_weights(linnet_session *session, uint64_t *out)
{
    static float data[400 * 120 + 1];
    const char *name;
    linnet_tensor shape;
    linnet_status status = LINNET_OK;
    for (size_t i = 0; status == LINNET_OK && linnet_session_variable(session, i, &name, &shape) == LINNET_OK; i++) {
        size_t bytes = (size_t)linnet_tensor_count(&shape) * sizeof *data;
        status = bytes <= sizeof data ? linnet_session_get(session, name, data, bytes) : LINNET_LIMIT;
        *out = *out * 31 + sum_of(data, bytes);
    }
    return status;
}

static int run_once(const char *what, const char *threads, const char *path)
{
    curve c;
    linnet_model model;
    memset(&c, 0, sizeof c);
    setenv("LINNET_NUM_THREADS", threads, 1);
    linnet_device *device = linnet_device_open(NULL, what);
    linnet_dataset *data = linnet_dataset_digits(NULL, 1, STEPS * BATCH);
    linnet_loader *loader = linnet_loader_new(NULL, data, .batch = BATCH, .shuffle = 1, .seed = 5);
    linnet_status status = linnet_model_new(NULL, "lenet5", NULL, &model);
    linnet_session *session = device && loader ? linnet_session_new(model.net, device) : NULL;
    if (status == LINNET_OK)
        status = session ? linnet_session_initialize(session, 9) : linnet_context_last_status(NULL);
    if (status == LINNET_OK)
        status = run_steps(session, &model, loader, &c);
    if (status == LINNET_OK)
        status = sum_weights(session, &c.weights);
    if (status != LINNET_OK)
        fprintf(stderr, "%s with %s threads: %s\n", what, threads, linnet_context_message(NULL));
    linnet_session_free(&session);
    linnet_model_free(&model);
    linnet_loader_free(&loader);
    linnet_dataset_free(&data);
    linnet_device_close(&device);
    FILE *file = status == LINNET_OK ? fopen(path, "wb") : NULL;
    int good = file && fwrite(&c, sizeof c, 1, file) == 1;
    return file && fclose(file) == 0 && good ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- The tests ---- */

static curve curve_of(const char *folder, const char *what, const char *threads)
{
    curve c;
    int status;
    const char *path = path_in(folder, "curve");
    unlink(path);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        execl(program, program, what, threads, path, (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), EXIT_SUCCESS);
    assert_int_equal(file_get(path, &c, sizeof c), sizeof c);
    return c;
}

static void the_same_bits_with_any_number_of_threads(void **state)
{
    static const char *const threads[] = {"2", "2", "1", "4", "7"};
    curve first = curve_of(*state, selection, threads[0]);
    size_t runs = strcmp(selection, "cpu") == 0 ? 5 : 2; /* OpenCL drivers count threads for themselves */
    for (size_t i = 1; i < runs; i++) {
        curve other = curve_of(*state, selection, threads[i]);
        assert_memory_equal(first.losses, other.losses, sizeof first.losses);
        assert_true(first.weights == other.weights);
    }
}

/* Sums in another order differ in the last bits, and training amplifies that; a wrong gradient shows within three
 * steps. */
static void the_curve_is_the_reference_s(void **state)
{
    curve own = curve_of(*state, selection, "2"), right = curve_of(*state, "reference", "1");
    double worst = 0;
    for (int i = 0; i < STEPS; i++)
        worst = fmax(worst, fabs((double)own.losses[i] - (double)right.losses[i]) / (double)right.losses[i]);
    print_message("loss %.4f to %.4f, largest relative difference %.2g\n", (double)right.losses[0],
                  (double)right.losses[STEPS - 1], worst);
    assert_true(worst <= 1e-3);
    assert_true(right.losses[STEPS - 1] < 0.9f * right.losses[0]);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_same_bits_with_any_number_of_threads, folder_make, folder_remove),
        cmocka_unit_test_setup_teardown(the_curve_is_the_reference_s, folder_make, folder_remove),
    };
    program = argv[0];
    selection = argc > 1 ? argv[1] : selection;
    if (argc > 3)
        return run_once(argv[1], argv[2], argv[3]);
    linnet_device *device = linnet_device_open(NULL, selection);
    if (!device) {
        printf("%s: %s\n", selection, linnet_context_message(NULL));
        return argc > 1 ? SKIPPED : EXIT_FAILURE;
    }
    linnet_device_close(&device);
    return cmocka_run_group_tests_name("curves", tests, NULL, NULL);
}
