/* SPDX-License-Identifier: Apache-2.0 */
#include "cli.h"

#include "progress.h"
#include "text.h"
#include "version.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_OPTIONS 40
#define FIRST_CODE  256 /* getopt codes of options: above every letter */

cli_common cli_common_options;
static int want_help, want_version;

/* ---- Sentences ---- */

static void say(const char *format, va_list arguments)
{
    progress_clear();
    fputs("linnet: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
}

int cli_fail(int code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(format, arguments);
    va_end(arguments);
    return code;
}

int cli_usage(const cli_command *command, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    say(format, arguments);
    va_end(arguments);
    if (command)
        fprintf(stderr, "usage: linnet %s [options]%s%s\nTry 'linnet %s --help'.\n", command->name,
                *command->arguments ? " " : "", command->arguments, command->name);
    else
        fprintf(stderr, "usage: linnet COMMAND [options]\nTry 'linnet --help'.\n");
    return EXIT_USAGE;
}

static int check(linnet_status status, bool input)
{
    if (status == LINNET_OK)
        return EXIT_GO_ON;
    int code = EXIT_FAILED;
    if (status == LINNET_OUT_OF_MEMORY)
        code = EXIT_NO_MEMORY;
    else if (status == LINNET_NO_DEVICE)
        code = EXIT_NO_DEVICE;
    else if (status == LINNET_INTERRUPTED)
        code = EXIT_INTERRUPTED;
    else if (input && status != LINNET_INTERNAL)
        code = EXIT_BAD_INPUT;
    const char *message = linnet_context_message(NULL);
    return cli_fail(code, "%s", *message ? message : linnet_status_text(status));
}

int cli_check(linnet_status status)
{
    return check(status, false);
}

int cli_check_input(linnet_status status)
{
    return check(status, true);
}

static linnet_status last_status(void)
{
    linnet_status status = linnet_context_last_status(NULL);
    return status == LINNET_OK ? LINNET_OUT_OF_MEMORY : status;
}

int cli_check_last(void)
{
    return check(last_status(), false);
}

int cli_check_last_input(void)
{
    return check(last_status(), true);
}

int cli_check_environment(void)
{
    linnet_net *net = linnet_net_new(NULL); /* the cheapest constructor: each of them looks at the environment */
    if (!net) {
        int code = cli_check_last();
        return code == EXIT_FAILED ? EXIT_USAGE : code;
    }
    linnet_net_free(&net);
    return EXIT_GO_ON;
}

static void log_line(void *user, linnet_log_level level, const char *message)
{
    (void)user;
    (void)level;
    progress_clear();
    fprintf(stderr, "linnet: %s\n", message);
}

void cli_log_start(void)
{
    linnet_context_set_log(NULL, log_line, NULL);
}

int cli_close_stdout(int code)
{
    int failed = ferror(stdout);
    if (fflush(stdout) || failed)
        return cli_fail(code == EXIT_DONE ? EXIT_FAILED : code, "writing to standard output: %s",
                        strerror(errno ? errno : EIO));
    return code;
}

/* ---- Options ---- */

/* Pointers, so that `given` is set where the caller looks. */
typedef struct option_list {
    cli_option *items[MAX_OPTIONS];
    size_t count;
} option_list;

static cli_option common_table[] = {
    {.name = "backend",
     .kind = CLI_TEXT,
     .target = &cli_common_options.backend,
     .argument = "NAME[:DEVICE]",
     .help = "run there (default: LINNET_BACKEND, else the best device)"},
    {.name = "json", .kind = CLI_FLAG, .target = &cli_common_options.json, .help = "print JSON lines on stdout"},
    {.name = "quiet",
     .letter = 'q',
     .kind = CLI_FLAG,
     .target = &cli_common_options.quiet,
     .help = "print results only"},
    {.name = "help", .letter = 'h', .kind = CLI_FLAG, .target = &want_help, .help = "print this text"},
    {.name = "version", .kind = CLI_FLAG, .target = &want_version, .help = "print the version"},
};

static bool gather(option_list *list, cli_option *options, size_t count)
{
    for (size_t i = 0; i < count && list->count < MAX_OPTIONS; i++)
        list->items[list->count++] = &options[i];
    return list->count < MAX_OPTIONS;
}

static void print_option(const cli_option *option)
{
    char left[80];
    int used = option->letter ? snprintf(left, sizeof left, "-%c, --%s", option->letter, option->name)
                              : snprintf(left, sizeof left, "    --%s", option->name);
    if (option->argument && used > 0 && (size_t)used < sizeof left)
        snprintf(left + used, sizeof left - (size_t)used, "=%s", option->argument);
    printf("  %-30s %s\n", left, option->help);
}

static void print_help(const cli_command *command, const option_list *list)
{
    printf("usage: linnet %s [options]%s%s\n\n%c%s.\n\nOptions:\n", command->name, *command->arguments ? " " : "",
           command->arguments, toupper((unsigned char)command->summary[0]), command->summary + 1);
    for (size_t i = 0; i < list->count; i++)
        print_option(list->items[i]);
    if (*command->details)
        printf("\n%s\n", command->details);
}

static int bad_value(const cli_command *command, const cli_option *option, const char *value, const char *wanted)
{
    return cli_usage(command, "--%s='%s' makes no sense: %s is wanted", option->name, value, wanted);
}

static int read_integer(const cli_command *command, const cli_option *option, const char *value)
{
    char wanted[96], *end;
    errno = 0;
    long long number = strtoll(value, &end, 10);
    snprintf(wanted, sizeof wanted, "a whole number from %.0f to %.0f", option->low, option->high);
    if (errno || end == value || *end || (double)number < option->low || (double)number > option->high)
        return bad_value(command, option, value, wanted);
    *(int64_t *)option->target = number;
    return EXIT_GO_ON;
}

static int read_real(const cli_command *command, const cli_option *option, const char *value)
{
    char wanted[96], *end;
    double number = strtod(value, &end);
    snprintf(wanted, sizeof wanted, "a number from %g to %g", option->low, option->high);
    if (end == value || *end || !isfinite(number) || number < option->low || number > option->high)
        return bad_value(command, option, value, wanted);
    *(double *)option->target = number;
    return EXIT_GO_ON;
}

static int read_choice(const cli_command *command, const cli_option *option, const char *value)
{
    char wanted[160] = "one of";
    for (int i = 0; option->choices[i]; i++) {
        if (strcmp(option->choices[i], value) == 0) {
            *(int *)option->target = i;
            return EXIT_GO_ON;
        }
        size_t used = strlen(wanted);
        snprintf(wanted + used, sizeof wanted - used, "%s %s", i ? "," : "", option->choices[i]);
    }
    return bad_value(command, option, value, wanted);
}

static int read_value(const cli_command *command, cli_option *option, const char *value)
{
    option->given = true;
    switch (option->kind) {
    case CLI_FLAG:
        *(int *)option->target = 1;
        return EXIT_GO_ON;
    case CLI_TEXT:
        if (!*value)
            return bad_value(command, option, value, "a text that is not empty");
        *(const char **)option->target = value;
        return EXIT_GO_ON;
    case CLI_INTEGER:
        return read_integer(command, option, value);
    case CLI_REAL:
        return read_real(command, option, value);
    case CLI_CHOICE:
        return read_choice(command, option, value);
    }
    return EXIT_FAILED;
}

/* getopt's own description of the list. */
static void describe(const option_list *list, struct option *longs, char *letters)
{
    *letters++ = ':'; /* a missing argument is told apart from an unknown option */
    for (size_t i = 0; i < list->count; i++) {
        const cli_option *option = list->items[i];
        longs[i] = (struct option){option->name, option->kind == CLI_FLAG ? no_argument : required_argument, NULL,
                                   FIRST_CODE + (int)i};
        if (option->letter) {
            *letters++ = option->letter;
            if (option->kind != CLI_FLAG)
                *letters++ = ':';
        }
    }
    longs[list->count] = (struct option){0};
    *letters = '\0';
}

static cli_option *find_code(const option_list *list, int code)
{
    for (size_t i = 0; i < list->count; i++)
        if (code == FIRST_CODE + (int)i || (code < FIRST_CODE && list->items[i]->letter == code))
            return list->items[i];
    return NULL;
}

static int parse_list(const cli_command *command, const option_list *list, int argc, char **argv)
{
    struct option longs[MAX_OPTIONS + 1];
    char letters[2 * MAX_OPTIONS + 2];
    describe(list, longs, letters);
    opterr = 0;
    optind = 0; /* getopt starts anew */
    for (;;) {
        int before = optind ? optind : 1;
        int code = getopt_long(argc, argv, letters, longs, NULL);
        if (code == -1)
            return EXIT_GO_ON;
        cli_option *option = code == '?' || code == ':' ? NULL : find_code(list, code);
        if (!option) {
            const char *what = argv[optind > before || code == ':' ? optind - 1 : before];
            if (code == ':')
                return cli_usage(command, "option '%s' needs an argument", what);
            if (optopt && optopt < FIRST_CODE)
                return cli_usage(command, "unknown option '-%c'", optopt);
            return cli_usage(command, optopt ? "option '%s' takes no argument" : "unknown option '%s'", what);
        }
        int exit_code = read_value(command, option, optarg ? optarg : "");
        if (exit_code != EXIT_GO_ON)
            return exit_code;
    }
}

int cli_parse(const cli_command *command, cli_option *options, size_t count, int argc, char **argv, int *out_first)
{
    option_list list = {.count = 0};
    if (!gather(&list, options, count) || !gather(&list, common_table, sizeof common_table / sizeof common_table[0]))
        return cli_fail(EXIT_FAILED, "'%s' has too many options", command->name);
    int code = parse_list(command, &list, argc, argv);
    if (code != EXIT_GO_ON)
        return code;
    *out_first = optind;
    if (want_help) {
        print_help(command, &list);
        return EXIT_DONE;
    }
    if (want_version) {
        printf("linnet %s\n", version_text());
        return EXIT_DONE;
    }
    return EXIT_GO_ON;
}

bool cli_given(const cli_option *options, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(options[i].name, name) == 0)
            return options[i].given;
    return false;
}
