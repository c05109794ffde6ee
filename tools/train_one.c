/* SPDX-License-Identifier: Apache-2.0 */
/* One network from what was asked for to the files that come of it. */
#include "train.h"

#include "commands.h"
#include "curve_svg.h"
#include "interrupt.h"
#include "net_argument.h"
#include "pictures.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

/* A name as it is, a text in one line. */
static int settle_net(const char *net, char *out, size_t size)
{
    linnet_model model;
    char *line = NULL;
    if (!linnet_netdef_is_text(net) && !model_is_name(net))
        return model_open(net, NULL, &model); /* names those that there are */
    if (linnet_netdef_is_text(net)) {
        int code = net_check(linnet_netdef_canonical(NULL, net, &line), net, false);
        if (code != EXIT_GO_ON)
            return code;
    }
    bool fits = snprintf(out, size, "%s", line ? line : net) < (int)size;
    linnet_text_free(&line);
    return fits ? EXIT_GO_ON : cli_fail(EXIT_USAGE, "the net is too long");
}

/* --data, where it is given. */
static int settle_data(const char *data, train_settings *s)
{
    const char *folder = data_folder(data);
    if (data && snprintf(s->data, sizeof s->data, "%s", folder ? folder : "") >= (int)sizeof s->data)
        return cli_fail(EXIT_BAD_INPUT, "%s: the path is too long", data);
    return EXIT_GO_ON;
}

/* A new run's settings from the command line. */
static int settle_new(train_run *r, train_request *a)
{
    train_settings *s = &a->given;
    if (!a->net)
        return cli_usage(&cmd_train, "which network?");
    int code = settle_net(a->net, s->net, sizeof s->net);
    if (code != EXIT_GO_ON)
        return code;
    r->net = a->net;
    code = settle_data(a->data, s);
    if (code != EXIT_GO_ON)
        return code;
    bool momentum = cli_given(a->options, TRAIN_OPTION_COUNT, "momentum");
    if (momentum && !cli_given(a->options, TRAIN_OPTION_COUNT, "optimizer"))
        s->optimizer = OPTIMIZER_SGD;
    if (momentum && s->optimizer != OPTIMIZER_SGD)
        return cli_usage(&cmd_train, "--momentum belongs to sgd; adam has none to set");
    r->settings = *s;
    return EXIT_GO_ON;
}

/* A resumed run's settings from the checkpoint; what decides the result cannot be changed on the way. */
static int settle_resumed(train_run *r, train_request *a, const char *checkpoint)
{
    train_settings *s = &r->settings;
    int code = train_notes_read(checkpoint, s, &r->h);
    if (code != EXIT_GO_ON)
        return code;
    if (a->net)
        code = settle_net(a->net, a->given.net, sizeof a->given.net);
    if (code != EXIT_GO_ON)
        return code;
    if (a->net && strcmp(a->given.net, s->net) != 0)
        return cli_usage(&cmd_train, "the checkpoint is of the network '%s', not '%s'", s->net, a->given.net);
    const char *option = train_contradiction(a->options, &a->given, s);
    if (option)
        return cli_usage(&cmd_train, "--%s differs from what the checkpoint was made with; a resumed run keeps it",
                         option);
    return settle_data(a->data, s); /* the folder may have moved */
}

static int write_results(const train_run *r)
{
    const train_outputs *o = &r->outputs;
    char title[200], label[64], count[TEXT_SIZE];
    int code = EXIT_GO_ON;
    if (o->weights)
        code = cli_check(linnet_save(r->e.session, o->weights));
    net_label(r->settings.net, label, sizeof label);
    snprintf(title, sizeof title, "%s on %s: %.2f %% of %s test images", label,
             *r->settings.data ? linnet_dataset_name(r->train_data) : "synthetic digits", 100 * r->evaluation.accuracy,
             text_count(count, (uint64_t)r->evaluation.count));
    if (code == EXIT_GO_ON && o->curve)
        code = curve_svg_write(o->curve, title, &r->h, (double)r->settings.epochs);
    if (code == EXIT_GO_ON && o->pictures)
        code = pictures_write(o->pictures, r->test_data, r->predictions, r->evaluation.count);
    if (code == EXIT_GO_ON && r->film.folder)
        code = film_save(&r->film);
    if (code == EXIT_GO_ON)
        code = film_write(&r->film, label);
    return code;
}

static int open_film(train_run *r, const train_request *a)
{
    uint64_t total = (uint64_t)r->settings.epochs * (uint64_t)linnet_loader_batches(r->train);
    return film_open(&r->film, a->film, a->film_every, total, r->e.session, linnet_optimizer_steps(r->optimizer));
}

int train_one(train_run *r, train_request *a)
{
    char *checkpoint = NULL, *where = NULL;
    r->checkpoint_every = a->checkpoint_every;
    int code = a->resume ? train_resume_paths(a->resume, &checkpoint, &where) : EXIT_GO_ON;
    if (code == EXIT_GO_ON)
        code = a->resume ? settle_resumed(r, a, checkpoint) : settle_new(r, a);
    if (code == EXIT_GO_ON)
        code = train_open(r, checkpoint);
    if (code == EXIT_GO_ON)
        code = train_outputs_open(a->output ? a->output : where, r->settings.net, &r->outputs);
    if (code == EXIT_GO_ON)
        code = open_film(r, a);
    if (code == EXIT_GO_ON && (a->profile || a->trace))
        code = profile_open(&r->profile, r->e.session, a->trace);
    if (code == EXIT_GO_ON) {
        interrupt_watch();
        train_print_start(r, a->resume);
        code = train_loop(r);
    }
    if (code == EXIT_GO_ON)
        code = write_results(r);
    if (code == EXIT_GO_ON)
        train_print_end(r);
    if (code == EXIT_GO_ON)
        code = profile_close(&r->profile);
    free(checkpoint);
    free(where);
    return code;
}
