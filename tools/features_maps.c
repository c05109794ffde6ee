/* SPDX-License-Identifier: Apache-2.0 */
/* linnet features --layer, --all, --filters: what the layers make of the picture. */
#include "features.h"
#include "json_lines.h"
#include "text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct summary {
    double low, high, mean, norm;
} summary;

static summary summarise(const float *data, int64_t count)
{
    summary s = {.low = INFINITY, .high = -INFINITY};
    for (int64_t i = 0; i < count; i++) {
        s.low = fmin(s.low, (double)data[i]);
        s.high = fmax(s.high, (double)data[i]);
        s.mean += (double)data[i] / (double)count;
        s.norm += (double)data[i] * (double)data[i];
    }
    s.norm = sqrt(s.norm);
    if (!(s.low <= s.high)) /* none of them is a number */
        s.low = s.high = NAN;
    return s;
}

static void shape_text(const linnet_maps *m, char *out, size_t size)
{
    if (m->height * m->width > 1)
        snprintf(out, size, "%lld x %lld x %lld", (long long)m->channels, (long long)m->height, (long long)m->width);
    else
        snprintf(out, size, "%lld", (long long)m->channels);
}

static void print_json(const char *layer, const linnet_maps *m, bool channels)
{
    int64_t positions = m->height * m->width;
    summary s = summarise(m->data, m->channels * positions);
    json_t *line = json_object(), *list = channels ? json_array() : NULL;
    json_text(line, "layer", layer);
    json_count(line, "channels", (long long)m->channels);
    json_count(line, "height", (long long)m->height);
    json_count(line, "width", (long long)m->width);
    json_number(line, "min", s.low);
    json_number(line, "max", s.high);
    json_number(line, "mean", s.mean);
    json_number(line, "norm", s.norm);
    for (int64_t c = 0; list && c < m->channels; c++) {
        double mean = summarise(m->data + c * positions, positions).mean;
        json_array_append_new(list, isfinite(mean) ? json_real(mean) : json_null());
    }
    if (list)
        json_object_set_new(line, "channel_means", list);
    json_line(line);
}

static void add_row(table *t, const char *layer, const linnet_maps *m)
{
    char shape[64], low[TEXT_SIZE], high[TEXT_SIZE], mean[TEXT_SIZE], off[TEXT_SIZE] = "";
    int64_t count = m->channels * m->height * m->width, zeros = 0;
    summary s = summarise(m->data, count);
    for (int64_t i = 0; i < count; i++)
        zeros += m->data[i] == 0;
    shape_text(m, shape, sizeof shape);
    snprintf(low, sizeof low, "%.4g", s.low);
    snprintf(high, sizeof high, "%.4g", s.high);
    snprintf(mean, sizeof mean, "%.4g", s.mean);
    snprintf(off, sizeof off, "%.0f %%", 100.0 * (double)zeros / (double)count);
    table_row(t, (const char *[]){layer, shape, low, mean, high, off});
}

static int print_layers(const features *f, const linnet_value *layers, const char *const *names, size_t count)
{
    table t;
    linnet_maps *maps = calloc(count ? count : 1, sizeof *maps);
    if (!maps)
        return cli_fail(EXIT_NO_MEMORY, "no memory for %zu layers", count);
    table_start(&t, (const char *[]){"LAYER", "SHAPE", ">LEAST", ">MEAN", ">MOST", ">ZERO", NULL});
    int code = cli_check(linnet_activations_read(f->e.session, &f->e.model, &f->picture.tensor, layers, count, maps));
    for (size_t i = 0; i < count && code == EXIT_GO_ON; i++) {
        if (cli_common_options.json)
            print_json(names[i], &maps[i], count == 1);
        else if (!cli_common_options.quiet)
            add_row(&t, names[i], &maps[i]);
        linnet_maps_free(&maps[i]);
    }
    if (code == EXIT_GO_ON && !cli_common_options.json && !cli_common_options.quiet)
        table_print(&t, 0);
    free(maps);
    return code;
}

