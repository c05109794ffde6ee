/* SPDX-License-Identifier: Apache-2.0 */
/* Building nets: names, shapes, options of any age, shared parameters, and the sentences that stick when it goes wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <linnet/linnet.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

static linnet_net *net;

static int make_net(void **state)
{
    (void)state;
    net = linnet_net_new(NULL);
    return net ? 0 : -1;
}

static int free_net(void **state)
{
    (void)state;
    linnet_net_free(&net);
    return net ? -1 : 0;
}

static linnet_value image(int64_t channels)
{
    return linnet_input(net, "image", channels, 12, 12);
}

static linnet_value parameter(const char *name, size_t rank, int64_t a, int64_t b, int64_t c, int64_t d)
{
    return linnet_parameter_with(net, name, rank, (const int64_t[]){a, b, c, d}, NULL);
}

static void assert_shape(linnet_value value, const char *wanted)
{
    int64_t dims[LINNET_MAX_RANK];
    char text[200] = "";
    uint32_t rank = linnet_value_shape(net, value, dims);
    for (uint32_t i = 0; i < rank; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%lld", i ? "," : "", (long long)dims[i]);
    assert_string_equal(text, wanted);
}

/* The net refuses, with this status and exactly this sentence. */
static void assert_refused(linnet_status status, const char *sentence)
{
    assert_string_equal(linnet_net_message(net), sentence);
    assert_string_equal(linnet_status_name(linnet_net_status(net)), linnet_status_name(status));
    assert_string_equal(linnet_context_message(NULL), sentence);
}

static void assert_good(void)
{
    assert_string_equal(linnet_net_message(net), "");
    assert_int_equal(linnet_net_status(net), LINNET_OK);
}

/* ---- What a good net says of itself ---- */

static void lenet5_is_what_it_should_be(void **state)
{
    (void)state;
    linnet_model model;
    linnet_node_info info;
    assert_int_equal(linnet_model_new(NULL, "lenet5", NULL, &model), LINNET_OK);
    assert_int_equal(linnet_net_parameter_count(model.net), 61706);
    assert_string_equal(linnet_net_name(model.net), "lenet5");
    assert_int_equal(linnet_net_node(model.net, 0, &info), LINNET_OK);
    assert_string_equal(info.name, "conv1");
    assert_string_equal(info.kind, "conv2d");
    assert_int_equal(info.parameters, 6 * 25 + 6);
    assert_int_equal(info.multiply_adds, 6 * 25 * 28 * 28);
    assert_int_equal(info.inputs[0].id, model.image.id);
    assert_int_equal(linnet_net_node(model.net, linnet_net_node_count(model.net), &info), LINNET_END);
    assert_int_equal(linnet_net_find(model.net, "logits").id, model.logits.id);
    assert_int_equal(linnet_net_find(model.net, "image").id, model.image.id);
    assert_int_equal(linnet_net_find(model.net, "nobody").id, 0);
    assert_true(linnet_net_parameter(model.net, "conv1.weight").id > 0);
    assert_int_equal(linnet_net_parameter(model.net, "image").id, 0);
    assert_string_equal(linnet_value_name(model.net, model.loss), "loss");
    linnet_model_free(&model);
}

