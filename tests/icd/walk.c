/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fails one OpenCL call after the other, from the first to the last of each scenario. Every run has to end with a
 * sentence or with the right result, hold no OpenCL object afterwards, and end at all.
 *
 *     walk ICD SELECTION [--sample N] [--every-code] [--only SCENARIO] [--needs CALL] [--call N] [--verbose]
 *
 * Each call fails with one of the errors by turns. --sample: about so many calls of a scenario, spread over all of it;
 * default: every one. --every-code: each with every error. --call: this one alone, with every error. --needs: a
 * scenario that does not make this OpenCL call has failed. Exit code 77: no such device here.
 */
#include "icd.h"
#include "scenarios.h"

#include <dlfcn.h>
#include <ftw.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SECONDS = 600, SKIP = 77, OUT_OF_RESOURCES = -5 };

/* Out of host memory, resources, device memory; device gone; no build; nonsense; an error nobody knows. */
static const int32_t codes[] = {-6, -5, -4, -2, -11, -30, -9999};
enum { CODES = sizeof codes / sizeof codes[0] };

static void *library;
static icd_control *icd;
static const char *selection, *only, *needs;
static int64_t sample, single = -1;
static int every_code, verbose, failures;
static char where[160]; /* which run this is */

void *scenario_function(const char *name)
{
    return dlsym(library, name);
}

static void put(const char *text)
{
    ssize_t ignored = write(STDERR_FILENO, text, strlen(text));
    (void)ignored;
}

static void on_signal(int number)
{
    put(where);
    put(number == SIGALRM ? ": it hangs\n" : ": it crashes\n");
    _exit(EXIT_FAILURE);
}

static void complain(const char *what, const outcome *out)
{
    fprintf(stderr, "%s (%s): %s; status %d, \"%s\"\n", where, icd->failed_name ? icd->failed_name : "none failed",
            what, (int)out->status, out->message);
    failures++;
}

static int forget(const char *path, const struct stat *info, int type, struct FTW *place)
{
    (void)info;
    (void)place;
    return type == FTW_F ? unlink(path) : 0;
}

static void reset(void)
{
    *icd = (icd_control){.fail_at = -1};
}

/* One run under what *icd says. */
static void play(const scenario *s, outcome *out)
{
    *out = (outcome){.status = LINNET_OK};
    if (s->cold)
        nftw(getenv("LINNET_CACHE_DIR"), forget, 16, FTW_PHYS | FTW_DEPTH);
    alarm(SECONDS);
    s->run(selection, out);
    alarm(0);
}

static int same(const outcome *a, const outcome *b)
{
    for (size_t i = 0; i < b->count; i++)
        if (!(fabs((double)a->values[i] - (double)b->values[i]) <= 1e-4 * (1 + fabs((double)b->values[i]))))
            return 0;
    return 1;
}

/* With what failed, is this outcome allowed? */
static void judge(const outcome *out, const outcome *right)
{
    if (out->status != LINNET_OK && !*out->message)
        complain("an error without a sentence", out);
    if (out->status == LINNET_OK && !same(out, right)) {
        complain("a wrong result", out);
        for (size_t i = 0; i < right->count && verbose; i++)
            printf("value %zu: %.9g, should be %.9g\n", i, (double)out->values[i], (double)right->values[i]);
    }
    if (icd->live != 0) {
        char text[64];
        snprintf(text, sizeof text, "%lld objects are left", (long long)icd->live);
        complain(text, out);
    }
    if (verbose)
        printf("%s (%s): %d %s\n", where, icd->failed_name ? icd->failed_name : "-", (int)out->status, out->message);
}

typedef enum extent { ALONE, AND_AFTER, CONTEXT } extent; /* CONTEXT: all until another context is made */

static void fail_call(const scenario *s, const outcome *right, int64_t call, int32_t code, extent what)
{
    static const char *const texts[] = {"", " and later ones", " and its context's later ones"};
    outcome out;
    reset();
    icd->fail_at = call;
    icd->code = code;
    icd->and_after = what == AND_AFTER;
    icd->lose = what == CONTEXT;
    snprintf(where, sizeof where, "%s %s, call %lld%s fails with %d", selection, s->name, (long long)call, texts[what],
             (int)code);
    play(s, &out);
    judge(&out, right);
}

