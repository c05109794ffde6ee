/* SPDX-License-Identifier: Apache-2.0 */
/* `linnet style --content-only --style-only`: what is left of a picture in each layer. */
#include "style.h"

#include "interrupt.h"
#include "json_lines.h"
#include "objectives.h"
#include "output.h"
#include "planes.h"

#include <stdlib.h>
#include <string.h>

typedef struct figure {
    const style_settings *settings;
    const style_outputs *outputs;
    linnet_feature_source source;
    linnet_sheet *sheet;
    bool started;
} figure;

static void print_picture(const char *kind, const char *layers, bool absolute, const descent *d)
{
    if (cli_common_options.json) {
        json_t *line = json_object();
        json_text(line, "event", "reconstruction");
        json_text(line, "kind", kind);
        json_text(line, "layers", layers);
        json_count(line, "iterations", (long long)d->done);
        json_number(line, "first_loss", d->first);
        json_number(line, "loss", d->last);
        json_line(line);
    } else if (!cli_common_options.quiet) {
        printf("%-8s %-40s %s %.3g -> %.3g\n", kind, layers, absolute ? "loss" : "relative loss", d->first, d->last);
        fflush(stdout);
    }
}

static int add_picture(figure *f, const linnet_tensor *planes, const char *caption)
{
    linnet_image *image = planes_image(planes);
    if (!image)
        return cli_check_last();
    int code = cli_check(linnet_sheet_add(f->sheet, image, 1, caption));
    linnet_image_free(&image);
    return code;
}

/* From noise, from these layers alone. */
static int reconstruct(figure *f, bool style, const linnet_tensor *picture, const linnet_weighted_layer *layers,
                       size_t count, const char *names)
{
    const style_settings *s = f->settings;
    linnet_objective *objective = linnet_style_new(
        NULL, .source = &f->source, .absolute = (uint32_t)s->absolute, .content = style ? NULL : picture,
        .style = style ? picture : NULL, .content_layers = layers, .content_count = style ? 0 : count,
        .style_layers = layers, .style_count = style ? count : 0, .tv_weight = s->tv_weight,
        .style_weight = s->style_weight != 0 ? s->style_weight : 1, .content_weight = s->content_weight);
    descent d = {.objective = NULL};
    descent_settings settings = style_descent(s);
    int code = objective_check(objective);
    if (code == EXIT_GO_ON)
        code = descent_new(&d, objective, names, &settings);
    if (code == EXIT_GO_ON && !f->started)
        source_warn(&f->source);
    f->started = true;
    if (code == EXIT_GO_ON)
        code = descent_run(&d);
    if (code == EXIT_GO_ON) {
        print_picture(style ? "style" : "content", names, s->absolute, &d);
        code = add_picture(f, &d.picture, names);
    }
    descent_free(&d);
    linnet_objective_free(&objective);
    return code;
}

/* The layers of the row: those of the command line, else the network's own for style, which serve both rows. */
static int choose_layers(figure *f, bool style, const linnet_tensor *picture, layer_list *out)
{
    const style_settings *s = f->settings;
    const char *text = style || !s->content_layers ? s->layers : s->content_layers;
    int code = layer_list_parse(text, style || !s->content_layers ? "layers" : "content-layers", out);
    if (code != EXIT_GO_ON || out->count)
        return code;
    linnet_objective *objective = linnet_style_new(NULL, .source = &f->source, .style = picture);
    linnet_objective_term term;
    char joined[1024] = "";
    code = objective_check(objective);
    for (size_t i = 0; objective && linnet_objective_get_term(objective, i, &term) == LINNET_OK; i++)
        snprintf(joined + strlen(joined), sizeof joined - strlen(joined), "%s%s", i ? "," : "", term.layer);
    linnet_objective_free(&objective);
    return code == EXIT_GO_ON ? layer_list_parse(joined, "layers", out) : code;
}

/* Content layer by layer, style from the first layer, the first two, ... */
static int draw_row(figure *f, bool style, const char *path)
{
    linnet_tensor picture = {.data = NULL};
    layer_list list = {.text = NULL};
    int code = planes_read(path, 3, f->settings->size, &picture);
    if (code == EXIT_GO_ON)
        code = choose_layers(f, style, &picture, &list);
    if (code == EXIT_GO_ON)
        code = cli_check(linnet_sheet_row(f->sheet, style ? "style" : "content"));
    if (code == EXIT_GO_ON)
        code = add_picture(f, &picture, "given");
    char names[1024] = "";
    for (size_t i = 0; i < list.count && code == EXIT_GO_ON; i++) {
        size_t used = style ? strlen(names) : 0;
        snprintf(names + used, sizeof names - used, "%s%s", used ? " " : "", list.layers[i].name);
        code = reconstruct(f, style, &picture, style ? list.layers : &list.layers[i], style ? i + 1 : 1, names);
    }
    layer_list_free(&list);
    planes_free(&picture);
    return code;
}

/* What there is so far. */
static int write_sheet(figure *f)
{
    linnet_image *image = linnet_sheet_draw(f->sheet);
    if (!image)
        return cli_check_last();
    int code = cli_check(linnet_image_write(NULL, image, f->outputs->picture));
    linnet_image_free(&image);
    return code;
}

static int draw(figure *f, bool content, bool style)
{
    int code = source_open(f->settings->model, f->settings->weights, &f->source);
    f->source.average_pooling = f->settings->average_pooling;
    f->sheet = code == EXIT_GO_ON ? linnet_sheet_new(NULL, NULL) : NULL;
    if (!f->sheet)
        return code == EXIT_GO_ON ? cli_check_last() : code;
    code = cli_check(linnet_sheet_set_width(f->sheet, 8192));
    interrupt_watch();
    if (code == EXIT_GO_ON && style)
        code = draw_row(f, true, f->settings->style);
    if (code == EXIT_GO_ON && content)
        code = draw_row(f, false, f->settings->content);
    if (code != EXIT_GO_ON && code != EXIT_INTERRUPTED)
        return code;
    int written = write_sheet(f);
    if (written != EXIT_GO_ON)
        return written;
    if (code == EXIT_INTERRUPTED)
        return cli_fail(EXIT_INTERRUPTED, "interrupted; %s has what was finished", f->outputs->picture);
    if (!cli_common_options.quiet && !cli_common_options.json)
        printf("\n  picture  %s\n", f->outputs->picture);
    return EXIT_DONE;
}

int style_figure(const style_settings *settings, const style_outputs *outputs, bool content, bool style)
{
    figure f = {.settings = settings, .outputs = outputs};
    int code = output_check_picture(outputs->picture);
    if (code == EXIT_GO_ON)
        code = draw(&f, content, style);
    linnet_sheet_free(&f.sheet);
    source_close(&f.source);
    return code;
}
