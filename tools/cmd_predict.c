/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"
#include "json_lines.h"
#include "look.h"
#include "options.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

#define MOST_CLASSES 1000
#define MOST_TWICE   1000 /* images in a list beyond those that there are */

typedef struct predict_options {
    const char *network, *weights, *labels, *data, *model, *indices;
    int part, as_is;
    int64_t top;
} predict_options;

typedef struct predictor {
    linnet_dataset *data; /* NULL: only pictures are read */
    int64_t *indices;     /* images of data to be read */
    size_t index_count;
    labels names;
    engine e;
    size_t top;
    linnet_prediction *best; /* top of them */
    table rows;
} predictor;

static void print_json(const predictor *p, const char *source, int32_t label)
{
    char name[LABEL_SIZE];
    json_t *line = json_object(), *list = json_array();
    json_text(line, "image", source);
    json_count(line, "class", p->best[0].class_index);
    json_text(line, "name", labels_name(&p->names, p->best[0].class_index, name));
    json_number(line, "probability", p->best[0].probability);
    if (label >= 0)
        json_count(line, "label", label);
    for (size_t i = 0; i < p->top; i++) {
        json_t *item = json_object();
        json_count(item, "class", p->best[i].class_index);
        json_text(item, "name", labels_name(&p->names, p->best[i].class_index, name));
        json_number(item, "probability", p->best[i].probability);
        json_array_append_new(list, item);
    }
    json_object_set_new(line, "top", list);
    json_line(line);
}

/* label -1: not known. */
static void add_row(predictor *p, const char *source, int32_t label)
{
    char name[LABEL_SIZE], share[TEXT_SIZE], others[1024] = "", truth[160] = "";
    for (size_t i = 1; i < p->top && i < 10; i++) {
        char item[128];
        size_t used = strlen(others);
        snprintf(item, sizeof item, "%s %.1f %%", labels_name(&p->names, p->best[i].class_index, name),
                 100 * (double)p->best[i].probability);
        snprintf(others + used, sizeof others - used, "%s%s", used ? "   " : "", item);
    }
    if (label >= 0)
        snprintf(truth, sizeof truth, label == p->best[0].class_index ? "right" : "wrong: it is %s",
                 labels_name(&p->names, label, name));
    snprintf(share, sizeof share, "%.1f %%", 100 * (double)p->best[0].probability);
    table_row(&p->rows,
              (const char *[]){source, labels_name(&p->names, p->best[0].class_index, name), share, others, truth});
}

static int predict(predictor *p, const photo *picture, const char *source, int32_t label)
{
    int code = cli_check(linnet_classify(p->e.session, &p->e.model, &picture->tensor, p->top, p->best));
    if (code != EXIT_GO_ON)
        return code;
    if (cli_common_options.json)
        print_json(p, source, label);
    else
        add_row(p, source, label);
    return EXIT_GO_ON;
}

static int predict_file(predictor *p, const predict_options *o, const char *path)
{
    photo picture;
    int code = photo_open(path, &p->e.model, o->as_is ? PHOTO_AS_IS : PHOTO_DIGIT, &picture);
    if (code == EXIT_GO_ON)
        code = predict(p, &picture, path, -1);
    photo_free(&picture);
    return code;
}

static int predict_index(predictor *p, int64_t index)
{
    char source[32];
    photo picture;
    int code = photo_open_index(p->data, index, &picture);
    snprintf(source, sizeof source, "%lld", (long long)index);
    if (code == EXIT_GO_ON)
        code = predict(p, &picture, source, linnet_dataset_label(p->data, index));
    photo_free(&picture);
    return code;
}

/* --index, all of it there. */
static int read_indices(predictor *p, const char *list)
{
    size_t most = (size_t)linnet_dataset_count(p->data) + MOST_TWICE;
    int code = look_numbers(&cmd_predict, "--index", list, most, &p->indices, &p->index_count);
    for (size_t i = 0; i < p->index_count && code == EXIT_GO_ON; i++)
        code = photo_check_index(p->data, p->indices[i]);
    return code;
}

/* The sizes that the network shall have; what is 0 the weights say. */
static int choose_sizes(const predictor *p, const predict_options *o, const char *first, linnet_model_options *out)
{
    *out = model_sizes(p->data);
    return o->as_is && first ? photo_size(first, out) : EXIT_GO_ON;
}

static int open_data(predictor *p, const predict_options *o)
{
    const char *weights, *network = model_of(o->network, o->weights, o->model, &weights);
    data_size size;
    int code = data_size_of(network, weights, &size);
    if (code == EXIT_GO_ON)
        code = data_open_sized(o->data, o->part == 0 ? LINNET_PART_TEST : LINNET_PART_TRAIN, 0, &size, &p->data);
    return code;
}

