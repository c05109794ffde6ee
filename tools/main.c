/* SPDX-License-Identifier: Apache-2.0 */
/* The program `linnet`: one command per file, cmd_<name>.c. */
#include "commands.h"
#include "version.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>

static const cli_command *const commands[] = {
    &cmd_devices,      &cmd_doctor, &cmd_selftest, &cmd_summary,     &cmd_plan,   &cmd_bench,
    &cmd_tune,         &cmd_train,  &cmd_eval,     &cmd_predict,     &cmd_filter, &cmd_features,
    &cmd_equivariance, &cmd_style,  &cmd_invert,   &cmd_adversarial,
};

#define COMMAND_COUNT (sizeof commands / sizeof commands[0])

static int print_overview(void)
{
    printf("usage: linnet COMMAND [options]\n\nTrains and runs convolutional networks on whatever device is here.\n\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        printf("  %-13s %s\n", commands[i]->name, commands[i]->summary);
    printf(
        "\nLINNET_BACKEND=NAME[:DEVICE] chooses the device for every command: cpu, reference, opencl:pocl, opencl:1.\n"
        "'linnet COMMAND --help' explains a command, 'linnet doctor' what is here and what is missing.\n");
    return EXIT_DONE;
}

static const cli_command *find(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static int dispatch(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || (strcmp(name, "help") == 0 && argc == 2))
        return print_overview();
    if (strcmp(name, "--version") == 0) {
        printf("linnet %s\n", version_text());
        return EXIT_DONE;
    }
    if (!*name)
        return cli_usage(NULL, "no command was given");
    bool help = strcmp(name, "help") == 0; /* "linnet help train" is "linnet train --help" */
    const cli_command *command = find(help ? argv[2] : name);
    if (!command)
        return cli_usage(NULL, *name == '-' ? "unknown option '%s'" : "there is no command '%s'",
                         help ? argv[2] : name);
    char help_option[] = "--help";
    char *help_arguments[] = {argv[0], help_option, NULL};
    return help ? command->run(2, help_arguments) : command->run(argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
    setlocale(LC_CTYPE, ""); /* what the terminal shows; numbers stay as in C */
    cli_log_start();
    return cli_close_stdout(dispatch(argc, argv));
}
