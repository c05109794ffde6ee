/* SPDX-License-Identifier: Apache-2.0 */
/* The networks of the zoo: sizes, parameters, names, options that make no sense. */
#include "sessions.h"

static linnet_model open_model(const char *name, linnet_model_options options)
{
    linnet_model model;
    options.struct_size = sizeof options;
    assert_ok(linnet_model_new(NULL, name, &options, &model));
    return model;
}

static void assert_shape(const linnet_model *model, const char *layer, int64_t channels, int64_t height, int64_t width)
{
    linnet_value value;
    int64_t dims[LINNET_MAX_RANK];
    assert_ok(linnet_net_layer(model->net, layer, &value));
    assert_int_equal(linnet_value_shape(model->net, value, dims), 4);
    assert_int_equal(dims[0], LINNET_FREE);
    assert_int_equal(dims[1], channels);
    assert_int_equal(dims[2], height);
    assert_int_equal(dims[3], width);
}

static void assert_parameter(const linnet_model *model, const char *name, uint32_t wanted_rank, const int64_t *wanted)
{
    int64_t dims[LINNET_MAX_RANK];
    uint32_t rank = linnet_value_shape(model->net, linnet_net_parameter(model->net, name), dims);
    assert_int_equal(rank, wanted_rank);
    for (uint32_t i = 0; i < rank; i++)
        assert_int_equal(dims[i], wanted[i]);
}
#define PARAMETER(model, name, ...)                                                                                    \
    assert_parameter(model, name, sizeof((const int64_t[]){__VA_ARGS__}) / sizeof(int64_t),                            \
                     (const int64_t[]){__VA_ARGS__})

/* Totals as torchvision 0.14 counts them. */
static void parameters_are_counted(void **state)
{
    (void)state;
    const struct {
        const char *name;
        int32_t classes;
        uint64_t parameters;
    } nets[] = {{"lenet5", 0, 61706},          {"mlp", 0, 669706},           {"vgg_cifar", 0, 1186378},
                {"squeezenet1_1", 0, 1235496}, {"mobilenet_v2", 0, 3504872}, {"resnet18", 0, 11689512},
                {"resnet50", 0, 25557032},     {"vgg16", 0, 138357544},      {"resnet18", 10, 11181642},
                {"vgg19", 0, 20024384},        {"vgg19", 1000, 143667240}};
    for (size_t i = 0; i < sizeof nets / sizeof nets[0]; i++) {
        linnet_model model = open_model(nets[i].name, (linnet_model_options){.classes = nets[i].classes});
        assert_int_equal(linnet_net_parameter_count(model.net), nets[i].parameters);
        assert_int_equal(model.logits.id == 0, nets[i].classes == 0 && strcmp(nets[i].name, "vgg19") == 0);
        linnet_model_free(&model);
    }
}

/* Output sizes of torchvision's modules: features[2], [5], [8] of squeezenet1_1 for pictures of many sizes. */
static void squeezenet_pools_as_torchvision(void **state)
{
    (void)state;
    static const int64_t sizes[][4] = {{17, 4, 2, 1},    {32, 7, 3, 1},    {64, 15, 7, 3},    {97, 24, 12, 6},
                                       {98, 24, 12, 6},  {99, 24, 12, 6},  {100, 24, 12, 6},  {101, 25, 12, 6},
                                       {102, 25, 12, 6}, {103, 25, 12, 6}, {224, 55, 27, 13}, {227, 56, 28, 14}};
    for (size_t i = 0; i + 1 < sizeof sizes / sizeof sizes[0]; i++) {
        const int64_t *h = sizes[i], *w = sizes[i + 1];
        linnet_model model = open_model("squeezenet1_1", (linnet_model_options){.height = h[0], .width = w[0]});
        assert_shape(&model, "pool1", 64, h[1], w[1]);
        assert_shape(&model, "pool3", 128, h[2], w[2]);
        assert_shape(&model, "pool5", 256, h[3], w[3]);
        assert_shape(&model, "fire9", 512, h[3], w[3]);
        linnet_model_free(&model);
    }
}

static void squeezenet_names_and_free_sizes(void **state)
{
    (void)state;
    linnet_model model =
        open_model("squeezenet1_1", (linnet_model_options){.height = LINNET_FREE, .width = LINNET_FREE, .classes = 7});
    PARAMETER(&model, "features.0.weight", 64, 3, 3, 3);
    PARAMETER(&model, "features.3.squeeze.weight", 16, 64, 1, 1);
    PARAMETER(&model, "features.12.expand3x3.weight", 256, 64, 3, 3);
    PARAMETER(&model, "features.12.expand3x3.bias", 256);
    PARAMETER(&model, "classifier.1.weight", 7, 512, 1, 1);
    assert_shape(&model, "fire2.squeeze_relu", 16, LINNET_FREE, LINNET_FREE);
    assert_true(model.preprocess.mean[0] > 0.48f && model.preprocess.deviation[2] < 0.23f);
    linnet_session *session = linnet_session_new(model.net, NULL);
    assert_non_null(session);
    float pixels[3 * 40 * 19], scores[7];
    linnet_batch batch = {0};
    fill_random(pixels, 3 * 40 * 19, 1, 1);
    FEED(&batch, "image", pixels, 1, 3, 40, 19);
    assert_ok(linnet_forward(session, &batch));
    assert_ok(linnet_session_read(session, model.logits, scores, sizeof scores));
    linnet_session_free(&session);
    linnet_model_free(&model);
}

