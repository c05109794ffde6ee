/* SPDX-License-Identifier: Apache-2.0 */
/* `linnet style`: one picture from a content and a style. */
#include "style.h"

#include "interrupt.h"
#include "json_lines.h"
#include "loss_svg.h"
#include "objectives.h"
#include "output.h"
#include "planes.h"
#include "progress.h"
#include "text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct transfer {
    const style_settings *settings;
    const style_outputs *outputs;
    linnet_feature_source source;
    linnet_tensor content, style;
    layer_list content_layers, style_layers;
    linnet_objective *objective;
    descent d;
    double started; /* this process */
    uint64_t from;  /* iterations when it started */
    char *curve, *state;
} transfer;

/* ---- What is said ---- */

/* Sum of weight * loss over the terms of a kind. */
static double share(const transfer *t, uint64_t iteration, const char *kind)
{
    const double *row = descent_row(&t->d, iteration);
    linnet_objective_term term;
    double sum = 0;
    for (size_t i = 0; linnet_objective_get_term(t->objective, i, &term) == LINNET_OK; i++)
        sum += strcmp(term.kind, kind) == 0 ? row[1 + i] : 0;
    return sum;
}

static json_t *losses_json(const transfer *t, uint64_t iteration)
{
    const double *row = descent_row(&t->d, iteration);
    linnet_objective_term term;
    json_t *list = json_array();
    for (size_t i = 0; linnet_objective_get_term(t->objective, i, &term) == LINNET_OK; i++) {
        json_t *item = json_object();
        json_text(item, "kind", term.kind);
        if (*term.layer)
            json_text(item, "layer", term.layer);
        json_number(item, "weight", term.weight);
        json_number(item, "loss", row[1 + i] / term.weight);
        json_array_append_new(list, item);
    }
    return list;
}

static double seconds_left(const transfer *t)
{
    double each = (text_now() - t->started) / (double)(t->d.done - t->from);
    return each * (double)(t->d.total - t->d.done);
}

static void print_moment(const transfer *t)
{
    const descent *d = &t->d;
    char left[TEXT_SIZE];
    double loss = descent_row(d, d->done)[0];
    if (cli_common_options.json) {
        json_t *line = json_object();
        json_text(line, "event", "iteration");
        json_count(line, "iteration", (long long)d->done);
        json_number(line, "loss", loss);
        json_number(line, "content", share(t, d->done, "content"));
        json_number(line, "style", share(t, d->done, "style"));
        json_object_set_new(line, "losses", losses_json(t, d->done));
        json_number(line, "seconds_left", seconds_left(t));
        json_line(line);
    } else if (!cli_common_options.quiet) {
        progress_clear();
        printf("%9llu  %10.4g  %10.4g  %10.4g  %8s\n", (unsigned long long)d->done, loss, share(t, d->done, "content"),
               share(t, d->done, "style"), text_clock(left, seconds_left(t)));
        fflush(stdout);
    }
}

static int write_snapshot(const transfer *t)
{
    char suffix[32];
    snprintf(suffix, sizeof suffix, "-%04llu", (unsigned long long)t->d.done);
    char *path = path_beside(t->outputs->picture, suffix, NULL);
    int code = path ? planes_write(&t->d.picture, path) : cli_fail(EXIT_NO_MEMORY, "no memory for a path");
    free(path);
    return code;
}

static int moment(descent *d)
{
    const transfer *t = d->user;
    uint64_t every = (uint64_t)t->settings->every, lines = every ? every : (d->total + 9) / 10;
    if (d->done % lines == 0 || d->done == d->total)
        print_moment(t);
    return every && d->done % every == 0 ? write_snapshot(t) : EXIT_GO_ON;
}

static void print_layers(const transfer *t, const char *kind)
{
    linnet_objective_term term;
    bool any = false;
    for (size_t i = 0; linnet_objective_get_term(t->objective, i, &term) == LINNET_OK; i++)
        if (strcmp(term.kind, kind) == 0) {
            if (any)
                printf(" %s", term.layer);
            else
                printf("%-8s from %s", kind, term.layer);
            any = true;
        }
    if (any)
        putchar('\n');
}

