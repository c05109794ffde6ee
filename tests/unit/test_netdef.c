/* SPDX-License-Identifier: Apache-2.0 */
/* Nets in a line: what they build, how they are written down again, where errors point, and texts that nobody meant. */
#include "files.h"
#include "sessions.h"

static linnet_model build(const char *text, int32_t classes, int64_t channels, int64_t height, int64_t width)
{
    linnet_model model;
    linnet_model_options options = {
        .struct_size = sizeof options, .classes = classes, .channels = channels, .height = height, .width = width};
    assert_ok(linnet_model_new(NULL, text, &options, &model));
    return model;
}

/* "conv1:conv2d relu1:relu ..." */
static const char *layers_of(const linnet_net *net)
{
    static char out[2000];
    linnet_node_info info;
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < linnet_net_node_count(net); i++) {
        assert_ok(linnet_net_node(net, i, &info));
        used += (size_t)snprintf(out + used, sizeof out - used, "%s%s:%s", i ? " " : "", info.name, info.kind);
    }
    return out;
}

static void assert_shape(const linnet_model *model, const char *layer, const char *wanted)
{
    linnet_value value;
    int64_t dims[LINNET_MAX_RANK];
    char text[100] = "";
    assert_ok(linnet_net_layer(model->net, layer, &value));
    uint32_t rank = linnet_value_shape(model->net, value, dims);
    for (uint32_t i = 1; i < rank; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%lld", i > 1 ? "x" : "", (long long)dims[i]);
    assert_string_equal(text, wanted);
}

static void lenet5_in_a_line(void **state)
{
    (void)state;
    linnet_model line = build("conv 6 k5 p2; relu; maxpool 2; conv 16 k5; relu; maxpool 2; flatten; linear 120; relu; "
                              "linear 84; relu; linear 10",
                              0, 0, 0, 0);
    linnet_model zoo;
    assert_ok(linnet_model_new(NULL, "lenet5", NULL, &zoo));
    assert_int_equal(linnet_net_parameter_count(line.net), 61706);
    assert_int_equal(linnet_net_node_count(line.net), linnet_net_node_count(zoo.net));
    assert_string_equal(layers_of(line.net),
                        "conv1:conv2d relu1:relu maxpool1:max_pool2d conv2:conv2d relu2:relu maxpool2:max_pool2d "
                        "flatten1:reshape linear1:linear relu3:relu linear2:linear relu4:relu linear3:linear "
                        "cross_entropy1:cross_entropy");
    assert_int_not_equal(linnet_net_parameter(line.net, "conv2.weight").id, 0);
    assert_shape(&line, "logits", "10");
    assert_shape(&line, "linear3", "10");
    linnet_model_free(&line);
    linnet_model_free(&zoo);
}

static void every_layer(void **state)
{
    (void)state;
    linnet_model m = build("# all of them\n"
                           "input 3x20x24\n"
                           "first: conv 8 k3x5 s1x2 p1x2 nb   # 8x20x12\n"
                           "pad 1 2 3 4 reflect\npad 1; conv 8 k3 d2 g4\n"
                           "local 4 k3 s2 p1\r\n"
                           "bn; leaky; leaky 0.2; relu6; clip -1 2.5; tanh; sigmoid; scale 2 -0.5; scale .5\n"
                           "maxpool 3 s2 p1; avgpool k1x2 ; dropout; dropout 0.25; residual 8 s2; fire 2, 3\n\n"
                           "globalpool; flatten; linear 9 nb; softmax",
                           9, 0, 0, 0);
    assert_shape(&m, "first", "8x20x12");
    assert_shape(&m, "pad1", "8x24x18");
    assert_shape(&m, "pad2", "8x26x20");
    assert_shape(&m, "conv1", "8x22x16");
    assert_shape(&m, "local1", "4x11x8");
    assert_shape(&m, "maxpool1", "4x6x4");
    assert_shape(&m, "avgpool1", "4x6x2");
    assert_shape(&m, "residual1", "8x3x1");
    assert_shape(&m, "fire1", "6x3x1");
    assert_shape(&m, "linear1", "9");
    assert_string_equal(linnet_value_name(m.net, m.logits), "logits"); /* what the softmax at the end reads */
    assert_string_equal(linnet_net_name(m.net),
                        "input 3x20x24; first: conv 8 k3x5 s1x2 p1x2 nb; pad 1 2 3 4 reflect; pad 1; conv 8 k3 d2 g4; "
                        "local 4 k3 s2 p1; bn; leaky; leaky 0.2; relu6; clip -1 2.5; tanh; sigmoid; scale 2 -0.5; "
                        "scale .5; maxpool 3 s2 p1; avgpool k1x2; dropout; dropout 0.25; residual 8 s2; fire 2 3; "
                        "globalpool; flatten; linear 9 nb; softmax");
    /* And it runs. */
    linnet_session *session = linnet_session_new(m.net, NULL);
    assert_non_null(session);
    float pixels[2 * 3 * 20 * 24], scores[2 * 9];
    linnet_batch batch = {0};
    fill_random(pixels, sizeof pixels / sizeof *pixels, 3, 1);
    FEED(&batch, "image", pixels, 2, 3, 20, 24);
    assert_ok(linnet_forward(session, &batch));
    assert_ok(linnet_session_read(session, m.logits, scores, sizeof scores));
    linnet_session_free(&session);
    linnet_model_free(&m);
}

static void blocks_are_what_they_say(void **state)
{
    (void)state;
    linnet_model m = build("residual 16; down: residual 32 s2", 0, 16, 8, 8);
    assert_string_equal(layers_of(m.net),
                        "residual1.conv1:conv2d residual1.bn1:batch_norm residual1.relu1:relu residual1.conv2:conv2d "
                        "residual1.bn2:batch_norm residual1.add:add residual1:relu down.conv1:conv2d "
                        "down.bn1:batch_norm down.relu1:relu down.conv2:conv2d down.bn2:batch_norm "
                        "down.downsample.0:conv2d down.downsample.1:batch_norm down.add:add down:relu");
    /* torchvision's BasicBlock(16, 16), BasicBlock(16, 32, 2) with its downsample: 4672 + 14528. */
    assert_int_equal(linnet_net_parameter_count(m.net), 4672 + 14528);
    linnet_node_info add, conv;
    assert_ok(linnet_net_node(m.net, 5, &add));
    assert_int_equal(add.inputs[1].id, m.image.id);
    assert_ok(linnet_net_node(m.net, 12, &conv));
    assert_string_equal(linnet_value_name(m.net, conv.inputs[0]), "residual1");
    assert_int_equal(m.logits.id, 0); /* maps, no scores */
    linnet_model_free(&m);
}

static void canonical_texts(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"conv 032 k3x3 s1 p0 d1 g1;;\n; relu;", "conv 32 k3; relu"},
        {"maxpool 2 s2; avgpool k3 s1", "maxpool 2; avgpool k3 s1"},
        {" relu ", "relu;"},
        {"input 1x?x9;relu", "input 1x?x9; relu"},
        {"a.b-c_1:linear 3\tnb # and so on", "a.b-c_1: linear 3 nb"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        char *text = NULL, *again = NULL;
        assert_ok(linnet_netdef_canonical(NULL, pairs[i][0], &text));
        assert_string_equal(text, pairs[i][1]);
        assert_true(linnet_netdef_is_text(text));
        assert_ok(linnet_netdef_canonical(NULL, text, &again));
        assert_string_equal(again, text);
        linnet_text_free(&text);
        linnet_text_free(&again);
    }
    assert_false(linnet_netdef_is_text("lenet5"));
    assert_false(linnet_netdef_is_text(""));
    assert_false(linnet_netdef_is_text(NULL));
}

