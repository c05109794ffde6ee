/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long it takes until a program has taken its first step of training LeNet-5, batch 64, and until its second:
 *
 *     first_step SELECTION       one line: seconds of opening, compiling, the first step in all, the second;
 *                                and another: of these, seconds of the comparison at first use
 *
 * Exit code 77: that device is not here.
 */
#include <linnet/linnet.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { BATCH = 64, SKIP = 77 };

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static linnet_status step(linnet_optimizer *sgd, linnet_session *session, const linnet_model *model,
                          const linnet_batch *batch)
{
    float loss;
    linnet_zero_grad(sgd);
    linnet_forward(session, batch);
    linnet_backward(session, model->loss);
    linnet_status status = linnet_step(sgd);
    return status == LINNET_OK ? linnet_session_read(session, model->loss, &loss, sizeof loss) : status;
}

int main(int argc, char **argv)
{
    linnet_model model = {.net = NULL};
    linnet_batch batch;
    linnet_dataset *data = linnet_dataset_digits(NULL, 1, BATCH);
    linnet_loader *loader = linnet_loader_new(NULL, data, .batch = BATCH);
    if (!loader || !linnet_loader_next(loader, &batch) || linnet_model_new(NULL, "lenet5", NULL, &model) != LINNET_OK)
        return EXIT_FAILURE;
    double begin = now();
    linnet_device *device = linnet_device_open(NULL, argc > 1 ? argv[1] : NULL);
    if (!device) {
        printf("%s\n", linnet_context_message(NULL));
        return SKIP;
    }
    double opened = now();
    linnet_session *session = linnet_session_new(model.net, device);
    linnet_optimizer *sgd = linnet_sgd_new(session, .learning_rate = 0.01f, .momentum = 0.9f);
    char *plan = NULL;
    linnet_status status = sgd ? linnet_session_describe(session, &batch, 0, &plan) : linnet_context_last_status(NULL);
    double compiled = now();
    if (status == LINNET_OK)
        status = step(sgd, session, &model, &batch);
    double first = now();
    if (status == LINNET_OK)
        status = step(sgd, session, &model, &batch);
    double second = now();
    if (status != LINNET_OK)
        fprintf(stderr, "%s\n", linnet_context_message(NULL));
    printf("opened %.3f s, compiled %.3f s, first step %.3f s after the start, second step %.3f s\n", opened - begin,
           compiled - opened, first - begin, second - first);
    linnet_session_stats stats = {.struct_size = sizeof stats};
    if (session && linnet_session_get_stats(session, &stats) == LINNET_OK)
        printf("of that %.3f s for comparing implementations with the reference at first use\n", stats.check_seconds);
    linnet_text_free(&plan);
    linnet_optimizer_free(&sgd);
    linnet_session_free(&session);
    linnet_device_close(&device);
    linnet_loader_free(&loader);
    linnet_dataset_free(&data);
    linnet_model_free(&model);
    return status == LINNET_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
