/* SPDX-License-Identifier: Apache-2.0 */
/* Networks on a device, a queue and memory that the caller has: what comes out, in which order, who holds what, and
 * every mistake in handing them over. */
#define CL_TARGET_OPENCL_VERSION 120
#define CL_USE_DEPRECATED_OPENCL_1_1_APIS
#include <CL/cl.h>

#include "../../runtime/device/device.h"
#include "sessions.h"

#include <math.h>

enum { CLASSES = 3, BATCH = 4, PIXELS = 2 * 9 * 11, MOST = 16 };

static cl_platform_id platform; /* where the tests' device is */
static cl_device_id chip;
static const linnet_backend *plugin;

/* What the caller has. */
typedef struct own {
    cl_context context;
    cl_command_queue queue;
    cl_mem images, scores;
} own;

static cl_mem buffer_of(cl_context context, cl_mem_flags flags, size_t bytes)
{
    cl_mem memory = clCreateBuffer(context, flags, bytes, NULL, NULL);
    assert_non_null(memory);
    return memory;
}

static own own_new(void)
{
    own o;
    o.context = clCreateContext(NULL, 1, &chip, NULL, NULL, NULL);
    assert_non_null(o.context);
    o.queue = clCreateCommandQueue(o.context, chip, 0, NULL);
    assert_non_null(o.queue);
    o.images = buffer_of(o.context, CL_MEM_READ_WRITE, sizeof(float) * BATCH * PIXELS);
    o.scores = buffer_of(o.context, CL_MEM_READ_WRITE, sizeof(float) * BATCH * CLASSES);
    return o;
}

static void own_free(own *o)
{
    clReleaseMemObject(o->images);
    clReleaseMemObject(o->scores);
    clReleaseCommandQueue(o->queue);
    clReleaseContext(o->context);
}

static linnet_device *adopt(void *device, void *context, void *queue)
{
    linnet_native_objects objects = {
        .struct_size = sizeof objects, .device = device, .context = context, .queue = queue};
    return linnet_device_adopt(NULL, "opencl", &objects);
}

static linnet_device *adopt_own(const own *o)
{
    linnet_device *device = adopt(chip, o->context, o->queue);
    if (!device)
        fail_msg("%s", linnet_context_message(NULL));
    return device;
}

/* Objects that Linnet holds. Drivers' own counts of contexts and queues include their commands'. */
static uint64_t holds(void)
{
    return plugin->live_objects();
}

static cl_uint memory_holds(cl_mem memory)
{
    cl_uint count = 0;
    assert_int_equal(clGetMemObjectInfo(memory, CL_MEM_REFERENCE_COUNT, sizeof count, &count, NULL), CL_SUCCESS);
    return count;
}

/* ---- A small classifier ---- */

typedef struct classifier {
    linnet_net *net;
    linnet_value image, label, logits, loss;
    linnet_session *session;
} classifier;

static classifier classifier_new(linnet_device *device)
{
    classifier c = {.net = linnet_net_new(NULL)};
    c.image = linnet_input(c.net, "image", 2, 9, 11);
    linnet_value x = linnet_conv2d(c.net, c.image, .out_channels = 5, .kernel = 3, .padding = 1);
    x = linnet_global_avg_pool(c.net, linnet_relu(c.net, x));
    c.logits = linnet_linear(c.net, x, .out_features = CLASSES);
    linnet_output(c.net, c.logits, "logits");
    c.label = linnet_labels(c.net, "label");
    c.loss = linnet_cross_entropy(c.net, c.logits, c.label);
    assert_string_equal(linnet_net_message(c.net), "");
    c.session = linnet_session_new(c.net, device);
    if (!c.session)
        fail_msg("%s", linnet_context_message(NULL));
    return c;
}

static void classifier_free(classifier *c)
{
    linnet_session_free(&c->session);
    linnet_net_free(&c->net);
}

/* data NULL: bound. */
static linnet_batch images(const float *data)
{
    linnet_batch batch = {.feed_count = 0};
    FEED(&batch, "image", data, BATCH, 2, 9, 11);
    return batch;
}

