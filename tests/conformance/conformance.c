/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The conformance run: every case of the table on every device that is here, compared with the reference backend. With
 * several devices each one gets a process of its own, so that one driver cannot disturb another.
 */
#include "conformance.h"

#include <errno.h>
#include <getopt.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

extern char **environ;

enum { BACKENDS_AT_MOST = 32, OPTIONS_AT_MOST = 16 };

static const char usage[] = "Usage: conformance [OPTION]...\n"
                            "Runs the conformance cases on every device (or on $LINNET_BACKEND).\n\n"
                            "  --backend SEL     only this device (name[:device]); may be given several times\n"
                            "  --layer KIND      only cases of this kind\n"
                            "  --case STRING     only this case, in the table or not\n"
                            "  --candidate NAME  only this forward implementation\n"
                            "  --quick           the small table\n"
                            "  --expect-none     succeed when the device is not there, and only then\n"
                            "  --complete        a case that a device lacks is a failure (fused epilogues apart)\n"
                            "  --seed N          of the random fill\n"
                            "  --bench           time the implementations instead of comparing\n"
                            "  --json            one JSON object a line on stdout\n"
                            "  --list            print the cases\n"
                            "  --verbose         print every case\n\n"
                            "LINNET_REQUIRE=opencl,cpu makes a missing backend a failure. Exit status: 0 passed, 1 "
                            "failed, 2 usage, 77 no device.\n";

/* Is selection, or its backend, named in LINNET_REQUIRE? */
static bool is_required(const char *selection)
{
    const char *list = getenv("LINNET_REQUIRE");
    size_t whole = strlen(selection), name = strcspn(selection, ":");
    while (list && *list) {
        size_t length = strcspn(list, ",");
        if ((length == whole || length == name) && strncmp(list, selection, length) == 0)
            return true;
        list += length + (list[length] == ',');
    }
    return false;
}

static int run_device(const conformance_options *options, const char *selection)
{
    linnet_device *device = linnet_device_open(NULL, selection);
    if (options->expect_none) {
        fprintf(stderr, "%s: %s\n", selection, device ? "FAILED, is there" : linnet_context_message(NULL));
        bool there = device != NULL;
        linnet_device_close(&device);
        return there;
    }
    if (!device) {
        bool required = is_required(selection);
        fprintf(stderr, "%s: %s: %s\n", selection, required ? "FAILED, is required" : "skipped",
                linnet_context_message(NULL));
        return required ? 1 : 77;
    }
    linnet_device *reference = linnet_device_open(NULL, "reference");
    int result = 1;
    if (!reference)
        fprintf(stderr, "%s: nothing to compare with: %s\n", selection, linnet_context_message(NULL));
    else
        result = conformance_run(options, device, reference);
    const linnet_backend *backend = device->backend; /* plugins stay loaded */
    linnet_device_close(&device);
    linnet_device_close(&reference);
    if (backend->live_objects && backend->live_objects() != 0) {
        fprintf(stderr, "%s: FAILED: %llu driver objects are left after the device was closed\n", selection,
                (unsigned long long)backend->live_objects());
        result = 1;
    }
    return result;
}

/* This program again, for one device. */
static int spawn_device(char **arguments, int count, const char *selection)
{
    char *child[OPTIONS_AT_MOST * 2 + 4];
    pid_t pid;
    int used = 0, status = 0;
    for (int i = 0; i < count && used < OPTIONS_AT_MOST * 2; i++)
        child[used++] = arguments[i];
    child[used++] = "--backend";
    child[used++] = (char *)(uintptr_t)selection;
    child[used] = NULL;
    fflush(NULL);
    int error = posix_spawn(&pid, "/proc/self/exe", NULL, NULL, child, environ);
    while (!error && waitpid(pid, &status, 0) < 0)
        error = errno == EINTR ? 0 : errno;
    if (error || !WIFEXITED(status)) {
        fprintf(stderr, "%s: FAILED: %s\n", selection,
                error ? strerror(error) : strsignal(WIFSIGNALED(status) ? WTERMSIG(status) : 0));
        return 1;
    }
    return WEXITSTATUS(status);
}

/* "name:index" of every device that was probed. */
static int find_devices(char selections[][64], int capacity)
{
    int count = 0;
    linnet_backend_report report;
    for (uint32_t i = 0; linnet_backend_report_at(NULL, i, &report) == LINNET_OK; i++)
        for (uint32_t j = 0; report.status == LINNET_OK && j < report.device_count && count < capacity; j++)
            snprintf(selections[count++], sizeof selections[0], "%s:%u", report.name, j);
    return count;
}

