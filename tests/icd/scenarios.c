/* SPDX-License-Identifier: Apache-2.0 */
#define CL_TARGET_OPENCL_VERSION 120
#define CL_USE_DEPRECATED_OPENCL_1_1_APIS
#include "scenarios.h"

#include <CL/cl.h>

#include <stdio.h>
#include <string.h>

enum { BATCH = 4, CLASSES = 10, PIXELS = 28 * 28 };

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

/* The same over and over, in turn from pinned and from other memory, without waiting but for what is sent from where it
   lies, and for all results behind the last. */
static linnet_status relus(linnet_context *context, linnet_device *device, outcome *out)
{
    enum { TIMES = 5, COUNT = 12 };
    float values[COUNT];
    linnet_reading *readings[TIMES] = {NULL};
    linnet_net *net = linnet_net_new(context);
    linnet_value y = linnet_relu(net, linnet_input(net, "x", COUNT, 1, 1));
    linnet_session *session = linnet_session_new(net, device);
    linnet_batch batch = {.struct_size = sizeof batch, .feed_count = 1, .size = 1};
    batch.feeds[0] = (linnet_feed){"x", {.type = LINNET_F32, .rank = 4, .dims = {1, COUNT, 1, 1}, .data = values}};
    float *pinned = session ? linnet_pinned_new(device, sizeof values) : NULL;
    linnet_status status = pinned ? LINNET_OK : linnet_context_last_status(context);
    out->count = (size_t)TIMES * COUNT;
    for (int t = 0; t < TIMES && status == LINNET_OK; t++) {
        float *from = t % 2 ? values : pinned;
        for (int i = 0; i < COUNT; i++)
            from[i] = (float)(i * (t + 1) % 7 - 3);
        batch.feeds[0].tensor.data = from;
        status = linnet_forward(session, &batch);
        if (status == LINNET_OK)
            status = linnet_session_read_later(session, y, out->values + t * COUNT, sizeof values, &readings[t]);
    }
    for (int t = 0; t < TIMES; t++) {
        linnet_status waited = linnet_reading_wait(&readings[t]);
        status = status == LINNET_OK ? waited : status;
    }
    linnet_session_free(&session);
    linnet_net_free(&net);
    linnet_pinned_free(pinned);
    return status;
}

