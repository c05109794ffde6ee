/* SPDX-License-Identifier: Apache-2.0 */
/* Receptive fields: known ones of known networks, and brute force: which pixels reach which unit. */
#include "sessions.h"

#include <math.h>

static linnet_field field_of(const linnet_net *net, const char *layer)
{
    linnet_value value;
    linnet_field field;
    assert_ok(linnet_net_layer(net, layer, &value));
    assert_ok(linnet_receptive_field(net, value, &field));
    return field;
}

typedef struct expected {
    const char *layer;
    int64_t size, stride;
    double offset;
} expected;

static void assert_fields(const char *name, const linnet_model_options *options, const expected *all, size_t count)
{
    linnet_model model;
    assert_ok(linnet_model_new(NULL, name, options, &model));
    for (size_t i = 0; i < count; i++) {
        linnet_field f = field_of(model.net, all[i].layer);
        for (int axis = 0; axis < 2; axis++)
            if (f.size[axis] != all[i].size || f.stride[axis] != all[i].stride || f.offset[axis] != all[i].offset)
                fail_msg("%s %s: %lld every %lld from %g", name, all[i].layer, (long long)f.size[axis],
                         (long long)f.stride[axis], f.offset[axis]);
    }
    linnet_model_free(&model);
}
#define FIELDS(name, options, ...)                                                                                     \
    assert_fields(name, options, (const expected[]){__VA_ARGS__},                                                      \
                  sizeof((const expected[]){__VA_ARGS__}) / sizeof(expected))

/* By hand: size += (kernel - 1) stride, stride *= layer's stride, offset += ((kernel - 1) / 2 - padding) stride. */
static void known_networks(void **state)
{
    (void)state;
    FIELDS("lenet5", NULL, {"conv1", 5, 1, 0}, {"max_pool2d1", 6, 2, 0.5}, {"conv2", 14, 2, 4.5},
           {"max_pool2d2", 16, 4, 5.5}, {"fc1", 28, 0, 13.5}, {"fc3", 28, 0, 13.5});
    FIELDS("mlp", NULL, {"flatten1", 28, 0, 13.5}, {"fc1", 28, 0, 13.5});
    FIELDS("vgg19", NULL, {"conv1_1", 3, 1, 0}, {"relu1_2", 5, 1, 0}, {"pool1", 6, 2, 0.5}, {"conv2_2", 14, 2, 0.5},
           {"pool2", 16, 4, 1.5}, {"conv3_4", 48, 4, 1.5}, {"pool3", 52, 8, 3.5}, {"conv4_4", 116, 8, 3.5},
           {"pool4", 124, 16, 7.5}, {"conv5_4", 252, 16, 7.5}, {"pool5", 268, 32, 15.5});
    FIELDS("squeezenet1_1", NULL, {"conv1", 3, 2, 1}, {"pool1", 7, 4, 3}, {"fire2.expand1x1", 7, 4, 3},
           {"fire2", 15, 4, 3}, {"fire3", 23, 4, 3}, {"pool3", 31, 8, 7}, {"fire5", 63, 8, 7}, {"pool5", 79, 16, 15},
           {"fire9", 207, 16, 15}, {"conv10", 207, 16, 15},
           {"pool10", 223, 0, 111}); /* conv1 leaves the last row out */
    const linnet_model_options odd = {
        .struct_size = sizeof odd, .channels = 3, .height = LINNET_FREE, .width = LINNET_FREE};
    FIELDS("vgg19", &odd, {"conv5_4", 252, 16, 7.5});
    FIELDS("squeezenet1_1", &odd, {"fire9", 207, 16, 15}, {"pool10", LINNET_FREE, 0, 0});
}

static void what_has_none(void **state)
{
    (void)state;
    linnet_field field;
    linnet_net *net = linnet_net_new(NULL);
    linnet_value vector = linnet_input(net, "vector", 4), image = linnet_input(net, "image", 1, 9, 7);
    linnet_value y = linnet_relu(net, vector);
    assert_fails(linnet_receptive_field(net, y, &field), LINNET_NOT_FOUND, "'relu1' depends on no picture");
    assert_fails(linnet_receptive_field(net, (linnet_value){77}, &field), LINNET_INVALID, "a value of this net");
    assert_ok(linnet_receptive_field(net, image, &field));
    assert_true(field.size[0] == 1 && field.stride[1] == 1 && field.offset[0] == 0);
    /* The first rows of a softmax over the height look at all of them, but only at their own column. */
    assert_ok(linnet_receptive_field(net, linnet_softmax(net, image, 2), &field));
    assert_true(field.size[0] == 9 && field.stride[0] == 0 && field.size[1] == 1 && field.stride[1] == 1);
    linnet_value huge = image;
    for (int i = 0; i < 3; i++)
        huge = linnet_conv2d(net, huge, .out_channels = 1, .kernel = 1 << 19, .padding = 1 << 19, .stride = 1 << 19);
    assert_fails(linnet_receptive_field(net, huge, &field), LINNET_LIMIT, "2^53");
    linnet_net_free(&net);
}