static void print_start(const transfer *t)
{
    const linnet_session *session = linnet_objective_session(t->objective);
    const char *device = linnet_device_label(linnet_session_device(session));
    const char *net = linnet_net_name(linnet_session_net(session));
    if (cli_common_options.json) {
        json_t *line = json_object();
        json_text(line, "event", "start");
        json_text(line, "network", net);
        json_text(line, "device", device);
        json_text(line, "optimizer", linnet_minimizer_name(t->d.method));
        json_count(line, "width", t->d.picture.dims[2]);
        json_count(line, "height", t->d.picture.dims[1]);
        json_count(line, "iterations", (long long)t->d.total);
        json_count(line, "resumed_after", (long long)t->d.done);
        json_line(line);
        return;
    }
    if (cli_common_options.quiet)
        return;
    printf("%lld x %lld pixels, %s on %s, %s\n", (long long)t->d.picture.dims[2], (long long)t->d.picture.dims[1], net,
           device, linnet_minimizer_name(t->d.method));
    print_layers(t, "content");
    print_layers(t, "style");
    if (t->d.done)
        printf("resumed after %llu iterations%s\n", (unsigned long long)t->d.done,
               strcmp(linnet_minimizer_name(t->d.method), "lbfgs") == 0 ? ", with a fresh history" : "");
    printf("\n%s\niteration        loss     content       style      left\n",
           t->settings->absolute ? "Losses times their weights" : "Relative losses times their weights");
    fflush(stdout);
}

static void print_end_json(const transfer *t)
{
    const descent *d = &t->d;
    json_t *line = json_object();
    json_text(line, "event", "done");
    json_count(line, "iterations", (long long)d->done);
    json_count(line, "evaluations", (long long)d->evaluations);
    json_number(line, "first_loss", d->first);
    json_number(line, "loss", d->last);
    json_object_set_new(line, "first_losses", losses_json(t, 0));
    json_object_set_new(line, "losses", losses_json(t, d->done));
    json_bool(line, "converged", d->converged);
    json_number(line, "seconds", d->seconds);
    json_count(line, "peak_bytes", (long long)memory_peak());
    json_count(line, "session_bytes", (long long)objective_bytes(t->objective));
    json_count(line, "fallbacks", objective_fallbacks(t->objective));
    json_text(line, "picture", t->outputs->picture);
    json_text(line, "curve", t->curve);
    json_line(line);
}

static void print_end(const transfer *t)
{
    const descent *d = &t->d;
    char clock[TEXT_SIZE], peak[TEXT_SIZE], session[TEXT_SIZE];
    if (cli_common_options.json) {
        print_end_json(t);
        return;
    }
    printf("%sloss %.4g after %llu iterations, %.3g at the start; %s; memory %s at most, %s of it the session's",
           cli_common_options.quiet ? "" : "\n", d->last, (unsigned long long)d->done, d->first,
           text_clock(clock, d->seconds), text_bytes(peak, memory_peak()),
           text_bytes(session, objective_bytes(t->objective)));
    uint32_t fallbacks = objective_fallbacks(t->objective);
    if (fallbacks)
        printf("; %u node%s ran on another device", fallbacks, fallbacks == 1 ? "" : "s");
    printf("\n");
    if (d->converged)
        printf("There was no way further down.\n");
    if (!cli_common_options.quiet)
        printf("\n  picture  %s\n  losses   %s\n", t->outputs->picture, t->curve);
}

/* ---- What is written ---- */

static int write_curve(const transfer *t)
{
    const descent *d = &t->d;
    char names[LOSS_SERIES][64];
    loss_series series[LOSS_SERIES];
    size_t count = 0, rows = (size_t)d->done + 1, stride = 1 + d->terms;
    linnet_objective_term term;
    series[count++] = (loss_series){"total", d->losses, rows, stride, true};
    for (size_t i = 0; count < LOSS_SERIES && linnet_objective_get_term(t->objective, i, &term) == LINNET_OK; i++) {
        snprintf(names[count], sizeof names[0], "%s %s", term.kind, term.layer);
        series[count] = (loss_series){names[count], d->losses + 1 + i, rows, stride, false};
        count++;
    }
    return loss_svg_write(t->curve,
                          t->settings->absolute ? "Loss: total, and what each layer has of it"
                                                : "Relative loss: total, and what each layer has of it",
                          series, count);
}

static int write_all(const transfer *t, bool stopped)
{
    int code = planes_write(&t->d.picture, t->outputs->picture);
    if (code == EXIT_GO_ON)
        code = write_curve(t);
    if (code == EXIT_GO_ON && (stopped || t->outputs->state))
        code = style_state_save(t->state, t->settings, &t->d);
    return code;
}

