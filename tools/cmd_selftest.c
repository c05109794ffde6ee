/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"
#include "json_lines.h"
#include "options.h"
#include "progress.h"
#include "selftest_report.h"
#include "text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_KINDS 64

typedef struct selftest {
    linnet_device *device, *reference;
    linnet_verify_options options;
    linnet_verify_level level;
    const char *layer, *only; /* NULL: all */
    selftest_tally kinds[MAX_KINDS], sum;
    size_t kind_count;
    const char *report_path; /* NULL: none */
    selftest_report *report;
} selftest;

static bool kind_is(const char *text, const char *kind)
{
    size_t length = strcspn(text, ":");
    return strlen(kind) == length && strncmp(text, kind, length) == 0;
}

static const char *case_at(const selftest *t, size_t index)
{
    if (t->only)
        return index ? NULL : t->only;
    return linnet_verify_case_at(t->level, index);
}

static bool wanted(const selftest *t, const char *text)
{
    return !t->layer || kind_is(text, t->layer);
}

static size_t count_wanted(const selftest *t)
{
    size_t count = 0;
    const char *text;
    for (size_t i = 0; (text = case_at(t, i)); i++)
        count += wanted(t, text);
    return count;
}

static selftest_tally *kind_of(selftest *t, const char *text)
{
    for (size_t i = 0; i < t->kind_count; i++)
        if (kind_is(text, t->kinds[i].kind))
            return &t->kinds[i];
    if (t->kind_count == MAX_KINDS)
        return &t->kinds[MAX_KINDS - 1];
    selftest_tally *kind = &t->kinds[t->kind_count++];
    snprintf(kind->kind, sizeof kind->kind, "%.*s", (int)strcspn(text, ":"), text);
    return kind;
}

static void record(selftest *t, const char *text, const linnet_verify_result *result, double seconds)
{
    selftest_tally_add(kind_of(t, text), text, result, seconds);
    selftest_tally_add(&t->sum, text, result, seconds);
    selftest_report_result(t->report, result, seconds);
    if (cli_common_options.json) {
        json_t *line = json_object();
        json_text(line, "case", text);
        json_text(line, "outcome", selftest_outcomes[result->outcome]);
        json_count(line, "runs", result->runs);
        json_count(line, "failures", result->failures);
        json_text(line, "report", result->report);
        json_line(line);
    } else if (result->outcome == LINNET_VERIFY_FAILED || result->no_memory || (t->only && *result->report)) {
        progress_clear();
        size_t length = strlen(result->report);
        printf("%s %s\n%s%s", text, selftest_outcomes[result->outcome], result->report,
               length && result->report[length - 1] != '\n' ? "\n" : "");
    }
}

static int run_cases(selftest *t)
{
    const char *text;
    int64_t done = 0;
    linnet_verify_result *result = calloc(1, sizeof *result);
    if (!result)
        return cli_fail(EXIT_NO_MEMORY, "no memory for a report");
    result->size = sizeof *result;
    progress_start("selftest", "cases", cli_common_options.json ? 0 : (int64_t)count_wanted(t));
    int code = EXIT_GO_ON;
    for (size_t i = 0; code == EXIT_GO_ON && (text = case_at(t, i)); i++) {
        if (!wanted(t, text))
            continue;
        double start = text_now();
        selftest_report_case(t->report, text);
        linnet_status status = linnet_verify_case(t->device, t->reference, text, &t->options, result);
        code = cli_check(status);
        if (code == EXIT_GO_ON)
            record(t, text, result, text_now() - start);
        else if (status == LINNET_INVALID)
            code = EXIT_USAGE;
        progress_update(++done, NAN, NAN);
    }
    progress_end();
    free(result);
    return code;
}

static void add_row(table *t, const selftest_tally *kind)
{
    char cells[3][TEXT_SIZE];
    for (int i = 0; i < 3; i++)
        text_count(cells[i], kind->outcomes[i + 1]);
    table_row(t, (const char *[]){kind->kind, cells[0], cells[1], cells[2]});
}

static int code_of(const selftest *t)
{
    return t->sum.outcomes[LINNET_VERIFY_FAILED]   ? EXIT_SELFTEST
           : t->sum.outcomes[LINNET_VERIFY_PASSED] ? EXIT_DONE
           : t->sum.no_memory                      ? EXIT_NO_MEMORY
                                                   : EXIT_FAILED;
}

/* Nothing is claimed of a device on which every case was skipped. */
static void print_verdict(const selftest *t, int code)
{
    const char *label = linnet_device_label(t->device);
    if (code == EXIT_SELFTEST)
        printf("\n%s does NOT compute right: please report the lines above.\n", label);
    else if (code != EXIT_DONE)
        printf("\n%s was not tested: every case was skipped%s.\n", label,
               t->sum.no_memory ? " for want of memory" : "");
    else if (t->sum.no_memory)
        printf("\n%s computes right as far as there was memory: %llu cases were skipped for want of it.\n", label,
               (unsigned long long)t->sum.no_memory);
    else
        printf("\n%s computes right.\n", label);
}

