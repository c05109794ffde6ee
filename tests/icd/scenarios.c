/* SPDX-License-Identifier: Apache-2.0 */
#include "scenarios.h"

#include <stdio.h>
#include <string.h>

enum { BATCH = 4, CLASSES = 10 };

static void take_error(linnet_context *context, linnet_status status, outcome *out)
{
    out->status = status;
    snprintf(out->message, sizeof out->message, "%s", linnet_context_message(context));
}

/* Which devices there are. A device that a failing call hides is no error: 0 devices are a right answer, too. */
static void list_devices(const char *selection, outcome *out)
{
    linnet_context *context = linnet_context_new();
    linnet_backend_report report;
    linnet_device_info info;
    size_t length = strcspn(selection, ":");
    for (uint32_t i = 0; linnet_backend_report_at(context, i, &report) == LINNET_OK; i++) {
        if (strlen(report.name) != length || strncmp(report.name, selection, length) != 0)
            continue;
        for (uint32_t d = 0; d < report.device_count; d++) {
            linnet_status status = linnet_backend_report_device(context, i, d, &info);
            if (status != LINNET_OK)
                take_error(context, status, out);
        }
    }
    linnet_context_free(&context);
}

/* One relu: a program and a kernel. */
static linnet_status relu(linnet_context *context, linnet_device *device, outcome *out)
{
    float values[8] = {-3, -2, -1, 0, 1, 2, 3, 4};
    linnet_net *net = linnet_net_new(context);
    linnet_value y = linnet_relu(net, linnet_input(net, "x", 8, 1, 1));
    linnet_session *session = linnet_session_new(net, device);
    linnet_batch batch = {.struct_size = sizeof batch, .feed_count = 1, .size = 1};
    batch.feeds[0] = (linnet_feed){"x", {.type = LINNET_F32, .rank = 4, .dims = {1, 8, 1, 1}, .data = values}};
    linnet_status status = session ? linnet_forward(session, &batch) : linnet_context_last_status(context);
    if (status == LINNET_OK)
        status = linnet_session_read(session, y, out->values, sizeof values);
    out->count = 8;
    linnet_session_free(&session);
    linnet_net_free(&net);
    return status;
}

/* LeNet-5: the scores of a few digits, or the loss and some weights behind one step of training. */
static linnet_status infer(linnet_context *context, linnet_session *session, const linnet_model *model,
                           const linnet_batch *batch, outcome *out)
{
    (void)context;
    linnet_status status = linnet_forward(session, batch);
    out->count = BATCH * CLASSES;
    if (status == LINNET_OK)
        status = linnet_session_read(session, model->logits, out->values, sizeof(float) * BATCH * CLASSES);
    return status;
}

static linnet_status train(linnet_context *context, linnet_session *session, const linnet_model *model,
                           const linnet_batch *batch, outcome *out)
{
    linnet_optimizer *sgd = linnet_sgd_new(session, .learning_rate = 0.1f, .momentum = 0.9f);
    linnet_status status = sgd ? linnet_zero_grad(sgd) : linnet_context_last_status(context);
    if (status == LINNET_OK)
        status = linnet_forward(session, batch);
    if (status == LINNET_OK)
        status = linnet_backward(session, model->loss);
    if (status == LINNET_OK)
        status = linnet_step(sgd);
    if (status == LINNET_OK)
        status = linnet_session_read(session, model->loss, out->values, sizeof(float));
    if (status == LINNET_OK)
        status = linnet_session_get(session, "fc3.bias", out->values + 1, sizeof(float) * CLASSES);
    out->count = 1 + CLASSES;
    linnet_optimizer_free(&sgd);
    return status;
}

static linnet_status lenet5(linnet_context *context, linnet_device *device, int training, outcome *out)
{
    linnet_model model = {.net = NULL};
    linnet_batch batch;
    linnet_status status = linnet_model_new(context, "lenet5", NULL, &model);
    linnet_dataset *data = status == LINNET_OK ? linnet_dataset_digits(context, 1, BATCH) : NULL;
    linnet_loader *loader = data ? linnet_loader_new(context, data, .batch = BATCH) : NULL;
    linnet_session *session = loader ? linnet_session_new(model.net, device) : NULL;
    if (!session)
        status = linnet_context_last_status(context);
    else if (!linnet_loader_next(loader, &batch))
        status = LINNET_INTERNAL;
    else
        status = (training ? train : infer)(context, session, &model, &batch, out);
    linnet_session_free(&session);
    linnet_loader_free(&loader);
    linnet_dataset_free(&data);
    linnet_model_free(&model);
    return status;
}

static linnet_status train_lenet5(linnet_context *context, linnet_device *device, outcome *out)
{
    return lenet5(context, device, 1, out);
}

static linnet_status infer_lenet5(linnet_context *context, linnet_device *device, outcome *out)
{
    return lenet5(context, device, 0, out);
}

/* On the selected device, found anew. */
static void on_device(const char *selection, linnet_status (*work)(linnet_context *, linnet_device *, outcome *),
                      outcome *out)
{
    linnet_context *context = linnet_context_new();
    linnet_device *device = linnet_device_open(context, selection);
    linnet_status status = device ? work(context, device, out) : linnet_context_last_status(context);
    if (status != LINNET_OK)
        take_error(context, status, out);
    linnet_device_close(&device);
    linnet_context_free(&context);
}

static void run_train(const char *selection, outcome *out)
{
    on_device(selection, train_lenet5, out);
}

static void run_infer(const char *selection, outcome *out)
{
    on_device(selection, infer_lenet5, out);
}

static void run_relu(const char *selection, outcome *out)
{
    on_device(selection, relu, out);
}

const scenario scenarios[] = {
    {"list", list_devices, 0}, {"cache-cold", run_relu, 1}, {"cache-warm", run_relu, 0},
    {"infer", run_infer, 0},   {"train", run_train, 0},
};
const size_t scenario_count = sizeof scenarios / sizeof scenarios[0];
