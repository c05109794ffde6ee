/* SPDX-License-Identifier: Apache-2.0 */
/* A data set: accuracy against epsilon, as a table, a curve, and a sheet of what the pictures look like. */
#include "adversarial.h"
#include "interrupt.h"
#include "json_lines.h"
#include "line_svg.h"
#include "look.h"
#include "progress.h"
#include "text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN = 10 }; /* pictures of a row of the sheet */

typedef struct study {
    const adversarial_options *o;
    engine e;
    linnet_dataset *data;
    linnet_loader *loader;
    size_t item;                   /* values of a picture */
    float *pictures[METHOD_COUNT]; /* what comes out, a batch */
    int32_t *classes;              /* what the network sees in it */
    int64_t images, done;
    int64_t right[METHOD_COUNT][MOST_EPSILONS];
    float *shown[MOST_EPSILONS]; /* FGSM's, where it is used; the first of the data */
    int32_t shown_classes[MOST_EPSILONS][SHOWN];
    int shown_count;
} study;

static bool uses(const study *s, int method)
{
    return s->o->method < 0 || s->o->method == method;
}

/* ---- Attacking ---- */

static int attack(study *s, const linnet_batch *batch, int method, size_t e)
{
    const int32_t *truth = batch->feeds[1].tensor.data;
    linnet_attack_options options = {.struct_size = sizeof options,
                                     .method = (linnet_attack_method)method,
                                     .epsilon = (float)s->o->epsilons[e],
                                     .steps = (uint32_t)s->o->steps,
                                     .step_size = (float)s->o->step_size,
                                     .seed = (uint64_t)s->o->seed,
                                     .stop_early = 1};
    /* What fooled the network within a smaller epsilon does so within a larger one, too: the search goes on from there.
     */
    options.begin = method == METHOD_PGD && e > 0 && s->o->epsilons[e - 1] > 0 ? s->pictures[method] : NULL;
    linnet_status status = linnet_attack_with(s->e.session, &s->e.model, &batch->feeds[0].tensor, truth, &options,
                                              s->pictures[method], s->classes);
    for (int64_t i = 0; status == LINNET_OK && i < batch->size; i++)
        s->right[method][e] += s->classes[i] == truth[i];
    return cli_check(status);
}

/* The first pictures of the data are kept for the sheet. */
static int keep_shown(study *s, int64_t size, const float *pictures, size_t e)
{
    if (!s->o->sheet || s->done)
        return EXIT_GO_ON;
    s->shown_count = size < SHOWN ? (int)size : SHOWN;
    s->shown[e] = malloc((size_t)s->shown_count * s->item * sizeof(float));
    if (!s->shown[e])
        return cli_fail(EXIT_NO_MEMORY, "no memory for the sheet");
    memcpy(s->shown[e], pictures, (size_t)s->shown_count * s->item * sizeof(float));
    memcpy(s->shown_classes[e], s->classes, (size_t)s->shown_count * sizeof(int32_t));
    return EXIT_GO_ON;
}

static int study_batch(study *s, const linnet_batch *batch)
{
    int code = EXIT_GO_ON;
    for (size_t e = 0; code == EXIT_GO_ON && e < s->o->epsilon_count; e++) {
        for (int method = 0; code == EXIT_GO_ON && method < METHOD_COUNT; method++)
            if (uses(s, method)) {
                code = attack(s, batch, method, e);
                if (code == EXIT_GO_ON && (method == METHOD_FGSM || !uses(s, METHOD_FGSM)))
                    code = keep_shown(s, batch->size, s->pictures[method], e);
            }
        int64_t share = batch->size * (int64_t)(e + 1) / (int64_t)s->o->epsilon_count;
        progress_update(s->done + share, NAN, NAN);
        if (code == EXIT_GO_ON && interrupt_seen())
            code = cli_fail(EXIT_INTERRUPTED, "interrupted");
    }
    s->done += batch->size;
    return code;
}

static int open_study(study *s)
{
    int code = look_data(s->o->data, s->o->model, s->o->weights, 0, s->o->limit, -1, &s->data);
    if (code != EXIT_GO_ON)
        return code;
    const linnet_model_options sizes = model_sizes(s->data);
    code = engine_open_model(&s->e, s->o->model, s->o->weights, &sizes);
    if (code == EXIT_GO_ON)
        code = data_loader(s->data, s->o->batch, s->o->limit, false, 0, &s->loader);
    if (code != EXIT_GO_ON)
        return code;
    s->images = linnet_loader_samples(s->loader);
    s->item = (size_t)(sizes.channels * sizes.height * sizes.width);
    s->classes = malloc((size_t)s->o->batch * sizeof *s->classes);
    for (int m = 0; m < METHOD_COUNT; m++)
        s->pictures[m] = malloc((size_t)s->o->batch * s->item * sizeof(float));
    return s->classes && s->pictures[0] && s->pictures[1] ? EXIT_GO_ON
                                                          : cli_fail(EXIT_NO_MEMORY, "no memory for the pictures");
}

static int run_study(study *s)
{
    linnet_batch batch;
    int code = EXIT_GO_ON;
    interrupt_watch();
    progress_start("attacking", "images", s->images);
    while (code == EXIT_GO_ON && linnet_loader_next(s->loader, &batch))
        code = study_batch(s, &batch);
    progress_end();
    return code;
}

/* ---- What came out ---- */

static double accuracy(const study *s, int method, size_t e)
{
    return (double)s->right[method][e] / (double)s->images;
}