/* One after another; failure wins over success, success over skipping. */
static int run_all(const conformance_options *options, char **arguments, int count, const char **selections, int many)
{
    int result = 77;
    for (int i = 0; i < many; i++) {
        int one = many == 1 ? run_device(options, selections[i]) : spawn_device(arguments, count, selections[i]);
        result = one == 77 ? result : one == 0 && result == 77 ? 0 : one != 0 ? one : result;
    }
    return result;
}

static int list_cases(const conformance_options *options)
{
    for (size_t i = 0; i < linnet_verify_case_count(options->level); i++)
        if (conformance_selects(options, linnet_verify_case_at(options->level, i)))
            puts(linnet_verify_case_at(options->level, i));
    return 0;
}

/* Reads the command line; arguments without --backend go to kept (for children). -1: go on, else exit with it. */
static int parse(int argc, char **argv, conformance_options *options, const char **selections, int *many, char **kept,
                 int *kept_count, bool *list)
{
    enum { BACKEND = 1, LAYER, CASE, CANDIDATE, QUICK, COMPLETE, SEED, BENCH, JSON, LIST, VERBOSE, EXPECT_NONE, HELP };
    static const struct option table[] = {{"backend", 1, NULL, BACKEND},
                                          {"layer", 1, NULL, LAYER},
                                          {"case", 1, NULL, CASE},
                                          {"candidate", 1, NULL, CANDIDATE},
                                          {"quick", 0, NULL, QUICK},
                                          {"complete", 0, NULL, COMPLETE},
                                          {"seed", 1, NULL, SEED},
                                          {"bench", 0, NULL, BENCH},
                                          {"json", 0, NULL, JSON},
                                          {"list", 0, NULL, LIST},
                                          {"verbose", 0, NULL, VERBOSE},
                                          {"help", 0, NULL, HELP},
                                          {"expect-none", 0, NULL, EXPECT_NONE},
                                          {NULL, 0, NULL, 0}};
    int option, index = 0;
    char *end = NULL;
    kept[(*kept_count)++] = argv[0];
    while ((option = getopt_long(argc, argv, "", table, &index)) != -1) {
        if (option == '?' || *kept_count + 2 > OPTIONS_AT_MOST * 2)
            return 2;
        if (option != BACKEND) {
            kept[(*kept_count)++] = (char *)(uintptr_t)conformance_option_text(table[index].name);
            if (optarg)
                kept[(*kept_count)++] = optarg;
        }
        switch (option) {
        case BACKEND:
            if (*many == BACKENDS_AT_MOST)
                return 2;
            selections[(*many)++] = optarg;
            break;
        case LAYER:
            options->layer = optarg;
            break;
        case CASE:
            options->text = optarg;
            break;
        case CANDIDATE:
            options->verify.candidate = optarg;
            break;
        case SEED:
            options->verify.seed = strtoull(optarg, &end, 10);
            if (!*optarg || *end)
                return 2;
            break;
        case HELP:
            fputs(usage, stdout);
            return 0;
        default:
            options->level = option == QUICK ? LINNET_VERIFY_QUICK : options->level;
            options->complete |= option == COMPLETE;
            options->expect_none |= option == EXPECT_NONE;
            options->bench |= option == BENCH;
            options->json |= option == JSON;
            options->verbose |= option == VERBOSE;
            *list |= option == LIST;
        }
    }
    return optind < argc ? 2 : -1;
}

int main(int argc, char **argv)
{
    static char found[BACKENDS_AT_MOST][64];
    conformance_options options = {.level = LINNET_VERIFY_STANDARD, .verify = {.size = sizeof options.verify}};
    const char *selections[BACKENDS_AT_MOST], *environment = getenv("LINNET_BACKEND");
    char *kept[OPTIONS_AT_MOST * 2 + 2];
    int many = 0, kept_count = 0;
    bool list = false;
    int result = parse(argc, argv, &options, selections, &many, kept, &kept_count, &list);
    if (result == 2)
        fputs(usage, stderr);
    if (result >= 0)
        return result;
    if (list)
        return list_cases(&options);
    if (!many && environment && *environment)
        selections[many++] = environment;
    if (!many) {
        many = find_devices(found, BACKENDS_AT_MOST);
        for (int i = 0; i < many; i++)
            selections[i] = found[i];
    }
    if (!many)
        fprintf(stderr, "no device: %s\n", linnet_context_message(NULL));
    return run_all(&options, kept, kept_count, selections, many);
}
