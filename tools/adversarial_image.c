/* SPDX-License-Identifier: Apache-2.0 */
/* One picture: what the network sees before and after, how much was changed, the pictures. */
#include "adversarial.h"
#include "interrupt.h"
#include "json_lines.h"
#include "look.h"
#include "progress.h"
#include "text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOP = 5, TILE = 224, MARGIN = 40 };

typedef struct subject {
    const adversarial_options *o;
    engine e;
    labels names;
    linnet_dataset *data; /* NULL: a file */
    photo original;
    int32_t classes, label; /* label: what the loss is about */
    size_t top;
    linnet_prediction before[TOP], exact[TOP], after[TOP]; /* exact: in floats, after: in 8 bits */
    float *adversarial, *written;                          /* planes */
    linnet_image *result;
    linnet_difference change;
} subject;

/* ---- Opening ---- */

static int open_network(subject *s)
{
    linnet_model_options sizes = model_sizes(s->data);
    int64_t dims[LINNET_MAX_RANK] = {0};
    int code = s->o->as_is && !s->data ? photo_size(s->o->image, &sizes) : EXIT_GO_ON;
    if (code == EXIT_GO_ON)
        code = engine_open_model(&s->e, s->o->model, s->o->weights, &sizes);
    if (code == EXIT_GO_ON && !s->e.model.logits.id)
        code = cli_fail(EXIT_USAGE, "the network %s has no classes", linnet_net_name(s->e.model.net));
    if (code == EXIT_GO_ON)
        code = s->data ? labels_of_data(s->data, &s->names) : labels_of_net(s->e.model.net, &s->names);
    if (code != EXIT_GO_ON)
        return code;
    linnet_value_shape(s->e.model.net, s->e.model.logits, dims);
    s->classes = (int32_t)dims[1];
    s->top = dims[1] < TOP ? (size_t)dims[1] : TOP;
    return EXIT_GO_ON;
}

static int open_picture(subject *s)
{
    if (!s->data)
        return photo_open(s->o->image, &s->e.model, s->o->as_is ? PHOTO_AS_IS : PHOTO_FITTED, &s->original);
    return photo_open_index(s->data, s->o->index, &s->original);
}

static int choose_label(subject *s)
{
    if (!s->o->target) {
        s->label = s->before[0].class_index;
        return EXIT_GO_ON;
    }
    s->label = labels_find(&s->names, s->o->target, s->classes);
    if (s->label >= 0 && s->label == s->before[0].class_index)
        return cli_fail(EXIT_USAGE, "--target='%s' is what the network sees in the picture already (%.2f %%)",
                        s->o->target, 100 * (double)s->before[0].probability);
    if (s->label >= 0)
        return EXIT_GO_ON;
    return cli_fail(EXIT_USAGE, "--target=''%s' is none of the network's classes: a number from 0 to %d%s is wanted",
                    s->o->target, s->classes - 1, s->names.count ? " or a name" : "");
}

/* ---- The attack ---- */

static int classify(subject *s, float *planes, linnet_prediction *out)
{
    linnet_tensor picture = s->original.tensor;
    picture.data = planes;
    return cli_check(linnet_classify(s->e.session, &s->e.model, &picture, s->top, out));
}

static int attack(subject *s)
{
    int method = s->o->method < 0 ? METHOD_FGSM : s->o->method;
    interrupt_watch();
    progress_start(method_names[method], "steps", s->o->steps ? s->o->steps : 40);
    linnet_status status =
        linnet_attack(s->e.session, &s->e.model, &s->original.tensor, &s->label, s->adversarial, NULL,
                      .method = (linnet_attack_method)method, .epsilon = (float)s->o->epsilon,
                      .targeted = s->o->target != NULL, .steps = (uint32_t)s->o->steps,
                      .step_size = (float)s->o->step_size, .seed = (uint64_t)s->o->seed, .progress = progress_report);
    progress_end();
    int code = cli_check(status);
    return code == EXIT_GO_ON ? classify(s, s->adversarial, s->exact) : code;
}

