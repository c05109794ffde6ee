/* SPDX-License-Identifier: Apache-2.0 */
/* linnet features --exciting, --maximise: what single units want to see. */
#include "features.h"
#include "json_lines.h"
#include "progress.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST_UNITS 512
#define TILE       84
#define FRAME      0x3B8EFFu
#define DEAD       0xD0D0D0u
#define FAR        1e6 /* outside every picture */

/* A class by its name where the layer is the scores, else a channel. */
static void unit_name(const features *f, linnet_value layer, int64_t unit, char out[LABEL_SIZE])
{
    if (layer.id == f->e.model.logits.id)
        labels_name(&f->names, (int32_t)unit, out);
    else
        snprintf(out, LABEL_SIZE, "%lld", (long long)unit);
}

/* The units of a list; the name of one class, too, where the layer is the scores. */
static int read_units(const features *f, linnet_value layer, const char *option, const char *text, int64_t **out_units,
                      size_t *out_count)
{
    int64_t dims[LINNET_MAX_RANK] = {0};
    linnet_value_shape(f->e.model.net, layer, dims);
    int64_t named = layer.id == f->e.model.logits.id ? labels_find(&f->names, text, (int32_t)dims[1]) : -1;
    if (named < 0)
        return look_numbers(&cmd_features, option, text, MOST_UNITS, out_units, out_count);
    *out_units = malloc(sizeof **out_units);
    if (!*out_units)
        return cli_fail(EXIT_NO_MEMORY, "no memory for a unit");
    **out_units = named;
    *out_count = 1;
    return EXIT_GO_ON;
}

/* LINNET_INVALID here is a unit that the layer does not have. */
static int check_units(linnet_status status)
{
    int code = cli_check(status);
    return status == LINNET_INVALID ? EXIT_USAGE : code;
}

/* ---- Exciting images ---- */

static void print_excitation(const features *f, linnet_value layer, const linnet_excitation *e, int64_t rank)
{
    char unit[LABEL_SIZE];
    int32_t label = linnet_dataset_label(f->data, e->index);
    unit_name(f, layer, e->unit, unit);
    if (!cli_common_options.json) {
        if (!cli_common_options.quiet)
            printf("unit %s: image %lld (%s), %.4g at %lld,%lld\n", unit, (long long)e->index,
                   linnet_dataset_class_name(f->data, label), (double)e->value, (long long)e->column,
                   (long long)e->row);
        return;
    }
    json_t *line = json_object();
    json_text(line, "layer", features_layer_name(f, layer));
    json_count(line, "unit", (long long)e->unit);
    json_count(line, "rank", (long long)rank);
    json_count(line, "image", (long long)e->index);
    json_count(line, "label", label);
    json_number(line, "value", (double)e->value);
    json_count(line, "x", (long long)e->column);
    json_count(line, "y", (long long)e->row);
    json_line(line);
}

/* Whether an image says anything: all zeros of a relu are alike. */
static bool excites(const linnet_excitation *e)
{
    return e->index >= 0 && e->value != 0;
}

static void print_dead(const features *f, linnet_value layer, int64_t unit)
{
    char name[LABEL_SIZE];
    unit_name(f, layer, unit, name);
    if (cli_common_options.json) {
        json_t *line = json_object();
        json_text(line, "layer", features_layer_name(f, layer));
        json_count(line, "unit", (long long)unit);
        json_object_set_new(line, "active", json_false());
        json_line(line);
    } else if (!cli_common_options.quiet)
        printf("unit %s: never active\n", name);
}

static void print_excitations(const features *f, linnet_value layer, const linnet_excitation *list, size_t count)
{
    if (!excites(list))
        print_dead(f, layer, list->unit);
    for (size_t i = 0; i < count; i++)
        if (excites(&list[i]))
            print_excitation(f, layer, &list[i], (int64_t)i);
}

static double within(double pixel)
{
    return fmin(fmax(pixel, -FAR), FAR);
}

/* Frames what the unit sees where it is strongest, unless that is all of the picture. scale: pixels of the image for
   one of the picture. */
static void frame_field(const features *f, linnet_value layer, const linnet_excitation *e, int32_t scale,
                        linnet_image *image)
{
    linnet_field field;
    const int64_t unit[2] = {e->row, e->column};
    int32_t start[2], size[2];
    if (linnet_receptive_field(f->e.model.net, layer, &field) != LINNET_OK || field.stride[0] * field.stride[1] == 0)
        return;
    for (int i = 0; i < 2; i++) {
        double first = field.offset[i] - (double)(field.size[i] - 1) / 2 + (double)(unit[i] * field.stride[i]);
        double least = within(first * scale), end = within((first + (double)field.size[i]) * scale);
        start[i] = (int32_t)lround(least);
        size[i] = (int32_t)lround(end - least);
    }
    for (int32_t i = 0; i < 2; i++)
        linnet_image_frame(image, start[1] + i, start[0] + i, size[1] - 2 * i, size[0] - 2 * i, FRAME);
}

static int add_excitation(const features *f, linnet_sheet *sheet, linnet_value layer, const linnet_excitation *e)
{
    char caption[80];
    photo picture;
    int code = photo_open_index(f->data, e->index, &picture);
    linnet_image *image = code == EXIT_GO_ON ? look_image(&picture, TILE) : NULL;
    if (image)
        frame_field(f, layer, e, image->width / picture.image->width, image);
    photo_free(&picture);
    if (code != EXIT_GO_ON)
        return code;
    const char *name = linnet_dataset_class_name(f->data, linnet_dataset_label(f->data, e->index));
    snprintf(caption, sizeof caption, "%s: %.3g", name ? name : "?", (double)e->value);
    return look_add(sheet, &image, 0, caption);
}