/* 5 MB there, with nothing else to do; the same from pinned memory behind that, and back: of the numbers, some. */
static linnet_status large_relu(linnet_context *context, linnet_device *device, outcome *out)
{
    enum { SIDE = 1100, COUNT = SIDE * SIDE, SOME = 20 };
    float *values = calloc(COUNT, sizeof *values);
    linnet_net *net = linnet_net_new(context);
    linnet_value y = linnet_relu(net, linnet_input(net, "x", 1, SIDE, SIDE));
    linnet_session *session = values ? linnet_session_new(net, device) : NULL;
    float *pinned = session ? linnet_pinned_new(device, COUNT * sizeof *pinned) : NULL;
    linnet_batch batch = {.struct_size = sizeof batch, .feed_count = 1, .size = 1};
    batch.feeds[0] = (linnet_feed){"x", {.type = LINNET_F32, .rank = 4, .dims = {1, 1, SIDE, SIDE}, .data = values}};
    linnet_status status = pinned ? LINNET_OK : linnet_context_last_status(context);
    for (int i = 0; pinned && i < COUNT; i++)
        pinned[i] = (float)(i % 1009 - 500);
    for (int i = 0; i < 3 && status == LINNET_OK; i++) {
        status = linnet_forward(session, &batch);
        batch.feeds[0].tensor.data = pinned;
    }
    if (status == LINNET_OK)
        status = linnet_session_read(session, y, values, COUNT * sizeof *values);
    for (int i = 0; status == LINNET_OK && i < SOME; i++)
        out->values[out->count++] = values[(int64_t)i * (COUNT - 1) / (SOME - 1)];
    linnet_session_free(&session);
    linnet_net_free(&net);
    linnet_pinned_free(pinned);
    free(values);
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

/* The last layer's. */
static const char *last_bias(const linnet_session *session)
{
    const char *name = NULL, *found = "";
    linnet_tensor shape;
    for (size_t i = 0; linnet_session_variable(session, i, &name, &shape) == LINNET_OK; i++)
        if (shape.rank == 1 && shape.dims[0] == CLASSES)
            found = name;
    return found;
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
        status = linnet_session_get(session, last_bias(session), out->values + 1, sizeof(float) * CLASSES);
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

/* What LeNet-5 has not: channels by the dozen in nchw16c (or tiles on GPUs), batch norm, depthwise convolution,
   residuals, concatenation, strides, averages. A few steps, since the second finds other plans and arenas. */
static linnet_value block(linnet_net *net, linnet_value x)
{
    linnet_value y = linnet_relu(net, linnet_batch_norm(net, linnet_conv2d(net, x, .out_channels = 32, .kernel = 3,
                                                                           .padding = 1, .no_bias = 1)));
    y = linnet_conv2d(net, y, .out_channels = 32, .kernel = 3, .padding = 1, .groups = 32);
    return linnet_relu(net, linnet_add(net, linnet_batch_norm(net, y), x));
}

static linnet_value blocks(linnet_net *net)
{
    linnet_value x = linnet_input(net, "image", 3, 12, 12);
    x = linnet_relu(net, linnet_conv2d(net, x, .out_channels = 32, .kernel = 5, .padding = 2));
    x = block(net, linnet_max_pool2d(net, x, .kernel = 2));
    linnet_value left = linnet_conv2d(net, x, .out_channels = 20, .kernel = 1);
    linnet_value right = linnet_conv2d(net, x, .out_channels = 28, .kernel = 3, .padding = 1);
    x = linnet_concat(net, (const linnet_value[]){left, right}, 2, 1);
    x = linnet_conv2d(net, x, .out_channels = 24, .kernel = 3, .stride = 2, .padding = 1);
    return linnet_linear(net, linnet_global_avg_pool(net, linnet_avg_pool2d(net, x, .kernel = 2, .stride = 1)),
                         .out_features = CLASSES);
}

static linnet_status run_blocks(linnet_context *context, linnet_device *device, int training, outcome *out)
{
    static const int32_t labels[BATCH] = {0, 3, 6, 9};
    float images[BATCH * 3 * 12 * 12];
    linnet_model model = {.net = linnet_net_new(context)};
    if (model.net) {
        model.logits = blocks(model.net);
        linnet_output(model.net, model.logits, "logits");
        model.loss = linnet_cross_entropy(model.net, model.logits, linnet_labels(model.net, "label"));
    }
    for (size_t i = 0; i < sizeof images / sizeof *images; i++)
        images[i] = linnet_philox_uniform(5, 1, 1, i) - 0.5f;
    linnet_session *session = model.net ? linnet_session_new(model.net, device) : NULL;
    linnet_batch batch = {.struct_size = sizeof batch, .feed_count = 2, .size = BATCH};
    batch.feeds[0] =
        (linnet_feed){"image", {.type = LINNET_F32, .rank = 4, .dims = {BATCH, 3, 12, 12}, .data = images}};
    batch.feeds[1] = (linnet_feed){"label", {.type = LINNET_I32, .rank = 1, .dims = {BATCH}, .data = (void *)labels}};
    linnet_status status = session ? LINNET_OK : linnet_context_last_status(context);
    if (status == LINNET_OK)
        status = (training ? train : infer)(context, session, &model, &batch, out);
    linnet_session_free(&session);
    linnet_net_free(&model.net);
    return status;
}

static linnet_status train_blocks(linnet_context *context, linnet_device *device, outcome *out)
{
    return run_blocks(context, device, 1, out);
}

static linnet_status infer_blocks(linnet_context *context, linnet_device *device, outcome *out)
{
    return run_blocks(context, device, 0, out);
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

static void run_relus(const char *selection, outcome *out)
{
    on_device(selection, relus, out);
}

static void run_large_relu(const char *selection, outcome *out)
{
    on_device(selection, large_relu, out);
}

static void run_relu(const char *selection, outcome *out)
{
    on_device(selection, relu, out);
}

/* ---- On a context, a queue and memory of the caller's, made by the OpenCL that fails ---- */

typedef struct own_objects {
    cl_device_id device;
    cl_context context;
    cl_command_queue queue;
    cl_mem images, scores;
} own_objects;

#define CALL(name) ((__typeof__(&name))scenario_function(#name))

static void find_own_device(const char *wanted, cl_device_id *out)
{
    cl_platform_id platforms[16];
    cl_uint count = 0;
    char name[128];
    if (CALL(clGetPlatformIDs)(16, platforms, &count) != CL_SUCCESS)
        return;
    for (cl_uint p = 0; p < count && p < 16 && !*out; p++)
        if (CALL(clGetPlatformInfo)(platforms[p], CL_PLATFORM_NAME, sizeof name, name, NULL) != CL_SUCCESS ||
            !strstr(name, strstr(wanted, "pocl") ? "Portable" : "") ||
            CALL(clGetDeviceIDs)(platforms[p], CL_DEVICE_TYPE_ALL, 1, out, NULL) != CL_SUCCESS)
            *out = NULL;
}

static int make_own(const char *selection, own_objects *o)
{
    cl_int error = CL_SUCCESS;
    *o = (own_objects){.device = NULL};
    find_own_device(selection, &o->device);
    if (o->device)
        o->context = CALL(clCreateContext)(NULL, 1, &o->device, NULL, NULL, &error);
    if (o->context)
        o->queue = CALL(clCreateCommandQueue)(o->context, o->device, 0, &error);
    if (o->queue)
        o->images = CALL(clCreateBuffer)(o->context, CL_MEM_READ_WRITE, sizeof(float) * BATCH * PIXELS, NULL, &error);
    if (o->images)
        o->scores = CALL(clCreateBuffer)(o->context, CL_MEM_READ_WRITE, sizeof(float) * BATCH * CLASSES, NULL, &error);
    return o->scores != NULL;
}

static void release_own(own_objects *o)
{
    if (o->scores)
        CALL(clReleaseMemObject)(o->scores);
    if (o->images)
        CALL(clReleaseMemObject)(o->images);
    if (o->queue)
        CALL(clReleaseCommandQueue)(o->queue);
    if (o->context)
        CALL(clReleaseContext)(o->context);
}

/* What the caller does itself may fail, too: then there is nothing to be said by Linnet. */
static linnet_status caller_failed(outcome *out)
{
    snprintf(out->message, sizeof out->message, "a call of the caller's own failed");
    return LINNET_DEVICE_ERROR;
}

static linnet_status between_own_calls(const own_objects *o, linnet_session *session, const linnet_model *model,
                                       outcome *out)
{
    float images[BATCH * PIXELS];
    linnet_batch batch = {.struct_size = sizeof batch, .feed_count = 1, .size = BATCH};
    batch.feeds[0] = (linnet_feed){"image", {.type = LINNET_F32, .rank = 4, .dims = {BATCH, 1, 28, 28}}};
    for (size_t i = 0; i < BATCH * PIXELS; i++)
        images[i] = linnet_philox_uniform(5, 1, 1, i);
    if (CALL(clEnqueueWriteBuffer)(o->queue, o->images, CL_TRUE, 0, sizeof images, images, 0, NULL, NULL) != CL_SUCCESS)
        return caller_failed(out);
    linnet_status status = linnet_session_bind(session, model->image, o->images, 0);
    if (status == LINNET_OK)
        status = linnet_forward(session, &batch);
    if (status == LINNET_OK)
        status = linnet_session_copy(session, model->logits, o->scores, 0);
    out->count = BATCH * CLASSES;
    if (status == LINNET_OK &&
        CALL(clEnqueueReadBuffer)(o->queue, o->scores, CL_TRUE, 0, sizeof(float) * BATCH * CLASSES, out->values, 0,
                                  NULL, NULL) != CL_SUCCESS)
        status = caller_failed(out);
    return status;
}

static void run_objects(const char *selection, outcome *out)
{
    own_objects own;
    linnet_model model = {.net = NULL};
    linnet_context *context = linnet_context_new();
    int made = make_own(selection, &own);
    linnet_native_objects objects = {
        .struct_size = sizeof objects, .device = own.device, .context = own.context, .queue = own.queue};
    linnet_device *device = made ? linnet_device_adopt(context, "opencl", &objects) : NULL;
    linnet_status status = device ? linnet_model_new(context, "lenet5", NULL, &model)
                           : made ? linnet_context_last_status(context)
                                  : caller_failed(out);
    linnet_session *session = status == LINNET_OK ? linnet_session_new(model.net, device) : NULL;
    if (status == LINNET_OK)
        status = session ? between_own_calls(&own, session, &model, out) : linnet_context_last_status(context);
    if (status != LINNET_OK && !*out->message)
        take_error(context, status, out);
    out->status = status;
    linnet_session_free(&session);
    linnet_device_close(&device);
    linnet_model_free(&model);
    release_own(&own);
    linnet_context_free(&context);
}

static void run_infer_blocks(const char *selection, outcome *out)
{
    on_device(selection, infer_blocks, out);
}

static void run_train_blocks(const char *selection, outcome *out)
{
    on_device(selection, train_blocks, out);
}

const scenario scenarios[] = {
    {"list", list_devices, 0},   {"cache-cold", run_relu, 1},           {"cache-warm", run_relu, 0},
    {"transfers", run_relus, 0}, {"large", run_large_relu, 0},          {"infer", run_infer, 0},
    {"train", run_train, 0},     {"infer-blocks", run_infer_blocks, 0}, {"train-blocks", run_train_blocks, 0},
    {"objects", run_objects, 0},
};
const size_t scenario_count = sizeof scenarios / sizeof scenarios[0];
