/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"
#include "curve_svg.h"
#include "interrupt.h"
#include "pictures.h"
#include "text.h"
#include "train.h"

#include <stdlib.h>
#include <string.h>

typedef struct train_arguments {
    const char *net, *data, *resume, *output;
    cli_option options[TRAIN_OPTION_COUNT + 3];
    train_settings given;
} train_arguments;

static void set_defaults(train_settings *s)
{
    *s = (train_settings){.epochs = 3,
                          .batch = 64,
                          .warm_up = -1,
                          .seed = 1,
                          .momentum = 0.9,
                          .optimizer = OPTIMIZER_ADAM,
                          .schedule = LINNET_SCHEDULE_COSINE};
}

/* A new run's settings from the command line. */
static int settle_new(train_run *r, train_arguments *a)
{
    train_settings *s = &a->given;
    if (!a->net)
        return cli_usage(&cmd_train, "which network?");
    if (snprintf(s->net, sizeof s->net, "%s", a->net) >= (int)sizeof s->net || !model_is_name(s->net)) {
        linnet_model model;
        return model_open(a->net, NULL, &model); /* names those that there are */
    }
    if (a->data && snprintf(s->data, sizeof s->data, "%s", a->data) >= (int)sizeof s->data)
        return cli_fail(EXIT_BAD_INPUT, "%s: the path is too long", a->data);
    bool momentum = cli_given(a->options, TRAIN_OPTION_COUNT, "momentum");
    if (momentum && !cli_given(a->options, TRAIN_OPTION_COUNT, "optimizer"))
        s->optimizer = OPTIMIZER_SGD;
    if (momentum && s->optimizer != OPTIMIZER_SGD)
        return cli_usage(&cmd_train, "--momentum belongs to sgd; adam has none to set");
    if (!cli_given(a->options, TRAIN_OPTION_COUNT, "lr"))
        s->rate = s->optimizer == OPTIMIZER_ADAM ? 0.007 : 0.05;
    r->settings = *s;
    return EXIT_GO_ON;
}

/* A resumed run's settings from the checkpoint; what decides the result cannot be changed on the way. */
static int settle_resumed(train_run *r, const train_arguments *a, const char *checkpoint)
{
    train_settings *s = &r->settings;
    int code = train_notes_read(checkpoint, s, &r->h);
    if (code != EXIT_GO_ON)
        return code;
    if (a->net && strcmp(a->net, s->net) != 0)
        return cli_usage(&cmd_train, "the checkpoint is of the network '%s', not '%s'", s->net, a->net);
    const char *option = train_contradiction(a->options, &a->given, s);
    if (option)
        return cli_usage(&cmd_train, "--%s differs from what the checkpoint was made with; a resumed run keeps it",
                         option);
    if (a->data && snprintf(s->data, sizeof s->data, "%s", a->data) >= (int)sizeof s->data)
        return cli_fail(EXIT_BAD_INPUT, "%s: the path is too long", a->data); /* the folder may have moved */
    return EXIT_GO_ON;
}

static int write_results(const train_run *r)
{
    const train_outputs *o = &r->outputs;
    char title[160], count[TEXT_SIZE];
    int code = EXIT_GO_ON;
    if (o->weights)
        code = cli_check(linnet_save(r->e.session, o->weights));
    snprintf(title, sizeof title, "%s on %s: %.2f %% of %s test images", r->settings.net,
             *r->settings.data ? linnet_dataset_name(r->train_data) : "synthetic digits", 100 * r->evaluation.accuracy,
             text_count(count, (uint64_t)r->evaluation.count));
    if (code == EXIT_GO_ON && o->curve)
        code = curve_svg_write(o->curve, title, &r->h, (double)r->settings.epochs);
    if (code == EXIT_GO_ON && o->pictures)
        code = pictures_write(o->pictures, r->test_data, r->predictions, r->evaluation.count);
    return code;
}

/* Nothing is written before all inputs are read and the device is open. */
static int train(train_run *r, train_arguments *a)
{
    char *checkpoint = NULL, *where = NULL;
    int code = a->resume ? train_resume_paths(a->resume, &checkpoint, &where) : EXIT_GO_ON;
    if (code == EXIT_GO_ON)
        code = a->resume ? settle_resumed(r, a, checkpoint) : settle_new(r, a);
    if (code == EXIT_GO_ON)
        code = train_open(r, checkpoint);
    if (code == EXIT_GO_ON)
        code = train_outputs_open(a->output ? a->output : where, r->settings.net, &r->outputs);
    if (code == EXIT_GO_ON) {
        interrupt_watch();
        train_print_start(r, a->resume);
        code = train_loop(r);
    }
    if (code == EXIT_GO_ON)
        code = write_results(r);
    if (code == EXIT_GO_ON)
        train_print_end(r);
    free(checkpoint);
    free(where);
    return code == EXIT_GO_ON ? EXIT_DONE : code;
}

static int run(int argc, char **argv)
{
    int first;
    train_run *r = calloc(1, sizeof *r);
    train_arguments a = {.net = NULL};
    if (!r)
        return cli_fail(EXIT_NO_MEMORY, "no memory to train");
    set_defaults(&a.given);
    train_options(&a.given, &a.data, a.options);
    a.options[TRAIN_OPTION_COUNT] =
        (cli_option){.name = "output",
                     .letter = 'o',
                     .kind = CLI_TEXT,
                     .target = &a.output,
                     .argument = "PLACE",
                     .help = "folder for weights, checkpoint and pictures, or FILE.safetensors"};
    a.options[TRAIN_OPTION_COUNT + 1] = (cli_option){.name = "resume",
                                                     .kind = CLI_TEXT,
                                                     .target = &a.resume,
                                                     .argument = "PLACE",
                                                     .help = "go on where that folder's or file's checkpoint stopped"};
    a.options[TRAIN_OPTION_COUNT + 2] = (cli_option){.name = "checkpoint-every",
                                                     .kind = CLI_INTEGER,
                                                     .target = &r->checkpoint_every,
                                                     .argument = "STEPS",
                                                     .low = 1,
                                                     .high = 1e9,
                                                     .help = "steps between checkpoints (default: an epoch)"};
    int code = cli_parse(&cmd_train, a.options, sizeof a.options / sizeof a.options[0], argc, argv, &first);
    if (code == EXIT_GO_ON && argc - first > 1)
        code = cli_usage(&cmd_train, "one network at a time");
    if (code == EXIT_GO_ON)
        code = cli_check_environment();
    if (code == EXIT_GO_ON) {
        a.net = first < argc ? argv[first] : NULL;
        code = train(r, &a);
    }
    train_close(r);
    free(r);
    return code;
}

const cli_command cmd_train = {
    "train", "NET", "teach a network to classify images",
    "NET: lenet5 or mlp. DIR holds the files of MNIST, Fashion-MNIST or what is packed like them, gzipped or not.\n"
    "A folder as PLACE gets NET.safetensors, checkpoint.safetensors, curve.svg and predictions.png.\n"
    "Ctrl-C finishes the step, writes a checkpoint and leaves with exit code 130; --resume then gives the same bits\n"
    "as never having stopped. A resumed run keeps the options it was started with.",
    run};
