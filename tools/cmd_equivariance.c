/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"
#include "equivariance.h"
#include "interrupt.h"
#include "options.h"
#include "output.h"
#include "progress.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MANY_LAYERS 24 /* a net with more is shown without what goes into a relu */

const char *const shift_directions[] = {"right", "down", "diagonally", NULL};
const char *const shift_borders[] = {"replicate", "black", NULL};

typedef struct shift_run {
    shift_settings s;
    labels names;
    linnet_dataset *data; /* NULL: one picture from a file */
    shift_subject subjects[2];
    size_t count;
    photo first[2]; /* the first picture, in the size of each network */
} shift_run;

/* ---- Layers ---- */

/* The layers named in a list "conv1,relu2". */
static int choose_layers(shift_subject *subject, const char *list)
{
    char *copy = strdup(list), *rest = copy;
    size_t most = 1, count = 0;
    for (const char *at = list; *at; at++)
        most += *at == ',';
    subject->layers = calloc(most, sizeof *subject->layers);
    subject->names = calloc(most, sizeof *subject->names);
    int code =
        copy && subject->layers && subject->names ? EXIT_GO_ON : cli_fail(EXIT_NO_MEMORY, "no memory for layers");
    for (char *name; code == EXIT_GO_ON && (name = strsep(&rest, ","));) {
        code = look_layer(&subject->e.model, name, &subject->layers[count]);
        if (code == EXIT_GO_ON)
            subject->names[count] = linnet_value_name(subject->e.model.net, subject->layers[count]);
        count += code == EXIT_GO_ON;
    }
    subject->layer_count = count;
    free(copy);
    return code;
}

static int all_layers(shift_subject *subject)
{
    size_t kept = 0;
    int code = look_layers(&subject->e.model, &subject->layers, &subject->names, &subject->layer_count);
    if (code != EXIT_GO_ON || subject->layer_count <= MANY_LAYERS)
        return code;
    for (size_t i = 0; i < subject->layer_count; i++)
        if (!look_only_for_relu(subject->e.model.net, subject->layers[i])) {
            subject->layers[kept] = subject->layers[i];
            subject->names[kept++] = subject->names[i];
        }
    subject->layer_count = kept;
    return code;
}

/* ---- Opening ---- */

static int open_subject(shift_run *r, size_t index, const char *model, const char *weights)
{
    shift_subject *subject = &r->subjects[index];
    linnet_model_options options = {.struct_size = sizeof options};
    if (r->data) {
        options.channels = linnet_dataset_channels(r->data);
        options.height = linnet_dataset_height(r->data);
        options.width = linnet_dataset_width(r->data);
    }
    r->count = index + 1;
    int code = engine_open_model(&subject->e, model, weights, &options);
    if (code == EXIT_GO_ON)
        code = r->s.layers ? choose_layers(subject, r->s.layers) : all_layers(subject);
    if (code == EXIT_GO_ON && !subject->layer_count)
        code =
            cli_fail(EXIT_FAILED, "the network '%s' has no layers to compare", linnet_net_name(subject->e.model.net));
    return code;
}

/* The file's name without folder and ending. */
static void name_by_file(shift_subject *subject, const char *file)
{
    const char *slash = strrchr(file, '/');
    const char *base = slash ? slash + 1 : file;
    size_t length = strlen(base), ending = strlen(".safetensors");
    if (length > ending && strcmp(base + length - ending, ".safetensors") == 0)
        length -= ending;
    bool cut = length >= sizeof subject->title;
    snprintf(subject->title, sizeof subject->title, "%.*s%s", (int)(cut ? sizeof subject->title - 3 : length), base,
             cut ? ".." : "");
}

/* A network by its name, unless that is a net in a line, or both have the same one. */
static void name_subjects(shift_run *r)
{
    const char *files[2] = {r->s.weights ? r->s.weights : r->s.model,
                            r->s.compare_weights ? r->s.compare_weights : r->s.compare};
    const char *names[2] = {"", ""};
    for (size_t i = 0; i < r->count; i++)
        names[i] = linnet_net_name(r->subjects[i].e.model.net);
    for (size_t i = 0; i < r->count; i++)
        if (strchr(names[i], ' ') || strlen(names[i]) >= sizeof r->subjects[i].title || strcmp(names[0], names[1]) == 0)
            name_by_file(&r->subjects[i], files[i]);
        else
            snprintf(r->subjects[i].title, sizeof r->subjects[i].title, "%s", names[i]);
}

