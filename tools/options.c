/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

const char *const part_names[] = {"test", "train", NULL};

static cli_option text(const char *name, char letter, const char **target, const char *argument, const char *help)
{
    return (cli_option){
        .name = name, .letter = letter, .kind = CLI_TEXT, .target = target, .argument = argument, .help = help};
}

cli_option option_weights(const char **target)
{
    return text("weights", 'w', target, "FILE", "weights for a network given by name (default: those it starts with)");
}

cli_option option_labels(char letter, const char **target)
{
    return text("labels", letter, target, "FILE", "names of the classes, one a line");
}

cli_option option_data(const char **target)
{
    return text("data", 'd', target, "DIR",
                "folder of MNIST's or CIFAR's files, or of pictures (default: synthetic digits)");
}

cli_option option_part(int *target)
{
    return (cli_option){.name = "part",
                        .kind = CLI_CHOICE,
                        .target = target,
                        .argument = "PART",
                        .choices = part_names,
                        .help = "test (default) or train"};
}

cli_option option_batch(int64_t *target, const char *help)
{
    return (cli_option){.name = "batch",
                        .letter = 'b',
                        .kind = CLI_INTEGER,
                        .target = target,
                        .argument = "N",
                        .low = 1,
                        .high = 65536,
                        .help = help};
}

cli_option option_net(const char **target)
{
    return text("model", 'm', target, "NET", "which network (default: what the file says)");
}
