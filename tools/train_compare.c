/* SPDX-License-Identifier: Apache-2.0 */
/* `linnet train` with several networks: one after another, one table at the end. */
#include "train.h"

#include "commands.h"
#include "compare_svg.h"
#include "json_lines.h"
#include "net_argument.h"
#include "output.h"
#include "text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define TEST_BATCH 250

/* What is kept of a network that is done. */
typedef struct contender {
    char label[64]; /* its name in the table and its folder's */
    char *place;    /* its folder; NULL: nothing is kept */
    uint64_t parameters, multiply_adds;
    double seconds; /* NaN: part of it was trained by another process */
    double train_accuracy, test_accuracy;
    int64_t train_count, test_count;
    int64_t epochs; /* a resumed network keeps its own number */
    history h;
} contender;

typedef struct comparison {
    train_request *request;
    contender *contenders;
    size_t count;
    const char *place; /* NULL: no files */
    char *curves;
    linnet_dataset *train_data, *test_data; /* on their way from one network to the next */
} comparison;

/* ---- Names and places ---- */

static bool label_taken(const comparison *c, size_t before, const char *label)
{
    for (size_t i = 0; i < before; i++)
        if (strcmp(c->contenders[i].label, label) == 0)
            return true;
    return false;
}

/* The network's short name, with a number behind it when another one has it. */
static void choose_label(comparison *c, size_t index, const char *net)
{
    contender *k = &c->contenders[index];
    char name[48];
    net_label(net, name, sizeof name);
    snprintf(k->label, sizeof k->label, "%s", name);
    for (int number = 2; label_taken(c, index, k->label); number++)
        snprintf(k->label, sizeof k->label, "%s-%d", name, number);
}

static int choose_places(comparison *c, char **nets)
{
    const train_request *a = c->request;
    c->place = a->output ? a->output : a->resume;
    if (c->place && !*c->place)
        return cli_usage(&cmd_train, "-o and --resume need a folder");
    const char *end = c->place ? strrchr(c->place, '.') : NULL;
    if (end && strcmp(end, ".safetensors") == 0)
        return cli_usage(&cmd_train, "several networks need a folder, not one file: '%s'", c->place);
    for (size_t i = 0; i < c->count; i++) {
        choose_label(c, i, nets[i]);
        c->contenders[i].place = c->place ? output_path(c->place, c->contenders[i].label) : NULL;
        if (c->place && !c->contenders[i].place)
            return cli_fail(EXIT_NO_MEMORY, "no memory for a path");
    }
    c->curves = c->place ? output_path(c->place, "comparison.svg") : NULL;
    return c->place && !c->curves ? cli_fail(EXIT_NO_MEMORY, "no memory for a path") : EXIT_GO_ON;
}

static bool has_checkpoint(const char *place)
{
    struct stat info;
    char *path = place ? output_path(place, "checkpoint.safetensors") : NULL;
    bool has = path && stat(path, &info) == 0;
    free(path);
    return has;
}

/* ---- Before anything is trained ---- */

/* The last network, too, has to be one that fits the data. */
static int check_nets(comparison *c, char **nets)
{
    const train_settings *s = &c->request->given;
    int code = data_open_sized(c->request->data, LINNET_PART_TRAIN, s->limit, &s->size, &c->train_data);
    for (size_t i = 0; i < c->count && code == EXIT_GO_ON; i++) {
        linnet_model model = {.net = NULL};
        code = model_open(nets[i], c->train_data, &model);
        linnet_model_free(&model);
    }
    return code;
}

/* ---- One of them ---- */

static int measure_training(const train_run *r, contender *k)
{
    linnet_loader *loader = NULL;
    linnet_evaluation evaluation = {0};
    int64_t train = linnet_loader_samples(r->train), test = linnet_loader_samples(r->test);
    int code = data_loader(r->train_data, TEST_BATCH, train < test ? train : test, false, 0, &loader);
    if (code == EXIT_GO_ON)
        code = cli_check(
            linnet_evaluate(r->e.session, loader, r->e.model.logits, r->e.model.loss, NULL, NULL, NULL, &evaluation));
    k->train_accuracy = evaluation.accuracy;
    k->train_count = evaluation.count;
    linnet_loader_free(&loader);
    return code;
}

static int note_result(const train_run *r, contender *k)
{
    const linnet_net *net = r->e.model.net;
    for (size_t i = 0; i < linnet_net_node_count(net); i++) {
        linnet_node_info info;
        if (linnet_net_node(net, i, &info) == LINNET_OK)
            k->multiply_adds += info.multiply_adds;
    }
    k->parameters = linnet_net_parameter_count(net);
    k->seconds = r->images == r->settings.epochs * linnet_loader_samples(r->train) ? r->seconds : NAN;
    k->test_accuracy = r->evaluation.accuracy;
    k->test_count = r->evaluation.count;
    k->epochs = r->settings.epochs;
    k->h = r->h;
    return measure_training(r, k);
}