static int open_all(shift_run *r)
{
    int code = labels_open(r->s.labels, &r->names);
    if (code == EXIT_GO_ON && !r->s.image)
        code = look_data(r->s.data, r->s.model, r->s.weights, 0, r->s.index < 0 ? r->s.limit : 0, r->s.index, &r->data);
    if (code == EXIT_GO_ON)
        code = open_subject(r, 0, r->s.model, r->s.weights);
    if (code == EXIT_GO_ON && r->s.labels)
        code = look_labels(&r->subjects[0].e.model, r->s.labels, &r->names);
    if (code == EXIT_GO_ON && !r->data)
        code = labels_of_net(r->subjects[0].e.model.net, &r->names);
    if (code == EXIT_GO_ON && r->s.compare)
        code = open_subject(r, 1, r->s.compare, r->s.compare_weights);
    if (code == EXIT_GO_ON)
        name_subjects(r);
    return code;
}

static void close_all(shift_run *r)
{
    for (size_t i = 0; i < r->count; i++) {
        shift_subject *subject = &r->subjects[i];
        for (size_t k = 0; k < subject->layer_count && subject->error; k++)
            free(subject->error[k]);
        free(subject->error);
        free(subject->seen);
        free(subject->probability);
        free(subject->cosine);
        free(subject->same);
        free(subject->layers);
        free(subject->names);
        engine_close(&subject->e);
        photo_free(&r->first[i]);
    }
    linnet_dataset_free(&r->data);
    labels_free(&r->names);
}

/* ---- Pictures ---- */

static int measure_file(shift_run *r)
{
    int code = EXIT_GO_ON;
    for (size_t i = 0; i < r->count && code == EXIT_GO_ON; i++) {
        code = photo_open(r->s.image, &r->subjects[i].e.model, PHOTO_FITTED, &r->first[i]);
        if (code == EXIT_GO_ON)
            code = shift_add_picture(&r->subjects[i], &r->s, &r->first[i]);
    }
    return code;
}

static int measure_index(shift_run *r, int64_t index)
{
    photo picture;
    int code = photo_open_index(r->data, index, &picture);
    for (size_t i = 0; i < r->count && code == EXIT_GO_ON; i++)
        code = shift_add_picture(&r->subjects[i], &r->s, &picture);
    if (!r->first[0].image && code == EXIT_GO_ON)
        r->first[0] = picture;
    else
        photo_free(&picture);
    return code;
}

static int measure_data(shift_run *r)
{
    int64_t count = linnet_dataset_count(r->data), first = r->s.index < 0 ? 0 : r->s.index;
    int64_t last = r->s.index >= 0 ? first + 1 : r->s.limit < count ? r->s.limit : count;
    int code = photo_check_index(r->data, first);
    if (code != EXIT_GO_ON)
        return code;
    progress_start("shifting", "images", last - first);
    for (int64_t i = first; i < last && code == EXIT_GO_ON; i++) {
        code = interrupt_seen() ? EXIT_INTERRUPTED : measure_index(r, i);
        progress_update(i + 1 - first, (double)NAN, (double)NAN);
    }
    progress_end();
    return code;
}

static int measure(shift_run *r)
{
    interrupt_watch();
    int code = r->s.image ? measure_file(r) : measure_data(r);
    for (size_t i = 0; i < r->count && code == EXIT_GO_ON; i++) {
        shift_finish(&r->subjects[i], &r->s);
        shift_print(&r->subjects[i], &r->s, &r->names);
    }
    if (code == EXIT_GO_ON && r->s.output)
        code = shift_draw_curves(r->subjects, r->count, &r->s);
    if (code == EXIT_GO_ON && r->s.picture)
        code = shift_draw_maps(&r->subjects[0], &r->s, &r->first[0]);
    return code;
}

/* ---- The command line ---- */

static int check_arguments(shift_settings *s, int count, char **arguments)
{
    if (count < 1)
        return cli_usage(&cmd_equivariance, "which network?");
    s->model = arguments[0];
    s->image = count > 1 ? arguments[1] : NULL;
    if (look_is_picture(s->model))
        return cli_fail(EXIT_BAD_INPUT, "%s is no network and no weight file; MODEL comes first", s->model);
    if (count > 2)
        return cli_usage(&cmd_equivariance, "one picture at a time");
    if (!s->image && s->index < 0 && !s->data)
        return cli_usage(&cmd_equivariance, "which picture? Name a PNG or JPEG, or say --index or --data");
    if (s->image && (s->index >= 0 || s->data))
        return cli_usage(&cmd_equivariance, "either a picture or --data");
    if (s->compare_weights && !s->compare)
        return cli_usage(&cmd_equivariance, "--compare-weights is for the network that --compare names");
    size_t length = s->output ? strlen(s->output) : 0;
    if (s->output && (length <= 4 || strcmp(s->output + length - 4, ".svg") != 0))
        return cli_usage(&cmd_equivariance, "%s: the curves are an SVG picture, .svg; -p draws the maps", s->output);
    int code = output_check_picture(s->picture);
    return code == EXIT_GO_ON ? output_check(s->output) : code;
}

