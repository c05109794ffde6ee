/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hundred training steps from one seed give the same loss curve on a device as on the reference.
 *
 *     steps SELECTION      exit code 77: that device is not here
 *
 * Sums in another order differ in the last bits, and training amplifies the difference; after a hundred steps it is
 * still far below 1e-3 of the loss, while a wrong gradient shows within two or three.
 */
#include <linnet/linnet.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 100, BATCH = 32, SKIP = 77 };
#define TOLERANCE 1e-3

typedef struct network {
    linnet_net *net;
    linnet_value loss;
} network;

static network lenet5(void)
{
    linnet_model model = {.net = NULL};
    linnet_model_new(NULL, "lenet5", NULL, &model);
    return (network){model.net, model.loss};
}

/* Every layer that lenet5 lacks: batch norm, a residual connection, concatenation, dropout, groups, averages. */
static network mixture(void)
{
    linnet_net *net = linnet_net_new(NULL);
    linnet_value x = linnet_input(net, "image", 1, 28, 28);
    x = linnet_conv2d(net, x, .out_channels = 8, .kernel = 3, .stride = 2, .padding = 1, .no_bias = 1);
    x = linnet_leaky_relu(net, linnet_batch_norm(net, x), 0.1f);
    linnet_value y = linnet_conv2d(net, x, .out_channels = 8, .kernel = 3, .padding = 2, .dilation = 2, .groups = 4);
    y = linnet_relu6(net, linnet_batch_norm(net, y));
    x = linnet_add(net, x, y);
    linnet_value parts[] = {linnet_avg_pool2d(net, x, .kernel = 2), linnet_max_pool2d(net, x, .kernel = 2),
                            linnet_tanh(net, linnet_max_pool2d(net, y, .kernel = 2))};
    x = linnet_concat(net, parts, 3, 1);
    x = linnet_sigmoid(net, linnet_conv2d(net, x, .out_channels = 16, .kernel = 3));
    x = linnet_dropout(net, linnet_global_avg_pool(net, x), 0.2f);
    linnet_value logits = linnet_linear(net, x, .out_features = 10);
    return (network){net, linnet_cross_entropy(net, logits, linnet_labels(net, "label"))};
}

/* The loss before each step. */
static linnet_status train(linnet_device *device, network (*make)(void), int adam, const linnet_dataset *data,
                           float losses[STEPS])
{
    linnet_batch batch;
    network n = make();
    linnet_session *session = linnet_session_new(n.net, device);
    linnet_loader *loader = linnet_loader_new(NULL, data, .batch = BATCH, .shuffle = 1, .seed = 5);
    linnet_status status = session && loader ? linnet_session_initialize(session, 9) : linnet_context_last_status(NULL);
    linnet_optimizer *optimizer = NULL;
    if (status == LINNET_OK)
        optimizer = adam ? linnet_adam_new(session, .learning_rate = 2e-3f, .weight_decay = 1e-3f)
                         : linnet_sgd_new(session, .learning_rate = 0.05f, .momentum = 0.9f, .weight_decay = 1e-3f,
                                          .nesterov = 1);
    if (!optimizer)
        status = linnet_context_last_status(NULL);
    for (int i = 0; i < STEPS && status == LINNET_OK && linnet_loader_next(loader, &batch); i++) {
        linnet_zero_grad(optimizer);
        linnet_forward(session, &batch);
        linnet_backward(session, n.loss);
        status = linnet_session_read(session, n.loss, &losses[i], sizeof losses[i]);
        if (status == LINNET_OK)
            status = linnet_step(optimizer);
    }
    linnet_session_stats stats = {.struct_size = sizeof stats};
    if (status == LINNET_OK && linnet_session_get_stats(session, &stats) == LINNET_OK && stats.fallbacks)
        printf("  %u nodes ran elsewhere\n", stats.fallbacks);
    linnet_optimizer_free(&optimizer);
    linnet_session_free(&session);
    linnet_loader_free(&loader);
    linnet_net_free(&n.net);
    return status;
}

static int compare(const char *what, linnet_device *device, linnet_device *reference, network (*make)(void), int adam,
                   const linnet_dataset *data)
{
    float own[STEPS] = {0}, right[STEPS] = {0};
    double worst = 0;
    if (train(reference, make, adam, data, right) != LINNET_OK || train(device, make, adam, data, own) != LINNET_OK) {
        fprintf(stderr, "%s: %s\n", what, linnet_context_message(NULL));
        return EXIT_FAILURE;
    }
    for (int i = 0; i < STEPS; i++) {
        double difference = fabs((double)own[i] - (double)right[i]) / fmax(fabs((double)right[i]), 1e-3);
        worst = difference > worst || isnan(difference) ? difference : worst;
    }
    int good = worst <= TOLERANCE && right[STEPS - 1] < right[0];
    printf("%s: loss %.4f to %.4f, largest relative difference %.2g%s\n", what, (double)right[0],
           (double)right[STEPS - 1], worst, good ? "" : "  FAILED");
    for (int i = 0; !good && i < STEPS; i++)
        printf("  step %2d: %.7f, reference %.7f\n", i, (double)own[i], (double)right[i]);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* LINNET_REQUIRE turns a device that is not here into a failure. */
static int missing(const char *selection)
{
    const char *required = getenv("LINNET_REQUIRE");
    size_t length = strcspn(selection, ":");
    printf("%s: %s\n", selection, linnet_context_message(NULL));
    for (const char *at = required; at && *at; at += strcspn(at, ",") + (at[strcspn(at, ",")] == ','))
        if (strcspn(at, ",") == length && strncmp(at, selection, length) == 0)
            return EXIT_FAILURE;
    return SKIP;
}

int main(int argc, char **argv)
{
    const char *selection = argc > 1 ? argv[1] : "reference";
    linnet_device *device = linnet_device_open(NULL, selection);
    linnet_device *reference = linnet_device_open(NULL, "reference");
    linnet_dataset *data = linnet_dataset_digits(NULL, 1, STEPS * BATCH);
    int code = EXIT_SUCCESS;
    if (!device)
        code = missing(selection);
    else if (!reference || !data)
        code = EXIT_FAILURE;
    if (code == EXIT_SUCCESS)
        code = compare("lenet5, sgd", device, reference, lenet5, 0, data);
    if (code == EXIT_SUCCESS)
        code = compare("mixture, adam", device, reference, mixture, 1, data);
    linnet_dataset_free(&data);
    linnet_device_close(&reference);
    linnet_device_close(&device);
    return code;
}
