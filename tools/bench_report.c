/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of `linnet bench`, as a table or as JSON lines. */
#include "bench.h"
#include "json_lines.h"
#include "machine.h"

#include <stdio.h>

void bench_report_start(bench_report *report)
{
    *report = (bench_report){.headed = false};
    table_start(&report->rows, (const char *[]){"NAME", "MODE", ">BATCH", ">THREADS", ">MEDIAN MS", ">MIN MS",
                                                ">SPREAD", ">IMAGES/S", ">GFLOP/S", ">OF PEAK", ">MEMORY", NULL});
}

void bench_report_device(bench_report *report, linnet_device *device)
{
    report->info = linnet_device_get_info(device);
    report->backend = linnet_device_backend_name(device);
    if (!report->headed && !cli_common_options.quiet && !cli_common_options.json)
        printf("%s\n\n", linnet_device_label(device));
    report->headed = true;
}

uint32_t bench_threads(const linnet_device_info *info)
{
    return info->type == LINNET_DEVICE_CPU && info->compute_units ? info->compute_units : 1;
}

double bench_peak(const linnet_device_info *info)
{
    return info->type == LINNET_DEVICE_CPU ? machine_peak(bench_threads(info)) : 0;
}

double bench_bandwidth(const linnet_device_info *info)
{
    return info->type == LINNET_DEVICE_CPU ? machine_bandwidth(bench_threads(info)) : 0;
}

static void print_json(const bench_report *report, const bench_row *r)
{
    const bench_times *t = &r->times;
    double rate = r->operations / t->median, peak = r->operations > 0 ? bench_peak(report->info) : 0;
    json_t *line = json_object();
    json_text(line, "name", r->name);
    json_text(line, "backend", report->backend);
    json_text(line, "device", report->info->name);
    json_text(line, "mode", r->mode);
    if (r->batch)
        json_count(line, "batch", (long long)r->batch);
    json_count(line, "threads", r->threads);
    json_count(line, "runs", (long long)t->runs);
    json_number(line, "median_ms", 1e3 * t->median);
    json_number(line, "min_ms", 1e3 * t->least);
    json_number(line, "max_ms", 1e3 * t->most);
    json_number(line, "lower_quartile_ms", 1e3 * t->lower);
    json_number(line, "upper_quartile_ms", 1e3 * t->upper);
    if (r->start > 0)
        json_number(line, "first_ms", 1e3 * r->start);
    if (r->batch)
        json_number(line, "images_per_second", (double)r->batch / t->median);
    json_number(line, "gflops", 1e-9 * rate);
    if (peak > 0) {
        json_number(line, "peak_gflops", 1e-9 * peak);
        if (bench_of_peak(rate, peak) >= 0)
            json_number(line, "percent_of_peak", bench_of_peak(rate, peak));
    }
    json_count(line, "peak_memory_bytes", (long long)r->memory);
    json_line(line);
}

static void add_row(bench_report *report, const bench_row *r)
{
    const bench_times *t = &r->times;
    char batch[24] = "", threads[24], median[32], least[32], spread[TEXT_SIZE], images[TEXT_SIZE] = "", rate[32] = "",
         part[TEXT_SIZE] = "", memory[TEXT_SIZE] = "";
    double peak = r->operations > 0 ? bench_peak(report->info) : 0;
    snprintf(threads, sizeof threads, "%u", r->threads);
    snprintf(median, sizeof median, "%.3f", 1e3 * t->median);
    snprintf(least, sizeof least, "%.3f", 1e3 * t->least);
    bench_text_spread(spread, t);
    if (r->batch) {
        snprintf(batch, sizeof batch, "%lld", (long long)r->batch);
        text_count(images, (uint64_t)((double)r->batch / t->median));
    }
    if (r->operations > 0)
        snprintf(rate, sizeof rate, "%.1f", 1e-9 * r->operations / t->median);
    if (r->operations > 0)
        bench_text_percent(part, bench_of_peak(r->operations / t->median, peak), 1);
    if (r->memory)
        text_bytes(memory, r->memory);
    table_row(&report->rows,
              (const char *[]){r->name, r->mode, batch, threads, median, least, spread, images, rate, part, memory});
}

void bench_report_row(bench_report *report, const bench_row *row)
{
    if (cli_common_options.json)
        print_json(report, row);
    else
        add_row(report, row);
}

void bench_report_end(bench_report *report)
{
    if (report->rows.rows)
        table_print(&report->rows, 0);
}
