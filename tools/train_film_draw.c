/* SPDX-License-Identifier: Apache-2.0 */
/* The frames of a film and its strip, all on one scale. */
#include "train_film.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define STRIP_FRAMES 6
#define STRIP_SIDE   200  /* of a frame in it, about */
#define STRIP_WIDTH  2000 /* of all of them, about */

/* What a sheet gets takes over the image. */
static linnet_status add(linnet_sheet *sheet, linnet_image **image, const char *caption)
{
    if (!*image)
        return linnet_context_last_status(NULL);
    linnet_status status = linnet_sheet_add(sheet, *image, 1, caption);
    linnet_image_free(image);
    return status;
}

static linnet_status add_bar(linnet_sheet *sheet, const linnet_filters *filters, float range)
{
    if (filters->channels != 1)
        return LINNET_OK;
    linnet_image *bar = linnet_image_colour_bar(NULL, LINNET_COLOUR_DIVERGING, -range, range, 0);
    linnet_status status = linnet_sheet_row(sheet, NULL);
    return status == LINNET_OK ? add(sheet, &bar, NULL) : status;
}

/* Draws the sheet, writes it, frees it. */
static int finish(linnet_sheet **sheet, linnet_status status, const char *path)
{
    linnet_image *image = status == LINNET_OK ? linnet_sheet_draw(*sheet) : NULL;
    linnet_sheet_free(sheet);
    if (!image)
        return cli_check_last();
    status = linnet_image_write(NULL, image, path);
    linnet_image_free(&image);
    return cli_check(status);
}

/* folder/frame_0012.png; free it. NULL: no memory. */
static char *frame_path(const film *f, size_t index)
{
    char *path;
    return asprintf(&path, "%s/frame_%04zu.png", f->folder, index) < 0 ? NULL : path;
}

/* A longer film that was in the folder before ends with this one. */
static void drop_older(const film *f)
{
    bool there = true;
    for (size_t i = f->count; there && i <= FILM_MOST_FRAMES + 1; i++) {
        char *path = frame_path(f, i);
        there = path && unlink(path) == 0;
        free(path);
    }
}

static int write_frame(const film *f, size_t index, float range)
{
    const film_frame *frame = &f->frames[index];
    char title[120], *path = frame_path(f, index);
    snprintf(title, sizeof title, "%.60s, step %llu of %llu", frame->filters.layer, (unsigned long long)frame->step,
             (unsigned long long)f->total);
    if (!path)
        return cli_fail(EXIT_NO_MEMORY, "no memory for the film");
    linnet_sheet *sheet = linnet_sheet_new(NULL, title);
    linnet_image *tiles = linnet_filters_draw(NULL, &frame->filters, .bare = 1, .range = range);
    linnet_status status = tiles ? linnet_sheet_set_width(sheet, tiles->width + 64) : LINNET_OK;
    if (status == LINNET_OK)
        status = add(sheet, &tiles, NULL);
    if (status == LINNET_OK)
        status = add_bar(sheet, &frame->filters, range);
    linnet_image_free(&tiles);
    int code = finish(&sheet, status, path);
    free(path);
    return code;
}

/* Frame number i of n in the strip: close together at first, where most happens. */
static size_t pick(const film *f, size_t i, size_t n)
{
    double part = n > 1 ? (double)i / (double)(n - 1) : 1;
    return (size_t)lround(part * part * (double)(f->count - 1));
}

static linnet_image *small(const film_frame *frame, float range)
{
    const linnet_filters *s = &frame->filters;
    int64_t columns = s->columns ? s->columns : (int64_t)ceil(sqrt((double)s->count));
    int64_t width = columns * s->width, scale = STRIP_SIDE / width;
    return linnet_filters_draw(NULL, s, .bare = 1, .range = range, .scale = scale < 1 ? 1 : (uint32_t)scale);
}

static int write_strip(const film *f, const char *net, float range)
{
    char title[160];
    size_t last = f->count, n = STRIP_FRAMES;
    snprintf(title, sizeof title, "%.60s, layer %.60s: its filters over training", net, f->frames[0].filters.layer);
    linnet_sheet *sheet = linnet_sheet_new(NULL, title);
    linnet_status status = LINNET_OK;
    for (size_t i = 0; i < n && status == LINNET_OK; i++) {
        size_t index = pick(f, i, n);
        if (index == last)
            continue; /* few frames */
        char caption[40];
        linnet_image *image = small(&f->frames[index], range);
        if (i == 0 && image) {
            size_t room = (size_t)(STRIP_WIDTH / image->width);
            n = room < 2 ? 2 : room < n ? room : n;
            status = linnet_sheet_set_width(sheet, (int32_t)n * (image->width + 24) + 64);
        }
        snprintf(caption, sizeof caption, "step %llu", (unsigned long long)f->frames[index].step);
        if (status == LINNET_OK)
            status = add(sheet, &image, caption);
        linnet_image_free(&image);
        last = index;
    }
    if (status == LINNET_OK)
        status = add_bar(sheet, &f->frames[0].filters, range);
    return finish(&sheet, status, f->strip);
}

int film_write(const film *f, const char *net)
{
    float range = 0;
    int code = EXIT_GO_ON;
    if (!f->folder || !f->count)
        return code;
    for (size_t i = 0; i < f->count; i++)
        range = fmaxf(range, linnet_filters_range(&f->frames[i].filters));
    for (size_t i = 0; i < f->count && code == EXIT_GO_ON; i++)
        code = write_frame(f, i, range);
    drop_older(f);
    return code == EXIT_GO_ON ? write_strip(f, net, range) : code;
}
