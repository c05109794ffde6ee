/* SPDX-License-Identifier: Apache-2.0 */
/* The lecture's convolution, step by step: the window, the products, their sum, the feature map filling up. */
#include "filter.h"
#include "json_lines.h"
#include "number_grid.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 6, KERNEL = 3, MOST = 4, FILTERS = 2 };

static const float binary[SIDE * SIDE] = {1, 0, 0, 0, 0, 1, 0, 1, 0, 0, 1, 0, 0, 0, 1, 1, 0, 0,
                                          1, 0, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0};
static const float filters[FILTERS][KERNEL * KERNEL] = {{1, -1, -1, -1, 1, -1, -1, -1, 1},
                                                        {-1, 1, -1, -1, 1, -1, -1, 1, -1}};

/* One filter with one stride. */
typedef struct slide {
    int filter, stride, side; /* side: of the feature map */
    float map[MOST * MOST];   /* computed by the device */
} slide;

static const float *weights(const slide *s)
{
    return filters[s->filter - 1];
}

static int slide_compute(slide *s, linnet_device *device)
{
    linnet_tensor picture = {.type = LINNET_F32, .rank = 3, .dims = {1, SIDE, SIDE}, .data = (void *)(uintptr_t)binary};
    linnet_kernel *kernel = linnet_kernel_new(NULL, KERNEL, KERNEL, weights(s));
    if (!kernel)
        return cli_check_last();
    linnet_status status =
        linnet_filter_apply(device, &picture, kernel, s->map, .border = LINNET_BORDER_NONE, .stride = s->stride);
    linnet_kernel_free(&kernel);
    s->side = (SIDE - KERNEL) / s->stride + 1;
    return cli_check(status);
}

/* The numbers of one step. */
typedef struct step {
    int row, column; /* of the map; times the stride, the window's in the picture */
    float window[KERNEL * KERNEL], products[KERNEL * KERNEL], sum;
} step;

static step step_of(const slide *s, int index)
{
    step p = {.row = index / s->side, .column = index % s->side};
    for (int i = 0; i < KERNEL * KERNEL; i++) {
        int y = p.row * s->stride + i / KERNEL, x = p.column * s->stride + i % KERNEL;
        p.window[i] = binary[y * SIDE + x];
        p.products[i] = p.window[i] * weights(s)[i] + 0.0f; /* no -0 */
        p.sum += p.products[i];
    }
    return p;
}

/* ---- As text ---- */

static void print_row(const float *row, int count)
{
    for (int i = 0; i < count; i++)
        printf(" %2.0f", (double)row[i]);
}

static void print_step(const slide *s, const step *p)
{
    printf("  window at row %d, column %d\n", p->row * s->stride, p->column * s->stride);
    for (int i = 0; i < KERNEL; i++) {
        printf("    ");
        print_row(p->window + i * KERNEL, KERNEL);
        printf("  %c ", i == 1 ? '*' : ' ');
        print_row(weights(s) + i * KERNEL, KERNEL);
        printf("  %c ", i == 1 ? '=' : ' ');
        print_row(p->products + i * KERNEL, KERNEL);
        if (i == 1)
            printf("   sum %2.0f", (double)p->sum);
        putchar('\n');
    }
}

static void print_slide(const slide *s)
{
    printf("filter %d, stride %d\n", s->filter, s->stride);
    for (int i = 0; i < s->side * s->side; i++) {
        step p = step_of(s, i);
        print_step(s, &p);
    }
    printf("  feature map\n");
    for (int i = 0; i < s->side; i++) {
        printf("    ");
        print_row(s->map + i * s->side, s->side);
        putchar('\n');
    }
    putchar('\n');
}

static json_t *json_numbers(const float *values, int count)
{
    json_t *list = json_array();
    for (int i = 0; i < count; i++)
        json_array_append_new(list, json_integer((long long)lroundf(values[i])));
    return list;
}

static void slide_json(const slide *s)
{
    for (int i = 0; i < s->side * s->side; i++) {
        step p = step_of(s, i);
        json_t *line = json_object();
        json_text(line, "event", "step");
        json_count(line, "filter", s->filter);
        json_count(line, "stride", s->stride);
        json_count(line, "row", p.row * s->stride);
        json_count(line, "column", p.column * s->stride);
        json_object_set_new(line, "window", json_numbers(p.window, KERNEL * KERNEL));
        json_object_set_new(line, "products", json_numbers(p.products, KERNEL * KERNEL));
        json_number(line, "sum", (double)p.sum);
        json_line(line);
    }
    json_t *line = json_object(), *rows = json_array();
    json_text(line, "event", "map");
    json_count(line, "filter", s->filter);
    json_count(line, "stride", s->stride);
    for (int i = 0; i < s->side; i++)
        json_array_append_new(rows, json_numbers(s->map + i * s->side, s->side));
    json_object_set_new(line, "map", rows);
    json_line(line);
}

