/* SPDX-License-Identifier: Apache-2.0 */
/* Convolution as template matching: a part of a picture, looked for in all of it. */
#include "filter.h"
#include "json_lines.h"
#include "planes.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIGIT = 28, ACROSS = 8, DOWN = 5, FOUND = 5 };
#define PAGE_SEED   3
#define BEST_MARK   0xE8590Cu
#define OTHER_MARK  0x1C7ED6u
#define LEAST_WIDTH 100 /* of the template in the figure */
#define SMALL_SIDE  400 /* pictures below are enlarged twice */

typedef struct area {
    int32_t x, y, width, height;
} area;

typedef struct search {
    linnet_image *image, *pattern;
    area where;            /* of the template */
    int32_t columns, rows; /* of places */
    linnet_tensor planes, pattern_planes;
    float *scores;
    linnet_match found[FOUND];
    int count;
} search;

/* A page of synthetic digits. */
static int make_page(linnet_image **out_image)
{
    linnet_tensor digit;
    linnet_dataset *digits = linnet_dataset_digits(NULL, PAGE_SEED, ACROSS * DOWN);
    linnet_image *page = digits ? linnet_image_new(NULL, ACROSS * DIGIT, DOWN * DIGIT, 1) : NULL;
    if (!page) {
        linnet_dataset_free(&digits);
        return cli_check_last();
    }
    for (int i = 0; i < ACROSS * DOWN; i++) {
        if (linnet_dataset_image(digits, i, &digit) != LINNET_OK)
            continue;
        for (int y = 0; y < DIGIT; y++)
            memcpy(page->pixels + (i / ACROSS * DIGIT + y) * page->width + i % ACROSS * DIGIT,
                   (const uint8_t *)digit.data + y * DIGIT, DIGIT);
    }
    linnet_dataset_free(&digits);
    *out_image = page;
    return EXIT_GO_ON;
}

static int open_image(const char *path, linnet_image **out_image)
{
    if (!path)
        return make_page(out_image);
    linnet_image *image = linnet_image_read(NULL, path);
    if (!image)
        return cli_check_last_input();
    *out_image = linnet_image_convert(NULL, image, image->channels < 3 ? 1 : 3);
    linnet_image_free(&image);
    return *out_image ? EXIT_GO_ON : cli_check_last();
}

static bool read_area(const char *text, area *out)
{
    int32_t *const numbers[] = {&out->x, &out->y, &out->width, &out->height};
    for (int i = 0; i < 4; i++) {
        char *end;
        long number = strtol(text, &end, 10);
        if (end == text || *end != (i < 3 ? ',' : '\0') || labs(number) > LINNET_IMAGE_MAX_SIDE)
            return false;
        *numbers[i] = (int32_t)number;
        text = end + 1;
    }
    return true;
}

/* "X,Y,WIDTH,HEIGHT" within the picture. */
static int choose_area(const char *text, bool page, search *s)
{
    const linnet_image *image = s->image;
    area *a = &s->where;
    if (!text) {
        int side = (image->width < image->height ? image->width : image->height) / 6;
        *a = page ? (area){4 * DIGIT + 3, DIGIT + 3, DIGIT - 6, DIGIT - 6}
                  : (area){(image->width - side) / 2, (image->height - side) / 2, side, side};
        if (a->width < 2)
            return cli_fail(EXIT_BAD_INPUT, "a picture of %d x %d pixels is too small to look for a part of it",
                            image->width, image->height);
    } else if (!read_area(text, a)) {
        return cli_fail(EXIT_USAGE, "--template='%s' makes no sense: X,Y,WIDTH,HEIGHT in pixels is wanted", text);
    }
    if (a->x < 0 || a->y < 0 || a->width < 2 || a->height < 2 || a->width > image->width - a->x ||
        a->height > image->height - a->y || a->width > LINNET_KERNEL_MAX_SIDE || a->height > LINNET_KERNEL_MAX_SIDE)
        return cli_fail(EXIT_USAGE, "the template %d,%d,%d,%d is no part of %d x %d pixels with sides of 2 to %d", a->x,
                        a->y, a->width, a->height, image->width, image->height, LINNET_KERNEL_MAX_SIDE);
    return EXIT_GO_ON;
}

static int match(search *s, linnet_device *device)
{
    const linnet_image *image = s->image;
    s->columns = image->width - s->where.width + 1;
    s->rows = image->height - s->where.height + 1;
    s->pattern = linnet_image_crop(NULL, image, s->where.x, s->where.y, s->where.width, s->where.height);
    if (!s->pattern)
        return cli_check_last();
    int code = planes_of_image(image, image->channels, &s->planes);
    if (code == EXIT_GO_ON)
        code = planes_of_image(s->pattern, image->channels, &s->pattern_planes);
    if (code != EXIT_GO_ON)
        return code;
    s->scores = malloc((size_t)s->columns * (size_t)s->rows * sizeof *s->scores);
    if (!s->scores)
        return cli_fail(EXIT_NO_MEMORY, "no memory for template matching");
    return cli_check(linnet_template_match(device, &s->planes, &s->pattern_planes, s->scores, NULL));
}