static void errors_point_at_the_place(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"conv 32 k p1", "1:9: 'k' wants a number\n  conv 32 k p1\n          ^"},
        {"relu; conv 32 k3 q1", "1:18: conv has no option 'q1'; it has k, s, p, d, g, nb\n  relu; conv 32 k3 q1\n    "
                                "               ^"},
        {"relu\n  convv 3 k3\n", "2:3: there is no layer 'convv'; there are: conv, local, linear, maxpool,"},
        {"conv 3", "1:1: conv wants k and a number, as in 'k3'\n  conv 3\n  ^"},
        {"conv k3", "1:1: conv wants how many channels it makes"},
        {"conv 3 4 k3", "1:8: one number too many: conv wants how many channels it makes"},
        {"relu 3", "1:6: relu takes no numbers"},
        {"relu k3", "1:6: relu has no option 'k3'"},
        {"conv 0 k3", "1:6: '0' is out of range"},
        {"conv 3.5 k3", "1:6: '3.5' is no whole number"},
        {"conv 99999999999999999999 k3", "1:6: '99999999999999999999' is no whole number"},
        {"conv 3 k3 k5", "1:11: 'k' is given twice"},
        {"conv 3 k0", "1:8: 'k' is 0, wants 1 to 4096"},
        {"conv 3 k3x", "1:8: 'k' wants a number"},
        {"conv 3 k3x3x3", "1:8: 'k' wants a number"},
        {"conv 4 k3 g2x2", "1:11: 'g' wants a number"},
        {"dropout 1", "1:9: '1' is out of range"},
        {"clip 1", "1:1: clip wants the lowest and the highest value"},
        {"clip 1 x", "1:8: clip has no option 'x'"},
        {"clip 1 0 ;", "1:1: "},
        {"pad 1 2", "1:1: pad wants one number for all sides"},
        {"maxpool s2", "1:1: maxpool wants the kernel's size"},
        {"maxpool 2 k2", "1:1: the kernel is given twice"},
        {"maxpool 2 p2", "1:1: max_pool2d 'maxpool1': padding 2 must be smaller than kernel 2"},
        {"5: relu", "1:1: '5' is no name"},
        {": relu", "1:1: a name is missing in front of ':'"},
        {"a: ;", "1:1: a layer is missing behind 'a:'"},
        {"a: b: relu", "1:4: there is no layer 'b:'"},
        {"a: relu; a: tanh", "1:10: there are two values named 'a'"},
        {"conv1: relu; conv 3 k1; conv2: tanh; conv 3 k1; conv2: relu", "1:49: there are two values named 'conv2'"},
        {"abcdefghijabcdefghijabcdefghijabcdefghijabcdefghij: relu", "1:1: 'abcdefghijabcdefghij...' is too long"},
        {"input 3x32; relu", "1:7: '3x32' is no picture"},
        {"input 0x3x3; relu", "1:7: '0x3x3' is no picture"},
        {"input; relu", "1:1: input wants channels x height x width"},
        {"relu; input 1x2x3", "1:7: 'input' comes first"},
        {"input 1x2x3 4; relu", "1:13: '4' does not belong here"},
        {" ; # nothing", "1:1: the net has no layers"},
        {"conv 8 k3; conv 8 k30; linear 10", "1:12: conv2d 'conv2': kernel 30x30"},
        {"input ?x3x3; relu", "1:7: '?x3x3' is no picture"},
        {"input 1x?x?; linear 10", "1:14: linear 'linear1'"},
        {"flatten; conv 3 k1", "1:10: conv2d 'conv1': input [N,784] has 2 dimensions"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        linnet_model model;
        linnet_status status = linnet_model_new(NULL, cases[i].text, NULL, &model);
        if (status == LINNET_OK ||
            strncmp(linnet_context_message(NULL), cases[i].message, strlen(cases[i].message)) != 0)
            fail_msg("'%s': %s '%s'", cases[i].text, linnet_status_name(status), linnet_context_message(NULL));
    }
}

