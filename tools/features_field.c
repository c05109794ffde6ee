/* SPDX-License-Identifier: Apache-2.0 */
/* linnet features --receptive-field: the pixels that a unit depends on, in theory and by its gradient. */
#include "features.h"
#include "json_lines.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

static const double shares[] = {0.5, 0.9, 0.99};
#define SHARES (sizeof shares / sizeof shares[0])

typedef struct field {
    linnet_effective effective;
    double x, y;           /* its middle, in pixels */
    double size[2];        /* of the theoretical field, down and right */
    double start[2];       /* its first pixel, down and right; may lie outside */
    double radius[SHARES]; /* around the middle */
} field;

static int read_unit(const features *f, linnet_effective_options *out)
{
    char *end = NULL;
    const char *text = f->o->unit;
    if (!text)
        return EXIT_GO_ON;
    errno = 0;
    out->chosen = 1;
    out->x = strtoll(text, &end, 10);
    bool good = end != text && *end == ',';
    const char *second = end + 1;
    if (good)
        out->y = strtoll(second, &end, 10);
    if (good && end != second && !*end && !errno && out->x >= 0 && out->y >= 0)
        return EXIT_GO_ON;
    return cli_usage(&cmd_features, "--unit='%s' makes no sense: X,Y is wanted, column and row of the map", text);
}

static void print_field(const features *f, const char *layer, const field *d)
{
    static const char *const keys[SHARES] = {"radius_50", "radius_90", "radius_99"};
    (void)f;
    if (!cli_common_options.json) {
        if (cli_common_options.quiet)
            return;
        printf("%s, unit %lld,%lld: receptive field %.0f x %.0f around %.1f,%.1f\n", layer, (long long)d->effective.x,
               (long long)d->effective.y, d->size[1], d->size[0], d->x, d->y);
        for (size_t i = 0; i < SHARES; i++)
            printf("  %2.0f %% of the gradient within %.1f pixels\n", 100 * shares[i], d->radius[i]);
        return;
    }
    double sum = 0;
    for (int64_t i = 0; i < d->effective.map.height * d->effective.map.width; i++)
        sum += (double)d->effective.map.data[i];
    json_t *line = json_object();
    json_text(line, "layer", layer);
    json_count(line, "x", (long long)d->effective.x);
    json_count(line, "y", (long long)d->effective.y);
    json_number(line, "height", d->size[0]);
    json_number(line, "width", d->size[1]);
    json_number(line, "top", d->start[0]);
    json_number(line, "left", d->start[1]);
    json_number(line, "sum", sum);
    for (size_t i = 0; i < SHARES; i++)
        json_number(line, keys[i], d->radius[i]);
    json_line(line);
}

/* The theoretical field of the unit, and the effective one's radii around its middle. */
static int measure(const features *f, linnet_value layer, field *d)
{
    const linnet_effective *e = &d->effective;
    linnet_field theory;
    int code = cli_check(linnet_receptive_field(f->e.model.net, layer, &theory));
    if (code != EXIT_GO_ON)
        return code;
    const int64_t unit[2] = {e->y, e->x}, pixels[2] = {e->map.height, e->map.width};
    double middle[2];
    for (int i = 0; i < 2; i++) {
        bool all = theory.size[i] == LINNET_FREE;
        d->size[i] = (double)(all ? pixels[i] : theory.size[i]);
        middle[i] = all ? (double)(pixels[i] - 1) / 2 : theory.offset[i] + (double)(unit[i] * theory.stride[i]);
        d->start[i] = middle[i] - (d->size[i] - 1) / 2;
    }
    d->y = middle[0];
    d->x = middle[1];
    for (size_t i = 0; i < SHARES; i++)
        d->radius[i] = linnet_maps_radius(&e->map, d->x, d->y, shares[i]);
    return EXIT_GO_ON;
}

/* The theoretical field's outline on a picture that is enlarged scale times. */
static void frame(linnet_image *image, const field *d, int32_t scale)
{
    int32_t left = (int32_t)lround(d->start[1] * scale), top = (int32_t)lround(d->start[0] * scale);
    for (int32_t i = 0; i < 2; i++)
        linnet_image_frame(image, left - i, top - i, (int32_t)d->size[1] * scale + 2 * i,
                           (int32_t)d->size[0] * scale + 2 * i, 0x1F6FEB);
}

