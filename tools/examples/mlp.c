/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first network of the lecture, line for line: an MLP that learns to read digits.
 *
 *     mlp [FOLDER [EPOCHS [IMAGES]]]      FOLDER holds MNIST's files; "-" or nothing: synthetic digits
 */
#include <linnet/linnet.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
    const char *folder = argc > 1 && strcmp(argv[1], "-") != 0 ? argv[1] : NULL;
    int epochs = argc > 2 ? atoi(argv[2]) : 5;
    int images = argc > 3 ? atoi(argv[3]) : 20000;

    linnet_dataset *training_data =
        folder ? linnet_dataset_open_idx(NULL, folder, LINNET_PART_TRAIN) : linnet_dataset_digits(NULL, 1, images);
    linnet_dataset *test_data =
        folder ? linnet_dataset_open_idx(NULL, folder, LINNET_PART_TEST) : linnet_dataset_digits(NULL, 2, 2000);
    if (!training_data || !test_data) {
        fprintf(stderr, "mlp: %s\n", linnet_context_message(NULL));
        return EXIT_FAILURE;
    }
    linnet_loader *train = linnet_loader_new(NULL, training_data, .batch = 64, .shuffle = 1, .limit = images);
    linnet_loader *test = linnet_loader_new(NULL, test_data, .batch = 250);

    linnet_net *net = linnet_net_new(NULL);
    linnet_value x = linnet_input(net, "image", 1, 28, 28);
    x = linnet_flatten(net, x);
    x = linnet_linear(net, x, .out_features = 512);
    x = linnet_relu(net, x);
    x = linnet_linear(net, x, .out_features = 512);
    x = linnet_relu(net, x);
    linnet_value logits = linnet_linear(net, x, .out_features = 10);
    linnet_output(net, logits, "logits"); /* to be read after a run */
    linnet_value loss = linnet_cross_entropy(net, logits, linnet_labels(net, "label"));

    linnet_session *session = linnet_session_new(net, NULL); /* where LINNET_BACKEND says */
    linnet_optimizer *sgd = linnet_sgd_new(session, .learning_rate = 1e-3f);
    linnet_evaluation result = {.accuracy = 0};
    linnet_status status = sgd && train && test ? LINNET_OK : linnet_context_last_status(NULL);

    for (int epoch = 0; epoch < epochs && status == LINNET_OK; epoch++) {
        linnet_batch batch;
        while (status == LINNET_OK && linnet_loader_next(train, &batch)) {
            linnet_zero_grad(sgd);
            linnet_forward(session, &batch);
            linnet_backward(session, loss);
            status = linnet_step(sgd); /* refuses when one of the three before it failed */
        }
        if (status == LINNET_OK)
            status = linnet_evaluate(session, test, logits, loss, NULL, NULL, NULL, &result);
        if (status == LINNET_OK)
            printf("epoch %d: loss %.4f, accuracy %.1f %%\n", epoch + 1, result.loss, 100 * result.accuracy);
    }
    if (status != LINNET_OK)
        fprintf(stderr, "mlp: %s\n", linnet_context_message(NULL));

    linnet_optimizer_free(&sgd);
    linnet_session_free(&session);
    linnet_net_free(&net);
    linnet_loader_free(&train);
    linnet_loader_free(&test);
    linnet_dataset_free(&training_data);
    linnet_dataset_free(&test_data);
    return status == LINNET_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
