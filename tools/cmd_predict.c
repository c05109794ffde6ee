/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"
#include "json_lines.h"
#include "model.h"
#include "text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MOST_CLASSES 1000
#define DIGIT_SIDE   28

typedef struct predict_options {
    const char *weights, *data, *model, *indices;
    int part;
    int64_t top;
} predict_options;

static const char *const part_names[] = {"test", "train", NULL};

typedef struct predictor {
    linnet_dataset *data; /* NULL: only pictures are read */
    engine e;
    size_t top;
    linnet_prediction *best; /* top of them */
    table rows;
} predictor;

static const char *class_name(const predictor *p, int32_t class_index, char out[TEXT_SIZE])
{
    const char *name = p->data ? linnet_dataset_class_name(p->data, class_index) : NULL;
    snprintf(out, TEXT_SIZE, "%d", class_index);
    return name ? name : out;
}

static void print_json(const predictor *p, const char *source, int32_t label)
{
    char name[TEXT_SIZE];
    json_t *line = json_object(), *list = json_array();
    json_text(line, "image", source);
    json_count(line, "class", p->best[0].class_index);
    json_text(line, "name", class_name(p, p->best[0].class_index, name));
    json_number(line, "probability", p->best[0].probability);
    if (label >= 0)
        json_count(line, "label", label);
    for (size_t i = 0; i < p->top; i++) {
        json_t *item = json_object();
        json_count(item, "class", p->best[i].class_index);
        json_text(item, "name", class_name(p, p->best[i].class_index, name));
        json_number(item, "probability", p->best[i].probability);
        json_array_append_new(list, item);
    }
    json_object_set_new(line, "top", list);
    json_line(line);
}

/* label -1: not known. */
static void add_row(predictor *p, const char *source, int32_t label)
{
    char name[TEXT_SIZE], share[TEXT_SIZE], others[512] = "", truth[160] = "";
    for (size_t i = 1; i < p->top && i < 10; i++) {
        char item[128];
        size_t used = strlen(others);
        snprintf(item, sizeof item, "%s %.1f %%", class_name(p, p->best[i].class_index, name),
                 100 * (double)p->best[i].probability);
        snprintf(others + used, sizeof others - used, "%s%s", used ? "   " : "", item);
    }
    if (label >= 0)
        snprintf(truth, sizeof truth, label == p->best[0].class_index ? "right" : "wrong: it is %s",
                 class_name(p, label, name));
    snprintf(share, sizeof share, "%.1f %%", 100 * (double)p->best[0].probability);
    table_row(&p->rows, (const char *[]){source, class_name(p, p->best[0].class_index, name), share, others, truth});
}

/* pixels: [C,H,W], f32 0 to 1, as the network was trained with. */
static int predict(predictor *p, const linnet_tensor *pixels, const char *source, int32_t label)
{
    int code = cli_check(linnet_predict(p->e.session, p->e.model.logits, pixels, p->top, p->best));
    if (code != EXIT_GO_ON)
        return code;
    if (cli_common_options.json)
        print_json(p, source, label);
    else
        add_row(p, source, label);
    return EXIT_GO_ON;
}

static int predict_file(predictor *p, const char *path)
{
    float pixels[DIGIT_SIDE * DIGIT_SIDE];
    linnet_tensor sample = {.type = LINNET_F32, .rank = 3, .dims = {1, DIGIT_SIDE, DIGIT_SIDE}, .data = pixels};
    linnet_image *image = linnet_image_read(NULL, path);
    if (!image)
        return cli_check_last_input();
    linnet_status status = linnet_digit_from_image(NULL, image, pixels);
    linnet_image_free(&image);
    if (status == LINNET_NOT_FOUND)
        return cli_fail(EXIT_BAD_INPUT, "%s: there is nothing to read in the picture", path);
    int code = cli_check_input(status);
    return code == EXIT_GO_ON ? predict(p, &sample, path, -1) : code;
}

static int predict_index(predictor *p, int64_t index)
{
    linnet_tensor stored;
    char source[32];
    int code = cli_check(linnet_dataset_image(p->data, index, &stored));
    int64_t count = code == EXIT_GO_ON ? linnet_tensor_count(&stored) : 0;
    float *pixels = count > 0 ? malloc((size_t)count * sizeof *pixels) : NULL;
    if (!pixels)
        return code == EXIT_GO_ON ? cli_fail(EXIT_NO_MEMORY, "no memory for an image") : code;
    for (int64_t i = 0; i < count; i++)
        pixels[i] = stored.type == LINNET_U8 ? (float)((const uint8_t *)stored.data)[i] / 255.0f
                                             : ((const float *)stored.data)[i];
    stored.type = LINNET_F32;
    stored.data = pixels;
    snprintf(source, sizeof source, "%lld", (long long)index);
    code = predict(p, &stored, source, linnet_dataset_label(p->data, index));
    free(pixels);
    return code;
}

