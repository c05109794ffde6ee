/* SPDX-License-Identifier: Apache-2.0 */
/* What is here, what was refused and why, what to install. Every finding is one line that depends on nothing but what
   it is about: two reports can be compared line by line. */
#include "commands.h"
#include "doctor.h"
#include "json_lines.h"
#include "text.h"
#include "version.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *current_section = "";

void doctor_line(const char *section, const char *name, const char *state, const char *text)
{
    if (cli_common_options.json) {
        json_t *line = json_object();
        json_text(line, "section", section);
        json_text(line, "name", name);
        json_text(line, "state", state);
        json_text(line, "text", text);
        json_line(line);
        return;
    }
    if (strcmp(section, current_section) != 0) {
        bool colour = text_colour(stdout);
        printf("%s%s%s%s\n", *current_section ? "\n" : "", colour ? "\033[1m" : "", section, colour ? "\033[0m" : "");
        current_section = section;
    }
    if (*state || *text)
        printf("  %-26s  %-8s  %s\n", name, state, text);
    else
        printf("  %s\n", name);
}

/* ---- Plugins ---- */

static void append(char *text, size_t size, const char *separator, const char *item)
{
    size_t used = strlen(text);
    snprintf(text + used, size - used, "%s%s", used ? separator : "", item);
}

/* A plugin's "name: value" lines as one. */
static void append_diagnosis(char *text, size_t size, const char *diagnosis)
{
    while (*diagnosis) {
        char item[512];
        size_t length = strcspn(diagnosis, "\n");
        snprintf(item, sizeof item, "%.*s", (int)length, diagnosis);
        if (length)
            append(text, size, "; ", item);
        diagnosis += length + (diagnosis[length] == '\n');
    }
}

static void describe_plugin(uint32_t index, const linnet_backend_report *report, char *text, size_t size)
{
    *text = '\0';
    if (report->status != LINNET_OK) {
        append(text, size, "", report->reason);
        return;
    }
    for (uint32_t i = 0; i < report->device_count; i++) {
        linnet_device_info info;
        char item[300];
        if (linnet_backend_report_device(NULL, index, i, &info) != LINNET_OK)
            continue;
        snprintf(item, sizeof item, "%s:%u %s%s%s%s", report->name, i, info.name, *info.platform ? " (" : "",
                 info.platform, *info.platform ? ")" : "");
        append(text, size, ", ", item);
    }
    if (!report->device_count) {
        append(text, size, "", "no device");
        append_diagnosis(text, size, report->diagnosis);
    }
}

static bool is_in(const char *path, const char *folder)
{
    size_t length = strlen(folder);
    return strncmp(path, folder, length) == 0 && path[length] == '/' && !strchr(path + length + 1, '/');
}

/* The plugins of one folder; returns how many devices they have together. */
static uint32_t show_folder(const char *folder, bool verbose)
{
    linnet_backend_report report;
    uint32_t devices = 0;
    bool any = false;
    doctor_line("Plugins", folder, "", "");
    for (uint32_t i = 0; linnet_backend_report_at(NULL, i, &report) == LINNET_OK; i++) {
        char text[2048], detail[2048] = "";
        if (!is_in(report.path, folder))
            continue;
        any = true;
        describe_plugin(i, &report, text, sizeof text);
        const char *state = report.status != LINNET_OK ? "refused" : report.device_count ? "ok" : "idle";
        doctor_line("Plugins", strrchr(report.path, '/') + 1, state, text);
        append_diagnosis(detail, sizeof detail, report.diagnosis);
        if (verbose && *detail)
            doctor_line("Plugins", "", "", detail);
        devices += report.status == LINNET_OK ? report.device_count : 0;
    }
    if (!any)
        doctor_line("Plugins", "(none here)", "", "");
    return devices;
}

static uint32_t show_plugins(bool verbose)
{
    const char *folder;
    uint32_t devices = 0;
    for (uint32_t i = 0; (folder = linnet_plugin_folder(NULL, i)); i++)
        devices += show_folder(folder, verbose);
    return devices;
}

/* ---- linnet-probe ---- */

static void show_probe(void)
{
    const char *asked = getenv("LINNET_PROBE");
    char path[4096], text[8192] = "";
    for (uint32_t i = 0; linnet_probe_place(NULL, i, path, sizeof path) == LINNET_OK; i++) {
        if (access(path, X_OK) == 0) {
            bool inlined = asked && strcmp(asked, "inline") == 0;
            doctor_line("Drivers are asked by", "linnet-probe", inlined ? "off" : "ok", path);
            return;
        }
        if (!strstr(text, path))
            append(text, sizeof text, ", ", path);
    }
    append(text, sizeof text, "; ", "a driver that crashes takes down what asks it");
    doctor_line("Drivers are asked by", "linnet-probe", "missing", text);
}

static int run(int argc, char **argv)
{
    int first, verbose = 0;
    cli_option options[] = {
        {.name = "verbose",
         .letter = 'v',
         .kind = CLI_FLAG,
         .target = &verbose,
         .help = "also what each plugin says about itself"},
    };
    int code = cli_parse(&cmd_doctor, options, 1, argc, argv, &first);
    if (code == EXIT_GO_ON && first < argc)
        code = cli_usage(&cmd_doctor, "'%s' was not expected", argv[first]);
    if (code != EXIT_GO_ON)
        return code;
    doctor_ask_drivers();
    doctor_line("Linnet", "version", "", version_text());
    doctor_show_environment();
    code = cli_check_environment(); /* what makes no sense is said on stderr; the rest still helps */
    uint32_t devices = show_plugins(verbose);
    show_probe();
    doctor_show_drivers();
    doctor_show_cache();
    if (code != EXIT_GO_ON)
        return code;
    return devices ? EXIT_DONE : cli_fail(EXIT_NO_DEVICE, "no plugin found a device");
}

const cli_command cmd_doctor = {
    "doctor", "", "explain what was found here, what was refused and what is missing",
    "States: ok; refused (with the reason); idle (loaded, but it has no device; with what stands\n"
    "in the way where that is known); missing; off; unknown (a variable that nobody reads).",
    run};