/* ---- The run ---- */

static int read_pictures(transfer *t)
{
    const style_settings *s = t->settings;
    int code = EXIT_GO_ON;
    if (s->content)
        code = planes_read(s->content, 3, s->size, &t->content);
    if (code == EXIT_GO_ON && s->style)
        code = planes_read(s->style, 3, s->style_size ? s->style_size : s->size, &t->style);
    if (code == EXIT_GO_ON)
        code = layer_list_parse(s->layers, "layers", &t->style_layers);
    return code == EXIT_GO_ON ? layer_list_parse(s->content_layers, "content-layers", &t->content_layers) : code;
}

static int open_objective(transfer *t)
{
    const style_settings *s = t->settings;
    int code = source_open(s->model, s->weights, &t->source);
    if (code != EXIT_GO_ON)
        return code;
    t->source.average_pooling = s->average_pooling;
    t->objective = linnet_style_new(NULL, .absolute = (uint32_t)s->absolute, .source = &t->source,
                                    .content = s->content ? &t->content : NULL, .style = s->style ? &t->style : NULL,
                                    .content_layers = t->content_layers.layers,
                                    .content_count = t->content_layers.count, .style_layers = t->style_layers.layers,
                                    .style_count = t->style_layers.count, .content_weight = s->content_weight,
                                    .style_weight = s->style_weight, .tv_weight = s->tv_weight);
    return objective_check(t->objective);
}

/* (1 - noise) content + noise * white noise, which is there already. */
static void start_picture(transfer *t)
{
    float *x = t->d.picture.data, noise = (float)t->settings->noise;
    const float *content = t->content.data;
    for (size_t i = 0; content && i < linnet_objective_size(t->objective); i++)
        x[i] = noise * x[i] + (1 - noise) * content[i];
}

static int name_files(transfer *t)
{
    t->curve = path_beside(t->outputs->picture, "-loss", ".svg");
    t->state = t->outputs->state ? strdup(t->outputs->state) : path_beside(t->outputs->picture, "", ".state");
    if (!t->curve || !t->state)
        return cli_fail(EXIT_NO_MEMORY, "no memory for a path");
    int code = output_check_picture(t->outputs->picture);
    return code == EXIT_GO_ON ? output_check(t->state) : code;
}

static int prepare(transfer *t, const char *resume)
{
    descent_settings settings = style_descent(t->settings);
    int code = name_files(t);
    if (code == EXIT_GO_ON)
        code = read_pictures(t);
    if (code == EXIT_GO_ON)
        code = open_objective(t);
    if (code == EXIT_GO_ON)
        code = descent_new(&t->d, t->objective, "style", &settings);
    if (code != EXIT_GO_ON)
        return code;
    t->d.moment = moment;
    t->d.user = t;
    start_picture(t);
    return resume ? style_state_load(resume, &t->d) : EXIT_GO_ON;
}

static int stop(const transfer *t)
{
    return cli_fail(EXIT_INTERRUPTED, "interrupted after %llu iterations; go on with: linnet style --resume %s -o %s",
                    (unsigned long long)t->d.done, t->state, t->outputs->picture);
}

static int run(transfer *t)
{
    interrupt_watch();
    source_warn(&t->source);
    print_start(t);
    t->started = text_now();
    t->from = t->d.done;
    int code = descent_run(&t->d);
    if (code != EXIT_GO_ON && code != EXIT_INTERRUPTED)
        return code;
    int written = write_all(t, code == EXIT_INTERRUPTED);
    if (written != EXIT_GO_ON)
        return written;
    if (code == EXIT_INTERRUPTED)
        return stop(t);
    print_end(t);
    return EXIT_DONE;
}

int style_transfer(const style_settings *settings, const style_outputs *outputs, const char *resume)
{
    transfer t = {.settings = settings, .outputs = outputs};
    int code = prepare(&t, resume);
    if (code == EXIT_GO_ON)
        code = run(&t);
    descent_free(&t.d);
    linnet_objective_free(&t.objective);
    source_close(&t.source);
    layer_list_free(&t.content_layers);
    layer_list_free(&t.style_layers);
    planes_free(&t.content);
    planes_free(&t.style);
    free(t.curve);
    free(t.state);
    return code;
}
