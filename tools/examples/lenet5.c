/* SPDX-License-Identifier: Apache-2.0 */
/* A network of the zoo from C: LeNet-5 learns synthetic digits, lenet5.safetensors is what the tools read. */
#include <linnet/linnet.h>

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    linnet_dataset *digits = linnet_dataset_digits(NULL, 1, argc > 2 ? atoi(argv[2]) : 10000);
    linnet_loader *train = linnet_loader_new(NULL, digits, .batch = 64, .shuffle = 1);
    linnet_model model = {.net = NULL};
    linnet_status status = linnet_model_new(NULL, "lenet5", NULL, &model);
    linnet_session *session = linnet_session_new(model.net, NULL);
    linnet_optimizer *sgd = linnet_sgd_new(session, .learning_rate = 0.05f, .momentum = 0.9f);
    linnet_batch batch;
    float loss = 0;

    if (!train || !sgd)
        status = linnet_context_last_status(NULL);
    while (status == LINNET_OK && linnet_loader_next(train, &batch)) {
        linnet_zero_grad(sgd);
        linnet_forward(session, &batch);
        linnet_backward(session, model.loss);
        status = linnet_step(sgd);
    }
    if (status == LINNET_OK)
        status = linnet_session_read(session, model.loss, &loss, sizeof loss);
    if (status == LINNET_OK)
        status = linnet_save(session, argc > 1 ? argv[1] : "lenet5.safetensors");
    if (status == LINNET_OK)
        printf("loss of the last batch: %.4f\n", (double)loss);
    else
        fprintf(stderr, "lenet5: %s\n", linnet_context_message(NULL));

    linnet_optimizer_free(&sgd);
    linnet_session_free(&session);
    linnet_model_free(&model);
    linnet_loader_free(&train);
    linnet_dataset_free(&digits);
    return status == LINNET_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