static void shapes_follow_the_layers(void **state)
{
    (void)state;
    linnet_value x = image(3);
    assert_shape(x, "-1,3,12,12");
    linnet_value y = linnet_conv2d(net, x, .out_channels = 8, .kernel_h = 3, .kernel_w = 5, .stride = 2, .padding = 1,
                                   .padding_left = 2);
    assert_shape(y, "-1,8,6,6");
    assert_shape(linnet_max_pool2d(net, y, .kernel = 3, .stride = 2), "-1,8,2,2");
    assert_shape(linnet_avg_pool2d(net, y, .kernel = 2), "-1,8,3,3");
    assert_shape(linnet_global_avg_pool(net, y), "-1,8,1,1");
    assert_shape(linnet_concat(net, (linnet_value[]){y, y, y}, 3, -3), "-1,24,6,6");
    assert_shape(linnet_concat(net, (linnet_value[]){y, y}, 2, 0), "-1,8,6,6");
    assert_shape(linnet_reshape(net, y, 2, (const int64_t[]){4, LINNET_FREE}), "-1,4,72");
    assert_shape(linnet_flatten(net, y), "-1,288");
    assert_shape(linnet_softmax(net, y, -1), "-1,8,6,6");
    linnet_value z = linnet_linear(net, y, .out_features = 5);
    assert_shape(z, "-1,5");
    assert_shape(linnet_cross_entropy(net, z, linnet_labels(net, "label")), "");
    assert_good();
}

static void free_dimensions_stay_free(void **state)
{
    (void)state;
    linnet_value x = linnet_input(net, "image", 3, LINNET_FREE, LINNET_FREE);
    x = linnet_conv2d(net, x, .out_channels = 8, .kernel = 3, .padding = 1, .stride = 2);
    assert_shape(x, "-1,8,-1,-1");
    x = linnet_relu(net, linnet_batch_norm(net, x));
    assert_shape(linnet_add(net, x, x), "-1,8,-1,-1");
    x = linnet_global_avg_pool(net, linnet_max_pool2d(net, x, .kernel = 2));
    assert_shape(linnet_linear(net, x, .out_features = 4), "-1,4");
    assert_good();
    linnet_node_info info;
    assert_int_equal(linnet_net_node(net, 0, &info), LINNET_OK);
    assert_int_equal(info.multiply_adds, 0);
    linnet_linear(net, linnet_input(net, "free", LINNET_FREE), .out_features = 2, .name = "fc");
    assert_refused(LINNET_SHAPE, "linear 'fc': all but the first dimension of input [N,?] must be known");
}

/* ---- Errors stick ---- */

static void first_error_sticks_and_is_readable(void **state)
{
    (void)state;
    linnet_value weight = parameter("w", 4, 4, 16, 3, 3);
    linnet_value x = linnet_conv2d(net, image(6), .name = "c3", .weight = weight);
    assert_int_equal(x.id, 0);
    assert_refused(LINNET_SHAPE, "conv2d 'c3': input has 6 channels, weight wants 16");
    size_t nodes = linnet_net_node_count(net);
    assert_int_equal(linnet_relu(net, x).id, 0); /* every later call refuses and the first sentence stays */
    assert_int_equal(linnet_labels(net, "label").id, 0);
    assert_int_equal(linnet_parameter_with(net, "v", 1, (const int64_t[]){1}, NULL).id, 0);
    linnet_output(net, x, "x");
    linnet_net_freeze(net, weight, 1);
    assert_refused(LINNET_SHAPE, "conv2d 'c3': input has 6 channels, weight wants 16");
    assert_int_equal(linnet_net_node_count(net), nodes);
    linnet_context_clear(NULL);
    assert_null(linnet_session_new(net, NULL));
    assert_refused(LINNET_SHAPE, "conv2d 'c3': input has 6 channels, weight wants 16");
}

#define REFUSES(function_name, status, sentence, ...)                                                                  \
    static void function_name(void **state)                                                                            \
    {                                                                                                                  \
        (void)state;                                                                                                   \
        __VA_ARGS__;                                                                                                   \
        assert_refused(status, sentence);                                                                              \
    }

REFUSES(two_inputs_of_one_name, LINNET_INVALID, "there are two values named 'image'", image(1); image(2))
REFUSES(two_layers_of_one_name, LINNET_INVALID, "there are two values named 'c'", linnet_value x = image(1);
        x = linnet_conv2d(net, x, .name = "c", .out_channels = 1, .kernel = 1, .weight = {0}); x = linnet_relu(net, x);
        linnet_batch_norm(net, linnet_max_pool2d(net, x, .name = "c", .kernel = 2)))