/* ---- As a picture ---- */

enum { CELL = 27, GAP = 26, MARGIN = 20, ACROSS = 4, HEADING = 44, CAPTION = 26 };
#define PANEL_WIDTH  ((SIDE + KERNEL + MOST) * CELL + 2 * GAP + 36)
#define PANEL_HEIGHT (SIDE * CELL + CAPTION + 14)

static int slide_height(const slide *s)
{
    return HEADING + (s->side * s->side + ACROSS - 1) / ACROSS * PANEL_HEIGHT;
}

static void draw_sign(linnet_image *image, int x, int y, const char *sign)
{
    linnet_image_text(image, x + (GAP - linnet_image_text_width(sign, 2)) / 2, y + SIDE * CELL / 2 - 7, 2, GRID_TEXT,
                      sign);
}

static void draw_step(linnet_image *image, int x, int y, const slide *s, int index)
{
    char caption[64];
    step p = step_of(s, index);
    number_grid picture = {SIDE, SIDE, binary, SIDE * SIDE, GRID_INK, 1, CELL, {0}, GRID_MARK};
    number_grid filter = {KERNEL, KERNEL, weights(s), KERNEL * KERNEL, GRID_SIGNED, 2, CELL, {0}, 0};
    number_grid map = {s->side, s->side, s->map, index + 1, GRID_SIGNED, 4, CELL, {p.row, p.column, 1, 1}, GRID_MARK};
    int window[4] = {p.row * s->stride, p.column * s->stride, KERNEL, KERNEL};
    memcpy(picture.marked, window, sizeof window);
    number_grid_draw(image, x, y, &picture);
    draw_sign(image, x + SIDE * CELL, y, "*");
    int filter_x = x + SIDE * CELL + GAP, map_x = filter_x + KERNEL * CELL + GAP;
    number_grid_draw(image, filter_x, y + (SIDE - KERNEL) * CELL / 2, &filter);
    draw_sign(image, filter_x + KERNEL * CELL, y, "=");
    number_grid_draw(image, map_x, y + (SIDE - s->side) * CELL / 2, &map);
    snprintf(caption, sizeof caption, "row %d, column %d: sum %.0f", p.row * s->stride, p.column * s->stride,
             (double)p.sum);
    linnet_image_text(image, x, y + SIDE * CELL + 8, 2, GRID_TEXT, caption);
}

static void draw_slide(linnet_image *image, int y, const slide *s)
{
    char heading[64];
    snprintf(heading, sizeof heading, "Filter %d, stride %d: feature map %d x %d", s->filter, s->stride, s->side,
             s->side);
    linnet_image_text(image, MARGIN, y + 8, 3, GRID_TEXT, heading);
    for (int i = 0; i < s->side * s->side; i++)
        draw_step(image, MARGIN + i % ACROSS * PANEL_WIDTH, y + HEADING + i / ACROSS * PANEL_HEIGHT, s, i);
}

static int draw(const slide *slides, size_t count, const char *path)
{
    int height = 2 * MARGIN, y = MARGIN;
    for (size_t i = 0; i < count; i++)
        height += slide_height(&slides[i]);
    linnet_image *image = linnet_image_new(NULL, 2 * MARGIN + ACROSS * PANEL_WIDTH - 36, height, 3);
    if (!image)
        return cli_check_last();
    linnet_image_fill(image, 0, 0, image->width, image->height, 0xFFFFFFu);
    for (size_t i = 0; i < count; i++) {
        draw_slide(image, y, &slides[i]);
        y += slide_height(&slides[i]);
    }
    linnet_status status = linnet_image_write(NULL, image, path);
    linnet_image_free(&image);
    return cli_check(status);
}

/* What the device computed is what the steps add up to. */
static int check(const slide *s)
{
    for (int i = 0; i < s->side * s->side; i++) {
        step p = step_of(s, i);
        if (fabsf(p.sum - s->map[i]) > 1e-4f)
            return cli_fail(EXIT_FAILED, "the device computed %g at row %d, column %d; the products add up to %g",
                            (double)s->map[i], p.row, p.column, (double)p.sum);
    }
    return EXIT_GO_ON;
}

int filter_demo_convolution(linnet_device *device, const char *output)
{
    slide slides[2 * FILTERS];
    for (int i = 0; i < 2 * FILTERS; i++) {
        slide *s = &slides[i];
        *s = (slide){.filter = i / 2 + 1, .stride = i % 2 + 1};
        int code = slide_compute(s, device);
        if (code == EXIT_GO_ON)
            code = check(s);
        if (code != EXIT_GO_ON)
            return code;
        if (cli_common_options.json)
            slide_json(s);
        else
            print_slide(s);
    }
    return output ? draw(slides, 2 * FILTERS, output) : EXIT_GO_ON;
}