/* Only the part of a long line around the place is shown. */
static void long_lines_are_cut(void **state)
{
    (void)state;
    char text[600] = "";
    linnet_model model;
    for (int i = 0; i < 60; i++)
        strcat(text, "relu; ");
    strcat(text, "maxpol 2; relu; relu; relu; relu");
    assert_int_equal(linnet_model_new(NULL, text, NULL, &model), LINNET_INVALID);
    const char *message = linnet_context_message(NULL), *line = strchr(message, '\n');
    assert_true(strncmp(message, "1:361: there is no layer 'maxpol'", 33) == 0);
    assert_non_null(line);
    const char *caret = strchr(line + 1, '\n');
    assert_non_null(caret);
    assert_true(caret - line < 80);
    assert_int_equal(line[strlen(caret) - 1], 'm'); /* under the word's first letter */
}

static void classes_have_to_fit(void **state)
{
    (void)state;
    linnet_model model;
    linnet_model_options options = {.struct_size = sizeof options, .classes = 7};
    assert_fails(linnet_model_new(NULL, "relu; linear 10", &options, &model), LINNET_SHAPE,
                 "1:7: the last layer makes 10 scores, but there are 7 classes");
    assert_fails(linnet_model_new(NULL, "conv 7 k3; relu", &options, &model), LINNET_SHAPE,
                 "1:12: the last layer makes [N,7,26,26], no scores: globalpool or linear 7 is missing");
    model = build("conv 7 k3; globalpool", 7, 0, 0, 0);
    assert_shape(&model, "logits", "7");
    linnet_model_free(&model);
    model = build("conv 7 k3; globalpool", 0, 2, LINNET_FREE, LINNET_FREE);
    assert_shape(&model, "logits", "7");
    linnet_model_free(&model);
    options = (linnet_model_options){.struct_size = sizeof options, .channels = 1, .height = 28, .width = 28};
    assert_fails(linnet_model_new(NULL, "input 3x32x32; relu", &options, &model), LINNET_SHAPE,
                 "1:7: the pictures are 1x28x28");
    options = (linnet_model_options){.struct_size = sizeof options, .depth = 2};
    assert_fails(linnet_model_new(NULL, "relu; relu", &options, &model), LINNET_INVALID, "depth");
}