static int draw_layer(const features *f, const char *name)
{
    linnet_maps maps;
    char title[160], shape[64];
    int code = cli_check(linnet_activations_read(f->e.session, &f->e.model, &f->picture.tensor, &f->layer, 1, &maps));
    if (code != EXIT_GO_ON)
        return code;
    shape_text(&maps, shape, sizeof shape);
    bool cut = f->o->maps && f->o->maps < maps.channels && maps.height * maps.width > 1;
    snprintf(title, sizeof title, "%s of %s: %s%s", name, linnet_net_name(f->e.model.net), shape,
             cut ? ", those that vary most" : "");
    linnet_image *image =
        linnet_maps_draw(NULL, &maps, .title = title, .limit = (uint32_t)f->o->maps, .strongest = f->o->maps > 0);
    linnet_maps_free(&maps);
    return look_write(&image, f->o->output);
}

int features_layer(features *f)
{
    const char *name = features_layer_name(f, f->layer);
    int code = print_layers(f, &f->layer, &name, 1);
    return code == EXIT_GO_ON && f->o->output ? draw_layer(f, name) : code;
}

static int draw_strip(const features *f)
{
    char title[200];
    const char *file = f->o->image ? strrchr(f->o->image, '/') : NULL;
    if (f->o->image)
        snprintf(title, sizeof title, "%s through %s", file ? file + 1 : f->o->image, linnet_net_name(f->e.model.net));
    else
        snprintf(title, sizeof title, "image %lld of %s through %s", (long long)f->o->index,
                 linnet_dataset_name(f->data), linnet_net_name(f->e.model.net));
    linnet_image *image =
        linnet_strip_draw(f->e.session, &f->e.model, &f->picture.tensor, .title = title, .maps = (uint32_t)f->o->maps,
                          .class_names = (const char *const *)f->names.names, .class_count = f->names.count);
    return look_write(&image, f->o->output);
}

int features_strip(features *f)
{
    linnet_value *layers = NULL;
    const char **names = NULL;
    size_t count = 0;
    int code = look_layers(&f->e.model, &layers, &names, &count);
    if (code == EXIT_GO_ON)
        code = print_layers(f, layers, names, count);
    if (code == EXIT_GO_ON && f->o->output)
        code = draw_strip(f);
    free(layers);
    free(names);
    return code;
}

/* "6 of 5x5", "64 of 512 of 28x28", "6 of 5x5 at each of 28x28 places" */
static void filters_text(const linnet_filters *filters, char *out, size_t size)
{
    char shown[32] = "", places[64] = "";
    int64_t rows = filters->height / filters->cell_height, columns = filters->width / filters->cell_width;
    if (filters->count < filters->total)
        snprintf(shown, sizeof shown, "%lld of ", (long long)filters->count);
    if (rows * columns > 1)
        snprintf(places, sizeof places, " at each of %lldx%lld places", (long long)rows, (long long)columns);
    snprintf(out, size, "%s%lld of %lldx%lld%s", shown, (long long)filters->total, (long long)filters->cell_height,
             (long long)filters->cell_width, places);
}

int features_filters(features *f)
{
    linnet_filters filters;
    char title[320], text[128];
    const char *layer = f->layer.id ? features_layer_name(f, f->layer) : NULL;
    linnet_status status = linnet_filters_read(f->e.session, layer, f->o->maps, &filters);
    int code = cli_check(status);
    if (code != EXIT_GO_ON)
        return status == LINNET_INVALID ? EXIT_USAGE : code; /* a layer without filters */
    filters_text(&filters, text, sizeof text);
    snprintf(title, sizeof title, "Filters of %.60s, layer %.60s: %s", linnet_net_name(f->e.model.net), filters.layer,
             text);
    linnet_image *image = linnet_filters_draw(NULL, &filters, .title = title);
    linnet_filters_free(&filters);
    return look_write(&image, f->o->output);
}