static void print_json(const study *s)
{
    for (size_t e = 0; e < s->o->epsilon_count; e++) {
        json_t *line = json_object();
        json_text(line, "net", linnet_net_name(s->e.model.net));
        json_text(line, "backend", engine_backend(&s->e));
        json_count(line, "fallbacks", engine_fallbacks(&s->e));
        json_count(line, "images", s->images);
        json_number(line, "epsilon", s->o->epsilons[e]);
        for (int m = 0; m < METHOD_COUNT; m++)
            if (uses(s, m))
                json_number(line, method_names[m], accuracy(s, m, e));
        json_line(line);
    }
}

static void print_table(const study *s)
{
    char count[TEXT_SIZE], epsilon[32], shares[METHOD_COUNT][TEXT_SIZE];
    table t;
    bool both = s->o->method < 0;
    if (!cli_common_options.quiet)
        printf("%s: accuracy on %s images of %s under attack, on %s\n\n", linnet_net_name(s->e.model.net),
               text_count(count, (uint64_t)s->images), linnet_dataset_name(s->data), linnet_device_label(s->e.device));
    table_start(&t, both ? (const char *[]){">EPSILON", ">FGSM", ">PGD", NULL}
                         : (const char *[]){">EPSILON", s->o->method == METHOD_FGSM ? ">FGSM" : ">PGD", NULL});
    for (size_t e = 0; e < s->o->epsilon_count; e++) {
        const char *cells[3] = {adversarial_epsilon_text(s->o->epsilons[e], epsilon)};
        for (int m = 0, at = 1; m < METHOD_COUNT; m++)
            if (uses(s, m))
                cells[at++] = text_percent(shares[m], accuracy(s, m, e));
        table_row(&t, cells);
    }
    table_print(&t, 0);
}

static int write_curve(const study *s)
{
    double values[METHOD_COUNT][MOST_EPSILONS];
    char title[160];
    line_curve curves[METHOD_COUNT];
    line_diagram d = {.title = title,
                      .x_name = "epsilon (largest change, pictures from 0 to 1)",
                      .y_name = "accuracy",
                      .percent = true,
                      .low = 0,
                      .high = 1,
                      .curves = curves};
    snprintf(title, sizeof title, "%s under attack, %lld images of %s", linnet_net_name(s->e.model.net),
             (long long)s->images, linnet_dataset_name(s->data));
    for (int m = 0; m < METHOD_COUNT; m++) {
        for (size_t e = 0; e < s->o->epsilon_count; e++)
            values[m][e] = accuracy(s, m, e);
        if (uses(s, m))
            curves[d.count++] = (line_curve){m == METHOD_FGSM ? "FGSM (one step)" : "PGD (many steps)",
                                             s->o->epsilon_count, s->o->epsilons, values[m]};
    }
    return line_svg_write(s->o->output, &d);
}

static void add_shown(const study *s, linnet_sheet *sheet, size_t e, int index)
{
    int32_t channels = (int32_t)linnet_dataset_channels(s->data), height = (int32_t)linnet_dataset_height(s->data);
    const float *planes = s->shown[e] + (size_t)index * s->item;
    linnet_image *image =
        linnet_image_from_planes(NULL, planes, channels, height, (int32_t)linnet_dataset_width(s->data));
    if (!image)
        return;
    linnet_sheet_add(sheet, image, 0, linnet_dataset_class_name(s->data, s->shown_classes[e][index]));
    if (s->shown_classes[e][index] != linnet_dataset_label(s->data, index))
        linnet_sheet_mark(sheet, LINNET_MARK_WRONG);
    linnet_image_free(&image);
}

/* A row for every epsilon: how large it is can be seen. */
static int write_sheet(const study *s)
{
    char title[160], label[48], epsilon[32];
    snprintf(title, sizeof title, "%s under %s: what it reads, red where wrong", linnet_net_name(s->e.model.net),
             uses(s, METHOD_FGSM) ? "FGSM" : "PGD");
    linnet_sheet *sheet = linnet_sheet_new(NULL, title);
    for (size_t e = 0; sheet && e < s->o->epsilon_count; e++) {
        snprintf(label, sizeof label, "epsilon %s", adversarial_epsilon_text(s->o->epsilons[e], epsilon));
        linnet_sheet_row(sheet, label);
        for (int i = 0; i < s->shown_count; i++)
            add_shown(s, sheet, e, i);
    }
    linnet_image *figure = sheet ? linnet_sheet_draw(sheet) : NULL;
    int code = figure ? cli_check(linnet_image_write(NULL, figure, s->o->sheet)) : cli_check_last();
    linnet_image_free(&figure);
    linnet_sheet_free(&sheet);
    return code;
}

int adversarial_data(const adversarial_options *o)
{
    study s = {.o = o};
    int code = open_study(&s);
    if (code == EXIT_GO_ON)
        code = run_study(&s);
    if (code == EXIT_GO_ON && cli_common_options.json)
        print_json(&s);
    else if (code == EXIT_GO_ON)
        print_table(&s);
    if (code == EXIT_GO_ON && o->output)
        code = write_curve(&s);
    if (code == EXIT_GO_ON && o->sheet)
        code = write_sheet(&s);
    linnet_loader_free(&s.loader);
    engine_close(&s.e);
    linnet_dataset_free(&s.data);
    for (size_t e = 0; e < MOST_EPSILONS; e++)
        free(s.shown[e]);
    free(s.pictures[0]);
    free(s.pictures[1]);
    free(s.classes);
    return code;
}