/* In the place of images that are no better than all others. */
static int add_dead(linnet_sheet *sheet)
{
    linnet_image *image = linnet_image_new(NULL, TILE, TILE, 3);
    if (image)
        linnet_image_fill(image, 0, 0, TILE, TILE, DEAD);
    return look_add(sheet, &image, 0, "never\nactive");
}

static int draw_exciting(const features *f, linnet_value layer, const linnet_excitation *list, size_t units,
                         size_t count)
{
    char title[200], label[LABEL_SIZE];
    snprintf(title, sizeof title, "What excites %s of %s most (class: activation)", features_layer_name(f, layer),
             linnet_net_name(f->e.model.net));
    linnet_sheet *sheet = linnet_sheet_new(NULL, title);
    int code = sheet ? EXIT_GO_ON : cli_check_last();
    for (size_t u = 0; u < units && code == EXIT_GO_ON; u++) {
        unit_name(f, layer, list[u * count].unit, label);
        code = cli_check(linnet_sheet_row(sheet, label));
        if (code == EXIT_GO_ON && !excites(&list[u * count]))
            code = add_dead(sheet);
        for (size_t i = 0; i < count && code == EXIT_GO_ON && excites(&list[u * count + i]); i++)
            code = add_excitation(f, sheet, layer, &list[u * count + i]);
    }
    linnet_image *figure = code == EXIT_GO_ON ? linnet_sheet_draw(sheet) : NULL;
    if (code == EXIT_GO_ON)
        code = look_write(&figure, f->o->output);
    linnet_sheet_free(&sheet);
    return code;
}

int features_exciting(features *f)
{
    int64_t *units = NULL;
    size_t unit_count = 0, count = (size_t)f->o->count;
    linnet_value layer = features_layer_or(f, f->e.model.logits);
    int code = read_units(f, layer, "--exciting", f->o->exciting, &units, &unit_count);
    linnet_excitation *list = code == EXIT_GO_ON ? calloc(unit_count * count, sizeof *list) : NULL;
    if (code == EXIT_GO_ON && !list)
        code = cli_fail(EXIT_NO_MEMORY, "no memory for a list of images");
    if (code == EXIT_GO_ON) {
        int64_t total = linnet_dataset_count(f->data), limit = f->o->limit;
        progress_start("looking", "images", limit && limit < total ? limit : total);
        linnet_status status = linnet_exciting_find(f->e.session, &f->e.model, layer, units, unit_count, f->data, count,
                                                    list, .limit = limit, .progress = progress_report);
        progress_end();
        code = check_units(status);
    }
    for (size_t u = 0; u < unit_count && code == EXIT_GO_ON; u++)
        print_excitations(f, layer, list + u * count, count);
    if (code == EXIT_GO_ON && f->o->output)
        code = draw_exciting(f, layer, list, unit_count, count);
    free(units);
    free(list);
    return code;
}

/* ---- Activation maximisation ---- */

static void print_maximum(const features *f, linnet_value layer, int64_t unit, float value)
{
    char name[LABEL_SIZE];
    unit_name(f, layer, unit, name);
    if (!cli_common_options.json) {
        if (!cli_common_options.quiet)
            printf("unit %s of %s: %.4g\n", name, features_layer_name(f, layer), (double)value);
        return;
    }
    json_t *line = json_object();
    json_text(line, "layer", features_layer_name(f, layer));
    json_count(line, "unit", (long long)unit);
    json_text(line, "name", name);
    json_number(line, "value", (double)value);
    json_line(line);
}

static int add_maximum(features *f, linnet_sheet *sheet, linnet_value layer, int64_t unit)
{
    linnet_maps picture;
    float value;
    char name[LABEL_SIZE], caption[120];
    progress_start("climbing", "steps", f->o->steps);
    linnet_status status =
        linnet_unit_maximise(f->e.session, &f->e.model, layer, unit, &picture, &value, .steps = (uint32_t)f->o->steps,
                             .seed = (uint64_t)f->o->seed, .blur = (float)f->o->blur, .height = f->o->size,
                             .width = f->o->size, .progress = progress_report);
    progress_end();
    int code = check_units(status);
    if (code != EXIT_GO_ON)
        return code;
    print_maximum(f, layer, unit, value);
    unit_name(f, layer, unit, name);
    snprintf(caption, sizeof caption, "%s\n%.3g", name, (double)value);
    linnet_image *image = linnet_image_from_planes(NULL, picture.data, (int32_t)picture.channels,
                                                   (int32_t)picture.height, (int32_t)picture.width);
    linnet_maps_free(&picture);
    return look_add(sheet, &image, 128, caption);
}

int features_maximise(features *f)
{
    int64_t *units = NULL;
    size_t count = 0;
    char title[200];
    linnet_value layer = features_layer_or(f, f->e.model.logits);
    int code = read_units(f, layer, "--maximise", f->o->maximise, &units, &count);
    snprintf(title, sizeof title, "Pictures that raise %s of %s", features_layer_name(f, layer),
             linnet_net_name(f->e.model.net));
    linnet_sheet *sheet = code == EXIT_GO_ON ? linnet_sheet_new(NULL, title) : NULL;
    if (code == EXIT_GO_ON && !sheet)
        code = cli_check_last();
    for (size_t i = 0; i < count && code == EXIT_GO_ON; i++)
        code = add_maximum(f, sheet, layer, units[i]);
    if (code == EXIT_GO_ON && f->o->output) {
        linnet_image *figure = linnet_sheet_draw(sheet);
        code = look_write(&figure, f->o->output);
    }
    linnet_sheet_free(&sheet);
    free(units);
    return code;
}
