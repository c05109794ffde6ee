/* SPDX-License-Identifier: Apache-2.0 */
/* Layers by themselves. */
#include "bench.h"
#include "json_lines.h"

#include <stdio.h>
#include <string.h>

enum { MOST_TIMINGS = 256 };
#define USUAL_SECONDS 0.2

bool bench_is_case(const char *text)
{
    return strchr(text, ':') && !strchr(text, '/') && !linnet_netdef_is_text(text);
}

void bench_case_table(table *t)
{
    table_start(t, (const char *[]){"LAYER", "DIRECTION", "IMPLEMENTATION", "FORMAT", ">THREADS", ">MEDIAN MS",
                                    ">MIN MS", ">CONVERT", ">GFLOP/S", ">OF PEAK", ">GB/S", ">OF MEMORY", NULL});
}

static bool is_wanted(const linnet_verify_timing *t, const bench_options *o)
{
    int direction = o->direction != BENCH_USUAL ? o->direction : o->train ? BENCH_ALL : BENCH_FORWARD;
    if (direction == BENCH_ALL || direction == BENCH_FORWARD)
        return direction == BENCH_ALL || t->direction == LINNET_FORWARD;
    return t->direction == LINNET_BACKWARD && (t->gradients & (direction == BENCH_BACKWARD_DATA ? 1u : 2u));
}

/* Was the same implementation, of another forward, listed before? */
static bool is_listed(const linnet_verify_timing *timings, size_t index)
{
    const linnet_verify_timing *t = &timings[index];
    for (size_t i = 0; i < index; i++)
        if (timings[i].direction == t->direction && timings[i].gradients == t->gradients &&
            strcmp(timings[i].candidate, t->candidate) == 0 && strcmp(timings[i].format, t->format) == 0)
            return true;
    return false;
}

static const char *direction_name(const linnet_verify_timing *t)
{
    static const char *const names[] = {"forward", "backward_data", "backward_weights", "backward"};
    return names[t->direction == LINNET_FORWARD ? 0 : t->gradients & 3];
}

static void print_json(const char *text, const linnet_verify_timing *t, const linnet_device_info *info)
{
    double rate = 2 * t->multiply_adds / t->median, peak = bench_peak(info), bandwidth = bench_bandwidth(info);
    json_t *line = json_object();
    json_text(line, "name", text);
    json_text(line, "device", info->name);
    json_text(line, "direction", direction_name(t));
    json_text(line, "implementation", t->candidate);
    json_text(line, "format", t->format);
    json_bool(line, "first", t->first);
    json_count(line, "threads", bench_threads(info));
    json_number(line, "median_ms", 1e3 * t->median);
    json_number(line, "min_ms", 1e3 * t->fastest);
    json_number(line, "conversion_ms", 1e3 * t->conversion);
    json_number(line, "gflops", 1e-9 * rate);
    json_number(line, "gigabytes_per_second", 1e-9 * t->bytes / t->median);
    if (bench_of_peak(rate, peak) >= 0)
        json_number(line, "percent_of_peak", bench_of_peak(rate, peak));
    if (bench_of_memory(t->bytes / t->median, bandwidth) >= 0)
        json_number(line, "percent_of_bandwidth", bench_of_memory(t->bytes / t->median, bandwidth));
    json_count(line, "workspace_bytes", (long long)t->workspace_bytes);
    json_line(line);
}

static void add_row(table *rows, const char *text, const linnet_verify_timing *t, const linnet_device_info *info)
{
    double rate = 2 * t->multiply_adds / t->median, peak = bench_peak(info), bandwidth = bench_bandwidth(info);
    char name[64], cells[8][32] = {""};
    snprintf(name, sizeof name, "%s%s", t->candidate, t->first ? " *" : "");
    snprintf(cells[0], sizeof cells[0], "%u", bench_threads(info));
    snprintf(cells[1], sizeof cells[1], "%.4f", 1e3 * t->median);
    snprintf(cells[2], sizeof cells[2], "%.4f", 1e3 * t->fastest);
    if (t->conversion > 0)
        snprintf(cells[3], sizeof cells[3], "%.4f", 1e3 * t->conversion);
    if (rate > 0)
        snprintf(cells[4], sizeof cells[4], "%.1f", 1e-9 * rate);
    if (rate > 0)
        bench_text_percent(cells[5], bench_of_peak(rate, peak), 1);
    snprintf(cells[6], sizeof cells[6], "%.1f", 1e-9 * t->bytes / t->median);
    bench_text_percent(cells[7], bench_of_memory(t->bytes / t->median, bandwidth), 0);
    table_row(rows, (const char *[]){text, direction_name(t), name, t->format, cells[0], cells[1], cells[2], cells[3],
                                     cells[4], cells[5], cells[6], cells[7]});
}

int bench_case(table *t, const char *text, const bench_options *options)
{
    linnet_verify_timing timings[MOST_TIMINGS];
    linnet_verify_options o = {.size = sizeof o,
                               .seconds = options->seconds > 0 ? options->seconds : USUAL_SECONDS,
                               .candidate = options->candidate,
                               .planned = options->planned};
    size_t count = 0;
    linnet_device *device = linnet_device_open(NULL, cli_common_options.backend);
    int code = device ? EXIT_GO_ON : cli_check_last();
    if (code == EXIT_GO_ON) {
        linnet_status status = linnet_verify_time(device, text, &o, timings, MOST_TIMINGS, &count);
        code = cli_check(status);
        code = status == LINNET_INVALID || status == LINNET_SHAPE ? EXIT_USAGE : code;
    }
    if (code == EXIT_GO_ON && !count)
        code = cli_fail(EXIT_FAILED, "%s: %s has nothing for it", text, linnet_device_label(device));
    for (size_t i = 0; code == EXIT_GO_ON && i < count && i < MOST_TIMINGS; i++) {
        const linnet_device_info *info = linnet_device_get_info(device);
        if (!is_wanted(&timings[i], options) || is_listed(timings, i))
            continue;
        if (cli_common_options.json)
            print_json(text, &timings[i], info);
        else
            add_row(t, text, &timings[i], info);
    }
    linnet_device_close(&device);
    return code;
}