/* Behind a value of one's own net; what goes wrong sticks. */
static void added_to_a_net(void **state)
{
    (void)state;
    linnet_net *net = linnet_net_new(NULL);
    linnet_value x = linnet_relu(net, linnet_input(net, "x", 4));
    linnet_value y = linnet_netdef(net, x, "linear 3; relu; relu: linear 2");
    int64_t dims[LINNET_MAX_RANK];
    assert_ok(linnet_net_status(net));
    assert_int_equal(linnet_value_shape(net, y, dims), 2);
    assert_int_equal(dims[1], 2);
    assert_string_equal(layers_of(net), "relu1:relu linear1:linear relu2:relu relu:linear");
    assert_int_equal(linnet_netdef(net, y, "linear 3; conv 3 k").id, 0);
    assert_int_equal(linnet_net_status(net), LINNET_INVALID);
    assert_true(strncmp(linnet_net_message(net), "1:18: 'k' wants", 15) == 0);
    assert_int_equal(linnet_netdef(net, y, "linear 3").id, 0);
    linnet_net_free(&net);
    assert_int_equal(linnet_netdef(NULL, y, "linear 3").id, 0);
}

static void saved_with_the_weights(void **state)
{
    const char *path = path_in(*state, "line.safetensors");
    linnet_model model = build("conv 3 k3 ;relu\nresidual 4 s2 # down\nglobalpool; linear 5", 5, 2, 9, 7), again;
    linnet_session *session = linnet_session_new(model.net, NULL);
    assert_non_null(session);
    assert_ok(linnet_save(session, path));
    assert_ok(linnet_model_for_weights(NULL, path, NULL, NULL, &again));
    assert_string_equal(linnet_net_name(again.net), "conv 3 k3; relu; residual 4 s2; globalpool; linear 5");
    int64_t dims[LINNET_MAX_RANK];
    linnet_value_shape(again.net, again.image, dims);
    assert_true(dims[1] == 2 && dims[2] == 9 && dims[3] == 7);
    linnet_session_free(&session);
    session = linnet_session_new(again.net, NULL);
    assert_ok(linnet_load(session, path));
    /* A text in a file can be as wrong as any other. */
    assert_ok(linnet_net_set_name(again.net, "conv 3 q3"));
    assert_ok(linnet_save(session, path));
    linnet_session_free(&session);
    linnet_model_free(&again);
    assert_fails(linnet_model_for_weights(NULL, path, NULL, NULL, &again), LINNET_BAD_FILE, "the network in it: 1:8:");
    assert_null(again.net);
    linnet_model_free(&model);
}

/* ---- Texts that nobody meant ---- */

static void limits_hold(void **state)
{
    (void)state;
    static char text[LINNET_NETDEF_MAX_LENGTH + 10];
    linnet_model model;
    memset(text, ' ', sizeof text - 1);
    assert_fails(linnet_model_new(NULL, text, NULL, &model), LINNET_LIMIT, "at most 16384 characters");
    text[0] = '\0';
    for (int i = 0; i <= LINNET_NETDEF_MAX_LAYERS; i++)
        strcat(text, "relu;");
    assert_fails(linnet_model_new(NULL, text, NULL, &model), LINNET_LIMIT, "1:2501: more than 500 layers");
    assert_fails(linnet_model_new(NULL, "linear 16777216; linear 16777216", NULL, &model), LINNET_SHAPE,
                 "1:18: linear ");
    assert_fails(linnet_model_new(NULL, "input 2147483647x2147483647x2147483647; relu", NULL, &model), LINNET_LIMIT,
                 "too many elements");
}

