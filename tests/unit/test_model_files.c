/* SPDX-License-Identifier: Apache-2.0 */
/* Weight files that say which network they are for: saved and opened again, from elsewhere, damaged on purpose. */
#include "files.h"
#include "linnet/safetensors.h"
#include "sessions.h"

static linnet_model_options options_of(int32_t classes, int64_t channels, int64_t height, int64_t width)
{
    return (linnet_model_options){.struct_size = sizeof(linnet_model_options),
                                  .classes = classes,
                                  .channels = channels,
                                  .height = height,
                                  .width = width};
}

/* Saves the network with parameters from a seed. */
static void save(const char *name, const linnet_model_options *options, const char *note, const char *path)
{
    linnet_model model;
    assert_ok(linnet_model_new(NULL, name, options, &model));
    if (note)
        assert_ok(linnet_net_set_note(model.net, "input", note));
    linnet_session *session = linnet_session_new(model.net, NULL);
    assert_non_null(session);
    assert_ok(linnet_session_initialize(session, 5));
    assert_ok(linnet_save(session, path));
    linnet_session_free(&session);
    linnet_model_free(&model);
}

static void assert_dims(const linnet_model *model, linnet_value value, int64_t a, int64_t b, int64_t c)
{
    int64_t dims[LINNET_MAX_RANK] = {0}, wanted[] = {LINNET_FREE, a, b, c};
    uint32_t rank = linnet_value_shape(model->net, value, dims);
    assert_int_equal(rank, b ? 4 : 2);
    for (uint32_t i = 0; i < rank; i++)
        assert_int_equal(dims[i], wanted[i]);
}

static void what_was_saved_is_opened_again(void **state)
{
    const char *path = path_in(*state, "lenet5.safetensors");
    linnet_model_options options = options_of(7, 3, 32, 32);
    linnet_model model;
    save("lenet5", &options, NULL, path);
    assert_ok(linnet_model_for_weights(NULL, path, NULL, NULL, &model));
    assert_string_equal(linnet_net_name(model.net), "lenet5");
    assert_dims(&model, model.image, 3, 32, 32);
    assert_dims(&model, model.logits, 7, 0, 0);
    linnet_session *session = linnet_session_new(model.net, NULL);
    assert_non_null(session);
    assert_ok(linnet_load(session, path));
    linnet_session_free(&session);
    linnet_model_free(&model);
    /* Options win over the file, which then does not fit: everything is listed. */
    options = options_of(10, 1, 0, 0);
    assert_fails(linnet_model_for_weights(NULL, path, NULL, &options, &model), LINNET_BAD_FILE,
                 "'conv1.weight' is f32 [6,3,5,5], the net wants f32 [6,1,5,5]; 'fc3.weight' is");
    assert_null(model.net);
    assert_fails(linnet_model_for_weights(NULL, path, "mlp", NULL, &model), LINNET_BAD_FILE,
                 "holds weights of 'lenet5', not of 'mlp'");
    assert_fails(linnet_model_for_weights(NULL, path, "lenet9", NULL, &model), LINNET_NOT_FOUND, "no network 'lenet9'");
}

static void squeezenet_keeps_its_note(void **state)
{
    const char *path = path_in(*state, "squeezenet.safetensors"), *again = path_in(*state, "again.safetensors");
    const char *note = "BGR, 0..255, minus (103.939, 116.779, 123.68)";
    linnet_model_options options = options_of(3, 0, LINNET_FREE, 50);
    linnet_model model;
    save("squeezenet1_1", &options, note, path);
    assert_ok(linnet_model_for_weights(NULL, path, NULL, NULL, &model));
    assert_dims(&model, model.image, 3, LINNET_FREE, 50);
    assert_dims(&model, model.logits, 3, 0, 0);
    assert_true(model.preprocess.bgr && model.preprocess.scale == 255 && model.preprocess.mean[0] == 103.939f);
    assert_true(model.preprocess.mean[2] == 123.68f && model.preprocess.deviation[0] == 0);
    assert_string_equal(linnet_net_note(model.net, "input"), note);
    linnet_model_free(&model);
    /* What Linnet trained without a note had pictures as they are. */
    save("squeezenet1_1", &options, NULL, again);
    assert_ok(linnet_model_for_weights(NULL, again, NULL, NULL, &model));
    assert_true(model.preprocess.mean[0] == 0 && model.preprocess.scale == 0);
    linnet_model_free(&model);
    save("squeezenet1_1", &options, "as bright as you like", again);
    assert_fails(linnet_model_for_weights(NULL, again, NULL, NULL, &model), LINNET_BAD_FILE, "as bright as you like");
}