REFUSES(empty_name, LINNET_INVALID, "a value has an empty name",
        linnet_max_pool2d(net, image(1), .name = "", .kernel = 2))
REFUSES(null_value, LINNET_INVALID, "a value that is not of this net was used", linnet_relu(net, (linnet_value){0}))
REFUSES(foreign_value, LINNET_INVALID, "a value that is not of this net was used",
        linnet_add(net, image(1), (linnet_value){77}))
REFUSES(input_as_weight, LINNET_INVALID, "linear 'fc': 'image' is no parameter", linnet_value x = image(1);
        linnet_linear(net, x, .name = "fc", .weight = x))
REFUSES(parameter_as_input, LINNET_INVALID,
        "unary 'relu1': 'w' is a parameter, not something a layer can read as input",
        linnet_relu(net, parameter("w", 2, 3, 3, 0, 0)))
REFUSES(scalar_weight, LINNET_SHAPE, "linear 'fc': 'w' is a scalar, which no layer takes as a parameter",
        linnet_linear(net, image(1), .name = "fc", .out_features = 3, .weight = parameter("w", 0, 0, 0, 0, 0)))
REFUSES(scalar_bias, LINNET_SHAPE, "linear 'fc': 'b' is a scalar, which no layer takes as a parameter",
        linnet_linear(net, image(1), .name = "fc", .out_features = 3, .bias = parameter("b", 0, 0, 0, 0, 0)))
REFUSES(frozen_input, LINNET_INVALID, "'image' is no parameter and cannot be frozen",
        linnet_net_freeze(net, image(1), 1))
REFUSES(output_without_name, LINNET_INVALID, "an output needs a name, and a layer that makes it",
        linnet_output(net, linnet_relu(net, image(1)), NULL))
REFUSES(output_named_as_another, LINNET_INVALID, "there are two values named 'relu1'", linnet_relu(net, image(1));
        linnet_output(net, linnet_relu(net, linnet_net_find(net, "image")), "relu1"))
REFUSES(bias_and_no_bias, LINNET_INVALID, "fc: a bias is given together with no_bias",
        linnet_linear(net, image(1), .name = "fc", .out_features = 3, .no_bias = 1,
                      .bias = parameter("b", 1, 3, 0, 0, 0)))
REFUSES(nothing_asked_for, LINNET_INVALID, "conv2d 'c': out_channels is 0, wants at least 1",
        linnet_conv2d(net, image(1), .name = "c", .kernel = 3))
REFUSES(no_kernel, LINNET_INVALID, "conv2d 'c': kernel is 0, wants 1 to 1073741824",
        linnet_conv2d(net, image(1), .name = "c", .out_channels = 3))
REFUSES(negative_groups, LINNET_INVALID, "conv2d: groups is -1",
        linnet_conv2d(net, image(1), .out_channels = 3, .kernel = 1, .groups = -1))
REFUSES(groups_that_do_not_divide, LINNET_SHAPE, "conv2d 'c': input has 5 channels, not a multiple of 2 groups",
        linnet_conv2d(net, image(5), .name = "c", .out_channels = 4, .kernel = 1, .groups = 2))
REFUSES(kernel_too_large, LINNET_SHAPE,
        "max_pool2d 'p': kernel 13x13 does not fit into input [N,1,12,12] with padding 0,0,0,0",
        linnet_max_pool2d(net, image(1), .name = "p", .kernel = 13))
REFUSES(no_dimension, LINNET_SHAPE, "'image': dimension 1 is 0", image(0))
REFUSES(free_parameter, LINNET_SHAPE, "'w': dimension 1 is -1", parameter("w", 2, 3, LINNET_FREE, 0, 0))
REFUSES(too_many_elements, LINNET_LIMIT, "'w' has too many elements",
        parameter("w", 2, INT64_MAX / 2, INT64_MAX / 2, 0, 0))
