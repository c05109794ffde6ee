/* SPDX-License-Identifier: Apache-2.0 */
/* Weights as pictures: in which order they come, what is refused, what is drawn where. */
#include "sessions.h"

#include "linnet/colour.h"
#include "linnet/filter_tiles.h"

enum { MOST = 4096 };

static float numbers[MOST];

/* A session whose parameter's weights are 1, 2, 3, ... */
static linnet_session *numbered(linnet_net *net, const char *parameter, size_t count)
{
    linnet_device *device = linnet_device_open(NULL, "reference");
    linnet_session *session = linnet_session_new(net, device);
    linnet_device_close(&device);
    assert_non_null(session);
    assert_true(count <= MOST);
    for (size_t i = 0; i < count; i++)
        numbers[i] = (float)(i + 1);
    assert_ok(linnet_session_set(session, parameter, numbers, count * sizeof(float)));
    return session;
}

static void assert_shape(const linnet_filters *f, int64_t count, int64_t total, int64_t channels, int64_t height,
                         int64_t width)
{
    assert_int_equal(f->count, count);
    assert_int_equal(f->total, total);
    assert_int_equal(f->channels, channels);
    assert_int_equal(f->height, height);
    assert_int_equal(f->width, width);
}

static void convolutions_of_pictures(void **state)
{
    (void)state;
    for (int64_t channels = 1; channels <= 3; channels += 2) {
        linnet_net *net = linnet_net_new(NULL);
        linnet_value x = linnet_input(net, "image", channels, 8, 8);
        x = linnet_conv2d(net, x, .name = "conv1", .out_channels = 4, .kernel_h = 3, .kernel_w = 2);
        linnet_output(net, linnet_relu(net, x), "y");
        linnet_session *session = numbered(net, "conv1.weight", (size_t)(4 * channels * 6));
        linnet_filters f;
        assert_ok(linnet_filters_read(session, NULL, 0, &f));
        assert_string_equal(f.layer, "conv1");
        assert_shape(&f, 4, 4, channels, 3, 2);
        assert_int_equal(f.columns, 0);
        assert_memory_equal(f.values, numbers, (size_t)(4 * channels * 6) * sizeof(float));
        assert_true(linnet_filters_range(&f) == (float)(4 * channels * 6));
        linnet_filters_free(&f);
        assert_ok(linnet_filters_read(session, "conv1", 3, &f));
        assert_shape(&f, 3, 4, channels, 3, 2);
        linnet_filters_free(&f);
        linnet_session_free(&session);
        linnet_net_free(&net);
    }
}

/* [O,C,KH,KW] of many channels: a tile is (o, c), row o, column c. */
static void convolutions_of_maps(void **state)
{
    (void)state;
    linnet_net *net = linnet_net_new(NULL);
    linnet_value x = linnet_input(net, "image", 20, 5, 5);
    linnet_output(net, linnet_conv2d(net, x, .name = "conv", .out_channels = 3, .kernel = 2), "y");
    linnet_session *session = numbered(net, "conv.weight", 3 * 20 * 4);
    linnet_filters f;
    assert_ok(linnet_filters_read(session, NULL, 0, &f));
    assert_shape(&f, 3 * 16, 3 * 20, 1, 2, 2);
    assert_int_equal(f.columns, 16);
    for (int i = 0; i < f.count; i++)
        for (int j = 0; j < 4; j++)
            assert_true(f.values[4 * i + j] == (float)(((i / 16) * 20 + i % 16) * 4 + j + 1));
    linnet_filters_free(&f);
    linnet_session_free(&session);
    linnet_net_free(&net);
}

/* weight [OH,OW,O,C,KH,KW]: filter o of place (y, x) lies there in picture o. */
static void unshared_filters(void **state)
{
    (void)state;
    enum { OH = 2, OW = 3, O = 2, K = 2 };
    linnet_net *net = linnet_net_new(NULL);
    linnet_value x = linnet_input(net, "image", 1, 3, 4);
    linnet_output(net, linnet_local_conv2d(net, x, .name = "local", .out_channels = O, .kernel = K), "y");
    linnet_session *session = numbered(net, "local.weight", OH * OW * O * K * K);
    linnet_filters f;
    assert_ok(linnet_filters_read(session, NULL, 0, &f));
    assert_shape(&f, O, O, 1, OH * K, OW * K);
    assert_int_equal(f.cell_height, K);
    assert_int_equal(f.cell_width, K);
    for (int o = 0; o < O; o++)
        for (int y = 0; y < OH * K; y++)
            for (int column = 0; column < OW * K; column++) {
                int place = y / K * OW + column / K, within = y % K * K + column % K;
                assert_true(f.values[(o * OH * K + y) * OW * K + column] ==
                            (float)((place * O + o) * K * K + within + 1));
            }
    /* Drawn with a line between the filters: 3 * 2 + 2 by 2 * 2 + 1, and two pixels around each tile. */
    linnet_image *image = linnet_filters_draw(NULL, &f, .bare = 1, .scale = 1, .columns = 2);
    assert_non_null(image);
    assert_int_equal(image->width, 2 * (8 + 2) + 2);
    assert_int_equal(image->height, 5 + 4);
    linnet_image_free(&image);
    linnet_filters_free(&f);
    linnet_session_free(&session);
    linnet_net_free(&net);
}

