/* SPDX-License-Identifier: Apache-2.0 */
/* One picture through the usual kernels: what each does, and its numbers. */
#include "filter.h"
#include "json_lines.h"
#include "number_grid.h"
#include "planes.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDEST = 240, PANEL = 96, CELL = 28, LARGEST_GRID = 3, COLUMNS = 5 };

/* How results are shown. */
typedef enum view { VIEW_PLAIN, VIEW_SIGNED, VIEW_LENGTH } view;

typedef struct entry {
    const char *kernel;
    view how;
    linnet_kernel_options options;
    const char *caption;
    float reach; /* of the colours of signed results */
} entry;

static const entry entries[] = {
    {"identity", VIEW_PLAIN, {.struct_size = sizeof(linnet_kernel_options)}, "identity", 0},
    {"shift-right", VIEW_PLAIN, {.struct_size = sizeof(linnet_kernel_options), .by = 10}, "shift right by 10", 0},
    {"box", VIEW_PLAIN, {.struct_size = sizeof(linnet_kernel_options), .size = 9}, "box 9 x 9", 0},
    {"gaussian", VIEW_PLAIN, {.struct_size = sizeof(linnet_kernel_options), .sigma = 3}, "Gaussian, sigma 3", 0},
    {"sharpen", VIEW_PLAIN, {.struct_size = sizeof(linnet_kernel_options)}, "sharpen", 0},
    {"laplacian", VIEW_SIGNED, {.struct_size = sizeof(linnet_kernel_options)}, "Laplacian", 0.3f},
    {"sobel-x", VIEW_SIGNED, {.struct_size = sizeof(linnet_kernel_options)}, "Sobel, x", 1},
    {"sobel-y", VIEW_SIGNED, {.struct_size = sizeof(linnet_kernel_options)}, "Sobel, y", 1},
    {"sobel-x", VIEW_LENGTH, {.struct_size = sizeof(linnet_kernel_options)}, "Sobel, length", 0},
    {"emboss", VIEW_PLAIN, {.struct_size = sizeof(linnet_kernel_options)}, "emboss", 0},
};
enum { ENTRIES = sizeof entries / sizeof entries[0] };

typedef struct gallery {
    linnet_device *device;
    linnet_image *picture;
    int32_t channels;
    size_t pixels, count;
    linnet_tensor planes;
    float *result, *second;
    linnet_border border;
} gallery;

static int open_picture(gallery *g, const char *path)
{
    linnet_image *image = linnet_image_read(NULL, path);
    if (!image)
        return cli_check_last_input();
    g->channels = image->channels < 3 ? 1 : 3;
    int32_t width = image->width < WIDEST ? image->width : WIDEST;
    double height = round((double)image->height * width / image->width);
    linnet_image *small = linnet_image_resize(NULL, image, width, (int32_t)fmax(height, 1), LINNET_RESIZE_AREA);
    linnet_image_free(&image);
    g->picture = small ? linnet_image_convert(NULL, small, g->channels) : NULL;
    linnet_image_free(&small);
    if (!g->picture)
        return cli_check_last();
    g->pixels = (size_t)g->picture->width * (size_t)g->picture->height;
    g->count = g->pixels * (size_t)g->channels;
    g->result = malloc(g->count * sizeof(float));
    g->second = malloc(g->count * sizeof(float));
    if (!g->result || !g->second)
        return cli_fail(EXIT_NO_MEMORY, "no memory for %s", path);
    return planes_of_image(g->picture, g->channels, &g->planes);
}

static linnet_status filter(const gallery *g, const linnet_kernel *kernel, float *out)
{
    return linnet_filter_apply(g->device, &g->planes, kernel, out, .border = g->border);
}

static int compute(const gallery *g, const entry *e, const linnet_kernel *kernel)
{
    linnet_status status = filter(g, kernel, g->result);
    linnet_kernel *other = status == LINNET_OK && e->how == VIEW_LENGTH ? linnet_kernel_named(NULL, "sobel-y") : NULL;
    if (other) {
        status = filter(g, other, g->second);
        linnet_filter_magnitude(g->result, g->second, g->count, g->result);
        linnet_kernel_free(&other);
    }
    return status == LINNET_SHAPE ? cli_check_input(status) : cli_check(status);
}

static void print(const gallery *g, const entry *e)
{
    double low = INFINITY, high = -INFINITY;
    for (size_t i = 0; i < g->count; i++) {
        low = fmin(low, (double)g->result[i]);
        high = fmax(high, (double)g->result[i]);
    }
    if (cli_common_options.json) {
        json_t *line = json_object();
        json_text(line, "kernel", e->caption);
        json_number(line, "low", low);
        json_number(line, "high", high);
        json_line(line);
    } else {
        printf("%-18s results from %6.3f to %6.3f\n", e->caption, low, high);
    }
}

/* ---- The picture ---- */

