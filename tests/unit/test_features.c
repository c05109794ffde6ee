/* SPDX-License-Identifier: Apache-2.0 */
/* Activations, the images that excite a unit, and pictures of maps. */
#include "sessions.h"

#include <math.h>

/* conv "c" multiplies by 2 and by -3; then the mean of each channel. */
static linnet_model scaling_model(void)
{
    linnet_model m = {.net = linnet_net_new(NULL)};
    m.image = linnet_input(m.net, "image", 1, 3, 4);
    linnet_value x = linnet_conv2d(m.net, m.image, .name = "c", .out_channels = 2, .kernel = 1, .no_bias = 1);
    m.logits = linnet_flatten(m.net, linnet_global_avg_pool(m.net, x));
    assert_ok(linnet_net_status(m.net));
    return m;
}

static linnet_session *scaling_session(linnet_model *model, linnet_device *device)
{
    static const float weights[2] = {2, -3};
    linnet_session *session = linnet_session_new(model->net, device);
    assert_non_null(session);
    assert_ok(linnet_session_set(session, "c.weight", weights, sizeof weights));
    return session;
}

static void activations_of_two_layers(void **state)
{
    float pixels[12];
    linnet_tensor picture = {.type = LINNET_F32, .rank = 3, .dims = {1, 3, 4}, .data = pixels};
    linnet_model model = scaling_model();
    linnet_session *session = scaling_session(&model, *state);
    linnet_value layers[2] = {{0}, model.logits};
    linnet_maps maps[2];
    for (int i = 0; i < 12; i++)
        pixels[i] = (float)i / 16;
    assert_ok(linnet_net_layer(model.net, "c", &layers[0]));
    assert_ok(linnet_activations_read(session, &model, &picture, layers, 2, maps));
    assert_true(maps[0].channels == 2 && maps[0].height == 3 && maps[0].width == 4);
    assert_true(maps[1].channels == 2 && maps[1].height == 1 && maps[1].width == 1);
    for (int i = 0; i < 12; i++) {
        assert_true(maps[0].data[i] == 2 * pixels[i]);
        assert_true(maps[0].data[12 + i] == -3 * pixels[i]);
    }
    assert_true(fabsf(maps[1].data[1] + 3 * 5.5f / 16) < 1e-6f);
    linnet_maps_free(&maps[0]);
    linnet_maps_free(&maps[1]);
    linnet_maps_free(&maps[1]);
    layers[1] = (linnet_value){999};
    assert_fails(linnet_activations_read(session, &model, &picture, layers, 2, maps), LINNET_INVALID,
                 "not of the session's net");
    linnet_session_free(&session);
    linnet_model_free(&model);
}

/* Seven images, all black but for one pixel: 0.1, 0.7, 0.3, 0.7, 0.9, 0.2, 0 at position n. */
static void exciting_images_in_order(void **state)
{
    static const float bright[7] = {0.1f, 0.7f, 0.3f, 0.7f, 0.9f, 0.2f, 0};
    static const int64_t units[2] = {1, 0}, wrong[1] = {2};
    float images[7 * 12] = {0};
    int32_t labels[7] = {0};
    linnet_tensor x = {.type = LINNET_F32, .rank = 4, .dims = {7, 1, 3, 4}, .data = images};
    linnet_tensor y = {.type = LINNET_I32, .rank = 1, .dims = {7}, .data = labels};
    linnet_model model = scaling_model();
    linnet_session *session = scaling_session(&model, *state);
    linnet_excitation list[2 * 3];
    linnet_value layer;
    for (int n = 0; n < 7; n++)
        images[n * 12 + n] = bright[n];
    linnet_dataset *data = linnet_dataset_from_arrays(NULL, &x, &y);
    assert_non_null(data);
    assert_ok(linnet_net_layer(model.net, "c", &layer));
    assert_ok(linnet_exciting_find(session, &model, layer, units, 2, data, 3, list, .batch = 2));
    for (int i = 0; i < 3; i++) { /* -3 x is 0 everywhere: the first images, their first pixel that is black */
        assert_true(list[i].unit == 1 && list[i].index == i && list[i].value == 0);
        assert_true(list[i].row == 0 && list[i].column == (i == 0));
    }
    static const int64_t best[3] = {4, 1, 3}; /* of equal ones the first comes first */
    for (int i = 0; i < 3; i++) {
        const linnet_excitation *e = &list[3 + i];
        assert_true(e->unit == 0 && e->index == best[i] && e->value == 2 * bright[best[i]]);
        assert_true(e->row * 4 + e->column == best[i]);
    }
    assert_ok(linnet_exciting_find(session, &model, layer, units + 1, 1, data, 3, list, .limit = 2));
    assert_true(list[0].index == 1 && list[1].index == 0 && list[2].index == -1);
    assert_fails(linnet_exciting_find(session, &model, layer, wrong, 1, data, 3, list), LINNET_INVALID,
                 "there is no unit 2");
    linnet_dataset_free(&data);
    linnet_session_free(&session);
    linnet_model_free(&model);
}