/* Every allocation fails once: out of memory is said, nothing leaks (the leak checker looks), nothing else happens. */
static void without_memory(void **state)
{
    (void)state;
    const char *text = "input 3x8x8; conv 4 k3 p1; bn; relu; residual 6 s2; fire 2 3; globalpool; linear 5";
    linnet_status status = LINNET_OUT_OF_MEMORY;
    for (int64_t after = 0; status != LINNET_OK && after < 10000; after++) {
        linnet_model model;
        linnet_memory_fail_after(after);
        status = linnet_model_new(NULL, text, NULL, &model);
        linnet_memory_fail_after(-1);
        assert_true(status == LINNET_OK || status == LINNET_OUT_OF_MEMORY);
        linnet_model_free(&model);
    }
    assert_int_equal(status, LINNET_OK);
}

static uint32_t draw(uint32_t *state, uint32_t below)
{
    *state = *state * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)(*state >> 4) * below >> 28);
}

/* Cuts, doubles, overwrites, mixes. */
static void mutate(char *text, size_t room, uint32_t *state)
{
    static const char bytes[] = "0123456789kspdgnbx;:#\n ,.-?_\xff\x01"
                                "abcrelu";
    for (uint32_t changes = 1 + draw(state, 3); changes; changes--) {
        size_t length = strlen(text), at = length ? draw(state, (uint32_t)length) : 0;
        size_t span = 1 + draw(state, 12);
        switch (draw(state, 4)) {
        case 0:
            if (length)
                text[at] = bytes[draw(state, sizeof bytes - 1)];
            break;
        case 1:
            span = span > length - at ? length - at : span;
            memmove(text + at, text + at + span, length - at - span + 1);
            break;
        case 2:
            span = span > length - at ? length - at : span;
            if (length + span < room)
                memmove(text + at + span, text + at, length - at + 1);
            break;
        default:
            if (length + 1 < room) {
                memmove(text + at + 1, text + at, length - at + 1);
                text[at] = bytes[draw(state, sizeof bytes - 1)];
            }
        }
    }
}

/* Every one is built or refused with a sentence, and what is built is written so that it gives the same net again. */
static void mutated_texts(void **state)
{
    (void)state;
    static const char *const seeds[] = {
        "conv 32 k3 p1; relu; conv 32 k3 p1; relu; maxpool 2; linear 10",
        "input 3x32x32; a: conv 8 k3x5 s1x2 p1x2 nb; pad 1 2 3 4 reflect; local 4 k3 s2 p1; bn; leaky 0.2; globalpool",
        "residual 16\nresidual 32 s2 # down\nfire 8 16; avgpool k2x1 s1; clip -1 2.5; dropout 0.25; flatten; softmax",
    };
    uint32_t random = 7;
    int built = 0;
    for (int i = 0; i < 12000; i++) {
        char text[400];
        linnet_model model, again;
        snprintf(text, sizeof text, "%s ", seeds[i % 3]);
        mutate(text, sizeof text - 16, &random);
        if (!linnet_netdef_is_text(text))
            continue;
        linnet_status status = linnet_model_new(NULL, text, NULL, &model);
        if (status != LINNET_OK) {
            assert_true(strlen(linnet_context_message(NULL)) > 8);
            assert_true(status == LINNET_INVALID || status == LINNET_SHAPE || status == LINNET_LIMIT);
            continue;
        }
        built++;
        if (linnet_model_new(NULL, linnet_net_name(model.net), NULL, &again) != LINNET_OK)
            fail_msg("'%s' -> '%s': %s", text, linnet_net_name(model.net), linnet_context_message(NULL));
        assert_string_equal(linnet_net_name(again.net), linnet_net_name(model.net));
        assert_int_equal(linnet_net_node_count(again.net), linnet_net_node_count(model.net));
        assert_int_equal(linnet_net_parameter_count(again.net), linnet_net_parameter_count(model.net));
        linnet_model_free(&again);
        linnet_model_free(&model);
    }
    if (built < 300)
        fail_msg("only %d texts were good", built);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lenet5_in_a_line),
        cmocka_unit_test(every_layer),
        cmocka_unit_test(blocks_are_what_they_say),
        cmocka_unit_test(canonical_texts),
        cmocka_unit_test(errors_point_at_the_place),
        cmocka_unit_test(long_lines_are_cut),
        cmocka_unit_test(classes_have_to_fit),
        cmocka_unit_test(added_to_a_net),
        cmocka_unit_test_setup_teardown(saved_with_the_weights, folder_make, folder_remove),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(without_memory),
        cmocka_unit_test(mutated_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