/* A file of zeros with these notes, and tensors as the network has them. */
static void put_foreign(const char *path, const char *name, const linnet_model_options *options,
                        const linnet_metadata *notes, size_t note_count)
{
    linnet_model model;
    linnet_named_tensor tensors[64];
    size_t count = 0;
    assert_ok(linnet_model_new(NULL, name, options, &model));
    linnet_session *session = linnet_session_new(model.net, NULL);
    assert_non_null(session);
    while (count < 64 &&
           linnet_session_variable(session, count, &tensors[count].name, &tensors[count].tensor) == LINNET_OK) {
        tensors[count].tensor.data = calloc(1, (size_t)linnet_tensor_bytes(&tensors[count].tensor));
        assert_non_null(tensors[count].tensor.data);
        count++;
    }
    assert_int_equal(linnet_safetensors_write(NULL, path, tensors, count, notes, note_count), LINNET_OK);
    for (size_t i = 0; i < count; i++)
        free(tensors[i].tensor.data);
    linnet_session_free(&session);
    linnet_model_free(&model);
}

static void vgg19_is_as_deep_as_the_file(void **state)
{
    const char *path = path_in(*state, "vgg.safetensors");
    const linnet_metadata notes[] = {{"architecture", "vgg19, convolutions conv1_1 to conv2_1"}};
    linnet_model_options options = options_of(0, 0, 0, 0);
    linnet_model model;
    linnet_value value;
    options.depth = 3;
    put_foreign(path, "vgg19", &options, notes, 1);
    assert_ok(linnet_model_for_weights(NULL, path, NULL, NULL, &model));
    assert_int_equal(linnet_net_layer(model.net, "relu2_1", &value), LINNET_OK);
    assert_int_equal(linnet_net_layer(model.net, "conv2_2", &value), LINNET_NOT_FOUND);
    assert_true(model.preprocess.mean[1] == 0.456f && model.preprocess.deviation[1] == 0.224f);
    linnet_model_free(&model);
    options = options_of(0, 0, LINNET_FREE, LINNET_FREE);
    options.depth = 12;
    options.average_pooling = 1;
    assert_ok(linnet_model_for_weights(NULL, path, "vgg19", &options, &model));
    assert_int_equal(linnet_net_layer(model.net, "conv2_2", &value), LINNET_NOT_FOUND);
    assert_string_equal(linnet_net_note(model.net, "pooling"), "average");
    linnet_model_free(&model);
    options.depth = 2;
    assert_ok(linnet_model_for_weights(NULL, path, NULL, &options, &model));
    assert_int_equal(linnet_net_layer(model.net, "conv2_1", &value), LINNET_NOT_FOUND);
    linnet_model_free(&model);
    options.depth = 0;
    options.classes = 10;
    assert_fails(linnet_model_for_weights(NULL, path, NULL, &options, &model), LINNET_INVALID, "all convolutions");
    assert_fails(linnet_model_for_weights(NULL, path, "lenet5", NULL, &model), LINNET_BAD_FILE,
                 "holds weights of 'vgg19', not of 'lenet5'");
    options = options_of(0, 0, 0, 0);
    options.depth = 3;
    put_foreign(path, "vgg19", &options, NULL, 0); /* a file that names no network: what does not fit is listed */
    assert_fails(linnet_model_for_weights(NULL, path, "lenet5", NULL, &model), LINNET_BAD_FILE,
                 "'conv1.weight' is missing; 'conv1.bias' is missing; 'conv2.weight' is missing");
}

