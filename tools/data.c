/* SPDX-License-Identifier: Apache-2.0 */
/* The data that commands work on: a folder, or the synthetic digits. */
#include "model.h"

#include <stdlib.h>
#include <string.h>

#define DIGITS_TRAIN_SEED 1
#define DIGITS_TEST_SEED  2

/* One side, 1 and up, that ends at end; 0: none. */
static int32_t read_side(const char *text, char end, const char **out_rest)
{
    char *rest;
    long side = *text >= '0' && *text <= '9' ? strtol(text, &rest, 10) : 0;
    if (side < 1 || side > LINNET_IMAGE_MAX_SIDE || *rest != end)
        return 0;
    *out_rest = rest + (end != '\0');
    return (int32_t)side;
}

int data_size_parse(const cli_command *command, const char *text, data_size *out)
{
    const char *rest = "";
    out->width = out->height = read_side(text, '\0', &rest);
    if (out->width)
        return EXIT_GO_ON;
    out->width = read_side(text, 'x', &rest);
    out->height = out->width ? read_side(rest, '\0', &rest) : 0;
    if (out->height)
        return EXIT_GO_ON;
    return cli_usage(command, "--size='%s' makes no sense: 64, or 48x32 (width and height) is wanted", text);
}

const char *data_folder(const char *data)
{
    return data && strcmp(data, "digits") != 0 ? data : NULL;
}

int data_open_sized(const char *data, linnet_part part, int64_t limit, const data_size *size,
                    linnet_dataset **out_dataset)
{
    const char *folder = data_folder(data);
    bool train = part == LINNET_PART_TRAIN;
    int64_t count = limit ? limit : train ? DIGITS_TRAIN_COUNT : DIGITS_TEST_COUNT;
    *out_dataset = folder ? linnet_dataset_open(NULL, folder, part, .limit = limit, .channels = size->channels,
                                                .height = size->height, .width = size->width)
                          : linnet_dataset_digits(NULL, train ? DIGITS_TRAIN_SEED : DIGITS_TEST_SEED, count);
    return *out_dataset ? EXIT_GO_ON : folder ? cli_check_last_input() : cli_check_last();
}

int data_open(const char *data, linnet_part part, int64_t limit, linnet_dataset **out_dataset)
{
    return data_open_sized(data, part, limit, &(data_size){0}, out_dataset);
}

int data_loader(const linnet_dataset *dataset, int64_t batch, int64_t limit, bool shuffle, uint64_t shuffle_seed,
                linnet_loader **out_loader)
{
    *out_loader = linnet_loader_new(NULL, dataset, .batch = (uint32_t)batch, .shuffle = shuffle, .seed = shuffle_seed,
                                    .limit = limit);
    return *out_loader ? EXIT_GO_ON : cli_check_last();
}