REFUSES(nothing_to_concatenate, LINNET_LIMIT, "concat: 1 to 32 inputs are possible, not 0",
        linnet_concat(net, NULL, 0, 1))
REFUSES(axis_too_large, LINNET_INVALID, "softmax: axis 4 of an input with 4 dimensions",
        linnet_softmax(net, image(1), 4))
REFUSES(axis_too_small, LINNET_INVALID, "softmax: axis -5 of an input with 4 dimensions",
        linnet_softmax(net, image(1), -5))
REFUSES(reshape_that_does_not_fit, LINNET_SHAPE, "reshape 'reshape1': input [N,1,12,12] does not fit into [N,100]",
        linnet_reshape(net, image(1), 1, (const int64_t[]){100}))
REFUSES(dropout_of_everything, LINNET_INVALID, "dropout 'dropout1': probability is 1, wants 0 or more and less than 1",
        linnet_dropout(net, image(1), 1.0f))
REFUSES(clip_upside_down, LINNET_INVALID, "unary 'clip1': clip's limits are 2 and 1, wants the smaller first",
        linnet_clip(net, image(1), 2, 1))
REFUSES(sum_of_different_shapes, LINNET_SHAPE,
        "binary 'add1': inputs are [N,1,12,12] and [N,1,6,6], wants equal shapes", linnet_value x = image(1);
        linnet_add(net, x, linnet_max_pool2d(net, x, .kernel = 2)))
REFUSES(input_of_another_type, LINNET_UNSUPPORTED, "input 'x': only f32 and i32 inputs are supported",
        linnet_input_with(net, "x", LINNET_F64, 0, NULL))
REFUSES(unknown_initial, LINNET_INVALID, "parameter 'w': initial is 9",
        linnet_parameter_with(net, "w", 1, (const int64_t[]){3},
                              &(linnet_parameter_options){sizeof(linnet_parameter_options), (linnet_initial)9, 0, NULL}))
REFUSES(values_that_are_none, LINNET_INVALID, "parameter 'w' is to start with values, but has none",
        linnet_parameter_with(net, "w", 1, (const int64_t[]){3},
                              &(linnet_parameter_options){.struct_size = sizeof(linnet_parameter_options),
                                                          .initial = LINNET_INITIAL_VALUES}))

static void too_many_inputs(void **state)
{
    (void)state;
    linnet_value x = image(1), all[40];
    for (int i = 0; i < 40; i++)
        all[i] = x;
    assert_shape(linnet_concat(net, all, 32, 1), "-1,32,12,12");
    linnet_concat(net, all, 40, 1);
    assert_refused(LINNET_LIMIT, "concat: 1 to 32 inputs are possible, not 33");
}

static void no_net_is_no_crash(void **state)
{
    (void)state;
    linnet_value x = {1};
    assert_int_equal(linnet_input(NULL, "image", 1, 2, 2).id, 0);
    assert_int_equal(linnet_conv2d(NULL, x, .out_channels = 1, .kernel = 1).id, 0);
    assert_int_equal(linnet_relu(NULL, x).id, 0);
    assert_int_equal(linnet_concat(NULL, &x, 1, 1).id, 0);
    assert_int_equal(linnet_flatten(NULL, x).id, 0);
    linnet_output(NULL, x, "x");
    linnet_net_freeze(NULL, x, 1);
    assert_int_equal(linnet_net_set_name(NULL, "x"), LINNET_INVALID);
    assert_int_equal(linnet_net_set_name(net, NULL), LINNET_INVALID);
    assert_int_equal(linnet_net_status(NULL), LINNET_INVALID);
    assert_string_equal(linnet_net_message(NULL), "");
    assert_int_equal(linnet_net_node_count(NULL), 0);
    assert_int_equal(linnet_net_parameter_count(NULL), 0);
    assert_null(linnet_session_new(NULL, NULL));
    linnet_net_free(NULL);
}