static linnet_maps some_maps(int64_t channels, int64_t height, int64_t width, float offset)
{
    linnet_maps maps = {.channels = channels, .height = height, .width = width};
    size_t count = (size_t)(channels * height * width);
    maps.data = malloc(count * sizeof *maps.data);
    assert_non_null(maps.data);
    fill_random(maps.data, count, 9, 9);
    for (size_t i = 0; i < count; i++)
        maps.data[i] += offset;
    return maps;
}

/* Colours of the picture that are no greys: none without a map. */
static bool has_colour(const linnet_image *image, bool blue)
{
    for (int32_t i = 0; i < image->width * image->height; i++) {
        const uint8_t *p = image->pixels + 3 * i;
        if (blue ? p[2] > p[0] + 60 : p[0] > p[2] + 60)
            return true;
    }
    return false;
}

static void maps_become_tiles(void **state)
{
    (void)state;
    linnet_maps signed_maps = some_maps(6, 10, 10, 0), vector = some_maps(40, 1, 1, 2), none = {.channels = 1};
    linnet_image *a = linnet_maps_draw(NULL, &signed_maps, .title = "six maps", .columns = 3);
    linnet_image *one = linnet_maps_draw(NULL, &signed_maps, .limit = 1);
    linnet_image *b = linnet_maps_draw(NULL, &vector);
    assert_true(a && one && b);
    assert_true(a->width >= 3 * 80 && a->height >= 2 * 80 && a->width > one->width && a->height > one->height);
    assert_true(has_colour(a, true) && has_colour(a, false)); /* both signs */
    assert_null(linnet_maps_draw(NULL, &none));
    linnet_image_free(&a);
    linnet_image_free(&one);
    linnet_image_free(&b);
    free(signed_maps.data);
    free(vector.data);
}

static void strip_has_every_layer(void **state)
{
    float pixels[12] = {0.5f, 0.25f, 1};
    static const char *const names[2] = {"cat, a kind of pet", "dog"};
    linnet_tensor picture = {.type = LINNET_F32, .rank = 3, .dims = {1, 3, 4}, .data = pixels};
    linnet_model model = scaling_model();
    linnet_session *session = scaling_session(&model, *state);
    linnet_image *strip =
        linnet_strip_draw(session, &model, &picture, .class_names = names, .class_count = 2, .title = "strip");
    assert_non_null(strip);
    assert_true(strip->width > 84 * 3 + 200 && strip->height > 84 * 3);
    linnet_image_free(&strip);
    picture.dims[0] = 2;
    assert_null(linnet_strip_draw(session, &model, &picture));
    linnet_session_free(&session);
    linnet_model_free(&model);
}

static void overlay_is_grey_where_the_map_is_low(void **state)
{
    (void)state;
    float pixels[16], heat[4] = {0, 0, 0, 1};
    linnet_tensor picture = {.type = LINNET_F32, .rank = 3, .dims = {1, 4, 4}, .data = pixels};
    linnet_maps map = {.channels = 1, .height = 2, .width = 2, .data = heat};
    for (int i = 0; i < 16; i++)
        pixels[i] = 0.4f;
    linnet_image *image = linnet_overlay_draw(NULL, &picture, &map);
    assert_non_null(image);
    const uint8_t *first = image->pixels, *last = image->pixels + 3 * 15;
    assert_true(first[0] == 102 && first[1] == 102 && first[2] == 102);
    for (int c = 0; c < 3; c++) { /* three quarters of the map's last colour, a quarter of the grey */
        int over = (int)(linnet_colour(LINNET_COLOUR_SEQUENTIAL, 1) >> (16 - 8 * c) & 0xFF);
        assert_true(abs((3 * over + 102 + 2) / 4 - last[c]) <= 1);
    }
    linnet_image_free(&image);
    map.channels = 2;
    assert_null(linnet_overlay_draw(NULL, &picture, &map));
}

int main(int argc, char **argv)
{
    static const device_test tests[] = {
        DEVICE_TEST(activations_of_two_layers),
        DEVICE_TEST(exciting_images_in_order),
        DEVICE_TEST(maps_become_tiles),
        DEVICE_TEST(strip_has_every_layer),
        DEVICE_TEST(overlay_is_grey_where_the_map_is_low),
    };
    return run_on_devices("features", tests, sizeof tests / sizeof tests[0], argc, argv);
}