/* Signed results as the mean of the channels: blue below 0, red above. */
static linnet_image *draw_result(const gallery *g, const entry *e)
{
    int32_t height = g->picture->height, width = g->picture->width;
    if (e->how != VIEW_SIGNED)
        return linnet_image_from_planes(NULL, g->result, g->channels, height, width);
    for (size_t i = 0; i < g->pixels; i++) {
        float sum = 0;
        for (size_t c = 0; c < (size_t)g->channels; c++)
            sum += g->result[c * g->pixels + i];
        g->second[i] = sum / (float)g->channels;
    }
    return linnet_image_from_map(NULL, g->second, height, width, -e->reach, e->reach, LINNET_COLOUR_DIVERGING);
}

static float largest(const linnet_kernel *kernel)
{
    float most = 0;
    for (int32_t i = 0; i < kernel->height * kernel->width; i++)
        most = fmaxf(most, fabsf(kernel->values[i]));
    return most;
}

/* The kernel's numbers, or its colours where there are too many, in the panel below the picture. */
static void draw_kernel(linnet_image *tile, int32_t top, const linnet_kernel *kernel)
{
    float reach = largest(kernel);
    if (kernel->height <= LARGEST_GRID && kernel->width <= LARGEST_GRID) {
        number_grid grid = {.rows = kernel->height,
                            .columns = kernel->width,
                            .values = kernel->values,
                            .filled = kernel->height * kernel->width,
                            .colours = GRID_SIGNED,
                            .limit = 1.5f * reach,
                            .cell = CELL};
        number_grid_draw(tile, (tile->width - kernel->width * CELL) / 2, top + (PANEL - kernel->height * CELL) / 2,
                         &grid);
        return;
    }
    int32_t longer = kernel->height > kernel->width ? kernel->height : kernel->width;
    int32_t scale = (PANEL - 12) / longer > 0 ? (PANEL - 12) / longer : 1;
    linnet_image *map = linnet_image_from_map(NULL, kernel->values, kernel->height, kernel->width, -1.5f * reach,
                                              1.5f * reach, LINNET_COLOUR_DIVERGING);
    linnet_image *large = map ? linnet_image_enlarge(NULL, map, scale) : NULL;
    if (large) {
        int32_t x = (tile->width - large->width) / 2, y = top + (PANEL - large->height) / 2;
        linnet_image_blit(tile, x, y, large);
        linnet_image_frame(tile, x - 1, y - 1, large->width + 2, large->height + 2, 0x9AA5B1u);
    }
    linnet_image_free(&map);
    linnet_image_free(&large);
}

static void draw_formula(linnet_image *tile, int32_t top, const char *text)
{
    int32_t scale = linnet_image_text_width(text, 2) < tile->width ? 2 : 1;
    linnet_image_text(tile, (tile->width - linnet_image_text_width(text, scale)) / 2, top + PANEL / 2 - 7, scale,
                      GRID_TEXT, text);
}

static void add_tile(const gallery *g, const entry *e, const linnet_kernel *kernel, linnet_sheet *sheet)
{
    linnet_image *result = draw_result(g, e);
    linnet_image *tile = result ? linnet_image_new(NULL, result->width, result->height + PANEL, 3) : NULL;
    if (tile) {
        linnet_image_fill(tile, 0, 0, tile->width, tile->height, 0xFFFFFFu);
        linnet_image_blit(tile, 0, 0, result);
        if (e->how == VIEW_LENGTH)
            draw_formula(tile, result->height, "sqrt(x^2 + y^2)");
        else
            draw_kernel(tile, result->height, kernel);
        linnet_sheet_add(sheet, tile, 1, e->caption);
    }
    linnet_image_free(&result);
    linnet_image_free(&tile);
}

static int write_sheet(linnet_sheet *sheet, const char *path)
{
    linnet_image *figure = linnet_sheet_draw(sheet);
    int code = figure ? cli_check(linnet_image_write(NULL, figure, path)) : cli_check_last();
    linnet_image_free(&figure);
    return code;
}

static int show_all(const gallery *g, linnet_sheet *sheet)
{
    int code = EXIT_GO_ON;
    for (int i = 0; code == EXIT_GO_ON && i < ENTRIES; i++) {
        linnet_kernel *kernel = linnet_kernel_named_with(NULL, entries[i].kernel, &entries[i].options);
        code = kernel ? compute(g, &entries[i], kernel) : cli_check_last();
        if (code == EXIT_GO_ON) {
            print(g, &entries[i]);
            if (i % COLUMNS == 0)
                linnet_sheet_row(sheet, NULL);
            add_tile(g, &entries[i], kernel, sheet);
        }
        linnet_kernel_free(&kernel);
    }
    return code;
}

int filter_demo_kernels(linnet_device *device, const char *image, int border, const char *output)
{
    static const char *const outside[] = {"black", "as its edge", "its mirror image"};
    char title[96];
    gallery g = {.device = device, .border = (linnet_border)border};
    snprintf(title, sizeof title, "Linear filters, and their kernels (outside the picture: %s)", outside[border]);
    linnet_sheet *sheet = linnet_sheet_new(NULL, title);
    int code = sheet ? open_picture(&g, image) : cli_check_last();
    if (code == EXIT_GO_ON)
        code = show_all(&g, sheet);
    if (code == EXIT_GO_ON && output)
        code = write_sheet(sheet, output);
    linnet_sheet_free(&sheet);
    linnet_image_free(&g.picture);
    planes_free(&g.planes);
    free(g.result);
    free(g.second);
    return code;
}
