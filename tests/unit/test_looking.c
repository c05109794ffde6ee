/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that looks inside a network is refused memory at every single allocation: it says so, leaves nothing
   behind, and works as before once there is some. */
#include "sessions.h"

#include "core/core.h"

#define SIDE 8

typedef struct subject {
    linnet_model model;
    linnet_session *session;
    linnet_value layer;
    linnet_tensor picture;
    linnet_dataset *data;
    float pixels[2 * SIDE * SIDE];
    int32_t labels[2];
} subject;

static void subject_make(subject *s, linnet_device *device)
{
    linnet_model *m = &s->model;
    memset(s, 0, sizeof *s);
    m->net = linnet_net_new(NULL);
    m->image = linnet_input(m->net, "image", 1, SIDE, SIDE);
    linnet_value x = linnet_conv2d(m->net, m->image, .name = "conv", .out_channels = 3, .kernel = 3, .padding = 1);
    s->layer = linnet_relu(m->net, x);
    m->logits = linnet_linear(m->net, linnet_max_pool2d(m->net, s->layer, .kernel = 2), .out_features = 4);
    s->session = linnet_session_new(m->net, device);
    assert_non_null(s->session);
    fill_random(s->pixels, 2 * SIDE * SIDE, 2, 2);
    s->picture = (linnet_tensor){.type = LINNET_F32, .rank = 3, .dims = {1, SIDE, SIDE}, .data = s->pixels};
    linnet_tensor images = {.type = LINNET_F32, .rank = 4, .dims = {2, 1, SIDE, SIDE}, .data = s->pixels};
    linnet_tensor labels = {.type = LINNET_I32, .rank = 1, .dims = {2}, .data = s->labels};
    s->data = linnet_dataset_from_arrays(NULL, &images, &labels);
    assert_non_null(s->data);
}

static void subject_free(subject *s)
{
    linnet_session_free(&s->session);
    linnet_model_free(&s->model);
    linnet_dataset_free(&s->data);
}

/* ---- One call each; nothing is left over ---- */

static linnet_status free_maps(linnet_status status, linnet_maps *maps)
{
    assert_true((maps->data != NULL) == (status == LINNET_OK));
    linnet_maps_free(maps);
    return status;
}

static linnet_status free_image(linnet_image *image)
{
    linnet_status status = image ? LINNET_OK : linnet_context_last_status(NULL);
    linnet_image_free(&image);
    return status;
}

static linnet_status activations(subject *s)
{
    linnet_maps maps[2] = {{.data = NULL}, {.data = NULL}};
    const linnet_value layers[2] = {s->layer, s->model.logits};
    linnet_status status = linnet_activations_read(s->session, &s->model, &s->picture, layers, 2, maps);
    linnet_maps_free(&maps[1]);
    return free_maps(status, &maps[0]);
}

static linnet_status saliency(subject *s)
{
    linnet_attribution a;
    linnet_status status = linnet_saliency_map(s->session, &s->model, &s->picture, 1, &a);
    return free_maps(status, &a.map);
}

static linnet_status grad_cam(subject *s)
{
    linnet_attribution a;
    linnet_status status = linnet_grad_cam_map(s->session, &s->model, &s->picture, s->layer, 1, &a);
    return free_maps(status, &a.map);
}

static linnet_status effective(subject *s)
{
    linnet_effective e;
    linnet_status status = linnet_effective_field(s->session, &s->model, &s->picture, s->layer, &e);
    return free_maps(status, &e.map);
}

static linnet_status maximise(subject *s)
{
    linnet_maps picture;
    float value;
    linnet_status status = linnet_unit_maximise(s->session, &s->model, s->layer, 2, &picture, &value, .steps = 2);
    return free_maps(status, &picture);
}

static linnet_status exciting(subject *s)
{
    linnet_excitation list[2];
    const int64_t unit = 1;
    return linnet_exciting_find(s->session, &s->model, s->layer, &unit, 1, s->data, 2, list);
}

static linnet_status shifts(subject *s)
{
    linnet_shift_report report;
    linnet_status status = linnet_shift_measure(s->session, &s->model, &s->picture, &s->layer, 1, &report, .steps = 2);
    assert_true((report.layers != NULL) == (status == LINNET_OK));
    linnet_shift_report_free(&report);
    return status;
}

static linnet_status strip(subject *s)
{
    return free_image(linnet_strip_draw(s->session, &s->model, &s->picture));
}

static linnet_status tiles(subject *s)
{
    const linnet_maps maps = {.channels = 2, .height = SIDE, .width = SIDE, .data = s->pixels};
    return free_image(linnet_maps_draw(NULL, &maps, .title = "two", .strongest = 1));
}

static linnet_status overlay(subject *s)
{
    const linnet_maps map = {.channels = 1, .height = SIDE, .width = SIDE, .data = s->pixels};
    return free_image(linnet_overlay_draw(NULL, &s->picture, &map));
}

/* ---- Every allocation of each ---- */

static float score_of(subject *s)
{
    linnet_maps scores;
    assert_ok(linnet_activations_read(s->session, &s->model, &s->picture, &s->model.logits, 1, &scores));
    float score = scores.data[0];
    linnet_maps_free(&scores);
    return score;
}

static void walk(linnet_device *device, const char *what, linnet_status (*look)(subject *))
{
    subject s;
    subject_make(&s, device);
    float score = score_of(&s);
    linnet_status status = LINNET_OUT_OF_MEMORY;
    int64_t allocation = 0;
    for (; status != LINNET_OK; allocation++) {
        linnet_context_clear(NULL);
        linnet_memory_fail_after(allocation);
        status = look(&s);
        linnet_memory_fail_after(-1);
        if (status != LINNET_OK && status != LINNET_OUT_OF_MEMORY)
            fail_msg("%s, allocation %lld: %s: '%s'", what, (long long)allocation, linnet_status_name(status),
                     linnet_context_message(NULL));
        if (status != LINNET_OK)
            assert_true(*linnet_context_message(NULL) != 0);
    }
    assert_true(allocation > 1);
    assert_true(score_of(&s) == score);
    subject_free(&s);
}

static void looking_runs_out_of_memory(void **state)
{
    static const struct {
        const char *name;
        linnet_status (*look)(subject *);
    } all[] = {{"activations", activations}, {"saliency", saliency}, {"grad_cam", grad_cam},
               {"effective", effective},     {"maximise", maximise}, {"exciting", exciting},
               {"shifts", shifts},           {"strip", strip},       {"tiles", tiles},
               {"overlay", overlay}};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        walk(*state, all[i].name, all[i].look);
}

int main(int argc, char **argv)
{
    static const device_test tests[] = {DEVICE_TEST(looking_runs_out_of_memory)};
    return run_on_devices("looking", tests, sizeof tests / sizeof tests[0], argc, argv);
}
