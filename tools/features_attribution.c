/* SPDX-License-Identifier: Apache-2.0 */
/* linnet features --saliency, --grad-cam: which pixels a class depends on. */
#include "features.h"
#include "json_lines.h"

#include <stdlib.h>

/* Where the map is highest, in pixels of the picture, and the centre of its mass. */
typedef struct spot {
    double x, y, mass_x, mass_y, high, sum;
} spot;

static spot find_spot(const linnet_maps *map, const photo *picture)
{
    spot s = {.high = -1};
    double down = (double)picture->tensor.dims[1] / (double)map->height;
    double right = (double)picture->tensor.dims[2] / (double)map->width;
    for (int64_t i = 0; i < map->height * map->width; i++) {
        double value = (double)map->data[i];
        double x = ((double)(i % map->width) + 0.5) * right - 0.5, y = ((double)(i / map->width) + 0.5) * down - 0.5;
        s.sum += value;
        s.mass_x += value * x;
        s.mass_y += value * y;
        if (value > s.high) {
            s.high = value;
            s.x = x;
            s.y = y;
        }
    }
    s.mass_x = s.sum > 0 ? s.mass_x / s.sum : 0;
    s.mass_y = s.sum > 0 ? s.mass_y / s.sum : 0;
    return s;
}

static void print_attribution(const features *f, const char *what, const char *layer, const linnet_attribution *a)
{
    char name[LABEL_SIZE];
    spot s = find_spot(&a->map, &f->picture);
    labels_name(&f->names, (int32_t)a->class_index, name);
    if (!cli_common_options.json) {
        if (!cli_common_options.quiet)
            printf("%s of class %lld (%s): score %.4g, probability %.1f %%; highest at %.0f,%.0f, centre of mass "
                   "%.0f,%.0f\n",
                   what, (long long)a->class_index, name, (double)a->score, 100 * (double)a->probability, s.x, s.y,
                   s.mass_x, s.mass_y);
        return;
    }
    json_t *line = json_object();
    json_text(line, "map", what);
    if (layer)
        json_text(line, "layer", layer);
    json_count(line, "class", (long long)a->class_index);
    json_text(line, "name", name);
    json_number(line, "score", (double)a->score);
    json_number(line, "probability", (double)a->probability);
    json_count(line, "height", (long long)a->map.height);
    json_count(line, "width", (long long)a->map.width);
    json_number(line, "max", s.high);
    json_number(line, "sum", s.sum);
    json_number(line, "x", s.x);
    json_number(line, "y", s.y);
    json_number(line, "mass_x", s.mass_x);
    json_number(line, "mass_y", s.mass_y);
    json_line(line);
}

/* The picture, the map, and a map over the picture, beside each other. */
static int draw(const features *f, const char *title, const char *what, const linnet_maps *map, const linnet_maps *over)
{
    linnet_sheet *sheet = linnet_sheet_new(NULL, title);
    if (!sheet)
        return cli_check_last();
    linnet_image *picture = look_image(&f->picture, FEATURES_SIDE);
    linnet_image *plain = linnet_image_from_map(NULL, map->data, (int32_t)map->height, (int32_t)map->width, 0, 0,
                                                LINNET_COLOUR_SEQUENTIAL);
    linnet_image *overlay = linnet_overlay_draw(NULL, &f->picture.tensor, over);
    int code = look_add(sheet, &picture, 0, "picture");
    if (code == EXIT_GO_ON)
        code = look_add(sheet, &plain, FEATURES_SIDE, what);
    if (code == EXIT_GO_ON)
        code = look_add(sheet, &overlay, FEATURES_SIDE, "over the picture");
    linnet_image *figure = code == EXIT_GO_ON ? linnet_sheet_draw(sheet) : NULL;
    if (code == EXIT_GO_ON)
        code = look_write(&figure, f->o->output);
    linnet_image_free(&picture);
    linnet_image_free(&plain);
    linnet_image_free(&overlay);
    linnet_sheet_free(&sheet);
    return code;
}

#define CELLS 45 /* of the longer side: dots become areas */

int features_coarse(const linnet_maps *map, linnet_maps *out)
{
    int64_t longer = map->height > map->width ? map->height : map->width, cell = (longer + CELLS - 1) / CELLS;
    *out = (linnet_maps){
        .channels = 1, .height = (map->height + cell - 1) / cell, .width = (map->width + cell - 1) / cell};
    out->data = calloc((size_t)(out->height * out->width), sizeof *out->data);
    if (!out->data)
        return cli_fail(EXIT_NO_MEMORY, "no memory for a map");
    for (int64_t i = 0; i < map->height * map->width; i++)
        out->data[i / map->width / cell * out->width + i % map->width / cell] +=
            map->data[i] / (float)(cell * cell); /* less at the right and lower edge: nobody sees it */
    return EXIT_GO_ON;
}

int features_limit_peaks(linnet_maps *map)
{
    float most;
    size_t count = (size_t)(map->height * map->width);
    int code = planes_usual(map->data, count, &most);
    for (size_t i = 0; i < count && most > 0; i++)
        map->data[i] = map->data[i] < most ? map->data[i] : most;
    return code;
}

int features_saliency(features *f)
{
    linnet_attribution a;
    linnet_maps coarse = {.data = NULL};
    char name[LABEL_SIZE], title[160];
    int code = cli_check(linnet_saliency_map(f->e.session, &f->e.model, &f->picture.tensor, f->class_index, &a));
    if (code != EXIT_GO_ON)
        return code;
    print_attribution(f, "saliency", NULL, &a);
    if (f->o->output) {
        labels_name(&f->names, (int32_t)a.class_index, name);
        snprintf(title, sizeof title, "saliency of %s (%.1f %%)", name, 100 * (double)a.probability);
        code = features_limit_peaks(&a.map);
        code = code == EXIT_GO_ON ? features_coarse(&a.map, &coarse) : code;
        code = code == EXIT_GO_ON ? draw(f, title, "gradient of\nthe score", &a.map, &coarse) : code;
        free(coarse.data);
    }
    linnet_maps_free(&a.map);
    return code;
}

int features_grad_cam(features *f)
{
    linnet_attribution a;
    char name[LABEL_SIZE], title[200];
    int64_t dims[LINNET_MAX_RANK];
    linnet_value layer = features_layer_or(f, linnet_last_maps(&f->e.model));
    if (!layer.id)
        return cli_fail(EXIT_USAGE, "the network '%s' has no layer with maps", linnet_net_name(f->e.model.net));
    if (linnet_value_shape(f->e.model.net, layer, dims) != 4)
        return cli_fail(EXIT_USAGE, "layer '%s' has no maps: it does not say where it saw something", f->o->layer);
    int code = cli_check(linnet_grad_cam_map(f->e.session, &f->e.model, &f->picture.tensor, layer, f->class_index, &a));
    if (code != EXIT_GO_ON)
        return code;
    const char *layer_name = features_layer_name(f, layer);
    print_attribution(f, "Grad-CAM", layer_name, &a);
    if (f->o->output) {
        labels_name(&f->names, (int32_t)a.class_index, name);
        snprintf(title, sizeof title, "Grad-CAM of %s (%.1f %%) at %s", name, 100 * (double)a.probability, layer_name);
        code = draw(f, title, "where the class is seen", &a.map, &a.map);
    }
    linnet_maps_free(&a.map);
    return code;
}