static void wanted_scores(const float *pixels, float *out)
{
    linnet_device *device = linnet_device_open(NULL, "reference");
    classifier c = classifier_new(device);
    linnet_batch batch = images(pixels);
    assert_ok(linnet_forward(c.session, &batch));
    assert_ok(linnet_session_read(c.session, c.logits, out, sizeof(float) * BATCH * CLASSES));
    classifier_free(&c);
    linnet_device_close(&device);
}

static void assert_close(const float *got, const float *wanted)
{
    for (int i = 0; i < BATCH * CLASSES; i++)
        if (!(fabsf(got[i] - wanted[i]) <= 1e-5f * (1 + fabsf(wanted[i]))))
            fail_msg("score %d is %g, should be %g", i, (double)got[i], (double)wanted[i]);
}

static void write_images(const own *o, const float *pixels)
{
    assert_int_equal(
        clEnqueueWriteBuffer(o->queue, o->images, CL_FALSE, 0, sizeof(float) * BATCH * PIXELS, pixels, 0, NULL, NULL),
        CL_SUCCESS);
}

static void read_scores(const own *o, cl_mem memory, size_t offset, float *out)
{
    assert_int_equal(
        clEnqueueReadBuffer(o->queue, memory, CL_TRUE, offset, sizeof(float) * BATCH * CLASSES, out, 0, NULL, NULL),
        CL_SUCCESS);
}

/* ---- What comes out ---- */

/* Twice with other pixels, the second time everything is enqueued before anything has to have run. */
static void networks_run_between_the_callers_commands(void **state)
{
    (void)state;
    static float pixels[2][BATCH * PIXELS];
    float wanted[2][BATCH * CLASSES], got[BATCH * CLASSES];
    own o = own_new();
    linnet_device *device = adopt_own(&o);
    classifier c = classifier_new(device);
    linnet_batch batch = images(NULL);
    fill_random(pixels[0], 2 * BATCH * PIXELS, 3, 3);
    assert_ok(linnet_session_bind(c.session, c.image, o.images, 0));
    for (int i = 0; i < 2; i++) {
        wanted_scores(pixels[i], wanted[i]);
        write_images(&o, pixels[i]);
        assert_ok(linnet_forward(c.session, &batch));
        assert_ok(linnet_session_copy(c.session, c.logits, o.scores, 0));
        read_scores(&o, o.scores, 0, got);
        assert_close(got, wanted[i]);
    }
    classifier_free(&c);
    linnet_device_close(&device);
    own_free(&o);
}

/* The queue stands still behind an event that only we can end; all calls return nevertheless. */
static void nothing_waits(void **state)
{
    (void)state;
    static float pixels[BATCH * PIXELS];
    float wanted[BATCH * CLASSES], got[BATCH * CLASSES];
    own o = own_new();
    linnet_device *device = adopt_own(&o);
    classifier c = classifier_new(device);
    linnet_batch batch = images(NULL);
    cl_int begun = CL_SUCCESS;
    fill_random(pixels, BATCH * PIXELS, 5, 3);
    wanted_scores(pixels, wanted);
    cl_event gate = clCreateUserEvent(o.context, NULL), written;
    assert_int_equal(clEnqueueBarrierWithWaitList(o.queue, 1, &gate, NULL), CL_SUCCESS);
    assert_int_equal(clEnqueueWriteBuffer(o.queue, o.images, CL_FALSE, 0, sizeof pixels, pixels, 0, NULL, &written),
                     CL_SUCCESS);
    assert_ok(linnet_session_bind(c.session, c.image, o.images, 0));
    assert_ok(linnet_forward(c.session, &batch)); /* the first one: programs are built, implementations checked */
    assert_ok(linnet_session_copy(c.session, c.logits, o.scores, 0));
    assert_ok(linnet_session_flush(c.session));
    assert_int_equal(clGetEventInfo(written, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof begun, &begun, NULL),
                     CL_SUCCESS);
    assert_true(begun > CL_COMPLETE);
    assert_int_equal(clSetUserEventStatus(gate, CL_COMPLETE), CL_SUCCESS);
    read_scores(&o, o.scores, 0, got);
    assert_close(got, wanted);
    clReleaseEvent(written);
    clReleaseEvent(gate);
    classifier_free(&c);
    linnet_device_close(&device);
    own_free(&o);
}

