/* SPDX-License-Identifier: Apache-2.0 */
#include "commands.h"
#include "json_lines.h"
#include "text.h"

#include <string.h>

static const char *type_name(uint32_t type)
{
    switch (type) {
    case LINNET_DEVICE_CPU:
        return "CPU";
    case LINNET_DEVICE_GPU:
        return "GPU";
    default:
        return "accelerator";
    }
}

/* The device that a command without --backend would take, found by opening it. */
static bool is_default(const linnet_device *chosen, const char *backend, const linnet_device_info *info)
{
    if (!chosen || strcmp(linnet_device_backend_name(chosen), backend) != 0)
        return false;
    const linnet_device_info *own = linnet_device_get_info(chosen);
    return strcmp(own->name, info->name) == 0 && strcmp(own->platform, info->platform) == 0 &&
           strcmp(own->version, info->version) == 0;
}

static void print_json(const linnet_backend_report *report, uint32_t index, const linnet_device_info *info, bool chosen)
{
    json_t *line = json_object();
    json_text(line, "backend", report->name);
    json_count(line, "index", index);
    json_text(line, "name", info->name);
    json_text(line, "vendor", info->vendor);
    json_text(line, "platform", info->platform);
    json_text(line, "version", info->version);
    json_text(line, "type", type_name(info->type));
    json_count(line, "memory_bytes", (long long)info->memory_bytes);
    json_count(line, "compute_units", info->compute_units);
    json_count(line, "score", info->score);
    json_bool(line, "default", chosen);
    json_line(line);
}

static void add_row(table *t, const linnet_backend_report *report, uint32_t index, const linnet_device_info *info,
                    bool chosen)
{
    char selection[80], memory[TEXT_SIZE] = "", score[16];
    snprintf(selection, sizeof selection, "%s:%u", report->name, index);
    snprintf(score, sizeof score, "%d", info->score);
    if (info->memory_bytes)
        text_bytes(memory, info->memory_bytes);
    table_row(t, (const char *[]){chosen ? "*" : "", selection, info->name, *info->platform ? info->platform : "-",
                                  type_name(info->type), memory, score});
}

static linnet_status list(table *t, const linnet_device *chosen, size_t *out_count)
{
    linnet_backend_report report;
    linnet_status status;
    bool marked = false;
    for (uint32_t i = 0; (status = linnet_backend_report_at(NULL, i, &report)) == LINNET_OK; i++)
        for (uint32_t j = 0; j < report.device_count; j++) {
            linnet_device_info info;
            if (linnet_backend_report_device(NULL, i, j, &info) != LINNET_OK)
                continue;
            bool mark = !marked && is_default(chosen, report.name, &info);
            marked = marked || mark;
            ++*out_count;
            if (cli_common_options.json)
                print_json(&report, j, &info, mark);
            else
                add_row(t, &report, j, &info, mark);
        }
    return status == LINNET_END ? LINNET_OK : status;
}

static int run(int argc, char **argv)
{
    int first;
    int code = cli_parse(&cmd_devices, NULL, 0, argc, argv, &first);
    if (code == EXIT_GO_ON && first < argc)
        code = cli_usage(&cmd_devices, "'%s' was not expected", argv[first]);
    if (code == EXIT_GO_ON)
        code = cli_check_environment();
    if (code != EXIT_GO_ON)
        return code;
    table t;
    size_t count = 0;
    table_start(&t, (const char *[]){"", "SELECT", "DEVICE", "PLATFORM", "TYPE", ">MEMORY", ">SCORE", NULL});
    linnet_device *chosen = linnet_device_open(NULL, cli_common_options.backend);
    int failure = chosen ? EXIT_DONE : cli_check_last();
    code = cli_check(list(&t, chosen, &count));
    if (!cli_common_options.json && count)
        table_print(&t, 0);
    if (chosen && !cli_common_options.json && !cli_common_options.quiet)
        printf("\n* is used unless LINNET_BACKEND or --backend names another one.\n");
    linnet_device_close(&chosen);
    return code == EXIT_GO_ON ? failure : code;
}

const cli_command cmd_devices = {"devices", "", "list the backends' devices and which one is used",
                                 "The first column of names is what LINNET_BACKEND and --backend take; part of a\n"
                                 "device's or platform's name does, too: opencl:pocl.",
                                 run};