/* ---- Names ---- */

static void automatic_names_count_per_kind(void **state)
{
    (void)state;
    linnet_value x = image(2);
    x = linnet_conv2d(net, x, .out_channels = 2, .kernel = 1);
    assert_string_equal(linnet_value_name(net, x), "conv2d1");
    x = linnet_relu(net, x);
    x = linnet_max_pool2d(net, x, .name = "relu2", .kernel = 1); /* somebody took the next number */
    x = linnet_relu(net, x);
    assert_string_equal(linnet_value_name(net, x), "relu3");
    x = linnet_conv2d(net, x, .out_channels = 2, .kernel = 1);
    assert_string_equal(linnet_value_name(net, x), "conv2d2");
    assert_true(linnet_net_parameter(net, "conv2d2.bias").id > 0);
    assert_string_equal(linnet_value_name(net, linnet_flatten(net, x)), "flatten1");
    assert_string_equal(linnet_value_name(net, linnet_add(net, x, x)), "add1");
    assert_good();
}

/* Naming an output renames the value; the layer keeps its name, and its parameters theirs. */
static void outputs_do_not_free_their_layers_names(void **state)
{
    (void)state;
    linnet_value x = linnet_conv2d(net, image(2), .out_channels = 2, .kernel = 1);
    linnet_output(net, x, "features");
    x = linnet_conv2d(net, x, .out_channels = 2, .kernel = 1);
    assert_good();
    assert_true(linnet_net_parameter(net, "conv2d1.weight").id > 0);
    assert_true(linnet_net_parameter(net, "conv2d2.weight").id > 0);
    linnet_node_info info;
    assert_int_equal(linnet_net_node(net, 1, &info), LINNET_OK);
    assert_string_equal(info.name, "conv2d2");
    linnet_output(net, x, "features2");
    linnet_output(net, x, "last"); /* renamed again */
    assert_int_equal(linnet_net_find(net, "last").id, x.id);
    assert_int_equal(linnet_net_find(net, "features2").id, 0);
    assert_good();
}

static void inputs_layers_and_parameters_have_names_of_their_own(void **state)
{
    (void)state;
    linnet_value x = image(2);
    linnet_value weight = parameter("image", 4, 2, 2, 1, 1);
    x = linnet_conv2d(net, x, .name = "label", .weight = weight);
    linnet_labels(net, "label");
    assert_good();
    assert_int_equal(linnet_net_parameter(net, "image").id, weight.id);
    assert_int_equal(linnet_net_find(net, "label").id, x.id); /* layers are found first */
}

/* ---- Options ---- */

static void older_and_newer_options_work(void **state)
{
    (void)state;
    linnet_value x = image(2);
    linnet_conv2d_options o;
    memset(&o, 0, sizeof o);
    o.struct_size = offsetof(linnet_conv2d_options, stride); /* a caller that knows nothing from stride on */
    o.out_channels = 3;
    o.kernel = 3;
    o.stride = o.groups = o.padding = 77;
    assert_shape(linnet_conv2d_with(net, x, &o), "-1,3,10,10");
    struct {
        linnet_pool2d_options options;
        uint64_t newer[4];
    } p;
    memset(&p, 0, sizeof p);
    p.options.struct_size = sizeof p;
    p.options.kernel = 2;
    p.newer[0] = 1;
    assert_shape(linnet_max_pool2d_with(net, x, &p.options), "-1,2,6,6");
    assert_shape(linnet_batch_norm_with(net, x, NULL), "-1,2,12,12");
    linnet_parameter_options q = {.struct_size = sizeof q.struct_size, .initial = (linnet_initial)77, .fan_in = -1};
    linnet_parameter_with(net, "w", 1, (const int64_t[]){3}, &q);
    assert_good();
    memset(&o, 0, sizeof o);
    o.out_channels = 3;
    linnet_conv2d_with(net, x, &o);
    assert_refused(LINNET_INVALID, "conv2d: options.struct_size is 0, wants sizeof the options");
}