/* Images and labels from the caller's memory, losses as from the host. */
static void training_takes_bound_inputs(void **state)
{
    (void)state;
    static float pixels[BATCH * PIXELS];
    static const int32_t labels[BATCH] = {0, 2, 1, 0};
    float losses[2][3];
    own o = own_new();
    linnet_device *device = adopt_own(&o);
    fill_random(pixels, BATCH * PIXELS, 7, 3);
    write_images(&o, pixels);
    cl_mem held =
        clCreateBuffer(o.context, CL_MEM_READ_ONLY | CL_MEM_COPY_HOST_PTR, sizeof labels, (void *)labels, NULL);
    for (int bound = 0; bound < 2; bound++) {
        classifier c = classifier_new(device);
        linnet_batch batch = images(bound ? NULL : pixels);
        FEED_LABELS(&batch, "label", bound ? NULL : labels, BATCH);
        linnet_optimizer *sgd = linnet_sgd_new(c.session, .learning_rate = 0.1f);
        if (bound) {
            assert_ok(linnet_session_bind(c.session, c.image, o.images, 0));
            assert_ok(linnet_session_bind(c.session, c.label, held, 0));
        }
        for (int step = 0; step < 3; step++) {
            assert_ok(linnet_zero_grad(sgd));
            assert_ok(linnet_forward(c.session, &batch));
            assert_ok(linnet_backward(c.session, c.loss));
            assert_ok(linnet_step(sgd));
            assert_ok(linnet_session_read(c.session, c.loss, &losses[bound][step], sizeof(float)));
        }
        linnet_optimizer_free(&sgd);
        classifier_free(&c);
    }
    assert_memory_equal(losses[0], losses[1], sizeof losses[0]);
    assert_true(losses[0][2] < losses[0][0]);
    clReleaseMemObject(held);
    linnet_device_close(&device);
    own_free(&o);
}

/* At odd offsets, in memory that kernels may only read, or only write, and in a part of a buffer. */
static void memory_of_any_flags_at_any_offset(void **state)
{
    (void)state;
    static float pixels[BATCH * PIXELS], all[64 + BATCH * PIXELS];
    float wanted[BATCH * CLASSES], got[BATCH * CLASSES];
    own o = own_new();
    linnet_device *device = adopt_own(&o);
    classifier c = classifier_new(device);
    linnet_batch batch = images(NULL);
    fill_random(pixels, BATCH * PIXELS, 9, 3);
    wanted_scores(pixels, wanted);
    memcpy(all + 3, pixels, sizeof pixels);
    cl_mem from = clCreateBuffer(o.context, CL_MEM_WRITE_ONLY | CL_MEM_COPY_HOST_PTR, sizeof all, all, NULL);
    cl_mem to = buffer_of(o.context, CL_MEM_READ_ONLY, 8192);
    cl_buffer_region region = {4096, 4096};
    cl_mem part = clCreateSubBuffer(to, 0, CL_BUFFER_CREATE_TYPE_REGION, &region, NULL);
    assert_non_null(part);
    assert_ok(linnet_session_bind(c.session, c.image, from, 3 * sizeof(float)));
    assert_ok(linnet_forward(c.session, &batch));
    assert_ok(linnet_session_copy(c.session, c.logits, to, 20));
    assert_ok(linnet_session_copy(c.session, c.logits, part, 12));
    read_scores(&o, to, 20, got);
    assert_close(got, wanted);
    read_scores(&o, to, 4096 + 12, got);
    assert_close(got, wanted);
    clReleaseMemObject(part);
    clReleaseMemObject(to);
    clReleaseMemObject(from);
    classifier_free(&c);
    linnet_device_close(&device);
    own_free(&o);
}

