/* SPDX-License-Identifier: Apache-2.0 */
/* `linnet invert`: a picture as each of some layers sees it. */
#include "invert.h"

#include "descent.h"
#include "interrupt.h"
#include "json_lines.h"
#include "look.h"
#include "loss_svg.h"
#include "model.h"
#include "net_argument.h"
#include "objectives.h"
#include "output.h"
#include "style.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MOST_LAYERS (LOSS_SERIES - 1)
#define LAYERS      8  /* at most, where none are named */
#define TILE        84 /* side of a small picture in the figure, about */

typedef struct inversion {
    const invert_settings *settings;
    linnet_feature_source source;
    linnet_tensor picture;
    layer_list layers;
    linnet_sheet *sheet;
    double *losses[MOST_LAYERS];
    loss_series series[MOST_LAYERS];
    size_t count; /* layers done */
    double seconds;
    uint64_t session_bytes;
} inversion;

/* ---- Which layers ---- */

/* Stages of a network: what relu and concat make, and the scores; not the insides of a module, which have a dot in
   their names. */
static bool is_stage(const linnet_node_info *info, bool is_last)
{
    bool kind = strcmp(info->kind, "relu") == 0 || strcmp(info->kind, "concat") == 0 ||
                (is_last && strcmp(info->kind, "linear") == 0);
    return kind && !strchr(info->name, '.');
}

/* Up to LAYERS of them, evenly spread, as a list. */
static int default_layers(const linnet_model *model, layer_list *out)
{
    char joined[1024] = "";
    const char *names[256];
    size_t count = 0;
    linnet_node_info info;
    for (size_t i = 0; linnet_net_node(model->net, i, &info) == LINNET_OK && count < 256; i++)
        if (is_stage(&info, info.output.id == model->logits.id))
            names[count++] = info.name;
    size_t taken = count < LAYERS ? count : LAYERS;
    for (size_t i = 0; i < taken; i++) {
        size_t at = taken > 1 ? (i * (count - 1) + (taken - 1) / 2) / (taken - 1) : 0;
        snprintf(joined + strlen(joined), sizeof joined - strlen(joined), "%s%s", i ? "," : "", names[at]);
    }
    return taken ? layer_list_parse(joined, "layer", out)
                 : cli_fail(EXIT_USAGE, "which layers? Name them with --layer");
}

static int choose_layers(inversion *v, const linnet_model *model)
{
    int code = v->settings->layers ? layer_list_parse(v->settings->layers, "layer", &v->layers)
                                   : default_layers(model, &v->layers);
    if (code == EXIT_GO_ON && v->layers.count > MOST_LAYERS)
        code = cli_fail(EXIT_USAGE, "--layer: at most %d layers", MOST_LAYERS);
    for (size_t i = 0; i < v->layers.count && code == EXIT_GO_ON; i++) {
        linnet_value value;
        code = look_layer(model, v->layers.layers[i].name, &value);
    }
    return code;
}

/* ---- The picture ---- */

/* The network in its own size: it says how many channels and how large a picture it takes. */
static int open_model(const inversion *v, linnet_model *out)
{
    linnet_status status = v->source.weights
                               ? linnet_model_for_weights(NULL, v->source.weights, v->source.model, NULL, out)
                               : linnet_model_new(NULL, v->source.model, NULL, out);
    return net_check(status, v->source.model, v->source.weights != NULL);
}

static int read_picture(inversion *v, const linnet_model *model)
{
    int64_t dims[LINNET_MAX_RANK] = {0};
    photo p = {.image = NULL};
    linnet_value_shape(model->net, model->image, dims);
    if (v->settings->size)
        return planes_read(v->settings->image, dims[1], v->settings->size, &v->picture);
    int code = photo_open(v->settings->image, model, PHOTO_FITTED, &p);
    v->picture = p.tensor; /* takes the planes over */
    p.tensor.data = NULL;
    photo_free(&p);
    return code;
}

/* ---- One layer ---- */

static int add_picture(inversion *v, const linnet_tensor *planes, const char *caption)
{
    linnet_image *image = planes_image(planes);
    return look_add(v->sheet, &image, TILE, caption);
}

/* Once there is something to compute: above an error would stand an empty table. */
static void print_heading(const inversion *v, const linnet_objective *objective)
{
    if (cli_common_options.json || cli_common_options.quiet)
        return;
    printf("%s on %s, %lld x %lld pixels\n\n%-24s %12s %12s %12s\n",
           linnet_net_name(linnet_session_net(linnet_objective_session(objective))),
           linnet_device_label(v->source.device), (long long)v->picture.dims[2], (long long)v->picture.dims[1], "layer",
           "first loss", "loss", "distance");
}

static void print_layer(const char *name, const descent *d, double distance)
{
    if (cli_common_options.json) {
        json_t *line = json_object();
        json_text(line, "event", "layer");
        json_text(line, "layer", name);
        json_count(line, "iterations", (long long)d->done);
        json_number(line, "first_loss", d->first);
        json_number(line, "loss", d->last);
        json_number(line, "distance", distance);
        json_number(line, "seconds", d->seconds);
        json_line(line);
    } else if (!cli_common_options.quiet) {
        printf("%-24s %12.4g %12.4g %12.4g\n", name, d->first, d->last, distance);
        fflush(stdout);
    }
}