/* As the file will have it, and what the network sees in that. */
static int quantise(subject *s)
{
    linnet_tensor levels = s->original.tensor;
    size_t count = (size_t)linnet_tensor_count(&levels);
    uint8_t *bytes = malloc(count);
    if (!bytes)
        return cli_fail(EXIT_NO_MEMORY, "no memory for the picture");
    linnet_attack_quantise(s->original.tensor.data, s->adversarial, count, (float)s->o->epsilon, bytes);
    for (size_t i = 0; i < count; i++)
        s->written[i] = (float)bytes[i] / 255.0f;
    levels.type = LINNET_U8;
    levels.data = bytes;
    s->result = linnet_image_from_tensor(NULL, &levels);
    free(bytes);
    if (!s->result)
        return cli_check_last();
    linnet_difference_measure(s->original.tensor.data, s->written, count, &s->change);
    return classify(s, s->written, s->after);
}

static bool fools(const subject *s, const linnet_prediction *seen)
{
    return (seen[0].class_index == s->label) == (s->o->target != NULL);
}

/* ---- What is said ---- */

static json_t *json_classes(const subject *s, const linnet_prediction *list)
{
    char name[LABEL_SIZE];
    json_t *array = json_array();
    for (size_t i = 0; i < s->top; i++) {
        json_t *item = json_object();
        json_count(item, "class", list[i].class_index);
        json_text(item, "name", labels_name(&s->names, list[i].class_index, name));
        json_number(item, "probability", (double)list[i].probability);
        json_array_append_new(array, item);
    }
    return array;
}

static void print_json(const subject *s)
{
    json_t *line = json_object();
    json_text(line, "net", linnet_net_name(s->e.model.net));
    json_text(line, "method", method_names[s->o->method < 0 ? METHOD_FGSM : s->o->method]);
    json_number(line, "epsilon", s->o->epsilon);
    json_text(line, "backend", engine_backend(&s->e));
    json_count(line, "fallbacks", engine_fallbacks(&s->e));
    json_object_set_new(line, "before", json_classes(s, s->before));
    json_object_set_new(line, "exact", json_classes(s, s->exact));
    json_object_set_new(line, "after", json_classes(s, s->after));
    json_count(line, "class_before", s->before[0].class_index);
    json_number(line, "probability_before", (double)s->before[0].probability);
    json_count(line, "class_after", s->after[0].class_index);
    json_number(line, "probability_after", (double)s->after[0].probability);
    json_bool(line, "fooled_exact", fools(s, s->exact));
    json_bool(line, "fooled", fools(s, s->after));
    json_number(line, "largest", s->change.largest);
    json_number(line, "l2", s->change.length);
    json_number(line, "mean", s->change.mean);
    json_line(line);
}

static void print_text(const subject *s)
{
    char epsilon[32], names[2][LABEL_SIZE], shares[2][TEXT_SIZE];
    table t;
    const linnet_image *image = s->original.image;
    if (!cli_common_options.quiet)
        printf("%s, %d x %d pixels, %s, epsilon %s, on %s\n\n", linnet_net_name(s->e.model.net), image->width,
               image->height, s->o->method == METHOD_PGD ? "PGD" : "FGSM",
               adversarial_epsilon_text(s->o->epsilon, epsilon), linnet_device_label(s->e.device));
    table_start(&t, (const char *[]){"BEFORE", ">PROBABILITY", "  AFTER", ">PROBABILITY", NULL});
    for (size_t i = 0; i < s->top; i++) {
        char indented[LABEL_SIZE + 2];
        snprintf(indented, sizeof indented, "  %s", labels_name(&s->names, s->after[i].class_index, names[1]));
        table_row(&t, (const char *[]){labels_name(&s->names, s->before[i].class_index, names[0]),
                                       text_percent(shares[0], (double)s->before[i].probability), indented,
                                       text_percent(shares[1], (double)s->after[i].probability)});
    }
    table_print(&t, 0);
    printf("\nchange: at most %.2f/255, %.2f/255 in the mean, L2 %.3f\n", 255 * s->change.largest, 255 * s->change.mean,
           s->change.length);
    printf("the network is %sfooled%s\n", fools(s, s->after) ? "" : "not ",
           fools(s, s->exact) && !fools(s, s->after) ? ": it would be by numbers finer than 8 bits" : "");
}

/* ---- Pictures ---- */

/* factor times the change: on grey for colours, through the diverging map for grey pictures. */
static linnet_image *draw_change(const subject *s, double factor)
{
    size_t count = (size_t)linnet_tensor_count(&s->original.tensor);
    int32_t channels = (int32_t)s->original.tensor.dims[0], height = s->original.image->height;
    int32_t width = s->original.image->width;
    const float *original = s->original.tensor.data;
    float *values = malloc(count * sizeof *values);
    linnet_image *image = NULL;
    if (!values)
        return NULL;
    for (size_t i = 0; i < count; i++)
        values[i] = 0.5f + (float)factor * (s->written[i] - original[i]);
    image = channels == 1 ? linnet_image_from_map(NULL, values, height, width, 0, 1, LINNET_COLOUR_DIVERGING)
                          : linnet_image_from_planes(NULL, values, channels, height, width);
    free(values);
    return image;
}

