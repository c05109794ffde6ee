/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"
#include "net_argument.h"
#include "train.h"

#include <stdlib.h>
#include <string.h>

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

static void own_options(train_request *a, cli_option out[TRAIN_OWN_OPTIONS])
{
    const cli_option table[TRAIN_OWN_OPTIONS] = {
        {.name = "output",
         .letter = 'o',
         .kind = CLI_TEXT,
         .target = &a->output,
         .argument = "PLACE",
         .help = "folder for weights, checkpoint and pictures, or FILE.safetensors"},
        {.name = "resume",
         .kind = CLI_TEXT,
         .target = &a->resume,
         .argument = "PLACE",
         .help = "go on where that folder's or file's checkpoint stopped"},
        {.name = "checkpoint-every",
         .kind = CLI_INTEGER,
         .target = &a->checkpoint_every,
         .argument = "STEPS",
         .low = 1,
         .high = 1e9,
         .help = "steps between checkpoints (default: an epoch)"},
        {.name = "film",
         .kind = CLI_TEXT,
         .target = &a->film,
         .argument = "DIR",
         .help = "folder for a film of the first layer's filters, one PNG a frame"},
        {.name = "film-every",
         .kind = CLI_INTEGER,
         .target = &a->film_every,
         .argument = "STEPS",
         .low = 1,
         .high = 1e9,
         .help = "steps between frames (default: about fifty frames)"},
        {.name = "profile",
         .kind = CLI_FLAG,
         .target = &a->profile,
         .help = "say at the end where the steps' time went, by layer and direction"},
        {.name = "trace",
         .kind = CLI_TEXT,
         .target = &a->trace,
         .argument = "FILE",
         .help = "--profile, and write it as a Chrome trace (chrome://tracing, ui.perfetto.dev)"},
    };
    memcpy(out, table, sizeof table);
}

/* The checkpoint to go on from where the device was lost, to be freed; NULL: it was not, or there is none. */
static char *left_behind(const train_run *r, int code)
{
    bool lost = code == EXIT_FAILED && linnet_context_last_status(NULL) == LINNET_DEVICE_LOST;
    return lost && r->kept ? strdup(r->outputs.checkpoint) : NULL;
}

/* Once: a device that is lost again has more wrong with it. */
static int train_single(train_request *a)
{
    train_run *r = calloc(1, sizeof *r);
    if (!r)
        return cli_fail(EXIT_NO_MEMORY, "no memory to train");
    int code = train_one(r, a);
    char *checkpoint = left_behind(r, code);
    train_close(r);
    if (checkpoint) {
        fprintf(stderr, "linnet: the device is opened anew, and training goes on from %s\n", checkpoint);
        memset(r, 0, sizeof *r);
        a->resume = checkpoint;
        code = train_one(r, a);
        train_close(r);
        a->resume = NULL;
    }
    free(checkpoint);
    free(r);
    return code;
}

/* The networks as names or texts: what stands in files is read. nets has room for count. */
static int read_nets(char **arguments, char **nets, size_t count)
{
    int code = EXIT_GO_ON;
    for (size_t i = 0; i < count && code == EXIT_GO_ON; i++) {
        code = net_argument(arguments[i], &nets[i]);
        if (code == EXIT_GO_ON && !nets[i])
            code = cli_usage(&cmd_train, "'%s' is no network; there is --resume for checkpoints", arguments[i]);
    }
    return code;
}

static int train_all(train_request *a, char **arguments, size_t count)
{
    char **nets = calloc(count + 1, sizeof *nets);
    if (a->trace && count > 1) {
        free(nets);
        return cli_usage(&cmd_train, "--trace is for one network");
    }
    int code = nets ? read_nets(arguments, nets, count) : cli_fail(EXIT_NO_MEMORY, "no memory to train");
    if (code == EXIT_GO_ON) {
        a->net = nets[0];
        code = count > 1 ? train_compare(a, nets, count) : train_single(a);
    }
    for (size_t i = 0; nets && i < count; i++)
        free(nets[i]);
    free(nets);
    return code;
}

static int run(int argc, char **argv)
{
    int first;
    train_request a = {.net = NULL};
    set_defaults(&a.given);
    train_options(&a.given, &a.data, &a.size, a.options);
    own_options(&a, a.options + TRAIN_OPTION_COUNT);
    int code = cli_parse(&cmd_train, a.options, TRAIN_OPTION_COUNT + TRAIN_OWN_OPTIONS, argc, argv, &first);
    if (code == EXIT_GO_ON)
        code = cli_check_environment();
    if (code == EXIT_GO_ON && a.size)
        code = data_size_parse(&cmd_train, a.size, &a.given.size);
    if (code != EXIT_GO_ON)
        return code;
    code = train_all(&a, argv + first, (size_t)(argc - first));
    return code == EXIT_GO_ON ? EXIT_DONE : code;
}

const cli_command cmd_train = {
    "train", "NET...", "teach a network to classify images",
    "NET is a network of the program (linnet summary --help names them), a net in a line such as\n"
    "\"conv 32 k3 p1; relu; maxpool 2; linear 10\", or a file with one layer a line. DIR holds the files of MNIST,\n"
    "Fashion-MNIST or what is packed like them, or CIFAR's binary files, gzipped or not, or pictures:\n"
    "DIR/CLASS/PICTURE.png or .jpg, perhaps below train/ and test/ (else a fifth of each class is for testing).\n"
    "A folder as PLACE gets NET.safetensors, checkpoint.safetensors, curve.svg and predictions.png. Several networks\n"
    "are trained one after another on the same images and compared in one table; each gets a folder of its own in\n"
    "PLACE, and all their curves are in comparison.svg.\n"
    "A film is frame_0000.png, frame_0001.png, ..., a few of them side by side in film.png, and the weights of all of\n"
    "them in film.safetensors.\n"
    "A profile is of the training steps by the device's own clock (linnet bench --help has more); it is taken every "
    "32\n"
    "steps, so the steps are a little slower. A trace has up to 200,000 events.\n"
    "Ctrl-C finishes the step, writes a checkpoint and leaves with exit code 130; --resume then gives the same bits\n"
    "as never having stopped. A resumed run keeps the options it was started with. A device that is lost on the way\n"
    "(its driver was reset) is opened anew, once, and training goes on from the last checkpoint.",
    run};