/* "0,5,7" and "10-19". dry: only looks whether the list makes sense. */
static int walk_indices(predictor *p, const char *list, bool dry)
{
    int64_t count = linnet_dataset_count(p->data);
    int code = EXIT_GO_ON;
    for (const char *at = list; code == EXIT_GO_ON && *at;) {
        char *end;
        errno = 0;
        long long from = strtoll(at, &end, 10), to = from;
        bool good = end != at && !errno && from >= 0;
        if (good && *end == '-') {
            at = end + 1;
            to = strtoll(at, &end, 10);
            good = end != at && !errno && to >= from;
        }
        if (!good || (*end && *end != ','))
            return cli_usage(&cmd_predict, "--index='%s' makes no sense: 0,5,7 or 10-19 is wanted", list);
        if (to >= count)
            return cli_fail(EXIT_USAGE, "there is no image %lld: they are numbered 0 to %lld", to,
                            (long long)count - 1);
        for (long long i = from; !dry && i <= to && code == EXIT_GO_ON; i++)
            code = predict_index(p, i);
        at = end + (*end == ',');
    }
    return code;
}

static int open_predictor(predictor *p, const predict_options *o)
{
    int64_t dims[LINNET_MAX_RANK] = {0};
    int code = EXIT_GO_ON;
    if (o->indices || o->data)
        code = data_open(o->data, o->part == 0 ? LINNET_PART_TEST : LINNET_PART_TRAIN, 0, &p->data);
    if (code == EXIT_GO_ON && o->indices)
        code = walk_indices(p, o->indices, true);
    if (code == EXIT_GO_ON)
        code = engine_open_weights(&p->e, o->weights, o->model, p->data);
    if (code != EXIT_GO_ON)
        return code;
    linnet_value_shape(p->e.model.net, p->e.model.logits, dims);
    p->top = (size_t)(o->top < dims[1] ? o->top : dims[1]);
    p->best = calloc(p->top, sizeof *p->best);
    return p->best ? EXIT_GO_ON : cli_fail(EXIT_NO_MEMORY, "no memory for predictions");
}

/* A bad picture does not keep the others from being read; the exit code tells. */
static int predict_all(predictor *p, const predict_options *o, char **files, int count)
{
    int code = open_predictor(p, o), worst = EXIT_GO_ON;
    if (code != EXIT_GO_ON)
        return code;
    table_start(&p->rows, (const char *[]){"IMAGE", "READ AS", ">PROBABILITY", "OR", "", NULL});
    for (int i = 0; i < count && (code == EXIT_GO_ON || code == EXIT_BAD_INPUT); i++) {
        code = predict_file(p, files[i]);
        worst = code == EXIT_GO_ON ? worst : code;
    }
    if (worst == EXIT_GO_ON && o->indices)
        worst = walk_indices(p, o->indices, false);
    if (!cli_common_options.json && p->rows.rows)
        table_print(&p->rows, 0);
    return worst;
}

static int run(int argc, char **argv)
{
    int first;
    predict_options o = {.top = 3};
    predictor p = {.data = NULL};
    cli_option options[] = {
        {.name = "index",
         .letter = 'i',
         .kind = CLI_TEXT,
         .target = &o.indices,
         .argument = "LIST",
         .help = "images of the dataset: 0,5,7 or 10-19"},
        {.name = "data",
         .letter = 'd',
         .kind = CLI_TEXT,
         .target = &o.data,
         .argument = "DIR",
         .help = "folder of MNIST's or CIFAR's files (default: synthetic digits)"},
        {.name = "part",
         .kind = CLI_CHOICE,
         .target = &o.part,
         .argument = "PART",
         .choices = part_names,
         .help = "test (default) or train"},
        {.name = "top",
         .letter = 'k',
         .kind = CLI_INTEGER,
         .target = &o.top,
         .argument = "K",
         .low = 1,
         .high = MOST_CLASSES,
         .help = "how many classes to name (default: 3)"},
        {.name = "model",
         .letter = 'm',
         .kind = CLI_TEXT,
         .target = &o.model,
         .argument = "NET",
         .help = "which network (default: what the file says)"},
    };
    int code = cli_parse(&cmd_predict, options, sizeof options / sizeof options[0], argc, argv, &first);
    if (code == EXIT_GO_ON && first >= argc)
        code = cli_usage(&cmd_predict, "which weight file?");
    if (code == EXIT_GO_ON && argc - first == 1 && !o.indices)
        code = cli_usage(&cmd_predict, "which images? Name PNG or JPEG files or say --index");
    if (code == EXIT_GO_ON)
        code = cli_check_environment();
    if (code == EXIT_GO_ON) {
        o.weights = argv[first];
        code = predict_all(&p, &o, argv + first + 1, argc - first - 1);
    }
    engine_close(&p.e);
    linnet_dataset_free(&p.data);
    free(p.best);
    return code == EXIT_GO_ON ? EXIT_DONE : code;
}

const cli_command cmd_predict = {
    "predict", "WEIGHTS [IMAGE...]", "say what a trained network sees in pictures",
    "IMAGE is a PNG or JPEG of one digit: any size, grey or colour, dark on light or light on dark. It is centred and scaled\n"
    "as the training images are.",
    run};
