/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that has an OpenCL context, a queue and memory of its own, and lets LeNet-5 work between its own kernels:
 * one draws the images, one picks the best of each image's scores, and nothing waits before the read at the end. It
 * prints each image's class and its score; without weights those of a network as it is born.
 *
 *     opencl_objects [PART OF A PLATFORM'S NAME [WEIGHTS.safetensors]]
 */
#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>

#include <linnet/linnet.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BATCH = 8, PIXELS = 28 * 28, CLASSES = 10, SKIP = 77 };

static const char source[] = "__kernel void draw(__global float *images)\n" /* bars, each image further to the right */
                             "{\n"
                             "    int x = get_global_id(0), y = get_global_id(1), n = get_global_id(2);\n"
                             "    images[(n * 28 + y) * 28 + x] = y > 3 && y < 24 && x / 3 == n + 1 ? 1.0f : 0.0f;\n"
                             "}\n"
                             "__kernel void best(__global const float *scores, __global int *classes)\n"
                             "{\n"
                             "    int n = get_global_id(0), best = 0;\n"
                             "    for (int c = 1; c < 10; c++)\n"
                             "        best = scores[n * 10 + c] > scores[n * 10 + best] ? c : best;\n"
                             "    classes[n] = best;\n"
                             "}\n";

typedef struct own_objects {
    cl_device_id device;
    cl_context context;
    cl_command_queue queue;
    cl_program program;
    cl_kernel draw, best;
    cl_mem images, scores, classes;
} own_objects;

static int find_device(const char *wanted, cl_device_id *out)
{
    cl_platform_id platforms[16];
    cl_uint count = 0;
    char name[256];
    if (clGetPlatformIDs(16, platforms, &count) != CL_SUCCESS)
        return 0;
    for (cl_uint i = 0; i < count && i < 16; i++)
        if (clGetPlatformInfo(platforms[i], CL_PLATFORM_NAME, sizeof name, name, NULL) == CL_SUCCESS &&
            strstr(name, wanted) && clGetDeviceIDs(platforms[i], CL_DEVICE_TYPE_ALL, 1, out, NULL) == CL_SUCCESS)
            return 1;
    return 0;
}

static int make_objects(own_objects *o)
{
    const char *text = source;
    o->context = clCreateContext(NULL, 1, &o->device, NULL, NULL, NULL);
    o->queue = clCreateCommandQueue(o->context, o->device, 0, NULL);
    o->program = clCreateProgramWithSource(o->context, 1, &text, NULL, NULL);
    if (!o->queue || !o->program || clBuildProgram(o->program, 1, &o->device, "", NULL, NULL) != CL_SUCCESS)
        return 0;
    o->draw = clCreateKernel(o->program, "draw", NULL);
    o->best = clCreateKernel(o->program, "best", NULL);
    o->images = clCreateBuffer(o->context, CL_MEM_READ_WRITE, sizeof(float) * BATCH * PIXELS, NULL, NULL);
    o->scores = clCreateBuffer(o->context, CL_MEM_READ_WRITE, sizeof(float) * BATCH * CLASSES, NULL, NULL);
    o->classes = clCreateBuffer(o->context, CL_MEM_WRITE_ONLY, sizeof(cl_int) * BATCH, NULL, NULL);
    return o->draw && o->best && o->images && o->scores && o->classes;
}

static void release_objects(own_objects *o)
{
    clReleaseMemObject(o->images);
    clReleaseMemObject(o->scores);
    clReleaseMemObject(o->classes);
    clReleaseKernel(o->draw);
    clReleaseKernel(o->best);
    clReleaseProgram(o->program);
    clReleaseCommandQueue(o->queue);
    clReleaseContext(o->context);
}

/* Our own kernels, before and behind the network. */
static int enqueue_draw(const own_objects *o)
{
    const size_t pixels[3] = {28, 28, BATCH};
    return clSetKernelArg(o->draw, 0, sizeof o->images, &o->images) == CL_SUCCESS &&
           clEnqueueNDRangeKernel(o->queue, o->draw, 3, NULL, pixels, NULL, 0, NULL, NULL) == CL_SUCCESS;
}

static int enqueue_best(const own_objects *o)
{
    const size_t images = BATCH;
    return clSetKernelArg(o->best, 0, sizeof o->scores, &o->scores) == CL_SUCCESS &&
           clSetKernelArg(o->best, 1, sizeof o->classes, &o->classes) == CL_SUCCESS &&
           clEnqueueNDRangeKernel(o->queue, o->best, 1, NULL, &images, NULL, 0, NULL, NULL) == CL_SUCCESS;
}

/* Everything is enqueued on one queue, in this order. */
static linnet_status run(const own_objects *o, linnet_session *session, const linnet_model *model, cl_int *out_classes,
                         cl_float *out_scores)
{
    linnet_batch batch = {.struct_size = sizeof batch, .feed_count = 1, .size = BATCH};
    batch.feeds[0] = (linnet_feed){"image", {.type = LINNET_F32, .rank = 4, .dims = {BATCH, 1, 28, 28}}};
    linnet_status status = linnet_session_bind(session, model->image, o->images, 0);
    if (status == LINNET_OK && !enqueue_draw(o))
        return LINNET_DEVICE_ERROR;
    if (status == LINNET_OK)
        status = linnet_forward(session, &batch);
    if (status == LINNET_OK)
        status = linnet_session_copy(session, model->logits, o->scores, 0);
    if (status != LINNET_OK)
        return status;
    int done = enqueue_best(o) &&
               clEnqueueReadBuffer(o->queue, o->scores, CL_FALSE, 0, sizeof(cl_float) * BATCH * CLASSES, out_scores, 0,
                                   NULL, NULL) == CL_SUCCESS &&
               clEnqueueReadBuffer(o->queue, o->classes, CL_TRUE, 0, sizeof(cl_int) * BATCH, out_classes, 0, NULL,
                                   NULL) == CL_SUCCESS;
    return done ? LINNET_OK : LINNET_DEVICE_ERROR;
}

/* LeNet-5 on the objects; weights NULL: as it is born. */
static linnet_status classify(const own_objects *o, const char *weights, cl_int *out_classes, cl_float *out_scores)
{
    linnet_model model = {.net = NULL};
    linnet_native_objects objects = {
        .struct_size = sizeof objects, .device = o->device, .context = o->context, .queue = o->queue};
    linnet_device *device = linnet_device_adopt(NULL, "opencl", &objects);
    linnet_status status = device ? linnet_model_new(NULL, "lenet5", NULL, &model) : linnet_context_last_status(NULL);
    linnet_session *session = status == LINNET_OK ? linnet_session_new(model.net, device) : NULL;
    if (status == LINNET_OK && !session)
        status = linnet_context_last_status(NULL);
    if (status == LINNET_OK && weights)
        status = linnet_load(session, weights);
    if (status == LINNET_OK)
        status = run(o, session, &model, out_classes, out_scores);
    if (status == LINNET_OK)
        printf("on %s:", linnet_device_label(device));
    linnet_session_free(&session);
    linnet_device_close(&device); /* our objects are ours alone again */
    linnet_model_free(&model);
    return status;
}

/* Every image is another one, and so are its scores. */
static int is_computed(const cl_float *scores)
{
    for (int i = 1; i < BATCH; i++)
        if (memcmp(scores, scores + (ptrdiff_t)i * CLASSES, CLASSES * sizeof *scores) == 0)
            return 0;
    return 1;
}

int main(int argc, char **argv)
{
    own_objects own = {.device = NULL};
    cl_int classes[BATCH];
    cl_float scores[BATCH * CLASSES] = {0};
    if (!find_device(argc > 1 ? argv[1] : "", &own.device)) {
        puts("no OpenCL device here");
        return SKIP;
    }
    int made = make_objects(&own);
    linnet_status status = made ? classify(&own, argc > 2 ? argv[2] : NULL, classes, scores) : LINNET_DEVICE_ERROR;
    for (int i = 0; status == LINNET_OK && i < BATCH; i++)
        printf(" %d (%.3f)%s", classes[i], (double)scores[i * CLASSES + classes[i]], i + 1 < BATCH ? "" : "\n");
    if (status != LINNET_OK)
        fprintf(stderr, "%s: %s\n", linnet_status_text(status), linnet_context_message(NULL));
    if (status == LINNET_OK && !is_computed(scores)) {
        fputs("images that differ have the same scores\n", stderr);
        status = LINNET_INTERNAL;
    }
    if (made)
        release_objects(&own);
    return status == LINNET_OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
