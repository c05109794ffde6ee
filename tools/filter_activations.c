/* SPDX-License-Identifier: Apache-2.0 */
/* Activation functions and their derivatives, as the layers compute them: forward, then backward from ones. */
#include "filter.h"
#include "json_lines.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>

enum { POINTS = 241, FUNCTIONS = 6 };
#define REACH 4.0f /* x from -REACH to REACH */

typedef struct activation {
    const char *name, *formula;
    float y[POINTS], slope[POINTS];
} activation;

typedef struct activations {
    float x[POINTS];
    activation functions[FUNCTIONS];
} activations;

static void name_functions(activations *a)
{
    static const char *const texts[FUNCTIONS][2] = {
        {"none", "x: layers in a row stay one layer"},
        {"relu", "max(x, 0)"},
        {"leaky_relu", "x, or 0.1 x below 0"},
        {"clip", "min(max(x, -1), 1)"},
        {"tanh", "tanh(x)"},
        {"sigmoid", "1 / (1 + exp(-x))"},
    };
    for (int i = 0; i < FUNCTIONS; i++) {
        a->functions[i].name = texts[i][0];
        a->functions[i].formula = texts[i][1];
    }
    for (int i = 0; i < POINTS; i++)
        a->x[i] = REACH * (2.0f * (float)i / (POINTS - 1) - 1.0f);
}

static void build(linnet_net *net, linnet_value x, linnet_value y[FUNCTIONS])
{
    y[0] = linnet_scale(net, x, 1, 0);
    y[1] = linnet_relu(net, x);
    y[2] = linnet_leaky_relu(net, x, 0.1f);
    y[3] = linnet_clip(net, x, -1, 1);
    y[4] = linnet_tanh(net, x);
    y[5] = linnet_sigmoid(net, x);
}

/* Every point is an item of the batch. */
static linnet_status run(linnet_session *session, linnet_value x, const linnet_value y[FUNCTIONS], activations *a)
{
    float ones[POINTS];
    linnet_batch batch = {.struct_size = sizeof batch, .feed_count = 1, .size = POINTS};
    batch.feeds[0] =
        (linnet_feed){.name = "x", .tensor = {.type = LINNET_F32, .rank = 2, .dims = {POINTS, 1}, .data = a->x}};
    for (int i = 0; i < POINTS; i++)
        ones[i] = 1;
    linnet_session_set_gradients(session, 1);
    linnet_status status = linnet_session_want_gradient(session, x);
    for (int f = 0; status == LINNET_OK && f < FUNCTIONS; f++)
        status = linnet_session_add_loss(session, y[f]);
    if (status == LINNET_OK)
        status = linnet_forward(session, &batch);
    for (int f = 0; status == LINNET_OK && f < FUNCTIONS; f++) {
        activation *function = &a->functions[f];
        status = linnet_session_read(session, y[f], function->y, sizeof function->y);
        if (status == LINNET_OK)
            status = linnet_backward_from(session, y[f], ones, sizeof ones);
        if (status == LINNET_OK)
            status = linnet_session_read_gradient(session, x, function->slope, sizeof function->slope);
    }
    return status;
}

static int compute(linnet_device *device, activations *a)
{
    linnet_net *net = linnet_net_new(NULL);
    if (!net)
        return cli_check_last();
    linnet_value x = linnet_input(net, "x", 1), y[FUNCTIONS];
    build(net, x, y);
    linnet_session *session = linnet_session_new(net, device);
    linnet_status status = session ? run(session, x, y, a) : linnet_context_last_status(NULL);
    linnet_session_free(&session);
    linnet_net_free(&net);
    return cli_check(status);
}

/* ---- As text: a few points of each ---- */

static void print_json(const activations *a, const activation *f)
{
    json_t *line = json_object(), *x = json_array(), *y = json_array(), *slope = json_array();
    for (int i = 0; i < POINTS; i++) {
        json_array_append_new(x, json_real((double)a->x[i]));
        json_array_append_new(y, json_real((double)f->y[i]));
        json_array_append_new(slope, json_real((double)f->slope[i]));
    }
    json_text(line, "activation", f->name);
    json_object_set_new(line, "x", x);
    json_object_set_new(line, "y", y);
    json_object_set_new(line, "slope", slope);
    json_line(line);
}

static void print(const activations *a, const activation *f)
{
    if (cli_common_options.json) {
        print_json(a, f);
        return;
    }
    printf("%s: %s\n  x     ", f->name, f->formula);
    for (int i = 0; i < POINTS; i += 30)
        printf(" %9.3g", (double)a->x[i]);
    printf("\n  y     ");
    for (int i = 0; i < POINTS; i += 30)
        printf(" %9.3g", (double)f->y[i]);
    printf("\n  slope ");
    for (int i = 0; i < POINTS; i += 30)
        printf(" %9.3g", (double)f->slope[i]);
    printf("\n\n");
}

