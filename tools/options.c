/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

const char *const part_names[] = {"test", "train", NULL};
const char *const minimizer_names[] = {"default", "lbfgs", "adam", NULL};

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
                "folder of MNIST's or CIFAR's files or of pictures, or digits: synthetic (default; ./digits: a folder)");
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

cli_option option_seed(int64_t *target, const char *help)
{
    return (cli_option){
        .name = "seed", .kind = CLI_INTEGER, .target = target, .argument = "N", .low = 0, .high = 1e15, .help = help};
}

/* ---- Pictures made by going down an objective ---- */

cli_option option_pixels(const char *name, char letter, int64_t *target, const char *help)
{
    return (cli_option){.name = name,
                        .letter = letter,
                        .kind = CLI_INTEGER,
                        .target = target,
                        .argument = "PIXELS",
                        .low = 16,
                        .high = OPTION_MOST_PIXELS,
                        .help = help};
}

cli_option option_iterations(int64_t *target, const char *help)
{
    return (cli_option){.name = "iterations",
                        .letter = 'n',
                        .kind = CLI_INTEGER,
                        .target = target,
                        .argument = "N",
                        .low = 1,
                        .high = 1000000,
                        .help = help};
}

cli_option option_total_variation(double *target, const char *help)
{
    return (cli_option){
        .name = "tv", .kind = CLI_REAL, .target = target, .argument = "W", .low = 0, .high = 1e12, .help = help};
}

cli_option option_optimizer(int *target)
{
    return (cli_option){.name = "optimizer",
                        .kind = CLI_CHOICE,
                        .target = target,
                        .argument = "NAME",
                        .choices = minimizer_names,
                        .help = "lbfgs, adam, or default: lbfgs where this build has it, else adam"};
}

cli_option option_rate(double *target)
{
    return (cli_option){.name = "rate",
                        .kind = CLI_REAL,
                        .target = target,
                        .argument = "R",
                        .low = 1e-6,
                        .high = 10,
                        .help = "Adam's learning rate (default: 0.02)"};
}

int option_optimizer_check(int method)
{
    if (linnet_minimizer_available((linnet_minimizer)method))
        return EXIT_GO_ON;
    return cli_fail(EXIT_USAGE, "lbfgs is not in this build (configured without liblbfgs); adam is");
}