static linnet_image *enlarge(linnet_image *image, int32_t scale)
{
    linnet_image *large = image ? linnet_image_enlarge(NULL, image, scale) : NULL;
    linnet_image_free(&image);
    return large;
}

static int draw(const features *f, const char *layer, const field *d)
{
    char title[200], caption[120];
    const linnet_maps *map = &d->effective.map;
    snprintf(title, sizeof title, "Receptive field of %s, unit %lld,%lld", layer, (long long)d->effective.x,
             (long long)d->effective.y);
    for (int64_t i = 0; i < map->height * map->width; i++)
        map->data[i] = sqrtf(map->data[i]); /* what lies far out shows, too */
    linnet_sheet *sheet = linnet_sheet_new(NULL, title);
    linnet_image *picture = look_image(&f->picture, FEATURES_SIDE);
    if (!sheet || !picture) {
        linnet_sheet_free(&sheet);
        linnet_image_free(&picture);
        return cli_check_last();
    }
    int32_t scale = picture->width / (int32_t)map->width;
    linnet_image *heat = enlarge(linnet_image_from_map(NULL, map->data, (int32_t)map->height, (int32_t)map->width, 0, 0,
                                                       LINNET_COLOUR_SEQUENTIAL),
                                 scale);
    linnet_maps coarse = {.data = NULL};
    int code = features_coarse(map, &coarse);
    if (code == EXIT_GO_ON)
        code = features_limit_peaks(&coarse);
    for (int64_t i = 0; i < coarse.height * coarse.width && code == EXIT_GO_ON; i++)
        coarse.data[i] = sqrtf(coarse.data[i]); /* else nothing of it is seen beside its middle */
    linnet_image *over =
        code == EXIT_GO_ON ? enlarge(linnet_overlay_draw(NULL, &f->picture.tensor, &coarse), scale) : NULL;
    free(coarse.data);
    if (code == EXIT_GO_ON)
        code = heat && over ? EXIT_GO_ON : cli_check_last();
    if (code == EXIT_GO_ON) {
        frame(picture, d, scale);
        frame(over, d, scale);
        snprintf(caption, sizeof caption, "theory:\n%.0fx%.0f pixels", d->size[1], d->size[0]);
        code = look_add(sheet, &picture, 0, caption);
    }
    if (code == EXIT_GO_ON)
        code = look_add(sheet, &heat, 0, "gradient\n(square root)");
    snprintf(caption, sizeof caption, "50 %%: %.1f pixels\n90 %%: %.1f pixels", d->radius[0], d->radius[1]);
    if (code == EXIT_GO_ON)
        code = look_add(sheet, &over, 0, caption);
    linnet_image *figure = code == EXIT_GO_ON ? linnet_sheet_draw(sheet) : NULL;
    if (code == EXIT_GO_ON)
        code = look_write(&figure, f->o->output);
    linnet_image_free(&picture);
    linnet_image_free(&heat);
    linnet_image_free(&over);
    linnet_sheet_free(&sheet);
    return code;
}

int features_field(features *f)
{
    field d = {.x = 0};
    linnet_effective_options options = {.struct_size = sizeof options};
    linnet_value layer = features_layer_or(f, linnet_last_maps(&f->e.model));
    const char *name = features_layer_name(f, layer);
    int code = layer.id ? read_unit(f, &options)
                        : cli_fail(EXIT_USAGE, "the network '%s' has no layer with maps; name one with --layer",
                                   linnet_net_name(f->e.model.net));
    if (code != EXIT_GO_ON)
        return code;
    linnet_status status =
        linnet_effective_field_with(f->e.session, &f->e.model, &f->picture.tensor, layer, &options, &d.effective);
    code = cli_check(status);
    if (status == LINNET_INVALID) /* no such unit */
        code = EXIT_USAGE;
    if (code == EXIT_GO_ON)
        code = measure(f, layer, &d);
    if (code == EXIT_GO_ON)
        print_field(f, name, &d);
    if (code == EXIT_GO_ON && f->o->output)
        code = draw(f, name, &d);
    linnet_maps_free(&d.effective.map);
    return code;
}
