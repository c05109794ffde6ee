/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"
#include "interrupt.h"
#include "json_lines.h"
#include "model.h"
#include "options.h"
#include "progress.h"
#include "text.h"

#include <stdlib.h>

typedef struct eval_options {
    const char *network, *weights, *data, *model;
    int part; /* index into part_names */
    int64_t limit, batch;
} eval_options;

typedef struct evaluation {
    linnet_dataset *data;
    linnet_loader *loader;
    engine e;
    int32_t *predictions;
    linnet_evaluation result;
    double seconds;
} evaluation;

static int measure(evaluation *v)
{
    int64_t samples = linnet_loader_samples(v->loader);
    v->predictions = calloc((size_t)samples, sizeof *v->predictions);
    if (!v->predictions)
        return cli_fail(EXIT_NO_MEMORY, "no memory for predictions");
    progress_start("testing", "images", samples);
    double start = text_now();
    linnet_status status = linnet_evaluate(v->e.session, v->loader, v->e.model.logits, v->e.model.loss, v->predictions,
                                           progress_report, NULL, &v->result);
    v->seconds = text_now() - start;
    progress_end();
    return cli_check(status);
}

static void print_json(const evaluation *v, const eval_options *o)
{
    json_t *line = json_object();
    json_text(line, "event", "done");
    json_text(line, "net", linnet_net_name(v->e.model.net));
    json_text(line, "weights", o->weights ? o->weights : o->network);
    json_text(line, "backend", engine_backend(&v->e));
    json_text(line, "device", engine_device(&v->e));
    json_text(line, "platform", linnet_device_get_info(v->e.device)->platform);
    json_text(line, "part", part_names[o->part]);
    json_count(line, "images", v->result.count);
    json_count(line, "correct", v->result.correct);
    json_number(line, "test_accuracy", v->result.accuracy);
    json_number(line, "test_loss", v->result.loss);
    json_number(line, "images_per_second", v->seconds > 0 ? (double)v->result.count / v->seconds : 0);
    json_count(line, "fallbacks", engine_fallbacks(&v->e));
    json_line(line);
}

/* One class: how many, how many right, what the others were taken for most often. */
static void add_class(table *t, const evaluation *v, int32_t class_index, int64_t *taken_for, int32_t classes)
{
    int64_t images = 0, most = 0;
    int32_t other = -1;
    char count[TEXT_SIZE], right[TEXT_SIZE], share[TEXT_SIZE] = "-", mistake[160] = "";
    for (int32_t i = 0; i < classes; i++)
        taken_for[i] = 0;
    for (int64_t i = 0; i < v->result.count; i++)
        if (linnet_dataset_label(v->data, i) == class_index) {
            images++;
            if (v->predictions[i] >= 0 && v->predictions[i] < classes)
                taken_for[v->predictions[i]]++;
        }
    for (int32_t i = 0; i < classes; i++)
        if (i != class_index && taken_for[i] > most) {
            most = taken_for[i];
            other = i;
        }
    if (images)
        text_percent(share, (double)taken_for[class_index] / (double)images);
    if (other >= 0)
        snprintf(mistake, sizeof mistake, "%s (%lld)", linnet_dataset_class_name(v->data, other), (long long)most);
    table_row(t, (const char *[]){linnet_dataset_class_name(v->data, class_index), text_count(count, (uint64_t)images),
                                  text_count(right, (uint64_t)taken_for[class_index]), share, mistake});
}

static int print_classes(const evaluation *v)
{
    table t;
    int32_t classes = linnet_dataset_class_count(v->data);
    int64_t *taken_for = calloc((size_t)classes, sizeof *taken_for);
    if (!taken_for)
        return cli_fail(EXIT_NO_MEMORY, "no memory for the table");
    table_start(&t, (const char *[]){"CLASS", ">IMAGES", ">RIGHT", ">ACCURACY", "MOST OFTEN TAKEN FOR", NULL});
    for (int32_t i = 0; i < classes; i++)
        add_class(&t, v, i, taken_for, classes);
    table_print(&t, 0);
    putchar('\n');
    free(taken_for);
    return EXIT_GO_ON;
}