static void caption_class(const subject *s, const char *title, const linnet_prediction *seen, char out[160])
{
    char name[LABEL_SIZE];
    bool named = labels_name(&s->names, seen[0].class_index, name)[strspn(name, "0123456789")] != '\0';
    snprintf(out, 160, "%s\n%s%s: %.1f %%", title, named ? "" : "class ", name, 100 * (double)seen[0].probability);
}

static int write_sheet(const subject *s)
{
    char captions[3][160], title[160], epsilon[32];
    double factor = s->change.largest > 0 ? floor(0.5 / s->change.largest) : 1;
    factor = factor < 1 ? 0.5 / s->change.largest : factor;
    int32_t scale = s->original.image->width < TILE ? TILE / s->original.image->width : 1;
    linnet_image *change = draw_change(s, factor), *figure = NULL;
    snprintf(title, sizeof title, "%s, %s, epsilon %s", linnet_net_name(s->e.model.net),
             s->o->method == METHOD_PGD ? "PGD" : "FGSM", adversarial_epsilon_text(s->o->epsilon, epsilon));
    linnet_sheet *sheet = linnet_sheet_new(NULL, title);
    caption_class(s, "original", s->before, captions[0]);
    snprintf(captions[1], sizeof captions[1], "change x %.4g\nat most %.3g/255", factor,
             255 * s->change.largest);
    caption_class(s, "adversarial", s->after, captions[2]);
    if (sheet && change) {
        linnet_sheet_set_width(sheet, 3 * (scale * s->original.image->width + MARGIN)); /* beside each other */
        linnet_sheet_add(sheet, s->original.image, scale, captions[0]);
        linnet_sheet_add(sheet, change, scale, captions[1]);
        linnet_sheet_add(sheet, s->result, scale, captions[2]);
        if (fools(s, s->after))
            linnet_sheet_mark(sheet, LINNET_MARK_WRONG);
        figure = linnet_sheet_draw(sheet);
    }
    int code = figure ? cli_check(linnet_image_write(NULL, figure, s->o->sheet)) : cli_check_last();
    linnet_image_free(&figure);
    linnet_image_free(&change);
    linnet_sheet_free(&sheet);
    return code;
}

/* ---- All of it ---- */

static int open_subject(subject *s)
{
    int code = labels_open(s->o->labels, &s->names);
    if (code == EXIT_GO_ON && !s->o->image)
        code = look_data(s->o->data, s->o->model, s->o->weights, 0, 0, s->o->index, &s->data);
    if (code == EXIT_GO_ON)
        code = open_network(s);
    if (code == EXIT_GO_ON && s->o->labels)
        code = look_labels(&s->e.model, s->o->labels, &s->names);
    if (code == EXIT_GO_ON)
        code = open_picture(s);
    if (code != EXIT_GO_ON)
        return code;
    size_t bytes = (size_t)linnet_tensor_bytes(&s->original.tensor);
    s->adversarial = malloc(bytes);
    s->written = malloc(bytes);
    if (!s->adversarial || !s->written)
        return cli_fail(EXIT_NO_MEMORY, "no memory for the picture");
    code = classify(s, s->original.tensor.data, s->before);
    return code == EXIT_GO_ON ? choose_label(s) : code;
}

int adversarial_image(const adversarial_options *o)
{
    subject s = {.o = o};
    int code = open_subject(&s);
    if (code == EXIT_GO_ON)
        code = attack(&s);
    if (code == EXIT_GO_ON)
        code = quantise(&s);
    if (code == EXIT_GO_ON && o->output)
        code = cli_check(linnet_image_write(NULL, s.result, o->output));
    if (code == EXIT_GO_ON && o->sheet)
        code = write_sheet(&s);
    if (code == EXIT_GO_ON && cli_common_options.json)
        print_json(&s);
    else if (code == EXIT_GO_ON)
        print_text(&s);
    engine_close(&s.e);
    photo_free(&s.original);
    linnet_dataset_free(&s.data);
    labels_free(&s.names);
    linnet_image_free(&s.result);
    free(s.adversarial);
    free(s.written);
    return code;
}