static int summarize(selftest *t)
{
    int code = code_of(t);
    if (cli_common_options.json) {
        json_t *line = json_object();
        json_text(line, "backend", linnet_device_backend_name(t->device));
        json_text(line, "device", linnet_device_get_info(t->device)->name);
        for (int i = LINNET_VERIFY_PASSED; i <= LINNET_VERIFY_SKIPPED; i++)
            json_count(line, selftest_outcomes[i], (long long)t->sum.outcomes[i]);
        json_count(line, "no_memory", (long long)t->sum.no_memory);
        json_line(line);
    } else {
        table rows;
        table_start(&rows, (const char *[]){"LAYER", ">PASSED", ">FAILED", ">SKIPPED", NULL});
        for (size_t i = 0; i < t->kind_count; i++)
            add_row(&rows, &t->kinds[i]);
        table_rule(&rows);
        snprintf(t->sum.kind, sizeof t->sum.kind, "all");
        add_row(&rows, &t->sum);
        table_print(&rows, 0);
        print_verdict(t, code);
    }
    return code;
}

static int list_cases(const selftest *t)
{
    const char *text;
    for (size_t i = 0; (text = case_at(t, i)); i++)
        if (wanted(t, text))
            printf("%s\n", text);
    return EXIT_DONE;
}

/* LINNET_REQUIRE: backends, separated by commas, that have to be usable. */
static int check_required(void)
{
    const char *list = getenv("LINNET_REQUIRE");
    while (list && *list) {
        char name[64];
        int length = (int)strcspn(list, ",");
        snprintf(name, sizeof name, "%.*s", length, list);
        linnet_device *device = *name ? linnet_device_open(NULL, name) : NULL;
        if (*name && !device)
            return cli_check_last();
        linnet_device_close(&device);
        list += length + (list[length] == ',');
    }
    return EXIT_GO_ON;
}

static int verify(selftest *t)
{
    int code = check_required();
    if (code != EXIT_GO_ON)
        return code;
    if (!count_wanted(t))
        return cli_fail(EXIT_USAGE, "there is no case of layer '%s'; see linnet selftest --list", t->layer);
    if (!(t->device = linnet_device_open(NULL, cli_common_options.backend)))
        return cli_check_last();
    if (!(t->reference = linnet_device_open(NULL, "reference"))) {
        cli_check_last();
        return cli_fail(EXIT_NO_DEVICE, "without the reference backend nothing can be verified");
    }
    bool quick = t->level == LINNET_VERIFY_QUICK;
    if (t->report_path)
        code = selftest_report_open(t->report_path, t->device, quick, t->options.seed, &t->report);
    if (code == EXIT_GO_ON)
        code = run_cases(t);
    bool ended = code == EXIT_GO_ON;
    if (ended)
        code = summarize(t);
    int closed = selftest_report_close(&t->report, t->kinds, t->kind_count, &t->sum, ended);
    return code == EXIT_DONE && closed != EXIT_GO_ON ? closed : code;
}

static int run(int argc, char **argv)
{
    int first, quick = 0, list = 0;
    int64_t seed = 1;
    selftest t = {.level = LINNET_VERIFY_STANDARD};
    cli_option options[] = {
        {.name = "quick", .kind = CLI_FLAG, .target = &quick, .help = "a few small cases of each layer"},
        {.name = "layer", .kind = CLI_TEXT, .target = &t.layer, .argument = "NAME", .help = "only this layer: conv2d"},
        {.name = "case",
         .kind = CLI_TEXT,
         .target = &t.only,
         .argument = "CASE",
         .help = "only this case, whether listed or not"},
        {.name = "list", .kind = CLI_FLAG, .target = &list, .help = "print the cases and run none"},
        {.name = "report",
         .kind = CLI_TEXT,
         .target = &t.report_path,
         .argument = "FILE",
         .help = "write all that is found there, to be attached to an issue"},
        option_seed(&seed, "of the random numbers (default: 1)"),
    };
    int code = cli_parse(&cmd_selftest, options, sizeof options / sizeof options[0], argc, argv, &first);
    if (code == EXIT_GO_ON && first < argc)
        code = cli_usage(&cmd_selftest, "'%s' was not expected", argv[first]);
    if (code == EXIT_GO_ON && list && t.report_path)
        code = cli_usage(&cmd_selftest, "--list runs nothing that --report could write down");
    if (code == EXIT_GO_ON && t.only && quick)
        code = cli_usage(&cmd_selftest, "--quick and --case exclude each other");
    if (code == EXIT_GO_ON)
        code = cli_check_environment();
    if (code != EXIT_GO_ON)
        return code;
    t.options = (linnet_verify_options){.size = sizeof t.options, .seed = (uint64_t)seed};
    t.level = quick ? LINNET_VERIFY_QUICK : LINNET_VERIFY_STANDARD;
    code = list ? list_cases(&t) : verify(&t);
    linnet_device_close(&t.device);
    linnet_device_close(&t.reference);
    return code;
}

const cli_command cmd_selftest = {
    "selftest", "", "check that a device computes every layer right",
    "Every implementation of every layer is compared with the reference backend, forwards\n"
    "and backwards. Exit code 5: something is wrong. A case that there is no memory for is skipped, with the reason; "
    "where\n"
    "every case is skipped nothing is claimed: exit code 6 for want of memory, else 1.\n"
    "A report names the program's commit, the device, its driver and limits, and each case with its time and its\n"
    "largest difference from the reference in parts of what is allowed; nothing of its user. It grows case by case:\n"
    "where a driver takes the program down, its last line is the case. docs/devices.md lists the devices that reports\n"
    "are there of.",
    run};