static int print_result(const evaluation *v, const eval_options *o)
{
    char right[TEXT_SIZE], all[TEXT_SIZE], rate[TEXT_SIZE];
    if (cli_common_options.json) {
        print_json(v, o);
        return EXIT_GO_ON;
    }
    int code = cli_common_options.quiet ? EXIT_GO_ON : print_classes(v);
    printf("%s accuracy %.2f %% (%s of %s), loss %.4f, %s images/s on %s\n", part_names[o->part],
           100 * v->result.accuracy, text_count(right, (uint64_t)v->result.correct),
           text_count(all, (uint64_t)v->result.count), v->result.loss,
           text_count(rate, (uint64_t)(v->seconds > 0 ? (double)v->result.count / v->seconds : 0)),
           linnet_device_label(v->e.device));
    return code;
}

/* Pixels as the network wants them; what no loader can do is refused. */
static int open_loader(evaluation *v, const eval_options *o)
{
    const linnet_preprocess *p = &v->e.model.preprocess;
    linnet_loader_options options = {.struct_size = sizeof options, .batch = (uint32_t)o->batch, .limit = o->limit};
    float scale = p->scale != 0 ? p->scale : 1;
    if (p->bgr)
        return cli_fail(EXIT_FAILED, "the network wants blue before red, which eval does not do");
    for (int c = 0; c < 4; c++) {
        options.mean[c] = p->mean[c] / scale;
        options.deviation[c] = (p->deviation[c] != 0 ? p->deviation[c] : 1) / scale;
    }
    v->loader = linnet_loader_new_with(NULL, v->data, &options);
    return v->loader ? cli_check(linnet_loader_pin(v->loader, v->e.device)) : cli_check_last();
}

/* The data in the network's size, then the network for that data. */
static int open_both(evaluation *v, const eval_options *o)
{
    const char *weights, *network = model_of(o->network, o->weights, o->model, &weights);
    data_size size;
    int code = data_size_of(network, weights, &size);
    if (code == EXIT_GO_ON)
        code = data_open_sized(o->data, o->part == 0 ? LINNET_PART_TEST : LINNET_PART_TRAIN, o->limit, &size, &v->data);
    if (code != EXIT_GO_ON)
        return code;
    const linnet_model_options sizes = model_sizes(v->data);
    return engine_open_model(&v->e, network, weights, &sizes);
}

static int evaluate(evaluation *v, const eval_options *o)
{
    int code = open_both(v, o);
    if (code == EXIT_GO_ON && !v->e.model.logits.id)
        code = cli_fail(EXIT_USAGE, "the network %s has no classes", linnet_net_name(v->e.model.net));
    if (code == EXIT_GO_ON)
        code = open_loader(v, o);
    if (code == EXIT_GO_ON) {
        interrupt_watch();
        code = measure(v);
    }
    return code == EXIT_GO_ON ? print_result(v, o) : code;
}

static int run(int argc, char **argv)
{
    int first;
    eval_options o = {.batch = 250};
    evaluation v = {.data = NULL};
    cli_option options[] = {
        option_weights(&o.weights),
        option_data(&o.data),
        option_part(&o.part),
        {.name = "limit",
         .kind = CLI_INTEGER,
         .target = &o.limit,
         .argument = "N",
         .low = 1,
         .high = 10000000,
         .help = "images to use (default: all)"},
        option_batch(&o.batch, "images at once (default: 250)"),
        option_net(&o.model),
    };
    int code = cli_parse(&cmd_eval, options, sizeof options / sizeof options[0], argc, argv, &first);
    if (code == EXIT_GO_ON && argc - first != 1)
        code = cli_usage(&cmd_eval, first < argc ? "one network at a time" : "which network or weight file?");
    if (code == EXIT_GO_ON)
        code = cli_check_environment();
    if (code == EXIT_GO_ON) {
        o.network = argv[first];
        code = evaluate(&v, &o);
    }
    engine_close(&v.e);
    linnet_loader_free(&v.loader);
    linnet_dataset_free(&v.data);
    free(v.predictions);
    return code == EXIT_GO_ON ? EXIT_DONE : code;
}

const cli_command cmd_eval = {"eval", "MODEL", "test a trained network on labelled images",
                              OPTION_MODEL_HELP,
                              run};
