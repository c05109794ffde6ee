/* SPDX-License-Identifier: Apache-2.0 */
/* All cases on one device. */
#include "conformance.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef struct tally {
    unsigned passed, failed, skipped, expected, runs;
} tally;

typedef struct expected_failure {
    const char *label, *version, *text, *reason;
} expected_failure;

/* The last row only ends the table. */
static const expected_failure expected_failures[] = {
#define EXPECTED(label, version, text, reason) {label, version, text, reason},
#include "expected_failures.def"
    {NULL, NULL, NULL, NULL}};

static const char *volatile current = "";

/* Says which case was running; the default action follows. */
static void on_crash(int number)
{
    static const char before[] = "\ncrashed in case ";
    ssize_t ignored = write(STDERR_FILENO, before, sizeof before - 1);
    ignored = write(STDERR_FILENO, current, strlen(current));
    ignored = write(STDERR_FILENO, "\n", 1);
    (void)ignored;
    raise(number);
}

static void catch_crashes(void)
{
    static const int numbers[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    struct sigaction action = {.sa_handler = on_crash, .sa_flags = (int)SA_RESETHAND};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        sigaction(numbers[i], &action, NULL);
}

const char *conformance_option_text(const char *name)
{
    static char texts[16][24];
    static unsigned used;
    char *text = texts[used++ % 16];
    snprintf(text, sizeof texts[0], "--%s", name);
    return text;
}

bool conformance_selects(const conformance_options *options, const char *text)
{
    size_t length = strcspn(text, ":");
    return !options->layer || (strlen(options->layer) == length && strncmp(options->layer, text, length) == 0);
}

static const char *why_expected(const linnet_device *device, const char *text)
{
    const linnet_device_info *info = linnet_device_get_info(device);
    for (const expected_failure *e = expected_failures; e->text; e++)
        if (strcmp(e->text, text) == 0 && strstr(linnet_device_label(device), e->label) &&
            strstr(info->version, e->version))
            return e->reason;
    return NULL;
}

static void print_json_text(const char *text)
{
    putchar('"');
    for (; *text; text++)
        if (*text == '"' || *text == '\\')
            printf("\\%c", *text);
        else if ((unsigned char)*text < ' ')
            printf("\\u%04x", (unsigned)*text);
        else
            putchar(*text);
    putchar('"');
}

static void print_json(const linnet_device *device, const char *text, const char *outcome,
                       const linnet_verify_result *result, double seconds)
{
    printf("{\"backend\": \"%s\", \"device\": ", linnet_device_backend_name(device));
    print_json_text(linnet_device_get_info(device)->name);
    printf(", \"case\": ");
    print_json_text(text);
    printf(", \"outcome\": \"%s\", \"runs\": %u, \"failures\": %u, \"seconds\": %.6f, \"report\": ", outcome,
           result->runs, result->failures, seconds);
    print_json_text(result->report);
    printf("}\n");
}

/* Counts one result and gives it its name. */
static const char *judge(const conformance_options *options, const linnet_device *device, const char *text,
                         const linnet_verify_result *result, tally *t)
{
    const char *reason = why_expected(device, text);
    if (result->no_memory) /* no case here is large */
        return t->failed++, "FAILED";
    if (result->outcome == LINNET_VERIFY_SKIPPED && !(options->complete && !strchr(text, '+')))
        return t->skipped++, "skipped";
    if (result->outcome == LINNET_VERIFY_PASSED && !reason)
        return t->passed++, "passed";
    if (result->outcome == LINNET_VERIFY_FAILED && reason)
        return t->expected++, "failed as expected";
    return t->failed++, reason ? "FAILED: expected to fail but passes: stale row" : "FAILED";
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void run_case(const conformance_options *options, linnet_device *device, linnet_device *reference,
                     const char *text, tally *t)
{
    linnet_verify_result result = {.size = sizeof result};
    double start = now();
    current = text;
    linnet_status status = options->bench ? linnet_verify_bench(device, text, &options->verify, &result)
                                          : linnet_verify_case(device, reference, text, &options->verify, &result);
    if (status) {
        result.outcome = LINNET_VERIFY_FAILED;
        snprintf(result.report, sizeof result.report, "%s: %s\n", linnet_status_name(status),
                 linnet_context_message(NULL));
    }
    const char *outcome = judge(options, device, text, &result, t);
    t->runs += result.runs;
    if (options->json)
        print_json(device, text, outcome, &result, now() - start);
    else if (options->verbose || options->bench || *outcome == 'F')
        printf("%s: %s (%u runs, %.3f s)\n%s", text, outcome, result.runs, now() - start, result.report);
    fflush(stdout);
}

/* Kinds that are no layers cannot be timed. */
static bool is_timed(const char *text)
{
    return strncmp(text, "queue:", 6) != 0 && strncmp(text, "optimizer:", 10) != 0;
}

int conformance_run(const conformance_options *options, linnet_device *device, linnet_device *reference)
{
    tally t = {0};
    double start = now();
    catch_crashes();
    if (options->text)
        run_case(options, device, reference, options->text, &t);
    for (size_t i = 0; !options->text && i < linnet_verify_case_count(options->level); i++) {
        const char *text = linnet_verify_case_at(options->level, i);
        if (conformance_selects(options, text) && (!options->bench || is_timed(text)))
            run_case(options, device, reference, text, &t);
    }
    fprintf(options->json ? stderr : stdout, "%s: %u passed, %u failed, %u skipped", linnet_device_label(device),
            t.passed, t.failed, t.skipped);
    if (t.expected)
        fprintf(options->json ? stderr : stdout, ", %u failed as expected", t.expected);
    fprintf(options->json ? stderr : stdout, " (%u runs, %.1f s)\n", t.runs, now() - start);
    if (!t.passed && !t.failed && !t.expected)
        return options->complete ? 1 : 77;
    return t.failed ? 1 : 0;
}