/* Without a queue, every session has one of its own. */
static void a_queue_need_not_be_given(void **state)
{
    (void)state;
    static float pixels[BATCH * PIXELS];
    float wanted[BATCH * CLASSES], got[BATCH * CLASSES];
    own o = own_new();
    linnet_device *device = adopt(chip, o.context, NULL);
    assert_non_null(device);
    classifier c = classifier_new(device);
    linnet_batch batch = images(NULL);
    fill_random(pixels, BATCH * PIXELS, 11, 3);
    wanted_scores(pixels, wanted);
    write_images(&o, pixels);
    assert_int_equal(clFinish(o.queue), CL_SUCCESS);
    assert_ok(linnet_session_bind(c.session, c.image, o.images, 0));
    assert_ok(linnet_forward(c.session, &batch));
    assert_ok(linnet_session_copy(c.session, c.logits, o.scores, 0));
    assert_ok(linnet_session_finish(c.session));
    read_scores(&o, o.scores, 0, got);
    assert_close(got, wanted);
    classifier_free(&c);
    linnet_device_close(&device);
    own_free(&o);
}

/* ---- Who holds what ---- */

/* The caller may let go of everything first; afterwards nothing of it is held. */
static void holds_end_with_the_device(void **state)
{
    (void)state;
    own o = own_new();
    cl_uint memory = memory_holds(o.images);
    uint64_t before = holds();
    linnet_device *device = adopt_own(&o);
    classifier c = classifier_new(device);
    assert_ok(linnet_session_bind(c.session, c.image, o.images, 0));
    assert_int_equal(memory_holds(o.images), memory + 1);
    assert_ok(linnet_session_bind(c.session, c.image, o.images, 4)); /* takes the place of the first */
    assert_int_equal(memory_holds(o.images), memory + 1);
    assert_ok(linnet_session_bind(c.session, c.image, NULL, 0));
    assert_int_equal(memory_holds(o.images), memory);
    assert_ok(linnet_session_bind(c.session, c.image, o.images, 0));
    assert_true(holds() > before);
    classifier_free(&c);
    linnet_device_close(&device);
    assert_int_equal(memory_holds(o.images), memory);
    assert_int_equal(holds(), before);
    own_free(&o);
}

static void the_caller_may_let_go_first(void **state)
{
    (void)state;
    static float pixels[BATCH * PIXELS];
    float wanted[BATCH * CLASSES], got[BATCH * CLASSES];
    own o = own_new();
    linnet_device *device = adopt_own(&o);
    classifier c = classifier_new(device);
    linnet_batch batch = images(NULL);
    fill_random(pixels, BATCH * PIXELS, 13, 3);
    wanted_scores(pixels, wanted);
    write_images(&o, pixels);
    assert_ok(linnet_session_bind(c.session, c.image, o.images, 0));
    own_free(&o);
    assert_ok(linnet_forward(c.session, &batch));
    assert_ok(linnet_session_read(c.session, c.logits, got, sizeof got));
    assert_close(got, wanted);
    classifier_free(&c);
    linnet_device_close(&device);
}

/* ---- Mistakes ---- */

static void assert_refused(void *device, void *context, void *queue, linnet_status status, const char *part)
{
    uint64_t before = holds();
    assert_null(adopt(device, context, queue));
    assert_fails(linnet_context_last_status(NULL), status, part);
    assert_int_equal(holds(), before);
}

static void objects_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    own o = own_new(), other = own_new();
    assert_refused(NULL, o.context, NULL, LINNET_INVALID, "a cl_device_id and a cl_context have to be given");
    assert_refused(chip, NULL, NULL, LINNET_INVALID, "a cl_device_id and a cl_context have to be given");
    assert_refused(chip, o.context, other.queue, LINNET_INVALID, "of another context or device");
    cl_command_queue loose =
        clCreateCommandQueue(o.context, chip, CL_QUEUE_OUT_OF_ORDER_EXEC_MODE_ENABLE, NULL); /* not everywhere */
    if (loose)
        assert_refused(chip, o.context, loose, LINNET_UNSUPPORTED, "works out of order");
    if (loose)
        clReleaseCommandQueue(loose);
    linnet_native_objects none = {.struct_size = 8};
    assert_null(linnet_device_adopt(NULL, "opencl", NULL));
    assert_fails(linnet_context_last_status(NULL), LINNET_INVALID, "struct_size");
    assert_null(linnet_device_adopt(NULL, "opencl", &none));
    assert_fails(linnet_context_last_status(NULL), LINNET_INVALID, "struct_size");
    assert_null(linnet_device_adopt(NULL, "vulkan", &none));
    assert_fails(linnet_context_last_status(NULL), LINNET_NO_DEVICE, "'vulkan'");
    assert_null(linnet_device_adopt(NULL, NULL, &none));
    assert_fails(linnet_context_last_status(NULL), LINNET_NO_DEVICE, "''");
    assert_null(linnet_device_adopt(NULL, "reference", &none));
    assert_fails(linnet_context_last_status(NULL), LINNET_UNSUPPORTED, "reference takes no objects of others");
    own_free(&other);
    own_free(&o);
}

