/* SPDX-License-Identifier: Apache-2.0 */
#include "selftest_report.h"

#include "text.h"
#include "version.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>

const char *const selftest_outcomes[LINNET_VERIFY_SKIPPED + 1] = {"", "passed", "failed", "skipped"};

struct selftest_report {
    FILE *file;
    char *path;
    linnet_device *device;
};

void selftest_tally_add(selftest_tally *t, const char *text, const linnet_verify_result *result, double seconds)
{
    t->outcomes[result->outcome]++;
    t->no_memory += result->no_memory != 0;
    t->seconds += seconds;
    if (result->worst <= t->worst)
        return;
    t->worst = result->worst;
    snprintf(t->worst_case, sizeof t->worst_case, "%s", text);
    snprintf(t->worst_at, sizeof t->worst_at, "%s", result->worst_at);
}

/* ---- The head ---- */

static void write_program(FILE *file, bool quick, uint64_t seed)
{
    struct utsname name;
    char date[32] = "";
    time_t now = time(NULL);
    struct tm utc;
    if (gmtime_r(&now, &utc))
        strftime(date, sizeof date, "%Y-%m-%d", &utc);
    fprintf(file, "linnet selftest report 1\n\n[program]\nlinnet: %s\ndate: %s\n", version_text(), date);
    if (uname(&name) == 0)
        fprintf(file, "system: %s %s %s\n", name.sysname, name.release, name.machine);
    fprintf(file, "cases: %s, seed %llu\n", quick ? "quick" : "all", (unsigned long long)seed);
}

/* Settings that change what is computed, where they are set; none that holds a path. */
static void write_settings(FILE *file)
{
    static const char *const names[] = {"LINNET_CPU_ISA",        "LINNET_NUM_THREADS",       "LINNET_NUMERICS",
                                        "LINNET_OPENCL_KERNELS", "LINNET_OPENCL_PARAMETERS", "LINNET_OPENCL_QUIRKS",
                                        "LINNET_OPENCL_VARIANT", "RUSTICL_ENABLE",           "POCL_MAX_PTHREAD_COUNT"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = getenv(names[i]);
        if (value && *value)
            fprintf(file, "setting: %s=%s\n", names[i], value);
    }
}

static void write_device(FILE *file, linnet_device *device)
{
    const linnet_device_info *info = linnet_device_get_info(device);
    const char *types[] = {"unknown", "processor", "GPU", "accelerator"};
    char *lines = NULL;
    fprintf(file, "\n[device]\nbackend: %s\nname: %s\nvendor: %s\nplatform: %s\ndriver: %s\ntype: %s\n",
            linnet_device_backend_name(device), info->name, info->vendor, info->platform, info->version,
            types[info->type <= LINNET_DEVICE_ACCELERATOR ? info->type : 0]);
    fprintf(file, "compute units: %u\nmemory, bytes: %llu\nlargest buffer, bytes: %llu\nalignment, bytes: %u\n",
            info->compute_units, (unsigned long long)info->memory_bytes, (unsigned long long)info->max_buffer_bytes,
            info->alignment_bytes);
    if (linnet_device_describe(device, &lines) == LINNET_OK)
        fputs(lines, file);
    linnet_text_free(&lines);
}

int selftest_report_open(const char *path, linnet_device *device, bool quick, uint64_t seed, selftest_report **out)
{
    selftest_report *r = calloc(1, sizeof *r);
    char *copy = strdup(path);
    *out = NULL;
    if (r && copy)
        r->file = fopen(path, "we");
    if (!r || !copy || !r->file) {
        int code = r && copy ? cli_fail(EXIT_FAILED, "%s: %s", path, strerror(errno))
                             : cli_fail(EXIT_NO_MEMORY, "no memory for a report");
        free(r);
        free(copy);
        return code;
    }
    r->path = copy;
    r->device = device;
    write_program(r->file, quick, seed);
    write_settings(r->file);
    write_device(r->file, device);
    fprintf(r->file, "\n[cases] outcome, seconds, largest difference in parts of what is allowed\n");
    *out = r;
    return EXIT_GO_ON;
}

/* ---- Cases ---- */

void selftest_report_case(selftest_report *r, const char *text)
{
    if (!r)
        return;
    fprintf(r->file, "%-60s", text);
    fflush(r->file);
}

/* Behind the case's line, each line of the report indented. */
static void write_lines(FILE *file, const char *lines)
{
    while (*lines) {
        size_t length = strcspn(lines, "\n");
        if (length)
            fprintf(file, "    %.*s\n", (int)length, lines);
        lines += length + (lines[length] == '\n');
    }
}

void selftest_report_result(selftest_report *r, const linnet_verify_result *result, double seconds)
{
    if (!r)
        return;
    fprintf(r->file, "  %-7s  %8.3f", selftest_outcomes[result->outcome], seconds);
    if (result->worst > 0)
        fprintf(r->file, "  %.3g  %s", result->worst, result->worst_at);
    fputc('\n', r->file);
    write_lines(r->file, result->report);
}

/* ---- The end ---- */

static void write_row(FILE *file, const selftest_tally *t)
{
    fprintf(file, "%-18s %8llu %8llu %8llu %10.2f", t->kind, (unsigned long long)t->outcomes[LINNET_VERIFY_PASSED],
            (unsigned long long)t->outcomes[LINNET_VERIFY_FAILED],
            (unsigned long long)t->outcomes[LINNET_VERIFY_SKIPPED], t->seconds);
    if (t->worst > 0)
        fprintf(file, "   %8.3g  %s, %s", t->worst, t->worst_case, t->worst_at);
    fputc('\n', file);
}

static void write_result(FILE *file, const selftest_tally *sum, bool ended)
{
    const char *verdict = !ended                                ? "was not tested to the end"
                          : sum->outcomes[LINNET_VERIFY_FAILED] ? "does NOT compute right"
                          : sum->outcomes[LINNET_VERIFY_PASSED]
                              ? sum->no_memory ? "computes right as far as there was memory" : "computes right"
                              : "was not tested";
    fprintf(file, "\n[result]\n%s: %llu of %llu cases passed, %llu failed, %llu skipped, in %.1f s\n", verdict,
            (unsigned long long)sum->outcomes[LINNET_VERIFY_PASSED],
            (unsigned long long)(sum->outcomes[LINNET_VERIFY_PASSED] + sum->outcomes[LINNET_VERIFY_FAILED] +
                                 sum->outcomes[LINNET_VERIFY_SKIPPED]),
            (unsigned long long)sum->outcomes[LINNET_VERIFY_FAILED],
            (unsigned long long)sum->outcomes[LINNET_VERIFY_SKIPPED], sum->seconds);
    if (!ended)
        fprintf(file, "stopped by: %s\n", linnet_context_message(NULL));
}

int selftest_report_close(selftest_report **handle, const selftest_tally *kinds, size_t count,
                          const selftest_tally *sum, bool ended)
{
    selftest_report *r = *handle;
    *handle = NULL;
    if (!r)
        return EXIT_GO_ON;
    fprintf(r->file, "\n[layers]\n%-18s %8s %8s %8s %10s   %8s  %s\n", "layer", "passed", "failed", "skipped",
            "seconds", "largest", "where");
    for (size_t i = 0; i < count; i++)
        write_row(r->file, &kinds[i]);
    write_result(r->file, sum, ended);
    bool failed = ferror(r->file) != 0;
    failed = fclose(r->file) != 0 || failed;
    int result = failed ? cli_fail(EXIT_FAILED, "%s: could not be written", r->path) : EXIT_GO_ON;
    free(r->path);
    free(r);
    return result;
}