/* vgg19's first convolution and one tensor more, of a net that names none. */
static void put_first_and(const char *path, const char *extra)
{
    static float zeros[64 * 3 * 3 * 3];
    const linnet_named_tensor tensors[] = {
        {"features.0.weight", {.type = LINNET_F32, .rank = 4, .dims = {64, 3, 3, 3}, .data = zeros}},
        {"features.0.bias", {.type = LINNET_F32, .rank = 1, .dims = {64}, .data = zeros}},
        {extra, {.type = LINNET_F32, .rank = 1, .dims = {1}, .data = zeros}}};
    assert_int_equal(linnet_safetensors_write(NULL, path, tensors, 3, NULL, 0), LINNET_OK);
}

static void strangers_are_listed(void **state)
{
    static const struct {
        const char *tensor, *problem; /* NULL: left out knowingly */
    } extras[] = {{"classifier.0.weight", NULL},
                  {"classifier.6.bias", NULL},
                  {"features.1.num_batches_tracked", NULL},
                  {"classifier.1.weight", "'classifier.1.weight' is not of this net"},
                  {"classifier.0.weights", "'classifier.0.weights' is not of this net"},
                  {"features.4.weight", "'features.4.weight' is not of this net"},
                  {"features.0.scale", "'features.0.scale' is not of this net"},
                  {"optimizer.0.features.0.bias", "'optimizer.0.features.0.bias' is not of this net"},
                  {"features.5.weight", "'features.2.weight' is missing; 'features.2.bias' is missing"}};
    const char *path = path_in(*state, "strange.safetensors");
    linnet_model_options options = options_of(0, 0, 0, 0);
    linnet_model model;
    for (size_t i = 0; i < sizeof extras / sizeof extras[0]; i++) {
        put_first_and(path, extras[i].tensor);
        if (extras[i].problem) {
            assert_fails(linnet_model_for_weights(NULL, path, "vgg19", NULL, &model), LINNET_BAD_FILE,
                         extras[i].problem);
            continue;
        }
        assert_ok(linnet_model_for_weights(NULL, path, "vgg19", NULL, &model));
        linnet_model_free(&model);
    }
    /* SqueezeNet's first convolution has the name and the shape of VGG-19's. */
    put_foreign(path, "squeezenet1_1", &options, NULL, 0);
    assert_fails(linnet_model_for_weights(NULL, path, "vgg19", NULL, &model), LINNET_BAD_FILE,
                 "'features.3.squeeze.weight' is not of this net");
    assert_ok(linnet_model_for_weights(NULL, path, "squeezenet1_1", NULL, &model));
    linnet_model_free(&model);
}

/* Notes that lie must neither crash nor take memory: the file's tensors decide. */
static void notes_that_lie(void **state)
{
    static const struct {
        const char *image, *logits;
        linnet_status status;
        const char *text;
    } lies[] = {
        {"1x20000x20000", "10", LINNET_BAD_FILE, "'fc1.weight' is"},
        {"999999999x999999999x999999999", "10", LINNET_LIMIT, "too many elements"},
        {"1x28x28", "2000000000", LINNET_BAD_FILE, "'fc3.weight' is"},
        {"?x?x?", "10", LINNET_SHAPE, "must be known"},
        {"1x28", "0", LINNET_OK, ""},
        {"1x28x99999999999999999999", "-3", LINNET_OK, ""},
        {"x", "", LINNET_OK, ""},
        {"1x28x28x", "10x10", LINNET_OK, ""},
        {"", "?", LINNET_OK, ""},
    };
    const char *path = path_in(*state, "lies.safetensors");
    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        const linnet_metadata notes[] = {{"linnet.architecture", "mlp"},
                                         {"linnet.input.image", lies[i].image},
                                         {"linnet.output.logits", lies[i].logits}};
        linnet_model model;
        put_foreign(path, "mlp", NULL, notes, 3);
        linnet_status status = linnet_model_for_weights(NULL, path, NULL, NULL, &model);
        assert_string_equal(linnet_status_name(status), linnet_status_name(lies[i].status));
        if (status != LINNET_OK && !strstr(linnet_context_message(NULL), lies[i].text))
            fail_msg("%s: '%s'", lies[i].image, linnet_context_message(NULL));
        linnet_model_free(&model);
    }
}