/* ---- Brute force ---- */

enum { SIDE = 19, PIXELS = SIDE * SIDE };

/* Filters of ones, no bias: whatever a pixel can reach becomes positive when that pixel alone is. */
static void set_ones(linnet_session *session)
{
    const char *name;
    linnet_tensor shape;
    for (size_t i = 0; linnet_session_variable(session, i, &name, &shape) == LINNET_OK; i++) {
        size_t count = (size_t)linnet_tensor_count(&shape);
        float *data = calloc(count, sizeof *data);
        bool ones = strstr(name, "weight") || strstr(name, "running_var");
        assert_non_null(data);
        for (size_t k = 0; k < count; k++)
            data[k] = ones ? 1 : 0;
        assert_ok(linnet_session_set(session, name, data, count * sizeof *data));
        free(data);
    }
}

/* Of unit (y, x): the box around the pixels that reach it, as first and last row, first and last column. */
static bool box_of(const float *maps, int64_t channels, int64_t height, int64_t width, int64_t y, int64_t x,
                   int64_t box[4])
{
    int64_t places = height * width;
    box[0] = box[2] = SIDE;
    box[1] = box[3] = -1;
    for (int64_t pixel = 0; pixel < PIXELS; pixel++)
        for (int64_t c = 0; c < channels; c++) {
            if (!(maps[(pixel * channels + c) * places + y * width + x] > 0))
                continue;
            int64_t at[2] = {pixel / SIDE, pixel % SIDE};
            for (int axis = 0; axis < 2; axis++) {
                box[2 * axis] = at[axis] < box[2 * axis] ? at[axis] : box[2 * axis];
                box[2 * axis + 1] = at[axis] > box[2 * axis + 1] ? at[axis] : box[2 * axis + 1];
            }
        }
    return box[1] >= 0;
}

/* Units whose field lies inside the picture, and those that see all there is: exactly. At the border the field may
   reach over pixels that no window covers. */
static void compare_unit(const char *text, const char *layer, const linnet_field *f, const int64_t unit[2],
                         const int64_t box[4])
{
    for (int axis = 0; axis < 2; axis++) {
        double centre = f->offset[axis] + (double)(unit[axis] * f->stride[axis]);
        int64_t first = (int64_t)floor(centre - (double)(f->size[axis] - 1) / 2), last = first + f->size[axis] - 1;
        bool inside = first >= 0 && last < SIDE;
        if (inside ? first != box[2 * axis] || last != box[2 * axis + 1]
                   : first > box[2 * axis] || last < box[2 * axis + 1])
            fail_msg("'%s', %s, unit %lld,%lld, axis %d: %lld to %lld, but pixels %lld to %lld reach it", text, layer,
                     (long long)unit[0], (long long)unit[1], axis, (long long)first, (long long)last,
                     (long long)box[2 * axis], (long long)box[2 * axis + 1]);
    }
}

static int compare_layer(const char *text, linnet_session *session, const linnet_node_info *info)
{
    linnet_tensor shape;
    linnet_field field;
    int compared = 0;
    assert_ok(linnet_session_shape(session, info->output, &shape));
    assert_ok(linnet_receptive_field(linnet_session_net(session), info->output, &field));
    int64_t height = shape.rank == 4 ? shape.dims[2] : 1, width = shape.rank == 4 ? shape.dims[3] : 1;
    size_t bytes = (size_t)linnet_tensor_bytes(&shape);
    float *maps = malloc(bytes);
    assert_non_null(maps);
    assert_ok(linnet_session_read(session, info->output, maps, bytes));
    for (int64_t y = 0; y < height; y++)
        for (int64_t x = 0; x < width; x++) {
            int64_t box[4], unit[2] = {y, x};
            if (!box_of(maps, shape.dims[1], height, width, y, x, box))
                continue; /* nothing but padding */
            compare_unit(text, info->name, &field, unit, box);
            compared++;
        }
    free(maps);
    return compared;
}

