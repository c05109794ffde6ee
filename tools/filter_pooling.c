/* SPDX-License-Identifier: Apache-2.0 */
/* A single depth slice through maximum and average pooling. */
#include "filter.h"
#include "json_lines.h"
#include "number_grid.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { SIDE = 4, WINDOW = 2, OUT = SIDE / WINDOW, POOLINGS = 2 };

static const float slice[SIDE * SIDE] = {1, 1, 2, 4, 5, 6, 7, 8, 3, 2, 1, 0, 1, 2, 3, 4};
static const char *const names[POOLINGS] = {"max", "average"};

static int compute(linnet_device *device, float out[POOLINGS][OUT * OUT])
{
    linnet_net *net = linnet_net_new(NULL);
    if (!net)
        return cli_check_last();
    linnet_value x = linnet_input(net, "slice", 1, SIDE, SIDE);
    linnet_value y[POOLINGS] = {linnet_max_pool2d(net, x, .kernel = WINDOW),
                                linnet_avg_pool2d(net, x, .kernel = WINDOW)};
    linnet_batch batch = {.struct_size = sizeof batch, .feed_count = 1, .size = 1};
    batch.feeds[0] = (linnet_feed){
        .name = "slice",
        .tensor = {.type = LINNET_F32, .rank = 4, .dims = {1, 1, SIDE, SIDE}, .data = (void *)(uintptr_t)slice}};
    linnet_session *session = linnet_session_new(net, device);
    linnet_status status = session ? linnet_forward(session, &batch) : linnet_context_last_status(NULL);
    for (int i = 0; status == LINNET_OK && i < POOLINGS; i++)
        status = linnet_session_read(session, y[i], out[i], sizeof out[i]);
    linnet_session_free(&session);
    linnet_net_free(&net);
    return cli_check(status);
}

/* "1, 1, 5, 6" */
static const char *window_text(int index, char out[64])
{
    *out = '\0';
    for (int i = 0; i < WINDOW * WINDOW; i++) {
        int y = index / OUT * WINDOW + i / WINDOW, x = index % OUT * WINDOW + i % WINDOW;
        size_t used = strlen(out);
        snprintf(out + used, 64 - used, "%s%.4g", i ? ", " : "", (double)slice[y * SIDE + x]);
    }
    return out;
}

static void print(const char *name, const float *out)
{
    char window[64];
    if (cli_common_options.json) {
        json_t *line = json_object(), *list = json_array();
        for (int i = 0; i < OUT * OUT; i++)
            json_array_append_new(list, json_real((double)out[i]));
        json_text(line, "pooling", name);
        json_object_set_new(line, "out", list);
        json_line(line);
        return;
    }
    printf("%s pooling, %d x %d, stride %d\n", name, WINDOW, WINDOW, WINDOW);
    for (int i = 0; i < OUT * OUT; i++)
        printf("  %s of %s is %.4g\n", name, window_text(i, window), (double)out[i]);
    putchar('\n');
}

/* ---- As a picture: each window has a colour of its own ---- */

enum { CELL = 64, MARGIN = 24, GAP = 120, HEADING = 32, ROW = HEADING + SIDE * CELL + 30 };

static const uint32_t window_marks[OUT * OUT] = {0xC92A2Au, 0x2B8A3Eu, 0x1864ABu, 0xE67700u};

static void draw_arrow(linnet_image *image, int x, int y)
{
    linnet_image_fill(image, x, y - 1, GAP - 40, 3, GRID_TEXT);
    for (int i = 0; i < 9; i++)
        linnet_image_fill(image, x + GAP - 40 + 8 - i, y - i, 1, 2 * i + 1, GRID_TEXT);
}

static void draw_pooling(linnet_image *image, int top, const char *name, const float *out)
{
    char heading[64];
    snprintf(heading, sizeof heading, "%s pooling, %d x %d, stride %d", name, WINDOW, WINDOW, WINDOW);
    linnet_image_text(image, MARGIN, top, 2, GRID_TEXT, heading);
    int y = top + HEADING, right = MARGIN + SIDE * CELL + GAP, below = y + (SIDE - OUT) * CELL / 2;
    number_grid from = {SIDE, SIDE, slice, SIDE * SIDE, GRID_AMOUNT, 12, CELL, {0}, 0};
    number_grid to = {OUT, OUT, out, OUT * OUT, GRID_AMOUNT, 12, CELL, {0}, 0};
    for (int i = 0; i < OUT * OUT; i++) {
        from.mark = to.mark = window_marks[i];
        memcpy(from.marked, (int[4]){i / OUT * WINDOW, i % OUT * WINDOW, WINDOW, WINDOW}, sizeof from.marked);
        memcpy(to.marked, (int[4]){i / OUT, i % OUT, 1, 1}, sizeof to.marked);
        if (i == 0) {
            number_grid_draw(image, MARGIN, y, &from);
            number_grid_draw(image, right, below, &to);
        }
        number_grid_frame(image, MARGIN, y, &from);
        number_grid_frame(image, right, below, &to);
    }
    draw_arrow(image, MARGIN + SIDE * CELL + 20, y + SIDE * CELL / 2);
}

int filter_demo_pooling(linnet_device *device, const char *output)
{
    float out[POOLINGS][OUT * OUT];
    int code = compute(device, out);
    for (int i = 0; code == EXIT_GO_ON && i < POOLINGS; i++)
        print(names[i], out[i]);
    if (code != EXIT_GO_ON || !output)
        return code;
    linnet_image *image = linnet_image_new(NULL, 2 * MARGIN + (SIDE + OUT) * CELL + GAP, MARGIN + POOLINGS * ROW, 3);
    if (!image)
        return cli_check_last();
    linnet_image_fill(image, 0, 0, image->width, image->height, 0xFFFFFFu);
    for (int i = 0; i < POOLINGS; i++)
        draw_pooling(image, MARGIN + i * ROW, i ? "Average" : "Max", out[i]);
    linnet_status status = linnet_image_write(NULL, image, output);
    linnet_image_free(&image);
    return cli_check(status);
}