static void parameters_are_called_as_torchvisions(void **state)
{
    (void)state;
    const linnet_model_options options = {.classes = 7, .height = 64, .width = 50};
    linnet_model model = open_model("resnet18", options);
    PARAMETER(&model, "conv1.weight", 64, 3, 7, 7);
    PARAMETER(&model, "layer1.0.bn2.bias", 64);
    PARAMETER(&model, "layer4.0.downsample.0.weight", 512, 256, 1, 1);
    PARAMETER(&model, "fc.weight", 7, 512);
    assert_int_equal(linnet_net_parameter(model.net, "layer1.0.downsample.0.weight").id, 0);
    assert_shape(&model, "layer4.1", 512, 2, 2);
    linnet_model_free(&model);
    model = open_model("resnet50", options);
    PARAMETER(&model, "layer1.0.downsample.1.weight", 256);
    PARAMETER(&model, "layer3.5.conv2.weight", 256, 256, 3, 3);
    PARAMETER(&model, "layer4.2.conv3.weight", 2048, 512, 1, 1);
    assert_shape(&model, "layer3.0.relu1", 256, 8, 7);
    linnet_model_free(&model);
    model = open_model("mobilenet_v2", options);
    PARAMETER(&model, "features.1.conv.0.0.weight", 32, 1, 3, 3);
    PARAMETER(&model, "features.2.conv.2.weight", 24, 96, 1, 1);
    PARAMETER(&model, "features.17.conv.3.weight", 320);
    PARAMETER(&model, "classifier.1.weight", 7, 1280);
    assert_shape(&model, "features.3", 24, 16, 13);
    linnet_model_free(&model);
    model = open_model("vgg16", options);
    PARAMETER(&model, "features.28.weight", 512, 512, 3, 3);
    PARAMETER(&model, "classifier.0.weight", 4096, 1024);
    PARAMETER(&model, "classifier.6.weight", 7, 4096);
    linnet_model_free(&model);
}

static void vgg19_is_as_deep_as_asked(void **state)
{
    (void)state;
    linnet_value value;
    linnet_model model = open_model(
        "vgg19", (linnet_model_options){.depth = 5, .height = LINNET_FREE, .width = 70, .average_pooling = 1});
    PARAMETER(&model, "features.10.weight", 256, 128, 3, 3);
    assert_int_equal(linnet_net_parameter(model.net, "features.12.weight").id, 0);
    assert_shape(&model, "relu3_1", 256, LINNET_FREE, 17);
    assert_int_equal(linnet_net_layer(model.net, "conv3_2", &value), LINNET_NOT_FOUND);
    linnet_node_info info;
    assert_ok(linnet_net_node(model.net, 4, &info));
    assert_string_equal(info.name, "pool1");
    assert_string_equal(info.kind, "avg_pool2d");
    assert_int_equal(model.label.id | model.logits.id | model.loss.id, 0);
    linnet_model_free(&model);
    model = open_model("vgg19", (linnet_model_options){.depth = 8});
    assert_shape(&model, "pool3", 256, 28, 28);
    linnet_model_free(&model);
    model = open_model("vgg19", (linnet_model_options){.classes = 20});
    PARAMETER(&model, "features.34.weight", 512, 512, 3, 3);
    PARAMETER(&model, "classifier.0.weight", 4096, 25088);
    PARAMETER(&model, "classifier.6.bias", 20);
    assert_shape(&model, "pool5", 512, 7, 7);
    linnet_model_free(&model);
}

static void nonsense_is_refused(void **state)
{
    (void)state;
    linnet_model model;
    const struct {
        const char *name;
        linnet_model_options options;
        linnet_status status;
        const char *text;
    } cases[] = {
        {"lenet5", {.depth = 3}, LINNET_INVALID, "no depth"},
        {"lenet5", {.average_pooling = 1}, LINNET_INVALID, "no pooling"},
        {"lenet5", {.height = LINNET_FREE}, LINNET_SHAPE, "must be known"},
        {"lenet5", {.classes = -1}, LINNET_INVALID, "negative"},
        {"lenet5", {.width = -2}, LINNET_INVALID, "negative"},
        {"lenet5", {.height = 8, .width = 8}, LINNET_SHAPE, "does not fit"},
        {"vgg19", {.depth = 17}, LINNET_INVALID, "1 to 16"},
        {"vgg19", {.depth = 8, .classes = 10}, LINNET_INVALID, "all convolutions"},
        {"vgg19", {.classes = 10, .width = LINNET_FREE}, LINNET_INVALID, "224 x 224"},
        {"squeezenet1_1", {.height = 16, .width = 64}, LINNET_SHAPE, "pool5"},
        {"lenet6",
         {0},
         LINNET_NOT_FOUND,
         "lenet5, lenet5_local, mlp, vgg_cifar, squeezenet1_1, mobilenet_v2, "
         "resnet18, resnet50, vgg16, vgg19, textures"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        linnet_model_options options = cases[i].options;
        options.struct_size = sizeof options;
        assert_fails(linnet_model_new(NULL, cases[i].name, &options, &model), cases[i].status, cases[i].text);
        assert_null(model.net);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parameters_are_counted),          cmocka_unit_test(squeezenet_pools_as_torchvision),
        cmocka_unit_test(squeezenet_names_and_free_sizes), cmocka_unit_test(parameters_are_called_as_torchvisions),
        cmocka_unit_test(vgg19_is_as_deep_as_asked),       cmocka_unit_test(nonsense_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