/* ---- As a picture ---- */

/* A panel shows x from LEFT to RIGHT and y from BOTTOM to TOP, UNIT pixels each. */
enum { UNIT = 36, LEFT = -4, RIGHT = 4, BOTTOM = -2, TOP = 3 };
enum { WIDTH = (RIGHT - LEFT) * UNIT, HEIGHT = (TOP - BOTTOM) * UNIT };
enum { COLUMNS = 3, MARGIN = 24, TITLE = 56, HEADING = 34, PITCH_X = WIDTH + 48, PITCH_Y = HEADING + HEIGHT + 52 };
#define AXIS       0x9AA0A6u
#define GRID       0xECEFF1u
#define INK        0x202020u
#define VALUE_MARK 0x1864ABu
#define SLOPE_MARK 0xD9480Fu
#define BACKGROUND 0xFFFFFFu

static void draw_number(linnet_image *image, int x, int y, int number)
{
    char text[16];
    snprintf(text, sizeof text, "%d", number);
    linnet_image_text(image, x, y, 1, INK, text);
}

static void draw_axes(linnet_image *image, int left, int top)
{
    for (int x = LEFT; x <= RIGHT; x++) {
        linnet_image_fill(image, left + (x - LEFT) * UNIT, top, 1, HEIGHT + 1, x ? GRID : AXIS);
        draw_number(image, left + (x - LEFT) * UNIT - (x < 0 ? 8 : 2), top + HEIGHT + 6, x);
    }
    for (int y = BOTTOM; y <= TOP; y++) {
        linnet_image_fill(image, left, top + (TOP - y) * UNIT, WIDTH + 1, 1, y ? GRID : AXIS);
        draw_number(image, left - (y < 0 ? 14 : 8), top + (TOP - y) * UNIT - 3, y);
    }
    linnet_image_fill(image, left - LEFT * UNIT, top, 1, HEIGHT + 1, AXIS);
}

/* y in pixels below the top of the panel. */
static int row_of(float y)
{
    return (int)lrintf((TOP - y) * UNIT);
}

/* What leaves the panel is left out. */
static void draw_curve(linnet_image *image, int left, int top, const float *y, uint32_t colour)
{
    for (int i = 1; i < POINTS; i++) {
        int from = left + (i - 1) * WIDTH / (POINTS - 1), to = left + i * WIDTH / (POINTS - 1);
        if (fmaxf(y[i], y[i - 1]) > TOP || fminf(y[i], y[i - 1]) < BOTTOM)
            continue;
        for (int thick = -1; thick <= 1; thick++)
            linnet_image_line(image, from, top + row_of(y[i - 1]) + thick, to, top + row_of(y[i]) + thick, colour);
    }
}

static void draw_panel(linnet_image *image, int index, const activation *f)
{
    int left = MARGIN + index % COLUMNS * PITCH_X, top = TITLE + index / COLUMNS * PITCH_Y;
    linnet_image_text(image, left, top, 2, INK, f->name);
    linnet_image_text(image, left, top + 20, 1, INK, f->formula);
    draw_axes(image, left, top + HEADING);
    draw_curve(image, left, top + HEADING, f->slope, SLOPE_MARK);
    draw_curve(image, left, top + HEADING, f->y, VALUE_MARK);
}

static void draw_legend(linnet_image *image)
{
    linnet_image_fill(image, MARGIN, MARGIN + 4, 28, 4, VALUE_MARK);
    linnet_image_text(image, MARGIN + 36, MARGIN, 2, INK, "value");
    linnet_image_fill(image, MARGIN + 140, MARGIN + 4, 28, 4, SLOPE_MARK);
    linnet_image_text(image, MARGIN + 176, MARGIN, 2, INK, "derivative");
}

static int draw(const activations *a, const char *output)
{
    linnet_image *image = linnet_image_new(NULL, 2 * MARGIN + COLUMNS * PITCH_X - 40, TITLE + 2 * PITCH_Y, 3);
    if (!image)
        return cli_check_last();
    linnet_image_fill(image, 0, 0, image->width, image->height, BACKGROUND);
    draw_legend(image);
    for (int i = 0; i < FUNCTIONS; i++)
        draw_panel(image, i, &a->functions[i]);
    linnet_status status = linnet_image_write(NULL, image, output);
    linnet_image_free(&image);
    return cli_check(status);
}

int filter_demo_activations(linnet_device *device, const char *output)
{
    activations a;
    name_functions(&a);
    int code = compute(device, &a);
    for (int i = 0; code == EXIT_GO_ON && i < FUNCTIONS; i++)
        print(&a, &a.functions[i]);
    return code == EXIT_GO_ON && output ? draw(&a, output) : code;
}
