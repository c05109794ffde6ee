/* SPDX-License-Identifier: Apache-2.0 */
/* The command line: exit codes, sentences on stderr, option tables, --help made from them. */
#ifndef LINNET_TOOLS_CLI_H
#define LINNET_TOOLS_CLI_H

#include <linnet/linnet.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    EXIT_GO_ON = -1, /* not an exit code: no reason to stop */
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_BAD_INPUT = 3,
    EXIT_NO_DEVICE = 4,
    EXIT_SELFTEST = 5,
    EXIT_NO_MEMORY = 6,
    EXIT_INTERRUPTED = 130
};

typedef struct cli_command {
    const char *name;
    const char *arguments; /* behind "linnet NAME [options]": "NET", "WEIGHTS IMAGE..." */
    const char *summary;   /* one line */
    const char *details;   /* paragraphs of --help below the options; "" for none */
    int (*run)(int argc, char **argv);
} cli_command;

typedef enum cli_kind {
    CLI_FLAG,    /* int: 1 when given */
    CLI_TEXT,    /* const char * */
    CLI_INTEGER, /* int64_t within [low, high] */
    CLI_REAL,    /* double within [low, high] */
    CLI_CHOICE   /* int: index into choices */
} cli_kind;

typedef struct cli_option {
    const char *name;     /* long name without dashes */
    char letter;          /* short name, 0: none */
    cli_kind kind;        /* of target */
    void *target;         /* preset with the default */
    const char *argument; /* as shown in --help; NULL for flags */
    const char *help;
    double low, high;
    const char *const *choices; /* NULL behind the last */
    bool given;                 /* set by cli_parse */
} cli_option;

/* What every command takes. */
typedef struct cli_common {
    const char *backend; /* NULL: LINNET_BACKEND or the best device */
    int json, quiet;
} cli_common;
extern cli_common cli_common_options;

/* Parses argv[1..] into the targets. EXIT_GO_ON with *out_first the index of the first argument that is no option, or
   the exit code to leave with (--help and --version were answered, or a usage error was explained). */
int cli_parse(const cli_command *command, cli_option *options, size_t count, int argc, char **argv, int *out_first);
/* Whether the option called name was given. */
bool cli_given(const cli_option *options, size_t count, const char *name);

/* "linnet: sentence" on stderr; returns code. */
int cli_fail(int code, const char *format, ...) LINNET_PRINTF(2, 3);
/* A usage error: the sentence and where to read more; returns EXIT_USAGE. */
int cli_usage(const cli_command *command, const char *format, ...) LINNET_PRINTF(2, 3);
/* The library's sentence and the exit code for status, EXIT_GO_ON for LINNET_OK. cli_input: what failed is a file that
   the user named, so what is wrong with it is EXIT_BAD_INPUT. */
int cli_check(linnet_status status);
int cli_check_input(linnet_status status);
/* The same for constructors that returned NULL. */
int cli_check_last(void);
int cli_check_last_input(void);
/* EXIT_GO_ON, or why no command can work: the environment makes no sense. */
int cli_check_environment(void);

/* Warnings and errors of the library go to stderr from here on. */
void cli_log_start(void);
/* Flushes stdout; EXIT_FAILED with a sentence when something written there was lost, else code. */
int cli_close_stdout(int code);

#endif