static bool near_found(const search *s, int32_t x, int32_t y)
{
    for (int i = 0; i < s->count; i++)
        if (llabs(s->found[i].x - x) < s->where.width / 2 + 1 && llabs(s->found[i].y - y) < s->where.height / 2 + 1)
            return true;
    return false;
}

/* The best places that do not overlap by more than half. */
static void find_best(search *s)
{
    for (s->count = 0; s->count < FOUND; s->count++) {
        linnet_match best = {-1, -1, -2};
        for (int32_t y = 0; y < s->rows; y++)
            for (int32_t x = 0; x < s->columns; x++)
                if (s->scores[y * s->columns + x] > best.score && !near_found(s, x, y))
                    best = (linnet_match){y, x, s->scores[y * s->columns + x]};
        if (best.y < 0)
            return;
        s->found[s->count] = best;
    }
}

static void print(const search *s)
{
    if (!cli_common_options.json)
        printf("template: %d x %d pixels at %d,%d; the best places (normalised cross-correlation):\n", s->where.width,
               s->where.height, s->where.x, s->where.y);
    for (int i = 0; i < s->count; i++) {
        const linnet_match *m = &s->found[i];
        if (cli_common_options.json) {
            json_t *line = json_object();
            json_count(line, "place", i + 1);
            json_count(line, "x", m->x);
            json_count(line, "y", m->y);
            json_number(line, "score", (double)m->score);
            json_line(line);
        } else {
            printf("  %d. at %lld,%lld: %.3f\n", i + 1, (long long)m->x, (long long)m->y, (double)m->score);
        }
    }
}

static void frame(linnet_image *image, int32_t x, int32_t y, int32_t width, int32_t height, uint32_t colour, int thick)
{
    for (int32_t i = 0; i < thick; i++)
        linnet_image_frame(image, x - i, y - i, width + 2 * i, height + 2 * i, colour);
}

static linnet_image *enlarged(const linnet_image *image, int32_t scale)
{
    linnet_image *colour = linnet_image_convert(NULL, image, 3);
    linnet_image *large = colour ? linnet_image_enlarge(NULL, colour, scale) : NULL;
    linnet_image_free(&colour);
    return large;
}

static int draw(const search *s, const char *path)
{
    int32_t scale = s->image->width < SMALL_SIDE ? 2 : 1, w = s->where.width * scale, h = s->where.height * scale;
    linnet_image *plain = linnet_image_from_map(NULL, s->scores, s->rows, s->columns, -1, 1, LINNET_COLOUR_DIVERGING);
    linnet_image *map = plain ? enlarged(plain, scale) : NULL, *picture = enlarged(s->image, scale);
    linnet_image *pattern = enlarged(s->pattern, scale),
                 *bar = linnet_image_colour_bar(NULL, LINNET_COLOUR_DIVERGING, -1, 1, 0);
    linnet_sheet *sheet = linnet_sheet_new(NULL, "Template matching: a convolution that looks for a part");
    linnet_image *figure = NULL;
    if (map && picture && pattern && bar && sheet) {
        for (int i = s->count; i-- > 0;) {
            int32_t x = (int32_t)s->found[i].x * scale, y = (int32_t)s->found[i].y * scale;
            frame(picture, x, y, w, h, i ? OTHER_MARK : BEST_MARK, i ? 1 : 3);
            frame(map, x - 4, y - 4, 8 + scale, 8 + scale, i ? OTHER_MARK : 0x101010u, i ? 1 : 2);
        }
        int32_t larger = pattern->width < LEAST_WIDTH ? (LEAST_WIDTH + pattern->width - 1) / pattern->width : 1;
        linnet_sheet_add(sheet, pattern, larger, "template");
        linnet_sheet_add(sheet, picture, 1, "best place thick, next four thin");
        linnet_sheet_add(sheet, map, 1, "normalised correlation");
        linnet_sheet_add(sheet, bar, 1, NULL);
        figure = linnet_sheet_draw(sheet);
    }
    int code = figure ? cli_check(linnet_image_write(NULL, figure, path)) : cli_check_last();
    linnet_image *all[] = {plain, map, picture, pattern, bar, figure};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        linnet_image_free(&all[i]);
    linnet_sheet_free(&sheet);
    return code;
}

int filter_demo_template(linnet_device *device, const char *image, const char *rectangle, const char *output)
{
    search s = {.image = NULL};
    int code = open_image(image, &s.image);
    if (code == EXIT_GO_ON)
        code = choose_area(rectangle, !image, &s);
    if (code == EXIT_GO_ON)
        code = match(&s, device);
    if (code == EXIT_GO_ON) {
        find_best(&s);
        print(&s);
    }
    if (code == EXIT_GO_ON && output)
        code = draw(&s, output);
    linnet_image_free(&s.image);
    linnet_image_free(&s.pattern);
    planes_free(&s.planes);
    planes_free(&s.pattern_planes);
    free(s.scores);
    return code;
}