static void rows_of_matrices(void **state)
{
    (void)state;
    linnet_net *net = linnet_net_new(NULL);
    linnet_value x = linnet_input(net, "image", 1, 3, 4);
    x = linnet_linear(net, linnet_flatten(net, x), .name = "first", .out_features = 5);
    linnet_output(net, linnet_linear(net, linnet_relu(net, x), .name = "second", .out_features = 2), "y");
    linnet_session *session = numbered(net, "first.weight", 5 * 12);
    linnet_filters f;
    assert_ok(linnet_filters_read(session, NULL, 0, &f));
    assert_string_equal(f.layer, "first");
    assert_shape(&f, 5, 5, 1, 3, 4); /* templates in the picture's shape */
    assert_memory_equal(f.values, numbers, 60 * sizeof(float));
    linnet_filters_free(&f);
    assert_ok(linnet_session_set(session, "second.weight", numbers, 10 * sizeof(float)));
    assert_ok(linnet_filters_read(session, "second", 0, &f));
    assert_shape(&f, 1, 1, 1, 2, 5); /* the matrix */
    assert_memory_equal(f.values, numbers, 10 * sizeof(float));
    linnet_filters_free(&f);
    linnet_session_free(&session);
    linnet_net_free(&net);
}

static uint32_t colour_at(const linnet_image *image, int x, int y)
{
    const uint8_t *p = image->pixels + 3 * (y * image->width + x);
    return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

static void colours(void **state)
{
    (void)state;
    float values[] = {-2, 0, 2, 4}, rgb[] = {-1, 0, 1, 0, 0, 1};
    linnet_filters f = {
        .count = 2, .total = 2, .channels = 1, .height = 1, .width = 2, .cell_height = 1, .cell_width = 2};
    f.values = values;
    linnet_image *image = linnet_filters_draw(NULL, &f, .bare = 1, .scale = 3, .columns = 2, .range = 2);
    assert_non_null(image);
    assert_int_equal(image->width, 2 + 6 + 2 + 6 + 2);
    assert_int_equal(image->height, 2 + 3 + 2);
    linnet_image *wanted = linnet_image_from_map(NULL, values, 1, 4, -2, 2, LINNET_COLOUR_DIVERGING);
    assert_non_null(wanted);
    assert_int_equal(colour_at(image, 2, 2), colour_at(wanted, 0, 0));
    assert_int_equal(colour_at(image, 7, 4), colour_at(wanted, 1, 0));
    assert_int_equal(colour_at(image, 8, 3), 0xFFFFFF);
    assert_int_equal(colour_at(image, 10, 3), colour_at(wanted, 2, 0));
    assert_int_equal(colour_at(image, 15, 3), colour_at(wanted, 2, 0)); /* beyond the range */
    linnet_image_free(&wanted);
    linnet_image_free(&image);
    f = (linnet_filters){
        .count = 1, .total = 1, .channels = 3, .height = 1, .width = 2, .cell_height = 1, .cell_width = 2};
    f.values = rgb; /* red -1 0, green 1 0, blue 0 1 */
    image = linnet_filters_draw(NULL, &f, .bare = 1, .scale = 1);
    assert_int_equal(colour_at(image, 2, 2), 0x00FF80);
    assert_int_equal(colour_at(image, 3, 2), 0x8080FF);
    linnet_image_free(&image);
    image = linnet_filters_draw(NULL, &f, .title = "two weights");
    assert_non_null(image);
    linnet_image_free(&image);
}

static void what_makes_no_sense(void **state)
{
    (void)state;
    linnet_net *net = linnet_net_new(NULL);
    linnet_value x = linnet_input(net, "image", 1, 8, 8);
    x = linnet_name(net, linnet_relu(net, x), "relu");
    linnet_output(net, x, "y");
    linnet_device *device = linnet_device_open(NULL, "reference");
    linnet_session *session = linnet_session_new(net, device);
    linnet_device_close(&device);
    linnet_filters f;
    assert_fails(linnet_filters_read(session, NULL, 0, &f), LINNET_INVALID, "no layer with filters");
    assert_fails(linnet_filters_read(session, "relu", 0, &f), LINNET_INVALID, "'relu' has no filters");
    assert_fails(linnet_filters_read(session, "conv9", 0, &f), LINNET_NOT_FOUND, "there are: relu");
    assert_fails(linnet_filters_read(session, NULL, -1, &f), LINNET_INVALID, "not negative");
    assert_fails(linnet_filters_read(NULL, NULL, 0, &f), LINNET_INVALID, "session");
    assert_null(linnet_filters_draw(NULL, &f));
    assert_null(linnet_filters_draw(NULL, NULL));
    linnet_filters_free(&f);
    linnet_filters_free(NULL);
    linnet_session_free(&session);
    linnet_net_free(&net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolutions_of_pictures),
        cmocka_unit_test(convolutions_of_maps),
        cmocka_unit_test(unshared_filters),
        cmocka_unit_test(rows_of_matrices),
        cmocka_unit_test(colours),
        cmocka_unit_test(what_makes_no_sense),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
