/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of `linnet train`: settings, history, outputs, the run itself. Functions that can fail return EXIT_GO_ON or
   the exit code to leave with, having said why. */
#ifndef LINNET_TOOLS_TRAIN_H
#define LINNET_TOOLS_TRAIN_H

#include "cli.h"
#include "model.h"
#include "profile.h"
#include "train_film.h"
#include "train_look.h"

#include <jansson.h>

/* ---- Settings: all that decides the bits of the result. They travel in the checkpoint. ---- */

enum { OPTIMIZER_SGD, OPTIMIZER_ADAM };

typedef struct train_settings {
    char net[LINNET_NETDEF_MAX_LENGTH + 1]; /* a name, or a net in one line */
    char data[1024];                        /* folder; "": synthetic digits */
    int64_t limit, test_limit;
    data_size size; /* of a folder's pictures, as asked for */
    int64_t epochs, batch, seed;
    int64_t crop;                        /* pixels of padding that random crops are taken from; 0: none */
    int flip;                            /* 1: half of the training images are mirrored */
    int64_t warm_up;                     /* steps; -1: a twentieth of all, settled when the data is known */
    double rate, momentum, weight_decay; /* rate 0: the optimiser's default */
    int optimizer;                       /* OPTIMIZER_... */
    int schedule;                        /* linnet_schedule_kind */
    uint64_t fingerprint;                /* of the training images and labels */
} train_settings;

extern const char *const train_optimizer_names[], *const train_schedule_names[];

/* The table of options that fill settings; data and size are CLI_TEXT, so their targets are *data and *size. */
#define TRAIN_OPTION_COUNT 15
void train_options(train_settings *s, const char **data, const char **size, cli_option out[TRAIN_OPTION_COUNT]);
json_t *train_settings_json(const train_settings *s);
bool train_settings_from_json(const json_t *object, train_settings *out);
/* The name of an option that was given with another value than the checkpoint's; NULL: none. */
const char *train_contradiction(const cli_option *options, const train_settings *given, const train_settings *kept);

/* ---- History: what the curve is drawn from. Bounded: points are merged in pairs when there are too many. ---- */

#define HISTORY_POINTS 512
#define HISTORY_EPOCHS 1000

typedef struct history_point {
    double epoch; /* position, in epochs from 0 */
    double loss, accuracy;
} history_point;

typedef struct history {
    history_point points[HISTORY_POINTS]; /* of training batches */
    size_t point_count;
    int64_t stride, pending;              /* samples in a point; samples gathered for the next one */
    history_point sum;                    /* of the pending ones */
    history_point epochs[HISTORY_EPOCHS]; /* of the test images, after each epoch */
    size_t epoch_count;
    double epoch_loss, epoch_accuracy; /* sums over the samples of the current epoch */
    int64_t epoch_samples;
} history;

/* One training batch that was looked at. */
void history_add(history *h, double epoch, double loss, double accuracy);
/* The end of an epoch; out: means of its training batches (NaN when none was looked at). */
void history_end_epoch(history *h, double epoch, double test_loss, double test_accuracy, double *out_loss,
                       double *out_accuracy);
json_t *history_json(const history *h);
bool history_from_json(const json_t *object, history *out);

/* ---- Outputs ---- */

typedef struct train_outputs {
    char *weights, *checkpoint, *curve, *pictures; /* paths; NULL: not wanted */
} train_outputs;

/* What -o (NULL: nothing) means for this network: a folder, made if need be, or a file that ends in .safetensors. */
int train_outputs_open(const char *where, const char *net, train_outputs *out);
/* A folder to write into, made if need be. */
int train_make_folder(const char *folder);
void train_outputs_close(train_outputs *o);
/* The checkpoint that --resume names: a file, or a folder with one; free it. *out_where: the -o that wrote it, or NULL.
 */
int train_resume_paths(const char *resume, char **out_checkpoint, char **out_where);

/* ---- The run ---- */

typedef struct train_run {
    train_settings settings;
    const char *net; /* as it was written, for what there is to say about it; NULL: resumed */
    train_outputs outputs;
    int64_t checkpoint_every; /* steps; 0: after each epoch */
    linnet_dataset *train_data, *test_data;
    linnet_loader *train, *test;
    engine e;
    linnet_optimizer *optimizer;
    linnet_schedule schedule;
    int64_t sample_every; /* steps between two looks at the loss */
    history h;
    train_look look;
    double loss, accuracy; /* as the progress bar shows them: running means, NaN at first */
    int32_t *predictions;  /* of the test images */
    linnet_evaluation evaluation;
    bool evaluated;
    film film;
    profile profile;  /* zero: none was asked for */
    int64_t profiled; /* steps since it was last taken */
    uint32_t fallbacks;
    int64_t images;     /* trained by this process */
    double seconds;     /* it took, evaluation and preparation apart */
    bool kept;          /* the checkpoint is of this run */
    const char *all_in; /* the folder of all networks where this is one of several; NULL: it is alone */
} train_run;

#define TRAIN_OWN_OPTIONS 7
/* What was asked for on the command line. */
typedef struct train_request {
    const char *net, *data, *size, *resume, *output;
    int64_t checkpoint_every;
    const char *film; /* its folder; NULL: none */
    int64_t film_every;
    int profile;                                                /* 1: where the time goes */
    const char *trace;                                          /* file for it; NULL: none */
    cli_option options[TRAIN_OPTION_COUNT + TRAIN_OWN_OPTIONS]; /* the settings' first */
    train_settings given;
} train_request;

/* Reads the settings, and nothing else, of a checkpoint. */
int train_notes_read(const char *path, train_settings *out, history *out_history);
/* Opens data (unless r has it), network, device and optimiser for r->settings; a resumed run (checkpoint not NULL) goes
 * on from there. */
int train_open(train_run *r, const char *checkpoint);
/* Trains to the end: EXIT_GO_ON, or EXIT_INTERRUPTED with a checkpoint written. */
int train_loop(train_run *r);
void train_close(train_run *r);
/* All of that, with the results written and printed. r is zero, or has the data; train_close it, also on failure.
   Nothing is written before all inputs are read and the device is open. */
int train_one(train_run *r, train_request *request);

/* Several networks, one after another on the same data with the same settings, and what came out in one table. */
#define TRAIN_MOST_NETWORKS 16
int train_compare(train_request *request, char **nets, size_t count);

/* Prints what is about to happen, each epoch's line, what came out. */
void train_print_start(const train_run *r, bool resumed);
void train_print_epoch(const train_run *r, int64_t epoch, double loss, double accuracy, double seconds, int64_t images);
void train_print_end(const train_run *r);

#endif