/* Keeps what the picture and the curve need. */
static int take_result(inversion *v, const char *name, descent *d)
{
    linnet_objective_term term = {.loss = NAN};
    char caption[160];
    int code = cli_check(linnet_objective_get_term(d->objective, 0, &term)); /* of the picture as it is now */
    double distance = term.weight * term.loss;
    if (code != EXIT_GO_ON)
        return code;
    print_layer(name, d, distance);
    v->losses[v->count] = d->losses;
    d->losses = NULL;
    v->series[v->count] = (loss_series){name, v->losses[v->count], (size_t)d->done + 1, 1 + d->terms, false};
    v->count++;
    v->seconds += d->seconds;
    uint64_t bytes = objective_bytes(d->objective);
    v->session_bytes = bytes > v->session_bytes ? bytes : v->session_bytes;
    snprintf(caption, sizeof caption, "%s\ndistance %.2g", name, distance);
    return add_picture(v, &d->picture, caption);
}

static int invert_layer(inversion *v, const char *name)
{
    const invert_settings *s = v->settings;
    descent d = {.objective = NULL};
    linnet_objective *objective = linnet_inversion_new(
        NULL, .no_regularizers = (uint32_t)s->none, .source = &v->source, .picture = &v->picture, .layer = name,
        .alpha = (float)s->alpha, .beta = (float)s->beta, .alpha_weight = s->alpha_weight, .tv_weight = s->tv_weight);
    int code = objective_check(objective);
    if (code == EXIT_GO_ON)
        code = descent_new(&d, objective, name, &s->descent);
    if (code == EXIT_GO_ON) {
        if (!v->count)
            print_heading(v, objective);
        code = descent_run(&d);
        bool stopped = code == EXIT_INTERRUPTED;
        if (code == EXIT_GO_ON || stopped)
            code = take_result(v, name, &d);
        code = code == EXIT_GO_ON && stopped ? EXIT_INTERRUPTED : code;
    }
    descent_free(&d);
    linnet_objective_free(&objective);
    return code;
}

/* ---- All ---- */

static int write_figure(const inversion *v, char **out_curve)
{
    char title[256];
    linnet_image *image = linnet_sheet_draw(v->sheet);
    if (!image)
        return cli_check_last();
    int code = cli_check(linnet_image_write(NULL, image, v->settings->output));
    linnet_image_free(&image);
    *out_curve = path_beside(v->settings->output, "-loss", ".svg");
    if (code != EXIT_GO_ON || !*out_curve)
        return code == EXIT_GO_ON ? cli_fail(EXIT_NO_MEMORY, "no memory for a path") : code;
    snprintf(title, sizeof title, "Loss of the inversion of each layer");
    return loss_svg_write(*out_curve, title, v->series, v->count);
}

static void print_end(const inversion *v, const char *curve)
{
    if (cli_common_options.json) {
        json_t *line = json_object();
        json_text(line, "event", "done");
        json_count(line, "layers", (long long)v->count);
        json_number(line, "seconds", v->seconds);
        json_count(line, "peak_bytes", (long long)memory_peak());
        json_count(line, "session_bytes", (long long)v->session_bytes);
        json_text(line, "picture", v->settings->output);
        json_text(line, "curve", curve);
        json_line(line);
    } else {
        printf("%s  picture  %s\n  losses   %s\n", cli_common_options.quiet ? "" : "\n", v->settings->output, curve);
    }
}

static int start(inversion *v)
{
    linnet_model model = {.net = NULL};
    int code = output_check_picture(v->settings->output);
    if (code == EXIT_GO_ON)
        code = source_open(v->settings->model, v->settings->weights, &v->source);
    if (code == EXIT_GO_ON)
        code = open_model(v, &model);
    if (code == EXIT_GO_ON)
        code = choose_layers(v, &model);
    if (code == EXIT_GO_ON)
        code = read_picture(v, &model);
    if (code == EXIT_GO_ON && !v->source.weights)
        model_warn_random(&model);
    linnet_model_free(&model);
    v->sheet = code == EXIT_GO_ON ? linnet_sheet_new(NULL, NULL) : NULL;
    if (code == EXIT_GO_ON && !v->sheet)
        code = cli_check_last();
    if (code == EXIT_GO_ON)
        code = cli_check(linnet_sheet_set_width(v->sheet, 8192));
    return code == EXIT_GO_ON ? add_picture(v, &v->picture, "given") : code;
}

static int invert_all(inversion *v)
{
    char *curve = NULL;
    int code = start(v);
    interrupt_watch();
    for (size_t i = 0; i < v->layers.count && code == EXIT_GO_ON; i++)
        code = invert_layer(v, v->layers.layers[i].name);
    if (code != EXIT_GO_ON && code != EXIT_INTERRUPTED)
        return code;
    int written = write_figure(v, &curve);
    if (written != EXIT_GO_ON)
        code = written;
    else if (code == EXIT_INTERRUPTED)
        code = cli_fail(EXIT_INTERRUPTED, "interrupted; %s has %zu of %zu layers", v->settings->output, v->count,
                        v->layers.count);
    else
        print_end(v, curve);
    free(curve);
    return code == EXIT_GO_ON ? EXIT_DONE : code;
}

int invert_layers(const invert_settings *settings)
{
    inversion v = {.settings = settings};
    int code = invert_all(&v);
    linnet_sheet_free(&v.sheet);
    layer_list_free(&v.layers);
    source_close(&v.source);
    free(v.picture.data);
    for (size_t i = 0; i < v.count; i++)
        free(v.losses[i]);
    return code;
}