static void absurd_struct_size_is_refused(void **state)
{
    (void)state;
    linnet_linear_options o = {.struct_size = 1u << 20, .out_features = 3};
    linnet_linear_with(net, image(1), &o);
    assert_refused(LINNET_INVALID, "linear: options.struct_size is 1048576, wants sizeof the options");
}

/* ---- Shared parameters ---- */

static void shared_parameters_count_once(void **state)
{
    (void)state;
    linnet_node_info first, second;
    linnet_value weight = parameter("shared", 4, 2, 2, 3, 3), x = image(2);
    x = linnet_conv2d(net, x, .weight = weight, .padding = 1, .no_bias = 1); /* kernel and channels are the weight's */
    x = linnet_conv2d(net, x, .weight = weight, .padding = 1, .dilation = 2);
    assert_shape(x, "-1,2,10,10");
    assert_good();
    assert_int_equal(linnet_net_parameter_count(net), 36 + 2);
    assert_int_equal(linnet_net_node(net, 0, &first), LINNET_OK);
    assert_int_equal(linnet_net_node(net, 1, &second), LINNET_OK);
    assert_int_equal(first.parameters, 36);
    assert_int_equal(second.parameters, 2);
    linnet_conv2d(net, x, .name = "c", .weight = weight, .out_channels = 4);
    assert_refused(LINNET_SHAPE, "conv2d 'c': out_channels is 4, weight makes 2");
}

#define NET_TEST(function) cmocka_unit_test_setup_teardown(function, make_net, free_net)

int main(void)
{
    const struct CMUnitTest tests[] = {
        NET_TEST(lenet5_is_what_it_should_be),
        NET_TEST(shapes_follow_the_layers),
        NET_TEST(free_dimensions_stay_free),
        NET_TEST(first_error_sticks_and_is_readable),
        NET_TEST(two_inputs_of_one_name),
        NET_TEST(two_layers_of_one_name),
        NET_TEST(empty_name),
        NET_TEST(null_value),
        NET_TEST(foreign_value),
        NET_TEST(input_as_weight),
        NET_TEST(parameter_as_input),
        NET_TEST(scalar_weight),
        NET_TEST(scalar_bias),
        NET_TEST(frozen_input),
        NET_TEST(output_without_name),
        NET_TEST(output_named_as_another),
        NET_TEST(bias_and_no_bias),
        NET_TEST(nothing_asked_for),
        NET_TEST(no_kernel),
        NET_TEST(negative_groups),
        NET_TEST(groups_that_do_not_divide),
        NET_TEST(kernel_too_large),
        NET_TEST(no_dimension),
        NET_TEST(free_parameter),
        NET_TEST(too_many_elements),
        NET_TEST(nothing_to_concatenate),
        NET_TEST(axis_too_large),
        NET_TEST(axis_too_small),
        NET_TEST(reshape_that_does_not_fit),
        NET_TEST(dropout_of_everything),
        NET_TEST(clip_upside_down),
        NET_TEST(sum_of_different_shapes),
        NET_TEST(input_of_another_type),
        NET_TEST(unknown_initial),
        NET_TEST(values_that_are_none),
        NET_TEST(too_many_inputs),
        NET_TEST(no_net_is_no_crash),
        NET_TEST(automatic_names_count_per_kind),
        NET_TEST(outputs_do_not_free_their_layers_names),
        NET_TEST(inputs_layers_and_parameters_have_names_of_their_own),
        NET_TEST(older_and_newer_options_work),
        NET_TEST(absurd_struct_size_is_refused),
        NET_TEST(shared_parameters_count_once),
    };
    return cmocka_run_group_tests_name("net", tests, NULL, NULL);
}