/* Everything but one failing call: machines and drivers that say strange things. */
static void strange_answers(const scenario *s, const outcome *right)
{
    static const char *const named[] = {"clBuildProgram",  "clCreateKernel", "clGetProgramInfo",
                                        "clGetDeviceInfo", "clFlush",        "clGetKernelWorkGroupInfo"};
    outcome out;
    for (int i = 0; i < 4 + ICD_LIMITS_COUNT + (int)(sizeof named / sizeof named[0]); i++) {
        reset();
        icd->code = -11;
        icd->no_platforms = i == 0;
        icd->no_devices = i == 1;
        icd->no_binaries = i == 2;
        icd->empty_logs = i >= 3;
        icd->limits = i > 3 && i < 4 + ICD_LIMITS_COUNT ? (icd_limits)(i - 4) : ICD_LIMITS_REAL;
        icd->fail_name = i >= 4 + ICD_LIMITS_COUNT ? named[i - 4 - ICD_LIMITS_COUNT] : NULL;
        snprintf(where, sizeof where, "%s %s, strange answer %d (limits %d, %s fails)", selection, s->name, i,
                 (int)icd->limits, icd->fail_name ? icd->fail_name : "nothing");
        play(s, &out);
        judge(&out, right);
    }
}

static void need(const scenario *s, const outcome *right)
{
    outcome out;
    if (!needs)
        return;
    reset();
    icd->fail_name = needs;
    icd->code = -11;
    snprintf(where, sizeof where, "%s %s, %s fails", selection, s->name, needs);
    play(s, &out);
    if (!icd->failed_name)
        complain("it is never called", &out);
    judge(&out, right);
}

static void walk(const scenario *s)
{
    outcome right;
    snprintf(where, sizeof where, "%s %s, undisturbed", selection, s->name);
    for (int i = 0; i < 2; i++) { /* the first one fills the caches */
        reset();
        play(s, &right);
        if (right.status != LINNET_OK || icd->live != 0) {
            complain("it does not even work undisturbed, or leaves objects", &right);
            return;
        }
    }
    int64_t calls = icd->calls;
    need(s, &right);
    int64_t step = sample && calls > sample ? calls / sample : 1, runs = 0;
    for (int64_t call = single >= 0 ? single : 0; call < (single >= 0 ? single + 1 : calls); call += step) {
        for (int c = 0; c < CODES; c++)
            if (every_code || c == runs % CODES)
                fail_call(s, &right, call, codes[c], ALONE);
        if (every_code || runs % 4 == 0)
            fail_call(s, &right, call, codes[runs % CODES], AND_AFTER);
        if (every_code || runs % 4 == 2)
            fail_call(s, &right, call, OUT_OF_RESOURCES, CONTEXT);
        runs++;
    }
    if (single < 0)
        strange_answers(s, &right);
    reset();
    outcome again;
    play(s, &again);
    snprintf(where, sizeof where, "%s %s, undisturbed again", selection, s->name);
    if (again.status != LINNET_OK)
        complain("it does not work any more", &again);
    judge(&again, &right);
    printf("%s: %lld calls, %lld of them failed\n", s->name, (long long)calls, (long long)runs);
}

static void parse(int argc, char **argv)
{
    for (int i = 3; i < argc; i++)
        if (strcmp(argv[i], "--sample") == 0 && i + 1 < argc)
            sample = atoll(argv[++i]);
        else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc)
            only = argv[++i];
        else if (strcmp(argv[i], "--needs") == 0 && i + 1 < argc)
            needs = argv[++i];
        else if (strcmp(argv[i], "--call") == 0 && i + 1 < argc)
            single = atoll(argv[++i]);
        else if (strcmp(argv[i], "--every-code") == 0)
            every_code = 1;
        else if (strcmp(argv[i], "--verbose") == 0)
            verbose = 1;
    every_code |= single >= 0;
}

static int is_required(void)
{
    const char *required = getenv("LINNET_REQUIRE");
    return required && strstr(required, "opencl");
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: walk ICD SELECTION [--sample N] [--every-code] [--only SCENARIO] [--needs CALL] "
                        "[--call N] [--verbose]\n");
        return 2;
    }
    selection = argv[2];
    parse(argc, argv);
    library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    icd = library ? dlsym(library, "linnet_icd") : NULL;
    if (!icd) {
        fprintf(stderr, "%s\n", dlerror());
        return EXIT_FAILURE;
    }
    linnet_device *device = linnet_device_open(NULL, selection);
    if (!device) {
        printf("%s: %s\n", selection, linnet_context_message(NULL));
        return is_required() ? EXIT_FAILURE : SKIP;
    }
    linnet_device_close(&device);
    if (icd->calls == 0) {
        fprintf(stderr, "%s did not go through %s\n", selection, argv[1]);
        return EXIT_FAILURE;
    }
    for (int number = 0; number < 4; number++)
        signal((const int[]){SIGALRM, SIGSEGV, SIGABRT, SIGBUS}[number], on_signal);
    for (size_t i = 0; i < scenario_count; i++)
        if (!only || strcmp(only, scenarios[i].name) == 0)
            walk(&scenarios[i]);
    printf("%d failures\n", failures);
    return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
