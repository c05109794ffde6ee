/* SPDX-License-Identifier: Apache-2.0 */
/* What most commands begin with: a dataset, a network, a device, a session. Functions return EXIT_GO_ON or the exit
   code to leave with, having said why. */
#ifndef LINNET_TOOLS_MODEL_H
#define LINNET_TOOLS_MODEL_H

#include "cli.h"

/* The synthetic digits that stand in where no --data is given: always the same ones, train and test apart. */
#define DIGITS_TRAIN_COUNT 40000
#define DIGITS_TEST_COUNT  10000

/* The size that a folder's pictures are brought to; zero: left to the folder (linnet_folder_options). */
typedef struct data_size {
    int32_t channels, height, width;
} data_size;

/* "64", or "48x32": width and height. Says what is wrong. */
int data_size_parse(const cli_command *command, const char *text, data_size *out);
/* What a network takes, named as for engine_open_model. */
int data_size_of(const char *model, const char *weights, data_size *out);

/* What --data names: a folder, or NULL where it is not given or the word digits (a folder called so is ./digits). */
const char *data_folder(const char *data);
/* data NULL or "digits": synthetic digits, limit of them (0: the counts above); else a folder. */
int data_open(const char *data, linnet_part part, int64_t limit, linnet_dataset **out_dataset);
/* The same with pictures of this size. */
int data_open_sized(const char *data, linnet_part part, int64_t limit, const data_size *size,
                    linnet_dataset **out_dataset);
/* Pixels as 0 to 1. limit 0: all. shuffle_seed is used when shuffle. */
int data_loader(const linnet_dataset *dataset, int64_t batch, int64_t limit, bool shuffle, uint64_t shuffle_seed,
                linnet_loader **out_loader);

/* The sizes of a network for the dataset's images and classes (NULL: all open). */
linnet_model_options model_sizes(const linnet_dataset *dataset);
/* A network of the zoo, sized for the dataset's images and classes (NULL: its own sizes). */
int model_open(const char *name, const linnet_dataset *dataset, linnet_model *out_model);
/* Whatever stands for a network: a name, a net in a line, a file that holds one, a weight file (not loaded). */
int model_open_any(const char *what, linnet_model *out_model);
/* Whether text names a network of the zoo. */
bool model_is_name(const char *text);
/* MODEL with --weights and --model, either of which may be NULL: with --model, MODEL is the weight file. Returns what
   stands for the network; *out_weights: its weights, or NULL. */
const char *model_of(const char *argument, const char *weights, const char *net, const char **out_weights);

/* A network on a device. */
typedef struct engine {
    linnet_device *device;
    linnet_model model;
    linnet_session *session;
} engine;

/* Takes over model, also on failure: engine_close frees it. */
int engine_open(engine *e, linnet_model *model);
/* What every command that looks inside takes: MODEL is a network (a name, a net in a line, a file that holds one), with
   the weights of a file or, where weights is NULL, those that it starts with; or MODEL is a weight file. options: the
   sizes wanted, NULL: the network's own. */
int engine_open_model(engine *e, const char *model, const char *weights, const linnet_model_options *options);
/* Says on stderr, unless --quiet, that a network that was opened without weights has random ones. */
void model_warn_random(const linnet_model *model);
void engine_close(engine *e);
const char *engine_backend(const engine *e);
const char *engine_device(const engine *e);
/* Nodes of the last plan that ran elsewhere. */
uint32_t engine_fallbacks(const engine *e);

/* Host tensors for one batch of the model's own inputs, filled with noise, in memory pinned for the device; release
   with sample_free. */
typedef struct sample_batch {
    linnet_batch batch;
    void *memory[2];
} sample_batch;
int sample_new(const linnet_model *model, linnet_device *device, int64_t size, sample_batch *out);
void sample_free(sample_batch *sample);

#endif