/* Two devices: halves of the one here, else those of its platform. How many there are. */
static cl_uint find_two(cl_device_id out[MOST])
{
    cl_uint most = 0, count = 0;
    const cl_device_partition_property in_two[] = {CL_DEVICE_PARTITION_BY_COUNTS, 1, 1,
                                                   CL_DEVICE_PARTITION_BY_COUNTS_LIST_END, 0};
    if (clGetDeviceInfo(chip, CL_DEVICE_PARTITION_MAX_SUB_DEVICES, sizeof most, &most, NULL) == CL_SUCCESS &&
        most >= 2 && clCreateSubDevices(chip, in_two, 2, out, NULL) == CL_SUCCESS)
        return 2;
    return clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, MOST, out, &count) == CL_SUCCESS ? count : 0;
}

static void another_platforms_device_is_refused(void **state)
{
    (void)state;
    cl_platform_id platforms[MOST];
    cl_device_id device = NULL;
    cl_uint count = 0;
    assert_int_equal(clGetPlatformIDs(MOST, platforms, &count), CL_SUCCESS);
    for (cl_uint p = 0; p < count && p < MOST && !device; p++)
        if (platforms[p] != platform &&
            clGetDeviceIDs(platforms[p], CL_DEVICE_TYPE_ALL, 1, &device, NULL) != CL_SUCCESS)
            device = NULL;
    if (!device)
        skip(); /* this is the only platform here */
    own o = own_new();
    assert_refused(device, o.context, NULL, LINNET_INVALID, "none of the given cl_context's");
    own_free(&o);
}

static void another_device_is_refused(void **state)
{
    (void)state;
    cl_device_id devices[MOST];
    if (find_two(devices) < 2)
        skip(); /* the platform has one device, which cannot be divided */
    cl_context both = clCreateContext(NULL, 2, devices, NULL, NULL, NULL);
    assert_non_null(both);
    cl_command_queue second = clCreateCommandQueue(both, devices[1], 0, NULL);
    assert_non_null(second);
    assert_refused(devices[0], both, second, LINNET_INVALID, "of another context or device");
    linnet_device *device = adopt(devices[1], both, second);
    if (!device)
        fail_msg("%s", linnet_context_message(NULL));
    linnet_device_close(&device);
    clReleaseCommandQueue(second);
    clReleaseContext(both);
    for (int i = 0; i < 2; i++)
        clReleaseDevice(devices[i]); /* nothing to do for one that is no part */
}

static void memory_that_does_not_fit_is_refused(void **state)
{
    (void)state;
    own o = own_new(), other = own_new();
    linnet_device *device = adopt_own(&o);
    classifier c = classifier_new(device);
    linnet_batch batch = images(NULL);
    assert_fails(linnet_forward(c.session, &batch), LINNET_SHAPE, "without data");
    assert_fails(linnet_session_bind(c.session, c.image, other.images, 0), LINNET_INVALID, "of another context");
    assert_fails(linnet_session_bind(c.session, c.logits, o.images, 0), LINNET_INVALID, "only an input");
    assert_fails(linnet_session_bind(c.session, (linnet_value){999}, o.images, 0), LINNET_INVALID, "only an input");
    assert_fails(linnet_session_bind(NULL, c.image, o.images, 0), LINNET_INVALID, "no session");
    assert_ok(linnet_session_bind(c.session, c.image, o.scores, 0));
    assert_fails(linnet_forward(c.session, &batch), LINNET_INVALID,
                 "'image' needs 3168 bytes at 0 of memory that has 48");
    assert_ok(linnet_session_bind(c.session, c.image, o.images, 4));
    assert_fails(linnet_forward(c.session, &batch), LINNET_INVALID, "at 4 of memory");
    assert_ok(linnet_session_bind(c.session, c.image, o.images, UINT64_MAX));
    assert_fails(linnet_forward(c.session, &batch), LINNET_INVALID, "'image' needs");
    assert_ok(linnet_session_bind(c.session, c.image, o.images, 0));
    assert_fails(linnet_session_copy(c.session, c.logits, o.scores, 0), LINNET_INVALID, "before a forward");
    assert_ok(linnet_forward(c.session, &batch));
    assert_fails(linnet_session_copy(c.session, c.logits, other.scores, 0), LINNET_INVALID, "of another context");
    assert_fails(linnet_session_copy(c.session, c.logits, o.scores, 4), LINNET_INVALID, "of memory that has 48");
    assert_fails(linnet_session_copy(c.session, c.logits, NULL, 0), LINNET_INVALID, "no cl_mem");
    assert_ok(linnet_session_copy(c.session, c.logits, o.scores, 0)); /* it works on */
    classifier_free(&c);
    linnet_device_close(&device);
    own_free(&other);
    own_free(&o);
}