static int compare_net(const char *text)
{
    linnet_model model;
    linnet_model_options options = {.struct_size = sizeof options, .channels = 1, .height = SIDE, .width = SIDE};
    linnet_batch batch = {0};
    linnet_node_info info;
    int compared = 0;
    assert_ok(linnet_model_new(NULL, text, &options, &model));
    linnet_device *device = linnet_device_open(NULL, "cpu");
    assert_non_null(device);
    linnet_session *session = linnet_session_new(model.net, device);
    assert_non_null(session);
    set_ones(session);
    size_t nodes = linnet_net_node_count(model.net);
    for (size_t i = 0; linnet_net_node(model.net, i, &info) == LINNET_OK && i < nodes; i++)
        assert_ok(linnet_session_keep(session, info.output));
    float *pixels = calloc((size_t)PIXELS * PIXELS, sizeof *pixels); /* one picture a pixel */
    assert_non_null(pixels);
    for (size_t i = 0; i < PIXELS; i++)
        pixels[i * PIXELS + i] = 1;
    FEED(&batch, "image", pixels, PIXELS, 1, SIDE, SIDE);
    assert_ok(linnet_forward(session, &batch));
    for (size_t i = 0; linnet_net_node(model.net, i, &info) == LINNET_OK && i < nodes; i++)
        if (strcmp(info.kind, "cross_entropy") != 0)
            compared += compare_layer(text, session, &info);
    free(pixels);
    linnet_session_free(&session);
    linnet_device_close(&device);
    linnet_model_free(&model);
    return compared;
}

static uint64_t drawn;

static int draw(uint64_t seed, int below)
{
    return (int)(linnet_philox_uniform(seed, 5, 0, drawn++) * (float)below);
}

/* One statement that fits into maps of any size from 5 on. */
static void add_statement(uint64_t seed, char *text)
{
    char *end = text + strlen(text);
    int kernel = 1 + draw(seed, 4), padding = draw(seed, kernel), stride = 1 + draw(seed, 2);
    switch (draw(seed, 7)) {
    case 0:
    case 1:
        sprintf(end, "conv 2 k%dx%d s%d p%d; ", kernel, kernel > 1 ? kernel - 1 : 2, stride,
                kernel > 1 ? padding / 2 : 0);
        break;
    case 2:
        sprintf(end, "maxpool %d s%d p%d; ", kernel, stride, padding);
        break;
    case 3:
        sprintf(end, "avgpool k%dx%d s1x%d; ", 1 + draw(seed, 3), kernel, stride);
        break;
    case 4:
        sprintf(end, "fire 1 1; ");
        break;
    case 5:
        sprintf(end, "pad %d %d 0 1; relu; ", draw(seed, 2), draw(seed, 3));
        break;
    default:
        sprintf(end, "local 2 k2 s%d; ", stride);
    }
}

static void brute_force(void **state)
{
    (void)state;
    int compared = 0;
    compared += compare_net("conv 1 k3 p1; maxpool 2; conv 2 k3; maxpool 3 s2 p1; linear 3");
    compared += compare_net("residual 2; residual 2 s2; globalpool");
    compared += compare_net("conv 1 k3 d2 p2; conv 1 k2 s2; conv 1 k2 d3");
    for (uint64_t seed = 1; seed <= 25; seed++) {
        char text[300] = "";
        linnet_model model;
        linnet_model_options options = {.struct_size = sizeof options, .channels = 1, .height = SIDE, .width = SIDE};
        drawn = 0;
        for (int i = 0; i < 4; i++)
            add_statement(seed, text);
        if (linnet_model_new(NULL, text, &options, &model) != LINNET_OK)
            continue;
        linnet_model_free(&model);
        compared += compare_net(text);
    }
    if (compared < 8000)
        fail_msg("only %d units were compared", compared);
}

/* A path that keeps no step with the other: what they see together is everything that either sees. */
static void paths_out_of_step(void **state)
{
    (void)state;
    linnet_field f;
    linnet_net *net = linnet_net_new(NULL);
    linnet_value x = linnet_input(net, "image", 1, 16, 16);
    linnet_value fine = linnet_conv2d(net, x, .out_channels = 1, .kernel = 9);                /* 8x8, every pixel */
    linnet_value coarse = linnet_conv2d(net, x, .out_channels = 1, .kernel = 2, .stride = 2); /* 8x8, every second */
    assert_ok(linnet_receptive_field(net, linnet_add(net, fine, coarse), &f));
    assert_true(f.size[0] == 16 && f.stride[0] == 0 && f.offset[0] == 7.5);
    linnet_value wide = linnet_conv2d(net, x, .out_channels = 1, .kernel = 5, .padding = 2);
    linnet_value shifted = linnet_conv2d(net, x, .out_channels = 1, .kernel = 2, .padding_top = 1, .padding_right = 1);
    assert_ok(linnet_receptive_field(net, linnet_add(net, wide, shifted), &f));
    assert_true(f.size[0] == 5 && f.stride[0] == 1 && f.offset[0] == 0);
    linnet_value far = linnet_pad2d(net, x, .padding_top = 3);
    assert_ok(linnet_receptive_field(net, far, &f));
    assert_true(f.size[0] == 1 && f.offset[0] == -3 && f.offset[1] == 0);
    linnet_net_free(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_networks),
        cmocka_unit_test(what_has_none),
        cmocka_unit_test(paths_out_of_step),
        cmocka_unit_test(brute_force),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