static void without_memory(void **state)
{
    const char *path = path_in(*state, "lenet5.safetensors");
    linnet_model_options options = options_of(7, 3, 32, 32);
    linnet_status status = LINNET_OUT_OF_MEMORY;
    save("lenet5", &options, "RGB, 0..255", path);
    for (int64_t after = 0; status != LINNET_OK && after < 10000; after++) {
        linnet_model model;
        linnet_memory_fail_after(after);
        status = linnet_model_for_weights(NULL, path, NULL, NULL, &model);
        linnet_memory_fail_after(-1);
        assert_true(status == LINNET_OK || status == LINNET_OUT_OF_MEMORY);
        if (status == LINNET_OK)
            assert_true(model.preprocess.scale == 255 && !model.preprocess.bgr);
        linnet_model_free(&model);
    }
    assert_int_equal(status, LINNET_OK);
}

static void files_for_nothing(void **state)
{
    const char *path = path_in(*state, "nothing.safetensors");
    float number = 1;
    const linnet_named_tensor tensors[] = {{"a", {LINNET_F32, 1, {1}, &number}}};
    const linnet_metadata notes[] = {{"architecture", "perceptron, of sorts"}};
    linnet_model model;
    assert_int_equal(linnet_safetensors_write(NULL, path, tensors, 1, notes, 1), LINNET_OK);
    assert_fails(linnet_model_for_weights(NULL, path, NULL, NULL, &model), LINNET_BAD_FILE, "'perceptron'");
    assert_int_equal(linnet_safetensors_write(NULL, path, tensors, 1, NULL, 0), LINNET_OK);
    assert_fails(linnet_model_for_weights(NULL, path, NULL, NULL, &model), LINNET_BAD_FILE, "does not say");
    assert_fails(linnet_model_for_weights(NULL, "/nowhere/at.all", NULL, NULL, &model), LINNET_IO, "/nowhere/at.all");
}

static void notes_of_a_net(void **state)
{
    (void)state;
    linnet_net *net = linnet_net_new(NULL);
    assert_null(linnet_net_note(net, "a"));
    assert_ok(linnet_net_set_note(net, "a", "1"));
    assert_ok(linnet_net_set_note(net, "b", "2"));
    assert_ok(linnet_net_set_note(net, "a", "3"));
    assert_string_equal(linnet_net_note(net, "a"), "3");
    assert_string_equal(linnet_net_note(net, "b"), "2");
    assert_fails(linnet_net_set_note(net, "", "x"), LINNET_INVALID, "a key and a text");
    linnet_net_free(&net);
}

int main(void)
{
#define IN_FOLDER(function) cmocka_unit_test_setup_teardown(function, folder_make, folder_remove)
    const struct CMUnitTest tests[] = {
        IN_FOLDER(what_was_saved_is_opened_again),
        IN_FOLDER(squeezenet_keeps_its_note),
        IN_FOLDER(vgg19_is_as_deep_as_the_file),
        IN_FOLDER(strangers_are_listed),
        IN_FOLDER(notes_that_lie),
        IN_FOLDER(files_for_nothing),
        IN_FOLDER(without_memory),
        cmocka_unit_test(notes_of_a_net),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