static void other_backends_take_no_memory(void **state)
{
    (void)state;
    own o = own_new();
    linnet_device *device = linnet_device_open(NULL, "reference");
    classifier c = classifier_new(device);
    static float pixels[BATCH * PIXELS];
    linnet_batch batch = images(pixels);
    assert_fails(linnet_session_bind(c.session, c.image, o.images, 0), LINNET_UNSUPPORTED, "takes no memory");
    assert_ok(linnet_forward(c.session, &batch));
    assert_fails(linnet_session_copy(c.session, c.logits, o.scores, 0), LINNET_UNSUPPORTED, "takes no memory");
    assert_ok(linnet_session_flush(c.session));
    classifier_free(&c);
    linnet_device_close(&device);
    own_free(&o);
}

/* The OpenCL device that Linnet calls so. */
static bool find_chip(const linnet_device_info *info)
{
    cl_platform_id platforms[MOST];
    cl_device_id devices[MOST];
    cl_uint platform_count = 0, count = 0;
    char name[256] = "", model[256] = "";
    if (clGetPlatformIDs(MOST, platforms, &platform_count) != CL_SUCCESS)
        return false;
    for (cl_uint p = 0; p < platform_count && p < MOST; p++) {
        platform = platforms[p];
        if (clGetPlatformInfo(platform, CL_PLATFORM_NAME, sizeof name, name, NULL) != CL_SUCCESS ||
            strcmp(name, info->platform) != 0 ||
            clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, MOST, devices, &count) != CL_SUCCESS)
            continue;
        for (cl_uint d = 0; d < count && d < MOST; d++) {
            chip = devices[d];
            if (clGetDeviceInfo(chip, CL_DEVICE_NAME, sizeof model, model, NULL) == CL_SUCCESS &&
                strncmp(model, info->name, strlen(info->name)) == 0)
                return true;
        }
    }
    return false;
}

int main(int argc, char **argv)
{
    static const device_test tests[] = {
        DEVICE_TEST(networks_run_between_the_callers_commands),
        DEVICE_TEST(nothing_waits),
        DEVICE_TEST(training_takes_bound_inputs),
        DEVICE_TEST(memory_of_any_flags_at_any_offset),
        DEVICE_TEST(a_queue_need_not_be_given),
        DEVICE_TEST(holds_end_with_the_device),
        DEVICE_TEST(the_caller_may_let_go_first),
        DEVICE_TEST(objects_that_do_not_fit_are_refused),
        DEVICE_TEST(another_platforms_device_is_refused),
        DEVICE_TEST(another_device_is_refused),
        DEVICE_TEST(memory_that_does_not_fit_is_refused),
        DEVICE_TEST(other_backends_take_no_memory),
    };
    const char *selection = argc > 1 ? argv[1] : "opencl";
    linnet_device *device = linnet_device_open(NULL, selection);
    bool here = device && find_chip(linnet_device_get_info(device));
    if (!here) {
        printf("%s: %s\n", selection, linnet_context_message(NULL));
        linnet_device_close(&device);
        return SKIPPED;
    }
    plugin = device->backend;
    linnet_device_close(&device);
    return run_on_device("the caller's objects", tests, sizeof tests / sizeof *tests, selection);
}