static int train_contender(comparison *c, contender *k, const char *net)
{
    train_run *r = calloc(1, sizeof *r);
    train_request a = *c->request;
    if (!r)
        return cli_fail(EXIT_NO_MEMORY, "no memory to train");
    r->train_data = c->train_data;
    r->test_data = c->test_data;
    r->all_in = c->place;
    a.net = net;
    a.output = k->place;
    a.resume = a.resume && has_checkpoint(k->place) ? k->place : NULL;
    char *frames = a.film ? output_path(a.film, k->label) : NULL;
    a.film = frames;
    int code = train_one(r, &a);
    free(frames);
    if (code == EXIT_GO_ON)
        code = note_result(r, k);
    c->train_data = r->train_data;
    c->test_data = r->test_data;
    r->train_data = r->test_data = NULL;
    train_close(r);
    free(r);
    return code;
}

/* ---- What came out ---- */

static int write_curves(const comparison *c)
{
    compare_curve curves[TRAIN_MOST_NETWORKS];
    char title[160];
    int64_t epochs = 0;
    for (size_t i = 0; i < c->count; i++) {
        const contender *k = &c->contenders[i];
        curves[i] = (compare_curve){k->label, &k->h};
        epochs = k->epochs > epochs ? k->epochs : epochs;
    }
    snprintf(title, sizeof title, "%zu networks on %.100s", c->count,
             data_folder(c->request->data) ? linnet_dataset_name(c->train_data) : "synthetic digits");
    return c->curves ? compare_svg_write(c->curves, title, curves, c->count, (double)epochs) : EXIT_GO_ON;
}

static void print_json(const comparison *c)
{
    json_t *line = json_object(), *list = json_array();
    json_text(line, "event", "comparison");
    for (size_t i = 0; i < c->count; i++) {
        const contender *k = &c->contenders[i];
        json_t *item = json_object();
        json_text(item, "net", k->label);
        json_count(item, "parameters", (long long)k->parameters);
        json_count(item, "multiply_adds", (long long)k->multiply_adds);
        json_number(item, "seconds", k->seconds);
        json_number(item, "train_accuracy", k->train_accuracy);
        json_number(item, "test_accuracy", k->test_accuracy);
        json_array_append_new(list, item);
    }
    json_object_set_new(line, "networks", list);
    if (c->curves)
        json_text(line, "curves", c->curves);
    json_line(line);
}

static void print_table(const comparison *c)
{
    table t;
    table_start(&t, (const char *[]){"NETWORK", ">PARAMETERS", ">MULTIPLY-ADDS", ">TIME", ">TRAINING", ">TEST", NULL});
    for (size_t i = 0; i < c->count; i++) {
        const contender *k = &c->contenders[i];
        char parameters[TEXT_SIZE], work[TEXT_SIZE], clock[TEXT_SIZE] = "-", train[TEXT_SIZE], test[TEXT_SIZE];
        if (!isnan(k->seconds))
            text_clock(clock, k->seconds);
        table_row(&t, (const char *[]){k->label, text_count(parameters, k->parameters),
                                       text_count(work, k->multiply_adds), clock,
                                       text_percent(train, k->train_accuracy), text_percent(test, k->test_accuracy)});
    }
    putchar('\n');
    table_print(&t, 0);
    if (cli_common_options.quiet)
        return;
    char train[TEXT_SIZE], test[TEXT_SIZE];
    printf("\nAccuracy on %s of the training images and on %s test images; multiply-adds of one image.\n",
           text_count(train, (uint64_t)c->contenders[0].train_count),
           text_count(test, (uint64_t)c->contenders[0].test_count));
    if (c->curves)
        printf("\n  curves       %s\n", c->curves);
}

static int compare_all(comparison *c, char **nets)
{
    int code = choose_places(c, nets);
    if (code == EXIT_GO_ON)
        code = check_nets(c, nets);
    for (size_t i = 0; i < c->count && code == EXIT_GO_ON; i++) {
        if (i > 0 && !cli_common_options.json && !cli_common_options.quiet)
            putchar('\n');
        code = train_contender(c, &c->contenders[i], nets[i]);
    }
    if (code == EXIT_GO_ON)
        code = write_curves(c);
    if (code == EXIT_GO_ON && cli_common_options.json)
        print_json(c);
    else if (code == EXIT_GO_ON)
        print_table(c);
    return code;
}

int train_compare(train_request *request, char **nets, size_t count)
{
    comparison c = {.request = request, .count = count};
    if (count > TRAIN_MOST_NETWORKS)
        return cli_usage(&cmd_train, "at most %d networks at a time, these are %zu", TRAIN_MOST_NETWORKS, count);
    c.contenders = calloc(count, sizeof *c.contenders);
    int code = c.contenders ? compare_all(&c, nets) : cli_fail(EXIT_NO_MEMORY, "no memory to train");
    for (size_t i = 0; c.contenders && i < count; i++)
        free(c.contenders[i].place);
    free(c.contenders);
    free(c.curves);
    linnet_dataset_free(&c.train_data);
    linnet_dataset_free(&c.test_data);
    return code;
}
