/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Your own data: arrays in memory in, a weight file out, predictions from it.
 * Which way does a bar on an 8x8 picture lie? A small convolutional network learns it in a second.
 *
 *     own_data [WEIGHTS]      where to save, default bars.safetensors
 */
#include <linnet/linnet.h>

#include <stdio.h>
#include <stdlib.h>

enum { SIDE = 8, COUNT = 600, CLASSES = 3, SHOWN = 9 };

static float images[COUNT][SIDE][SIDE]; /* 0 to 1 */
static int32_t labels[COUNT];
static const char *const names[CLASSES] = {"lying", "standing", "slanting"};

static void draw_bars(void)
{
    for (int n = 0; n < COUNT; n++) {
        int place = 1 + rand() % (SIDE - 2), from = rand() % 3, length = 4 + rand() % 2;
        labels[n] = n % CLASSES;
        for (int i = 0; i < SIDE * SIDE; i++)
            images[n][i / SIDE][i % SIDE] = 0.04f * (float)(rand() % 10); /* noise */
        for (int i = from; i < from + length; i++)
            images[n][labels[n] == 0 ? place : i][labels[n] == 1 ? place : i] = 1.0f;
    }
}

static linnet_status train(linnet_session *session, linnet_loader *loader, linnet_value loss)
{
    linnet_optimizer *adam = linnet_adam_new(session, .learning_rate = 0.01f);
    linnet_status status = adam ? LINNET_OK : linnet_context_last_status(NULL);
    linnet_batch batch;
    for (int epoch = 0; epoch < 10; epoch++)
        while (status == LINNET_OK && linnet_loader_next(loader, &batch)) {
            linnet_zero_grad(adam);
            linnet_forward(session, &batch);
            linnet_backward(session, loss);
            status = linnet_step(adam);
        }
    linnet_optimizer_free(&adam);
    return status;
}

int main(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : "bars.safetensors";
    draw_bars();
    linnet_tensor pixels = {.type = LINNET_F32, .rank = 3, .dims = {COUNT, SIDE, SIDE}, .data = images};
    linnet_tensor classes = {.type = LINNET_I32, .rank = 1, .dims = {COUNT}, .data = labels};
    linnet_dataset *bars =
        linnet_dataset_from_arrays(NULL, &pixels, &classes, .class_count = CLASSES, .class_names = names);
    linnet_loader *loader = linnet_loader_new(NULL, bars, .batch = 50, .shuffle = 1);

    linnet_net *net = linnet_net_new(NULL);
    linnet_value x = linnet_input(net, "image", 1, SIDE, SIDE);
    x = linnet_relu(net, linnet_conv2d(net, x, .name = "conv", .out_channels = 8, .kernel = 3, .padding = 1));
    x = linnet_max_pool2d(net, x, .kernel = 2);
    linnet_value logits = linnet_linear(net, x, .name = "classes", .out_features = CLASSES);
    linnet_output(net, logits, "logits"); /* to be read after a run */
    linnet_value loss = linnet_cross_entropy(net, logits, linnet_labels(net, "label"));

    linnet_session *session = linnet_session_new(net, NULL);
    linnet_status status = loader && session ? train(session, loader, loss) : linnet_context_last_status(NULL);
    if (status == LINNET_OK)
        status = linnet_save(session, path);
    linnet_session_free(&session);

    int right = 0;
    session = linnet_session_new(net, NULL); /* a new one: fresh weights until the file is loaded */
    if (status == LINNET_OK)
        status = session ? linnet_load(session, path) : linnet_context_last_status(NULL);
    for (int n = 0; n < SHOWN && status == LINNET_OK; n++) {
        linnet_prediction best = {0};
        linnet_tensor sample = {.type = LINNET_F32, .rank = 3, .dims = {1, SIDE, SIDE}, .data = images[n]};
        status = linnet_predict(session, logits, &sample, 1, &best);
        printf("%-8s read as %-8s (%.0f %%)\n", names[labels[n]], names[best.class_index], 100 * best.probability);
        right += best.class_index == labels[n];
    }
    if (status != LINNET_OK)
        fprintf(stderr, "own_data: %s\n", linnet_context_message(NULL));

    linnet_session_free(&session);
    linnet_net_free(&net);
    linnet_loader_free(&loader);
    linnet_dataset_free(&bars);
    return status == LINNET_OK && right == SHOWN ? EXIT_SUCCESS : EXIT_FAILURE;
}