enum { OPTIONS = 14 };

static void list_options(shift_settings *s, cli_option out[OPTIONS])
{
    const cli_option table[OPTIONS] = {
        {"max-shift", 'n', CLI_INTEGER, &s->steps, "N", "steps from 0 to N (default: 8)", 1, 1024, 0, false},
        {"by", 0, CLI_INTEGER, &s->by, "PIXELS", "pixels a step (default: 1)", 1, 1024, 0, false},
        {"direction", 0, CLI_CHOICE, &s->direction, "WAY", "right (default), down or diagonally", 0, 0,
         shift_directions, false},
        {"border", 0, CLI_CHOICE, &s->border, "WHAT",
         "what comes in: replicate (the border's pixels; default) or black", 0, 0, shift_borders, false},
        {"layers", 'l', CLI_TEXT, &s->layers, "LIST", "only these layers: conv1,relu2", 0, 0, 0, false},
        {"compare", 0, CLI_TEXT, &s->compare, "MODEL", "a second network, in the same diagrams", 0, 0, 0, false},
        {"compare-weights", 0, CLI_TEXT, &s->compare_weights, "FILE", "weights for that one", 0, 0, 0, false},
        {"data", 'd', CLI_TEXT, &s->data, "DIR", "means over test images: of a folder, or digits", 0, 0, 0, false},
        {"limit", 0, CLI_INTEGER, &s->limit, "N", "over the first N of them (default: 100)", 1, 1e9, 0, false},
        {"index", 'i', CLI_INTEGER, &s->index, "N", "that test image of the data alone", 0, 1e9, 0, false},
        option_weights(&s->weights),
        option_labels(0, &s->labels),
        {"output", 'o', CLI_TEXT, &s->output, "FILE.svg", "the curves", 0, 0, 0, false},
        {"picture", 'p', CLI_TEXT, &s->picture, "FILE.png", "maps of the picture and of the moved picture", 0, 0, 0,
         false},
    };
    memcpy(out, table, sizeof table);
}

static int run(int argc, char **argv)
{
    int first;
    shift_run r = {.s = {.steps = 8, .by = 1, .limit = 100, .index = -1}};
    cli_option options[OPTIONS];
    list_options(&r.s, options);
    int code = cli_parse(&cmd_equivariance, options, OPTIONS, argc, argv, &first);
    if (code == EXIT_GO_ON)
        code = check_arguments(&r.s, argc - first, argv + first);
    if (code == EXIT_GO_ON)
        code = cli_check_environment();
    if (code == EXIT_GO_ON)
        code = open_all(&r);
    if (code == EXIT_GO_ON)
        code = measure(&r);
    close_all(&r);
    return code == EXIT_GO_ON ? EXIT_DONE : code;
}

const cli_command cmd_equivariance = {
    "equivariance", "MODEL [IMAGE]", "shift a picture and see what the layers and the scores do",
    OPTION_MODEL_HELP
    "\n"
    "The picture x is moved by 0, 1, ... pixels. Equivariance: how far the maps of the moved picture, f(T x), are "
    "from\n"
    "the moved maps, T f(x), relative to their size. Maps of a layer with stride s are moved by pixels / s units, "
    "between\n"
    "units interpolated. Compared are the units that see no border in any step (interior); where there are none, all "
    "that\n"
    "have a partner (overlap); layers without positions as they are (vector). Invariance: the probability of the "
    "unmoved\n"
    "picture's class, and the cosine of the angle between the scores.\n"
    "-p shows two shifts, the first that is no multiple of the layers' largest stride and the first that is (else the\n"
    "largest).\n"
    "\n"
    "What pooling does, with two networks on the same digits:\n"
    "  linnet train lenet5 -o with.safetensors\n"
    "  linnet train \"conv 6 k5 p2 s2; relu; conv 16 k5 s2; relu; linear 120; relu; linear 10\" -o "
    "without.safetensors\n"
    "  linnet equivariance with.safetensors --compare without.safetensors --data digits -o curve.svg\n",
    run};