static int open_network(predictor *p, const predict_options *o, const char *first)
{
    const char *weights, *network = model_of(o->network, o->weights, o->model, &weights);
    linnet_model_options sizes;
    int code = choose_sizes(p, o, first, &sizes);
    return code == EXIT_GO_ON ? engine_open_model(&p->e, network, weights, &sizes) : code;
}

static int open_predictor(predictor *p, const predict_options *o, const char *first)
{
    int64_t dims[LINNET_MAX_RANK] = {0};
    int code = labels_open(o->labels, &p->names);
    if (code == EXIT_GO_ON && (o->indices || o->data))
        code = open_data(p, o);
    if (code == EXIT_GO_ON && o->indices)
        code = read_indices(p, o->indices);
    if (code == EXIT_GO_ON)
        code = open_network(p, o, first);
    if (code == EXIT_GO_ON && o->labels)
        code = look_labels(&p->e.model, o->labels, &p->names);
    if (code == EXIT_GO_ON)
        code = p->data ? labels_of_data(p->data, &p->names) : labels_of_net(p->e.model.net, &p->names);
    if (code != EXIT_GO_ON)
        return code;
    if (!p->e.model.logits.id)
        return cli_fail(EXIT_USAGE, "the network %s has no classes", linnet_net_name(p->e.model.net));
    linnet_value_shape(p->e.model.net, p->e.model.logits, dims);
    p->top = (size_t)(o->top < dims[1] ? o->top : dims[1]);
    p->best = calloc(p->top, sizeof *p->best);
    return p->best ? EXIT_GO_ON : cli_fail(EXIT_NO_MEMORY, "no memory for predictions");
}

/* A bad picture does not keep the others from being read; the exit code tells. */
static int predict_all(predictor *p, const predict_options *o, char **files, int count)
{
    int code = open_predictor(p, o, count ? *files : NULL), worst = EXIT_GO_ON;
    if (code != EXIT_GO_ON)
        return code;
    table_start(&p->rows, (const char *[]){"IMAGE", "READ AS", ">PROBABILITY", "OR", "", NULL});
    for (int i = 0; i < count && (code == EXIT_GO_ON || code == EXIT_BAD_INPUT); i++) {
        code = predict_file(p, o, files[i]);
        worst = code == EXIT_GO_ON ? worst : code;
    }
    for (size_t i = 0; i < p->index_count && worst == EXIT_GO_ON; i++)
        worst = predict_index(p, p->indices[i]);
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
        option_weights(&o.weights),
        option_labels('l', &o.labels),
        {.name = "as-is",
         .kind = CLI_FLAG,
         .target = &o.as_is,
         .help = "take pictures in their own size, digits without centring them"},
        option_data(&o.data),
        option_part(&o.part),
        {.name = "top",
         .letter = 'k',
         .kind = CLI_INTEGER,
         .target = &o.top,
         .argument = "K",
         .low = 1,
         .high = MOST_CLASSES,
         .help = "how many classes to name (default: 3)"},
        option_net(&o.model),
    };
    int code = cli_parse(&cmd_predict, options, sizeof options / sizeof options[0], argc, argv, &first);
    if (code == EXIT_GO_ON && first >= argc)
        code = cli_usage(&cmd_predict, "which network or weight file?");
    if (code == EXIT_GO_ON && argc - first == 1 && !o.indices)
        code = cli_usage(&cmd_predict, "which images? Name PNG or JPEG files or say --index");
    if (code == EXIT_GO_ON)
        code = cli_check_environment();
    if (code == EXIT_GO_ON) {
        o.network = argv[first];
        code = predict_all(&p, &o, argv + first + 1, argc - first - 1);
    }
    engine_close(&p.e);
    linnet_dataset_free(&p.data);
    labels_free(&p.names);
    free(p.indices);
    free(p.best);
    return code == EXIT_GO_ON ? EXIT_DONE : code;
}

const cli_command cmd_predict = {
    "predict", "MODEL [IMAGE...]", "say what a trained network sees in pictures",
    OPTION_MODEL_HELP "\n"
    "IMAGE is a PNG or JPEG. For networks that read digits of 28 x 28 pixels it is one digit of any size, grey or in\n"
    "colour, dark on light or light on dark; it is centred and scaled as the training images are. For all others it\n"
    "is a photograph: one of the network's own size is taken as it is; of another one the shorter side is scaled to\n"
    "8/7 of the network's (256 for 224) and the middle is cut out.",
    run};
